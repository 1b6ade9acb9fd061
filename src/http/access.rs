//! The only place that sees a token: verifies it, and asks whoever knows what the token cannot say. The decision itself is
//! `core::access`; the checks run in the order of api.md 2.3, before the body is read and before any effect.

use std::time::Duration;

use gastown_core::access::{
    Access, Admission, AgentCaller, AgentSession, Caller, Denial, Level, MayorCaller, RuntimeCaller, Scope, TownRole,
    UserCaller, admit, admit_role, admit_to_town,
};
use gastown_core::id::{RigRef, TownId};
use gastown_core::rate;
use gastown_core::session::Role;
use gastown_core::wire::code::Code;
use worker::{Env, Request};

use super::inbound::Params;
use super::query::Query;
use super::streams::ticket_for;
use super::{Head, LATE_REFRESH, cookie_name, is_origin_allowed};
use crate::account::calls::{CheckSession, Count};
use crate::ambient::wall_now;
use crate::call::{Asked, Call, ask};
use crate::env::{Object, Settings, stub};
use crate::error::{Error, Refusal, Result};
use crate::rig::calls::CheckAgent;
use crate::routes::Route;
use crate::town::calls::{CheckMayor, Ownership};
use crate::town_container::calls::CheckRuntime;

/// A request at the door of its row.
pub struct Entry<'a> {
    /// The row.
    pub route: &'static Route,
    /// Ids of the path.
    pub params: &'a Params,
    /// What is known of the request.
    pub head: &'a Head,
    /// The deployment.
    pub settings: &'static Settings,
    /// Bindings.
    pub env: &'a Env,
}

/// Who may go on.
pub struct Admitted {
    /// The caller.
    pub caller: Caller,
    /// What a person is to the town of the path.
    pub town_role: Option<TownRole>,
}

impl Entry<'_> {
    /// Decides whether this request may go on.
    pub async fn admit(&self, request: &Request) -> Result<Admitted> {
        let access = &self.route.access;
        if self.route.takes_ticket {
            self.check_origin()?;
            if let Some(ticket) = Query::parse(&request.inner().url())?.get("ticket") {
                return self.by_ticket(ticket).await;
            }
        }
        let caller = match self.caller(request) {
            Err(_) if access.is_public() => Caller::Anonymous,
            other => other?,
        };
        if access.is_public() {
            return Ok(Admitted { caller, town_role: None });
        }
        if let Caller::User(user) = &caller {
            self.check_session(user).await?;
        }
        let scope = self.scope(&caller)?;
        let town_role = match admit(&caller, access, &scope).map_err(|denial| refuse(denial, access))? {
            Admission::Granted => None,
            Admission::AskTown(level) => Some(self.ask_town(&caller, level, &scope).await?),
            Admission::AskRig => self.ask_rig(&caller).await?,
            Admission::AskMayor => self.ask_mayor(&caller).await?,
            Admission::AskRuntime => self.ask_runtime(&caller).await?,
        };
        if let Caller::User(user) = &caller
            && self.route.is_idempotent
        {
            self.count(user).await?;
        }
        Ok(Admitted { caller, town_role })
    }

    /// A page of somebody else may not open a stream, whatever it knows (api.md 1.9).
    fn check_origin(&self) -> Result<()> {
        match &self.head.origin {
            Some(origin) if !self.is_allowed(origin) => Err(foreign_origin()),
            Some(_) | None => Ok(()),
        }
    }

    /// Whoever shows a ticket is its subject, for this one stream.
    async fn by_ticket(&self, ticket: &str) -> Result<Admitted> {
        let invalid = |denial| refuse(denial, &self.route.access);
        let town_id: TownId = self.params.id("townId", "town").map_err(|_| invalid(Denial::TicketInvalid))?;
        let asked = ticket_for(self.route.operation, self.params, ticket.to_owned());
        let guard = self.ask(Object::TownContainer, &town_id.to_string(), &asked).await?;
        let user = UserCaller {
            user_id: guard.subject,
            name: None,
            email: None,
            is_admin: false,
            orgs: Vec::new(),
            generation: guard.generation,
            session_id: guard.session_id,
            signed_in_at: None,
            expires_at: guard.expires_at,
        };
        self.check_session(&user).await?;
        Ok(Admitted { caller: Caller::User(user), town_role: Some(TownRole::Member) })
    }

    fn is_allowed(&self, origin: &str) -> bool {
        is_origin_allowed(origin, &self.head.own_origin, self.settings)
    }

    /// Creating calls of a person are counted where everything of the person is: at the account.
    async fn count(&self, user: &UserCaller) -> Result<()> {
        self.ask(Object::Account, &account_of(user), &Count { rate: rate::USER }).await
    }

    /// The bearer token wins over the cookie; a cookie that may change something must come from a page of ours.
    fn caller(&self, request: &Request) -> Result<Caller> {
        let header = |name: &str| request.headers().get(name).ok().flatten();
        let wall = wall_now();
        if let Some(token) = header("authorization").as_deref().and_then(bearer) {
            let late = if self.route.may_be_late { LATE_REFRESH } else { Duration::ZERO };
            let caller = self.settings.keys.caller(token, wall, late).map_err(|d| refuse(d, &self.route.access))?;
            return Ok(in_town_time(caller, self.settings));
        }
        let cookies = header("cookie").unwrap_or_default();
        let Some(cookie) = cookie(&cookies, cookie_name(&self.head.own_origin)) else {
            return Ok(Caller::Anonymous);
        };
        let user = self.settings.keys.session(cookie, wall).map_err(|d| refuse(d, &self.route.access))?;
        let is_read = matches!(self.head.method.as_str(), "GET" | "HEAD");
        let is_own_page = self.head.origin.as_ref().is_some_and(|origin| self.is_allowed(origin));
        if is_read || is_own_page { Ok(Caller::User(user)) } else { Err(foreign_origin()) }
    }

    /// Ids of the path; what is no id names nothing, and that is only told to someone who showed a credential.
    fn scope(&self, caller: &Caller) -> Result<Scope> {
        if *caller == Caller::Anonymous {
            return Ok(Scope::default());
        }
        let id = |name: &str| self.params.get(name);
        Ok(Scope {
            is_read: matches!(self.head.method.as_str(), "GET" | "HEAD"),
            user_id: id("userId").map(str::to_owned),
            org_id: id("orgId").map(str::to_owned),
            town_id: id("townId").map(|_| self.params.id("townId", "town")).transpose()?,
            rig_id: id("rigId").map(|_| self.params.id::<RigRef>("rigId", "rig")).transpose()?,
            agent_id: match id("agentId") {
                // In `T/agents/…` the word stands for the mayor's id, which the town knows.
                None | Some("mayor" | "stream") => None,
                Some(_) => Some(self.params.id("agentId", "agent")?),
            },
        })
    }

    /// A session that was signed out, or an older generation than the account's, is over.
    async fn check_session(&self, user: &UserCaller) -> Result<()> {
        if user.session_id.is_none() && user.generation.is_none() {
            return Ok(());
        }
        let check = CheckSession { session_id: user.session_id.clone(), generation: user.generation };
        match self.ask(Object::Account, &account_of(user), &check).await?.is_live {
            true => Ok(()),
            false => Err(refuse(Denial::TokenInvalid, &self.route.access)),
        }
    }

    async fn ask_town(&self, caller: &Caller, level: Level, scope: &Scope) -> Result<TownRole> {
        let (Caller::User(user), Some(town_id)) = (caller, scope.town_id) else {
            return Err(refuse(Denial::NotFound, &self.route.access));
        };
        let owner = self.ask(Object::Town, &town_id.to_string(), &Ownership {}).await?;
        admit_to_town(user, level, &owner.into(), scope.is_read).map_err(|denial| refuse(denial, &self.route.access))
    }

    async fn ask_rig(&self, caller: &Caller) -> Result<Option<TownRole>> {
        if let Caller::Agent(AgentCaller { town_id, rig_id, agent_id, session, generation }) = *caller {
            if self.route.may_be_idle && matches!(session, AgentSession::Short { .. }) {
                return Ok(None);
            }
            let (may_be_over, is_counted) = (self.route.may_be_over, self.route.is_idempotent);
            let session = session.into();
            let check = CheckAgent { town_id, agent_id, session, generation, may_be_over, is_counted };
            let live = self.ask(Object::Rig, &rig_id.to_string(), &check).await?;
            self.check_role(live.role)?;
        }
        Ok(None)
    }

    async fn ask_mayor(&self, caller: &Caller) -> Result<Option<TownRole>> {
        if let Caller::Mayor(MayorCaller { town_id, agent_id, epoch, generation }) = *caller {
            let check = CheckMayor { agent_id, epoch, generation, is_counted: self.route.is_idempotent };
            self.ask(Object::Town, &town_id.to_string(), &check).await?;
            self.check_role(Role::Mayor)?;
        }
        Ok(None)
    }

    async fn ask_runtime(&self, caller: &Caller) -> Result<Option<TownRole>> {
        if let Caller::Runtime(RuntimeCaller { town_id, instance_id, generation, .. }) = *caller {
            let check = CheckRuntime { instance_id, generation };
            self.ask(Object::TownContainer, &town_id.to_string(), &check).await?;
        }
        Ok(None)
    }

    /// Check 7 of api.md 2.3: after the session is known to be live.
    fn check_role(&self, role: Role) -> Result<()> {
        admit_role(role, &self.route.access).map_err(|denial| refuse(denial, &self.route.access))
    }

    fn ask<C: Call>(&self, object: Object, name: &str, call: &C) -> Asked<C::Reply> {
        ask(stub(self.env, object, name), call, &self.head.request_id)
    }
}

/// A denial in the words that people see.
pub(super) fn refused(denial: Denial) -> Error {
    refuse(denial, &Access::any(&[]))
}

/// The account of a person.
pub fn account_of(user: &UserCaller) -> String {
    format!("user:{}", user.user_id)
}

/// When a short token was made is compared with what the rig keeps, which is town time.
fn in_town_time(caller: Caller, settings: &Settings) -> Caller {
    match caller {
        Caller::Agent(agent) => {
            let session = match agent.session {
                AgentSession::Short { issued_at } => AgentSession::Short { issued_at: settings.clock.town(issued_at) },
                named @ AgentSession::Named { .. } => named,
            };
            Caller::Agent(AgentCaller { session, ..agent })
        }
        other @ (Caller::Anonymous | Caller::User(_) | Caller::Mayor(_) | Caller::Runtime(_)) => other,
    }
}

fn foreign_origin() -> Error {
    Refusal::new(Code::OriginNotAllowed, "This page may not act for you").into()
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').filter_map(|pair| pair.trim().split_once('=')).find(|(n, _)| *n == name).map(|(_, value)| value)
}

fn refuse(denial: Denial, access: &Access) -> Error {
    if denial == Denial::NotFound {
        return Refusal::not_found("town").into();
    }
    let message = match denial {
        Denial::Unauthenticated => "Sign in, or send a bearer token".to_owned(),
        Denial::TokenInvalid => "The credential is not valid".to_owned(),
        Denial::TokenExpired => "The credential has expired".to_owned(),
        Denial::TicketInvalid => "The ticket is not valid".to_owned(),
        Denial::CredentialNotAccepted => {
            let levels: Vec<&str> = access.any_of.iter().map(|level| level.as_str()).collect();
            format!("This route is for {}", levels.join(", "))
        }
        Denial::Forbidden => "You may not do this".to_owned(),
        Denial::WrongTown => "The credential is for another town".to_owned(),
        Denial::WrongRig => "The credential is for another rig".to_owned(),
        Denial::WrongAgent => "The credential is for another agent".to_owned(),
        Denial::WrongAccount => "The path names another account".to_owned(),
        Denial::RoleNotAllowed => "This role may not do this".to_owned(),
        Denial::AdminReadOnly => "Administrators may read, not change".to_owned(),
        Denial::AccessDisabled => "Access to Gas Town is disabled for this account".to_owned(),
        Denial::StaleAssignment => "This assignment is over".to_owned(),
        Denial::NotFound => "No such town".to_owned(),
    };
    Refusal::new(denial.into(), message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_found_in_any_letter_case() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bEARER  abc "), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer "), None);
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let header = "a=1; gastown_session=x.y.z; b=2";
        assert_eq!(cookie(header, "gastown_session"), Some("x.y.z"));
        assert_eq!(cookie(header, "session"), None);
    }
}
