//! Who may call what: one function, [`admit`], decides every cell of the matrix of api.md 2.2 from a caller, a row's
//! access and the ids of the path. No crypto here (a shell verifies tokens and hands over [`Claims`]), and no look-up:
//! where the answer depends on stored rows, [`admit`] says which question the shell must ask, and [`admit_to_town`] or
//! the object that owns the row answers it. Read [`Level`] first.

mod claims;
#[cfg(test)]
mod tests;

pub use claims::{
    AgentCaller, AgentSession, Caller, Claims, MayorCaller, Membership, OrgRole, RuntimeCaller, Signer, UserCaller,
    audience, identify, identify_session, identify_sign_in,
};

use crate::id::{AgentId, RigRef, TownId};
use crate::session::Role;
use crate::text_enum;

text_enum! {
    /// Why a caller may not go on; the words are error codes of api.md 1.2.
    pub enum Denial {
        Unauthenticated = "unauthenticated",
        TokenInvalid = "token_invalid",
        TokenExpired = "token_expired",
        TicketInvalid = "ticket_invalid",
        Forbidden = "forbidden",
        CredentialNotAccepted = "credential_not_accepted",
        WrongTown = "wrong_town",
        WrongRig = "wrong_rig",
        WrongAgent = "wrong_agent",
        WrongAccount = "wrong_account",
        RoleNotAllowed = "role_not_allowed",
        AdminReadOnly = "admin_read_only",
        AccessDisabled = "access_disabled",
        NotFound = "not_found",
        StaleAssignment = "stale_assignment",
    }
}

text_enum! {
    /// One way into a route. A row lists the levels of which any one is enough.
    pub enum Level {
        /// Anyone.
        Public = "Public",
        /// Any user; `:userId` in the path must be theirs, here and where a town's level stands in the row.
        User = "User",
        /// The owner of a personal town, or a member (not billing) of the organisation that owns it.
        TownMember = "TownMember",
        /// The owner of a personal town, or an owner of its organisation, or who created it there.
        TownOwner = "TownOwner",
        /// A member (not billing) of `:orgId`.
        OrgMember = "OrgMember",
        /// An owner of `:orgId`.
        OrgOwner = "OrgOwner",
        /// The agent of the path itself, or the runtime in its name.
        Agent = "Agent",
        /// Any agent of the path's rig, or the runtime.
        RigAgents = "RigAgents",
        /// The mayor of the path's town.
        Mayor = "Mayor",
        /// The town's current runtime.
        Runtime = "Runtime",
    }
}

/// The access of one row of the route table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Any one of these is enough.
    pub any_of: &'static [Level],
    /// Roles of agents that may use the row; empty: all.
    pub roles: &'static [Role],
}

impl Access {
    /// A row that any one of these levels opens.
    pub const fn any(any_of: &'static [Level]) -> Self {
        Self { any_of, roles: &[] }
    }

    /// The same, for agents of these roles only.
    pub const fn for_roles(any_of: &'static [Level], roles: &'static [Role]) -> Self {
        Self { any_of, roles }
    }

    /// Whether anyone may call it.
    pub fn is_public(&self) -> bool {
        self.has(Level::Public)
    }

    fn has(&self, level: Level) -> bool {
        self.any_of.contains(&level)
    }
}

/// What the path and the method of a request say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// GET or HEAD.
    pub is_read: bool,
    /// `:userId`.
    pub user_id: Option<String>,
    /// `:orgId`.
    pub org_id: Option<String>,
    /// `:townId`.
    pub town_id: Option<TownId>,
    /// `:rigId`, or the mayor's literal.
    pub rig_id: Option<RigRef>,
    /// `:agentId`.
    pub agent_id: Option<AgentId>,
}

/// What [`admit`] found out, and what only stored rows can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The caller may go on.
    Granted,
    /// A person at a town: ask the town who owns it, then [`admit_to_town`] with this level.
    AskTown(Level),
    /// An agent: ask its rig whether the assignment is live (409 `stale_assignment`), then [`admit_role`].
    AskRig,
    /// The mayor: ask the town whether this is its mayor's session.
    AskMayor,
    /// The runtime: ask the town's container whether this is its instance and generation.
    AskRuntime,
}

/// Who a town belongs to; never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TownOwner {
    /// The person or organisation.
    pub account: Account,
    /// Who created it.
    pub created_by: String,
}

/// A person or an organisation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// Personal.
    User(String),
    /// An organisation's.
    Org(String),
}

text_enum! {
    /// What a person is to a town (`role` of **Town**).
    pub enum TownRole {
        Owner = "owner",
        Member = "member",
        Admin = "admin",
    }
}

/// Decides from the credential, the row and the path alone (checks 2 to 5 of api.md 2.3). The caller is verified.
pub fn admit(caller: &Caller, access: &Access, scope: &Scope) -> Result<Admission, Denial> {
    if access.is_public() {
        return Ok(Admission::Granted);
    }
    match caller {
        Caller::Anonymous => Err(Denial::Unauthenticated),
        Caller::User(user) => admit_user(user, access, scope),
        Caller::Agent(agent) => admit_agent(agent, access, scope),
        Caller::Mayor(mayor) => admit_mayor(mayor, access, scope),
        Caller::Runtime(runtime) => admit_runtime(runtime, access, scope),
    }
}

/// Decides for a person once the town's owner is known. A town that the person may not see does not exist: 404.
pub fn admit_to_town(user: &UserCaller, level: Level, owner: &TownOwner, is_read: bool) -> Result<TownRole, Denial> {
    match (role_in_town(user, owner), level) {
        (Some(role), Level::TownMember) => Ok(role),
        (Some(TownRole::Owner), Level::TownOwner) => Ok(TownRole::Owner),
        (Some(_), _) if user.is_admin && is_read => Ok(TownRole::Admin),
        (Some(_), _) => Err(Denial::Forbidden),
        (None, _) if user.is_admin && is_read => Ok(TownRole::Admin),
        (None, _) if user.is_admin => Err(Denial::AdminReadOnly),
        (None, _) => Err(Denial::NotFound),
    }
}

/// Check 7 of api.md 2.3: the role of the live session that somebody speaks for. The runtime speaks for any role.
pub fn admit_role(role: Role, access: &Access) -> Result<(), Denial> {
    if access.roles.is_empty() || access.roles.contains(&role) { Ok(()) } else { Err(Denial::RoleNotAllowed) }
}

fn admit_user(user: &UserCaller, access: &Access, scope: &Scope) -> Result<Admission, Denial> {
    let may_read_as_admin = user.is_admin && scope.is_read;
    let refused = |code| if user.is_admin { Denial::AdminReadOnly } else { code };
    let own = scope.user_id.as_ref().is_none_or(|id| *id == user.user_id);
    for &level in access.any_of {
        match level {
            Level::User => {
                return if own || may_read_as_admin {
                    Ok(Admission::Granted)
                } else {
                    Err(refused(Denial::WrongAccount))
                };
            }
            Level::TownMember | Level::TownOwner if own || may_read_as_admin => return Ok(Admission::AskTown(level)),
            Level::TownMember | Level::TownOwner => return Err(refused(Denial::WrongAccount)),
            Level::OrgMember | Level::OrgOwner => {
                let role = scope.org_id.as_ref().and_then(|org| user.role_in(org));
                let enough = match role {
                    Some(OrgRole::Owner) => true,
                    Some(OrgRole::Member) => level == Level::OrgMember,
                    Some(OrgRole::BillingManager) | None => false,
                };
                return if enough || may_read_as_admin {
                    Ok(Admission::Granted)
                } else {
                    Err(refused(Denial::Forbidden))
                };
            }
            Level::Public => return Ok(Admission::Granted),
            Level::Agent | Level::RigAgents | Level::Mayor | Level::Runtime => (),
        }
    }
    Err(Denial::CredentialNotAccepted)
}

fn admit_agent(agent: &AgentCaller, access: &Access, scope: &Scope) -> Result<Admission, Denial> {
    let is_self = access.has(Level::Agent);
    if !is_self && !access.has(Level::RigAgents) {
        return Err(Denial::CredentialNotAccepted);
    }
    same(scope.town_id, agent.town_id, Denial::WrongTown)?;
    same(scope.rig_id, RigRef::Rig(agent.rig_id), Denial::WrongRig)?;
    if is_self && !access.has(Level::RigAgents) {
        same(scope.agent_id, agent.agent_id, Denial::WrongAgent)?;
    }
    Ok(Admission::AskRig)
}

fn admit_mayor(mayor: &MayorCaller, access: &Access, scope: &Scope) -> Result<Admission, Denial> {
    if access.has(Level::Mayor) {
        same(scope.town_id, mayor.town_id, Denial::WrongTown)?;
        return Ok(Admission::AskMayor);
    }
    if !access.has(Level::Agent) {
        return Err(Denial::CredentialNotAccepted);
    }
    same(scope.town_id, mayor.town_id, Denial::WrongTown)?;
    same(scope.rig_id, RigRef::Mayor(mayor.town_id), Denial::WrongRig)?;
    same(scope.agent_id, mayor.agent_id, Denial::WrongAgent)?;
    Ok(Admission::AskMayor)
}

fn admit_runtime(runtime: &RuntimeCaller, access: &Access, scope: &Scope) -> Result<Admission, Denial> {
    if ![Level::Runtime, Level::Agent, Level::RigAgents].iter().any(|&level| access.has(level)) {
        return Err(Denial::CredentialNotAccepted);
    }
    same(scope.town_id, runtime.town_id, Denial::WrongTown)?;
    Ok(Admission::AskRuntime)
}

/// A path that names none of this kind is not compared.
fn same<T: PartialEq>(of_path: Option<T>, of_token: T, refusal: Denial) -> Result<(), Denial> {
    match of_path {
        Some(id) if id != of_token => Err(refusal),
        Some(_) | None => Ok(()),
    }
}

fn role_in_town(user: &UserCaller, owner: &TownOwner) -> Option<TownRole> {
    match &owner.account {
        Account::User(id) => (*id == user.user_id).then_some(TownRole::Owner),
        Account::Org(org) => match user.role_in(org)? {
            OrgRole::Owner => Some(TownRole::Owner),
            OrgRole::Member if owner.created_by == user.user_id => Some(TownRole::Owner),
            OrgRole::Member => Some(TownRole::Member),
            OrgRole::BillingManager => None,
        },
    }
}
