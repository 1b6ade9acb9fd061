//! Plays text scenarios against the plans of the rig and of the town and writes down what happened.
//!
//! A scenario is a list of commands, one a line, after `> `. After each stands, indented, what it led to. Each step is
//! planned twice, and the second plan must be empty; every invariant is checked after every plan.

pub(crate) mod both;
pub(crate) mod container;
mod convoy;
pub(crate) mod lifecycle;
pub(crate) mod rig;
pub(crate) mod town;
pub(crate) mod without;

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use gastown_core::id::BeadId;
use gastown_core::models::Catalogue;
use gastown_core::time::Timestamp;

/// Where every scenario begins: an instant people recognise.
const START: &str = "2026-01-01T00:00:00.000Z";

/// Plays the commands of a scenario through `run` and returns the text with what they led to.
fn play(scenario: &str, mut run: impl FnMut(&str) -> Vec<String>) -> String {
    let mut out = String::new();
    for line in scenario.lines() {
        match line.strip_prefix("> ") {
            Some(command) => {
                println!("> {command}"); // A step that panics shows what came before.
                writeln!(out, "> {command}").unwrap();
                println!("> {command}");
                for told in run(command) {
                    println!("    {told}");
                    writeln!(out, "    {told}").unwrap();
                }
            }
            None if line.starts_with("    ") => (),
            None => writeln!(out, "{line}").unwrap(),
        }
    }
    out
}

/// The catalogue that every scenario plans with.
fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| Catalogue::load(None).unwrap())
}

/// Sees to it that time goes on: an alarm that is due at once, again and again, is a loop.
#[derive(Default)]
struct Rest {
    at: Option<Timestamp>,
    alarms: u32,
}

impl Rest {
    /// Alarms of one instant, at most.
    const ALARMS_MAX: u32 = 100;

    fn alarm(&mut self, now: Timestamp) {
        self.alarms = if self.at == Some(now) { self.alarms + 1 } else { 0 };
        self.at = Some(now);
        assert!(self.alarms < Self::ALARMS_MAX, "the alarm rings for ever at {now}");
    }
}

fn duration(text: &str) -> Duration {
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic());
    let n: u64 = digits.parse().unwrap();
    match &text[digits.len()..] {
        "s" => Duration::from_secs(n),
        "m" => Duration::from_secs(n * 60),
        "h" => Duration::from_secs(n * 3600),
        unit => panic!("no such unit: {unit}"),
    }
}

/// When old rows were last deleted.
fn pruned_words(at: Option<Timestamp>, now: Timestamp) -> String {
    at.map_or("never pruned".to_owned(), |at| format!("pruned {} s ago", now.since(at).as_secs()))
}

fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (n, part) in line.split('"').enumerate() {
        if n % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// The id of a bead that a scenario names: `b7`.
fn bead_id(name: &str) -> BeadId {
    BeadId::from_u128((0xb000_0000 + name[1..].parse::<u128>().unwrap_or_else(|_| panic!("no bead: {name}"))) << 96)
}

/// The name of a bead in a scenario.
fn bead_name(id: BeadId) -> String {
    match id.short().strip_prefix('b') {
        Some(digits) => format!("b{}", u64::from_str_radix(digits, 16).unwrap_or_default()),
        None => id.short(),
    }
}
