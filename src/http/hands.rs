//! What people and clients do by hand to beads and agents (api.md 3.3, 3.5, 3.8, 3.9), and the mayor's tools for it (3.12).

use futures::future::join_all;
use gastown_core::access::Caller;
use gastown_core::id::{AgentId, BeadId, RigId};
use gastown_core::rig::agent::AgentRole;
use gastown_core::rig::bead::BeadStatus;
use gastown_core::sorted::{SortedMap, SortedSet};
use gastown_core::wire::api::agent::Agent;
use gastown_core::wire::api::bead::{PatchBead, Reason};
use gastown_core::wire::api::hand::{
    Bulk, BulkDelete, BulkOp, BulkResult, CloseBead, DeleteByStatus, GetAgent, HookBead, ReassignBead, RegisterAgent,
    SavedWork, SessionEnded, SetBeadStatus, SubmitBranch,
};
use gastown_core::wire::code::Code;
use serde_json::json;

use super::agents::speaker;
use super::beads::find;
use super::cursor;
use super::inbound::Inbound;
use super::reply::Reply;
use crate::error::{Error, Refusal, Result};
use crate::requests::{Idempotency, Kept};
use crate::rig::calls::{
    Act, ActOnAgent, Acted, AgentAssignments, Close, CloseOwn, DeleteInStatus, Patch, Reassign, Said, SaidOfSession,
    ShowAgent, SubmitWork, ToEach,
};

/// Assignments of one agent that are kept for a list.
const ASSIGNMENTS_MAX: u32 = 2_000;

/// DELETE `B`
pub async fn delete_bead(inbound: Inbound) -> Result<Reply> {
    let (rig_id, bead) = find(&inbound).await?;
    delete(&inbound, rig_id, bead.bead_id).await
}

/// DELETE `R/beads/:b` and `M/rigs/:r/beads/:b`
pub async fn delete_of_rig(inbound: Inbound) -> Result<Reply> {
    delete(&inbound, inbound.rig_id()?, inbound.bead_id()?).await
}

/// POST `B/reassign`
pub async fn reassign(inbound: Inbound) -> Result<Reply> {
    let ReassignBead { agent_id } = inbound.read()?;
    let (rig_id, bead) = find(&inbound).await?;
    give(&inbound, rig_id, bead.bead_id, agent_id).await
}

/// POST `M/rigs/:r/beads/:b/reassign`
pub async fn reassign_of_rig(inbound: Inbound) -> Result<Reply> {
    let ReassignBead { agent_id } = inbound.read()?;
    if agent_id.is_none() {
        return Err(Refusal::new(Code::InvalidRequest, "agent_id is required").into());
    }
    give(&inbound, inbound.rig_id()?, inbound.bead_id()?, agent_id).await
}

/// POST `T/beads/bulk`: one result per bead, in the order of the request.
pub async fn bulk(inbound: Inbound) -> Result<Reply> {
    let Bulk { op, bead_ids, labels } = inbound.read()?;
    let Some(op) = op else { return Err(Refusal::new(Code::InvalidRequest, "op is required").into()) };
    let (town_id, actor, idempotency) = (inbound.town_id()?, inbound.actor(), inbound.idempotency()?);
    let rig_ids = inbound.rig_ids().await?;
    let asked = rig_ids.iter().map(|&rig_id| {
        // Each rig keeps its own reply.
        let idempotency = idempotency.clone().map(|key| Idempotency { key: format!("{} {rig_id}", key.key), ..key });
        let (bead_ids, labels, actor) = (bead_ids.clone(), labels.clone(), actor.clone());
        let inbound = &inbound;
        async move { inbound.ask_rig(rig_id, &ToEach { town_id, op, bead_ids, labels, actor, idempotency }).await }
    });
    let mut results: SortedMap<BeadId, BulkResult> = SortedMap::new();
    let mut is_replay = false;
    for answer in join_all(asked).await {
        let kept = answer?;
        is_replay |= kept.is_replay;
        for result in kept.reply {
            if result.code != Some(Code::NotFound) || !results.contains_key(&result.bead_id) {
                results.insert(result.bead_id, result);
            }
        }
    }
    let of = |&bead_id: &BeadId| {
        let unknown =
            BulkResult { bead_id, ok: false, code: Some(Code::NotFound), error: Some("No such bead".to_owned()) };
        results.get(&bead_id).cloned().unwrap_or(unknown)
    };
    let results: Vec<BulkResult> = bead_ids.iter().map(of).collect();
    Ok(Reply::ok(&json!({ "results": results }))?.replayed(is_replay))
}

/// POST `M/rigs/:r/beads/bulk-delete`
pub async fn bulk_delete(inbound: Inbound) -> Result<Reply> {
    let BulkDelete { bead_ids } = inbound.read()?;
    let call = ToEach {
        town_id: inbound.town_id()?,
        op: BulkOp::Delete,
        bead_ids,
        labels: SortedSet::new(),
        actor: inbound.actor(),
        idempotency: None,
    };
    let results = inbound.ask_rig(inbound.rig_id()?, &call).await?.reply;
    Reply::ok(&json!({ "deleted": results.iter().filter(|result| result.ok).count() }))
}

/// POST `M/rigs/:r/beads/delete-by-status`
pub async fn delete_by_status(inbound: Inbound) -> Result<Reply> {
    let DeleteByStatus { status, kind } = inbound.read()?;
    let Some(status) = status else { return Err(Refusal::new(Code::InvalidRequest, "status is required").into()) };
    let call = DeleteInStatus { town_id: inbound.town_id()?, status, kind, actor: inbound.actor() };
    Reply::ok(&json!({ "deleted": inbound.ask_rig(inbound.rig_id()?, &call).await? }))
}

/// PATCH `R/beads/:b/status`
pub async fn set_status(inbound: Inbound) -> Result<Reply> {
    let SetBeadStatus { status, agent_id } = inbound.read()?;
    let agent_id = own(&inbound, agent_id)?;
    if status == Some(BeadStatus::Closed)
        && let Some(agent_id) = agent_id
    {
        return close_by(&inbound, agent_id).await;
    }
    let patch = PatchBead { status, ..PatchBead::default() };
    let call = Patch { town_id: inbound.town_id()?, bead_id: inbound.bead_id()?, patch, actor: inbound.actor() };
    Reply::passing(200, inbound.ask_rig(inbound.rig_id()?, &call).text()).await
}

/// POST `R/beads/:b/close`: an agent closes its own bead, a person any.
pub async fn close_of_rig(inbound: Inbound) -> Result<Reply> {
    let CloseBead { agent_id } = inbound.read()?;
    if let Some(agent_id) = own(&inbound, agent_id)? {
        return close_by(&inbound, agent_id).await;
    }
    let call = Close { town_id: inbound.town_id()?, bead_id: inbound.bead_id()?, actor: inbound.actor() };
    Reply::passing(200, inbound.ask_rig(inbound.rig_id()?, &call).text()).await
}

/// POST `R/review-queue`
pub async fn submit(inbound: Inbound) -> Result<Reply> {
    let submit: SubmitBranch = inbound.read()?;
    own(&inbound, submit.agent_id)?;
    let Some(bead_id) = submit.bead_id else {
        return Err(Refusal::new(Code::InvalidRequest, "bead_id is required").into());
    };
    let call = SubmitWork { town_id: inbound.town_id()?, bead_id, submit, actor: inbound.actor() };
    let review_id = inbound.ask_rig(inbound.rig_id()?, &call).await?;
    Reply::created(&json!({ "submitted": true, "mr_bead_id": review_id }))
}

/// POST `R/agents`: the mayor is the town's.
pub async fn register(inbound: Inbound) -> Result<Reply> {
    let new: RegisterAgent = inbound.read()?;
    if new.role == Some(AgentRole::Mayor) {
        return Reply::created(&super::people::mayor(&inbound).await?);
    }
    let idempotency = inbound.idempotency()?;
    let kept = act(&inbound, inbound.rig_id()?, Act::Register(new), idempotency).await?;
    Ok(Reply::created(&kept.reply.agent)?.replayed(kept.is_replay))
}

/// POST `R/agents/get-or-create`
pub async fn get_or_create(inbound: Inbound) -> Result<Reply> {
    let GetAgent { role } = inbound.read()?;
    match role {
        None | Some(AgentRole::Mayor) => Reply::ok(&super::people::mayor(&inbound).await?),
        Some(role) => Reply::ok(&act(&inbound, inbound.rig_id()?, Act::Get(role), None).await?.reply.agent),
    }
}

/// GET `A`
pub async fn show_of_rig(inbound: Inbound) -> Result<Reply> {
    let call = ShowAgent { town_id: inbound.town_id()?, agent_id: inbound.agent_id()? };
    Reply::passing(200, inbound.ask_rig(inbound.rig_id()?, &call).text()).await
}

/// DELETE `A`
pub async fn remove_of_rig(inbound: Inbound) -> Result<Reply> {
    act(&inbound, inbound.rig_id()?, Act::Remove(inbound.agent_id()?), None).await?;
    Reply::ok(&json!({ "deleted": true }))
}

/// DELETE `T/agents/:a`
pub async fn remove(inbound: Inbound) -> Result<Reply> {
    let (rig_id, agent) = find_agent(&inbound).await?;
    act(&inbound, rig_id, Act::Remove(agent.id), None).await?;
    Reply::ok(&json!({ "deleted": true }))
}

/// POST `T/agents/:a/stop`
pub async fn stop(inbound: Inbound) -> Result<Reply> {
    let Reason { reason } = inbound.read()?;
    let (rig_id, agent) = find_agent(&inbound).await?;
    Reply::ok(&act(&inbound, rig_id, Act::Stop(agent.id, false, reason), None).await?.reply.agent)
}

/// POST `T/agents/:a/reset`
pub async fn reset(inbound: Inbound) -> Result<Reply> {
    let Reason { reason } = inbound.read()?;
    let (rig_id, agent) = find_agent(&inbound).await?;
    Reply::ok(&act(&inbound, rig_id, Act::Stop(agent.id, true, reason), None).await?.reply.agent)
}

/// POST `M/rigs/:r/agents/:a/reset`
pub async fn reset_of_rig(inbound: Inbound) -> Result<Reply> {
    act(&inbound, inbound.rig_id()?, Act::Stop(inbound.agent_id()?, true, None), None).await?;
    Reply::ok(&json!({ "reset": true }))
}

/// GET `T/agents/:a/assignments`
pub async fn assignments(inbound: Inbound) -> Result<Reply> {
    let (rig_id, agent) = find_agent(&inbound).await?;
    let call = AgentAssignments { town_id: inbound.town_id()?, agent_id: agent.id, limit: ASSIGNMENTS_MAX };
    let all = inbound.ask_rig(rig_id, &call).await?;
    cursor::page_of_all(&inbound, all, |row| (row.queued_at, row.assignment_id.as_u128()), Vec::new())
}

/// POST `A/hook`
pub async fn hook(inbound: Inbound) -> Result<Reply> {
    let HookBead { bead_id } = inbound.read()?;
    let Some(bead_id) = bead_id else { return Err(Refusal::new(Code::InvalidRequest, "bead_id is required").into()) };
    let hook = Act::Hook(inbound.agent_id()?, bead_id);
    Reply::ok(&act(&inbound, inbound.rig_id()?, hook, None).await?.reply.hooked)
}

/// DELETE `A/hook`
pub async fn unhook(inbound: Inbound) -> Result<Reply> {
    act(&inbound, inbound.rig_id()?, Act::Unhook(inbound.agent_id()?), None).await?;
    Reply::ok(&json!({ "unhooked": true }))
}

/// POST `A/completed`
pub async fn completed(inbound: Inbound) -> Result<Reply> {
    let ended: SessionEnded = inbound.read()?;
    say(&inbound, Said::Ended(ended)).await?;
    Reply::ok(&json!({ "completed": true }))
}

/// POST `A/eviction-context`
pub async fn eviction_context(inbound: Inbound) -> Result<Reply> {
    let saved: SavedWork = inbound.read()?;
    say(&inbound, Said::Saved(saved)).await?;
    Reply::ok(&json!({ "written": true }))
}

/// POST `T/container/agents/start`: a queued assignment is ordered as soon as it may be; the answer names it.
pub async fn start(inbound: Inbound) -> Result<Reply> {
    let StartAgent { agent_id } = inbound.read()?;
    let unknown = || Refusal::not_found("agent");
    let (_, agent) = find_agent_by(&inbound, agent_id.ok_or_else(unknown)?).await?;
    let Some(assignment) = agent.assignment else {
        return Err(Refusal::new(Code::NotHooked, "The agent has no assignment").into());
    };
    Reply::accepted(&json!({
        "agentId": agent.id,
        "assignment_id": assignment.assignment_id,
        "epoch": assignment.epoch,
    }))
}

/// POST `T/container/agents/:a/stop`
pub async fn stop_session(inbound: Inbound) -> Result<Reply> {
    let (rig_id, agent) = find_agent(&inbound).await?;
    act(&inbound, rig_id, Act::Stop(agent.id, false, None), None).await?;
    Reply::ok(&json!({ "stopped": true }))
}

/// POST `T/container/agents/:a/message`: the same as a message of a person to the agent.
pub async fn say_to_session(inbound: Inbound) -> Result<Reply> {
    super::messages::say(inbound).await?;
    Reply::ok(&json!({ "sent": true }))
}

/// The agent of the path and its rig; `?rig_id=` saves the look-up.
pub(super) async fn find_agent(inbound: &Inbound) -> Result<(RigId, Agent)> {
    if inbound.params.get("agentId") == Some("mayor") {
        return Err(Refusal::new(Code::UnsupportedValue, "The mayor has routes of its own").into());
    }
    find_agent_by(inbound, inbound.agent_id()?).await
}

async fn find_agent_by(inbound: &Inbound, agent_id: AgentId) -> Result<(RigId, Agent)> {
    let town_id = inbound.town_id()?;
    let rig_ids = match inbound.query.one::<RigId>("rig_id")? {
        Some(rig_id) => vec![rig_id],
        None => inbound.rig_ids().await?,
    };
    let call = ShowAgent { town_id, agent_id };
    let asked = rig_ids.iter().map(|rig_id| async { (*rig_id, inbound.ask_rig(*rig_id, &call).await) });
    let mut fault = None;
    for (rig_id, answer) in join_all(asked).await {
        match answer {
            Ok(agent) => return Ok((rig_id, agent)),
            Err(Error::Refusal(refusal)) if refusal.code == Code::NotFound => (),
            Err(error) => fault = Some(error),
        }
    }
    Err(fault.unwrap_or_else(|| Refusal::not_found("agent").into()))
}

async fn act(inbound: &Inbound, rig_id: RigId, act: Act, idempotency: Option<Idempotency>) -> Result<Kept<Acted>> {
    let call = ActOnAgent { town_id: inbound.town_id()?, act, actor: inbound.actor(), idempotency };
    inbound.ask_rig(rig_id, &call).await
}

async fn say(inbound: &Inbound, said: Said) -> Result<()> {
    let call = SaidOfSession { speaker: speaker(inbound)?, said };
    inbound.ask_rig(inbound.rig_id()?, &call).await
}

async fn delete(inbound: &Inbound, rig_id: RigId, bead_id: BeadId) -> Result<Reply> {
    let call = ToEach {
        town_id: inbound.town_id()?,
        op: BulkOp::Delete,
        bead_ids: vec![bead_id],
        labels: SortedSet::new(),
        actor: inbound.actor(),
        idempotency: None,
    };
    match inbound.ask_rig(rig_id, &call).await?.reply.first() {
        Some(result) if result.ok => Reply::ok(&json!({ "deleted": true })),
        Some(_) | None => Err(Refusal::not_found("bead").into()),
    }
}

async fn give(inbound: &Inbound, rig_id: RigId, bead_id: BeadId, agent_id: Option<AgentId>) -> Result<Reply> {
    let call = Reassign { town_id: inbound.town_id()?, bead_id, agent_id, actor: inbound.actor() };
    Reply::passing(200, inbound.ask_rig(rig_id, &call).text()).await
}

async fn close_by(inbound: &Inbound, agent_id: AgentId) -> Result<Reply> {
    let call = CloseOwn { town_id: inbound.town_id()?, bead_id: inbound.bead_id()?, agent_id };
    Reply::passing(200, inbound.ask_rig(inbound.rig_id()?, &call).text()).await
}

/// The agent in whose name somebody calls: an agent in its own only, the runtime in any, a person in none.
fn own(inbound: &Inbound, named: Option<AgentId>) -> Result<Option<AgentId>> {
    match &inbound.caller {
        Caller::Agent(agent) if named.is_none_or(|named| named == agent.agent_id) => Ok(Some(agent.agent_id)),
        Caller::Agent(_) => Err(Refusal::new(Code::IdentityMismatch, "agent_id is not the agent that calls").into()),
        Caller::Runtime(_) => Ok(named),
        Caller::User(_) | Caller::Mayor(_) | Caller::Anonymous => Ok(None),
    }
}

/// `POST T/container/agents/start`.
pub struct StartAgent {
    agent_id: Option<AgentId>,
}

impl gastown_core::wire::api::read::Request for StartAgent {
    fn read(fields: &mut gastown_core::wire::api::read::Fields<'_>) -> Self {
        Self { agent_id: fields.id("agentId") }
    }
}
