//! R24: one review at a time in each lane, by priority, then by age in the queue.

use std::cmp::Reverse;

use crate::rig::assignment;
use crate::rig::plan::Plan;
use crate::rig::review::{self, Review, ReviewState};
use crate::rig::wait::{Wait, WaitCode};

pub(crate) fn run(plan: &mut Plan) {
    let mut queued: Vec<Review> = plan
        .state()
        .reviews
        .values()
        .filter(|review| review.is_live() && review.state == ReviewState::Queued)
        .cloned()
        .collect();
    let priority = |review: &Review| plan.state().beads.get(&review.bead_id).map(|bead| bead.priority);
    queued.sort_by_key(|review| (Reverse(priority(review)), review.queued_at, review.bead_id));
    for review in queued {
        match obstacle(plan, &review) {
            Some(wait) => {
                if let Some(source) = review.source_id {
                    plan.wait(Wait { bead_id: source, ..wait.clone() }.other(review.bead_id));
                }
                plan.wait(wait);
            }
            None => assign(plan, &review),
        }
    }
}

fn obstacle(plan: &Plan, review: &Review) -> Option<Wait> {
    let now = plan.now();
    let bead = plan.state().live_bead(review.bead_id)?;
    let wait = |code, message: &str| Some(Wait::new(review.bead_id, code, message, now));
    if let Some(parked) = &bead.parked {
        return wait(WaitCode::NeedsDecision, &parked.message);
    }
    if let Some(until) = bead.not_before.filter(|&until| until > now) {
        let wait = Wait::new(review.bead_id, WaitCode::BackingOff, "The review is tried again later.", now);
        return Some(wait.until(Some(until)));
    }
    if review.head_commit.is_none() || !super::gates::is_green(plan, review) {
        return wait(WaitCode::WaitingGates, "It waits for green gates at its newest commit.");
    }
    if !review::is_lane_free(plan, review) {
        return wait(WaitCode::WaitingReview, "Another branch is being reviewed or merged into the same target.");
    }
    let refinery = plan.state().refinery()?;
    if plan.state().assignment_of_agent(refinery.agent_id).is_some() {
        return wait(WaitCode::WaitingReview, "The refinery is busy with another branch.");
    }
    None
}

fn assign(plan: &mut Plan, review: &Review) {
    let Some(refinery) = plan.state().refinery().map(|agent| agent.agent_id) else { return };
    let head = review.head_commit.clone();
    plan.update_bead(review.bead_id, |bead| bead.head_commit = head);
    if assignment::assign(plan, review.bead_id, refinery).is_some() {
        review::move_to(plan, review.bead_id, ReviewState::Reviewing);
    }
}
