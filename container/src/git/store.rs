//! The store of a rig: a bare repository that mirrors the remote's branches, and that only the runtime writes
//! (container.md 7.2). Fetches are shared: a caller that waited while another fetched needs none of its own.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use gastown_core::wire::control::StartFailureCode;

use super::{GatewayFailure, Git, GitError, Remote};
use crate::limits;

/// One rig's folder.
pub struct RigStore {
    /// `<data>/towns/<town>/rigs/<rig>`.
    pub dir: PathBuf,
    /// Held while refs or worktrees of the rig change.
    pub lock: tokio::sync::Mutex<()>,
    /// Held while a merge into this rig runs: merges into one target run one after the other.
    pub merging: tokio::sync::Mutex<()>,
    fetched: Mutex<Option<Instant>>,
}

/// The store could not be brought to what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The gateway refused.
    #[error(transparent)]
    Gateway(#[from] GatewayFailure),
    /// A branch that work should start from does not exist.
    #[error("the remote has no branch {0}")]
    BaseMissing(String),
    /// A commit that is needed is not on the remote.
    #[error("the remote has no commit {0}")]
    CommitMissing(String),
    /// The disk refused.
    #[error("could not write {path}: {reason}")]
    Disk {
        /// Where.
        path: String,
        /// Cause.
        reason: String,
    },
}

impl StoreError {
    /// What a start fails with.
    pub fn start_failure(&self) -> (StartFailureCode, String) {
        let code = match self {
            Self::Git(GitError::TimedOut { .. }) => StartFailureCode::GitTimeout,
            Self::Git(error) if error.stderr().contains("No space left") => StartFailureCode::DiskFull,
            Self::Git(_) => StartFailureCode::GitFailed,
            Self::Gateway(failure) => failure.code,
            Self::BaseMissing(_) => StartFailureCode::BaseMissing,
            Self::CommitMissing(_) => StartFailureCode::CommitMissing,
            Self::Disk { .. } => StartFailureCode::DiskFull,
        };
        (code, self.to_string())
    }
}

impl RigStore {
    /// The store in this folder; nothing is made yet.
    pub fn new(dir: PathBuf) -> Self {
        let (lock, merging) = (tokio::sync::Mutex::new(()), tokio::sync::Mutex::new(()));
        Self { dir, lock, merging, fetched: Mutex::new(None) }
    }

    /// The mirror.
    pub fn store(&self) -> PathBuf {
        self.dir.join("store.git")
    }

    /// The repository that the agents' worktrees hang on.
    pub fn work(&self) -> PathBuf {
        self.dir.join("work.git")
    }

    /// Whether a clone is still to be made.
    pub fn is_new(&self) -> bool {
        !self.store().join("HEAD").exists()
    }

    /// Brings the mirror up to date, unless that happened a moment ago and the wanted commit is there.
    pub async fn refresh(&self, remote: &Remote, default_branch: &str, want: Option<&str>) -> Result<(), StoreError> {
        let asked = Instant::now();
        let _held = self.lock.lock().await;
        let fetched = *self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = fetched.is_some_and(|at| at >= asked || asked.duration_since(at) < limits::FETCH_FRESH);
        let there = match want {
            Some(commit) => self.has_commit(commit).await,
            None => true,
        };
        if fresh && there && !self.is_new() {
            return Ok(());
        }
        self.fetch(remote, default_branch).await
    }

    /// The remote changed through our own hands: the next caller fetches, however fresh the mirror is.
    pub fn invalidate(&self) {
        *self.fetched.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Fetches without looking at when the last fetch was; the caller needs the newest state.
    pub async fn fetch_now(&self, remote: &Remote, default_branch: &str) -> Result<(), StoreError> {
        let _held = self.lock.lock().await;
        self.fetch(remote, default_branch).await
    }

    async fn fetch(&self, remote: &Remote, default_branch: &str) -> Result<(), StoreError> {
        let store = self.store();
        let clone = self.ensure_repository().await?;
        let tags = if clone { "+refs/tags/*:refs/tags/*" } else { "+refs/heads/*:refs/remotes/origin/*" };
        let fetch = Git::runtime(&store)
            .args(["fetch", "--quiet", "--no-tags", "--prune", "--no-write-fetch-head", "--end-of-options"])
            .args([&remote.url, "+refs/heads/*:refs/remotes/origin/*", tags])
            .remote(remote)
            .limit(if clone { limits::CLONE_MAX } else { limits::GIT_NETWORK });
        if let Err(error) = fetch.run().await {
            if clone {
                // A half-made clone must not be taken for a store.
                let _removed = std::fs::remove_dir_all(&store);
            }
            return Err(explained(remote, error));
        }
        self.ensure_first_commit(remote, default_branch).await?;
        *self.fetched.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(())
    }

    /// Makes the bare repository when it is missing or broken; says whether it was made.
    async fn ensure_repository(&self) -> Result<bool, StoreError> {
        let store = self.store();
        if !self.is_new() && Git::runtime(&store).args(["rev-parse", "--git-dir"]).run().await.is_ok() {
            return Ok(false);
        }
        if store.exists() {
            std::fs::remove_dir_all(&store).map_err(|error| disk(&store, &error))?;
        }
        std::fs::create_dir_all(&store).map_err(|error| disk(&store, &error))?;
        Git::runtime(&store).args(["init", "--quiet", "--bare", "--initial-branch=gastown-none", "."]).run().await?;
        Ok(true)
    }

    /// A remote without any branch gets an empty first commit, unless somebody else was faster.
    async fn ensure_first_commit(&self, remote: &Remote, default_branch: &str) -> Result<(), StoreError> {
        if self.branch(default_branch).await?.is_some() {
            return Ok(());
        }
        let store = self.store();
        let any = Git::runtime(&store).args(["for-each-ref", "--count=1", "refs/remotes/origin"]).text().await?;
        if !any.is_empty() {
            return Err(StoreError::BaseMissing(default_branch.to_owned()));
        }
        let tree = Git::runtime(&store).args(["mktree"]).stdin(Vec::new()).text().await?;
        let commit = identity(Git::runtime(&store).args(["commit-tree", &tree, "-m", "Initial commit"])).text().await?;
        self.create_branch(remote, default_branch, &commit).await?;
        let refspec = "+refs/heads/*:refs/remotes/origin/*";
        let again = Git::runtime(&store).args(["fetch", "--quiet", "--no-tags", &remote.url, refspec]).remote(remote);
        again.run().await.map_err(|error| explained(remote, error))
    }

    /// Creates a branch on the remote if it does not exist; losing that race is fine.
    pub async fn create_branch(&self, remote: &Remote, branch: &str, commit: &str) -> Result<(), StoreError> {
        let store = self.store();
        let lease = format!("--force-with-lease=refs/heads/{branch}:");
        let target = format!("{commit}:refs/heads/{branch}");
        let push = Git::runtime(&store).args(["push", "--quiet", &lease, &remote.url, &target]).remote(remote);
        match push.run().await {
            Ok(()) => Ok(()),
            Err(error) if self.remote_branch(remote, branch).await?.is_none() => Err(explained(remote, error)),
            Err(_) => Ok(()),
        }
    }

    /// The commit of a branch, as of the last fetch.
    pub async fn branch(&self, branch: &str) -> Result<Option<String>, GitError> {
        let name = format!("refs/remotes/origin/{branch}^{{commit}}");
        let store = self.store();
        match Git::runtime(&store).args(["rev-parse", "--verify", "--quiet", "--end-of-options", &name]).text().await {
            Ok(commit) => Ok(Some(commit)),
            Err(error) if error.code() == Some(1) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The commit of a branch, asked of the remote itself.
    pub async fn remote_branch(&self, remote: &Remote, branch: &str) -> Result<Option<String>, StoreError> {
        self.remote_ref(remote, &format!("refs/heads/{branch}")).await
    }

    /// The commit of a ref, asked of the remote itself.
    pub async fn remote_ref(&self, remote: &Remote, name: &str) -> Result<Option<String>, StoreError> {
        let store = self.store();
        let ask = Git::runtime(&store).args(["ls-remote", "--end-of-options", &remote.url, name]).remote(remote);
        let text = ask.text().await.map_err(|error| explained(remote, error))?;
        let line = text.lines().find_map(|line| line.split_once('\t').filter(|(_, found)| *found == name));
        Ok(line.map(|(commit, _)| commit.to_owned()))
    }

    /// Whether the mirror holds a commit.
    pub async fn has_commit(&self, commit: &str) -> bool {
        let name = format!("{commit}^{{commit}}");
        Git::runtime(&self.store()).args(["cat-file", "-e", &name]).run().await.is_ok()
    }

    /// Makes sure that a commit is there, after at most two fetches.
    pub async fn need_commit(&self, remote: &Remote, default_branch: &str, commit: &str) -> Result<(), StoreError> {
        self.refresh(remote, default_branch, Some(commit)).await?;
        if !self.has_commit(commit).await {
            self.fetch_now(remote, default_branch).await?;
        }
        match self.has_commit(commit).await {
            true => Ok(()),
            false => Err(StoreError::CommitMissing(commit.to_owned())),
        }
    }

    /// Fetches one ref into a name of ours.
    pub async fn fetch_ref(&self, remote: &Remote, from: &str, to: &str) -> Result<(), StoreError> {
        let _held = self.lock.lock().await;
        let store = self.store();
        let refspec = format!("+{from}:{to}");
        let fetch = Git::runtime(&store).args(["fetch", "--quiet", "--no-tags", "--end-of-options"]);
        let fetch = fetch.args([&remote.url, &refspec]).remote(remote);
        fetch.run().await.map_err(|error| explained(remote, error))
    }

    /// Whether `old` is contained in `new`, also when `new` exists only among the agents' objects: objects are read
    /// there, configuration never.
    pub async fn is_ancestor(&self, old: &str, new: &str) -> Result<bool, GitError> {
        let objects = self.work().join("objects").display().to_string();
        Git::runtime(&self.store())
            .args(["merge-base", "--is-ancestor", old, new])
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects)
            .answer()
            .await
    }

    /// Names and commits of all mirrored branches.
    pub async fn branches(&self) -> Result<Vec<(String, String)>, GitError> {
        let format = "--format=%(refname) %(objectname)";
        let text = Git::runtime(&self.store()).args(["for-each-ref", format, "refs/remotes/origin"]).text().await?;
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        Ok(pairs.map(|(name, commit)| (name.to_owned(), commit.to_owned())).collect())
    }
}

/// Author and committer of commits that no agent makes.
pub fn identity(git: Git<'_>) -> Git<'_> {
    ["GIT_AUTHOR", "GIT_COMMITTER"].into_iter().fold(git, |git, who| {
        git.env(&format!("{who}_NAME"), "Gas Town").env(&format!("{who}_EMAIL"), "gastown@agents.gastown.invalid")
    })
}

/// The gateway's own reason, when it has one; else git's.
pub fn explained(remote: &Remote, error: GitError) -> StoreError {
    let failure = remote.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
    match failure {
        Some(failure) => StoreError::Gateway(failure),
        None => StoreError::Git(error),
    }
}

fn disk(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Disk { path: path.display().to_string(), reason: error.to_string() }
}
