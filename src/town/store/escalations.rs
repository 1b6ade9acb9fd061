//! Things that a person should see. At most one is open per key.

use gastown_core::id::{AgentId, AssignmentId, BeadId, ConvoyId, EscalationId, RigId};
use gastown_core::protocol::Severity;
use gastown_core::time::Timestamp;
use gastown_core::town::escalation::Reply;
use gastown_core::town::state::{Escalation, EscalationState};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as JsonValue};

use crate::params;
use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, Value, any, json, text, text_or_null};

#[derive(Deserialize)]
struct EscalationRow {
    escalation_id: EscalationId,
    dedup_key: String,
    severity: i64,
    category: String,
    code: String,
    title: String,
    message: String,
    rig_id: Option<RigId>,
    bead_id: Option<BeadId>,
    agent_id: Option<AgentId>,
    assignment_id: Option<AssignmentId>,
    convoy_id: Option<ConvoyId>,
    choices: Json<Vec<String>>,
    metadata: Json<Map<String, JsonValue>>,
    replies: Json<Vec<Reply>>,
    raised_by: String,
    raised_by_name: Option<String>,
    count: u32,
    state: EscalationState,
    raises: u32,
    next_raise_at: Option<Ms>,
    told: Option<i64>,
    created_at: Ms,
    updated_at: Ms,
    closed_at: Option<Ms>,
    closed_by: Option<String>,
    version: u64,
}

/// Which escalations a list shows; what is absent asks for nothing in particular.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscalationFilter {
    /// In one of these states.
    pub states: Vec<EscalationState>,
    /// This loud, or louder.
    pub severities: Vec<Severity>,
    /// About one of these rigs.
    pub rigs: Vec<RigId>,
    /// In one of these groups.
    pub categories: Vec<String>,
    /// Behind this place in the list.
    pub before: Option<(Timestamp, EscalationId)>,
    /// At most so many.
    pub limit: usize,
    /// Leave out so many first.
    pub offset: usize,
}

const SELECT_OPEN: &str = "select * from escalations where state = 'open'";

/// Escalations that call.
pub(super) fn open(sql: &impl Sql) -> Result<Vec<Escalation>, SqlError> {
    read(sql, SELECT_OPEN, &[])
}

const SELECT_ONE: &str = "select * from escalations where escalation_id = ?";

/// One escalation, open or closed.
pub fn get(sql: &impl Sql, escalation_id: EscalationId) -> Result<Option<Escalation>, SqlError> {
    Ok(read(sql, SELECT_ONE, params![text(escalation_id)])?.into_iter().next())
}

const SELECT_PAGE: &str = "
select *
from escalations
where (?1 is null or state in (select value from json_each(?1)))
  and (?2 is null or severity in (select value from json_each(?2)))
  and (?3 is null or rig_id in (select value from json_each(?3)))
  and (?4 is null or category in (select value from json_each(?4)))
  and (?5 is null or (created_at, escalation_id) < (?5, ?6))
order by created_at desc, escalation_id desc
limit ?7 offset ?8";

/// A part of the list of escalations, newest first.
pub fn page(sql: &impl Sql, filter: &EscalationFilter) -> Result<Vec<Escalation>, SqlError> {
    let severities: Vec<i64> = filter.severities.iter().map(|severity| level(*severity)).collect();
    let (at, escalation_id) = filter.before.unzip();
    read(
        sql,
        SELECT_PAGE,
        params![
            any(&filter.states),
            any(&severities),
            any(&filter.rigs),
            any(&filter.categories),
            at,
            text_or_null(escalation_id),
            i64::try_from(filter.limit).unwrap_or(i64::MAX),
            i64::try_from(filter.offset).unwrap_or(i64::MAX),
        ],
    )
}

const SELECT_COUNT: &str = "
select count(*) as total
from escalations
where (?1 is null or state in (select value from json_each(?1)))
  and (?2 is null or severity in (select value from json_each(?2)))
  and (?3 is null or rig_id in (select value from json_each(?3)))
  and (?4 is null or category in (select value from json_each(?4)))";

/// How many the same filters let through.
pub fn count(sql: &impl Sql, filter: &EscalationFilter) -> Result<u32, SqlError> {
    #[derive(Deserialize)]
    struct CountRow {
        total: u32,
    }
    let severities: Vec<i64> = filter.severities.iter().map(|severity| level(*severity)).collect();
    let of = params![any(&filter.states), any(&severities), any(&filter.rigs), any(&filter.categories)];
    Ok(sql.first::<CountRow>(SELECT_COUNT, of)?.map_or(0, |row| row.total))
}

const UPSERT: &str = "
insert into escalations (
  escalation_id, dedup_key, severity, category, code, title, message, rig_id, bead_id, agent_id,
  assignment_id, convoy_id, choices, metadata, replies, raised_by, raised_by_name, count, state, raises,
  next_raise_at, told, created_at, updated_at, closed_at, closed_by, version
)
values (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)
on conflict (escalation_id) do update set
  dedup_key = excluded.dedup_key,
  severity = excluded.severity,
  category = excluded.category,
  code = excluded.code,
  title = excluded.title,
  message = excluded.message,
  rig_id = excluded.rig_id,
  bead_id = excluded.bead_id,
  agent_id = excluded.agent_id,
  assignment_id = excluded.assignment_id,
  convoy_id = excluded.convoy_id,
  choices = excluded.choices,
  metadata = excluded.metadata,
  replies = excluded.replies,
  raised_by = excluded.raised_by,
  raised_by_name = excluded.raised_by_name,
  count = excluded.count,
  state = excluded.state,
  raises = excluded.raises,
  next_raise_at = excluded.next_raise_at,
  told = excluded.told,
  updated_at = excluded.updated_at,
  created_at = excluded.created_at,
  closed_at = excluded.closed_at,
  closed_by = excluded.closed_by,
  version = excluded.version";

/// Writes the row.
pub(super) fn put(sql: &impl Sql, escalation: &Escalation) -> Result<(), SqlError> {
    sql.run(
        UPSERT,
        params![
            text(escalation.escalation_id),
            &escalation.dedup_key,
            level(escalation.severity),
            &escalation.category,
            &escalation.code,
            &escalation.title,
            &escalation.message,
            text_or_null(escalation.rig_id),
            text_or_null(escalation.bead_id),
            text_or_null(escalation.agent_id),
            text_or_null(escalation.assignment_id),
            text_or_null(escalation.convoy_id),
            json(&escalation.choices),
            json(&escalation.metadata),
            json(&escalation.replies),
            &escalation.raised_by,
            &escalation.raised_by_name,
            escalation.count,
            text(escalation.state),
            escalation.raises,
            escalation.next_raise_at,
            escalation.told.map(level),
            escalation.created_at,
            escalation.updated_at,
            escalation.closed_at,
            &escalation.closed_by,
            escalation.version,
        ],
    )
}

/// The number that SQL keeps, so that the loudest sort last.
const fn level(severity: Severity) -> i64 {
    severity as i64
}

/// The severity that SQL kept; the table's check allows no other number, and a loud one cannot be overlooked.
fn severity(level: i64) -> Severity {
    usize::try_from(level).ok().and_then(|level| Severity::ALL.get(level).copied()).unwrap_or(Severity::Critical)
}

fn read(sql: &impl Sql, statement: &str, params: &[Value]) -> Result<Vec<Escalation>, SqlError> {
    let rows: Vec<EscalationRow> = sql.rows(statement, params)?;
    Ok(rows.into_iter().map(Escalation::from).collect())
}

impl From<EscalationRow> for Escalation {
    fn from(row: EscalationRow) -> Self {
        Self {
            escalation_id: row.escalation_id,
            dedup_key: row.dedup_key,
            severity: severity(row.severity),
            category: row.category,
            code: row.code,
            title: row.title,
            message: row.message,
            rig_id: row.rig_id,
            bead_id: row.bead_id,
            agent_id: row.agent_id,
            assignment_id: row.assignment_id,
            convoy_id: row.convoy_id,
            choices: row.choices.0,
            metadata: row.metadata.0,
            replies: row.replies.0,
            raised_by: row.raised_by,
            raised_by_name: row.raised_by_name,
            count: row.count,
            state: row.state,
            raises: row.raises,
            next_raise_at: row.next_raise_at.map(|at| at.0),
            told: row.told.map(severity),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            closed_at: row.closed_at.map(|at| at.0),
            closed_by: row.closed_by,
            version: row.version,
        }
    }
}
