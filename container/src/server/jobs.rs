//! Jobs: start, look, cancel (container.md 7.5, 7.6).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use gastown_core::id::JobId;
use gastown_core::wire::code::Code;
use gastown_core::wire::control::{ControlCode, JobOrder};
use serde_json::Value;

use super::{Body, ItemPath, Reply, TownPath, id_of, reply, town_of};
use crate::error::ControlError;
use crate::job::Job;
use crate::runtime::Runtime;
use crate::town::TownState;
use crate::validate;

/// `POST C/jobs`.
pub async fn start(State(runtime): State<Arc<Runtime>>, Path(town): TownPath, Body(order): Body<JobOrder>) -> Reply {
    let town = town_of(&runtime, &town)?;
    let issues = validate::job(&order, runtime.config.allow_local_git);
    if !issues.is_empty() {
        return Err(ControlError::Invalid(issues));
    }
    if let Some(job) = town.job(order.job_id) {
        return reply(StatusCode::OK, job.view());
    }
    if *runtime.draining.borrow() || *town.state.borrow() == TownState::Draining {
        return Err(ControlError::Api(Code::Draining, "The runtime is ending.".to_owned()));
    }
    if *town.state.borrow() != TownState::Ready {
        let message = "The town is not registered yet.".to_owned();
        return Err(ControlError::Control(ControlCode::Starting, message, Value::Null));
    }
    let (job, is_new) = town.ensure_job(order.job_id, || Job::new(order));
    if is_new {
        job.start(town);
        return reply(StatusCode::ACCEPTED, job.view());
    }
    reply(StatusCode::OK, job.view())
}

/// `GET C/jobs/:j`.
pub async fn show(State(runtime): State<Arc<Runtime>>, Path((town, job)): ItemPath) -> Reply {
    reply(StatusCode::OK, job_of(&runtime, &town, &job)?.1.view())
}

/// `DELETE C/jobs/:j`: before the push, never after.
pub async fn cancel(State(runtime): State<Arc<Runtime>>, Path((town, job)): ItemPath) -> Reply {
    let (town, job) = job_of(&runtime, &town, &job)?;
    job.cancel(&town);
    reply(StatusCode::OK, job.view())
}

fn job_of(runtime: &Runtime, town: &str, job: &str) -> Result<(Arc<crate::town::Town>, Arc<Job>), ControlError> {
    let town = town_of(runtime, town)?;
    let id: JobId = id_of(job, "job")?;
    let job = town.job(id).ok_or_else(|| ControlError::not_found("job"))?;
    Ok((town, job))
}
