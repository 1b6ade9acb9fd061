//! Where things are: the clone, the build directory, the cache of tools.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The root of the clone that this program was built from.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Cargo's target directory: this program lies in `<target>/<profile>/xtask`.
pub(crate) fn target() -> Result<PathBuf> {
    let program = std::env::current_exe().context("could not find the path of this program")?;
    let target = program.ancestors().nth(2).context("this program does not lie in a target directory")?;
    Ok(target.to_path_buf())
}

/// The target directory of the Worker. Its own, so that another compiler and its lock disturb no native build.
pub(crate) fn wasm_target() -> Result<PathBuf> {
    Ok(target()?.join("worker"))
}

/// Tools that are installed once per version and shared by all clones.
pub(crate) fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) if !cache.is_empty() => PathBuf::from(cache),
        Some(_) | None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(base.join("gastown"))
}

/// A command of an npm package of the root `package.json`.
pub(crate) fn npm_program(name: &str) -> PathBuf {
    root().join("node_modules/.bin").join(name)
}

/// A native program of the workspace, built in the development profile.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    Ok(target()?.join("debug").join(name))
}

/// The state directory of this clone, outside of it: what runs must not show up in what is edited.
pub(crate) fn state() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_STATE_HOME") {
        Some(state) if !state.is_empty() => PathBuf::from(state),
        Some(_) | None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".local/state"),
    };
    let clone: String = root()
        .to_string_lossy()
        .trim_start_matches('/')
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    Ok(base.join("gastown").join(clone))
}
