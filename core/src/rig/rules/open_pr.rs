//! R19: the work is shown at the forge. Approved work gets its pull request, or goes back to the one it has; in comments
//! mode the pull request is opened before the first review, so that findings have a place. An order without an answer is
//! given again: the forge adopts what is open.

use crate::limits::FORGE_REPEAT;
use crate::rig::plan::{Effect, Plan};
use crate::rig::pr;
use crate::rig::review::{MergeStrategy, Review, ReviewState};
use crate::rig::wait::{Wait, WaitCode};

pub(crate) fn run(plan: &mut Plan) {
    let to_show: Vec<Review> = plan
        .state()
        .reviews
        .values()
        .filter(|review| review.is_live() && review.strategy == MergeStrategy::Pr)
        .filter(|review| review.state == ReviewState::Approved || is_shown_first(plan, review))
        .filter(|review| plan.state().live_bead(review.bead_id).is_some_and(|bead| bead.parked.is_none()))
        .cloned()
        .collect();
    for review in to_show {
        if pr::open_watch(plan, review.bead_id).is_none() {
            show(plan, &review);
        } else if review.state == ReviewState::Approved && super::gates::blocks(plan, &review).is_none() {
            pr::enter_open(plan, review.bead_id);
        }
    }
}

/// In comments mode the refinery waits for the pull request, unless there is nothing to show.
pub(crate) fn is_shown_first(plan: &Plan, review: &Review) -> bool {
    review.state == ReviewState::Queued
        && review.head_commit.is_some()
        && review.head_commit != review.empty_commit
        && pr::is_in_comments_mode(plan, review)
        && pr::open_watch(plan, review.bead_id).is_none()
}

fn show(plan: &mut Plan, review: &Review) {
    let now = plan.now();
    let wait = |code, message: &str| Wait::new(review.bead_id, code, message, now);
    let rig = &plan.state().rig;
    if rig.town.draining {
        return super::merge::say(plan, review, wait(WaitCode::Draining, "The runtime is being replaced."));
    }
    if rig.town.paused {
        return super::merge::say(plan, review, wait(WaitCode::Paused, "The town is paused."));
    }
    if review.forge_due.is_none_or(|due| due <= now) {
        plan.update_review(review.bead_id, |review| review.forge_due = Some(now + FORGE_REPEAT));
        plan.effect(Effect::OpenPr(review.bead_id));
    }
    let due = plan.state().reviews.get(&review.bead_id).and_then(|review| review.forge_due);
    let wait = if review.merge_tries > 0 {
        wait(WaitCode::BackingOff, "The forge did not open its pull request; it is asked again later.").until(due)
    } else {
        wait(WaitCode::WaitingReview, "Its pull request is being opened.")
    };
    super::merge::say(plan, review, wait);
}
