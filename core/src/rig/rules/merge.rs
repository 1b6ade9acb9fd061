//! R20: approved work lands. One merge job at a time in each lane; the runtime merges, runs the gates on the result,
//! pushes and verifies (domain.md 7.4).

use crate::rig::plan::{Plan, Write};
use crate::rig::review::{self, Job, JobPhase, JobSpec, MergeStrategy, Review, ReviewState};
use crate::rig::wait::{Wait, WaitCode};
use crate::session::JobKind;

pub(crate) fn run(plan: &mut Plan) {
    let mut approved: Vec<Review> = plan
        .state()
        .reviews
        .values()
        .filter(|review| {
            review.is_live() && review.state == ReviewState::Approved && review.strategy == MergeStrategy::Direct
        })
        .cloned()
        .collect();
    crate::sorted::sort_by_key(&mut approved, |review| (review.queued_at, review.bead_id));
    for review in approved {
        if plan.state().is_parked(review.bead_id) {
            continue;
        }
        match obstacle(plan, &review) {
            Some(wait) => say(plan, &review, wait),
            None => order(plan, &review),
        }
    }
}

fn obstacle(plan: &Plan, review: &Review) -> Option<Wait> {
    let rig = &plan.state().rig;
    let now = plan.now();
    let wait = |code, message: &str| Some(Wait::new(review.bead_id, code, message, now));
    let Some(settings) = rig.settings.as_ref() else {
        return wait(WaitCode::ConfigPending, "The rig waits for its settings.");
    };
    if rig.town.draining {
        return wait(WaitCode::Draining, "The runtime is being replaced.");
    }
    if rig.town.paused {
        return wait(WaitCode::Paused, "The town is paused.");
    }
    if let Some(wait) = super::gates::blocks(plan, review) {
        return Some(wait);
    }
    if !settings.config.auto_merge && !review.is_merge_ordered && !review.is_into_feature_branch() {
        return wait(WaitCode::WaitingHuman, "A person has to approve the merge.");
    }
    if let Some(until) = review.not_before.filter(|&until| until > now) {
        let wait = Wait::new(review.bead_id, WaitCode::BackingOff, "The merge is tried again later.", now);
        return Some(wait.until(Some(until)));
    }
    if !review::is_lane_free(plan, review) {
        return wait(WaitCode::WaitingReview, "Another branch is being reviewed or merged into the same target.");
    }
    None
}

/// States a review's wait, for the review and for the work that it is of.
pub(crate) fn say(plan: &mut Plan, review: &Review, wait: Wait) {
    if let Some(source) = review.source_id {
        plan.wait(Wait { bead_id: source, ..wait.clone() }.other(review.bead_id));
    }
    plan.wait(wait);
}

fn order(plan: &mut Plan, review: &Review) {
    let Some(settings) = plan.state().rig.settings.as_ref() else { return };
    let (gates, timeout_minutes) = (settings.config.gates.clone(), settings.config.gate_timeout_minutes);
    let source = review.source_id.and_then(|id| plan.state().beads.get(&id)).map(|bead| bead.title.clone());
    let job_id = plan.mint();
    let now = plan.now();
    let job = Job {
        job_id,
        kind: JobKind::Merge,
        review_id: Some(review.bead_id),
        spec: JobSpec {
            commit: review.reviewed_commit.clone(),
            branch: review.branch.clone(),
            target: Some(review.target.clone()),
            run_id: None,
            gates,
            timeout_minutes,
            title: source.unwrap_or_else(|| format!("Land {}", review.branch)),
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
    review::move_to(plan, review.bead_id, ReviewState::Merging);
}
