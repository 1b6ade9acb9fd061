//! The owner of one session: one loop over a closed list of signals. It feeds the machine, obeys its orders, keeps the
//! status that others read, and turns kilo's events into inputs. Long work (preparation, restart, stop) runs in tasks
//! beside it, so that a message or a stop never waits for a clone or a turn.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use gastown_core::time::Timestamp;
use gastown_core::wire::control::{Kind, StartOrder, StopMode};
use gastown_core::wire::report::{ErrorKind, FactBody, Outcome, OutcomeKind, Phase};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::boot::{self, Booted};
use super::delivery::Repeats;
use super::inbox::MessageMemory;
use super::machine::{Activity, Cause, Input, Machine, Order, State};
use super::session::{Paths, Session, Signal};
use super::{stop, tree};
use crate::broker::capability::{Capabilities, Grant};
use crate::clock;
use crate::kilo::client::Client;
use crate::limits;
use crate::report::outbox::chain;
use crate::secret::Secret;
use crate::town::Town;

/// A server that runs and the session in it.
#[derive(Clone)]
pub struct Kilo {
    /// Its calls.
    pub client: Client,
    /// kilo's session.
    pub session_id: String,
    /// Process group.
    pub pid: i32,
}

/// State that only the loop touches.
pub(super) struct Actor {
    pub(super) town: Arc<Town>,
    pub(super) session: Arc<Session>,
    pub(super) machine: Machine,
    pub(super) kilo: Option<Kilo>,
    /// Whether ids in kilo's history are to be marked before the next delivery.
    pub(super) check_history: bool,
    pub(super) deliver_at: Option<Instant>,
    pub(super) own_messages: u32,
    signals: UnboundedReceiver<Signal>,
    pub(super) generation: u32,
    task: Option<JoinHandle<()>>,
    pub(super) idle_at: Option<Instant>,
    pub(super) continue_at: Option<Instant>,
    stop_by: Option<Instant>,
    sample_at: Instant,
    pub(super) children: BTreeSet<String>,
    pub(super) busy_children: BTreeSet<String>,
    desk_at: Option<Instant>,
    /// When to look for a first prompt that nothing followed.
    pub(super) quiet_at: Option<Instant>,
    pub(super) repeats: Repeats,
}

/// Makes the session of an order; its actor waits until [`run`] is spawned.
pub fn accept(town: &Arc<Town>, order: StartOrder, capability: Secret) -> (Arc<Session>, PendingActor) {
    let (sender, signals) = unbounded_channel();
    let paths = Paths::of(&town.dir(), &order);
    let runtime = &town.runtime;
    let rig = order.assignment.rig_id.rig();
    let cache = rig.filter(|_| runtime.config.tool_cache).map(|rig| town.rig(rig).dir.join("cache").join("agents"));
    let env = super::env::session(
        &order,
        &super::env::Surroundings {
            town: town.id,
            broker: runtime.broker_url(),
            gateway: rig.map(|rig| runtime.gateway_url(rig)),
            capability: capability.reveal(),
            tool_path: &runtime.config.tool_path,
            paths: &paths,
            helper: runtime.helper_pair(),
            hooks: &paths.dir.join("hooks"),
            caches: cache.as_deref(),
        },
    );
    for value in order.env.values().map(String::as_str).chain([order.token.as_str(), capability.reveal()]) {
        runtime.redactor.learn(value);
    }
    let session = Session::new(order, paths, capability.clone(), env, clock::now(), sender);
    runtime.capabilities.grant(&capability, Grant::Session(town.clone(), session.clone()));
    (session, PendingActor { signals })
}

/// A new capability for a session.
pub fn mint_capability() -> Result<Secret, getrandom::Error> {
    Capabilities::mint()
}

/// An actor that has not begun.
pub struct PendingActor {
    signals: UnboundedReceiver<Signal>,
}

/// Runs a session from its acceptance to its end; the older session of the same agent ends first.
pub async fn run(town: Arc<Town>, session: Arc<Session>, pending: PendingActor, older: Option<Arc<Session>>) {
    let machine = Machine::new(session.order.kind, clock::now());
    town.report(session.reference, FactBody::Phase { phase: Phase::Accepted, detail: None });
    if let Some(older) = older {
        take_over(&session, &older).await;
    }
    let task = tokio::spawn(boot::prepare(town.clone(), session.clone()));
    let mut actor = Actor {
        town,
        session,
        machine,
        kilo: None,
        check_history: false,
        deliver_at: None,
        own_messages: 0,
        signals: pending.signals,
        generation: 0,
        task: Some(task),
        idle_at: None,
        continue_at: None,
        stop_by: None,
        sample_at: Instant::now() + limits::SAMPLE,
        children: BTreeSet::new(),
        busy_children: BTreeSet::new(),
        desk_at: None,
        quiet_at: None,
        repeats: Repeats::default(),
    };
    actor.town.beat.notify_one();
    while !matches!(actor.machine.state(), State::Ended(_)) {
        actor.turn().await;
    }
}

/// Ends the older session; a swap lets its turn finish first, and the mayor's messages move over.
async fn take_over(session: &Session, older: &Session) {
    let poll = Duration::from_millis(50);
    let patience = Instant::now() + if session.order.swap { limits::SWAP_WAIT } else { Duration::ZERO };
    while Instant::now() < patience && !older.is_ended() && older.status().state != State::Ready(Activity::Idle) {
        tokio::time::sleep(poll).await;
    }
    let cause = Cause::new(OutcomeKind::Interrupted, "interrupted", "A newer assignment of the agent began.");
    older.signal(Signal::Machine(Input::Stop(cause, StopMode::Save)));
    // The stop sequence has its own limit.
    while !older.is_ended() {
        tokio::time::sleep(poll).await;
    }
    if session.order.kind == Kind::Mayor {
        let left = older.inbox.lock().unwrap_or_else(PoisonError::into_inner).take_all();
        let mut inbox = session.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        for message in left {
            inbox.add(message, &MessageMemory::default());
        }
    }
}

impl Actor {
    async fn turn(&mut self) {
        let deadlines =
            [self.idle_at, self.continue_at, self.stop_by, self.deliver_at, self.quiet_at, Some(self.sample_at)];
        let next = deadlines.into_iter().flatten().min().unwrap_or(self.sample_at);
        tokio::select! {
            biased;
            signal = self.signals.recv() => match signal {
                Some(signal) => self.take(signal).await,
                None => self.feed(Input::StopTooSlow).await,
            },
            () = tokio::time::sleep_until(next) => self.look_at_clock().await,
        }
    }

    async fn take(&mut self, signal: Signal) {
        match signal {
            Signal::Machine(input) => self.feed(input).await,
            Signal::Booted(booted) => self.adopt(*booted),
            Signal::Kilo(generation, event) if generation == self.generation => self.see(event).await,
            Signal::StreamEnded(generation) if generation == self.generation => self.reconnect(),
            Signal::Exited(generation, message) if generation == self.generation => self.died(message).await,
            Signal::Kilo(..) | Signal::StreamEnded(_) | Signal::Exited(..) => (),
            Signal::Inbox => {
                self.refresh_desk();
                self.deliver().await;
            }
            Signal::Stale => {
                let cause = Cause::new(OutcomeKind::Stopped, "stale_assignment", "The assignment is over.");
                self.feed(Input::Stop(cause, StopMode::Save)).await;
            }
            Signal::Runaway => {
                let message = "runaway: too many model requests in a minute";
                let cause = Cause::error(OutcomeKind::Error, ErrorKind::Internal, message, None);
                self.feed(Input::Stop(cause, StopMode::Save)).await;
            }
        }
    }

    async fn look_at_clock(&mut self) {
        let now = Instant::now();
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.idle_at) {
            self.idle_at = None;
            if self.busy_children.is_empty() && self.continue_at.is_none() {
                self.feed(Input::Activity(Activity::Idle)).await;
            }
        }
        if due(self.continue_at) {
            self.continue_at = None;
            self.say("continue", "Continue where you left off.").await;
        }
        if due(self.stop_by) {
            self.stop_by = None;
            self.feed(Input::StopTooSlow).await;
        }
        if due(self.deliver_at) {
            self.deliver_at = None;
            self.deliver().await;
        }
        if due(self.quiet_at) {
            self.quiet_at = None;
            self.look_for_prompt().await;
        }
        if due(Some(self.sample_at)) {
            self.sample_at = now + limits::SAMPLE;
            self.sample().await;
        }
    }

    pub(super) async fn feed(&mut self, input: Input) {
        let before = self.machine.state().clone();
        let orders = self.machine.step(input, clock::now());
        self.publish(&before);
        for order in orders {
            // Orders that speak to the agent come back here through `deliver`, which feeds nothing but activity.
            Box::pin(self.obey(order)).await;
        }
    }

    /// Lets others see the machine's state.
    fn publish(&self, before: &State) {
        let mut status = self.session.status();
        status.state = self.machine.state().clone();
        status.since = self.machine.since();
        status.state_since = self.machine.state_since();
        status.restarts = self.machine.restarts();
        drop(status);
        if before != self.machine.state()
            && let State::Ready(activity) = self.machine.state()
        {
            let word = match activity {
                Activity::Busy => "busy",
                Activity::Idle => "idle",
                Activity::Retrying => "retrying",
                Activity::Blocked => "blocked",
            };
            self.session.transcript().push("session", json!({ "state": word, "detail": null }), clock::now());
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Report(phase) => self.report_phase(phase),
            Order::ReportFailure(phase, failure) => {
                self.session.status().last_error = Some(failure.message.clone());
                let code = failure.code;
                tracing::warn!(assignment.id = %self.session.reference.assignment_id, code = %code, "a start failed: {}", failure.message);
                let retryable = code.is_retryable();
                let body = FactBody::StartFailed { phase, code: code.to_string(), message: failure.message, retryable };
                self.town.report(self.session.reference, body);
            }
            Order::Beat => self.town.beat.notify_one(),
            Order::Deliver => self.deliver().await,
            Order::CancelPreparation => self.cancel_task(),
            Order::Restart => self.restart(),
            Order::SayInterrupted => self.say_interrupted().await,
            Order::SayWrapUp(why) => {
                let what = "Commit and push what is good, write a checkpoint, and call your finishing tool if the task \
                            is complete.";
                self.say("wrap_up", &format!("{why} {what}")).await;
            }
            Order::ContinueAfter(wait) => self.continue_at = Some(Instant::now() + wait),
            Order::Compact => self.compact().await,
            Order::Stop(mode, grace) => {
                self.stop_by = Some(Instant::now() + limits::STOP_MAX);
                let (town, session, kilo) = (self.town.clone(), self.session.clone(), self.kilo.clone());
                self.task = Some(tokio::spawn(stop::run(town, session, kilo, mode, grace)));
            }
            Order::Kill => {
                self.cancel_task();
                self.kill();
            }
            Order::CleanUp => {
                self.kill();
                stop::clean_up_start(&self.town, &self.session).await;
                self.forget();
            }
            Order::Finish(cause) => self.finish(&cause),
        }
    }

    fn report_phase(&mut self, phase: Phase) {
        if phase == Phase::Running {
            self.quiet_at = Some(Instant::now() + limits::PROMPT_QUIET);
            self.refresh_desk();
        }
        let detail = (phase == Phase::Running).then(|| {
            let status = self.session.status();
            let kilo_version = self.town.runtime.tools().kilo_version;
            json!({ "session_id": status.session_id, "head": status.head, "kilo_version": kilo_version })
        });
        self.town.report(self.session.reference, FactBody::Phase { phase, detail });
    }

    /// The mayor's view of the code: after the start, and when somebody writes and the last look is old.
    fn refresh_desk(&mut self) {
        let is_old = self.desk_at.is_none_or(|at| at.elapsed() > limits::DESK_FRESH);
        if self.session.order.kind != Kind::Mayor || !is_old {
            return;
        }
        self.desk_at = Some(Instant::now());
        tokio::spawn(super::desk::refresh(self.town.clone(), self.session.clone()));
    }

    fn adopt(&mut self, booted: Booted) {
        self.generation = booted.generation;
        let pid = booted.server.pid;
        self.check_history = booted.is_resumed;
        {
            let mut status = self.session.status();
            status.session_id = Some(booted.session_id.clone());
            status.pid = Some(pid);
        }
        if self.session.order.kind == Kind::Mayor {
            let file = self.session.paths.data_dir.join("session_id");
            if let Err(error) = std::fs::write(file, &booted.session_id) {
                tracing::warn!(error = %error, "the mayor's session id could not be kept");
            }
        }
        self.session.write_record();
        self.kilo = Some(Kilo { client: booted.client, session_id: booted.session_id, pid });
        if self.session.order.kind == Kind::Mayor && !booted.is_resumed {
            self.give_history();
        }
    }

    /// A mayor without its old conversation gets the last messages as a marked block, without asking the model.
    fn give_history(&self) {
        let (Some(kilo), Some(history)) = (self.kilo.clone(), self.session.order.history.clone()) else { return };
        let message_id = format!("{}:history:0", self.session.reference.assignment_id);
        tokio::spawn(async move {
            let part = crate::kilo::client::PromptPart { message_id, text: history };
            if let Err(error) = kilo.client.prompt(&kilo.session_id, &[part], true).await {
                tracing::warn!(error = %chain(&error), "the mayor's history could not be given");
            }
        });
    }

    async fn died(&mut self, message: String) {
        self.kill();
        self.kilo = None;
        self.idle_at = None;
        self.continue_at = None;
        self.children.clear();
        self.busy_children.clear();
        self.session.status().tool = None;
        let tail = self.town.runtime.redactor.redact(&self.session.log.tail(3).join(" / "));
        let message = if tail.is_empty() { message } else { format!("{message}: {tail}") };
        tracing::warn!(assignment.id = %self.session.reference.assignment_id, "{message}");
        self.feed(Input::Died { message, is_final: false }).await;
    }

    fn restart(&mut self) {
        self.generation += 1;
        let (town, session) = (self.town.clone(), self.session.clone());
        self.task = Some(tokio::spawn(boot::restart(town, session, self.generation)));
    }

    fn cancel_task(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    pub(super) fn kill(&self) {
        if let Some(pid) = self.session.status().pid {
            tree::kill_session_processes(pid, self.session.reference.assignment_id);
        }
    }

    fn finish(&self, cause: &Cause) {
        let totals = self.session.totals();
        let status = self.session.status().clone();
        let data = json!({ "outcome": cause.outcome, "reason": cause.reason.message });
        self.session.transcript().push("exited", data, clock::now());
        self.town.report_outcome(Outcome {
            key: format!("{}:{}", self.session.reference.assignment_id, self.session.reference.epoch),
            session: self.session.reference,
            at: clock::now(),
            outcome: cause.outcome,
            error: cause.error.clone(),
            message: cause.reason.message.clone(),
            branch: self.session.order.branch.clone(),
            head: status.head.clone(),
            dirty: status.dirty,
            pushed: status.pushed.clone(),
            tokens: totals.tokens,
            cost_usd: totals.cost_usd(),
        });
        tracing::info!(
            agent.name = %self.session.order.agent.name,
            assignment.id = %self.session.reference.assignment_id,
            outcome = %cause.outcome,
            "session ended: {}", cause.reason.message
        );
        self.forget();
    }

    /// Nothing of the session opens anything any more; its folders go.
    fn forget(&self) {
        self.town.runtime.capabilities.end(&self.session.capability);
        if let Err(error) = std::fs::remove_dir_all(&self.session.paths.dir)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(error = %error, "a session's folder could not be removed");
        }
    }
}

/// How long ago something may be to count as the reason for what happens now.
pub(super) fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.since(at) < Duration::from_secs(30)
}
