//! What the domain numbers is all there: each scenario (domain.md 14) is named by the test that plays it, and each rule
//! stands in the list of its object.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;

use crate::support;

/// Their numbers.
const SCENARIOS: RangeInclusive<u32> = 1..=113;

/// Where tests are. In the sources of core only what follows `#[cfg(test)]` is one.
const PLACES: [&str; 3] = ["core/tests", "core/src", "tests"];

#[test]
fn every_scenario_is_named_by_a_test() {
    let mut named = BTreeSet::new();
    for place in PLACES {
        note(&support::root().join(place), &mut named);
    }
    let missing: Vec<u32> = SCENARIOS.filter(|number| !named.contains(number)).collect();
    assert!(missing.is_empty(), "no test names these scenarios: {missing:?}");
    let unknown: Vec<&u32> = named.iter().filter(|number| !SCENARIOS.contains(number)).collect();
    assert!(unknown.is_empty(), "tests name scenarios that are not there: {unknown:?}");
}

/// The rules of domain.md 6.2 and 9.1, each in the list of its object, with a file of its own where there is a folder.
#[test]
fn every_rule_is_listed() {
    assert_eq!(listed("core/src/rig/mod.rs", 'R'), (1..=34).collect::<Vec<_>>(), "in the order of the table");
    let mut town = listed("core/src/town/mod.rs", 'T');
    town.sort_unstable();
    // T3 is a fact: a new runtime is heard of, and what follows is applied with it.
    assert_eq!(town, (1..=26).filter(|number| *number != 3).collect::<Vec<_>>());
    assert_eq!(listed("core/src/container.rs", 'K'), [1, 2, 3, 4]);
}

/// The numbers in the comments of a list of rules.
fn listed(file: &str, letter: char) -> Vec<u32> {
    let path = support::root().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let list = text.split_once("pub const RULES").unwrap().1.split_once("];").unwrap().0;
    let mut numbers = Vec::new();
    for (entry, comment) in list.lines().filter_map(|line| line.split_once("//")) {
        if let Some((_, rule)) = entry.split_once("rules::") {
            let own = path.with_file_name("rules").join(rule.split("::").next().unwrap()).with_extension("rs");
            assert!(own.exists(), "{} is not there", own.display());
        }
        numbers
            .extend(comment.split_whitespace().next().unwrap().strip_prefix(letter).map(|n| n.parse::<u32>().unwrap()));
    }
    numbers
}

fn note(folder: &Path, named: &mut BTreeSet<u32>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            note(&path, named);
        } else if path.extension().is_some_and(|ending| ending == "rs" || ending == "txt") {
            let text = std::fs::read_to_string(&path).unwrap();
            let is_test = !path.components().any(|part| part.as_os_str() == "src");
            let tests = if is_test { &text } else { text.split_once("#[cfg(test)]").map_or("", |(_, tests)| tests) };
            named.extend(numbers(tests));
        }
    }
}

/// The numbers that comments and first lines speak of: `S12`.
fn numbers(text: &str) -> impl Iterator<Item = u32> {
    let comments = text.lines().filter(|line| line.starts_with('#') || line.trim_start().starts_with("//"));
    let words = comments.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric()));
    words.filter_map(|word| word.strip_prefix('S')?.parse().ok())
}
