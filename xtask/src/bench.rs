//! `cargo xtask bench`: what a rig's wake-up costs when 50 000 of its beads are closed, as a multiple of the same with no
//! history. `tests/integration/benches` measures with criterion; what it found is compared and judged here.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{paths, print, shell};

/// What is measured: the decision alone, and what an alarm after an unload does.
const MEASURED: [&str; 2] = ["plan", "wake"];

/// A wake-up with history may cost this much of one without; more would be a cost that grows with history.
const RATIO_MAX: f64 = 1.2;

/// Measures, prints each ratio with its spread, and fails above [`RATIO_MAX`].
pub(crate) fn run() -> Result<()> {
    let home = paths::target()?.join("criterion");
    let mut cargo = shell::cargo()?;
    cargo.args(["bench", "--quiet", "--package", "gastown-integration", "--bench", "wake", "--", "--noplot"]);
    // A round that was measured by an earlier run must not be taken for one of this run.
    if home.exists() {
        std::fs::remove_dir_all(&home).context("could not remove the measurements of an earlier run")?;
    }
    cargo.env("CRITERION_HOME", &home);
    if !shell::streamed(&mut cargo, |_| ())? {
        bail!("the benchmark did not run to its end");
    }
    let mut is_too_much = false;
    for measured in MEASURED {
        let rounds = rounds(&home.join(measured))?;
        let mut ratios: Vec<f64> = rounds.iter().map(|round| round.with_history / round.without).collect();
        let ratio = middle(&mut ratios);
        is_too_much |= ratio > RATIO_MAX;
        let (first, last) = (ratios.first().copied().unwrap_or(ratio), ratios.last().copied().unwrap_or(ratio));
        let without = middle(&mut rounds.iter().map(|round| round.without).collect::<Vec<_>>()) / 1_000.0;
        print(&format!(
            "{measured}: {ratio:.3} times the cost without history (from {first:.3} to {last:.3} in {} rounds), which is \
             {without:.1} µs",
            ratios.len()
        ))?;
    }
    if is_too_much { bail!("history costs more than {RATIO_MAX} times") } else { Ok(()) }
}

/// One measurement of both, in nanoseconds.
struct Round {
    without: f64,
    with_history: f64,
}

fn rounds(folder: &Path) -> Result<Vec<Round>> {
    let mut rounds = Vec::new();
    loop {
        let number = (rounds.len() + 1).to_string();
        let file = |closed: &str| folder.join(closed).join(&number).join("new/estimates.json");
        if !file("closed_0").exists() {
            break;
        }
        rounds.push(Round { without: median(&file("closed_0"))?, with_history: median(&file("closed_50000"))? });
    }
    if rounds.is_empty() { bail!("criterion left nothing in {}", folder.display()) } else { Ok(rounds) }
}

fn median(file: &Path) -> Result<f64> {
    let text = std::fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?;
    let estimates: Value = serde_json::from_str(&text).with_context(|| format!("could not read {}", file.display()))?;
    estimates.pointer("/median/point_estimate").and_then(Value::as_f64).context("criterion names no median")
}

/// Sorts, and returns what stands in the middle.
fn middle(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
