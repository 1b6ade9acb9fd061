//! Table `dependencies`.

use gastown_core::id::BeadId;
use gastown_core::rig::bead::{Edge, EdgeState};
use serde::Deserialize;

use crate::sql::{Sql, SqlError, text};

const SELECT_LIVE: &str = "
    select d.bead_id, d.blocker_id, d.cross_rig, d.state
    from dependencies d join beads b on b.bead_id = d.bead_id
    where b.status in ('open', 'in_progress', 'in_review')
    union
    select d.bead_id, d.blocker_id, d.cross_rig, d.state
    from dependencies d join beads b on b.bead_id = d.blocker_id
    where b.status in ('open', 'in_progress', 'in_review')";
const SELECT_OF_BEAD: &str = "
    select bead_id, blocker_id, cross_rig, state
    from dependencies
    where bead_id = ?1 or blocker_id = ?1";
const PUT: &str = "insert or replace into dependencies (bead_id, blocker_id, cross_rig, state) values (?, ?, ?, ?)";
const DELETE: &str = "delete from dependencies where bead_id = ? and blocker_id = ?";

#[derive(Deserialize)]
struct Row {
    bead_id: BeadId,
    blocker_id: BeadId,
    cross_rig: bool,
    state: EdgeState,
}

impl From<Row> for Edge {
    fn from(row: Row) -> Self {
        Self { bead_id: row.bead_id, blocker_id: row.blocker_id, cross: row.cross_rig, state: row.state }
    }
}

/// Dependencies of live beads, and on live beads.
pub(super) fn live(sql: &impl Sql) -> Result<Vec<Edge>, SqlError> {
    Ok(sql.rows::<Row>(SELECT_LIVE, &[])?.into_iter().map(Edge::from).collect())
}

/// Dependencies of one bead, and on it.
pub(super) fn of_bead(sql: &impl Sql, bead_id: BeadId) -> Result<Vec<Edge>, SqlError> {
    Ok(sql.rows::<Row>(SELECT_OF_BEAD, &[text(bead_id)])?.into_iter().map(Edge::from).collect())
}

pub(super) fn put(sql: &impl Sql, edge: &Edge) -> Result<(), SqlError> {
    sql.run(PUT, &[text(edge.bead_id), text(edge.blocker_id), edge.cross.into(), text(edge.state)])
}

pub(super) fn remove(sql: &impl Sql, bead_id: BeadId, blocker_id: BeadId) -> Result<(), SqlError> {
    sql.run(DELETE, &[text(bead_id), text(blocker_id)])
}
