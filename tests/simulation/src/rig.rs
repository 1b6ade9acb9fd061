//! A Rig as its Durable Object runs it (`src/rig`): live rows in memory, every commit in one step, effects afterwards,
//! and a disk from which a new life begins. The disk is what SQL would hold: the fold of all writes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gastown_core::id::{AssignmentId, BeadId, ConvoyId, IdSeed, MailId, NudgeId, RigId, TownId};
use gastown_core::prompt::Nonce;
use gastown_core::protocol::{Batch, BatchReply, Frame, Outbox, OutboxRow, RigToTown, Spending, TownState, TownToRig};
use gastown_core::rig::assignment::{Assignment, Phase};
use gastown_core::rig::bead::{Bead, Edge};
use gastown_core::rig::breaker::Breaker;
use gastown_core::rig::mail::Mail;
use gastown_core::rig::molecule::StepState;
use gastown_core::rig::nudge::NudgeState;
use gastown_core::rig::plan::apply;
use gastown_core::rig::review::Review;
use gastown_core::rig::state::{Rig, RigStatus};
use gastown_core::rig::usage::Scope;
use gastown_core::rig::{
    self, Applied, Command, Context, Effect, Event, Planned, Receipt, Reference, Refusal, State, Write, invariant,
};
use gastown_core::session::{SessionFact, SessionKey, StartAnswer, Usage};
use gastown_core::time::Timestamp;
use gastown_core::wire::order;
use serde_json::Value;

use crate::check;
use crate::faults::Fault;
use crate::happening::{Answer, Caller, Happening, Life, Order, RigNo};
use crate::world::{World, catalogue};

/// One Rig.
pub(crate) struct RigObject {
    pub(crate) rig_id: RigId,
    pub(crate) disk: Option<Disk>,
    /// It was disconnected; nobody hears of it any more.
    pub(crate) is_removed: bool,
    memory: Option<State>,
    pub(crate) life: Life,
    pub(crate) alarm: Option<Timestamp>,
    turn: u32,
}

/// What SQL holds of a rig.
pub(crate) struct Disk {
    /// Live rows, as a new life would load them.
    pub(crate) live: State,
    outbox: BTreeMap<u64, OutboxRow<RigToTown>>,
    next_seq: u64,
    pub(crate) beads: BTreeMap<BeadId, Bead>,
    pub(crate) assignments: BTreeMap<AssignmentId, Assignment>,
    pub(crate) reviews: BTreeMap<BeadId, Review>,
    edges: BTreeMap<(BeadId, BeadId), Edge>,
    pub(crate) convoys: BTreeMap<ConvoyId, Usage>,
    pub(crate) days: BTreeMap<String, Usage>,
    pub(crate) mail: BTreeMap<MailId, Mail>,
    pub(crate) nudges: BTreeMap<NudgeId, NudgeState>,
    pub(crate) steps: BTreeMap<(BeadId, u32), StepState>,
    /// Steps that were closed, by whom: a repeated request gets its first answer.
    requests: BTreeSet<(AssignmentId, u32)>,
}

impl Disk {
    fn new(live: State) -> Self {
        Self {
            live,
            outbox: BTreeMap::new(),
            next_seq: 1,
            beads: BTreeMap::new(),
            assignments: BTreeMap::new(),
            reviews: BTreeMap::new(),
            edges: BTreeMap::new(),
            convoys: BTreeMap::new(),
            days: BTreeMap::new(),
            mail: BTreeMap::new(),
            nudges: BTreeMap::new(),
            steps: BTreeMap::new(),
            requests: BTreeSet::new(),
        }
    }

    fn load(&self) -> State {
        let mut state = self.live.clone();
        let is_live = |bead_id| self.live.beads.contains_key(bead_id);
        let edges = self.edges.iter().filter(|((bead_id, blocker_id), _)| is_live(bead_id) || is_live(blocker_id));
        state.edges = edges.map(|(key, edge)| (*key, edge.clone())).collect();
        let of_live = |id: &ConvoyId| self.live.beads.values().any(|bead| bead.convoy_id == Some(*id));
        let convoys = self.convoys.iter().filter(|(id, _)| of_live(id));
        state.spending.convoys = convoys.map(|(id, spent)| (*id, *spent)).collect();
        state.outbox = Outbox::new(self.outbox.values().cloned().collect(), self.next_seq);
        without_memory(state)
    }

    fn write(&mut self, write: &Write) {
        apply(&mut self.live, write);
        match write {
            Write::Bead(bead) => drop(self.beads.insert(bead.bead_id, (**bead).clone())),
            Write::Assignment(row) => drop(self.assignments.insert(row.assignment_id, (**row).clone())),
            Write::Review(review) => drop(self.reviews.insert(review.bead_id, (**review).clone())),
            Write::Mail(mail) => drop(self.mail.insert(mail.mail_id, mail.clone())),
            Write::Nudge(nudge) => drop(self.nudges.insert(nudge.nudge_id, nudge.state)),
            Write::Step(step) => drop(self.steps.insert((step.molecule_id, step.idx), step.state)),
            Write::Edge(edge) => drop(self.edges.insert((edge.bead_id, edge.blocker_id), edge.clone())),
            Write::Usage(Scope::Convoy(convoy_id), spent) => drop(self.convoys.insert(*convoy_id, *spent)),
            Write::Usage(Scope::Day(day), spent) => drop(self.days.insert(day.clone(), *spent)),
            Write::RemoveEdge(bead_id, blocker_id) => drop(self.edges.remove(&(*bead_id, *blocker_id))),
            Write::RemoveBead(bead_id) => {
                self.beads.remove(bead_id);
                self.reviews.remove(bead_id);
                self.edges.retain(|(a, b), _| a != bead_id && b != bead_id);
                self.steps.retain(|(molecule_id, _), _| molecule_id != bead_id);
            }
            Write::Outbox(row) => {
                self.next_seq = self.next_seq.max(row.seq + 1);
                self.outbox.insert(row.seq, row.clone());
            }
            Write::Acknowledged(seq) => self.outbox.retain(|number, _| number > seq),
            _ => (),
        }
    }

    /// A dependency, live or not.
    pub(crate) fn edge(&self, bead_id: BeadId, blocker_id: BeadId) -> Option<&Edge> {
        self.edges.get(&(bead_id, blocker_id))
    }

    /// The next number of a message that is not a replacement.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Messages that the Town has not acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.outbox.len()
    }

    /// Brings rows that a command speaks of back into view, as `src/rig/store` does.
    fn recall(&self, state: &mut State, references: &[Reference]) {
        for reference in references {
            match *reference {
                Reference::Bead(bead_id) => self.recall_beads(state, self.beads.get(&bead_id)),
                Reference::Family(bead_id) => self.recall_beads(state, self.family(bead_id)),
                Reference::Namesakes(bead_id) => {
                    let namesakes = self.beads.values().filter(|bead| bead.bead_id.short() == bead_id.short());
                    self.recall_beads(state, namesakes);
                }
                Reference::Convoy(convoy_id) => self.recall_spending(state, convoy_id),
                Reference::Assignment(id) => {
                    if let Some(assignment) = self.assignments.get(&id) {
                        state.recall_assignment(assignment.clone());
                    }
                }
            }
        }
    }

    fn recall_beads<'a>(&self, state: &mut State, found: impl IntoIterator<Item = &'a Bead>) {
        for bead in found.into_iter().filter(|bead| !bead.is_live()) {
            let of_bead = self.edges.iter().filter(|((a, b), _)| *a == bead.bead_id || *b == bead.bead_id);
            state.edges.extend(of_bead.map(|(key, edge)| (*key, edge.clone())));
            bead.convoy_id.into_iter().for_each(|convoy_id| self.recall_spending(state, convoy_id));
            state.recall_bead(bead.clone());
        }
    }

    fn recall_spending(&self, state: &mut State, convoy_id: ConvoyId) {
        if let Some(spent) = self.convoys.get(&convoy_id) {
            state.recall_spending(convoy_id, *spent);
        }
    }

    /// A bead with all its descendants.
    fn family(&self, bead_id: BeadId) -> Vec<&Bead> {
        let mut ids = vec![bead_id];
        let mut next = 0;
        while let Some(&id) = ids.get(next) {
            ids.extend(self.beads.values().filter(|bead| bead.parent_id == Some(id)).map(|bead| bead.bead_id));
            next += 1;
        }
        ids.iter().filter_map(|id| self.beads.get(id)).collect()
    }
}

/// The state without what lives in memory only.
fn without_memory(mut state: State) -> State {
    state.waits.clear();
    state.reported = None;
    state.reported_spending = Spending::default();
    state.told_tasks.clear();
    state.told_landings.clear();
    state
}

impl RigObject {
    pub(crate) fn new(rig_id: RigId) -> Self {
        Self { rig_id, disk: None, is_removed: false, memory: None, life: 0, alarm: None, turn: 0 }
    }

    fn take(&mut self) -> Option<State> {
        self.memory.take().or_else(|| self.disk.as_ref().map(Disk::load))
    }

    /// Live rows, as the newest commit left them.
    pub(crate) fn rows(&self) -> Option<&State> {
        self.memory.as_ref().or_else(|| self.disk.as_ref().map(|disk| &disk.live))
    }

    /// Whether this step was not closed by this assignment before.
    pub(crate) fn is_first_time(&self, assignment_id: AssignmentId, step: u32) -> bool {
        self.disk.as_ref().is_none_or(|disk| !disk.requests.contains(&(assignment_id, step)))
    }

    /// The answer to this request is kept.
    pub(crate) fn remember(&mut self, assignment_id: AssignmentId, step: u32) {
        if let Some(disk) = &mut self.disk {
            disk.requests.insert((assignment_id, step));
        }
    }

    /// Why beads wait; empty right after a crash.
    pub(crate) fn memory(&self) -> Option<&State> {
        self.memory.as_ref()
    }

    /// Where memory and disk differ, before memory is lost.
    fn difference(&self) -> Option<String> {
        let (memory, disk) = (self.memory.as_ref()?, self.disk.as_ref()?);
        let plain = |mut state: State| {
            state.outbox = Outbox::new(state.outbox.rows().to_vec(), 0);
            without_memory(state)
        };
        let (memory, disk) = (plain(memory.clone()), plain(disk.load()));
        if memory == disk {
            return None;
        }
        let (memory, disk) = (format!("{memory:?}"), format!("{disk:?}"));
        let at = memory.bytes().zip(disk.bytes()).position(|(a, b)| a != b).unwrap_or(0);
        let from = at.saturating_sub(300);
        let part = |text: &str| text.get(from..(at + 100).min(text.len())).unwrap_or_default().to_owned();
        Some(format!("memory: {}\ndisk: {}", part(&memory), part(&disk)))
    }
}

impl World {
    /// Plans without news.
    pub(crate) fn rig_alarm(&mut self, rig: RigNo, turn: u32) {
        if self.rigs[rig].turn == turn && self.rigs[rig].alarm.is_some() {
            self.rigs[rig].alarm = None;
            self.rig_step(rig, "alarm", |state, context| Ok((rig::plan(state, context), ()))).ok();
        }
    }

    /// Plans once more, so that every wait is in view.
    pub(crate) fn rig_looks(&mut self, rig: RigNo) {
        self.rig_step(rig, "a look", |state, context| Ok((rig::plan(state, context), ()))).ok();
    }

    /// Applies facts; nothing when there is no such rig.
    pub(crate) fn rig_observes(&mut self, rig: RigNo, events: Vec<Event>) -> Vec<Receipt> {
        let label = match events.as_slice() {
            [event] => label(event),
            _ => "news",
        };
        let references: Vec<Reference> = events.iter().flat_map(Event::references).collect();
        self.rig_recalls(rig, &references);
        self.rig_step(rig, label, |state, context| Ok(rig::observe(state, context, events)))
            .ok()
            .flatten()
            .unwrap_or_default()
    }

    /// Applies what was said about sessions, with the beads that they count for in view (`observe_about`).
    pub(crate) fn rig_observes_spenders(
        &mut self,
        rig: RigNo,
        keys: &[SessionKey],
        events: Vec<Event>,
    ) -> Vec<Receipt> {
        let object = &mut self.rigs[rig];
        if let (Some(mut state), Some(disk)) = (object.take(), object.disk.as_ref()) {
            for key in keys {
                disk.recall(&mut state, &[Reference::Assignment(key.assignment_id)]);
                let Some(bead_id) = state.assignments.get(&key.assignment_id).map(|row| row.bead_id) else { continue };
                let root_id = disk.beads.get(&bead_id).map(|bead| bead.root_id);
                disk.recall(&mut state, &[Reference::Bead(bead_id)]);
                disk.recall(&mut state, &root_id.map(Reference::Bead).into_iter().collect::<Vec<_>>());
            }
            object.memory = Some(state);
        }
        self.rig_observes(rig, events)
    }

    /// Applies a command.
    pub(crate) fn rig_handles(
        &mut self,
        rig: RigNo,
        who: &'static str,
        command: Command,
    ) -> Option<Result<Applied, Refusal>> {
        self.rig_recalls(rig, &command.references())?;
        match self.rig_step(rig, who, |state, context| rig::handle(state, context, command)) {
            Ok(applied) => applied.map(Ok),
            Err(refusal) => Some(Err(refusal)),
        }
    }

    /// Brings rows that are spoken of back into view; nothing when there is no such rig.
    fn rig_recalls(&mut self, rig: RigNo, references: &[Reference]) -> Option<()> {
        let object = &mut self.rigs[rig];
        let mut state = object.take()?;
        object.disk.as_ref()?.recall(&mut state, references);
        object.memory = Some(state);
        Some(())
    }

    fn rig_step<R>(
        &mut self,
        rig: RigNo,
        label: &'static str,
        step: impl FnOnce(State, Context<'static>) -> Result<(Planned, R), (Box<State>, Refusal)>,
    ) -> Result<Option<R>, Refusal> {
        let Some(state) = self.rigs[rig].take() else { return Ok(None) };
        match step(state, self.rig_context()) {
            Ok((planned, result)) => {
                self.rig_commits(rig, label, planned);
                Ok(Some(result))
            }
            Err((mut state, refusal)) => {
                self.note(|| format!("rig {rig} refuses {label}: {refusal:?}"));
                state.forget();
                self.rigs[rig].memory = Some(*state);
                Err(refusal)
            }
        }
    }

    fn rig_context(&mut self) -> Context<'static> {
        Context { now: self.now, seed: IdSeed::new(self.ids.bits()), catalogue: catalogue() }
    }

    fn rig_commits(&mut self, rig: RigNo, label: &'static str, mut planned: Planned) {
        self.commits += 1;
        for breach in invariant::check(&planned, self.now) {
            self.violated(format!("rig {rig}: {breach}"));
        }
        if !planned.changed_beads.is_empty() || !planned.changed_agents.is_empty() {
            let frames = vec![Frame { frame: "bead.updated".to_owned(), data: Value::Null }];
            planned.publish(RigToTown::Feed { frames }, self.now);
        }
        if !planned.writes.is_empty() || !planned.effects.is_empty() {
            let again = rig::plan(planned.state.clone(), self.rig_context());
            if !again.writes.is_empty() || !again.effects.is_empty() {
                let (writes, effects) = (&again.writes, &again.effects);
                self.violated(format!("20: rig {rig}: a second plan is not empty: {writes:?} {effects:?}"));
            }
            self.tell_rig(rig, label, &planned);
        }
        check::rig_writes(self, rig, &planned);
        check::rig_orders(self, rig, &planned);
        let Planned { mut state, writes, effects, wake_at, .. } = planned;
        let wake_at = [wake_at, state.outbox.resend_at()].into_iter().flatten().min();
        state.forget();
        let object = &mut self.rigs[rig];
        if let Some(disk) = &mut object.disk {
            for (_, write) in &writes {
                disk.write(write);
            }
            if !writes.is_empty() {
                disk.live.forget();
            }
        }
        object.memory = Some(state);
        self.arm_rig(rig, wake_at);
        check::across(self);
        self.rig_acts(rig, effects);
    }

    fn arm_rig(&mut self, rig: RigNo, wake_at: Option<Timestamp>) {
        let object = &mut self.rigs[rig];
        object.turn += 1;
        object.alarm = wake_at;
        let turn = object.turn;
        if let Some(at) = wake_at {
            self.queue.add(at.max(self.now), Happening::RigAlarm { rig, turn });
        }
    }

    /// Performs effects one after the other; a crash may fall before any of them.
    fn rig_acts(&mut self, rig: RigNo, effects: Vec<Effect>) {
        let life = self.rigs[rig].life;
        for (place, effect) in effects.into_iter().enumerate() {
            if self.net.happens(self.faults.chance(Fault::RigCrash, 0.004)) {
                self.queue.add(self.now, Happening::RigCrashes { rig });
            }
            let place = u64::try_from(place).unwrap_or(0);
            self.queue.add(self.now + Duration::from_millis(place), Happening::RigActs { rig, life, effect });
        }
    }

    pub(crate) fn rig_crashes(&mut self, rig: RigNo) {
        self.note(|| format!("rig {rig} crashes"));
        if let Some(difference) = self.rigs[rig].difference() {
            self.violated(format!("reload: rig {rig} holds in memory what it has not written: {difference}"));
        }
        let object = &mut self.rigs[rig];
        object.memory = None;
        object.life += 1;
    }

    /// Its rows are deleted (`src/rig/work.rs`, `delete`).
    pub(crate) fn rig_is_wiped(&mut self, rig: RigNo) {
        self.note(|| format!("rig {rig} is wiped"));
        let object = &mut self.rigs[rig];
        (object.disk, object.memory, object.alarm) = (None, None, None);
        object.is_removed = true;
        object.life += 1;
        object.turn += 1;
    }

    /// One effect of one life.
    pub(crate) fn rig_act(&mut self, rig: RigNo, life: Life, effect: Effect) {
        if self.rigs[rig].life != life {
            return;
        }
        let from = Caller::Rig(rig, life);
        let Some(state) = self.rigs[rig].rows() else { return };
        let key =
            |id: &AssignmentId| state.assignments.get(id).map(|a| SessionKey { assignment_id: *id, epoch: a.epoch });
        let order = match &effect {
            Effect::SendToTown => {
                let batch = Batch { messages: state.outbox.batch(), applied: state.town_applied };
                return self.call(Happening::TownHears { rig, life, batch });
            }
            Effect::StartSession(id) => match order::session(state, *id, Nonce::from_u32(1)) {
                Some(order) => Some(Order::Start(Box::new(order))),
                None if state.assignments.get(id).is_some_and(|row| row.phase == Phase::Starting) => {
                    return self.violated(format!("rig {rig}: no order can be written for assignment {id}"));
                }
                None => None,
            },
            Effect::StopSession { assignment_id, epoch, .. } => {
                Some(Order::Stop(SessionKey { assignment_id: *assignment_id, epoch: *epoch }))
            }
            Effect::QuerySession(id) => key(id).map(Order::Query),
            Effect::WrapUp { assignment_id, epoch, .. } => {
                Some(Order::WrapUp(SessionKey { assignment_id: *assignment_id, epoch: *epoch }))
            }
            Effect::PushMail { assignment_id, mail_ids } => {
                let word = |id| order::mail(state, id, Nonce::from_u32(1));
                let words = mail_ids.iter().filter_map(|id| word(*id)).map(|message| message.message_id).collect();
                key(assignment_id).map(|key| Order::Push(key, words))
            }
            Effect::PushNudge { assignment_id, nudge_ids } => {
                let word = |id| order::nudge(state, *assignment_id, id, Nonce::from_u32(1));
                let words = nudge_ids.iter().filter_map(|id| word(*id)).map(|message| message.message_id).collect();
                key(assignment_id).map(|key| Order::Push(key, words))
            }
            Effect::RunJob(id) => order::job(state, *id).map(|order| Order::Job(Box::new(order))),
            Effect::CancelJob(job_id) => Some(Order::CancelJob(*job_id)),
            Effect::OpenPr(_) | Effect::PollPr(_) | Effect::MergePr(_) | Effect::PostReview { .. } => {
                return self.forge_is_asked(rig, life, &effect);
            }
        };
        if let Some(order) = order {
            self.call(Happening::KeeperHears { from, order });
        }
    }

    /// The Town's messages arrive (`src/rig/runtime.rs`, `deliver`); the first contact makes the rig.
    pub(crate) fn rig_hears(&mut self, rig: RigNo, life: Life, batch: Batch<TownToRig>) {
        if self.rigs[rig].is_removed {
            return;
        }
        if self.rigs[rig].disk.is_none() {
            let row = first_row(self.rigs[rig].rig_id, self.town.town_id());
            self.rigs[rig].disk = Some(Disk::new(State::new(row)));
        }
        self.rig_observes(rig, vec![Event::TownAcknowledged(batch.applied), Event::TownSaid(batch.messages)]);
        if self.net.happens(self.faults.chance(Fault::RigCrash, 0.01)) {
            return self.rig_crashes(rig);
        }
        let Some(state) = self.rigs[rig].memory() else { return };
        let reply = BatchReply { acknowledged: state.town_applied, messages: state.outbox.batch() };
        self.call(Happening::TownHearsBack { rig, life, reply });
    }

    pub(crate) fn rig_hears_back(&mut self, rig: RigNo, life: Life, reply: BatchReply<TownToRig>) {
        if self.rigs[rig].life == life {
            self.rig_observes(rig, vec![Event::TownAcknowledged(reply.acknowledged), Event::TownSaid(reply.messages)]);
        }
    }

    /// The keeper's answer to an order.
    pub(crate) fn rig_is_answered(&mut self, rig: RigNo, life: Life, answer: Answer) {
        if self.rigs[rig].life != life {
            return;
        }
        let event = match answer {
            Answer::Start(key, answer) => Event::StartAnswered(key, answer),
            Answer::Query(key, answer) => Event::SessionAnswered(key, answer),
            Answer::Job(job_id, answer) => Event::JobAnswered(job_id, answer),
            Answer::Delivered(key, words) => Event::SessionReported(key, SessionFact::Delivered(words)),
            Answer::Gone(_) => return,
        };
        self.rig_observes(rig, vec![event]);
    }
}

/// A word for the timeline.
fn label(event: &Event) -> &'static str {
    match event {
        Event::TownSaid(_) | Event::TownAcknowledged(_) => "the Town's word",
        Event::SessionReported(..) | Event::SessionSpent(..) => "a session's report",
        Event::JobReported(..) => "a job's report",
        Event::StartAnswered(_, StartAnswer::Accepted(_)) => "a start that was accepted",
        Event::StartAnswered(..) => "a start that was refused",
        Event::SessionAnswered(..) => "the answer to a question",
        Event::JobAnswered(..) => "the answer to a job",
        Event::ForgeAnswered(..) => "the forge's word",
    }
}

/// The row that the first contact with the Town makes.
fn first_row(rig_id: RigId, town_id: TownId) -> Rig {
    Rig {
        rig_id,
        town_id,
        tag: rig_id.short(),
        git_url: String::new(),
        default_branch: "main".to_owned(),
        target_branch: "main".to_owned(),
        status: RigStatus::Active,
        settings: None,
        wanted_version: 0,
        town: TownState::default(),
        breaker: Breaker::default(),
        next_epoch: 1,
        drain_epoch: 0,
        pruned_at: None,
    }
}
