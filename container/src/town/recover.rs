//! After a crash of the runtime on a kept disk (container.md 12.4): processes that outlived it are killed if they still
//! are what was recorded, work in their worktrees is saved and reported `evicted`, job checkouts are removed. No session
//! is continued without an order.

use std::path::Path;
use std::sync::Arc;

use gastown_core::wire::control::{Kind, UnsavedWork};
use gastown_core::wire::report::{FactBody, Outcome, OutcomeKind};

use super::Town;
use crate::clock;
use crate::fleet::session::Record;
use crate::fleet::tree;
use crate::git::save::{self, Place, SaveReport};
use crate::git::{self, GitError, worktree};

/// Looks through the town's folder once, before it registers.
pub async fn recover(town: &Arc<Town>) {
    remove_job_folders(town);
    let Ok(entries) = std::fs::read_dir(town.dir().join("sessions")) else { return };
    for entry in entries.flatten() {
        let dir = entry.path();
        let is_live = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(|id| town.session(id));
        if is_live.is_some() {
            continue;
        }
        let record = std::fs::read_to_string(dir.join("session.json")).ok();
        if let Some(record) = record.and_then(|text| serde_json::from_str::<Record>(&text).ok()) {
            recover_session(town, &record).await;
        }
        if let Err(error) = std::fs::remove_dir_all(&dir) {
            tracing::warn!(error = %error, "a leftover session folder could not be removed");
        }
    }
}

async fn recover_session(town: &Arc<Town>, record: &Record) {
    if let Some((pid, started)) = record.process
        && tree::process(pid).is_some_and(|process| process.started == started)
    {
        tree::kill_session_processes(pid, record.session.assignment_id);
    }
    let saved = match record.kind {
        Kind::Mayor => return,
        _ if record.branch.is_none() || !record.work_dir.join(".git").exists() => Ok(SaveReport::default()),
        Kind::Work
        | Kind::Rework
        | Kind::Conflict
        | Kind::Feedback
        | Kind::Fixup
        | Kind::Review
        | Kind::Landing
        | Kind::Triage => save_leftover(town, record).await,
    };
    let report = match saved {
        Ok(report) => report,
        Err(error) => {
            let why = error.to_string();
            let ref_name = Some(format!("refs/gastown/wip/{}", record.save_name));
            let unsaved = UnsavedWork { assignment_id: record.session.assignment_id, ref_name, why };
            town.unsaved.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(unsaved);
            return;
        }
    };
    if let Some(saved) = &report.saved {
        let reason = "the runtime was restarted".to_owned();
        let body = FactBody::Saved { branch: saved.ref_name.clone(), commit: saved.commit.clone(), reason };
        town.report(record.session, body);
    }
    remove_worktree(town, record).await;
    town.report_outcome(Outcome {
        key: format!("{}:{}", record.session.assignment_id, record.session.epoch),
        session: record.session,
        at: clock::now(),
        outcome: OutcomeKind::Evicted,
        error: None,
        message: "The runtime was restarted.".to_owned(),
        branch: record.branch.clone(),
        head: None,
        dirty: None,
        pushed: report.pushed,
        tokens: record.tokens,
        cost_usd: record.cost_usd,
    });
}

/// The session's capability died with the runtime; saving gets one that opens exactly its branch and its saved ref.
async fn save_leftover(town: &Arc<Town>, record: &Record) -> Result<SaveReport, GitError> {
    let (Some(rig), Some(git_url)) = (record.session.rig_id.rig(), &record.git_url) else {
        return Ok(SaveReport::default());
    };
    let mut report = SaveReport::default();
    if let Some(branch) = &record.branch {
        let env = command_env(town, rig, git_url, Some(format!("refs/heads/{branch}")));
        match save::push_branch(&record.work_dir, &env.1, branch).await {
            Ok(commit) => report.pushed = Some(commit),
            Err(error) => tracing::warn!(error = %error, "a leftover branch could not be pushed"),
        }
    }
    let env = command_env(town, rig, git_url, Some(format!("refs/gastown/wip/{}", record.save_name)));
    let place = Place { path: &record.work_dir, env: &env.1, branch: None, name: &record.save_name };
    let saved = save::save(&place, report.pushed.as_deref()).await?;
    Ok(SaveReport { saved: saved.saved, left_out: saved.left_out, ..report })
}

/// An environment for git in a leftover worktree, with a capability of its own.
fn command_env(
    town: &Arc<Town>,
    rig: gastown_core::id::RigId,
    git_url: &str,
    push: Option<String>,
) -> (git::Remote, Vec<(String, String)>) {
    let remote = town.runtime.remote(town, rig, git_url, push);
    let mut env = git::base_env();
    let gateway = town.runtime.gateway_url(rig);
    let pairs = [town.runtime.helper_pair(), (format!("url.{gateway}.insteadOf"), git_url.to_owned())];
    env.extend(remote.env.iter().filter(|(name, _)| !name.starts_with("GIT_CONFIG_")).cloned());
    env.extend(git::config_env(&pairs));
    for who in ["AUTHOR", "COMMITTER"] {
        env.push((format!("GIT_{who}_NAME"), "Gas Town".to_owned()));
        env.push((format!("GIT_{who}_EMAIL"), "gastown@agents.gastown.invalid".to_owned()));
    }
    (remote, env)
}

async fn remove_worktree(town: &Town, record: &Record) {
    let removed = match record.session.rig_id.rig() {
        Some(rig) => worktree::remove_folder(&town.rig(rig).work(), &git::base_env(), &record.work_dir).await,
        None => Ok(()),
    };
    if let Err(error) = removed {
        tracing::warn!(error = %error, "a leftover worktree could not be removed");
    }
}

fn remove_job_folders(town: &Town) {
    let Ok(rigs) = std::fs::read_dir(town.dir().join("rigs")) else { return };
    for rig in rigs.flatten() {
        remove_if_there(&rig.path().join("jobs"));
    }
}

fn remove_if_there(path: &Path) {
    if let Err(error) = std::fs::remove_dir_all(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(error = %error, "a leftover folder could not be removed");
    }
}
