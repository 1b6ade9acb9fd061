//! Mail between agents (domain.md 10.1).

use super::{Applied, Refusal, stale};
use crate::id::{AgentId, MailId};
use crate::rig::event::{SessionKey, live};
use crate::rig::mail::{Mail, MailParty};
use crate::rig::plan::{EventRow, Plan, Write};

/// Mail to an agent of this rig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    /// Kind of the sender.
    pub from_kind: MailParty,
    /// Who writes.
    pub from_id: String,
    /// To whom.
    pub to_agent: AgentId,
    /// The mail that it answers.
    pub reply_to: Option<MailId>,
    /// One line.
    pub subject: String,
    /// Text.
    pub body: String,
}

pub(super) fn send_mail(plan: &mut Plan, new: NewMail) -> Result<Applied, Refusal> {
    if !plan.state().agents.contains_key(&new.to_agent) {
        return Err(Refusal::UnknownReference(new.to_agent.to_string()));
    }
    let mail_id = plan.mint();
    let (created_at, bead_id) = (plan.now(), plan.state().assignment_of_agent(new.to_agent).map(|live| live.bead_id));
    plan.write(Write::Mail(Mail {
        mail_id,
        from_kind: new.from_kind,
        from_id: new.from_id.clone(),
        to_agent: Some(new.to_agent),
        bead_id,
        thread_id: new.reply_to.unwrap_or(mail_id),
        reply_to: new.reply_to,
        subject: new.subject.clone(),
        body: new.body,
        created_at,
        delivered_at: None,
        delivered_to: None,
        expires_at: None,
    }));
    let event = plan.event("mail_sent");
    plan.record(EventRow {
        bead_id,
        agent_id: Some(new.to_agent),
        actor: new.from_id,
        new: Some(new.subject),
        ..event
    });
    Ok(Applied::Mail(mail_id))
}

pub(super) fn acknowledge_mail(plan: &mut Plan, session: SessionKey, mail_ids: &[MailId]) -> Result<Applied, Refusal> {
    let Some(assignment) = live(plan, session) else { return Err(stale(plan, session)) };
    let now = plan.now();
    let mine: Vec<Mail> = mail_ids
        .iter()
        .filter_map(|id| plan.state().mail.get(id))
        .filter(|mail| mail.delivered_at.is_none() && mail.to_agent == Some(assignment.agent_id))
        .cloned()
        .collect();
    let delivered = mine.len();
    for mail in mine {
        let delivered_to = Some(assignment.assignment_id);
        plan.write(Write::Mail(Mail { delivered_at: Some(now), delivered_to, ..mail }));
    }
    Ok(Applied::Delivered(delivered))
}
