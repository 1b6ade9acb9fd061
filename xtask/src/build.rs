//! Building what runs: the Worker (wasm), the dashboard, the plugin, the native programs.
//!
//! Cargo knows by itself when there is nothing to do. The other three leave a stamp, a digest of what they were made
//! from, and are skipped while it fits.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::setup::{self, Compiler};
use crate::{paths, shell, slim};

/// What the Worker is made from.
const WORKER_SOURCES: [&str; 10] = [
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "core/Cargo.toml",
    "core/src",
    "core/prompts",
    "migrations",
    "package-lock.json",
    "docs/openapi.json",
    "xtask/src/slim.rs",
];

/// What an npm package is made from, apart from what tools write into it.
const OUTPUTS: [&str; 4] = ["node_modules", "dist", "test-results", ".vite"];

/// Everything, in the order of what takes longest to fail.
pub(crate) fn everything() -> Result<()> {
    setup::worker()?;
    setup::packages()?;
    native(&["gastown-container"])?;
    plugin()?;
    dashboard()?;
    worker()
}

/// What a running stack is made of.
pub(crate) fn stack(with_runtime: bool, with_model: bool) -> Result<()> {
    setup::worker()?;
    setup::packages()?;
    let mut programs = Vec::new();
    if with_runtime {
        programs.push("gastown-container");
    }
    if with_model {
        programs.push("gastown-model");
    }
    if !programs.is_empty() {
        native(&programs)?;
    }
    plugin()?;
    dashboard()?;
    worker()
}

/// The Worker, as wasm in `build/`.
pub(crate) fn worker() -> Result<()> {
    let compiler = setup::worker()?;
    let _lock = lock()?;
    let sources: Vec<PathBuf> = WORKER_SOURCES.iter().map(|source| paths::root().join(source)).collect();
    let digest = format!("{compiler:?} {:x}", digest(&sources)?);
    let output = paths::root().join("build");
    if is_current(&output, &digest) {
        return Ok(());
    }
    shell::step("build: the Worker (release wasm)", || {
        let worker_build = setup::worker_build()?;
        let mut build = match compiler {
            Compiler::Rustup => shell::command(worker_build),
            Compiler::Debian => shell::debian(worker_build),
        };
        build.arg("--release");
        build.env("CARGO_TARGET_DIR", paths::wasm_target()?);
        // Without these worker-build downloads its own.
        build.env("WASM_BINDGEN_BIN", setup::wasm_bindgen()?);
        build.env("ESBUILD_BIN", paths::npm_program("esbuild"));
        shell::quietly(&mut build)?;
        slim::slim(&output)?;
        stamp(&output, &digest)
    })
}

/// The dashboard, as static files in `dashboard/dist`.
pub(crate) fn dashboard() -> Result<()> {
    npm_package("dashboard", "the dashboard")
}

/// The plugin, as one file in `container/plugin/dist`.
pub(crate) fn plugin() -> Result<()> {
    npm_package("container/plugin", "the plugin")
}

/// Native programs, in the development profile. Silent unless something is compiled.
pub(crate) fn native(packages: &[&str]) -> Result<()> {
    let mut cargo = shell::cargo()?;
    cargo.args(["build", "--bins"]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    shell::step_if_busy(&format!("build: {}", packages.join(", ")), &mut cargo, "Compiling")
}

fn npm_package(directory: &str, shown: &str) -> Result<()> {
    setup::packages()?;
    let _lock = lock()?;
    let path = paths::root().join(directory);
    let digest = format!("{:x}", digest(&[path.clone(), paths::root().join("docs/openapi.json")])?);
    let output = path.join("dist");
    if is_current(&output, &digest) {
        return Ok(());
    }
    shell::step(&format!("build: {shown}"), || {
        let mut npm = shell::command("npm");
        shell::quietly(npm.current_dir(&path).args(["run", "--silent", "build"]))?;
        stamp(&output, &digest)
    })
}

const STAMP: &str = ".stamp";

fn is_current(output: &Path, digest: &str) -> bool {
    fs::read_to_string(output.join(STAMP)).is_ok_and(|stamp| stamp == digest)
}

fn stamp(output: &Path, digest: &str) -> Result<()> {
    fs::write(output.join(STAMP), digest).with_context(|| format!("could not stamp {}", output.display()))
}

/// One build at a time writes into the clone; a second one waits and then finds nothing to do.
fn lock() -> Result<File> {
    let path = paths::target()?.join("xtask.lock");
    let file = File::create(&path).with_context(|| format!("could not open {}", path.display()))?;
    file.lock().context("could not lock the build")?;
    Ok(file)
}

/// A digest of names and contents of files and directories; what is missing counts as empty.
fn digest(sources: &[PathBuf]) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    let mut pending: Vec<PathBuf> = sources.iter().rev().cloned().collect();
    while let Some(path) = pending.pop() {
        path.hash(&mut hasher);
        if path.is_dir() {
            let mut entries = fs::read_dir(&path)
                .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>())
                .with_context(|| format!("could not list {}", path.display()))?;
            entries
                .retain(|entry| entry.file_name().is_some_and(|name| OUTPUTS.iter().all(|output| *name != **output)));
            entries.sort_by(|a, b| b.cmp(a));
            pending.extend(entries);
        } else if path.is_file() {
            fs::read(&path).with_context(|| format!("could not read {}", path.display()))?.hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}
