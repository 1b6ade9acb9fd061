//! The scenarios of the domain (domain.md 14) are numbered; each number is named by the test that plays it.

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
