//! The main job: a task typed to the mayor becomes a merged commit.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use gastown_core::time::Timestamp;
use gastown_e2e::api::{items, text};
use gastown_e2e::demo::{MESSAGE, Stage};
use gastown_e2e::wait::{Look, until};
use serde_json::Value;

use crate::support::{TASK_MAX, Town, World};

pub(crate) fn is_done(world: &World) -> Result<()> {
    let town = world.town("main_job")?;
    let timeline = town.demo.run(MESSAGE, TASK_MAX)?;
    let id8 = timeline.bead_id.get(..8).context("a bead id")?;
    ensure!(timeline.agent == "Toast", "the first polecat is Toast, not {}", timeline.agent);
    ensure!(timeline.branch == format!("polecat/toast/{id8}"), "the branch is {}", timeline.branch);
    let expected = ["lib/reverses_a_string.sh", "test/reverses_a_string_test.sh"];
    ensure!(timeline.changed == expected, "the merge changes {:?}", timeline.changed);
    let order = [Stage::Slung, Stage::AgentStarted, Stage::Pushed, Stage::Reviewed, Stage::Merged, Stage::Closed];
    let times: Vec<_> = order.iter().map(|&stage| timeline.ms(stage)).collect();
    ensure!(times.is_sorted(), "the stages come in order:\n{timeline}");

    let bead = town.bead(&timeline.bead_id)?;
    ensure!(bead["title"] == MESSAGE && bead["type"] == "issue" && bead["failure"].is_null(), "{bead}");
    town.assert_merged(&bead)?;

    let assignments = town.assignments(&timeline.bead_id)?;
    ensure!(assignments.len() == 1, "one assignment was enough: {assignments:?}");
    let work = &assignments[0];
    ensure!(work["kind"] == "work" && work["phase"] == "ended" && work["outcome"] == "done", "{work}");

    it_started_at_once(&bead, work)?;

    let agents = items(town.api.get(&town.path("/agents"))?)?;
    let status = |role: &str| agents.iter().find(|agent| agent["role"] == role).map(|agent| agent["status"].clone());
    ensure!(status("polecat") == Some("idle".into()), "the polecat is free again: {agents:?}");
    ensure!(status("refinery") == Some("idle".into()), "there is one refinery, and it is free: {agents:?}");
    ensure!(status("mayor").is_some(), "the mayor is listed: {agents:?}");

    the_mayor_named_the_agent(&town)?;
    every_request_names_the_resolved_model(world, &assignments)?;
    the_feed_tells_the_story(&items(town.api.get(&town.path("/events?limit=500"))?)?, &timeline.bead_id)
}

/// Work starts with the sling, not with the next wake-up of an object, which may be 5 s away.
fn it_started_at_once(bead: &Value, work: &Value) -> Result<()> {
    let instant = |row: &Value, field: &str| -> Result<Timestamp> { text(row, field)?.parse().context("an instant") };
    let waited = instant(work, "started_at")?.since(instant(bead, "created_at")?);
    ensure!(waited < Duration::from_secs(2), "the order was given {waited:?} after the sling");
    Ok(())
}

/// The mayor's answer is the conversation's, and says who works on it.
fn the_mayor_named_the_agent(town: &Town) -> Result<()> {
    until("the mayor's answer", TASK_MAX, || {
        let messages = items(town.api.get(&town.path("/mayor/messages"))?)?;
        let from_mayor = messages.iter().filter(|message| message["role"] == "mayor");
        let said = from_mayor.map(|message| message["parts"].to_string()).collect::<String>();
        Ok(if said.contains("to Toast in ") { Look::Found(()) } else { Look::NotYet(format!("{messages:?}")) })
    })
}

/// container.md C70: no request to the model names another model than the one that was resolved.
fn every_request_names_the_resolved_model(world: &World, assignments: &[Value]) -> Result<()> {
    let work = &assignments[0];
    let (bead_id, model) = (text(work, "bead_id")?, text(work, "model")?);
    let asked = world.asked()?;
    let about: Vec<_> = asked.iter().filter(|entry| entry.bead_id.as_deref() == Some(bead_id)).collect();
    let polecat: Vec<_> = about.iter().filter(|entry| entry.role.as_deref() == Some("polecat")).collect();
    ensure!(!polecat.is_empty(), "the polecat asked the model");
    ensure!(polecat.iter().all(|entry| entry.model == model), "{model} in every request: {polecat:?}");
    ensure!(asked.iter().all(|entry| entry.status == 200), "every request had the deployment's key");
    let problems: Vec<_> = about.iter().filter_map(|entry| entry.problem.as_ref()).collect();
    ensure!(problems.is_empty(), "the script had an answer to everything: {problems:?}");
    Ok(())
}

/// What a person reads afterwards: the events of the task in their order.
fn the_feed_tells_the_story(events: &[Value], bead_id: &str) -> Result<()> {
    let mut about: Vec<_> = events.iter().filter(|event| event["bead_id"] == bead_id).collect();
    about.sort_by_key(|event| event["seq"].as_u64());
    let types: Vec<_> = about.iter().filter_map(|event| event["event_type"].as_str()).collect();
    let expected = ["created", "hooked", "review_submitted", "merged", "status_changed"];
    let mut rest = types.iter();
    let told = expected.iter().all(|wanted| rest.any(|seen| seen == wanted));
    ensure!(told, "{expected:?} in this order among {types:?}");
    Ok(())
}
