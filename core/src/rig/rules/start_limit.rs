//! R3: heartbeats must not keep a hung clone for ever; a start has an end.

use crate::limits::START_LIMIT;
use crate::rig::assignment::{self, Assignment, AssignmentOutcome, End, Phase};
use crate::rig::bead::Charge;
use crate::rig::plan::Plan;

pub(crate) fn run(plan: &mut Plan) {
    if plan.state().rig.town.draining {
        return;
    }
    let now = plan.now();
    let hung: Vec<Assignment> = plan
        .state()
        .live_assignments()
        .filter(|a| a.phase == Phase::Starting && a.started_at.is_some_and(|at| now.since(at) >= START_LIMIT))
        .cloned()
        .collect();
    for assignment in hung {
        let message = format!("it was not running {} minutes after its start", START_LIMIT.as_secs() / 60);
        let end = End::new(AssignmentOutcome::StartFailed, "start_timeout", message.clone());
        assignment::end(plan, assignment.assignment_id, end.charged(Charge::StartFailure));
        super::breaker::start_failed(plan, &assignment, "start_timeout", &message);
    }
}
