//! What people and the mayor are told: escalations and mail; and what agents ask of them and of triage (api.md 3.6,
//! 3.10, 3.12).

use futures::future::join_all;
use gastown_core::access::Caller;
use gastown_core::id::{AgentId, EscalationId, MailId, RigId};
use gastown_core::protocol::{MailParty, Severity};
use gastown_core::session::SessionKey;
use gastown_core::time::Timestamp;
use gastown_core::town::state::EscalationState;
use gastown_core::wire::api::agent::SpokenFor;
use gastown_core::wire::api::escalation::{AcknowledgeEscalation, NewEscalation, ReplyEscalation};
use gastown_core::wire::api::mail::{Direction, Mail, SendMail};
use gastown_core::wire::api::{escalation, read};
use gastown_core::wire::code::Code;
use serde_json::Value;

use super::cursor;
use super::inbound::Inbound;
use super::reply::Reply;
use crate::error::{Refusal, Result};
use crate::rig::calls::{ListMail, ResolveTriage, Send, Speaker, TokenSession, WhoSpeaks};
use crate::town::calls::{
    self, Acknowledge, CountEscalations, Escalate, EscalationFilter, ListEscalations, MailMayor, ShowEscalation,
};

/// Mails of one rig, or of the town, in one list: mail is kept for a week.
const MAILS_MAX: u32 = 2_000;

/// GET `T/escalations` and `M/escalations`
pub async fn escalations(inbound: Inbound) -> Result<Reply> {
    let states = match inbound.query.truth("acknowledged")? {
        None => Vec::new(),
        Some(false) => vec![EscalationState::Open],
        Some(true) => vec![EscalationState::Acknowledged, EscalationState::Resolved],
    };
    let filter = EscalationFilter {
        states,
        severities: inbound.query.many::<Severity>("severity")?,
        rigs: inbound.query.many::<RigId>("rig_id")?,
        categories: inbound.query.many::<String>("category")?,
        before: cursor::of(&inbound)?.map(|(at, id)| (at, EscalationId::from_u128(id))),
        limit: cursor::wanted(&inbound)? as usize,
        offset: 0,
    };
    let total = match cursor::counts(&inbound) {
        true => Some(inbound.ask_town(&CountEscalations { filter: filter.clone() }).await?),
        false => None,
    };
    let found = inbound.ask_town(&ListEscalations { filter }).await?;
    cursor::page(&inbound, found, place_of_escalation, total, Vec::new())
}

fn place_of_escalation(shape: &Value) -> cursor::Place {
    let text = |name: &str| shape.get(name).and_then(Value::as_str).unwrap_or_default();
    let at: Option<Timestamp> = text("created_at").parse().ok();
    let id: Option<EscalationId> = text("id").parse().ok();
    (at.unwrap_or(Timestamp::from_ms(0)), id.map_or(0, EscalationId::as_u128))
}

/// GET `T/escalations/:e`
pub async fn escalation(inbound: Inbound) -> Result<Reply> {
    let escalation_id = escalation_id(&inbound)?;
    Reply::passing(200, inbound.ask_town(&ShowEscalation { escalation_id }).text()).await
}

/// POST `T/escalations/:e/acknowledge` and `M/escalations/:e/acknowledge`
pub async fn acknowledge(inbound: Inbound) -> Result<Reply> {
    let AcknowledgeEscalation { note } = inbound.read()?;
    let call = Acknowledge { escalation_id: escalation_id(&inbound)?, actor: inbound.actor(), note };
    Reply::passing(200, inbound.ask_town(&call).text()).await
}

/// POST `T/escalations/:e/reply`
pub async fn reply(inbound: Inbound) -> Result<Reply> {
    let reply: ReplyEscalation = inbound.read()?;
    let (escalation_id, idempotency) = (escalation_id(&inbound)?, inbound.idempotency()?);
    let call = calls::ReplyEscalation { escalation_id, actor: inbound.actor(), reply, idempotency };
    let kept = inbound.ask_town(&call).await?;
    Ok(Reply::created(&kept.reply)?.replayed(kept.is_replay))
}

/// POST `R/escalations`
pub async fn escalate(inbound: Inbound) -> Result<Reply> {
    let new: NewEscalation = inbound.read()?;
    let (agent_id, speaker) = speaker(&inbound, new.agent_id)?;
    let (rig_id, town_id) = (inbound.rig_id()?, inbound.town_id()?);
    let who = WhoSpeaks { town_id, agent_id, speaker, bead_id: new.bead_id };
    let who = inbound.ask_rig(rig_id, &who).await?;
    let call = Escalate {
        rig_id,
        agent_id,
        agent_name: who.agent_name,
        assignment_id: who.assignment_id,
        bead_id: who.bead_id,
        new,
        idempotency: inbound.idempotency()?,
    };
    let kept = inbound.ask_town(&call).await?;
    Ok(Reply::created(&kept.reply)?.replayed(kept.is_replay))
}

/// POST `R/triage/resolve`
pub async fn resolve_triage(inbound: Inbound) -> Result<Reply> {
    let resolve: escalation::ResolveTriage = inbound.read()?;
    let (_, speaker) = speaker(&inbound, resolve.agent_id)?;
    let speaker = speaker.ok_or_else(assignment_required)?;
    let (Some(request_id), Some(action)) = (resolve.request_id, resolve.action) else {
        return Err(Refusal::new(Code::InvalidRequest, "The request and the action are required").into());
    };
    let call = ResolveTriage { speaker, request_id, action, notes: resolve.notes, guidance: resolve.guidance };
    Reply::passing(200, inbound.ask_rig(inbound.rig_id()?, &call).text()).await
}

/// GET `T/mail`: of all rigs and of the town, newest first; reading delivers nothing.
pub async fn mails(inbound: Inbound) -> Result<Reply> {
    let agent_id = inbound.query.one::<AgentId>("agent_id")?;
    let wanted_rig = inbound.query.one::<RigId>("rig_id")?;
    let thread_id = inbound.query.one::<MailId>("thread_id")?;
    let direction = inbound.query.one::<Direction>("direction")?;
    let delivered = inbound.query.truth("delivered")?;
    let town_id = inbound.town_id()?;
    let rig_ids = inbound.rig_ids().await?;
    let list = ListMail { town_id, mail_id: None, thread_id, limit: MAILS_MAX };
    let (answers, warnings) = inbound.ask_rigs(&rig_ids, &list).await;
    let mut mails = inbound.ask_town(&calls::ListMail { thread_id, limit: MAILS_MAX }).await?;
    mails.extend(answers.into_iter().flat_map(|(_, mails)| mails));
    let caller = inbound.actor();
    let own = agent_id.map_or(caller, |agent_id| agent_id.to_string());
    let is_to = |mail: &Mail| {
        mail.to_agent_id.is_some_and(|to| to.to_string() == own)
            || (mail.to_kind == MailParty::User && mail.to_name == own)
    };
    mails.retain(|mail| {
        let (sent, received) = (mail.from_agent_id == own, is_to(mail));
        let is_its = match direction {
            Some(Direction::Sent) => sent,
            Some(Direction::Received) => received,
            None => agent_id.is_none() || sent || received,
        };
        is_its
            && wanted_rig.is_none_or(|rig_id| mail.rig_id == Some(rig_id))
            && delivered.is_none_or(|delivered| mail.delivered == delivered)
    });
    gastown_core::sorted::sort_by_key(&mut mails, |mail| std::cmp::Reverse((mail.created_at, mail.id)));
    cursor::page_of_all(&inbound, mails, |mail| (mail.created_at, mail.id.as_u128()), warnings)
}

/// POST `T/mail`: a person writes to an agent of any rig, or to the mayor.
pub async fn post_mail(inbound: Inbound) -> Result<Reply> {
    let mail: SendMail = inbound.read()?;
    let idempotency = inbound.idempotency()?;
    let from = inbound.actor();
    let mayor = inbound.ask_town(&calls::Show {}).await?.mayor_id;
    if mail.to_agent_id == "mayor" || mail.to_agent_id == mayor.to_string() {
        let kept = inbound.ask_town(&MailMayor { from, mail, idempotency }).await?;
        return Ok(Reply::created(&kept.reply)?.replayed(kept.is_replay));
    }
    let unknown = || Refusal::new(Code::UnknownReference, "There is no such agent in this town");
    let agent_id: AgentId = mail.to_agent_id.parse().map_err(|_| unknown())?;
    let town_id = inbound.town_id()?;
    let rig_ids = inbound.rig_ids().await?;
    let who = WhoSpeaks { town_id, agent_id, speaker: None, bead_id: None };
    let answers = join_all(rig_ids.iter().map(|rig_id| inbound.ask_rig(*rig_id, &who))).await;
    let found = rig_ids.iter().zip(answers).find(|(_, answer)| answer.is_ok()).map(|(rig_id, _)| *rig_id);
    let rig_id = found.ok_or_else(unknown)?;
    let kept = inbound.ask_rig(rig_id, &Send { town_id, from, mail, elsewhere: None, idempotency }).await?;
    let written = ListMail { town_id, mail_id: Some(kept.reply), thread_id: None, limit: 1 };
    let written = inbound.ask_rig(rig_id, &written).await?;
    let mail = written.first().ok_or_else(|| Refusal::not_found("mail"))?;
    Ok(Reply::created(mail)?.replayed(kept.is_replay))
}

fn escalation_id(inbound: &Inbound) -> Result<EscalationId> {
    inbound.params.id("escalationId", "escalation")
}

/// Who speaks, and for which session: the agent of the token, or the agent that the runtime names.
fn speaker(inbound: &Inbound, named: Option<AgentId>) -> Result<(AgentId, Option<Speaker>)> {
    let town_id = inbound.town_id()?;
    if let Caller::Agent(agent) = &inbound.caller {
        if named.is_some_and(|named| named != agent.agent_id) {
            return Err(Refusal::new(Code::IdentityMismatch, "agent_id is not the agent that calls").into());
        }
        let speaker = Speaker { town_id, agent_id: agent.agent_id, session: agent.session.into() };
        return Ok((agent.agent_id, Some(speaker)));
    }
    let agent_id = named.ok_or_else(assignment_required)?;
    let spoken: SpokenFor = read::read(&inbound.body)?;
    let (Some(assignment_id), Some(epoch)) = (spoken.assignment_id, spoken.epoch) else {
        return Err(assignment_required().into());
    };
    let session = TokenSession::Named(SessionKey { assignment_id, epoch });
    Ok((agent_id, Some(Speaker { town_id, agent_id, session })))
}

fn assignment_required() -> Refusal {
    Refusal::new(Code::AssignmentRequired, "A call in an agent's name carries agent_id, assignment_id and epoch")
}
