//! What must hold of the town after every plan (domain.md 12). Returns the breaches in words.

use crate::sorted::SortedSet;

use super::plan::{Planned, Write};
use super::state::{EscalationState, MayorPhase};
use crate::config::effective_town;
use crate::limits::ALARM_LIVE;
use crate::time::Timestamp;

/// Every breach that one town's state and plan can show.
pub fn check(planned: &Planned, now: Timestamp) -> Vec<String> {
    let state = &planned.state;
    let mut breaches = Vec::new();
    let max = usize::try_from(effective_town(&state.town.config).max_sessions).unwrap_or(usize::MAX);
    let grants =
        planned.writes.iter().any(|(_, write)| matches!(write, Write::Slot(slot) if slot.granted_at.is_some()));
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
    let unacknowledged = state.outboxes.values().any(|outbox| !outbox.is_empty());
    if unacknowledged && planned.wake_at.is_none_or(|at| at > now + ALARM_LIVE) {
        breaches.push(format!("19: messages wait, but the alarm is at {:?}", planned.wake_at));
    }
    breaches
}
