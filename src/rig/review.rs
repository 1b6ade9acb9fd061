//! The merge queue of a rig: what a person sees of its reviews, and what they may say to them.

use std::rc::Rc;

use gastown_core::id::BeadId;
use gastown_core::rig::event::{Event, JobFact};
use gastown_core::rig::{Applied, Command};
use gastown_core::session::JobKind;
use gastown_core::wire::api::review::MergeQueueItem;
use gastown_core::wire::code::Code;

use super::calls::{CompleteReview, DismissReview, JudgeReview, ListReviews, ResumeReview, RigReviews};
use super::commit::View;
use super::store::events;
use super::{Desk, reads};
use crate::error::{Fault, Refusal, Result};

/// Kinds of rows of the log that tell of reviews.
const ACTIVITY: &str = "review_submitted review_completed rework_requested gates_completed merged pr_created \
                        pr_creation_failed";

/// The live reviews of the rig, and what happened to reviews.
pub(super) async fn list(desk: &Rc<Desk>, call: ListReviews) -> Result<RigReviews> {
    desk.is_of(call.town_id)?;
    let rows = events::of_kinds(&desk.sql, ACTIVITY, call.since, call.limit)?;
    desk.read(|state| {
        let view = View { state, sql: &desk.sql };
        Ok(RigReviews { items: live(desk, &view)?, activity: reads::logged(state, &rows) })
    })
}

/// The live reviews in their wire shape.
pub(super) fn live(desk: &Desk, view: &View<'_>) -> Result<Vec<MergeQueueItem>> {
    let live = view.state.reviews.values().filter(|review| review.is_live());
    live.map(|review| item(desk, view, review.bead_id)).collect()
}

/// A person's verdict on a review.
pub(super) async fn judge(desk: &Rc<Desk>, call: JudgeReview) -> Result<MergeQueueItem> {
    desk.is_of(call.town_id)?;
    let JudgeReview { review_id, verdict, feedback, actor, .. } = call;
    run(desk, Command::PersonJudges { review_id, verdict, feedback, actor }).await
}

/// A review goes on.
pub(super) async fn resume(desk: &Rc<Desk>, call: ResumeReview) -> Result<MergeQueueItem> {
    desk.is_of(call.town_id)?;
    let ResumeReview { review_id, note, actor, .. } = call;
    run(desk, Command::ResumeReview { review_id, note, actor }).await
}

/// A review leaves what needs attention.
pub(super) async fn dismiss(desk: &Rc<Desk>, call: DismissReview) -> Result<MergeQueueItem> {
    desk.is_of(call.town_id)?;
    run(desk, Command::DismissReview { review_id: call.review_id }).await
}

/// The merge job of the review ends as its own fact would end it.
pub(super) async fn complete(desk: &Rc<Desk>, call: CompleteReview) -> Result<()> {
    desk.is_of(call.town_id)?;
    let job_id = desk.read(|state| {
        let review = state.reviews.get(&call.review_id).ok_or_else(|| Refusal::not_found("bead"))?;
        let mut live = state.jobs.values().filter(|job| job.ended_at.is_none() && job.kind == JobKind::Merge);
        let merge = live.find(|job| job.review_id == Some(review.bead_id)).map(|job| job.job_id);
        let none = || Refusal::new(Code::IllegalTransition, "No merge of this review was ordered");
        Ok(merge.ok_or_else(none)?)
    })?;
    let CompleteReview { status, message, commit: merge_commit, .. } = call;
    let fact = JobFact::Merge { status, merge_commit, files: Vec::new(), results: Vec::new(), message };
    let committed = desk.observe(vec![Event::JobReported(job_id, fact)])?;
    desk.act(committed.effects).await;
    Ok(())
}

async fn run(desk: &Rc<Desk>, command: Command) -> Result<MergeQueueItem> {
    let committed = desk.handle(command, |view, applied| {
        let Applied::Judged(review_id) = applied else {
            return Err(Fault::new("read what a command did", format_args!("{applied:?}")).into());
        };
        item(desk, &view, review_id)
    })?;
    desk.act(committed.effects).await;
    Ok(committed.value)
}

/// A review in view, in its wire shape.
pub(super) fn item(desk: &Desk, view: &View<'_>, review_id: BeadId) -> Result<MergeQueueItem> {
    let review = view.state.reviews.get(&review_id).ok_or_else(|| Refusal::not_found("bead"))?;
    let source = review.source_id.map(|source_id| view.bead(source_id)).transpose()?;
    Ok(MergeQueueItem::of(view.state, review, view.bead(review_id)?, source, desk.now()?))
}
