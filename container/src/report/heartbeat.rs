//! One heartbeat per town: regular, and early when something changed that the Worker waits for (container.md 9.2).
//! A heartbeat is never repeated; the next one says more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gastown_core::wire::control::{Reason, StopMode};
use gastown_core::wire::report::{Heartbeat, HeartbeatReply, OutcomeKind};
use serde_json::{Value, json};

use super::outbox::chain;
use crate::broker::api::renew_token;
use crate::clock;
use crate::fleet::machine::{Activity, Cause, Input, State};
use crate::fleet::session::Signal;
use crate::limits;
use crate::town::{Town, TownState};

/// Sends heartbeats until the town is detached or forgotten.
pub async fn run(town: Arc<Town>, interval: Duration) {
    let mut seq = 0;
    let mut answered_nonce: Option<String> = None;
    let mut reached = Instant::now();
    let mut state = town.state.subscribe();
    loop {
        let sent = Instant::now();
        seq += 1;
        match beat(&town, seq).await {
            Ok(reply) => {
                reached = Instant::now();
                obey(&town, reply, &mut answered_nonce).await;
            }
            Err(error) if error.code() == Some("instance_superseded") => {
                town.supersede();
                return;
            }
            Err(error) => {
                tracing::warn!(town.id = %town.id, error = %chain(&error), "a heartbeat was not answered");
                end_unreachable(&town, reached.elapsed());
            }
        }
        let regular = tokio::time::sleep(interval);
        tokio::select! {
            () = regular => (),
            () = town.beat.notified() => {
                tokio::time::sleep(limits::HEARTBEAT_EARLY_MIN.min(interval).saturating_sub(sent.elapsed())).await;
            }
            () = detached(&mut state) => return,
        }
    }
}

/// Sessions go on without the Worker for a while; then idle ones end, at last all.
fn end_unreachable(town: &Town, silence: Duration) {
    if silence < limits::UNREACHABLE_MAX {
        return;
    }
    for session in town.live_sessions() {
        let is_idle = session.status().state == State::Ready(Activity::Idle);
        if is_idle || silence > limits::UNREACHABLE_END {
            let cause = Cause::new(OutcomeKind::Completed, "unreachable", "The Worker could not be reached for long.");
            session.signal(Signal::Machine(Input::Stop(cause, StopMode::Save)));
        }
    }
}

/// Waits until the town is detached.
pub async fn detached(state: &mut tokio::sync::watch::Receiver<TownState>) {
    // A sender that is gone means the same: the town was forgotten.
    let _gone = state.wait_for(|state| *state == TownState::Detached).await.is_err();
}

async fn beat(town: &Town, seq: u64) -> Result<HeartbeatReply, crate::worker::CallError> {
    let redactor = &town.runtime.redactor;
    let mut agents: Vec<_> = town.live_sessions().iter().map(|session| session.beat()).collect();
    for agent in &mut agents {
        agent.last_error = agent.last_error.as_deref().map(|error| redactor.redact(error));
    }
    let heartbeat = Heartbeat {
        instance_id: town.runtime.instance_id,
        seq,
        sent_at: clock::now(),
        draining: *town.runtime.draining.borrow(),
        memory: town.runtime.memory(),
        config_version: town.config().config_version,
        agents,
        jobs: town.jobs().iter().filter(|job| !job.is_ended()).map(|job| job.beat()).collect(),
    };
    town.worker.post("runtime/heartbeat", &heartbeat).await
}

async fn obey(town: &Arc<Town>, reply: HeartbeatReply, answered_nonce: &mut Option<String>) {
    if let Some(nonce) = reply.drain_nonce
        && answered_nonce.as_ref() != Some(&nonce)
    {
        let body = json!({ "nonce": nonce, "instance_id": town.runtime.instance_id });
        match town.worker.post::<Value>("container-ready", &body).await {
            Ok(_) => *answered_nonce = Some(nonce),
            Err(error) => tracing::warn!(error = %chain(&error), "container-ready was not taken"),
        }
    }
    if reply.config_version > town.config().config_version {
        town.register.notify_one();
    }
    town.stop_refs(&reply.stop);
    for reference in &reply.wrap_up {
        if let Some(session) = town.session(reference.assignment_id).filter(|s| s.reference == *reference) {
            session.signal(Signal::Machine(Input::WrapUp("The budget of this work is reached.".to_owned())));
        }
    }
    for reference in reply.expiring {
        if let Some(session) = town.session(reference.assignment_id).filter(|s| s.reference == reference)
            && !renew_token(town, &session).await
        {
            tracing::warn!(assignment.id = %reference.assignment_id, "the agent's token could not be renewed");
        }
    }
}

impl Town {
    /// Ends sessions that the Worker says are over.
    pub fn stop_refs(&self, stop: &[gastown_core::wire::report::Ref]) {
        for reference in stop {
            if let Some(session) = self.session(reference.assignment_id).filter(|s| s.reference == *reference) {
                let cause = Cause::new(OutcomeKind::Stopped, "stale_assignment", "The assignment is over.");
                session.signal(Signal::Machine(Input::Stop(cause, StopMode::Save)));
            }
        }
    }

    /// Another runtime owns the town: everything is saved and ended, nothing more is sent.
    pub fn supersede(&self) {
        tracing::error!(town.id = %self.id, "another runtime owns the town");
        self.state.send_replace(TownState::Detached);
        let reason =
            Reason { code: "instance_superseded".to_owned(), message: "Another runtime took over.".to_owned() };
        for session in self.live_sessions() {
            let cause = Cause { outcome: OutcomeKind::Evicted, error: None, reason: reason.clone() };
            session.signal(Signal::Machine(Input::Stop(cause, StopMode::Save)));
        }
    }
}
