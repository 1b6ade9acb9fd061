//! R24: one review at a time in each lane, by priority, then by age in the queue.

use std::cmp::Reverse;

use crate::id::{AgentId, AssignmentId, BeadId};
use crate::rig::assignment;
use crate::rig::bead::HELD;
use crate::rig::plan::Plan;
use crate::rig::review::{self, Review, ReviewState};
use crate::rig::wait::{Wait, WaitCode};
use crate::session::Role;

pub(crate) fn run(plan: &mut Plan) {
    let mut queued: Vec<Review> = plan
        .state()
        .reviews
        .values()
        .filter(|review| review.is_live() && review.state == ReviewState::Queued)
        .cloned()
        .collect();
    let priority = |review: &Review| plan.state().beads.get(&review.bead_id).map(|bead| bead.priority);
    crate::sorted::sort_by_key(&mut queued, |review| (Reverse(priority(review)), review.queued_at, review.bead_id));
    for review in queued {
        match obstacle(plan, &review) {
            Some(wait) => {
                if let Some(source) = review.source_id {
                    plan.wait(Wait { bead_id: source, ..wait.clone() }.other(review.bead_id));
                }
                plan.wait(wait);
            }
            None => {
                let actor = plan.rule();
                if let Some(refinery) = plan.state().refinery().map(|agent| agent.agent_id) {
                    assign(plan, review.bead_id, refinery, actor);
                }
            }
        }
    }
}

/// The first reason that holds a queued review back.
pub(crate) fn obstacle(plan: &Plan, review: &Review) -> Option<Wait> {
    let now = plan.now();
    let bead = plan.state().live_bead(review.bead_id)?;
    let wait = |code, message: &str| Some(Wait::new(review.bead_id, code, message, now));
    if let Some(parked) = plan.state().parked(bead) {
        return wait(WaitCode::NeedsDecision, &parked.message);
    }
    if bead.has_label(HELD) {
        return wait(WaitCode::Held, "Its review is held. Removing the label gt:held starts it.");
    }
    if let Some(until) = bead.not_before.filter(|&until| until > now) {
        let wait = Wait::new(review.bead_id, WaitCode::BackingOff, "The review is tried again later.", now);
        return Some(wait.until(Some(until)));
    }
    if review.head_commit.is_none() || !super::gates::is_green(plan, review) {
        return wait(WaitCode::WaitingGates, "It waits for green gates at its newest commit.");
    }
    if super::open_pr::is_shown_first(plan, review) {
        return wait(WaitCode::WaitingReview, "Its pull request is being opened.");
    }
    if !review::is_lane_free(plan, review) {
        return wait(WaitCode::WaitingReview, "Another branch is being reviewed or merged into the same target.");
    }
    // Also the session of a refinery that was removed and is still finishing.
    if plan.state().live_assignments().any(|live| live.kind.role() == Role::Refinery) {
        return wait(WaitCode::WaitingReview, "The refinery is busy with another branch.");
    }
    None
}

/// Gives a review to the refinery, at the newest commit of its branch.
pub(crate) fn assign(plan: &mut Plan, review_id: BeadId, refinery: AgentId, actor: &str) -> Option<AssignmentId> {
    let head = plan.state().reviews.get(&review_id).and_then(|review| review.head_commit.clone());
    plan.update_bead(review_id, |bead| bead.head_commit = head);
    let assigned = assignment::assign_by(plan, review_id, refinery, actor)?;
    review::move_to(plan, review_id, ReviewState::Reviewing);
    Some(assigned)
}
