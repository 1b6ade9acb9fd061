//! R1: a session whose lease is over, or that an earlier life of the runtime accepted, is asked for before it is given
//! up. Leases stand still while the town drains.

use crate::limits::PROBE;
use crate::rig::assignment::{Assignment, Phase};
use crate::rig::plan::{Effect, Plan};

pub(crate) fn run(plan: &mut Plan) {
    if plan.state().rig.town.draining {
        return;
    }
    let silent: Vec<Assignment> =
        plan.state().live_assignments().filter(|assignment| needs_asking(plan, assignment)).cloned().collect();
    for assignment in silent {
        let until = plan.now() + PROBE;
        plan.update_assignment(assignment.assignment_id, |assignment| assignment.probe_until = Some(until));
        plan.effect(Effect::QuerySession(assignment.assignment_id));
    }
}

fn needs_asking(plan: &Plan, assignment: &Assignment) -> bool {
    let may_be_alive = matches!(assignment.phase, Phase::Starting | Phase::Running);
    let lease_over = assignment.lease_until.is_some_and(|until| until <= plan.now());
    may_be_alive && assignment.probe_until.is_none() && (lease_over || is_of_an_older_instance(plan, assignment))
}

/// Accepted by a life of the runtime that is not the present one.
pub(crate) fn is_of_an_older_instance(plan: &Plan, assignment: &Assignment) -> bool {
    match (assignment.instance_id, plan.state().instance()) {
        (Some(accepted_by), Some(present)) => accepted_by != present,
        (None, _) | (_, None) => false,
    }
}
