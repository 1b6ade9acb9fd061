//! The state directory: one place, outside of the clone, for all that a running stack writes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::paths;

/// Everything that a stack keeps lies below it; only its owner can look inside.
#[derive(Debug, Clone)]
pub(crate) struct StateDir(PathBuf);

/// What another command needs to know of a running stack.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) base_url: String,
    pub(crate) runtime_url: String,
}

impl StateDir {
    /// The given directory, or the one of this clone.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        let path = match path {
            Some(path) => std::path::absolute(path).context("could not understand --state-dir")?,
            None => paths::state()?,
        };
        for directory in [&path, &path.join("log"), &path.join("worker"), &path.join("runtime")] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)
                .with_context(|| format!("could not make {}", directory.display()))?;
        }
        Ok(Self(path))
    }

    /// Claims the directory for one running stack.
    pub(crate) fn lock(&self) -> Result<File> {
        let path = self.0.join("lock");
        let file = File::create(&path).with_context(|| format!("could not open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => bail!("another stack runs in {}", self.0.display()),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("could not lock {}", path.display())),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The directory of the logs: `worker.log`, `runtime.log`, `model.log`.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// Configuration and objects of the Worker.
    pub(crate) fn worker(&self) -> PathBuf {
        self.0.join("worker")
    }

    /// Repositories, worktrees and sessions of the runtime.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.0.join("runtime")
    }

    /// Notes where the stack listens.
    pub(crate) fn write_address(&self, address: &Address) -> Result<()> {
        let text = serde_json::to_string(address).context("could not write the address")?;
        write_private(&self.0.join("stack.json"), &text)
    }

    /// Where the stack listens, if one was started here.
    pub(crate) fn read_address(&self) -> Result<Address> {
        let path = self.0.join("stack.json");
        let text = fs::read_to_string(&path)
            .with_context(|| format!("could not read {}; is `cargo xtask up` running?", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("could not understand {}", path.display()))
    }
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let partial = path.with_extension("partial");
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&partial)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&partial, path)
    };
    write().with_context(|| format!("could not write {}", path.display()))
}
