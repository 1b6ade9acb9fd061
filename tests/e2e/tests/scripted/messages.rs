//! Mail, nudges, escalations and budgets (domain.md 9.3, 9.6, 10).

use anyhow::{Context as _, Result, ensure};
use gastown_e2e::api::{items, text};
use gastown_e2e::wait::{Look, until};
use serde_json::{Value, json};

use crate::runtime::{ORDER_MAX, Order, OrderKind, commit};
use crate::world::{Town, World};

/// S106: mail between two agents comes oldest first and once; peeking delivers nothing; a stranger is refused.
pub(crate) fn mail_is_delivered_once(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let (one, two) = (town.sling("Writes")?, town.sling("Reads")?);
    let (writer, reader) = (town.begin(&one)?, town.seat.start_of(&two)?);
    let mail = |subject: &str, to: &Value| json!({"from_agent_id": writer.body["assignment"]["agent_id"], "to_agent_id": to, "subject": subject, "body": "…"});
    let to = &reader.body["assignment"]["agent_id"];
    let path = town.path(&format!("/rigs/{}/mail", town.rigs[0]));
    for subject in ["first", "second"] {
        town.seat.agent(&writer).post(&path, &mail(subject, to))?;
    }
    let stranger = json!("00000000-0000-4000-8000-000000000000");
    let refused = town.seat.agent(&writer).call("POST", &path, Some(&mail("third", &stranger).to_string()))?;
    ensure!(refused.status == 422 && refused.code() == Some("unknown_reference"), "{refused}");
    let read =
        |query: &str| items(town.seat.agent(&reader).get(&town.seat.agent_path(&reader, &format!("/mail{query}")))?);
    ensure!(read("?peek=true")?.len() == 2);
    let subjects: Vec<_> = read("")?.iter().map(|mail| mail["subject"].clone()).collect();
    ensure!(subjects == ["first", "second"], "{subjects:?}");
    ensure!(read("")?.is_empty(), "mail was delivered twice");
    Ok(())
}

/// S108: an immediate nudge is pushed into the session once; the delivered one is not offered again.
pub(crate) fn nudge_is_shown_once(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let bead_id = town.sling("Is nudged")?;
    let start = town.begin(&bead_id)?;
    let agent_id = text(&start.body["assignment"], "agent_id")?.to_owned();
    let nudge = json!({"message": "How far are you?", "mode": "immediate", "priority": "urgent"});
    let nudge = town.post(&format!("/agents/{agent_id}/nudges"), &nudge)?;
    let pushed = town.seat.next(OrderKind::Messages, |body| body.to_string().contains("How far are you?"))?;
    let message_id = pushed.body["messages"][0]["message_id"].clone();
    ensure!(message_id == nudge["nudge_id"], "{}", pushed.body);
    town.seat.fact(&start, json!({"type": "delivered", "message_ids": [message_id]}))?;
    let pending = town.seat.agent(&start).get(&town.seat.agent_path(&start, "/pending-nudges"))?;
    ensure!(items(pending)?.is_empty(), "a delivered nudge is still pending");
    Ok(())
}

/// S110, 9.6: an agent's escalation is in the inbox as it was written; the person's answer reaches the agent, and
/// acknowledging twice is one.
pub(crate) fn escalation_is_answered(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let bead_id = town.sling("Needs a decision")?;
    let start = town.begin(&bead_id)?;
    let asked = json!({"title": "Which database?", "body": "Postgres or SQLite?", "severity": "high",
        "bead_id": bead_id, "metadata": {"options": ["postgres", "sqlite"]}});
    let path = town.path(&format!("/rigs/{}/escalations", town.rigs[0]));
    let raised = town.seat.agent(&start).post(&path, &asked)?;
    let id = text(&raised, "id")?.to_owned();
    let row = until("the escalation", ORDER_MAX, || {
        let all = town.list("/escalations?acknowledged=false")?;
        Ok(all
            .iter()
            .find(|row| row["id"] == *id)
            .map_or_else(|| Look::NotYet(format!("{all:?}")), |row| Look::Found(row.clone())))
    })?;
    ensure!(row["title"] == "Which database?" && row["severity"] == "high", "{row}");
    ensure!(
        row["source_agent_id"] == start.body["assignment"]["agent_id"] && row["source_bead_id"] == *bead_id,
        "{row}"
    );
    ensure!(row["metadata"]["options"][1] == "sqlite", "{row}");
    town.post(&format!("/escalations/{id}/reply"), &json!({"message": "SQLite, please."}))?;
    town.seat.next(OrderKind::Messages, |body| body.to_string().contains("SQLite, please."))?;
    for _ in 0..2 {
        let acknowledged = town.post(&format!("/escalations/{id}/acknowledge"), &json!({}))?;
        ensure!(acknowledged["acknowledged"] == 1, "{acknowledged}");
    }
    Ok(())
}

/// S101: at the day's budget nothing starts, running work is told to wrap up and is not charged, a person is asked, and
/// the raised limit lets the work go on.
pub(crate) fn day_budget(world: &World) -> Result<()> {
    let town = world.town(1, &json!({"budget": {"town_daily_usd": 1.0}, "max_dispatch_attempts": 1}))?;
    let bead_id = town.sling("Spends")?;
    let start = town.begin(&bead_id)?;
    town.seat.spend(&start, 1_000_000, 1.5);
    let wrap_up = wrapped_up(&town, &start)?;
    ensure!(wrap_up.subject == start.subject);
    let waiting = town.sling("Has to wait")?;
    town.until_wait(&waiting, "budget_reached")?;
    town.seat.outcome(&start, "stopped", None)?;
    let bead = town.until_status(&bead_id, "open")?;
    ensure!(bead["wait"]["code"] == "budget_reached" && bead["failure"].is_null(), "{bead}");
    let all = town.list("/escalations")?;
    ensure!(all.iter().filter(|row| row.to_string().contains("budget")).count() == 1, "{all:?}");
    let raised = json!({"budget": {"town_daily_usd": 100.0}}).to_string();
    let reply = town.api.call("PATCH", &town.path("/config"), Some(&raised))?;
    ensure!(reply.status == 200, "{reply}");
    town.begin(&bead_id)?;
    town.begin(&waiting).map(drop)
}

/// S102: a bead's own budget parks its root until it is raised.
pub(crate) fn bead_budget(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let bead_id = town.sling_with(json!({"rig_id": town.rigs[0], "title": "Costs", "budget_usd": 0.5}))?;
    let start = town.begin(&bead_id)?;
    town.seat.spend(&start, 1000, 0.6);
    wrapped_up(&town, &start)?;
    town.seat.outcome(&start, "stopped", None)?;
    town.until_bead("a decision to be needed", &bead_id, |bead| {
        matches!(bead["wait"]["code"].as_str(), Some("needs_decision" | "budget_reached")) && bead["status"] == "open"
    })?;
    let patch = json!({"budget_usd": 5.0}).to_string();
    let reply = town.api.call("PATCH", &town.path(&format!("/beads/{bead_id}")), Some(&patch))?;
    ensure!(reply.status == 200, "{reply}");
    let again = town.begin(&bead_id)?;
    town.seat.done(&again, &commit('a'))?;
    town.until_status(&bead_id, "in_review").map(drop)
}

/// S111: a molecule of three steps is advanced to its end, and then is no more.
pub(crate) fn molecule(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let bead_id = town.sling("Has steps")?;
    let steps: Vec<Value> = (1..=3).map(|n| json!({"title": format!("Step {n}"), "instructions": "Do it."})).collect();
    let new = json!({"bead_id": bead_id, "formula": {"steps": steps}});
    town.post(&format!("/rigs/{}/molecules", town.rigs[0]), &new)?;
    let start = town.begin(&bead_id)?;
    let agent = town.seat.agent(&start);
    let current = agent.get(&town.seat.agent_path(&start, "/molecule/current"))?;
    ensure!(current["title"] == "Step 1" && current["totalSteps"] == 3, "{current}");
    for _ in 0..3 {
        agent.post(&town.seat.agent_path(&start, "/molecule/advance"), &json!({"summary": "Done."}))?;
    }
    let over = agent.call("GET", &town.seat.agent_path(&start, "/molecule/current"), None)?;
    ensure!(over.status == 404, "{over}");
    Ok(())
}

/// The runtime is told to let the session finish: by an order, or by the reply to its heartbeat.
fn wrapped_up(town: &Town, start: &Order) -> Result<Order> {
    let order = town.seat.next(OrderKind::WrapUp, |_| true)?;
    ensure!(order.subject == start.subject, "another session was told");
    order.body["reason"]["message"].as_str().context("no reason")?;
    Ok(order)
}
