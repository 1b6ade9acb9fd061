//! Who changed which settings. Values do not get here, only the names of the keys.

use gastown_core::time::Timestamp;
use serde::Deserialize;

use crate::params;
use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json};

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
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// The keys that differ.
    pub keys: Vec<String>,
}

#[derive(Deserialize)]
struct AuditRow {
    seq: u64,
    at: Ms,
    actor: String,
    action: String,
    target: String,
    changes: Json<Vec<String>>,
}

const SELECT_NEWEST: &str = "
select *
from audit
where (?1 is null or seq < ?1)
order by seq desc
limit ?2";

/// The newest rows, newest first; below a number when it is given.
pub fn newest(sql: &impl Sql, before: Option<u64>, limit: usize) -> Result<Vec<StoredChange>, SqlError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<AuditRow> = sql.rows(SELECT_NEWEST, params![before, limit])?;
    Ok(rows.into_iter().map(StoredChange::from).collect())
}

const INSERT: &str = "
insert into audit (at, actor, action, target, request_id, changes)
values (?, ?, ?, ?, '', ?)";

/// Adds a row.
pub(super) fn add(sql: &impl Sql, at: Timestamp, change: &Change<'_>) -> Result<(), SqlError> {
    sql.run(INSERT, params![at, change.actor, change.action, change.target, json(&change.keys)])
}

impl From<AuditRow> for StoredChange {
    fn from(row: AuditRow) -> Self {
        Self {
            seq: row.seq,
            at: row.at.0,
            actor: row.actor,
            action: row.action,
            target: row.target,
            keys: row.changes.0,
        }
    }
}
