//! Merges an approved commit into a target branch, or says exactly why not (container.md 7.6). Everything runs in the
//! store and a checkout of it, with the runtime's authority; conflict is a value, not an error. The push carries a
//! lease on the commit that was merged into, and its result is settled by asking the remote, never by assuming.

use std::path::Path;

use gastown_core::wire::control::Author;
use gastown_core::wire::report::{GateResult, MergeReport, MergeStatus};

use super::gates::{Gates, are_green, red_commands};
use super::store::{RigStore, StoreError};
use super::{Git, GitError, Remote, last_line};
use crate::limits;

/// Files in conflict that are named.
const FILES_MAX: usize = 200;

/// What to merge, and how.
pub struct Merge<'a> {
    /// Where.
    pub rig: &'a RigStore,
    /// Makes the remote's address with a fresh capability.
    pub remote: &'a (dyn Fn() -> Remote + Send + Sync),
    /// Default branch of the repository.
    pub default_branch: &'a str,
    /// Reviewed commit.
    pub commit: &'a str,
    /// Its branch.
    pub branch: &'a str,
    /// Branch to reach.
    pub target: &'a str,
    /// Commands that must pass on the result.
    pub commands: &'a [String],
    /// How they are run.
    pub gates: &'a Gates<'a>,
    /// Author of the merge commit.
    pub author: Option<&'a Author>,
    /// Message of the merge commit.
    pub message: String,
    /// Allowed flags of the push.
    pub push_flags: &'a [String],
    /// Told about each step.
    pub step: &'a (dyn Fn(String) + Send + Sync),
    /// Asked once before each push; no push happens after a "no".
    pub may_push: &'a (dyn Fn() -> bool + Send + Sync),
}

/// Trial merge of a commit into a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    /// The merge commit.
    Clean(String),
    /// Both sides changed the same lines of these files.
    Conflict(Vec<String>),
}

enum Pushed {
    Reached,
    Moved,
    Refused(String),
    Unclear(String),
}

impl Merge<'_> {
    /// Runs to a result; whatever cannot be decided is `error` with a message.
    pub async fn run(&self) -> MergeReport {
        let _held = self.rig.merging.lock().await;
        match self.attempts().await {
            Ok(report) => report,
            Err(StoreError::CommitMissing(commit)) => {
                self.report(MergeStatus::NoCommit, format!("The remote has no commit {commit}."))
            }
            Err(error) => self.report(MergeStatus::Error, format!("The merge could not run: {error}.")),
        }
    }

    fn report(&self, status: MergeStatus, message: String) -> MergeReport {
        MergeReport {
            status,
            commit: self.commit.to_owned(),
            branch: self.branch.to_owned(),
            target: self.target.to_owned(),
            merge_commit: None,
            files: Vec::new(),
            results: Vec::new(),
            message,
            tries: 0,
        }
    }

    async fn attempts(&self) -> Result<MergeReport, StoreError> {
        let mut tries = 0;
        loop {
            (self.step)("fetching".to_owned());
            self.rig.fetch_now(&(self.remote)(), self.default_branch).await?;
            if !self.rig.has_commit(self.commit).await || !self.is_published().await? {
                return Err(StoreError::CommitMissing(self.commit.to_owned()));
            }
            let base = self.rig.branch(self.target).await?;
            let base = base.ok_or_else(|| StoreError::BaseMissing(self.target.to_owned()))?;
            if self.rig.is_ancestor(self.commit, &base).await? {
                let merge_commit = brought_in_by(self.rig, self.commit, &base).await?;
                let report = self.report(MergeStatus::Merged, "The target already contains the commit.".to_owned());
                return Ok(MergeReport { merge_commit, tries, ..report });
            }
            if let Some(report) = self.attempt(&base, tries).await? {
                return Ok(report);
            }
            tries += 1;
            if tries > limits::MERGE_RETRIES {
                let message = format!("{} moved during each of {tries} merges.", self.target);
                return Ok(MergeReport { tries, ..self.report(MergeStatus::TargetMoved, message) });
            }
        }
    }

    /// One merge into `base`; nothing when the target moved meanwhile.
    async fn attempt(&self, base: &str, tries: u32) -> Result<Option<MergeReport>, StoreError> {
        (self.step)("merging".to_owned());
        let merge = match trial(self.rig, self.gates.dir, base, self.commit, &self.message, self.author).await? {
            Trial::Clean(commit) => commit,
            Trial::Conflict(files) => {
                let message = format!("{} files conflict with {}.", files.len(), self.target);
                return Ok(Some(MergeReport { files, tries, ..self.report(MergeStatus::Conflict, message) }));
            }
        };
        let results = self.gates.run(self.rig, &merge, self.commands, self.step).await?;
        if !are_green(&results) {
            return self.judge_red(base, results, tries).await.map(Some);
        }
        if !(self.may_push)() {
            return Ok(Some(self.report(MergeStatus::Error, "The job was cancelled before the push.".to_owned())));
        }
        (self.step)("pushing".to_owned());
        let (status, message) = match self.push(base, &merge).await? {
            Pushed::Reached => (MergeStatus::Merged, format!("Merged into {}.", self.target)),
            Pushed::Moved => return Ok(None),
            Pushed::Refused(words) => (MergeStatus::PushRefused, format!("The remote refused the push: {words}")),
            Pushed::Unclear(words) => (MergeStatus::Error, format!("The push failed: {words}")),
        };
        let merge_commit = (status == MergeStatus::Merged).then_some(merge);
        Ok(Some(MergeReport { merge_commit, results, tries: tries + 1, ..self.report(status, message) }))
    }

    /// Red on the result: is it red on the target alone too?
    async fn judge_red(&self, base: &str, results: Vec<GateResult>, tries: u32) -> Result<MergeReport, StoreError> {
        let red = red_commands(&results);
        let alone = self.gates.run(self.rig, base, &red, self.step).await?;
        let (status, message) = match are_green(&alone) {
            true => (MergeStatus::GatesRed, format!("{} gates are red on the merge result.", red.len())),
            false => (MergeStatus::TargetRed, format!("Gates are red on {} itself.", self.target)),
        };
        Ok(MergeReport { results, tries, ..self.report(status, message) })
    }

    async fn push(&self, base: &str, merge: &str) -> Result<Pushed, StoreError> {
        let (store, remote) = (self.rig.store(), (self.remote)());
        let lease = format!("--force-with-lease=refs/heads/{}:{base}", self.target);
        let target = format!("{merge}:refs/heads/{}", self.target);
        let push = Git::runtime(&store).args(["push", "--porcelain", &lease]).args(self.push_flags);
        let pushed = push.args([&remote.url, &target]).remote(&remote).run().await;
        self.rig.invalidate();
        let now = self.rig.remote_branch(&(self.remote)(), self.target).await?;
        if now.as_deref() == Some(merge) {
            return Ok(Pushed::Reached);
        }
        if now.as_deref() != Some(base) {
            // Somebody pushed on top of ours, or instead of it; the mirror tells.
            self.rig.fetch_now(&(self.remote)(), self.default_branch).await?;
            let contained = match &now {
                Some(now) => self.rig.is_ancestor(merge, now).await?,
                None => false,
            };
            return Ok(if contained { Pushed::Reached } else { Pushed::Moved });
        }
        Ok(match pushed {
            Ok(()) => Pushed::Unclear("the remote still names the old commit".to_owned()),
            Err(GitError::Failed { stderr, stdout, .. }) => {
                let words = refusal(&stdout).unwrap_or_else(|| last_line(&stderr).to_owned());
                match stdout.contains("[remote rejected]") || stderr.contains("error: 403") {
                    true => Pushed::Refused(words),
                    false => Pushed::Unclear(words),
                }
            }
            Err(error @ (GitError::Spawn { .. } | GitError::TimedOut { .. })) => Pushed::Unclear(error.to_string()),
        })
    }

    /// Whether a branch of the remote contains the commit; objects of deleted branches linger in the store.
    async fn is_published(&self) -> Result<bool, GitError> {
        let args = ["for-each-ref", "--count=1", "--format=x", "--contains", self.commit, "refs/remotes/origin"];
        Ok(!Git::runtime(&self.rig.store()).args(args).text().await?.is_empty())
    }
}

/// The rejected line of `git push --porcelain`: `!\t<refs>\t[remote rejected] (reason)`.
fn refusal(stdout: &str) -> Option<String> {
    let line = stdout.lines().find(|line| line.starts_with('!'))?;
    line.rsplit('\t').next().map(str::to_owned)
}

/// The first-parent commit that brought `commit` into `tip`; none when it lies on the first-parent line itself.
async fn brought_in_by(rig: &RigStore, commit: &str, tip: &str) -> Result<Option<String>, StoreError> {
    let store = rig.store();
    let line = Git::runtime(&store).args(["rev-list", "--first-parent", &format!("{commit}..{tip}")]).text().await?;
    let line: Vec<&str> = line.lines().collect();
    // Newest first; all that contain the commit come before all that do not.
    let (mut low, mut high) = (0, line.len());
    while low < high {
        let middle = (low + high) / 2;
        match rig.is_ancestor(commit, line[middle]).await? {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    let Some(first) = low.checked_sub(1).and_then(|at| line.get(at)) else { return Ok(None) };
    let parent = format!("{first}^1");
    let parent = Git::runtime(&store).args(["rev-parse", "--verify", "--quiet", &parent]).text().await?;
    Ok((parent != commit).then(|| (*first).to_owned()))
}

/// Merges `commit` into a clean checkout of `base`; nothing is left behind.
pub async fn trial(
    rig: &RigStore,
    dir: &Path,
    base: &str,
    commit: &str,
    message: &str,
    author: Option<&Author>,
) -> Result<Trial, StoreError> {
    let path = dir.join("merge");
    super::make_dir(dir)?;
    {
        let _held = rig.lock.lock().await;
        remove_checkout(rig, &path).await?;
        let shown = path.display().to_string();
        Git::runtime(&rig.store()).args(["worktree", "add", "--quiet", "--detach", &shown, base]).run().await?;
    }
    let merged = merge_in(&path, commit, message, author).await;
    let _held = rig.lock.lock().await;
    remove_checkout(rig, &path).await?;
    Ok(merged?)
}

async fn merge_in(path: &Path, commit: &str, message: &str, author: Option<&Author>) -> Result<Trial, GitError> {
    let mut merge = Git::runtime(path).args(["merge", "--no-ff", "--no-edit", "--quiet", "-m", message, commit]);
    let (name, email) = match author {
        Some(author) => (author.name.as_str(), author.email.as_str()),
        None => ("Gas Town", "gastown@agents.gastown.invalid"),
    };
    for who in ["GIT_AUTHOR", "GIT_COMMITTER"] {
        merge = merge.env(&format!("{who}_NAME"), name).env(&format!("{who}_EMAIL"), email);
    }
    if let Err(error) = merge.run().await {
        let files = Git::runtime(path).args(["diff", "--name-only", "--diff-filter=U"]).text().await?;
        if files.is_empty() {
            return Err(error);
        }
        return Ok(Trial::Conflict(files.lines().take(FILES_MAX).map(str::to_owned).collect()));
    }
    Git::runtime(path).args(["rev-parse", "HEAD"]).text().await.map(Trial::Clean)
}

async fn remove_checkout(rig: &RigStore, path: &Path) -> Result<(), StoreError> {
    super::worktree::remove_folder(&rig.store(), &super::base_env(), path).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_from_the_porcelain_line() {
        let stdout = "To http://x\n!\tabc:refs/heads/main\t[remote rejected] (protected branch)\nDone";
        assert_eq!(refusal(stdout).as_deref(), Some("[remote rejected] (protected branch)"));
        assert_eq!(refusal("Done"), None);
    }
}
