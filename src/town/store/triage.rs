//! Matters for triage. In view are those that nobody has decided, and those whose batch goes on.

use gastown_core::id::{AgentId, AssignmentId, BeadId, EscalationId, RigId};
use gastown_core::protocol::{TriageAction, TriageAsked, TriageKind};
use gastown_core::town::triage::{TriageRequest, TriageState};
use serde::Deserialize;
use serde_json::Value as JsonValue;

use crate::params;
use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json, text, text_or_null};

#[derive(Deserialize)]
struct TriageRow {
    request_id: BeadId,
    rig_id: RigId,
    #[serde(rename = "type")]
    kind: TriageKind,
    agent_id: Option<AgentId>,
    bead_id: Option<BeadId>,
    assignment_id: Option<AssignmentId>,
    options: Json<Vec<String>>,
    context: Json<JsonValue>,
    escalation_id: Option<EscalationId>,
    state: TriageState,
    batch_bead: Option<BeadId>,
    batch_is_live: bool,
    rounds: u32,
    action: Option<TriageAction>,
    notes: Option<String>,
    resolved_by: Option<String>,
    not_before: Option<Ms>,
    created_at: Ms,
    resolved_at: Option<Ms>,
}

const SELECT_LIVE: &str = "select * from triage_requests where state <> 'resolved' or batch_is_live = 1";

/// What the rules look at.
pub(super) fn live(sql: &impl Sql) -> Result<Vec<TriageRequest>, SqlError> {
    Ok(sql.rows::<TriageRow>(SELECT_LIVE, &[])?.into_iter().map(TriageRequest::from).collect())
}

const SELECT_ONE: &str = "select * from triage_requests where request_id = ?";

/// One request, decided or not.
pub fn get(sql: &impl Sql, request_id: BeadId) -> Result<Option<TriageRequest>, SqlError> {
    Ok(sql.first::<TriageRow>(SELECT_ONE, params![text(request_id)])?.map(TriageRequest::from))
}

const UPSERT: &str = "
insert into triage_requests (
  request_id, rig_id, type, agent_id, bead_id, assignment_id, options, context, escalation_id, state, batch_bead,
  batch_is_live, rounds, action, notes, resolved_by, not_before, created_at, resolved_at
)
values (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)
on conflict (request_id) do update set
  rig_id = excluded.rig_id,
  type = excluded.type,
  agent_id = excluded.agent_id,
  bead_id = excluded.bead_id,
  assignment_id = excluded.assignment_id,
  options = excluded.options,
  context = excluded.context,
  escalation_id = excluded.escalation_id,
  state = excluded.state,
  batch_bead = excluded.batch_bead,
  batch_is_live = excluded.batch_is_live,
  rounds = excluded.rounds,
  action = excluded.action,
  notes = excluded.notes,
  resolved_by = excluded.resolved_by,
  not_before = excluded.not_before,
  created_at = excluded.created_at,
  resolved_at = excluded.resolved_at";

/// Writes the row.
pub(super) fn put(sql: &impl Sql, request: &TriageRequest) -> Result<(), SqlError> {
    let asked = &request.asked;
    sql.run(
        UPSERT,
        params![
            text(asked.request_id),
            text(request.rig_id),
            text(asked.kind),
            text_or_null(asked.agent_id),
            text_or_null(asked.bead_id),
            text_or_null(asked.assignment_id),
            json(&asked.options),
            json(&asked.context),
            text_or_null(request.escalation_id),
            text(request.state),
            text_or_null(request.batch_bead),
            request.batch_is_live,
            request.rounds,
            text_or_null(request.action),
            &request.notes,
            &request.resolved_by,
            request.not_before,
            request.created_at,
            request.resolved_at,
        ],
    )
}

const DELETE_OF_RIG: &str = "delete from triage_requests where rig_id = ?";

/// The rig is gone.
pub(super) fn forget(sql: &impl Sql, rig_id: RigId) -> Result<(), SqlError> {
    sql.run(DELETE_OF_RIG, params![text(rig_id)])
}

impl From<TriageRow> for TriageRequest {
    fn from(row: TriageRow) -> Self {
        Self {
            rig_id: row.rig_id,
            asked: TriageAsked {
                request_id: row.request_id,
                kind: row.kind,
                agent_id: row.agent_id,
                bead_id: row.bead_id,
                assignment_id: row.assignment_id,
                options: row.options.0,
                context: row.context.0,
            },
            escalation_id: row.escalation_id,
            state: row.state,
            batch_bead: row.batch_bead,
            batch_is_live: row.batch_is_live,
            rounds: row.rounds,
            action: row.action,
            notes: row.notes,
            resolved_by: row.resolved_by,
            not_before: row.not_before.map(|at| at.0),
            created_at: row.created_at.0,
            resolved_at: row.resolved_at.map(|at| at.0),
        }
    }
}
