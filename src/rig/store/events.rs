//! Table `events`: the audit log.

use gastown_core::id::{AgentId, AssignmentId, BeadId};
use gastown_core::limits::EVENTS_MAX;
use gastown_core::rig::plan::EventRow;
use gastown_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json, text_or_null};

/// A bead that was deleted gets no new history.
const APPEND: &str = "
    insert into events (at, type, bead_id, agent_id, assignment_id, actor, rule, old, new, data)
    values (?, ?, (select bead_id from beads where bead_id = ?), ?, ?, ?, ?, ?, ?, ?)";

/// Newest first; every filter that is null lets everything through.
const SELECT: &str = "
    select seq, at, type, bead_id, agent_id, assignment_id, actor, rule, old, new, data,
           (select title from beads b where b.bead_id = events.bead_id) as title
    from events
    where (?1 is null or bead_id = ?1)
      and (?2 is null or agent_id = ?2)
      and (?3 is null or at >= ?3)
      and (?4 is null or seq < ?4)
    order by seq desc
    limit ?5";

/// Newest first, of the kinds that stand in one text, parted by blanks.
const SELECT_KINDS: &str = "
    select seq, at, type, bead_id, agent_id, assignment_id, actor, rule, old, new, data,
           (select title from beads b where b.bead_id = events.bead_id) as title
    from events
    where instr(' ' || ?1 || ' ', ' ' || type || ' ') > 0
      and (?2 is null or at >= ?2)
    order by seq desc
    limit ?3";

/// The log is a ring (domain.md 6.3): whatever is beyond its size goes when a row comes. Numbers have no gaps but those
/// of deleted beads.
const TRIM: &str = "delete from events where seq <= (select max(seq) from events) - ?";

/// One row of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logged {
    /// Number in the rig.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: String,
    /// About this bead.
    pub bead_id: Option<BeadId>,
    /// About this agent.
    pub agent_id: Option<AgentId>,
    /// About this assignment.
    pub assignment_id: Option<AssignmentId>,
    /// Who.
    pub actor: String,
    /// Which rule did it.
    pub rule: Option<String>,
    /// Before.
    pub old: Option<String>,
    /// After.
    pub new: Option<String>,
    /// More.
    pub data: Value,
    /// The bead's title.
    pub title: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    seq: u64,
    at: Ms,
    #[serde(rename = "type")]
    kind: String,
    bead_id: Option<BeadId>,
    agent_id: Option<AgentId>,
    assignment_id: Option<AssignmentId>,
    actor: String,
    rule: Option<String>,
    old: Option<String>,
    new: Option<String>,
    data: Json<Value>,
    title: Option<String>,
}

/// Adds a row.
pub(super) fn append(sql: &impl Sql, rule: &str, event: &EventRow) -> Result<(), SqlError> {
    sql.run(
        APPEND,
        &[
            event.at.into(),
            event.kind.into(),
            text_or_null(event.bead_id),
            text_or_null(event.agent_id),
            text_or_null(event.assignment_id),
            (&event.actor).into(),
            rule.into(),
            event.old.clone().into(),
            event.new.clone().into(),
            json(&event.data),
        ],
    )?;
    sql.run(TRIM, &[i64::try_from(EVENTS_MAX).unwrap_or(i64::MAX).into()])
}

/// A page of the log, newest first.
pub fn list(
    sql: &impl Sql,
    bead_id: Option<BeadId>,
    agent_id: Option<AgentId>,
    since: Option<Timestamp>,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<Logged>, SqlError> {
    let rows: Vec<Row> =
        sql.rows(SELECT, &[text_or_null(bead_id), text_or_null(agent_id), since.into(), before.into(), limit.into()])?;
    Ok(rows.into_iter().map(Logged::from).collect())
}

/// The newest rows of some kinds.
pub fn of_kinds(sql: &impl Sql, kinds: &str, since: Option<Timestamp>, limit: u32) -> Result<Vec<Logged>, SqlError> {
    let rows: Vec<Row> = sql.rows(SELECT_KINDS, &[kinds.into(), since.into(), limit.into()])?;
    Ok(rows.into_iter().map(Logged::from).collect())
}

impl From<Row> for Logged {
    fn from(row: Row) -> Self {
        Self {
            seq: row.seq,
            at: row.at.0,
            kind: row.kind,
            bead_id: row.bead_id,
            agent_id: row.agent_id,
            assignment_id: row.assignment_id,
            actor: row.actor,
            rule: row.rule,
            old: row.old,
            new: row.new,
            data: row.data.0,
            title: row.title,
        }
    }
}
