//! Mail as clients see it (api.md 4, **Mail**), and the requests that write it.

use serde::{Deserialize, Serialize};

use super::read::{Fields, Request};
use crate::id::{AgentId, BeadId, MailId, RigId};
use crate::limits::{MAIL_BODY_MAX, TITLE_MAX};
use crate::protocol::MailTo;
use crate::rig::mail::{self, MailParty};
use crate::rig::state::State;
use crate::text_enum;
use crate::time::Timestamp;
use crate::town::mail::TownMail;

/// **Mail**.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Mail {
    pub id: MailId,
    pub from_agent_id: String,
    pub to_agent_id: Option<AgentId>,
    pub subject: String,
    pub body: String,
    pub delivered: bool,
    pub created_at: Timestamp,
    pub delivered_at: Option<Timestamp>,
    pub from_kind: MailParty,
    pub to_kind: MailParty,
    pub from_name: String,
    pub to_name: String,
    pub rig_id: Option<RigId>,
    pub bead_id: Option<BeadId>,
    pub thread_id: MailId,
    pub reply_to: Option<MailId>,
}

impl Mail {
    /// A mail to an agent of a rig.
    pub fn of(state: &State, mail: &mail::Mail) -> Self {
        let name = |id: Option<AgentId>| id.and_then(|id| state.agents.get(&id)).map(|agent| agent.name.clone());
        Self {
            id: mail.mail_id,
            from_agent_id: mail.from_id.clone(),
            to_agent_id: mail.to_agent,
            subject: mail.subject.clone(),
            body: mail.body.clone(),
            delivered: mail.delivered_at.is_some(),
            created_at: mail.created_at,
            delivered_at: mail.delivered_at,
            from_kind: mail.from_kind,
            to_kind: MailParty::Agent,
            from_name: name(mail.from_id.parse().ok()).unwrap_or_else(|| mail.from_id.clone()),
            to_name: name(mail.to_agent).unwrap_or_default(),
            rig_id: Some(state.rig.rig_id),
            bead_id: mail.bead_id,
            thread_id: mail.thread_id,
            reply_to: mail.reply_to,
        }
    }
}

impl Mail {
    /// A mail that the town keeps: to the mayor or to a person.
    pub fn of_town(mail: &TownMail, mayor: AgentId) -> Self {
        let (to_agent_id, to_kind, to_name) = match &mail.to {
            MailTo::Mayor => (Some(mayor), MailParty::Mayor, "Mayor".to_owned()),
            MailTo::User(user_id) => (None, MailParty::User, user_id.clone()),
            MailTo::Agent { agent_id, .. } => (Some(*agent_id), MailParty::Agent, String::new()),
        };
        Self {
            id: mail.mail_id,
            from_agent_id: mail.from_id.clone(),
            to_agent_id,
            subject: mail.subject.clone(),
            body: mail.body.clone(),
            delivered: mail.read_at.is_some(),
            created_at: mail.created_at,
            delivered_at: mail.read_at,
            from_kind: mail.from_kind,
            to_kind,
            from_name: mail.from_name.clone(),
            to_name,
            rig_id: mail.from_rig,
            bead_id: None,
            thread_id: mail.thread_id,
            reply_to: mail.reply_to,
        }
    }
}

text_enum! {
    /// Which way a mail went, seen from the agent of the list, or from the person who asks.
    pub enum Direction {
        Sent = "sent",
        Received = "received",
    }
}

/// `POST R/mail`, `POST M/mail`, `POST T/mail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SendMail {
    /// Rig of the recipient, where the path does not say.
    pub rig_id: Option<RigId>,
    /// Sender, where it is an agent.
    pub from_agent_id: Option<AgentId>,
    /// Recipient: an agent, or `mayor`.
    pub to_agent_id: String,
    /// One line.
    pub subject: String,
    /// Text.
    pub body: String,
    /// The mail that it answers.
    pub reply_to: Option<MailId>,
}

impl Request for SendMail {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            rig_id: fields.optional_id("rig_id"),
            from_agent_id: fields.optional_id("from_agent_id"),
            to_agent_id: fields.text("to_agent_id", 1, 64),
            subject: fields.text("subject", 1, TITLE_MAX),
            body: fields.text("body", 1, MAIL_BODY_MAX),
            reply_to: fields.optional_id("reply_to"),
        }
    }
}
