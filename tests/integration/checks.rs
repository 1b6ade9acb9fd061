//! Words that a table allows are the words that the core knows: each `check (column in (…))` of the schemas is one text
//! enum, or stands in the list of tables that no code writes.

use std::collections::BTreeMap;

use gastown_core::town::state::{
    AccountKind, EscalationState, MayorActivity, MayorPhase, MessageSource, MessageState, TownStatus,
};

/// The enum behind a column: `object.table.column`.
fn enums() -> BTreeMap<&'static str, Vec<&'static str>> {
    fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<&'static str> {
        all.iter().map(|&value| word(value)).collect()
    }
    BTreeMap::from([
        ("town.town.account_kind", words(AccountKind::ALL, AccountKind::as_str)),
        ("town.town.state", words(TownStatus::ALL, TownStatus::as_str)),
        ("town.rigs.state", words(TownStatus::ALL, TownStatus::as_str)),
        ("town.mayor.phase", words(MayorPhase::ALL, MayorPhase::as_str)),
        ("town.mayor.activity", words(MayorActivity::ALL, MayorActivity::as_str)),
        ("town.mayor_inbox.source", words(MessageSource::ALL, MessageSource::as_str)),
        ("town.mayor_inbox.state", words(MessageState::ALL, MessageState::as_str)),
        ("town.escalations.state", words(EscalationState::ALL, EscalationState::as_str)),
        // The core says it with a flag.
        ("town.drain.state", vec!["none", "draining"]),
    ])
}

/// Tables whose words no code knows: nothing reads or writes them.
const UNUSED: [&str; 7] = [
    "town.breaker.",
    "town.convoys.",
    "town.convoy_edges.",
    "town.convoy_rigs.",
    "town.convoy_tasks.",
    "town.mail.",
    "town.triage_requests.",
];

#[test]
fn a_table_allows_the_words_of_its_enum() {
    let enums = enums();
    let checks = checks("town", include_str!("../../migrations/town/schema.sql"));
    for (column, allowed) in &checks {
        match enums.get(column.as_str()) {
            Some(words) => assert_eq!(allowed, words, "{column}"),
            None => assert!(UNUSED.iter().any(|table| column.starts_with(table)), "{column} is no enum of the core"),
        }
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
