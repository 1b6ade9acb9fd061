//! npm packages: exactly what the lock file names, wherever it has changed since the last time.

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
        // Not `npm ci`: it refuses a lock file without the optional packages of other platforms, which mirrors may lack.
        npm.current_dir(&path).args([
            "install",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--prefer-offline",
            "--loglevel=error",
        ]);
        shell::quietly(&mut npm).context("could not install npm packages; is the npm registry reachable?")?;
        std::fs::copy(&lock, path.join(STAMP)).context("could not stamp node_modules")?;
        Ok(())
    })
}
