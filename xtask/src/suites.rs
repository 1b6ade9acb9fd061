//! The tests. One table of suites; each is run to its end and its closing lines are repeated in the summary, so that
//! the numbers at the end are the runners' own.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::{build, check, paths, setup, shell};

/// A test run of its own.
struct Suite {
    name: &'static str,
    command: fn() -> Result<Command>,
}

/// In the order of what fails fastest.
const SUITES: [Suite; 6] = [
    Suite { name: "native", command: native },
    Suite { name: "simulation", command: simulation },
    Suite { name: "plugin", command: || Ok(npm_script("container/plugin", "test")) },
    Suite { name: "dashboard", command: || Ok(npm_script("dashboard", "test")) },
    Suite { name: "browser", command: browser },
    Suite { name: "end to end", command: end_to_end },
];

/// How one suite ended.
struct Outcome {
    name: &'static str,
    passed: bool,
    seconds: f64,
    closing: Vec<String>,
}

/// Checks, builds, and every suite. All run, even after a failure; the summary comes last.
pub(crate) fn everything() -> Result<()> {
    let start = Instant::now();
    setup::everything()?;
    let checked = check::run();
    build::everything()?;
    let mut outcomes = Vec::new();
    for suite in SUITES {
        outcomes.push(run(suite.name, &mut (suite.command)()?)?);
    }
    summary(&outcomes, start);
    checked.context("`cargo xtask check` found something")?;
    match outcomes.iter().filter(|outcome| !outcome.passed).count() {
        0 => Ok(()),
        1 => bail!("one suite failed"),
        failed => bail!("{failed} suites failed"),
    }
}

/// Unit, scenario and SQL tests of the native crates.
pub(crate) fn fast() -> Result<()> {
    let start = Instant::now();
    let outcome = run("native", &mut native()?)?;
    let passed = outcome.passed;
    summary(&[outcome], start);
    if passed { Ok(()) } else { bail!("a test failed") }
}

/// Rewrites goldens, then shows what changed.
pub(crate) fn golden() -> Result<()> {
    let mut tests = native()?;
    tests.env("UPDATE_EXPECT", "1");
    let outcome = run("native", &mut tests)?;
    setup::packages()?;
    check::types(&[])?;
    shell::streamed(shell::command("git").args(["status", "--short"]), |_| ())?;
    if outcome.passed { Ok(()) } else { bail!("a test failed for another reason than its golden") }
}

fn run(name: &'static str, command: &mut Command) -> Result<Outcome> {
    eprintln!("\n── {name}");
    let start = Instant::now();
    let mut closing = Vec::new();
    let passed = shell::streamed(command, |line| {
        if is_closing(line) {
            closing.push(line.trim().to_owned());
        }
    })?;
    Ok(Outcome { name, passed, seconds: start.elapsed().as_secs_f64(), closing })
}

/// Lines with which cargo's test runner, the simulation, vitest and the browser's script close a run. Empty test binaries say nothing of interest.
fn is_closing(line: &str) -> bool {
    let line = line.trim_start();
    (line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed"))
        || line.starts_with("Test Files ")
        || line.starts_with("Tests ")
        || line == "everything works"
        || line.contains(" towns lived through their faults: ")
}

fn summary(outcomes: &[Outcome], start: Instant) {
    eprintln!("\n── summary");
    for outcome in outcomes {
        let verdict = if outcome.passed { "passed" } else { "FAILED" };
        eprintln!("{:<12} {verdict} in {:.1} s", outcome.name, outcome.seconds);
        for line in &outcome.closing {
            eprintln!("             {line}");
        }
    }
    eprintln!("{:<12} {:.1} s", "total", start.elapsed().as_secs_f64());
}

fn native() -> Result<Command> {
    let mut cargo = shell::cargo()?;
    cargo.args(["test", "--workspace", "--exclude", "gastown-e2e", "--exclude", "gastown-simulation"]);
    Ok(cargo)
}

/// Thousands of decisions per town: with optimisation.
fn simulation() -> Result<Command> {
    let mut cargo = shell::cargo()?;
    cargo.args(["test", "--profile", "simulation", "--package", "gastown-simulation", "--", "--nocapture"]);
    Ok(cargo)
}

fn end_to_end() -> Result<Command> {
    let mut cargo = shell::cargo()?;
    cargo.args(["test", "--package", "gastown-e2e"]);
    // The tests start stacks by this very program.
    cargo.env("XTASK_BIN", paths::program("xtask")?);
    cargo.env("PYTHON_TOOLS", setup::python()?);
    Ok(cargo)
}

/// The dashboard in a real browser, against a stub of the API.
fn browser() -> Result<Command> {
    let mut npm = npm_script("dashboard", "behaviour");
    npm.env("GASTOWN_CHROMIUM", setup::browser()?);
    Ok(npm)
}

fn npm_script(package: &str, script: &str) -> Command {
    let mut npm = shell::command("npm");
    npm.current_dir(paths::root().join(package)).args(["run", "--silent", script]).env("NO_COLOR", "1");
    npm
}
