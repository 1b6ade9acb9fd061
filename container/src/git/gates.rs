//! Runs a rig's gates in a throwaway checkout of one exact commit (container.md 7.5). The checkout borrows the store's
//! objects, has no remote and no capability. No git runs in it once a gate has run, since a gate could have changed its
//! configuration.

use gastown_core::sorted::SortedMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gastown_core::wire::report::{GateResult, GateStatus};

use super::store::{RigStore, StoreError};
use super::{Git, worktree};
use crate::fleet::process::{self, Program, Spawner};
use crate::secret::Redactor;

/// How gates are run; the same for every commit of a job.
pub struct Gates<'a> {
    /// Starts the commands.
    pub spawner: &'a Spawner,
    /// Cleans their output.
    pub redactor: &'a Redactor,
    /// Folder of the job.
    pub dir: &'a Path,
    /// Limit per command.
    pub limit: Duration,
    /// Places and settings that every tool gets; the town's own variables come last.
    pub env: Vec<(String, String)>,
    /// The town's variables; names above are not replaced.
    pub town_env: &'a SortedMap<String, String>,
}

impl Gates<'_> {
    /// Runs these commands on a clean checkout of the commit; a red one does not stop the next, a timed-out one does.
    pub async fn run(
        &self,
        rig: &RigStore,
        commit: &str,
        commands: &[String],
        step: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Vec<GateResult>, StoreError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let checkout = self.checkout(rig, commit).await?;
        let mut results = Vec::new();
        for (at, command) in commands.iter().enumerate() {
            step(format!("gate {} of {}", at + 1, commands.len()));
            let result = self.run_one(&checkout, command).await?;
            let timed_out = result.status == GateStatus::TimedOut;
            results.push(result);
            if timed_out {
                break;
            }
        }
        self.remove(&checkout)?;
        Ok(results)
    }

    async fn checkout(&self, rig: &RigStore, commit: &str) -> Result<PathBuf, StoreError> {
        let path = self.dir.join("gates");
        self.remove(&path)?;
        super::make_dir(&path)?;
        for place in ["home", "tmp"] {
            super::make_dir(&self.dir.join(place))?;
        }
        Git::runtime(&path).args(["init", "--quiet", "--initial-branch=gastown-none", "."]).run().await?;
        worktree::borrow_objects(&path.join(".git").join("objects"), &rig.store())?;
        Git::runtime(&path).args(["checkout", "--quiet", "--detach", commit]).run().await?;
        Ok(path)
    }

    async fn run_one(&self, checkout: &Path, command: &str) -> Result<GateResult, StoreError> {
        let mut env = self.env.clone();
        let own: Vec<_> =
            self.town_env.iter().filter(|(name, _)| !env.iter().any(|(taken, _)| taken == *name)).collect();
        env.extend(own.into_iter().map(|(name, value)| (name.clone(), value.clone())));
        let program = Program {
            path: PathBuf::from("/bin/sh"),
            args: vec!["-c".into(), command.into()],
            dir: checkout.to_owned(),
            env,
        };
        let end = process::run_bounded(self.spawner, &program, self.limit).await.map_err(|error| StoreError::Disk {
            path: checkout.display().to_string(),
            reason: format!("{error}: {command}"),
        })?;
        let status = match (end.timed_out, end.code) {
            (true, _) => GateStatus::TimedOut,
            (false, Some(0)) => GateStatus::Passed,
            (false, Some(_) | None) => GateStatus::Failed,
        };
        Ok(GateResult {
            command: command.to_owned(),
            status,
            exit_code: end.code,
            duration_ms: u64::try_from(end.took.as_millis()).unwrap_or(u64::MAX),
            output_tail: self.redactor.redact(&end.output),
        })
    }

    fn remove(&self, path: &Path) -> Result<(), StoreError> {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::Disk { path: path.display().to_string(), reason: error.to_string() })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Whether all gates passed; none is green.
pub fn are_green(results: &[GateResult]) -> bool {
    results.iter().all(|result| result.status == GateStatus::Passed)
}

/// The commands that did not pass.
pub fn red_commands(results: &[GateResult]) -> Vec<String> {
    results.iter().filter(|result| result.status != GateStatus::Passed).map(|result| result.command.clone()).collect()
}
