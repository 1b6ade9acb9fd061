//! npm packages: `npm ci` where the lock file has changed since the last one.

use anyhow::{Context as _, Result};

use crate::{paths, shell};

/// The directories with a `package.json` of their own.
const PACKAGES: [&str; 3] = [".", "container/plugin", "dashboard"];

/// The lock file that `node_modules` was made from lies in it under this name.
const STAMP: &str = "node_modules/.gastown-lock.json";

/// Installs the packages of every directory that has a lock file.
pub(crate) fn packages() -> Result<()> {
    PACKAGES.into_iter().try_for_each(package)
}

/// Installs the packages of one directory.
pub(crate) fn package(directory: &str) -> Result<()> {
    let path = paths::root().join(directory);
    let lock = path.join("package-lock.json");
    if !lock.exists() || shell::same_bytes(&lock, &path.join(STAMP)) {
        return Ok(());
    }
    let shown = if directory == "." { "tools" } else { directory };
    shell::step(&format!("setup: npm packages of {shown}"), || {
        let mut npm = shell::command("npm");
        npm.current_dir(&path).args(["ci", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"]);
        shell::quietly(&mut npm).context("could not install npm packages; is the npm registry reachable?")?;
        std::fs::copy(&lock, path.join(STAMP)).context("could not stamp node_modules")?;
        Ok(())
    })
}
