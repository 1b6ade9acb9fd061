//! What a town's wake-up costs: nothing is read of what is over, nothing is written when there is nothing to do, and a
//! town without work sleeps. Costs are counted by SQLite, so that these are no timings.

use std::time::Duration;

use gastown::sql::{Sql, clear, migrate};
use gastown::town::store;
use gastown_core::town::{Effect, State};

use crate::history::now;
use crate::history::town::{acknowledge, busy, create, land, load, plan};
use crate::support::{TestSql, Work};

/// Enough for every index to be worth its use.
const LANDED: u32 = 1_000;

#[test]
fn a_wake_up_reads_live_rows_only() {
    let (young, old) = (TestSql::migrated(migrate::TOWN), TestSql::migrated(migrate::TOWN));
    busy(&young);
    busy(&old);
    // One convoy, so that looking for more ends at a row in both.
    land(&young, 1);
    land(&old, LANDED);
    let ((young, cost_young), (old, cost_old)) = (wake(&young), wake(&old));
    assert_eq!(young, old);
    assert_eq!(cost_young, cost_old);
}

/// What an alarm after an unload does, and what it costs.
fn wake(sql: &TestSql) -> (State, Work) {
    sql.take_work();
    let planned = plan(sql, load(sql), now() + Duration::from_secs(1));
    (planned.state, sql.take_work())
}

#[test]
fn a_tick_with_nothing_to_do_writes_nothing_and_reads_nothing() {
    let sql = TestSql::migrated(migrate::TOWN);
    busy(&sql);
    wake(&sql);
    acknowledge(&sql);
    let at = now() + Duration::from_secs(5);
    let (state, _) = wake(&sql);
    let planned = plan(&sql, state, at);
    sql.take_work();
    let planned = plan(&sql, planned.state, at + Duration::from_millis(1));
    assert_eq!((planned.writes, planned.effects), (Vec::new(), Vec::new()));
    assert_eq!(sql.take_work(), Work::default());
}

#[test]
fn a_town_without_work_sleeps() {
    let sql = TestSql::migrated(migrate::TOWN);
    create(&sql);
    land(&sql, 100);
    for after in [1, 3600, 86_400] {
        let planned = plan(&sql, load(&sql), now() + Duration::from_secs(after));
        assert_eq!(planned.effects, Vec::<Effect>::new(), "after {after} s");
        assert_eq!(planned.wake_at, None, "after {after} s");
    }
}

/// S103: a deleted town is not found by any later call, whatever it kept, and there is nothing to plan, so that no alarm is set.
#[test]
fn a_deleted_town_leaves_nothing_to_plan() {
    let sql = TestSql::migrated(migrate::TOWN);
    busy(&sql);
    land(&sql, 10);
    sql.atomically(|| clear(&sql)).unwrap();
    assert_eq!(store::load(&sql).unwrap(), None);
    assert_eq!(store::convoys::page(&sql, &[], None, 9).unwrap(), Vec::new());
    assert_eq!(store::mail::page(&sql, None, 9).unwrap(), Vec::new());
    assert_eq!(store::activity::after(&sql, 0, 9).unwrap(), Vec::new());
}
