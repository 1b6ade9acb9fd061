//! Why nothing happens to a bead: one answer each, from the closed list of api.md 4. Rules state their wait where
//! they decide not to act; [`fill`] answers for work that is under way.

use super::assignment::Phase;
use super::bead::{Bead, BeadType};
use super::plan::Plan;
use super::review::{Review, ReviewState};
use crate::id::{AgentId, BeadId};
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// The closed list of reasons.
    pub enum WaitCode {
        Held = "held",
        Staged = "staged",
        Blocked = "blocked",
        NoSlotRig = "no_slot_rig",
        NoSlotTown = "no_slot_town",
        BackingOff = "backing_off",
        BreakerOpen = "breaker_open",
        BudgetReached = "budget_reached",
        Paused = "paused",
        Draining = "draining",
        RuntimeStarting = "runtime_starting",
        RuntimeUnavailable = "runtime_unavailable",
        RigNotReady = "rig_not_ready",
        NoCredentials = "no_credentials",
        ConfigPending = "config_pending",
        AgentRunning = "agent_running",
        WaitingReview = "waiting_review",
        WaitingGates = "waiting_gates",
        WaitingChecks = "waiting_checks",
        WaitingMergeDelay = "waiting_merge_delay",
        WaitingHuman = "waiting_human",
        NeedsDecision = "needs_decision",
    }
}

text_enum! {
    /// What a wait is about.
    pub enum WaitScope {
        Bead = "bead",
        Agent = "agent",
        Rig = "rig",
        Town = "town",
    }
}

/// One stored answer to "why is nothing happening to this?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The bead that waits.
    pub bead_id: BeadId,
    /// The rule that gave the answer.
    pub rule: &'static str,
    /// Machine word.
    pub code: WaitCode,
    /// One sentence for people.
    pub message: String,
    /// Since when this is the answer.
    pub since: Timestamp,
    /// When time alone ends it.
    pub until: Option<Timestamp>,
    /// What it is about.
    pub scope: WaitScope,
    /// Another bead that the answer names.
    pub other_bead: Option<BeadId>,
    /// The agent that the answer names.
    pub agent_id: Option<AgentId>,
}

impl Wait {
    /// An answer about the bead itself; the plan fills in the rule and since when.
    pub fn new(bead_id: BeadId, code: WaitCode, message: impl Into<String>, now: Timestamp) -> Self {
        Self {
            bead_id,
            rule: "",
            code,
            message: message.into(),
            since: now,
            until: None,
            scope: scope_of(code),
            other_bead: None,
            agent_id: None,
        }
    }

    /// The same, ended by time at `until`.
    pub fn until(self, until: Option<Timestamp>) -> Self {
        Self { until, ..self }
    }

    /// The same, of something that holds for the whole town.
    pub fn of_the_town(self) -> Self {
        Self { scope: WaitScope::Town, ..self }
    }

    /// The same, naming another bead.
    pub fn other(self, other_bead: BeadId) -> Self {
        Self { other_bead: Some(other_bead), ..self }
    }

    /// The same, naming an agent.
    pub fn agent(self, agent_id: AgentId) -> Self {
        Self { agent_id: Some(agent_id), ..self }
    }

    /// Whether a person who has read the other learns nothing new from this one.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.code == other.code && self.message == other.message && self.until == other.until
    }
}

/// Answers for every live bead that no rule spoke about: work under way, work in review, reviews that move.
pub fn fill(plan: &mut Plan) {
    let silent: Vec<Bead> = plan
        .state()
        .beads
        .values()
        .filter(|bead| bead.is_live() && bead.kind != BeadType::Molecule && !plan.is_waiting(bead.bead_id))
        .cloned()
        .collect();
    for bead in silent {
        let wait = under_way(plan, &bead);
        plan.wait(wait);
    }
}

fn under_way(plan: &Plan, bead: &Bead) -> Wait {
    let now = plan.now();
    let state = plan.state();
    if let Some(assignment) = state.assignment_of_bead(bead.bead_id) {
        let name = state.agents.get(&assignment.agent_id).map_or("an agent", |agent| agent.name.as_str());
        let message = match assignment.phase {
            Phase::Queued => format!("{name} is about to start on it."),
            Phase::Starting => format!("{name} is starting on it."),
            Phase::Running => format!("{name} is working on it."),
            Phase::Finishing | Phase::Ended => format!("{name} is finishing."),
        };
        return Wait::new(bead.bead_id, WaitCode::AgentRunning, message, now).agent(assignment.agent_id);
    }
    if let Some(parked) = state.parked(bead) {
        return Wait::new(bead.bead_id, WaitCode::NeedsDecision, parked.message.clone(), now);
    }
    if let Some(until) = bead.claimed_until {
        let who = bead.claimed_by.as_deref().unwrap_or("somebody");
        let wait = Wait::new(bead.bead_id, WaitCode::AgentRunning, format!("{who} works on it outside the town."), now);
        return wait.until(Some(until));
    }
    if let Some(review) = state.review_of_source(bead.bead_id) {
        let parked = state.beads.get(&review.bead_id).and_then(|bead| state.parked(bead));
        return match parked {
            Some(parked) => Wait::new(bead.bead_id, WaitCode::NeedsDecision, parked.message.clone(), now),
            None => Wait::new(bead.bead_id, WaitCode::WaitingReview, review_words(review), now),
        }
        .other(review.bead_id);
    }
    if let Some(review) = state.reviews.get(&bead.bead_id) {
        return Wait::new(bead.bead_id, WaitCode::WaitingReview, review_words(review), now);
    }
    Wait::new(bead.bead_id, WaitCode::RigNotReady, "The rig has not looked at it yet.", now)
}

fn review_words(review: &Review) -> &'static str {
    match review.state {
        ReviewState::Queued => "It waits for its review.",
        ReviewState::Reviewing => "The refinery is reviewing it.",
        ReviewState::ChangesRequested => "Changes were requested.",
        ReviewState::Reworking => "Requested changes are being made.",
        ReviewState::Approved => "It is approved and waits for its merge.",
        ReviewState::Merging => "It is being merged.",
        ReviewState::PrOpen if review.awaits_child() => "Feedback on its pull request is being answered.",
        ReviewState::PrOpen => "Its pull request is open.",
        ReviewState::Merged => "It is merged.",
        ReviewState::Rejected => "It was rejected.",
    }
}

const fn scope_of(code: WaitCode) -> WaitScope {
    match code {
        WaitCode::Held
        | WaitCode::Staged
        | WaitCode::Blocked
        | WaitCode::BackingOff
        | WaitCode::WaitingReview
        | WaitCode::WaitingGates
        | WaitCode::WaitingChecks
        | WaitCode::WaitingMergeDelay
        | WaitCode::WaitingHuman
        | WaitCode::NeedsDecision => WaitScope::Bead,
        WaitCode::AgentRunning => WaitScope::Agent,
        WaitCode::NoSlotRig
        | WaitCode::BreakerOpen
        | WaitCode::RigNotReady
        | WaitCode::NoCredentials
        | WaitCode::ConfigPending => WaitScope::Rig,
        WaitCode::NoSlotTown
        | WaitCode::BudgetReached
        | WaitCode::Paused
        | WaitCode::Draining
        | WaitCode::RuntimeStarting
        | WaitCode::RuntimeUnavailable => WaitScope::Town,
    }
}
