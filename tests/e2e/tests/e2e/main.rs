//! End-to-end tests: real workerd, the real agent runtime, real `kilo serve` processes, real git; a scripted model.
//!
//! They are one program with a `main` of its own, because they share one running stack, which must be ended when they
//! are done. The stack is started by the first test that needs it. Tests run one after the other unless
//! `--test-threads` says otherwise, since two cores carry about four kilo processes; each has its own town, so their
//! order does not matter.

mod edge;
mod main_job;
mod refusals;
mod restarts;
mod rework;
mod stale;
mod support;
mod together;

use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::support::World;

/// One test.
struct Test {
    name: &'static str,
    needs_kilo: bool,
    run: fn(&World) -> Result<()>,
}

/// The last ones kill what the others need alive.
const TESTS: [Test; 10] = [
    Test { name: "bad_inputs_are_refused_as_documented", needs_kilo: false, run: refusals::are_as_documented },
    Test {
        name: "a_sign_in_link_works_once_and_its_session_from_our_pages",
        needs_kilo: false,
        run: edge::signs_in_once,
    },
    Test {
        name: "a_repeated_request_is_answered_from_memory",
        needs_kilo: false,
        run: edge::repeats_are_answered_from_memory,
    },
    Test { name: "a_task_typed_to_the_mayor_becomes_a_merged_commit", needs_kilo: true, run: main_job::is_done },
    Test {
        name: "work_that_the_review_sends_back_is_repaired_and_merged",
        needs_kilo: true,
        run: rework::is_done_once,
    },
    Test { name: "two_polecats_work_side_by_side_and_a_third_task_waits", needs_kilo: true, run: together::is_so },
    Test { name: "a_done_of_an_old_epoch_changes_nothing", needs_kilo: true, run: stale::changes_nothing },
    Test { name: "a_killed_kilo_is_started_again_and_its_work_is_merged", needs_kilo: true, run: restarts::of_kilo },
    Test { name: "a_killed_runtime_costs_an_attempt_but_no_work", needs_kilo: true, run: restarts::of_runtime },
    Test { name: "a_killed_workerd_loses_nothing", needs_kilo: true, run: restarts::of_workerd },
];

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    let world = Arc::new(World::new());
    let without_kilo = support::kilo_is_missing();
    let trials = TESTS.iter().map(|test| {
        let world = Arc::clone(&world);
        let trial = Trial::test(test.name, move || world.run(test.run).map_err(Failed::from));
        trial.with_ignored_flag(test.needs_kilo && without_kilo)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    drop(world);
    conclusion.exit();
}
