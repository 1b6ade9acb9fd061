//! T26: when to look again: the earliest deadline of all rules above, never more than ALARM_LIVE away while the mayor is
//! starting or ending, a message waits, or a rig has not acknowledged; not at all when there is no deadline.

use crate::limits::{ALARM_LIVE, DRAIN_LIMIT};
use crate::time::Timestamp;
use crate::town::plan::Plan;
use crate::town::state::MayorPhase;

pub(crate) fn run(plan: &mut Plan) {
    let now = plan.now();
    let state = plan.state();
    let is_moving = match state.mayor.phase {
        MayorPhase::Starting | MayorPhase::Finishing => true,
        MayorPhase::Running | MayorPhase::Absent => !state.waiting_messages().is_empty(),
    };
    let unacknowledged = state.outboxes.values().any(|outbox| !outbox.is_empty());
    let soon = (is_moving || unacknowledged).then(|| now + ALARM_LIVE);
    let mayor = [state.mayor.lease_until, state.mayor.probe_until, state.mayor.not_before];
    let drain = state.drain.started_at.filter(|_| state.drain.is_draining).map(|at| at + DRAIN_LIMIT);
    let resend = state.outboxes.values().filter_map(|outbox| outbox.resend_at());
    let deadlines = mayor.into_iter().flatten().chain(drain).chain(resend).chain(soon);
    let at: Option<Timestamp> = deadlines.filter(|&at| at > now).min();
    plan.wake_at(at);
}
