//! What happened in a town: the feed (api.md 3.6).

use gastown_core::time::Timestamp;
use serde_json::Value;

use super::cursor;
use super::inbound::Inbound;
use super::reply::Reply;
use crate::error::Result;
use crate::town::calls::{EventFilter, ListEvents};

/// GET `T/events`: newest first.
pub async fn list(inbound: Inbound) -> Result<Reply> {
    let filter = EventFilter {
        types: inbound.query.many("type")?,
        rigs: inbound.query.many("rig_id")?,
        beads: inbound.query.many("bead_id")?,
        agents: inbound.query.many("agent_id")?,
        since: inbound.query.one("since")?,
        after_seq: inbound.query.one("after_seq")?,
        before: cursor::of(&inbound)?.and_then(|(_, seq)| u64::try_from(seq).ok()),
        limit: cursor::wanted(&inbound)?,
    };
    let found = inbound.ask_town(&ListEvents { filter }).await?;
    cursor::page(&inbound, found, place_of_event, None, Vec::new())
}

fn place_of_event(event: &Value) -> cursor::Place {
    (Timestamp::from_ms(0), event.get("seq").and_then(Value::as_u64).unwrap_or_default().into())
}
