//! R33: the Town knows what is live and what was spent, so that it can grant slots, keep the container, and notice silence. Also sends
//! whatever the rules above posted.

use crate::protocol::{Activity, RigToTown};
use crate::rig::assignment::Phase;
use crate::rig::plan::Plan;

pub(crate) fn run(plan: &mut Plan) {
    let activity = activity(plan);
    if plan.state().reported.as_ref() != Some(&activity) {
        plan.post(RigToTown::Activity(activity.clone()));
        plan.set_reported(activity);
    }
    let spending = &plan.state().spending;
    if *spending != plan.state().reported_spending {
        let spending = spending.clone();
        plan.post(RigToTown::Usage(spending));
        plan.set_reported_spending();
    }
    if plan.state().outbox.is_due(plan.now()) {
        plan.send_to_town();
    }
}

fn activity(plan: &Plan) -> Activity {
    let state = plan.state();
    let live: Vec<_> = state.live_assignments().map(|assignment| assignment.assignment_id).collect();
    let queued = state.live_assignments().filter(|assignment| assignment.phase == Phase::Queued).count();
    let jobs = state.jobs.values().filter(|job| job.ended_at.is_none()).count();
    let is_quiet = live.is_empty() && jobs == 0;
    Activity {
        live,
        queued: u32::try_from(queued).unwrap_or(u32::MAX),
        jobs: u32::try_from(jobs).unwrap_or(u32::MAX),
        next_deadline: if is_quiet { super::wake::next_deadline(plan) } else { None },
    }
}
