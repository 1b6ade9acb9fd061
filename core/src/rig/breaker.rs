//! The rig's breaker (domain.md 5.6): stops new sessions after too many start failures, at once after a failure that
//! only a person can mend, and lets one session probe. Healthy sessions, however many, never open it.

use serde::{Deserialize, Serialize};

use crate::limits::{BREAKER_RIG, BREAKER_RIG_WINDOW};
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

/// The breaker as the rig's row keeps it.
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
    pub fn count(&mut self, now: Timestamp) {
        self.failures.retain(|at| now.since(*at) < BREAKER_RIG_WINDOW);
        self.failures.push(now);
    }

    /// Whether the window holds enough failures to open it.
    pub fn is_over_limit(&self) -> bool {
        self.failures.len() >= BREAKER_RIG
    }
}
