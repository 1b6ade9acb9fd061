//! What happens in a town: the feed and the live stream (api.md 3.6, 6).

use super::inbound::Inbound;
use super::query::Paging;
use super::reply::Reply;
use crate::call::open;
use crate::env::Object;
use crate::error::Result;
use crate::town::calls::{EventFilter, ListEvents, STREAM};
use crate::town::stream::Wanted;

/// GET `T/events`: newest first.
pub async fn list(inbound: Inbound) -> Result<Reply> {
    let Paging { limit, offset } = inbound.query.paging()?;
    let filter = EventFilter {
        types: inbound.query.many("type")?,
        rigs: inbound.query.many("rig_id")?,
        beads: inbound.query.many("bead_id")?,
        agents: inbound.query.many("agent_id")?,
        since: inbound.query.one("since")?,
        after_seq: inbound.query.one("after_seq")?,
        limit,
        offset,
    };
    Reply::passing(200, inbound.ask_town(&ListEvents { filter }).text()).await
}

/// GET `T/events/stream`
pub async fn stream(inbound: Inbound) -> Result<Reply> {
    let after = match &inbound.headers.last_event_id {
        Some(id) => id.trim().parse::<u64>().ok(),
        None => inbound.query.one("after")?,
    };
    let stub = inbound.object(Object::Town, &inbound.town_id()?.to_string())?;
    let wanted = Wanted { after, types: inbound.query.many("types")?, rig_id: inbound.query.one("rig_id")? };
    let response = open(&stub, STREAM, &wanted, &inbound.head.request_id).await?;
    Ok(Reply::passed(response))
}
