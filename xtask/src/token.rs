//! Tokens for development, signed with the secrets of a state directory (api.md 2.1).

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use clap::Args;
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt as _, Claims, Header};
use serde::Serialize;
use uuid::Uuid;

use crate::up::{Secrets, StateDir, USER};

/// The longest life that the Worker accepts in a user token.
const USER_LIFE: Duration = Duration::from_secs(31 * 24 * 3600);
/// A sign-in link of a development stack works for a day, once.
const SIGN_IN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Whose token, and for which stack.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Options {
    /// State directory of the running stack
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Subject of the token
    #[arg(long, default_value = USER)]
    user: String,
}

#[derive(Serialize)]
struct UserClaims<'a> {
    aud: &'a str,
    sub: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<Uuid>,
    iat: u64,
    exp: u64,
}

/// `cargo xtask token`.
pub(crate) fn print_user(options: &Options) -> Result<()> {
    let state = StateDir::open(options.state_dir.as_deref())?;
    crate::print(&user(&Secrets::read(&state)?.user_jwt_secret, &options.user)?)
}

/// `cargo xtask sign-in`.
pub(crate) fn print_sign_in(options: &Options) -> Result<()> {
    let state = StateDir::open(options.state_dir.as_deref())?;
    let secret = Secrets::read(&state)?.user_jwt_secret;
    crate::print(&sign_in_link(&state.read_address()?.base_url, &secret, &options.user)?)
}

/// A user token in its standard form.
pub(crate) fn user(secret: &str, subject: &str) -> Result<String> {
    sign(secret, "gastown:user", subject, None, USER_LIFE)
}

/// A link that signs a browser in. The token is in the fragment, which browsers do not send.
pub(crate) fn sign_in_link(base_url: &str, secret: &str, subject: &str) -> Result<String> {
    let token = sign(secret, "gastown:sign-in", subject, Some(Uuid::new_v4()), SIGN_IN_LIFE)?;
    Ok(format!("{base_url}/sign-in#t={token}"))
}

fn sign(secret: &str, aud: &str, sub: &str, jti: Option<Uuid>, life: Duration) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    let claims = UserClaims { aud, sub, name: sub, jti, iat: now.as_secs(), exp: (now + life).as_secs() };
    let key = Hs256Key::new(secret.as_bytes());
    Hs256.token(&Header::empty(), &Claims::new(claims), &key).context("could not sign a token")
}

#[cfg(test)]
mod tests {
    use jwt_compact::UntrustedToken;
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_sign_in_link_carries_a_token_that_verifies_and_ends() {
        let secret = "0123456789abcdef0123456789abcdef";
        let link = sign_in_link("http://127.0.0.1:1", secret, "ann").unwrap();
        let token = link.strip_prefix("http://127.0.0.1:1/sign-in#t=").unwrap();
        let token = UntrustedToken::new(token).unwrap();
        let token = Hs256.validator::<Value>(&Hs256Key::new(secret)).validate(&token).unwrap();
        let claims = token.claims();
        assert_eq!(claims.custom["aud"], "gastown:sign-in");
        assert_eq!(claims.custom["sub"], "ann");
        assert!(claims.custom["jti"].is_string());
        let life = claims.expiration.unwrap() - claims.issued_at.unwrap();
        assert_eq!(life.num_hours(), 24);
    }
}
