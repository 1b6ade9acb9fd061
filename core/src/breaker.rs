//! Breakers (domain.md 5.6), of a rig and of the town: they stop new sessions after too many start failures, at once
//! after a failure that only a person can mend, and let one session probe. Healthy sessions, however many, never open one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::BREAKER_PROBE;
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// Whether sessions may start.
    pub enum BreakerState {
        Closed = "closed",
        Open = "open",
        HalfOpen = "half_open",
    }
}

/// Every change of a breaker, and what causes it.
pub const TRANSITIONS: &[(BreakerState, &str, BreakerState)] = &[
    (BreakerState::Closed, "a retryable start failure below the limit: counted", BreakerState::Closed),
    (BreakerState::Closed, "failures of the window reach the limit", BreakerState::Open),
    (BreakerState::Closed, "credentials, quota or configuration fail (rig only)", BreakerState::Open),
    (BreakerState::Closed, "a session runs: nothing", BreakerState::Closed),
    (BreakerState::Open, "a start that was under way fails: nothing more", BreakerState::Open),
    (BreakerState::Open, "BREAKER_PROBE is over; settings or secrets changed; a person resets", BreakerState::HalfOpen),
    (BreakerState::HalfOpen, "the probe runs", BreakerState::Closed),
    (BreakerState::HalfOpen, "the probe fails", BreakerState::Open),
    (BreakerState::HalfOpen, "the probe ends otherwise: another one may start", BreakerState::HalfOpen),
];

/// A breaker as its owner keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Whether sessions may start.
    pub state: BreakerState,
    /// Open: when one session may probe.
    pub until: Option<Timestamp>,
    /// Why it opened, as a machine word.
    pub code: Option<String>,
    /// Why it opened, in words.
    pub message: Option<String>,
    /// Start failures inside the window, oldest first.
    pub failures: Vec<Timestamp>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: BreakerState::Closed, until: None, code: None, message: None, failures: Vec::new() }
    }
}

impl Breaker {
    /// Counts one retryable start failure and forgets those that left the window.
    pub fn count(&mut self, now: Timestamp, window: Duration) {
        self.failures.retain(|at| now.since(*at) < window);
        self.failures.push(now);
    }

    /// Opens it until the next probe; true when that begins an episode, of which people are told.
    pub fn open(&mut self, code: &str, message: &str, now: Timestamp) -> bool {
        let is_new = self.state == BreakerState::Closed;
        self.state = BreakerState::Open;
        self.until = Some(now + BREAKER_PROBE);
        self.code = Some(code.to_owned());
        self.message = Some(message.to_owned());
        self.failures.clear();
        is_new
    }

    /// Whether an open breaker has waited long enough for a probe.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.state == BreakerState::Open && self.until.is_some_and(|until| until <= now)
    }

    /// From open to half-open: by time, by a change of settings or secrets, or by a person. True when it was open.
    pub fn half_open(&mut self) -> bool {
        let was_open = self.state == BreakerState::Open;
        if was_open {
            self.state = BreakerState::HalfOpen;
            self.until = None;
        }
        was_open
    }
}
