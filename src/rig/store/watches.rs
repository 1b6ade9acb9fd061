//! Table `pr_watches`.

use gastown_core::id::BeadId;
use gastown_core::rig::pr::{Checks, ForgeError, Mergeable, Watch, WatchState};
use gastown_core::rig::review::Finding;
use serde::Deserialize;

use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json, text};

const SELECT_LIVE: &str = "
    select review_id, url, provider, repo, number, state, head_commit, etag, poll_at, polled_at, unanswered, mergeable,
           checks, threads, awaiting_approval, changes_requested, feedback, green_since, conflict_episode, transient,
           shape, refused, error
    from pr_watches
    where review_id in (select bead_id from reviews where ended_at is null)";
const PUT: &str = "
    insert or replace into pr_watches
      (review_id, url, provider, repo, number, state, head_commit, etag, poll_at, polled_at, unanswered, mergeable,
       checks, threads, awaiting_approval, changes_requested, feedback, green_since, conflict_episode, transient,
       shape, refused, error)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

#[derive(Deserialize)]
struct Row {
    review_id: BeadId,
    url: String,
    provider: String,
    repo: String,
    number: u64,
    state: WatchState,
    head_commit: Option<String>,
    etag: Option<String>,
    poll_at: Ms,
    polled_at: Option<Ms>,
    unanswered: bool,
    mergeable: Mergeable,
    checks: Checks,
    threads: u32,
    awaiting_approval: bool,
    changes_requested: bool,
    feedback: Json<Vec<Finding>>,
    green_since: Option<Ms>,
    conflict_episode: u32,
    transient: u32,
    shape: u32,
    refused: u32,
    error: Option<Json<ForgeError>>,
}

/// Watches of reviews that have not ended.
pub(super) fn live(sql: &impl Sql) -> Result<Vec<Watch>, SqlError> {
    let watch = |row: Row| Watch {
        review_id: row.review_id,
        url: row.url,
        provider: row.provider,
        repo: row.repo,
        number: row.number,
        state: row.state,
        head_commit: row.head_commit,
        etag: row.etag,
        poll_at: row.poll_at.0,
        polled_at: row.polled_at.map(|at| at.0),
        is_unanswered: row.unanswered,
        mergeable: row.mergeable,
        checks: row.checks,
        threads: row.threads,
        awaiting_approval: row.awaiting_approval,
        changes_requested: row.changes_requested,
        feedback: row.feedback.0,
        green_since: row.green_since.map(|at| at.0),
        conflict_episode: row.conflict_episode,
        transient: row.transient,
        shape: row.shape,
        refused: row.refused,
        error: row.error.map(|json| json.0),
    };
    Ok(sql.rows::<Row>(SELECT_LIVE, &[])?.into_iter().map(watch).collect())
}

pub(super) fn put(sql: &impl Sql, watch: &Watch) -> Result<(), SqlError> {
    sql.run(
        PUT,
        &[
            text(watch.review_id),
            (&watch.url).into(),
            (&watch.provider).into(),
            (&watch.repo).into(),
            watch.number.into(),
            text(watch.state),
            watch.head_commit.clone().into(),
            watch.etag.clone().into(),
            watch.poll_at.into(),
            watch.polled_at.into(),
            watch.is_unanswered.into(),
            text(watch.mergeable),
            text(watch.checks),
            watch.threads.into(),
            watch.awaiting_approval.into(),
            watch.changes_requested.into(),
            json(&watch.feedback),
            watch.green_since.into(),
            watch.conflict_episode.into(),
            watch.transient.into(),
            watch.shape.into(),
            watch.refused.into(),
            watch.error.as_ref().map(json).into(),
        ],
    )
}
