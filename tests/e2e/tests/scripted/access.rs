//! Access (api.md 2): every route of the table with every kind of credential, against the running Worker.
//!
//! What is expected is stated here once more, in the words of api.md 2.2 and 2.3 and not by the code that decides it. A
//! refused call carries a body that would do something, so that a door left open shows twice: by its answer, and by what
//! has changed in the town. An admitted call that could change something carries a body in a language that nobody here
//! reads: it is refused after access was decided, and before its handler runs.

use std::collections::BTreeSet;
use std::sync::Mutex;

use anyhow::{Context as _, Result, bail, ensure};
use gastown::routes::{Method, ROUTES, Route};
use gastown_core::access::Level;
use gastown_e2e::api::{Api, Reply};
use serde_json::{Value, json};

use crate::credentials::{Cast, Credential, NOTHING, Place};
use crate::world::World;

/// Each row: a credential; each column: a level. What api.md 2.2 says of a row with that level alone, its path naming what
/// the credential is for, unless the credential's name says otherwise. `ok`: may go on. `get`: reads, and else
/// `admin_read_only`. `own`: may go on where the path names no other account. `page`: reads, and else
/// `origin_not_allowed`. `kind` is `credential_not_accepted`; the other words are codes.
const CELLS: &str = "
                            Public User             TownMember       TownOwner        OrgMember        OrgOwner         Agent              RigAgents          Mayor            Runtime
none                        ok     unauthenticated  unauthenticated  unauthenticated  unauthenticated  unauthenticated  unauthenticated    unauthenticated    unauthenticated  unauthenticated
other_scheme                ok     unauthenticated  unauthenticated  unauthenticated  unauthenticated  unauthenticated  unauthenticated    unauthenticated    unauthenticated  unauthenticated
identity_headers            ok     unauthenticated  unauthenticated  unauthenticated  unauthenticated  unauthenticated  unauthenticated    unauthenticated    unauthenticated  unauthenticated
ticket_for_something_else   ok     unauthenticated  unauthenticated  unauthenticated  unauthenticated  unauthenticated  unauthenticated    unauthenticated    unauthenticated  unauthenticated
malformed                   ok     token_invalid    token_invalid    token_invalid    token_invalid    token_invalid    token_invalid      token_invalid      token_invalid    token_invalid
forged                      ok     token_invalid    token_invalid    token_invalid    token_invalid    token_invalid    token_invalid      token_invalid      token_invalid    token_invalid
wrong_audience              ok     token_invalid    token_invalid    token_invalid    token_invalid    token_invalid    token_invalid      token_invalid      token_invalid    token_invalid
sign_in_token               ok     token_invalid    token_invalid    token_invalid    token_invalid    token_invalid    token_invalid      token_invalid      token_invalid    token_invalid
other_version               ok     token_invalid    token_invalid    token_invalid    token_invalid    token_invalid    token_invalid      token_invalid      token_invalid    token_invalid
expired                     ok     token_expired    token_expired    token_expired    token_expired    token_expired    token_expired      token_expired      token_expired    token_expired
disabled                    ok     access_disabled  access_disabled  access_disabled  access_disabled  access_disabled  access_disabled    access_disabled    access_disabled  access_disabled
owner                       ok     own              ok               ok               forbidden        forbidden        kind               kind               kind             kind
owner_old_form              ok     own              ok               ok               forbidden        forbidden        kind               kind               kind             kind
stranger                    ok     own              not_found        not_found        forbidden        forbidden        kind               kind               kind             kind
member_elsewhere            ok     own              not_found        not_found        ok               ok               kind               kind               kind             kind
admin                       ok     own              get              get              get              get              kind               kind               kind             kind
member                      ok     own              ok               forbidden        ok               forbidden        kind               kind               kind             kind
billing_manager             ok     own              not_found        not_found        forbidden        forbidden        kind               kind               kind             kind
org_creator                 ok     own              ok               ok               ok               forbidden        kind               kind               kind             kind
org_owner                   ok     own              ok               ok               ok               ok               kind               kind               kind             kind
creator_who_left            ok     own              not_found        not_found        forbidden        forbidden        kind               kind               kind             kind
session                     ok     own              ok               ok               forbidden        forbidden        kind               kind               kind             kind
session_without_origin      ok     page             page             page             page             page             page               page               page             page
session_of_foreign_page     ok     page             page             page             page             page             page               page               page             page
session_that_was_signed_out ok     token_invalid    token_invalid    token_invalid    token_invalid    token_invalid    token_invalid      token_invalid      token_invalid    token_invalid
session_as_bearer           ok     token_invalid    token_invalid    token_invalid    token_invalid    token_invalid    token_invalid      token_invalid      token_invalid    token_invalid
polecat                     ok     kind             kind             kind             kind             kind             ok                 ok                 kind             kind
refinery                    ok     kind             kind             kind             kind             kind             ok                 ok                 kind             kind
other_agent                 ok     kind             kind             kind             kind             kind             wrong_agent        ok                 kind             kind
agent_of_other_rig          ok     kind             kind             kind             kind             kind             wrong_rig          wrong_rig          kind             kind
agent_of_other_town         ok     kind             kind             kind             kind             kind             wrong_town         wrong_town         kind             kind
superseded_epoch            ok     kind             kind             kind             kind             kind             stale_assignment   stale_assignment   kind             kind
other_assignment            ok     kind             kind             kind             kind             kind             stale_assignment   stale_assignment   kind             kind
ended_assignment            ok     kind             kind             kind             kind             kind             stale_assignment   stale_assignment   kind             kind
agent_of_old_generation     ok     kind             kind             kind             kind             kind             token_invalid      token_invalid      kind             kind
expired_agent               ok     token_expired    token_expired    token_expired    token_expired    token_expired    token_expired      token_expired      token_expired    token_expired
agent_by_peoples_secret     ok     token_invalid    token_invalid    token_invalid    token_invalid    token_invalid    token_invalid      token_invalid      token_invalid    token_invalid
short_form                  ok     kind             kind             kind             kind             kind             ok                 ok                 kind             kind
short_form_of_before        ok     kind             kind             kind             kind             kind             stale_assignment   stale_assignment   kind             kind
runtime                     ok     kind             kind             kind             kind             kind             ok                 ok                 kind             ok
runtime_of_other_town       ok     kind             kind             kind             kind             kind             wrong_town         wrong_town         kind             wrong_town
runtime_of_old_instance     ok     kind             kind             kind             kind             kind             instance_superseded instance_superseded kind            instance_superseded
runtime_of_old_generation   ok     kind             kind             kind             kind             kind             token_invalid      token_invalid      kind             token_invalid
expired_runtime             ok     token_expired    token_expired    token_expired    token_expired    token_expired    token_expired      token_expired      token_expired    token_expired
mayor                       ok     kind             kind             kind             kind             kind             wrong_rig          kind               ok               kind
mayor_at_home               ok     kind             kind             kind             kind             kind             ok                 kind               ok               kind
mayor_of_old_session        ok     kind             kind             kind             kind             kind             wrong_rig          kind               stale_assignment kind
mayor_of_old_generation     ok     kind             kind             kind             kind             kind             wrong_rig          kind               token_invalid    kind
mayor_of_other_town         ok     kind             kind             kind             kind             kind             wrong_town         kind               wrong_town       kind
";

/// Codes that access answers with; `not_found` is one of them where it hides a town.
const DENIALS: [&str; 17] = [
    "unauthenticated",
    "token_invalid",
    "token_expired",
    "ticket_invalid",
    "forbidden",
    "credential_not_accepted",
    "wrong_town",
    "wrong_rig",
    "wrong_agent",
    "wrong_account",
    "role_not_allowed",
    "admin_read_only",
    "access_disabled",
    "origin_not_allowed",
    "stale_assignment",
    "instance_superseded",
    "not_found",
];

/// Calls that are under way at a time.
const AT_ONCE: usize = 4;

/// Every route with every kind of credential (api.md 2.2, 2.3).
pub(crate) fn every_cell(world: &World) -> Result<()> {
    let cast = Cast::new(world)?;
    let rows = cells()?;
    let named: BTreeSet<&str> = cast.credentials.iter().map(|credential| credential.name).collect();
    let stated: BTreeSet<&str> = rows.iter().map(|row| row.0).collect();
    ensure!(named == stated, "without credential or without expectation: {:?}", named.symmetric_difference(&stated));

    let before = Seen::of(&cast)?;
    let pending = Mutex::new(cast.credentials.iter());
    let wrong = Mutex::new(Vec::new());
    let count = Mutex::new(0_usize);
    let next = || pending.lock().ok().and_then(|mut pending| pending.next());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(credential) = next() {
                    let Some((_, row)) = rows.iter().find(|(name, _)| *name == credential.name) else { continue };
                    let (found, tried) = try_routes(&cast, credential, row);
                    wrong.lock().expect("no thread panics").extend(found);
                    *count.lock().expect("no thread panics") += tried;
                }
            });
        }
    });
    let (wrong, count) = (wrong.into_inner()?, count.into_inner()?);
    ensure!(count == ROUTES.len() * rows.len(), "{count} cells were tried");
    if !wrong.is_empty() {
        bail!("{} of {count} cells are not as api.md 2 says:\n{}", wrong.len(), wrong.join("\n"));
    }
    let after = Seen::of(&cast)?;
    ensure!(before == after, "refused calls changed something:\n{before:?}\n{after:?}");
    Ok(())
}

/// Ids of another town are not there (404), whoever asks and wherever in a path or body they stand.
pub(crate) fn ids_of_another_town(world: &World) -> Result<()> {
    let cast = Cast::new(world)?;
    let before = Seen::of(&cast)?;
    let mut wrong = Vec::new();
    for credential in cast.credentials.iter().filter(|c| ["owner", "mayor", "runtime", "org_owner"].contains(&c.name)) {
        for route in ROUTES.iter().filter(|route| is_open_to(route, credential.name)) {
            for name in ["townId", "rigId", "beadId", "agentId", "convoyId", "escalationId"] {
                let is_of_org = route.path.contains("{orgId}");
                // Where the path names no town, the rig does, and these people own both.
                let names_town = route.path.contains("{townId}");
                if !route.path.contains(&format!("{{{name}}}")) || !names_town || (name == "townId" && !is_of_org) {
                    continue;
                }
                let place = credential.place.with(name, cast.elsewhere.id(name));
                let body = match name {
                    "rigId" => busy_body(&cast.place),
                    _ => busy_body(&cast.place).replace(cast.place.id(name), cast.elsewhere.id(name)),
                };
                let reply = send(credential, route, &place.path(route.path), &body, "application/json")?;
                // A transcript is kept by the town: that of an agent it does not have is empty.
                let is_empty = reply.body["data"].as_array().is_some_and(Vec::is_empty);
                let is_hidden = reply.status == 404
                    || reply.code() == Some("assignment_required")
                    || (reply.status == 200 && route.method == Method::Get && is_empty)
                    || (matches!(reply.status, 400 | 409 | 422) && route.method != Method::Get);
                if !is_hidden {
                    let (method, by) = (route.method.as_str(), credential.name);
                    wrong.push(format!("{method} {} by {by} with another town's {name}: {reply}", route.path));
                }
            }
        }
    }
    let after = Seen::of(&cast)?;
    ensure!(before == after, "ids of another town changed something:\n{before:?}\n{after:?}");
    if !wrong.is_empty() {
        bail!("{} calls reach into another town:\n{}", wrong.len(), wrong.join("\n"));
    }
    in_bodies(&cast)
}

/// Ids of another town in a body.
fn in_bodies(cast: &Cast) -> Result<()> {
    let (here, there) = (&cast.place, &cast.elsewhere);
    let (rig, bead) = (here.id("rigId"), there.id("beadId"));
    let of_rig = json!({"rig_id": there.id("rigId"), "title": "From elsewhere"});
    let waits = json!({"rig_id": rig, "title": "Waits for elsewhere", "depends_on": [bead]});
    for (method, path, body) in [
        ("POST", "/beads", of_rig.clone()),
        ("POST", "/beads", waits.clone()),
        ("POST", "/sling", json!({"tasks": [of_rig.clone()]})),
        ("POST", "/sling", json!({"tasks": [waits.clone()]})),
        ("POST", "/convoys", json!({"title": "Elsewhere", "tasks": [of_rig]})),
        ("POST", "/convoys", json!({"title": "Elsewhere", "beads": [{"bead_id": bead, "rig_id": rig}]})),
        ("POST", "/mail", json!({"to_agent_id": there.id("agentId"), "subject": "s", "body": "b"})),
        ("PATCH", &format!("/beads/{}", here.id("beadId")), json!({"depends_on": [bead]})),
        ("PATCH", &format!("/beads/{}", here.id("beadId")), json!({"parent_bead_id": bead})),
        ("POST", &format!("/beads/{}/reassign", here.id("beadId")), json!({"agent_id": there.id("agentId")})),
    ] {
        let reply = cast.town.api.call(method, &cast.town.path(path), Some(&body.to_string()))?;
        ensure!(matches!(reply.status, 404 | 409 | 422), "{method} {path} with {body}: {reply}");
    }
    let bulk = json!({"op": "delete", "bead_ids": [bead]});
    let bulk = cast.town.post("/beads/bulk", &bulk)?;
    ensure!(bulk["results"][0]["ok"] == json!(false) && bulk["results"][0]["code"] == "not_found", "{bulk}");
    cast.other.bead(bead).map(drop).context("the bead of the other town is gone")
}

/// Tries one credential at every route: what is wrong, and how many cells that were.
fn try_routes(cast: &Cast, credential: &Credential, row: &[&str]) -> (Vec<String>, usize) {
    let mut wrong = Vec::new();
    for route in ROUTES {
        let expected = expected(route, credential, row);
        let path = credential.place.path(route.path);
        let reply = match expected {
            "ok" if route.method != Method::Get => send(credential, route, &path, "ok", "text/plain"),
            _ => send(credential, route, &path, &busy_body(&cast.place), "application/json"),
        };
        let fault = match &reply {
            Ok(reply) => fault(route, reply, expected),
            Err(error) => Some(format!("{error:#}")),
        };
        if let Some(fault) = fault {
            let (method, by) = (route.method.as_str(), credential.name);
            wrong.push(format!("{method} {} by {by}: expected {expected}, {fault}", route.path));
        }
    }
    (wrong, ROUTES.len())
}

/// What a row with its levels answers: any one is enough; else the refusal of the level that is for such a credential.
fn expected<'a>(route: &Route, credential: &Credential, row: &[&'a str]) -> &'a str {
    let is_read = route.method == Method::Get;
    let cells = route.access.any_of.iter().map(|level| {
        let cell = Level::ALL.iter().position(|known| known == level).map_or("", |column| row[column]);
        cell_of(route, credential, cell, is_read)
    });
    let cells: Vec<&str> = cells.collect();
    let refusal = cells.iter().find(|cell| **cell != "credential_not_accepted").copied();
    let word = match cells.contains(&"ok") {
        true => "ok",
        false => refusal.unwrap_or("credential_not_accepted"),
    };
    let is_public = route.access.is_public();
    match (credential.name, word) {
        (_, "token_expired") if credential.name == "expired_runtime" && route.may_be_late => "ok",
        ("polecat" | "other_agent" | "short_form", "ok") if !is_public && !allows(route, "polecat") => {
            "role_not_allowed"
        }
        ("refinery", "ok") if !is_public && !allows(route, "refinery") => "role_not_allowed",
        ("mayor_at_home", "ok") if !is_public && !allows(route, "mayor") => "role_not_allowed",
        // `A/hook` compares only town, rig and agent of a token in the short form.
        ("short_form_of_before", "stale_assignment") if route.may_be_idle => "ok",
        // The call that ended a session may come again, by the role that made it.
        ("ended_assignment", "stale_assignment") if route.may_be_over && allows(route, "polecat") => "ok",
        ("ended_assignment", "stale_assignment") if route.may_be_over => "role_not_allowed",
        ("ticket_for_something_else", "unauthenticated") if route.takes_ticket => "ticket_invalid",
        ("session_of_foreign_page", "ok") if is_stream(route) => "origin_not_allowed",
        (_, word) => word,
    }
}

fn cell_of<'a>(route: &Route, credential: &Credential, cell: &'a str, is_read: bool) -> &'a str {
    let names_account = route.path.contains("{userId}");
    let is_owner = ["owner", "owner_old_form", "session"].contains(&credential.name);
    // A town below an account is asked for only when the account is the caller's.
    let cell = if names_account && ["ok", "get", "not_found", "forbidden"].contains(&cell) { "own" } else { cell };
    match cell {
        "kind" => "credential_not_accepted",
        // The catalogue of models names no town: a mayor reads it as its own town's.
        "wrong_town" if !route.path.contains("{townId}") => "ok",
        "get" if is_read => "ok",
        "get" => "admin_read_only",
        "own" if !names_account || is_owner => "ok",
        "own" if credential.name == "admin" && is_read => "ok",
        "own" if credential.name == "admin" => "admin_read_only",
        "own" => "wrong_account",
        // Reading needs no page; what may be read is the owner's.
        "page" if is_read => as_owner(route),
        "page" => "origin_not_allowed",
        other => other,
    }
}

fn as_owner(route: &Route) -> &'static str {
    let is_for = |level: Level| route.access.any_of.contains(&level);
    match () {
        () if is_for(Level::User) || is_for(Level::TownMember) || is_for(Level::TownOwner) => "ok",
        () if is_for(Level::OrgMember) || is_for(Level::OrgOwner) => "forbidden",
        () => "credential_not_accepted",
    }
}

fn allows(route: &Route, role: &str) -> bool {
    route.access.roles.is_empty() || route.access.roles.iter().any(|allowed| allowed.as_str() == role)
}

fn is_stream(route: &Route) -> bool {
    route.takes_ticket
}

/// What is wrong with an answer.
fn fault(route: &Route, reply: &Reply, expected: &str) -> Option<String> {
    let denial = denial(reply);
    let is_right = match expected {
        // Refused for its language, so access was given.
        "ok" if route.method != Method::Get => reply.code() == Some("unsupported_media_type"),
        // The member of an organisation asks for a town that is not the organisation's.
        "ok" if route.path.contains("{orgId}") && denial == Some("not_found") => true,
        "ok" => denial.is_none() && reply.status != 500 && reply.status != 429,
        code => denial == Some(code) && is_well_said(reply, code),
    };
    (!is_right).then(|| format!("got {reply}"))
}

/// The code, where it is access that refuses.
fn denial(reply: &Reply) -> Option<&str> {
    let code = reply.code().filter(|code| DENIALS.contains(code))?;
    let hides_town = code != "not_found" || reply.body["details"]["kind"] == "town";
    hides_town.then_some(code)
}

/// Status, envelope and headers of a refusal (api.md 1.1, 1.2).
fn is_well_said(reply: &Reply, code: &str) -> bool {
    let status = match code {
        "unauthenticated" | "token_invalid" | "token_expired" | "ticket_invalid" => 401,
        "not_found" => 404,
        "stale_assignment" | "instance_superseded" => 409,
        _ => 403,
    };
    reply.status == status
        && reply.body["success"] == json!(false)
        && reply.body["request_id"].as_str() == reply.header("x-request-id")
        && reply.body["error"].as_str().is_some_and(|text| !text.is_empty())
        && (status != 401 || reply.header("www-authenticate") == Some("Bearer"))
}

fn send(credential: &Credential, route: &Route, path: &str, body: &str, kind: &str) -> Result<Reply> {
    let api: &Api = &credential.api;
    match route.method {
        Method::Get => api.call("GET", &format!("{path}?{}", credential.query), None),
        Method::Post | Method::Put | Method::Patch | Method::Delete => {
            api.call_as(kind, route.method.as_str(), &format!("{path}?{}", credential.query), Some(body))
        }
    }
}

/// One body for all: fields that a route does not know are ignored.
pub(crate) fn busy_body(place: &Place) -> String {
    let (rig, agent, bead) = (place.id("rigId"), place.id("agentId"), place.id("beadId"));
    let mut body = json!({
        "status": "closed", "priority": "low", "labels": ["changed"], "branch": "changed", "verdict": "reject",
        "git_url": "https://example.com/changed.git", "bead_ids": [bead], "op": "delete", "role": "polecat",
        "data": {"changed": true}, "tasks": [{"rig_id": rig, "title": "Changed"}], "merge_mode": "review-and-merge",
        "formula": {"steps": [{"title": "Changed", "instructions": "Changed"}]}, "action": "CLOSE_BEAD",
        "stop_running": true, "force": true, "type": "issue", "mail_ids": [NOTHING], "town_id": place.id("townId"),
    });
    let texts = [
        "name",
        "title",
        "body",
        "message",
        "prompt",
        "reason",
        "note",
        "subject",
        "summary",
        "feedback",
        "identity",
        "context",
        "convoy_title",
        "resolution_notes",
    ];
    let ids = [
        ("rig_id", rig),
        ("agent_id", agent),
        ("agentId", agent),
        ("from_agent_id", agent),
        ("to_agent_id", agent),
        ("target_agent_id", agent),
        ("bead_id", bead),
        ("triage_request_bead_id", bead),
        ("convoy_id", place.id("convoyId")),
        ("nonce", NOTHING),
        ("nudge_id", NOTHING),
    ];
    let texts = texts.map(|field| (field, "Changed"));
    for (field, value) in texts.into_iter().chain(ids) {
        body[field] = value.into();
    }
    body.to_string()
}

fn is_open_to(route: &Route, name: &str) -> bool {
    let levels: &[Level] = match name {
        "owner" => &[Level::User, Level::TownMember, Level::TownOwner],
        "mayor" => &[Level::Mayor],
        "org_owner" => &[Level::OrgMember, Level::OrgOwner],
        _ => &[Level::Agent, Level::RigAgents, Level::Runtime],
    };
    route.access.any_of.iter().any(|level| levels.contains(level)) && !is_stream(route)
}

/// The table of expectations: names with their words, one per level.
fn cells() -> Result<Vec<(&'static str, Vec<&'static str>)>> {
    let mut lines = CELLS.trim_matches('\n').lines();
    let levels: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    let known: Vec<&str> = Level::ALL.iter().map(|level| level.as_str()).collect();
    ensure!(levels == known, "the levels are {known:?}");
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next().context("a row without a name")?;
            let words: Vec<&str> = words.collect();
            ensure!(words.len() == known.len(), "{name} has {} cells", words.len());
            Ok((name, words))
        })
        .collect()
}

/// What may not change when everything is refused. Work goes on meanwhile, so what it moves is left out.
#[derive(Debug, PartialEq)]
struct Seen(Vec<Value>);

impl Seen {
    fn of(cast: &Cast) -> Result<Self> {
        let mut seen = Vec::new();
        for town in [&cast.town, &cast.other] {
            let snapshot = town.get("/snapshot")?;
            for (list, fields) in [
                ("rigs", &["id", "name", "purpose", "default_branch"][..]),
                ("beads", &["bead_id", "title", "body", "status", "priority", "labels", "branch", "attempt"]),
                ("agents", &["id", "name", "status", "agent_status_message", "checkpoint", "current_hook_bead_id"]),
                ("convoys", &["id", "title", "state", "merge_mode", "total_beads"]),
                ("escalations", &["id", "acknowledged", "replies"]),
            ] {
                let rows = snapshot[list].as_array().cloned().unwrap_or_default();
                seen.push(json!({list: rows.iter().map(|row| part_of(row, fields)).collect::<Vec<_>>()}));
            }
            seen.push(part_of(&snapshot["town"], &["id", "name", "paused"]));
            seen.push(town.get("/config")?);
            seen.push(town.get("/mail")?);
            seen.push(json!(town.list("/mayor/messages")?.len()));
        }
        seen.push(cast.town.api.get("/api/towns")?.as_array().map_or(0, Vec::len).into());
        Ok(Self(seen))
    }
}

fn part_of(row: &Value, fields: &[&str]) -> Value {
    fields.iter().map(|field| ((*field).to_owned(), row[*field].clone())).collect::<serde_json::Map<_, _>>().into()
}
