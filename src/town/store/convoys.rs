//! Convoys with their parts: rigs, tasks, dependencies. Live ones are loaded; those that ended are read one by one.

use gastown_core::config::ConvoyMergeMode;
use gastown_core::id::{BeadId, ConvoyId, RigId};
use gastown_core::protocol::{BeadStatus, EdgeState, TaskShown};
use gastown_core::time::Timestamp;
use gastown_core::town::State;
use gastown_core::town::convoy::{
    Attention, Convoy, ConvoyRig, ConvoyState, Counts, LandingState, Task, TaskEdge, TaskState, Whole,
};
use serde::Deserialize;
use serde_json::Map;

use crate::params;
use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, Value, json, text, text_or_null};

#[derive(Deserialize)]
struct ConvoyRow {
    convoy_id: ConvoyId,
    title: String,
    slug: String,
    state: ConvoyState,
    merge_mode: ConvoyMergeMode,
    budget_micros: Option<u64>,
    metadata: Json<Map<String, serde_json::Value>>,
    attention: Json<Vec<Attention>>,
    total: u32,
    closed: u32,
    failed: u32,
    skipped: u32,
    created_by: String,
    closed_by: Option<String>,
    created_at: Ms,
    started_at: Option<Ms>,
    landed_at: Option<Ms>,
    ended_at: Option<Ms>,
    version: u64,
}

#[derive(Deserialize)]
struct PartRow {
    convoy_id: ConvoyId,
    rig_id: RigId,
    feature_branch: Option<String>,
    landing_state: LandingState,
    landing_bead: Option<BeadId>,
    attempts: u32,
    next_at: Option<Ms>,
    last_error: Option<String>,
    landed_commit: Option<String>,
    landed_at: Option<Ms>,
}

#[derive(Deserialize)]
struct TaskRow {
    bead_id: BeadId,
    convoy_id: ConvoyId,
    rig_id: RigId,
    idx: u32,
    state: TaskState,
    status: BeadStatus,
    sent: bool,
    attempt: u32,
    merged_into: Option<String>,
    failure: Option<String>,
    shown: Json<TaskShown>,
}

#[derive(Deserialize)]
struct EdgeRow {
    bead_id: BeadId,
    blocker_id: BeadId,
    convoy_id: ConvoyId,
    cross_rig: bool,
    state: EdgeState,
    told: EdgeState,
}

const SELECT_LIVE: &str = "
select *
from convoys
where state in ('staged', 'active', 'landing')";

const SELECT_LIVE_RIGS: &str = "
select r.*
from convoys c cross join convoy_rigs r on r.convoy_id = c.convoy_id
where c.state in ('staged', 'active', 'landing')";

const SELECT_LIVE_TASKS: &str = "
select t.*
from convoys c cross join convoy_tasks t on t.convoy_id = c.convoy_id
where c.state in ('staged', 'active', 'landing')";

const SELECT_LIVE_EDGES: &str = "
select e.*
from convoys c cross join convoy_tasks t on t.convoy_id = c.convoy_id cross join convoy_edges e on e.bead_id = t.bead_id
where c.state in ('staged', 'active', 'landing')";

/// Puts the live convoys into a state.
pub(super) fn load(sql: &impl Sql, state: &mut State) -> Result<(), SqlError> {
    let convoys: Vec<ConvoyRow> = sql.rows(SELECT_LIVE, &[])?;
    if convoys.is_empty() {
        return Ok(());
    }
    state.convoys = convoys.into_iter().map(|row| (row.convoy_id, Convoy::from(row))).collect();
    let parts: Vec<PartRow> = sql.rows(SELECT_LIVE_RIGS, &[])?;
    state.convoy_rigs = parts.into_iter().map(|row| ((row.convoy_id, row.rig_id), ConvoyRig::from(row))).collect();
    let tasks: Vec<TaskRow> = sql.rows(SELECT_LIVE_TASKS, &[])?;
    state.tasks = tasks.into_iter().map(|row| (row.bead_id, Task::from(row))).collect();
    let edges: Vec<EdgeRow> = sql.rows(SELECT_LIVE_EDGES, &[])?;
    state.task_edges = edges.into_iter().map(|row| ((row.bead_id, row.blocker_id), TaskEdge::from(row))).collect();
    Ok(())
}

const SELECT_ONE: &str = "select * from convoys where convoy_id = ?";
const SELECT_RIGS_OF: &str = "select * from convoy_rigs where convoy_id = ? order by rig_id";
const SELECT_TASKS_OF: &str = "select * from convoy_tasks where convoy_id = ? order by idx, bead_id";
const SELECT_EDGES_OF: &str = "
select e.*
from convoy_tasks t cross join convoy_edges e on e.bead_id = t.bead_id
where t.convoy_id = ?
order by e.bead_id, e.blocker_id";

/// A convoy with everything that belongs to it, live or not.
pub fn get(sql: &impl Sql, convoy_id: ConvoyId) -> Result<Option<Whole>, SqlError> {
    let id = [text(convoy_id)];
    let Some(convoy) = sql.first::<ConvoyRow>(SELECT_ONE, &id)? else { return Ok(None) };
    Ok(Some(Whole {
        convoy: convoy.into(),
        rigs: sql.rows::<PartRow>(SELECT_RIGS_OF, &id)?.into_iter().map(ConvoyRig::from).collect(),
        tasks: sql.rows::<TaskRow>(SELECT_TASKS_OF, &id)?.into_iter().map(Task::from).collect(),
        edges: sql.rows::<EdgeRow>(SELECT_EDGES_OF, &id)?.into_iter().map(TaskEdge::from).collect(),
        spent: super::admission::spent_by_convoy(sql, convoy_id)?,
    }))
}

const SELECT_PAGE: &str = "
select convoy_id
from convoys
where (?1 is null or state in (select value from json_each(?1)))
  and (?2 is null or (created_at, convoy_id) < (?2, ?3))
order by created_at desc, convoy_id desc
limit ?4";

#[derive(Deserialize)]
struct IdRow {
    convoy_id: ConvoyId,
}

/// A page of convoys in one of these states (all when none is named), newest first, behind this place.
pub fn page(
    sql: &impl Sql,
    states: &[ConvoyState],
    after: Option<(Timestamp, ConvoyId)>,
    limit: u32,
) -> Result<Vec<Whole>, SqlError> {
    let states = if states.is_empty() { Value::Null } else { json(&states) };
    let (at, convoy_id) = after.unzip();
    let ids: Vec<IdRow> = sql.rows(SELECT_PAGE, params![states, at, text_or_null(convoy_id), limit])?;
    ids.into_iter().filter_map(|row| get(sql, row.convoy_id).transpose()).collect()
}

const UPSERT: &str = "
insert into convoys (
  convoy_id, title, slug, state, merge_mode, budget_micros, metadata, attention, total, closed, failed, skipped,
  created_by, closed_by, created_at, started_at, landed_at, ended_at, version
)
values (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)
on conflict (convoy_id) do update set
  title = excluded.title,
  slug = excluded.slug,
  state = excluded.state,
  merge_mode = excluded.merge_mode,
  budget_micros = excluded.budget_micros,
  metadata = excluded.metadata,
  attention = excluded.attention,
  total = excluded.total,
  closed = excluded.closed,
  failed = excluded.failed,
  skipped = excluded.skipped,
  created_by = excluded.created_by,
  closed_by = excluded.closed_by,
  created_at = excluded.created_at,
  started_at = excluded.started_at,
  landed_at = excluded.landed_at,
  ended_at = excluded.ended_at,
  version = excluded.version";

/// Writes the convoy's own row.
pub(super) fn put(sql: &impl Sql, convoy: &Convoy) -> Result<(), SqlError> {
    sql.run(
        UPSERT,
        params![
            text(convoy.convoy_id),
            &convoy.title,
            &convoy.slug,
            text(convoy.state),
            text(convoy.merge_mode),
            convoy.budget_micros,
            json(&convoy.metadata),
            json(&convoy.attention),
            convoy.counts.total,
            convoy.counts.closed,
            convoy.counts.failed,
            convoy.counts.skipped,
            &convoy.created_by,
            &convoy.closed_by,
            convoy.created_at,
            convoy.started_at,
            convoy.landed_at,
            convoy.ended_at,
            convoy.version,
        ],
    )
}

const PUT_RIG: &str = "
insert or replace into convoy_rigs (
  convoy_id, rig_id, feature_branch, landing_state, landing_bead, attempts, next_at, last_error, landed_commit,
  landed_at
)
values (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)";

/// Writes the convoy's part in a rig.
pub(super) fn put_rig(sql: &impl Sql, part: &ConvoyRig) -> Result<(), SqlError> {
    sql.run(
        PUT_RIG,
        params![
            text(part.convoy_id),
            text(part.rig_id),
            &part.feature_branch,
            text(part.landing),
            part.landing_bead.map(text),
            part.attempts,
            part.next_at,
            &part.last_error,
            &part.landed_commit,
            part.landed_at,
        ],
    )
}

const PUT_TASK: &str = "
insert or replace into convoy_tasks (
  bead_id, convoy_id, rig_id, idx, state, status, sent, attempt, merged_into, failure, shown
)
values (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)";

/// Writes a task. `sent`: its rig has spoken of it.
pub(super) fn put_task(sql: &impl Sql, task: &Task) -> Result<(), SqlError> {
    sql.run(
        PUT_TASK,
        params![
            text(task.bead_id),
            text(task.convoy_id),
            text(task.rig_id),
            task.index,
            text(task.state),
            text(task.status),
            task.is_reported,
            task.attempt,
            &task.merged_into,
            &task.failure,
            json(&task.shown),
        ],
    )
}

const PUT_EDGE: &str = "
insert or replace into convoy_edges (
  bead_id, blocker_id, convoy_id, cross_rig, state, told
)
values (
  ?, ?, ?, ?, ?, ?
)";

/// Writes a dependency.
pub(super) fn put_edge(sql: &impl Sql, edge: &TaskEdge) -> Result<(), SqlError> {
    sql.run(
        PUT_EDGE,
        params![
            text(edge.bead_id),
            text(edge.blocker_id),
            text(edge.convoy_id),
            edge.cross,
            text(edge.state),
            text(edge.told),
        ],
    )
}

const DELETE_EDGE: &str = "delete from convoy_edges where bead_id = ? and blocker_id = ?";

/// This bead waits for that one no more.
pub(super) fn remove_edge(sql: &impl Sql, dependent: BeadId, blocker: BeadId) -> Result<(), SqlError> {
    sql.run(DELETE_EDGE, &[text(dependent), text(blocker)])
}

const DELETE_TASK: &str = "delete from convoy_tasks where bead_id = ?";
const DELETE_EDGES: &str = "delete from convoy_edges where bead_id = ?1 or blocker_id = ?1";

/// The bead is no task any more.
pub(super) fn remove_task(sql: &impl Sql, bead_id: BeadId) -> Result<(), SqlError> {
    sql.run(DELETE_TASK, &[text(bead_id)])?;
    sql.run(DELETE_EDGES, &[text(bead_id)])
}

impl From<ConvoyRow> for Convoy {
    fn from(row: ConvoyRow) -> Self {
        Self {
            convoy_id: row.convoy_id,
            title: row.title,
            slug: row.slug,
            state: row.state,
            merge_mode: row.merge_mode,
            budget_micros: row.budget_micros,
            metadata: row.metadata.0,
            attention: row.attention.0,
            counts: Counts { total: row.total, closed: row.closed, failed: row.failed, skipped: row.skipped },
            created_by: row.created_by,
            closed_by: row.closed_by,
            created_at: row.created_at.0,
            started_at: row.started_at.map(|at| at.0),
            landed_at: row.landed_at.map(|at| at.0),
            ended_at: row.ended_at.map(|at| at.0),
            version: row.version,
        }
    }
}

impl From<PartRow> for ConvoyRig {
    fn from(row: PartRow) -> Self {
        Self {
            convoy_id: row.convoy_id,
            rig_id: row.rig_id,
            feature_branch: row.feature_branch,
            landing: row.landing_state,
            landing_bead: row.landing_bead,
            attempts: row.attempts,
            next_at: row.next_at.map(|at| at.0),
            last_error: row.last_error,
            landed_commit: row.landed_commit,
            landed_at: row.landed_at.map(|at| at.0),
        }
    }
}

impl From<TaskRow> for Task {
    fn from(row: TaskRow) -> Self {
        Self {
            bead_id: row.bead_id,
            convoy_id: row.convoy_id,
            rig_id: row.rig_id,
            index: row.idx,
            state: row.state,
            status: row.status,
            is_reported: row.sent,
            attempt: row.attempt,
            merged_into: row.merged_into,
            failure: row.failure,
            shown: row.shown.0,
        }
    }
}

impl From<EdgeRow> for TaskEdge {
    fn from(row: EdgeRow) -> Self {
        Self {
            bead_id: row.bead_id,
            blocker_id: row.blocker_id,
            convoy_id: row.convoy_id,
            cross: row.cross_rig,
            state: row.state,
            told: row.told,
        }
    }
}
