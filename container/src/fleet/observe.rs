//! What the actor learns from the outside: kilo's events become inputs of the machine (container.md 5.4), a lost stream
//! is followed again, and memory is watched (6.7).

use std::time::Duration;

use gastown_core::wire::control::StopMode;
use gastown_core::wire::report::{ErrorKind, OutcomeKind};
use serde_json::json;
use tokio::time::Instant;

use super::actor::Actor;
use super::machine::{Activity, Cause, Input, State};
use super::session::Signal;
use super::{boot, delivery, process, tree};
use crate::clock;
use crate::kilo::client::message_ids;
use crate::kilo::events::{Event, What};
use crate::limits;
use crate::report::outbox::chain;

impl Actor {
    pub(super) async fn see(&mut self, event: Event) {
        let now = clock::now();
        if let What::Child { id, parent } = &event.what
            && self.is_ours(parent)
        {
            self.children.insert(id.clone());
        }
        let Some(root) = self.kilo.as_ref().map(|kilo| kilo.session_id.clone()) else { return };
        let from = event.session.clone().unwrap_or_default();
        let is_root = from == root;
        if !is_root && !self.children.contains(&from) {
            if let What::Asked(asked) = &event.what {
                self.decline(asked.clone());
            }
            return;
        }
        self.quiet_at = None;
        delivery::note(&self.session, &event, is_root, now);
        match event.what {
            What::Busy if is_root => {
                self.idle_at = None;
                self.feed(Input::Activity(Activity::Busy)).await;
            }
            What::Busy => drop(self.busy_children.insert(from)),
            What::Idle if is_root => self.idle_at = Some(Instant::now() + limits::IDLE_SETTLE),
            What::Idle => {
                self.busy_children.remove(&from);
                if self.busy_children.is_empty() && self.idle_at.is_none() {
                    self.settle_later();
                }
            }
            What::Retrying { message } if is_root => {
                self.idle_at = None;
                self.session.status().last_error = Some(message);
                self.feed(Input::Activity(Activity::Retrying)).await;
            }
            What::Error { name, message, status } if is_root => self.judge(&name, &message, status).await,
            What::Asked(asked) => {
                self.decline(asked);
                if is_root {
                    self.feed(Input::Activity(Activity::Blocked)).await;
                }
            }
            What::Answered if is_root => self.feed(Input::Activity(Activity::Busy)).await,
            What::Part(part) => {
                if let Some(words) = self.repeats.see(&part) {
                    self.stop_repeating(words).await;
                }
            }
            What::Retrying { .. }
            | What::Error { .. }
            | What::Alive
            | What::Message(_)
            | What::Delta { .. }
            | What::Diff(_)
            | What::Compacted
            | What::Answered
            | What::Child { .. } => (),
        }
    }

    fn is_ours(&self, session: &str) -> bool {
        self.kilo.as_ref().is_some_and(|kilo| kilo.session_id == session) || self.children.contains(session)
    }

    /// The last child came to rest: the root's own state decides, asked of kilo.
    fn settle_later(&self) {
        let (Some(kilo), session, generation) = (self.kilo.clone(), self.session.clone(), self.generation) else {
            return;
        };
        tokio::spawn(async move {
            if kilo.client.is_idle(&kilo.session_id).await.unwrap_or(false) {
                let event = Event { session: Some(kilo.session_id), name: "session.idle".to_owned(), what: What::Idle };
                session.signal(Signal::Kilo(generation, event));
            }
        });
    }

    fn decline(&self, asked: crate::kilo::events::Asked) {
        let Some(kilo) = self.kilo.clone() else { return };
        tokio::spawn(async move {
            if let Err(error) = kilo.client.decline(&asked).await {
                tracing::warn!(error = %chain(&error), "a question of kilo could not be declined");
            }
        });
    }

    async fn judge(&mut self, name: &str, message: &str, status: Option<u16>) {
        let Some(verdict) = delivery::classify(name, message, status, self.session.llm.newest_failure()) else {
            return;
        };
        let (kind, message, retry_after_s) = match verdict {
            delivery::Verdict::TooLong => return self.feed(Input::TooLong).await,
            delivery::Verdict::Error(kind, message, retry_after_s) => (kind, message, retry_after_s),
        };
        let shown = self.town.runtime.redactor.redact(&message);
        self.session.status().last_error = Some(shown.clone());
        let data = json!({ "kind": kind, "message": shown, "retry_at": null });
        self.session.transcript().push("error", data, clock::now());
        self.feed(Input::Error { kind, message: shown, retry_after_s }).await;
    }

    async fn stop_repeating(&mut self, is_second: bool) {
        if is_second {
            let cause = Cause::error(OutcomeKind::Error, ErrorKind::Internal, "repeats one call without end", None);
            return self.feed(Input::Stop(cause, StopMode::Save)).await;
        }
        if let Some(kilo) = &self.kilo
            && let Err(error) = kilo.client.abort(&kilo.session_id).await
        {
            tracing::warn!(error = %chain(&error), "a repeating turn could not be aborted");
        }
        self.say("repeats", "You made the same call several times. Do something else, or finish.").await;
    }

    pub(super) async fn compact(&mut self) {
        let Some(kilo) = self.kilo.clone() else { return };
        if let Err(error) = kilo.client.compact(&kilo.session_id, &self.session.order.model).await {
            tracing::warn!(error = %chain(&error), "the conversation could not be shortened");
        }
        self.continue_at = Some(Instant::now());
    }

    /// The event stream ended though the server may live: look, and follow it again.
    pub(super) fn reconnect(&self) {
        let (Some(kilo), session, generation) = (self.kilo.clone(), self.session.clone(), self.generation) else {
            return;
        };
        if !matches!(self.machine.state(), State::Ready(_)) {
            return;
        }
        tokio::spawn(async move {
            for _ in 0..HEALTH_PROBES {
                if kilo.client.is_healthy(HEALTH_LIMIT).await
                    && boot::follow(session.clone(), kilo.client.clone(), generation).await.is_ok()
                {
                    let what = match kilo.client.is_idle(&kilo.session_id).await {
                        Ok(true) => What::Idle,
                        Ok(false) | Err(_) => What::Busy,
                    };
                    let event = Event { session: Some(kilo.session_id), name: "resync".to_owned(), what };
                    session.signal(Signal::Kilo(generation, event));
                    return;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            session.signal(Signal::Exited(generation, "kilo does not answer any more".to_owned()));
        });
    }

    /// Nothing followed the first prompt: it is sent once more only if kilo does not have it (container.md 6.7).
    pub(super) async fn look_for_prompt(&mut self) {
        let Some(kilo) = self.kilo.clone() else { return };
        let first = boot::first_prompt(&self.session, None);
        let Some(id) = first.first().map(|part| part.message_id.clone()) else { return };
        let known = kilo.client.messages(&kilo.session_id, 5).await.map(|messages| message_ids(&messages));
        let sent = match known {
            Ok(ids) if ids.contains(&id) => Ok(()),
            Ok(_) => kilo.client.prompt(&kilo.session_id, &first, false).await,
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            tracing::warn!(error = %chain(&error), "the first prompt could not be looked for");
        }
    }

    /// Looks at memory; over the limit the largest child goes first, then the session (container.md 6.7).
    pub(super) async fn sample(&mut self) {
        let Some(kilo) = self.kilo.as_ref().map(|kilo| kilo.pid) else { return };
        let processes = tree::session_processes(kilo, self.session.reference.assignment_id);
        let used: u64 = processes.iter().map(|process| process.rss_bytes).sum();
        self.session.status().rss_bytes = used;
        let config = &self.town.runtime.config;
        let total = config.memory_limit.unwrap_or_else(tree::memory_limit);
        let limit = (config.session_memory * SESSION_MEMORY_FACTOR).min(total / 100 * SESSION_MEMORY_PERCENT);
        if limit == 0 || used <= limit || !matches!(self.machine.state(), State::Ready(_)) {
            return;
        }
        let child = processes.iter().filter(|process| process.pid != kilo).max_by_key(|process| process.rss_bytes);
        if let Some(child) = child.filter(|child| child.rss_bytes > used / 2) {
            tracing::warn!(assignment.id = %self.session.reference.assignment_id, "a tool used too much memory");
            return process::signal_process(child.pid, nix::sys::signal::Signal::SIGKILL);
        }
        let message = format!("used {} MB of {} MB", used >> 20, limit >> 20);
        self.kill();
        self.kilo = None;
        self.feed(Input::Died { message, is_final: true }).await;
    }
}

/// A session may need this many times what is expected of one.
const SESSION_MEMORY_FACTOR: u64 = 4;
/// And this share of all memory.
const SESSION_MEMORY_PERCENT: u64 = 60;
const HEALTH_PROBES: u32 = 3;
const HEALTH_LIMIT: Duration = Duration::from_secs(2);
