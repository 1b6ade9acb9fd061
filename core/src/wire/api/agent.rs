//! Agents and their assignments as clients see them (api.md 4, **Agent**, **Assignment**), and what agents send.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bead::{Failure, cost_usd, tokens};
use super::read::{Fields, Request};
use crate::id::{AgentId, AssignmentId, BeadId, InstanceId, MailId, RigId};
use crate::limits::{BODY_MAX, BULK_IDS_MAX, GIT_URL_MAX, NOTE_MAX, STATUS_MESSAGE_MAX};
use crate::rig::agent::{self, AgentRole};
use crate::rig::assignment::{self, AssignmentOutcome, Phase};
use crate::rig::mail;
use crate::rig::review::Verdict;
use crate::rig::state::State;
use crate::session::{Kind, Step, Tokens};
use crate::text_enum;
use crate::time::Timestamp;
use crate::wire::envelope::IssueCode;

/// Changed paths that a report may name (api.md 3.9).
const FILES_MAX: usize = 200;
/// Tools that an agent may run at once, as far as anybody is told.
const TOOLS_MAX: usize = 32;
/// Characters of a path.
const PATH_MAX: usize = 1_000;

text_enum! {
    /// What an agent is doing, derived from its assignment.
    pub enum AgentStatus {
        Idle = "idle",
        Working = "working",
        Waiting = "waiting",
        Stalled = "stalled",
        Dead = "dead",
    }
}

/// **Agent**.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Agent {
    pub id: AgentId,
    pub rig_id: Option<RigId>,
    pub role: AgentRole,
    pub name: String,
    pub identity: String,
    pub status: AgentStatus,
    pub current_hook_bead_id: Option<BeadId>,
    pub dispatch_attempts: u32,
    pub last_activity_at: Option<Timestamp>,
    pub checkpoint: Option<Value>,
    pub created_at: Timestamp,
    pub agent_status_message: Option<String>,
    pub agent_status_updated_at: Option<Timestamp>,
    pub version: u64,
    pub assignment: Option<Assignment>,
    pub state_reason: Option<String>,
    pub current_tool: Option<String>,
    pub context_used_percent: Option<u32>,
    pub rss_bytes: Option<u64>,
    pub pending_nudges: u32,
    pub undelivered_mail: u32,
    pub tokens: Tokens,
    pub cost_usd: Option<f64>,
}

impl Agent {
    /// An agent that is not registered any more, but still named by history.
    pub fn former(rig_id: RigId, former: FormerAgent) -> Self {
        Self {
            id: former.agent_id,
            rig_id: Some(rig_id),
            role: former.role,
            name: former.name,
            identity: former.identity,
            status: AgentStatus::Dead,
            current_hook_bead_id: None,
            dispatch_attempts: 0,
            last_activity_at: None,
            checkpoint: None,
            created_at: former.created_at,
            agent_status_message: None,
            agent_status_updated_at: None,
            version: 0,
            assignment: None,
            state_reason: Some("It is not registered any more.".to_owned()),
            current_tool: None,
            context_used_percent: None,
            rss_bytes: None,
            pending_nudges: 0,
            undelivered_mail: 0,
            tokens: Tokens::default(),
            cost_usd: None,
        }
    }

    /// An agent of a rig.
    pub fn of(state: &State, agent: &agent::Agent) -> Self {
        let live = state.assignment_of_agent(agent.agent_id);
        let nudges = state.nudges.values().filter(|nudge| nudge.is_live() && nudge.agent_id == agent.agent_id).count();
        let undelivered = mail::waiting_for_agent(state, agent.agent_id);
        Self {
            id: agent.agent_id,
            rig_id: Some(state.rig.rig_id),
            role: agent.role,
            name: agent.name.clone(),
            identity: agent.identity.clone(),
            status: live.map_or(AgentStatus::Idle, status_of),
            current_hook_bead_id: live.map(|assignment| assignment.bead_id),
            dispatch_attempts: live
                .and_then(|assignment| state.beads.get(&assignment.bead_id))
                .map_or(0, |bead| bead.dispatches),
            last_activity_at: live.and_then(|a| a.last_progress_at).max(agent.last_activity_at),
            checkpoint: agent.checkpoint.clone(),
            created_at: agent.created_at,
            agent_status_message: agent.status_message.clone(),
            agent_status_updated_at: agent.status_message_at,
            version: agent.version,
            assignment: live.map(|assignment| Assignment::of(state, assignment)),
            state_reason: live.and_then(|assignment| assignment.refusal.clone()),
            current_tool: live.and_then(|assignment| assignment.active_tools.first().cloned()),
            context_used_percent: None,
            rss_bytes: None,
            pending_nudges: u32::try_from(nudges).unwrap_or(u32::MAX),
            undelivered_mail: u32::try_from(undelivered).unwrap_or(u32::MAX),
            tokens: live.map(|a| tokens(a.tokens_in, a.tokens_out)).unwrap_or_default(),
            cost_usd: live.and_then(|assignment| cost_usd(assignment.cost_micros)),
        }
    }
}

/// What is left of an agent whose name is free again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerAgent {
    /// Identity.
    pub agent_id: AgentId,
    /// What it was for.
    pub role: AgentRole,
    /// What it was called.
    pub name: String,
    /// The same, in full.
    pub identity: String,
    /// When it was registered.
    pub created_at: Timestamp,
}

fn status_of(assignment: &assignment::Assignment) -> AgentStatus {
    match assignment.phase {
        Phase::Running if assignment.is_stalled() => AgentStatus::Stalled,
        Phase::Queued | Phase::Ended => AgentStatus::Idle,
        Phase::Starting | Phase::Running | Phase::Finishing => AgentStatus::Working,
    }
}

/// **Assignment**.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Assignment {
    pub assignment_id: AssignmentId,
    pub epoch: u64,
    pub bead_id: BeadId,
    pub bead_title: String,
    pub agent_id: AgentId,
    pub agent_name: String,
    pub rig_id: RigId,
    pub kind: Kind,
    pub phase: Phase,
    pub phase_detail: Option<Step>,
    pub attempt: u32,
    pub model: Option<String>,
    pub small_model: Option<String>,
    pub model_source: Option<String>,
    pub model_reason: Option<String>,
    pub branch: Option<String>,
    pub base: Option<String>,
    pub commit: Option<String>,
    pub lease_until: Option<Timestamp>,
    pub queued_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub running_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub outcome: Option<AssignmentOutcome>,
    pub reason: Option<Failure>,
    pub summary: Option<String>,
    pub tokens: Tokens,
    pub cost_usd: Option<f64>,
}

impl Assignment {
    /// An assignment of a rig.
    pub fn of(state: &State, a: &assignment::Assignment) -> Self {
        Self {
            assignment_id: a.assignment_id,
            epoch: a.epoch,
            bead_id: a.bead_id,
            bead_title: state.beads.get(&a.bead_id).map(|bead| bead.title.clone()).unwrap_or_default(),
            agent_id: a.agent_id,
            agent_name: state.agents.get(&a.agent_id).map(|agent| agent.name.clone()).unwrap_or_default(),
            rig_id: state.rig.rig_id,
            kind: a.kind,
            phase: a.phase,
            phase_detail: a.step.filter(|_| a.phase == Phase::Starting),
            attempt: a.bead_attempt,
            model: a.model.as_ref().map(ToString::to_string),
            small_model: a.small_model.as_ref().map(ToString::to_string),
            model_source: a.model_reason.as_ref().map(|reason| reason.source.to_string()),
            model_reason: a.model_reason.as_ref().map(|reason| reason.because.clone()),
            branch: a.branch.clone(),
            base: a.base.clone(),
            commit: a.head_commit.clone(),
            lease_until: a.lease_until,
            queued_at: a.queued_at,
            started_at: a.started_at,
            running_at: a.running_at,
            ended_at: a.ended_at,
            outcome: a.outcome,
            reason: Failure::of_assignment(a),
            summary: a.summary.clone(),
            tokens: tokens(a.tokens_in, a.tokens_out),
            cost_usd: cost_usd(a.cost_micros),
        }
    }
}

/// `POST A/done`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Done {
    /// The branch that was worked on.
    pub branch: String,
    /// The pushed commit, verified by the runtime.
    pub commit: Option<String>,
    /// A pull request that the agent opened.
    pub pr_url: Option<String>,
    /// For the reviewer.
    pub summary: Option<String>,
    /// Changed paths.
    pub files: Vec<String>,
    /// A refinery may say its verdict this way.
    pub verdict: Option<Verdict>,
}

impl Request for Done {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            branch: fields.optional_branch("branch").unwrap_or_default(),
            commit: commit(fields),
            pr_url: pr_url(fields),
            summary: fields.optional_text("summary", 0, NOTE_MAX),
            files: fields.texts("files", FILES_MAX, PATH_MAX),
            verdict: fields.optional_word("verdict"),
        }
    }
}

/// `POST A/verdict`, and `POST A/request-changes` with the verdict given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JudgeBranch {
    /// Judgement.
    pub verdict: Option<Verdict>,
    /// In short.
    pub summary: Option<String>,
    /// In detail.
    pub feedback: Option<String>,
    /// Files that it is about.
    pub files: Vec<String>,
    /// The commit that was judged.
    pub commit: Option<String>,
}

impl Request for JudgeBranch {
    fn read(fields: &mut Fields<'_>) -> Self {
        let request = Self {
            verdict: fields.word("verdict"),
            summary: fields.optional_text("summary", 0, NOTE_MAX),
            feedback: fields.optional_text("feedback", 0, BODY_MAX),
            files: fields.texts("files", FILES_MAX, PATH_MAX),
            commit: commit(fields),
        };
        let needs_words = request.verdict.is_some_and(|verdict| verdict != Verdict::Approve);
        if needs_words && request.feedback.as_ref().is_none_or(|feedback| feedback.trim().is_empty()) {
            fields.issue("feedback", IssueCode::Required, "is required unless the verdict is approve");
        }
        request
    }
}

/// `POST A/request-changes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestChanges {
    /// In detail.
    pub feedback: String,
    /// Files that it is about.
    pub files: Vec<String>,
}

impl Request for RequestChanges {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { feedback: fields.text("feedback", 1, BODY_MAX), files: fields.texts("files", FILES_MAX, PATH_MAX) }
    }
}

/// `POST A/status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetStatus {
    /// One line.
    pub message: String,
}

impl Request for SetStatus {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { message: fields.trimmed("message", 1, STATUS_MESSAGE_MAX) }
    }
}

/// `POST A/checkpoint`.
#[derive(Debug, Clone, PartialEq)]
pub struct SetCheckpoint {
    /// Any JSON.
    pub data: Value,
}

impl Request for SetCheckpoint {
    fn read(fields: &mut Fields<'_>) -> Self {
        let data = fields.any("data");
        if data.to_string().len() > crate::limits::METADATA_BYTES_MAX {
            fields.issue("data", IssueCode::TooBig, "at most 64 KiB of JSON");
        }
        Self { data }
    }
}

/// `POST A/mail/ack`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcknowledgeMail {
    /// Which.
    pub mail_ids: Vec<MailId>,
}

impl Request for AcknowledgeMail {
    fn read(fields: &mut Fields<'_>) -> Self {
        if !fields.has("mail_ids") {
            fields.issue("mail_ids", IssueCode::Required, "is required");
        }
        Self { mail_ids: fields.ids("mail_ids", BULK_IDS_MAX) }
    }
}

/// `POST A/heartbeat`: of a runtime that beats for each agent; everything may be absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Heartbeat {
    /// Newest event of the agent itself.
    pub last_event_at: Option<Timestamp>,
    /// Tools that run.
    pub active_tools: Vec<String>,
    /// The process that beats.
    pub instance_id: Option<InstanceId>,
    /// Whether the agent waits for input.
    pub is_idle: bool,
}

impl Request for Heartbeat {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            last_event_at: fields.optional_id("lastEventAt"),
            active_tools: fields.texts("activeTools", TOOLS_MAX, PATH_MAX),
            instance_id: fields.optional_id("containerInstanceId"),
            is_idle: fields.optional_text("status", 0, 64).as_deref() == Some("idle"),
        }
    }
}

/// Which session the runtime speaks for, when it calls in an agent's name (api.md 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpokenFor {
    /// The assignment.
    pub assignment_id: Option<AssignmentId>,
    /// Its epoch.
    pub epoch: Option<u64>,
}

impl Request for SpokenFor {
    fn read(fields: &mut Fields<'_>) -> Self {
        let epoch = fields.optional_integer("epoch", 0, i64::MAX);
        Self { assignment_id: fields.optional_id("assignment_id"), epoch: epoch.and_then(|e| u64::try_from(e).ok()) }
    }
}

/// A full commit hash in lower case.
pub(super) fn commit(fields: &mut Fields<'_>) -> Option<String> {
    let commit = fields.optional_text("commit", 1, 64)?;
    let is_hex = commit.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if is_hex && [40, 64].contains(&commit.len()) {
        return Some(commit);
    }
    fields.issue("commit", IssueCode::InvalidString, "must be a full commit hash in lower case");
    None
}

pub(super) fn pr_url(fields: &mut Fields<'_>) -> Option<String> {
    let url = fields.optional_text("pr_url", 1, GIT_URL_MAX)?;
    if url.starts_with("https://") {
        return Some(url);
    }
    fields.issue("pr_url", IssueCode::InvalidString, "must be an https address");
    None
}
