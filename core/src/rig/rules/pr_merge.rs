//! R21: green pull requests are merged. When the guard of domain.md 7.5 holds, the runtime first merges the head into the
//! target's tip for trial and runs the gates on the result; if they are green the forge is asked to merge exactly that
//! head.

use crate::limits::FORGE_REPEAT;
use crate::rig::plan::{Effect, Plan};
use crate::rig::pr::{self, PrSub, Watch, WatchState};
use crate::rig::review::{self, MergeStrategy, Review, ReviewState};
use crate::rig::wait::{Wait, WaitCode};
use crate::sorted::sort_by_key;

pub(crate) fn run(plan: &mut Plan) {
    let mut shown: Vec<(Review, Watch)> = plan
        .state()
        .reviews
        .values()
        .filter(|review| review.is_live() && review.strategy == MergeStrategy::Pr)
        .filter(|review| plan.state().live_bead(review.bead_id).is_some_and(|bead| bead.parked.is_none()))
        .filter_map(|review| Some((review.clone(), plan.state().watches.get(&review.bead_id)?.clone())))
        .collect();
    sort_by_key(&mut shown, |(review, watch)| (watch.green_since, review.queued_at, review.bead_id));
    for (review, watch) in shown {
        match review.state {
            ReviewState::PrOpen if review.sub != Some(PrSub::Fixing) => match obstacle(plan, &review, &watch) {
                Some(wait) => super::merge::say(plan, &review, wait),
                None => try_merge(plan, &review),
            },
            ReviewState::Merging => ask_forge(plan, &review),
            ReviewState::PrOpen
            | ReviewState::Queued
            | ReviewState::Reviewing
            | ReviewState::ChangesRequested
            | ReviewState::Reworking
            | ReviewState::Approved
            | ReviewState::Merged
            | ReviewState::Rejected => (),
        }
    }
}

fn obstacle(plan: &Plan, review: &Review, watch: &Watch) -> Option<Wait> {
    let now = plan.now();
    let rig = &plan.state().rig;
    let wait = |code, message: &str| Some(Wait::new(review.bead_id, code, message, now));
    if watch.state == WatchState::Degraded {
        let why = watch.error.as_ref().map_or("", |error| error.message.as_str());
        return wait(WaitCode::WaitingHuman, &format!("Its pull request cannot be followed: {why}"));
    }
    if review.sub == Some(PrSub::NeedsHuman) {
        return wait(WaitCode::WaitingHuman, what_a_person_does(watch));
    }
    let Some(settings) = rig.settings.as_ref() else {
        return wait(WaitCode::ConfigPending, "The rig waits for its settings.");
    };
    if watch.green_since.is_none() {
        return wait(WaitCode::WaitingChecks, "It waits for the checks of its pull request.");
    }
    if !settings.config.auto_merge && !review.is_merge_ordered {
        return wait(WaitCode::WaitingHuman, "A person has to approve the merge.");
    }
    let Some(due) = pr::merges_at(plan.state(), review) else {
        return wait(WaitCode::WaitingHuman, "A person has to merge it at the forge.");
    };
    if due > now {
        let wait = Wait::new(review.bead_id, WaitCode::WaitingMergeDelay, "It is merged if it stays green.", now);
        return Some(wait.until(Some(due)));
    }
    if let Some(until) = review.not_before.filter(|&until| until > now) {
        let wait = Wait::new(review.bead_id, WaitCode::BackingOff, "The merge is tried again later.", now);
        return Some(wait.until(Some(until)));
    }
    if pr::needs_review(plan, review) && review.head_commit != review.reviewed_commit {
        return wait(WaitCode::WaitingReview, "Its newest commit was not reviewed.");
    }
    if pr::repository(&rig.git_url).is_none_or(|(_, repo)| repo != watch.repo) {
        return wait(WaitCode::WaitingHuman, "Its pull request belongs to another repository than the rig.");
    }
    if rig.town.draining {
        return wait(WaitCode::Draining, "The runtime is being replaced.");
    }
    if rig.town.paused {
        return wait(WaitCode::Paused, "The town is paused.");
    }
    if !review::is_lane_free(plan, review) {
        return wait(WaitCode::WaitingReview, "Another branch is being reviewed or merged into the same target.");
    }
    None
}

fn what_a_person_does(watch: &Watch) -> &'static str {
    if watch.is_in_conflict_episode() {
        "Its pull request conflicts with the target; a person has to resolve it."
    } else if watch.wants_changes() {
        "Its pull request wants changes; a person has to answer them."
    } else {
        "Its pull request needs an approval at the forge."
    }
}

fn try_merge(plan: &mut Plan, review: &Review) {
    review::move_to(plan, review.bead_id, ReviewState::Merging);
    super::gates::order_trial(plan, review);
}

/// The trial was green: `forge_due` says when the forge may be asked, first or again.
fn ask_forge(plan: &mut Plan, review: &Review) {
    let now = plan.now();
    let is_due = review.forge_due.is_some_and(|due| due <= now);
    let rig = &plan.state().rig;
    if is_due && !rig.town.draining && !rig.town.paused {
        plan.update_review(review.bead_id, |review| review.forge_due = Some(now + FORGE_REPEAT));
        plan.effect(Effect::MergePr(review.bead_id));
    }
}
