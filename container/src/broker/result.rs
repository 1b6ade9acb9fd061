//! `done` and the verdict (container.md 8.3): the runtime makes sure that what an agent reports is true before it is
//! forwarded: nothing uncommitted, everything pushed, the commit as the remote names it.

use std::sync::Arc;

use axum::response::Response;
use gastown_core::wire::code::Code;
use gastown_core::wire::report::FactBody;
use serde_json::json;

use super::api::{self, Call};
use crate::fleet::Session;
use crate::fleet::machine::Input;
use crate::fleet::session::Signal;
use crate::git::{Git, GitError, last_line, save};
use crate::limits;
use crate::town::Town;

/// Uncommitted files that a refusal names.
const FILES_NAMED: usize = 10;
/// Changed files that are reported.
const FILES_REPORTED: usize = 20;

/// `POST A/done`.
pub async fn done(town: &Arc<Town>, session: &Arc<Session>, mut call: Call) -> Response {
    if let Some(branch) = session.push_branch() {
        match publish(town, session, branch).await {
            Ok(published) => {
                if let serde_json::Value::Object(fields) = &mut call.body {
                    fields.insert("commit".to_owned(), json!(published.commit));
                    fields.entry("files").or_insert_with(|| json!(published.files));
                }
            }
            Err(refusal) => return refusal.into_response(),
        }
    }
    finish(town, session, call).await
}

/// `POST A/verdict` and `POST A/request-changes`.
pub async fn verdict(town: &Arc<Town>, session: &Arc<Session>, mut call: Call) -> Response {
    if let (serde_json::Value::Object(fields), Some(commit)) = (&mut call.body, &session.order.commit) {
        fields.insert("commit".to_owned(), json!(commit));
    }
    finish(town, session, call).await
}

async fn finish(town: &Arc<Town>, session: &Arc<Session>, call: Call) -> Response {
    // `pushed` must come before the result; a Worker that does not answer now will refuse the result anyway.
    town.outbox.flushed(limits::RESULT_FLUSH).await;
    let response = api::send(town, session, &call).await;
    if response.status().is_success() {
        session.status().has_result = true;
        session.signal(Signal::Machine(Input::ResultAccepted));
    }
    response
}

struct Published {
    commit: String,
    files: Vec<String>,
}

enum NotPublished {
    Uncommitted(Vec<String>),
    Git(String),
}

impl NotPublished {
    fn into_response(self) -> Response {
        let words = match self {
            Self::Uncommitted(files) => {
                let named: Vec<String> = files.iter().take(FILES_NAMED).cloned().collect();
                let more = if files.len() > FILES_NAMED { ", …" } else { "" };
                let (count, verb) = (files.len(), if files.len() == 1 { "file is" } else { "files are" });
                let list = named.join(", ");
                format!("{count} {verb} not committed: {list}{more}; commit or discard them, then call gt_done again.")
            }
            Self::Git(reason) => format!("The branch could not be pushed: {reason}"),
        };
        api::refuse(Code::IllegalTransition, &words)
    }
}

/// Everything committed is on the remote's branch afterwards.
async fn publish(town: &Arc<Town>, session: &Arc<Session>, branch: &str) -> Result<Published, NotPublished> {
    let git = |error: GitError| {
        let words = if error.stderr().is_empty() { error.to_string() } else { last_line(error.stderr()).to_owned() };
        NotPublished::Git(town.runtime.redactor.redact(&words))
    };
    let (path, env) = (&session.paths.work_dir, &session.env);
    let status = save::status(path, env).await.map_err(git)?;
    if status.is_dirty() {
        return Err(NotPublished::Uncommitted(status.paths().cloned().collect()));
    }
    let known = verified(town, session, branch).await;
    let commit = if known.as_deref() == Some(status.head.as_str()) {
        status.head
    } else {
        save::push_branch(path, env, branch).await.map_err(git)?;
        let now = verified(town, session, branch).await;
        now.ok_or_else(|| NotPublished::Git("the remote does not name the branch after the push".to_owned()))?
    };
    note_pushed(town, session, branch, &commit);
    let files = changed_files(session).await;
    Ok(Published { commit, files })
}

/// What the remote says about the branch.
pub async fn verified(town: &Arc<Town>, session: &Session, branch: &str) -> Option<String> {
    let (repo, rig) = (session.order.repo.as_ref()?, session.reference.rig_id.rig()?);
    let remote = town.runtime.remote(town, rig, &repo.git_url, None);
    town.rig(rig).remote_branch(&remote, branch).await.ok().flatten()
}

/// Reports a commit that the remote named, once.
pub fn note_pushed(town: &Town, session: &Session, branch: &str, commit: &str) {
    let mut status = session.status();
    if status.pushed.as_deref() == Some(commit) {
        return;
    }
    status.pushed = Some(commit.to_owned());
    drop(status);
    let body = FactBody::Pushed { branch: branch.to_owned(), commit: commit.to_owned() };
    town.report(session.reference, body);
}

/// Names of changed files against the base; a courtesy, so that failing gives none.
async fn changed_files(session: &Session) -> Vec<String> {
    let base = session.order.base.as_deref().or(session.order.repo.as_ref().map(|repo| repo.target_branch.as_str()));
    let Some(base) = base else { return Vec::new() };
    let range = format!("refs/remotes/origin/{base}...HEAD");
    let args = ["diff", "--name-only", "--no-ext-diff", &range];
    let text = Git::agent(&session.paths.work_dir, &session.env).args(args).text().await.unwrap_or_default();
    text.lines().take(FILES_REPORTED).map(str::to_owned).collect()
}
