//! Towns of users and organisations (api.md 3.2), and their deletion.

use gastown_core::access::{Account, Level, OrgRole, TownOwner, TownRole, admit_to_town};
use gastown_core::id::{IdSeed, RigId, TownId};
use gastown_core::town::state::AccountKind;
use gastown_core::wire::api::town::{NewTown, RenameTown, Town};
use gastown_core::wire::code::Code;
use serde_json::json;

use super::inbound::Inbound;
use super::reply::Reply;
use crate::account::calls::{AddTown, ListTowns, RemoveTown};
use crate::ambient::seed;
use crate::env::Object;
use crate::error::{Error, Refusal, Result};
use crate::rig::calls as rig;
use crate::routes::Method;
use crate::town::calls::{Create, Delete, ListRigs, Ownership, Rename, Show};
use crate::town_container::calls::Forget;

/// POST `/api/towns` and `/api/users/:userId/towns`
pub async fn create(inbound: Inbound) -> Result<Reply> {
    let new: NewTown = inbound.read()?;
    let user = inbound.user()?.user_id.clone();
    let (kind, account) = match &new.org_id {
        Some(org) => {
            check_membership(&inbound, org)?;
            (AccountKind::Org, org.clone())
        }
        None => (AccountKind::User, user),
    };
    make(&inbound, new, kind, account).await
}

/// POST `/api/orgs/:orgId/towns`
pub async fn create_for_org(inbound: Inbound) -> Result<Reply> {
    let new: NewTown = inbound.read()?;
    let org = inbound.params.get("orgId").unwrap_or_default().to_owned();
    make(&inbound, new, AccountKind::Org, org).await
}

/// GET `/api/towns`: personal ones and every organisation's.
pub async fn list(inbound: Inbound) -> Result<Reply> {
    let user = inbound.user()?;
    let mut towns = towns_of(&inbound, &account_name(AccountKind::User, &user.user_id)).await?;
    for membership in user.orgs.iter().filter(|membership| membership.role != OrgRole::BillingManager) {
        towns.extend(towns_of(&inbound, &account_name(AccountKind::Org, &membership.org_id)).await?);
    }
    let wanted = inbound.query.get("q").map(str::to_lowercase);
    towns.retain(|town| wanted.as_ref().is_none_or(|wanted| town.name.to_lowercase().contains(wanted)));
    gastown_core::sorted::sort_by_key(&mut towns, |town| std::cmp::Reverse((town.created_at, town.id)));
    Reply::ok(&towns)
}

/// GET `/api/users/:userId/towns`
pub async fn list_of_user(inbound: Inbound) -> Result<Reply> {
    // The path names the caller, except where an administrator reads.
    let account = account_name(AccountKind::User, inbound.params.get("userId").unwrap_or_default());
    Reply::ok(&towns_of(&inbound, &account).await?)
}

/// GET `/api/orgs/:orgId/towns`
pub async fn list_of_org(inbound: Inbound) -> Result<Reply> {
    let account = account_name(AccountKind::Org, inbound.params.get("orgId").unwrap_or_default());
    Reply::ok(&towns_of(&inbound, &account).await?)
}

/// GET `T`
pub async fn show(inbound: Inbound) -> Result<Reply> {
    let town = inbound.ask_town(&Show {}).await?.seen_by(inbound.town_role.unwrap_or(TownRole::Owner));
    Ok(Reply::ok(&town)?.version(town.version))
}

/// PATCH `T`
pub async fn rename(inbound: Inbound) -> Result<Reply> {
    let RenameTown { name } = inbound.read()?;
    let view = inbound.ask_town(&Rename { name, if_version: if_version(&inbound)? }).await?;
    let town = view.seen_by(inbound.town_role.unwrap_or(TownRole::Owner));
    Ok(Reply::ok(&town)?.version(town.version))
}

/// GET `/api/orgs/:orgId/towns/:townId`
pub async fn show_of_org(inbound: Inbound) -> Result<Reply> {
    show(enter_own(inbound, Level::TownMember).await?).await
}

/// DELETE `/api/orgs/:orgId/towns/:townId`
pub async fn delete_of_org(inbound: Inbound) -> Result<Reply> {
    delete(enter_own(inbound, Level::TownOwner).await?).await
}

/// GET `/api/orgs/:orgId/towns/:townId/rigs`
pub async fn rigs_of_org(inbound: Inbound) -> Result<Reply> {
    super::rigs::list(enter_own(inbound, Level::TownMember).await?).await
}

/// DELETE `T`: agents and runtime first, then the rigs, then the town, then the record; every later call finds nothing.
/// The town goes after its rigs, so that a deletion which failed half-way can be asked for again. Rigs and keeper are
/// emptied once more at the end, because they may have been spoken to until the town was gone.
pub async fn delete(inbound: Inbound) -> Result<Reply> {
    let town_id = inbound.town_id()?;
    let town = inbound.ask_town(&Show {}).await?.town;
    inbound.ask_container(&Forget { town_id }).await?;
    for rig in inbound.ask_town(&ListRigs {}).await? {
        inbound.ask_rig(rig.id, &rig::Delete {}).await?;
    }
    let rigs: Vec<RigId> = inbound.ask_town(&Delete {}).await?;
    for rig_id in rigs {
        inbound.ask_rig(rig_id, &rig::Delete {}).await?;
    }
    inbound.ask_container(&Forget { town_id }).await?;
    let account = match (&town.owner_user_id, &town.owner_org_id) {
        (Some(user), _) => account_name(AccountKind::User, user),
        (None, org) => account_name(AccountKind::Org, org.as_deref().unwrap_or_default()),
    };
    inbound.ask(Object::Account, &account, &RemoveTown { town_id }).await?;
    Reply::ok(&json!({ "deleted": true }))
}

async fn enter_own(inbound: Inbound, level: Level) -> Result<Inbound> {
    let town_id = inbound.town_id()?;
    enter(inbound, town_id, level).await
}

/// The same request as one about this town, where the path names an account and no town, or a town and its
/// organisation: what the caller is to the town, and that it is the organisation's, is asked here.
pub async fn enter(inbound: Inbound, town_id: TownId, level: Level) -> Result<Inbound> {
    let is_read = inbound.route.method == Method::Get;
    let owner: TownOwner = inbound.ask(Object::Town, &town_id.to_string(), &Ownership {}).await?.into();
    let of_path = inbound.params.get("orgId").map(|org| Account::Org(org.to_owned()));
    if of_path.is_some_and(|account| account != owner.account) {
        return Err(Refusal::not_found("town").into());
    }
    let role = admit_to_town(inbound.user()?, level, &owner, is_read).map_err(super::access::refused)?;
    let params = inbound.params.clone().with("townId", town_id.to_string());
    Ok(Inbound { params, town_role: Some(role), ..inbound })
}

/// `If-Match` as a version; the dashboard sends what it read from a resource's `version`.
pub fn if_version(inbound: &Inbound) -> Result<Option<u64>> {
    let Some(header) = &inbound.headers.if_match else { return Ok(None) };
    if header.trim() == "*" {
        return Ok(None);
    }
    let tag = header.trim().trim_start_matches("W/").trim_matches('"');
    match tag.split('-').next().unwrap_or_default().parse() {
        Ok(version) => Ok(Some(version)),
        Err(_) => Err(Refusal::new(Code::PreconditionFailed, "If-Match names no version").into()),
    }
}

/// Name of the account object of a user or an organisation.
pub fn account_name(kind: AccountKind, id: &str) -> String {
    format!("{kind}:{id}")
}

async fn make(inbound: &Inbound, new: NewTown, kind: AccountKind, account_id: String) -> Result<Reply> {
    let created_by = inbound.user()?.user_id.clone();
    let mut ids = match inbound.idempotency()? {
        Some(idempotency) => idempotency.seed(),
        None => IdSeed::new(seed()),
    };
    let town_id: TownId = ids.mint();
    let name = new.name.clone();
    let create = Create {
        town_id,
        name: new.name,
        account_kind: kind,
        account_id: account_id.clone(),
        created_by: created_by.clone(),
        config: new.config,
    };
    let view = inbound.ask(Object::Town, &town_id.to_string(), &create).await?;
    let account = account_name(kind, &account_id);
    let add = AddTown { account: account.clone(), town_id, name, created_by };
    inbound.ask(Object::Account, &account, &add).await?;
    Reply::created(&view.town)
}

async fn towns_of(inbound: &Inbound, account: &str) -> Result<Vec<Town>> {
    let ids = inbound.ask(Object::Account, account, &ListTowns {}).await?;
    let asked = ids.into_iter().map(|town_id| {
        let name = town_id.to_string();
        async move { inbound.ask(Object::Town, &name, &Show {}).await }
    });
    let mut towns = Vec::new();
    for answer in futures::future::join_all(asked).await {
        match answer {
            Ok(view) => towns.push(view.town),
            // Deleted between the two questions.
            Err(Error::Refusal(refusal)) if refusal.code == Code::NotFound => (),
            Err(error) => return Err(error),
        }
    }
    Ok(towns)
}

fn check_membership(inbound: &Inbound, org: &str) -> Result<()> {
    match inbound.user()?.role_in(org) {
        Some(OrgRole::Owner | OrgRole::Member) => Ok(()),
        Some(OrgRole::BillingManager) | None => {
            Err(Refusal::new(Code::Forbidden, "You are not a member of this organisation").into())
        }
    }
}
