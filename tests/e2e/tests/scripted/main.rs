//! The rules over HTTP: real workerd with its Durable Objects, a scripted runtime in place of agents, and town time that
//! runs faster. What needs hours, refusals of the runtime, or callbacks out of order is shown here; that agents really
//! work is shown by the end-to-end tests.
//!
//! One program with a `main` of its own, because its tests share one running stack and run side by side, each in its own
//! town. A test that ends a life of the runtime, which all towns would notice, has a stack to itself.

mod access;
mod convoys;
mod credentials;
mod dispatch;
mod document;
mod input;
mod messages;
mod older_clients;
mod reviews;
mod runtime;
mod secrets;
mod streams;
mod tokens;
mod world;

use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::world::World;

/// Name and body of a test.
type Test = (&'static str, fn(&World) -> Result<()>);

/// They mostly wait: for town time to pass, and for the Worker.
const THREADS: usize = 4;

const TESTS: &[Test] = &[
    ("failed_starts_are_spaced_and_then_fail_the_bead", dispatch::starts_are_spaced),
    ("credentials_that_are_missing_charge_nobody", dispatch::credentials_are_missing),
    ("the_cap_holds_and_the_most_urgent_goes_first", dispatch::cap_and_order),
    ("a_silent_session_is_lost_and_its_branch_goes_on", dispatch::silent_session),
    ("a_full_runtime_is_asked_again_uncharged", dispatch::full_runtime),
    ("callbacks_of_an_ended_session_change_nothing", dispatch::stale_callbacks),
    ("an_idle_session_is_asked_twice_and_then_ended", dispatch::idle_session),
    ("gates_and_rework_come_before_the_merge", reviews::gates_and_rework),
    ("a_diamond_over_two_rigs_lands_once_in_each", convoys::diamond_lands),
    ("a_failed_task_holds_its_dependents_until_it_is_skipped", convoys::failed_task_is_skipped),
    ("an_aborted_convoy_stops_only_its_own", convoys::abort),
    ("mail_is_delivered_once_and_in_order", messages::mail_is_delivered_once),
    ("a_nudge_is_shown_once", messages::nudge_is_shown_once),
    ("an_escalation_is_answered_into_the_session", messages::escalation_is_answered),
    ("the_budget_of_the_day_stops_work_uncharged", messages::day_budget),
    ("the_budget_of_a_bead_parks_it", messages::bead_budget),
    ("older_clients_find_towns_and_rigs_of_a_user", older_clients::accounts),
    ("older_clients_find_beads", older_clients::beads),
    ("lists_go_on_where_they_stopped", older_clients::cursors),
    ("older_clients_find_agents_and_hooks", older_clients::agents),
    ("older_plugins_find_their_calls", older_clients::agent_calls),
    ("older_clients_find_the_review_queue", older_clients::review_queue),
    ("older_clients_find_escalations_and_the_feed", older_clients::people),
    ("older_clients_find_the_mayor_and_its_tools", older_clients::mayor),
    ("older_runtimes_find_their_calls_and_settings", older_clients::container),
    ("repeats_side_by_side_have_one_effect", older_clients::repeats),
    ("the_guide_is_true", document::guide),
    ("the_api_document_is_valid", document::is_valid),
    ("a_molecule_is_advanced_to_its_end", messages::molecule),
    ("access_ends_with_the_session", tokens::sessions_end),
    ("access_ends_with_the_generation", tokens::generation_rises),
    ("access_of_the_runtime_is_refreshed", tokens::container_token_is_refreshed),
];

/// What is long, or counts by the minute: run with `--include-ignored`.
const ON_REQUEST: &[Test] = &[
    ("access_ends_at_the_border_of_a_town", access::ids_of_another_town),
    ("access_by_a_ticket_is_given_once", streams::tickets_are_used_once),
    ("access_to_a_stream_ends", streams::streams_end),
    ("access_to_streams_is_counted", streams::streams_are_counted),
    ("secrets_go_in_and_do_not_come_out", secrets::stay_hidden),
    ("input_of_any_kind_is_answered_and_what_is_refused_is_not_kept", input::is_never_our_fault),
];

const ALONE: &[Test] = &[
    // They compare all that a person sees, other tests' towns included.
    ("access_of_every_route_to_every_credential", access::every_cell),
    ("a_new_runtime_evicts_uncharged", dispatch::new_runtime),
    ("the_api_is_as_documented", document::is_kept),
    ("a_drain_starts_nothing_and_costs_nothing", dispatch::drain),
];

const IN_REAL_TIME: &[Test] = &[("access_of_the_hasty_is_slowed", tokens::the_hasty_are_slowed)];

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let shared = Arc::new(World::new());
    let together = TESTS.iter().map(|&(name, test)| {
        let world = Arc::clone(&shared);
        Trial::test(name, move || world.run(test).map_err(Failed::from))
    });
    let alone =
        ALONE.iter().map(|&(name, test)| Trial::test(name, move || World::new().run(test).map_err(Failed::from)));
    let on_request = ON_REQUEST.iter().map(|&(name, test)| {
        let world = Arc::clone(&shared);
        Trial::test(name, move || world.run(test).map_err(Failed::from)).with_ignored_flag(true)
    });
    let timed = IN_REAL_TIME.iter().map(|&(name, test)| {
        Trial::test(name, move || World::in_real_time().run(test).map_err(Failed::from)).with_ignored_flag(true)
    });
    let conclusion = libtest_mimic::run(&arguments, together.chain(on_request).chain(alone).chain(timed).collect());
    drop(shared);
    conclusion.exit();
}
