//! The feed: the frames of the town channel in one total order (api.md 6.2). Frames are numbered here, in the commit that
//! made them; the newest one is never trimmed, so that no number is used twice.

use std::time::Duration;

use gastown_core::id::{AgentId, BeadId, RigId};
use gastown_core::limits::{EVENTS_KEEP, EVENTS_MAX};
use gastown_core::protocol::Frame;
use gastown_core::time::Timestamp;
use gastown_core::town::plan::EventRow;
use gastown_core::wire::api::event::Event;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;

use crate::params;
use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, any, json, text_or_null};

/// A reader may have been away for a weekend's work, not longer (api.md 6.2).
const FRAMES_KEEP: Duration = Duration::from_secs(48 * 60 * 60);
/// … and not for more than this many changes (api.md 6.2).
const FRAMES_MAX: i64 = 10_000;

/// A frame with its number.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFrame {
    /// Number in the town, growing.
    pub seq: u64,
    /// When it was committed here.
    pub at: Timestamp,
    /// The rig it comes from; absent for the town's own.
    pub rig_id: Option<RigId>,
    /// `bead.updated`, `agent.updated`, `activity`, …
    pub frame: String,
    /// The row's wire shape.
    pub data: JsonValue,
}

/// Which numbers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Range {
    /// The oldest number that is kept; 0 before the first frame.
    pub oldest: u64,
    /// The newest number; 0 before the first frame.
    pub newest: u64,
}

#[derive(Deserialize)]
struct FrameRow {
    seq: u64,
    at: Ms,
    kind: String,
    rig_id: Option<RigId>,
    data: Json<JsonValue>,
}

#[derive(Deserialize)]
struct SeqRow {
    seq: u64,
}

const SELECT_AFTER: &str = "
select *
from activity
where seq > ?
order by seq
limit ?";

/// What came after a number, oldest first.
pub fn after(sql: &impl Sql, seq: u64, limit: usize) -> Result<Vec<StoredFrame>, SqlError> {
    let rows: Vec<FrameRow> = sql.rows(SELECT_AFTER, params![seq, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    Ok(rows.into_iter().map(StoredFrame::from).collect())
}

/// Of all kinds when 1 is `null`, of all rigs when 2 is.
const SELECT_NEWEST: &str = "
select *
from activity
where (?1 is null or kind = ?1)
  and (?2 is null or rig_id = ?2)
  and (?3 is null or seq < ?3)
order by seq desc
limit ?4";

/// The newest frames of one kind, or of all; of one rig, or of all; newest first, below a number when it is given.
pub fn newest(
    sql: &impl Sql,
    kind: Option<&str>,
    rig_id: Option<RigId>,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<StoredFrame>, SqlError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<FrameRow> = sql.rows(SELECT_NEWEST, params![kind, text_or_null(rig_id), before, limit])?;
    Ok(rows.into_iter().map(StoredFrame::from).collect())
}

/// Which events a list shows; what is absent asks for nothing in particular.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFilter {
    /// Of these types.
    pub types: Vec<String>,
    /// About one of these rigs.
    pub rigs: Vec<RigId>,
    /// About one of these beads.
    pub beads: Vec<BeadId>,
    /// About one of these agents.
    pub agents: Vec<AgentId>,
    /// Since then.
    pub since: Option<Timestamp>,
    /// Above this number.
    pub after_seq: Option<u64>,
    /// Below this number.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: u32,
}

const SELECT_EVENTS: &str = "
select *
from activity
where kind = 'activity'
  and (?1 is null or json_extract(data, '$.event_type') in (select value from json_each(?1)))
  and (?2 is null or rig_id in (select value from json_each(?2)))
  and (?3 is null or bead_id in (select value from json_each(?3)))
  and (?4 is null or agent_id in (select value from json_each(?4)))
  and (?5 is null or at >= ?5)
  and (?6 is null or seq > ?6)
  and (?7 is null or seq < ?7)
order by seq desc
limit ?8";

/// A part of the feed, newest first.
pub fn events(sql: &impl Sql, filter: &EventFilter) -> Result<Vec<StoredFrame>, SqlError> {
    let rows: Vec<FrameRow> = sql.rows(
        SELECT_EVENTS,
        params![
            any(&filter.types),
            any(&filter.rigs),
            any(&filter.beads),
            any(&filter.agents),
            filter.since,
            filter.after_seq,
            filter.before,
            filter.limit,
        ],
    )?;
    Ok(rows.into_iter().map(StoredFrame::from).collect())
}

/// The oldest is that of what no trim has touched: rows of the feed are kept longer than the frames between them.
const SELECT_RANGE: &str = "
select coalesce((
         select min(seq)
         from activity
         where at >= ?1 and seq > (select max(seq) from activity) - ?2
       ), (select max(seq) from activity), 0) as oldest,
       coalesce((select max(seq) from activity), 0) as newest";

/// Which numbers can be resumed from at `now`: a reader whose number is older than the oldest has missed something.
pub fn range(sql: &impl Sql, now: Timestamp) -> Result<Range, SqlError> {
    let range = sql.first(SELECT_RANGE, params![now - FRAMES_KEEP, FRAMES_MAX])?;
    Ok(range.unwrap_or(Range { oldest: 0, newest: 0 }))
}

/// Who and about what is copied out of the frame, for people who read the table.
const INSERT: &str = "
insert into activity (at, kind, rig_id, bead_id, agent_id, convoy_id, actor, data)
values (
  ?1, ?2, ?3,
  json_extract(?4, '$.bead_id'),
  json_extract(?4, '$.agent_id'),
  json_extract(?4, '$.convoy_id'),
  coalesce(json_extract(?4, '$.actor.id'), json_extract(?4, '$.actor.kind'), ?5),
  ?4
)
returning seq";

/// Adds a frame and returns it with its number.
pub(super) fn add(
    sql: &impl Sql,
    at: Timestamp,
    rule: &str,
    rig_id: Option<RigId>,
    frame: &Frame,
) -> Result<Option<StoredFrame>, SqlError> {
    let row: Option<SeqRow> =
        sql.first(INSERT, params![at, &frame.frame, text_or_null(rig_id), json(&frame.data), rule])?;
    Ok(row.map(|row| StoredFrame { seq: row.seq, at, rig_id, frame: frame.frame.clone(), data: frame.data.clone() }))
}

/// Adds a row of the town's own feed.
pub(super) fn record(
    sql: &impl Sql,
    at: Timestamp,
    rule: &str,
    event: &EventRow,
) -> Result<Option<StoredFrame>, SqlError> {
    let shape = serde_json::json!(Event::of_town(event, rule, at));
    add(sql, at, rule, event.rig_id, &Frame { frame: "activity".to_owned(), data: shape })
}

const DELETE_FRAMES: &str = "
delete from activity
where kind <> 'activity'
  and (at < ?1 or seq <= (select max(seq) from activity) - ?2)
  and seq < (select max(seq) from activity)";
const DELETE_EVENTS: &str = "
delete from activity
where kind = 'activity'
  and (at < ?1 or seq <= (select seq from activity where kind = 'activity' order by seq desc limit 1 offset ?2))
  and seq < (select max(seq) from activity)";

/// Forgets frames that nobody may resume from any more, and rows of the feed that are older than history is kept.
pub fn trim(sql: &impl Sql, now: Timestamp) -> Result<(), SqlError> {
    sql.run(DELETE_FRAMES, params![now - FRAMES_KEEP, FRAMES_MAX])?;
    sql.run(DELETE_EVENTS, params![now - EVENTS_KEEP, i64::try_from(EVENTS_MAX).unwrap_or(i64::MAX)])
}

impl From<FrameRow> for StoredFrame {
    fn from(row: FrameRow) -> Self {
        Self { seq: row.seq, at: row.at.0, rig_id: row.rig_id, frame: row.kind, data: row.data.0 }
    }
}
