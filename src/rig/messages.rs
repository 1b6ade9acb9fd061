//! Mail and nudges: what people, the mayor and agents of other rigs have for an agent of this one, and what its agents
//! write to the outside.

use std::rc::Rc;

use gastown_core::id::{AgentId, MailId};
use gastown_core::rig::command::{NewMail, NewNudge, Receiver};
use gastown_core::rig::mail::{MailParty, MailTo};
use gastown_core::rig::nudge::NudgeSource;
use gastown_core::rig::{Applied, Command};
use gastown_core::wire::api::nudge::Nudge;
use gastown_core::wire::code::Code;

use super::Desk;
use super::calls::{PendingNudges, Send, SendNudge};
use crate::error::{Fault, Refusal, Result};
use crate::requests::Kept;

/// Mail to an agent of this rig, or from one to somebody outside.
pub(super) async fn send_mail(desk: &Rc<Desk>, call: Send) -> Result<Kept<MailId>> {
    desk.is_of(call.town_id)?;
    let idempotency = call.idempotency.clone();
    let now = || desk.now().unwrap_or(gastown_core::time::Timestamp::from_ms(0));
    desk.running
        .once(&desk.sql, now, idempotency.as_ref(), || async {
            let from_kind = match (call.from.as_str(), call.from.parse::<AgentId>()) {
                ("mayor", _) => MailParty::Mayor,
                (_, Ok(id)) if desk.read(|state| Ok(state.agents.contains_key(&id)))? => MailParty::Agent,
                (_, _) => MailParty::User,
            };
            let new = NewMail {
                from_kind,
                from_id: call.from,
                to: receiver(call.elsewhere, &call.mail.to_agent_id)?,
                reply_to: call.mail.reply_to,
                subject: call.mail.subject,
                body: call.mail.body,
            };
            let committed = desk.handle(Command::SendMail(new), |_, applied| {
                let Applied::Mail(mail_id) = applied else {
                    return Err(Fault::new("write mail", format_args!("{applied:?}")).into());
                };
                Ok(mail_id)
            })?;
            desk.act(committed.effects).await;
            Ok(committed.value)
        })
        .await
}

fn receiver(elsewhere: Option<MailTo>, to: &str) -> Result<Receiver> {
    if let Some(to) = elsewhere {
        return Ok(Receiver::Elsewhere(to));
    }
    let unknown = || Refusal::new(Code::UnknownReference, "There is no such agent in this rig");
    Ok(Receiver::Here(to.parse().map_err(|_| unknown())?))
}

/// A nudge for an agent of this rig.
pub(super) async fn send_nudge(desk: &Rc<Desk>, call: SendNudge) -> Result<Kept<Nudge>> {
    desk.is_of(call.town_id)?;
    let idempotency = call.idempotency.clone();
    let now = || desk.now().unwrap_or(gastown_core::time::Timestamp::from_ms(0));
    desk.running
        .once(&desk.sql, now, idempotency.as_ref(), || async {
            let new = NewNudge {
                agent_id: call.agent_id,
                message: call.nudge.message,
                mode: call.nudge.mode,
                priority: call.nudge.priority,
                source: call.source.parse().unwrap_or(NudgeSource::System),
                keep: call.nudge.keep,
            };
            let committed = desk.handle(Command::SendNudge(new), |view, applied| {
                let Applied::Nudge(nudge_id) = applied else {
                    return Err(Fault::new("write a nudge", format_args!("{applied:?}")).into());
                };
                let made = view.state.nudges.get(&nudge_id);
                made.map(Nudge::of).ok_or_else(|| Fault::new("write a nudge", format_args!("{applied:?}")).into())
            })?;
            desk.act(committed.effects).await;
            Ok(committed.value)
        })
        .await
}

/// What waits for an agent, urgent first, then oldest.
pub(super) async fn pending_nudges(desk: &Rc<Desk>, call: PendingNudges) -> Result<Vec<Nudge>> {
    desk.is_of(call.town_id)?;
    desk.read(|state| match state.agents.contains_key(&call.agent_id) {
        true => Ok(Nudge::waiting_for(state, call.agent_id)),
        false => Err(Refusal::not_found("agent").into()),
    })
}
