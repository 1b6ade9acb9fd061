//! Why a bead is where it is (api.md 4, **Explain**): what it waits for, what was tried, and what can be done.

use serde::{Deserialize, Serialize};

use super::agent::Assignment;
use super::bead::{Bead, Failure, Wait, cost_usd, tokens};
use crate::id::BeadId;
use crate::limits::{ATTEMPTS, REVIEW_ROUNDS};
use crate::models::Resolution;
use crate::rig::assignment::{self, Phase};
use crate::rig::bead::{self, BeadStatus, BeadType, EdgeState};
use crate::rig::review::{self, MergeStrategy};
use crate::rig::state::State;
use crate::session::Tokens;
use crate::time::Timestamp;

/// **Explain**.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Explain {
    pub bead: Bead,
    pub waits: Vec<Wait>,
    pub next_check_at: Option<Timestamp>,
    pub blockers: Vec<Blocker>,
    pub counters: Counters,
    pub resolved_model: Option<Resolution>,
    pub assignments: Vec<Assignment>,
    pub review: Option<Review>,
    pub totals: Totals,
    pub actions: Vec<String>,
}

/// What it waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Blocker {
    pub bead_id: BeadId,
    pub title: String,
    pub status: BeadStatus,
    pub failure: Option<Failure>,
}

/// What was charged, against what limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Counters {
    pub start_failures: Counter,
    pub lost_leases: Counter,
    pub agent_errors: Counter,
    pub review_rounds: Counter,
    pub feedback_rounds: Counter,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Counter {
    pub count: u32,
    pub cap: u32,
    pub retry_at: Option<Timestamp>,
}

/// Its review, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Review {
    pub mr_bead_id: BeadId,
    pub state: review::ReviewState,
    pub branch: String,
    pub target_branch: String,
    pub commit: Option<String>,
    pub merge_commit: Option<String>,
    pub strategy: MergeStrategy,
    pub round: u32,
    pub rounds_max: u32,
}

/// What it cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Totals {
    pub tokens: Tokens,
    pub cost_usd: Option<f64>,
    pub active_ms: i64,
    pub waiting_ms: i64,
}

/// The rows that an explanation is made of, besides the live ones.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// All assignments, newest first.
    pub assignments: Vec<assignment::Assignment>,
    /// Its newest review, live or not.
    pub review: Option<review::Review>,
    /// Its blockers, live or not.
    pub blockers: Vec<bead::Bead>,
}

impl Explain {
    /// Explains a bead that is in view.
    pub fn of(
        state: &State,
        shape: Bead,
        bead: &bead::Bead,
        history: &History,
        resolved_model: Option<Resolution>,
        now: Timestamp,
    ) -> Self {
        let is_running = state.assignment_of_bead(bead.bead_id).is_some_and(|live| live.phase != Phase::Queued);
        let wait = shape.wait.clone().filter(|_| bead.is_live() && !is_running);
        let assignments = history
            .assignments
            .iter()
            .map(|row| Assignment { bead_title: bead.title.clone(), ..Assignment::of(state, row) })
            .collect();
        Self {
            next_check_at: wait.as_ref().and_then(|wait| wait.until),
            waits: wait.into_iter().collect(),
            blockers: blockers(state, bead, history),
            counters: counters(state, bead, history.review.as_ref()),
            resolved_model,
            assignments,
            review: history.review.as_ref().map(|review| review_of(state, review)),
            totals: totals(bead, history, now),
            actions: actions(bead),
            bead: shape,
        }
    }
}

fn blockers(state: &State, bead: &bead::Bead, history: &History) -> Vec<Blocker> {
    let holds = |id: BeadId| {
        let edge = state.edges.get(&(bead.bead_id, id));
        edge.is_some_and(|edge| matches!(edge.state, EdgeState::Pending | EdgeState::Failed))
    };
    let held_by = history.blockers.iter().filter(|blocker| holds(blocker.bead_id));
    held_by
        .map(|blocker| Blocker {
            bead_id: blocker.bead_id,
            title: blocker.title.clone(),
            status: blocker.status,
            failure: blocker.failure.as_ref().map(Failure::of),
        })
        .collect()
}

fn counters(state: &State, bead: &bead::Bead, review: Option<&review::Review>) -> Counters {
    let config = state.rig.settings.as_ref().map(|settings| &settings.config);
    let cap = config.map_or(ATTEMPTS, |config| config.max_dispatch_attempts);
    let of = |count| Counter { count, cap, retry_at: bead.not_before.filter(|_| count > 0) };
    let rounds = |count, cap: Option<u32>| Counter { count, cap: cap.unwrap_or(REVIEW_ROUNDS), retry_at: None };
    Counters {
        start_failures: of(bead.start_failures),
        lost_leases: of(bead.lost_leases),
        agent_errors: of(bead.agent_errors),
        review_rounds: rounds(review.map_or(0, |review| review.round), config.map(|c| c.max_review_rounds)),
        feedback_rounds: rounds(
            review.map_or(0, |review| review.feedback_round),
            config.map(|c| c.max_feedback_rounds),
        ),
    }
}

fn review_of(state: &State, review: &review::Review) -> Review {
    Review {
        mr_bead_id: review.bead_id,
        state: review.state,
        branch: review.branch.clone(),
        target_branch: review.target.clone(),
        commit: review.head_commit.clone(),
        merge_commit: review.merge_commit.clone(),
        strategy: review.strategy,
        round: review.round,
        rounds_max: state.rig.settings.as_ref().map_or(REVIEW_ROUNDS, |settings| settings.config.max_review_rounds),
    }
}

/// Time with a session, and all other time until it ended.
fn totals(bead: &bead::Bead, history: &History, now: Timestamp) -> Totals {
    let active_ms: i64 = history
        .assignments
        .iter()
        .filter_map(|row| Some(row.ended_at.unwrap_or(now).ms() - row.started_at?.ms()))
        .map(|span| span.max(0))
        .sum();
    let end = if bead.is_live() { now } else { bead.closed_at.unwrap_or(bead.updated_at) };
    Totals {
        tokens: tokens(bead.tokens_in, bead.tokens_out),
        cost_usd: cost_usd(bead.cost_micros),
        active_ms,
        waiting_ms: (end.ms() - bead.created_at.ms() - active_ms).max(0),
    }
}

/// What a person may do now.
fn actions(bead: &bead::Bead) -> Vec<String> {
    let is_issue = bead.kind == BeadType::Issue;
    let parked = bead.parked.iter().flat_map(|parked| parked.choices.iter().map(String::as_str));
    let mut actions: Vec<&str> = parked.collect();
    match bead.status {
        BeadStatus::Failed if is_issue => actions.push("retry"),
        BeadStatus::Failed | BeadStatus::Closed => (),
        BeadStatus::Open | BeadStatus::InProgress | BeadStatus::InReview => {
            actions.extend(bead.has_label(bead::HELD).then_some("start"));
            actions.extend(["close", "fail"]);
            actions.extend(is_issue.then_some("reassign"));
        }
    }
    actions.push("delete");
    let mut seen = crate::sorted::SortedSet::new();
    actions.into_iter().filter(|action| seen.insert(*action)).map(str::to_owned).collect()
}
