//! Who else comes to a forge: reviewers, whoever can push, agents that open pull requests of their own, and trouble.

use gastown_core::id::BeadId;
use gastown_core::rig::event::{ForgeCall, ForgeFact};
use gastown_core::rig::pr::PrState;
use gastown_core::time::Timestamp;

use super::{Ask, Request, address};
use crate::chance::Chance;
use crate::faults::Fault;
use crate::git::{MAIN, Remote};
use crate::happening::{Happening, RigNo};
use crate::world::World;

/// What a reviewer, or whoever else can, does to a pull request.
#[derive(Debug, Clone, Copy)]
enum Touch {
    Approve,
    RequestChanges,
    Ask,
    Resolve,
    Push,
    PutBack,
    Merge,
    Close,
    Reopen,
    Conflict,
    Protect,
}

const TOUCHES: &[Touch] = &[
    Touch::Approve,
    Touch::Approve,
    Touch::RequestChanges,
    Touch::Ask,
    Touch::Resolve,
    Touch::Push,
    Touch::Push,
    Touch::PutBack,
    Touch::Merge,
    Touch::Close,
    Touch::Reopen,
    Touch::Conflict,
    Touch::Conflict,
    Touch::Protect,
];

impl World {
    /// The forge is out of order for a while, or wants other credentials.
    pub(crate) fn forge_suffers(&mut self, rig: RigNo) {
        let span = self.forge_chance.span(60_000, 25 * 60_000);
        if self.forge_chance.happens(0.6) {
            self.note(|| format!("the forge of rig {rig} is down for {} s", span.as_secs()));
            self.forges[rig].down_until = Some(self.now + span);
        } else {
            self.note(|| format!("the forge of rig {rig} refuses the credentials"));
            self.forges[rig].is_locked = true;
            self.queue.add(self.now + span, Happening::ForgeMends { rig });
        }
    }

    /// A person has found the reason, and says so by storing another secret.
    pub(crate) fn forge_mends(&mut self, rig: RigNo) {
        self.forges[rig].is_locked = false;
        if !self.is_healed {
            self.configure_again(true);
        }
    }

    /// An agent opens a pull request of its own; the address that it tells.
    pub(crate) fn agent_opens_pr(&mut self, rig: RigNo, branch: &str) -> Option<String> {
        if !self.forge_chance.happens(self.faults.chance(Fault::Reviewers, 0.05)) {
            return None;
        }
        if self.forge_chance.happens(0.3) {
            return Some("https://elsewhere.example.com/0/pull/1".to_owned());
        }
        let ask = Ask {
            review_id: BeadId::from_u128(0),
            call: ForgeCall::Open,
            branch: branch.to_owned(),
            target: MAIN.to_owned(),
            number: 0,
            etag: None,
            head: None,
            asked_at: self.now,
        };
        let Self { forges, remotes, faults, forge_chance: chance, now, .. } = self;
        match forges[rig].open(&ask, &remotes[rig], faults, chance, *now) {
            ForgeFact::Opened(pr) => Some(address(rig, pr.number)),
            _ => None,
        }
    }

    /// Somebody does something to a pull request at the forge.
    pub(crate) fn person_acts_at_forge(&mut self) {
        let Self { forges, remotes, faults, forge_chance: chance, now, .. } = self;
        let rig = usize::try_from(chance.between(0, u64::try_from(forges.len()).unwrap_or(1) - 1)).unwrap_or(0);
        let (forge, remote) = (&mut forges[rig], &mut remotes[rig]);
        forge.refresh(remote, faults, chance, *now);
        let open: Vec<usize> =
            (0..forge.requests.len()).filter(|&n| forge.requests[n].state != PrState::Merged).collect();
        let Some(place) = chance.pick(&open).copied() else { return };
        let touch = chance.pick(TOUCHES).copied().unwrap_or(Touch::Approve);
        touch_request(&mut forge.requests[place], touch, remote, chance, *now);
        self.note(|| format!("somebody at the forge of rig {rig}: {touch:?} of {}", place + 1));
    }
}

fn touch_request(request: &mut Request, touch: Touch, remote: &mut Remote, chance: &mut Chance, now: Timestamp) {
    match touch {
        Touch::Approve => {
            request.needs_approval = false;
            request.changes_requested = false;
        }
        Touch::RequestChanges => request.changes_requested = true,
        Touch::Ask => {
            request.threads += 1;
            request.remarks += 1;
        }
        Touch::Resolve => request.threads = 0,
        Touch::Push => {
            remote.moves(&request.branch);
        }
        Touch::PutBack => remote.put_back(&request.branch),
        Touch::Merge if request.state == PrState::Open && request.conflicts_with.is_none() => {
            let commit = remote.merge(&request.head, &request.target).unwrap_or_else(|| request.head.clone());
            request.state = PrState::Merged;
            request.merge_commit = Some(commit);
        }
        Touch::Close => request.state = PrState::Closed,
        Touch::Reopen => request.state = PrState::Open,
        Touch::Conflict => {
            remote.moves(&request.target);
            request.conflicts_with = remote.head(&request.target).cloned();
            request.known_at = now + chance.span(1, 90_000);
        }
        Touch::Merge | Touch::Protect => request.needs_approval = true,
    }
}
