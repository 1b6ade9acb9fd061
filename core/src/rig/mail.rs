//! Mail between agents, the mayor and people (domain.md 10.1): delivered once, oldest first. Mail about a bead goes to
//! whoever works on it, and is pointless when the bead has ended.

use super::assignment::{Assignment, Phase};
use super::plan::{Plan, Write};
use super::state::State;
use crate::id::{AgentId, AssignmentId, BeadId, MailId};
use crate::limits::MESSAGE_REPEAT;
pub use crate::protocol::{MailParty, MailTo};
use crate::session::Kind;
use crate::sorted::sort_by_key;
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// How far a mail has come; follows from its instants.
    pub enum MailState {
        Waiting = "waiting",
        Sent = "sent",
        Delivered = "delivered",
        Expired = "expired",
    }
}

/// Every change of a mail, and what causes it (domain.md 10.1).
pub const TRANSITIONS: &[(MailState, &str, MailState)] = &[
    (MailState::Waiting, "handed to the runtime of a running session (R30)", MailState::Sent),
    (MailState::Sent, "not accepted for a while: handed over again (R30)", MailState::Sent),
    (MailState::Waiting, "the agent has read it", MailState::Delivered),
    (MailState::Sent, "the session accepted it, or the agent has read it", MailState::Delivered),
    (MailState::Waiting, "its bead or its receiver is gone, or its end has passed (R8)", MailState::Expired),
    (MailState::Sent, "its bead or its receiver is gone, or its end has passed (R8)", MailState::Expired),
    (MailState::Delivered, "read again: nothing", MailState::Delivered),
];

/// One mail (domain.md 2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Identity.
    pub mail_id: MailId,
    /// Kind of the sender.
    pub from_kind: MailParty,
    /// Who wrote it.
    pub from_id: String,
    /// To this agent …
    pub to_agent: Option<AgentId>,
    /// … or, when present, to whoever works on this bead.
    pub bead_id: Option<BeadId>,
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
    /// When it was last handed to the runtime.
    pub sent_at: Option<Timestamp>,
    /// When it was delivered.
    pub delivered_at: Option<Timestamp>,
    /// To which assignment.
    pub delivered_to: Option<AssignmentId>,
    /// When it is forgotten undelivered.
    pub expires_at: Option<Timestamp>,
    /// When it was.
    pub expired_at: Option<Timestamp>,
}

impl Mail {
    /// A mail of this moment, to nobody yet, that begins a thread.
    pub fn new(mail_id: MailId, from: (MailParty, String), subject: String, body: String, now: Timestamp) -> Self {
        Self {
            mail_id,
            from_kind: from.0,
            from_id: from.1,
            to_agent: None,
            bead_id: None,
            thread_id: mail_id,
            reply_to: None,
            subject,
            body,
            created_at: now,
            sent_at: None,
            delivered_at: None,
            delivered_to: None,
            expires_at: None,
            expired_at: None,
        }
    }

    /// How far it has come.
    pub const fn state(&self) -> MailState {
        match (self.expired_at, self.delivered_at, self.sent_at) {
            (_, Some(_), _) => MailState::Delivered,
            (Some(_), None, _) => MailState::Expired,
            (None, None, Some(_)) => MailState::Sent,
            (None, None, None) => MailState::Waiting,
        }
    }

    /// Whether it still waits for its receiver.
    pub const fn is_live(&self) -> bool {
        self.delivered_at.is_none() && self.expired_at.is_none()
    }

    /// Whether it shall be handed to the runtime now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.is_live() && self.sent_at.is_none_or(|at| now.since(at) >= MESSAGE_REPEAT)
    }
}

/// What mail to the agent of this assignment is about: its bead, and for the answer to a review the reviewed work.
pub fn subject(state: &State, assignment: &Assignment) -> BeadId {
    match assignment.kind {
        Kind::Rework | Kind::Conflict | Kind::Feedback => {
            state.beads.get(&assignment.bead_id).map_or(assignment.bead_id, |bead| bead.root_id)
        }
        Kind::Work | Kind::Review | Kind::Landing | Kind::Fixup | Kind::Triage | Kind::Mayor => assignment.bead_id,
    }
}

/// What mail to this agent is about: the live work that it is busy with.
pub fn about(state: &State, agent_id: AgentId) -> Option<BeadId> {
    let assignment = state.assignment_of_agent(agent_id)?;
    state.live_bead(subject(state, assignment)).map(|bead| bead.bead_id)
}

/// Mail that waits for the agent of this assignment, oldest first.
pub fn waiting<'a>(state: &'a State, assignment: &Assignment) -> Vec<&'a Mail> {
    let subject = subject(state, assignment);
    let is_for = |mail: &&Mail| match mail.bead_id {
        Some(bead_id) => bead_id == subject || bead_id == assignment.bead_id,
        None => mail.to_agent == Some(assignment.agent_id),
    };
    let mut waiting: Vec<&Mail> = state.mail.values().filter(|mail| mail.is_live()).filter(is_for).collect();
    sort_by_key(&mut waiting, |mail| (mail.created_at, mail.mail_id));
    waiting
}

/// Mail that waits for this agent, whether it works or not.
pub fn waiting_for_agent(state: &State, agent_id: AgentId) -> usize {
    match state.assignment_of_agent(agent_id) {
        Some(assignment) => waiting(state, assignment).len(),
        None => state
            .mail
            .values()
            .filter(|mail| mail.is_live() && mail.bead_id.is_none() && mail.to_agent == Some(agent_id))
            .count(),
    }
}

/// Whether the session takes messages.
pub fn can_be_told(assignment: &Assignment) -> bool {
    assignment.phase == Phase::Running
}

/// The agent of this assignment has it; a second time changes nothing.
pub fn deliver(plan: &mut Plan, mail_id: MailId, assignment_id: AssignmentId) -> bool {
    let Some(mail) = plan.state().mail.get(&mail_id).filter(|mail| mail.is_live()).cloned() else { return false };
    let delivered_at = Some(plan.now());
    plan.write(Write::Mail(Mail { delivered_at, delivered_to: Some(assignment_id), ..mail }));
    true
}

/// Forgets all waiting mail of which this is true.
pub fn expire(plan: &mut Plan, is_pointless: impl Fn(&Mail) -> bool) {
    let expired_at = Some(plan.now());
    let pointless: Vec<Mail> =
        plan.state().mail.values().filter(|mail| mail.is_live() && is_pointless(mail)).cloned().collect();
    for mail in pointless {
        plan.write(Write::Mail(Mail { expired_at, ..mail }));
    }
}
