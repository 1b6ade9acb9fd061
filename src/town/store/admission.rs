//! What admission looks at: the breaker with the failures of its window, the budget of the day, the totals of spend, and
//! the runtime's sleep.

use gastown_core::sorted::SortedMap;

use gastown_core::breaker::{Breaker, BreakerState};
use gastown_core::id::{ConvoyId, RigId};
use gastown_core::limits::BREAKER_TOWN_WINDOW;
use gastown_core::session::Usage;
use gastown_core::time::Timestamp;
use gastown_core::town::state::{ALL_TIME, DayBudget, Runtime, Spender};
use serde::{Deserialize, Serialize};

use crate::params;
use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json, text, text_or_null};

#[derive(Deserialize)]
struct BreakerRow {
    state: BreakerState,
    until: Option<Ms>,
    reason: Option<Json<Reason>>,
}

/// Why it opened.
#[derive(Serialize, Deserialize)]
struct Reason {
    code: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct AtRow {
    at: Ms,
}

const SELECT_BREAKER: &str = "select state, until, reason from breaker";
const SELECT_FAILURES: &str = "select at from start_failures order by seq";

/// The breaker; closed before anything failed.
pub(super) fn breaker(sql: &impl Sql) -> Result<Breaker, SqlError> {
    let failures: Vec<AtRow> = sql.rows(SELECT_FAILURES, &[])?;
    let failures = failures.into_iter().map(|row| row.at.0).collect();
    let row: Option<BreakerRow> = sql.first(SELECT_BREAKER, &[])?;
    Ok(match row {
        Some(row) => {
            let (code, message) = row.reason.map_or((None, None), |Json(reason)| (reason.code, reason.message));
            Breaker { state: row.state, until: row.until.map(|at| at.0), code, message, failures }
        }
        None => Breaker { failures, ..Breaker::default() },
    })
}

const UPSERT_BREAKER: &str = "
insert into breaker (only_row, state, until, reason, announced)
values (1, ?, ?, ?, ?)
on conflict (only_row) do update set
  state = excluded.state,
  until = excluded.until,
  reason = excluded.reason,
  announced = excluded.announced";

const DELETE_FAILURES: &str = "delete from start_failures";

/// Writes the row; a breaker without failures forgets those that were counted.
pub(super) fn put_breaker(sql: &impl Sql, breaker: &Breaker) -> Result<(), SqlError> {
    if breaker.failures.is_empty() {
        sql.run(DELETE_FAILURES, &[])?;
    }
    let reason = Reason { code: breaker.code.clone(), message: breaker.message.clone() };
    let is_announced = breaker.state != BreakerState::Closed;
    sql.run(UPSERT_BREAKER, params![breaker.state.as_str(), breaker.until, json(&reason), is_announced])
}

const DELETE_OLD_FAILURES: &str = "delete from start_failures where at <= ?";
const INSERT_FAILURE: &str = "insert into start_failures (rig_id, at, code) values (?, ?, ?)";

/// Adds one failure and forgets those that left the window.
pub(super) fn add_failure(sql: &impl Sql, rig_id: Option<RigId>, at: Timestamp, code: &str) -> Result<(), SqlError> {
    sql.run(DELETE_OLD_FAILURES, params![at - BREAKER_TOWN_WINDOW])?;
    sql.run(INSERT_FAILURE, params![text_or_null(rig_id), at, code])
}

#[derive(Deserialize)]
struct DayRow {
    day: String,
    warned: bool,
    reached: bool,
}

const SELECT_DAY: &str = "select day, warned, reached from day_budget";

/// What was said about the budget of a day.
pub(super) fn day_budget(sql: &impl Sql) -> Result<DayBudget, SqlError> {
    let row: Option<DayRow> = sql.first(SELECT_DAY, &[])?;
    let budget = |row: DayRow| DayBudget { day: row.day, is_warned: row.warned, is_reached: row.reached };
    Ok(row.map(budget).unwrap_or_default())
}

const UPSERT_DAY: &str = "
insert into day_budget (only_row, day, warned, reached)
values (1, ?, ?, ?)
on conflict (only_row) do update set
  day = excluded.day,
  warned = excluded.warned,
  reached = excluded.reached";

/// Writes the row.
pub(super) fn put_day_budget(sql: &impl Sql, budget: &DayBudget) -> Result<(), SqlError> {
    sql.run(UPSERT_DAY, params![&budget.day, budget.is_warned, budget.is_reached])
}

#[derive(Deserialize)]
struct UsageRow {
    day: String,
    scope: String,
    tokens_in: u64,
    tokens_out: u64,
    cost_micros: u64,
}

const SELECT_USAGE: &str = "
select day, scope, tokens_in, tokens_out, cost_micros
from usage
where day = (select max(day) from usage where day < 'all')
union all
select day, scope, tokens_in, tokens_out, cost_micros
from convoys cross join usage on day = 'all'
  and scope between 'convoy:' || convoy_id || ':' and 'convoy:' || convoy_id || ';'
where state in ('staged', 'active', 'landing')";

/// The totals that rules look at: of the newest day, and of live convoys.
pub(super) fn usage(sql: &impl Sql) -> Result<SortedMap<(String, Spender), Usage>, SqlError> {
    let rows: Vec<UsageRow> = sql.rows(SELECT_USAGE, &[])?;
    Ok(rows.into_iter().filter_map(total).collect())
}

/// A total with its day and whose it is.
pub type Total = ((String, Spender), Usage);

const SELECT_DAYS: &str = "
select day, scope, tokens_in, tokens_out, cost_micros
from usage
where day >= ?1 and day <= ?2 and day <> 'all'
order by day, scope";

/// Totals by day, for people.
pub fn days(sql: &impl Sql, from: &str, to: &str) -> Result<Vec<Total>, SqlError> {
    let rows: Vec<UsageRow> = sql.rows(SELECT_DAYS, params![from, to])?;
    Ok(rows.into_iter().filter_map(total).collect())
}

const SELECT_BY_CONVOY: &str = "
select day, scope, tokens_in, tokens_out, cost_micros
from usage
where day = 'all'
order by scope";

/// Totals of every convoy, live or not, for people.
pub fn by_convoy(sql: &impl Sql) -> Result<Vec<Total>, SqlError> {
    let rows: Vec<UsageRow> = sql.rows(SELECT_BY_CONVOY, &[])?;
    Ok(rows.into_iter().filter_map(total).collect())
}

const SELECT_OF_CONVOY: &str = "
select day, scope, tokens_in, tokens_out, cost_micros
from usage
where day = 'all' and scope between 'convoy:' || ?1 || ':' and 'convoy:' || ?1 || ';'";

/// What a convoy, live or not, has spent in all its rigs.
pub(super) fn spent_by_convoy(sql: &impl Sql, convoy_id: ConvoyId) -> Result<Usage, SqlError> {
    let rows: Vec<UsageRow> = sql.rows(SELECT_OF_CONVOY, &[text(convoy_id)])?;
    Ok(rows.into_iter().filter_map(total).map(|(_, spent)| spent).fold(Usage::default(), Usage::plus))
}

const UPSERT_USAGE: &str = "
insert into usage (day, scope, tokens_in, tokens_out, cost_micros)
values (?, ?, ?, ?, ?)
on conflict (day, scope) do update set
  tokens_in = max(tokens_in, excluded.tokens_in),
  tokens_out = max(tokens_out, excluded.tokens_out),
  cost_micros = max(cost_micros, excluded.cost_micros)";

/// Writes a total; one that is kept never falls.
pub(super) fn put_usage(sql: &impl Sql, day: &str, spender: Spender, spent: Usage) -> Result<(), SqlError> {
    let scope = match spender {
        Spender::Rig(rig_id) => format!("rig:{rig_id}"),
        Spender::Mayor => "mayor".to_owned(),
        Spender::Convoy(convoy_id, rig_id) => format!("convoy:{convoy_id}:{rig_id}"),
    };
    sql.run(UPSERT_USAGE, params![day, scope, spent.tokens_in, spent.tokens_out, spent.cost_micros])
}

/// A row whose scope cannot be read counts for nobody.
fn total(row: UsageRow) -> Option<Total> {
    let mut parts = row.scope.split(':');
    let spender = match (parts.next()?, parts.next(), parts.next()) {
        ("mayor", None, None) => Spender::Mayor,
        ("rig", Some(rig_id), None) => Spender::Rig(rig_id.parse().ok()?),
        ("convoy", Some(convoy_id), Some(rig_id)) => Spender::Convoy(convoy_id.parse().ok()?, rig_id.parse().ok()?),
        _ => return None,
    };
    let spent = Usage { tokens_in: row.tokens_in, tokens_out: row.tokens_out, cost_micros: row.cost_micros };
    Some(((row.day, spender), spent))
}

#[derive(Deserialize)]
struct RuntimeRow {
    awake: bool,
    quiet_since: Option<Ms>,
    stopped_at: Option<Ms>,
    pruned_at: Option<Ms>,
}

const SELECT_RUNTIME: &str = "select awake, quiet_since, stopped_at, pruned_at from runtime";

/// The runtime's sleep.
pub(super) fn runtime(sql: &impl Sql) -> Result<Runtime, SqlError> {
    let row: Option<RuntimeRow> = sql.first(SELECT_RUNTIME, &[])?;
    let runtime = |row: RuntimeRow| Runtime {
        is_awake: row.awake,
        quiet_since: row.quiet_since.map(|at| at.0),
        stopped_at: row.stopped_at.map(|at| at.0),
        pruned_at: row.pruned_at.map(|at| at.0),
    };
    Ok(row.map(runtime).unwrap_or_default())
}

const UPSERT_RUNTIME: &str = "
insert into runtime (only_row, awake, quiet_since, stopped_at, pruned_at)
values (1, ?, ?, ?, ?)
on conflict (only_row) do update set
  awake = excluded.awake,
  quiet_since = excluded.quiet_since,
  stopped_at = excluded.stopped_at,
  pruned_at = excluded.pruned_at";

/// Writes the row.
pub(super) fn put_runtime(sql: &impl Sql, runtime: &Runtime) -> Result<(), SqlError> {
    sql.run(UPSERT_RUNTIME, params![runtime.is_awake, runtime.quiet_since, runtime.stopped_at, runtime.pruned_at])
}

const _: () = assert!(matches!(ALL_TIME.as_bytes(), b"all"), "the statements above name it");
