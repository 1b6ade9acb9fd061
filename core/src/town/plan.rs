//! A plan of the town: working copy, writes, effects, next wake-up. The same shape as the rig's (`rig/plan.rs`), over
//! the town's rows; beads wait in their rigs, so there are no waits here.

use crate::sorted::SortedSet;

use serde_json::Value;

use super::convoy::{Convoy, ConvoyRig, Task, TaskEdge};
use super::mail::TownMail;
use super::state::{DayBudget, Drain, Escalation, Mayor, MayorMessage, RigEntry, Runtime, Slot, Spender, State, Town};
use super::triage::TriageRequest;
use crate::breaker::Breaker;
use crate::id::{AgentId, AssignmentId, BeadId, ConvoyId, IdSeed, MadeFrom, MailId, MessageId, RigId};
use crate::limits::BREAKER_TOWN_WINDOW;
use crate::models::Catalogue;
use crate::protocol::{Frame, OutboxRow, TownState, TownToRig};
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
    /// The town's own row.
    Town(Box<Town>),
    /// Insert or replace.
    Rig(Box<RigEntry>),
    /// The rig is gone, with its messages.
    RemoveRig(RigId),
    /// Insert or replace.
    Slot(Slot),
    /// The slot is free.
    RemoveSlot(AssignmentId),
    /// Insert or replace.
    Mayor(Box<Mayor>),
    /// Insert or replace.
    Message(MayorMessage),
    /// Insert or replace.
    Escalation(Box<Escalation>),
    /// Insert or replace.
    Triage(Box<TriageRequest>),
    /// Insert.
    Mail(Box<TownMail>),
    /// The mayor has this mail.
    MailRead(MailId, Timestamp),
    /// One row of the town's feed.
    Event(EventRow),
    /// Insert or replace.
    Convoy(Box<Convoy>),
    /// Insert or replace.
    ConvoyRig(ConvoyRig),
    /// Insert or replace.
    Task(Box<Task>),
    /// The bead is no task any more; its edges go with it.
    RemoveTask(BeadId),
    /// Insert or replace.
    TaskEdge(TaskEdge),
    /// This bead waits for that one no more.
    RemoveTaskEdge(BeadId, BeadId),
    /// The runtime's row.
    Drain(Drain),
    /// The breaker; one without failures forgets those that were counted.
    Breaker(Box<Breaker>),
    /// One more start failure inside the breaker's window; a container that could not be started has no rig.
    StartFailure {
        /// Of which rig.
        rig_id: Option<RigId>,
        /// When.
        at: Timestamp,
        /// Why, as a machine word.
        code: String,
    },
    /// What was said about the budget of the day.
    DayBudget(DayBudget),
    /// Insert or replace a total.
    Usage {
        /// In UTC, or [`super::state::ALL_TIME`].
        day: String,
        /// Whose.
        spender: Spender,
        /// How much.
        spent: Usage,
    },
    /// The runtime's sleep.
    Runtime(Runtime),
    /// Drop rows that are older than they are kept.
    Prune(Timestamp),
    /// Insert or replace a message to a rig.
    Outbox(RigId, OutboxRow<TownToRig>),
    /// The rig has applied everything up to this number.
    Acknowledged(RigId, u64),
    /// The newest number applied from the rig.
    Applied(RigId, u64),
    /// One frame of the town channel; the store numbers it.
    Frame(Option<RigId>, Frame),
    /// One row of the audit log.
    Audit {
        /// Who.
        actor: String,
        /// What.
        action: &'static str,
        /// To what.
        target: String,
        /// The keys that changed.
        changes: Vec<String>,
    },
}

/// A row of the feed that the town itself adds (api.md 4, Event); the store numbers it.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// `escalated`, `triage_resolved`, …
    pub kind: &'static str,
    /// About this rig.
    pub rig_id: Option<RigId>,
    /// About this bead.
    pub bead_id: Option<BeadId>,
    /// About this agent.
    pub agent_id: Option<AgentId>,
    /// About this convoy.
    pub convoy_id: Option<ConvoyId>,
    /// Who: a user or agent id, `mayor`, `system`, `rig`.
    pub actor: String,
    /// The actor's name, when it is an agent.
    pub actor_name: Option<String>,
    /// Value before.
    pub old: Option<String>,
    /// Value after.
    pub new: Option<String>,
    /// Title of what it is about.
    pub title: Option<String>,
    /// More.
    pub data: Value,
}

/// One thing to do outside, performed after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Tell the runtime's keeper whether the runtime is needed.
    SetRuntimeNeeded(bool),
    /// Order the runtime to start the mayor's session.
    StartMayor(AssignmentId),
    /// Order the runtime to replace the mayor's live session by this one, with the same conversation.
    SwapMayor(AssignmentId),
    /// Ask the runtime whether the mayor's session lives.
    QueryMayor(AssignmentId),
    /// Order the runtime to end the mayor's session.
    StopMayor {
        /// Which.
        assignment_id: AssignmentId,
        /// Only that one.
        epoch: u64,
    },
    /// Push these messages into the mayor's session, in this order.
    PushToMayor(Vec<MessageId>),
    /// Send everything unacknowledged to this rig.
    SendToRig(RigId),
    /// Order the runtime to save the mayor's conversation and to sleep.
    StopRuntime,
    /// Tell the account whether the town has live work.
    TellAccount(bool),
}

/// A plan in the making.
pub struct Plan<'a> {
    state: State,
    context: Context<'a>,
    rule: &'static str,
    writes: Vec<(&'static str, Write)>,
    effects: Vec<Effect>,
    touched_convoys: SortedSet<ConvoyId>,
    wake_at: Option<Timestamp>,
}

/// A finished plan: the state as it shall be, and how to get there.
#[must_use]
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The state after the commit.
    pub state: State,
    /// Rows to write, in order, each with the rule that wants it.
    pub writes: Vec<(&'static str, Write)>,
    /// What to do after the commit.
    pub effects: Vec<Effect>,
    /// When to plan again at the latest; none: only when something happens.
    pub wake_at: Option<Timestamp>,
    /// What the live stream shall show.
    pub changed: Changed,
}

/// Rows that are not as they were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// The town's row.
    pub town: bool,
    /// The mayor's row.
    pub mayor: bool,
    /// Rigs.
    pub rigs: SortedSet<RigId>,
    /// Messages to the mayor.
    pub messages: SortedSet<MessageId>,
    /// Escalations, by key.
    pub escalations: SortedSet<String>,
    /// Mail that the town keeps from now on.
    pub mail: Vec<TownMail>,
    /// Convoys.
    pub convoys: SortedSet<ConvoyId>,
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
            touched_convoys: SortedSet::new(),
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

    /// Whether nothing was written or ordered so far.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.effects.is_empty()
    }

    /// From here on writes carry this rule's name.
    pub fn enter(&mut self, rule: &'static str) {
        self.rule = rule;
    }

    /// The name of the rule that runs.
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// Writes a row: into the working copy at once, into SQL at the commit.
    pub fn write(&mut self, write: Write) {
        apply(&mut self.state, &write);
        self.writes.push((self.rule, write));
    }

    /// Changes the town's row; its version follows.
    pub fn update_town(&mut self, change: impl FnOnce(&mut Town)) {
        let mut town = self.state.town.clone();
        change(&mut town);
        town.version += 1;
        town.updated_at = self.context.now;
        self.write(Write::Town(Box::new(town)));
    }

    /// Changes a rig's row; its version follows.
    pub fn update_rig(&mut self, rig_id: RigId, change: impl FnOnce(&mut RigEntry)) {
        if let Some(mut rig) = self.state.rigs.get(&rig_id).cloned() {
            change(&mut rig);
            rig.version += 1;
            rig.updated_at = self.context.now;
            self.write(Write::Rig(Box::new(rig)));
        }
    }

    /// Changes the mayor's row.
    pub fn update_mayor(&mut self, change: impl FnOnce(&mut Mayor)) {
        let mut mayor = self.state.mayor.clone();
        change(&mut mayor);
        self.write(Write::Mayor(Box::new(mayor)));
    }

    /// Changes a message to the mayor.
    pub fn update_message(&mut self, message_id: MessageId, change: impl FnOnce(&mut MayorMessage)) {
        if let Some(mut message) = self.state.inbox.get(&message_id).cloned() {
            change(&mut message);
            self.write(Write::Message(message));
        }
    }

    /// Adds a row to the feed.
    pub fn record(&mut self, event: EventRow) {
        self.writes.push((self.rule, Write::Event(event)));
    }

    /// Hands mail to the rule that sends it on.
    pub fn route(&mut self, mail: TownMail) {
        self.state.mail.push(mail);
    }

    /// The mail that waits to be sent on.
    pub fn take_mail(&mut self) -> Vec<TownMail> {
        std::mem::take(&mut self.state.mail)
    }

    /// Changes a convoy's row; its version follows.
    pub fn update_convoy(&mut self, convoy_id: ConvoyId, change: impl FnOnce(&mut Convoy)) {
        if let Some(mut convoy) = self.state.convoys.get(&convoy_id).cloned() {
            change(&mut convoy);
            convoy.version += 1;
            self.write(Write::Convoy(Box::new(convoy)));
        }
    }

    /// Something that belongs to a convoy is not as it was: it is counted again in this commit.
    pub fn touch_convoy(&mut self, convoy_id: ConvoyId) {
        self.touched_convoys.insert(convoy_id);
    }

    /// The convoys to count again.
    pub fn take_touched_convoys(&mut self) -> SortedSet<ConvoyId> {
        std::mem::take(&mut self.touched_convoys)
    }

    /// Changes an open escalation; its version follows.
    pub fn update_escalation(&mut self, dedup_key: &str, change: impl FnOnce(&mut Escalation)) {
        if let Some(mut escalation) = self.state.escalations.get(dedup_key).cloned() {
            change(&mut escalation);
            escalation.version += 1;
            self.write(Write::Escalation(Box::new(escalation)));
        }
    }

    /// Posts a message to a rig.
    pub fn post(&mut self, rig_id: RigId, message: TownToRig) {
        let now = self.context.now;
        let outbox = self.state.outboxes.get_or_insert_with(rig_id, || crate::protocol::Outbox::new(Vec::new(), 1));
        let row = outbox.post(message, now);
        self.writes.push((self.rule, Write::Outbox(rig_id, row)));
    }

    /// Marks all messages to a rig as sent and orders the sending.
    pub fn send_to_rig(&mut self, rig_id: RigId) {
        let Some(outbox) = self.state.outboxes.get_mut(&rig_id) else { return };
        for row in outbox.mark_sent(self.context.now) {
            self.writes.push((self.rule, Write::Outbox(rig_id, row)));
        }
        self.effects.push(Effect::SendToRig(rig_id));
    }

    /// Remembers what a rig was told.
    pub fn set_told(&mut self, rig_id: RigId, told: TownState) {
        self.state.told.insert(rig_id, told);
    }

    /// Remembers which settings a rig was sent.
    pub fn set_configured(&mut self, rig_id: RigId, versions: (u64, u64)) {
        self.state.configured.insert(rig_id, versions);
    }

    /// Changes the breaker.
    pub fn update_breaker<T>(&mut self, change: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breaker = self.state.breaker.clone();
        let result = change(&mut breaker);
        self.write(Write::Breaker(Box::new(breaker)));
        result
    }

    /// Raises a total; late and doubled reports lower nothing and write nothing.
    pub fn raise_usage(&mut self, day: &str, spender: Spender, total: Usage) {
        let known = self.state.usage.get(&(day.to_owned(), spender)).copied().unwrap_or_default();
        let spent = known.at_least(total);
        if spent != known {
            self.write(Write::Usage { day: day.to_owned(), spender, spent });
        }
    }

    /// Remembers that a rig was heard of.
    pub fn set_heard(&mut self, rig_id: RigId) {
        self.state.heard.insert(rig_id, self.context.now);
    }

    /// Remembers what the account was told.
    pub fn set_told_account(&mut self, is_active: bool) {
        self.state.told_account = Some(is_active);
    }

    /// Remembers which convoys were told to finish.
    pub fn set_wrapped_up(&mut self, convoys: SortedSet<ConvoyId>) {
        self.state.wrapped_up = convoys;
    }

    /// Remembers what the runtime's keeper was told.
    pub fn set_needed(&mut self, needed: bool) {
        self.state.needed = Some(needed);
    }

    /// Orders an effect.
    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Sets when to look again.
    pub fn wake_at(&mut self, at: Option<Timestamp>) {
        self.wake_at = at;
    }

    /// Ends the planning of a refused command: the state as it was, because commands check before they write.
    pub fn refused(self) -> State {
        debug_assert!(self.writes.is_empty(), "a refused command wrote {:?}", self.writes);
        self.state
    }

    /// Ends the planning.
    pub fn finish(self) -> Planned {
        let mut changed = Changed::default();
        for (_, write) in &self.writes {
            changed.note(write);
        }
        Planned { state: self.state, writes: self.writes, effects: self.effects, wake_at: self.wake_at, changed }
    }
}

impl Planned {
    /// Adds frames of the town channel that only the shell can word, because they show rows in their wire shape.
    pub fn publish(&mut self, rig_id: Option<RigId>, frames: Vec<Frame>) {
        self.writes.extend(frames.into_iter().map(|frame| ("feed", Write::Frame(rig_id, frame))));
    }
}

impl Changed {
    fn note(&mut self, write: &Write) {
        match write {
            Write::Town(_) => self.town = true,
            Write::Mayor(_) => self.mayor = true,
            Write::Rig(rig) => drop(self.rigs.insert(rig.rig_id)),
            Write::RemoveRig(rig_id) => drop(self.rigs.insert(*rig_id)),
            Write::Message(message) => drop(self.messages.insert(message.message_id)),
            Write::Escalation(escalation) => drop(self.escalations.insert(escalation.dedup_key.clone())),
            Write::Mail(mail) => self.mail.push((**mail).clone()),
            Write::Convoy(convoy) => drop(self.convoys.insert(convoy.convoy_id)),
            Write::ConvoyRig(part) => drop(self.convoys.insert(part.convoy_id)),
            Write::Task(task) => drop(self.convoys.insert(task.convoy_id)),
            Write::TaskEdge(edge) => drop(self.convoys.insert(edge.convoy_id)),
            // Whoever removes something of a convoy touches it.
            Write::RemoveTask(_)
            | Write::RemoveTaskEdge(..)
            | Write::Slot(_)
            | Write::RemoveSlot(_)
            | Write::Triage(_)
            | Write::MailRead(..)
            | Write::Event(_)
            | Write::Drain(_)
            | Write::Breaker(_)
            | Write::StartFailure { .. }
            | Write::DayBudget(_)
            | Write::Usage { .. }
            | Write::Runtime(_)
            | Write::Prune(_)
            | Write::Outbox(..)
            | Write::Acknowledged(..)
            | Write::Applied(..)
            | Write::Frame(..)
            | Write::Audit { .. } => (),
        }
    }
}

/// Puts one write into a state: the same step in memory that the store takes in SQL.
pub fn apply(state: &mut State, write: &Write) {
    match write.clone() {
        Write::Town(town) => state.town = *town,
        Write::Rig(rig) => drop(state.rigs.insert(rig.rig_id, *rig)),
        Write::RemoveRig(rig_id) => {
            state.rigs.remove(&rig_id);
            state.triage.retain(|_, request| request.rig_id != rig_id);
            state.outboxes.remove(&rig_id);
            state.applied.remove(&rig_id);
            state.told.remove(&rig_id);
            state.configured.remove(&rig_id);
            state.heard.remove(&rig_id);
        }
        Write::Slot(slot) => drop(state.slots.insert(slot.assignment_id, slot)),
        Write::RemoveSlot(assignment_id) => drop(state.slots.remove(&assignment_id)),
        Write::Mayor(mayor) => state.mayor = *mayor,
        Write::Message(message) => drop(state.inbox.insert(message.message_id, message)),
        Write::Escalation(escalation) => drop(state.escalations.insert(escalation.dedup_key.clone(), *escalation)),
        Write::Triage(request) => drop(state.triage.insert(request.asked.request_id, *request)),
        Write::Convoy(convoy) => drop(state.convoys.insert(convoy.convoy_id, *convoy)),
        Write::ConvoyRig(part) => drop(state.convoy_rigs.insert((part.convoy_id, part.rig_id), part)),
        Write::Task(task) => drop(state.tasks.insert(task.bead_id, *task)),
        Write::RemoveTask(bead_id) => {
            state.tasks.remove(&bead_id);
            state.task_edges.retain(|&(dependent, blocker), _| dependent != bead_id && blocker != bead_id);
        }
        Write::RemoveTaskEdge(dependent, blocker) => drop(state.task_edges.remove(&(dependent, blocker))),
        Write::TaskEdge(edge) => drop(state.task_edges.insert((edge.bead_id, edge.blocker_id), edge)),
        Write::Drain(drain) => state.drain = drain,
        Write::Breaker(breaker) => state.breaker = *breaker,
        Write::StartFailure { at, .. } => state.breaker.count(at, BREAKER_TOWN_WINDOW),
        Write::DayBudget(day_budget) => state.day_budget = day_budget,
        Write::Usage { day, spender, spent } => drop(state.usage.insert((day, spender), spent)),
        Write::Runtime(runtime) => state.runtime = runtime,
        Write::Acknowledged(rig_id, seq) => {
            if let Some(outbox) = state.outboxes.get_mut(&rig_id) {
                outbox.acknowledge(seq);
            }
        }
        Write::Applied(rig_id, seq) => drop(state.applied.insert(rig_id, seq)),
        // The outbox is changed where the row is made; feed, mail and audit are not part of the state.
        Write::Outbox(..)
        | Write::Mail(_)
        | Write::MailRead(..)
        | Write::Event(_)
        | Write::Frame(..)
        | Write::Audit { .. }
        | Write::Prune(_) => (),
    }
}
