//! Facts about calls of the forge (domain.md 7.5, 7.6): what an order to open, poll, merge or post came to. An answer
//! about a review that has ended, about an older pull request, or that nobody waits for, changes nothing.

use serde_json::json;

use super::Receipt;
use crate::id::BeadId;
use crate::limits::{MERGE_REFUSALS, PR_DEGRADED, PR_SHAPE, PR_TRANSIENT, backoff};
use crate::rig::bead::{self, REVIEW_CHOICES};
use crate::rig::plan::{EventRow, Plan, Write};
use crate::rig::pr::{
    self, Cause, FORGE_ERROR, ForgeError, ForgeErrorClass, OpenedPr, PrState, Snapshot, Watch, WatchState,
};
use crate::rig::review::{self, Review, ReviewState, Round};
use crate::time::Timestamp;

/// What a call of the forge came to.
#[derive(Debug, Clone, PartialEq)]
pub enum ForgeFact {
    /// The pull request was opened, or an open one of the same head and target was adopted.
    Opened(OpenedPr),
    /// There is no commit to open one for.
    NothingToOpen,
    /// The pull request of this number looks like this; none: as it did.
    Polled {
        /// Which was asked about.
        number: u64,
        /// When the question was sent.
        asked_at: Timestamp,
        /// What the forge says.
        snapshot: Option<Snapshot>,
    },
    /// It is merged, by this commit.
    Merged(String),
    /// The forge refuses to merge that head.
    MergeRefused(String),
    /// The findings of this round stand on it.
    Posted(u32),
    /// A call failed.
    Failed(ForgeCall, ForgeError),
}

/// A call of the forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgeCall {
    /// Open or adopt.
    Open,
    /// Poll.
    Poll,
    /// Merge.
    Merge,
    /// Post the findings of this round.
    Post(u32),
}

pub(super) fn forge_answered(plan: &mut Plan, review_id: BeadId, fact: ForgeFact) -> Receipt {
    let Some(review) = plan.state().reviews.get(&review_id).filter(|review| review.is_live()).cloned() else {
        return Receipt::Duplicate;
    };
    match fact {
        ForgeFact::Opened(pr) => opened(plan, &review, pr),
        ForgeFact::NothingToOpen if is_opening(&review) => {
            nothing_to_open(plan, &review);
            Receipt::Applied
        }
        ForgeFact::Polled { number, asked_at, snapshot } => polled(plan, &review, number, asked_at, snapshot),
        ForgeFact::Merged(commit) => {
            pr::recovered(plan, review_id);
            plan.update_watch(review_id, |watch| watch.state = WatchState::Merged);
            review::merged(plan, review_id, Some(commit));
            Receipt::Applied
        }
        ForgeFact::MergeRefused(message) if is_merging(&review) => {
            merge_refused(plan, review_id, &message);
            Receipt::Applied
        }
        ForgeFact::Posted(n) => posted(plan, review_id, n),
        ForgeFact::Failed(call, error) => failed(plan, &review, call, error),
        ForgeFact::NothingToOpen | ForgeFact::MergeRefused(_) => Receipt::Duplicate,
    }
}

/// A call to open is out.
const fn is_opening(review: &Review) -> bool {
    matches!(review.state, ReviewState::Approved | ReviewState::Queued) && review.forge_due.is_some()
}

/// A call to merge is out.
const fn is_merging(review: &Review) -> bool {
    matches!(review.state, ReviewState::Merging) && review.forge_due.is_some()
}

/// The repeat of an order finds the pull request that its first one opened.
fn opened(plan: &mut Plan, review: &Review, pr: OpenedPr) -> Receipt {
    if pr::open_watch(plan, review.bead_id).is_some() {
        return Receipt::Duplicate;
    }
    pr::opened(plan, review.bead_id, pr);
    Receipt::Applied
}

/// Approved work without a commit of its own is done. What was not judged yet is judged without a pull request.
fn nothing_to_open(plan: &mut Plan, review: &Review) {
    if review.state == ReviewState::Approved {
        return review::merged(plan, review.bead_id, None);
    }
    plan.update_review(review.bead_id, |review| {
        review.empty_commit.clone_from(&review.head_commit);
        review.forge_due = None;
        review.merge_tries = 0;
    });
}

fn polled(plan: &mut Plan, review: &Review, number: u64, asked_at: Timestamp, snapshot: Option<Snapshot>) -> Receipt {
    let review_id = review.bead_id;
    let is_news = |watch: &&Watch| watch.number == number && watch.polled_at.is_none_or(|newest| asked_at >= newest);
    let Some(watch) = pr::open_watch(plan, review_id).filter(is_news) else { return Receipt::Duplicate };
    let may_be_outdated = snapshot.as_ref().is_some_and(|shown| may_be_outdated(plan, review, watch, shown));
    pr::recovered(plan, review_id);
    let merge_commit = snapshot.as_ref().filter(|snapshot| snapshot.state == PrState::Merged).map(merge_commit_of);
    plan.update_watch(review_id, |watch| {
        watch.polled_at = Some(asked_at);
        watch.is_unanswered = !may_be_outdated;
        if let Some(snapshot) = snapshot {
            look_like(watch, snapshot);
        }
    });
    if merge_commit.is_some() {
        plan.update_review(review_id, |review| review.merge_commit = merge_commit);
    }
    Receipt::Applied
}

/// Right after a push a forge may still show a commit that was judged before. If the next poll shows it again, somebody
/// has put the branch back to it.
fn may_be_outdated(plan: &Plan, review: &Review, watch: &Watch, shown: &Snapshot) -> bool {
    let is_head = |commit: &Option<String>| commit.as_ref() == Some(&shown.head);
    if shown.state != PrState::Open || is_head(&review.head_commit) || is_head(&watch.head_commit) {
        return false;
    }
    let state = plan.state();
    let mut rounds = state.rounds.range((review.bead_id, 0)..=(review.bead_id, u32::MAX)).map(|(_, round)| round);
    let mut runs = state.gate_runs.values().filter(|run| run.review_id == review.bead_id && run.onto.is_none());
    rounds.any(|round| round.commit_id == shown.head) || runs.any(|run| is_head(&run.commit_id))
}

/// A forge that does not say which commit brought the work in has at least its head.
fn merge_commit_of(snapshot: &Snapshot) -> String {
    snapshot.merge_commit.clone().unwrap_or_else(|| snapshot.head.clone())
}

fn look_like(watch: &mut Watch, snapshot: Snapshot) {
    watch.state = match snapshot.state {
        PrState::Open => WatchState::Open,
        PrState::Merged => WatchState::Merged,
        PrState::Closed => WatchState::Closed,
    };
    watch.head_commit = Some(snapshot.head);
    watch.etag = snapshot.etag;
    watch.mergeable = snapshot.mergeable;
    watch.checks = snapshot.checks;
    watch.threads = snapshot.threads;
    watch.awaiting_approval = snapshot.awaiting_approval;
    watch.changes_requested = snapshot.changes_requested;
    watch.feedback = snapshot.feedback;
}

/// The timer begins anew; a forge that refuses again and again is a person's matter.
fn merge_refused(plan: &mut Plan, review_id: BeadId, message: &str) {
    review::move_to(plan, review_id, ReviewState::PrOpen);
    plan.update_watch(review_id, |watch| {
        watch.refused += 1;
        watch.green_since = None;
    });
    if plan.state().watches.get(&review_id).is_some_and(|watch| watch.refused >= MERGE_REFUSALS) {
        let message = format!("The forge refused the merge {MERGE_REFUSALS} times. The last time: {message}");
        bead::park(plan, review_id, "merge_refused", &message, REVIEW_CHOICES);
    }
}

fn posted(plan: &mut Plan, review_id: BeadId, n: u32) -> Receipt {
    let Some(round) = plan.state().rounds.get(&(review_id, n)).filter(|round| round.post_due.is_some()).cloned() else {
        return Receipt::Duplicate;
    };
    plan.write(Write::Round(Round { post_due: None, ..round }));
    Receipt::Applied
}

fn failed(plan: &mut Plan, review: &Review, call: ForgeCall, error: ForgeError) -> Receipt {
    match call {
        ForgeCall::Open if is_opening(review) => open_failed(plan, review, &error),
        ForgeCall::Merge if is_merging(review) => merge_failed(plan, review, &error),
        ForgeCall::Poll if pr::open_watch(plan, review.bead_id).is_some() => poll_failed(plan, review.bead_id, error),
        ForgeCall::Post(n) => return post_failed(plan, review.bead_id, n, &error),
        ForgeCall::Open | ForgeCall::Merge | ForgeCall::Poll => return Receipt::Duplicate,
    }
    Receipt::Applied
}

/// Waits, or calls a person where waiting does not help.
fn open_failed(plan: &mut Plan, review: &Review, error: &ForgeError) {
    let event = plan.event("pr_creation_failed");
    let data = json!({ "class": error.class, "message": error.message });
    plan.record(EventRow { bead_id: review.source_id.or(Some(review.bead_id)), data, ..event });
    let until = later(plan, review, error);
    plan.update_review(review.bead_id, |review| {
        review.merge_tries += 1;
        review.forge_due = until;
    });
    if until.is_none() {
        park_forge_error(plan, review.bead_id, error);
    }
}

fn merge_failed(plan: &mut Plan, review: &Review, error: &ForgeError) {
    let until = later(plan, review, error);
    plan.update_review(review.bead_id, |review| {
        review.merge_tries += 1;
        review.not_before = until;
    });
    review::move_to(plan, review.bead_id, ReviewState::PrOpen);
    // What was polled while the merge was under way was not answered then.
    plan.update_watch(review.bead_id, |watch| watch.is_unanswered = true);
    if until.is_none() {
        park_forge_error(plan, review.bead_id, error);
    }
}

/// When a failed call may be repeated; none when only a person helps.
fn later(plan: &Plan, review: &Review, error: &ForgeError) -> Option<crate::time::Timestamp> {
    let tries = review.merge_tries + 1;
    let is_hopeless = match error.class {
        ForgeErrorClass::Permanent => true,
        ForgeErrorClass::BadShape => tries >= PR_SHAPE,
        ForgeErrorClass::Transient => false,
    };
    let until = plan.now() + backoff(tries);
    (!is_hopeless).then(|| error.retry_at.map_or(until, |at| at.max(until)))
}

fn park_forge_error(plan: &mut Plan, review_id: BeadId, error: &ForgeError) {
    let message = format!("The forge did not do it ({}): {}", error.class, error.message);
    bead::park(plan, review_id, FORGE_ERROR, &message, REVIEW_CHOICES);
}

/// Counts towards degraded; a watch that is degraded already is told of once.
fn poll_failed(plan: &mut Plan, review_id: BeadId, error: ForgeError) {
    let now = plan.now();
    plan.update_watch(review_id, |watch| match error.class {
        ForgeErrorClass::Permanent => (),
        ForgeErrorClass::Transient => watch.transient += 1,
        ForgeErrorClass::BadShape => watch.shape += 1,
    });
    let Some(watch) = plan.state().watches.get(&review_id).cloned() else { return };
    let is_broken = match error.class {
        ForgeErrorClass::Permanent => true,
        ForgeErrorClass::Transient => watch.transient >= PR_TRANSIENT,
        ForgeErrorClass::BadShape => watch.shape >= PR_SHAPE,
    };
    let was_degraded = watch.state == WatchState::Degraded;
    let message = error.message.clone();
    plan.update_watch(review_id, |watch| {
        watch.poll_at = error.retry_at.map_or(watch.poll_at, |at| at.max(watch.poll_at));
        // Nobody knows whether it stayed green meanwhile.
        watch.green_since = None;
        if is_broken {
            watch.state = WatchState::Degraded;
            watch.poll_at = watch.poll_at.max(now + PR_DEGRADED);
        }
        watch.error = Some(error.clone());
    });
    if is_broken && !was_degraded {
        let message = format!("{} ({})", message, error.class);
        pr::raise_escalation(plan, review_id, Cause::Degraded, &message);
    }
}

/// Findings that cannot be posted hold nothing up: the child has them anyway.
fn post_failed(plan: &mut Plan, review_id: BeadId, n: u32, error: &ForgeError) -> Receipt {
    let Some(round) = plan.state().rounds.get(&(review_id, n)).filter(|round| round.post_due.is_some()).cloned() else {
        return Receipt::Duplicate;
    };
    let post_due = match error.class {
        ForgeErrorClass::Transient => round.post_due.map(|due| error.retry_at.map_or(due, |at| at.max(due))),
        ForgeErrorClass::Permanent | ForgeErrorClass::BadShape => {
            let event = plan.event("notification_failed");
            let data = json!({ "class": error.class, "message": error.message });
            plan.record(EventRow { bead_id: Some(review_id), data, ..event });
            None
        }
    };
    plan.write(Write::Round(Round { post_due, ..round }));
    Receipt::Applied
}
