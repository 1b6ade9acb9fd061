//! Whole towns in virtual time. One seed is one run: the Town and its Rigs decide exactly as their objects do, over a
//! model of their disks; around them a network that loses, doubles and delays, a runtime with sessions, jobs and a git
//! remote, and people. After every commit the sentences of domain.md 12 hold; when the faults have ceased, everything
//! comes to an end or waits for a person. Nothing here reads a clock or draws from anything but the seed.
//!
//! Reading order: `happening` (what can happen), `world` (the loop), `faults` (what goes wrong), `rig` and `town` (the
//! objects), `keeper` and `runtime`, `git`, `forge`, `people`, `messages`, `molecules`, `check` (what must hold), `timeline` and `shrink` (how a failure
//! is told).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "which rows there are is core's business; a few of them matter here"
)]

mod budgets;
mod chance;
mod check;
mod convoys;
mod faults;
mod forge;
mod git;
mod happening;
mod keeper;
mod messages;
mod molecules;
mod people;
mod queue;
mod rig;
mod runtime;
mod shrink;
mod timeline;
mod town;
mod world;

use std::collections::BTreeSet;

pub use faults::Fault;
pub use shrink::shrink;
use world::World;

/// How a seed is played.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Tasks that people sling.
    pub beads: u32,
    /// Kinds of faults that do not happen.
    pub off: BTreeSet<Fault>,
    /// Whether the timeline is kept.
    pub is_told: bool,
}

/// Tasks per town, unless said otherwise.
pub const BEADS: u32 = 10;

/// What came of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commits of all objects.
    pub commits: u64,
    /// Assignments that ended.
    pub sessions: u64,
    /// Beads that closed, reviews and children included.
    pub closed: u64,
    /// Beads that failed.
    pub failed: u64,
    /// Beads that wait for a person.
    pub waiting: u64,
    /// Reviews that were merged.
    pub merged: u64,
    /// Convoys that landed.
    pub landed: u64,
    /// Landings that were opened.
    pub landings: u64,
    /// Matters that triage decided.
    pub triaged: u64,
    /// Sessions that were told to finish because a budget was used up.
    pub wrapped_up: u64,
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.commits += other.commits;
        self.sessions += other.sessions;
        self.closed += other.closed;
        self.failed += other.failed;
        self.waiting += other.waiting;
        self.merged += other.merged;
        self.landed += other.landed;
        self.landings += other.landings;
        self.triaged += other.triaged;
        self.wrapped_up += other.wrapped_up;
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The sentence that does not hold, in ids and in names.
    pub violation: Option<String>,
    /// The lines of the run: all of them, or those about the violation.
    pub timeline: String,
    /// Kinds of faults that the run could meet.
    pub faults: Vec<Fault>,
    /// What came of it.
    pub stats: Stats,
}

/// Plays one seed.
pub fn run(seed: u64, options: &Options) -> Outcome {
    let mut world = World::new(seed, options);
    let faults = world.faults.present().collect();
    world.run();
    let (names, related) = world.names();
    let about = world.violation.as_deref();
    Outcome {
        violation: about.map(|sentence| timeline::named(sentence, &names)),
        timeline: world.timeline.print(about, &names, &related),
        faults,
        stats: world.stats,
    }
}
