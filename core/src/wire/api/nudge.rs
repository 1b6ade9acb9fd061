//! Nudges as clients see them (api.md 4, **Nudge**), and the requests that make and confirm them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::read::{Fields, Request};
use crate::id::{AgentId, NudgeId, RigId};
use crate::limits::{MAYOR_MESSAGE_MAX, NUDGE_KEEP_MAX, NUDGE_MAX};
use crate::rig::nudge::{self, NudgeMode, NudgePriority};
use crate::rig::state::State;
use crate::sorted::sort_by_key;
use crate::time::Timestamp;

/// **Nudge**.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Nudge {
    pub nudge_id: NudgeId,
    pub message: String,
    pub mode: NudgeMode,
    pub priority: NudgePriority,
    pub source: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

impl Nudge {
    /// A nudge of a rig.
    pub fn of(nudge: &nudge::Nudge) -> Self {
        Self {
            nudge_id: nudge.nudge_id,
            message: nudge.message.clone(),
            mode: nudge.mode,
            priority: nudge.priority,
            source: nudge.source.to_string(),
            created_at: nudge.created_at,
            expires_at: nudge.expires_at,
        }
    }

    /// What waits for an agent: urgent first, then oldest.
    pub fn waiting_for(state: &State, agent_id: AgentId) -> Vec<Self> {
        let mut live: Vec<&nudge::Nudge> =
            state.nudges.values().filter(|nudge| nudge.is_live() && nudge.agent_id == agent_id).collect();
        sort_by_key(&mut live, |nudge| nudge.order());
        live.into_iter().map(Self::of).collect()
    }
}

/// `POST R/nudge`, `POST M/nudge`, and with the receiver in the path `POST T/agents/:a/nudges`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SendNudge {
    /// Rig of the receiver, where the path does not say.
    pub rig_id: Option<RigId>,
    /// Receiver, where the path does not say.
    pub target_agent_id: Option<AgentId>,
    /// Text.
    pub message: String,
    /// When it is shown.
    pub mode: NudgeMode,
    /// Order among waiting ones.
    pub priority: NudgePriority,
    /// How long it makes sense.
    pub keep: Option<Duration>,
}

impl Request for SendNudge {
    fn read(fields: &mut Fields<'_>) -> Self {
        let seconds = fields.optional_integer("ttl_s", 1, NUDGE_KEEP_MAX.as_secs().cast_signed());
        Self {
            rig_id: fields.optional_id("rig_id"),
            target_agent_id: fields.optional_id("target_agent_id"),
            message: fields.trimmed("message", 1, NUDGE_MAX),
            mode: fields.optional_word("mode").unwrap_or(NudgeMode::WaitIdle),
            priority: fields.optional_word("priority").unwrap_or(NudgePriority::Normal),
            keep: seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs),
        }
    }
}

/// `POST T/agents/:a/message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SayToAgent {
    /// Text.
    pub prompt: String,
}

impl Request for SayToAgent {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { prompt: fields.trimmed("prompt", 1, MAYOR_MESSAGE_MAX) }
    }
}

/// `POST A/nudge-delivered`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NudgeDelivered {
    /// Which.
    pub nudge_id: Option<NudgeId>,
}

impl Request for NudgeDelivered {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { nudge_id: fields.id("nudge_id") }
    }
}
