//! Settings of a town and of a rig (api.md 3.7, 5): the documents are patched and judged in `core::config`.

use gastown_core::access::Caller;
use serde_json::Value;

use super::inbound::Inbound;
use super::reply::Reply;
use super::rigs::reconfigure;
use super::towns::if_version;
use crate::error::Result;
use crate::town::calls::{ConfigView, PatchConfig, PatchRigConfig, ShowConfig, ShowRigConfig};

/// GET `T/config`
pub async fn show(inbound: Inbound) -> Result<Reply> {
    reply(inbound.ask_town(&ShowConfig {}).await?)
}

/// PATCH `T/config`
pub async fn patch(inbound: Inbound) -> Result<Reply> {
    let patch = PatchConfig {
        patch: body(&inbound)?,
        by_mayor: by_mayor(&inbound),
        actor: actor(&inbound),
        request_id: inbound.head.request_id.clone(),
        if_version: if_version(&inbound)?,
    };
    let view = inbound.ask_town(&patch).await?;
    reconfigure(&inbound, inbound.town_id()?).await;
    reply(view)
}

/// GET `R/config`
pub async fn show_rig(inbound: Inbound) -> Result<Reply> {
    let show = ShowRigConfig { rig_id: inbound.rig_id()?, effective: inbound.query.flag("effective") };
    reply(inbound.ask_town(&show).await?)
}

/// PATCH `R/config`
pub async fn patch_rig(inbound: Inbound) -> Result<Reply> {
    let patch = PatchRigConfig {
        rig_id: inbound.rig_id()?,
        patch: body(&inbound)?,
        by_mayor: by_mayor(&inbound),
        actor: actor(&inbound),
        request_id: inbound.head.request_id.clone(),
        if_version: if_version(&inbound)?,
    };
    let view = inbound.ask_town(&patch).await?;
    reconfigure(&inbound, inbound.town_id()?).await;
    reply(view)
}

/// GET `/api/config-schema`
pub async fn schema(_: Inbound) -> Result<Reply> {
    Reply::ok(&gastown_core::config::schemas())
}

fn body(inbound: &Inbound) -> Result<Value> {
    Ok(gastown_core::wire::api::read::parse(&inbound.body)?)
}

fn reply(view: ConfigView) -> Result<Reply> {
    Ok(Reply::with_warnings(200, &view.config, view.warnings)?.version(view.version))
}

fn by_mayor(inbound: &Inbound) -> bool {
    matches!(inbound.caller, Caller::Mayor(_))
}

fn actor(inbound: &Inbound) -> String {
    match &inbound.caller {
        Caller::User(user) => user.user_id.clone(),
        Caller::Mayor(_) => "mayor".to_owned(),
        Caller::Anonymous | Caller::Agent(_) | Caller::Runtime(_) => "system".to_owned(),
    }
}
