//! Mail that passes the town, or stays in it: to the mayor or to a person (domain.md 2.3, `mail`). Mail to an agent is
//! kept by its rig. Where each goes is T22.

use crate::id::{MailId, RigId};
use crate::protocol::{MailOut, MailParty, MailTo};
use crate::time::Timestamp;

/// One mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TownMail {
    /// Identity, the same in every object that keeps it.
    pub mail_id: MailId,
    /// Kind of the sender.
    pub from_kind: MailParty,
    /// Who wrote it.
    pub from_id: String,
    /// The sender's name, for people and prompts.
    pub from_name: String,
    /// The sender's rig, when it is an agent.
    pub from_rig: Option<RigId>,
    /// For whom.
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
    /// When the recipient had it.
    pub read_at: Option<Timestamp>,
}

impl TownMail {
    /// Mail of an agent of this rig.
    pub fn out(rig_id: RigId, mail: MailOut) -> Self {
        Self {
            mail_id: mail.mail_id,
            from_kind: MailParty::Agent,
            from_id: mail.from_agent.to_string(),
            from_name: mail.from_name,
            from_rig: Some(rig_id),
            to: mail.to,
            thread_id: mail.thread_id,
            reply_to: mail.reply_to,
            subject: mail.subject,
            body: mail.body,
            created_at: mail.created_at,
            read_at: None,
        }
    }
}
