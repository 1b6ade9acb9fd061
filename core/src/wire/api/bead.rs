//! Beads as clients see them (api.md 4, **Bead**, **Failure**, **Wait**), and the requests that make and change them.

use crate::sorted::SortedSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::read::{Fields, Request};
use crate::id::{AgentId, BeadId, ConvoyId, RigId};
use crate::limits::{BODY_MAX, MODEL_ID_MAX, NOTE_MAX, TITLE_MAX};
use crate::protocol::Priority;
use crate::rig::bead::{BeadOutcome, BeadStatus, EdgeState, HELD};
use crate::rig::review::ReviewState;
use crate::rig::state::State;
use crate::rig::wait::{self, WaitCode, WaitScope};
use crate::rig::{assignment, bead};
use crate::session::Tokens;
use crate::text_enum;
use crate::time::Timestamp;

const MICROS_PER_DOLLAR: f64 = 1_000_000.0;

/// **Bead**.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Bead {
    pub bead_id: BeadId,
    #[serde(rename = "type")]
    pub kind: String,
    pub status: BeadStatus,
    pub title: String,
    pub body: Option<String>,
    pub rig_id: Option<RigId>,
    pub parent_bead_id: Option<BeadId>,
    pub assignee_agent_bead_id: Option<AgentId>,
    pub priority: Priority,
    pub labels: SortedSet<String>,
    pub metadata: Map<String, Value>,
    pub dispatch_attempts: u32,
    pub last_dispatch_attempt_at: Option<Timestamp>,
    pub created_by: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    pub version: u64,
    pub attempt: u32,
    pub held: bool,
    pub staged: bool,
    pub blocked_by: Vec<BeadId>,
    pub convoy_id: Option<ConvoyId>,
    pub skipped: bool,
    pub assignee_name: Option<String>,
    pub branch: Option<String>,
    pub pr_url: Option<String>,
    pub review_state: Option<ReviewState>,
    pub requested_model: Option<String>,
    pub last_model: Option<String>,
    pub outcome: Option<BeadOutcome>,
    pub failure: Option<Failure>,
    pub wait: Option<Wait>,
    pub tokens: Tokens,
    pub cost_usd: Option<f64>,
    pub budget_usd: Option<f64>,
}

text_enum! {
    /// Types of beads that a list may be narrowed to.
    pub enum RecordType {
        Issue = "issue",
        MergeRequest = "merge_request",
        Molecule = "molecule",
        Agent = "agent",
        Message = "message",
        Convoy = "convoy",
        Escalation = "escalation",
    }
}

/// Something that is no work of a rig, as older clients list it among the beads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its type.
    pub kind: &'static str,
    /// Its id, whatever it identifies.
    pub id: BeadId,
    /// Where it is.
    pub status: BeadStatus,
    /// For people.
    pub title: String,
    /// In this rig.
    pub rig_id: Option<RigId>,
    /// When it was made.
    pub at: Timestamp,
}

impl From<Record> for Bead {
    fn from(record: Record) -> Self {
        Self {
            bead_id: record.id,
            kind: record.kind.to_owned(),
            status: record.status,
            title: record.title,
            body: None,
            rig_id: record.rig_id,
            parent_bead_id: None,
            assignee_agent_bead_id: None,
            priority: Priority::Medium,
            labels: SortedSet::new(),
            metadata: Map::new(),
            dispatch_attempts: 0,
            last_dispatch_attempt_at: None,
            created_by: None,
            created_at: record.at,
            updated_at: record.at,
            closed_at: (record.status == BeadStatus::Closed).then_some(record.at),
            version: 1,
            attempt: 1,
            held: false,
            staged: false,
            blocked_by: Vec::new(),
            convoy_id: None,
            skipped: false,
            assignee_name: None,
            branch: None,
            pr_url: None,
            review_state: None,
            requested_model: None,
            last_model: None,
            outcome: None,
            failure: None,
            wait: None,
            tokens: Tokens::default(),
            cost_usd: None,
            budget_usd: None,
        }
    }
}

/// What the newest assignment of a bead says about it, when none is live.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewestAssignment {
    /// Who had it.
    pub agent_id: Option<AgentId>,
    /// Their name, while they are registered.
    pub agent_name: Option<String>,
    /// With which model.
    pub model: Option<String>,
    /// When it was ordered.
    pub ordered_at: Option<Timestamp>,
    /// State of the newest review, live or not.
    pub review_state: Option<ReviewState>,
}

impl Bead {
    /// A bead of a rig. `newest` speaks where no assignment or review is live.
    pub fn of(state: &State, bead: &bead::Bead, newest: &NewestAssignment) -> Self {
        let live = state.assignment_of_bead(bead.bead_id);
        // Whoever had an open bead before has it no more; in review or at its end it is who did the work.
        let shows_worker = match bead.status {
            BeadStatus::InReview | BeadStatus::Closed | BeadStatus::Failed => true,
            BeadStatus::Open | BeadStatus::InProgress => false,
        };
        let agent_id = live.map(|a| a.agent_id).or_else(|| newest.agent_id.filter(|_| shows_worker));
        let name = |id: AgentId| state.agents.get(&id).map(|agent| agent.name.clone());
        let review = state.review_of_source(bead.bead_id).or_else(|| state.reviews.get(&bead.bead_id));
        let mut metadata = bead.metadata.clone();
        if let Some(model) = &bead.model {
            metadata.insert("model".to_owned(), Value::from(model.as_str()));
        }
        Self {
            bead_id: bead.bead_id,
            kind: bead.kind.to_string(),
            status: bead.status,
            title: bead.title.clone(),
            body: bead.body.clone(),
            rig_id: Some(state.rig.rig_id),
            parent_bead_id: bead.parent_id,
            assignee_agent_bead_id: agent_id,
            priority: bead.priority,
            labels: bead.labels.clone(),
            metadata,
            dispatch_attempts: bead.dispatches,
            last_dispatch_attempt_at: live.and_then(|a| a.ordered_at).or(newest.ordered_at),
            created_by: Some(bead.created_by.clone()),
            created_at: bead.created_at,
            updated_at: bead.updated_at,
            closed_at: bead.closed_at,
            version: bead.version,
            attempt: bead.attempt,
            held: bead.has_label(HELD),
            staged: bead.staged,
            blocked_by: blockers(state, bead.bead_id),
            convoy_id: bead.convoy_id,
            skipped: bead.skipped,
            assignee_name: agent_id.and_then(name).or_else(|| newest.agent_name.clone().filter(|_| shows_worker)),
            branch: bead.branch.clone(),
            pr_url: bead.metadata.get("pr_url").and_then(Value::as_str).map(str::to_owned),
            review_state: review.map(|review| review.state).or(newest.review_state),
            requested_model: bead.model.as_ref().map(|model| model.as_str().to_owned()),
            last_model: live.and_then(|a| a.model.as_ref()).map(ToString::to_string).or_else(|| newest.model.clone()),
            outcome: bead.outcome,
            failure: bead.failure.as_ref().map(Failure::of),
            wait: state.waits.get(&bead.bead_id).filter(|_| bead.is_live()).map(Wait::of),
            tokens: tokens(bead.tokens_in, bead.tokens_out),
            cost_usd: cost_usd(bead.cost_micros),
            budget_usd: bead.budget_micros.map(dollars),
        }
    }
}

fn blockers(state: &State, bead_id: BeadId) -> Vec<BeadId> {
    state
        .edges
        .values()
        .filter(|edge| edge.bead_id == bead_id && matches!(edge.state, EdgeState::Pending | EdgeState::Failed))
        .map(|edge| edge.blocker_id)
        .collect()
}

/// **Failure**.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure {
    /// Machine word; never empty.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// agent, runtime, reconciler, review, forge, user or admin.
    pub source: String,
    /// When.
    pub at: Timestamp,
    /// More.
    pub details: Map<String, Value>,
}

impl Failure {
    /// The stored reason.
    pub fn of(failure: &bead::Failure) -> Self {
        Self {
            code: failure.code.to_string(),
            message: failure.message.clone(),
            source: failure.source.to_string(),
            at: failure.at,
            details: failure.details.clone(),
        }
    }

    /// Why an assignment ended without a result.
    pub fn of_assignment(assignment: &assignment::Assignment) -> Option<Self> {
        let (outcome, at) = (assignment.outcome?, assignment.ended_at?);
        if outcome.is_result() {
            return None;
        }
        Some(Self {
            code: assignment.code.clone().unwrap_or_else(|| outcome.to_string()),
            message: assignment.message.clone().unwrap_or_else(|| outcome.to_string()),
            source: "runtime".to_owned(),
            at,
            details: Map::new(),
        })
    }
}

/// **Wait**.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Wait {
    /// Machine word of a closed list.
    pub code: WaitCode,
    /// One sentence for people.
    pub message: String,
    /// Since when this is the answer.
    pub since: Timestamp,
    /// When time alone ends it.
    pub until: Option<Timestamp>,
    /// What it is about.
    pub scope: WaitScope,
    /// Another bead that the answer names, else the bead itself.
    pub bead_id: Option<BeadId>,
    /// The agent that the answer names.
    pub agent_id: Option<AgentId>,
}

impl Wait {
    /// The stored answer.
    pub fn of(wait: &wait::Wait) -> Self {
        Self {
            code: wait.code,
            message: wait.message.clone(),
            since: wait.since,
            until: wait.until,
            scope: wait.scope,
            bead_id: Some(wait.other_bead.unwrap_or(wait.bead_id)),
            agent_id: wait.agent_id,
        }
    }
}

/// Fields of a new bead that every way of making one shares.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewBead {
    /// One line.
    pub title: String,
    /// What to do.
    pub body: Option<String>,
    /// Urgency.
    pub priority: Option<Priority>,
    /// Labels.
    pub labels: SortedSet<String>,
    /// Free.
    pub metadata: Map<String, Value>,
    /// Model that the caller chose, unchecked.
    pub model: Option<String>,
    /// Budget of the bead and its children.
    pub budget_micros: Option<u64>,
    /// Parent.
    pub parent_bead_id: Option<BeadId>,
    /// What it waits for.
    pub depends_on: Vec<BeadId>,
    /// Wait for a person's start.
    pub held: bool,
}

impl Request for NewBead {
    fn read(fields: &mut Fields<'_>) -> Self {
        let mut metadata = fields.metadata("metadata").unwrap_or_default();
        // `metadata.model` is the established way to choose a model; the field of its own wins.
        let of_metadata = metadata.remove("model").and_then(|model| model.as_str().map(str::to_owned));
        Self {
            title: fields.text("title", 1, TITLE_MAX),
            body: fields.optional_text("body", 0, BODY_MAX),
            priority: fields.optional_word("priority"),
            labels: fields.labels("labels").unwrap_or_default(),
            metadata,
            model: fields.optional_text("model", 0, MODEL_ID_MAX).or(of_metadata),
            budget_micros: fields.optional_positive("budget_usd").map(micros),
            parent_bead_id: fields.optional_id("parent_bead_id"),
            depends_on: Vec::new(),
            held: fields.optional_flag("held").unwrap_or(false),
        }
    }
}

text_enum! {
    /// What a person can make by hand (domain.md 3.1).
    pub enum NewBeadType {
        Issue = "issue",
    }
}

/// `POST T/beads`: a bead in a rig.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateBead {
    /// Where.
    pub rig_id: RigId,
    /// What.
    pub bead: NewBead,
}

impl Request for CreateBead {
    fn read(fields: &mut Fields<'_>) -> Self {
        let rig_id = fields.id("rig_id").unwrap_or(RigId::from_u128(0));
        let depends_on = fields.ids("depends_on", crate::limits::SLING_TASKS_MAX);
        // Only issues are made by hand; a word that is no such type must not make one silently.
        fields.optional_word::<NewBeadType>("type");
        Self { rig_id, bead: NewBead { depends_on, ..NewBead::read(fields) } }
    }
}

/// `PATCH B`: absent keeps, null clears.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PatchBead {
    /// One line.
    pub title: Option<String>,
    /// What to do.
    pub body: Option<Option<String>>,
    /// Urgency.
    pub priority: Option<Priority>,
    /// All labels.
    pub labels: Option<SortedSet<String>>,
    /// Keys to merge.
    pub metadata: Option<Map<String, Value>>,
    /// Status by hand.
    pub status: Option<BeadStatus>,
    /// All dependencies.
    pub depends_on: Option<Vec<BeadId>>,
    /// The bead that it belongs to.
    pub parent_bead_id: Option<Option<BeadId>>,
    /// The rig to move to.
    pub rig_id: Option<RigId>,
    /// Model, unchecked.
    pub model: Option<Option<String>>,
    /// Budget.
    pub budget_micros: Option<Option<u64>>,
}

impl Request for PatchBead {
    fn read(fields: &mut Fields<'_>) -> Self {
        const KEYS: [&str; 11] = [
            "title",
            "body",
            "priority",
            "labels",
            "metadata",
            "status",
            "depends_on",
            "parent_bead_id",
            "rig_id",
            "model",
            "budget_usd",
        ];
        if !KEYS.iter().any(|key| fields.names(key)) {
            let message = "change at least one field";
            fields.issue("", crate::wire::envelope::IssueCode::Required, message);
        }
        let title_is_cleared = fields.names("title") && !fields.has("title");
        if title_is_cleared {
            fields.issue("title", crate::wire::envelope::IssueCode::Required, "cannot be cleared");
        }
        let mut metadata = fields.metadata("metadata");
        // As in a new bead: `metadata.model` chooses a model, `null` there clears it.
        let of_metadata = metadata.as_mut().and_then(|metadata| metadata.remove("model"));
        let of_metadata = of_metadata.map(|model| model.as_str().map(str::to_owned));
        Self {
            title: fields.optional_text("title", 1, TITLE_MAX),
            body: fields.names("body").then(|| fields.optional_text("body", 0, BODY_MAX)),
            priority: fields.optional_word("priority"),
            labels: fields.names("labels").then(|| fields.labels("labels").unwrap_or_default()),
            metadata,
            status: fields.optional_word("status"),
            depends_on: fields.names("depends_on").then(|| fields.ids("depends_on", crate::limits::SLING_TASKS_MAX)),
            parent_bead_id: fields.names("parent_bead_id").then(|| fields.optional_id("parent_bead_id")),
            rig_id: fields.optional_id("rig_id"),
            model: fields.names("model").then(|| fields.optional_text("model", 0, MODEL_ID_MAX)).or(of_metadata),
            budget_micros: fields.names("budget_usd").then(|| fields.optional_positive("budget_usd").map(micros)),
        }
    }
}

/// A reason in a person's words: `B/fail`, `…/stop`, `…/reset`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reason {
    /// Why.
    pub reason: Option<String>,
}

impl Request for Reason {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { reason: fields.optional_text("reason", 0, NOTE_MAX) }
    }
}

/// `POST B/retry`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RetryBead {
    /// For the next agent.
    pub note: Option<String>,
    /// Model, unchecked.
    pub model: Option<String>,
    /// Start from the branch of the last attempt.
    pub keep_branch: bool,
}

impl Request for RetryBead {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            note: fields.optional_text("note", 0, NOTE_MAX),
            model: fields.optional_text("model", 0, MODEL_ID_MAX),
            keep_branch: fields.optional_flag("keep_branch").unwrap_or(true),
        }
    }
}

/// Whole micro-dollars of a positive amount.
pub fn micros(dollars: f64) -> u64 {
    // A float-to-integer cast saturates, which is what a limit needs.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates; the amount is positive")]
    let micros = (dollars * MICROS_PER_DOLLAR).round() as u64;
    micros
}

/// Dollars of an amount in micro-dollars.
#[expect(clippy::cast_precision_loss, reason = "amounts of money are far below 2^53 micro-dollars")]
pub fn dollars(micros: u64) -> f64 {
    micros as f64 / MICROS_PER_DOLLAR
}

/// Cost on the wire: null while no price is known.
pub fn cost_usd(micros: u64) -> Option<f64> {
    (micros > 0).then(|| dollars(micros))
}

/// Tokens on the wire.
pub const fn tokens(input: u64, output: u64) -> Tokens {
    Tokens { input, output, cache_read: 0, cache_write: 0 }
}

#[cfg(test)]
mod tests {
    use super::CreateBead;
    use crate::wire::api::read::{BadBody, read};

    fn issues(body: &str) -> Vec<String> {
        match read::<CreateBead>(body.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(BadBody::Issues(issues)) => issues.into_iter().map(|issue| issue.path.join(".")).collect(),
            Err(other) => panic!("{other:?}"),
        }
    }

    /// S2: every fault is listed, and a body with faults is no command, so that nothing is stored.
    #[test]
    fn a_body_without_a_title_or_with_an_unknown_type_makes_no_bead() {
        let rig = "1a2b3c4d-0000-4000-8000-000000000001";
        assert_eq!(issues(&format!(r#"{{"rig_id": "{rig}", "title": "Fix it", "type": "issue"}}"#)), [""; 0]);
        assert_eq!(issues(&format!(r#"{{"rig_id": "{rig}"}}"#)), ["title"]);
        assert_eq!(issues(&format!(r#"{{"rig_id": "{rig}", "title": "Fix it", "type": "banana"}}"#)), ["type"]);
        assert_eq!(issues(r#"{"type": "banana", "title": ""}"#), ["rig_id", "type", "title"]);
    }
}
