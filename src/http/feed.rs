//! What happens in a town: the feed, the live stream, the snapshot that a dashboard begins with, and the inbox of
//! escalations (api.md 3.6, 6).

use gastown_core::access::TownRole;
use gastown_core::id::EscalationId;
use gastown_core::wire::envelope::{Warning, WarningCode};
use serde_json::{Value, json};

use super::inbound::Inbound;
use super::reply::Reply;
use crate::call::open;
use crate::env::Object;
use crate::error::Result;
use crate::rig::calls::{Overview, ShowOverview};
use crate::town::calls::{Acknowledge, ListEscalations, ListFrames, ListRigs, STREAM, Show, ShowMayor};

/// Rows of the feed in a snapshot (api.md 4, Snapshot).
const EVENTS_SHOWN: u32 = 50;

/// GET `T/events`
pub async fn list(inbound: Inbound) -> Result<Reply> {
    let limit = inbound.query.paging()?.limit;
    let after_seq = inbound.query.one("after_seq")?;
    let list = ListFrames { after_seq, limit, frame: Some("activity".to_owned()) };
    let frames = inbound.ask_town(&list).await?.frames;
    let mut events: Vec<Value> = frames
        .into_iter()
        .filter(|frame| frame.frame == "activity")
        .map(|frame| with_seq(frame.data, frame.seq))
        .collect();
    events.reverse();
    Reply::ok(&events)
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

/// GET `T/snapshot`: `seq` is read before anything else, so that the stream from it misses nothing.
pub async fn snapshot(inbound: Inbound) -> Result<Reply> {
    let newest = ListFrames { after_seq: None, limit: EVENTS_SHOWN, frame: Some("activity".to_owned()) };
    let feed = inbound.ask_town(&newest).await?;
    let town = inbound.ask_town(&Show {}).await?.seen_by(inbound.town_role.unwrap_or(TownRole::Owner));
    let mayor = inbound.ask_town(&ShowMayor {}).await?;
    let mut rigs = inbound.ask_town(&ListRigs {}).await?;
    let escalations = inbound.ask_town(&ListEscalations {}).await?;
    let town_id = inbound.town_id()?;
    let overview = ShowOverview { town_id };
    let asked = rigs.iter().map(|rig| inbound.ask_rig(rig.id, &overview));
    let overviews = futures::future::join_all(asked).await;
    let (mut agents, mut beads, mut warnings, mut truncated) = (vec![mayor.agent], Vec::new(), Vec::new(), false);
    for (rig, overview) in rigs.iter_mut().zip(overviews) {
        match overview {
            Ok(Overview { beads: of_rig, agents: of_it, counts, is_truncated, .. }) => {
                rig.counts = counts;
                truncated |= is_truncated;
                agents.extend(of_it.into_iter().map(|agent| json!(agent)));
                beads.extend(of_rig);
            }
            Err(_) => warnings.push(Warning {
                code: WarningCode::Partial,
                message: format!("The rig {} did not answer", rig.name),
                path: Some(rig.id.to_string()),
            }),
        }
    }
    let events: Vec<Value> = feed.frames.into_iter().rev().map(|frame| with_seq(frame.data, frame.seq)).collect();
    let data = json!({
        "seq": feed.newest_seq,
        "town": town,
        "rigs": rigs,
        "agents": agents,
        "beads": beads,
        "convoys": [],
        "escalations": escalations,
        "merge_queue": { "needs_attention": [], "in_flight": [] },
        "mayor": mayor.status,
        "status": null,
        "events": events,
        "truncated": truncated,
    });
    Reply::with_warnings(200, &data, warnings)
}

/// GET `T/escalations`
pub async fn escalations(inbound: Inbound) -> Result<Reply> {
    Reply::ok(&inbound.ask_town(&ListEscalations {}).await?)
}

/// POST `T/escalations/:escalationId/acknowledge`
pub async fn acknowledge(inbound: Inbound) -> Result<Reply> {
    let escalation_id: EscalationId = inbound.params.id("escalationId", "escalation")?;
    let actor = inbound.user()?.user_id.clone();
    Reply::ok(&inbound.ask_town(&Acknowledge { escalation_id, actor }).await?)
}

/// Rows of the feed carry the number of their frame.
fn with_seq(mut event: Value, seq: u64) -> Value {
    if let Some(fields) = event.as_object_mut() {
        fields.insert("seq".to_owned(), json!(seq));
    }
    event
}
