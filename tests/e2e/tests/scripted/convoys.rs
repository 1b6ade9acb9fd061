//! Convoys over two rigs (domain.md 8).

use anyhow::{Result, ensure};
use gastown_e2e::api::text;
use gastown_e2e::wait::{Look, until};
use serde_json::{Value, json};

use crate::runtime::{ORDER_MAX, OrderKind, commit};
use crate::world::{Town, World};

/// S84, S86, S87, S92: a diamond over two rigs waits for its start, keeps its order, meets on the feature branch, and is
/// landed by one reviewed landing in each rig.
pub(crate) fn diamond_lands(world: &World) -> Result<()> {
    let town = world.town(2, &json!({}))?;
    let tasks = [task(&town, 0, "A", &[]), task(&town, 1, "B", &[]), task(&town, 0, "C", &[0, 1])];
    let new = json!({"title": "Fix: Bug #123!!!", "tasks": tasks, "staged": true});
    let convoy = town.post("/convoys", &new)?;
    let id = text(&convoy, "id")?.to_owned();
    let branch = format!("convoy/fix-bug-123/{}/head", &id[..8]);
    ensure!(convoy["state"] == "staged" && convoy["total_beads"] == 3, "{convoy}");
    let beads = bead_ids(&convoy);
    town.until_wait(&beads[0], "staged")?;
    ensure!(town.seat.count(OrderKind::Start) == 0, "a staged task was started");

    town.post(&format!("/convoys/{id}/start"), &json!({}))?;
    let again = town.api.call("POST", &town.path(&format!("/convoys/{id}/start")), Some("{}"))?;
    ensure!(again.status == 409 && again.code() == Some("not_staged"), "{again}");
    town.until_wait(&beads[2], "blocked")?;
    let a = town.begin(&beads[0])?;
    ensure!(a.body["base"] == *branch && a.body["base_from"] == "main", "{}", a.body);
    let b = town.begin(&beads[1])?;
    town.seat.done(&a, &commit('a'))?;
    let merge = town.approve_and_merge('1')?;
    ensure!(merge.body["target"] == *branch, "a task must merge into the feature branch: {}", merge.body);
    town.until_status(&beads[0], "closed")?;
    ensure!(town.bead(&beads[2])?["wait"]["code"] == "blocked", "C must wait for the other rig");
    town.seat.done(&b, &commit('b'))?;
    town.approve_and_merge('2')?;

    let c = town.begin(&beads[2])?;
    ensure!(c.body["base"] == *branch, "{}", c.body);
    town.seat.done(&c, &commit('c'))?;
    town.approve_and_merge('3')?;
    for digit in ['4', '5'] {
        let look = town.seat.next(OrderKind::Job, |body| body["kind"] == "gates")?;
        ensure!(look.body["branch"] == *branch && look.body["commit"].is_null(), "its head is unknown: {}", look.body);
        town.seat.gates(&look, &commit(digit), "green")?;
        let landing = town.seat.start_of_kind("landing")?;
        town.seat.ready(&landing)?;
        town.seat.verdict(&landing, &json!({"verdict": "approve", "summary": "Lands."}))?;
        let job = town.seat.next(OrderKind::Job, |body| body["kind"] == "merge")?;
        ensure!(job.body["target"] == "main" && job.body["branch"] == *branch, "{}", job.body);
        town.seat.merged(&job, &commit(digit))?;
    }
    let landed = until_convoy(&town, &id, |convoy| convoy["state"] == "landed")?;
    ensure!(landed["closed_beads"] == 3 && landed["status"] == "landed", "{landed}");
    Ok(())
}

/// S85, S90: a cycle is refused and stores nothing; a failed task holds its dependents, others go on, and a person skips it.
pub(crate) fn failed_task_is_skipped(world: &World) -> Result<()> {
    let town = world.town(1, &json!({"max_dispatch_attempts": 1, "max_polecats_per_rig": 3}))?;
    let cycle = json!({"title": "Cycle", "tasks": [task(&town, 0, "X", &[1]), task(&town, 0, "Y", &[0])]});
    let refused = town.api.call("POST", &town.path("/convoys"), Some(&cycle.to_string()))?;
    ensure!(refused.status == 422 && refused.code() == Some("dependency_cycle"), "{refused}");
    ensure!(town.list("/beads")?.is_empty(), "a refused convoy stored beads");

    let tasks = [task(&town, 0, "Fails", &[]), task(&town, 0, "Waits", &[0]), task(&town, 0, "Goes on", &[])];
    let new = json!({"title": "Partly", "tasks": tasks, "merge_mode": "review-and-merge"});
    let convoy = town.post("/convoys", &new)?;
    let id = text(&convoy, "id")?.to_owned();
    let beads = bead_ids(&convoy);
    let fails = town.seat.start_of(&beads[0])?;
    town.seat.start_failed(&fails, "boot_timeout", true)?;
    town.until_status(&beads[0], "failed")?;
    until_convoy(&town, &id, |convoy| convoy["state"] == "needs_attention" && convoy["failed_beads"] == 1)?;
    town.carry_through(&beads[2], 'a')?;
    ensure!(town.bead(&beads[1])?["wait"]["code"] == "blocked", "a dependent of a failed task must wait");
    town.post(&format!("/convoys/{id}/skip"), &json!({}))?;
    town.carry_through(&beads[1], 'b')?;
    let landed = until_convoy(&town, &id, |convoy| convoy["state"] == "landed")?;
    ensure!(landed["closed_beads"] == 2 && landed["skipped_beads"] == 1, "{landed}");
    Ok(())
}

/// S91: an aborted convoy fails what is live and stops only that.
pub(crate) fn abort(world: &World) -> Result<()> {
    let town = world.town(1, &json!({"max_polecats_per_rig": 3}))?;
    let outside = town.sling("Outside")?;
    let outside = town.begin(&outside)?;
    let new = json!({"title": "Given up", "tasks": [task(&town, 0, "One", &[]), task(&town, 0, "Two", &[0])]});
    let convoy = town.post("/convoys", &new)?;
    let id = text(&convoy, "id")?.to_owned();
    let beads = bead_ids(&convoy);
    let one = town.begin(&beads[0])?;
    town.post(&format!("/convoys/{id}/abort"), &json!({"reason": "not needed"}))?;
    let stop = town.seat.next(OrderKind::Stop, |_| true)?;
    ensure!(stop.subject == one.subject, "another session was stopped");
    for bead_id in &beads {
        let bead = town.until_status(bead_id, "failed")?;
        ensure!(bead["failure"]["code"] == "convoy_aborted", "{bead}");
    }
    until_convoy(&town, &id, |convoy| convoy["state"] == "aborted")?;
    ensure!(town.seat.take(OrderKind::Stop, |_| true).is_none_or(|stop| stop.subject != outside.subject));
    let closed = town.api.call("POST", &town.path(&format!("/convoys/{id}/start")), Some("{}"))?;
    ensure!(closed.status == 409, "{closed}");
    Ok(())
}

fn task(town: &Town, rig: usize, title: &str, depends_on: &[usize]) -> Value {
    json!({"rig_id": town.rigs[rig], "title": title, "depends_on": depends_on})
}

/// Ids of a convoy's tasks, in the order they were given.
fn bead_ids(convoy: &Value) -> Vec<String> {
    let beads = convoy["beads"].as_array().into_iter().flatten();
    beads.filter_map(|bead| bead["bead_id"].as_str().map(str::to_owned)).collect()
}

fn until_convoy(town: &Town, id: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
    until("the convoy", ORDER_MAX, || {
        let convoy = town.get(&format!("/convoys/{id}"))?;
        Ok(if is_so(&convoy) { Look::Found(convoy) } else { Look::NotYet(convoy.to_string()) })
    })
}
