//! A plan: the rig's working copy, what shall be written, what shall be done, and when to look again.
//!
//! A write changes the working copy at once, so that a rule sees what the rules above it did. Effects are not stored:
//! each rule that orders one also writes the mark that it looks at, so that a second plan without news is empty.

use crate::sorted::SortedSet;

use serde_json::{Value, json};

use super::agent::Agent;
use super::assignment::Assignment;
use super::bead::{Bead, BeadStatus, Edge};
use super::lesson::Lesson;
use super::mail::Mail;
use super::molecule::MoleculeStep;
use super::nudge::Nudge;
use super::pr::Watch;
use super::review::{GateRun, Job, Review, Round};
use super::state::{Rig, State};
use super::usage::Scope;
use super::wait::Wait;
use crate::id::{AgentId, AssignmentId, BeadId, IdSeed, JobId, MadeFrom, MailId, NudgeId};
use crate::models::Catalogue;
use crate::protocol::{LandingReport, OutboxRow, RigToTown, TaskStatus};
use crate::session::Usage;
use crate::time::Timestamp;

/// What a plan is made with besides the state.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// The present.
    pub now: Timestamp,
    /// Where new ids come from.
    pub seed: IdSeed,
    /// The deployment's model catalogue.
    pub catalogue: &'a Catalogue,
}

/// One row as it shall be.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// The rig's own row.
    Rig(Box<Rig>),
    /// Insert or replace.
    Bead(Box<Bead>),
    /// Insert or replace.
    Edge(Edge),
    /// The dependent waits for this blocker no more: (dependent, blocker).
    RemoveEdge(BeadId, BeadId),
    /// The bead is gone, with its edges, review, jobs, mail and events; its ended assignments stay as history.
    RemoveBead(BeadId),
    /// Insert or replace.
    Agent(Agent),
    /// The name is free again.
    RemoveAgent(AgentId),
    /// Insert or replace.
    Assignment(Box<Assignment>),
    /// Insert or replace.
    Review(Box<Review>),
    /// Insert.
    Round(Round),
    /// Insert or replace.
    GateRun(GateRun),
    /// Insert or replace.
    Watch(Box<Watch>),
    /// Insert or replace.
    Job(Box<Job>),
    /// Insert or replace.
    Mail(Mail),
    /// Insert or replace.
    Nudge(Nudge),
    /// Insert or replace.
    Step(MoleculeStep),
    /// Insert or replace; not part of the state.
    Lesson(Box<Lesson>),
    /// Insert or replace a total of spend.
    Usage(Scope, Usage),
    /// Insert or replace a message to the Town.
    Outbox(OutboxRow<RigToTown>),
    /// The Town has applied everything up to this number.
    Acknowledged(u64),
    /// The newest number applied from the Town.
    Applied(u64),
    /// One row of the audit log.
    Event(EventRow),
    /// Rows that are too old to keep are deleted (R32), seen from this instant; nothing that a rule looks at.
    Prune(Timestamp),
}

/// A row of the audit log (domain.md 2.4, `events`); the store numbers it.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// When.
    pub at: Timestamp,
    /// `created`, `status_changed`, `dispatched`, … (api.md 4, Event).
    pub kind: &'static str,
    /// About this bead.
    pub bead_id: Option<BeadId>,
    /// About this agent.
    pub agent_id: Option<AgentId>,
    /// About this assignment.
    pub assignment_id: Option<AssignmentId>,
    /// Who: a user or agent id, `mayor`, `runtime`, or the rule's name.
    pub actor: String,
    /// Value before.
    pub old: Option<String>,
    /// Value after.
    pub new: Option<String>,
    /// More.
    pub data: Value,
}

/// One thing to do outside, ordered by a rule and performed after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Order the runtime to start this assignment's session.
    StartSession(AssignmentId),
    /// Order the runtime to end this session.
    StopSession {
        /// Which.
        assignment_id: AssignmentId,
        /// Only that one.
        epoch: u64,
        /// Why, as a machine word.
        code: String,
        /// Why, for people.
        message: String,
    },
    /// Tell this session to commit, push and report, because a budget is used up.
    WrapUp {
        /// Which.
        assignment_id: AssignmentId,
        /// Only that one.
        epoch: u64,
        /// Why, for people.
        message: String,
    },
    /// Ask the runtime whether this session lives.
    QuerySession(AssignmentId),
    /// Hand mail to a running session.
    PushMail {
        /// Which session.
        assignment_id: AssignmentId,
        /// Oldest first.
        mail_ids: Vec<MailId>,
    },
    /// Hand nudges to a running session.
    PushNudge {
        /// Which session.
        assignment_id: AssignmentId,
        /// Urgent first, then oldest.
        nudge_ids: Vec<NudgeId>,
    },
    /// Order the runtime to run this job.
    RunJob(JobId),
    /// Tell the runtime that nobody wants this job any more.
    CancelJob(JobId),
    /// Open this review's pull request at the forge, or adopt an open one of the same head and target.
    OpenPr(BeadId),
    /// Ask the forge about this review's pull request, with its etag.
    PollPr(BeadId),
    /// Ask the forge to merge this review's pull request at exactly its head.
    MergePr(BeadId),
    /// Post the findings of this round as one review of the pull request.
    PostReview {
        /// The review.
        review_id: BeadId,
        /// Its round.
        round: u32,
    },
    /// Send everything unacknowledged to the Town.
    SendToTown,
}

/// A plan in the making.
pub struct Plan<'a> {
    state: State,
    context: Context<'a>,
    rule: &'static str,
    writes: Vec<(&'static str, Write)>,
    effects: Vec<Effect>,
    waits: Vec<Wait>,
    wake_at: Option<Timestamp>,
}

/// A finished plan: the state as it shall be, and how to get there.
#[must_use]
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The state after the commit, with what it will forget still in view.
    pub state: State,
    /// Rows to write, in order, each with the rule that wants it.
    pub writes: Vec<(&'static str, Write)>,
    /// What to do after the commit.
    pub effects: Vec<Effect>,
    /// When to plan again at the latest; none: only when something happens.
    pub wake_at: Option<Timestamp>,
    /// Beads whose row or wait is not as it was: what the live stream shall show.
    pub changed_beads: SortedSet<BeadId>,
    /// Agents whose row or assignment is not as it was.
    pub changed_agents: SortedSet<AgentId>,
}

impl<'a> Plan<'a> {
    /// Begins with the state as it is.
    pub fn new(state: State, context: Context<'a>) -> Self {
        Self {
            state,
            context,
            rule: "command",
            writes: Vec::new(),
            effects: Vec::new(),
            waits: Vec::new(),
            wake_at: None,
        }
    }

    /// The working copy.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.context.now
    }

    /// The deployment's model catalogue.
    pub fn catalogue(&self) -> &'a Catalogue {
        self.context.catalogue
    }

    /// A new id.
    pub fn mint<T: MadeFrom>(&mut self) -> T {
        self.context.seed.mint()
    }

    /// From here on writes and waits carry this rule's name.
    pub fn enter(&mut self, rule: &'static str) {
        self.rule = rule;
    }

    /// The name of the rule that runs.
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// Whether something was written or ordered.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.effects.is_empty()
    }

    /// Writes a row: into the working copy at once, into SQL at the commit.
    pub fn write(&mut self, write: Write) {
        apply(&mut self.state, &write);
        self.writes.push((self.rule, write));
    }

    /// Changes a bead that is in view; its version and `updated_at` follow.
    pub fn update_bead(&mut self, bead_id: BeadId, change: impl FnOnce(&mut Bead)) {
        if let Some(mut bead) = self.state.beads.get(&bead_id).cloned() {
            change(&mut bead);
            bead.version += 1;
            bead.updated_at = self.context.now;
            self.write(Write::Bead(Box::new(bead)));
        }
    }

    /// Changes an agent; its version follows.
    pub fn update_agent(&mut self, agent_id: AgentId, change: impl FnOnce(&mut Agent)) {
        if let Some(mut agent) = self.state.agents.get(&agent_id).cloned() {
            change(&mut agent);
            agent.version += 1;
            self.write(Write::Agent(agent));
        }
    }

    /// Changes an assignment.
    pub fn update_assignment(&mut self, assignment_id: AssignmentId, change: impl FnOnce(&mut Assignment)) {
        if let Some(mut assignment) = self.state.assignments.get(&assignment_id).cloned() {
            change(&mut assignment);
            self.write(Write::Assignment(Box::new(assignment)));
        }
    }

    /// Changes a review.
    pub fn update_review(&mut self, review_id: BeadId, change: impl FnOnce(&mut Review)) {
        if let Some(mut review) = self.state.reviews.get(&review_id).cloned() {
            change(&mut review);
            self.write(Write::Review(Box::new(review)));
        }
    }

    /// Changes the watch of a pull request.
    pub fn update_watch(&mut self, review_id: BeadId, change: impl FnOnce(&mut Watch)) {
        if let Some(mut watch) = self.state.watches.get(&review_id).cloned() {
            change(&mut watch);
            self.write(Write::Watch(Box::new(watch)));
        }
    }

    /// Changes a job.
    pub fn update_job(&mut self, job_id: JobId, change: impl FnOnce(&mut Job)) {
        if let Some(mut job) = self.state.jobs.get(&job_id).cloned() {
            change(&mut job);
            self.write(Write::Job(Box::new(job)));
        }
    }

    /// Changes the rig's own row.
    pub fn update_rig(&mut self, change: impl FnOnce(&mut Rig)) {
        let mut rig = self.state.rig.clone();
        change(&mut rig);
        self.write(Write::Rig(Box::new(rig)));
    }

    /// Posts a message to the Town.
    pub fn post(&mut self, message: RigToTown) {
        let row = self.state.outbox.post(message, self.context.now);
        self.writes.push((self.rule, Write::Outbox(row)));
    }

    /// Marks all messages to the Town as sent and orders the sending.
    pub fn send_to_town(&mut self) {
        for row in self.state.outbox.mark_sent(self.context.now) {
            self.writes.push((self.rule, Write::Outbox(row)));
        }
        self.effects.push(Effect::SendToTown);
    }

    /// Remembers what the Town was told is live.
    pub fn set_reported(&mut self, activity: crate::protocol::Activity) {
        self.state.reported = Some(activity);
    }

    /// Remembers what the Town was told was spent.
    pub fn set_reported_spending(&mut self) {
        self.state.reported_spending = self.state.spending.clone();
    }

    /// Remembers what the Town was told of a task.
    pub fn set_told_task(&mut self, told: TaskStatus) {
        self.state.told_tasks.insert(told.bead_id, told);
    }

    /// Remembers what the Town was told of a landing.
    pub fn set_told_landing(&mut self, told: LandingReport) {
        self.state.told_landings.insert(told.bead_id, told);
    }

    /// Has the Town told again how a task is.
    pub fn forget_told(&mut self, bead_id: BeadId) {
        self.state.told_tasks.remove(&bead_id);
    }

    /// Orders an effect.
    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Says why a bead is not moving; the first reason in rule order stands.
    pub fn wait(&mut self, mut wait: Wait) {
        if self.waits.iter().any(|known| known.bead_id == wait.bead_id) {
            return;
        }
        wait.rule = self.rule;
        if let Some(known) = self.state.waits.get(&wait.bead_id).filter(|known| known.code == wait.code) {
            wait.since = known.since;
        }
        self.waits.push(wait);
    }

    /// Whether a rule has said why this bead is not moving.
    pub fn is_waiting(&self, bead_id: BeadId) -> bool {
        self.waits.iter().any(|wait| wait.bead_id == bead_id)
    }

    /// The reasons so far.
    pub fn waits(&self) -> &[Wait] {
        &self.waits
    }

    /// Sets when to look again.
    pub fn wake_at(&mut self, at: Option<Timestamp>) {
        self.wake_at = at;
    }

    /// Adds a row to the audit log.
    pub fn record(&mut self, event: EventRow) {
        self.writes.push((self.rule, Write::Event(event)));
    }

    /// Adds the row of a changed status.
    pub fn status_changed(&mut self, bead_id: BeadId, old: BeadStatus, new: BeadStatus, actor: &str) {
        let event = EventRow { old: Some(old.to_string()), new: Some(new.to_string()), ..self.event("status_changed") };
        self.record(EventRow { bead_id: Some(bead_id), actor: actor.to_owned(), ..event });
    }

    /// An audit row of this moment, by the rule that runs, about nothing yet.
    pub fn event(&self, kind: &'static str) -> EventRow {
        EventRow {
            at: self.context.now,
            kind,
            bead_id: None,
            agent_id: None,
            assignment_id: None,
            actor: self.rule.to_owned(),
            old: None,
            new: None,
            data: json!({}),
        }
    }

    /// Ends the planning of a refused command: the state as it was, because commands check before they write.
    pub fn refused(self) -> State {
        debug_assert!(self.writes.is_empty(), "a refused command wrote {:?}", self.writes);
        self.state
    }

    /// Ends the planning.
    pub fn finish(self) -> Planned {
        let Self { mut state, writes, effects, waits, wake_at, .. } = self;
        let (mut changed_beads, mut changed_agents) = (SortedSet::new(), SortedSet::new());
        for (_, write) in &writes {
            touched(write, &mut changed_beads, &mut changed_agents);
        }
        let waits: crate::sorted::SortedMap<BeadId, Wait> =
            waits.into_iter().map(|wait| (wait.bead_id, wait)).collect();
        for (bead_id, wait) in &waits {
            if state.waits.get(bead_id).is_none_or(|known| !known.says_the_same(wait)) {
                changed_beads.insert(*bead_id);
            }
        }
        state.waits = waits;
        Planned { state, writes, effects, wake_at, changed_beads, changed_agents }
    }
}

impl Planned {
    /// Adds a message to the Town that only the shell can word, because it shows rows in their wire shape.
    pub fn publish(&mut self, message: RigToTown, now: Timestamp) {
        let row = self.state.outbox.post(message, now);
        self.writes.push(("feed", Write::Outbox(row)));
        for row in self.state.outbox.mark_sent(now) {
            self.writes.push(("feed", Write::Outbox(row)));
        }
        if !self.effects.contains(&Effect::SendToTown) {
            self.effects.push(Effect::SendToTown);
        }
    }
}

/// Puts one write into a state: the same step in memory that the store takes in SQL.
pub fn apply(state: &mut State, write: &Write) {
    match write.clone() {
        Write::Rig(rig) => state.rig = *rig,
        Write::Bead(bead) => drop(state.beads.insert(bead.bead_id, *bead)),
        Write::Edge(edge) => drop(state.edges.insert((edge.bead_id, edge.blocker_id), edge)),
        Write::RemoveEdge(bead_id, blocker_id) => drop(state.edges.remove(&(bead_id, blocker_id))),
        Write::RemoveBead(bead_id) => remove_bead(state, bead_id),
        Write::Agent(agent) => drop(state.agents.insert(agent.agent_id, agent)),
        Write::RemoveAgent(agent_id) => drop(state.agents.remove(&agent_id)),
        Write::Assignment(assignment) => drop(state.assignments.insert(assignment.assignment_id, *assignment)),
        Write::Review(review) => drop(state.reviews.insert(review.bead_id, *review)),
        Write::Round(round) => drop(state.rounds.insert((round.review_id, round.n), round)),
        Write::GateRun(run) => drop(state.gate_runs.insert(run.run_id, run)),
        Write::Watch(watch) => drop(state.watches.insert(watch.review_id, *watch)),
        Write::Job(job) => drop(state.jobs.insert(job.job_id, *job)),
        Write::Mail(mail) => drop(state.mail.insert(mail.mail_id, mail)),
        Write::Nudge(nudge) => drop(state.nudges.insert(nudge.nudge_id, nudge)),
        Write::Step(step) => drop(state.steps.insert((step.molecule_id, step.idx), step)),
        Write::Usage(Scope::Day(day), spent) => drop(state.spending.days.insert(day, spent)),
        Write::Usage(Scope::Convoy(convoy_id), spent) => drop(state.spending.convoys.insert(convoy_id, spent)),
        Write::Acknowledged(seq) => drop(state.outbox.acknowledge(seq)),
        Write::Applied(seq) => state.town_applied = seq,
        // The outbox is changed where the row is made; the audit log and lessons are not part of the state.
        Write::Outbox(_) | Write::Event(_) | Write::Prune(_) | Write::Lesson(_) => (),
    }
}

/// Everything that hangs on a bead goes with it; what is made for it later has a bead again.
fn remove_bead(state: &mut State, bead_id: BeadId) {
    state.beads.remove(&bead_id);
    state.waits.remove(&bead_id);
    state.edges.retain(|(dependent, blocker), _| *dependent != bead_id && *blocker != bead_id);
    state.reviews.remove(&bead_id);
    state.rounds.retain(|(review_id, _), _| *review_id != bead_id);
    state.gate_runs.retain(|_, run| run.review_id != bead_id);
    state.watches.remove(&bead_id);
    state.jobs.retain(|_, job| job.review_id != Some(bead_id));
    state.mail.retain(|_, mail| mail.bead_id != Some(bead_id));
    state.steps.retain(|(molecule_id, _), _| *molecule_id != bead_id);
}

fn touched(write: &Write, beads: &mut SortedSet<BeadId>, agents: &mut SortedSet<AgentId>) {
    match write {
        Write::Bead(bead) => drop(beads.insert(bead.bead_id)),
        Write::Edge(Edge { bead_id, .. }) | Write::RemoveEdge(bead_id, _) | Write::RemoveBead(bead_id) => {
            beads.insert(*bead_id);
        }
        Write::Agent(agent) => drop(agents.insert(agent.agent_id)),
        Write::RemoveAgent(agent_id) => drop(agents.insert(*agent_id)),
        Write::Assignment(assignment) => {
            beads.insert(assignment.bead_id);
            agents.insert(assignment.agent_id);
        }
        Write::Review(review) => {
            beads.insert(review.bead_id);
            beads.extend(review.source_id);
        }
        Write::Mail(mail) => agents.extend(mail.to_agent),
        Write::Nudge(nudge) => drop(agents.insert(nudge.agent_id)),
        Write::Step(step) => drop(beads.insert(step.molecule_id)),
        Write::Watch(watch) => drop(beads.insert(watch.review_id)),
        Write::GateRun(run) => drop(beads.insert(run.review_id)),
        Write::Rig(_)
        | Write::Lesson(_)
        | Write::Round(_)
        | Write::Job(_)
        | Write::Usage(..)
        | Write::Outbox(_)
        | Write::Acknowledged(_)
        | Write::Applied(_)
        | Write::Event(_)
        | Write::Prune(_) => (),
    }
}
