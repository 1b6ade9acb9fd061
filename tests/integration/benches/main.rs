//! What a wake-up of a rig costs with and without history (domain.md 14, S113): 50 live beads, and none or 50 000 that
//! are closed. `plan` is the decision alone; `wake` is what an alarm after an unload does: open the database, see that
//! its schema is current, load, plan. Each pair is measured in alternation, so that a machine that is busy for a while
//! disturbs both alike. `cargo xtask bench` runs this and compares.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../history/mod.rs"]
mod history;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../support.rs"]
mod support;

use std::path::Path;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion};
use gastown::rig::store;
use gastown::sql::migrate::{RIG, migrate};
use gastown_core::models::Catalogue;
use gastown_core::rig::{self, Planned, State};

use crate::history::{now, rig as a_rig};
use crate::support::TestSql;

/// How often each pair is measured.
const ROUNDS: u32 = 15;

/// Beads that are closed, besides those that are live.
const CLOSED: [u32; 2] = [0, 50_000];

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let files = CLOSED.map(|closed| folder.path().join(format!("closed-{closed}.db")));
    for (file, closed) in files.iter().zip(CLOSED) {
        make(file, closed);
    }
    let states = files.each_ref().map(|file| load(file));
    assert_eq!(states[0], states[1], "what rules look at does not know what is over");

    let mut criterion = Criterion::default()
        .configure_from_args()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(400));
    let catalogue = Catalogue::load(None).unwrap();
    for round in 1..=ROUNDS {
        for (state, closed) in states.iter().zip(CLOSED) {
            criterion.benchmark_group("plan").bench_function(id(closed, round), |bencher| {
                bencher.iter_batched(|| state.clone(), |state| plan(state, &catalogue), BatchSize::SmallInput);
            });
        }
        for (file, closed) in files.iter().zip(CLOSED) {
            criterion.benchmark_group("wake").bench_function(id(closed, round), |bencher| {
                bencher.iter(|| plan(load(file), &catalogue));
            });
        }
    }
}

fn id(closed: u32, round: u32) -> BenchmarkId {
    BenchmarkId::new(format!("closed_{closed}"), round)
}

fn make(file: &Path, closed: u32) {
    let sql = TestSql::open(file);
    migrate(&sql, RIG).unwrap();
    a_rig::busy(&sql);
    a_rig::close(&sql, closed);
}

/// What an object that was unloaded begins with.
fn load(file: &Path) -> State {
    let sql = TestSql::open(file);
    migrate(&sql, RIG).unwrap();
    store::load(&sql).unwrap().unwrap()
}

fn plan(state: State, catalogue: &Catalogue) -> Planned {
    rig::plan(state, a_rig::context(now() + Duration::from_secs(1), catalogue))
}
