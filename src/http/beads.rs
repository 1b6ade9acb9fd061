//! Beads, for people and for the agents of a rig (api.md 3.3, 3.8).

use futures::future::join_all;
use gastown_core::id::{AgentId, BeadId, EscalationId, RigId};
use gastown_core::rig::bead::{BeadStatus, BeadType};
use gastown_core::wire::api::agent::Assignment;
use gastown_core::wire::api::bead::{Bead, CreateBead, NewBead, PatchBead, Reason, RecordType, RetryBead};
use gastown_core::wire::api::explain::Explain;
use gastown_core::wire::api::read::{Fields, Request};
use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::{Warning, WarningCode};
use serde_json::{Value, json};

use super::inbound::Inbound;
use super::reply::Reply;
use super::towns::if_version;
use super::{cursor, records};
use crate::error::{Error, Refusal, Result};
use crate::rig::calls::Filter;
use crate::rig::calls::{
    BeadAssignments, BeadPage, Close, ExplainBead, Fail, ListBeads, ListEvents, MoveAway, Patch, Retry, ShowBead,
    Sling, Start,
};
use crate::town::calls::{SetTaskDependencies, ShowEscalation};

/// How often, and how long apart, it is looked whether a moved bead has arrived.
const ARRIVAL_LOOKS: u32 = 20;
const ARRIVAL_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// GET `T/beads`: over all rigs, or those that are asked for; what the town itself keeps is there when its type is named.
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
    // A rig that does not answer is not left out here: it is the only one.
    let rig_id = inbound.rig_id()?;
    let town_id = inbound.town_id()?;
    let types: Vec<RecordType> = inbound.query.many("type")?;
    let mut beads = match filter(&inbound, &types)? {
        Some(filter) => {
            let answer = inbound.ask_rig(rig_id, &ListBeads { town_id, filter, counts: cursor::counts(&inbound) });
            answer.await?
        }
        None => BeadPage { beads: Vec::new(), total: 0 },
    };
    let records = records::listed(&inbound, &types, &[rig_id]).await?;
    beads.total += records.count();
    merged(&inbound, beads.beads, beads.total, records, Vec::new())
}

/// A page over these rigs, newest first. A rig that does not answer is named in a warning.
pub(super) async fn list_over(inbound: &Inbound, rig_ids: &[RigId]) -> Result<Reply> {
    let types: Vec<RecordType> = inbound.query.many("type")?;
    let town_id = inbound.town_id()?;
    let (mut beads, mut total, mut warnings) = (Vec::new(), 0, Vec::new());
    if let Some(filter) = filter(inbound, &types)? {
        let call = ListBeads { town_id, filter, counts: cursor::counts(inbound) };
        let (answers, silent) = inbound.ask_rigs(rig_ids, &call).await;
        warnings = silent;
        for (_, answer) in answers {
            beads.extend(answer.beads);
            total += answer.total;
        }
    }
    let records = records::listed(inbound, &types, rig_ids).await?;
    total += records.count();
    merged(inbound, beads, total, records, warnings)
}

fn merged(
    inbound: &Inbound,
    mut beads: Vec<Bead>,
    total: u32,
    records: records::Records,
    warnings: Vec<Warning>,
) -> Result<Reply> {
    let place = |bead: &Bead| (bead.created_at, bead.bead_id.as_u128());
    let after = cursor::of(inbound)?;
    beads.extend(records.behind(after));
    gastown_core::sorted::sort_by_key(&mut beads, |bead| std::cmp::Reverse(place(bead)));
    cursor::page(inbound, beads, place, cursor::counts(inbound).then_some(total), warnings)
}

/// GET `B/explain`
pub async fn explain(inbound: Inbound) -> Result<Reply> {
    let (rig_id, bead) = find(&inbound).await?;
    let call = ExplainBead { town_id: inbound.town_id()?, bead_id: bead.bead_id };
    Reply::passing(200, inbound.ask_rig(rig_id, &call).text()).await
}

/// GET `B/model`: of the next dispatch, with the one that runs and the last one.
pub async fn model(inbound: Inbound) -> Result<Reply> {
    let (rig_id, bead) = find(&inbound).await?;
    let call = ExplainBead { town_id: inbound.town_id()?, bead_id: bead.bead_id };
    let explained = inbound.ask_rig(rig_id, &call).await?;
    let (running, last) = used_models(&explained);
    let Some(resolved) = explained.resolved_model.filter(|_| bead.kind != "molecule") else {
        return Err(Refusal::new(Code::NotDispatchable, "No agent works on this").into());
    };
    let mut data = json!(resolved);
    data["running"] = running;
    data["last"] = last;
    Reply::ok(&data)
}

/// The model that works on a bead now, and the one that did last.
pub(super) fn used_models(explained: &Explain) -> (Value, Value) {
    let of =
        |a: &Assignment| json!({ "model": a.model, "small_model": a.small_model, "assignment_id": a.assignment_id });
    let with_model = || explained.assignments.iter().filter(|a| a.model.is_some());
    (json!(with_model().find(|a| a.ended_at.is_none()).map(of)), json!(with_model().next().map(of)))
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
    match find(&inbound).await {
        Ok((_, bead)) => Ok(Reply::ok(&bead)?.version(bead.version)),
        // What the town itself keeps has an id among the beads too.
        Err(Error::Refusal(refusal)) if refusal.code == Code::NotFound => {
            let escalation_id = EscalationId::from_u128(inbound.bead_id()?.as_u128());
            match inbound.ask_town(&ShowEscalation { escalation_id }).await {
                Ok(shape) => Reply::ok(&shape),
                Err(_) => Err((*refusal).into()),
            }
        }
        Err(error) => Err(error),
    }
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
    if if_version(&inbound)?.is_some_and(|version| version != bead.version) {
        let details = json!({ "etag": format!("\"{}\"", bead.version) });
        let message = "Somebody else changed it meanwhile";
        return Err(Refusal::new(Code::PreconditionFailed, message).with(details).into());
    }
    change(&inbound, rig_id, bead.bead_id, patch).await
}

/// PATCH `M/rigs/:r/beads/:b`
pub async fn update_of_rig(inbound: Inbound) -> Result<Reply> {
    let patch: PatchBead = inbound.read()?;
    change(&inbound, inbound.rig_id()?, inbound.bead_id()?, patch).await
}

/// POST `M/rigs/:r/beads/:b/retry`
pub async fn retry_of_rig(inbound: Inbound) -> Result<Reply> {
    let retry: RetryBead = inbound.read()?;
    let call = Retry { town_id: inbound.town_id()?, bead_id: inbound.bead_id()?, retry, actor: inbound.actor() };
    Reply::passing(200, inbound.ask_rig(inbound.rig_id()?, &call).text()).await
}

/// Changes a bead. What is accepted but has no effect is named in a warning.
async fn change(inbound: &Inbound, rig_id: RigId, bead_id: BeadId, patch: PatchBead) -> Result<Reply> {
    let mut warnings = Vec::new();
    if patch.depends_on.as_ref().is_some_and(|list| list.contains(&bead_id)) {
        warnings.push(Warning {
            code: WarningCode::IgnoredField,
            message: "A bead does not wait for itself".to_owned(),
            path: Some("depends_on".to_owned()),
        });
    }
    let depends_on = patch.depends_on.clone().unwrap_or_default();
    let moves_to = patch.rig_id.filter(|&to| to != rig_id);
    let mut patch = PatchBead { rig_id: None, ..patch };
    if let Some(depends_on) = patch.depends_on.clone() {
        // An edit of a task's edges goes through the Town (domain.md 3.5).
        let call = SetTaskDependencies { bead_id, depends_on };
        if inbound.ask_town(&call).await? {
            patch.depends_on = None;
        }
    }
    if let Some(to) = moves_to
        && patch == PatchBead::default()
    {
        return Reply::ok(&change_rig(inbound, rig_id, bead_id, to).await?);
    }
    let call = Patch { town_id: inbound.town_id()?, bead_id, patch, actor: inbound.actor() };
    match inbound.ask_rig(rig_id, &call).await {
        Ok(bead) => match moves_to {
            Some(to) => Reply::with_warnings(200, &change_rig(inbound, rig_id, bead_id, to).await?, warnings),
            None => Reply::with_warnings(200, &bead, warnings),
        },
        Err(error) => Err(of_another_rig(inbound, rig_id, &depends_on, error).await),
    }
}

/// Moves a bead that was never started to another rig of the town, which gets it from the Town.
async fn change_rig(inbound: &Inbound, from: RigId, bead_id: BeadId, to: RigId) -> Result<Bead> {
    if !inbound.rig_ids().await?.contains(&to) {
        let refusal = Refusal::new(Code::UnknownRig, "The town has no such rig");
        return Err(refusal.with(json!({ "rig_id": to })).into());
    }
    let town_id = inbound.town_id()?;
    let left = inbound.ask_rig(from, &MoveAway { town_id, bead_id, to, actor: inbound.actor() }).await?;
    for _ in 0..ARRIVAL_LOOKS {
        if let Ok(bead) = inbound.ask_rig(to, &ShowBead { town_id, bead_id }).await {
            return Ok(bead);
        }
        worker::Delay::from(ARRIVAL_PAUSE).await;
    }
    // The Town has it and hands it on, however long that takes.
    Ok(left)
}

/// A blocker that this rig does not know may live in another one: then it is the plan that is wrong, not the id.
async fn of_another_rig(inbound: &Inbound, rig_id: RigId, depends_on: &[BeadId], error: Error) -> Error {
    let unknown = match &error {
        Error::Refusal(refusal) if refusal.code == Code::UnknownReference => refusal.details.clone(),
        Error::Refusal(_) | Error::Fault(_) => None,
    };
    let named = unknown.and_then(|details| details.get("reference")?.as_str()?.parse::<BeadId>().ok());
    let Some(bead_id) = named.filter(|id| depends_on.contains(id)) else { return error };
    let (Ok(town_id), Ok(rig_ids)) = (inbound.town_id(), inbound.rig_ids().await) else { return error };
    let call = ShowBead { town_id, bead_id };
    let others = rig_ids.into_iter().filter(|&other| other != rig_id);
    let asked = join_all(others.map(|other| inbound.ask_rig(other, &call))).await;
    if asked.iter().any(Result::is_ok) {
        let refusal = Refusal::new(Code::CrossRigDependency, "Dependencies between rigs need a convoy");
        return refusal.with(json!({ "bead_id": bead_id })).into();
    }
    error
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
    let all = inbound.ask_rig(rig_id, &call).await?;
    cursor::page_of_all(&inbound, all, |row| (row.queued_at, row.assignment_id.as_u128()), Vec::new())
}

/// GET `B/events`
pub async fn events(inbound: Inbound) -> Result<Reply> {
    let (rig_id, bead) = find(&inbound).await?;
    logged(&inbound, rig_id, Some(bead.bead_id), None).await
}

/// GET `R/events`
pub async fn events_of_rig(inbound: Inbound) -> Result<Reply> {
    let (bead_id, agent_id) = (inbound.query.one("bead_id")?, inbound.query.one("agent_id")?);
    logged(&inbound, inbound.rig_id()?, bead_id, agent_id).await
}

async fn logged(inbound: &Inbound, rig_id: RigId, bead_id: Option<BeadId>, agent_id: Option<AgentId>) -> Result<Reply> {
    let call = ListEvents {
        town_id: inbound.town_id()?,
        bead_id,
        agent_id,
        since: inbound.query.one("since")?,
        before: cursor::of(inbound)?.and_then(|(_, seq)| u64::try_from(seq).ok()),
        limit: cursor::wanted(inbound)?,
    };
    let found = inbound.ask_rig(rig_id, &call).await?;
    cursor::page(inbound, found, |event| (event.created_at, event.seq.into()), None, Vec::new())
}

/// The bead of the path and its rig; `?rig_id=` saves the look-up. A bead that exists in another town is not there.
pub(super) async fn find(inbound: &Inbound) -> Result<(RigId, Bead)> {
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
    match inbound.ask_rig(rig_id, &call).await {
        Ok(kept) => Ok(Reply::created(&kept.reply.bead)?.replayed(kept.is_replay)),
        Err(error) => Err(of_another_rig(inbound, rig_id, &call.bead.depends_on, error).await),
    }
}

/// What each rig is asked for: as much as the page could need of it. None where no bead of a rig is asked for.
fn filter(inbound: &Inbound, types: &[RecordType]) -> Result<Option<Filter>> {
    let query = &inbound.query;
    let kind: Vec<BeadType> = types.iter().filter_map(|kind| kind.as_str().parse().ok()).collect();
    if kind.is_empty() && !types.is_empty() {
        return Ok(None);
    }
    let agent_id = match query.one("assignee_agent_id")? {
        Some(agent_id) => Some(agent_id),
        None => query.one("assignee_agent_bead_id")?,
    };
    Ok(Some(Filter {
        status: query.many::<BeadStatus>("status")?,
        kind,
        label: query.many("label")?,
        priority: query.many("priority")?,
        agent_id,
        parent_id: query.one("parent_bead_id")?,
        q: query.get("q").map(str::to_owned),
        updated_since: query.one("updated_since")?,
        convoy_id: query.one("convoy_id")?,
        after: cursor::of(inbound)?.map(|(at, id)| (at, BeadId::from_u128(id))),
        limit: cursor::wanted(inbound)?,
        offset: 0,
    }))
}

/// A bead in the words of a rig's own route: its type has to be said.
pub struct NewBeadOfRig(NewBead);

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
