//! The forge of a scenario: what it answers about the pull request of a review.

use gastown_core::rig::Event;
use gastown_core::rig::event::{ForgeCall, ForgeFact};
use gastown_core::rig::pr::{Checks, ForgeError, Mergeable, OpenedPr, PrState, Snapshot};
use gastown_core::rig::review::Finding;

use super::Player;

impl Player {
    /// `pr mr1 opened`, `pr mr1 poll checks green`, `pr mr1 failed poll transient`, …
    pub(super) fn forge(&mut self, name: &str, rest: &[&str]) {
        let (asked_at, rest) = match *rest {
            ["late", span, ref rest @ ..] => (self.now - super::duration(span), rest),
            _ => (self.now, rest),
        };
        let review_id = self.bead(name);
        let fact = match *rest {
            ["opened"] => ForgeFact::Opened(self.a_pull_request("7")),
            ["opened", number] => ForgeFact::Opened(self.a_pull_request(number)),
            ["nothing"] => ForgeFact::NothingToOpen,
            ["same"] => ForgeFact::Polled { number: self.number_of(name), asked_at, snapshot: None },
            ["poll", ref facts @ ..] => {
                let snapshot = Some(self.snapshot(name, facts));
                ForgeFact::Polled { number: self.number_of(name), asked_at, snapshot }
            }
            ["old-poll", number] => {
                let snapshot = Some(self.snapshot(name, &[]));
                ForgeFact::Polled { number: number.parse().unwrap(), asked_at, snapshot }
            }
            ["merged"] => ForgeFact::Merged("feed5eed".to_owned()),
            ["refused"] => ForgeFact::MergeRefused("the branch is protected".to_owned()),
            ["posted", n] => ForgeFact::Posted(n.parse().unwrap()),
            ["failed", call, class, ref rest @ ..] => {
                let call = match call {
                    "open" => ForgeCall::Open,
                    "poll" => ForgeCall::Poll,
                    "merge" => ForgeCall::Merge,
                    round => ForgeCall::Post(round.parse().unwrap()),
                };
                let retry_at = rest.first().map(|span| self.now + super::duration(span));
                let error = ForgeError { class: class.parse().unwrap(), message: format!("{class}."), retry_at };
                ForgeFact::Failed(call, error)
            }
            _ => panic!("pr: {rest:?}"),
        };
        self.observe(vec![Event::ForgeAnswered(review_id, fact)]);
    }

    fn a_pull_request(&self, number: &str) -> OpenedPr {
        OpenedPr {
            url: format!("https://example.com/repo/pull/{number}"),
            provider: "github".to_owned(),
            repo: "repo".to_owned(),
            number: number.parse().unwrap(),
        }
    }

    fn number_of(&self, name: &str) -> u64 {
        let watches = &self.state.as_ref().unwrap().watches;
        watches.get(&self.bead(name)).map_or(7, |watch| watch.number)
    }

    /// A clean pull request at the review's head whose checks passed, but for the facts that are named.
    fn snapshot(&self, name: &str, facts: &[&str]) -> Snapshot {
        let review = self.state.as_ref().unwrap().reviews.get(&self.bead(name));
        let mut snapshot = Snapshot {
            state: PrState::Open,
            head: review.and_then(|review| review.head_commit.clone()).unwrap_or_else(|| "c0ffee".to_owned()),
            merge_commit: None,
            mergeable: Mergeable::Clean,
            checks: Checks::Green,
            changes_requested: false,
            threads: 0,
            awaiting_approval: false,
            feedback: Vec::new(),
            etag: None,
        };
        for pair in facts.chunks(2) {
            match *pair {
                ["state", state] => snapshot.state = state.parse().unwrap(),
                ["head", head] => snapshot.head = head.to_owned(),
                ["by", commit] => snapshot.merge_commit = Some(commit.to_owned()),
                ["mergeable", word] => snapshot.mergeable = word.parse().unwrap(),
                ["checks", word] => snapshot.checks = word.parse().unwrap(),
                ["requested", "changes"] => snapshot.changes_requested = true,
                ["threads", count] => snapshot.threads = count.parse().unwrap(),
                ["approval", "required"] => snapshot.awaiting_approval = true,
                ["etag", etag] => snapshot.etag = Some(etag.to_owned()),
                ["says", words] => snapshot.feedback.push(Finding {
                    file: Some("a.rs".to_owned()),
                    line: Some(3),
                    severity: "must".to_owned(),
                    message: words.to_owned(),
                }),
                _ => panic!("poll: {pair:?}"),
            }
        }
        snapshot
    }
}
