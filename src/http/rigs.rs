//! Rigs: connecting, reading, changing and removing a repository (api.md 3.2).

use gastown_core::access::Level;
use gastown_core::id::TownId;
use gastown_core::wire::api::town::{self as api, PatchRig, check_git_url};
use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::{Issue, IssueCode};
use serde_json::json;

use super::access::check_town;
use super::inbound::Inbound;
use super::reply::Reply;
use super::towns::if_version;
use crate::env::Object;
use crate::error::{Refusal, Result};
use crate::rig::calls as rig;
use crate::town::calls::{self, ListRigs, NewRig, RemoveRig, ShowRig};
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

/// POST `/api/users/:userId/rigs`: the town stands in the body, so access to it is asked here.
pub async fn create_for_user(inbound: Inbound) -> Result<Reply> {
    let new: api::NewRig = inbound.read()?;
    let Some(town_id) = new.town_id else {
        let message = "town_id is required".to_owned();
        let issue = Issue { code: IssueCode::Required, path: vec!["town_id".to_owned()], message: message.clone() };
        return Err(Refusal { issues: vec![issue], ..Refusal::new(Code::InvalidRequest, message) }.into());
    };
    let request_id = &inbound.head.request_id;
    check_town(&inbound.env, inbound.user()?, Level::TownMember, town_id, false, request_id).await?;
    connect(&inbound, town_id, new).await
}

/// GET `R`
pub async fn show(inbound: Inbound) -> Result<Reply> {
    let rig_id = inbound.rig_id()?;
    let mut shown = inbound.ask_town(&ShowRig { rig_id }).await?;
    let overview = rig::ShowOverview { town_id: inbound.town_id()? };
    shown.counts = inbound.ask_rig(rig_id, &overview).await?.counts;
    Reply::ok(&shown)
}

/// PATCH `R`
pub async fn patch(inbound: Inbound) -> Result<Reply> {
    let patch: PatchRig = inbound.read()?;
    let change = calls::PatchRig { rig_id: inbound.rig_id()?, patch, if_version: if_version(&inbound)? };
    let shown = inbound.ask_town(&change).await?;
    reconfigure(&inbound, inbound.town_id()?).await;
    Reply::ok(&shown)
}

/// DELETE `R`: its work ends with it.
pub async fn delete(inbound: Inbound) -> Result<Reply> {
    let (town_id, rig_id) = (inbound.town_id()?, inbound.rig_id()?);
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
    let reply = Reply::created(&kept.reply)?;
    Ok(if kept.is_replay { reply.header("Idempotency-Replayed", "true") } else { reply })
}

/// Asks the runtime to look at the repository; the answer comes as a fact.
async fn check(inbound: &Inbound, town_id: TownId, rig: &api::Rig) -> Result<()> {
    let (git_url, default_branch) = (rig.git_url.clone(), rig.default_branch.clone());
    let check = CheckRepo { town_id, rig_id: rig.id, git_url, default_branch };
    inbound.ask(Object::TownContainer, &town_id.to_string(), &check).await
}
