//! Worker → runtime: the control API of container.md 2 and 3. Requests, replies, and the codes that only this API has.
//!
//! Paths are relative to the runtime's base address; `C` is `/towns/:townId`. A field that container.md marks `*` is
//! not optional here. Unknown fields are ignored, unknown words of an enum are refused.

use crate::sorted::SortedMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::id::RigRef;
use crate::id::{AgentId, AssignmentId, BeadId, InstanceId, JobId, RigId, TownId};
pub use crate::session::{JobKind, Kind, Role, StartFailureCode, Tokens};
use crate::text_enum;
use crate::time::Timestamp;

/// The number of the conversation between Worker and runtime (container.md 1.4). Additive changes keep it.
pub const PROTOCOL: u32 = 1;

text_enum! {
    /// Codes that only the control API answers; the others are [`super::code::Code`].
    pub enum ControlCode {
        TownNotAttached = "town_not_attached",
        InstanceMismatch = "instance_mismatch",
        ProtocolUnsupported = "protocol_unsupported",
        StaleEpoch = "stale_epoch",
        Finishing = "finishing",
        Starting = "starting",
        Capacity = "capacity",
    }
}

/// A code and a sentence for people; the message is never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reason {
    /// One machine word.
    pub code: String,
    /// One sentence.
    pub message: String,
}

/// `GET /health` with the control secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Health {
    /// Always `ok`.
    pub status: String,
    /// `starting`, `waiting`, `ready` or `draining`.
    pub state: String,
    /// This life of the process.
    pub instance_id: InstanceId,
    /// Version of the runtime.
    pub version: String,
    /// Newest protocol it speaks.
    pub protocol: u32,
    /// Version of the kilo binary, when one was found.
    pub kilo_version: Option<String>,
    /// What it can do: `gates`, `merge`, `swap`, `snapshot`, `browse`.
    pub capabilities: Vec<String>,
    /// Attached towns.
    pub towns: Vec<HealthTown>,
    /// Live sessions.
    pub agents: u32,
    /// Live kilo servers.
    pub servers: u32,
    /// Seconds since the start of the process.
    pub uptime: u64,
    /// Start of the process.
    #[serde(rename = "startedAt")]
    pub started_at: Timestamp,
    /// Whether starts are refused because the process is ending.
    pub draining: bool,
    /// Memory of the process and its children.
    pub memory: Memory,
    /// What is missing or wrong, in sentences.
    pub problems: Vec<String>,
}

/// One town in [`Health`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HealthTown {
    /// The town.
    pub town_id: TownId,
    /// `attaching`, `ready`, `detached` or `draining`.
    pub state: String,
}

/// Resident memory and its limit, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Memory {
    /// Resident bytes.
    pub rss_bytes: u64,
    /// Limit of the container or the machine.
    pub limit_bytes: u64,
}

/// Author of commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Author {
    /// Name.
    pub name: String,
    /// Address.
    pub email: String,
}

/// What a town's sessions have in common; sent with attach, on change, and in the reply of register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RuntimeConfig {
    /// Grows with every change; an older one is ignored.
    pub config_version: u64,
    /// Grows with every change of a secret; a higher one empties the credential caches.
    pub secrets_version: u64,
    /// Session slots of the town.
    pub max_sessions: u32,
    /// Author for all commits; absent: each agent's own.
    pub author: Option<Author>,
    /// Whether the agent is named as co-author when `author` is set.
    pub coauthor: bool,
    /// The town's repositories.
    pub rigs: Vec<RuntimeRig>,
}

/// A repository of [`RuntimeConfig`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RuntimeRig {
    /// The rig.
    pub rig_id: RigId,
    /// Its name.
    pub name: String,
    /// Where it lives.
    pub git_url: String,
    /// Default branch.
    pub default_branch: String,
    /// Branch that work is merged into.
    pub target_branch: String,
    /// Allowed `git push` flags (api.md 5.3).
    #[serde(default)]
    pub push_flags: Vec<String>,
}

/// `PUT C`: the Worker claims this instance for the town.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attach {
    /// Address of the Worker's API.
    pub api_url: String,
    /// Container token.
    pub token: String,
    /// Must be this instance.
    pub instance_id: InstanceId,
    /// The Worker's protocol number.
    pub protocol: u32,
    /// The town's settings.
    pub config: RuntimeConfig,
}

/// Reply of `PUT C`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attached {
    /// This instance.
    pub instance_id: InstanceId,
    /// State of the town in the runtime.
    pub state: String,
}

/// `PUT C/token`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewToken {
    /// The new container token.
    pub token: String,
}

/// Which assignment a start order is for. For the mayor `rig_id` is `mayor-<townId>` and there is no bead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderedAssignment {
    /// Identity of the session.
    pub assignment_id: AssignmentId,
    /// Fencing number.
    pub epoch: u64,
    /// Rig, or the mayor's literal.
    pub rig_id: RigRef,
    /// Who runs it.
    pub agent_id: AgentId,
    /// What it is about.
    pub bead_id: Option<BeadId>,
}

/// The agent of a start order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderedAgent {
    /// For people: `Toast`.
    pub name: String,
    /// `Toast-polecat-1a2b3c4d@9f8e7d6c`.
    pub identity: String,
}

/// Repository of a start order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Repo {
    /// Where it lives.
    pub git_url: String,
    /// Default branch.
    pub default_branch: String,
    /// Branch that work is merged into.
    pub target_branch: String,
    /// Allowed `git push` flags.
    #[serde(default)]
    pub push_flags: Vec<String>,
}

/// Saved unpublished work of an earlier attempt, or the mayor's snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Resume {
    /// Full ref of the saved work.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub ref_name: Option<String>,
    /// Commit that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// One sentence for the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Mayor: the newest snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_seq: Option<u64>,
}

/// Rendered prompts of a start order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderedPrompt {
    /// Role text; becomes `role.md`.
    pub system: String,
    /// First message; absent for the mayor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
}

/// Window sizes of a model, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModelLimit {
    /// Context window.
    pub context: u64,
    /// Longest answer.
    pub output: u64,
}

/// Micro-dollars per million tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Price {
    /// Prompt tokens.
    pub input: u64,
    /// Completion tokens.
    pub output: u64,
    /// Cached prompt tokens.
    pub cache_read: u64,
    /// Cache writes.
    pub cache_write: u64,
}

/// What the bead's family may still spend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct RemainingBudget {
    /// Dollars.
    pub remaining_usd: Option<f64>,
    /// Tokens.
    pub remaining_tokens: Option<u64>,
}

/// A repository that the mayor may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BrowseRig {
    /// The rig.
    pub rig_id: RigId,
    /// Folder name below the mayor's desk.
    pub slug: String,
}

/// `POST C/assignments`: start one session (container.md 3.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StartOrder {
    /// Must be this instance.
    pub instance_id: InstanceId,
    /// The Worker's protocol number.
    pub protocol: u32,
    /// Identity.
    pub assignment: OrderedAssignment,
    /// Purpose.
    pub kind: Kind,
    /// Must fit the kind.
    pub role: Role,
    /// Who.
    pub agent: OrderedAgent,
    /// Title of the kilo session.
    pub title: String,
    /// Resolved model.
    pub model: String,
    /// Resolved small model.
    pub small_model: String,
    /// Window sizes by model id.
    #[serde(default, skip_serializing_if = "SortedMap::is_empty")]
    pub model_limits: SortedMap<String, ModelLimit>,
    /// Prices by model id, used when the gateway names no cost.
    #[serde(default, skip_serializing_if = "SortedMap::is_empty")]
    pub prices: SortedMap<String, Price>,
    /// What may still be spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<RemainingBudget>,
    /// Repository; absent for triage and mayor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<Repo>,
    /// Work branch; absent for review, landing, triage and mayor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Child of a landing: it may work on the convoy branch.
    #[serde(default)]
    pub landing_child: bool,
    /// Where a new branch starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Make `base` from this branch when the remote lacks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_from: Option<String>,
    /// Review and landing: the commit under review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Saved work to start from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Resume>,
    /// Role text and first message.
    pub prompt: OrderedPrompt,
    /// Mayor: the last messages as marked text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// Mayor: repositories to show read-only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rigs: Vec<BrowseRig>,
    /// The town's environment for tools; values are secrets.
    #[serde(default, skip_serializing_if = "SortedMap::is_empty")]
    pub env: SortedMap<String, String>,
    /// Author of commits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// Name the agent as co-author.
    #[serde(default)]
    pub coauthor: bool,
    /// Agent or mayor token; stays in the broker.
    pub token: String,
    /// Its end.
    pub token_expires_at: Timestamp,
    /// Mayor: replace the live session, same conversation.
    #[serde(default)]
    pub swap: bool,
}

/// A session as the runtime sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionView {
    /// Identity.
    pub assignment_id: AssignmentId,
    /// Fencing number.
    pub epoch: u64,
    /// Rig, or the mayor's literal.
    pub rig_id: RigRef,
    /// Who.
    pub agent_id: AgentId,
    /// Purpose.
    pub kind: Kind,
    /// `starting`, `running`, `finishing` or `ended`.
    pub phase: String,
    /// Step of starting.
    pub step: Option<super::report::Step>,
    /// State of a running session.
    pub state: Option<super::report::AgentState>,
    /// When the phase began.
    pub since: Timestamp,
    /// Model in use.
    pub model: String,
    /// kilo's session.
    pub session_id: Option<String>,
    /// Totals.
    pub tokens: Tokens,
    /// Dollars, when a price is known.
    pub cost_usd: Option<f64>,
    /// Resident bytes of its processes.
    pub rss_bytes: u64,
    /// Restarts in place.
    pub restarts: u32,
    /// Saved unpublished work.
    pub saved: Option<SavedWork>,
    /// How it ended.
    pub outcome: Option<super::report::OutcomeKind>,
    /// Why, in words.
    pub reason: Option<Reason>,
}

/// Where unpublished work was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SavedWork {
    /// Full ref.
    #[serde(rename = "ref")]
    pub ref_name: String,
    /// Commit.
    pub commit: String,
}

text_enum! {
    /// What happens to unpublished work at a stop.
    pub enum StopMode {
        Save = "save",
        Discard = "discard",
        Kill = "kill",
    }
}

/// `POST C/assignments/:a/stop`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StopOrder {
    /// Only this session.
    pub epoch: u64,
    /// What happens to unpublished work.
    pub mode: StopMode,
    /// Why.
    pub reason: Reason,
}

/// `POST C/assignments/:a/wrap-up`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WrapUpOrder {
    /// Only this session.
    pub epoch: u64,
    /// Why.
    pub reason: Reason,
    /// Seconds until it is stopped.
    pub within_s: u32,
}

text_enum! {
    /// Who a message comes from.
    pub enum MessageSource {
        User = "user",
        Mail = "mail",
        Nudge = "nudge",
        Escalation = "escalation",
        System = "system",
    }
}

text_enum! {
    /// When a message enters the session: into the running turn, or at the next idle.
    pub enum Deliver {
        Now = "now",
        Idle = "idle",
    }
}

text_enum! {
    /// Order of waiting messages.
    pub enum MessagePriority {
        Normal = "normal",
        Urgent = "urgent",
    }
}

/// One text for an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message {
    /// Repeats are recognised by it.
    pub message_id: String,
    /// Who it comes from.
    pub source: MessageSource,
    /// When it is delivered.
    pub deliver: Deliver,
    /// Order among waiting ones.
    #[serde(default = "normal_priority")]
    pub priority: MessagePriority,
    /// Rendered text.
    pub text: String,
    /// What the person looked at; already marked as data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui_context: Option<String>,
}

const fn normal_priority() -> MessagePriority {
    MessagePriority::Normal
}

/// `POST C/assignments/:a/messages`, at most 50 at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PushMessages {
    /// Only this session.
    pub epoch: u64,
    /// Oldest first.
    pub messages: Vec<Message>,
}

/// Reply of [`PushMessages`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PushedMessages {
    /// One per message.
    pub results: Vec<PushedMessage>,
}

/// State of one message in the runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PushedMessage {
    /// The message.
    pub message_id: String,
    /// `queued` or `delivered`.
    pub state: String,
}

/// Text of a merge commit; `Gastown-Bead` and `Gastown-Review` trailers are added by the runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MergeMessage {
    /// First line.
    pub title: String,
    /// The work's bead.
    pub bead_id: BeadId,
    /// The review's bead.
    pub review_id: BeadId,
}

/// `POST C/jobs` (container.md 7.5, 7.6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobOrder {
    /// Repeats are recognised by it.
    pub job_id: JobId,
    /// Gates or merge.
    pub kind: JobKind,
    /// Where.
    pub rig_id: RigId,
    /// Repository.
    pub repo: Repo,
    /// Exact commit; a gates order may leave it out and give `branch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Branch of the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Merge: branch to reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Gates: trial merge into the newest commit of this branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onto: Option<String>,
    /// Commands, in order.
    #[serde(default)]
    pub gates: Vec<String>,
    /// Limit per command.
    pub timeout_minutes: u32,
    /// The town's environment for the commands.
    #[serde(default, skip_serializing_if = "SortedMap::is_empty")]
    pub env: SortedMap<String, String>,
    /// Author of the merge commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// Text of the merge commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MergeMessage>,
}

/// A job as the runtime sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobView {
    /// Identity.
    pub job_id: JobId,
    /// Gates or merge.
    pub kind: JobKind,
    /// Where.
    pub rig_id: RigId,
    /// `queued`, `running` or `ended`.
    pub phase: String,
    /// What it is doing.
    pub step: String,
    /// The fact that it ended with.
    pub result: Option<Value>,
    /// When the phase began.
    pub since: Timestamp,
}

/// `GET C`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TownView {
    /// `attaching`, `ready`, `detached` or `draining`.
    pub state: String,
    /// Version of the settings in use.
    pub config_version: u64,
    /// Live and recently ended sessions.
    pub sessions: Vec<SessionView>,
    /// Live and recently ended jobs.
    pub jobs: Vec<JobView>,
    /// Worktrees whose work could not be saved.
    pub unsaved: Vec<UnsavedWork>,
    /// Memory of the process and its children.
    pub memory: Memory,
    /// What is missing or wrong.
    pub problems: Vec<String>,
}

/// A worktree that was kept because its work is nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnsavedWork {
    /// Whose.
    pub assignment_id: AssignmentId,
    /// Ref it was meant for.
    #[serde(rename = "ref")]
    pub ref_name: Option<String>,
    /// Why it was kept.
    pub why: String,
}

/// `POST C/drain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DrainOrder {
    /// `idle`, `restart` or `stop`.
    pub reason: String,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_s: Option<u32>,
}

/// `DELETE C` and `DELETE C/rigs/:r`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RemoveOrder {
    /// What happens to unpublished work.
    pub mode: StopMode,
}

/// `POST C/rigs/:r/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckRepo {
    /// Where it lives.
    pub git_url: String,
    /// Default branch.
    pub default_branch: String,
}
