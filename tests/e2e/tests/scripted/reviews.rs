//! Reviews, gates and merges (domain.md 7).

use anyhow::{Result, ensure};
use serde_json::json;

use crate::runtime::{OrderKind, commit};
use crate::world::World;

/// S54 to S57, S60, S61: gates run at the exact commit first; red ones and the refinery's words become one rework task on
/// the same branch; the merge comes once, and closes the bead with its commit.
pub(crate) fn gates_and_rework(world: &World) -> Result<()> {
    let town = world.town(1, &json!({"refinery": {"gates": ["make test"]}}))?;
    let bead_id = town.sling("Is reworked twice")?;
    let work = town.begin(&bead_id)?;
    town.seat.done(&work, &commit('a'))?;

    let gates = town.seat.next(OrderKind::Job, |body| body["kind"] == "gates")?;
    ensure!(gates.body["commit"] == commit('a'), "{}", gates.body);
    ensure!(town.seat.take(OrderKind::Start, |body| body["role"] == "refinery").is_none(), "reviewed before its gates");
    town.seat.gates(&gates, &commit('a'), "red")?;
    let rework = town.seat.start_of_kind("rework")?;
    ensure!(rework.body["branch"] == work.body["branch"], "{}", rework.body);
    town.seat.ready(&rework)?;
    town.seat.done(&rework, &commit('b'))?;

    let gates = town.seat.next(OrderKind::Job, |body| body["kind"] == "gates")?;
    ensure!(gates.body["commit"] == commit('b'), "{}", gates.body);
    town.seat.gates(&gates, &commit('b'), "green")?;
    let review = town.begin_review()?;
    ensure!(review.body["commit"] == commit('b'), "{}", review.body);
    let refused = town.seat.verdict(&review, &json!({"verdict": "request_changes"}));
    ensure!(refused.is_err(), "changes were requested without words");
    town.seat.verdict(&review, &json!({"verdict": "request_changes", "feedback": "Name it better."}))?;
    let rework = town.seat.start_of_kind("rework")?;
    ensure!(rework.body["prompt"]["first"].as_str().is_some_and(|text| text.contains("Name it better.")));
    town.seat.ready(&rework)?;
    town.seat.done(&rework, &commit('c'))?;

    let gates = town.seat.next(OrderKind::Job, |body| body["kind"] == "gates")?;
    town.seat.gates(&gates, &commit('c'), "green")?;
    let merge = town.approve_and_merge('d')?;
    ensure!(merge.body["commit"] == commit('c') && merge.body["target"] == "main", "{}", merge.body);
    town.until_status(&bead_id, "closed")?;
    ensure!(town.seat.count(OrderKind::Job) == 4, "gates or merge ran more than once for a commit");
    Ok(())
}
