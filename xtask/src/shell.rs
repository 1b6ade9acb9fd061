//! Running other programs: quietly for steps, line by line for tests. The environment that cargo adds to this
//! program is taken away again, so that a nested cargo sees what a person's shell would show it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::paths;

/// Lines of a failed program's output that are shown: enough for a compiler error, short enough to read.
const OUTPUT_LINES_MAX: usize = 60;

/// A command in the root of the clone with a person's environment.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(paths::root()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_cargos = text == "CARGO"
            || text == "LD_LIBRARY_PATH"
            || ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_PRIMARY_"].iter().any(|p| text.starts_with(p));
        if is_cargos {
            command.env_remove(name);
        }
    }
    command
}

/// `cargo`, as a person would call it, with the build directory of this program.
pub(crate) fn cargo() -> Result<Command> {
    let mut cargo = command("cargo");
    cargo.env("CARGO_TARGET_DIR", paths::target()?);
    Ok(cargo)
}

/// A cargo of the compiler in `/usr/bin`, whatever rustup says.
pub(crate) fn debian(program: impl AsRef<OsStr>) -> Command {
    let mut command = command(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut first = std::ffi::OsString::from("/usr/bin:");
    first.push(path);
    command.env("PATH", first).env_remove("RUSTUP_TOOLCHAIN").env_remove("RUSTC");
    command
}

/// Where a program stands on PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(program)).find(|path| path.is_file())
}

/// Whether a program can be found on PATH.
pub(crate) fn exists(program: &str) -> bool {
    find(program).is_some()
}

/// The trimmed standard output of a program that succeeds; `None` if it fails or is not there.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a program to its end without showing its output, unless it fails: then its last lines are in the error.
pub(crate) fn quietly(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let output = command.output().with_context(|| format!("could not run `{shown}`"))?;
    if output.status.success() {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    bail!("`{shown}` failed ({})\n{}", output.status, tail(&text));
}

/// Runs a program with its output on this program's; every line is also given to `see`.
pub(crate) fn streamed(command: &mut Command, mut see: impl FnMut(&str)) -> Result<bool> {
    let shown = show(command);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(|| format!("could not run `{shown}`"))?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.with_context(|| format!("could not read the output of `{shown}`"))?;
            let line = String::from_utf8_lossy(&line);
            eprintln!("{line}");
            see(&line);
        }
    }
    Ok(child.wait().with_context(|| format!("could not wait for `{shown}`"))?.success())
}

/// Does one step and prints one line with its time. The name is printed first: a person sees what is going on.
pub(crate) fn step<T>(name: &str, act: impl FnOnce() -> Result<T>) -> Result<T> {
    begin(name);
    let start = Instant::now();
    let result = act();
    end(start, result.is_ok());
    result
}

/// Runs a program as a step that only shows itself once a line of its standard error begins with `sign`.
pub(crate) fn step_if_busy(name: &str, command: &mut Command, sign: &str) -> Result<()> {
    let shown = show(command);
    let start = Instant::now();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not run `{shown}`"))?;
    let mut text = String::new();
    let mut is_shown = false;
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines() {
            let line = line.with_context(|| format!("could not read the output of `{shown}`"))?;
            if !is_shown && line.trim_start().starts_with(sign) {
                is_shown = true;
                begin(name);
            }
            text.push_str(&line);
            text.push('\n');
        }
    }
    let status = child.wait().with_context(|| format!("could not wait for `{shown}`"))?;
    if is_shown {
        end(start, status.success());
    }
    if !status.success() {
        bail!("`{shown}` failed ({status})\n{}", tail(&text));
    }
    Ok(())
}

/// Whether two files have the same bytes; a missing file equals nothing.
pub(crate) fn same_bytes(a: &Path, b: &Path) -> bool {
    matches!((std::fs::read(a), std::fs::read(b)), (Ok(a), Ok(b)) if a == b)
}

/// The last lines of a text.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(OUTPUT_LINES_MAX)..].join("\n")
}

fn show(command: &Command) -> String {
    let mut shown = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        shown.push(' ');
        shown.push_str(&arg.to_string_lossy());
    }
    shown
}

fn begin(name: &str) {
    eprint!("{name:<64}");
    std::io::stderr().flush().ok();
}

fn end(start: Instant, succeeded: bool) {
    let seconds = start.elapsed().as_secs_f64();
    eprintln!("{seconds:>7.1} s{}", if succeeded { "" } else { "  failed" });
}
