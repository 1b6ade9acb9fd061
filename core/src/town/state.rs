//! Everything the town's rules look at, as one value. Delivered messages, closed escalations and the activity feed stay
//! in SQL only.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::{RigConfig, TownConfig};
use crate::id::{AgentId, AssignmentId, BeadId, ConvoyId, EscalationId, InstanceId, MessageId, RigId, TownId};
use crate::models::{ModelId, ModelReason};
use crate::protocol::{Activity, Outbox, Priority, Severity, TownState, TownToRig};
use crate::session::Kind;
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// Life of a town.
    pub enum TownStatus {
        Active = "active",
        Paused = "paused",
        Deleting = "deleting",
    }
}

text_enum! {
    /// Who owns a town.
    pub enum AccountKind {
        User = "user",
        Org = "org",
    }
}

/// The town's own row (domain.md 2.3).
#[derive(Debug, Clone, PartialEq)]
pub struct Town {
    /// Identity.
    pub town_id: TownId,
    /// For people.
    pub name: String,
    /// Kind of the owner.
    pub account_kind: AccountKind,
    /// The owner.
    pub account_id: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Newest change.
    pub updated_at: Timestamp,
    /// Life.
    pub status: TownStatus,
    /// Settings, without the values of secrets.
    pub config: TownConfig,
    /// Grows with every change of the settings.
    pub config_version: u64,
    /// Grows with every change of a secret.
    pub secrets_version: u64,
    /// Tokens of an older generation are refused.
    pub credential_gen: u64,
    /// The next mayor session's epoch.
    pub next_epoch: u64,
    /// Grows with every write.
    pub version: u64,
}

/// One repository of the town (domain.md 2.3, `rigs`).
#[derive(Debug, Clone, PartialEq)]
pub struct RigEntry {
    /// Identity.
    pub rig_id: RigId,
    /// Shortest prefix of the id that is unique in the town, at least 8 digits.
    pub tag: String,
    /// For people; unique in the town without regard to case.
    pub name: String,
    /// Where it lives.
    pub git_url: String,
    /// Its default branch.
    pub default_branch: String,
    /// Branch that work is merged into; the default branch when absent.
    pub target_branch: Option<String>,
    /// What it is for; stands in the mayor's prompt.
    pub purpose: Option<String>,
    /// Installation of a forge's app.
    pub integration_id: Option<String>,
    /// Its own settings.
    pub config: RigConfig,
    /// Grows with every change of them, and of the branches.
    pub config_version: u64,
    /// Life.
    pub status: TownStatus,
    /// Result of the last access check, as the API shows it.
    pub access: Value,
    /// What the rig last said is live.
    pub activity: Activity,
    /// When it said so.
    pub reported_at: Option<Timestamp>,
    /// When it was connected.
    pub created_at: Timestamp,
    /// Newest change.
    pub updated_at: Timestamp,
    /// Grows with every write.
    pub version: u64,
}

impl RigEntry {
    /// Branch that work is merged into.
    pub fn target(&self) -> &str {
        self.target_branch.as_deref().unwrap_or(&self.default_branch)
    }
}

/// The permission for one session, asked or granted (domain.md 2.3, `slots`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// For which assignment.
    pub assignment_id: AssignmentId,
    /// Of which rig.
    pub rig_id: RigId,
    /// For which bead.
    pub bead_id: BeadId,
    /// Its convoy.
    pub convoy_id: Option<ConvoyId>,
    /// What it is for.
    pub kind: Kind,
    /// Order in the town.
    pub priority: Priority,
    /// Order among equals.
    pub age_at: Timestamp,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was granted.
    pub granted_at: Option<Timestamp>,
    /// The one session that a half-open breaker lets through.
    pub is_probe: bool,
}

text_enum! {
    /// Where the mayor's session is.
    pub enum MayorPhase {
        Absent = "absent",
        Starting = "starting",
        Running = "running",
        Finishing = "finishing",
    }
}

text_enum! {
    /// What the mayor is doing between its session's start and end.
    pub enum MayorActivity {
        Waiting = "waiting",
        Working = "working",
    }
}

/// The mayor (domain.md 2.3).
#[derive(Debug, Clone, PartialEq)]
pub struct Mayor {
    /// Identity.
    pub agent_id: AgentId,
    /// `mayor-<town8>`.
    pub identity: String,
    /// Its session.
    pub assignment_id: Option<AssignmentId>,
    /// Fencing number of the session.
    pub epoch: u64,
    /// Where the session is.
    pub phase: MayorPhase,
    /// What it is doing.
    pub activity: MayorActivity,
    /// Since when.
    pub since: Timestamp,
    /// Resolved when it starts.
    pub model: Option<ModelId>,
    /// Resolved when it starts.
    pub small_model: Option<ModelId>,
    /// Why that model.
    pub reason: Option<ModelReason>,
    /// The runtime that accepted it.
    pub instance_id: Option<InstanceId>,
    /// Last start order.
    pub ordered_at: Option<Timestamp>,
    /// Believed alive until then without news.
    pub lease_until: Option<Timestamp>,
    /// End of the question that follows a lease.
    pub probe_until: Option<Timestamp>,
    /// Starts in a row that failed.
    pub start_failures: u32,
    /// End of the back-off.
    pub not_before: Option<Timestamp>,
    /// Why the last start failed, or the session ended with an error.
    pub error: Option<MayorError>,
    /// Newest message of a person.
    pub last_user_at: Option<Timestamp>,
    /// Newest sign of life.
    pub last_activity_at: Option<Timestamp>,
}

/// Why the mayor is not available, in words.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MayorError {
    /// Machine word.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

text_enum! {
    /// Who a message to the mayor is from.
    pub enum MessageSource {
        User = "user",
        System = "system",
        Agent = "agent",
    }
}

text_enum! {
    /// Where a message to the mayor is.
    pub enum MessageState {
        Queued = "queued",
        Sent = "sent",
        Delivered = "delivered",
    }
}

/// A message to the mayor (domain.md 2.3, `mayor_inbox`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayorMessage {
    /// Repeats are recognised by it.
    pub message_id: MessageId,
    /// Who it is from.
    pub source: MessageSource,
    /// Exactly who.
    pub source_id: Option<String>,
    /// Text.
    pub body: String,
    /// What the person looked at.
    pub ui_context: Option<String>,
    /// Where it is.
    pub state: MessageState,
    /// When it was written; orders the inbox.
    pub created_at: Timestamp,
    /// When it was last pushed.
    pub sent_at: Option<Timestamp>,
    /// When the session had it.
    pub delivered_at: Option<Timestamp>,
}

text_enum! {
    /// Whether the mayor is still at a message of its conversation.
    pub enum TurnState {
        Streaming = "streaming",
        Complete = "complete",
        Failed = "failed",
    }
}

text_enum! {
    /// Whether an escalation still calls.
    pub enum EscalationState {
        Open = "open",
        Acknowledged = "acknowledged",
        Resolved = "resolved",
    }
}

/// One row of the inbox of escalations (domain.md 2.3).
#[derive(Debug, Clone, PartialEq)]
pub struct Escalation {
    /// Identity.
    pub escalation_id: EscalationId,
    /// At most one is open per key.
    pub dedup_key: String,
    /// How loudly.
    pub severity: Severity,
    /// Group for filters.
    pub category: String,
    /// Machine word.
    pub code: String,
    /// One line.
    pub title: String,
    /// What happened and what can be done.
    pub message: String,
    /// About this rig.
    pub rig_id: Option<RigId>,
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
    /// Who raised it.
    pub raised_by: String,
    /// How often it was raised while open.
    pub count: u32,
    /// Whether it still calls.
    pub state: EscalationState,
    /// When it was raised first.
    pub created_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// By whom.
    pub closed_by: Option<String>,
    /// Grows with every write.
    pub version: u64,
}

/// The runtime as the town knows it, and its orderly end (domain.md 2.3, `drain`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drain {
    /// Whether the runtime is ending.
    pub is_draining: bool,
    /// Given to a new instance only; it ends the drain by naming it.
    pub nonce: Option<String>,
    /// The runtime's present life.
    pub instance_id: Option<InstanceId>,
    /// Since when it drains.
    pub started_at: Option<Timestamp>,
}

/// All rows the rules look at.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The town.
    pub town: Town,
    /// Its rigs.
    pub rigs: BTreeMap<RigId, RigEntry>,
    /// Asked and granted slots.
    pub slots: BTreeMap<AssignmentId, Slot>,
    /// The mayor.
    pub mayor: Mayor,
    /// Messages to the mayor that its session does not have.
    pub inbox: BTreeMap<MessageId, MayorMessage>,
    /// Open escalations by key.
    pub escalations: BTreeMap<String, Escalation>,
    /// The runtime.
    pub drain: Drain,
    /// Messages to each rig.
    pub outboxes: BTreeMap<RigId, Outbox<TownToRig>>,
    /// Newest number applied from each rig.
    pub applied: BTreeMap<RigId, u64>,
    /// What each rig was last told holds for the town; in memory only, so that a restart tells it again.
    pub told: BTreeMap<RigId, TownState>,
    /// The version of the settings that each rig was last sent; in memory only.
    pub configured: BTreeMap<RigId, (u64, u64)>,
    /// Whether the runtime's keeper was last told that it is needed; in memory only.
    pub needed: Option<bool>,
}

impl State {
    /// A new town with its mayor, without rigs.
    pub fn new(town: Town, mayor_id: AgentId) -> Self {
        let now = town.created_at;
        let identity = format!("mayor-{}", town.town_id.short());
        Self {
            town,
            rigs: BTreeMap::new(),
            slots: BTreeMap::new(),
            mayor: Mayor {
                agent_id: mayor_id,
                identity,
                assignment_id: None,
                epoch: 0,
                phase: MayorPhase::Absent,
                activity: MayorActivity::Waiting,
                since: now,
                model: None,
                small_model: None,
                reason: None,
                instance_id: None,
                ordered_at: None,
                lease_until: None,
                probe_until: None,
                start_failures: 0,
                not_before: None,
                error: None,
                last_user_at: None,
                last_activity_at: None,
            },
            inbox: BTreeMap::new(),
            escalations: BTreeMap::new(),
            drain: Drain::default(),
            outboxes: BTreeMap::new(),
            applied: BTreeMap::new(),
            told: BTreeMap::new(),
            configured: BTreeMap::new(),
            needed: None,
        }
    }

    /// What holds for the whole town.
    pub fn town_state(&self) -> TownState {
        TownState {
            paused: self.town.status == TownStatus::Paused,
            draining: self.drain.is_draining,
            breaker_until: None,
            budget_reached: false,
            instance_id: self.drain.instance_id,
        }
    }

    /// Messages that wait for the mayor, oldest first.
    pub fn waiting_messages(&self) -> Vec<&MayorMessage> {
        let mut waiting: Vec<&MayorMessage> =
            self.inbox.values().filter(|message| message.state != MessageState::Delivered).collect();
        waiting.sort_by_key(|message| (message.created_at, message.message_id));
        waiting
    }

    /// Rigs that are connected.
    pub fn active_rigs(&self) -> impl Iterator<Item = &RigEntry> {
        self.rigs.values().filter(|rig| rig.status != TownStatus::Deleting)
    }

    /// Drops what the next plan does not look at: delivered messages, closed escalations, deleted rigs' messages.
    pub fn forget(&mut self) {
        self.inbox.retain(|_, message| message.state != MessageState::Delivered);
        self.escalations.retain(|_, escalation| escalation.state == EscalationState::Open);
    }
}
