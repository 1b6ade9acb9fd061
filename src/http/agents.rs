//! What agents call for themselves, or the runtime in their name (api.md 3.9).

use gastown_core::access::Caller;
use gastown_core::id::{AgentId, RigRef};
use gastown_core::rig::review::Verdict;
use gastown_core::session::SessionKey;
use gastown_core::wire::api::agent::{
    AcknowledgeMail, Done, Heartbeat, JudgeBranch, RequestChanges, SetCheckpoint, SetStatus, SpokenFor,
};
use gastown_core::wire::code::Code;
use serde_json::json;

use super::inbound::Inbound;
use super::reply::Reply;
use crate::error::{Refusal, Result};
use crate::rig::calls::{self, AgentBeats, AgentDone, AgentJudges, Judged, Prime, ReadMail, Speaker, TokenSession};
use crate::town::calls::MayorSays;

/// GET `A/prime`
pub async fn prime(inbound: Inbound) -> Result<Reply> {
    let call = Prime { speaker: speaker(&inbound)?, peek: inbound.query.flag("peek") };
    Ok(Reply::passing(200, inbound.ask_rig(inbound.rig_id()?, &call).text()).await?.no_store())
}

/// POST `A/done`
pub async fn done(inbound: Inbound) -> Result<Reply> {
    let done: Done = inbound.read()?;
    let call = AgentDone { speaker: speaker(&inbound)?, done };
    inbound.ask_rig(inbound.rig_id()?, &call).await?;
    Reply::ok(&json!({ "done": true }))
}

/// POST `A/verdict`
pub async fn verdict(inbound: Inbound) -> Result<Reply> {
    let judge: JudgeBranch = inbound.read()?;
    Reply::created(&say(&inbound, judge).await?)
}

/// POST `A/request-changes`
pub async fn request_changes(inbound: Inbound) -> Result<Reply> {
    let RequestChanges { feedback, files } = inbound.read()?;
    let judge = JudgeBranch {
        verdict: Some(Verdict::RequestChanges),
        summary: None,
        feedback: Some(feedback),
        files,
        commit: None,
    };
    let judged = say(&inbound, judge).await?;
    Reply::created(&json!({ "rework_bead_id": judged.rework_bead_id }))
}

/// POST `A/status`
pub async fn status(inbound: Inbound) -> Result<Reply> {
    let SetStatus { message } = inbound.read()?;
    if let RigRef::Mayor(_) = inbound.rig_ref()? {
        inbound.ask_town(&MayorSays { message }).await?;
        return Reply::ok(&json!({ "ok": true }));
    }
    let call = calls::SetStatus { speaker: speaker(&inbound)?, message };
    inbound.ask_rig(inbound.rig_id()?, &call).await?;
    Reply::ok(&json!({ "ok": true }))
}

/// POST `A/checkpoint`
pub async fn checkpoint(inbound: Inbound) -> Result<Reply> {
    let SetCheckpoint { data } = inbound.read()?;
    let call = calls::SetCheckpoint { speaker: speaker(&inbound)?, data };
    inbound.ask_rig(inbound.rig_id()?, &call).await?;
    Reply::ok(&json!({ "written": true }))
}

/// POST `A/heartbeat`: of a runtime that beats for each agent.
pub async fn heartbeat(inbound: Inbound) -> Result<Reply> {
    let heartbeat: Heartbeat = inbound.read()?;
    let call = AgentBeats { speaker: speaker(&inbound)?, heartbeat };
    inbound.ask_rig(inbound.rig_id()?, &call).await?;
    Reply::ok(&json!({ "heartbeat": true }))
}

/// GET `A/mail`
pub async fn mail(inbound: Inbound) -> Result<Reply> {
    let call = ReadMail { speaker: speaker(&inbound)?, peek: inbound.query.flag("peek") };
    Ok(Reply::passing(200, inbound.ask_rig(inbound.rig_id()?, &call).text()).await?.no_store())
}

/// POST `A/mail/ack`
pub async fn acknowledge_mail(inbound: Inbound) -> Result<Reply> {
    let AcknowledgeMail { mail_ids } = inbound.read()?;
    let call = calls::AcknowledgeMail { speaker: speaker(&inbound)?, mail_ids };
    let delivered = inbound.ask_rig(inbound.rig_id()?, &call).await?;
    Reply::ok(&json!({ "delivered": delivered }))
}

async fn say(inbound: &Inbound, judge: JudgeBranch) -> Result<Judged> {
    let call = AgentJudges { speaker: speaker(inbound)?, judge };
    inbound.ask_rig(inbound.rig_id()?, &call).await
}

/// Who speaks: the agent of the token, or the runtime, which names the session in the body (api.md 2.3).
pub(super) fn speaker(inbound: &Inbound) -> Result<Speaker> {
    let town_id = inbound.town_id()?;
    let agent_id: AgentId = inbound.agent_id()?;
    if let Caller::Agent(agent) = &inbound.caller {
        return Ok(Speaker { town_id, agent_id: agent.agent_id, session: agent.session.into() });
    }
    let named: SpokenFor = inbound.read()?;
    match (named.assignment_id, named.epoch) {
        (Some(assignment_id), Some(epoch)) => {
            Ok(Speaker { town_id, agent_id, session: TokenSession::Named(SessionKey { assignment_id, epoch }) })
        }
        (_, _) => {
            let message = "A call in an agent's name carries assignment_id and epoch";
            Err(Refusal::new(Code::AssignmentRequired, message).into())
        }
    }
}
