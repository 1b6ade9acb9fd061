//! Escalations as clients see them (api.md 4, **Escalation**), and the requests that raise, answer and settle them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::read::{Fields, Request};
use crate::id::{AgentId, BeadId};
use crate::limits::{BODY_MAX, NOTE_MAX, TITLE_MAX};
use crate::protocol::{Priority, Severity, TriageAction};
use crate::session::Tokens;
use crate::town::state::{Escalation, EscalationState};
use crate::wire::envelope::IssueCode;

/// **Escalation**: the established fields, and those of a bead.
pub fn shape(row: &Escalation) -> Value {
    let is_open = row.state == EscalationState::Open;
    let labels = ["gt:escalation".to_owned(), format!("severity:{}", row.severity)];
    let is_by_agent = row.raised_by_name.is_some();
    let mut shape = json!({
        "id": row.escalation_id,
        "source_rig_id": row.rig_id,
        "source_agent_id": row.agent_id,
        "severity": row.severity,
        "category": row.category,
        "message": row.message,
        "acknowledged": u8::from(!is_open),
        "re_escalation_count": row.raises,
        "created_at": row.created_at,
        "acknowledged_at": row.closed_at,
        "source_agent_name": row.raised_by_name,
        "source_bead_id": row.bead_id,
        "convoy_id": row.convoy_id,
        "acknowledged_by": row.closed_by,
        "replies": row.replies,
        "actions": actions(row),
        "count": row.count,
        "code": row.code,
        "state": row.state,
    });
    let of_bead = json!({
        "bead_id": row.escalation_id,
        "type": "escalation",
        "status": if is_open { "open" } else { "closed" },
        "title": row.title,
        "body": row.message,
        "rig_id": row.rig_id,
        "parent_bead_id": null,
        "assignee_agent_bead_id": null,
        "priority": row.severity,
        "labels": labels,
        "metadata": row.metadata,
        "dispatch_attempts": 0,
        "last_dispatch_attempt_at": null,
        "created_by": if is_by_agent { &row.raised_by } else { "system" },
        "updated_at": row.updated_at,
        "closed_at": row.closed_at,
        "version": row.version,
        "attempt": 1,
        "held": false,
        "staged": false,
        "blocked_by": [],
        "skipped": false,
        "assignee_name": null,
        "branch": null,
        "pr_url": null,
        "review_state": null,
        "requested_model": null,
        "last_model": null,
        "outcome": null,
        "failure": null,
        "wait": null,
        "tokens": Tokens::default(),
        "cost_usd": null,
        "budget_usd": null,
    });
    if let (Some(fields), Value::Object(more)) = (shape.as_object_mut(), of_bead) {
        fields.extend(more);
    }
    shape
}

/// What a person can do about it; nothing once it is closed.
fn actions(row: &Escalation) -> Vec<String> {
    if row.state != EscalationState::Open {
        return Vec::new();
    }
    let mut actions = vec!["acknowledge".to_owned()];
    let mut add = |action: &str| {
        if !actions.iter().any(|known| known == action) {
            actions.push(action.to_owned());
        }
    };
    if row.rig_id.is_some() && (row.bead_id.is_some() || row.agent_id.is_some()) {
        add("reply");
    }
    for choice in &row.choices {
        add(if choice == "retry" && row.bead_id.is_some() { "retry_bead" } else { choice });
    }
    if row.convoy_id.is_some() {
        add("open_convoy");
    }
    actions
}

/// `POST R/escalations`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewEscalation {
    /// Who, where the runtime speaks for an agent.
    pub agent_id: Option<AgentId>,
    /// One line.
    pub title: String,
    /// Text.
    pub body: Option<String>,
    /// How loudly.
    pub severity: Severity,
    /// Group for filters.
    pub category: Option<String>,
    /// About this bead; else about what the agent works on.
    pub bead_id: Option<BeadId>,
    /// Free.
    pub metadata: Map<String, Value>,
}

impl Request for NewEscalation {
    fn read(fields: &mut Fields<'_>) -> Self {
        let priority: Option<Priority> = fields.optional_word("priority");
        let by_priority = match priority {
            Some(Priority::Low) => Severity::Low,
            Some(Priority::Medium) | None => Severity::Medium,
            Some(Priority::High) => Severity::High,
            Some(Priority::Critical) => Severity::Critical,
        };
        Self {
            agent_id: fields.optional_id("agent_id"),
            title: fields.text("title", 1, TITLE_MAX),
            body: fields.optional_text("body", 0, BODY_MAX),
            severity: fields.optional_word("severity").unwrap_or(by_priority),
            category: fields.optional_text("category", 1, CATEGORY_MAX),
            bead_id: fields.optional_id("bead_id"),
            metadata: fields.metadata("metadata").unwrap_or_default(),
        }
    }
}

/// A word, not a sentence.
const CATEGORY_MAX: usize = 64;

/// `POST T/escalations/:e/acknowledge`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AcknowledgeEscalation {
    /// What the person adds.
    pub note: Option<String>,
}

impl Request for AcknowledgeEscalation {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { note: fields.optional_text("note", 0, NOTE_MAX) }
    }
}

/// `POST T/escalations/:e/reply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplyEscalation {
    /// The answer.
    pub message: String,
    /// It is settled with that.
    pub acknowledge: bool,
    /// Try its bead again.
    pub retry_bead: bool,
}

impl Request for ReplyEscalation {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            message: fields.text("message", 1, NOTE_MAX),
            acknowledge: fields.optional_flag("acknowledge").unwrap_or(false),
            retry_bead: fields.optional_flag("retry_bead").unwrap_or(false),
        }
    }
}

/// `POST R/triage/resolve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResolveTriage {
    /// Who, where the runtime speaks for an agent.
    pub agent_id: Option<AgentId>,
    /// Which request.
    pub request_id: Option<BeadId>,
    /// What.
    pub action: Option<TriageAction>,
    /// Why.
    pub notes: String,
    /// What the agent concerned shall read.
    pub guidance: Option<String>,
}

impl Request for ResolveTriage {
    fn read(fields: &mut Fields<'_>) -> Self {
        let word = fields.text("action", 1, 64);
        let action = TriageAction::read(&word);
        if action.is_none() && !word.is_empty() {
            let words: Vec<&str> = TriageAction::ALL.iter().map(|action| action.as_str()).collect();
            fields.issue("action", IssueCode::InvalidEnum, format!("expected one of {}", words.join(", ")));
        }
        Self {
            agent_id: fields.optional_id("agent_id"),
            request_id: fields.id("triage_request_bead_id"),
            action,
            notes: fields.text("resolution_notes", 1, NOTE_MAX),
            guidance: fields.optional_text("guidance", 1, NOTE_MAX),
        }
    }
}
