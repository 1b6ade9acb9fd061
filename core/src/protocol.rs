//! What the Town and its Rigs say to each other (domain.md 11): numbered messages, kept until acknowledged, applied once
//! and in order. Both aggregates build on this module; neither names the other. On their way, messages name their variant
//! as the one field of an object; a tag among the fields would make every reader keep a copy of them first.

mod moved;
mod triage;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::breaker::BreakerState;
use crate::config::EffectiveRig;
use crate::id::{AgentId, AssignmentId, BeadId, ConvoyId, InstanceId, MailId, RigId};
use crate::limits::{RESEND_FIRST, RESEND_MAX};
use crate::models::{RigModels, TownModels};
use crate::session::{Kind, Usage};
use crate::sorted::SortedMap;
use crate::text_enum;
use crate::time::Timestamp;

pub use moved::MovedBead;
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

/// A message with its number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Numbered<M> {
    /// From 1, without gaps, per sender and receiver.
    pub seq: u64,
    /// What it says.
    pub message: M,
}

/// Messages in order, and what the sender has already applied of the other side's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch<M> {
    /// Oldest first.
    pub messages: Vec<Numbered<M>>,
    /// The newest number that the sender has applied from the receiver.
    pub applied: u64,
}

/// Reply to a [`Batch`]: an acknowledgement, and the messages that wait the other way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchReply<M> {
    /// The newest number that is applied here; everything up to it may be forgotten.
    pub acknowledged: u64,
    /// Messages the other way.
    pub messages: Vec<Numbered<M>>,
}

/// A message that knows whether a newer one makes it pointless.
pub trait Subject {
    /// State messages with the same subject replace each other while unsent.
    fn subject(&self) -> Option<&'static str>;
}

impl Subject for TownToRig {
    fn subject(&self) -> Option<&'static str> {
        match self {
            Self::Configure(_) => Some("configure"),
            Self::TownState(_) => Some("town_state"),
            Self::Ping => Some("ping"),
            Self::AdoptBead(_)
            | Self::GrantSlot { .. }
            | Self::DeliverMail(_)
            | Self::WrapUp { .. }
            | Self::RunTriage { .. }
            | Self::EscalationAnswered(_) => None,
        }
    }
}

impl Subject for RigToTown {
    fn subject(&self) -> Option<&'static str> {
        match self {
            Self::Activity(_) => Some("activity"),
            Self::Usage(_) => Some("usage"),
            Self::SlotAsked { .. }
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

/// One kept message.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow<M> {
    /// Number.
    pub seq: u64,
    /// Content.
    pub message: M,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was first sent.
    pub sent_at: Option<Timestamp>,
}

/// Messages to one receiver that are not acknowledged, oldest first, and when to send them again.
///
/// `tries` and `resend_at` live in memory only: after a restart everything unacknowledged is sent at once
/// (domain.md 11).
#[derive(Debug, Clone, PartialEq)]
pub struct Outbox<M> {
    rows: Vec<OutboxRow<M>>,
    next_seq: u64,
    tries: u32,
    resend_at: Option<Timestamp>,
}

impl<M: Subject + Clone> Outbox<M> {
    /// The outbox as SQL kept it; `next_seq` is one above the newest number ever used.
    pub fn new(rows: Vec<OutboxRow<M>>, next_seq: u64) -> Self {
        Self { rows, next_seq, tries: 0, resend_at: None }
    }

    /// Adds a message and returns the row to write. A state message takes the place of an unsent older one.
    pub fn post(&mut self, message: M, now: Timestamp) -> OutboxRow<M> {
        let replaced = message.subject().and_then(|subject| {
            self.rows.iter_mut().find(|r| r.sent_at.is_none() && r.message.subject() == Some(subject))
        });
        if let Some(row) = replaced {
            row.message = message;
            return row.clone();
        }
        let row = OutboxRow { seq: self.next_seq, message, created_at: now, sent_at: None };
        self.next_seq += 1;
        self.rows.push(row.clone());
        row
    }

    /// Forgets what the receiver has applied; true when something was forgotten.
    pub fn acknowledge(&mut self, seq: u64) -> bool {
        let before = self.rows.len();
        self.rows.retain(|row| row.seq > seq);
        let changed = self.rows.len() < before;
        if changed {
            self.tries = 0;
            self.resend_at = None;
        }
        changed
    }

    /// Whether something shall be sent at `now`: a message that was never sent, or one whose answer is overdue.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let unsent = self.rows.iter().any(|row| row.sent_at.is_none());
        let overdue = !self.rows.is_empty() && self.resend_at.is_none_or(|at| at <= now);
        unsent || overdue
    }

    /// Marks everything as sent and returns the rows whose mark is new. The next repeat is due after 1, 2, 4 … 30 s.
    pub fn mark_sent(&mut self, now: Timestamp) -> Vec<OutboxRow<M>> {
        let pause = RESEND_FIRST.saturating_mul(1 << self.tries.min(5)).min(RESEND_MAX);
        self.tries = self.tries.saturating_add(1);
        self.resend_at = Some(now + pause);
        let mut fresh = Vec::new();
        for row in self.rows.iter_mut().filter(|row| row.sent_at.is_none()) {
            row.sent_at = Some(now);
            fresh.push(row.clone());
        }
        fresh
    }

    /// Everything that is not acknowledged, oldest first.
    pub fn batch(&self) -> Vec<Numbered<M>> {
        self.rows.iter().map(|row| Numbered { seq: row.seq, message: row.message.clone() }).collect()
    }

    /// Whether everything was acknowledged.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows that are kept.
    pub fn rows(&self) -> &[OutboxRow<M>] {
        &self.rows
    }

    /// When unacknowledged messages are due again.
    pub fn resend_at(&self) -> Option<Timestamp> {
        if self.rows.is_empty() { None } else { self.resend_at }
    }
}

/// What of a batch is news: messages above `applied`, up to the first gap.
pub fn news<M>(messages: Vec<Numbered<M>>, applied: u64) -> Vec<Numbered<M>> {
    let mut next = applied + 1;
    let mut news = Vec::new();
    for message in messages {
        if message.seq == next {
            next += 1;
            news.push(message);
        }
    }
    news
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn activity(queued: u32) -> RigToTown {
        RigToTown::Activity(Activity { queued, ..Activity::default() })
    }

    fn released(n: u128) -> RigToTown {
        RigToTown::SlotReleased { assignment_id: AssignmentId::from_u128(n) }
    }

    #[test]
    fn unsent_state_messages_replace_each_other_and_numbers_have_no_gaps() {
        let mut outbox = Outbox::new(Vec::new(), 1);
        outbox.post(activity(1), at(0));
        outbox.post(released(1), at(0));
        assert_eq!(outbox.post(activity(2), at(1)).seq, 1);
        outbox.mark_sent(at(2));
        assert_eq!(outbox.post(activity(3), at(3)).seq, 3);
        assert_eq!(outbox.batch().iter().map(|m| m.seq).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn unanswered_messages_are_due_again_ever_more_slowly() {
        let mut outbox = Outbox::new(Vec::new(), 1);
        outbox.post(released(1), at(0));
        let mut now = at(0);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            assert!(outbox.is_due(now));
            outbox.mark_sent(now);
            assert!(!outbox.is_due(now));
            let next = outbox.resend_at().unwrap();
            pauses.push(next.since(now).as_secs());
            now = next;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert!(outbox.acknowledge(1));
        assert!(!outbox.is_due(now) && outbox.is_empty());
    }

    #[test]
    fn repeats_and_gaps_are_no_news() {
        let batch: Vec<_> = [2, 3, 5].into_iter().map(|seq| Numbered { seq, message: () }).collect();
        assert_eq!(news(batch.clone(), 2).iter().map(|m| m.seq).collect::<Vec<_>>(), [3]);
        assert_eq!(news(batch, 0).len(), 0);
    }
}
