//! How a town becomes usable, and the tasks that keep it so (container.md 1.3): register, apply the reply, send reports,
//! heartbeats and transcripts. Registering again after a change of settings touches no session.

use std::sync::Arc;
use std::time::Duration;

use gastown_core::wire::control::{Attach, PROTOCOL};
use gastown_core::wire::report::{Capacity, Register, RegisterReply};

use super::{Town, TownState};
use crate::fleet::session::Signal;
use crate::limits;
use crate::report::outbox::{Answers, Item, SendEnd, chain};
use crate::report::{events, heartbeat};
use crate::runtime::{CAPABILITIES, Runtime};
use crate::secret::Secret;

/// Attaches a town, or replaces token and settings of an attached one.
pub fn attach(runtime: &Arc<Runtime>, town_id: gastown_core::id::TownId, attach: Attach) -> Arc<Town> {
    runtime.redactor.learn(&attach.token);
    let api_url = runtime.config.api_url.clone().unwrap_or(attach.api_url);
    let token = Secret::new(attach.token);
    let make = || Town::new(runtime.clone(), town_id, &api_url, token.clone(), attach.config.clone());
    let (town, is_new) = runtime.ensure_town(town_id, make);
    if is_new {
        tracing::info!(town.id = %town_id, "town attached");
        tokio::spawn(run(town.clone()));
    } else {
        town.worker.set_access(Some(&api_url), token);
        town.apply_config(attach.config);
        town.register.notify_one();
    }
    town
}

/// Runs a town's tasks; they end when it is detached.
async fn run(town: Arc<Town>) {
    // What we tell the Worker about this machine must be known first.
    town.runtime.probed().await;
    super::recover::recover(&town).await;
    let Some(interval) = register_until_done(&town).await else { return };
    town.state.send_if_modified(|state| {
        let is_first = *state == TownState::Attaching;
        if is_first {
            *state = TownState::Ready;
        }
        is_first
    });
    tokio::spawn(send_reports(town.clone()));
    tokio::spawn(events::run(town.clone()));
    tokio::spawn(heartbeat::run(town.clone(), interval));
    let mut state = town.state.subscribe();
    loop {
        tokio::select! {
            () = town.register.notified() => {
                if register_until_done(&town).await.is_none() {
                    return;
                }
            }
            () = heartbeat::detached(&mut state) => return,
        }
    }
}

/// Registers, with back-off; the heartbeat interval that the Worker wants, or nothing when another runtime owns the town.
async fn register_until_done(town: &Arc<Town>) -> Option<Duration> {
    let mut pause = Duration::from_millis(200);
    loop {
        match register(town).await {
            Ok(reply) => {
                town.apply_config(reply.config);
                town.stop_refs(&reply.stop);
                let interval = Duration::from_millis(reply.heartbeat_interval_ms);
                return Some(interval.clamp(Duration::from_millis(200), limits::HEARTBEAT * 2));
            }
            Err(error) if error.code() == Some("instance_superseded") => {
                town.supersede();
                return None;
            }
            Err(error) => tracing::warn!(town.id = %town.id, error = %chain(&error), "could not register"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(30));
    }
}

async fn register(town: &Arc<Town>) -> Result<RegisterReply, crate::worker::CallError> {
    let runtime = &town.runtime;
    let memory = runtime.memory();
    let body = Register {
        instance_id: runtime.instance_id,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: PROTOCOL,
        kilo_version: runtime.tools().kilo_version,
        capabilities: CAPABILITIES.iter().map(|name| (*name).to_owned()).collect(),
        capacity: Capacity { max_sessions: runtime.config.max_sessions, memory_bytes: memory.limit_bytes },
        running: town.live_sessions().iter().map(|session| session.reference).collect(),
    };
    town.worker.post("runtime/register", &body).await
}

async fn send_reports(town: Arc<Town>) {
    struct Stale(Arc<Town>);
    impl Answers for Stale {
        fn stale(&self, item: &Item) {
            let reference = match item {
                Item::Fact(fact) => fact.session,
                Item::Outcome(_) => None,
            };
            let Some(reference) = reference else { return };
            if let Some(session) = self.0.session(reference.assignment_id).filter(|s| s.reference == reference) {
                session.signal(Signal::Stale);
            }
        }
    }
    let answers = Stale(town.clone());
    let mut state = town.state.subscribe();
    tokio::select! {
        end = town.outbox.send_all(&town.worker, town.runtime.instance_id, &answers) => match end {
            SendEnd::Superseded => town.supersede(),
        },
        () = heartbeat::detached(&mut state) => (),
    }
}
