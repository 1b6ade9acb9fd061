//! Beads, for people and for the agents of a rig (api.md 3.3, 3.8).

use futures::future::join_all;
use gastown_core::id::{BeadId, RigId};
use gastown_core::rig::bead::{BeadStatus, BeadType};
use gastown_core::rig::review::Verdict;
use gastown_core::wire::api::bead::{Bead, CreateBead, NewBead, PatchBead, Reason, RetryBead};
use gastown_core::wire::api::read::{Fields, Request};
use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::{Warning, WarningCode};

use super::inbound::Inbound;
use super::query::Paging;
use super::reply::Reply;
use crate::error::{Error, Refusal, Result};
use crate::rig::calls::Filter;
use crate::rig::calls::{
    BeadAssignments, Close, Fail, JudgeReview, ListBeads, ListEvents, Patch, Retry, ShowBead, Sling, Start,
};

/// GET `T/beads`: over all rigs, or the one that is asked for.
pub async fn list(inbound: Inbound) -> Result<Reply> {
    let rig_ids = match inbound.query.many::<RigId>("rig_id")? {
        some if !some.is_empty() => some,
        _ => match inbound.query.one::<RigId>("rig")? {
            Some(rig_id) => vec![rig_id],
            None => inbound.rig_ids().await?,
        },
    };
    list_over(&inbound, &rig_ids).await
}

/// GET `R/beads`
pub async fn list_of_rig(inbound: Inbound) -> Result<Reply> {
    let filter = filter(&inbound, inbound.query.paging()?)?;
    let call = ListBeads { town_id: inbound.town_id()?, filter };
    Reply::passing(200, inbound.ask_rig(inbound.rig_id()?, &call).text()).await
}

/// A page over these rigs, newest first. A rig that does not answer is named in a warning.
pub(super) async fn list_over(inbound: &Inbound, rig_ids: &[RigId]) -> Result<Reply> {
    let paging = inbound.query.paging()?;
    let town_id = inbound.town_id()?;
    // Each rig gives as much as the page could need of it.
    let of_each = filter(inbound, Paging { limit: paging.limit + paging.offset, offset: 0 })?;
    let asked = rig_ids.iter().map(|rig_id| async {
        (*rig_id, inbound.ask_rig(*rig_id, &ListBeads { town_id, filter: of_each.clone() }).await)
    });
    let (mut beads, mut warnings) = (Vec::new(), Vec::new());
    for (rig_id, answer) in join_all(asked).await {
        match answer {
            Ok(some) => beads.extend(some),
            Err(Error::Refusal(refusal)) if refusal.code == Code::NotFound => (),
            Err(_) => warnings.push(Warning {
                code: WarningCode::Partial,
                message: format!("Rig {rig_id} did not answer"),
                path: None,
            }),
        }
    }
    gastown_core::sorted::sort_by_key(&mut beads, |bead: &Bead| std::cmp::Reverse((bead.created_at, bead.bead_id)));
    let page: Vec<Bead> = beads.into_iter().skip(paging.offset as usize).take(paging.limit as usize).collect();
    Reply::with_warnings(200, &page, warnings)
}

/// POST `T/beads`
pub async fn create(inbound: Inbound) -> Result<Reply> {
    let CreateBead { rig_id, bead } = inbound.read()?;
    create_bead(&inbound, rig_id, bead).await
}

/// POST `R/beads`
pub async fn create_in_rig(inbound: Inbound) -> Result<Reply> {
    let NewBeadOfRig(bead) = inbound.read()?;
    create_bead(&inbound, inbound.rig_id()?, bead).await
}

/// GET `B`
pub async fn show(inbound: Inbound) -> Result<Reply> {
    Reply::ok(&find(&inbound).await?.1)
}

/// GET `R/beads/:b`
pub async fn show_of_rig(inbound: Inbound) -> Result<Reply> {
    let call = ShowBead { town_id: inbound.town_id()?, bead_id: inbound.bead_id()? };
    Reply::passing(200, inbound.ask_rig(inbound.rig_id()?, &call).text()).await
}

/// PATCH `B`
pub async fn update(inbound: Inbound) -> Result<Reply> {
    let patch: PatchBead = inbound.read()?;
    let (rig_id, bead) = find(&inbound).await?;
    if inbound.if_version().is_some_and(|version| version != bead.version) {
        let details = serde_json::json!({ "etag": format!("\"{}\"", bead.version) });
        let message = "Somebody else changed it meanwhile";
        return Err(Refusal::new(Code::PreconditionFailed, message).with(details).into());
    }
    let call = Patch { town_id: inbound.town_id()?, bead_id: bead.bead_id, patch, actor: inbound.actor() };
    Reply::passing(200, inbound.ask_rig(rig_id, &call).text()).await
}

/// POST `B/start`
pub async fn start(inbound: Inbound) -> Result<Reply> {
    let (rig_id, bead) = find(&inbound).await?;
    let call = Start { town_id: inbound.town_id()?, bead_id: bead.bead_id, actor: inbound.actor() };
    Reply::passing(200, inbound.ask_rig(rig_id, &call).text()).await
}

/// POST `B/close`
pub async fn close(inbound: Inbound) -> Result<Reply> {
    let (rig_id, bead) = find(&inbound).await?;
    let call = Close { town_id: inbound.town_id()?, bead_id: bead.bead_id, actor: inbound.actor() };
    Reply::passing(200, inbound.ask_rig(rig_id, &call).text()).await
}

/// POST `B/fail`
pub async fn fail(inbound: Inbound) -> Result<Reply> {
    let Reason { reason } = inbound.read()?;
    let (rig_id, bead) = find(&inbound).await?;
    let call = Fail { town_id: inbound.town_id()?, bead_id: bead.bead_id, reason, actor: inbound.actor() };
    Reply::passing(200, inbound.ask_rig(rig_id, &call).text()).await
}

/// POST `B/retry`
pub async fn retry(inbound: Inbound) -> Result<Reply> {
    let retry: RetryBead = inbound.read()?;
    let (rig_id, bead) = find(&inbound).await?;
    let call = Retry { town_id: inbound.town_id()?, bead_id: bead.bead_id, retry, actor: inbound.actor() };
    Reply::passing(200, inbound.ask_rig(rig_id, &call).text()).await
}

/// GET `B/assignments`
pub async fn assignments(inbound: Inbound) -> Result<Reply> {
    let (rig_id, bead) = find(&inbound).await?;
    let call = BeadAssignments { town_id: inbound.town_id()?, bead_id: bead.bead_id };
    Reply::passing(200, inbound.ask_rig(rig_id, &call).text()).await
}

/// GET `B/events`
pub async fn events(inbound: Inbound) -> Result<Reply> {
    let Paging { limit, offset } = inbound.query.paging()?;
    let (rig_id, bead) = find(&inbound).await?;
    let call = ListEvents {
        town_id: inbound.town_id()?,
        bead_id: Some(bead.bead_id),
        agent_id: None,
        since: inbound.query.one("since")?,
        limit,
        offset,
    };
    Reply::passing(200, inbound.ask_rig(rig_id, &call).text()).await
}

/// GET `R/events`
pub async fn events_of_rig(inbound: Inbound) -> Result<Reply> {
    let Paging { limit, offset } = inbound.query.paging()?;
    let call = ListEvents {
        town_id: inbound.town_id()?,
        bead_id: inbound.query.one("bead_id")?,
        agent_id: inbound.query.one("agent_id")?,
        since: inbound.query.one("since")?,
        limit,
        offset,
    };
    Reply::passing(200, inbound.ask_rig(inbound.rig_id()?, &call).text()).await
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

/// The bead of the path and its rig; `?rig_id=` saves the look-up. A bead that exists in another town is not there.
async fn find(inbound: &Inbound) -> Result<(RigId, Bead)> {
    let (town_id, bead_id) = (inbound.town_id()?, inbound.bead_id()?);
    let rig_ids = match inbound.query.one::<RigId>("rig_id")? {
        Some(rig_id) => vec![rig_id],
        None => inbound.rig_ids().await?,
    };
    let asked = rig_ids
        .iter()
        .map(|rig_id| async { (*rig_id, inbound.ask_rig(*rig_id, &ShowBead { town_id, bead_id }).await) });
    let mut fault = None;
    for (rig_id, answer) in join_all(asked).await {
        match answer {
            Ok(bead) => return Ok((rig_id, bead)),
            Err(Error::Refusal(refusal)) if refusal.code == Code::NotFound => (),
            Err(error) => fault = Some(error),
        }
    }
    Err(fault.unwrap_or_else(|| Refusal::not_found("bead").into()))
}

async fn create_bead(inbound: &Inbound, rig_id: RigId, bead: NewBead) -> Result<Reply> {
    let call = Sling {
        town_id: inbound.town_id()?,
        bead_id: None::<BeadId>,
        bead,
        actor: inbound.actor(),
        refuses_repeat: false,
        idempotency: inbound.idempotency()?,
    };
    let kept = inbound.ask_rig(rig_id, &call).await?;
    Ok(Reply::created(&kept.reply.bead)?.replayed(kept.is_replay))
}

fn filter(inbound: &Inbound, paging: Paging) -> Result<Filter> {
    let query = &inbound.query;
    let agent_id = match query.one("assignee_agent_id")? {
        Some(agent_id) => Some(agent_id),
        None => query.one("assignee_agent_bead_id")?,
    };
    Ok(Filter {
        status: query.many::<BeadStatus>("status")?,
        kind: query.many::<BeadType>("type")?,
        label: query.many("label")?,
        priority: query.many("priority")?,
        agent_id,
        parent_id: query.one("parent_bead_id")?,
        q: query.get("q").map(str::to_owned),
        updated_since: query.one("updated_since")?,
        limit: paging.limit,
        offset: paging.offset,
    })
}

struct NewBeadOfRig(NewBead);

impl Request for NewBeadOfRig {
    fn read(fields: &mut Fields<'_>) -> Self {
        if let Some(kind) = fields.word::<BeadType>("type")
            && kind != BeadType::Issue
        {
            let message = "beads of this type are made by their own routes";
            fields.issue("type", gastown_core::wire::envelope::IssueCode::InvalidEnum, message);
        }
        let depends_on = fields.ids("depends_on", gastown_core::limits::SLING_TASKS_MAX);
        Self(NewBead { depends_on, ..NewBead::read(fields) })
    }
}

struct PersonsVerdict {
    verdict: Option<Verdict>,
    feedback: Option<String>,
}

impl Request for PersonsVerdict {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            verdict: fields.word("verdict"),
            feedback: fields.optional_text("feedback", 0, gastown_core::limits::BODY_MAX),
        }
    }
}
