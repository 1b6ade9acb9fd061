//! Sessions of people: **Session** and the request that opens one (api.md 3.1, 4).

use serde::{Deserialize, Serialize};

use super::read::{Fields, Request};
use crate::access::{OrgRole, UserCaller};
use crate::time::Timestamp;

/// A longer text is no token of ours.
const TOKEN_MAX: usize = 8 * 1024;

/// `POST /api/session`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Sign-in or user token.
    pub token: String,
}

impl Request for SignIn {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { token: fields.text("token", 1, TOKEN_MAX) }
    }
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Session {
    /// The person.
    pub user: User,
    /// Their organisations.
    pub orgs: Vec<Org>,
    /// End of the credential.
    pub expires_at: Timestamp,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct User {
    /// Subject.
    pub id: String,
    /// Name, when known.
    pub name: Option<String>,
    /// Address, when known.
    pub email: Option<String>,
    /// May read everything.
    pub is_admin: bool,
}

/// Membership of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Org {
    /// The organisation.
    pub org_id: String,
    /// What the person is there.
    pub role: OrgRole,
}

impl Session {
    /// The session of this person.
    pub fn of(user: &UserCaller) -> Self {
        Self {
            user: User {
                id: user.user_id.clone(),
                name: user.name.clone(),
                email: user.email.clone(),
                is_admin: user.is_admin,
            },
            orgs: user.orgs.iter().map(|org| Org { org_id: org.org_id.clone(), role: org.role }).collect(),
            expires_at: user.expires_at,
        }
    }
}
