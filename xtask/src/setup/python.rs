//! The tools that look at the API from outside (PyPI): in an environment of their own in the cache, one per list of
//! requirements.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::apt;
use crate::{paths, shell};

/// Every package with its version, those that others need included.
const REQUIREMENTS: &str = "tests/e2e/requirements.txt";

/// Written when all packages are there: an interrupted installation is not taken for one.
const STAMP: &str = "complete";

/// The directory of programs of the environment.
pub(crate) fn programs() -> Result<PathBuf> {
    let requirements = paths::root().join(REQUIREMENTS);
    let text = fs::read_to_string(&requirements).with_context(|| format!("could not read {REQUIREMENTS}"))?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let home = paths::cache()?.join(format!("python-{:016x}", hasher.finish()));
    if home.join(STAMP).is_file() {
        return Ok(home.join("bin"));
    }
    shell::step("setup: schemathesis and its Python packages (PyPI)", || {
        environment(&home)?;
        let mut pip = shell::command(home.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&requirements);
        shell::quietly(&mut pip).context("could not install Python packages; is PyPI reachable?")?;
        fs::write(home.join(STAMP), "").context("could not finish the Python environment")
    })?;
    Ok(home.join("bin"))
}

/// An empty environment. Debian ships Python without the module that makes one; then it is installed first.
fn environment(home: &Path) -> Result<()> {
    let make = || {
        let mut python =
            shell::command(if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" });
        shell::quietly(python.args(["-m", "venv", "--clear"]).arg(home))
    };
    if make().is_ok() {
        return Ok(());
    }
    apt::install(&["python3", "python3-venv"])?;
    make().context("could not make a Python environment")
}
