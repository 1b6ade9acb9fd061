//! The merge queue (api.md 3.6): reviews on their way to the target, and what people say to them.

use gastown_core::id::RigId;
use gastown_core::limits::{BODY_MAX, NOTE_MAX};
use gastown_core::rig::review::Verdict;
use gastown_core::sorted::sort_by_key;
use gastown_core::time::Timestamp;
use gastown_core::wire::api::read::{Fields, Request};
use gastown_core::wire::api::review::{MergeQueue, MergeQueueItem};
use gastown_core::wire::code::Code;

use super::beads::find;
use super::inbound::Inbound;
use super::reply::Reply;
use crate::error::{Refusal, Result};
use crate::rig::calls::{DismissReview, JudgeReview, ListReviews, ResumeReview};
use crate::town::calls::ListConvoys;

/// GET `T/merge-queue`: over all rigs, or the one that is asked for. A rig that does not answer is named in a warning.
pub async fn list(inbound: Inbound) -> Result<Reply> {
    let town_id = inbound.town_id()?;
    let since = inbound.query.one::<Timestamp>("since")?;
    let limit = inbound.query.paging()?.limit;
    let rig_ids = match inbound.query.one::<RigId>("rig_id")? {
        Some(rig_id) => vec![rig_id],
        None => inbound.rig_ids().await?,
    };
    let (answers, warnings) = inbound.ask_rigs(&rig_ids, &ListReviews { town_id, since, limit }).await;
    let (mut items, mut activity) = (Vec::new(), Vec::new());
    for (_, reviews) in answers {
        items.extend(reviews.items);
        activity.extend(reviews.activity);
    }
    name_convoys(&inbound, &mut items).await?;
    sort_by_key(&mut activity, |event| std::cmp::Reverse(event.created_at));
    activity.truncate(limit as usize);
    Reply::with_warnings(200, &MergeQueue::of(items, Some(activity)), warnings)
}

/// Convoys are the town's: it knows what they are called.
async fn name_convoys(inbound: &Inbound, items: &mut [MergeQueueItem]) -> Result<()> {
    if items.iter().all(|item| item.convoy.is_none()) {
        return Ok(());
    }
    let live = inbound.ask_town(&ListConvoys { states: Vec::new(), after: None, limit: u32::MAX }).await?;
    for convoy in items.iter_mut().filter_map(|item| item.convoy.as_mut()) {
        convoy.title = live.iter().find(|known| known.id == convoy.id).map(|known| known.title.clone());
    }
    Ok(())
}

/// POST `T/merge-queue/:mr/retry`: it goes on from where it stopped.
pub async fn retry(inbound: Inbound) -> Result<Reply> {
    let Note { note } = inbound.read()?;
    let (rig_id, bead) = find(&inbound).await?;
    let call = ResumeReview { town_id: inbound.town_id()?, review_id: bead.bead_id, note, actor: inbound.actor() };
    Reply::passing(200, inbound.ask_rig(rig_id, &call).text()).await
}

/// POST `T/merge-queue/:mr/dismiss`: it leaves what needs attention.
pub async fn dismiss(inbound: Inbound) -> Result<Reply> {
    let Note { .. } = inbound.read()?;
    let (rig_id, bead) = find(&inbound).await?;
    let call = DismissReview { town_id: inbound.town_id()?, review_id: bead.bead_id };
    Reply::passing(200, inbound.ask_rig(rig_id, &call).text()).await
}

/// POST `T/merge-queue/:mr/verdict`: a person judges.
pub async fn judge(inbound: Inbound) -> Result<Reply> {
    let PersonsVerdict { verdict, feedback } = inbound.read()?;
    let (rig_id, bead) = find(&inbound).await?;
    let Some(verdict) = verdict else { return Err(Refusal::new(Code::VerdictRequired, "Say a verdict").into()) };
    let call =
        JudgeReview { town_id: inbound.town_id()?, review_id: bead.bead_id, verdict, feedback, actor: inbound.actor() };
    Reply::passing(200, inbound.ask_rig(rig_id, &call).text()).await
}

/// A word of a person on a review.
pub struct Note {
    note: Option<String>,
}

impl Request for Note {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { note: fields.optional_text("note", 0, NOTE_MAX) }
    }
}

/// A person's own verdict.
pub struct PersonsVerdict {
    verdict: Option<Verdict>,
    feedback: Option<String>,
}

impl Request for PersonsVerdict {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { verdict: fields.word("verdict"), feedback: fields.optional_text("feedback", 0, BODY_MAX) }
    }
}
