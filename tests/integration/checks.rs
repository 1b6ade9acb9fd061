//! Words that a table allows are the words that the core knows: each `check (column in (…))` of the schemas is one text
//! enum.

use std::collections::BTreeMap;

use gastown_core::config::ConvoyMergeMode;
use gastown_core::rig;
use gastown_core::session;
use gastown_core::town::convoy;
use gastown_core::town::state as town;

/// The text forms of an enum.
macro_rules! words {
    ($name:path) => {{
        type Enum = $name;
        Enum::ALL.iter().map(|value| value.as_str()).collect::<Vec<_>>()
    }};
}

/// The enum behind a column: `object.table.column`.
fn enums() -> BTreeMap<&'static str, Vec<&'static str>> {
    // The mayor is the town's: no rig has an assignment of this kind.
    let kinds = words!(session::Kind).into_iter().filter(|kind| *kind != session::Kind::Mayor.as_str()).collect();
    BTreeMap::from([
        ("town.town.account_kind", words!(town::AccountKind)),
        ("town.town.state", words!(town::TownStatus)),
        ("town.rigs.state", words!(town::TownStatus)),
        ("town.mayor.phase", words!(town::MayorPhase)),
        ("town.mayor.activity", words!(town::MayorActivity)),
        ("town.mayor_inbox.source", words!(town::MessageSource)),
        ("town.mayor_inbox.state", words!(town::MessageState)),
        ("town.escalations.state", words!(town::EscalationState)),
        // The core says it with a flag.
        ("town.drain.state", vec!["none", "draining"]),
        ("town.breaker.state", words!(gastown_core::breaker::BreakerState)),
        ("town.triage_requests.state", words!(gastown_core::town::triage::TriageState)),
        // Mail to an agent lies in its rig.
        ("town.mail.to_kind", vec!["mayor", "user"]),
        ("town.mayor_messages.state", words!(town::TurnState)),
        ("town.convoys.state", words!(convoy::ConvoyState)),
        ("town.convoys.merge_mode", words!(ConvoyMergeMode)),
        ("town.convoy_rigs.landing_state", words!(convoy::LandingState)),
        ("town.convoy_tasks.state", words!(convoy::TaskState)),
        ("town.convoy_edges.state", words!(rig::bead::EdgeState)),
        ("town.convoy_edges.told", words!(rig::bead::EdgeState)),
        ("rig.rig.state", words!(rig::state::RigStatus)),
        ("rig.beads.type", words!(rig::bead::BeadType)),
        ("rig.beads.status", words!(rig::bead::BeadStatus)),
        ("rig.beads.outcome", words!(rig::bead::BeadOutcome)),
        ("rig.dependencies.state", words!(rig::bead::EdgeState)),
        ("rig.agents.role", words!(rig::agent::AgentRole)),
        ("rig.assignments.kind", kinds),
        ("rig.assignments.phase", words!(rig::assignment::Phase)),
        ("rig.assignments.step", words!(session::Step)),
        ("rig.assignments.slot", words!(rig::assignment::Slot)),
        ("rig.assignments.pending", words!(rig::assignment::Pending)),
        ("rig.assignments.outcome", words!(rig::assignment::AssignmentOutcome)),
        ("rig.reviews.kind", words!(rig::review::ReviewKind)),
        ("rig.reviews.strategy", words!(rig::review::MergeStrategy)),
        ("rig.reviews.state", words!(rig::review::ReviewState)),
        ("rig.reviews.verdict", words!(rig::review::Verdict)),
        ("rig.gate_runs.result", words!(rig::review::GateRunResult)),
        ("rig.pr_watches.state", words!(rig::pr::WatchState)),
        ("rig.pr_watches.checks", words!(rig::pr::Checks)),
        ("rig.nudges.mode", words!(rig::nudge::NudgeMode)),
        ("rig.nudges.priority", words!(rig::nudge::NudgePriority)),
        ("rig.nudges.state", words!(rig::nudge::NudgeState)),
        ("rig.steps.state", words!(rig::molecule::StepState)),
        ("rig.jobs.kind", words!(session::JobKind)),
        ("rig.jobs.phase", words!(rig::review::JobPhase)),
    ])
}

#[test]
fn a_table_allows_the_words_of_its_enum() {
    let enums = enums();
    let mut checks = checks("town", include_str!("../../migrations/town/schema.sql"));
    checks.extend(self::checks("rig", include_str!("../../migrations/rig/schema.sql")));
    for (column, allowed) in &checks {
        let words = enums.get(column.as_str()).unwrap_or_else(|| panic!("{column} is no enum of the core"));
        assert_eq!(allowed, words, "{column}");
    }
    for column in enums.keys() {
        assert!(checks.contains_key(*column), "{column} is not checked");
    }
}

/// Every column with a list of words, by `object.table.column`. Flags are no words.
fn checks(object: &str, schema: &str) -> BTreeMap<String, Vec<String>> {
    let mut checks = BTreeMap::new();
    for table in schema.split("CREATE TABLE ").skip(1) {
        let name = table.split([' ', '(']).next().unwrap().trim_matches('"');
        let body = table.split("\n\n").next().unwrap();
        for check in body.split("check (").skip(1) {
            let Some((column, rest)) = check.split_once(" in (") else { continue };
            let words = rest.split(')').next().unwrap();
            if column.contains(' ') || !words.contains('\'') {
                continue;
            }
            let words = words.split(',').map(|word| word.trim().trim_matches('\'').to_owned()).collect();
            checks.insert(format!("{object}.{name}.{column}"), words);
        }
    }
    checks
}
