//! What must hold after every plan (domain.md 12). Run after each commit in tests; in production a breach is logged
//! once. Each function is one numbered line of the list and returns the breaches it sees, in words.

use crate::sorted::{SortedMap, SortedSet};

use super::agent::AgentRole;
use super::assignment::{Assignment, Phase, Slot};
use super::bead::{Bead, BeadOutcome, BeadStatus, BeadType, Edge, EdgeState, HELD};
use super::plan::{Planned, Write};
use super::review::{GateRunResult, ReviewState, Verdict};
use super::state::State;
use crate::id::BeadId;
use crate::limits::ALARM_LIVE;
use crate::session::Role;
use crate::time::Timestamp;

/// Every breach of every invariant that one rig's state and plan can show.
pub fn check(planned: &Planned, now: Timestamp) -> Vec<String> {
    let state = &planned.state;
    let mut breaches = Vec::new();
    one_assignment_each(state, &mut breaches);
    sessions_have_slots(state, &mut breaches);
    epochs_rise(state, &mut breaches);
    endings_have_reasons(state, &mut breaches);
    progress_is_work(state, &mut breaches);
    review_is_reviewed(state, &mut breaches);
    rework_has_its_child(state, &mut breaches);
    merging_is_due(state, &mut breaches);
    merged_is_proven(state, &mut breaches);
    lanes_are_exclusive(state, &mut breaches);
    new_assignments_may_start(planned, now, &mut breaches);
    nobody_waits_for_himself(state, &mut breaches);
    satisfied_means_closed(state, &mut breaches);
    parked_beads_rest(state, &mut breaches);
    failed_edges_hold(state, &mut breaches);
    spend_is_counted(state, &mut breaches);
    names_are_unique(state, &mut breaches);
    every_live_bead_waits_once(state, &mut breaches);
    messages_have_receivers(state, &mut breaches);
    the_alarm_is_in_time(planned, now, &mut breaches);
    breaches
}

/// Every breach that shows only in what one plan changed: `before` is the state with all that the plan recalled.
pub fn check_step(before: &State, planned: &Planned) -> Vec<String> {
    let mut breaches = Vec::new();
    for old in before.beads.values() {
        let Some(new) = planned.state.beads.get(&old.bead_id) else { continue };
        let is_retry = old.status == BeadStatus::Failed && new.attempt == old.attempt + 1;
        let fixed = |bead: &Bead| (bead.status, bead.attempt, bead.outcome, bead.failure.clone(), bead.branch.clone());
        let counters = |bead: &Bead| (bead.start_failures, bead.lost_leases, bead.agent_errors);
        if !old.is_live() && !is_retry && (fixed(old), counters(old)) != (fixed(new), counters(new)) {
            breaches.push(format!("5: bead {} was {} and is {}", old.bead_id, old.status, new.status));
        }
        if old.is_live() && new.attempt != old.attempt {
            breaches.push(format!("5: live bead {} is in attempt {}", old.bead_id, new.attempt));
        }
        if (new.tokens_in, new.tokens_out, new.cost_micros) < (old.tokens_in, old.tokens_out, old.cost_micros) {
            breaches.push(format!("25: bead {} has cost less", old.bead_id));
        }
    }
    for made in planned.state.assignments.values().filter(|a| !before.assignments.contains_key(&a.assignment_id)) {
        if made.epoch < before.rig.next_epoch {
            breaches.push(format!("4: {} has the old epoch {}", made.assignment_id, made.epoch));
        }
    }
    breaches
}

/// 1: at most one live assignment per bead and per agent.
fn one_assignment_each(state: &State, breaches: &mut Vec<String>) {
    let (mut beads, mut agents) = (SortedMap::new(), SortedMap::new());
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

/// 4: epochs are used once, and the next one is above all of them.
fn epochs_rise(state: &State, breaches: &mut Vec<String>) {
    let mut epochs = SortedMap::new();
    for assignment in state.assignments.values() {
        if let Some(other) = epochs.insert(assignment.epoch, assignment.assignment_id) {
            breaches.push(format!("4: {other} and {} have epoch {}", assignment.assignment_id, assignment.epoch));
        }
        if assignment.epoch >= state.rig.next_epoch {
            breaches.push(format!("4: {} has epoch {}, not yet given", assignment.assignment_id, assignment.epoch));
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

/// 9: at most one live child; reworking, or fixing, exactly when there is one.
fn rework_has_its_child(state: &State, breaches: &mut Vec<String>) {
    for review in state.reviews.values().filter(|review| review.is_live()) {
        let children = state.live_children(review.bead_id);
        let is_known = children.iter().all(|child| review.child_id == Some(*child));
        if review.awaits_child() != (children.len() == 1) || !is_known {
            breaches.push(format!("9: review {} is {} with children {children:?}", review.bead_id, review.state));
        }
        if (review.state == ReviewState::PrOpen) != review.sub.is_some() {
            breaches.push(format!("9: review {} is {} with sub {:?}", review.bead_id, review.state, review.sub));
        }
    }
}

/// 10: a review with a live child, a red or running gate run for its head, or no due approval is not merging.
fn merging_is_due(state: &State, breaches: &mut Vec<String>) {
    for review in state.reviews.values().filter(|review| review.state == ReviewState::Merging) {
        let run = review.head_commit.as_deref().and_then(|head| state.gate_run(review.bead_id, head));
        let is_held = run.is_some_and(|run| matches!(run.result, GateRunResult::Red | GateRunResult::Running));
        let is_approved = review.verdict == Some(Verdict::Approve)
            && review.reviewed_commit.is_some()
            && review.reviewed_commit == review.head_commit;
        let has_child = !state.live_children(review.bead_id).is_empty();
        let is_parked = state.beads.get(&review.bead_id).is_some_and(|bead| bead.parked.is_some());
        if is_held || !is_approved || has_child || is_parked {
            breaches.push(format!(
                "10: review {} is merging, gates hold: {is_held}, approved: {is_approved}, child: {has_child}",
                review.bead_id
            ));
        }
    }
}

/// 11: merged means that the source is closed, by a known commit unless there was nothing to merge.
fn merged_is_proven(state: &State, breaches: &mut Vec<String>) {
    for review in state.reviews.values().filter(|review| review.state == ReviewState::Merged) {
        let bead = review.source_id.unwrap_or(review.bead_id);
        let Some(bead) = state.beads.get(&bead) else { continue };
        let had_nothing = bead.outcome == Some(BeadOutcome::NoChange);
        if bead.status != BeadStatus::Closed || (review.merge_commit.is_none() && !had_nothing) {
            breaches.push(format!("11: review {} is merged, {} is {}", review.bead_id, bead.bead_id, bead.status));
        }
    }
}

/// 12: at most one review per lane is reviewed or merged; at most one refinery assignment.
fn lanes_are_exclusive(state: &State, breaches: &mut Vec<String>) {
    let mut lanes = SortedMap::new();
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

/// 13: what this plan gave out is not held, staged, parked, blocked or not yet due. A rest after an unhook holds back
/// the rules, not the hand that hooks it again.
fn new_assignments_may_start(planned: &Planned, now: Timestamp, breaches: &mut Vec<String>) {
    let state = &planned.state;
    let is_new = |id| {
        planned.writes.iter().any(|(_, write)| matches!(write, Write::Event(event) if event.kind == "hooked" && event.assignment_id == Some(id)))
    };
    for made in state.live_assignments().filter(|a| a.phase != Phase::Finishing && is_new(a.assignment_id)) {
        let Some(bead) = state.beads.get(&made.bead_id) else { continue };
        let holds = |edge: &Edge| matches!(edge.state, EdgeState::Pending | EdgeState::Failed);
        let blocked = bead.kind == BeadType::Issue
            && state.edges.values().any(|edge| edge.bead_id == bead.bead_id && holds(edge));
        let charged = bead.start_failures + bead.lost_leases + bead.agent_errors > 0;
        let too_early = charged && bead.not_before.is_some_and(|until| until > now);
        if bead.has_label(HELD) || bead.staged || bead.parked.is_some() || blocked || too_early {
            breaches
                .push(format!("13: {} was made for bead {}, which may not start", made.assignment_id, bead.bead_id));
        }
    }
}

/// 13: no assignment is made for a bead that a person must decide about, or whose root is.
fn parked_beads_rest(state: &State, breaches: &mut Vec<String>) {
    for assignment in state.live_assignments().filter(|assignment| assignment.phase == Phase::Queued) {
        let parked = state.beads.get(&assignment.bead_id).and_then(|bead| state.parked(bead));
        if let Some(parked) = parked {
            breaches.push(format!("13: bead {} is queued, but parked: {}", assignment.bead_id, parked.code));
        }
    }
}

/// 14: no bead waits for itself, by way of others.
fn nobody_waits_for_himself(state: &State, breaches: &mut Vec<String>) {
    let holds = |edge: &&Edge| matches!(edge.state, EdgeState::Pending | EdgeState::Failed);
    let live = |id: BeadId| state.live_bead(id).is_some();
    let mut edges: Vec<(BeadId, BeadId)> = state
        .edges
        .values()
        .filter(holds)
        .filter(|edge| live(edge.bead_id))
        .map(|edge| (edge.bead_id, edge.blocker_id))
        .collect();
    // Whoever waits for nobody can start; what is left when all those are gone is a circle.
    loop {
        let waiting: SortedSet<BeadId> = edges.iter().map(|(dependent, _)| *dependent).collect();
        let before = edges.len();
        edges.retain(|(_, blocker)| waiting.contains(blocker));
        if edges.len() == before {
            break;
        }
    }
    if let Some((bead_id, blocker_id)) = edges.first() {
        breaches.push(format!("14: bead {bead_id} waits for {blocker_id} in a circle"));
    }
}

/// 15: an edge is satisfied only if its blocker is closed.
fn satisfied_means_closed(state: &State, breaches: &mut Vec<String>) {
    for edge in state.edges.values().filter(|edge| edge.state == EdgeState::Satisfied && !edge.cross) {
        if state.live_bead(edge.blocker_id).is_some() {
            breaches.push(format!("15: bead {} waits no more for {}, which is live", edge.bead_id, edge.blocker_id));
        }
    }
}

/// 25: a bead's totals are not below those of an assignment that is in view.
fn spend_is_counted(state: &State, breaches: &mut Vec<String>) {
    for assignment in state.assignments.values() {
        let Some(bead) = state.beads.get(&assignment.bead_id) else { continue };
        let root = state.beads.get(&bead.root_id).unwrap_or(bead);
        if bead.cost_micros < assignment.cost_micros || root.cost_micros < bead.cost_micros {
            breaches.push(format!("25: bead {} counts less than its parts", bead.bead_id));
        }
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

/// 16: names are unique without regard to case, identities are unique; one refinery.
fn names_are_unique(state: &State, breaches: &mut Vec<String>) {
    let (mut names, mut identities) = (SortedMap::new(), SortedMap::new());
    for agent in state.agents.values() {
        if let Some(other) = identities.insert(agent.identity.as_str(), agent.agent_id) {
            breaches.push(format!("16: {other} and {} are both {}", agent.agent_id, agent.identity));
        }
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

/// 10.1, 10.2: what waits can still reach somebody: mail a live bead or a registered agent, a nudge a registered agent
/// and, when it is for one session, that session.
fn messages_have_receivers(state: &State, breaches: &mut Vec<String>) {
    for mail in state.mail.values().filter(|mail| mail.is_live()) {
        let is_reachable = match mail.bead_id {
            Some(bead_id) => state.live_bead(bead_id).is_some(),
            None => mail.to_agent.is_some_and(|agent_id| state.agents.contains_key(&agent_id)),
        };
        if !is_reachable {
            breaches.push(format!("10: mail {} waits for nobody", mail.mail_id));
        }
    }
    for nudge in state.nudges.values().filter(|nudge| nudge.is_live()) {
        let session = nudge.assignment_id.map(|id| state.assignments.get(&id));
        let is_over = session.is_some_and(|session| !session.is_some_and(Assignment::is_live));
        if is_over || !state.agents.contains_key(&nudge.agent_id) {
            breaches.push(format!("10: nudge {} waits for nobody", nudge.nudge_id));
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
