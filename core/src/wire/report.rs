//! Runtime → Worker: facts, heartbeats, outcomes and transcript events (api.md 3.11, container.md 9).

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, to_value};

use super::control::{Memory, RigRef, Role, RuntimeConfig, Tokens};
use crate::id::{AgentId, AssignmentId, FactId, InstanceId, JobId, RigId};
use crate::json;
pub use crate::session::{AgentState, ErrorKind, GateResult, GateStatus, GatesStatus, MergeStatus, OutcomeKind, Step};
use crate::sorted::SortedMap;
use crate::text_enum;
use crate::time::Timestamp;

/// Names one session: `{rig_id, agent_id, assignment_id, epoch}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ref {
    /// Rig, or the mayor's literal.
    pub rig_id: RigRef,
    /// Who.
    pub agent_id: AgentId,
    /// Identity of the session.
    pub assignment_id: AssignmentId,
    /// Fencing number.
    pub epoch: u64,
}

text_enum! {
    /// The phase that a `phase` fact reports.
    pub enum Phase {
        Accepted = "accepted",
        Cloning = "cloning",
        Worktree = "worktree",
        Booting = "booting",
        Running = "running",
        Finishing = "finishing",
    }
}

/// One report. `POST T/runtime/facts` carries up to 200.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fact {
    /// Repeats are recognised by it.
    pub fact_id: FactId,
    /// When it happened, by the runtime's clock.
    pub at: Timestamp,
    /// About this session.
    pub session: Option<Ref>,
    /// About this job.
    pub job_id: Option<JobId>,
    /// Rig of the job or the check.
    pub rig_id: Option<RigId>,
    /// What happened.
    pub body: FactBody,
}

/// What every [`Fact`] has beside what it says.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct FactHead {
    fact_id: FactId,
    at: Timestamp,
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    session: Option<Ref>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    job_id: Option<JobId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rig_id: Option<RigId>,
}

// By hand, because what serde derives for a tag among the fields of two types is several times as large.
impl Serialize for Fact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { fact_id, at, session, job_id, rig_id, ref body } = *self;
        let head = to_value(FactHead { fact_id, at, session, job_id, rig_id }).map_err(S::Error::custom)?;
        let body = to_value(body).map_err(S::Error::custom)?;
        serializer.collect_map(head.as_object().into_iter().flatten().chain(&json::tag("type", &body)))
    }
}

impl<'de> Deserialize<'de> for Fact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let FactHead { fact_id, at, session, job_id, rig_id } = json::from_value(&value).map_err(D::Error::custom)?;
        let body = json::from_value(&json::untag("type", &value)).map_err(D::Error::custom)?;
        Ok(Self { fact_id, at, session, job_id, rig_id, body })
    }
}

/// What a [`Fact`] says; the wire's `type` names the variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FactBody {
    /// A session entered a phase or step.
    Phase {
        /// Which.
        phase: Phase,
        /// More, for people and tests.
        #[serde(default)]
        detail: Option<Value>,
    },
    /// A start ended without a session.
    StartFailed {
        /// Step that failed.
        phase: Phase,
        /// [`super::control::StartFailureCode`] as text.
        code: String,
        /// One sentence.
        message: String,
        /// Whether the same order may succeed later.
        retryable: bool,
    },
    /// The remote has this commit on this branch.
    Pushed {
        /// Branch.
        branch: String,
        /// Commit that the remote named.
        commit: String,
    },
    /// Unpublished work was saved.
    Saved {
        /// Branch or full ref.
        branch: String,
        /// Commit.
        commit: String,
        /// Why it was saved.
        reason: String,
    },
    /// The session accepted these messages.
    Delivered {
        /// Ids of mail, nudges or mayor messages.
        message_ids: Vec<String>,
    },
    /// A job started or changed its step.
    Job {
        /// `running` or `queued`.
        phase: String,
        /// What it is doing.
        step: String,
    },
    /// A gates job ended.
    Gates {
        /// Commit that was tested.
        commit: Option<String>,
        /// Commit merged into, of a trial merge.
        #[serde(default)]
        onto: Option<String>,
        /// Result.
        status: GatesStatus,
        /// One per gate that ran.
        #[serde(default)]
        results: Vec<GateResult>,
        /// Why it could not run, when it could not.
        #[serde(default)]
        message: Option<String>,
    },
    /// A merge job ended.
    Merge(MergeReport),
    /// A repository was looked at.
    Repo {
        /// `ready` or `failed`.
        state: String,
        /// Whether the remote would accept a push.
        #[serde(default)]
        can_push: Option<bool>,
        /// Machine word of a failure.
        #[serde(default)]
        code: Option<String>,
        /// One sentence.
        #[serde(default)]
        message: Option<String>,
    },
}

/// How a merge job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MergeReport {
    /// Result.
    pub status: MergeStatus,
    /// Commit that was to be merged.
    pub commit: String,
    /// Branch of the work.
    pub branch: String,
    /// Branch to reach.
    pub target: String,
    /// The commit that brought the work in; absent when there was nothing to merge.
    #[serde(default)]
    pub merge_commit: Option<String>,
    /// Files in conflict.
    #[serde(default)]
    pub files: Vec<String>,
    /// Gates on the result.
    #[serde(default)]
    pub results: Vec<GateResult>,
    /// One sentence.
    #[serde(default)]
    pub message: String,
    /// Pushes that were tried.
    #[serde(default)]
    pub tries: u32,
}

/// `POST T/runtime/facts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Facts {
    /// Sender.
    pub instance_id: InstanceId,
    /// Oldest first.
    pub facts: Vec<Fact>,
}

text_enum! {
    /// What became of one reported item.
    pub enum ItemStatus {
        Applied = "applied",
        Duplicate = "duplicate",
        Stale = "stale",
        Rejected = "rejected",
    }
}

/// Reply of [`Facts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FactsReply {
    /// One per fact.
    pub results: Vec<FactResult>,
}

/// What became of one fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FactResult {
    /// The fact.
    pub fact_id: FactId,
    /// What became of it.
    pub status: ItemStatus,
    /// Why, when it was not applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// One session in a [`Heartbeat`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentBeat {
    /// Which.
    #[serde(rename = "ref")]
    pub session: Ref,
    /// State.
    pub state: AgentState,
    /// When the state began.
    pub state_since: Timestamp,
    /// Model in use.
    pub model: String,
    /// Tool that is running.
    #[serde(default)]
    pub current_tool: Option<String>,
    /// Since when.
    #[serde(default)]
    pub tool_since: Option<Timestamp>,
    /// Messages of the conversation.
    #[serde(default)]
    pub message_count: u64,
    /// Newest event of the agent itself.
    #[serde(default)]
    pub last_event_type: Option<String>,
    /// When.
    #[serde(default)]
    pub last_event_at: Option<Timestamp>,
    /// Newest progress (container.md 5.4).
    #[serde(default)]
    pub last_progress_at: Option<Timestamp>,
    /// Totals of the assignment.
    #[serde(default)]
    pub tokens: Tokens,
    /// Dollars, when a price is known.
    #[serde(default)]
    pub cost_usd: Option<f64>,
    /// How full the context is.
    #[serde(default)]
    pub context_used_percent: Option<u32>,
    /// Resident bytes.
    #[serde(default)]
    pub rss_bytes: u64,
    /// Restarts in place.
    #[serde(default)]
    pub restarts: u32,
    /// Newest error.
    #[serde(default)]
    pub last_error: Option<String>,
}

/// One job in a [`Heartbeat`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobBeat {
    /// Which.
    pub job_id: JobId,
    /// Where.
    pub rig_id: RigId,
    /// `gates` or `merge`.
    pub kind: super::control::JobKind,
    /// What it is doing.
    pub step: String,
}

/// `POST T/runtime/heartbeat`: one per runtime and town.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Heartbeat {
    /// Sender.
    pub instance_id: InstanceId,
    /// Grows.
    pub seq: u64,
    /// By the runtime's clock.
    pub sent_at: Timestamp,
    /// Whether the runtime is ending.
    pub draining: bool,
    /// Memory of the process and its children.
    pub memory: Memory,
    /// Settings in use.
    pub config_version: u64,
    /// Live sessions.
    pub agents: Vec<AgentBeat>,
    /// Live jobs.
    pub jobs: Vec<JobBeat>,
}

/// Reply of [`Heartbeat`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeartbeatReply {
    /// The town drains; a new instance answers with it.
    #[serde(default, rename = "drainNonce", skip_serializing_if = "Option::is_none")]
    pub drain_nonce: Option<String>,
    /// Newest settings.
    pub config_version: u64,
    /// Sessions whose assignment is over.
    #[serde(default)]
    pub stop: Vec<Ref>,
    /// Sessions whose token ends soon.
    #[serde(default)]
    pub expiring: Vec<Ref>,
    /// Sessions whose budget is reached.
    #[serde(default)]
    pub wrap_up: Vec<Ref>,
}

/// The error of an [`Outcome`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OutcomeError {
    /// Kind.
    pub kind: ErrorKind,
    /// One sentence; never empty.
    pub message: String,
    /// The gateway's own wish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}

/// How one session ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// Repeats are recognised by it.
    pub key: String,
    /// Which session.
    #[serde(rename = "ref")]
    pub session: Ref,
    /// When.
    pub at: Timestamp,
    /// How.
    pub outcome: OutcomeKind,
    /// Why, for error, crashed and stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<OutcomeError>,
    /// One sentence; never empty.
    #[serde(default)]
    pub message: String,
    /// Work branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Newest local commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Whether something was uncommitted.
    #[serde(default)]
    pub dirty: Option<bool>,
    /// Commit last verified on the remote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<String>,
    /// Totals.
    #[serde(default)]
    pub tokens: Tokens,
    /// Dollars, when a price is known.
    #[serde(default)]
    pub cost_usd: Option<f64>,
}

/// `POST T/runtime/outcomes`, at most 100.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcomes {
    /// Sender.
    pub instance_id: InstanceId,
    /// Oldest first.
    pub outcomes: Vec<Outcome>,
}

/// Reply of [`Outcomes`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OutcomesReply {
    /// One per outcome.
    pub results: Vec<OutcomeResult>,
}

/// What became of one outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OutcomeResult {
    /// The outcome.
    pub key: String,
    /// What became of it.
    pub status: ItemStatus,
    /// Why, when it was not applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// `POST T/runtime/register`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Register {
    /// Sender.
    pub instance_id: InstanceId,
    /// Version of the runtime.
    pub version: String,
    /// Newest protocol it speaks.
    pub protocol: u32,
    /// Version of kilo, when there is one.
    #[serde(default)]
    pub kilo_version: Option<String>,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// What it can hold.
    pub capacity: Capacity,
    /// What runs.
    #[serde(default)]
    pub running: Vec<Ref>,
}

/// What a runtime can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Capacity {
    /// Sessions.
    pub max_sessions: u32,
    /// Bytes.
    pub memory_bytes: u64,
}

/// Reply of [`Register`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegisterReply {
    /// Version of `config`.
    pub config_version: u64,
    /// Settings.
    pub config: RuntimeConfig,
    /// What this instance shall run; information only.
    #[serde(default)]
    pub assignments: Vec<Ref>,
    /// What it shall end.
    #[serde(default)]
    pub stop: Vec<Ref>,
    /// Time between heartbeats.
    pub heartbeat_interval_ms: u64,
}

/// `POST T/runtime/agent-tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentTokens {
    /// For these sessions.
    pub assignments: Vec<Ref>,
}

/// One token in the reply of [`AgentTokens`]; sessions that are over are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentToken {
    /// Who.
    pub agent_id: AgentId,
    /// Which session.
    pub assignment_id: AssignmentId,
    /// Fencing number.
    pub epoch: u64,
    /// The token.
    pub token: String,
    /// Its end.
    pub expires_at: Timestamp,
}

text_enum! {
    /// What a git credential is for.
    pub enum GitOperation {
        Fetch = "fetch",
        Push = "push",
        Api = "api",
    }
}

/// `POST T/runtime/git-credentials`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GitCredentialsRequest {
    /// Where.
    pub rig_id: RigId,
    /// Host of the remote.
    pub host: String,
    /// Path of the remote.
    pub path: String,
    /// What for.
    pub operation: GitOperation,
    /// For whom; absent for jobs.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub session: Option<Ref>,
}

/// A git credential; never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GitCredentials {
    /// User name.
    pub username: String,
    /// Password or token.
    pub password: String,
    /// Its end, when it has one.
    pub expires_at: Option<Timestamp>,
}

/// A model gateway and its key; never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LlmCredentials {
    /// OpenAI-compatible base address, without `/chat/completions`.
    pub base_url: String,
    /// Key.
    pub api_key: String,
    /// Organisation header, when the gateway wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    /// Its end, when it has one.
    pub expires_at: Option<Timestamp>,
}

/// Reply of `POST T/refresh-container-token`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContainerToken {
    /// The new token.
    pub token: String,
    /// Whether the old one had already ended.
    #[serde(rename = "expiredInbound")]
    pub expired_inbound: bool,
}

/// `POST T/runtime/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventBatches {
    /// Sender.
    pub instance_id: InstanceId,
    /// One per session.
    pub batches: Vec<EventBatch>,
}

/// Transcript events of one session, numbered from `first_seq`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventBatch {
    /// Who.
    pub agent_id: AgentId,
    /// Rig, or the mayor's literal.
    pub rig_id: RigRef,
    /// Which session.
    pub assignment_id: AssignmentId,
    /// Fencing number.
    pub epoch: u64,
    /// Number of the first event.
    pub first_seq: u64,
    /// In order.
    pub events: Vec<TranscriptEvent>,
}

/// One transcript event; `kind` and `data` as in api.md 6.3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TranscriptEvent {
    /// `message`, `part`, `part.delta`, `tool`, `diff`, `session`, `usage`, `error` or `exited`.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// Content.
    pub data: Value,
}

/// Reply of [`EventBatches`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventsReply {
    /// Next number that is wanted, by agent.
    pub next_seq: SortedMap<AgentId, u64>,
}

/// `GET /local/session` of the broker: what the plugin may know of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LocalSession {
    /// Role of the session.
    pub role: Role,
    /// Kind of the session.
    pub kind: super::control::Kind,
    /// kilo's id of the root session.
    pub root_session_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fact_is_one_flat_object() {
        let (fact_id, rig_id) = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002");
        let at = "2026-01-02T03:04:05.678Z";
        for wire in [
            json!({ "fact_id": fact_id, "at": at, "rig_id": rig_id, "type": "job", "phase": "running", "step": "test" }),
            json!({ "fact_id": fact_id, "at": at, "type": "pushed", "branch": "b", "commit": "c" }),
        ] {
            let fact: Fact = serde_json::from_value(wire.clone()).unwrap();
            assert_eq!(json::from_value::<Fact>(&wire).unwrap(), fact);
            assert_eq!(serde_json::to_string(&fact).unwrap(), wire.to_string());
        }
        for broken in [
            json!({ "fact_id": fact_id, "at": at, "type": "pushed", "branch": "b" }),
            json!({ "fact_id": fact_id, "at": at, "type": "dreamt" }),
            json!({ "fact_id": fact_id, "at": at }),
        ] {
            assert!(json::from_value::<Fact>(&broken).is_err(), "{broken}");
        }
    }
}
