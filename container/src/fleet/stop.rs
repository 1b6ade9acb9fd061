//! The end of a session (container.md 6.3, 7.8): the turn, the work, the processes, the folders, in this order. A
//! worktree is removed only when nothing in it is lost by that; otherwise it stays and is named as unsaved.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use gastown_core::wire::control::{StopMode, UnsavedWork};
use gastown_core::wire::report::FactBody;

use super::actor::Kilo;
use super::machine::Input;
use super::session::{Session, Signal};
use super::tree;
use crate::git::GitError;
use crate::git::save::{self, Place, SaveReport};
use crate::git::worktree;
use crate::limits;
use crate::report::outbox::chain;
use crate::town::Town;

/// Runs the stop sequence and tells the actor.
pub async fn run(town: Arc<Town>, session: Arc<Session>, kilo: Option<Kilo>, mode: StopMode, grace: Duration) {
    if let Some(kilo) = &kilo {
        end_turn(kilo, grace).await;
    }
    look(&session).await;
    let is_safe = match mode {
        StopMode::Save => save_work(&town, &session).await,
        StopMode::Discard | StopMode::Kill => true,
    };
    let pid = session.status().pid;
    if let Some(pid) = pid {
        tree::end_session_processes(pid, session.reference.assignment_id).await;
    }
    if is_safe {
        remove_work_dir(&town, &session).await;
    }
    session.signal(Signal::Machine(Input::StopDone));
}

/// Removes what a failed start made.
pub async fn clean_up_start(town: &Town, session: &Session) {
    remove_work_dir(town, session).await;
}

async fn end_turn(kilo: &Kilo, grace: Duration) {
    if wait_idle(kilo, grace).await {
        return;
    }
    if let Err(error) = kilo.client.abort(&kilo.session_id).await {
        tracing::warn!(error = %chain(&error), "the turn could not be aborted");
        return;
    }
    wait_idle(kilo, limits::ABORT_WAIT).await;
}

async fn wait_idle(kilo: &Kilo, limit: Duration) -> bool {
    let poll = Duration::from_millis(100);
    let mut waited = Duration::ZERO;
    while waited < limit {
        match kilo.client.is_idle(&kilo.session_id).await {
            Ok(true) | Err(_) => return true,
            Ok(false) => tokio::time::sleep(poll).await,
        }
        waited += poll;
    }
    false
}

/// Notes what the outcome will say about the worktree.
async fn look(session: &Session) {
    if session.order.repo.is_none() || !session.paths.work_dir.join(".git").exists() {
        return;
    }
    if let Ok(found) = save::status(&session.paths.work_dir, &session.env).await {
        let mut status = session.status();
        status.dirty = Some(found.is_dirty());
        status.head = Some(found.head);
    }
}

/// Saves unpublished work; whether the worktree may go.
async fn save_work(town: &Town, session: &Session) -> bool {
    let path = &session.paths.work_dir;
    if session.push_branch().is_none() || !path.join(".git").exists() {
        return true;
    }
    let name = session.save_name();
    let place = Place { path, env: &session.env, branch: session.push_branch(), name: &name };
    let pushed = session.status().pushed.clone();
    session.set_saving(true);
    let saved = tokio::time::timeout(limits::SAVE_MAX, save::save(&place, pushed.as_deref())).await;
    session.set_saving(false);
    let saved =
        saved.unwrap_or(Err(GitError::TimedOut { command: "push".to_owned(), limit_s: limits::SAVE_MAX.as_secs() }));
    match saved {
        Ok(report) => {
            note_saved(town, session, report);
            true
        }
        Err(error) => {
            tracing::error!(assignment.id = %session.reference.assignment_id, error = %error, "work could not be saved");
            let unsaved = UnsavedWork {
                assignment_id: session.reference.assignment_id,
                ref_name: session.save_refs().first().cloned(),
                why: error.to_string(),
            };
            town.unsaved.lock().unwrap_or_else(PoisonError::into_inner).push(unsaved);
            false
        }
    }
}

fn note_saved(town: &Town, session: &Session, report: SaveReport) {
    {
        let mut status = session.status();
        status.pushed = report.pushed.or_else(|| status.pushed.take());
        status.saved.clone_from(&report.saved);
    }
    let Some(saved) = report.saved else { return };
    let reason = match report.left_out.as_slice() {
        [] => "the session ended with unpublished work".to_owned(),
        files => format!("the session ended with unpublished work; left out: {}", files.join(", ")),
    };
    town.report(session.reference, FactBody::Saved { branch: saved.ref_name, commit: saved.commit, reason });
}

async fn remove_work_dir(town: &Town, session: &Session) {
    use gastown_core::wire::control::Kind;
    if session.order.kind == Kind::Mayor {
        return;
    }
    let path = &session.paths.work_dir;
    let removed = match (session.reference.rig_id.rig(), &session.order.repo) {
        (Some(rig), Some(_)) => {
            let rig = town.rig(rig);
            let _held = rig.lock.lock().await;
            worktree::remove_folder(&rig.work(), &session.env, path).await.map_err(|error| error.to_string())
        }
        (Some(_), None) | (None, _) => match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
            Ok(()) | Err(_) => Ok(()),
        },
    };
    if let Err(error) = removed {
        tracing::warn!(assignment.id = %session.reference.assignment_id, error, "a worktree could not be removed");
    }
}
