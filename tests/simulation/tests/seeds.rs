//! A few hundred towns, as part of every test run. `cargo xtask simulate` plays more.

use std::io::Write as _;

use gastown_simulation::{BEADS, Options, Stats, run, shrink};

const SEEDS: u64 = 200;

#[test]
fn towns_live_through_faults() {
    let options = Options { beads: BEADS, ..Options::default() };
    let mut total = Stats::default();
    for seed in 1..=SEEDS {
        let outcome = run(seed, &options);
        total += outcome.stats;
        if let Some(sentence) = outcome.violation {
            let small = shrink(seed, &options);
            let told = run(seed, &Options { is_told: true, ..small });
            panic!("seed {seed}: {sentence}\n{}", told.timeline);
        }
    }
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{SEEDS} towns lived through their faults: {total:?}").unwrap();
    assert!(total.merged > SEEDS && total.failed > 0 && total.waiting > 0, "hardly anything happened: {total:?}");
}

#[test]
fn a_seed_is_a_run() {
    let options = Options { beads: BEADS, is_told: true, ..Options::default() };
    assert_eq!(run(7, &options), run(7, &options));
    assert_ne!(run(7, &options).timeline, run(8, &options).timeline);
}
