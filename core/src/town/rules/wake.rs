//! T26: when to look again: the earliest deadline of all rules above, never more than ALARM_LIVE away while the mayor is
//! starting or ending, a message waits, or a rig has not acknowledged; not at all when there is no deadline.

use super::{idle_stop, rig_watch, triage};
use crate::limits::{ALARM_LIVE, DRAIN_LIMIT};
use crate::time::Timestamp;
use crate::town::notice;
use crate::town::plan::Plan;
use crate::town::state::MayorPhase;

pub(crate) fn run(plan: &mut Plan) {
    let at = next_deadline(plan);
    plan.wake_at(at);
}

/// The earliest instant at which time alone changes something here.
pub(super) fn next_deadline(plan: &Plan) -> Option<Timestamp> {
    let now = plan.now();
    let state = plan.state();
    let is_moving = match state.mayor.phase {
        MayorPhase::Starting | MayorPhase::Finishing => true,
        MayorPhase::Running | MayorPhase::Absent => state.calls_the_mayor(),
    };
    let unacknowledged = state.outboxes.values().any(|outbox| !outbox.is_empty());
    let soon = (is_moving || unacknowledged).then(|| now + ALARM_LIVE);
    let mayor = [state.mayor.lease_until, state.mayor.probe_until, state.mayor.not_before];
    let drain = state.drain.started_at.filter(|_| state.drain.is_draining).map(|at| at + DRAIN_LIMIT);
    let landings = state.convoy_rigs.values().filter(|part| !part.is_exhausted()).filter_map(|part| part.next_at);
    let resend = state.outboxes.values().filter_map(|outbox| outbox.resend_at());
    let midnight = (state.day_budget.is_reached || state.day_budget.is_warned).then(|| now.next_day());
    let (notice, batch) = (notice::next_look(plan), triage::next_batch(plan));
    let others = [drain, midnight, state.breaker.until, idle_stop::due_at(state), soon, notice, batch];
    let watched = rig_watch::watched(state).map(|(_, ask_at)| ask_at);
    let raises = state.escalations.values().filter(|open| open.is_open()).filter_map(|open| open.next_raise_at);
    let deadlines =
        mayor.into_iter().chain(others).flatten().chain(resend).chain(watched).chain(raises).chain(landings);
    deadlines.filter(|&at| at > now).min()
}
