//! The mayor, as people talk to it (api.md 3.5). A message is stored before the reply and delivered exactly once.

use gastown_core::id::{IdSeed, MessageId};
use gastown_core::wire::api::mayor::SayToMayor;
use gastown_core::wire::api::ui::{LookAt, MayorCompleted, ShowUi};
use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::{Warning, WarningCode};
use serde_json::json;

use super::inbound::Inbound;
use super::reply::Reply;
use crate::ambient::seed;
use crate::error::{Error, Refusal, Result};
use crate::rig::calls::{ShowAgent, ShowBead};
use crate::town::calls::{
    self, EndMayor, EnsureMayor, ListMessages, MayorSession, Ping, PostMessage, RestartMayor, ShowMayor,
};

/// POST `T/mayor/message`
pub async fn say(inbound: Inbound) -> Result<Reply> {
    let said: SayToMayor = inbound.read()?;
    let user = inbound.user()?;
    let author = user.name.clone().unwrap_or_else(|| user.user_id.clone());
    // A repeat under the same key is the same message, whatever happened to the first reply.
    let mut ids = match inbound.idempotency()? {
        Some(idempotency) => idempotency.seed(),
        None => IdSeed::new(seed()),
    };
    let message_id: MessageId = ids.mint();
    let post = PostMessage { message_id, author, text: said.message, ui_context: said.ui_context };
    let session = inbound.ask_town(&post).await?;
    let data = json!({ "agentId": session.agent_id, "sessionStatus": session.status, "messageId": message_id });
    let ignored = Warning {
        code: WarningCode::IgnoredField,
        message: "The mayor's model is chosen per role".to_owned(),
        path: Some("model".to_owned()),
    };
    Reply::with_warnings(200, &data, if said.names_model { vec![ignored] } else { Vec::new() })
}

/// GET `T/mayor/status`
pub async fn status(inbound: Inbound) -> Result<Reply> {
    Reply::ok(&inbound.ask_town(&ShowMayor {}).await?.status)
}

/// GET `T/mayor/messages`
pub async fn messages(inbound: Inbound) -> Result<Reply> {
    let limit = inbound.query.paging()?.limit;
    let after_id = inbound.query.get("after_id").map(str::to_owned);
    Reply::passing(200, inbound.ask_town(&ListMessages { limit, after_id }).text()).await
}

/// POST `T/mayor/ensure`
pub async fn ensure(inbound: Inbound) -> Result<Reply> {
    session(inbound.ask_town(&EnsureMayor {}).await?)
}

/// POST `T/mayor/restart`
pub async fn restart(inbound: Inbound) -> Result<Reply> {
    session(inbound.ask_town(&RestartMayor {}).await?)
}

/// POST `T/mayor/configure`: the record exists with the town; no session is started.
pub async fn configure(inbound: Inbound) -> Result<Reply> {
    inbound.ask_town(&ShowMayor {}).await?;
    Reply::ok(&json!({ "configured": true }))
}

/// POST `T/mayor/completed`: the session's end comes with its epoch in the runtime's outcomes; a word without one could
/// be about a session that was replaced, so it only makes the town look at once.
pub async fn completed(inbound: Inbound) -> Result<Reply> {
    let MayorCompleted { .. } = inbound.read()?;
    inbound.ask_town(&Ping {}).await?;
    Reply::ok(&json!({ "acknowledged": true }))
}

/// POST `T/mayor/destroy`
pub async fn destroy(inbound: Inbound) -> Result<Reply> {
    inbound.ask_town(&EndMayor {}).await?;
    Reply::ok(&json!({ "destroyed": true }))
}

/// POST `T/mayor/dashboard-context`
pub async fn look_at(inbound: Inbound) -> Result<Reply> {
    let LookAt { context } = inbound.read()?;
    inbound.ask_town(&calls::LookAt { context }).await?;
    Reply::ok(&json!({ "stored": true }))
}

/// POST `T/mayor/ui-action` and `M/ui-action`: what the action names must be there.
pub async fn show_ui(inbound: Inbound) -> Result<Reply> {
    let action = inbound.read::<ShowUi>()?.action.unwrap_or_default();
    let town_id = inbound.town_id()?;
    let (shown, rig_id) = (action.shown(town_id), action.rig_id);
    let known = match (rig_id, action.bead_id, action.agent_id) {
        (Some(rig_id), Some(bead_id), _) => inbound.ask_rig(rig_id, &ShowBead { town_id, bead_id }).await.map(drop),
        (Some(rig_id), _, Some(agent_id)) => inbound.ask_rig(rig_id, &ShowAgent { town_id, agent_id }).await.map(drop),
        (_, _, _) => Ok(()),
    };
    known.map_err(|error| match error {
        Error::Refusal(refusal) if refusal.code == Code::NotFound => {
            let is_rig = refusal.details.as_ref().is_some_and(|details| details["kind"] == "rig");
            let code = if is_rig { Code::UnknownRig } else { Code::UnknownReference };
            Refusal { code, ..*refusal }.into()
        }
        other @ (Error::Refusal(_) | Error::Fault(_)) => other,
    })?;
    inbound.ask_town(&calls::ShowUi { action: shown, rig_id, convoy_id: action.convoy_id }).await?;
    Reply::ok(&json!({ "broadcast": true }))
}

fn session(session: MayorSession) -> Result<Reply> {
    Reply::ok(&json!({ "agentId": session.agent_id, "sessionStatus": session.status }))
}
