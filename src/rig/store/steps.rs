//! Table `steps`.

use gastown_core::id::BeadId;
use gastown_core::rig::molecule::{MoleculeStep, StepState};
use serde::Deserialize;

use crate::sql::row::Ms;
use crate::sql::{Sql, SqlError, text};

const SELECT_LIVE: &str = "
    select s.molecule_id, s.idx, s.step_id, s.title, s.instructions, s.state, s.summary, s.closed_at
    from steps s join beads b on b.bead_id = s.molecule_id
    where b.status in ('open', 'in_progress', 'in_review')";
const PUT: &str = "
    insert or replace into steps (molecule_id, idx, step_id, title, instructions, state, summary, closed_at)
    values (?, ?, ?, ?, ?, ?, ?, ?)";

#[derive(Deserialize)]
struct Row {
    molecule_id: BeadId,
    idx: u32,
    step_id: BeadId,
    title: String,
    instructions: String,
    state: StepState,
    summary: Option<String>,
    closed_at: Option<Ms>,
}

/// Steps of live molecules.
pub(super) fn live(sql: &impl Sql) -> Result<Vec<MoleculeStep>, SqlError> {
    let step = |row: Row| MoleculeStep {
        molecule_id: row.molecule_id,
        idx: row.idx,
        step_id: row.step_id,
        title: row.title,
        instructions: row.instructions,
        state: row.state,
        summary: row.summary,
        closed_at: row.closed_at.map(|at| at.0),
    };
    Ok(sql.rows::<Row>(SELECT_LIVE, &[])?.into_iter().map(step).collect())
}

pub(super) fn put(sql: &impl Sql, step: &MoleculeStep) -> Result<(), SqlError> {
    sql.run(
        PUT,
        &[
            text(step.molecule_id),
            step.idx.into(),
            text(step.step_id),
            (&step.title).into(),
            (&step.instructions).into(),
            text(step.state),
            step.summary.clone().into(),
            step.closed_at.into(),
        ],
    )
}
