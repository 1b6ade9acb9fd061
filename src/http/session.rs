//! Sessions of people in browsers: a sign-in token or a user token becomes a cookie (api.md 2.1, 3.1).

use gastown_core::access::{Denial, UserCaller};
use gastown_core::id::{FactId, IdSeed};
use gastown_core::rate;
use gastown_core::wire::api::session::{Session, SignIn};
use serde_json::json;

use super::access::account_of as account;
use super::inbound::Inbound;
use super::reply::Reply;
use super::{cookie_name, is_secure};
use crate::account::calls::{Count, OpenSession, RevokeSessions, SignOut};
use crate::ambient::{seed, wall_now};
use crate::env::Object;
use crate::error::{Refusal, Result};
use crate::token::{Minted, SESSION_LIFE};

/// POST `/api/session`
pub async fn create(inbound: Inbound) -> Result<Reply> {
    let address = format!("address:{}", inbound.head.address);
    inbound.ask(Object::Account, &address, &Count { rate: rate::SESSION }).await?;
    let SignIn { token } = inbound.read()?;
    let (user, jti) = inbound.settings.keys.sign_in(&token, wall_now()).map_err(refuse)?;
    let session_id = IdSeed::new(seed()).mint::<FactId>().to_string();
    let open = OpenSession { account: account(&user), jti, generation: user.generation, expires_at: user.expires_at };
    let opened = inbound.ask(Object::Account, &account(&user), &open).await?;
    if !opened.is_open {
        return Err(refuse(Denial::TokenInvalid));
    }
    signed_in(&inbound, &user, &session_id, opened.generation, 201)
}

/// GET `/api/session`
pub async fn show(inbound: Inbound) -> Result<Reply> {
    Reply::ok(&Session::of(inbound.user()?))
}

/// POST `/api/session/refresh`
pub async fn refresh(inbound: Inbound) -> Result<Reply> {
    let user = inbound.user()?;
    match (&user.session_id, user.generation) {
        (Some(session_id), Some(generation)) => signed_in(&inbound, user, session_id, generation, 200),
        (_, _) => Reply::ok(&Session::of(user)),
    }
}

/// DELETE `/api/session`
pub async fn delete(inbound: Inbound) -> Result<Reply> {
    let user = inbound.user()?;
    if let Some(session_id) = &user.session_id {
        // Any cookie of the session, also one that was renewed meanwhile, has ended by then.
        let sign_out = SignOut { session_id: session_id.clone(), expires_at: wall_now() + SESSION_LIFE };
        inbound.ask(Object::Account, &account(user), &sign_out).await?;
    }
    Ok(Reply::ok(&json!({ "signed_out": true }))?.header("Set-Cookie", set_cookie(&inbound.head.own_origin, "", 0)))
}

/// POST `/api/session/revoke-all`
pub async fn revoke_all(inbound: Inbound) -> Result<Reply> {
    let user = inbound.user()?;
    inbound.ask(Object::Account, &account(user), &RevokeSessions { account: account(user) }).await?;
    Ok(Reply::ok(&json!({ "revoked": true }))?.header("Set-Cookie", set_cookie(&inbound.head.own_origin, "", 0)))
}

fn signed_in(inbound: &Inbound, user: &UserCaller, session_id: &str, generation: u64, status: u16) -> Result<Reply> {
    let Minted { token, expires_at } = inbound.settings.keys.mint_session(user, session_id, generation, wall_now())?;
    if expires_at <= wall_now() {
        return Err(refuse(Denial::TokenExpired));
    }
    let session = Session { expires_at, ..Session::of(user) };
    let cookie = set_cookie(&inbound.head.own_origin, &token, expires_at.since(wall_now()).as_secs());
    Ok(Reply::json(status, &session)?.no_store().header("Set-Cookie", cookie))
}

/// `Secure` only where there is TLS: on plain http of this machine a browser would drop the cookie.
fn set_cookie(own_origin: &str, value: &str, max_age_s: u64) -> String {
    let secure = if is_secure(own_origin) { "; Secure" } else { "" };
    let name = cookie_name(own_origin);
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_s}{secure}")
}

fn refuse(denial: Denial) -> crate::error::Error {
    let message = if denial == Denial::TokenExpired {
        "The sign-in link has expired"
    } else {
        "The sign-in link is not valid or was used before"
    };
    Refusal::new(denial.into(), message).into()
}
