//! The life of one session, as a pure machine: `step(input, now)` changes the state and says what to do. Nothing here
//! awaits, reads a clock or knows a process; the actor in `fleet::session` obeys the orders and feeds inputs back.
//!
//! | state | input | next | orders |
//! |---|---|---|---|
//! | preparing | step reached | preparing(step) | report phase |
//! | preparing | start failed | ended | report failure, clean up |
//! | preparing | running | ready(busy; mayor idle) | report running, beat |
//! | preparing | stop | stopping | cancel preparation, stop |
//! | ready | busy, idle, retrying, blocked | ready(…) | beat when it changed; inbox when idle |
//! | ready | error, may be waited out | ready(retrying) | continue later |
//! | ready | context full, first time | ready(busy) | compact, continue |
//! | ready | other error, or too many | stopping(error, save) | stop; the mayor stays, idle |
//! | ready | died | restarting, or stopping(crashed) when the budget is used | restart |
//! | restarting | running | ready(busy) | message "interrupted", beat |
//! | restarting | start failed | stopping(crashed, save) | stop |
//! | ready | result accepted | stopping(completed, discard) | stop after the turn |
//! | ready | wrap up | ready | message, once |
//! | preparing, ready, restarting | stop | stopping(cause, mode) | report finishing, stop |
//! | stopping | stop done, stop too slow | ended | outcome |
//! | stopping | kill | ended | kill, outcome |
//! | ended | anything | ended | – |

use std::time::Duration;

use gastown_core::time::Timestamp;
use gastown_core::wire::control::{Kind, Reason, StartFailureCode, StopMode};
use gastown_core::wire::report::{ErrorKind, OutcomeError, OutcomeKind, Phase, Step};

use crate::limits;

/// What a running session does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// A turn runs.
    Busy,
    /// Nothing runs.
    Idle,
    /// The model is asked again later.
    Retrying,
    /// kilo waits for a person, who is not there.
    Blocked,
}

/// Why a session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Outcome on the wire.
    pub outcome: OutcomeKind,
    /// Error of an outcome that has one.
    pub error: Option<OutcomeError>,
    /// Words; never empty.
    pub reason: Reason,
}

impl Cause {
    /// A cause without an error.
    pub fn new(outcome: OutcomeKind, code: &str, message: &str) -> Self {
        Self { outcome, error: None, reason: Reason { code: code.to_owned(), message: message.to_owned() } }
    }

    /// A cause that is an error of the agent.
    pub fn error(outcome: OutcomeKind, kind: ErrorKind, message: &str, retry_after_s: Option<u64>) -> Self {
        let message = if message.is_empty() { "no reason was given" } else { message };
        Self {
            outcome,
            error: Some(OutcomeError { kind, message: message.to_owned(), retry_after_s }),
            reason: Reason { code: kind.to_string(), message: message.to_owned() },
        }
    }
}

/// A start that ended without a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartFailure {
    /// Machine word.
    pub code: StartFailureCode,
    /// One sentence.
    pub message: String,
}

/// Where a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// On its way to a first prompt.
    Preparing(Step),
    /// kilo runs.
    Ready(Activity),
    /// kilo died and is started again in place.
    Restarting,
    /// On its way to the end.
    Stopping(Cause, StopMode),
    /// Over; the cause is absent when it ended as a start failure.
    Ended(Option<Cause>),
}

/// Something that happened to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Preparation begins this step.
    StepReached(Step),
    /// Preparation, or a restart, failed.
    StartFailed(StartFailure),
    /// The first prompt was accepted; for the mayor, the session was found or made.
    Running,
    /// What the session does changed.
    Activity(Activity),
    /// A turn ended with an error.
    Error {
        /// Kind.
        kind: ErrorKind,
        /// Words.
        message: String,
        /// The gateway's own wish.
        retry_after_s: Option<u64>,
    },
    /// The answer was cut by its length; no harm.
    TooLong,
    /// kilo exited or answers no more.
    Died {
        /// Words: exit status, or silence.
        message: String,
        /// Whether a limit of memory ended it: then it is not started again.
        is_final: bool,
    },
    /// The Worker took `done` or a verdict.
    ResultAccepted,
    /// The session is to finish by itself; why, in words for the agent.
    WrapUp(String),
    /// The session is to end.
    Stop(Cause, StopMode),
    /// The stop sequence ended.
    StopDone,
    /// The stop sequence took too long.
    StopTooSlow,
}

/// What the actor has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Queue a `phase` fact.
    Report(Phase),
    /// Queue a `start_failed` fact.
    ReportFailure(Phase, StartFailure),
    /// Send a heartbeat early.
    Beat,
    /// Deliver what waits in the inbox.
    Deliver,
    /// End the preparation that runs.
    CancelPreparation,
    /// Start kilo again on the same data.
    Restart,
    /// Tell the agent that it was cut off.
    SayInterrupted,
    /// Tell the agent to finish, and why.
    SayWrapUp(String),
    /// Ask the model again after this time.
    ContinueAfter(Duration),
    /// Shorten the conversation, then go on.
    Compact,
    /// Run the stop sequence; first wait this long for the turn to end by itself.
    Stop(StopMode, Duration),
    /// Kill what is left.
    Kill,
    /// Remove everything of a start that failed.
    CleanUp,
    /// Queue the outcome and remove the session's folders.
    Finish(Cause),
}

/// One session's machine.
#[derive(Debug, Clone)]
pub struct Machine {
    kind: Kind,
    state: State,
    since: Timestamp,
    state_since: Timestamp,
    ready_at: Timestamp,
    crashes: Vec<Timestamp>,
    early_crashes: u32,
    restarts: u32,
    continues: u32,
    compacted: bool,
    wrapped_up: bool,
}

impl Machine {
    /// A session whose order was accepted.
    pub fn new(kind: Kind, now: Timestamp) -> Self {
        Self {
            kind,
            state: State::Preparing(Step::Accepted),
            since: now,
            state_since: now,
            ready_at: now,
            crashes: Vec::new(),
            early_crashes: 0,
            restarts: 0,
            continues: 0,
            compacted: false,
            wrapped_up: false,
        }
    }

    /// Where it is.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// When the state, without its activity, began.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// When the activity began.
    pub fn state_since(&self) -> Timestamp {
        self.state_since
    }

    /// Restarts in place.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Takes one input.
    pub fn step(&mut self, input: Input, now: Timestamp) -> Vec<Order> {
        match self.state.clone() {
            State::Preparing(step) => self.preparing(step, input, now),
            State::Ready(activity) => self.ready(activity, input, now),
            State::Restarting => self.restarting(input, now),
            State::Stopping(cause, mode) => self.stopping(cause, mode, input, now),
            State::Ended(_) => Vec::new(),
        }
    }

    fn preparing(&mut self, at: Step, input: Input, now: Timestamp) -> Vec<Order> {
        match input {
            Input::StepReached(step) => {
                self.enter(State::Preparing(step), now);
                vec![Order::Report(phase_of(step))]
            }
            Input::StartFailed(failure) => {
                self.enter(State::Ended(None), now);
                vec![Order::ReportFailure(phase_of(at), failure), Order::CleanUp, Order::Beat]
            }
            Input::Running => {
                self.ready_at = now;
                self.enter(State::Ready(self.first_activity()), now);
                vec![Order::Report(Phase::Running), Order::Beat, Order::Deliver]
            }
            Input::Died { message, .. } => {
                let failure = StartFailure { code: StartFailureCode::BootExited, message };
                self.preparing(at, Input::StartFailed(failure), now)
            }
            Input::Stop(cause, mode) => {
                let mut orders = vec![Order::CancelPreparation];
                orders.extend(self.stop(cause, mode, Duration::ZERO, now));
                orders
            }
            Input::Activity(_)
            | Input::Error { .. }
            | Input::TooLong
            | Input::ResultAccepted
            | Input::WrapUp(_)
            | Input::StopDone
            | Input::StopTooSlow => Vec::new(),
        }
    }

    fn ready(&mut self, before: Activity, input: Input, now: Timestamp) -> Vec<Order> {
        match input {
            Input::Activity(activity) => {
                if activity == before {
                    return Vec::new();
                }
                if activity == Activity::Idle {
                    self.compacted = false;
                }
                self.state = State::Ready(activity);
                self.state_since = now;
                match activity {
                    Activity::Idle => vec![Order::Beat, Order::Deliver],
                    Activity::Busy | Activity::Retrying | Activity::Blocked => vec![Order::Beat],
                }
            }
            Input::Error { kind, message, retry_after_s } => self.error(kind, &message, retry_after_s, now),
            Input::TooLong => vec![Order::ContinueAfter(Duration::ZERO)],
            Input::Died { message, is_final } => self.died(&message, is_final, now),
            Input::ResultAccepted => {
                let cause = Cause::new(OutcomeKind::Completed, "completed", "The result was accepted.");
                self.stop(cause, StopMode::Discard, limits::RESULT_GRACE, now)
            }
            Input::WrapUp(_) if self.wrapped_up => Vec::new(),
            Input::WrapUp(why) => {
                self.wrapped_up = true;
                vec![Order::SayWrapUp(why)]
            }
            Input::Stop(cause, mode) => self.stop(cause, mode, Duration::ZERO, now),
            Input::StepReached(_) | Input::StartFailed(_) | Input::Running | Input::StopDone | Input::StopTooSlow => {
                Vec::new()
            }
        }
    }

    fn restarting(&mut self, input: Input, now: Timestamp) -> Vec<Order> {
        match input {
            Input::Running => {
                self.ready_at = now;
                self.enter(State::Ready(self.first_activity()), now);
                vec![Order::SayInterrupted, Order::Beat]
            }
            Input::StartFailed(failure) => {
                let message = format!("kilo could not be started again: {}", failure.message);
                let cause = Cause::error(OutcomeKind::Crashed, ErrorKind::Internal, &message, None);
                self.stop(cause, StopMode::Save, Duration::ZERO, now)
            }
            Input::Died { message, is_final } => self.died(&message, is_final, now),
            Input::ResultAccepted => {
                let cause = Cause::new(OutcomeKind::Completed, "completed", "The result was accepted.");
                let mut orders = vec![Order::CancelPreparation];
                orders.extend(self.stop(cause, StopMode::Discard, Duration::ZERO, now));
                orders
            }
            Input::Stop(cause, mode) => {
                let mut orders = vec![Order::CancelPreparation];
                orders.extend(self.stop(cause, mode, Duration::ZERO, now));
                orders
            }
            Input::StepReached(_)
            | Input::Activity(_)
            | Input::Error { .. }
            | Input::TooLong
            | Input::WrapUp(_)
            | Input::StopDone
            | Input::StopTooSlow => Vec::new(),
        }
    }

    fn stopping(&mut self, cause: Cause, mode: StopMode, input: Input, now: Timestamp) -> Vec<Order> {
        match input {
            Input::StopDone => {
                self.enter(State::Ended(Some(cause.clone())), now);
                vec![Order::Finish(cause), Order::Beat]
            }
            Input::StopTooSlow | Input::Stop(_, StopMode::Kill) => {
                self.enter(State::Ended(Some(cause.clone())), now);
                vec![Order::Kill, Order::Finish(cause), Order::Beat]
            }
            // The first terminal cause wins; a result that was accepted while stopping changes nothing any more.
            Input::ResultAccepted
            | Input::Stop(_, StopMode::Save | StopMode::Discard)
            | Input::StepReached(_)
            | Input::StartFailed(_)
            | Input::Running
            | Input::Activity(_)
            | Input::Error { .. }
            | Input::TooLong
            | Input::Died { .. }
            | Input::WrapUp(_) => {
                debug_assert_eq!(self.state, State::Stopping(cause, mode));
                Vec::new()
            }
        }
    }

    fn error(&mut self, kind: ErrorKind, message: &str, retry_after_s: Option<u64>, now: Timestamp) -> Vec<Order> {
        if self.kind == Kind::Mayor {
            // Nobody can take the mayor's place: it shows the error and answers the next message.
            return Vec::new();
        }
        let wait = match kind {
            ErrorKind::RateLimited if retry_after_s.unwrap_or(0) <= RETRY_AFTER_MAX_S => {
                Some(Duration::from_secs(retry_after_s.unwrap_or(30)))
            }
            ErrorKind::Provider => Some(Duration::from_secs(if self.continues == 0 { 30 } else { 60 })),
            ErrorKind::Internal if self.continues == 0 => Some(Duration::from_secs(1)),
            ErrorKind::ContextOverflow if !self.compacted => {
                self.compacted = true;
                return vec![Order::Compact];
            }
            ErrorKind::Auth
            | ErrorKind::RateLimited
            | ErrorKind::Quota
            | ErrorKind::ContextOverflow
            | ErrorKind::Config
            | ErrorKind::Internal => None,
        };
        match wait {
            Some(wait) if self.continues < limits::ERROR_CONTINUES => {
                self.continues += 1;
                self.state = State::Ready(Activity::Retrying);
                self.state_since = now;
                vec![Order::ContinueAfter(wait), Order::Beat]
            }
            Some(_) | None => {
                let cause = Cause::error(OutcomeKind::Error, kind, message, retry_after_s);
                self.stop(cause, StopMode::Save, Duration::ZERO, now)
            }
        }
    }

    fn died(&mut self, message: &str, is_final: bool, now: Timestamp) -> Vec<Order> {
        self.crashes.retain(|at| now.since(*at) < limits::RESTART_WINDOW);
        self.crashes.push(now);
        if now.since(self.ready_at) < limits::CRASH_EARLY {
            self.early_crashes += 1;
        } else {
            self.early_crashes = 0;
        }
        let budget = if self.kind == Kind::Mayor { limits::RESTARTS_MAYOR } else { limits::RESTARTS };
        if is_final || self.crashes.len() > budget || self.early_crashes >= 2 {
            let cause = Cause::error(OutcomeKind::Crashed, ErrorKind::Internal, message, None);
            return self.stop(cause, StopMode::Save, Duration::ZERO, now);
        }
        self.restarts += 1;
        self.enter(State::Restarting, now);
        vec![Order::Restart, Order::Beat]
    }

    fn stop(&mut self, cause: Cause, mode: StopMode, grace: Duration, now: Timestamp) -> Vec<Order> {
        self.enter(State::Stopping(cause.clone(), mode), now);
        match mode {
            StopMode::Save | StopMode::Discard => vec![Order::Report(Phase::Finishing), Order::Stop(mode, grace)],
            StopMode::Kill => {
                self.enter(State::Ended(Some(cause.clone())), now);
                vec![Order::Kill, Order::Finish(cause), Order::Beat]
            }
        }
    }

    fn enter(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.since = now;
        self.state_since = now;
    }

    /// A mayor's start sends no prompt, so nothing runs yet.
    fn first_activity(&self) -> Activity {
        match self.kind {
            Kind::Mayor => Activity::Idle,
            Kind::Work
            | Kind::Rework
            | Kind::Review
            | Kind::Landing
            | Kind::Conflict
            | Kind::Feedback
            | Kind::Fixup
            | Kind::Triage => Activity::Busy,
        }
    }
}

/// A gateway that wants a longer pause is left to the Worker's back-off.
const RETRY_AFTER_MAX_S: u64 = 60;

const fn phase_of(step: Step) -> Phase {
    match step {
        Step::Accepted => Phase::Accepted,
        Step::Cloning => Phase::Cloning,
        Step::Worktree => Phase::Worktree,
        Step::Booting => Phase::Booting,
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
