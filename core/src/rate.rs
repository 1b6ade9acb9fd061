//! How often one subject may call (api.md 1.8): a token bucket, kept as the one instant at which it is full again. No clock
//! here, and nothing is kept: whoever asks holds the instant for each subject, in memory, because a bucket that is
//! forgotten is only a full one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::{
    RATE_AGENT_BURST, RATE_AGENT_PER_MINUTE, RATE_SESSION_PER_MINUTE, RATE_TICKET_PER_MINUTE, RATE_USER_BURST,
    RATE_USER_PER_MINUTE,
};
use crate::time::Timestamp;

/// How fast a bucket fills, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Tokens that come back in a minute.
    pub per_minute: u32,
    /// Tokens of a full bucket.
    pub burst: u32,
}

/// Creating calls of a person.
pub const USER: Rate = Rate { per_minute: RATE_USER_PER_MINUTE, burst: RATE_USER_BURST };
/// Creating calls of the mayor, or of one agent.
pub const AGENT: Rate = Rate { per_minute: RATE_AGENT_PER_MINUTE, burst: RATE_AGENT_BURST };
/// Sign-ins from one address.
pub const SESSION: Rate = Rate { per_minute: RATE_SESSION_PER_MINUTE, burst: RATE_SESSION_PER_MINUTE };
/// Tickets of one subject.
pub const TICKET: Rate = Rate { per_minute: RATE_TICKET_PER_MINUTE, burst: RATE_TICKET_PER_MINUTE };

/// A bucket: when it is full again. One of the past is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    full_at: Option<Timestamp>,
}

impl Bucket {
    /// Takes one token; the error is how long to wait for the next one. An empty bucket loses nothing by being asked.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        let token = Duration::from_secs(60) / rate.per_minute.max(1);
        let empty_at_most = now + token * rate.burst;
        // A clock that was set back makes nobody wait longer than an empty bucket does.
        let full_at = self.full_at.map_or(now, |at| at.max(now).min(empty_at_most));
        let taken = full_at + token;
        let over = taken.since(empty_at_most);
        self.full_at = Some(if over.is_zero() { taken } else { full_at });
        if over.is_zero() { Ok(()) } else { Err(over) }
    }

    /// Whether nothing is remembered any more.
    pub fn is_full(&self, now: Timestamp) -> bool {
        self.full_at.is_none_or(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_000);

    fn taken(bucket: &mut Bucket, rate: Rate, now: Timestamp) -> u32 {
        (0..10_000).take_while(|_| bucket.take(rate, now).is_ok()).count() as u32
    }

    #[test]
    fn a_full_bucket_gives_its_burst_and_then_what_comes_back() {
        for rate in [USER, AGENT, SESSION, TICKET] {
            let mut bucket = Bucket::default();
            assert_eq!(taken(&mut bucket, rate, NOW), rate.burst);
            assert_eq!(taken(&mut bucket, rate, NOW + Duration::from_secs(60)), rate.per_minute);
            assert_eq!(taken(&mut bucket, rate, NOW + Duration::from_secs(3600)), rate.burst, "not more than full");
        }
    }

    #[test]
    fn an_empty_bucket_says_how_long_to_wait() {
        let mut bucket = Bucket::default();
        taken(&mut bucket, USER, NOW);
        let wait = bucket.take(USER, NOW).unwrap_err();
        assert_eq!(wait, Duration::from_secs(1));
        assert_eq!(bucket.take(USER, NOW), Err(wait), "asking costs nothing");
        let almost = NOW + wait.saturating_sub(Duration::from_millis(1));
        assert_eq!(bucket.take(USER, almost), Err(Duration::from_millis(1)));
        assert_eq!(bucket.take(USER, NOW + wait), Ok(()));
    }

    #[test]
    fn a_bucket_is_forgotten_when_it_is_full() {
        let mut bucket = Bucket::default();
        assert!(bucket.is_full(NOW));
        bucket.take(USER, NOW).unwrap();
        assert!(!bucket.is_full(NOW));
        assert!(bucket.is_full(NOW + Duration::from_secs(1)));
    }

    #[test]
    fn a_clock_that_was_set_back_costs_no_more_than_an_empty_bucket() {
        let mut bucket = Bucket::default();
        bucket.take(SESSION, NOW + Duration::from_secs(86_400)).unwrap();
        assert_eq!(bucket.take(SESSION, NOW), Err(Duration::from_secs(6)));
        assert_eq!(bucket.take(SESSION, NOW + Duration::from_secs(6)), Ok(()));
    }
}
