//! What the Town and its Rigs say to each other (domain.md 11): numbered messages, kept until acknowledged, applied once
//! and in order. Both aggregates build on this module; neither names the other. On their way, messages name their variant
//! as the one field of an object; a tag among the fields would make every reader keep a copy of them first.

mod convoy;
mod moved;
mod outbox;
mod triage;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::breaker::BreakerState;
use crate::config::EffectiveRig;
use crate::id::{AgentId, AssignmentId, BeadId, ConvoyId, InstanceId, MailId, RigId};
use crate::models::{RigModels, TownModels};
use crate::session::{Kind, Usage};
use crate::sorted::SortedMap;
use crate::text_enum;
use crate::time::Timestamp;

pub use convoy::{
    BeadStatus, Cancel, CancelBeads, CreateBeads, EdgeState, LandingProgress, LandingReport, OpenLanding, TaskBead,
    TaskEdge, TaskShown, TaskStatus, TaskWait, is_feature_branch, is_feature_branch_of,
};
pub use moved::MovedBead;
pub use outbox::{Batch, BatchReply, Numbered, Outbox, OutboxRow, news};
pub use triage::{EscalationAnswered, TriageAction, TriageItem, TriageResolved};

text_enum! {
    /// Urgency of a bead; orders work within a rig and within the town.
    pub enum Priority {
        Low = "low",
        Medium = "medium",
        High = "high",
        Critical = "critical",
    }
}

impl Priority {
    /// The number that SQL keeps (domain.md 2.1).
    pub const fn level(self) -> i64 {
        self as i64
    }

    /// The priority that SQL kept; an unknown number reads as medium, so that one bad row cannot stop a rig.
    pub const fn from_level(level: i64) -> Self {
        match level {
            0 => Self::Low,
            2 => Self::High,
            3 => Self::Critical,
            _ => Self::Medium,
        }
    }
}

/// Town → Rig.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TownToRig {
    /// The rig's effective settings under a version; replaces an unsent older one.
    Configure(Box<Configure>),
    /// Tasks of a convoy in this rig.
    CreateBeads(Box<CreateBeads>),
    /// The convoy of these beads starts.
    StartBeads {
        /// Which convoy.
        convoy_id: ConvoyId,
        /// Its staged tasks.
        bead_ids: Vec<BeadId>,
    },
    /// The convoy goes on without this failed task: its edges are waived.
    SkipBead {
        /// Which convoy.
        convoy_id: ConvoyId,
        /// Which task.
        bead_id: BeadId,
    },
    /// Failed tasks get another attempt.
    RetryBeads {
        /// Which convoy.
        convoy_id: ConvoyId,
        /// Which tasks.
        bead_ids: Vec<BeadId>,
        /// Who decided it.
        actor: String,
    },
    /// The convoy is over for these beads.
    CancelBeads(Box<CancelBeads>),
    /// A dependency holds its bead back no more.
    GateOpened {
        /// Who waits.
        bead_id: BeadId,
        /// For whom.
        blocker_id: BeadId,
        /// Nobody waits for the blocker any more; it need not be closed.
        waived: bool,
    },
    /// What this bead waits for has failed.
    GateFailed {
        /// Who waits.
        bead_id: BeadId,
        /// For whom.
        blocker_id: BeadId,
    },
    /// What this bead waits for is tried again.
    GatePending {
        /// Who waits.
        bead_id: BeadId,
        /// For whom.
        blocker_id: BeadId,
    },
    /// A convoy's branch shall reach the merge target.
    OpenLanding(Box<OpenLanding>),
    /// Permission to start one session.
    GrantSlot {
        /// Which.
        assignment_id: AssignmentId,
        /// It is the one session that a half-open breaker lets through.
        probe: bool,
    },
    /// What holds for the whole town; replaces an unsent older one.
    TownState(TownState),
    /// Mail from outside of the rig to one of its agents.
    DeliverMail(Box<DeliverMail>),
    /// Work is told to finish because a budget is used up: the town's of the day, or a convoy's.
    WrapUp {
        /// Only work of this convoy.
        convoy_id: Option<ConvoyId>,
        /// Why, for people.
        message: String,
    },
    /// Matters to decide, as one bead for one agent.
    RunTriage {
        /// The bead of the batch.
        batch_id: BeadId,
        /// At most 20, oldest first.
        requests: Vec<TriageItem>,
    },
    /// Somebody answered an escalation.
    EscalationAnswered(Box<EscalationAnswered>),
    /// A bead that was another rig's.
    AdoptBead(Box<MovedBead>),
    /// A question that needs no answer: any call re-arms the rig's alarm (domain.md 9.1, T23).
    Ping,
}

/// Settings of a rig as its rules read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Configure {
    /// Version of the town's and the rig's documents together; grows.
    pub version: u64,
    /// Grows with every change of a secret.
    pub secrets_version: u64,
    /// Where the repository lives.
    pub git_url: String,
    /// Its default branch.
    pub default_branch: String,
    /// Branch that work is merged into.
    pub target_branch: String,
    /// Effective settings.
    pub config: EffectiveRig,
    /// Model settings of the town.
    pub town_models: TownModels,
    /// Model settings of the rig.
    pub rig_models: RigModels,
}

/// What holds for the whole town.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TownState {
    /// Nothing new starts because a person said so.
    pub paused: bool,
    /// Nothing new starts because the runtime is ending.
    pub draining: bool,
    /// Whatever is running is asked to end as well.
    #[serde(default)]
    pub stop_running: bool,
    /// The town's breaker, unless it is closed.
    pub breaker: Option<TownBreaker>,
    /// The town's budget of the day is used up.
    pub budget_reached: bool,
    /// When the next day begins, while it is used up.
    pub budget_until: Option<Timestamp>,
    /// Convoys whose budget is used up.
    #[serde(default)]
    pub exhausted_convoys: Vec<ConvoyId>,
    /// The runtime's present life.
    pub instance_id: Option<InstanceId>,
    /// Credentials of an older generation were revoked.
    #[serde(default)]
    pub credential_gen: u64,
}

/// A breaker of the town that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TownBreaker {
    /// Open, or half-open: then one session in the whole town may start.
    pub state: BreakerState,
    /// Open: when one session may probe.
    pub until: Option<Timestamp>,
    /// Why it opened, in words.
    pub message: String,
}

/// Rig → Town.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RigToTown {
    /// A queued assignment needs a session slot.
    SlotAsked {
        /// Which.
        assignment_id: AssignmentId,
        /// For what.
        bead_id: BeadId,
        /// Its convoy.
        convoy_id: Option<ConvoyId>,
        /// What it is for.
        assignment_kind: Kind,
        /// Order in the town.
        priority: Priority,
        /// Order among equals: creation of the work's root.
        age_at: Timestamp,
    },
    /// The assignment needs its slot no more.
    SlotReleased {
        /// Which.
        assignment_id: AssignmentId,
    },
    /// A start failed; the town's breaker counts those that a repeat might mend.
    StartFailed {
        /// Which.
        assignment_id: AssignmentId,
        /// Why, as a machine word.
        code: String,
        /// Why, in words.
        message: String,
        /// Whether the same start may succeed later.
        is_retryable: bool,
        /// It was the one session that the town's half-open breaker let through.
        is_probe: bool,
    },
    /// A session runs.
    StartSucceeded {
        /// Which.
        assignment_id: AssignmentId,
    },
    /// How a task of a convoy is; replaces an unsent older one about the same bead.
    TaskStatus(Box<TaskStatus>),
    /// A bead is no task of this convoy any more: it was deleted, or never could join.
    TaskGone {
        /// Which convoy.
        convoy_id: ConvoyId,
        /// Which bead.
        bead_id: BeadId,
    },
    /// How a landing is; replaces an unsent older one about the same bead.
    LandingState(LandingReport),
    /// What is live in the rig; replaces an unsent older one.
    Activity(Activity),
    /// What the rig has spent; replaces an unsent older one.
    Usage(Spending),
    /// A person should see this.
    EscalationRaised(Box<Escalation>),
    /// The cause is gone.
    EscalationCleared {
        /// Its key.
        dedup_key: String,
    },
    /// An agent's trouble that triage shall settle before a person has to.
    TriageAsked(Box<TriageAsked>),
    /// Mail of an agent to somebody outside of the rig.
    MailOut(Box<MailOut>),
    /// The agent of a batch decided one.
    TriageResolved(Box<TriageResolved>),
    /// The bead of a batch ended; what it left undecided waits again.
    TriageEnded {
        /// Which.
        batch_id: BeadId,
    },
    /// This bead belongs to another rig from now on.
    BeadMoved {
        /// Which rig.
        to: RigId,
        /// The bead.
        bead: Box<MovedBead>,
    },
    /// Rows for the town's feed and live stream.
    Feed {
        /// In order.
        frames: Vec<Frame>,
    },
}

/// What a rig has spent, as totals that only grow: of the newest days, and of the convoys with live work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spending {
    /// By day in UTC, as `2026-11-20`.
    pub days: SortedMap<String, Usage>,
    /// By convoy, over all its time.
    pub convoys: SortedMap<ConvoyId, Usage>,
}

/// What is live in a rig.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Assignments that hold or want a slot.
    pub live: Vec<AssignmentId>,
    /// How many of them are queued.
    pub queued: u32,
    /// Live jobs of the runtime.
    pub jobs: u32,
    /// When the rig will look again by itself, if nothing is live.
    pub next_deadline: Option<Timestamp>,
}

impl Activity {
    /// A rig needs the runtime while an assignment or a job is live (domain.md 6.2).
    pub fn needs_container(&self) -> bool {
        !self.live.is_empty() || self.jobs > 0
    }
}

text_enum! {
    /// How loudly an escalation calls.
    pub enum Severity {
        Low = "low",
        Medium = "medium",
        High = "high",
        Critical = "critical",
    }
}

/// Something that a person should see (domain.md 9.6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Escalation {
    /// A repeat while open counts, and makes no second row.
    pub dedup_key: String,
    /// How loudly.
    pub severity: Severity,
    /// Group for filters: `bead`, `review`, `runtime`.
    pub category: String,
    /// One machine word.
    pub code: String,
    /// One line.
    pub title: String,
    /// What happened and what can be done.
    pub message: String,
    /// About this bead.
    pub bead_id: Option<BeadId>,
    /// About this agent.
    pub agent_id: Option<AgentId>,
    /// About this assignment.
    pub assignment_id: Option<AssignmentId>,
    /// About this convoy.
    pub convoy_id: Option<ConvoyId>,
    /// What a person may choose.
    pub choices: Vec<String>,
}

text_enum! {
    /// What a triage request is about (domain.md 9.6).
    pub enum TriageKind {
        StuckAgent = "stuck_agent",
        Escalation = "escalation",
    }
}

/// An ambiguous case, with what it was about when it arose (domain.md 9.6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriageAsked {
    /// Identity; a repeat is the same request.
    pub request_id: BeadId,
    /// What it is about. The message that carries it has a `kind` already.
    #[serde(rename = "about")]
    pub kind: TriageKind,
    /// The agent concerned …
    pub agent_id: Option<AgentId>,
    /// … on this bead …
    pub bead_id: Option<BeadId>,
    /// … in this session; an action touches no other.
    pub assignment_id: Option<AssignmentId>,
    /// Actions that are offered.
    pub options: Vec<String>,
    /// What is known, for whoever decides.
    pub context: Value,
}

text_enum! {
    /// Who a mail is from.
    pub enum MailParty {
        Agent = "agent",
        User = "user",
        Mayor = "mayor",
        System = "system",
    }
}

/// Who a mail that leaves its rig is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MailTo {
    /// The mayor.
    Mayor,
    /// A person.
    User(String),
    /// An agent of another rig.
    Agent {
        /// Its rig.
        rig_id: RigId,
        /// Who.
        agent_id: AgentId,
    },
}

/// Mail that leaves a rig (domain.md 11); the Town brings it to its receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailOut {
    /// Identity; a repeat is the same mail.
    pub mail_id: MailId,
    /// The agent that writes.
    pub from_agent: AgentId,
    /// Its name, for people.
    pub from_name: String,
    /// To whom.
    pub to: MailTo,
    /// First mail of the thread.
    pub thread_id: MailId,
    /// The mail that it answers.
    pub reply_to: Option<MailId>,
    /// One line.
    pub subject: String,
    /// Text.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
}

/// Mail that enters a rig (domain.md 11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverMail {
    /// Identity; a repeat is the same mail.
    pub mail_id: MailId,
    /// Kind of the sender.
    pub from_kind: MailParty,
    /// Who writes: an agent's id, a user's, `mayor`.
    pub from_id: String,
    /// To this agent of the rig.
    pub to_agent: AgentId,
    /// First mail of the thread.
    pub thread_id: MailId,
    /// The mail that it answers.
    pub reply_to: Option<MailId>,
    /// One line.
    pub subject: String,
    /// Text.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
}

/// One frame of the town channel (api.md 6.2), made in the commit that changed the row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// `bead.updated`, `agent.updated`, `activity`, …
    pub frame: String,
    /// The row's wire shape.
    pub data: Value,
}

/// A message that knows whether a newer one makes it pointless.
pub trait Subject {
    /// State messages with the same subject replace each other while unsent.
    fn subject(&self) -> Option<String>;
}

impl Subject for TownToRig {
    fn subject(&self) -> Option<String> {
        match self {
            Self::Configure(_) => Some("configure".to_owned()),
            Self::TownState(_) => Some("town_state".to_owned()),
            Self::Ping => Some("ping".to_owned()),
            Self::CreateBeads(_)
            | Self::StartBeads { .. }
            | Self::SkipBead { .. }
            | Self::RetryBeads { .. }
            | Self::CancelBeads(_)
            | Self::GateOpened { .. }
            | Self::GateFailed { .. }
            | Self::GatePending { .. }
            | Self::OpenLanding(_)
            | Self::AdoptBead(_)
            | Self::DeliverMail(_)
            | Self::WrapUp { .. }
            | Self::RunTriage { .. }
            | Self::EscalationAnswered(_)
            | Self::GrantSlot { .. } => None,
        }
    }
}

impl Subject for RigToTown {
    fn subject(&self) -> Option<String> {
        match self {
            Self::Activity(_) => Some("activity".to_owned()),
            Self::Usage(_) => Some("usage".to_owned()),
            Self::TaskStatus(status) => Some(format!("task:{}", status.bead_id)),
            Self::LandingState(report) => Some(format!("landing:{}", report.bead_id)),
            Self::TaskGone { .. }
            | Self::SlotAsked { .. }
            | Self::SlotReleased { .. }
            | Self::StartFailed { .. }
            | Self::StartSucceeded { .. }
            | Self::EscalationRaised(_)
            | Self::EscalationCleared { .. }
            | Self::TriageAsked(_)
            | Self::MailOut(_)
            | Self::TriageResolved(_)
            | Self::TriageEnded { .. }
            | Self::BeadMoved { .. }
            | Self::Feed { .. } => None,
        }
    }
}
