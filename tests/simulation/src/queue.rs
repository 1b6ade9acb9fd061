//! Virtual time: what will happen, by instant. Two happenings of one instant keep the order in which they were added.

use std::collections::BTreeMap;

use gastown_core::time::Timestamp;

use crate::happening::Happening;

/// The happenings to come.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: BTreeMap<(Timestamp, u64), Happening>,
    added: u64,
}

impl Queue {
    /// Adds a happening.
    pub(crate) fn add(&mut self, at: Timestamp, happening: Happening) {
        self.added += 1;
        self.waiting.insert((at, self.added), happening);
    }

    /// Takes the next happening.
    pub(crate) fn next(&mut self) -> Option<(Timestamp, Happening)> {
        self.waiting.pop_first().map(|((at, _), happening)| (at, happening))
    }
}
