//! Mail, nudges and molecules (api.md 3.5, 3.9, 3.10, 3.12). A receiver outside of the sender's rig is looked up here, so that mail to
//! nobody is refused.

use futures::future::join_all;
use gastown_core::access::Caller;
use gastown_core::id::{AgentId, RigId};
use gastown_core::rig::mail::MailTo;
use gastown_core::rig::nudge::{NudgeMode, NudgePriority, NudgeSource};
use gastown_core::wire::api::agent::Agent;
use gastown_core::wire::api::mail::SendMail;
use gastown_core::wire::api::molecule::{Advance, NewMolecule};
use gastown_core::wire::api::nudge::{Nudge, NudgeDelivered, SayToAgent, SendNudge};
use gastown_core::wire::code::Code;
use serde_json::json;

use super::agents::speaker;
use super::inbound::Inbound;
use super::reply::Reply;
use crate::error::{Error, Refusal, Result};
use crate::requests::Kept;
use crate::rig::calls::{self, ListAgents, PendingNudges, Send};
use crate::town::calls::Show;

/// POST `R/mail`: an agent writes in its own name only.
pub async fn send(inbound: Inbound) -> Result<Reply> {
    let mail: SendMail = inbound.read()?;
    let from = match (&inbound.caller, mail.from_agent_id) {
        (Caller::Agent(agent), None) => agent.agent_id,
        (Caller::Agent(agent), Some(from)) if from == agent.agent_id => from,
        (Caller::Agent(_), Some(_)) => {
            let message = "from_agent_id is not the agent that calls";
            return Err(Refusal::new(Code::IdentityMismatch, message).into());
        }
        (Caller::Runtime(_) | Caller::Mayor(_) | Caller::User(_) | Caller::Anonymous, Some(from)) => from,
        (Caller::Runtime(_) | Caller::Mayor(_) | Caller::User(_) | Caller::Anonymous, None) => {
            return Err(Refusal::new(Code::InvalidRequest, "from_agent_id is required").into());
        }
    };
    let (rig_id, to) = (inbound.rig_id()?, mail.to_agent_id.clone());
    let idempotency = inbound.idempotency()?;
    let mut call = Send { town_id: inbound.town_id()?, from: from.to_string(), mail, elsewhere: None, idempotency };
    let kept = match inbound.ask_rig(rig_id, &call).await {
        Err(Error::Refusal(refusal)) if refusal.code == Code::UnknownReference => {
            call.elsewhere = elsewhere(&inbound, rig_id, &to).await?;
            if call.elsewhere.is_none() {
                return Err((*refusal).into());
            }
            inbound.ask_rig(rig_id, &call).await?
        }
        other => other?,
    };
    Ok(Reply::created(&json!({ "sent": true, "mail_id": kept.reply }))?.replayed(kept.is_replay))
}

/// POST `R/nudge`: agents nudge in their own name, the mayor in its own.
pub async fn nudge(inbound: Inbound) -> Result<Reply> {
    let nudge: SendNudge = inbound.read()?;
    let source = match &inbound.caller {
        Caller::Agent(agent) => NudgeSource::Agent(agent.agent_id),
        Caller::Mayor(_) => NudgeSource::Mayor,
        Caller::Runtime(_) | Caller::User(_) | Caller::Anonymous => NudgeSource::System,
    };
    let rig_id = inbound.rig_id()?;
    nudged(&inbound, rig_id, nudge, source).await
}

/// POST `M/nudge`
pub async fn nudge_of_mayor(inbound: Inbound) -> Result<Reply> {
    let nudge: SendNudge = inbound.read()?;
    let rig_id = nudge.rig_id.ok_or_else(|| Refusal::new(Code::InvalidRequest, "rig_id is required"))?;
    nudged(&inbound, rig_id, nudge, NudgeSource::Mayor).await
}

/// POST `T/agents/:a/nudges`
pub async fn nudge_of_person(inbound: Inbound) -> Result<Reply> {
    let nudge: SendNudge = inbound.read()?;
    let agent_id = inbound.agent_id()?;
    let kept = send_nudge(&inbound, rig_of(&inbound, agent_id).await?, agent_id, nudge, of_person(&inbound)?).await?;
    Ok(Reply::created(&kept.reply)?.replayed(kept.is_replay))
}

/// POST `T/agents/:a/message`: a person's words go into the running turn.
pub async fn say(inbound: Inbound) -> Result<Reply> {
    let SayToAgent { prompt } = inbound.read()?;
    let agent_id = inbound.agent_id()?;
    let nudge = SendNudge {
        rig_id: None,
        target_agent_id: None,
        message: prompt,
        mode: NudgeMode::Immediate,
        priority: NudgePriority::Normal,
        keep: None,
    };
    let kept = send_nudge(&inbound, rig_of(&inbound, agent_id).await?, agent_id, nudge, of_person(&inbound)?).await?;
    Ok(Reply::accepted(&json!({ "message_id": kept.reply.nudge_id }))?.replayed(kept.is_replay))
}

/// GET `A/pending-nudges` and `M/rigs/:r/agents/:a/pending-nudges`
pub async fn pending(inbound: Inbound) -> Result<Reply> {
    let call = PendingNudges { town_id: inbound.town_id()?, agent_id: inbound.agent_id()? };
    Reply::ok(&inbound.ask_rig(inbound.rig_id()?, &call).await?)
}

/// POST `A/nudge-delivered`
pub async fn delivered(inbound: Inbound) -> Result<Reply> {
    let NudgeDelivered { nudge_id } = inbound.read()?;
    let nudge_id = nudge_id.ok_or_else(|| Refusal::new(Code::InvalidRequest, "nudge_id is required"))?;
    let call = calls::NudgeDelivered { speaker: speaker(&inbound)?, nudge_id };
    inbound.ask_rig(inbound.rig_id()?, &call).await?;
    Reply::ok(&json!({ "marked": true }))
}

/// POST `R/molecules`
pub async fn create_molecule(inbound: Inbound) -> Result<Reply> {
    let NewMolecule { bead_id, steps } = inbound.read()?;
    let bead_id = bead_id.ok_or_else(|| Refusal::new(Code::InvalidRequest, "bead_id is required"))?;
    let (town_id, actor, idempotency) = (inbound.town_id()?, inbound.actor(), inbound.idempotency()?);
    if steps.is_empty() {
        return Err(Refusal::new(Code::InvalidRequest, "formula.steps is required").into());
    }
    let call = calls::CreateMolecule { town_id, bead_id, steps, actor, idempotency };
    let kept = inbound.ask_rig(inbound.rig_id()?, &call).await?;
    Ok(Reply::created(&kept.reply)?.replayed(kept.is_replay))
}

/// GET `A/molecule/current`
pub async fn current_step(inbound: Inbound) -> Result<Reply> {
    let call = calls::CurrentStep { speaker: speaker(&inbound)? };
    Reply::ok(&inbound.ask_rig(inbound.rig_id()?, &call).await?)
}

/// POST `A/molecule/advance`
pub async fn advance_molecule(inbound: Inbound) -> Result<Reply> {
    let Advance { summary } = inbound.read()?;
    let call = calls::AdvanceMolecule { speaker: speaker(&inbound)?, summary, idempotency: inbound.idempotency()? };
    let kept = inbound.ask_rig(inbound.rig_id()?, &call).await?;
    Ok(Reply::ok(&kept.reply)?.replayed(kept.is_replay))
}

async fn nudged(inbound: &Inbound, rig_id: RigId, nudge: SendNudge, source: NudgeSource) -> Result<Reply> {
    let Some(agent_id) = nudge.target_agent_id else {
        return Err(Refusal::new(Code::InvalidRequest, "target_agent_id is required").into());
    };
    let kept = send_nudge(inbound, rig_id, agent_id, nudge, source).await?;
    Ok(Reply::ok(&json!({ "nudge_id": kept.reply.nudge_id }))?.replayed(kept.is_replay))
}

async fn send_nudge(
    inbound: &Inbound,
    rig_id: RigId,
    agent_id: AgentId,
    nudge: SendNudge,
    source: NudgeSource,
) -> Result<Kept<Nudge>> {
    let (town_id, idempotency) = (inbound.town_id()?, inbound.idempotency()?);
    let call = calls::SendNudge { town_id, agent_id, nudge, source: source.to_string(), idempotency };
    inbound.ask_rig(rig_id, &call).await
}

fn of_person(inbound: &Inbound) -> Result<NudgeSource> {
    let user = inbound.user()?;
    Ok(NudgeSource::User(user.name.clone().unwrap_or_else(|| user.user_id.clone())))
}

/// The rig of the town that has this agent.
async fn rig_of(inbound: &Inbound, agent_id: AgentId) -> Result<RigId> {
    let found = agents_of_all_rigs(inbound).await?.into_iter().find(|agent| agent.id == agent_id);
    found.and_then(|agent| agent.rig_id).ok_or_else(|| Refusal::not_found("agent").into())
}

/// A receiver outside of this rig: the mayor, the town's owner, or an agent of another rig.
async fn elsewhere(inbound: &Inbound, rig_id: RigId, to: &str) -> Result<Option<MailTo>> {
    let view = inbound.ask_town(&Show {}).await?;
    if to == "mayor" || to == view.mayor_id.to_string() {
        return Ok(Some(MailTo::Mayor));
    }
    if view.town.owner_user_id.as_deref() == Some(to) {
        return Ok(Some(MailTo::User(to.to_owned())));
    }
    let agents = agents_of_all_rigs(inbound).await?;
    let found = agents.into_iter().find(|agent| agent.id.to_string() == to && agent.rig_id != Some(rig_id));
    Ok(found.and_then(|agent| Some(MailTo::Agent { rig_id: agent.rig_id?, agent_id: agent.id })))
}

async fn agents_of_all_rigs(inbound: &Inbound) -> Result<Vec<Agent>> {
    let call = ListAgents { town_id: inbound.town_id()? };
    let rig_ids = inbound.rig_ids().await?;
    let mut agents = Vec::new();
    for answer in join_all(rig_ids.iter().map(|rig_id| inbound.ask_rig(*rig_id, &call))).await {
        agents.extend(answer?);
    }
    Ok(agents)
}
