//! Set-up: what a fresh machine lacks is installed, once per version, and shared by all clones.
//!
//! A step looks first and is silent when nothing is to do; else it prints one line with its time. A step that fails
//! says what to do. Only package registries are needed (crates.io, npm, PyPI, Debian). Two set-ups at once wait for each
//! other.

mod apt;
mod npm;
mod python;
mod tools;
mod wasm;

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

pub(crate) use self::tools::{wasm_bindgen, worker_build};
use self::wasm::wasm32;
pub(crate) use self::wasm::{Compiler, TARGET as WASM_TARGET};
use crate::{paths, shell};

/// The oldest Node that the pinned npm packages run on.
const NODE_MIN: (u32, u32) = (20, 19);

/// Everything that any command needs.
pub(crate) fn everything() -> Result<()> {
    worker()?;
    packages()?;
    browser()?;
    python()?;
    Ok(())
}

/// What a build of the Worker needs: the wasm32 target and its tools.
pub(crate) fn worker() -> Result<Compiler> {
    let _lock = lock()?;
    programs()?;
    let compiler = wasm32()?;
    worker_build()?;
    wasm_bindgen()?;
    npm::package(".")?;
    Ok(compiler)
}

/// The packages of the plugin, the dashboard and the root.
pub(crate) fn packages() -> Result<()> {
    let _lock = lock()?;
    programs()?;
    npm::packages()
}

/// A browser, for the tests that look at the dashboard.
pub(crate) fn browser() -> Result<PathBuf> {
    let _lock = lock()?;
    let find = || ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(shell::find);
    if let Some(browser) = find() {
        return Ok(browser);
    }
    shell::step("setup: chromium (apt)", || apt::install(&["chromium"]))?;
    find().context("chromium was installed, but is not on PATH")
}

/// Where the programs are that look at the API from outside.
pub(crate) fn python() -> Result<PathBuf> {
    let _lock = lock()?;
    python::programs()
}

/// clippy for the compiler that builds the Worker. rustup brings it along, Debian has a package.
pub(crate) fn clippy(compiler: Compiler) -> Result<()> {
    let _lock = lock()?;
    match compiler {
        Compiler::Rustup => Ok(()),
        Compiler::Debian if std::path::Path::new("/usr/bin/cargo-clippy").exists() => Ok(()),
        Compiler::Debian => shell::step("setup: clippy for wasm32 (apt)", || apt::install(&["rust-web-clippy"])),
    }
}

fn programs() -> Result<()> {
    for (program, remedy) in [
        ("git", "install git 2.39 or newer (`apt-get install git`)"),
        ("node", "install Node.js 20.19 or newer, see https://nodejs.org"),
        ("npm", "install npm, it comes with Node.js"),
    ] {
        if !shell::exists(program) {
            bail!("`{program}` is not on PATH: {remedy}");
        }
    }
    let version = shell::output(shell::command("node").arg("--version")).context("`node --version` failed")?;
    let mut numbers = version.trim_start_matches('v').split('.').map_while(|number| number.parse::<u32>().ok());
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < NODE_MIN {
        bail!("Node.js {version} is too old: install {}.{} or newer", NODE_MIN.0, NODE_MIN.1);
    }
    Ok(())
}

fn lock() -> Result<File> {
    let cache = paths::cache()?;
    std::fs::create_dir_all(&cache).with_context(|| format!("could not make {}", cache.display()))?;
    let file = File::create(cache.join("lock")).context("could not open the lock of the tool cache")?;
    file.lock().context("could not lock the tool cache")?;
    Ok(file)
}
