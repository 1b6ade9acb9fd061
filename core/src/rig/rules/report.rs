//! R33: the Town knows what is live and what was spent, so that it can grant slots, keep the container, and notice
//! silence; and how the tasks and landings of convoys are, so that it can count them. Also sends whatever the rules above
//! posted.

use crate::sorted::SortedMap;

use crate::id::BeadId;
use crate::protocol::{Activity, LandingReport, RigToTown, TaskStatus};
use crate::rig::assignment::Phase;
use crate::rig::convoy;
use crate::rig::plan::Plan;
use crate::rig::wait::{self, Wait};

pub(crate) fn run(plan: &mut Plan) {
    report_tasks(plan);
    report_landings(plan);
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

/// Every task in view whose state, or what people see of it, is not as it was last told.
fn report_tasks(plan: &mut Plan) {
    if !plan.state().beads.values().any(|bead| bead.convoy_id.is_some()) {
        return;
    }
    // What a task waits for is part of its report, so every wait has to be known by here.
    wait::fill(plan);
    let waits: SortedMap<BeadId, &Wait> = plan.waits().iter().map(|wait| (wait.bead_id, wait)).collect();
    let state = plan.state();
    let news: Vec<TaskStatus> = state
        .beads
        .values()
        .filter_map(|bead| convoy::task_status(state, bead, waits.get(&bead.bead_id).copied()))
        .filter(|status| state.told_tasks.get(&status.bead_id).is_none_or(|told| status.is_news_after(told)))
        .collect();
    for status in news {
        plan.post(RigToTown::TaskStatus(Box::new(status.clone())));
        plan.set_told_task(status);
    }
}

fn report_landings(plan: &mut Plan) {
    let state = plan.state();
    let news: Vec<LandingReport> = convoy::landings(state)
        .into_iter()
        .filter(|report| state.told_landings.get(&report.bead_id) != Some(report))
        .collect();
    for report in news {
        plan.post(RigToTown::LandingState(report.clone()));
        plan.set_told_landing(report);
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
