//! Everything the rig's rules look at, as one value: the live rows of the object, loaded once per wake-up and kept in
//! step with SQL by every commit. Terminal beads and ended assignments are absent, unless a command names one: then
//! the shell recalls it for that commit ([`State::recall_bead`]) and [`State::forget`] drops it afterwards.

use crate::sorted::{SortedMap, SortedSet};

use super::agent::{Agent, AgentRole};
use super::assignment::Assignment;
use super::bead::{Bead, Edge, Parked};
use super::breaker::Breaker;
use super::mail::Mail;
use super::molecule::MoleculeStep;
use super::nudge::Nudge;
use super::pr::Watch;
use super::review::{GateRun, GateRunResult, Job, Review, Round};
use super::usage::DAYS_KEPT;
use super::wait::Wait;
use crate::config::EffectiveRig;
use crate::id::{AgentId, AssignmentId, BeadId, ConvoyId, InstanceId, JobId, MailId, NudgeId, RigId, RunId, TownId};
use crate::models::{RigModels, TownModels};
use crate::protocol::{Activity, LandingReport, Outbox, RigToTown, Spending, TaskStatus, TownState};
use crate::session::Usage;
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// Life of a rig.
    pub enum RigStatus {
        Active = "active",
        Paused = "paused",
        Deleting = "deleting",
    }
}

/// The rig's own row (domain.md 2.4).
#[derive(Debug, Clone, PartialEq)]
pub struct Rig {
    /// Identity.
    pub rig_id: RigId,
    /// Its town.
    pub town_id: TownId,
    /// Shortest prefix of the id that is unique in the town.
    pub tag: String,
    /// Where the repository lives.
    pub git_url: String,
    /// Its default branch.
    pub default_branch: String,
    /// Branch that work is merged into.
    pub target_branch: String,
    /// Life.
    pub status: RigStatus,
    /// Effective settings; absent until the Town has configured the rig.
    pub settings: Option<Settings>,
    /// The newest version that the Town is known to have; above `settings.version` nothing starts.
    pub wanted_version: u64,
    /// What holds for the whole town.
    pub town: TownState,
    /// The rig's breaker.
    pub breaker: Breaker,
    /// The next assignment's epoch.
    pub next_epoch: u64,
    /// Assignments below it began before the newest drain or change of the runtime.
    pub drain_epoch: u64,
    /// When old rows were last deleted.
    pub pruned_at: Option<Timestamp>,
}

/// Settings under one version.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Version of the town's and the rig's documents together.
    pub version: u64,
    /// Grows with every change of a secret.
    pub secrets_version: u64,
    /// Effective settings.
    pub config: EffectiveRig,
    /// Model settings of the town.
    pub town_models: TownModels,
    /// Model settings of the rig.
    pub rig_models: RigModels,
}

/// All live rows.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The rig.
    pub rig: Rig,
    /// Live beads, and those recalled for this commit.
    pub beads: SortedMap<BeadId, Bead>,
    /// Dependencies of live beads, and those of ended beads on live ones, by (dependent, blocker): an ended bead may be
    /// tried again, and shall then wait for what is so by then.
    pub edges: SortedMap<(BeadId, BeadId), Edge>,
    /// Registered agents.
    pub agents: SortedMap<AgentId, Agent>,
    /// Assignments that have not ended, and those recalled or ended in this commit.
    pub assignments: SortedMap<AssignmentId, Assignment>,
    /// Reviews that have not ended.
    pub reviews: SortedMap<BeadId, Review>,
    /// Rounds of those reviews, oldest first.
    pub rounds: SortedMap<(BeadId, u32), Round>,
    /// Gate runs of those reviews.
    pub gate_runs: SortedMap<RunId, GateRun>,
    /// Pull requests of those reviews.
    pub watches: SortedMap<BeadId, Watch>,
    /// Jobs that have not ended.
    pub jobs: SortedMap<JobId, Job>,
    /// Mail that waits for its receiver.
    pub mail: SortedMap<MailId, Mail>,
    /// Nudges that may still be shown.
    pub nudges: SortedMap<NudgeId, Nudge>,
    /// Steps of live molecules, by their place.
    pub steps: SortedMap<(BeadId, u32), MoleculeStep>,
    /// What was spent: on the newest days, and by convoys with live beads.
    pub spending: Spending,
    /// Messages to the Town.
    pub outbox: Outbox<RigToTown>,
    /// Newest number applied from the Town.
    pub town_applied: u64,
    /// Why each live bead is not moving; made anew by every plan, in memory only.
    pub waits: SortedMap<BeadId, Wait>,
    /// What the Town was last told is live; in memory only, so that a restart tells it again.
    pub reported: Option<Activity>,
    /// What the Town was last told was spent; in memory only.
    pub reported_spending: Spending,
    /// What the Town was last told of each live task; in memory only.
    pub told_tasks: SortedMap<BeadId, TaskStatus>,
    /// What the Town was last told of each live landing; in memory only.
    pub told_landings: SortedMap<BeadId, LandingReport>,
}

impl State {
    /// A rig without work.
    pub fn new(rig: Rig) -> Self {
        Self {
            rig,
            beads: SortedMap::new(),
            edges: SortedMap::new(),
            agents: SortedMap::new(),
            assignments: SortedMap::new(),
            reviews: SortedMap::new(),
            rounds: SortedMap::new(),
            gate_runs: SortedMap::new(),
            watches: SortedMap::new(),
            jobs: SortedMap::new(),
            mail: SortedMap::new(),
            nudges: SortedMap::new(),
            steps: SortedMap::new(),
            spending: Spending::default(),
            outbox: Outbox::new(Vec::new(), 1),
            town_applied: 0,
            waits: SortedMap::new(),
            reported: None,
            reported_spending: Spending::default(),
            told_tasks: SortedMap::new(),
            told_landings: SortedMap::new(),
        }
    }

    /// The bead, if it is live.
    pub fn live_bead(&self, bead_id: BeadId) -> Option<&Bead> {
        self.beads.get(&bead_id).filter(|bead| bead.is_live())
    }

    /// Why a bead waits for a person: a parked root parks its whole family (domain.md 3.4).
    pub fn parked<'a>(&'a self, bead: &'a Bead) -> Option<&'a Parked> {
        let root = || self.beads.get(&bead.root_id).and_then(|root| root.parked.as_ref());
        bead.parked.as_ref().or_else(root)
    }

    /// Whether this bead, or the root that it serves, waits for a person; a bead that is not live is left alone as well.
    pub fn is_parked(&self, bead_id: BeadId) -> bool {
        self.live_bead(bead_id).is_none_or(|bead| self.parked(bead).is_some())
    }

    /// Assignments that have not ended.
    pub fn live_assignments(&self) -> impl Iterator<Item = &Assignment> {
        self.assignments.values().filter(|assignment| assignment.is_live())
    }

    /// The live assignment of a bead; there is at most one (domain.md 12, 1).
    pub fn assignment_of_bead(&self, bead_id: BeadId) -> Option<&Assignment> {
        self.live_assignments().find(|assignment| assignment.bead_id == bead_id)
    }

    /// The live assignment of an agent; there is at most one.
    pub fn assignment_of_agent(&self, agent_id: AgentId) -> Option<&Assignment> {
        self.live_assignments().find(|assignment| assignment.agent_id == agent_id)
    }

    /// Live assignments of polecats: what the cap counts.
    pub fn polecats_at_work(&self) -> usize {
        self.live_assignments().filter(|assignment| assignment.kind.role() != crate::session::Role::Refinery).count()
    }

    /// The rig's refinery, once registered.
    pub fn refinery(&self) -> Option<&Agent> {
        self.agents.values().find(|agent| agent.role == AgentRole::Refinery)
    }

    /// The live review of this work.
    pub fn review_of_source(&self, source_id: BeadId) -> Option<&Review> {
        self.reviews.values().find(|review| review.source_id == Some(source_id) && review.is_live())
    }

    /// Live beads made for this one.
    pub fn live_children(&self, parent_id: BeadId) -> Vec<BeadId> {
        self.beads
            .values()
            .filter(|bead| bead.parent_id == Some(parent_id) && bead.is_live())
            .map(|bead| bead.bead_id)
            .collect()
    }

    /// Reviews of one lane: same rig, same target branch.
    pub fn lane<'a>(&'a self, target: &'a str) -> impl Iterator<Item = &'a Review> {
        self.reviews.values().filter(move |review| review.target == target && review.is_live())
    }

    /// Jobs of one review that have not ended.
    pub fn live_jobs(&self, review_id: BeadId) -> impl Iterator<Item = &Job> {
        self.jobs.values().filter(move |job| job.review_id == Some(review_id) && job.ended_at.is_none())
    }

    /// The newest gate run for a commit, trial merges excluded.
    pub fn gate_run(&self, review_id: BeadId, commit: &str) -> Option<&GateRun> {
        self.gate_runs
            .values()
            .filter(|run| run.review_id == review_id && run.commit_id.as_deref() == Some(commit) && run.onto.is_none())
            // Of two runs of one instant, the one that says something.
            .max_by_key(|run| (run.created_at, run.result != GateRunResult::Error))
    }

    /// The runtime's present life, as the Town last said.
    pub fn instance(&self) -> Option<InstanceId> {
        self.rig.town.instance_id
    }

    /// Brings a terminal bead back into view for one commit.
    pub fn recall_bead(&mut self, bead: Bead) {
        self.beads.get_or_insert_with(bead.bead_id, || bead);
    }

    /// Brings an ended assignment back into view for one commit.
    pub fn recall_assignment(&mut self, assignment: Assignment) {
        self.assignments.get_or_insert_with(assignment.assignment_id, || assignment);
    }

    /// Brings back what a convoy without live beads has spent, for one commit.
    pub fn recall_spending(&mut self, convoy_id: ConvoyId, spent: Usage) {
        self.spending.convoys.get_or_insert_with(convoy_id, || spent);
    }

    /// Drops what the next plan does not look at: terminal beads with the edges among them, ended assignments, reviews and jobs,
    /// mail and nudges that are shown or expired. They stay in SQL.
    pub fn forget(&mut self) {
        self.beads.retain(|_, bead| bead.is_live());
        self.edges
            .retain(|(bead_id, blocker_id), _| self.beads.contains_key(bead_id) || self.beads.contains_key(blocker_id));
        self.assignments.retain(|_, assignment| assignment.is_live());
        self.reviews.retain(|_, review| review.is_live());
        self.rounds.retain(|(review_id, _), _| self.reviews.contains_key(review_id));
        self.gate_runs.retain(|_, run| self.reviews.contains_key(&run.review_id));
        self.watches.retain(|review_id, _| self.reviews.contains_key(review_id));
        self.jobs.retain(|_, job| job.ended_at.is_none());
        self.mail.retain(|_, mail| mail.is_live());
        self.steps.retain(|(molecule_id, _), _| self.beads.contains_key(molecule_id));
        self.nudges.retain(|_, nudge| nudge.is_live());
        self.waits.retain(|bead_id, _| self.beads.contains_key(bead_id));
        while self.spending.days.len() > DAYS_KEPT {
            self.spending.days.pop_first();
        }
        let live: SortedSet<ConvoyId> = self.beads.values().filter_map(|bead| bead.convoy_id).collect();
        self.spending.convoys.retain(|convoy_id, _| live.contains(convoy_id));
        self.reported_spending.convoys.retain(|convoy_id, _| live.contains(convoy_id));
        self.told_tasks.retain(|bead_id, _| self.beads.contains_key(bead_id));
        self.told_landings.retain(|bead_id, _| self.reviews.contains_key(bead_id));
    }
}
