//! Tools of the mayor (api.md 3.12). Rig ids are checked against the town: a rig of another town is not there.

use gastown_core::id::RigId;
use gastown_core::rig::agent::AgentRole;
use gastown_core::wire::api::agent::{Agent, AgentStatus};
use gastown_core::wire::api::mail::SendMail;
use gastown_core::wire::api::sling::MayorSling;
use serde_json::json;

use super::inbound::Inbound;
use super::reply::Reply;
use crate::error::{Refusal, Result};
use crate::rig::calls::{ListAgents, Send, Sling};
use crate::town::calls::ListRigs;

/// POST `M/sling`
pub async fn sling(inbound: Inbound) -> Result<Reply> {
    let MayorSling { rig_id, bead, allows_duplicate } = inbound.read()?;
    let idempotency = inbound.idempotency()?;
    let call = Sling {
        town_id: inbound.town_id()?,
        bead_id: None,
        bead,
        actor: inbound.actor(),
        // A repeat that carries a key is known by it; one without is known by what it says.
        refuses_repeat: !allows_duplicate && idempotency.is_none(),
        idempotency,
    };
    let kept = inbound.ask_rig(rig_id, &call).await?;
    Ok(Reply::created(&kept.reply)?.replayed(kept.is_replay))
}

/// GET `M/rigs`
pub async fn rigs(inbound: Inbound) -> Result<Reply> {
    Reply::passing(200, inbound.ask_town(&ListRigs {}).text()).await
}

/// GET `M/beads` and `M/rigs/:r/beads`
pub async fn beads(inbound: Inbound) -> Result<Reply> {
    match wanted_rig(&inbound)? {
        Some(rig_id) => super::beads::list_over(&inbound, &[known(&inbound, rig_id).await?]).await,
        None => super::beads::list(inbound).await,
    }
}

/// GET `M/agents` and `M/rigs/:r/agents`
pub async fn agents(inbound: Inbound) -> Result<Reply> {
    let rig_ids = match wanted_rig(&inbound)? {
        Some(rig_id) => vec![known(&inbound, rig_id).await?],
        None => inbound.rig_ids().await?,
    };
    let town_id = inbound.town_id()?;
    let status = inbound.query.many::<AgentStatus>("status")?;
    let call = ListAgents { town_id };
    let roles = inbound.query.many::<AgentRole>("role")?;
    let (answers, warnings) = inbound.ask_rigs(&rig_ids, &call).await;
    let mut agents: Vec<Agent> = answers.into_iter().flat_map(|(_, agents)| agents).collect();
    agents.retain(|agent| {
        (status.is_empty() || status.contains(&agent.status)) && (roles.is_empty() || roles.contains(&agent.role))
    });
    Reply::with_warnings(200, &agents, warnings)
}

/// POST `M/mail`
pub async fn mail(inbound: Inbound) -> Result<Reply> {
    let mail: SendMail = inbound.read()?;
    let Some(rig_id) = mail.rig_id else {
        return Err(Refusal::new(gastown_core::wire::code::Code::InvalidRequest, "rig_id is required").into());
    };
    let idempotency = inbound.idempotency()?;
    let call = Send { town_id: inbound.town_id()?, from: inbound.actor(), mail, elsewhere: None, idempotency };
    let kept = inbound.ask_rig(rig_id, &call).await?;
    Ok(Reply::ok(&json!({ "sent": true, "mail_id": kept.reply }))?.replayed(kept.is_replay))
}

/// PATCH `M/config`: the town's keys, or with `rig_id` those of a rig.
pub async fn patch_config(inbound: Inbound) -> Result<Reply> {
    let mut patch = gastown_core::wire::api::read::parse(&inbound.body)?;
    let rig_id = patch.as_object_mut().and_then(|patch| patch.remove("rig_id"));
    let body = patch.to_string().into_bytes();
    match rig_id.as_ref().and_then(|id| id.as_str()) {
        Some(rig_id) => {
            let params = inbound.params.clone().with("rigId", rig_id.to_owned());
            super::config::patch_rig(Inbound { params, body, ..inbound }).await
        }
        None => super::config::patch(Inbound { body, ..inbound }).await,
    }
}

fn wanted_rig(inbound: &Inbound) -> Result<Option<RigId>> {
    if inbound.params.get("rigId").is_some() {
        return inbound.rig_id().map(Some);
    }
    match inbound.query.one("rig_id")? {
        Some(rig_id) => Ok(Some(rig_id)),
        None => inbound.query.one("rig"),
    }
}

async fn known(inbound: &Inbound, rig_id: RigId) -> Result<RigId> {
    match inbound.rig_ids().await?.contains(&rig_id) {
        true => Ok(rig_id),
        false => Err(Refusal::not_found("rig").into()),
    }
}
