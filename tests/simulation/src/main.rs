//! `cargo xtask simulate`: plays seeds, says what came of them, and tells a failing one.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use gastown_simulation::{BEADS, Fault, Options, Stats, run, shrink};

/// Plays whole towns in virtual time, with faults; one seed is one run
#[derive(Debug, Parser)]
#[command(name = "simulate", bin_name = "cargo xtask simulate")]
struct Args {
    /// How many seeds to play
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Tasks that people sling in each run
    #[arg(long, default_value_t = BEADS)]
    beads: u32,
    /// Kinds of faults to leave out, by their words, separated by commas
    #[arg(long, value_delimiter = ',')]
    without: Vec<Fault>,
    /// Play this seed alone and print its whole timeline
    #[arg(long, value_name = "SEED")]
    trace: Option<u64>,
    /// Go on after a seed that fails, and only count
    #[arg(long)]
    keep_going: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let off: BTreeSet<Fault> = args.without.iter().copied().collect();
    let options = Options { beads: args.beads, off, is_told: false };
    let failed = match args.trace {
        Some(seed) => trace(seed, &options),
        None => play(&args, &options),
    };
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints one run; whether it failed.
fn trace(seed: u64, options: &Options) -> bool {
    let outcome = run(seed, &Options { is_told: true, ..options.clone() });
    say(&outcome.timeline);
    match &outcome.violation {
        Some(sentence) => say(&format!("seed {seed} fails: {sentence}")),
        None => say(&format!("seed {seed} passes: {:?}", outcome.stats)),
    }
    outcome.violation.is_some()
}

/// Plays the seeds in turn; whether one failed.
fn play(args: &Args, options: &Options) -> bool {
    let mut total = Stats::default();
    let mut failures = 0_u64;
    for seed in args.first_seed..args.first_seed.saturating_add(args.seeds) {
        let outcome = run(seed, options);
        total += outcome.stats;
        if let Some(sentence) = outcome.violation {
            failures += 1;
            if args.keep_going {
                say(&format!("seed {seed} fails: {sentence}"));
            } else {
                tell(seed, options, &sentence);
                return true;
            }
        }
    }
    let Stats { commits, sessions, closed, failed, waiting, merged, .. } = total;
    say(&format!(
        "{} seeds, {failures} failed: {commits} commits, {sessions} sessions, {merged} merges, beads: {closed} closed, {failed} failed, {waiting} waiting for a person",
        args.seeds
    ));
    let Stats { landed, landings, triaged, wrapped_up, .. } = total;
    say(&format!(
        "{landed} convoys landed ({landings} landings), triage decided {triaged} matters, {wrapped_up} sessions wrapped up"
    ));
    failures > 0
}

/// Says which seed fails and why, with the smallest run that shows it.
fn tell(seed: u64, options: &Options, sentence: &str) {
    let small = shrink(seed, options);
    let outcome = run(seed, &Options { is_told: true, ..small.clone() });
    let without: Vec<&str> = small.off.iter().map(|fault| fault.as_str()).collect();
    let without = if without.is_empty() { String::new() } else { format!(" --without {}", without.join(",")) };
    say(&format!("seed {seed} fails: {sentence}\n"));
    say(&format!("the smallest run that shows it: {}\n", outcome.violation.unwrap_or_default()));
    say(&outcome.timeline);
    let faults: Vec<&str> = outcome.faults.iter().map(|fault| fault.as_str()).collect();
    say(&format!("faults left: {}", faults.join(", ")));
    say(&format!("repeat:  cargo xtask simulate --seeds 1 --first-seed {seed} --beads {}", options.beads));
    say(&format!("whole:   cargo xtask simulate --trace {seed} --beads {}{without}", small.beads));
}

fn say(text: &str) {
    // A closed pipe is no failure of the simulation.
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}
