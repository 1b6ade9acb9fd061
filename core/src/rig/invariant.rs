//! What must hold after every plan (domain.md 12). Run after each commit in tests; in production a breach is logged
//! once. Each function is one numbered line of the list and returns the breaches it sees, in words.

use std::collections::BTreeMap;

use super::agent::AgentRole;
use super::assignment::{Phase, Slot};
use super::bead::{BeadStatus, BeadType, EdgeState};
use super::plan::Planned;
use super::review::ReviewState;
use super::state::State;
use crate::limits::ALARM_LIVE;
use crate::session::Role;
use crate::time::Timestamp;

/// Every breach of every invariant that one rig's state and plan can show.
pub fn check(planned: &Planned, now: Timestamp) -> Vec<String> {
    let state = &planned.state;
    let mut breaches = Vec::new();
    one_assignment_each(state, &mut breaches);
    sessions_have_slots(state, &mut breaches);
    endings_have_reasons(state, &mut breaches);
    progress_is_work(state, &mut breaches);
    review_is_reviewed(state, &mut breaches);
    rework_has_its_child(state, &mut breaches);
    lanes_are_exclusive(state, &mut breaches);
    failed_edges_hold(state, &mut breaches);
    names_are_unique(state, &mut breaches);
    every_live_bead_waits_once(state, &mut breaches);
    the_alarm_is_in_time(planned, now, &mut breaches);
    breaches
}

/// 1: at most one live assignment per bead and per agent.
fn one_assignment_each(state: &State, breaches: &mut Vec<String>) {
    let (mut beads, mut agents) = (BTreeMap::new(), BTreeMap::new());
    for assignment in state.live_assignments() {
        if let Some(other) = beads.insert(assignment.bead_id, assignment.assignment_id) {
            breaches.push(format!("1: bead {} has {other} and {}", assignment.bead_id, assignment.assignment_id));
        }
        if let Some(other) = agents.insert(assignment.agent_id, assignment.assignment_id) {
            breaches.push(format!("1: agent {} has {other} and {}", assignment.agent_id, assignment.assignment_id));
        }
    }
}

/// 3: a starting or running assignment has a granted slot.
fn sessions_have_slots(state: &State, breaches: &mut Vec<String>) {
    for assignment in state.live_assignments() {
        if matches!(assignment.phase, Phase::Starting | Phase::Running) && assignment.slot != Slot::Granted {
            breaches.push(format!("3: {} is {} without a slot", assignment.assignment_id, assignment.phase));
        }
    }
}

/// 6: closed exactly with an outcome and a time, failed exactly with a reason in words.
fn endings_have_reasons(state: &State, breaches: &mut Vec<String>) {
    for bead in state.beads.values() {
        let closed = bead.status == BeadStatus::Closed;
        let failed = bead.status == BeadStatus::Failed;
        if closed != (bead.closed_at.is_some() && bead.outcome.is_some()) {
            breaches.push(format!("6: bead {} is {} with outcome {:?}", bead.bead_id, bead.status, bead.outcome));
        }
        if failed != bead.failure.as_ref().is_some_and(|failure| !failure.message.is_empty()) {
            breaches.push(format!("6: bead {} is {} with failure {:?}", bead.bead_id, bead.status, bead.failure));
        }
    }
}

/// 7: a live issue is in progress exactly when somebody works on its present attempt; a session of an earlier attempt
/// may still be ending.
fn progress_is_work(state: &State, breaches: &mut Vec<String>) {
    for bead in state.beads.values().filter(|bead| bead.is_live_issue()) {
        let worked_on = state.live_assignments().any(|a| {
            let has_session = matches!(a.phase, Phase::Starting | Phase::Running | Phase::Finishing);
            a.bead_id == bead.bead_id && a.bead_attempt == bead.attempt && has_session
        });
        let claimed = bead.claimed_until.is_some();
        if (bead.status == BeadStatus::InProgress) != (worked_on || claimed) {
            breaches.push(format!("7: bead {} is {}, worked on: {worked_on}", bead.bead_id, bead.status));
        }
    }
}

/// 8: a live issue is in review exactly when it has one live review; a live task review has a live source.
fn review_is_reviewed(state: &State, breaches: &mut Vec<String>) {
    for bead in state.beads.values().filter(|bead| bead.is_live_issue()) {
        let reviews = state.reviews.values().filter(|r| r.is_live() && r.source_id == Some(bead.bead_id)).count();
        if (bead.status == BeadStatus::InReview) != (reviews == 1) {
            breaches.push(format!("8: bead {} is {} with {reviews} reviews", bead.bead_id, bead.status));
        }
    }
    for review in state.reviews.values().filter(|review| review.is_live()) {
        if review.source_id.is_some_and(|source| state.live_bead(source).is_none()) {
            breaches.push(format!("8: review {} has no live source", review.bead_id));
        }
    }
}

/// 9: reworking exactly when there is one live child.
fn rework_has_its_child(state: &State, breaches: &mut Vec<String>) {
    for review in state.reviews.values().filter(|review| review.is_live()) {
        let children = state.live_children(review.bead_id).len();
        if (review.state == ReviewState::Reworking) != (children == 1) {
            breaches.push(format!("9: review {} is {} with {children} children", review.bead_id, review.state));
        }
    }
}

/// 12: at most one review per lane is reviewed or merged; at most one refinery assignment.
fn lanes_are_exclusive(state: &State, breaches: &mut Vec<String>) {
    let mut lanes = BTreeMap::new();
    for review in state.reviews.values().filter(|review| review.is_live() && review.state.holds_lane()) {
        if let Some(other) = lanes.insert(review.target.as_str(), review.bead_id) {
            breaches.push(format!("12: {other} and {} hold lane {}", review.bead_id, review.target));
        }
    }
    let reviewing = state.live_assignments().filter(|assignment| assignment.kind.role() == Role::Refinery).count();
    if reviewing > 1 {
        breaches.push(format!("12: {reviewing} refinery assignments"));
    }
}

/// 15: a bead with a failed edge has no queued assignment.
fn failed_edges_hold(state: &State, breaches: &mut Vec<String>) {
    for edge in state.edges.values().filter(|edge| edge.state == EdgeState::Failed) {
        let queued = state.live_assignments().any(|a| a.bead_id == edge.bead_id && a.phase == Phase::Queued);
        if queued {
            breaches.push(format!("15: bead {} is queued, but {} failed", edge.bead_id, edge.blocker_id));
        }
    }
}

/// 16: names are unique without regard to case; one refinery.
fn names_are_unique(state: &State, breaches: &mut Vec<String>) {
    let mut names = BTreeMap::new();
    for agent in state.agents.values() {
        if let Some(other) = names.insert(agent.name.to_lowercase(), agent.agent_id) {
            breaches.push(format!("16: {other} and {} are both {}", agent.agent_id, agent.name));
        }
    }
    let refineries = state.agents.values().filter(|agent| agent.role == AgentRole::Refinery).count();
    if refineries > 1 {
        breaches.push(format!("16: {refineries} refineries"));
    }
}

/// 17: every live issue and merge_request has exactly one wait.
fn every_live_bead_waits_once(state: &State, breaches: &mut Vec<String>) {
    for bead in state.beads.values().filter(|bead| bead.is_live() && bead.kind != BeadType::Molecule) {
        if !state.waits.contains_key(&bead.bead_id) {
            breaches.push(format!("17: bead {} has no wait", bead.bead_id));
        }
    }
}

/// 18, 19: the alarm is not later than the earliest wait that time ends, and within 5 s while work is live.
fn the_alarm_is_in_time(planned: &Planned, now: Timestamp, breaches: &mut Vec<String>) {
    let state = &planned.state;
    let is_live = state.live_assignments().next().is_some()
        || state.jobs.values().any(|job| job.ended_at.is_none())
        || !state.outbox.is_empty();
    let latest = [is_live.then(|| now + ALARM_LIVE)]
        .into_iter()
        .chain(state.waits.values().map(|wait| wait.until.filter(|&until| until > now)))
        .flatten()
        .min();
    if let Some(latest) = latest
        && planned.wake_at.is_none_or(|at| at > latest)
    {
        breaches.push(format!("18: alarm at {:?}, needed by {latest}", planned.wake_at));
    }
}
