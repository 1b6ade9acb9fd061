//! What the mayor may look at (container.md 7.9): a read-only checkout of each rig's default branch below its desk, made
//! from the rig's store in the background, and a list of them in `AGENTS.md`. A failure is a note in that list, never an
//! error of the mayor.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gastown_core::id::RigId;
use gastown_core::text::slug;
use gastown_core::wire::control::RuntimeRig;

use super::session::Session;
use crate::git::Git;
use crate::git::store::StoreError;
use crate::town::Town;

/// Writes the list without looking at any repository, so that it is there when kilo starts.
pub fn write_list(town: &Town, session: &Session) {
    let notes = BTreeMap::new();
    write_notes(town, session, &notes);
}

/// Brings every checkout to the newest commit of its default branch.
pub async fn refresh(town: Arc<Town>, session: Arc<Session>) {
    let mut notes = BTreeMap::new();
    for rig in town.config().rigs {
        if session.is_finishing() {
            return;
        }
        let path = folder(&session, &rig);
        let note = match look(&town, &rig, &path).await {
            Ok(commit) => format!("at {}", commit.chars().take(12).collect::<String>()),
            Err(error) => {
                let words = town.runtime.redactor.redact(&error.to_string());
                tracing::warn!(rig.id = %rig.rig_id, "the mayor cannot look at a repository: {words}");
                format!("not available: {words}")
            }
        };
        notes.insert(rig.rig_id, note);
    }
    write_notes(&town, &session, &notes);
}

async fn look(town: &Arc<Town>, rig: &RuntimeRig, path: &Path) -> Result<String, StoreError> {
    let store = town.rig(rig.rig_id);
    let remote = town.runtime.remote(town, rig.rig_id, &rig.git_url, None);
    store.refresh(&remote, &rig.default_branch, None).await?;
    let commit = store.branch(&rig.default_branch).await?;
    let commit = commit.ok_or_else(|| StoreError::BaseMissing(rig.default_branch.clone()))?;
    let _held = store.lock.lock().await;
    let is_there = path.join(".git").exists();
    set_mode(path, 0o755);
    if is_there {
        Git::runtime(path).args(["checkout", "--quiet", "--force", "--detach", &commit]).run().await?;
    } else {
        crate::git::worktree::remove_folder(&store.store(), &crate::git::base_env(), path).await?;
        let shown = path.display().to_string();
        Git::runtime(&store.store()).args(["worktree", "add", "--quiet", "--detach", &shown, &commit]).run().await?;
    }
    set_mode(path, 0o555);
    Ok(commit)
}

/// A folder that is not there yet has no mode.
fn set_mode(path: &Path, mode: u32) {
    let _absent = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
}

fn folder(session: &Session, rig: &RuntimeRig) -> PathBuf {
    session.paths.work_dir.join("rigs").join(slug_of(session, rig))
}

/// The order's word for the rig, else one made from its name.
fn slug_of(session: &Session, rig: &RuntimeRig) -> String {
    let ordered = session.order.rigs.iter().find(|ordered| ordered.rig_id == rig.rig_id);
    let own = ordered.map_or_else(|| slug(&rig.name), |ordered| slug(&ordered.slug));
    if own.is_empty() { rig.rig_id.short() } else { own }
}

fn write_notes(town: &Town, session: &Session, notes: &BTreeMap<RigId, String>) {
    let mut text =
        "# Repositories of this town\n\nRead-only checkouts of the default branches; they are refreshed when \
                    somebody writes to you.\n\n"
            .to_owned();
    for rig in town.config().rigs {
        let note = notes.get(&rig.rig_id).map_or("being fetched", String::as_str);
        let (slug, name) = (slug_of(session, &rig), rig.name.replace(['\n', '`'], " "));
        let (default, target) = (&rig.default_branch, &rig.target_branch);
        // Writing to a String cannot fail.
        let _infallible = writeln!(
            text,
            "- `rigs/{slug}`: {name} (rig {}), default branch {default}, target branch {target}, {note}",
            rig.rig_id
        );
    }
    if let Err(error) = std::fs::write(session.paths.work_dir.join("AGENTS.md"), text) {
        tracing::warn!(error = %error, "the mayor's list of repositories could not be written");
    }
}
