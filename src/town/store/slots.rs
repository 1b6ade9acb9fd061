//! Session slots, asked and granted.

use gastown_core::id::{AssignmentId, BeadId, ConvoyId, RigId};
use gastown_core::protocol::Priority;
use gastown_core::session::Kind;
use gastown_core::town::state::Slot;
use serde::Deserialize;

use crate::params;
use crate::sql::row::Ms;
use crate::sql::{Sql, SqlError, text, text_or_null};

#[derive(Deserialize)]
struct SlotRow {
    assignment_id: AssignmentId,
    rig_id: RigId,
    bead_id: BeadId,
    convoy_id: Option<ConvoyId>,
    kind: Kind,
    priority: i64,
    age_at: Ms,
    requested_at: Ms,
    granted_at: Option<Ms>,
    probe: bool,
}

const SELECT_ALL: &str = "select * from slots";

/// Every slot that is wanted or held.
pub(super) fn all(sql: &impl Sql) -> Result<Vec<Slot>, SqlError> {
    let rows: Vec<SlotRow> = sql.rows(SELECT_ALL, &[])?;
    Ok(rows.into_iter().map(Slot::from).collect())
}

const UPSERT: &str = "
insert into slots (
  assignment_id, rig_id, bead_id, convoy_id, kind, priority, age_at, requested_at, granted_at, probe
)
values (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)
on conflict (assignment_id) do update set
  rig_id = excluded.rig_id,
  bead_id = excluded.bead_id,
  convoy_id = excluded.convoy_id,
  kind = excluded.kind,
  priority = excluded.priority,
  age_at = excluded.age_at,
  requested_at = excluded.requested_at,
  granted_at = excluded.granted_at,
  probe = excluded.probe";

/// Writes the row.
pub(super) fn put(sql: &impl Sql, slot: &Slot) -> Result<(), SqlError> {
    sql.run(
        UPSERT,
        params![
            text(slot.assignment_id),
            text(slot.rig_id),
            text(slot.bead_id),
            text_or_null(slot.convoy_id),
            text(slot.kind),
            slot.priority.level(),
            slot.age_at,
            slot.requested_at,
            slot.granted_at,
            slot.is_probe,
        ],
    )
}

const DELETE: &str = "delete from slots where assignment_id = ?";

/// The slot is free.
pub(super) fn remove(sql: &impl Sql, assignment_id: AssignmentId) -> Result<(), SqlError> {
    sql.run(DELETE, params![text(assignment_id)])
}

impl From<SlotRow> for Slot {
    fn from(row: SlotRow) -> Self {
        Self {
            assignment_id: row.assignment_id,
            rig_id: row.rig_id,
            bead_id: row.bead_id,
            convoy_id: row.convoy_id,
            kind: row.kind,
            priority: Priority::from_level(row.priority),
            age_at: row.age_at.0,
            requested_at: row.requested_at.0,
            granted_at: row.granted_at.map(|at| at.0),
            is_probe: row.probe,
        }
    }
}
