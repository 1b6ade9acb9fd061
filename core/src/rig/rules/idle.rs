//! R5: agents that forget to report. A session that is idle without a result is asked to finish or say why; after the
//! last question it has a little time, then its work is saved and it is stopped, charged as an agent error. Being busy
//! for a moment does not begin the count anew: an agent that only ever answers "almost done" must not run for ever.

use crate::limits::{IDLE_EXIT, IDLE_NUDGES};
use crate::rig::assignment::{self, Assignment, Pending, Phase};
use crate::rig::plan::{Effect, Plan};

pub(crate) fn run(plan: &mut Plan) {
    if plan.state().rig.town.draining {
        return;
    }
    let idle: Vec<Assignment> = plan
        .state()
        .live_assignments()
        .filter(|assignment| assignment.phase == Phase::Running && is_overdue(plan, assignment))
        .cloned()
        .collect();
    for assignment in idle {
        if assignment.idle_nudges < IDLE_NUDGES {
            ask(plan, &assignment);
        } else {
            let message = "it was idle without a result, and did not answer when asked for one";
            assignment::stop(plan, assignment.assignment_id, Pending::Failed, "no_result", message);
        }
    }
}

/// Idle, and not asked yet, or asked long enough ago to have answered.
fn is_overdue(plan: &Plan, assignment: &Assignment) -> bool {
    let asked_at = assignment.idle_nudged_at;
    assignment.idle_since.is_some() && asked_at.is_none_or(|at| plan.now().since(at) >= IDLE_EXIT)
}

fn ask(plan: &mut Plan, assignment: &Assignment) {
    let (assignment_id, now, nudge) = (assignment.assignment_id, plan.now(), assignment.idle_nudges + 1);
    plan.update_assignment(assignment_id, |assignment| {
        assignment.idle_nudges = nudge;
        assignment.idle_nudged_at = Some(now);
    });
    plan.effect(Effect::AskIdle { assignment_id, nudge });
}
