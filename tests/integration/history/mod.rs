//! A rig and a town that are busy, and what they keep of everything that is over: as much of it as is asked for. Rows of
//! history are made by SQL (`rig.sql`, `town.sql`), since it takes many; live ones are made by the rules themselves.

pub(crate) mod rig;
pub(crate) mod town;

use gastown::sql::Sql;
use gastown_core::time::Timestamp;

use crate::support::TestSql;

/// When rig and town were last busy.
pub(crate) fn now() -> Timestamp {
    "2026-01-01T00:00:00.000Z".parse().unwrap()
}

/// Runs a script over this many things that are over.
fn fill(sql: &TestSql, count: u32, script: &str) {
    sql.script(CREATE_OVER).unwrap();
    sql.run(FILL_OVER, &[count.into()]).unwrap();
    sql.atomically(|| sql.script(script)).unwrap();
    sql.script("drop table over").unwrap();
}

/// One row for everything that is over: its number, its id, the id before, and a convoy's.
const CREATE_OVER: &str = "create temp table over (n integer primary key, id text, before text, convoy text)";
const FILL_OVER: &str = "
insert into over
with recursive up (n) as (select 1 union all select n + 1 from up where n < ?1)
select n,
       printf('%08x-0000-4000-8000-%012x', n, n),
       printf('%08x-0000-4000-8000-%012x', n - 1, n - 1),
       printf('c0000000-0000-4000-8000-%012x', n)
from up";
