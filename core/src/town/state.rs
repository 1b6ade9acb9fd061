//! Everything the town's rules look at, as one value. Delivered messages, closed escalations and the activity feed stay
//! in SQL only.

use crate::sorted::{SortedMap, SortedSet};

use serde_json::{Map, Value};

use super::convoy::{Convoy, ConvoyRig, Task, TaskEdge};
use super::escalation::Reply;
use super::mail::TownMail;
use super::triage::TriageRequest;
use crate::breaker::{Breaker, BreakerState};
use crate::config::{RigConfig, TownConfig};
use crate::id::{AgentId, AssignmentId, BeadId, ConvoyId, EscalationId, InstanceId, MessageId, RigId, TownId};
use crate::limits::ATTEMPTS;
use crate::models::{ModelId, ModelReason};
use crate::protocol::{Activity, Outbox, Priority, Severity, TownBreaker, TownState, TownToRig};
use crate::session::{Kind, Usage};
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
    /// Exactly while it is paused.
    pub pause: Option<Pause>,
    /// Grows with every write.
    pub version: u64,
}

/// How a town is paused.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Pause {
    /// Why, for people.
    pub reason: Option<String>,
    /// Running work was asked to end as well.
    pub stop_running: bool,
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
    /// Since when somebody wants a session, without a message.
    pub wanted_at: Option<Timestamp>,
    /// The settings name another model; the session is swapped.
    pub is_swap_wanted: bool,
    /// What the present session has spent so far.
    pub spent: Usage,
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
    /// What it is told without having asked.
    pub notices: Notices,
}

/// What the mayor is told by the town itself (T19).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Notices {
    /// When it was told, within the last hour.
    pub sent: Vec<Timestamp>,
    /// What it shall hear with its next turn, oldest first.
    pub pending: Vec<String>,
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
    /// What the agent that raised it added, kept whole.
    pub metadata: Map<String, Value>,
    /// What people answered, oldest first.
    pub replies: Vec<Reply>,
    /// Who raised it: an agent's id, `rig` or `town`.
    pub raised_by: String,
    /// Its name, when it is an agent.
    pub raised_by_name: Option<String>,
    /// How often it was raised while open.
    pub count: u32,
    /// Whether it still calls.
    pub state: EscalationState,
    /// How often time made it louder.
    pub raises: u32,
    /// When time makes it louder again.
    pub next_raise_at: Option<Timestamp>,
    /// How loud it was when the mayor was told.
    pub told: Option<Severity>,
    /// When it was raised first.
    pub created_at: Timestamp,
    /// Newest change.
    pub updated_at: Timestamp,
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

/// What was said about the budget of a day (domain.md 9.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayBudget {
    /// In UTC, as `2026-11-20`; empty before anything was said.
    pub day: String,
    /// People were told that it nears its end.
    pub is_warned: bool,
    /// It is used up.
    pub is_reached: bool,
}

/// The runtime's sleep (domain.md 9.1, T8 and T9).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Runtime {
    /// It was needed since it was last told to stop.
    pub is_awake: bool,
    /// Since when nothing needs it.
    pub quiet_since: Option<Timestamp>,
    /// When it was last told to stop.
    pub stopped_at: Option<Timestamp>,
    /// When old rows were last dropped.
    pub pruned_at: Option<Timestamp>,
}

/// Whose spend a row of `usage` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spender {
    /// A rig's on one day.
    Rig(RigId),
    /// The mayor's on one day.
    Mayor,
    /// A convoy's in one rig, over all its time.
    Convoy(ConvoyId, RigId),
}

/// The word that stands for the day of what is counted over all time.
pub const ALL_TIME: &str = "all";

/// All rows the rules look at.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The town.
    pub town: Town,
    /// Its rigs.
    pub rigs: SortedMap<RigId, RigEntry>,
    /// Asked and granted slots.
    pub slots: SortedMap<AssignmentId, Slot>,
    /// The mayor.
    pub mayor: Mayor,
    /// Messages to the mayor that its session does not have.
    pub inbox: SortedMap<MessageId, MayorMessage>,
    /// Open escalations by key.
    pub escalations: SortedMap<String, Escalation>,
    /// Matters for triage that are not resolved, or whose batch goes on.
    pub triage: SortedMap<BeadId, TriageRequest>,
    /// Mail that this plan has to send on; empty between plans.
    pub mail: Vec<TownMail>,
    /// The runtime.
    pub drain: Drain,
    /// The town's breaker.
    pub breaker: Breaker,
    /// What was said about the budget of the day.
    pub day_budget: DayBudget,
    /// Spend of the newest day, and of convoys, by (day, who).
    pub usage: SortedMap<(String, Spender), Usage>,
    /// The runtime's sleep.
    pub runtime: Runtime,
    /// Live convoys, and those that ended in this commit.
    pub convoys: SortedMap<ConvoyId, Convoy>,
    /// Their parts in each rig.
    pub convoy_rigs: SortedMap<(ConvoyId, RigId), ConvoyRig>,
    /// Their tasks.
    pub tasks: SortedMap<BeadId, Task>,
    /// Who of them waits for whom, by (dependent, blocker).
    pub task_edges: SortedMap<(BeadId, BeadId), TaskEdge>,
    /// Messages to each rig.
    pub outboxes: SortedMap<RigId, Outbox<TownToRig>>,
    /// Newest number applied from each rig.
    pub applied: SortedMap<RigId, u64>,
    /// What each rig was last told holds for the town; in memory only, so that a restart tells it again.
    pub told: SortedMap<RigId, TownState>,
    /// The version of the settings that each rig was last sent; in memory only.
    pub configured: SortedMap<RigId, (u64, u64)>,
    /// Whether the runtime's keeper was last told that it is needed; in memory only.
    pub needed: Option<bool>,
    /// When each rig was last heard of; in memory only.
    pub heard: SortedMap<RigId, Timestamp>,
    /// Whether the account was last told that the town is active; in memory only.
    pub told_account: Option<bool>,
    /// Convoys whose work was told to finish because their budget is used up; in memory only.
    pub wrapped_up: SortedSet<ConvoyId>,
}

impl State {
    /// A new town with its mayor, without rigs.
    pub fn new(town: Town, mayor_id: AgentId) -> Self {
        let now = town.created_at;
        let identity = format!("mayor-{}", town.town_id.short());
        Self {
            town,
            rigs: SortedMap::new(),
            slots: SortedMap::new(),
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
                wanted_at: None,
                is_swap_wanted: false,
                spent: Usage::default(),
                instance_id: None,
                ordered_at: None,
                lease_until: None,
                probe_until: None,
                start_failures: 0,
                not_before: None,
                error: None,
                last_user_at: None,
                last_activity_at: None,
                notices: Notices::default(),
            },
            inbox: SortedMap::new(),
            escalations: SortedMap::new(),
            triage: SortedMap::new(),
            mail: Vec::new(),
            drain: Drain::default(),
            breaker: Breaker::default(),
            day_budget: DayBudget::default(),
            usage: SortedMap::new(),
            runtime: Runtime::default(),
            convoys: SortedMap::new(),
            convoy_rigs: SortedMap::new(),
            tasks: SortedMap::new(),
            task_edges: SortedMap::new(),
            outboxes: SortedMap::new(),
            applied: SortedMap::new(),
            told: SortedMap::new(),
            configured: SortedMap::new(),
            needed: None,
            heard: SortedMap::new(),
            told_account: None,
            wrapped_up: SortedSet::new(),
        }
    }

    /// What holds for the whole town at this moment.
    pub fn town_state(&self, now: Timestamp) -> TownState {
        let is_reached = self.day_budget.is_reached;
        TownState {
            paused: self.town.status == TownStatus::Paused,
            stop_running: self.town.pause.as_ref().is_some_and(|pause| pause.stop_running),
            draining: self.drain.is_draining,
            breaker: (self.breaker.state != BreakerState::Closed).then(|| TownBreaker {
                state: self.breaker.state,
                until: self.breaker.until,
                message: self.breaker.message.clone().unwrap_or_default(),
            }),
            budget_reached: is_reached,
            budget_until: is_reached.then(|| now.next_day()),
            exhausted_convoys: self.exhausted_convoys(),
            instance_id: self.drain.instance_id,
            credential_gen: self.town.credential_gen,
        }
    }

    /// What the whole town has spent on a day in UTC.
    pub fn spent_on(&self, day: &str) -> Usage {
        self.usage.iter().filter(|((of, _), _)| of == day).map(|(_, spent)| *spent).fold(Usage::default(), Usage::plus)
    }

    /// Messages that may go to the mayor now, oldest first: once the day's budget is used up only people's (domain.md
    /// 9.3).
    pub fn deliverable_messages(&self) -> Vec<&MayorMessage> {
        let mut waiting = self.waiting_messages();
        waiting.retain(|message| !self.day_budget.is_reached || message.source == MessageSource::User);
        waiting
    }

    /// Messages that wait for the mayor, oldest first.
    pub fn waiting_messages(&self) -> Vec<&MayorMessage> {
        let mut waiting: Vec<&MayorMessage> =
            self.inbox.values().filter(|message| message.state != MessageState::Delivered).collect();
        crate::sorted::sort_by_key(&mut waiting, |message| (message.created_at, message.message_id));
        waiting
    }

    /// Whether a message that may go to the mayor calls for a session. After too many failed starts only a person's
    /// newer message does (domain.md 13).
    pub fn calls_the_mayor(&self) -> bool {
        let is_given_up = self.mayor.start_failures >= ATTEMPTS;
        let is_news = |message: &&MayorMessage| {
            message.source == MessageSource::User
                && self.mayor.error.as_ref().is_none_or(|error| message.created_at > error.at)
        };
        self.deliverable_messages().iter().any(|message| !is_given_up || is_news(message))
    }

    /// Rigs that are connected.
    pub fn active_rigs(&self) -> impl Iterator<Item = &RigEntry> {
        self.rigs.values().filter(|rig| rig.status != TownStatus::Deleting)
    }

    /// Drops what the next plan does not look at: delivered messages, closed escalations, resolved requests for triage,
    /// ended convoys.
    pub fn forget(&mut self) {
        self.inbox.retain(|_, message| message.state != MessageState::Delivered);
        self.escalations.retain(|_, escalation| escalation.state == EscalationState::Open);
        self.triage.retain(|_, request| request.is_in_view());
        self.convoys.retain(|_, convoy| convoy.state.is_live());
        let newest = self.usage.keys().map(|(day, _)| day).filter(|day| *day != ALL_TIME).max().cloned();
        self.usage.retain(|(day, spender), _| match spender {
            Spender::Convoy(convoy_id, _) => self.convoys.contains_key(convoy_id),
            Spender::Rig(_) | Spender::Mayor => Some(day) == newest.as_ref(),
        });
        self.convoy_rigs.retain(|(convoy_id, _), _| self.convoys.contains_key(convoy_id));
        self.tasks.retain(|_, task| self.convoys.contains_key(&task.convoy_id));
        self.task_edges.retain(|_, edge| self.convoys.contains_key(&edge.convoy_id));
    }
}
