//! What an agent is told about its work (api.md 4, **PrimeContext**; domain.md 10.3). A repeat gives the same answer.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::agent::{Agent, Assignment};
use super::bead::Bead;
use super::mail::Mail;
use crate::id::BeadId;
use crate::rig::bead::{PR_CONFLICT, REWORK};
use crate::rig::lesson::Lesson;
use crate::rig::molecule;
use crate::rig::review::{Review, ReviewState, Round};
use crate::rig::state::State;
use crate::session::GateResult;
use crate::time::Timestamp;

/// **PrimeContext**.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct PrimeContext {
    pub agent: Agent,
    pub hooked_bead: Option<Bead>,
    pub undelivered_mail: Vec<Mail>,
    pub open_beads: Vec<Bead>,
    pub rework_context: Option<ReworkContext>,
    pub pr_fixup_context: Option<Value>,
    pub pr_conflict_context: Option<Value>,
    pub revision: String,
    pub assignment: Option<Assignment>,
    pub review_context: Option<ReviewContext>,
    pub convoy_context: Option<Value>,
    pub triage_context: Option<Value>,
    pub gates: Vec<String>,
    pub history: Vec<Learned>,
    pub predecessors: Vec<Predecessor>,
    pub steps: Vec<OpenStep>,
    pub custom_instructions: Option<String>,
}

/// Finished work of the rig that is near to the work at hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Learned {
    pub bead_id: BeadId,
    pub title: String,
    pub outcome: String,
    pub summary: String,
    pub review_feedback: Option<String>,
    pub closed_at: Timestamp,
}

impl Learned {
    /// A lesson that is cited.
    pub fn of(lesson: Lesson) -> Self {
        Self {
            bead_id: lesson.bead_id,
            title: lesson.title,
            outcome: lesson.outcome,
            summary: lesson.summary,
            review_feedback: Some(lesson.findings).filter(|findings| !findings.is_empty()),
            closed_at: lesson.at,
        }
    }
}

/// Work that this work waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Predecessor {
    pub bead_id: BeadId,
    pub title: String,
    pub summary: String,
    pub branch: Option<String>,
}

/// A step that is still to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OpenStep {
    /// Place in the molecule, from 0.
    pub index: u32,
    /// One line.
    pub title: String,
    /// What to do.
    pub instructions: String,
}

/// Steps of a bead that are still to be done, in order.
pub fn steps(state: &State, bead: &crate::rig::bead::Bead) -> Vec<OpenStep> {
    let open = molecule::open_steps(state, bead.bead_id).into_iter();
    let shape = open.map(|step| OpenStep {
        index: step.idx,
        title: step.title.clone(),
        instructions: step.instructions.clone(),
    });
    shape.collect()
}

/// The pull request that a bead with this label repairs; what the caller of it left among the bead's facts.
pub fn pull_request(bead: &crate::rig::bead::Bead, label: &str) -> Option<Value> {
    let fact = |name: &str| bead.metadata.get(name).cloned().unwrap_or_default();
    let is_conflict = label == PR_CONFLICT;
    bead.has_label(label).then(|| {
        let branch = bead.branch.clone().map_or_else(|| fact("branch"), Value::from);
        let target = bead.target.clone().map_or_else(|| fact("target_branch"), Value::from);
        let mut context = json!({ "pr_url": fact("pr_url"), "branch": branch, "target_branch": target });
        if is_conflict {
            context["has_feedback"] = json!(fact("has_feedback").as_bool().unwrap_or(false));
            context["files"] = fact("files");
        }
        context
    })
}

/// The plan that a bead is part of, with the work that it goes on from.
pub fn convoy(bead: &crate::rig::bead::Bead, predecessors: &[Predecessor]) -> Option<Value> {
    let convoy_id = bead.convoy_id?;
    let context = json!({ "convoy_id": convoy_id, "feature_branch": bead.target, "predecessors": predecessors });
    Some(context)
}

/// What a rework answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct ReworkContext {
    pub feedback: String,
    pub branch: String,
    pub target_branch: String,
    pub files: Vec<String>,
    pub original_bead_title: String,
    pub mr_bead_id: BeadId,
}

/// What a refinery judges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct ReviewContext {
    pub mr_bead_id: BeadId,
    pub state: ReviewState,
    pub source_bead: Option<Bead>,
    pub branch: String,
    pub target_branch: String,
    pub commit: Option<String>,
    pub gates: Vec<GateResult>,
    pub previous_rounds: Vec<PreviousRound>,
    pub pr_url: Option<String>,
}

/// An earlier judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PreviousRound {
    /// What was asked for.
    pub feedback: String,
    /// When.
    pub at: Timestamp,
}

/// The rework of a bead that was made by a review.
pub fn rework(state: &State, bead: &crate::rig::bead::Bead) -> Option<ReworkContext> {
    let review = bead.parent_id.and_then(|parent| state.reviews.get(&parent)).filter(|_| bead.has_label(REWORK))?;
    let round = rounds(state, review.bead_id).last().copied()?;
    let source = review.source_id.and_then(|id| state.beads.get(&id));
    Some(ReworkContext {
        feedback: round.text(),
        branch: review.branch.clone(),
        target_branch: review.target.clone(),
        files: round.findings.iter().filter_map(|finding| finding.file.clone()).collect(),
        original_bead_title: source.map(|bead| bead.title.clone()).unwrap_or_default(),
        mr_bead_id: review.bead_id,
    })
}

/// The review that a merge_request bead stands for; `source` shows the reviewed work.
pub fn review(state: &State, review: &Review, source: Option<Bead>) -> ReviewContext {
    let run = review.head_commit.as_ref().and_then(|commit| state.gate_run(review.bead_id, commit));
    ReviewContext {
        mr_bead_id: review.bead_id,
        state: review.state,
        source_bead: source,
        branch: review.branch.clone(),
        target_branch: review.target.clone(),
        commit: review.head_commit.clone(),
        gates: run.map(|run| run.gates.clone()).unwrap_or_default(),
        previous_rounds: rounds(state, review.bead_id)
            .into_iter()
            .map(|round| PreviousRound { feedback: round.text(), at: round.at })
            .collect(),
        pr_url: state.watches.get(&review.bead_id).map(|watch| watch.url.clone()),
    }
}

fn rounds(state: &State, review_id: BeadId) -> Vec<&Round> {
    state.rounds.range((review_id, 0)..=(review_id, u32::MAX)).map(|(_, round)| round).collect()
}
