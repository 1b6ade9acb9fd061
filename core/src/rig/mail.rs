//! Mail between agents, the mayor and people (domain.md 10.1): delivered once, oldest first.

use crate::id::{AgentId, AssignmentId, BeadId, MailId};
pub use crate::protocol::MailParty;
use crate::time::Timestamp;

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
    /// … or to whoever works on this bead.
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
    /// When it was delivered.
    pub delivered_at: Option<Timestamp>,
    /// To which assignment.
    pub delivered_to: Option<AssignmentId>,
    /// When it is forgotten undelivered.
    pub expires_at: Option<Timestamp>,
}

impl Mail {
    /// Whether nobody is told of it any more.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}
