//! `cargo xtask simulate`: whole towns in virtual time, compiled with optimisation (`[profile.simulation]`).

use anyhow::{Result, bail};

use crate::shell;

/// What is played, and how much of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many seeds to play
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Tasks that people sling in each run
    #[arg(long, default_value_t = 10)]
    beads: u32,
    /// Kinds of faults to leave out, by their words, separated by commas
    #[arg(long, value_name = "FAULTS")]
    without: Option<String>,
    /// Play this seed alone and print its whole timeline
    #[arg(long, value_name = "SEED")]
    trace: Option<u64>,
    /// Go on after a seed that fails, and say each
    #[arg(long)]
    keep_going: bool,
}

/// Plays the seeds; fails when one of them does.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut cargo = shell::cargo()?;
    cargo.args(["run", "--quiet", "--profile", "simulation", "--package", "gastown-simulation", "--"]);
    cargo.args(["--seeds", &options.seeds.to_string(), "--first-seed", &options.first_seed.to_string()]);
    cargo.args(["--beads", &options.beads.to_string()]);
    if let Some(faults) = &options.without {
        cargo.args(["--without", faults]);
    }
    if let Some(seed) = options.trace {
        cargo.args(["--trace", &seed.to_string()]);
    }
    if options.keep_going {
        cargo.arg("--keep-going");
    }
    if shell::streamed(&mut cargo, |_| ())? { Ok(()) } else { bail!("a seed failed") }
}
