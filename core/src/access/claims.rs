//! What a verified token says, and who that makes the caller (api.md 2.1). A token is judged by the secret that signed it:
//! people's secrets never make an agent, ours never make a person.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Denial;
use crate::id::{AgentId, AssignmentId, InstanceId, RigId, RigRef, TownId};
use crate::session::Role;
use crate::text_enum;
use crate::time::Timestamp;

/// Clocks of token makers and ours may differ by this much.
pub(super) const LEEWAY: Duration = Duration::from_secs(30);

/// `iat` names a whole second: what happened within it, happened no later.
const SECOND_END: Duration = Duration::from_millis(999);

/// A short-form agent token ends this long after it was made, whatever its `exp`.
const SHORT_FORM_LIFE: Duration = Duration::from_secs(8 * 3600);

/// Which secret verified the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// `USER_JWT_SECRET`.
    People,
    /// `GASTOWN_JWT_SECRET`.
    Gastown,
}

/// The claims of every kind of token; what a kind needs is checked by [`identify`]. Unknown claims are ignored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the names are the claims of api.md 2.1")]
pub struct Claims {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kilo_user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_admin: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gastown_access: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org_memberships: Option<Vec<Membership>>,
    #[serde(rename = "gen", skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    #[serde(rename = "auth_time", skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub town_id: Option<TownId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<InstanceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rig_id: Option<RigRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignment_id: Option<AssignmentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
}

/// Membership of an organisation, as the token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// The organisation.
    pub org_id: String,
    /// What the person is there.
    pub role: OrgRole,
}

text_enum! {
    /// Role in an organisation.
    pub enum OrgRole {
        Owner = "owner",
        Member = "member",
        BillingManager = "billing_manager",
    }
}

/// `aud` of each kind that has one.
pub mod audience {
    /// People, standard form.
    pub const USER: &str = "gastown:user";
    /// One sign-in.
    pub const SIGN_IN: &str = "gastown:sign-in";
    /// The cookie.
    pub const SESSION: &str = "gastown:session";
    /// The container token.
    pub const RUNTIME: &str = "gastown:runtime";
    /// One assignment.
    pub const AGENT: &str = "gastown:agent";
    /// One mayor session.
    pub const MAYOR: &str = "gastown:mayor";
}

/// Who calls.
#[derive(Debug, Clone, PartialEq)]
pub enum Caller {
    /// No credential.
    Anonymous,
    /// A person, by bearer token or session.
    User(UserCaller),
    /// An agent of a rig.
    Agent(AgentCaller),
    /// A mayor session.
    Mayor(MayorCaller),
    /// A town's runtime.
    Runtime(RuntimeCaller),
}

/// A person.
#[derive(Debug, Clone, PartialEq)]
pub struct UserCaller {
    /// Subject.
    pub user_id: String,
    /// Name, when the token has one.
    pub name: Option<String>,
    /// Address, when the token has one.
    pub email: Option<String>,
    /// May read everything.
    pub is_admin: bool,
    /// Memberships.
    pub orgs: Vec<Membership>,
    /// Session generation; absent in tokens without one.
    pub generation: Option<u64>,
    /// The session of a cookie.
    pub session_id: Option<String>,
    /// When that session began; renewing its cookie does not change it.
    pub signed_in_at: Option<Timestamp>,
    /// End of the credential.
    pub expires_at: Timestamp,
}

impl UserCaller {
    /// What the person is in this organisation.
    pub fn role_in(&self, org_id: &str) -> Option<OrgRole> {
        self.orgs.iter().find(|membership| membership.org_id == org_id).map(|membership| membership.role)
    }
}

/// An agent of a rig.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentCaller {
    /// Its town.
    pub town_id: TownId,
    /// Its rig.
    pub rig_id: RigId,
    /// Itself.
    pub agent_id: AgentId,
    /// For which session it speaks.
    pub session: AgentSession,
    /// Credential generation; absent in the short form.
    pub generation: Option<u64>,
}

/// The session that an agent token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentSession {
    /// This assignment.
    Named {
        /// Identity.
        assignment_id: AssignmentId,
        /// Fencing number.
        epoch: u64,
        /// Role of the assignment.
        role: Role,
    },
    /// The agent's live assignment, if it was created no later than this.
    Short {
        /// When the token was made.
        issued_at: Timestamp,
    },
}

/// A mayor session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MayorCaller {
    /// Its town.
    pub town_id: TownId,
    /// The mayor.
    pub agent_id: AgentId,
    /// Its session.
    pub epoch: u64,
    /// Credential generation.
    pub generation: u64,
}

/// A town's runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuntimeCaller {
    /// Its town.
    pub town_id: TownId,
    /// One life of the process.
    pub instance_id: InstanceId,
    /// Credential generation.
    pub generation: u64,
    /// End of the token.
    pub expires_at: Timestamp,
}

/// Makes a caller of verified claims. `late` widens the end of a container token (24 h, for its refresh).
pub fn identify(signer: Signer, claims: &Claims, now: Timestamp, late: Duration) -> Result<Caller, Denial> {
    let expires_at = claims.exp.and_then(from_seconds).ok_or(Denial::TokenInvalid)?;
    let aud = claims.aud.as_deref();
    let late = if (signer, aud) == (Signer::Gastown, Some(audience::RUNTIME)) { late } else { Duration::ZERO };
    if now > expires_at + LEEWAY + late {
        return Err(Denial::TokenExpired);
    }
    match (signer, aud) {
        (Signer::People, None | Some(audience::USER)) => person(claims, expires_at),
        (Signer::Gastown, Some(audience::RUNTIME)) => runtime(claims, expires_at),
        (Signer::Gastown, Some(audience::AGENT)) => agent(claims),
        (Signer::Gastown, Some(audience::MAYOR)) => mayor(claims),
        (Signer::Gastown, None) => short_agent(claims, now),
        (Signer::People | Signer::Gastown, _) => Err(Denial::TokenInvalid),
    }
}

/// Makes a person of the claims of a session cookie.
pub fn identify_session(claims: &Claims, now: Timestamp) -> Result<UserCaller, Denial> {
    of_audience(claims, audience::SESSION, now).and_then(|user| match user.session_id {
        Some(_) => Ok(user),
        None => Err(Denial::TokenInvalid),
    })
}

/// Makes a person of a sign-in token; the second part is its one-use number.
pub fn identify_sign_in(claims: &Claims, now: Timestamp) -> Result<(UserCaller, String), Denial> {
    let user = of_audience(claims, audience::SIGN_IN, now)?;
    Ok((user, claims.jti.clone().ok_or(Denial::TokenInvalid)?))
}

fn of_audience(claims: &Claims, wanted: &str, now: Timestamp) -> Result<UserCaller, Denial> {
    let expires_at = claims.exp.and_then(from_seconds).ok_or(Denial::TokenInvalid)?;
    if claims.aud.as_deref() != Some(wanted) {
        return Err(Denial::TokenInvalid);
    }
    if now > expires_at + LEEWAY {
        return Err(Denial::TokenExpired);
    }
    match person(claims, expires_at)? {
        Caller::User(user) => Ok(user),
        Caller::Anonymous | Caller::Agent(_) | Caller::Mayor(_) | Caller::Runtime(_) => Err(Denial::TokenInvalid),
    }
}

fn person(claims: &Claims, expires_at: Timestamp) -> Result<Caller, Denial> {
    if claims.version.is_some_and(|version| version != 3.0) {
        return Err(Denial::TokenInvalid);
    }
    let user_id = match (&claims.sub, &claims.kilo_user_id) {
        (Some(sub), Some(kilo)) if sub != kilo => return Err(Denial::TokenInvalid),
        (Some(id), _) | (None, Some(id)) if !id.is_empty() => id.clone(),
        (_, _) => return Err(Denial::TokenInvalid),
    };
    if claims.gastown_access == Some(false) {
        return Err(Denial::AccessDisabled);
    }
    Ok(Caller::User(UserCaller {
        user_id,
        name: claims.name.clone(),
        email: claims.email.clone(),
        is_admin: claims.is_admin.unwrap_or(false),
        orgs: claims.org_memberships.clone().unwrap_or_default(),
        generation: claims.generation,
        session_id: claims.sid.clone(),
        signed_in_at: claims.auth_time.and_then(from_seconds),
        expires_at,
    }))
}

fn runtime(claims: &Claims, expires_at: Timestamp) -> Result<Caller, Denial> {
    match (claims.town_id, claims.instance_id, claims.generation, claims.scope.as_deref()) {
        (Some(town_id), Some(instance_id), Some(generation), Some("container")) => {
            Ok(Caller::Runtime(RuntimeCaller { town_id, instance_id, generation, expires_at }))
        }
        (_, _, _, _) => Err(Denial::TokenInvalid),
    }
}

fn agent(claims: &Claims) -> Result<Caller, Denial> {
    let (town_id, rig_id, agent_id) = of_rig(claims)?;
    match (claims.assignment_id, claims.epoch, claims.role) {
        (Some(assignment_id), Some(epoch), Some(role)) if role != Role::Mayor => Ok(Caller::Agent(AgentCaller {
            town_id,
            rig_id,
            agent_id,
            session: AgentSession::Named { assignment_id, epoch, role },
            generation: claims.generation,
        })),
        (_, _, _) => Err(Denial::TokenInvalid),
    }
}

fn short_agent(claims: &Claims, now: Timestamp) -> Result<Caller, Denial> {
    let (town_id, rig_id, agent_id) = of_rig(claims)?;
    let issued_at = claims.iat.and_then(from_seconds).ok_or(Denial::TokenInvalid)?;
    if now > issued_at + SHORT_FORM_LIFE + LEEWAY {
        return Err(Denial::TokenExpired);
    }
    let session = AgentSession::Short { issued_at: issued_at + SECOND_END };
    Ok(Caller::Agent(AgentCaller { town_id, rig_id, agent_id, session, generation: None }))
}

fn mayor(claims: &Claims) -> Result<Caller, Denial> {
    match (claims.town_id, claims.rig_id, claims.agent_id, claims.epoch, claims.generation, claims.role) {
        (Some(town_id), Some(RigRef::Mayor(of)), Some(agent_id), Some(epoch), Some(generation), Some(Role::Mayor))
            if of == town_id =>
        {
            Ok(Caller::Mayor(MayorCaller { town_id, agent_id, epoch, generation }))
        }
        (_, _, _, _, _, _) => Err(Denial::TokenInvalid),
    }
}

fn of_rig(claims: &Claims) -> Result<(TownId, RigId, AgentId), Denial> {
    match (claims.town_id, claims.rig_id.and_then(RigRef::rig), claims.agent_id) {
        (Some(town_id), Some(rig_id), Some(agent_id)) => Ok((town_id, rig_id, agent_id)),
        (_, _, _) => Err(Denial::TokenInvalid),
    }
}

/// NumericDate (seconds, possibly with a fraction) to an instant; nonsense is refused.
fn from_seconds(seconds: f64) -> Option<Timestamp> {
    let in_range = seconds.is_finite() && (0.0..253_402_300_800.0).contains(&seconds);
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    in_range.then(|| Timestamp::from_ms((seconds * 1000.0) as i64))
}
