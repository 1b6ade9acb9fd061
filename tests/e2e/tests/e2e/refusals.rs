//! Bad inputs against the documented answers (api.md 1.2, 1.3, 2.2, 2.3): a table, one row per request.
//!
//! Every refusal has the envelope of errors and the status that belongs to its code; none is a 500.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use gastown_core::wire::code::Code;
use gastown_e2e::api::{Api, Reply, text};
use serde_json::{Value, json};

use crate::support::{Town, World, sign};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    /// No credential.
    Nobody,
    /// The owner of the town.
    Owner,
    /// Another user.
    Stranger,
    /// A user who may read everything.
    Admin,
    /// A user whose access was taken away.
    Disabled,
    /// The owner, an hour ago.
    Expired,
    /// Signed by a secret that is not ours.
    Forger,
    /// A user token of a version that does not exist.
    OldVersion,
    /// No token at all.
    Garbage,
    /// An agent of this rig, whose assignment does not exist.
    Agent,
    /// An agent of another town.
    OtherTown,
    /// An agent of another rig of this town.
    OtherRig,
    /// The mayor of another town.
    OtherMayor,
}

use Who::{
    Admin, Agent, Disabled, Expired, Forger, Garbage, Nobody, OldVersion, OtherMayor, OtherRig, OtherTown, Owner,
    Stranger,
};

/// Method, path, who, body, expected code. In paths, `T` is the town, `R` its rig, `A` an agent of it, `M` the mayor's
/// tools, and `?` an id that nothing has.
const REFUSED: &[(&str, &str, Who, &str, &str)] = &[
    // No credential, or none that verifies.
    ("GET", "/api/towns", Nobody, "", "unauthenticated"),
    ("GET", "T", Nobody, "", "unauthenticated"),
    ("GET", "A/prime", Nobody, "", "unauthenticated"),
    ("GET", "M/rigs", Nobody, "", "unauthenticated"),
    ("POST", "T/runtime/facts", Nobody, "{}", "unauthenticated"),
    ("GET", "T", Garbage, "", "token_invalid"),
    ("GET", "T", Forger, "", "token_invalid"),
    ("GET", "T", OldVersion, "", "token_invalid"),
    ("GET", "T", Expired, "", "token_expired"),
    // Genuine, but not for this.
    ("GET", "T", Disabled, "", "access_disabled"),
    ("POST", "/api/towns", Admin, r#"{"name": ""}"#, "invalid_request"),
    ("POST", "T/mayor/message", Admin, r#"{"message": "hi"}"#, "admin_read_only"),
    ("POST", "T/sling", Admin, "{}", "admin_read_only"),
    ("GET", "A/prime", Owner, "", "credential_not_accepted"),
    ("POST", "A/done", Owner, r#"{"branch": "b"}"#, "credential_not_accepted"),
    ("GET", "M/rigs", Owner, "", "credential_not_accepted"),
    ("POST", "M/sling", Owner, "{}", "credential_not_accepted"),
    ("POST", "T/runtime/facts", Owner, "{}", "credential_not_accepted"),
    ("POST", "T/runtime/heartbeat", Owner, "{}", "credential_not_accepted"),
    ("GET", "T", Agent, "", "credential_not_accepted"),
    ("POST", "T/mayor/message", Agent, r#"{"message": "hi"}"#, "credential_not_accepted"),
    ("GET", "M/rigs", Agent, "", "credential_not_accepted"),
    ("GET", "A/prime", OtherTown, "", "wrong_town"),
    ("GET", "A/prime", OtherRig, "", "wrong_rig"),
    ("GET", "R/agents/?/prime", Agent, "", "wrong_agent"),
    ("GET", "M/rigs", OtherMayor, "", "wrong_town"),
    ("POST", "A/done", Agent, r#"{"branch": "b"}"#, "stale_assignment"),
    ("POST", "A/verdict", Agent, r#"{"verdict": "approve"}"#, "stale_assignment"),
    // Not visible, or not there.
    ("GET", "T", Stranger, "", "not_found"),
    ("GET", "T/beads", Stranger, "", "not_found"),
    ("POST", "T/mayor/message", Stranger, r#"{"message": "hi"}"#, "not_found"),
    ("POST", "T/sling", Stranger, "{", "not_found"),
    ("GET", "/api/towns/?", Owner, "", "not_found"),
    ("GET", "/api/towns/not-an-id", Owner, "", "not_found"),
    ("GET", "T/beads/?", Owner, "", "not_found"),
    ("GET", "T/rigs/?", Owner, "", "not_found"),
    ("GET", "T/agents/?", Owner, "", "not_found"),
    ("GET", "/api/nothing", Owner, "", "not_found"),
    // Known path, other method.
    ("DELETE", "/api/towns", Owner, "", "method_not_allowed"),
    ("PUT", "T/beads", Owner, "{}", "method_not_allowed"),
    ("GET", "T/mayor/message", Owner, "", "method_not_allowed"),
    ("GET", "T/sling", Owner, "", "method_not_allowed"),
    // Bodies that cannot be read, or have the wrong shape.
    ("POST", "/api/towns", Owner, "{", "invalid_json"),
    ("POST", "/api/towns", Owner, "", "invalid_request"),
    ("POST", "/api/towns", Owner, "[]", "invalid_request"),
    ("POST", "/api/towns", Owner, "{}", "invalid_request"),
    ("POST", "/api/towns", Owner, r#"{"name": 5}"#, "invalid_request"),
    ("POST", "/api/towns", Owner, r#"{"name": null}"#, "invalid_request"),
    ("POST", "T/rigs", Owner, "nonsense", "invalid_json"),
    ("POST", "T/rigs", Owner, "{}", "invalid_request"),
    ("POST", "T/rigs", Owner, r#"{"name": "x", "git_url": 1}"#, "invalid_request"),
    ("POST", "T/mayor/message", Owner, "{}", "invalid_request"),
    ("POST", "T/mayor/message", Owner, r#"{"message": ""}"#, "invalid_request"),
    ("POST", "T/sling", Owner, r#"{"tasks": []}"#, "invalid_request"),
    ("POST", "T/sling", Owner, r#"{"tasks": [{"title": "no rig"}]}"#, "invalid_request"),
    ("POST", "T/beads", Owner, r#"{"title": "no rig"}"#, "invalid_request"),
    ("GET", "T/beads?limit=-1", Owner, "", "invalid_paging"),
    ("GET", "T/beads?offset=x", Owner, "", "invalid_paging"),
    ("GET", "T/beads?status=lost", Owner, "", "invalid_request"),
    // The shape is right, the meaning is not.
    ("POST", "T/rigs", Owner, r#"{"name": "a", "git_url": "ssh://git@example.com/a"}"#, "unsafe_url"),
    ("POST", "T/rigs", Owner, r#"{"name": "a", "git_url": "https://me:pw@example.com/a"}"#, "unsafe_url"),
    ("POST", "T/rigs", Owner, r#"{"name": "words", "git_url": "https://example.com/a"}"#, "duplicate_name"),
    ("POST", "T/sling", Owner, r#"{"tasks": [{"rig_id": "?", "title": "t"}]}"#, "unknown_rig"),
];

pub(crate) fn are_as_documented(world: &World) -> Result<()> {
    let town = world.town("refusals")?;
    let clients = clients(world, &town)?;
    let health = clients[&Nobody].call("GET", "/health", None)?;
    if (health.status, &health.body) != (200, &json!({"status": "ok"})) {
        bail!("/health: {health}");
    }
    let mut wrong = Vec::new();
    for &(method, path, who, body, code) in REFUSED {
        let sent = body.replace('?', NOTHING);
        let sends_body = matches!(method, "POST" | "PUT" | "PATCH").then_some(sent.as_str());
        let reply = clients[&who].call(method, &full_path(&town, path), sends_body)?;
        for fault in faults(&reply, code)? {
            wrong.push(format!("{method} {path} by {who:?} with {body}: {fault}, got {reply}"));
        }
    }
    let long = [("name", 65, "/api/towns"), ("message", 32_001, "T/mayor/message")];
    for (field, length, path) in long {
        let body = json!({field: "x".repeat(length)}).to_string();
        let reply = clients[&Owner].call("POST", &full_path(&town, path), Some(&body))?;
        let issue = &reply.body["issues"][0];
        if reply.code() != Some("invalid_request") || issue["code"] != "too_big" || issue["path"] != json!([field]) {
            wrong.push(format!("{field} of {length} characters: {reply}"));
        }
    }
    let huge = json!({"message": "x".repeat(1024 * 1024)}).to_string();
    let reply = clients[&Owner].call("POST", &full_path(&town, "T/mayor/message"), Some(&huge))?;
    if reply.status != 413 || reply.code() != Some("body_too_large") {
        wrong.push(format!("a body of more than 1 MiB: {reply}"));
    }
    let reply = clients[&Owner].call_as("text/plain", "POST", "/api/towns", Some(r#"{"name": "n"}"#))?;
    if reply.status != 415 || reply.code() != Some("unsupported_media_type") {
        wrong.push(format!("a body of plain text: {reply}"));
    }
    wrong.extend(nothing_was_created(&clients[&Owner], &town)?);
    if !wrong.is_empty() {
        bail!("{} answers are not as documented:\n{}", wrong.len(), wrong.join("\n"));
    }
    Ok(())
}

/// An id that nothing has.
const NOTHING: &str = "0f0f0f0f-0000-4000-8000-000000000000";
/// The agent that the agent tokens speak for.
const AGENT: &str = "0a0a0a0a-0000-4000-8000-000000000000";

fn full_path(town: &Town, path: &str) -> String {
    let (town_id, rig_id) = (&town.demo.town_id, &town.demo.rig_id);
    let (head, rest) = path.split_at(1);
    let query_at = rest.find('?').filter(|&at| rest[at..].contains('='));
    let rest = match query_at {
        Some(_) => rest.to_owned(),
        None => rest.replace('?', NOTHING),
    };
    match head {
        "T" => format!("/api/towns/{town_id}{rest}"),
        "R" => format!("/api/towns/{town_id}/rigs/{rig_id}{rest}"),
        "A" => format!("/api/towns/{town_id}/rigs/{rig_id}/agents/{AGENT}{rest}"),
        "M" => format!("/api/mayor/{town_id}/tools{rest}"),
        _ => format!("{head}{rest}"),
    }
}

fn clients(world: &World, town: &Town) -> Result<BTreeMap<Who, Api>> {
    let api = world.api()?;
    let user = |claims: Value| world.token("USER_JWT_SECRET", &claims);
    let agent = |town_id: &str, rig_id: &str| {
        world.token(
            "GASTOWN_JWT_SECRET",
            &json!({
                "aud": "gastown:agent", "agentId": AGENT, "rigId": rig_id, "townId": town_id, "userId": "local",
                "role": "polecat", "assignmentId": NOTHING, "epoch": 1, "gen": 1,
            }),
        )
    };
    let (town_id, rig_id) = (&town.demo.town_id, &town.demo.rig_id);
    let mayor = json!({
        "aud": "gastown:mayor", "agentId": AGENT, "rigId": format!("mayor-{NOTHING}"), "townId": NOTHING,
        "userId": "local", "role": "mayor", "epoch": 1, "gen": 1,
    });
    let tokens = [
        (Stranger, user(json!({"sub": "stranger"}))?),
        (Admin, user(json!({"sub": "admin", "isAdmin": true}))?),
        (Disabled, user(json!({"version": 3, "kiloUserId": "local", "gastownAccess": false}))?),
        (Expired, user(json!({"sub": "local", "iat": 1_000, "exp": 2_000}))?),
        (Forger, sign("not-the-secret-of-this-deployment-0123456789", &json!({"sub": "local"}))?),
        (OldVersion, user(json!({"version": 2, "kiloUserId": "local"}))?),
        (Garbage, "not.a.token".to_owned()),
        (Agent, agent(town_id, rig_id)?),
        (OtherTown, agent(NOTHING, rig_id)?),
        (OtherRig, agent(town_id, NOTHING)?),
        (OtherMayor, world.token("GASTOWN_JWT_SECRET", &mayor)?),
    ];
    let mut clients: BTreeMap<Who, Api> =
        tokens.iter().map(|(who, token)| (*who, api.with_token(Some(token)))).collect();
    clients.insert(Nobody, api.with_token(None));
    clients.insert(Owner, api);
    Ok(clients)
}

/// What is wrong with an error answer.
fn faults(reply: &Reply, expected: &str) -> Result<Vec<String>> {
    let code: Code = expected.parse().with_context(|| format!("{expected} is no code"))?;
    let mut faults = Vec::new();
    let mut check = |holds: bool, fault: &str| {
        if !holds {
            faults.push(fault.to_owned());
        }
    };
    check(reply.code() == Some(expected), &format!("expected {expected}"));
    check(reply.status == code.status(), &format!("expected status {}", code.status()));
    check(reply.body["success"] == json!(false), "`success` is not false");
    check(text(&reply.body, "error").is_ok_and(|text| !text.is_empty()), "no text for people");
    let request_id = reply.body["request_id"].as_str();
    check(request_id.is_some() && request_id == reply.header("x-request-id"), "no request id, or two");
    let has_issues = reply.body["issues"].as_array().is_some_and(|issues| !issues.is_empty());
    check(code != Code::InvalidRequest || has_issues, "no issues");
    check(reply.status != 401 || reply.header("www-authenticate") == Some("Bearer"), "no WWW-Authenticate");
    check(reply.status != 405 || reply.header("allow").is_some(), "no Allow");
    Ok(faults)
}

/// A refused request leaves nothing behind.
fn nothing_was_created(owner: &Api, town: &Town) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (path, expected) in [("T/beads", 0), ("T/rigs", 1)] {
        let rows = owner.get(&full_path(town, path))?;
        if rows.as_array().map(Vec::len) != Some(expected) {
            wrong.push(format!("{path} after all refusals: {rows}"));
        }
    }
    Ok(wrong)
}
