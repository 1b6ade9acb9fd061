//! Input (api.md 1.2, 1.3, 1.8): generated bodies against every route that may carry one. Whatever comes in, the answer is
//! no 5xx and no riddle, and what is refused has left nothing behind.
//!
//! Bodies begin as one that many routes would take, and are then spoilt: other types, other sizes, Unicode, depth, missing
//! and unknown fields, and texts that are no JSON. The seed is fixed, so that a run that fails fails again; other bodies
//! are tried with `GASTOWN_INPUT_SEED` and more of them with `GASTOWN_INPUT_CASES`.

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use gastown::routes::{Method, ROUTES, Route};
use gastown_core::access::Level;
use gastown_core::session::Role;
use gastown_core::wire::code::Code;
use gastown_e2e::api::{Api, Reply};
use gastown_e2e::wait::{Look, until};
use serde_json::{Map, Value, json};

use crate::access::busy_body;
use crate::credentials::{Mint, ORG, Place, begin_mayor, place};
use crate::runtime::{ORDER_MAX, Order, commit};
use crate::world::{Town, World};

/// The bodies of an ordinary run.
const SEED: u64 = 20_260_731;
/// Bodies per route; most end at the first check.
const CASES: usize = 8;

pub(crate) fn is_never_our_fault(world: &World) -> Result<()> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("GASTOWN_INPUT_SEED").unwrap_or(SEED);
    let cases = number("GASTOWN_INPUT_CASES").and_then(|n| usize::try_from(n).ok()).unwrap_or(CASES);
    let mut scene = Scene::new(world, 0)?;
    let mut wrong = Vec::new();
    let mut calls = 0;
    for (n, route) in ROUTES.iter().filter(|route| route.method != Method::Get).enumerate() {
        // Each route has bodies of its own, so that a new row changes no other's.
        let mut random = Rng::with_seed(seed ^ digest(route.path) ^ digest(route.method.as_str()));
        for case in 0..cases {
            if !scene.is_whole() {
                scene = Scene::new(world, n * cases + case)?;
            }
            let body = body(&mut random, &scene.place);
            let before = scene.kept()?;
            let reply = scene.send(route, &body)?;
            calls += 1;
            let mut faults = faults(&reply);
            if reply.status >= 400 && scene.kept()? != before {
                faults.push("something was written");
            }
            if reply.status < 400 {
                scene.settles()?;
            }
            for fault in faults {
                let shown = String::from_utf8_lossy(&body).chars().take(600).collect::<String>();
                wrong.push(format!("{} {}: {fault}: {reply}\n    body: {shown}", route.method.as_str(), route.path));
            }
        }
    }
    ensure!(calls > 0, "no route takes a body");
    if !wrong.is_empty() {
        bail!("{} of {calls} answers to bodies of seed {seed} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
    Ok(())
}

/// A town with one of everything that an id may name, and somebody for every level.
struct Scene {
    town: Town,
    place: Place,
    polecat: Order,
    refinery: Order,
    mayor: Order,
}

impl Scene {
    /// Each is somebody else's, so that nobody calls too often.
    fn new(world: &World, number: usize) -> Result<Self> {
        let person = format!("tester-{number}");
        let api = world.api()?.with_token(Some(&Mint(world).of_org(&person, "owner")?));
        let town = world.town_of(api, &format!("/api/orgs/{ORG}/towns"), 1, &json!({}))?;
        let in_review = town.begin(&town.sling("Is in review")?)?;
        town.seat.done(&in_review, &commit('a'))?;
        let refinery = town.begin_review()?;
        let bead_id = town.sling("Is worked on")?;
        let polecat = town.begin(&bead_id)?;
        let mayor = begin_mayor(&town)?;
        let place = place(&town, &polecat, &bead_id)?.with("userId", &person);
        Ok(Self { town, place, polecat, refinery, mayor })
    }

    /// Whether everything that paths name is still there.
    fn is_whole(&self) -> bool {
        let there = |path: &str| self.town.api.call("GET", path, None).is_ok_and(|reply| reply.status == 200);
        let agent = self.town.seat.agent(&self.polecat);
        let primes = agent.call("GET", &self.town.seat.agent_path(&self.polecat, "/prime?peek=true"), None);
        let mayors = self.town.seat.agent(&self.mayor);
        let tools = mayors.call("GET", &format!("/api/mayor/{}/tools/rigs", self.town.town_id), None);
        there(&self.town.path(&format!("/beads/{}", self.place.id("beadId"))))
            && there(&self.town.path(&format!("/convoys/{}", self.place.id("convoyId"))))
            && primes.is_ok_and(|reply| reply.status == 200)
            && tools.is_ok_and(|reply| reply.status == 200)
    }

    /// Sends a body as somebody who may.
    fn send(&self, route: &Route, body: &[u8]) -> Result<Reply> {
        let is_for = |level: &Level| route.access.any_of.contains(level);
        let people =
            [Level::Public, Level::User, Level::TownMember, Level::TownOwner, Level::OrgMember, Level::OrgOwner];
        let is_refinerys = route.access.roles == [Role::Refinery];
        let api: Api = match () {
            () if people.iter().any(is_for) => self.town.api.clone(),
            () if is_for(&Level::Mayor) => self.town.seat.agent(&self.mayor),
            () if is_for(&Level::Runtime) => self.town.seat.worker(),
            () if is_refinerys => self.town.seat.agent(&self.refinery),
            () => self.town.seat.agent(&self.polecat),
        };
        let place = match is_refinerys {
            true => {
                self.place.with("agentId", self.refinery.body["assignment"]["agent_id"].as_str().unwrap_or_default())
            }
            false => self.place.clone(),
        };
        let path = place.path(route.path);
        api.send("application/json", route.method.as_str(), &path, Some(body)).with_context(|| path.clone())
    }

    /// What only a call may change: work that goes on meanwhile leaves it alone.
    fn kept(&self) -> Result<Value> {
        // A town that is gone keeps nothing.
        let reply = self.town.api.call("GET", &self.town.path("/snapshot"), None)?;
        if reply.status == 404 {
            return Ok(Value::Null);
        }
        let snapshot = reply.data()?;
        let part = |list: &str, fields: &[&str]| -> Value {
            let rows = snapshot[list].as_array().cloned().unwrap_or_default();
            let of = |row: &Value| fields.iter().map(|field| row[*field].clone()).collect::<Vec<_>>();
            rows.iter().map(of).collect::<Vec<_>>().into()
        };
        Ok(json!({
            "rigs": part("rigs", &["id", "name", "purpose", "default_branch", "target_branch"]),
            "beads": part("beads", &["bead_id", "title", "body", "priority", "labels", "attempt", "requested_model"]),
            "convoys": part("convoys", &["id", "title", "merge_mode", "total_beads"]),
            "escalations": part("escalations", &["id", "acknowledged"]),
            "agents": part("agents", &["id", "name", "agent_status_message", "checkpoint"]),
            "config": self.town.get("/config")?,
            "mail": self.town.list("/mail")?.len(),
            "said": self.town.list("/mayor/messages")?.len(),
        }))
    }

    /// Waits until what an accepted call set off has arrived everywhere.
    fn settles(&self) -> Result<()> {
        let mut before = self.kept()?;
        until("the town to settle", ORDER_MAX, || {
            let after = self.kept()?;
            let is_quiet = after == before;
            before = after;
            Ok(if is_quiet { Look::Found(()) } else { Look::NotYet("it changes".to_owned()) })
        })
    }
}

/// What is wrong with an answer.
fn faults(reply: &Reply) -> Vec<&'static str> {
    let mut faults = Vec::new();
    if reply.status >= 500 {
        faults.push("a fault of ours");
    }
    if reply.status >= 400 {
        let code = reply.code().and_then(|code| code.parse::<Code>().ok());
        if code.is_none_or(|code| code.status() != reply.status) {
            faults.push("no code, or another status than its code's");
        }
        let has_text = reply.body["error"].as_str().is_some_and(|text| !text.is_empty());
        if reply.body["success"] != json!(false) || !has_text || reply.body["request_id"].as_str().is_none() {
            faults.push("no envelope");
        }
        if reply.code() == Some("invalid_request") && reply.body["error"].as_str() == Some("Something went wrong") {
            faults.push("no reason");
        }
    }
    faults
}

/// A body: sometimes right, mostly spoilt in one to four places, sometimes no JSON at all.
fn body(random: &mut Rng, place: &Place) -> Vec<u8> {
    let whole: Value = serde_json::from_str(&busy_body(place)).unwrap_or_default();
    match random.u8(..20) {
        0 => return broken(random, &whole),
        1 => return value(random, 0).to_string().into_bytes(),
        2 => return nested(random),
        3 => return duplicated(random, &whole),
        _ => (),
    }
    let mut fields = whole.as_object().cloned().unwrap_or_default();
    if random.bool() {
        let keep = random.usize(1..=fields.len());
        let mut names: Vec<String> = fields.keys().cloned().collect();
        random.shuffle(&mut names);
        for name in names.drain(keep..) {
            fields.remove(&name);
        }
    }
    for _ in 0..random.usize(1..=4) {
        spoil(random, &mut fields);
    }
    Value::Object(fields).to_string().into_bytes()
}

fn spoil(random: &mut Rng, fields: &mut Map<String, Value>) {
    let names: Vec<String> = fields.keys().cloned().collect();
    let Some(name) = random.choice(names) else { return };
    match random.u8(..6) {
        0 => drop(fields.remove(&name)),
        1 => drop(fields.insert(name, Value::Null)),
        2 => drop(fields.insert(text(random), value(random, 0))),
        3 => drop(fields.insert(name, json!(text(random)))),
        _ => drop(fields.insert(name, value(random, 0))),
    }
}

/// Any JSON, not too deep.
fn value(random: &mut Rng, depth: usize) -> Value {
    match random.u8(..if depth > 3 { 7 } else { 10 }) {
        0 => Value::Null,
        1 => json!(random.bool()),
        2 => json!(number(random)),
        3 => json!(random.i64(..)),
        4 | 5 => json!(text(random)),
        6 => json!(format!("{:08x}-0000-4000-8000-000000000000", random.u32(..))),
        7 => (0..random.usize(..5)).map(|_| value(random, depth + 1)).collect::<Vec<_>>().into(),
        8 => (0..random.usize(..4)).map(|_| (text(random), value(random, depth + 1))).collect::<Map<_, _>>().into(),
        _ => (0..random.usize(4_900..5_200)).map(|n| json!(n)).collect::<Vec<_>>().into(),
    }
}

fn number(random: &mut Rng) -> f64 {
    let numbers = [0.0, -0.0, -1.0, 0.5, 1e-308, 1e308, -1e308, 4_294_967_296.0, 9_007_199_254_740_993.0, 1.8e19];
    numbers[random.usize(..numbers.len())]
}

/// Any text: empty, long at and around the limits, of every script, with what a terminal or a path would stumble over.
fn text(random: &mut Rng) -> String {
    const TEXTS: [&str; 16] = [
        "",
        " ",
        "\t\r\n",
        "\0",
        "a\0b",
        "../../etc/passwd",
        "'; drop table beads; --",
        "<script>alert(1)</script>",
        "{{title}}",
        "日本語のテキスト",
        "שלום\u{202e}abc",
        "e\u{301}\u{301}\u{301}",
        "👩‍👩‍👧‍👦",
        "\u{feff}\u{200b}\u{2028}",
        "-oProxyCommand=x",
        "\u{10ffff}",
    ];
    const LENGTHS: [usize; 12] = [1, 64, 65, 280, 281, 500, 501, 5_000, 5_001, 20_001, 65_536, 65_537];
    match random.u8(..3) {
        0 => TEXTS[random.usize(..TEXTS.len())].to_owned(),
        1 => {
            let letters = ["a", "é", "日", "👍", " ", "-", "/"];
            letters[random.usize(..letters.len())].repeat(LENGTHS[random.usize(..LENGTHS.len())])
        }
        _ => (0..random.usize(..40)).map(|_| random.char(..)).collect(),
    }
}

/// No JSON, or none that is UTF-8.
fn broken(random: &mut Rng, whole: &Value) -> Vec<u8> {
    let text = whole.to_string();
    match random.u8(..6) {
        0 => text.as_bytes()[..random.usize(..text.len())].to_vec(),
        1 => text.replace("Changed", "\\ud800").into_bytes(),
        2 => text.replace("Changed", "\u{1}").into_bytes(),
        3 => text.bytes().map(|byte| if byte == b'C' { 0xff } else { byte }).collect(),
        4 => (0..random.usize(1..200)).map(|_| random.u8(..)).collect(),
        _ => format!("{{\"title\":\"{}\"}}", "x".repeat(1_100_000)).into_bytes(),
    }
}

fn nested(random: &mut Rng) -> Vec<u8> {
    let depth = [31, 32, 33, 200, 20_000][random.usize(..5)];
    match random.bool() {
        true => format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes(),
        false => format!("{{\"metadata\":{}1{}}}", "{\"a\":".repeat(depth), "}".repeat(depth)).into_bytes(),
    }
}

fn duplicated(random: &mut Rng, whole: &Value) -> Vec<u8> {
    let text = whole.to_string();
    let again = json!({"title": value(random, 0), "status": value(random, 0)}).to_string();
    format!("{},{}", text.trim_end_matches('}'), again.trim_start_matches('{')).into_bytes()
}

/// FNV-1a: tells routes apart.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
