//! worker-build and wasm-bindgen: built once per version by `cargo install`, into the cache.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::apt;
use crate::{paths, shell};

/// The worker-build that goes with the `worker` crate of Cargo.toml.
const WORKER_BUILD: &str = "0.8.7";

/// The program `worker-build`.
pub(crate) fn worker_build() -> Result<PathBuf> {
    tool("worker-build", "worker-build", WORKER_BUILD, openssl)
}

/// worker-build links against the system's OpenSSL, whose headers a fresh machine lacks.
fn openssl() -> Result<()> {
    let is_there = std::env::var_os("OPENSSL_DIR").is_some()
        || shell::output(shell::command("pkg-config").args(["--libs", "openssl"])).is_some();
    if is_there {
        return Ok(());
    }
    shell::step("setup: headers of OpenSSL (apt)", || apt::install(&["pkg-config", "libssl-dev"]))
}

/// The program `wasm-bindgen`, in exactly the version of the library: the two share a private format.
pub(crate) fn wasm_bindgen() -> Result<PathBuf> {
    tool("wasm-bindgen", "wasm-bindgen-cli", &locked_version("wasm-bindgen")?, || Ok(()))
}

fn tool(program: &str, package: &str, version: &str, prepare: fn() -> Result<()>) -> Result<PathBuf> {
    let home = paths::cache()?.join(format!("{program}-{version}"));
    let path = home.join("bin").join(program);
    if path.is_file() {
        return Ok(path);
    }
    prepare()?;
    shell::step(&format!("setup: {program} {version} (cargo install, about 2 min)"), || {
        // Built beside its place and moved when complete: an interrupted install leaves nothing that looks whole.
        let partial = paths::cache()?.join(format!("{program}-{version}.partial"));
        remove(&partial)?;
        let mut cargo = shell::command("cargo");
        cargo.args(["install", "--locked", "--root"]).arg(&partial).arg(format!("{package}@{version}"));
        cargo.env("CARGO_TARGET_DIR", partial.join("target"));
        // They work for a second per build: a machine that is set up waits longer for their optimisation than for them.
        cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        cargo.env("CARGO_PROFILE_RELEASE_DEBUG", "0").env("CARGO_PROFILE_RELEASE_LTO", "off");
        shell::quietly(&mut cargo).with_context(|| {
            format!("could not install {package}; is crates.io reachable? By hand: cargo install --locked --root {} {package}@{version}", home.display())
        })?;
        remove(&partial.join("target"))?;
        remove(&home)?;
        std::fs::rename(&partial, &home).with_context(|| format!("could not move {program} to {}", home.display()))
    })?;
    Ok(path)
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove {}", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn locked_version(package: &str) -> Result<String> {
    let lock = std::fs::read_to_string(paths::root().join("Cargo.lock")).context("could not read Cargo.lock")?;
    let lock: toml::Table = lock.parse().context("could not understand Cargo.lock")?;
    lock.get("package")
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten()
        .find(|entry| entry.get("name").and_then(toml::Value::as_str) == Some(package))
        .and_then(|entry| entry.get("version")?.as_str())
        .map(str::to_owned)
        .with_context(|| format!("Cargo.lock names no {package}"))
}
