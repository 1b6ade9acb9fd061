//! The feed as clients see it (api.md 4, **Event**).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::{AgentId, BeadId, ConvoyId, RigId};
use crate::time::Timestamp;
use crate::town::plan::EventRow;

/// **Event**.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Event {
    pub bead_event_id: String,
    pub bead_id: Option<BeadId>,
    pub agent_id: Option<AgentId>,
    pub event_type: String,
    pub old_value: Option<String>,
    pub new_value: Option<String>,
    pub metadata: Map<String, Value>,
    pub created_at: Timestamp,
    #[serde(default)]
    pub seq: u64,
    pub rig_id: Option<RigId>,
    pub convoy_id: Option<ConvoyId>,
    pub actor: Actor,
    pub rule: Option<String>,
    pub cause_seq: Option<u64>,
    pub title: Option<String>,
    pub text: String,
}

impl Event {
    /// A row of the town's own feed; its number is that of its frame.
    pub fn of_town(row: &EventRow, rule: &str, at: Timestamp) -> Self {
        let actor = match row.actor_name.as_deref() {
            Some(name) => Actor::of(&row.actor, false, Some(name)),
            None => Actor::of(&row.actor, matches!(row.actor.as_str(), "rig" | "town"), None),
        };
        let metadata = row.data.as_object().cloned().unwrap_or_default();
        let (title, new) = (row.title.as_deref(), row.new.as_deref());
        Self {
            bead_event_id: String::new(),
            bead_id: row.bead_id,
            agent_id: row.agent_id,
            event_type: row.kind.to_owned(),
            old_value: row.old.clone(),
            new_value: row.new.clone(),
            metadata,
            created_at: at,
            seq: 0,
            rig_id: row.rig_id,
            convoy_id: row.convoy_id,
            actor,
            rule: Some(rule.to_owned()),
            cause_seq: None,
            title: row.title.clone(),
            text: sentence(row.kind, title, row.actor_name.as_deref(), row.old.as_deref(), new),
        }
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Actor {
    /// user, agent, mayor, reconciler, runtime or forge.
    pub kind: String,
    /// Exactly who.
    pub id: Option<String>,
    /// For people.
    pub name: Option<String>,
}

impl Actor {
    /// The actor of a stored word: a rule's name, `mayor`, `runtime`, `system`, an agent's or a user's id.
    pub fn of(word: &str, is_rule: bool, agent_name: Option<&str>) -> Self {
        let kind = match word {
            "mayor" => "mayor",
            "runtime" => "runtime",
            "system" | "patrol" => "reconciler",
            _ if is_rule => "reconciler",
            _ if agent_name.is_some() => "agent",
            _ => "user",
        };
        let name = agent_name.map_or_else(|| word.to_owned(), str::to_owned);
        Self { kind: kind.to_owned(), id: Some(word.to_owned()), name: Some(name) }
    }
}

/// One sentence about an event, for people.
pub fn sentence(kind: &str, title: Option<&str>, agent: Option<&str>, old: Option<&str>, new: Option<&str>) -> String {
    let subject = title.map_or_else(|| "It".to_owned(), |title| format!("\"{title}\""));
    let agent = agent.unwrap_or("an agent");
    let new = new.unwrap_or("");
    match kind {
        "created" => format!("{subject} was created"),
        "hooked" => format!("{agent} was given {subject}"),
        "unhooked" => format!("{agent} gave {subject} back"),
        "dispatched" => format!("{agent} starts on {subject} with {new}"),
        "status_changed" => format!("{subject} went from {} to {new}", old.unwrap_or("nothing")),
        "attempt_ended" => format!("{agent} ended on {subject}: {new}"),
        "review_submitted" => format!("{subject} was submitted for review"),
        "review_state" => format!("The review of {subject} is {new}"),
        "merged" if new.is_empty() => format!("{subject} needed no merge"),
        "merged" => format!("{subject} was merged as {}", new.chars().take(8).collect::<String>()),
        "rework_requested" => format!("Changes were requested for {subject}"),
        "pushed" => format!("{agent} pushed {}", new.chars().take(8).collect::<String>()),
        "gates_completed" => format!("The gates of {subject} are {new}"),
        "agent_status" => format!("{agent}: {new}"),
        "fields_updated" => format!("{subject} was edited"),
        "escalated" => format!("{subject} needs attention ({new})"),
        "escalation_answered" => format!("{subject} was answered"),
        "triage_resolved" => format!("Triage decided: {new}"),
        "mail_sent" => format!("Mail was sent: {new}"),
        "notification_failed" => format!("Mail could not be delivered: {new}"),
        "retried" => format!("{subject} is tried again"),
        other => format!("{subject}: {}", other.replace('_', " ")),
    }
}
