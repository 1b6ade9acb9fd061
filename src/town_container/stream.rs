//! The agent channel (api.md 6.3): transcripts of one or several agents, first what is kept, then as it comes. One number
//! grows over the whole town, so that it resumes all of them.

use std::rc::Rc;

use gastown_core::id::AgentId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use worker::Response;

use super::calls::AgentEvent;
use super::{Keeper, store};
use crate::error::Result;
use crate::sse::{Guard, frame};

/// Events per agent that a stream begins with when nobody says where it left off.
pub(crate) const HISTORY: u32 = 500;
/// … and at most.
pub(crate) const HISTORY_MAX: u32 = 5_000;

/// What a reader wants to see.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// These agents.
    pub agents: Vec<AgentId>,
    /// And whoever begins to work later.
    pub follows: bool,
    /// The last event that it has.
    pub after: Option<u64>,
    /// A resume point that is no number of ours.
    pub is_lost: bool,
    /// Without such a point: so many per agent.
    pub history: u32,
    /// Who reads.
    pub guard: Guard,
}

/// Opens a stream. Nothing here awaits, so that nothing falls between what is kept and what comes.
pub(super) fn open(keeper: &Rc<Keeper>, wanted: Wanted) -> Result<Response> {
    let mut first = b"retry: 2000\n".to_vec();
    let newest = store::newest_event(&keeper.sql)?;
    let oldest = store::oldest_event(&keeper.sql, &wanted.agents)?;
    let reason = match wanted.after {
        _ if wanted.is_lost => Some("unknown"),
        Some(after) if after > newest => Some("unknown"),
        Some(after) if after + 1 < oldest => Some("gone"),
        Some(_) | None => None,
    };
    if let Some(reason) = reason {
        first.extend(frame("reset", None, &json!({ "reason": reason, "seq": newest })));
    } else {
        let mut events: Vec<AgentEvent> = Vec::new();
        for agent_id in &wanted.agents {
            let limit = if wanted.after.is_some() { HISTORY_MAX } else { wanted.history };
            events.extend(store::transcript(&keeper.sql, *agent_id, wanted.after, None, None, limit)?);
        }
        gastown_core::sorted::sort_by_key(&mut events, |event| event.id);
        events.iter().for_each(|event| first.extend(encode(event)));
    }
    first.extend(frame("live", None, &json!({ "seq": newest })));
    keeper.readers.borrow_mut().open(&keeper.env, wanted.guard.clone(), wanted, first)
}

/// Shows events to whoever follows their agent. What is not kept has no number.
pub(super) fn send(keeper: &Keeper, events: &[AgentEvent]) {
    let mut readers = keeper.readers.borrow_mut();
    for event in events {
        let wants = |wanted: &Wanted| wanted.follows || wanted.agents.contains(&event.agent_id);
        readers.send(event.id, &encode(event), wants);
    }
}

fn encode(event: &AgentEvent) -> Vec<u8> {
    let mut data = json!({
        "agent_id": event.agent_id,
        "assignment_id": event.assignment_id,
        "seq": event.seq,
        "at": event.created_at,
    });
    if let (Some(fields), Value::Object(more)) = (data.as_object_mut(), &event.data) {
        fields.extend(more.clone());
    }
    frame(&event.event_type, Some(event.id).filter(|id| *id > 0), &data)
}
