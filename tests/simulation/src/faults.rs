//! What may go wrong. Every run draws its own mixture: some kinds of faults are absent, some rare, some frequent, so that
//! the seeds together meet combinations that one fixed mixture would never show.

use std::collections::{BTreeMap, BTreeSet};

use gastown_core::text_enum;

use crate::chance::Chance;

text_enum! {
    /// Kinds of faults; each can be switched off by its word.
    pub enum Fault {
        /// A call or its answer never arrives.
        Lost = "lost",
        /// A call arrives twice.
        Doubled = "doubled",
        /// A call or its answer is overtaken by younger ones.
        Late = "late",
        /// A Rig loses its memory and what it was about to do.
        RigCrash = "rig_crash",
        /// So does the Town.
        TownCrash = "town_crash",
        /// So does the keeper of the runtime.
        KeeperCrash = "keeper_crash",
        /// The runtime is killed and comes back as another instance.
        RuntimeCrash = "runtime_crash",
        /// The runtime ends in order, and another instance takes over.
        Drain = "drain",
        /// The runtime runs, but nobody can talk to it.
        Wedge = "wedge",
        /// An agent's process is beyond repair.
        AgentCrash = "agent_crash",
        /// An agent ends, falls idle, or falls silent without a result.
        AgentFails = "agent_fails",
        /// A start is refused for lack of room.
        Capacity = "capacity",
        /// A start fails, or never comes to an end.
        StartFails = "start_fails",
        /// A start fails until a person has mended something.
        NeedsPerson = "needs_person",
        /// A clone takes minutes, or longer than it may.
        SlowClone = "slow_clone",
        /// The refinery asks for changes, rejects, or says nothing.
        Verdict = "verdict",
        /// Gates are red or cannot run.
        Gates = "gates",
        /// A merge meets a conflict, a moving target, a refusal or an error.
        Merge = "merge",
        /// A branch is gone from the remote.
        LostBranch = "lost_branch",
        /// Time leaps ahead.
        ClockJump = "clock_jump",
        /// People change settings.
        Config = "config",
        /// People close, fail, hold, retry and reorder work that is under way.
        Cancel = "cancel",
        /// The forge is down, slow to allow, hard to read, or refuses the credentials.
        Forge = "forge",
        /// The forge refuses to merge.
        ForgeRefuses = "forge_refuses",
        /// Checks of pull requests are red.
        Checks = "checks",
        /// People at the forge ask, push, merge, close, and bring conflicts about.
        Reviewers = "reviewers",
    }
}

/// The mixture of one run.
pub(crate) struct Faults {
    chances: BTreeMap<Fault, f64>,
}

impl Faults {
    /// The mixture of a seed, without the kinds that are switched off.
    pub(crate) fn draw(seed: u64, off: &BTreeSet<Fault>) -> Self {
        let mut chance = Chance::new(seed, 1);
        let mut chances = BTreeMap::new();
        for &fault in Fault::ALL {
            let strength = chance.pick(&[0.0, 0.0, 0.3, 1.0, 1.0, 3.0]).copied().unwrap_or(0.0);
            if !off.contains(&fault) {
                chances.insert(fault, strength);
            }
        }
        Self { chances }
    }

    /// From now on nothing goes wrong.
    pub(crate) fn cease(&mut self) {
        self.chances.clear();
    }

    /// How much of a fault this run has; 1 is usual.
    pub(crate) fn strength(&self, fault: Fault) -> f64 {
        self.chances.get(&fault).copied().unwrap_or(0.0)
    }

    /// How likely a fault is where it usually has this probability.
    pub(crate) fn chance(&self, fault: Fault, usual: f64) -> f64 {
        (self.strength(fault) * usual).min(0.9)
    }

    /// Kinds that this run may meet.
    pub(crate) fn present(&self) -> impl Iterator<Item = Fault> + '_ {
        self.chances.iter().filter(|(_, strength)| **strength > 0.0).map(|(fault, _)| *fault)
    }
}
