//! Dispatch, leases, back-off, breaker and cap (domain.md 5).

use anyhow::{Context as _, Result, bail, ensure};
use gastown_e2e::wait::{Look, until};
use serde_json::json;

use crate::runtime::{ORDER_MAX, Order, OrderKind, commit, reference};
use crate::world::{Town, World, town_time};

/// S33: at least 30 s and 60 s between the first starts; at the cap the bead fails and says so.
pub(crate) fn starts_are_spaced(world: &World) -> Result<()> {
    let town = world.town(1, &json!({"max_dispatch_attempts": 3}))?;
    let bead_id = town.sling("Fails to start")?;
    let mut starts: Vec<Order> = Vec::new();
    for _ in 0..3 {
        let start = town.seat.start_of(&bead_id)?;
        town.seat.start_failed(&start, "boot_timeout", true)?;
        starts.push(start);
    }
    for (pair, seconds) in starts.windows(2).zip([30, 60]) {
        let gap = pair[1].at.duration_since(pair[0].at);
        ensure!(gap >= town_time(seconds), "only {gap:?} between two starts");
    }
    let failed = town.until_status(&bead_id, "failed")?;
    ensure!(failed["failure"]["code"] == "start_failures", "{failed}");
    ensure!(failed["failure"]["message"].as_str().is_some_and(|words| !words.is_empty()), "{failed}");
    let epochs: Vec<_> = starts.iter().map(|start| start.body["assignment"]["epoch"].as_u64()).collect();
    ensure!(epochs.is_sorted() && epochs[0] < epochs[2], "epochs must rise: {epochs:?}");
    let escalations = town.list("/escalations")?;
    ensure!(escalations.iter().any(|row| row["source_bead_id"] == *bead_id), "nobody was told: {escalations:?}");
    let retried = town.post(&format!("/beads/{bead_id}/retry"), &json!({}))?;
    ensure!(retried["attempt"] == 2 && retried["status"] == "open", "{retried}");
    town.carry_through(&bead_id, 'a').map(drop)
}

/// S35: the bead is not charged; the rig waits for credentials, and a new secret lets one session try at once.
pub(crate) fn credentials_are_missing(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let bead_id = town.sling("Needs a token")?;
    let start = town.seat.start_of(&bead_id)?;
    town.seat.start_failed(&start, "no_credentials", false)?;
    town.until_wait(&bead_id, "no_credentials")?;
    ensure!(town.bead(&bead_id)?["status"] == "open");
    let secret = json!({"git_auth": {"github_token": "ghp_scripted0123456789"}}).to_string();
    let reply = town.api.call("PATCH", &town.path("/config"), Some(&secret))?;
    ensure!(reply.status == 200, "{reply}");
    town.carry_through(&bead_id, 'a').map(drop)
}

/// S31, S26: three tasks, two polecats, the most urgent of the waiting first; then the cap is lowered and stops nobody.
pub(crate) fn cap_and_order(world: &World) -> Result<()> {
    let town = world.town(1, &json!({"max_polecats_per_rig": 2}))?;
    let (first, second) = (town.sling("First")?, town.sling("Second")?);
    let low = town.sling_with(json!({"rig_id": town.rigs[0], "title": "Low", "priority": "low"}))?;
    let high = town.sling_with(json!({"rig_id": town.rigs[0], "title": "High", "priority": "critical"}))?;
    let (one, _two) = (town.begin(&first)?, town.begin(&second)?);
    town.until_wait(&low, "no_slot_rig")?;
    town.until_wait(&high, "no_slot_rig")?;
    let names: Vec<_> = town.list("/agents?role=polecat")?.iter().map(|agent| agent["name"].clone()).collect();
    ensure!(names == ["Toast", "Maple"], "{names:?}");
    town.seat.done(&one, &commit('a'))?;
    let next = town.seat.next(OrderKind::Start, |body| body["role"] == "polecat")?;
    ensure!(next.body["assignment"]["bead_id"] == *high, "not the most urgent: {}", next.body);
    Ok(())
}

/// S42: no heartbeat, one question, not found: the bead goes on later, on its branch, with another epoch.
pub(crate) fn silent_session(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let bead_id = town.sling("Goes silent")?;
    let start = town.begin(&bead_id)?;
    town.seat.forget(&start);
    let again = town.seat.start_of(&bead_id)?;
    ensure!(again.body["branch"] == start.body["branch"], "another branch: {}", again.body);
    ensure!(epoch(&again) > epoch(&start), "the epoch did not rise");
    let first = outcome_of(&town, &bead_id, &start)?;
    ensure!(first == "lost", "ended {first}");
    Ok(())
}

/// S49: the answer `capacity` is no charge; the same work is ordered again.
pub(crate) fn full_runtime(world: &World) -> Result<()> {
    let town = world.town(1, &json!({"max_dispatch_attempts": 1}))?;
    for _ in 0..2 {
        town.seat.refuse_next(503, "capacity");
    }
    let bead_id = town.sling("Has to wait")?;
    let refused = town.seat.start_of(&bead_id)?;
    town.seat.start_of(&bead_id)?;
    let accepted = town.begin(&bead_id)?;
    let gap = accepted.at.duration_since(refused.at);
    ensure!(gap >= town_time(60), "asked again after {gap:?}");
    town.until_status(&bead_id, "in_progress").map(drop)
}

/// S44, S45: 409 for what an ended session says; the repeat of its own `done` gets the first answer.
pub(crate) fn stale_callbacks(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let bead_id = town.sling("Ends twice")?;
    let old = town.begin(&bead_id)?;
    ensure!(town.seat.outcome(&old, "crashed", None)? == "applied");
    let new = town.begin(&bead_id)?;
    let done = json!({"branch": old.body["branch"], "summary": "Too late."}).to_string();
    let late = town.seat.agent(&old).call("POST", &town.seat.agent_path(&old, "/done"), Some(&done))?;
    ensure!(late.status == 409 && late.code() == Some("stale_assignment"), "{late}");
    ensure!(town.seat.outcome(&old, "completed", None)? == "stale");
    ensure!(town.bead(&bead_id)?["status"] == "in_progress");
    town.seat.done(&new, &commit('b'))?;
    let repeat = town.seat.agent(&new).call("POST", &town.seat.agent_path(&new, "/done"), Some(&done))?;
    ensure!(repeat.status == 200, "{repeat}");
    let reviews = town.list("/beads?type=merge_request")?;
    ensure!(reviews.len() == 1, "{} reviews", reviews.len());
    ensure!(town.seat.fact(&new, json!({"type": "phase", "phase": "running"}))? == "stale");
    Ok(())
}

/// S43: what a former life of the runtime ran is evicted, and costs its bead nothing.
pub(crate) fn new_runtime(world: &World) -> Result<()> {
    let town = world.town(1, &json!({"max_dispatch_attempts": 1}))?;
    let bead_id = town.sling("Is evicted")?;
    let old = town.begin(&bead_id)?;
    world.restart_runtime()?;
    let new = town.seat.start_of(&bead_id)?;
    ensure!(epoch(&new) > epoch(&old) && new.body["branch"] == old.body["branch"], "{}", new.body);
    ensure!(new.body["instance_id"] != old.body["instance_id"], "the old instance was ordered");
    let ended = outcome_of(&town, &bead_id, &old)?;
    ensure!(ended == "evicted", "ended {ended}");
    town.seat.ready(&new)?;
    town.until_status(&bead_id, "in_progress").map(drop)
}

fn epoch(start: &Order) -> Option<u64> {
    reference(&start.body)["epoch"].as_u64()
}

/// How the assignment of a start order ended.
fn outcome_of(town: &Town, bead_id: &str, start: &Order) -> Result<String> {
    until("the end of an assignment", ORDER_MAX, || {
        let all = town.assignments(bead_id)?;
        let ours = all.iter().find(|row| row["assignment_id"] == *start.subject).context("no such assignment")?;
        match ours["outcome"].as_str() {
            Some(outcome) => Ok(Look::Found(outcome.to_owned())),
            None if ours["phase"] == "ended" => bail!("ended without an outcome: {ours}"),
            None => Ok(Look::NotYet(ours.to_string())),
        }
    })
}

/// S47: a session that has nothing to do and does not report is asked twice, then told to save its work and end.
pub(crate) fn idle_session(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let bead_id = town.sling("Forgets to report")?;
    let start = town.begin(&bead_id)?;
    town.seat.set_idle(&start, true);
    for _ in 0..2 {
        let asked = town.seat.next(OrderKind::Messages, |_| true)?;
        ensure!(asked.subject == start.subject && asked.body["messages"].as_array().is_some_and(|m| m.len() == 1));
    }
    let stop = town.seat.next(OrderKind::Stop, |_| true)?;
    ensure!(stop.body["mode"] == "save" && stop.body["reason"]["code"] == "no_result", "{}", stop.body);
    town.seat.outcome(&start, "stopped", None)?;
    let ended = outcome_of(&town, &bead_id, &start)?;
    ensure!(ended == "failed", "ended {ended}");
    let again = town.seat.start_of(&bead_id)?;
    ensure!(again.body["branch"] == start.body["branch"], "{}", again.body);
    Ok(())
}

/// S96, S97: while the runtime ends nothing starts; what it saved is taken up by the next one, uncharged.
pub(crate) fn drain(world: &World) -> Result<()> {
    let town = world.town(1, &json!({"max_dispatch_attempts": 1}))?;
    let bead_id = town.sling("Survives a drain")?;
    let old = town.begin(&bead_id)?;
    town.seat.spend(&old, 1200, 0.25);
    town.until_bead("its cost", &bead_id, |bead| bead["tokens"]["input"] == 1200)?;
    town.seat.worker().post(&town.path("/container-eviction"), &json!({}))?;
    let waiting = town.sling("Waits for the next runtime")?;
    town.until_wait(&waiting, "draining")?;
    let saved = json!({"type": "saved", "branch": old.body["branch"], "commit": commit('e'), "reason": "evicted"});
    town.seat.fact(&old, saved)?;
    ensure!(town.seat.outcome(&old, "evicted", None)? == "applied");
    let bead = town.until_status(&bead_id, "open")?;
    ensure!(bead["wait"]["code"] == "draining" && bead["tokens"]["input"] == 1200, "{bead}");
    world.restart_runtime()?;
    let new = town.seat.start_of(&bead_id)?;
    ensure!(new.body["branch"] == old.body["branch"], "{}", new.body);
    town.seat.start_of(&waiting).map(drop)
}
