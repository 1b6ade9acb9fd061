//! Live streams and the tickets that open them (api.md 3.5, 3.6, 6).

use gastown_core::access::Caller;
use gastown_core::id::{AgentId, RigId};
use gastown_core::wire::api::stream::{MintTicket as MintBody, TicketPurpose};
use gastown_core::wire::code::Code;
use serde_json::json;

use super::inbound::Inbound;
use super::reply::Reply;
use crate::call::open;
use crate::env::Object;
use crate::error::{Refusal, Result};
use crate::sse::Guard;
use crate::town::calls::{STREAM, Show};
use crate::town::stream::Wanted;
use crate::town_container::calls::{self, MintTicket, STREAM as TRANSCRIPTS, Ticket};
use crate::town_container::stream::{self, HISTORY, HISTORY_MAX};

/// Agents of one stream (api.md 6.3).
const AGENTS_MAX: usize = 24;

/// GET `T/events/stream`
pub async fn events(inbound: Inbound) -> Result<Reply> {
    let (after, is_lost) = resume_point(&inbound);
    let stub = inbound.object(Object::Town, &inbound.town_id()?.to_string())?;
    let (types, rig_id) = (inbound.query.many("types")?, inbound.query.one::<RigId>("rig_id")?);
    let wanted = Wanted { after, is_lost, types, rig_id, guard: guard(&inbound)? };
    Ok(Reply::passed(open(&stub, STREAM, &wanted, &inbound.head.request_id).await?))
}

/// GET `T/agents/:a/stream`
pub async fn agent(inbound: Inbound) -> Result<Reply> {
    let agent_id = agent_of_path(&inbound).await?;
    transcripts(&inbound, vec![agent_id], false).await
}

/// GET `T/agents/stream?ids=`: those that are named, or whoever works, also later.
pub async fn agents(inbound: Inbound) -> Result<Reply> {
    if inbound.query.get("ids") == Some("active") {
        let (agents, _) = super::people::agents_of_town(&inbound).await?;
        let mayor = inbound.ask_town(&Show {}).await?.mayor_id;
        let working = agents.into_iter().filter(|agent| agent.assignment.is_some()).map(|agent| agent.id);
        return transcripts(&inbound, working.chain([mayor]).collect(), true).await;
    }
    let agents: Vec<AgentId> = inbound.query.many("ids")?;
    if agents.is_empty() || agents.len() > AGENTS_MAX {
        let message = format!("ids names 1 to {AGENTS_MAX} agents, or active");
        return Err(super::query::invalid("ids", message).into());
    }
    transcripts(&inbound, agents, false).await
}

async fn transcripts(inbound: &Inbound, agents: Vec<AgentId>, follows: bool) -> Result<Reply> {
    let (after, is_lost) = resume_point(inbound);
    let history = inbound.query.one("history")?.unwrap_or(HISTORY).min(HISTORY_MAX);
    let wanted = stream::Wanted { agents, follows, after, is_lost, history, guard: guard(inbound)? };
    let stub = inbound.object(Object::TownContainer, &inbound.town_id()?.to_string())?;
    Ok(Reply::passed(open(&stub, TRANSCRIPTS, &wanted, &inbound.head.request_id).await?))
}

/// POST `T/tickets`
pub async fn mint(inbound: Inbound) -> Result<Reply> {
    let MintBody { purpose, agent_id } = inbound.read()?;
    let town_id = inbound.town_id()?;
    let (path, purpose) = match purpose {
        Some(TicketPurpose::Pty) => return super::others::no_terminal(inbound).await,
        Some(TicketPurpose::TownEvents) => ("events/stream".to_owned(), TicketPurpose::TownEvents),
        Some(TicketPurpose::StatusWs) => ("status/ws".to_owned(), TicketPurpose::StatusWs),
        Some(TicketPurpose::AgentStream) => match agent_id {
            Some(agent_id) => (format!("agents/{agent_id}/stream"), TicketPurpose::AgentStream),
            None => ("agents/stream".to_owned(), TicketPurpose::AgentStream),
        },
        None => return Err(Refusal::new(Code::InvalidRequest, "purpose is required").into()),
    };
    let Ticket { ticket, expires_at } = minted(&inbound, purpose, agent_id).await?;
    let url = format!("{}/api/towns/{town_id}/{path}?ticket={ticket}", inbound.head.own_origin);
    Ok(Reply::created(&json!({ "ticket": ticket, "url": url, "expires_at": expires_at }))?.no_store())
}

/// POST `T/container/agents/:a/stream-ticket`
pub async fn mint_for_agent(inbound: Inbound) -> Result<Reply> {
    let agent_id = agent_of_path(&inbound).await?;
    let Ticket { ticket, .. } = minted(&inbound, TicketPurpose::AgentStream, Some(agent_id)).await?;
    let url = format!("{}/api/towns/{}/agents/{agent_id}/stream", inbound.head.own_origin, inbound.town_id()?);
    Ok(Reply::ok(&json!({ "url": url, "ticket": ticket }))?.no_store())
}

async fn minted(inbound: &Inbound, purpose: TicketPurpose, agent_id: Option<AgentId>) -> Result<Ticket> {
    let purpose = purpose.to_string();
    inbound.ask_container(&MintTicket { purpose, agent_id, guard: guard(inbound)? }).await
}

/// What a ticket must have been made for to open this row, and for which agent.
pub(super) fn ticket_for(operation: &str, params: &super::inbound::Params, ticket: String) -> calls::UseTicket {
    let purpose = match operation {
        "streams::events" => TicketPurpose::TownEvents,
        "streams::status" => TicketPurpose::StatusWs,
        _ => TicketPurpose::AgentStream,
    };
    let agent_id = params.get("agentId").and_then(|id| id.parse().ok());
    calls::UseTicket { ticket, purpose: purpose.to_string(), agent_id }
}

async fn agent_of_path(inbound: &Inbound) -> Result<AgentId> {
    match inbound.params.get("agentId") {
        Some("mayor") => Ok(inbound.ask_town(&Show {}).await?.mayor_id),
        _ => inbound.agent_id(),
    }
}

/// Where the reader left off: the header wins. A point that is no number is one that nobody knows.
fn resume_point(inbound: &Inbound) -> (Option<u64>, bool) {
    let point = inbound.headers.last_event_id.as_deref().or_else(|| inbound.query.get("after"));
    let number = point.and_then(|point| point.trim().parse::<u64>().ok());
    (number, point.is_some_and(|point| !point.trim().is_empty()) && number.is_none())
}

/// Who reads, for as long as their credential holds.
fn guard(inbound: &Inbound) -> Result<Guard> {
    match &inbound.caller {
        Caller::User(user) => Ok(Guard {
            subject: user.user_id.clone(),
            session_id: user.session_id.clone(),
            generation: user.generation,
            expires_at: user.expires_at,
        }),
        Caller::Anonymous | Caller::Agent(_) | Caller::Mayor(_) | Caller::Runtime(_) => {
            Err(Refusal::new(Code::CredentialNotAccepted, "Streams are for people").into())
        }
    }
}
