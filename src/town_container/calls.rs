//! What the town's runtime keeper can be asked: orders of the Town and its Rigs, and what the runtime itself reports.
//! The keeper adds what only it knows (instance, tokens, environment) and speaks the control API (container.md 2).

use gastown_core::id::{AgentId, AssignmentId, InstanceId, JobId, RigId, TownId};
use gastown_core::session::{JobAnswer, SessionAnswer, SessionKey, StartAnswer};
use gastown_core::time::Timestamp;
use gastown_core::wire::api::snapshot::RuntimeStatus;
use gastown_core::wire::control::{JobOrder, Message, PushedMessages, Reason, StopMode};
use gastown_core::wire::order::SessionOrder;
use gastown_core::wire::report::{
    AgentToken, ContainerToken, EventBatch, EventBatches, EventsReply, Facts, FactsReply, Heartbeat, HeartbeatReply,
    Outcomes, OutcomesReply, Ref, Register, RegisterReply,
};
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::sse::Guard;

/// Whether the runtime is needed: from now on its health is watched, or not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetNeeded {
    /// The town.
    pub town_id: TownId,
    /// Whether it is needed.
    pub needed: bool,
}

impl Call for SetNeeded {
    const PATH: &'static str = "/set_needed";
    type Reply = ();
}

/// Nothing needs the runtime: it saves the mayor's conversation and sleeps.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SleepRuntime {
    /// The town.
    pub town_id: TownId,
}

impl Call for SleepRuntime {
    const PATH: &'static str = "/sleep_runtime";
    type Reply = ();
}

/// A person ends the runtime, or has it begin anew.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndRuntime {
    /// The town.
    pub town_id: TownId,
    /// Begin anew.
    pub is_restart: bool,
    /// Without waiting for work to be saved.
    pub is_forced: bool,
}

impl Call for EndRuntime {
    const PATH: &'static str = "/end_runtime";
    type Reply = ();
}

/// Credentials were revoked: the runtime is given new ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Renew {
    /// The town.
    pub town_id: TownId,
}

impl Call for Renew {
    const PATH: &'static str = "/renew";
    type Reply = ();
}

/// Starts a session; the answer says whether the runtime took the order, not whether the session runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StartSession {
    /// The town.
    pub town_id: TownId,
    /// What to start.
    pub order: SessionOrder,
}

impl Call for StartSession {
    const PATH: &'static str = "/start_session";
    type Reply = StartAnswer;
}

/// Whether a session lives. No answer means that nobody knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QuerySession {
    /// The town.
    pub town_id: TownId,
    /// Which session.
    pub session: SessionKey,
}

impl Call for QuerySession {
    const PATH: &'static str = "/query_session";
    type Reply = Option<SessionAnswer>;
}

/// Ends a session; true when the runtime does not have it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StopSession {
    /// The town.
    pub town_id: TownId,
    /// Which session.
    pub session: SessionKey,
    /// What happens to unpublished work.
    pub mode: StopMode,
    /// Why.
    pub reason: Reason,
}

impl Call for StopSession {
    const PATH: &'static str = "/stop_session";
    type Reply = bool;
}

/// Tells a session to commit, push and report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WrapUpSession {
    /// The town.
    pub town_id: TownId,
    /// Which session.
    pub session: SessionKey,
    /// Why.
    pub reason: Reason,
}

impl Call for WrapUpSession {
    const PATH: &'static str = "/wrap_up_session";
    type Reply = ();
}

/// Pushes messages into a session; none when the runtime did not answer or does not have it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PushToSession {
    /// The town.
    pub town_id: TownId,
    /// Which session.
    pub session: SessionKey,
    /// Oldest first.
    pub messages: Vec<Message>,
}

impl Call for PushToSession {
    const PATH: &'static str = "/push_to_session";
    type Reply = Option<PushedMessages>;
}

/// Runs a job; none when the runtime did not answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunJob {
    /// The town.
    pub town_id: TownId,
    /// What to run.
    pub order: JobOrder,
}

impl Call for RunJob {
    const PATH: &'static str = "/run_job";
    type Reply = Option<JobAnswer>;
}

/// Cancels a job that is not wanted any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CancelJob {
    /// The town.
    pub town_id: TownId,
    /// Which.
    pub job_id: JobId,
}

impl Call for CancelJob {
    const PATH: &'static str = "/cancel_job";
    type Reply = ();
}

/// Lets the runtime look at a repository; the answer comes as a `repo` fact.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckRepo {
    /// The town.
    pub town_id: TownId,
    /// Which.
    pub rig_id: RigId,
    /// Where it lives.
    pub git_url: String,
    /// Its default branch.
    pub default_branch: String,
}

impl Call for CheckRepo {
    const PATH: &'static str = "/check_repo";
    type Reply = ();
}

/// The town is gone: sessions are ended, what is kept about it is removed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Forget {
    /// The town.
    pub town_id: TownId,
}

impl Call for Forget {
    const PATH: &'static str = "/forget";
    type Reply = ();
}

/// Settings or rigs changed: the runtime is told, if one is attached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reconfigure {
    /// The town.
    pub town_id: TownId,
}

impl Call for Reconfigure {
    const PATH: &'static str = "/reconfigure";
    type Reply = ();
}

/// Whether this is the town's present runtime: refused when another instance owns the town, or the token's generation
/// is over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckRuntime {
    /// The token's instance.
    pub instance_id: InstanceId,
    /// The token's generation.
    pub generation: u64,
}

impl Call for CheckRuntime {
    const PATH: &'static str = "/check_runtime";
    type Reply = ();
}

/// `POST T/runtime/register`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuntimeRegisters {
    /// What it says.
    pub register: Register,
}

impl Call for RuntimeRegisters {
    const PATH: &'static str = "/runtime_registers";
    type Reply = RegisterReply;
}

/// `POST T/runtime/facts`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuntimeReports {
    /// What it says.
    pub facts: Facts,
}

impl Call for RuntimeReports {
    const PATH: &'static str = "/runtime_reports";
    type Reply = FactsReply;
}

/// `POST T/runtime/heartbeat`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuntimeBeats {
    /// What it says.
    pub heartbeat: Heartbeat,
}

impl Call for RuntimeBeats {
    const PATH: &'static str = "/runtime_beats";
    type Reply = HeartbeatReply;
}

/// `POST T/runtime/outcomes`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuntimeEnds {
    /// What it says.
    pub outcomes: Outcomes,
}

impl Call for RuntimeEnds {
    const PATH: &'static str = "/runtime_ends";
    type Reply = OutcomesReply;
}

/// `POST T/runtime/events`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuntimeShows {
    /// What it says.
    pub events: EventBatches,
}

impl Call for RuntimeShows {
    const PATH: &'static str = "/runtime_shows";
    type Reply = EventsReply;
}

/// `POST R/agent-events`: events that nobody numbered; the numbers of the batch are given here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AppendEvents {
    /// What it says.
    pub batch: EventBatch,
}

impl Call for AppendEvents {
    const PATH: &'static str = "/append_events";
    type Reply = ();
}

/// `POST T/runtime/agent-tokens`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RenewTokens {
    /// For these sessions.
    pub sessions: Vec<Ref>,
}

impl Call for RenewTokens {
    const PATH: &'static str = "/renew_tokens";
    type Reply = Vec<AgentToken>;
}

/// `POST T/refresh-container-token`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RefreshToken {
    /// The token's instance.
    pub instance_id: InstanceId,
    /// Whether the token had ended.
    pub was_late: bool,
}

impl Call for RefreshToken {
    const PATH: &'static str = "/refresh_token";
    type Reply = ContainerToken;
}

/// Path of the agent channel, which is no JSON: the body is a [`super::stream::Wanted`].
pub const STREAM: &str = "/stream";

/// A ticket for one stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MintTicket {
    /// `town_events`, `agent_stream` or `status_ws`.
    pub purpose: String,
    /// Of this agent only.
    pub agent_id: Option<AgentId>,
    /// Whom it stands for.
    pub guard: Guard,
}

impl Call for MintTicket {
    const PATH: &'static str = "/mint_ticket";
    type Reply = Ticket;
}

/// A ticket as its bearer gets it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ticket {
    /// Opaque.
    pub ticket: String,
    /// By wall time.
    pub expires_at: Timestamp,
}

/// A ticket is used; the reply is whom it stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UseTicket {
    /// Opaque.
    pub ticket: String,
    /// What it shall open.
    pub purpose: String,
    /// Whose stream.
    pub agent_id: Option<AgentId>,
}

impl Call for UseTicket {
    const PATH: &'static str = "/use_ticket";
    type Reply = Guard;
}

/// **RuntimeStatus**.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShowRuntime {}

impl Call for ShowRuntime {
    const PATH: &'static str = "/show_runtime";
    type Reply = RuntimeStatus;
}

/// Transcript events of an agent, ascending.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListTranscript {
    /// Whose.
    pub agent_id: AgentId,
    /// Only later ones.
    pub after_id: Option<u64>,
    /// Only earlier ones.
    pub before_id: Option<u64>,
    /// Only of this session.
    pub assignment_id: Option<AssignmentId>,
    /// At most so many.
    pub limit: u32,
}

impl Call for ListTranscript {
    const PATH: &'static str = "/list_transcript";
    type Reply = Vec<AgentEvent>;
}

/// **AgentEvent**.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct AgentEvent {
    pub id: u64,
    pub agent_id: AgentId,
    pub event_type: String,
    pub data: serde_json::Value,
    pub created_at: Timestamp,
    pub assignment_id: Option<AssignmentId>,
    pub seq: u64,
}
