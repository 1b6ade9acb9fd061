//! One worktree per assignment, made with the session's authority (container.md 7.3). A branch that the remote has is
//! continued where it stands, so that pushed work is never lost; a review gets exactly the commit under review,
//! detached. Removing is in `save`, because it fails closed.

use std::path::{Path, PathBuf};

use gastown_core::wire::control::Resume;

use super::store::{RigStore, StoreError};
use super::{Git, GitError, Remote};

/// Where a worktree starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start<'a> {
    /// On a branch: where the remote has it, else at the base.
    Branch {
        /// Work branch.
        branch: &'a str,
        /// Where a new one starts.
        base: &'a str,
        /// Saved work to restore.
        resume: Option<&'a Resume>,
    },
    /// Detached at a commit.
    Commit(&'a str),
}

/// A worktree that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worktree {
    /// Its folder.
    pub path: PathBuf,
    /// Commit it stands at.
    pub head: String,
    /// What was restored, for the agent.
    pub restored: Option<String>,
}

/// Makes the worktree at `path`; the store must be fresh.
pub async fn make(
    rig: &RigStore,
    env: &[(String, String)],
    git_url: &str,
    remote: &Remote,
    path: &Path,
    start: Start<'_>,
) -> Result<Worktree, StoreError> {
    let resume = match &start {
        Start::Branch { resume: Some(resume), .. } => fetch_saved(rig, remote, resume).await,
        Start::Branch { resume: None, .. } | Start::Commit(_) => None,
    };
    let _held = rig.lock.lock().await;
    let work = ensure_work(rig, env, git_url).await?;
    remove_folder(&work, env, path).await?;
    let (head, restored) = match start {
        Start::Commit(commit) => {
            let shown = path.display().to_string();
            Git::agent(&work, env).args(["worktree", "add", "--quiet", "--detach", &shown, commit]).run().await?;
            (commit.to_owned(), None)
        }
        Start::Branch { branch, base, .. } => add_on_branch(rig, &work, env, path, branch, base, resume).await?,
    };
    Ok(Worktree { path: path.to_owned(), head, restored })
}

async fn add_on_branch(
    rig: &RigStore,
    work: &Path,
    env: &[(String, String)],
    path: &Path,
    branch: &str,
    base: &str,
    saved: Option<Saved>,
) -> Result<(String, Option<String>), StoreError> {
    let start = match rig.branch(branch).await? {
        Some(commit) => commit,
        None => rig.branch(base).await?.ok_or_else(|| StoreError::BaseMissing(base.to_owned()))?,
    };
    let start = match &saved {
        // Commits that never reached the branch are below the saved tree; they come back with it.
        Some(saved) if rig.is_ancestor(&start, &saved.parent).await? => saved.parent.clone(),
        Some(_) | None => start,
    };
    detach_holders(work, env, branch).await?;
    let shown = path.display().to_string();
    let add = ["worktree", "add", "--quiet", "--no-track", "-B", branch, &shown, &start];
    Git::agent(work, env).args(add).run().await?;
    for (key, value) in [("remote", "origin"), ("merge", &format!("refs/heads/{branch}"))] {
        Git::agent(work, env).args(["config", &format!("branch.{branch}.{key}"), value]).run().await?;
    }
    let restored = match saved {
        Some(saved) => restore(path, env, &saved).await?,
        None => None,
    };
    Ok((start, restored))
}

/// Commit of saved work and the commit it was saved on.
struct Saved {
    commit: String,
    parent: String,
}

/// Saved work that cannot be found is no reason not to start: the branch itself is there.
async fn fetch_saved(rig: &RigStore, remote: &Remote, resume: &Resume) -> Option<Saved> {
    let commit = resume.commit.clone()?;
    if let Some(name) = &resume.ref_name {
        let to = format!("refs/gastown/resume/{commit}");
        if let Err(error) = rig.fetch_ref(remote, name, &to).await {
            tracing::warn!(error = %error, "saved work could not be fetched");
        }
    }
    let store = rig.store();
    let parent = Git::runtime(&store).args(["rev-parse", "--verify", "--quiet", &format!("{commit}^")]).text().await;
    parent.ok().map(|parent| Saved { commit, parent })
}

/// Puts the saved changes back as uncommitted work.
async fn restore(path: &Path, env: &[(String, String)], saved: &Saved) -> Result<Option<String>, GitError> {
    let pick = Git::agent(path, env).args(["cherry-pick", "--no-commit", &saved.commit]).run().await;
    // Unstage, so that it is plainly uncommitted; after a conflict this also ends the pick and keeps both sides' text.
    Git::agent(path, env).args(["reset", "--quiet"]).run().await?;
    Ok(Some(match pick {
        Ok(()) => "Uncommitted work of an earlier attempt was restored in this folder; look at git status.".to_owned(),
        Err(_) => {
            "Work of an earlier attempt was restored, with conflict marks where it did not fit; look at git diff."
                .to_owned()
        }
    }))
}

/// The repository that worktrees hang on: it borrows the store's objects and mirrors its branches.
async fn ensure_work(rig: &RigStore, env: &[(String, String)], git_url: &str) -> Result<PathBuf, StoreError> {
    let work = rig.work();
    if !work.join("HEAD").exists() {
        super::make_dir(&work)?;
        Git::agent(&work, env).args(["init", "--quiet", "--bare", "--initial-branch=gastown-none", "."]).run().await?;
        borrow_objects(&work.join("objects"), &rig.store())?;
    }
    for (key, value) in [("remote.origin.url", git_url), ("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")]
    {
        Git::agent(&work, env).args(["config", key, value]).run().await?;
    }
    mirror_branches(rig, &work, env).await?;
    Ok(work)
}

/// Lets a repository read the store's objects.
pub fn borrow_objects(objects: &Path, store: &Path) -> Result<(), StoreError> {
    let file = objects.join("info").join("alternates");
    std::fs::write(&file, format!("{}\n", store.join("objects").display()))
        .map_err(|error| StoreError::Disk { path: file.display().to_string(), reason: error.to_string() })
}

async fn mirror_branches(rig: &RigStore, work: &Path, env: &[(String, String)]) -> Result<(), StoreError> {
    let wanted = rig.branches().await?;
    let format = "--format=%(refname)";
    let present = Git::agent(work, env).args(["for-each-ref", format, "refs/remotes/origin"]).text().await?;
    let mut input = String::new();
    for (name, commit) in &wanted {
        input.push_str(&format!("update {name} {commit}\n"));
    }
    for name in present.lines().filter(|name| !wanted.iter().any(|(wanted, _)| wanted == name)) {
        input.push_str(&format!("delete {name}\n"));
    }
    Git::agent(work, env).args(["update-ref", "--stdin"]).stdin(input.into_bytes()).run().await?;
    Ok(())
}

/// A branch can be checked out once; whoever holds it belongs to a session that ended.
async fn detach_holders(work: &Path, env: &[(String, String)], branch: &str) -> Result<(), GitError> {
    let wanted = format!("branch refs/heads/{branch}");
    let list = Git::agent(work, env).args(["worktree", "list", "--porcelain"]).text().await?;
    for entry in list.split("\n\n") {
        let path = entry.lines().find_map(|line| line.strip_prefix("worktree "));
        if let Some(path) = path
            && entry.lines().any(|line| line == wanted)
            && Path::new(path).exists()
        {
            Git::agent(Path::new(path), env).args(["checkout", "--quiet", "--detach"]).run().await?;
        }
    }
    Git::agent(work, env).args(["worktree", "prune"]).run().await
}

/// Removes a worktree's folder and its entry; a folder that is not there is fine.
pub async fn remove_folder(work: &Path, env: &[(String, String)], path: &Path) -> Result<(), StoreError> {
    if path.exists() {
        std::fs::remove_dir_all(path)
            .map_err(|error| StoreError::Disk { path: path.display().to_string(), reason: error.to_string() })?;
    }
    if work.join("HEAD").exists() {
        Git::agent(work, env).args(["worktree", "prune"]).run().await?;
    }
    Ok(())
}
