//! Every text scenario of `tests/scenarios`: played, and compared with what stands in the file. A file that differs is
//! rewritten by `cargo xtask golden`; the diff is then what a reviewer reads.

#![expect(clippy::print_stdout, reason = "names the scenario that fails")]
#![expect(clippy::unwrap_used, reason = "a broken scenario shall stop the test where it breaks")]

mod check;

use std::ops::Not as _;
use std::path::PathBuf;
use std::{fs, panic};

use expect_test::expect_file;
use gastown_core::{container, rig, town};

/// Plays the text of a scenario, and writes down what happens.
type Play = fn(&str) -> String;

/// How the scenarios of each folder are played.
const PLAYS: [(&str, Play); 4] = [
    ("container", check::container::play),
    ("rig", check::rig::play),
    ("town", check::town::play),
    ("both", check::both::play),
];

#[test]
fn container() {
    all_of("container", check::container::play);
}

#[test]
fn rig() {
    all_of("rig", check::rig::play);
}

#[test]
fn town() {
    all_of("town", check::town::play);
}

/// A town and its rigs, talking to each other.
#[test]
fn both() {
    all_of("both", check::both::play);
}

fn files(aggregate: &str) -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(aggregate);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn all_of(aggregate: &str, play: Play) {
    for file in files(aggregate) {
        let scenario = fs::read_to_string(&file).unwrap();
        println!("{}", file.display());
        expect_file![file].assert_eq(&play(&scenario));
    }
}

/// Every change of state that a scenario shows is a row of its table, and every row is shown by a scenario.
#[test]
fn transitions() {
    for (aggregate, play) in PLAYS {
        all_of(aggregate, play);
    }
    let unknown = check::lifecycle::unknown();
    assert!(unknown.is_empty(), "no row of a transition table allows\n{}", unknown.join("\n"));
    let unseen = check::lifecycle::unseen();
    assert!(unseen.is_empty(), "no scenario shows\n{}", unseen.join("\n"));
}

/// Every rule is worth something: without it, a scenario does not go as it is written down.
#[test]
fn without_a_rule() {
    quiet_panics();
    let rules = rig::RULES.iter().map(|(rule, _)| ("rig", *rule));
    let rules = rules.chain(town::RULES.iter().map(|(rule, _)| ("town", *rule)));
    let rules = rules.chain(container::RULES.iter().map(|(rule, _)| ("container", *rule)));
    let plays = std::thread::Builder::new().name(WITHOUT.to_owned()).spawn(move || {
        let idle = |(aggregate, rule): &(&'static str, &'static str)| !is_missed(aggregate, rule);
        rules.filter(idle).map(|(aggregate, rule)| format!("{aggregate}: {rule}")).collect::<Vec<_>>()
    });
    let idle = plays.unwrap().join().unwrap();
    assert!(idle.is_empty(), "no scenario misses\n{}", idle.join("\n"));
}

/// The thread that plays scenarios which are meant to fail.
const WITHOUT: &str = "without a rule";

/// What is meant to fail says nothing.
fn quiet_panics() {
    let loud = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if std::thread::current().name() != Some(WITHOUT) {
            loud(info);
        }
    }));
}

fn is_missed(aggregate: &'static str, rule: &'static str) -> bool {
    PLAYS.iter().filter(|(folder, _)| [aggregate, "both"].contains(folder)).any(|(folder, play)| {
        files(folder).iter().any(|file| {
            let scenario = fs::read_to_string(file).unwrap();
            let played = panic::catch_unwind(|| check::without::without(aggregate, rule, || play(&scenario)));
            played.is_ok_and(|text| text == scenario).not()
        })
    })
}

/// Random walks: no step breaks an invariant or the fixpoint, and without faults everything ends or waits for a person.
#[test]
#[expect(clippy::disallowed_methods, reason = "a longer walk is asked for in the environment of the test")]
fn rig_walks() {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (first, count) = (number("WALK_FIRST", 0u64), number("WALK_COUNT", 60u64));
    for seed in first..first + count {
        println!("seed {seed}");
        check::rig::walk(seed, 120);
    }
    let unknown = check::lifecycle::unknown();
    assert!(unknown.is_empty(), "no row of a transition table allows\n{}", unknown.join("\n"));
}
