//! What people and clients do by hand to beads and agents (api.md 3.3, 3.5, 3.8, 3.9): requests, and the replies that are
//! not a bead or an agent.

use serde::{Deserialize, Serialize};

use super::read::{Fields, Request};
use crate::id::{AgentId, AssignmentId, BeadId};
use crate::limits::{BULK_IDS_MAX, NAME_MAX, NOTE_MAX};
use crate::rig::agent::AgentRole;
use crate::rig::bead::{BeadStatus, BeadType};
use crate::sorted::SortedSet;
use crate::text_enum;
use crate::time::Timestamp;
use crate::wire::code::Code;
use crate::wire::envelope::IssueCode;

/// An identity: a name, a role, a rig and a town.
const IDENTITY_MAX: usize = 200;

/// `POST R/agents`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegisterAgent {
    /// What it is for; absent only when the body was not valid.
    pub role: Option<AgentRole>,
    /// Unique in the rig.
    pub name: String,
    /// Unique in the rig.
    pub identity: String,
}

impl Request for RegisterAgent {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            role: fields.word("role"),
            name: fields.trimmed("name", 1, NAME_MAX),
            identity: fields.trimmed("identity", 1, IDENTITY_MAX),
        }
    }
}

/// `POST R/agents/get-or-create`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetAgent {
    /// What it is for; absent only when the body was not valid.
    pub role: Option<AgentRole>,
}

impl Request for GetAgent {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { role: fields.word("role") }
    }
}

/// `POST A/hook`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookBead {
    /// On what; absent only when the body was not valid.
    pub bead_id: Option<BeadId>,
}

impl Request for HookBead {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { bead_id: fields.id("bead_id") }
    }
}

/// `POST B/reassign`: to an agent, or back to the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReassignBead {
    /// To whom.
    pub agent_id: Option<AgentId>,
}

impl Request for ReassignBead {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { agent_id: fields.optional_id("agent_id") }
    }
}

/// `PATCH R/beads/:b/status`, and `POST R/beads/:b/close` with the status given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetBeadStatus {
    /// The status; absent only when the body was not valid.
    pub status: Option<BeadStatus>,
    /// The agent that says so.
    pub agent_id: Option<AgentId>,
}

impl Request for SetBeadStatus {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { status: fields.word("status"), agent_id: fields.optional_id("agent_id") }
    }
}

/// `POST R/beads/:b/close`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseBead {
    /// The agent that says so.
    pub agent_id: Option<AgentId>,
}

impl Request for CloseBead {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { agent_id: fields.optional_id("agent_id") }
    }
}

/// `POST R/review-queue`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubmitBranch {
    /// The agent that did the work.
    pub agent_id: Option<AgentId>,
    /// The issue; absent only when the body was not valid.
    pub bead_id: Option<BeadId>,
    /// Where the work is.
    pub branch: String,
    /// Its newest commit.
    pub commit: Option<String>,
    /// For the reviewer.
    pub summary: Option<String>,
    /// A pull request that exists already.
    pub pr_url: Option<String>,
}

impl Request for SubmitBranch {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            agent_id: fields.id("agent_id"),
            bead_id: fields.id("bead_id"),
            branch: fields.branch("branch"),
            commit: super::agent::commit(fields),
            summary: fields.optional_text("summary", 0, NOTE_MAX),
            pr_url: super::agent::pr_url(fields),
        }
    }
}

/// `POST A/completed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionEnded {
    /// It ended by itself, without an error.
    pub is_completed: bool,
    /// Why.
    pub reason: Option<String>,
}

impl Request for SessionEnded {
    fn read(fields: &mut Fields<'_>) -> Self {
        let status = fields.text("status", 1, 64);
        if !["completed", "failed"].contains(&status.as_str()) {
            fields.issue("status", IssueCode::InvalidEnum, "is completed or failed");
        }
        Self { is_completed: status == "completed", reason: fields.optional_text("reason", 0, NOTE_MAX) }
    }
}

/// `POST A/eviction-context`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SavedWork {
    /// Branch or ref that holds it.
    pub branch: String,
    /// Its commit.
    pub commit: Option<String>,
    /// When.
    pub saved_at: Option<Timestamp>,
}

impl Request for SavedWork {
    fn read(fields: &mut Fields<'_>) -> Self {
        fields.text("agent_name", 1, NAME_MAX);
        Self { branch: fields.branch("branch"), commit: super::agent::commit(fields), saved_at: fields.id("saved_at") }
    }
}

text_enum! {
    /// What a bulk call does to each bead.
    pub enum BulkOp {
        Delete = "delete",
        Close = "close",
        Fail = "fail",
        Retry = "retry",
        Start = "start",
        AddLabels = "add_labels",
        RemoveLabels = "remove_labels",
    }
}

/// `POST T/beads/bulk`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulk {
    /// What; absent only when the body was not valid.
    pub op: Option<BulkOp>,
    /// To which beads.
    pub bead_ids: Vec<BeadId>,
    /// Labels to add or take away.
    pub labels: SortedSet<String>,
}

impl Request for Bulk {
    fn read(fields: &mut Fields<'_>) -> Self {
        let op = fields.word::<BulkOp>("op");
        let labels = fields.labels("labels").unwrap_or_default();
        if labels.is_empty() && matches!(op, Some(BulkOp::AddLabels | BulkOp::RemoveLabels)) {
            fields.issue("labels", IssueCode::Required, "is required to add or remove labels");
        }
        Self { op, bead_ids: ids_of(fields), labels }
    }
}

/// `POST M/rigs/:r/beads/bulk-delete`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkDelete {
    /// Which.
    pub bead_ids: Vec<BeadId>,
}

impl Request for BulkDelete {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { bead_ids: ids_of(fields) }
    }
}

/// `POST M/rigs/:r/beads/delete-by-status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeleteByStatus {
    /// In this status; absent only when the body was not valid.
    pub status: Option<BeadStatus>,
    /// Of this type only.
    pub kind: Option<BeadType>,
}

impl Request for DeleteByStatus {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { status: fields.word("status"), kind: fields.optional_word("type") }
    }
}

fn ids_of(fields: &mut Fields<'_>) -> Vec<BeadId> {
    if !fields.has("bead_ids") {
        fields.issue("bead_ids", IssueCode::Required, "is required");
    }
    let ids: Vec<BeadId> =
        fields.list("bead_ids", 1, BULK_IDS_MAX, |fields, index| fields.id(index).unwrap_or(BeadId::from_u128(0)));
    ids
}

text_enum! {
    /// How a merge ended, in the words of other runtimes.
    pub enum MergeWord {
        Merged = "merged",
        Failed = "failed",
        Conflict = "conflict",
    }
}

/// `POST R/review-queue/:mr/complete`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewEnded {
    /// How; absent only when the body was not valid.
    pub status: Option<MergeWord>,
    /// In words.
    pub message: String,
    /// The merge, when there is one.
    pub commit: Option<String>,
}

impl Request for ReviewEnded {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            status: fields.word("status"),
            message: fields.text("message", 0, NOTE_MAX),
            commit: fields.optional_text("commit_sha", 1, 64),
        }
    }
}

/// `POST R/agent-events`.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentHappening {
    /// Who; absent only when the body was not valid.
    pub agent_id: Option<AgentId>,
    /// What.
    pub kind: String,
    /// More about it.
    pub data: serde_json::Value,
}

impl Request for AgentHappening {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            agent_id: fields.id("agent_id"),
            kind: fields.text("event_type", 1, 64),
            data: fields.metadata("data").unwrap_or_default().into(),
        }
    }
}

/// What became of one bead of a bulk call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BulkResult {
    /// Which.
    pub bead_id: BeadId,
    /// It was done.
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Reply of `POST A/hook`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hooked {
    /// Always true.
    pub hooked: bool,
    /// The queued assignment.
    pub assignment_id: AssignmentId,
    /// Its fencing number.
    pub epoch: u64,
}
