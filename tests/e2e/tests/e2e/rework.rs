//! A review that asks for changes: the author repairs on the same branch, the second look approves.

use anyhow::{Context as _, Result, ensure};
use gastown_e2e::api::{items, text};

use crate::support::World;

pub(crate) fn is_done_once(world: &World) -> Result<()> {
    let town = world.town("rework")?;
    let slung = town.sling(&[town.task("Add a sloppy function that reverses a string", "In plain shell.")])?;
    let bead_id = text(&slung[0]["bead"], "bead_id")?;
    let bead = town.until_closed(bead_id)?;
    town.assert_merged(&bead)?;

    let repository = &town.demo.repository;
    let branch = text(&bead, "branch")?;
    // In two parts: no source of this repository holds the word itself.
    let note = concat!("TO", "DO");
    let left = repository.git(&["grep", "--files-with-matches", note, "main", "--", "lib"]);
    ensure!(left.is_err(), "the finding is repaired on main, but stands in {left:?}");
    let commits = repository.git(&["log", "--format=%s", &format!("main^1..{branch}")])?;
    ensure!(commits.lines().count() == 2, "the work and its repair, on one branch: {commits}");

    let beads = items(town.api.get(&town.path("/beads?label=gt:rework"))?)?;
    ensure!(beads.len() == 1, "one round of rework: {beads:?}");
    let rework = &beads[0];
    ensure!(rework["status"] == "closed", "{rework}");
    ensure!(rework["assignee_name"] == bead["assignee_name"], "the author repairs: {rework}");
    let assignments = town.assignments(text(rework, "bead_id")?)?;
    let kinds: Vec<_> = assignments.iter().map(|assignment| assignment["kind"].as_str()).collect();
    ensure!(kinds == [Some("rework")], "{assignments:?}");
    ensure!(assignments[0]["branch"] == branch, "on the branch of the review: {assignments:?}");

    let reviews = items(town.api.get(&town.path("/beads?type=merge_request"))?)?;
    let review = reviews.first().context("a review")?;
    ensure!(reviews.len() == 1 && review["status"] == "closed", "one review with two rounds: {reviews:?}");
    let looks = town.assignments(text(review, "bead_id")?)?;
    let outcomes: Vec<_> = looks.iter().map(|look| look["outcome"].as_str()).collect();
    ensure!(outcomes == [Some("approved"), Some("changes_requested")], "newest first: {looks:?}");
    Ok(())
}
