//! Mail and nudges of people, the mayor and agents (domain.md 10.1, 10.2).

use std::time::Duration;

use super::{Applied, Refusal, stale};
use crate::id::{AgentId, BeadId, MailId, NudgeId};
use crate::limits::NUDGE_QUEUE_KEEP;
use crate::protocol::{MailOut, RigToTown};
use crate::rig::event::{SessionKey, live};
use crate::rig::mail::{self, Mail, MailParty, MailTo};
use crate::rig::nudge::{self, NudgeMode, NudgePriority, NudgeSource, NudgeState};
use crate::rig::plan::{EventRow, Plan, Write};

/// Who a new mail is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receiver {
    /// An agent of this rig.
    Here(AgentId),
    /// Somebody outside of the rig; whoever asks has made sure that they exist.
    Elsewhere(MailTo),
}

/// Mail to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    /// Kind of the sender.
    pub from_kind: MailParty,
    /// Who writes.
    pub from_id: String,
    /// To whom.
    pub to: Receiver,
    /// The mail that it answers.
    pub reply_to: Option<MailId>,
    /// One line.
    pub subject: String,
    /// Text.
    pub body: String,
}

/// A nudge for an agent of this rig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNudge {
    /// For whom.
    pub agent_id: AgentId,
    /// Text.
    pub message: String,
    /// When it is shown.
    pub mode: NudgeMode,
    /// Order among waiting ones.
    pub priority: NudgePriority,
    /// Who asks.
    pub source: NudgeSource,
    /// How long it makes sense; in mode `queue` an hour unless told.
    pub keep: Option<Duration>,
}

pub(super) fn send_mail(plan: &mut Plan, new: NewMail) -> Result<Applied, Refusal> {
    let mail_id = plan.mint();
    match new.to.clone() {
        Receiver::Here(agent_id) => mail_here(plan, mail_id, agent_id, new)?,
        Receiver::Elsewhere(to) => mail_out(plan, mail_id, to, new)?,
    }
    Ok(Applied::Mail(mail_id))
}

fn mail_here(plan: &mut Plan, mail_id: MailId, to_agent: AgentId, new: NewMail) -> Result<(), Refusal> {
    if !plan.state().agents.contains_key(&to_agent) {
        return Err(Refusal::UnknownReference(to_agent.to_string()));
    }
    let about = mail::about(plan.state(), to_agent);
    mail_sent(plan, about, Some(to_agent), &new.from_id, &new.subject);
    let mail = Mail::new(mail_id, (new.from_kind, new.from_id), new.subject, new.body, plan.now());
    let thread_id = new.reply_to.unwrap_or(mail_id);
    let mail = Mail { to_agent: Some(to_agent), bead_id: about, thread_id, reply_to: new.reply_to, ..mail };
    plan.write(Write::Mail(mail));
    Ok(())
}

/// Only agents write to the outside through their rig; people and the mayor write where their receiver lives.
fn mail_out(plan: &mut Plan, mail_id: MailId, to: MailTo, new: NewMail) -> Result<(), Refusal> {
    let unknown = || Refusal::UnknownReference(new.from_id.clone());
    let from_agent: AgentId = new.from_id.parse().map_err(|_| unknown())?;
    let from_name = plan.state().agents.get(&from_agent).ok_or_else(unknown)?.name.clone();
    let about = plan.state().assignment_of_agent(from_agent).map(|live| live.bead_id);
    mail_sent(plan, about, Some(from_agent), &new.from_id, &new.subject);
    let created_at = plan.now();
    plan.post(RigToTown::MailOut(Box::new(MailOut {
        mail_id,
        from_agent,
        from_name,
        to,
        thread_id: new.reply_to.unwrap_or(mail_id),
        reply_to: new.reply_to,
        subject: new.subject,
        body: new.body,
        created_at,
    })));
    Ok(())
}

fn mail_sent(plan: &mut Plan, bead_id: Option<BeadId>, agent_id: Option<AgentId>, actor: &str, subject: &str) {
    let event = plan.event("mail_sent");
    plan.record(EventRow { bead_id, agent_id, actor: actor.to_owned(), new: Some(subject.to_owned()), ..event });
}

pub(super) fn acknowledge_mail(plan: &mut Plan, session: SessionKey, mail_ids: &[MailId]) -> Result<Applied, Refusal> {
    let Some(assignment) = live(plan, session) else { return Err(stale(plan, session)) };
    let waiting = mail::waiting(plan.state(), &assignment).into_iter().map(|mail| mail.mail_id);
    let mine: Vec<MailId> = waiting.filter(|id| mail_ids.contains(id)).collect();
    let delivered = mine.into_iter().filter(|id| mail::deliver(plan, *id, assignment.assignment_id)).count();
    Ok(Applied::Delivered(delivered))
}

/// A nudge that is not queued needs a session that it can be for.
pub(super) fn send_nudge(plan: &mut Plan, new: NewNudge) -> Result<Applied, Refusal> {
    if !plan.state().agents.contains_key(&new.agent_id) {
        return Err(Refusal::UnknownReference(new.agent_id.to_string()));
    }
    let is_queued = new.mode == NudgeMode::Queue;
    if !is_queued && plan.state().assignment_of_agent(new.agent_id).is_none() {
        return Err(Refusal::NotHooked(new.agent_id));
    }
    let keep = new.keep.or(is_queued.then_some(NUDGE_QUEUE_KEEP));
    let NewNudge { agent_id, message, mode, priority, source, .. } = new;
    Ok(Applied::Nudge(nudge::make(plan, nudge::NewNudge { agent_id, message, mode, priority, source, keep })))
}

/// The agent has read it, however it came by it. A repeat changes nothing.
pub(super) fn nudge_delivered(plan: &mut Plan, session: SessionKey, nudge_id: NudgeId) -> Result<Applied, Refusal> {
    let Some(assignment) = live(plan, session) else { return Err(stale(plan, session)) };
    if plan.state().nudges.get(&nudge_id).is_some_and(|nudge| nudge.is_for(&assignment)) {
        nudge::move_to(plan, nudge_id, NudgeState::Delivered);
    }
    Ok(Applied::Written)
}
