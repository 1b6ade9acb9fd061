//! The mayor as clients see it (api.md 4, **MayorStatus**, **MayorMessage**), and what is said to it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bead::{Failure, Wait};
use super::read::{Fields, Request};
use crate::id::{AgentId, AssignmentId, TownId};
use crate::limits::{MAYOR_MESSAGE_MAX, UI_CONTEXT_MAX};
use crate::text_enum;
use crate::time::Timestamp;
use crate::town::state::{self, MayorActivity, MayorPhase, MessageSource, MessageState, State};

text_enum! {
    /// State of the mayor's session in one word.
    pub enum SessionStatus {
        Idle = "idle",
        Active = "active",
        Starting = "starting",
    }
}

/// **MayorStatus**.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct MayorStatus {
    pub configured: bool,
    pub town_id: TownId,
    pub agent_id: AgentId,
    pub session: Option<MayorSession>,
    pub model: Option<String>,
    pub model_reason: Option<String>,
    pub model_pending: Option<Value>,
    pub error: Option<Failure>,
    pub wait: Option<Wait>,
}

/// The mayor's session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct MayorSession {
    pub agent_id: AgentId,
    pub session_id: Option<AssignmentId>,
    pub status: SessionStatus,
    pub last_activity_at: Option<Timestamp>,
}

impl MayorStatus {
    /// The mayor of a town.
    pub fn of(state: &State) -> Self {
        let mayor = &state.mayor;
        let is_live = mayor.phase != MayorPhase::Absent;
        Self {
            configured: true,
            town_id: state.town.town_id,
            agent_id: mayor.agent_id,
            session: is_live.then(|| MayorSession {
                agent_id: mayor.agent_id,
                session_id: mayor.assignment_id,
                status: session_status(state),
                last_activity_at: mayor.last_activity_at,
            }),
            model: mayor.model.as_ref().map(ToString::to_string),
            model_reason: mayor.reason.as_ref().map(|reason| reason.because.clone()),
            model_pending: None,
            error: mayor.error.as_ref().map(|error| Failure {
                code: error.code.clone(),
                message: error.message.clone(),
                source: "runtime".to_owned(),
                at: error.at,
                details: serde_json::Map::new(),
            }),
            wait: None,
        }
    }
}

/// The mayor's session in one word; a waiting message starts one.
pub fn session_status(state: &State) -> SessionStatus {
    match (state.mayor.phase, state.mayor.activity) {
        (MayorPhase::Absent | MayorPhase::Starting, _) => SessionStatus::Starting,
        (MayorPhase::Running | MayorPhase::Finishing, MayorActivity::Working) => SessionStatus::Active,
        (MayorPhase::Running | MayorPhase::Finishing, MayorActivity::Waiting) => SessionStatus::Idle,
    }
}

/// **MayorMessage**.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct MayorMessage {
    pub id: String,
    pub at: Timestamp,
    pub role: String,
    pub author: Option<String>,
    #[cfg_attr(feature = "schema", schemars(with = "Vec<MessagePart>"))]
    pub parts: Vec<Value>,
    pub state: String,
}

/// What a message is made of, for the API document; parts are passed on as they were made.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub enum MessagePart {
    Text {
        text: String,
    },
    Tool {
        tool: String,
        state: ToolState,
        title: String,
        refs: Vec<MessageRef>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// What a tool of the mayor touched.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct MessageRef {
    pub kind: RefKind,
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rig_id: Option<String>,
}

#[cfg(feature = "schema")]
text_enum! {
    /// How far a tool of the mayor got.
    pub enum ToolState {
        Pending = "pending",
        Running = "running",
        Completed = "completed",
        Error = "error",
    }
}

#[cfg(feature = "schema")]
text_enum! {
    /// What a part of a message leads to.
    pub enum RefKind {
        Bead = "bead",
        Convoy = "convoy",
        Agent = "agent",
        Rig = "rig",
    }
}

impl MayorMessage {
    /// A message to the mayor.
    pub fn of(message: &state::MayorMessage) -> Self {
        let role = match message.source {
            MessageSource::User => "user",
            MessageSource::System | MessageSource::Agent => "system",
        };
        let state = match message.state {
            MessageState::Queued | MessageState::Sent => "queued",
            MessageState::Delivered => "delivered",
        };
        Self {
            id: message.message_id.to_string(),
            at: message.created_at,
            role: role.to_owned(),
            author: message.source_id.clone(),
            parts: vec![serde_json::json!({ "type": "text", "text": message.body })],
            state: state.to_owned(),
        }
    }
}

/// `POST T/mayor/message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SayToMayor {
    /// Text.
    pub message: String,
    /// What the person looks at.
    pub ui_context: Option<String>,
    /// A model was named: ignored, the mayor's is per role.
    pub names_model: bool,
}

impl Request for SayToMayor {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            message: fields.trimmed("message", 1, MAYOR_MESSAGE_MAX),
            ui_context: fields.optional_text("uiContext", 0, UI_CONTEXT_MAX),
            names_model: fields.has("model"),
        }
    }
}
