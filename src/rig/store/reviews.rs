//! Tables `reviews`, `rounds` and `gate_runs`.

use gastown_core::id::{AgentId, BeadId, ConvoyId, RunId};
use gastown_core::rig::pr::PrSub;
use gastown_core::rig::review::{
    Finding, GateRun, GateRunResult, MergeStrategy, Review, ReviewKind, ReviewState, Round, Verdict,
};
use gastown_core::session::GateResult;
use serde::Deserialize;

use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json, text, text_or_null};

const SELECT_LIVE: &str = "
    select bead_id, kind, source_id, convoy_id, branch, target, strategy, state, head_commit, reviewed_commit, verdict,
           verdict_by, round, feedback_round, child_id, merge_ordered, merge_tries, merge_commit, author_agent, summary,
           queued_at, not_before, ended_at, sub, forge_due, dismissed_at, empty_commit
    from reviews
    where ended_at is null";
const SELECT_OF_BEAD: &str = "
    select bead_id, kind, source_id, convoy_id, branch, target, strategy, state, head_commit, reviewed_commit, verdict,
           verdict_by, round, feedback_round, child_id, merge_ordered, merge_tries, merge_commit, author_agent, summary,
           queued_at, not_before, ended_at, sub, forge_due, dismissed_at, empty_commit
    from reviews
    where bead_id = ?1 or source_id = ?1
    order by queued_at desc, bead_id desc
    limit ?2";
const PUT: &str = "
    insert into reviews
      (bead_id, kind, source_id, convoy_id, branch, target, strategy, state, head_commit, reviewed_commit, verdict,
       verdict_by, round, feedback_round, child_id, merge_ordered, merge_tries, merge_commit, author_agent, summary,
       queued_at, not_before, ended_at, sub, forge_due, dismissed_at, empty_commit)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    on conflict (bead_id) do update set
      kind = excluded.kind,
      source_id = excluded.source_id,
      convoy_id = excluded.convoy_id,
      branch = excluded.branch,
      target = excluded.target,
      strategy = excluded.strategy,
      state = excluded.state,
      head_commit = excluded.head_commit,
      reviewed_commit = excluded.reviewed_commit,
      verdict = excluded.verdict,
      verdict_by = excluded.verdict_by,
      round = excluded.round,
      feedback_round = excluded.feedback_round,
      child_id = excluded.child_id,
      merge_ordered = excluded.merge_ordered,
      merge_tries = excluded.merge_tries,
      merge_commit = excluded.merge_commit,
      author_agent = excluded.author_agent,
      summary = excluded.summary,
      queued_at = excluded.queued_at,
      not_before = excluded.not_before,
      ended_at = excluded.ended_at,
      sub = excluded.sub,
      forge_due = excluded.forge_due,
      dismissed_at = excluded.dismissed_at,
      empty_commit = excluded.empty_commit";
const SELECT_LIVE_ROUNDS: &str = "
    select review_id, n, commit_id, verdict, by, summary, findings, gate_run, child_id, post_due, at
    from rounds
    where review_id in (select bead_id from reviews where ended_at is null)";
const SELECT_ROUNDS: &str = "
    select review_id, n, commit_id, verdict, by, summary, findings, gate_run, child_id, post_due, at
    from rounds
    where review_id = ?
    order by n";
const PUT_ROUND: &str = "
    insert or replace into rounds
      (review_id, n, commit_id, verdict, by, summary, findings, gate_run, child_id, post_due, at)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const SELECT_LIVE_GATE_RUNS: &str = "
    select run_id, review_id, commit_id, onto, result, gates, created_at, ended_at
    from gate_runs
    where review_id in (select bead_id from reviews where ended_at is null)";
const SELECT_GATE_RUNS: &str = "
    select run_id, review_id, commit_id, onto, result, gates, created_at, ended_at
    from gate_runs
    where review_id = ?
    order by created_at desc, run_id desc
    limit ?";
const PUT_GATE_RUN: &str = "
    insert or replace into gate_runs (run_id, review_id, commit_id, onto, result, gates, created_at, ended_at)
    values (?, ?, ?, ?, ?, ?, ?, ?)";

#[derive(Deserialize)]
struct ReviewRow {
    bead_id: BeadId,
    kind: ReviewKind,
    source_id: Option<BeadId>,
    convoy_id: Option<ConvoyId>,
    branch: String,
    target: String,
    strategy: MergeStrategy,
    state: ReviewState,
    head_commit: Option<String>,
    reviewed_commit: Option<String>,
    verdict: Option<Verdict>,
    verdict_by: Option<String>,
    round: u32,
    feedback_round: u32,
    child_id: Option<BeadId>,
    merge_ordered: bool,
    merge_tries: u32,
    merge_commit: Option<String>,
    author_agent: Option<AgentId>,
    summary: Option<String>,
    queued_at: Ms,
    not_before: Option<Ms>,
    ended_at: Option<Ms>,
    sub: Option<PrSub>,
    forge_due: Option<Ms>,
    dismissed_at: Option<Ms>,
    empty_commit: Option<String>,
}

#[derive(Deserialize)]
struct RoundRow {
    review_id: BeadId,
    n: u32,
    commit_id: String,
    verdict: Verdict,
    by: String,
    summary: String,
    findings: Json<Vec<Finding>>,
    gate_run: Option<RunId>,
    child_id: Option<BeadId>,
    post_due: Option<Ms>,
    at: Ms,
}

#[derive(Deserialize)]
struct GateRunRow {
    run_id: RunId,
    review_id: BeadId,
    commit_id: Option<String>,
    onto: Option<String>,
    result: GateRunResult,
    gates: Json<Vec<GateResult>>,
    created_at: Ms,
    ended_at: Option<Ms>,
}

/// Reviews that have not ended.
pub(super) fn live(sql: &impl Sql) -> Result<Vec<Review>, SqlError> {
    Ok(sql.rows::<ReviewRow>(SELECT_LIVE, &[])?.into_iter().map(Review::from).collect())
}

/// Their rounds.
pub(super) fn live_rounds(sql: &impl Sql) -> Result<Vec<Round>, SqlError> {
    Ok(sql.rows::<RoundRow>(SELECT_LIVE_ROUNDS, &[])?.into_iter().map(Round::from).collect())
}

/// Their gate runs.
pub(super) fn live_gate_runs(sql: &impl Sql) -> Result<Vec<GateRun>, SqlError> {
    Ok(sql.rows::<GateRunRow>(SELECT_LIVE_GATE_RUNS, &[])?.into_iter().map(GateRun::from).collect())
}

/// The reviews of a bead, or the review that the bead is; newest first, live or not.
pub(super) fn of_bead(sql: &impl Sql, bead_id: BeadId, limit: u32) -> Result<Vec<Review>, SqlError> {
    let rows: Vec<ReviewRow> = sql.rows(SELECT_OF_BEAD, &[text(bead_id), limit.into()])?;
    Ok(rows.into_iter().map(Review::from).collect())
}

/// The rounds of a review, oldest first.
pub(super) fn rounds_of(sql: &impl Sql, review_id: BeadId) -> Result<Vec<Round>, SqlError> {
    Ok(sql.rows::<RoundRow>(SELECT_ROUNDS, &[text(review_id)])?.into_iter().map(Round::from).collect())
}

/// The gate runs of a review, newest first.
pub(super) fn gate_runs_of(sql: &impl Sql, review_id: BeadId, limit: u32) -> Result<Vec<GateRun>, SqlError> {
    let rows: Vec<GateRunRow> = sql.rows(SELECT_GATE_RUNS, &[text(review_id), limit.into()])?;
    Ok(rows.into_iter().map(GateRun::from).collect())
}

pub(super) fn put(sql: &impl Sql, review: &Review) -> Result<(), SqlError> {
    sql.run(
        PUT,
        &[
            text(review.bead_id),
            text(review.kind),
            text_or_null(review.source_id),
            text_or_null(review.convoy_id),
            (&review.branch).into(),
            (&review.target).into(),
            text(review.strategy),
            text(review.state),
            review.head_commit.clone().into(),
            review.reviewed_commit.clone().into(),
            text_or_null(review.verdict),
            review.verdict_by.clone().into(),
            review.round.into(),
            review.feedback_round.into(),
            text_or_null(review.child_id),
            review.is_merge_ordered.into(),
            review.merge_tries.into(),
            review.merge_commit.clone().into(),
            text_or_null(review.author_agent),
            review.summary.clone().into(),
            review.queued_at.into(),
            review.not_before.into(),
            review.ended_at.into(),
            text_or_null(review.sub),
            review.forge_due.into(),
            review.dismissed_at.into(),
            review.empty_commit.clone().into(),
        ],
    )
}

pub(super) fn put_round(sql: &impl Sql, round: &Round) -> Result<(), SqlError> {
    sql.run(
        PUT_ROUND,
        &[
            text(round.review_id),
            round.n.into(),
            (&round.commit_id).into(),
            text(round.verdict),
            (&round.by).into(),
            (&round.summary).into(),
            json(&round.findings),
            text_or_null(round.gate_run),
            text_or_null(round.child_id),
            round.post_due.into(),
            round.at.into(),
        ],
    )
}

pub(super) fn put_gate_run(sql: &impl Sql, run: &GateRun) -> Result<(), SqlError> {
    sql.run(
        PUT_GATE_RUN,
        &[
            text(run.run_id),
            text(run.review_id),
            run.commit_id.clone().into(),
            run.onto.clone().into(),
            text(run.result),
            json(&run.gates),
            run.created_at.into(),
            run.ended_at.into(),
        ],
    )
}

impl From<ReviewRow> for Review {
    fn from(row: ReviewRow) -> Self {
        Self {
            bead_id: row.bead_id,
            kind: row.kind,
            source_id: row.source_id,
            convoy_id: row.convoy_id,
            branch: row.branch,
            target: row.target,
            strategy: row.strategy,
            state: row.state,
            head_commit: row.head_commit,
            reviewed_commit: row.reviewed_commit,
            verdict: row.verdict,
            verdict_by: row.verdict_by,
            round: row.round,
            feedback_round: row.feedback_round,
            child_id: row.child_id,
            is_merge_ordered: row.merge_ordered,
            merge_tries: row.merge_tries,
            merge_commit: row.merge_commit,
            author_agent: row.author_agent,
            summary: row.summary,
            queued_at: row.queued_at.0,
            not_before: row.not_before.map(|at| at.0),
            sub: row.sub,
            forge_due: row.forge_due.map(|at| at.0),
            dismissed_at: row.dismissed_at.map(|at| at.0),
            empty_commit: row.empty_commit,
            ended_at: row.ended_at.map(|at| at.0),
        }
    }
}

impl From<RoundRow> for Round {
    fn from(row: RoundRow) -> Self {
        Self {
            review_id: row.review_id,
            n: row.n,
            commit_id: row.commit_id,
            verdict: row.verdict,
            by: row.by,
            summary: row.summary,
            findings: row.findings.0,
            gate_run: row.gate_run,
            child_id: row.child_id,
            post_due: row.post_due.map(|at| at.0),
            at: row.at.0,
        }
    }
}

impl From<GateRunRow> for GateRun {
    fn from(row: GateRunRow) -> Self {
        Self {
            run_id: row.run_id,
            review_id: row.review_id,
            commit_id: row.commit_id,
            onto: row.onto,
            result: row.result,
            gates: row.gates.0,
            created_at: row.created_at.0,
            ended_at: row.ended_at.map(|at| at.0),
        }
    }
}
