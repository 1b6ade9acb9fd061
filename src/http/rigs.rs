//! Rigs: connecting, reading, changing and removing a repository (api.md 3.2).

use gastown_core::access::{Level, TownRole};
use gastown_core::id::{RigId, TownId};
use gastown_core::wire::api::town::{self as api, PatchRig, check_git_url};
use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::{Issue, IssueCode, Warning, WarningCode};
use serde_json::json;

use super::inbound::Inbound;
use super::reply::Reply;
use super::towns::{enter, if_version};
use crate::env::Object;
use crate::error::{Error, Refusal, Result};
use crate::rig::calls as rig;
use crate::town::calls::{self, ListRigs, NewRig, PatchConfig, RemoveRig, ShowConfig, ShowRig};
use crate::town_container::calls::{CheckRepo, Reconfigure};

/// GET `T/rigs`
pub async fn list(inbound: Inbound) -> Result<Reply> {
    Reply::passing(200, inbound.ask_town(&ListRigs {}).text()).await
}

/// POST `T/rigs`
pub async fn create(inbound: Inbound) -> Result<Reply> {
    let new: api::NewRig = inbound.read()?;
    let town_id = inbound.town_id()?;
    connect(&inbound, town_id, new).await
}

/// POST `/api/users/:userId/rigs` and `/api/orgs/:orgId/rigs`: the town stands in the body.
pub async fn create_for_account(inbound: Inbound) -> Result<Reply> {
    let new: api::NewRig = inbound.read()?;
    let Some(town_id) = new.town_id else {
        let message = "town_id is required".to_owned();
        let issue = Issue { code: IssueCode::Required, path: vec!["town_id".to_owned()], message: message.clone() };
        return Err(Refusal { issues: vec![issue], ..Refusal::new(Code::InvalidRequest, message) }.into());
    };
    let inbound = enter(inbound, town_id, Level::TownMember).await?;
    connect(&inbound, town_id, new).await
}

/// GET `/api/users/:userId/rigs/:rigId` and `/api/orgs/:orgId/rigs/:rigId`
pub async fn show_of_account(inbound: Inbound) -> Result<Reply> {
    show(enter_of_rig(inbound, Level::TownMember).await?).await
}

/// DELETE `/api/users/:userId/rigs/:rigId` and `/api/orgs/:orgId/rigs/:rigId`
pub async fn delete_of_account(inbound: Inbound) -> Result<Reply> {
    delete(enter_of_rig(inbound, Level::TownOwner).await?).await
}

/// The request as one about the town that the rig belongs to; a rig in a town that the caller may not see is not there.
async fn enter_of_rig(inbound: Inbound, level: Level) -> Result<Inbound> {
    let rig_id: RigId = inbound.rig_id()?;
    let town_id = inbound.ask_rig(rig_id, &rig::Whereabouts {}).await?;
    match enter(inbound, town_id, level).await {
        Err(Error::Refusal(refusal)) if refusal.code == Code::NotFound => Err(Refusal::not_found("rig").into()),
        other => other,
    }
}

/// GET `R`
pub async fn show(inbound: Inbound) -> Result<Reply> {
    let rig_id = inbound.rig_id()?;
    let mut shown = inbound.ask_town(&ShowRig { rig_id }).await?;
    let overview = rig::ShowOverview { town_id: inbound.town_id()? };
    shown.counts = inbound.ask_rig(rig_id, &overview).await?.counts;
    Ok(Reply::ok(&shown)?.version(shown.version))
}

/// PATCH `R`
pub async fn patch(inbound: Inbound) -> Result<Reply> {
    let patch: PatchRig = inbound.read()?;
    let change = calls::PatchRig { rig_id: inbound.rig_id()?, patch, if_version: if_version(&inbound)? };
    let shown = inbound.ask_town(&change).await?;
    reconfigure(&inbound, inbound.town_id()?).await;
    Ok(Reply::ok(&shown)?.version(shown.version))
}

/// DELETE `R`: its work ends with it. The rig goes before its entry in the town, so that a deletion which failed half-way
/// can be asked for again, and once more after it, because the town may have spoken to it until then.
pub async fn delete(inbound: Inbound) -> Result<Reply> {
    let (town_id, rig_id) = (inbound.town_id()?, inbound.rig_id()?);
    inbound.ask_town(&ShowRig { rig_id }).await?;
    inbound.ask_rig(rig_id, &rig::Delete {}).await?;
    inbound.ask_town(&RemoveRig { rig_id }).await?;
    inbound.ask_rig(rig_id, &rig::Delete {}).await?;
    reconfigure(&inbound, town_id).await;
    Reply::ok(&json!({ "deleted": true }))
}

/// POST `R/check-access`
pub async fn check_access(inbound: Inbound) -> Result<Reply> {
    let (town_id, rig_id) = (inbound.town_id()?, inbound.rig_id()?);
    let mut shown = inbound.ask_town(&ShowRig { rig_id }).await?;
    check(&inbound, town_id, &shown).await?;
    shown.access.state = api::RigAccessState::Checking;
    Reply::accepted(&shown)
}

/// The runtime learns of changed settings; if it cannot be told now, its next heartbeat tells it.
pub async fn reconfigure(inbound: &Inbound, town_id: TownId) {
    let told = inbound.ask(Object::TownContainer, &town_id.to_string(), &Reconfigure { town_id }).await;
    if let Err(error) = told {
        crate::log::warn("the runtime was not told of new settings", &[("error", &format!("{error:?}"))]);
    }
}

async fn connect(inbound: &Inbound, town_id: TownId, new: api::NewRig) -> Result<Reply> {
    check_git_url(&new.git_url, inbound.settings.allow_local_git).map_err(|why| Refusal::new(Code::UnsafeUrl, why))?;
    let token = new.kilocode_token;
    let new = NewRig {
        name: new.name,
        git_url: new.git_url,
        default_branch: new.default_branch,
        target_branch: new.target_branch,
        purpose: new.purpose,
        integration_id: new.platform_integration_id,
    };
    let actor = inbound.user()?.user_id.clone();
    let idempotency = inbound.idempotency()?;
    let add = calls::AddRig { new, actor, idempotency };
    let kept = inbound.ask(Object::Town, &town_id.to_string(), &add).await?;
    reconfigure(inbound, town_id).await;
    if let Err(error) = check(inbound, town_id, &kept.reply).await {
        crate::log::warn("access to a new rig was not checked", &[("error", &format!("{error:?}"))]);
    }
    let warnings = match token {
        Some(token) if !keep_token(inbound, town_id, &token).await? => vec![Warning {
            code: WarningCode::IgnoredField,
            message: "The town has a token, or you may not set one".to_owned(),
            path: Some("kilocode_token".to_owned()),
        }],
        Some(_) | None => Vec::new(),
    };
    Ok(Reply::with_warnings(201, &kept.reply, warnings)?.replayed(kept.is_replay))
}

/// A token that comes with a repository is the town's, if an owner gives it and the town has none (api.md 3.2).
async fn keep_token(inbound: &Inbound, town_id: TownId, token: &str) -> Result<bool> {
    let town = town_id.to_string();
    if inbound.params.get("orgId").is_some() || inbound.town_role != Some(TownRole::Owner) {
        return Ok(false);
    }
    let known = inbound.ask(Object::Town, &town, &ShowConfig {}).await?;
    if known.config.get("kilocode_token").is_some_and(|known| !known.is_null()) {
        return Ok(false);
    }
    let (actor, request_id) = (inbound.actor(), inbound.head.request_id.clone());
    let patch = json!({ "kilocode_token": token });
    let patch = PatchConfig { patch, by_mayor: false, actor, request_id, if_version: None };
    inbound.ask(Object::Town, &town, &patch).await?;
    Ok(true)
}

/// Asks the runtime to look at the repository; the answer comes as a fact.
async fn check(inbound: &Inbound, town_id: TownId, rig: &api::Rig) -> Result<()> {
    let (git_url, default_branch) = (rig.git_url.clone(), rig.default_branch.clone());
    let check = CheckRepo { town_id, rig_id: rig.id, git_url, default_branch };
    inbound.ask(Object::TownContainer, &town_id.to_string(), &check).await
}
