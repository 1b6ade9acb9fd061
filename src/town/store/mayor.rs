//! The mayor's row, and the row of the runtime that its session lives in.

use gastown_core::id::{AgentId, AssignmentId, InstanceId};
use gastown_core::models::{ModelId, ModelReason};
use gastown_core::session::Usage;
use gastown_core::town::state::{Drain, Mayor, MayorActivity, MayorError, MayorPhase, Notices};
use serde::Deserialize;

use crate::params;
use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json, text, text_or_null};

#[derive(Deserialize)]
struct MayorRow {
    agent_id: AgentId,
    identity: String,
    assignment_id: Option<AssignmentId>,
    epoch: u64,
    phase: MayorPhase,
    activity: MayorActivity,
    since: Ms,
    model: Option<ModelId>,
    small_model: Option<ModelId>,
    reason: Option<Json<ModelReason>>,
    wanted_at: Option<Ms>,
    swap_wanted: bool,
    tokens_in: u64,
    tokens_out: u64,
    cost_micros: u64,
    instance_id: Option<InstanceId>,
    ordered_at: Option<Ms>,
    lease_until: Option<Ms>,
    probe_until: Option<Ms>,
    start_failures: u32,
    not_before: Option<Ms>,
    error: Option<Json<MayorError>>,
    last_user_at: Option<Ms>,
    last_activity_at: Option<Ms>,
    notices: Json<Notices>,
}

#[derive(Deserialize)]
struct DrainRow {
    state: String,
    nonce: Option<String>,
    instance_id: Option<InstanceId>,
    started_at: Option<Ms>,
}

const SELECT: &str = "select * from mayor";

/// The row, once there is one.
pub(super) fn get(sql: &impl Sql) -> Result<Option<Mayor>, SqlError> {
    let row: Option<MayorRow> = sql.first(SELECT, &[])?;
    Ok(row.map(Mayor::from))
}

const UPSERT: &str = "
insert into mayor (
  agent_id, identity, assignment_id, epoch, phase, activity, since, model, small_model, reason, instance_id,
  ordered_at, lease_until, probe_until, start_failures, not_before, error, last_user_at, last_activity_at,
  wanted_at, swap_wanted, tokens_in, tokens_out, cost_micros, notices
)
values (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)
on conflict (agent_id) do update set
  identity = excluded.identity,
  assignment_id = excluded.assignment_id,
  epoch = excluded.epoch,
  phase = excluded.phase,
  activity = excluded.activity,
  since = excluded.since,
  model = excluded.model,
  small_model = excluded.small_model,
  reason = excluded.reason,
  instance_id = excluded.instance_id,
  ordered_at = excluded.ordered_at,
  lease_until = excluded.lease_until,
  probe_until = excluded.probe_until,
  start_failures = excluded.start_failures,
  not_before = excluded.not_before,
  error = excluded.error,
  last_user_at = excluded.last_user_at,
  last_activity_at = excluded.last_activity_at,
  wanted_at = excluded.wanted_at,
  swap_wanted = excluded.swap_wanted,
  tokens_in = excluded.tokens_in,
  tokens_out = excluded.tokens_out,
  cost_micros = excluded.cost_micros,
  notices = excluded.notices";

/// Writes the row.
pub(super) fn put(sql: &impl Sql, mayor: &Mayor) -> Result<(), SqlError> {
    sql.run(
        UPSERT,
        params![
            text(mayor.agent_id),
            &mayor.identity,
            text_or_null(mayor.assignment_id),
            mayor.epoch,
            text(mayor.phase),
            text(mayor.activity),
            mayor.since,
            text_or_null(mayor.model.as_ref()),
            text_or_null(mayor.small_model.as_ref()),
            mayor.reason.as_ref().map(json),
            text_or_null(mayor.instance_id),
            mayor.ordered_at,
            mayor.lease_until,
            mayor.probe_until,
            mayor.start_failures,
            mayor.not_before,
            mayor.error.as_ref().map(json),
            mayor.last_user_at,
            mayor.last_activity_at,
            mayor.wanted_at,
            mayor.is_swap_wanted,
            mayor.spent.tokens_in,
            mayor.spent.tokens_out,
            mayor.spent.cost_micros,
            json(&mayor.notices),
        ],
    )
}

const SELECT_DRAIN: &str = "select * from drain";

/// The runtime as the town knows it.
pub(super) fn drain(sql: &impl Sql) -> Result<Drain, SqlError> {
    let row: Option<DrainRow> = sql.first(SELECT_DRAIN, &[])?;
    Ok(row.map(Drain::from).unwrap_or_default())
}

const UPSERT_DRAIN: &str = "
insert into drain (only_row, state, nonce, instance_id, started_at)
values (1, ?, ?, ?, ?)
on conflict (only_row) do update set
  state = excluded.state,
  nonce = excluded.nonce,
  instance_id = excluded.instance_id,
  started_at = excluded.started_at";

/// Writes the row.
pub(super) fn put_drain(sql: &impl Sql, drain: &Drain) -> Result<(), SqlError> {
    let state = if drain.is_draining { "draining" } else { "none" };
    sql.run(UPSERT_DRAIN, params![state, &drain.nonce, text_or_null(drain.instance_id), drain.started_at])
}

impl From<MayorRow> for Mayor {
    fn from(row: MayorRow) -> Self {
        Self {
            agent_id: row.agent_id,
            identity: row.identity,
            assignment_id: row.assignment_id,
            epoch: row.epoch,
            phase: row.phase,
            activity: row.activity,
            since: row.since.0,
            model: row.model,
            small_model: row.small_model,
            reason: row.reason.map(|json| json.0),
            wanted_at: row.wanted_at.map(|at| at.0),
            is_swap_wanted: row.swap_wanted,
            spent: Usage { tokens_in: row.tokens_in, tokens_out: row.tokens_out, cost_micros: row.cost_micros },
            instance_id: row.instance_id,
            ordered_at: row.ordered_at.map(|at| at.0),
            lease_until: row.lease_until.map(|at| at.0),
            probe_until: row.probe_until.map(|at| at.0),
            start_failures: row.start_failures,
            not_before: row.not_before.map(|at| at.0),
            error: row.error.map(|json| json.0),
            last_user_at: row.last_user_at.map(|at| at.0),
            last_activity_at: row.last_activity_at.map(|at| at.0),
            notices: row.notices.0,
        }
    }
}

impl From<DrainRow> for Drain {
    fn from(row: DrainRow) -> Self {
        Self {
            is_draining: row.state == "draining",
            nonce: row.nonce,
            instance_id: row.instance_id,
            started_at: row.started_at.map(|at| at.0),
        }
    }
}
