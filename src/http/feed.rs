//! What happens in a town: the feed, the live stream, and the inbox of escalations (api.md 3.6, 6).

use gastown_core::id::EscalationId;
use serde_json::{Value, json};

use super::inbound::Inbound;
use super::query::Paging;
use super::reply::Reply;
use crate::call::open;
use crate::env::Object;
use crate::error::Result;
use crate::town::calls::{Acknowledge, ListEscalations, ListFrames, STREAM};

/// Frames that a list looks through for its filters; older ones are in the rigs' own logs.
const LOOK_BACK: u32 = 2_000;

/// GET `T/events`: newest first.
pub async fn list(inbound: Inbound) -> Result<Reply> {
    let Paging { limit, offset } = inbound.query.paging()?;
    let after_seq = inbound.query.one("after_seq")?;
    let call = ListFrames { after_seq, limit: LOOK_BACK, frame: Some("activity".to_owned()) };
    let mut events: Vec<Value> =
        inbound.ask_town(&call).await?.frames.into_iter().rev().map(|frame| frame.data).collect();
    let since = inbound.query.get("since").map(str::to_owned);
    for (name, field) in
        [("type", "event_type"), ("rig_id", "rig_id"), ("bead_id", "bead_id"), ("agent_id", "agent_id")]
    {
        let wanted = inbound.query.many::<String>(name)?;
        let is_wanted = |event: &Value| {
            event.get(field).and_then(Value::as_str).is_some_and(|value| wanted.iter().any(|w| w == value))
        };
        events.retain(|event| wanted.is_empty() || is_wanted(event));
    }
    if let Some(since) = since {
        // Instants of one form compare like their texts.
        events.retain(|event| event.get("created_at").and_then(Value::as_str).is_some_and(|at| at >= since.as_str()));
    }
    let page: Vec<Value> = events.into_iter().skip(offset as usize).take(limit as usize).collect();
    Reply::ok(&page)
}

/// GET `T/events/stream`
pub async fn stream(inbound: Inbound) -> Result<Reply> {
    let after = match &inbound.headers.last_event_id {
        Some(id) => id.trim().parse::<u64>().ok(),
        None => inbound.query.one("after")?,
    };
    let stub = inbound.object(Object::Town, &inbound.town_id()?.to_string())?;
    let response = open(&stub, STREAM, &json!({ "after": after }), &inbound.head.request_id).await?;
    Ok(Reply::passed(response))
}

/// GET `T/escalations`
pub async fn escalations(inbound: Inbound) -> Result<Reply> {
    Reply::passing(200, inbound.ask_town(&ListEscalations {}).text()).await
}

/// POST `T/escalations/:escalationId/acknowledge`
pub async fn acknowledge(inbound: Inbound) -> Result<Reply> {
    let escalation_id: EscalationId = inbound.params.id("escalationId", "escalation")?;
    let actor = inbound.user()?.user_id.clone();
    Reply::passing(200, inbound.ask_town(&Acknowledge { escalation_id, actor }).text()).await
}
