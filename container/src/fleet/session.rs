//! One session as everybody sees it: its order, its places, its status. The actor alone changes the status; the broker,
//! the control server and the heartbeat read it. Nothing here awaits.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gastown_core::text::slug;
use gastown_core::time::Timestamp;
use gastown_core::wire::control::{Kind, Reason, SavedWork, SessionView, StartOrder};
use gastown_core::wire::report::{AgentBeat, AgentState, OutcomeKind, Ref, Step};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

use super::inbox::Inbox;
use super::machine::{Activity, Input, State};
use super::process::LogRing;
use crate::broker::llm::Gauge;
use crate::broker::meter::Totals;
use crate::kilo;
use crate::report::events::Ring;
use crate::secret::Secret;

/// Something that the actor has to look at: the closed list of all that can move a session.
#[derive(Debug)]
pub enum Signal {
    /// An input of the machine.
    Machine(Input),
    /// A kilo server is ready and its session known.
    Booted(Box<super::boot::Booted>),
    /// An event of kilo's stream; the number says of which server.
    Kilo(u32, kilo::events::Event),
    /// The event stream ended.
    StreamEnded(u32),
    /// The server exited; the text says how.
    Exited(u32, String),
    /// A message waits.
    Inbox,
    /// The Worker says that this assignment is over.
    Stale,
    /// The model gateway saw a loop without end.
    Runaway,
}

/// Folders of one session.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Removed with the session.
    pub dir: PathBuf,
    /// Where the agent works.
    pub work_dir: PathBuf,
    /// kilo's database; the mayor's outlives its sessions.
    pub data_dir: PathBuf,
}

impl Paths {
    /// The folders of an order, below the town's.
    pub fn of(town_dir: &Path, order: &StartOrder) -> Self {
        let assignment = order.assignment.assignment_id;
        let dir = town_dir.join("sessions").join(assignment.to_string());
        let work_dir = match (order.kind, order.assignment.rig_id.rig()) {
            (Kind::Mayor, _) => town_dir.join("mayor").join("desk"),
            (Kind::Triage, _) | (_, None) => town_dir.join("light").join(assignment.to_string()),
            (_, Some(rig)) => {
                let name = format!("{}-{}", slug(&order.agent.name), assignment.short());
                town_dir.join("rigs").join(rig.to_string()).join("work").join(name)
            }
        };
        let data_dir = match order.kind {
            Kind::Mayor => town_dir.join("mayor").join("data"),
            Kind::Work
            | Kind::Rework
            | Kind::Review
            | Kind::Landing
            | Kind::Conflict
            | Kind::Feedback
            | Kind::Fixup
            | Kind::Triage => dir.join("data"),
        };
        Self { dir, work_dir, data_dir }
    }
}

/// What is known about a session at this moment.
#[derive(Debug, Clone)]
pub struct Status {
    /// Where the machine is.
    pub state: State,
    /// When that began.
    pub since: Timestamp,
    /// When the activity began.
    pub state_since: Timestamp,
    /// kilo's session.
    pub session_id: Option<String>,
    /// Restarts in place.
    pub restarts: u32,
    /// Process group of the server.
    pub pid: Option<i32>,
    /// Saved unpublished work.
    pub saved: Option<SavedWork>,
    /// Commit last verified on the remote.
    pub pushed: Option<String>,
    /// Newest local commit at the end.
    pub head: Option<String>,
    /// Whether something was uncommitted at the end.
    pub dirty: Option<bool>,
    /// Whether the Worker took `done` or a verdict.
    pub has_result: bool,
    /// Tool that runs, and since when.
    pub tool: Option<(String, Timestamp)>,
    /// Messages of the conversation.
    pub messages: u64,
    /// Newest event of the agent and when.
    pub last_event: Option<(String, Timestamp)>,
    /// Newest progress.
    pub last_progress: Option<Timestamp>,
    /// Resident bytes.
    pub rss_bytes: u64,
    /// Newest error.
    pub last_error: Option<String>,
}

/// What survives a crash of the runtime; holds no secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Which session.
    pub session: Ref,
    /// Its kind.
    pub kind: Kind,
    /// Remote of its repository.
    pub git_url: Option<String>,
    /// Default branch of its repository.
    pub default_branch: Option<String>,
    /// Work branch.
    pub branch: Option<String>,
    /// First digits of bead and assignment: names the ref of saved work.
    pub save_name: String,
    /// Where the agent works.
    pub work_dir: PathBuf,
    /// Server process and the clock ticks of its start.
    pub process: Option<(i32, u64)>,
    /// kilo's session.
    pub session_id: Option<String>,
    /// Totals so far.
    pub tokens: gastown_core::wire::control::Tokens,
    /// Dollars so far.
    pub cost_usd: Option<f64>,
}

/// One session.
pub struct Session {
    /// Which.
    pub reference: Ref,
    /// What was ordered; its token and its environment's values are kept apart.
    pub order: StartOrder,
    /// Its folders.
    pub paths: Paths,
    /// Opens the broker.
    pub capability: Secret,
    /// Environment of its processes, without what only kilo's server gets.
    pub env: Vec<(String, String)>,
    /// Output of its server.
    pub log: Arc<LogRing>,
    /// Waiting messages.
    pub inbox: Mutex<Inbox>,
    /// What its models cost.
    pub totals: Mutex<Totals>,
    /// Load and failures of its model requests.
    pub llm: Gauge,
    /// Transcript that waits to be sent.
    pub events: Mutex<Ring>,
    status: Mutex<Status>,
    token: Mutex<Secret>,
    saving: AtomicBool,
    signals: UnboundedSender<Signal>,
}

impl Session {
    /// A session whose order was accepted.
    pub fn new(
        mut order: StartOrder,
        paths: Paths,
        capability: Secret,
        env: Vec<(String, String)>,
        now: Timestamp,
        signals: UnboundedSender<Signal>,
    ) -> Arc<Self> {
        let token = Secret::new(std::mem::take(&mut order.token));
        order.env.clear();
        let assignment = &order.assignment;
        let reference = Ref {
            rig_id: assignment.rig_id,
            agent_id: assignment.agent_id,
            assignment_id: assignment.assignment_id,
            epoch: assignment.epoch,
        };
        let status = Status {
            state: State::Preparing(Step::Accepted),
            since: now,
            state_since: now,
            session_id: None,
            restarts: 0,
            pid: None,
            saved: None,
            pushed: None,
            head: None,
            dirty: None,
            has_result: false,
            tool: None,
            messages: 0,
            last_event: None,
            last_progress: None,
            rss_bytes: 0,
            last_error: None,
        };
        Arc::new(Self {
            reference,
            log: Arc::new(LogRing::new(Some(paths.dir.join("kilo.log")))),
            inbox: Mutex::new(Inbox::new(Some(paths.dir.join("inbox.jsonl")))),
            totals: Mutex::default(),
            llm: Gauge::default(),
            events: Mutex::default(),
            status: Mutex::new(status),
            token: Mutex::new(token),
            saving: AtomicBool::new(false),
            order,
            paths,
            capability,
            env,
            signals,
        })
    }

    /// Tells the actor something; one that ended does not listen.
    pub fn signal(&self, signal: Signal) {
        let _ended = self.signals.send(signal);
    }

    /// The agent's token for the Worker.
    pub fn token(&self) -> Secret {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Uses another token from here on.
    pub fn set_token(&self, token: Secret) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// The status, to read or (by the actor and the result handler) to change.
    pub fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Totals of the model proxy.
    pub fn totals(&self) -> Totals {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is over.
    pub fn is_ended(&self) -> bool {
        matches!(self.status().state, State::Ended(_))
    }

    /// Whether it is over or on its way there.
    pub fn is_finishing(&self) -> bool {
        matches!(self.status().state, State::Ended(_) | State::Stopping(..))
    }

    /// Lets saved work through the gateway while true.
    pub fn set_saving(&self, saving: bool) {
        self.saving.store(saving, Ordering::SeqCst);
    }

    /// Whether the runtime saves its work.
    pub fn is_saving(&self) -> bool {
        self.saving.load(Ordering::SeqCst)
    }

    /// Branch that it may push.
    pub fn push_branch(&self) -> Option<&str> {
        self.order.branch.as_deref().filter(|_| self.order.kind.may_push())
    }

    /// First digits of bead and assignment: names the ref of saved work.
    pub fn save_name(&self) -> String {
        let bead = self.order.assignment.bead_id.map_or_else(|| "none".to_owned(), |bead| bead.short());
        format!("{bead}/{}", self.reference.assignment_id.short())
    }

    /// Where its unpublished work goes.
    pub fn save_refs(&self) -> [String; 2] {
        let name = self.save_name();
        [format!("refs/gastown/wip/{name}"), format!("refs/heads/gastown/{name}")]
    }

    /// What survives a crash of the runtime.
    pub fn record(&self) -> Record {
        let (status, totals) = (self.status(), self.totals());
        let process = status.pid.and_then(super::tree::process).map(|process| (process.pid, process.started));
        Record {
            session: self.reference,
            kind: self.order.kind,
            git_url: self.order.repo.as_ref().map(|repo| repo.git_url.clone()),
            default_branch: self.order.repo.as_ref().map(|repo| repo.default_branch.clone()),
            branch: self.push_branch().map(str::to_owned),
            save_name: self.save_name(),
            work_dir: self.paths.work_dir.clone(),
            process,
            session_id: status.session_id.clone(),
            tokens: totals.tokens,
            cost_usd: totals.cost_usd(),
        }
    }

    /// Writes the record; a full disk costs the recovery, not the session.
    pub fn write_record(&self) {
        let text = serde_json::to_string(&self.record()).unwrap_or_default();
        if let Err(error) = std::fs::write(self.paths.dir.join("session.json"), text) {
            tracing::warn!(error = %error, "the session's record could not be written");
        }
    }

    /// As the control API shows it.
    pub fn view(&self) -> SessionView {
        let totals = self.totals();
        let status = self.status();
        let (phase, step, state) = phases(&status.state);
        let (outcome, reason) = match &status.state {
            State::Ended(Some(cause)) => (Some(cause.outcome), Some(cause.reason.clone())),
            State::Ended(None) => (None, status.last_error.as_ref().map(|message| reason("start_failed", message))),
            State::Stopping(cause, _) => (None, Some(cause.reason.clone())),
            State::Preparing(_) | State::Ready(_) | State::Restarting => (None::<OutcomeKind>, None),
        };
        SessionView {
            assignment_id: self.reference.assignment_id,
            epoch: self.reference.epoch,
            rig_id: self.reference.rig_id,
            agent_id: self.reference.agent_id,
            kind: self.order.kind,
            phase: phase.to_owned(),
            step,
            state,
            since: status.since,
            model: self.order.model.clone(),
            session_id: status.session_id.clone(),
            tokens: totals.tokens,
            cost_usd: totals.cost_usd(),
            rss_bytes: status.rss_bytes,
            restarts: status.restarts,
            saved: status.saved.clone(),
            outcome,
            reason,
        }
    }

    /// As a heartbeat shows it.
    pub fn beat(&self) -> AgentBeat {
        let totals = self.totals();
        let status = self.status();
        let (_, _, state) = phases(&status.state);
        let window = self.order.model_limits.get(&self.order.model).map(|limit| limit.context);
        AgentBeat {
            session: self.reference,
            state: state.unwrap_or(AgentState::Starting),
            state_since: status.state_since,
            model: self.order.model.clone(),
            current_tool: status.tool.as_ref().map(|(name, _)| name.clone()),
            tool_since: status.tool.as_ref().map(|(_, since)| *since),
            message_count: status.messages,
            last_event_type: status.last_event.as_ref().map(|(name, _)| name.clone()),
            last_event_at: status.last_event.as_ref().map(|(_, at)| *at),
            last_progress_at: status.last_progress,
            tokens: totals.tokens,
            cost_usd: totals.cost_usd(),
            context_used_percent: window
                .filter(|window| *window > 0)
                .and_then(|window| u32::try_from((totals.context * 100 / window).min(100)).ok()),
            rss_bytes: status.rss_bytes,
            restarts: status.restarts,
            last_error: status.last_error.clone(),
        }
    }
}

/// Phase, step and state on the wire (container.md 6.1).
fn phases(state: &State) -> (&'static str, Option<Step>, Option<AgentState>) {
    match state {
        State::Preparing(step) => ("starting", Some(*step), Some(AgentState::Starting)),
        State::Ready(Activity::Busy) => ("running", None, Some(AgentState::Busy)),
        State::Ready(Activity::Idle) => ("running", None, Some(AgentState::Idle)),
        State::Ready(Activity::Retrying) => ("running", None, Some(AgentState::Retrying)),
        State::Ready(Activity::Blocked) => ("running", None, Some(AgentState::Blocked)),
        State::Restarting => ("running", None, Some(AgentState::Starting)),
        State::Stopping(..) => ("finishing", None, Some(AgentState::Busy)),
        State::Ended(_) => ("ended", None, None),
    }
}

/// A reason of our own.
pub fn reason(code: &str, message: &str) -> Reason {
    Reason { code: code.to_owned(), message: message.to_owned() }
}
