//! R2: what stays silent after the question is given up: the bead is free again with its branch. A session that is
//! finishing and overdue ends with what it was asked to end with.

use super::lease_probe::is_of_an_older_instance;
use crate::rig::assignment::{self, Assignment, AssignmentOutcome, End, Phase};
use crate::rig::bead::Charge;
use crate::rig::event::end_with_pending;
use crate::rig::plan::Plan;

pub(crate) fn run(plan: &mut Plan) {
    let now = plan.now();
    // Leases and questions stand still while the town drains; they begin anew after it.
    let is_draining = plan.state().rig.town.draining;
    let overdue: Vec<Assignment> = plan
        .state()
        .live_assignments()
        .filter(|_| !is_draining)
        .filter(|assignment| match assignment.phase {
            Phase::Finishing => assignment.lease_until.is_some_and(|until| until <= now),
            Phase::Starting | Phase::Running => assignment.probe_until.is_some_and(|until| until <= now),
            Phase::Queued | Phase::Ended => false,
        })
        .cloned()
        .collect();
    for assignment in overdue {
        give_up(plan, &assignment, "nothing was heard of the session, and nobody answered for it", false);
    }
}

/// Ends a session that is gone, or is known to be: as asked when it was finishing; uncharged when the runtime itself was replaced; else
/// as a lost lease.
pub(crate) fn give_up(plan: &mut Plan, assignment: &Assignment, message: &str, is_known: bool) {
    if assignment.phase == Phase::Finishing {
        return end_with_pending(plan, assignment, is_known);
    }
    let outlived_a_drain = assignment.epoch < plan.state().rig.drain_epoch;
    let end = if outlived_a_drain || is_of_an_older_instance(plan, assignment) {
        End::new(AssignmentOutcome::Evicted, "runtime_replaced", "the runtime was replaced while the session ran")
    } else {
        End::new(AssignmentOutcome::Lost, "lost", message).charged(Charge::LostLease)
    };
    assignment::end(plan, assignment.assignment_id, end);
}
