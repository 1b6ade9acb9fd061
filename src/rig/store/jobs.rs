//! Table `jobs`.

use gastown_core::id::{BeadId, JobId};
use gastown_core::rig::review::{Job, JobPhase, JobSpec};
use gastown_core::session::JobKind;
use serde::Deserialize;
use serde_json::Value;

use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json, text, text_or_null};

const SELECT_LIVE: &str = "
    select job_id, kind, review_id, spec, phase, orders, lease_until, result, created_at, ended_at
    from jobs
    where ended_at is null";
const PUT: &str = "
    insert or replace into jobs
      (job_id, kind, review_id, spec, phase, orders, lease_until, result, created_at, ended_at)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

#[derive(Deserialize)]
struct Row {
    job_id: JobId,
    kind: JobKind,
    review_id: Option<BeadId>,
    spec: Json<JobSpec>,
    phase: JobPhase,
    orders: u32,
    lease_until: Option<Ms>,
    result: Option<Json<Value>>,
    created_at: Ms,
    ended_at: Option<Ms>,
}

/// Jobs that have not ended.
pub(super) fn live(sql: &impl Sql) -> Result<Vec<Job>, SqlError> {
    let job = |row: Row| Job {
        job_id: row.job_id,
        kind: row.kind,
        review_id: row.review_id,
        spec: row.spec.0,
        phase: row.phase,
        orders: row.orders,
        lease_until: row.lease_until.map(|at| at.0),
        result: row.result.map(|json| json.0),
        created_at: row.created_at.0,
        ended_at: row.ended_at.map(|at| at.0),
    };
    Ok(sql.rows::<Row>(SELECT_LIVE, &[])?.into_iter().map(job).collect())
}

pub(super) fn put(sql: &impl Sql, job: &Job) -> Result<(), SqlError> {
    sql.run(
        PUT,
        &[
            text(job.job_id),
            text(job.kind),
            text_or_null(job.review_id),
            json(&job.spec),
            text(job.phase),
            job.orders.into(),
            job.lease_until.into(),
            job.result.as_ref().map(json).into(),
            job.created_at.into(),
            job.ended_at.into(),
        ],
    )
}
