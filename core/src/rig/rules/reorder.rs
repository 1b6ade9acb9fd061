//! R28: orders get lost; an unanswered or refused one is given again, with the same id and epoch, so that two answers
//! make one session. Repeats do not renew the lease.

use crate::limits::START_REORDER;
use crate::rig::assignment::{Assignment, Phase};
use crate::rig::plan::{Effect, Plan};
use crate::rig::wait::{Wait, WaitCode};

pub(crate) fn run(plan: &mut Plan) {
    let waiting: Vec<Assignment> = plan
        .state()
        .live_assignments()
        .filter(|assignment| assignment.phase == Phase::Starting && assignment.step.is_none())
        .cloned()
        .collect();
    let now = plan.now();
    for assignment in waiting {
        let is_due = assignment.order_due.is_some_and(|due| due <= now);
        if is_due && !plan.state().rig.town.draining {
            plan.update_assignment(assignment.assignment_id, |assignment| {
                assignment.ordered_at = Some(now);
                assignment.order_due = Some(now + START_REORDER);
            });
            plan.effect(Effect::StartSession(assignment.assignment_id));
        }
        if let Some(why) = &assignment.refusal {
            plan.wait(Wait::new(assignment.bead_id, WaitCode::RuntimeStarting, why.clone(), now));
        }
    }
}
