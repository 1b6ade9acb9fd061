//! Saving unpublished work, with the session's authority and hooks off (container.md 7.8): commits go to the branch,
//! everything uncommitted to a ref of its own, without moving the branch. Secrets and large files stay behind and are
//! named. Nothing here removes a worktree unless its content is on the remote.

use std::path::Path;

use gastown_core::wire::control::SavedWork;

use super::{Git, GitError};
use crate::limits;

/// Where the work of a session goes.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// Worktree.
    pub path: &'a Path,
    /// The session's environment.
    pub env: &'a [(String, String)],
    /// Work branch; absent when the session may not push one.
    pub branch: Option<&'a str>,
    /// First eight digits of bead and assignment: names the ref.
    pub name: &'a str,
}

/// What is in a worktree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Newest commit.
    pub head: String,
    /// Changed tracked files.
    pub changed: Vec<String>,
    /// New files that are not ignored.
    pub untracked: Vec<String>,
}

impl Status {
    /// Whether anything is uncommitted.
    pub fn is_dirty(&self) -> bool {
        !self.changed.is_empty() || !self.untracked.is_empty()
    }

    /// All uncommitted paths.
    pub fn paths(&self) -> impl Iterator<Item = &String> {
        self.changed.iter().chain(&self.untracked)
    }
}

/// What saving did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SaveReport {
    /// Commit that the branch has on the remote after saving.
    pub pushed: Option<String>,
    /// Where uncommitted work went.
    pub saved: Option<SavedWork>,
    /// Files that were left out.
    pub left_out: Vec<String>,
}

/// Looks at a worktree.
pub async fn status(path: &Path, env: &[(String, String)]) -> Result<Status, GitError> {
    let head = Git::agent(path, env).args(["rev-parse", "HEAD"]).text().await?;
    let args = ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"];
    let bytes = Git::agent(path, env).args(args).bytes().await?;
    let mut status = Status { head, ..Status::default() };
    for entry in bytes.split(|byte| *byte == 0).filter(|entry| entry.len() > 3) {
        let name = String::from_utf8_lossy(&entry[3..]).into_owned();
        match &entry[..2] {
            b"??" => status.untracked.push(name),
            _ => status.changed.push(name),
        }
    }
    Ok(status)
}

/// Pushes the branch if that is a fast-forward; the commit that the remote has then.
pub async fn push_branch(path: &Path, env: &[(String, String)], branch: &str) -> Result<String, GitError> {
    let head = Git::agent(path, env).args(["rev-parse", "HEAD"]).text().await?;
    let refspec = format!("HEAD:refs/heads/{branch}");
    let push = Git::agent(path, env).args(["push", "--quiet", "origin", &refspec]).limit(limits::SAVE_PUSH);
    push.run().await.map(|()| head)
}

/// Saves everything that the remote does not have.
pub async fn save(place: &Place<'_>, pushed: Option<&str>) -> Result<SaveReport, GitError> {
    let status = status(place.path, place.env).await?;
    let mut report = SaveReport { pushed: pushed.map(str::to_owned), ..SaveReport::default() };
    let known = is_published(place, &status.head).await?;
    let mut published = known;
    if !known && let Some(branch) = place.branch {
        match push_branch(place.path, place.env, branch).await {
            Ok(commit) => {
                report.pushed = Some(commit);
                published = true;
            }
            Err(error) => tracing::warn!(error = %error, "the branch could not be pushed while saving"),
        }
    }
    if published && !status.is_dirty() {
        return Ok(report);
    }
    let (keep, left_out) = choose(place.path, &status.untracked);
    report.left_out = left_out;
    if published && status.changed.is_empty() && keep.is_empty() {
        return Ok(report);
    }
    let commit = snapshot(place, &status, &keep).await?;
    report.saved = Some(push_snapshot(place, commit).await?);
    Ok(report)
}

/// Whether HEAD is contained in a branch of the remote, as far as this repository knows.
async fn is_published(place: &Place<'_>, head: &str) -> Result<bool, GitError> {
    let args = ["for-each-ref", "--count=1", "--format=%(refname)", "--contains", head, "refs/remotes/origin"];
    Ok(!Git::agent(place.path, place.env).args(args).text().await?.is_empty())
}

/// A commit of the whole tree, made with an index of its own; HEAD and the agent's index stay as they are.
async fn snapshot(place: &Place<'_>, status: &Status, keep: &[String]) -> Result<String, GitError> {
    let git_dir = Git::agent(place.path, place.env).args(["rev-parse", "--absolute-git-dir"]).text().await?;
    let index = Path::new(&git_dir).join("gastown-save-index").display().to_string();
    let with_index = || Git::agent(place.path, place.env).env("GIT_INDEX_FILE", &index);
    with_index().args(["read-tree", "HEAD"]).run().await?;
    with_index().args(["add", "--update", "."]).limit(limits::SAVE_MAX).run().await?;
    if !keep.is_empty() {
        let names = keep.join("\0").into_bytes();
        let add = ["add", "--pathspec-from-file=-", "--pathspec-file-nul"];
        with_index().env("GIT_LITERAL_PATHSPECS", "1").args(add).stdin(names).limit(limits::SAVE_MAX).run().await?;
    }
    let tree = with_index().args(["write-tree"]).text().await?;
    let message = "Unfinished work, saved by Gas Town";
    let commit = Git::agent(place.path, place.env).args(["commit-tree", &tree, "-p", &status.head, "-m", message]);
    let commit = commit.text().await;
    let _removed = std::fs::remove_file(&index);
    commit
}

async fn push_snapshot(place: &Place<'_>, commit: String) -> Result<SavedWork, GitError> {
    let mut refused = None;
    // Some forges accept nothing outside refs/heads.
    for prefix in ["refs/gastown/wip", "refs/heads/gastown"] {
        let ref_name = format!("{prefix}/{}", place.name);
        let refspec = format!("+{commit}:{ref_name}");
        let push = Git::agent(place.path, place.env).args(["push", "--quiet", "origin", &refspec]);
        match push.limit(limits::SAVE_PUSH).run().await {
            Ok(()) => return Ok(SavedWork { ref_name, commit }),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or(GitError::Spawn { command: "push".to_owned(), reason: "no ref to try".to_owned() }))
}

/// Untracked files to save, and those to leave behind.
fn choose(root: &Path, untracked: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut keep, mut left_out, mut total) = (Vec::new(), Vec::new(), 0);
    for name in untracked {
        // The link itself is what git would store; where it points to is not looked at.
        let size = std::fs::symlink_metadata(root.join(name)).map_or(0, |meta| meta.len());
        if is_secret_name(name) || size > limits::SAVED_FILE_MAX || total + size > limits::SAVED_TOTAL_MAX {
            left_out.push(name.clone());
        } else {
            total += size;
            keep.push(name.clone());
        }
    }
    (keep, left_out)
}

/// File names that usually hold secrets.
fn is_secret_name(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let is_service_account = name.starts_with("service-account") && name.ends_with(".json");
    is_service_account
        || [".env", "id_", "credentials"].iter().any(|prefix| name.starts_with(prefix))
        || [".pem", ".key", ".p12"].iter().any(|suffix| name.ends_with(suffix))
        || [".netrc", ".npmrc", ".pypirc"].contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known() {
        for name in
            [".env", "a/.env.local", "x/server.pem", "id_rsa", "credentials", "service-account-1.json", ".npmrc"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["environment.rs", "key.rs", "src/idea.md", "account.json"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
