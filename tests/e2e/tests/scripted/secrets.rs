//! Secrets go in and do not come out (api.md 2.5): values are planted by every route that takes one, a whole job is done,
//! and everything that was answered or logged is searched for them.

use anyhow::{Context as _, Result, bail, ensure};
use gastown::routes::{Method, ROUTES};
use gastown_e2e::api::{Api, Reply, text};
use gastown_e2e::leaks::Secrets;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::credentials::{Mint, begin_mayor, place, signed_in};
use crate::runtime::reference;
use crate::world::{Town, World};

/// Kept secrets of a town, as a patch takes them.
const KEPT: [&str; 6] = [
    "git_auth.github_token",
    "git_auth.gitlab_token",
    "github_cli_pat",
    "kilocode_token",
    "env_vars.NPM_TOKEN",
    "env_vars.DATABASE_URL",
];

pub(crate) fn stay_hidden(world: &World) -> Result<()> {
    let mut secrets = Secrets::default();
    let town = world.town(1, &json!({}))?;
    let kept = planted(&town, &mut secrets)?;
    for name in ["USER_JWT_SECRET", "GASTOWN_JWT_SECRET", "GASTOWN_CONTROL_SECRET"] {
        secrets.add(name, &world.secret(name)?)?;
    }
    let of_rig = token_of_a_rig(world, &mut secrets)?;
    let browser = sessions(world, &mut secrets)?;

    let bead_id = town.sling("Is done with secrets around")?;
    let start = town.begin(&bead_id)?;
    let mayor = begin_mayor(&town)?;
    for (name, order) in [("the agent's token", &start), ("the mayor's token", &mayor)] {
        secrets.add(name, text(&order.body, "token")?)?;
    }
    secrets.add("the container token", &town.seat.token())?;
    let ticket = town.post("/tickets", &json!({"purpose": "town_events"}))?;
    secrets.add("a ticket", text(&ticket, "ticket")?)?;
    let place = place(&town, &start, &bead_id)?;

    let (agent, runtime, tools) = (town.seat.agent(&start), town.seat.worker(), town.seat.agent(&mayor));
    let mut found = Vec::new();
    let everybody: [(&str, &Api); 5] =
        [("owner", &town.api), ("session", &browser), ("agent", &agent), ("runtime", &runtime), ("mayor", &tools)];
    let mut read_all = |when: &str| -> Result<()> {
        for route in ROUTES.iter().filter(|route| route.method == Method::Get) {
            for (who, api) in everybody {
                let reply = api.call("GET", &place.path(route.path), None)?;
                let seen = seen(&secrets, &reply);
                found.extend(seen.into_iter().map(|name| format!("{name} for the {who} in {} {when}", route.path)));
            }
        }
        Ok(())
    };
    read_all("at work")?;
    town.seat.fact(&start, json!({"type": "phase", "phase": "running", "detail": "busy"}))?;
    town.seat.done(&start, &crate::runtime::commit('a'))?;
    town.approve_and_merge('a')?;
    town.until_status(&bead_id, "closed")?;
    read_all("afterwards")?;

    for reply in refusals(&town, &kept)? {
        found.extend(seen(&secrets, &reply).into_iter().map(|name| format!("{name} in the refusal {}", reply.status)));
    }
    masks_are_shown(&town.get("/config")?, &kept)?;
    masks_are_shown(&of_rig.get("/config")?, &[])?;
    the_runtime_is_given_them(&town, &start.body, &kept)?;
    found.extend(secrets.in_files(&world.state_dir()?.join("log"))?);
    if !found.is_empty() {
        bail!("{} secrets were seen:\n{}", found.len(), found.join("\n"));
    }
    Ok(())
}

/// Every kept secret of the settings; names and values.
fn planted(town: &Town, secrets: &mut Secrets) -> Result<Vec<(&'static str, String)>> {
    let mut patch = json!({"llm": {"base_url": "https://models.example.com/v1"}});
    let mut kept = Vec::new();
    for name in KEPT {
        let value = format!("planted-{}", Uuid::new_v4().simple());
        let pointer = format!("/{}", name.replace('.', "/"));
        put(&mut patch, &pointer, &value);
        secrets.add(name, &value)?;
        kept.push((name, value));
    }
    let reply = town.api.call("PATCH", &town.path("/config"), Some(&patch.to_string()))?;
    ensure!(reply.status == 200, "the settings were refused: {reply}");
    ensure!(seen(secrets, &reply).is_empty(), "the answer to the patch shows a secret");
    Ok(kept)
}

/// A rig that brings the town's key with it.
fn token_of_a_rig(world: &World, secrets: &mut Secrets) -> Result<Town> {
    let town = world.town(0, &json!({}))?;
    let value = format!("planted-{}", Uuid::new_v4().simple());
    secrets.add("kilocode_token of a rig", &value)?;
    let rig = json!({"name": "rig", "git_url": "https://example.com/rig.git", "kilocode_token": value});
    let reply = town.api.call("POST", &town.path("/rigs"), Some(&rig.to_string()))?;
    ensure!(reply.status == 201 && seen(secrets, &reply).is_empty(), "the new rig: {reply}");
    Ok(town)
}

/// Tokens of people, and a session.
fn sessions(world: &World, secrets: &mut Secrets) -> Result<Api> {
    let (api, mint) = (world.api()?, Mint(world));
    let once = mint.person(json!({"aud": "gastown:sign-in", "sub": "local", "jti": Uuid::new_v4()}))?;
    secrets.add("a sign-in token", &once)?;
    let browser = signed_in(&api, &once)?;
    // A token that was used, one that never was one, and one where none may be.
    for token in [once.as_str(), "planted.is-no-token.at-all"] {
        let reply = api.call("POST", "/api/session", Some(&json!({"token": token}).to_string()))?;
        ensure!(!reply.to_string().contains(token), "the refusal repeats the token");
    }
    api.with_token(None).call("GET", &format!("/api/towns?token={once}&ticket={once}"), None)?;
    api.with_token(None).with_header("cookie", &format!("gastown_session={once}")).call("GET", "/api/towns", None)?;
    Ok(browser)
}

/// Patches that are refused with secrets in them.
fn refusals(town: &Town, kept: &[(&'static str, String)]) -> Result<Vec<Reply>> {
    let value = &kept.first().context("nothing was planted")?.1;
    let long = value.repeat(400);
    let bodies = [
        json!({"git_auth": {"github_token": value, "unknown": value}}),
        json!({"git_auth": value}),
        json!({"kilocode_token": long}),
        json!({"kilocode_token": [value]}),
        json!({"env_vars": {"1 is no name": value}}),
        json!({"env_vars": {"NPM_TOKEN": {"value": value}}}),
        json!({value.as_str(): 1}),
        json!({"llm": {"base_url": format!("https://user:{value}@models.example.com")}}),
    ];
    let patch = |body: &Value| town.api.call("PATCH", &town.path("/config"), Some(&body.to_string()));
    let mut replies = Vec::new();
    for body in &bodies {
        let reply = patch(body)?;
        ensure!((400..500).contains(&reply.status), "accepted: {reply}");
        // The name of a field that nobody knows is the caller's own, and is named.
        if !body.to_string().starts_with(&format!("{{\"{value}")) {
            replies.push(reply);
        }
    }
    let rig = json!({"name": "x", "git_url": format!("https://user:{value}@example.com/x.git")});
    replies.push(town.api.call("POST", &town.path("/rigs"), Some(&rig.to_string()))?);
    Ok(replies)
}

/// Four characters and no more; what only looks like a mask is never stored.
fn masks_are_shown(config: &Value, kept: &[(&'static str, String)]) -> Result<()> {
    for (name, value) in kept {
        let shown = config.pointer(&format!("/{}", name.replace('.', "/"))).and_then(Value::as_str).unwrap_or_default();
        let expected = format!("****{}", value.get(value.len() - 4..).unwrap_or_default());
        ensure!(shown == expected, "{name} is shown as {shown}");
    }
    if kept.is_empty() {
        let shown = config["kilocode_token"].as_str().unwrap_or_default();
        ensure!(shown.starts_with("****") && shown.len() == 8, "the key of the rig is kept: {config}");
    }
    Ok(())
}

/// The values are not lost: the runtime reads them by the two routes that are for it, and agents get their environment.
fn the_runtime_is_given_them(town: &Town, start: &Value, kept: &[(&'static str, String)]) -> Result<()> {
    let value = |name: &str| kept.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let reply = town.seat.worker().call("POST", &town.path("/runtime/llm-credentials"), Some("{}"))?;
    ensure!(reply.header("cache-control") == Some("no-store"), "a key may not be cached");
    ensure!(reply.data()?["api_key"].as_str() == value("kilocode_token").as_deref(), "another key is given");
    ensure!(start.to_string().contains(&value("env_vars.NPM_TOKEN").unwrap_or_default()), "agents miss a variable");
    let asked = json!({"rig_id": town.rigs[0], "host": "github.com", "path": "/x", "operation": "push",
        "ref": reference(start)});
    let elsewhere =
        town.seat.worker().call("POST", &town.path("/runtime/git-credentials"), Some(&asked.to_string()))?;
    ensure!(elsewhere.code() == Some("host_not_allowed"), "a token for another host: {}", elsewhere.status);
    Ok(())
}

/// Names of the secrets that stand in an answer, its headers among it; a session's own cookie is its own.
fn seen<'a>(secrets: &'a Secrets, reply: &Reply) -> Vec<&'a str> {
    let headers: String = reply.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    secrets.in_text(&format!("{headers}{}", reply.body))
}

fn put(patch: &mut Value, pointer: &str, value: &str) {
    let mut place = patch;
    for part in pointer.trim_start_matches('/').split('/') {
        place = &mut place[part];
    }
    *place = json!(value);
}
