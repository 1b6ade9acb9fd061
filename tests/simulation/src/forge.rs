//! The forge of each rig: pull requests over the model of git, their checks and reviewers, and calls that fail in every
//! way of domain.md 7.6. What was done stays done when the answer is lost.

mod visits;

use std::collections::BTreeSet;
use std::time::Duration;

use gastown_core::id::BeadId;
use gastown_core::rig::bead::BeadStatus;
use gastown_core::rig::event::{Event, ForgeCall, ForgeFact};
use gastown_core::rig::pr::{Checks, ForgeError, ForgeErrorClass, Mergeable, OpenedPr, PrState, Snapshot};
use gastown_core::rig::review::{Finding, ReviewState};
use gastown_core::rig::{Effect, Receipt};
use gastown_core::time::Timestamp;

use crate::chance::Chance;
use crate::faults::{Fault, Faults};
use crate::git::Remote;
use crate::happening::{Happening, Life, RigNo};
use crate::world::World;

/// The forge of one rig.
#[derive(Default)]
pub(crate) struct Forge {
    requests: Vec<Request>,
    /// No call succeeds before a person has mended the credentials.
    is_locked: bool,
    /// Until then it is out of order.
    down_until: Option<Timestamp>,
    /// Findings that stand on pull requests.
    posted: BTreeSet<(BeadId, u32)>,
}

/// One pull request.
struct Request {
    branch: String,
    target: String,
    state: PrState,
    head: String,
    merge_commit: Option<String>,
    /// What the checks of the head say, from this instant on.
    checks: (Checks, Timestamp),
    /// Before this instant the forge does not know whether it could be merged.
    known_at: Timestamp,
    /// The commit of the target that it conflicts with, until the branch has it.
    conflicts_with: Option<String>,
    threads: u32,
    changes_requested: bool,
    needs_approval: bool,
    remarks: u32,
}

/// What a rig asks of its forge.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    review_id: BeadId,
    call: ForgeCall,
    branch: String,
    target: String,
    number: u64,
    etag: Option<String>,
    head: Option<String>,
    asked_at: Timestamp,
}

impl Forge {
    /// Everything works again.
    pub(crate) fn heal(&mut self) {
        self.is_locked = false;
        self.down_until = None;
    }

    /// Whether the pull request of this number is merged, by a commit that its target has.
    pub(crate) fn has_merged(&self, number: u64, remote: &Remote) -> bool {
        let of_number = usize::try_from(number).ok().and_then(|number| self.requests.get(number.checked_sub(1)?));
        of_number.is_some_and(|request| {
            let commit = request.merge_commit.as_ref();
            request.state == PrState::Merged && commit.is_some_and(|c| remote.branch_contains(&request.target, c))
        })
    }

    /// Follows the branches: new heads get new checks, what is gone or merged elsewhere closes.
    fn refresh(&mut self, remote: &Remote, faults: &Faults, chance: &mut Chance, now: Timestamp) {
        for request in self.requests.iter_mut().filter(|request| request.state == PrState::Open) {
            match remote.head(&request.branch) {
                None => request.state = PrState::Closed,
                Some(head) if remote.branch_contains(&request.target, head) => {
                    request.head.clone_from(head);
                    request.state = PrState::Merged;
                    request.merge_commit = Some(head.clone());
                }
                Some(head) if *head != request.head => {
                    request.head.clone_from(head);
                    request.has_new_head(remote, faults, chance, now);
                }
                Some(_) => (),
            }
            let resolved = |commit: &String| remote.contains(&request.head, commit);
            if request.conflicts_with.as_ref().is_some_and(resolved) {
                request.conflicts_with = None;
            }
        }
    }

    /// Opens, or adopts what is open for the same head and target.
    fn open(&mut self, ask: &Ask, remote: &Remote, faults: &Faults, chance: &mut Chance, now: Timestamp) -> ForgeFact {
        let is_same = |r: &Request| r.state == PrState::Open && r.branch == ask.branch && r.target == ask.target;
        if let Some(place) = self.requests.iter().position(is_same) {
            return ForgeFact::Opened(self.opened(place));
        }
        let Some(head) = remote.head(&ask.branch).cloned() else {
            return failed(ask.call, ForgeErrorClass::Permanent, "422: the head is invalid");
        };
        if remote.branch_contains(&ask.target, &head) {
            return ForgeFact::NothingToOpen;
        }
        let mut request = Request {
            branch: ask.branch.clone(),
            target: ask.target.clone(),
            state: PrState::Open,
            head,
            merge_commit: None,
            checks: (Checks::None, now),
            known_at: now,
            conflicts_with: None,
            threads: 0,
            changes_requested: false,
            needs_approval: chance.happens(faults.chance(Fault::Reviewers, 0.15)),
            remarks: 0,
        };
        request.has_new_head(remote, faults, chance, now);
        self.requests.push(request);
        ForgeFact::Opened(self.opened(self.requests.len() - 1))
    }

    fn opened(&self, place: usize) -> OpenedPr {
        let number = u64::try_from(place).unwrap_or(0) + 1;
        OpenedPr { url: String::new(), provider: "github".to_owned(), repo: String::new(), number }
    }

    fn merge(
        &mut self,
        ask: &Ask,
        remote: &mut Remote,
        faults: &Faults,
        chance: &mut Chance,
        now: Timestamp,
    ) -> ForgeFact {
        let refused = |why: &str| ForgeFact::MergeRefused(why.to_owned());
        let Some(request) = self.request(ask.number) else {
            return failed(ask.call, ForgeErrorClass::Permanent, "404");
        };
        match request.state {
            PrState::Merged if chance.happens(0.5) => {
                return ForgeFact::Merged(request.merge_commit.clone().unwrap_or_default());
            }
            PrState::Merged => return refused("it is merged"),
            PrState::Closed => return refused("it is closed"),
            PrState::Open => (),
        }
        if ask.head.as_ref() != Some(&request.head) {
            return refused("409: the head has moved");
        }
        if request.conflicts_with.is_some() || request.needs_approval || request.shown_checks(now) == Checks::Red {
            return refused("405: not mergeable");
        }
        if chance.happens(faults.chance(Fault::ForgeRefuses, 0.3)) {
            return refused("the branch is protected");
        }
        let commit = remote.merge(&request.head, &request.target).unwrap_or_else(|| request.head.clone());
        request.state = PrState::Merged;
        request.merge_commit = Some(commit.clone());
        ForgeFact::Merged(commit)
    }

    fn poll(&mut self, ask: &Ask, now: Timestamp) -> ForgeFact {
        let Some(request) = self.request(ask.number) else {
            return failed(ask.call, ForgeErrorClass::Permanent, "404");
        };
        let mut snapshot = request.snapshot(now);
        let etag = format!("{snapshot:?}");
        let is_known = ask.etag.as_ref() == Some(&etag);
        snapshot.etag = Some(etag);
        ForgeFact::Polled { number: ask.number, asked_at: ask.asked_at, snapshot: (!is_known).then_some(snapshot) }
    }

    fn request(&mut self, number: u64) -> Option<&mut Request> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.requests.get_mut(place)
    }

    /// What goes wrong with a call before the forge does anything.
    fn error(&mut self, faults: &Faults, chance: &mut Chance, now: Timestamp) -> Option<ForgeError> {
        let error = |class, message: &str, retry_at| Some(ForgeError { class, message: message.to_owned(), retry_at });
        if self.is_locked {
            return error(ForgeErrorClass::Permanent, "401: bad credentials", None);
        }
        let is_down = self.down_until.is_some_and(|until| until > now);
        if !is_down && !chance.happens(faults.chance(Fault::Forge, 0.08)) {
            return None;
        }
        match chance.between(0, 5) {
            0 | 1 if !is_down => error(ForgeErrorClass::BadShape, "the answer is no JSON", None),
            2 => error(ForgeErrorClass::Transient, "429: too many requests", Some(now + chance.span(1_000, 600_000))),
            _ => error(ForgeErrorClass::Transient, "502: bad gateway", None),
        }
    }
}

impl Request {
    /// A forge looks at every new commit anew; whoever asked for it may be content.
    fn has_new_head(&mut self, remote: &Remote, faults: &Faults, chance: &mut Chance, now: Timestamp) {
        let is_red = !remote.is_green(&self.head) || chance.happens(faults.chance(Fault::Checks, 0.25));
        let checks = match chance.between(0, 5) {
            0 => Checks::None,
            _ if is_red && faults.strength(Fault::Checks) > 0.0 => Checks::Red,
            _ => Checks::Green,
        };
        self.checks = (checks, now + chance.span(1_000, 400_000));
        self.known_at = now + chance.span(1, 90_000);
        if !chance.happens(faults.chance(Fault::Reviewers, 0.2)) {
            self.changes_requested = false;
            self.threads = 0;
        }
    }

    fn shown_checks(&self, now: Timestamp) -> Checks {
        let (checks, at) = self.checks;
        if checks != Checks::None && now < at { Checks::Pending } else { checks }
    }

    fn snapshot(&self, now: Timestamp) -> Snapshot {
        let mergeable = match (&self.conflicts_with, now < self.known_at) {
            (_, true) => Mergeable::Unknown,
            (Some(_), false) => Mergeable::Conflict,
            (None, false) => Mergeable::Clean,
        };
        let remark = |n: u32| Finding {
            file: Some("src/lib.rs".to_owned()),
            line: Some(n),
            severity: "must".to_owned(),
            message: format!("Remark {n}."),
        };
        let feedback = if self.threads > 0 { vec![remark(self.remarks)] } else { Vec::new() };
        Snapshot {
            state: self.state,
            head: self.head.clone(),
            merge_commit: self.merge_commit.clone(),
            mergeable,
            checks: self.shown_checks(now),
            changes_requested: self.changes_requested,
            threads: self.threads,
            awaiting_approval: self.needs_approval,
            feedback,
            etag: None,
        }
    }
}

fn failed(call: ForgeCall, class: ForgeErrorClass, message: &str) -> ForgeFact {
    ForgeFact::Failed(call, ForgeError { class, message: message.to_owned(), retry_at: None })
}

/// What a caller believes that hears nothing.
pub(crate) fn silence(ask: &Ask) -> ForgeFact {
    failed(ask.call, ForgeErrorClass::Transient, "the connection was reset")
}

impl World {
    /// An effect that is for the forge, worded from the rows as they are now.
    pub(crate) fn forge_is_asked(&mut self, rig: RigNo, life: Life, effect: &Effect) {
        let Some(state) = self.rigs[rig].rows() else { return };
        let (review_id, call) = match effect {
            Effect::OpenPr(id) => (*id, ForgeCall::Open),
            Effect::PollPr(id) => (*id, ForgeCall::Poll),
            Effect::MergePr(id) => (*id, ForgeCall::Merge),
            Effect::PostReview { review_id, round } => (*review_id, ForgeCall::Post(*round)),
            _ => return,
        };
        let Some(review) = state.reviews.get(&review_id) else { return };
        if call == ForgeCall::Merge && review.state != ReviewState::Merging {
            return;
        }
        let watch = state.watches.get(&review_id);
        let ask = Ask {
            review_id,
            call,
            branch: review.branch.clone(),
            target: review.target.clone(),
            number: watch.map_or(0, |watch| watch.number),
            etag: watch.and_then(|watch| watch.etag.clone()),
            head: review.head_commit.clone(),
            asked_at: self.now,
        };
        self.call(Happening::ForgeHears { rig, life, ask });
    }

    /// A call reaches the forge.
    pub(crate) fn forge_hears(&mut self, rig: RigNo, life: Life, ask: Ask) {
        let now = self.now;
        let Self { forges, remotes, faults, forge_chance: chance, .. } = self;
        let (forge, remote) = (&mut forges[rig], &mut remotes[rig]);
        forge.refresh(remote, faults, chance, now);
        let mut fact = match forge.error(faults, chance, now) {
            Some(error) => ForgeFact::Failed(ask.call, error),
            None => match ask.call {
                ForgeCall::Open => forge.open(&ask, remote, faults, chance, now),
                ForgeCall::Poll => forge.poll(&ask, now),
                ForgeCall::Merge => forge.merge(&ask, remote, faults, chance, now),
                ForgeCall::Post(round) => {
                    forge.posted.insert((ask.review_id, round));
                    ForgeFact::Posted(round)
                }
            },
        };
        if let ForgeFact::Opened(pr) = &mut fact {
            pr.repo = rig.to_string();
            pr.url = address(rig, pr.number);
        }
        self.note(|| format!("the forge of rig {rig} about {}: {:?}: {fact:?}", ask.review_id, ask.call));
        self.call(Happening::ForgeAnswers { rig, life, ask, fact });
    }

    /// An answer of the forge, or its absence.
    pub(crate) fn forge_answers(&mut self, rig: RigNo, life: Life, ask: &Ask, fact: ForgeFact) {
        if self.rigs[rig].life != life {
            return;
        }
        let is_bad = match &fact {
            ForgeFact::Polled { snapshot: Some(snapshot), .. } => is_bad_news(snapshot),
            ForgeFact::MergeRefused(_) => true,
            _ => false,
        };
        let is_failed = matches!(fact, ForgeFact::Failed(..));
        let before = self.failed_beads(rig);
        let receipts = self.rig_observes(rig, vec![Event::ForgeAnswered(ask.review_id, fact)]);
        if is_bad && receipts.contains(&Receipt::Applied) {
            self.bad_news.insert(ask.review_id, self.now);
        }
        if is_failed && self.failed_beads(rig) != before {
            self.violated(format!("7.6: an error of the forge fails work of {}", ask.review_id));
        }
    }

    fn failed_beads(&self, rig: RigNo) -> usize {
        let disk = self.rigs[rig].disk.as_ref();
        disk.map_or(0, |disk| disk.beads.values().filter(|bead| bead.status == BeadStatus::Failed).count())
    }
}

/// Whether a pull request that looks like this must not be merged by itself.
fn is_bad_news(snapshot: &Snapshot) -> bool {
    snapshot.changes_requested
        || snapshot.threads > 0
        || snapshot.awaiting_approval
        || matches!(snapshot.checks, Checks::Red | Checks::Pending)
        || snapshot.mergeable == Mergeable::Conflict
}

fn address(rig: RigNo, number: u64) -> String {
    format!("https://example.com/{rig}/pull/{number}")
}

/// How long a caller waits for an answer that does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
