//! What charts and bills read of a rig: events by bucket, assignments of a window, spend by who or what.

use gastown_core::session::Usage;
use gastown_core::time::Timestamp;
use gastown_core::wire::api::metrics::{Happened, RigFigures, Span, SpentBy, Window};
use serde::{Deserialize, Serialize};

use crate::params;
use crate::sql::row::Ms;
use crate::sql::{Sql, SqlError};

/// Assignments of one window: more than a chart can tell apart.
const SPANS_MAX: u32 = 5_000;

const SELECT_HAPPENED: &str = "
    select (at - ?1) / ?2 as bucket, type as kind,
           case when type in ('status_changed', 'attempt_ended') then coalesce(new, '') else '' end as new,
           count(*) as count
    from events
    where at >= ?1
    group by 1, 2, 3";

const SELECT_SPANS: &str = "
    select kind in ('review', 'landing') as is_review, queued_at, started_at, ended_at, tokens_in, tokens_out, cost_micros
    from assignments
    where coalesce(ended_at, ?2) >= ?1
    order by epoch desc
    limit ?3";

#[derive(Deserialize)]
struct SpanRow {
    is_review: bool,
    queued_at: Ms,
    started_at: Option<Ms>,
    ended_at: Option<Ms>,
    tokens_in: u64,
    tokens_out: u64,
    cost_micros: u64,
}

/// What happened in a window, and who worked in it.
pub fn of_window(sql: &impl Sql, window: Window) -> Result<RigFigures, SqlError> {
    let happened: Vec<Happened> = sql.rows(SELECT_HAPPENED, params![window.from, window.bucket_ms])?;
    let spans: Vec<SpanRow> = sql.rows(SELECT_SPANS, params![window.from, window.to, SPANS_MAX])?;
    let span = |row: SpanRow| Span {
        is_review: row.is_review,
        queued_at: row.queued_at.0,
        started_at: row.started_at.map(|at| at.0),
        ended_at: row.ended_at.map(|at| at.0),
        tokens_in: row.tokens_in,
        tokens_out: row.tokens_out,
        cost_micros: row.cost_micros,
    };
    Ok(RigFigures { happened, spans: spans.into_iter().map(span).collect() })
}

/// Spend of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Id of the group.
    pub key: String,
    /// For people.
    pub label: String,
    /// How much.
    pub spent: Usage,
    /// By how many assignments.
    pub assignments: u32,
}

/// One statement for every grouping; the first parameter says which.
const SELECT_SPENT: &str = "
    select
      case ?1
        when 'model' then coalesce(a.model, 'none')
        when 'role' then case when a.kind in ('review', 'landing') then 'refinery'
                              when a.kind = 'triage' then 'triage' else 'polecat' end
        when 'bead' then a.bead_id
        when 'agent' then a.agent_id
        else coalesce(json_extract(a.model_reason, '$.source'), 'none')
      end as key,
      max(case ?1
        when 'bead' then (select title from beads b where b.bead_id = a.bead_id)
        when 'agent' then coalesce((select name from agents g where g.agent_id = a.agent_id), a.agent_id)
      end) as label,
      sum(a.tokens_in) as tokens_in, sum(a.tokens_out) as tokens_out, sum(a.cost_micros) as cost_micros,
      count(*) as assignments
    from assignments a
    where coalesce(a.ended_at, a.queued_at) >= ?2 and coalesce(a.started_at, a.queued_at) < ?3
    group by 1
    order by sum(a.cost_micros) desc, sum(a.tokens_in) desc
    limit 500";

#[derive(Deserialize)]
struct SpentRow {
    key: String,
    label: Option<String>,
    tokens_in: u64,
    tokens_out: u64,
    cost_micros: u64,
    assignments: u32,
}

/// Spend of assignments that were live between two instants, by group.
pub fn spent(sql: &impl Sql, by: SpentBy, from: Timestamp, to: Timestamp) -> Result<Vec<Spent>, SqlError> {
    let rows: Vec<SpentRow> = sql.rows(SELECT_SPENT, params![by.as_str(), from, to])?;
    let group = |row: SpentRow| Spent {
        label: row.label.unwrap_or_else(|| row.key.clone()),
        key: row.key,
        spent: Usage { tokens_in: row.tokens_in, tokens_out: row.tokens_out, cost_micros: row.cost_micros },
        assignments: row.assignments,
    };
    Ok(rows.into_iter().map(group).collect())
}
