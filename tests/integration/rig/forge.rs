//! What a forge answers, at random, to whatever was or was not asked of it.

use std::time::Duration;

use gastown_core::rig::Event;
use gastown_core::rig::event::{ForgeCall, ForgeFact};
use gastown_core::rig::pr::{Checks, ForgeError, ForgeErrorClass, Mergeable, OpenedPr, PrState, Snapshot};
use gastown_core::rig::review::Finding;

use super::model::World;

impl World {
    pub(super) fn forge_answers(&mut self) -> Option<Event> {
        let state = self.state.as_ref().unwrap();
        let review = self.random.pick(state.reviews.values().cloned().collect::<Vec<_>>())?;
        let number = state.watches.get(&review.bead_id).map_or(1, |watch| watch.number);
        let round = state.rounds.keys().filter(|(id, _)| *id == review.bead_id).map(|(_, n)| *n).max().unwrap_or(1);
        let head = review.head_commit.clone().unwrap_or_else(|| "c0ffee".to_owned());
        let fact = match self.random.below(16) {
            0..=3 => ForgeFact::Opened(OpenedPr {
                url: "https://example.com/moved/pull/4".to_owned(),
                provider: "github".to_owned(),
                repo: "moved".to_owned(),
                number: 4,
            }),
            4 if self.random.one_in(8) => ForgeFact::NothingToOpen,
            5 => ForgeFact::Merged("feed5eed".to_owned()),
            6 => ForgeFact::MergeRefused("protected".to_owned()),
            7 => ForgeFact::Posted(round),
            8 | 9 => ForgeFact::Failed(
                self.random.pick([ForgeCall::Open, ForgeCall::Poll, ForgeCall::Merge, ForgeCall::Post(round)])?,
                ForgeError {
                    class: self.random.pick(ForgeErrorClass::ALL.iter().copied())?,
                    message: "no answer".to_owned(),
                    retry_at: self.random.maybe(self.now + Duration::from_secs(90)),
                },
            ),
            10 => ForgeFact::Polled { number, asked_at: self.now, snapshot: None },
            _ => ForgeFact::Polled { number, asked_at: self.now, snapshot: Some(self.snapshot(head)) },
        };
        Some(Event::ForgeAnswered(review.bead_id, fact))
    }

    fn snapshot(&mut self, head: String) -> Snapshot {
        let random = &mut self.random;
        let remark = Finding {
            file: random.maybe("src/a.rs".to_owned()),
            line: random.maybe(3),
            severity: "must".to_owned(),
            message: "The name is \"wrong\".".to_owned(),
        };
        Snapshot {
            state: match random.below(12) {
                0 => PrState::Merged,
                1 => PrState::Closed,
                _ => PrState::Open,
            },
            head: if random.one_in(6) { "d00d".to_owned() } else { head },
            merge_commit: random.maybe("feed5eed".to_owned()),
            mergeable: random
                .pick([Mergeable::Clean, Mergeable::Clean, Mergeable::Conflict, Mergeable::Unknown])
                .unwrap(),
            checks: random.pick([Checks::Green, Checks::None, Checks::Pending, Checks::Red]).unwrap(),
            changes_requested: random.one_in(8),
            threads: u32::from(random.one_in(8)),
            awaiting_approval: random.one_in(8),
            feedback: random.maybe(remark).into_iter().collect(),
            etag: random.maybe("\"one\"".to_owned()),
        }
    }
}
