//! Numbered messages, kept until acknowledged, applied once and in order (domain.md 11).

use serde::{Deserialize, Serialize};

use super::Subject;
use crate::limits::{RESEND_FIRST, RESEND_MAX};
use crate::time::Timestamp;

/// A message with its number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Numbered<M> {
    /// From 1, without gaps, per sender and receiver.
    pub seq: u64,
    /// What it says.
    pub message: M,
}

/// Messages in order, and what the sender has already applied of the other side's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch<M> {
    /// Oldest first.
    pub messages: Vec<Numbered<M>>,
    /// The newest number that the sender has applied from the receiver.
    pub applied: u64,
}

/// Reply to a [`Batch`]: an acknowledgement, and the messages that wait the other way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchReply<M> {
    /// The newest number that is applied here; everything up to it may be forgotten.
    pub acknowledged: u64,
    /// Messages the other way.
    pub messages: Vec<Numbered<M>>,
}

/// One kept message.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow<M> {
    /// Number.
    pub seq: u64,
    /// Content.
    pub message: M,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was first sent.
    pub sent_at: Option<Timestamp>,
}

/// Messages to one receiver that are not acknowledged, oldest first, and when to send them again.
///
/// `tries` and `resend_at` live in memory only: after a restart everything unacknowledged is sent at once
/// (domain.md 11).
#[derive(Debug, Clone, PartialEq)]
pub struct Outbox<M> {
    rows: Vec<OutboxRow<M>>,
    next_seq: u64,
    tries: u32,
    resend_at: Option<Timestamp>,
}

impl<M: Subject + Clone> Outbox<M> {
    /// The outbox as SQL kept it; `next_seq` is one above the newest number ever used.
    pub fn new(rows: Vec<OutboxRow<M>>, next_seq: u64) -> Self {
        Self { rows, next_seq, tries: 0, resend_at: None }
    }

    /// Adds a message and returns the row to write. A state message takes the place of an unsent older one.
    pub fn post(&mut self, message: M, now: Timestamp) -> OutboxRow<M> {
        let replaced = message.subject().and_then(|subject| {
            self.rows.iter_mut().find(|r| r.sent_at.is_none() && r.message.subject().as_ref() == Some(&subject))
        });
        if let Some(row) = replaced {
            row.message = message;
            return row.clone();
        }
        let row = OutboxRow { seq: self.next_seq, message, created_at: now, sent_at: None };
        self.next_seq += 1;
        self.rows.push(row.clone());
        row
    }

    /// Forgets what the receiver has applied; true when something was forgotten.
    pub fn acknowledge(&mut self, seq: u64) -> bool {
        let before = self.rows.len();
        self.rows.retain(|row| row.seq > seq);
        let changed = self.rows.len() < before;
        if changed {
            self.tries = 0;
            self.resend_at = None;
        }
        changed
    }

    /// Whether something shall be sent at `now`: a message that was never sent, or one whose answer is overdue.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let unsent = self.rows.iter().any(|row| row.sent_at.is_none());
        let overdue = !self.rows.is_empty() && self.resend_at.is_none_or(|at| at <= now);
        unsent || overdue
    }

    /// Marks everything as sent and returns the rows whose mark is new. The next repeat is due after 1, 2, 4 … 30 s.
    pub fn mark_sent(&mut self, now: Timestamp) -> Vec<OutboxRow<M>> {
        let pause = RESEND_FIRST.saturating_mul(1 << self.tries.min(5)).min(RESEND_MAX);
        self.tries = self.tries.saturating_add(1);
        self.resend_at = Some(now + pause);
        let mut fresh = Vec::new();
        for row in self.rows.iter_mut().filter(|row| row.sent_at.is_none()) {
            row.sent_at = Some(now);
            fresh.push(row.clone());
        }
        fresh
    }

    /// Everything that is not acknowledged, oldest first.
    pub fn batch(&self) -> Vec<Numbered<M>> {
        self.rows.iter().map(|row| Numbered { seq: row.seq, message: row.message.clone() }).collect()
    }

    /// Whether everything was acknowledged.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows that are kept.
    pub fn rows(&self) -> &[OutboxRow<M>] {
        &self.rows
    }

    /// When unacknowledged messages are due again.
    pub fn resend_at(&self) -> Option<Timestamp> {
        if self.rows.is_empty() { None } else { self.resend_at }
    }
}

/// What of a batch is news: messages above `applied`, up to the first gap.
pub fn news<M>(messages: Vec<Numbered<M>>, applied: u64) -> Vec<Numbered<M>> {
    let mut next = applied + 1;
    let mut news = Vec::new();
    for message in messages {
        if message.seq == next {
            next += 1;
            news.push(message);
        }
    }
    news
}

#[cfg(test)]
mod tests {
    use super::super::{Activity, RigToTown};
    use super::*;
    use crate::id::AssignmentId;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn activity(queued: u32) -> RigToTown {
        RigToTown::Activity(Activity { queued, ..Activity::default() })
    }

    fn released(n: u128) -> RigToTown {
        RigToTown::SlotReleased { assignment_id: AssignmentId::from_u128(n) }
    }

    #[test]
    fn unsent_state_messages_replace_each_other_and_numbers_have_no_gaps() {
        let mut outbox = Outbox::new(Vec::new(), 1);
        outbox.post(activity(1), at(0));
        outbox.post(released(1), at(0));
        assert_eq!(outbox.post(activity(2), at(1)).seq, 1);
        outbox.mark_sent(at(2));
        assert_eq!(outbox.post(activity(3), at(3)).seq, 3);
        assert_eq!(outbox.batch().iter().map(|m| m.seq).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn unanswered_messages_are_due_again_ever_more_slowly() {
        let mut outbox = Outbox::new(Vec::new(), 1);
        outbox.post(released(1), at(0));
        let mut now = at(0);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            assert!(outbox.is_due(now));
            outbox.mark_sent(now);
            assert!(!outbox.is_due(now));
            let next = outbox.resend_at().unwrap();
            pauses.push(next.since(now).as_secs());
            now = next;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert!(outbox.acknowledge(1));
        assert!(!outbox.is_due(now) && outbox.is_empty());
    }

    #[test]
    fn repeats_and_gaps_are_no_news() {
        let batch: Vec<_> = [2, 3, 5].into_iter().map(|seq| Numbered { seq, message: () }).collect();
        assert_eq!(news(batch.clone(), 2).iter().map(|m| m.seq).collect::<Vec<_>>(), [3]);
        assert_eq!(news(batch, 0).len(), 0);
    }
}
