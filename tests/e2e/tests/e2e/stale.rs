//! Late callbacks: a token of a superseded epoch opens nothing.

use anyhow::{Context as _, Result, ensure};
use gastown_e2e::api::text;
use serde_json::{Value, json};

use crate::support::{Gate, Town, World, scripted_task};

/// A town's credential generation before anything was revoked.
const GENERATION: u64 = 1;

pub(crate) fn changes_nothing(world: &World) -> Result<()> {
    let town = world.town("stale")?;
    let gate = Gate::new(&town)?;
    let slung = town.sling(&[town.task("Add late", &scripted_task(&gate, "late"))])?;
    let bead_id = text(&slung[0]["bead"], "bead_id")?;
    gate.wait_for("late")?;
    let before = Seen::of(&town, bead_id)?;
    let epoch = before.assignment["epoch"].as_u64().context("an epoch")?;

    // The control: these tokens are good, it is the number in them that is not.
    let path = town.path(&format!("/rigs/{}/agents/{}", town.demo.rig_id, text(&before.assignment, "agent_id")?));
    let present = as_agent(world, &town, &before.assignment, &json!({}))?;
    let prime = present.get(&format!("{path}/prime?peek=true"))?;
    ensure!(prime["hooked_bead"]["bead_id"] == bead_id, "the live assignment sees its bead: {prime}");

    let done = json!({"branch": before.assignment["branch"], "summary": "From the past."});
    let other = json!({"assignmentId": "00000000-0000-4000-8000-000000000000"});
    for (what, change) in [("an old epoch", json!({"epoch": epoch.saturating_sub(1)})), ("another assignment", other)] {
        let agent = as_agent(world, &town, &before.assignment, &change)?;
        for (method, call, body) in [
            ("POST", "done", Some(done.to_string())),
            ("POST", "checkpoint", Some(json!({"data": 1}).to_string())),
            ("GET", "prime?peek=true", None),
        ] {
            let reply = agent.call(method, &format!("{path}/{call}"), body.as_deref())?;
            let is_stale = reply.status == 409 && reply.code() == Some("stale_assignment");
            ensure!(is_stale, "{what}, {method} {call}: {reply}");
        }
    }
    let after = Seen::of(&town, bead_id)?;
    ensure!(before.bead == after.bead, "the bead changed:\n{}\n{}", before.bead, after.bead);
    ensure!(before.assignment["epoch"] == after.assignment["epoch"], "the assignment changed: {}", after.assignment);
    ensure!(before.assignment["phase"] == after.assignment["phase"], "the assignment changed: {}", after.assignment);

    gate.open()?;
    let bead = town.until_closed(bead_id)?;
    town.assert_merged(&bead)?;

    // The right epoch of an assignment that is over opens nothing either.
    let late = present.call("POST", &format!("{path}/checkpoint"), Some(&json!({"data": 1}).to_string()))?;
    ensure!(late.status == 409 && late.code() == Some("stale_assignment"), "a checkpoint after the end: {late}");
    let closed = town.bead(bead_id)?;
    ensure!(closed == bead, "the closed bead changed:\n{bead}\n{closed}");
    Ok(())
}

/// The bead and its live assignment.
struct Seen {
    bead: Value,
    assignment: Value,
}

impl Seen {
    fn of(town: &Town, bead_id: &str) -> Result<Self> {
        Ok(Self { bead: town.bead(bead_id)?, assignment: town.assignment(bead_id)? })
    }
}

/// A client with the token of this assignment, some of its claims changed.
fn as_agent(world: &World, town: &Town, assignment: &Value, change: &Value) -> Result<gastown_e2e::api::Api> {
    let mut claims = json!({
        "aud": "gastown:agent",
        "agentId": assignment["agent_id"],
        "rigId": town.demo.rig_id,
        "townId": town.demo.town_id,
        "userId": "local",
        "role": "polecat",
        "assignmentId": assignment["assignment_id"],
        "epoch": assignment["epoch"],
        "gen": GENERATION,
    });
    for (name, value) in change.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    Ok(town.api.with_token(Some(&world.token("GASTOWN_JWT_SECRET", &claims)?)))
}
