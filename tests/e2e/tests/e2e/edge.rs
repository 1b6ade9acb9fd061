//! The edge as browsers and retrying clients see it: sign-in links, sessions, origins, repeated requests.

use anyhow::{Context as _, Result, bail, ensure};
use gastown_e2e::api::{Reply, items, text};
use serde_json::json;

use crate::support::World;

/// A sign-in link works once; its session works until it is signed out, and only from our own pages.
pub(crate) fn signs_in_once(world: &World) -> Result<()> {
    let api = world.api()?;
    let nobody = api.with_token(None);
    let claims = json!({"aud": "gastown:sign-in", "sub": "guest", "jti": uuid::Uuid::new_v4()});
    let link = json!({"token": world.token("USER_JWT_SECRET", &claims)?}).to_string();
    let first = nobody.call("POST", "/api/session", Some(&link))?;
    ensure!(first.status == 201 && first.body["data"]["user"]["id"] == "guest", "{first}");
    let cookie = cookie(&first)?;
    refused(&nobody.call("POST", "/api/session", Some(&link))?, 401, "token_invalid")?;

    let browser = nobody.with_header("cookie", &cookie);
    let towns = items(browser.get("/api/towns")?)?;
    ensure!(towns.is_empty(), "the guest has no towns: {towns:?}");
    let town = json!({"name": "Guest"}).to_string();
    refused(&browser.call("POST", "/api/towns", Some(&town))?, 403, "origin_not_allowed")?;
    let foreign = browser.clone().with_header("origin", "https://elsewhere.example");
    refused(&foreign.call("POST", "/api/towns", Some(&town))?, 403, "origin_not_allowed")?;
    let page = browser.clone().with_header("origin", browser.base_url());
    let made = page.post("/api/towns", &json!({"name": "Guest"}))?;
    ensure!(made["name"] == "Guest", "{made}");
    refused(&api.call("GET", &format!("/api/towns/{}", text(&made, "id")?), None)?, 404, "not_found")?;

    page.call("DELETE", "/api/session", None)?.data()?;
    refused(&browser.call("GET", "/api/towns", None)?, 401, "token_invalid")
}

/// A client that lost an answer asks again with the same key and changes nothing.
pub(crate) fn repeats_are_answered_from_memory(world: &World) -> Result<()> {
    let town = world.town("repeats")?;
    let keyed = town.api.clone().with_header("idempotency-key", "e2e-one-task");
    let task = town.task("Only once", "Add an empty function.");
    let sling = |title: &str| {
        let mut task = task.clone();
        task["title"] = json!(title);
        // Held, so that nobody works on it while the test looks.
        task["labels"] = json!(["gt:held"]);
        keyed.call("POST", &town.path("/sling"), Some(&json!({"tasks": [task]}).to_string()))
    };
    let (first, second) = (sling("Only once")?, sling("Only once")?);
    ensure!(first.status == 201 && second.status == 201 && first.body == second.body, "{first}\n{second}");
    ensure!(first.header("idempotency-replayed").is_none(), "{:?}", first.headers);
    ensure!(second.header("idempotency-replayed") == Some("true"), "{:?}", second.headers);
    refused(&sling("Another")?, 422, "idempotency_mismatch")?;
    let beads = items(town.api.get(&town.path("/beads"))?)?;
    ensure!(beads.len() == 1 && beads[0]["title"] == "Only once" && beads[0]["held"] == true, "{beads:?}");

    let message = json!({"message": "What is going on?"}).to_string();
    let keyed = town.api.clone().with_header("idempotency-key", "e2e-one-message");
    let ids = [(); 2].map(|()| keyed.call("POST", &town.path("/mayor/message"), Some(&message)));
    let [first, second] = ids.map(|reply| reply.and_then(Reply::data));
    let (first, second) = (first?, second?);
    ensure!(first["messageId"] == second["messageId"], "{first}\n{second}");
    let messages = items(town.api.get(&town.path("/mayor/messages"))?)?;
    let asked = messages.iter().filter(|message| message["role"] == "user").count();
    ensure!(asked == 1, "one message in the conversation: {messages:?}");
    Ok(())
}

fn refused(reply: &Reply, status: u16, code: &str) -> Result<()> {
    if reply.status != status || reply.code() != Some(code) {
        bail!("expected {status} {code}, got {reply}");
    }
    Ok(())
}

/// `name=value` of the cookie that a reply sets.
fn cookie(reply: &Reply) -> Result<String> {
    let set = reply.header("set-cookie").context("no cookie is set")?;
    ensure!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    Ok(set.split(';').next().unwrap_or_default().to_owned())
}
