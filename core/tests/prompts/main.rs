//! Every text that agents read, as golden files: a change of wording is a readable diff.
//! `UPDATE_EXPECT=1 cargo test -p gastown-core --test prompts` renews them.

mod inputs;
mod rules;

use std::time::Duration;

use expect_test::{ExpectFile, expect_file};
use gastown_core::prompt::message::{self, Budget, Finish, Sender};
use gastown_core::prompt::{order, role};

use inputs::*;

fn check(text: &str, golden: ExpectFile) {
    golden.assert_eq(&format!("{text}\n"));
}

#[test]
fn roles() {
    check(&role::polecat(&polecat(), N), expect_file!["golden/role_polecat.md"]);
    check(
        &role::polecat(&role::Polecat { gates: &[], custom: Some(" "), ..polecat() }, N),
        expect_file!["golden/role_polecat_bare.md"],
    );
    check(&role::refinery(&refinery(), N), expect_file!["golden/role_refinery.md"]);
    check(
        &role::refinery(&role::Refinery { scope: role::Scope::Landing, ..refinery() }, N),
        expect_file!["golden/role_refinery_landing.md"],
    );
    check(&role::triage(&triage(), N), expect_file!["golden/role_triage.md"]);
    check(&role::mayor(&mayor(&rigs()), N), expect_file!["golden/role_mayor.md"]);
    check(&role::mayor(&role::Mayor { custom: None, ..mayor(&[]) }, N), expect_file!["golden/role_mayor_bare.md"]);
}

#[test]
fn first_messages() {
    check(&order::work(&work(), N), expect_file!["golden/work.md"]);
    check(
        &order::work(&order::Work { predecessors: &[], left: order::Left::default(), ..work() }, N),
        expect_file!["golden/work_bare.md"],
    );
    check(&order::rework(&rework(&files()), N), expect_file!["golden/rework.md"]);
    check(&order::conflict(&conflict(&files()), N), expect_file!["golden/conflict.md"]);
    check(&order::feedback(&feedback(), N), expect_file!["golden/feedback.md"]);
    check(&order::fixup(&fixup(), N), expect_file!["golden/fixup.md"]);
    check(&order::review(&review(), N), expect_file!["golden/review.md"]);
    check(
        &order::review(&order::Review { summary: None, gates: &[], earlier: &[], ..review() }, N),
        expect_file!["golden/review_bare.md"],
    );
    check(&order::landing(&landing(), N), expect_file!["golden/landing.md"]);
    check(&order::triage(BEAD, &[triage_request()], N), expect_file!["golden/triage.md"]);
}

#[test]
fn messages() {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let senders = [
        Sender::Agent { name: "Maple", agent_id: AGENT },
        Sender::AgentOfRig { name: "Maple", agent_id: AGENT, rig_id: RIG },
        Sender::Mayor,
        Sender::Person { name: "Ada" },
        Sender::System,
    ];
    let mut all = vec![
        ("idle, first", message::idle_first(Finish::Work)),
        ("idle, second", message::idle_second(Finish::Review, Duration::from_secs(120))),
        ("silence", message::silence(Finish::Work, minutes(15))),
        ("silence, urgent", message::silence_urgent(Finish::Review, minutes(60), minutes(60))),
        (
            "person",
            message::person(&message::Person { author: "Ada", text: "Add a function that…", ui_context: None }, N),
        ),
        (
            "person, looking at a bead",
            message::person(
                &message::Person { author: "Ada", text: "Why is this waiting?", ui_context: Some("page: beads") },
                N,
            ),
        ),
        ("nudge", message::nudge("Maple (of this rig)", "The tests need a database.", N)),
        ("answer to an escalation", message::answer("Ada", "Use the test database.", N)),
        ("interrupted", message::interrupted()),
        ("interrupted mayor", message::interrupted_mayor()),
        ("continued", message::continued("the gateway was overloaded")),
        ("wrap up, bead", message::wrap_up(Budget::Bead, minutes(3), Finish::Work)),
        ("wrap up, convoy", message::wrap_up(Budget::Convoy, minutes(3), Finish::Triage)),
        ("wrap up, town", message::wrap_up(Budget::TownDay, minutes(3), Finish::Review)),
        ("drain", message::drain(Duration::from_secs(200), Finish::Work)),
        ("history", message::history(&conversation(), N)),
    ];
    for sender in senders {
        all.push(("mail", message::mail(sender, "Shared types", "I moved `Total` to src/total.rs.", N)));
    }
    let text: Vec<String> = all.iter().map(|(name, text)| format!("# {name}\n\n{text}\n")).collect();
    check(text.join("\n").trim_end(), expect_file!["golden/messages.md"]);
}
