//! What a deleted bead takes with it (domain.md 3.6): every row that hangs on it, but its ended assignments, which are the
//! history of their agents and go in their time.

use gastown_core::id::BeadId;

use crate::sql::{Sql, SqlError, text};

const DELETE_BEAD: &str = "delete from beads where bead_id = ?";
const DELETE_LABELS: &str = "delete from bead_labels where bead_id = ?";
const DELETE_EDGES: &str = "delete from dependencies where bead_id = ?1 or blocker_id = ?1";
const DELETE_ROUNDS: &str = "delete from rounds where review_id = ?";
const DELETE_GATE_RUNS: &str = "delete from gate_runs where review_id = ?";
const DELETE_WATCH: &str = "delete from pr_watches where review_id = ?";
const DELETE_JOBS: &str = "delete from jobs where review_id = ?";
const DELETE_REVIEW: &str = "delete from reviews where bead_id = ?";
const DELETE_MAIL: &str = "delete from mail where bead_id = ?";
const DELETE_STEPS: &str = "delete from steps where molecule_id = ?";
const DELETE_LESSON: &str = "delete from lessons where bead_id = ?";
const DELETE_EVENTS: &str = "delete from events where bead_id = ?";

const ALL: [&str; 12] = [
    DELETE_BEAD,
    DELETE_LABELS,
    DELETE_EDGES,
    DELETE_ROUNDS,
    DELETE_GATE_RUNS,
    DELETE_WATCH,
    DELETE_JOBS,
    DELETE_REVIEW,
    DELETE_MAIL,
    DELETE_STEPS,
    DELETE_LESSON,
    DELETE_EVENTS,
];

/// Deletes a bead. The row of the log that tells of it is about no bead and stays, so that no number is used twice.
pub(super) fn bead(sql: &impl Sql, bead_id: BeadId) -> Result<(), SqlError> {
    ALL.iter().try_for_each(|statement| sql.run(statement, &[text(bead_id)]))
}
