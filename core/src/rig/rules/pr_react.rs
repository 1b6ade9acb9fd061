//! R14: what a poll found is answered, once, by the first line of domain.md 7.5 that fits. Merged and closed count in
//! every state, a moved head also where the review waits for a merge or for changes, the rest on an open pull request.

use serde_json::json;

use crate::id::BeadId;
use crate::rig::bead::{self, PR_CONFLICT, PR_FEEDBACK, REVIEW_CHOICES};
use crate::rig::plan::Plan;
use crate::rig::pr::{self, Cause, Checks, Mergeable, PrSub, Watch, WatchState};
use crate::rig::review::{self, Review, ReviewState};
use crate::rig::{job, rules};

pub(crate) fn run(plan: &mut Plan) {
    let fresh: Vec<(Review, Watch)> = plan
        .state()
        .watches
        .values()
        .filter(|watch| watch.is_unanswered)
        .filter_map(|watch| Some((plan.state().reviews.get(&watch.review_id)?.clone(), watch.clone())))
        .filter(|(review, _)| review.is_live())
        .collect();
    for (review, watch) in fresh {
        plan.update_watch(review.bead_id, |watch| watch.is_unanswered = false);
        answer(plan, &review, &watch);
    }
}

fn answer(plan: &mut Plan, review: &Review, watch: &Watch) {
    match watch.state {
        WatchState::Merged => return review::merged(plan, review.bead_id, review.merge_commit.clone()),
        WatchState::Closed => return closed(plan, review),
        WatchState::Open | WatchState::Degraded => (),
    }
    let is_parked = plan.state().live_bead(review.bead_id).is_none_or(|bead| bead.parked.is_some());
    if is_parked {
        return;
    }
    let is_moved = watch.head_commit.is_some() && watch.head_commit != review.head_commit;
    match (review.state, review.sub) {
        (ReviewState::PrOpen, Some(PrSub::Fixing)) => tell_child(plan, review, watch),
        (ReviewState::PrOpen | ReviewState::ChangesRequested | ReviewState::Approved, _) if is_moved => {
            head_moved(plan, review, watch);
        }
        (ReviewState::PrOpen, _) => open(plan, review, watch),
        (
            ReviewState::Queued
            | ReviewState::Reviewing
            | ReviewState::ChangesRequested
            | ReviewState::Reworking
            | ReviewState::Approved
            | ReviewState::Merging
            | ReviewState::Merged
            | ReviewState::Rejected,
            _,
        ) => (),
    }
}

/// Nothing is redone unless a person says so.
fn closed(plan: &mut Plan, review: &Review) {
    let back_to = match review.state {
        ReviewState::PrOpen if review.awaits_child() => Some(ReviewState::Reworking),
        ReviewState::PrOpen | ReviewState::Merging => Some(ReviewState::Approved),
        ReviewState::Queued
        | ReviewState::Reviewing
        | ReviewState::ChangesRequested
        | ReviewState::Reworking
        | ReviewState::Approved
        | ReviewState::Merged
        | ReviewState::Rejected => None,
    };
    if let Some(state) = back_to {
        job::cancel_all(plan, review.bead_id);
        review::move_to(plan, review.bead_id, state);
    }
    bead::unpark(plan, review.bead_id);
    let message = "Its pull request was closed without a merge.";
    bead::park(plan, review.bead_id, "pr_closed", message, REVIEW_CHOICES);
}

/// Somebody else pushed. The commit is judged where judgement is required; it costs no round.
fn head_moved(plan: &mut Plan, review: &Review, watch: &Watch) {
    pr::set_green_since(plan, review.bead_id, None);
    let head = watch.head_commit.clone();
    if pr::needs_review(plan, review) || review.state == ReviewState::ChangesRequested {
        return review::queue_again(plan, review.bead_id, head);
    }
    plan.update_review(review.bead_id, |review| {
        review.reviewed_commit.clone_from(&head);
        review.head_commit = head;
        review.is_merge_ordered = false;
    });
}

/// The lines of an open pull request that nobody repairs.
fn open(plan: &mut Plan, review: &Review, watch: &Watch) {
    match watch.mergeable {
        Mergeable::Unknown => return,
        Mergeable::Conflict => return conflict(plan, review, watch),
        Mergeable::Clean => end_episode(plan, review, watch),
    }
    if watch.wants_changes() {
        return feedback(plan, review, watch);
    }
    if watch.checks == Checks::Pending {
        pr::set_sub(plan, review.bead_id, PrSub::Green);
        return pr::set_green_since(plan, review.bead_id, None);
    }
    if watch.awaiting_approval {
        return pr::set_sub(plan, review.bead_id, PrSub::NeedsHuman);
    }
    pr::set_sub(plan, review.bead_id, PrSub::Green);
    let since = watch.green_since.unwrap_or_else(|| plan.now());
    pr::set_green_since(plan, review.bead_id, Some(since));
}

/// One child for each episode; if the conflict outlasts it, or nobody may resolve it, a person is called.
fn conflict(plan: &mut Plan, review: &Review, watch: &Watch) {
    let resolves = plan.state().rig.settings.as_ref().is_some_and(|s| s.config.auto_resolve_merge_conflicts);
    if resolves && !watch.is_in_conflict_episode() {
        rules::child::answer_conflict(plan, review, &[]);
        return begin_episode(plan, review.bead_id);
    }
    if pr::is_conflict_told(plan, review.bead_id) {
        return;
    }
    pr::set_sub(plan, review.bead_id, PrSub::NeedsHuman);
    if !watch.is_in_conflict_episode() {
        begin_episode(plan, review.bead_id);
    }
    let message = if resolves {
        format!("It still conflicts with {} after the conflict was resolved once.", review.target)
    } else {
        format!("It conflicts with {}; conflicts are not resolved by themselves here.", review.target)
    };
    pr::raise_escalation(plan, review.bead_id, Cause::Conflict, &message);
}

fn begin_episode(plan: &mut Plan, review_id: BeadId) {
    plan.update_watch(review_id, |watch| watch.conflict_episode += 1);
}

fn end_episode(plan: &mut Plan, review: &Review, watch: &Watch) {
    if watch.is_in_conflict_episode() {
        pr::conflict_settled(plan, review.bead_id);
        plan.update_watch(review.bead_id, |watch| watch.conflict_episode += 1);
    }
}

fn feedback(plan: &mut Plan, review: &Review, watch: &Watch) {
    let Some(settings) = plan.state().rig.settings.as_ref() else { return };
    let (resolves, rounds_max) = (settings.config.auto_resolve_pr_feedback, settings.config.max_feedback_rounds);
    if !resolves {
        return pr::set_sub(plan, review.bead_id, PrSub::NeedsHuman);
    }
    if review.feedback_round >= rounds_max {
        pr::set_sub(plan, review.bead_id, PrSub::NeedsHuman);
        let message = format!("Its pull request wants changes again after {rounds_max} rounds.");
        return bead::park(plan, review.bead_id, "feedback_rounds", &message, REVIEW_CHOICES);
    }
    plan.update_review(review.bead_id, |review| review.feedback_round += 1);
    let title = format!("Answer the feedback on the pull request of {}", review.branch);
    review::make_child(plan, review.bead_id, PR_FEEDBACK, title, remarks(watch).join("\n\n"));
}

/// A conflict or feedback that appears while a child works is written into the child; what it was told before is not
/// repeated.
fn tell_child(plan: &mut Plan, review: &Review, watch: &Watch) {
    let Some(child_id) = review.child_id else { return };
    let mut news = if watch.wants_changes() { remarks(watch) } else { Vec::new() };
    let has_feedback = !news.is_empty();
    if watch.mergeable == Mergeable::Conflict && !watch.is_in_conflict_episode() {
        news.push(format!("It conflicts with {0} now: merge origin/{0} into the branch as well.", review.target));
        begin_episode(plan, review.bead_id);
    } else if watch.mergeable == Mergeable::Clean {
        end_episode(plan, review, watch);
    }
    let body = plan.state().live_bead(child_id).and_then(|child| child.body.clone()).unwrap_or_default();
    news.retain(|remark| !body.contains(remark.as_str()));
    if news.is_empty() {
        return;
    }
    plan.update_bead(child_id, |child| {
        child.body = Some(format!("{body}\n\n{}", news.join("\n\n")).trim().to_owned());
        if has_feedback && child.has_label(PR_CONFLICT) {
            child.metadata.insert("has_feedback".to_owned(), json!(true));
        }
    });
}

/// What the forge shows, in words.
fn remarks(watch: &Watch) -> Vec<String> {
    if !watch.feedback.is_empty() {
        return watch.feedback.iter().map(review::Finding::text).collect();
    }
    let red = (watch.checks == Checks::Red).then(|| "Its checks are red.".to_owned());
    let requested = watch.changes_requested.then(|| "A reviewer requested changes.".to_owned());
    let threads = (watch.threads > 0).then(|| format!("{} threads are not resolved.", watch.threads));
    [red, requested, threads].into_iter().flatten().collect()
}
