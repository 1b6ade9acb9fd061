//! The merge queue as clients see it (api.md 4, **MergeQueue**, **MergeQueueItem**).

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::bead::{Bead, Failure};
use super::event::Event;
use crate::id::{AgentId, ConvoyId, RigId};
use crate::limits::REVIEW_STALE;
use crate::rig::pr::{self, Checks, WatchState};
use crate::rig::review::{Review, ReviewState};
use crate::rig::state::State;
use crate::session::GateStatus;
use crate::sorted::sort_by_key;
use crate::time::Timestamp;

/// **MergeQueue**.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct MergeQueue {
    pub needs_attention: Vec<MergeQueueItem>,
    pub in_flight: Vec<MergeQueueItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<Vec<Event>>,
}

impl MergeQueue {
    /// Sorts items, oldest first, into those that a person must see and those that go on by themselves.
    pub fn of(mut items: Vec<MergeQueueItem>, activity: Option<Vec<Event>>) -> Self {
        sort_by_key(&mut items, |item| (item.mr_bead.created_at, item.mr_bead.bead_id));
        let (needs_attention, in_flight) = items.into_iter().partition(MergeQueueItem::needs_attention);
        Self { needs_attention, in_flight, activity }
    }
}

/// **MergeQueueItem**.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct MergeQueueItem {
    pub mr_bead: Bead,
    pub review: ReviewShape,
    pub source_bead: Option<Bead>,
    pub convoy: Option<ConvoyName>,
    pub agent: Option<AgentName>,
    pub rig: RigName,
    pub stale_since: Option<Timestamp>,
    pub reason: Option<Failure>,
    pub dismissed: bool,
    pub actions: Vec<String>,
}

/// A convoy in a list of other things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct ConvoyName {
    pub id: ConvoyId,
    pub title: Option<String>,
}

/// An agent in a list of other things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct AgentName {
    pub id: AgentId,
    pub name: String,
}

/// A rig in a list of other things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct RigName {
    pub id: RigId,
    pub name: String,
}

/// `review` of a **MergeQueueItem**, and of **Explain**.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct ReviewShape {
    pub state: String,
    pub branch: String,
    pub target_branch: String,
    pub commit: Option<String>,
    pub merge_commit: Option<String>,
    pub pr_url: Option<String>,
    pub round: u32,
    pub rounds_max: u32,
    pub gates: Vec<GateShape>,
    pub checks: Option<Checks>,
    pub awaiting_approval: bool,
    pub merges_at: Option<Timestamp>,
}

/// One gate of the newest run at the head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct GateShape {
    pub command: String,
    pub status: GateStatus,
    pub duration_ms: u64,
    pub commit: String,
    pub output_tail: String,
}

impl ReviewShape {
    /// The review as it is.
    pub fn of(state: &State, review: &Review) -> Self {
        let watch = state.watches.get(&review.bead_id);
        let run = review.head_commit.as_ref().and_then(|head| state.gate_run(review.bead_id, head));
        let gates = run.into_iter().flat_map(|run| {
            run.gates.iter().map(|gate| GateShape {
                command: gate.command.clone(),
                status: gate.status,
                duration_ms: gate.duration_ms,
                commit: run.commit_id.clone().unwrap_or_default(),
                output_tail: gate.output_tail.clone(),
            })
        });
        Self {
            state: review.sub.map_or_else(|| review.state.to_string(), |sub| format!("pr_{sub}")),
            branch: review.branch.clone(),
            target_branch: review.target.clone(),
            commit: review.head_commit.clone(),
            merge_commit: review.merge_commit.clone(),
            pr_url: watch.map(|watch| watch.url.clone()),
            round: review.round,
            rounds_max: state.rig.settings.as_ref().map_or(0, |settings| settings.config.max_review_rounds),
            gates: gates.collect(),
            checks: watch.map(|watch| watch.checks),
            awaiting_approval: watch.is_some_and(|watch| watch.awaiting_approval),
            merges_at: (review.state == ReviewState::PrOpen).then(|| pr::merges_at(state, review)).flatten(),
        }
    }
}

impl MergeQueueItem {
    /// A review with its beads in their wire shape.
    pub fn of(state: &State, review: &Review, mr_bead: Bead, source_bead: Option<Bead>, now: Timestamp) -> Self {
        let bead = state.beads.get(&review.bead_id);
        let reason = reason(state, review).or_else(|| mr_bead.failure.clone());
        let newest_round = state.rounds.range((review.bead_id, 0)..=(review.bead_id, u32::MAX)).next_back();
        let progress_at = newest_round.map_or(mr_bead.updated_at, |(_, round)| round.at.max(mr_bead.updated_at));
        let waits_since = bead.and_then(|bead| bead.parked.as_ref()).map(|parked| parked.since);
        let worker = [Some(review.bead_id), review.child_id].into_iter().flatten();
        let agent_id = worker.filter_map(|id| state.assignment_of_bead(id)).map(|a| a.agent_id).next();
        let name = |id: AgentId| state.agents.get(&id).map(|agent| AgentName { id, name: agent.name.clone() });
        let mut item = Self {
            review: ReviewShape::of(state, review),
            source_bead,
            convoy: review.convoy_id.map(|id| ConvoyName { id, title: None }),
            agent: agent_id.or(review.author_agent).and_then(name),
            rig: RigName {
                id: state.rig.rig_id,
                name: state.rig.settings.as_ref().map(|s| s.rig_models.name.clone()).unwrap_or_default(),
            },
            stale_since: Some(progress_at + REVIEW_STALE).filter(|&at| review.is_live() && at <= now),
            reason,
            dismissed: review.dismissed_at.is_some_and(|at| waits_since.is_none_or(|since| since <= at)),
            actions: Vec::new(),
            mr_bead,
        };
        item.actions = actions(review, item.waits_for_person()).into_iter().map(str::to_owned).collect();
        item
    }

    fn waits_for_person(&self) -> bool {
        self.reason.is_some() || self.review.state == "pr_needs_human"
    }

    /// Whether a person must see it.
    pub fn needs_attention(&self) -> bool {
        !self.dismissed && (self.waits_for_person() || self.stale_since.is_some())
    }
}

/// Why a person is asked.
fn reason(state: &State, review: &Review) -> Option<Failure> {
    let parked = state.beads.get(&review.bead_id).and_then(|bead| bead.parked.clone());
    if let Some(parked) = parked {
        let (code, message) = (parked.code, parked.message);
        return Some(Failure { code, message, source: "review".to_owned(), at: parked.since, details: Map::new() });
    }
    let watch = state.watches.get(&review.bead_id).filter(|watch| watch.state == WatchState::Degraded)?;
    let error = watch.error.as_ref()?;
    Some(Failure {
        code: format!("forge_{}", error.class),
        message: error.message.clone(),
        source: "forge".to_owned(),
        at: watch.polled_at.unwrap_or(review.queued_at),
        details: Map::new(),
    })
}

/// What a person may do now.
fn actions(review: &Review, waits_for_person: bool) -> Vec<&'static str> {
    let can_be_judged = match review.state {
        ReviewState::Queued | ReviewState::Reviewing | ReviewState::Approved | ReviewState::ChangesRequested => true,
        ReviewState::PrOpen => !review.awaits_child(),
        ReviewState::Reworking | ReviewState::Merging | ReviewState::Merged | ReviewState::Rejected => false,
    };
    let verdicts: &[&str] = if can_be_judged { &["approve", "request_changes", "reject"] } else { &[] };
    let waits: &[&str] = if waits_for_person && review.is_live() { &["retry", "dismiss"] } else { &[] };
    waits.iter().chain(verdicts).copied().collect()
}
