//! Who changed what. Settings are shown as the API shows them: a secret is its mask.

use gastown_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as JsonValue};

use crate::params;
use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, any, json};

/// What was changed.
pub(super) struct Change<'a> {
    /// By whom.
    pub(super) actor: &'a str,
    /// What was done.
    pub(super) action: &'a str,
    /// To what.
    pub(super) target: &'a str,
    /// The keys that differ.
    pub(super) keys: &'a [String],
}

/// One row of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredChange {
    /// Number in the town, growing.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub target: String,
    /// Which request.
    pub request_id: String,
    /// Old and new value by key.
    pub changes: Map<String, JsonValue>,
}

/// Which rows a list shows; what is absent asks for nothing in particular.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFilter {
    /// By one of these.
    pub actors: Vec<String>,
    /// One of these operations.
    pub actions: Vec<String>,
    /// Since then.
    pub since: Option<Timestamp>,
    /// Below this number.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: u32,
}

#[derive(Deserialize)]
struct AuditRow {
    seq: u64,
    at: Ms,
    actor: String,
    action: String,
    target: String,
    request_id: String,
    changes: Json<JsonValue>,
}

const SELECT_PAGE: &str = "
select *
from audit
where (?1 is null or actor in (select value from json_each(?1)))
  and (?2 is null or action in (select value from json_each(?2)))
  and (?3 is null or at >= ?3)
  and (?4 is null or seq < ?4)
order by seq desc
limit ?5";

/// A part of the log, newest first.
pub fn page(sql: &impl Sql, filter: &AuditFilter) -> Result<Vec<StoredChange>, SqlError> {
    let rows: Vec<AuditRow> = sql.rows(
        SELECT_PAGE,
        params![any(&filter.actors), any(&filter.actions), filter.since, filter.before, filter.limit],
    )?;
    Ok(rows.into_iter().map(StoredChange::from).collect())
}

const INSERT: &str = "
insert into audit (at, actor, action, target, request_id, changes)
values (?, ?, ?, ?, '', ?)";

/// Adds a row.
pub(super) fn add(sql: &impl Sql, at: Timestamp, change: &Change<'_>) -> Result<(), SqlError> {
    sql.run(INSERT, params![at, change.actor, change.action, change.target, json(&change.keys)])
}

const INSERT_NOTE: &str = "
insert into audit (at, actor, action, target, request_id, changes)
values (?, ?, ?, ?, ?, '{}')";

/// Adds a row about an operation that changed no settings, or that only read.
pub fn note(
    sql: &impl Sql,
    at: Timestamp,
    actor: &str,
    action: &str,
    target: &str,
    request_id: &str,
) -> Result<(), SqlError> {
    sql.run(INSERT_NOTE, params![at, actor, action, target, request_id])
}

const UPDATE_NEWEST: &str = "
update audit
set changes = ?, request_id = ?
where seq = (select max(seq) from audit)";

/// Completes the row that was just written with the values.
pub fn complete(sql: &impl Sql, changes: &Map<String, JsonValue>, request_id: &str) -> Result<(), SqlError> {
    sql.run(UPDATE_NEWEST, params![json(changes), request_id])
}

impl From<AuditRow> for StoredChange {
    fn from(row: AuditRow) -> Self {
        let changes = match row.changes.0 {
            JsonValue::Object(changes) => changes,
            // A row without values names its keys only.
            JsonValue::Array(keys) => {
                keys.iter().filter_map(|key| Some((key.as_str()?.to_owned(), JsonValue::Null))).collect()
            }
            JsonValue::Null | JsonValue::Bool(_) | JsonValue::Number(_) | JsonValue::String(_) => Map::new(),
        };
        Self {
            seq: row.seq,
            at: row.at.0,
            actor: row.actor,
            action: row.action,
            target: row.target,
            request_id: row.request_id,
            changes,
        }
    }
}
