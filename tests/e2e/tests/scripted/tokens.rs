//! The life of credentials (api.md 2.1, 2.4) and how often they may be used (1.8).

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use gastown_core::rate::{AGENT, Rate, SESSION, USER};
use gastown_e2e::api::{Api, Reply, items, text};
use gastown_e2e::wait::{Look, until};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::credentials::{Mint, begin_mayor, seconds_now, signed_in};
use crate::runtime::{ORDER_MAX, reference};
use crate::world::World;

/// Calls at a time: a bucket has to empty faster than it fills.
const AT_ONCE: usize = 8;

/// Sessions: a sign-in token works once, a renewed cookie is the same session, signing out ends both, and revoking
/// ends all sessions and every token that names an older generation.
pub(crate) fn sessions_end(world: &World) -> Result<()> {
    let (api, mint) = (world.api()?, Mint(world));
    let once = mint.person(json!({"aud": "gastown:sign-in", "sub": "sid", "jti": Uuid::new_v4()}))?;
    let browser = signed_in(&api, &once)?;
    refused(&sign_in_with(&api, &once)?, 401, "token_invalid")?;

    let page = browser.clone().with_header("origin", api.base_url());
    let renewed = page.call("POST", "/api/session/refresh", None)?;
    ensure!(renewed.status == 200 && renewed.header("cache-control") == Some("no-store"), "{renewed}");
    let cookie = renewed.header("set-cookie").context("no cookie")?.to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        ensure!(cookie.contains(part), "{cookie}");
    }
    let renewed = api.with_token(None).with_header("cookie", cookie.split(';').next().unwrap_or_default());
    ensure!(renewed.get("/api/session")?["user"]["id"] == "sid");
    page.call("DELETE", "/api/session", None)?.data()?;
    for browser in [&browser, &renewed] {
        refused(&browser.call("GET", "/api/session", None)?, 401, "token_invalid")?;
    }

    let with_generation = api.with_token(Some(&mint.person(json!({"sub": "sid", "gen": 0}))?));
    let (one, two) = (
        signed_in(&api, &mint.person(json!({"sub": "sid"}))?)?,
        signed_in(&api, &mint.person(json!({"sub": "sid"}))?)?,
    );
    with_generation.get("/api/session")?;
    one.clone().with_header("origin", api.base_url()).post("/api/session/revoke-all", &json!({}))?;
    for old in [&one, &two, &with_generation] {
        refused(&old.call("GET", "/api/session", None)?, 401, "token_invalid")?;
    }
    let old = mint.person(json!({"aud": "gastown:sign-in", "sub": "sid", "jti": Uuid::new_v4(), "gen": 0}))?;
    refused(&sign_in_with(&api, &old)?, 401, "token_invalid")?;
    signed_in(&api, &mint.person(json!({"sub": "sid"}))?)?.get("/api/session").map(drop)
}

/// Revoking a town's credentials ends those of its runtime, agents and mayor; the runtime is given new ones, and no
/// session is restarted.
pub(crate) fn generation_rises(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let start = town.begin(&town.sling("Goes on")?)?;
    let mayor = begin_mayor(&town)?;
    let tools = format!("/api/mayor/{}/tools/rigs", town.town_id);
    let prime = town.seat.agent_path(&start, "/prime?peek=true");
    let (old_agent, old_runtime, old_token) = (town.seat.agent(&start), town.seat.worker(), town.seat.token());
    let old_mayor = town.seat.agent(&mayor);
    old_agent.get(&prime)?;
    old_mayor.get(&tools)?;
    old_runtime.get(&town.path("/mayor-id"))?;

    ensure!(town.post("/container/revoke-credentials", &json!({}))?["revoked"] == json!(true));
    refused(&old_runtime.call("GET", &town.path("/mayor-id"), None)?, 401, "token_invalid")?;
    refused(&old_mayor.call("GET", &tools, None)?, 401, "token_invalid")?;
    let look = || {
        let reply = old_agent.call("GET", &prime, None)?;
        Ok(if reply.status == 401 { Look::Found(reply) } else { Look::NotYet(reply.to_string()) })
    };
    refused(&until("the end of the agent's token", ORDER_MAX, look)?, 401, "token_invalid")?;

    until("a new container token", ORDER_MAX, || {
        let token = town.seat.token();
        Ok(if token == old_token { Look::NotYet("the old one".to_owned()) } else { Look::Found(()) })
    })?;
    let asked = json!({"assignments": [reference(&start.body)]});
    let given = items(town.seat.worker().post(&town.path("/runtime/agent-tokens"), &asked)?)?;
    let agent = old_agent.with_token(Some(text(given.first().context("no token")?, "token")?));
    let shown = agent.get(&prime)?;
    ensure!(shown["assignment"]["assignment_id"] == start.body["assignment"]["assignment_id"], "{shown}");
    Ok(())
}

/// A container token is refreshed up to 24 h after its end, by nobody else and not later; one of a town that is gone opens
/// nothing.
pub(crate) fn container_token_is_refreshed(world: &World) -> Result<()> {
    let (town, mint) = (world.town(1, &json!({}))?, Mint(world));
    let start = town.begin(&town.sling("Keeps the runtime awake")?)?;
    let ended = |hours: u64| {
        let end = seconds_now() - hours * 3600;
        mint.runtime(&town, &json!({"iat": end - 8 * 3600, "exp": end}))
    };
    let refresh = town.path("/refresh-container-token");
    let late = town.api.with_token(Some(&ended(20)?));
    refused(&late.call("GET", &town.path("/mayor-id"), None)?, 401, "token_expired")?;
    let given = late.call("POST", &refresh, None)?;
    ensure!(given.header("cache-control") == Some("no-store"), "{given}");
    let given = given.data()?;
    ensure!(given["expiredInbound"] == json!(true), "{given}");
    town.api.with_token(Some(text(&given, "token")?)).get(&town.path("/mayor-id"))?;
    refused(&town.api.with_token(Some(&ended(25)?)).call("POST", &refresh, None)?, 401, "token_expired")?;
    refused(&town.seat.agent(&start).call("POST", &refresh, None)?, 403, "credential_not_accepted")?;

    let (worker, agent) = (town.seat.worker(), town.seat.agent(&start));
    town.api.call("DELETE", &town.path(""), None)?.data()?;
    for reply in [
        worker.call("GET", &town.path("/mayor-id"), None)?,
        worker.call("POST", &refresh, None)?,
        agent.call("GET", &town.seat.agent_path(&start, "/prime"), None)?,
        town.api.call("GET", &town.path(""), None)?,
    ] {
        ensure!(reply.status == 404, "after the town was deleted: {reply}");
    }
    Ok(())
}

/// Creating calls of one subject are limited, those of another go on, and the wait that is named is enough. Sign-ins are
/// limited by address, whoever they are for and whether they succeed.
pub(crate) fn the_hasty_are_slowed(world: &World) -> Result<()> {
    let (api, mint) = (world.api()?, Mint(world));
    let hasty = api.with_token(Some(&mint.person(json!({"sub": "hasty"}))?));
    let calm = api.with_token(Some(&mint.person(json!({"sub": "calm"}))?));
    // Admitted and counted, and then refused for its language.
    let create = |api: &Api| api.call_as("text/plain", "POST", "/api/towns", Some("x"));
    slowed(&hasty, &calm, USER, &create)?;
    hasty.get("/api/towns").context("reading is not limited")?;

    let town = world.town(1, &json!({}))?;
    let (one, two) = (town.begin(&town.sling("Is hasty")?)?, town.begin(&town.sling("Is calm")?)?);
    let mail = town.path(&format!("/rigs/{}/mail", town.rigs[0]));
    let send = |api: &Api| api.call_as("text/plain", "POST", &mail, Some("x"));
    slowed(&town.seat.agent(&one), &town.seat.agent(&two), AGENT, &send)?;

    let from = |address: &str| api.with_token(None).with_header("cf-connecting-ip", address);
    let sign_in = |api: &Api| sign_in_with(api, "not.a.token");
    slowed(&from("203.0.113.7"), &from("203.0.113.8"), SESSION, &sign_in)
}

/// The bucket of `hasty` empties when it should, and that of `calm` does not.
fn slowed(hasty: &Api, calm: &Api, rate: Rate, call: &(dyn Fn(&Api) -> Result<Reply> + Sync)) -> Result<()> {
    let begun = Instant::now();
    let usual = call(calm)?.status;
    let (mut calls, mut refusal) = (0, None);
    while refusal.is_none() {
        let replies: Vec<Result<Reply>> = std::thread::scope(|scope| {
            let calls: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| call(hasty))).collect();
            calls.into_iter().map(|call| call.join().expect("no thread panics")).collect()
        });
        for reply in replies {
            let reply = reply?;
            if reply.status == 429 {
                refusal = Some(reply);
            } else {
                ensure!(reply.status == usual, "{reply}");
                calls += 1;
            }
        }
        let came_back = begun.elapsed().as_secs() * u64::from(rate.per_minute) / 60 + 1;
        ensure!(calls <= u64::from(rate.burst) + came_back, "{calls} calls were not slowed");
    }
    ensure!(calls >= u64::from(rate.burst), "slowed after {calls} of {} calls", rate.burst);
    let refusal = refusal.context("no refusal")?;
    refused(&refusal, 429, "rate_limited")?;
    let wait: u64 = refusal.header("retry-after").context("no Retry-After")?.parse()?;
    ensure!((1..=60 / u64::from(rate.per_minute) + 1).contains(&wait), "{refusal}");
    ensure!(call(calm)?.status == usual, "another subject was slowed as well");
    // A moment longer than named: the clocks are two.
    until("the next token", Duration::from_secs(wait + 1), || {
        let reply = call(hasty)?;
        Ok(if reply.status == usual { Look::Found(()) } else { Look::NotYet(reply.to_string()) })
    })
}

fn sign_in_with(api: &Api, token: &str) -> Result<Reply> {
    api.with_token(None).call("POST", "/api/session", Some(&json!({"token": token}).to_string()))
}

fn refused(reply: &Reply, status: u16, code: &str) -> Result<()> {
    ensure!(reply.status == status && reply.code() == Some(code), "expected {status} {code}: {reply}");
    ensure!(reply.body["success"] == Value::Bool(false), "{reply}");
    Ok(())
}
