//! What a wake-up costs (domain.md 14, S113): nothing is read of what is over, nothing is written when there is nothing
//! to do, and a rig without work sleeps. Costs are counted by SQLite, so that these are no timings.

use std::time::Duration;

use gastown::rig::store;
use gastown::sql::migrate;
use gastown_core::models::Catalogue;
use gastown_core::protocol::{Numbered, TownToRig};
use gastown_core::rig::{self, Effect, Event, Planned, State};
use gastown_core::time::Timestamp;

use crate::history::now;
use crate::history::rig::{LIVE, a_rig, busy, close, configure, context, write};
use crate::support::{TestSql, Work};

/// Enough for every index to be worth its use.
const CLOSED: u32 = 3_000;

/// S113.
#[test]
fn a_wake_up_reads_live_rows_only() {
    let (young, old) = (TestSql::migrated(migrate::RIG), TestSql::migrated(migrate::RIG));
    busy(&young);
    busy(&old);
    close(&old, CLOSED);
    assert_eq!(store::beads::count(&old, &store::Filter::default()).unwrap(), LIVE + CLOSED, "history is there");
    let ((young, cost_young), (old, cost_old)) = (wake(&young), wake(&old));
    assert_eq!(young, old);
    assert_eq!(cost_young, cost_old);
}

/// What an alarm after an unload does, and what it costs.
fn wake(sql: &TestSql) -> (State, Work) {
    sql.take_work();
    let state = store::load(sql).unwrap().unwrap();
    let catalogue = Catalogue::load(None).unwrap();
    let planned = rig::plan(state, context(now() + Duration::from_secs(1), &catalogue));
    write(sql, &planned);
    (planned.state, sql.take_work())
}

#[test]
fn a_tick_with_nothing_to_do_writes_nothing_and_reads_nothing() {
    let sql = TestSql::migrated(migrate::RIG);
    busy(&sql);
    let at = now() + Duration::from_secs(1);
    let (state, _) = wake(&sql);
    let last = state.outbox.rows().last().map(|row| row.seq).unwrap();
    let told = observe(&sql, state, at, Event::TownAcknowledged(last));
    sql.take_work();
    let catalogue = Catalogue::load(None).unwrap();
    let planned = rig::plan(told.state, context(at + Duration::from_secs(5), &catalogue));
    write(&sql, &planned);
    assert_eq!((planned.writes, planned.effects), (Vec::new(), Vec::new()));
    assert_eq!(sql.take_work(), Work::default());
}

#[test]
fn a_rig_without_work_sleeps() {
    let sql = TestSql::migrated(migrate::RIG);
    store::create(&sql, &a_rig()).unwrap();
    close(&sql, 100);
    let message = TownToRig::Configure(Box::new(configure()));
    let state = store::load(&sql).unwrap().unwrap();
    let planned = observe(&sql, state, now(), Event::TownSaid(vec![Numbered { seq: 1, message }]));
    let last = planned.state.outbox.rows().last().map(|row| row.seq).unwrap();
    let planned = observe(&sql, planned.state, now(), Event::TownAcknowledged(last));
    assert_eq!(planned.wake_at, None);

    // A call that wakes it after an unload: the Town hears of it again, and then it sleeps again.
    let (state, _) = wake(&sql);
    let last = state.outbox.rows().last().map(|row| row.seq).unwrap();
    let planned = observe(&sql, state, now() + Duration::from_secs(1), Event::TownAcknowledged(last));
    assert_eq!(planned.wake_at, None);
    assert_eq!(planned.effects, Vec::<Effect>::new());
}

fn observe(sql: &TestSql, state: State, at: Timestamp, event: Event) -> Planned {
    let catalogue = Catalogue::load(None).unwrap();
    let (mut planned, _) = rig::observe(state, context(at, &catalogue), vec![event]);
    write(sql, &planned);
    planned.state.forget();
    planned
}
