//! Table `usage`: what the rig has spent, by day and by convoy.

use gastown_core::id::ConvoyId;
use gastown_core::protocol::Spending;
use gastown_core::rig::usage::{DAYS_KEPT, Scope};
use gastown_core::session::Usage;
use serde::Deserialize;

use crate::sql::{Sql, SqlError};

const SELECT_LIVE: &str = "
    select scope, tokens_in, tokens_out, cost_micros
    from usage
    where scope in (select scope from usage where scope between 'day:' and 'day;' order by scope desc limit ?)
       or scope in (select 'convoy:' || convoy_id from beads
                    where convoy_id is not null and status in ('open', 'in_progress', 'in_review'))";
const SELECT_ONE: &str = "
    select scope, tokens_in, tokens_out, cost_micros
    from usage
    where scope = ?";
const PUT: &str = "
    insert into usage (scope, tokens_in, tokens_out, cost_micros)
    values (?, ?, ?, ?)
    on conflict (scope) do update set
      tokens_in = max(tokens_in, excluded.tokens_in),
      tokens_out = max(tokens_out, excluded.tokens_out),
      cost_micros = max(cost_micros, excluded.cost_micros)";

#[derive(Deserialize)]
struct Row {
    scope: String,
    tokens_in: u64,
    tokens_out: u64,
    cost_micros: u64,
}

impl Row {
    const fn spent(&self) -> Usage {
        Usage { tokens_in: self.tokens_in, tokens_out: self.tokens_out, cost_micros: self.cost_micros }
    }
}

/// The newest days, and convoys with live beads.
pub(super) fn live(sql: &impl Sql) -> Result<Spending, SqlError> {
    let rows: Vec<Row> = sql.rows(SELECT_LIVE, &[(DAYS_KEPT as u64).into()])?;
    let mut spending = Spending::default();
    for row in rows {
        let spent = row.spent();
        match row.scope.split_once(':') {
            Some(("day", day)) => drop(spending.days.insert(day.to_owned(), spent)),
            // A row whose scope cannot be read counts for nobody.
            Some((_, convoy_id)) => spending.convoys.extend(convoy_id.parse().ok().map(|id| (id, spent))),
            None => (),
        }
    }
    Ok(spending)
}

/// What a convoy has spent, live or not.
pub(super) fn of_convoy(sql: &impl Sql, convoy_id: ConvoyId) -> Result<Option<Usage>, SqlError> {
    let rows: Vec<Row> = sql.rows(SELECT_ONE, &[format!("convoy:{convoy_id}").into()])?;
    Ok(rows.first().map(Row::spent))
}

/// Inserts or replaces a total; one that is kept never falls.
pub(super) fn put(sql: &impl Sql, scope: &Scope, spent: Usage) -> Result<(), SqlError> {
    let scope = match scope {
        Scope::Day(day) => format!("day:{day}"),
        Scope::Convoy(convoy_id) => format!("convoy:{convoy_id}"),
    };
    sql.run(PUT, &[scope.into(), spent.tokens_in.into(), spent.tokens_out.into(), spent.cost_micros.into()])
}
