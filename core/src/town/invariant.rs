//! What must hold of the town after every plan (domain.md 12). Returns the breaches in words.

use crate::sorted::SortedSet;

use super::convoy::{ConvoyState, LandingState, TaskState, count, graph};
use super::plan::{Planned, Write};
use super::state::{EscalationState, MayorPhase, State};
use crate::config::effective_town;
use crate::id::BeadId;
use crate::limits::ALARM_LIVE;
use crate::protocol::EdgeState;
use crate::time::Timestamp;

/// Every breach that one town's state and plan can show.
pub fn check(planned: &Planned, now: Timestamp) -> Vec<String> {
    let state = &planned.state;
    let mut breaches = Vec::new();
    let max = usize::try_from(effective_town(&state.town.config).max_sessions).unwrap_or(usize::MAX);
    // A granted slot that is written again, because its priority changed, was granted before.
    let grants =
        planned.writes.iter().any(|(_, write)| matches!(write, Write::Slot(slot) if slot.granted_at == Some(now)));
    let granted = state.slots.values().filter(|slot| slot.granted_at.is_some()).count();
    if grants && granted > max {
        breaches.push(format!("2: {granted} slots are granted, the limit is {max}"));
    }
    let names: SortedSet<String> = state.rigs.values().map(|rig| rig.name.to_lowercase()).collect();
    if names.len() != state.rigs.len() {
        breaches.push("16: two rigs share a name".to_owned());
    }
    if (state.mayor.phase == MayorPhase::Absent) != state.mayor.assignment_id.is_none() {
        breaches.push(format!("7: the mayor is {} with session {:?}", state.mayor.phase, state.mayor.assignment_id));
    }
    if state
        .escalations
        .values()
        .any(|escalation| (escalation.state == EscalationState::Open) != escalation.closed_at.is_none())
    {
        breaches.push("23: an escalation is open and closed".to_owned());
    }
    convoys_add_up(state, &mut breaches);
    plans_have_no_cycle(state, &mut breaches);
    task_edges_tell_the_truth(state, &mut breaches);
    let unacknowledged = state.outboxes.values().any(|outbox| !outbox.is_empty());
    if unacknowledged && planned.wake_at.is_none_or(|at| at > now + ALARM_LIVE) {
        breaches.push(format!("19: messages wait, but the alarm is at {:?}", planned.wake_at));
    }
    breaches
}

/// 21: counts add up; what landed by itself has no task left to do, and nothing left to land. What ended asks nobody.
fn convoys_add_up(state: &State, breaches: &mut Vec<String>) {
    for convoy in state.convoys.values() {
        let id = convoy.convoy_id;
        let counts = count(state, id);
        if counts != convoy.counts || counts.closed + counts.failed + counts.skipped > counts.total {
            breaches.push(format!("21: convoy {id} counts {:?}, but has {counts:?}", convoy.counts));
        }
        let unsettled = state.tasks_of(id).iter().any(|task| !task.state.is_settled());
        let unlanded = state.rigs_of(id).any(|part| part.has_to_land());
        let by_itself = convoy.state == ConvoyState::Landed && convoy.closed_by.is_none();
        if (by_itself && unsettled) || (!convoy.state.is_live() && unlanded) {
            breaches.push(format!("21: convoy {id} is {}, but not all is done", convoy.state));
        }
        if convoy.state.is_live() == convoy.ended_at.is_some() {
            breaches.push(format!("21: convoy {id} is {} and ended at {:?}", convoy.state, convoy.ended_at));
        }
        let failed = state.tasks_of(id).iter().any(|task| task.state == TaskState::Failed);
        let is_spent = state.exhausted_convoys().contains(&id);
        if convoy.attention.is_empty() == (convoy.state.is_live() && failed) && !is_spent {
            let exhausted = state.rigs_of(id).any(|part| part.is_exhausted());
            if failed || !exhausted {
                breaches.push(format!("21: convoy {id} asks {} times, failed: {failed}", convoy.attention.len()));
            }
        }
    }
    for part in state.convoy_rigs.values() {
        if part.landing == LandingState::Open && part.landing_bead.is_none() {
            breaches.push(format!("21: convoy {} lands without a review", part.convoy_id));
        }
    }
}

/// 14: the dependencies of a convoy have no cycle.
fn plans_have_no_cycle(state: &State, breaches: &mut Vec<String>) {
    for convoy in state.live_convoys() {
        let nodes: Vec<BeadId> = state.tasks_of(convoy.convoy_id).into_iter().map(|task| task.bead_id).collect();
        let holds = state.edges_of(convoy.convoy_id).filter(|edge| edge.state != EdgeState::Waived);
        let pairs: Vec<(BeadId, BeadId)> = holds.map(|edge| (edge.bead_id, edge.blocker_id)).collect();
        let cycle = graph::on_cycles(&nodes, &pairs);
        if !cycle.is_empty() {
            breaches.push(format!("14: tasks {cycle:?} wait for each other"));
        }
    }
}

/// 15: an edge is satisfied only if its blocker is closed, and failed only if it failed; a waiting rig knows.
fn task_edges_tell_the_truth(state: &State, breaches: &mut Vec<String>) {
    for edge in state.task_edges.values() {
        let blocker = state.tasks.get(&edge.blocker_id).map(|task| task.state);
        let expected = blocker.map(TaskState::edge);
        if edge.state != EdgeState::Waived && expected != Some(edge.state) {
            breaches.push(format!("15: {} waits for {} as {}", edge.bead_id, edge.blocker_id, edge.state));
        }
        let is_live = state.convoys.get(&edge.convoy_id).is_some_and(|convoy| convoy.state.is_live());
        if edge.cross && edge.told != edge.state && is_live {
            breaches.push(format!("15: the rig of {} does not know of its gate", edge.bead_id));
        }
    }
}
