//! What people are told and tell: escalations, the town's mail, the feed (api.md 3.6, 3.10).

use std::rc::Rc;

use gastown_core::id::{EscalationId, IdSeed, MailId};
use gastown_core::protocol::{MailParty, MailTo};
use gastown_core::town::Command;
use gastown_core::town::escalation::AgentEscalation;
use gastown_core::town::mail::TownMail;
use gastown_core::town::state::Escalation;
use gastown_core::wire::api::escalation::shape;
use gastown_core::wire::api::mail::Mail;
use gastown_core::wire::code::Code;
use serde_json::{Value, json};

use super::{Inner, calls, store, view};
use crate::ambient;
use crate::error::{Refusal, Result};
use crate::requests::Kept;

/// What an agent's escalation is about when it does not say.
const CATEGORY: &str = "agent";

/// A part of the list of escalations, newest first.
pub(super) fn list_escalations(inner: &Rc<Inner>, call: calls::ListEscalations) -> Result<Vec<Value>> {
    inner.with_state(|_| ())?;
    Ok(store::escalations::page(&inner.sql, &call.filter)?.iter().map(shape).collect())
}

/// How many there are in all.
pub(super) fn count_escalations(inner: &Rc<Inner>, call: calls::CountEscalations) -> Result<u32> {
    inner.with_state(|_| ())?;
    Ok(store::escalations::count(&inner.sql, &call.filter)?)
}

/// One escalation, open or closed.
pub(super) fn show_escalation(inner: &Rc<Inner>, call: calls::ShowEscalation) -> Result<Value> {
    stored(inner, call.escalation_id).map(|row| shape(&row))
}

/// An agent asks people to see something.
pub(super) async fn escalate(inner: &Rc<Inner>, call: calls::Escalate) -> Result<Kept<Value>> {
    let idempotency = call.idempotency.clone();
    let now = || inner.now().unwrap_or_else(|_| ambient::wall_now());
    inner.running.once(&inner.sql, now, idempotency.as_ref(), async || raise(inner, call)).await
}

fn raise(inner: &Rc<Inner>, call: calls::Escalate) -> Result<Value> {
    let raised = AgentEscalation {
        rig_id: call.rig_id,
        agent_id: call.agent_id,
        agent_name: call.agent_name,
        assignment_id: call.assignment_id,
        bead_id: call.new.bead_id.or(call.bead_id),
        severity: call.new.severity,
        category: call.new.category.unwrap_or_else(|| CATEGORY.to_owned()),
        title: call.new.title,
        body: call.new.body.unwrap_or_default(),
        metadata: call.new.metadata,
    };
    let dedup_key = raised.dedup_key();
    inner.handle(Command::Escalate(Box::new(raised)))?;
    let found = inner.with_state(|state| state.escalations.get(&dedup_key).map(shape))?;
    found.ok_or_else(|| Refusal::not_found("escalation").into())
}

/// Somebody has seen it. What is closed stays as it is.
pub(super) fn acknowledge(inner: &Rc<Inner>, call: calls::Acknowledge) -> Result<Value> {
    if stored(inner, call.escalation_id)?.is_open() {
        inner.handle(Command::Acknowledge { escalation_id: call.escalation_id, actor: call.actor, note: call.note })?;
    }
    stored(inner, call.escalation_id).map(|row| shape(&row))
}

/// A person answers. What is closed takes no answer.
pub(super) async fn reply_escalation(inner: &Rc<Inner>, call: calls::ReplyEscalation) -> Result<Kept<Value>> {
    let idempotency = call.idempotency.clone();
    let now = || inner.now().unwrap_or_else(|_| ambient::wall_now());
    inner.running.once(&inner.sql, now, idempotency.as_ref(), async || answer(inner, call)).await
}

fn answer(inner: &Rc<Inner>, call: calls::ReplyEscalation) -> Result<Value> {
    let escalation_id = call.escalation_id;
    if !stored(inner, escalation_id)?.is_open() {
        return Err(Refusal::new(Code::AlreadyResolved, "This escalation is closed").into());
    }
    inner.handle(Command::Reply {
        escalation_id,
        actor: call.actor,
        message: call.reply.message,
        acknowledges: call.reply.acknowledge,
        retries: call.reply.retry_bead,
    })?;
    stored(inner, escalation_id).map(|row| shape(&row))
}

/// Mail that the town keeps, newest first.
pub(super) fn list_mail(inner: &Rc<Inner>, call: calls::ListMail) -> Result<Vec<Mail>> {
    let mayor = inner.with_state(|state| state.mayor.agent_id)?;
    let limit = usize::try_from(call.limit).unwrap_or(usize::MAX);
    let mails = store::mail::page(&inner.sql, call.thread_id, limit)?;
    Ok(mails.iter().map(|mail| Mail::of_town(mail, mayor)).collect())
}

/// Mail of a person to the mayor.
pub(super) async fn mail_mayor(inner: &Rc<Inner>, call: calls::MailMayor) -> Result<Kept<Mail>> {
    let idempotency = call.idempotency.clone();
    let now = || inner.now().unwrap_or_else(|_| ambient::wall_now());
    inner.running.once(&inner.sql, now, idempotency.as_ref(), async || send_to_mayor(inner, call)).await
}

fn send_to_mayor(inner: &Rc<Inner>, call: calls::MailMayor) -> Result<Mail> {
    let mut ids = call.idempotency.as_ref().map_or_else(|| IdSeed::new(ambient::seed()), |key| key.seed());
    let mail_id: MailId = ids.mint();
    let mail = TownMail {
        mail_id,
        from_kind: MailParty::User,
        from_name: call.from.clone(),
        from_id: call.from,
        from_rig: None,
        to: MailTo::Mayor,
        thread_id: call.mail.reply_to.unwrap_or(mail_id),
        reply_to: call.mail.reply_to,
        subject: call.mail.subject,
        body: call.mail.body,
        created_at: inner.now()?,
        read_at: None,
    };
    if store::mail::get(&inner.sql, mail_id)?.is_none() {
        inner.handle(Command::SendMail(Box::new(mail.clone())))?;
    }
    inner.with_state(|state| Mail::of_town(&mail, state.mayor.agent_id))
}

/// A part of the feed, newest first.
pub(super) fn list_events(inner: &Rc<Inner>, call: calls::ListEvents) -> Result<Vec<Value>> {
    inner.with_state(|_| ())?;
    let frames = store::activity::events(&inner.sql, &call.filter)?;
    Ok(frames.into_iter().map(|frame| json!(view::frame(frame).data)).collect())
}

fn stored(inner: &Rc<Inner>, escalation_id: EscalationId) -> Result<Escalation> {
    inner.with_state(|_| ())?;
    store::escalations::get(&inner.sql, escalation_id)?.ok_or_else(|| Refusal::not_found("escalation").into())
}
