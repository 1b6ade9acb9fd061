//! Drain (container.md 12.1): on SIGTERM for all towns, on the Worker's order for one. Starts are refused, idle sessions
//! end, the others are told, then saved and ended as evicted; reports are flushed.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use gastown_core::wire::control::{DrainOrder, StopMode};
use gastown_core::wire::report::{AgentState, OutcomeKind};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Body, Reply, TownPath, reply, town_of};
use crate::fleet::machine::{Cause, Input};
use crate::fleet::session::Signal;
use crate::report::outbox::chain;
use crate::runtime::Runtime;
use crate::town::{Town, TownState};

/// `POST C/drain`.
pub async fn order(State(runtime): State<Arc<Runtime>>, Path(town): TownPath, Body(order): Body<DrainOrder>) -> Reply {
    let town = town_of(&runtime, &town)?;
    let limit = order.deadline_s.map_or(runtime.config.drain, |s| Duration::from_secs(u64::from(s)));
    let limit = limit.min(runtime.config.drain);
    town.state.send_replace(TownState::Draining);
    tokio::spawn(async move {
        drain_town(&town, Instant::now() + limit).await;
        // The process stays; the town is forgotten and can be attached again.
        town.state.send_replace(TownState::Detached);
        town.runtime.forget_town(town.id);
    });
    reply(StatusCode::ACCEPTED, json!({}))
}

/// Drains everything; called once, after the first signal.
pub async fn drain_all(runtime: &Arc<Runtime>, limit: Duration) {
    let by = Instant::now() + limit;
    runtime.draining.send_replace(true);
    let towns = runtime.towns();
    tracing::info!(towns = towns.len(), "draining");
    let drains = towns.iter().map(|town| async {
        town.state.send_if_modified(|state| {
            let changes = matches!(state, TownState::Ready | TownState::Attaching);
            if changes {
                *state = TownState::Draining;
            }
            changes
        });
        announce(town, limit).await;
        drain_town(town, by).await;
    });
    futures::future::join_all(drains).await;
}

/// Tells the Worker; no answer is no reason to wait.
async fn announce(town: &Town, limit: Duration) {
    let deadline = crate::clock::now() + limit;
    let body = json!({ "deadline": deadline });
    let call = town.worker.post::<Value>("container-eviction", &body);
    match tokio::time::timeout(Duration::from_secs(10).min(limit / 4), call).await {
        Ok(Ok(_)) => (),
        Ok(Err(error)) => tracing::warn!(error = %chain(&error), "the drain could not be announced"),
        Err(_) => tracing::warn!("the drain could not be announced in time"),
    }
}

async fn drain_town(town: &Arc<Town>, by: Instant) {
    town.beat.notify_one();
    for job in town.jobs() {
        job.cancel(town);
    }
    let left = by.saturating_duration_since(Instant::now());
    // The last part belongs to saving and to the reports (100 s of 300 s).
    let patience = Instant::now() + left.mul_f64(PATIENCE_SHARE);
    let saving = Instant::now() + left.mul_f64(SAVING_SHARE);
    for session in town.live_sessions() {
        session.signal(Signal::Machine(Input::WrapUp("The runtime is about to restart.".to_owned())));
    }
    while Instant::now() < patience && !town.live_sessions().is_empty() {
        for session in town.live_sessions() {
            if session.view().state.is_none_or(|state| state == AgentState::Idle) {
                evict(&session, StopMode::Save);
            }
        }
        tokio::time::sleep(POLL).await;
    }
    town.live_sessions().iter().for_each(|session| evict(session, StopMode::Save));
    let has_pushing = || town.jobs().iter().any(|job| !job.is_ended());
    while Instant::now() < saving && (!town.live_sessions().is_empty() || has_pushing()) {
        tokio::time::sleep(POLL).await;
    }
    town.live_sessions().iter().for_each(|session| evict(session, StopMode::Kill));
    let _best_effort = crate::report::events::flush(town).await;
    town.outbox.flushed(by.saturating_duration_since(Instant::now())).await;
}

const POLL: Duration = Duration::from_millis(100);
/// Share of the time in which agents may finish by themselves.
const PATIENCE_SHARE: f64 = 2.0 / 3.0;
/// Share of the time after which saving is given up.
const SAVING_SHARE: f64 = 13.0 / 15.0;

fn evict(session: &crate::fleet::Session, mode: StopMode) {
    let cause = Cause::new(OutcomeKind::Evicted, "evicted", "The runtime is ending; the work was saved.");
    session.signal(Signal::Machine(Input::Stop(cause, mode)));
}
