//! Signs and verifies tokens: HS256 and nothing else, by jwt-compact. What a verified token means is decided in
//! `core::access`; nothing here reads a claim before the signature is known to be good.

use std::time::Duration;

use gastown_core::access::{Caller, Claims, Denial, Signer, audience, identify, identify_session, identify_sign_in};
use gastown_core::access::{Membership, UserCaller};
use gastown_core::id::{AgentId, AssignmentId, InstanceId, RigId, RigRef, TownId};
use gastown_core::session::Role;
use gastown_core::time::Timestamp;
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{Algorithm, AlgorithmExt, AlgorithmSignature, Header, UntrustedToken};
use serde_json::{Map, Value};

use crate::error::Fault;

/// Longer tokens are not looked at.
const LENGTH_MAX: usize = 8 * 1024;
/// Shorter secrets can be guessed.
const SECRET_MIN: usize = 32;
/// Life of the tokens that a runtime holds: long enough for a working day, short enough to forget.
pub const RUNTIME_LIFE: Duration = Duration::from_secs(8 * 3600);
/// Life of a session cookie; renewed on use.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 3600);
/// However often it is renewed, a session ends this long after its beginning.
pub const SESSION_LIFE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// The secrets of a deployment: of each kind the first signs, all verify.
pub struct Keys {
    people: Vec<Hs256Key>,
    gastown: Vec<Hs256Key>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(«redacted»)")
    }
}

/// A token and its end.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// The token.
    pub token: String,
    /// Its end, in wall time.
    pub expires_at: Timestamp,
}

impl Keys {
    /// Reads `USER_JWT_SECRET`, `GASTOWN_JWT_SECRET` and their predecessors; the error names the variable.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let keys = |name: &str| {
            let current = var(name).ok_or(format!("{name} is not set"))?;
            let previous = var(&format!("{name}_PREVIOUS"));
            [Some(current), previous]
                .into_iter()
                .flatten()
                .map(|secret| match secret.len() {
                    0..SECRET_MIN => Err(format!("{name} must have at least {SECRET_MIN} bytes")),
                    _ => Ok(Hs256Key::new(secret)),
                })
                .collect::<Result<Vec<_>, _>>()
        };
        if var("USER_JWT_SECRET") == var("GASTOWN_JWT_SECRET") {
            return Err("USER_JWT_SECRET and GASTOWN_JWT_SECRET must differ: they tell people from agents".to_owned());
        }
        Ok(Self { people: keys("USER_JWT_SECRET")?, gastown: keys("GASTOWN_JWT_SECRET")? })
    }

    /// Who bears this token. `late` widens its end, for the refresh of a container token.
    pub fn caller(&self, token: &str, wall: Timestamp, late: Duration) -> Result<Caller, Denial> {
        let (signer, claims) = self.verify(token)?;
        identify(signer, &claims, wall, late)
    }

    /// Whose session cookie this is.
    pub fn session(&self, cookie: &str, wall: Timestamp) -> Result<UserCaller, Denial> {
        match self.verify(cookie)? {
            (Signer::People, claims) => identify_session(&claims, wall),
            (Signer::Gastown, _) => Err(Denial::TokenInvalid),
        }
    }

    /// Who signs in with this token; a sign-in token comes with the number that makes it good for one use.
    pub fn sign_in(&self, token: &str, wall: Timestamp) -> Result<(UserCaller, Option<String>), Denial> {
        let (signer, claims) = self.verify(token)?;
        if signer == Signer::Gastown {
            return Err(Denial::TokenInvalid);
        }
        if claims.aud.as_deref() == Some(audience::SIGN_IN) {
            return identify_sign_in(&claims, wall).map(|(user, jti)| (user, Some(jti)));
        }
        match identify(signer, &claims, wall, Duration::ZERO)? {
            Caller::User(user) => Ok((user, None)),
            Caller::Anonymous | Caller::Agent(_) | Caller::Mayor(_) | Caller::Runtime(_) => Err(Denial::TokenInvalid),
        }
    }

    /// A session cookie for this person.
    pub fn mint_session(
        &self,
        user: &UserCaller,
        session_id: &str,
        generation: u64,
        wall: Timestamp,
    ) -> Result<Minted, Fault> {
        let since = user.signed_in_at.unwrap_or(wall);
        let life = SESSION_LIFE.min((since + SESSION_LIFE_MAX).since(wall));
        let orgs: Vec<Membership> = user.orgs.clone();
        self.mint(
            Signer::People,
            audience::SESSION,
            wall,
            life,
            Claims {
                sub: Some(user.user_id.clone()),
                name: user.name.clone(),
                email: user.email.clone(),
                is_admin: user.is_admin.then_some(true),
                org_memberships: (!orgs.is_empty()).then_some(orgs),
                sid: Some(session_id.to_owned()),
                auth_time: Some(seconds(since)),
                generation: Some(generation),
                ..Claims::default()
            },
        )
    }

    /// The container token of one runtime instance.
    pub fn mint_runtime(
        &self,
        town_id: TownId,
        owner: &str,
        instance_id: InstanceId,
        generation: u64,
        wall: Timestamp,
    ) -> Result<Minted, Fault> {
        self.mint(
            Signer::Gastown,
            audience::RUNTIME,
            wall,
            RUNTIME_LIFE,
            Claims {
                town_id: Some(town_id),
                user_id: Some(owner.to_owned()),
                scope: Some("container".to_owned()),
                instance_id: Some(instance_id),
                generation: Some(generation),
                ..Claims::default()
            },
        )
    }

    /// The token of one session: an agent's, or with the role mayor the mayor's.
    pub fn mint_agent(&self, subject: &AgentSubject<'_>, wall: Timestamp) -> Result<Minted, Fault> {
        let is_mayor = subject.role == Role::Mayor;
        let aud = if is_mayor { audience::MAYOR } else { audience::AGENT };
        self.mint(
            Signer::Gastown,
            aud,
            wall,
            RUNTIME_LIFE,
            Claims {
                town_id: Some(subject.town_id),
                rig_id: Some(subject.rig_id.map_or(RigRef::Mayor(subject.town_id), RigRef::Rig)),
                agent_id: Some(subject.agent_id),
                user_id: Some(subject.owner.to_owned()),
                role: Some(subject.role),
                assignment_id: (!is_mayor).then_some(subject.assignment_id),
                epoch: Some(subject.epoch),
                generation: Some(subject.generation),
                ..Claims::default()
            },
        )
    }

    fn mint(
        &self,
        signer: Signer,
        aud: &str,
        wall: Timestamp,
        life: Duration,
        claims: Claims,
    ) -> Result<Minted, Fault> {
        let fault = |cause: String| Fault::new(format!("sign a token for {aud}"), cause);
        let expires_at = wall + life;
        let claims =
            Claims { aud: Some(aud.to_owned()), iat: Some(seconds(wall)), exp: Some(seconds(expires_at)), ..claims };
        let keys = match signer {
            Signer::People => &self.people,
            Signer::Gastown => &self.gastown,
        };
        let key = keys.first().ok_or_else(|| fault("no secret".to_owned()))?;
        let token = Hs256
            .token(&Header::empty().with_token_type("JWT"), &jwt_compact::Claims::new(claims), key)
            .map_err(|error| fault(error.to_string()))?;
        Ok(Minted { token, expires_at })
    }

    fn verify(&self, token: &str) -> Result<(Signer, Claims), Denial> {
        if token.len() > LENGTH_MAX {
            return Err(Denial::TokenInvalid);
        }
        let untrusted = UntrustedToken::new(token).map_err(|_| Denial::TokenInvalid)?;
        let signers = [(Signer::People, &self.people), (Signer::Gastown, &self.gastown)];
        let (signer, verified) = signers
            .into_iter()
            .flat_map(|(signer, keys)| keys.iter().map(move |key| (signer, key)))
            .find_map(|(signer, key)| {
                let token = Hs256.validator::<Map<String, Value>>(key).validate(&untrusted).ok()?;
                Some((signer, token.into_parts().1))
            })
            .ok_or(Denial::TokenInvalid)?;
        let (exp, iat) = (verified.expiration, verified.issued_at);
        let claims: Claims =
            gastown_core::json::from_value(&Value::Object(verified.custom)).map_err(|_| Denial::TokenInvalid)?;
        let number = |ms: i64| seconds(Timestamp::from_ms(ms));
        Ok((
            signer,
            Claims {
                exp: exp.map(|at| number(at.timestamp_millis())),
                iat: iat.map(|at| number(at.timestamp_millis())),
                ..claims
            },
        ))
    }
}

/// What only the holder of the secret can make of a text, in hexadecimal digits.
pub fn keyed_digest(secret: &str, text: &str) -> String {
    hex(Hs256.sign(&Hs256Key::new(secret), text.as_bytes()).as_bytes().as_ref())
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// For whom an agent token is.
#[derive(Debug, Clone, Copy)]
pub struct AgentSubject<'a> {
    /// Its town.
    pub town_id: TownId,
    /// Its rig; none for the mayor.
    pub rig_id: Option<RigId>,
    /// Itself.
    pub agent_id: AgentId,
    /// Owner of the town.
    pub owner: &'a str,
    /// Role of the session.
    pub role: Role,
    /// The session.
    pub assignment_id: AssignmentId,
    /// Fencing number.
    pub epoch: u64,
    /// Credential generation.
    pub generation: u64,
}

#[expect(clippy::cast_precision_loss, reason = "instants in ms are below 2^53")]
fn seconds(at: Timestamp) -> f64 {
    (at.ms() / 1000) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use gastown_core::access::AgentSession;

    const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_000);
    const PEOPLE: &str = "people-people-people-people-people";
    const OTHER: &str = "others-others-others-others-others-o";
    const GASTOWN: &str = "gastown-gastown-gastown-gastown-gas";

    fn keys(vars: &[(&str, &str)]) -> Keys {
        let var = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Keys::read(var).unwrap()
    }

    fn ours() -> Keys {
        keys(&[("USER_JWT_SECRET", PEOPLE), ("GASTOWN_JWT_SECRET", GASTOWN)])
    }

    fn subject(role: Role) -> AgentSubject<'static> {
        AgentSubject {
            town_id: TownId::from_u128(1),
            rig_id: (role != Role::Mayor).then_some(RigId::from_u128(2)),
            agent_id: AgentId::from_u128(3),
            owner: "ann",
            role,
            assignment_id: AssignmentId::from_u128(4),
            epoch: 7,
            generation: 1,
        }
    }

    fn user() -> UserCaller {
        UserCaller {
            user_id: "ann".to_owned(),
            name: None,
            email: None,
            is_admin: false,
            orgs: Vec::new(),
            generation: None,
            session_id: None,
            signed_in_at: None,
            expires_at: NOW,
        }
    }

    #[test]
    fn what_is_minted_is_verified() {
        let keys = ours();
        let agent = keys.mint_agent(&subject(Role::Polecat), NOW).unwrap();
        let expected = AgentSession::Named { assignment_id: AssignmentId::from_u128(4), epoch: 7, role: Role::Polecat };
        let caller = keys.caller(&agent.token, NOW, Duration::ZERO).unwrap();
        assert!(matches!(caller, Caller::Agent(agent) if agent.session == expected));
        let mayor = keys.mint_agent(&subject(Role::Mayor), NOW).unwrap();
        assert!(matches!(keys.caller(&mayor.token, NOW, Duration::ZERO), Ok(Caller::Mayor(_))));
        let runtime = keys.mint_runtime(TownId::from_u128(1), "ann", InstanceId::from_u128(5), 1, NOW).unwrap();
        assert!(matches!(keys.caller(&runtime.token, NOW, Duration::ZERO), Ok(Caller::Runtime(_))));
    }

    #[test]
    fn a_token_ends_unless_its_refresh_may_be_late() {
        let keys = ours();
        let token = keys.mint_runtime(TownId::from_u128(1), "ann", InstanceId::from_u128(5), 1, NOW).unwrap().token;
        let later = NOW + Duration::from_secs(9 * 3600);
        assert_eq!(keys.caller(&token, later, Duration::ZERO), Err(Denial::TokenExpired));
        let day = Duration::from_secs(24 * 3600);
        assert!(keys.caller(&token, later, day).is_ok());
        assert_eq!(keys.caller(&token, later + day, day), Err(Denial::TokenExpired));
        let agent = keys.mint_agent(&subject(Role::Polecat), NOW).unwrap().token;
        assert_eq!(keys.caller(&agent, later, day), Err(Denial::TokenExpired), "of an agent nothing is refreshed");
    }

    #[test]
    fn a_session_is_a_cookie_and_no_bearer_token() {
        let keys = ours();
        let cookie = keys.mint_session(&user(), "s1", 0, NOW).unwrap().token;
        assert_eq!(keys.session(&cookie, NOW).unwrap().user_id, "ann");
        assert_eq!(keys.caller(&cookie, NOW, Duration::ZERO), Err(Denial::TokenInvalid));
    }

    #[test]
    fn a_session_that_is_renewed_for_ever_ends_after_thirty_days() {
        let keys = ours();
        let mut user = user();
        let mut wall = NOW;
        while wall < NOW + SESSION_LIFE_MAX {
            let cookie = keys.mint_session(&user, "s1", 0, wall).unwrap();
            assert!(cookie.expires_at <= NOW + SESSION_LIFE_MAX);
            user = keys.session(&cookie.token, wall).unwrap();
            wall = wall + Duration::from_secs(11 * 3600);
        }
        let late = keys.mint_session(&user, "s1", 0, wall).unwrap();
        assert!(late.expires_at <= wall, "nothing is left of it");
    }

    #[test]
    fn other_secrets_other_algorithms_and_noise_are_refused() {
        let other = keys(&[("USER_JWT_SECRET", GASTOWN), ("GASTOWN_JWT_SECRET", PEOPLE)]);
        let token = other.mint_agent(&subject(Role::Polecat), NOW).unwrap().token;
        // Signed by what is our people's secret: an agent token it is not.
        assert_eq!(ours().caller(&token, NOW, Duration::ZERO), Err(Denial::TokenInvalid));
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4iLCJleHAiOjQwMDAwMDAwMDB9.";
        for token in ["", "x", "a.b.c", unsigned, &"x".repeat(9000)] {
            assert_eq!(ours().caller(token, NOW, Duration::ZERO), Err(Denial::TokenInvalid), "{token}");
        }
    }

    #[test]
    fn a_previous_secret_still_verifies() {
        let old = keys(&[("USER_JWT_SECRET", OTHER), ("GASTOWN_JWT_SECRET", PEOPLE)]);
        let token = old.mint_agent(&subject(Role::Refinery), NOW).unwrap().token;
        let rotated = keys(&[
            ("USER_JWT_SECRET", OTHER),
            ("GASTOWN_JWT_SECRET", GASTOWN),
            ("GASTOWN_JWT_SECRET_PREVIOUS", PEOPLE),
        ]);
        assert!(rotated.caller(&token, NOW, Duration::ZERO).is_ok());
    }
}
