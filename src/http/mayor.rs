//! The mayor, as people talk to it (api.md 3.5). A message is stored before the reply and delivered exactly once.

use gastown_core::id::{IdSeed, MessageId};
use gastown_core::wire::api::mayor::SayToMayor;
use gastown_core::wire::envelope::{Warning, WarningCode};
use serde_json::json;

use super::inbound::Inbound;
use super::reply::Reply;
use crate::ambient::seed;
use crate::error::Result;
use crate::town::calls::{EnsureMayor, ListMessages, MayorSession, PostMessage, RestartMayor, ShowMayor};

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

fn session(session: MayorSession) -> Result<Reply> {
    Reply::ok(&json!({ "agentId": session.agent_id, "sessionStatus": session.status }))
}
