//! R16: facts before opinions. A queued review gets the rig's gates run at exactly its head, once; a head that is not
//! known is found by the same job.

use crate::rig::plan::{Plan, Write};
use crate::rig::review::{GateRun, GateRunResult, Job, JobPhase, JobSpec, Review, ReviewState};
use crate::rig::wait::{Wait, WaitCode};
use crate::session::JobKind;

pub(crate) fn run(plan: &mut Plan) {
    let queued: Vec<Review> = plan
        .state()
        .reviews
        .values()
        .filter(|review| review.is_live() && review.state == ReviewState::Queued)
        .cloned()
        .collect();
    for review in queued {
        if plan.state().is_parked(review.bead_id) {
            continue;
        }
        if is_running(plan, &review) {
            wait(plan, &review);
        } else if needs_run(plan, &review) && is_allowed(plan) {
            order(plan, &review);
            wait(plan, &review);
        }
    }
}

/// What an approved review waits for while the gates of its head run; a red run takes the approval away (R17).
pub(crate) fn blocks(plan: &Plan, review: &Review) -> Option<Wait> {
    let run = plan.state().gate_run(review.bead_id, review.head_commit.as_deref()?)?;
    let is_running = run.result == GateRunResult::Running;
    is_running.then(|| Wait::new(review.bead_id, WaitCode::WaitingGates, "The gates are running.", plan.now()))
}

/// Whether the gates say nothing against this review: green at its head, or none configured.
pub(crate) fn is_green(plan: &Plan, review: &Review) -> bool {
    let has_gates = plan.state().rig.settings.as_ref().is_some_and(|settings| !settings.config.gates.is_empty());
    let result = review.head_commit.as_deref().and_then(|head| plan.state().gate_run(review.bead_id, head));
    match result.map(|run| run.result) {
        Some(GateRunResult::Green) => true,
        Some(GateRunResult::Running | GateRunResult::Red) => false,
        // A run that could not be done says nothing.
        Some(GateRunResult::Error) | None => !has_gates,
    }
}

fn is_running(plan: &Plan, review: &Review) -> bool {
    let mut runs = plan.state().gate_runs.values().filter(|run| run.review_id == review.bead_id && run.onto.is_none());
    runs.any(|run| run.result == GateRunResult::Running)
}

fn needs_run(plan: &Plan, review: &Review) -> bool {
    let has_gates = plan.state().rig.settings.as_ref().is_some_and(|settings| !settings.config.gates.is_empty());
    match &review.head_commit {
        None => true,
        Some(head) => {
            // A run that could not be done says nothing; whoever lets the review go on wants another.
            let run = plan.state().gate_run(review.bead_id, head);
            has_gates && run.is_none_or(|run| run.result == GateRunResult::Error)
        }
    }
}

fn is_allowed(plan: &Plan) -> bool {
    let rig = &plan.state().rig;
    rig.settings.is_some() && !rig.town.draining && !rig.town.paused
}

fn order(plan: &mut Plan, review: &Review) {
    order_run(plan, review, None);
}

/// Orders the gates on the trial merge of the head into its target's tip (R21).
pub(crate) fn order_trial(plan: &mut Plan, review: &Review) {
    order_run(plan, review, Some(review.target.clone()));
}

fn order_run(plan: &mut Plan, review: &Review, onto: Option<String>) {
    let (run_id, job_id) = (plan.mint(), plan.mint());
    let Some(settings) = plan.state().rig.settings.as_ref() else { return };
    let (gates, timeout_minutes) = (settings.config.gates.clone(), settings.config.gate_timeout_minutes);
    let now = plan.now();
    plan.write(Write::GateRun(GateRun {
        run_id,
        review_id: review.bead_id,
        commit_id: review.head_commit.clone(),
        onto: onto.clone(),
        result: GateRunResult::Running,
        gates: Vec::new(),
        created_at: now,
        ended_at: None,
    }));
    let job = Job {
        job_id,
        kind: JobKind::Gates,
        review_id: Some(review.bead_id),
        spec: JobSpec {
            commit: review.head_commit.clone(),
            branch: review.branch.clone(),
            target: onto,
            run_id: Some(run_id),
            gates,
            timeout_minutes,
            title: String::new(),
            bead_id: review.source_id.unwrap_or(review.bead_id),
        },
        phase: JobPhase::Ordered,
        orders: 0,
        lease_until: None,
        result: None,
        created_at: now,
        ended_at: None,
    };
    plan.write(Write::Job(Box::new(job.clone())));
    super::jobs::order(plan, &job);
}

fn wait(plan: &mut Plan, review: &Review) {
    let now = plan.now();
    plan.wait(Wait::new(review.bead_id, WaitCode::WaitingGates, "The gates are running.", now));
    if let Some(source) = review.source_id {
        plan.wait(Wait::new(source, WaitCode::WaitingGates, "The gates are running.", now).other(review.bead_id));
    }
}
