//! Writes `docs/lifecycles.md` from the transition tables at the head of the modules, as a golden file.

#![expect(clippy::unwrap_used, reason = "writing to a text cannot fail")]

use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};

use expect_test::expect_file;
use gastown_core::rig::{assignment, bead, job, mail, molecule, nudge, pr, review};
use gastown_core::town::{convoy, escalation, mayor, triage};
use gastown_core::{breaker, container};

#[test]
fn lifecycles_are_drawn_from_the_tables() {
    let mut text = String::from(
        "# Lifecycles\n\nDrawn from the transition tables in the code by `core/tests/lifecycles.rs`; `cargo xtask golden` draws them\nanew. What stands in no row does not happen: late, doubled and superseded reports have rows of their own.\n",
    );
    draw(&mut text, "Beads", "core/src/rig/bead.rs", bead::TRANSITIONS);
    draw(&mut text, "Dependencies", "core/src/rig/bead.rs", bead::EDGE_TRANSITIONS);
    draw(&mut text, "Assignments", "core/src/rig/assignment.rs", assignment::TRANSITIONS);
    draw(&mut text, "Slots of assignments", "core/src/rig/assignment.rs", assignment::SLOT_TRANSITIONS);
    draw(&mut text, "Reviews", "core/src/rig/review.rs", review::TRANSITIONS);
    draw(&mut text, "Open pull requests", "core/src/rig/pr.rs", pr::TRANSITIONS);
    draw(&mut text, "Watches of pull requests", "core/src/rig/pr.rs", pr::WATCH_TRANSITIONS);
    draw(&mut text, "Jobs", "core/src/rig/job.rs", job::TRANSITIONS);
    draw(&mut text, "Gate runs", "core/src/rig/job.rs", job::GATE_RUN_TRANSITIONS);
    draw(&mut text, "Mail", "core/src/rig/mail.rs", mail::TRANSITIONS);
    draw(&mut text, "Nudges", "core/src/rig/nudge.rs", nudge::TRANSITIONS);
    draw(&mut text, "Steps of molecules", "core/src/rig/molecule.rs", molecule::TRANSITIONS);
    draw(&mut text, "Breakers", "core/src/breaker.rs", breaker::TRANSITIONS);
    draw(&mut text, "Convoys", "core/src/town/convoy/mod.rs", convoy::TRANSITIONS);
    draw(&mut text, "Tasks of convoys", "core/src/town/convoy/mod.rs", convoy::TASK_TRANSITIONS);
    draw(&mut text, "Landings", "core/src/town/convoy/mod.rs", convoy::LANDING_TRANSITIONS);
    draw(&mut text, "Escalations", "core/src/town/escalation.rs", escalation::TRANSITIONS);
    draw(&mut text, "Triage requests", "core/src/town/triage.rs", triage::TRANSITIONS);
    draw(&mut text, "The mayor's session", "core/src/town/mayor.rs", mayor::TRANSITIONS);
    draw(&mut text, "Messages to the mayor", "core/src/town/mayor.rs", mayor::MESSAGE_TRANSITIONS);
    draw(&mut text, "The runtime", "core/src/container.rs", container::TRANSITIONS);
    expect_file!["../../docs/lifecycles.md"].assert_eq(&text);
}

fn draw<S: Display + Copy>(text: &mut String, title: &str, source: &str, table: &[(S, &str, S)]) {
    writeln!(text, "\n## {title}\n\n[`{source}`](../{source})\n\n```mermaid\nstateDiagram-v2").unwrap();
    let first = table.first().map(|(from, _, _)| from.to_string()).unwrap_or_default();
    writeln!(text, "    [*] --> {first}").unwrap();
    for (from, event, to) in table {
        writeln!(text, "    {from} --> {to}: {}", event.replace([':', ';'], ",")).unwrap();
    }
    let left: BTreeSet<String> =
        table.iter().filter(|(f, _, t)| f.to_string() != t.to_string()).map(|row| row.0.to_string()).collect();
    let reached: BTreeSet<String> = table.iter().map(|(_, _, to)| to.to_string()).collect();
    for last in reached.difference(&left) {
        writeln!(text, "    {last} --> [*]").unwrap();
    }
    text.push_str("```\n");
}
