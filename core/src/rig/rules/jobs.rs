//! R6: a job without news for its lease is ordered again under its id; the runtime's jobs are safe to repeat. After
//! too many orders a person is asked.

use crate::limits::{JOB_ORDERS_MAX, LEASE};
use crate::rig::event::{end_job, give_up_job};
use crate::rig::plan::{Effect, Plan};
use crate::rig::review::Job;
use serde_json::json;

pub(crate) fn run(plan: &mut Plan) {
    let now = plan.now();
    let silent: Vec<Job> = plan
        .state()
        .jobs
        .values()
        .filter(|job| job.ended_at.is_none() && job.lease_until.is_none_or(|until| until <= now))
        .cloned()
        .collect();
    for job in silent {
        if job.orders >= JOB_ORDERS_MAX {
            let message = format!("the {} job was ordered {} times without an answer", job.kind, job.orders);
            end_job(plan, job.job_id, json!({ "status": "error", "message": message }));
            give_up_job(plan, &job, &message);
        } else if !plan.state().rig.town.draining {
            order(plan, &job);
        }
    }
}

/// Orders a job, first or again, and gives it a lease.
pub(crate) fn order(plan: &mut Plan, job: &Job) {
    let lease = plan.now() + LEASE;
    plan.update_job(job.job_id, |job| {
        job.orders += 1;
        job.lease_until = Some(lease);
    });
    plan.effect(Effect::RunJob(job.job_id));
}
