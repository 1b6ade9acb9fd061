//! The Town as its Durable Object runs it (`src/town`): as the Rig, with the runtime's identity and the mayor.

use std::collections::{BTreeMap, BTreeSet};

use gastown_core::config::TownConfig;
use gastown_core::id::{AgentId, BeadId, ConvoyId, EscalationId, IdSeed, MailId, RigId, TownId};
use gastown_core::prompt::Nonce;
use gastown_core::protocol::{Batch, BatchReply, Outbox, OutboxRow, RigToTown, TownToRig};
use gastown_core::session::{Over, SessionFact, SessionKey, Usage};
use gastown_core::time::Timestamp;
use gastown_core::town::convoy::{Convoy, ConvoyRig, Task};
use gastown_core::town::plan::apply;
use gastown_core::town::state::{AccountKind, Escalation, Spender, Town, TownStatus};
use gastown_core::town::triage::TriageRequest;
use gastown_core::town::{
    self, Applied, Command, Context, Effect, Event, Planned, Receipt, Refusal, State, Write, invariant,
};
use gastown_core::wire::order;

use crate::check;
use crate::faults::Fault;
use crate::happening::{Answer, Caller, Happening, Life, Order, RigNo};
use crate::world::{World, catalogue};

/// The Town.
pub(crate) struct TownObject {
    pub(crate) disk: Disk,
    memory: Option<State>,
    pub(crate) life: Life,
    pub(crate) alarm: Option<Timestamp>,
    turn: u32,
}

/// What SQL holds of a town.
pub(crate) struct Disk {
    live: State,
    pub(crate) convoys: BTreeMap<ConvoyId, Convoy>,
    pub(crate) parts: BTreeMap<(ConvoyId, RigId), ConvoyRig>,
    pub(crate) tasks: BTreeMap<BeadId, Task>,
    pub(crate) escalations: BTreeMap<EscalationId, Escalation>,
    pub(crate) triage: BTreeMap<BeadId, TriageRequest>,
    pub(crate) usage: BTreeMap<(String, Spender), Usage>,
    outboxes: BTreeMap<RigId, (BTreeMap<u64, OutboxRow<TownToRig>>, u64)>,
    /// Mail that stays in the town.
    pub(crate) mail: BTreeSet<MailId>,
}

impl Disk {
    fn new(live: State) -> Self {
        Self {
            live,
            convoys: BTreeMap::new(),
            parts: BTreeMap::new(),
            tasks: BTreeMap::new(),
            escalations: BTreeMap::new(),
            triage: BTreeMap::new(),
            usage: BTreeMap::new(),
            outboxes: BTreeMap::new(),
            mail: BTreeSet::new(),
        }
    }

    fn load(&self) -> State {
        let mut state = self.live.clone();
        let outbox = |(rows, next): &(BTreeMap<u64, OutboxRow<TownToRig>>, u64)| {
            Outbox::new(rows.values().cloned().collect(), *next)
        };
        state.outboxes = self.outboxes.iter().map(|(rig_id, kept)| (*rig_id, outbox(kept))).collect();
        without_memory(state)
    }

    fn write(&mut self, write: &Write) {
        apply(&mut self.live, write);
        match write {
            Write::Outbox(rig_id, row) => {
                let (rows, next) = self.outboxes.entry(*rig_id).or_insert_with(|| (BTreeMap::new(), 1));
                *next = (*next).max(row.seq + 1);
                rows.insert(row.seq, row.clone());
            }
            Write::Acknowledged(rig_id, seq) => {
                if let Some((rows, _)) = self.outboxes.get_mut(rig_id) {
                    rows.retain(|number, _| number > seq);
                }
            }
            Write::RemoveRig(rig_id) => {
                self.outboxes.remove(rig_id);
                self.triage.retain(|_, request| request.rig_id != *rig_id);
            }
            Write::Mail(mail) => drop(self.mail.insert(mail.mail_id)),
            Write::Convoy(row) => drop(self.convoys.insert(row.convoy_id, (**row).clone())),
            Write::ConvoyRig(row) => drop(self.parts.insert((row.convoy_id, row.rig_id), row.clone())),
            Write::Task(row) => drop(self.tasks.insert(row.bead_id, (**row).clone())),
            Write::RemoveTask(bead_id) => drop(self.tasks.remove(bead_id)),
            Write::Escalation(row) => drop(self.escalations.insert(row.escalation_id, (**row).clone())),
            Write::Triage(row) => drop(self.triage.insert(row.asked.request_id, (**row).clone())),
            Write::Usage { day, spender, spent } => drop(self.usage.insert((day.clone(), *spender), *spent)),
            _ => (),
        }
    }

    /// The next number of a message to a rig that is not a replacement.
    pub(crate) fn next_seq(&self, rig_id: RigId) -> u64 {
        self.outboxes.get(&rig_id).map_or(1, |(_, next)| *next)
    }
}

/// The state without what lives in memory only.
fn without_memory(mut state: State) -> State {
    state.told.clear();
    state.configured.clear();
    state.needed = None;
    state.heard.clear();
    state.told_account = None;
    state.wrapped_up.clear();
    state
}

impl TownObject {
    pub(crate) fn new(town_id: TownId, mayor_id: AgentId, now: Timestamp) -> Self {
        let town = Town {
            town_id,
            name: "Town".to_owned(),
            account_kind: AccountKind::User,
            account_id: "ann".to_owned(),
            created_by: "ann".to_owned(),
            created_at: now,
            updated_at: now,
            status: TownStatus::Active,
            pause: None,
            config: TownConfig::default(),
            config_version: 1,
            secrets_version: 1,
            credential_gen: 1,
            next_epoch: 1,
            version: 1,
        };
        let disk = Disk::new(State::new(town, mayor_id));
        Self { disk, memory: None, life: 0, alarm: None, turn: 0 }
    }

    /// Rows as the newest commit left them.
    pub(crate) fn rows(&self) -> &State {
        self.memory.as_ref().unwrap_or(&self.disk.live)
    }

    pub(crate) fn town_id(&self) -> TownId {
        self.rows().town.town_id
    }

    fn take(&mut self) -> State {
        self.memory.take().unwrap_or_else(|| self.disk.load())
    }

    fn is_in_step(&self) -> bool {
        let Some(memory) = &self.memory else { return true };
        let plain = |mut state: State| {
            for outbox in state.outboxes.values_mut() {
                *outbox = Outbox::new(outbox.rows().to_vec(), 0);
            }
            state.outboxes.retain(|_, outbox| !outbox.is_empty());
            without_memory(state)
        };
        plain(memory.clone()) == plain(self.disk.load())
    }
}

impl World {
    pub(crate) fn town_alarm(&mut self, turn: u32) {
        if self.town.turn == turn && self.town.alarm.is_some() {
            self.town.alarm = None;
            let state = self.town.take();
            let planned = town::plan(state, self.town_context());
            self.town_commits("alarm", planned);
        }
    }

    pub(crate) fn town_observes(&mut self, label: &'static str, events: Vec<Event>) -> Vec<Receipt> {
        let state = self.town.take();
        let (planned, receipts) = town::observe(state, self.town_context(), events);
        self.town_commits(label, planned);
        receipts
    }

    pub(crate) fn town_handles(&mut self, label: &'static str, command: Command) -> Result<Applied, Refusal> {
        let state = self.town.take();
        match town::handle(state, self.town_context(), command) {
            Ok((planned, applied)) => {
                self.town_commits(label, planned);
                Ok(applied)
            }
            Err((state, refusal)) => {
                self.note(|| format!("the Town refuses {label}: {refusal:?}"));
                self.town.memory = Some(*state);
                Err(refusal)
            }
        }
    }

    fn town_context(&mut self) -> Context<'static> {
        Context { now: self.now, seed: IdSeed::new(self.ids.bits()), catalogue: catalogue() }
    }

    fn town_commits(&mut self, label: &'static str, planned: Planned) {
        self.commits += 1;
        for breach in invariant::check(&planned, self.now) {
            self.violated(format!("town: {breach}"));
        }
        if !planned.writes.is_empty() || !planned.effects.is_empty() {
            let again = town::plan(planned.state.clone(), self.town_context());
            if !again.writes.is_empty() || !again.effects.is_empty() {
                let (writes, effects) = (&again.writes, &again.effects);
                self.violated(format!("20: town: a second plan is not empty: {writes:?} {effects:?}"));
            }
            self.tell_town(label, &planned);
        }
        check::town_writes(self, &planned);
        let Planned { mut state, writes, effects, wake_at, .. } = planned;
        state.forget();
        for (_, write) in &writes {
            self.town.disk.write(write);
        }
        self.town.disk.live.forget();
        self.town.memory = Some(state);
        self.town.turn += 1;
        self.town.alarm = wake_at;
        let (turn, life) = (self.town.turn, self.town.life);
        if let Some(at) = wake_at {
            self.queue.add(at.max(self.now), Happening::TownAlarm { turn });
        }
        check::across(self);
        for effect in effects {
            if self.net.happens(self.faults.chance(Fault::TownCrash, 0.004)) {
                self.queue.add(self.now, Happening::TownCrashes);
            }
            self.queue.add(self.now, Happening::TownActs { life, effect });
        }
    }

    pub(crate) fn town_crashes(&mut self) {
        self.note(|| "the Town crashes".to_owned());
        if !self.town.is_in_step() {
            self.violated("reload: what the Town holds in memory is not what it has written".to_owned());
        }
        self.town.memory = None;
        self.town.life += 1;
    }

    pub(crate) fn town_act(&mut self, life: Life, effect: Effect) {
        if self.town.life != life {
            return;
        }
        let from = Caller::Town(life);
        let state = self.town.rows();
        let session =
            state.mayor.assignment_id.map(|assignment_id| SessionKey { assignment_id, epoch: state.mayor.epoch });
        let order = match effect {
            Effect::SendToRig(rig_id) => {
                let Some(rig) = self.rigs.iter().position(|rig| rig.rig_id == rig_id) else { return };
                let Some(outbox) = state.outboxes.get(&rig_id) else { return };
                let applied = state.applied.get(&rig_id).copied().unwrap_or(0);
                let batch = Batch { messages: outbox.batch(), applied };
                return self.call(Happening::RigHears { rig, life, batch });
            }
            Effect::SetRuntimeNeeded(needed) => Some(Order::SetNeeded(needed)),
            Effect::StopRuntime => Some(Order::Sleep),
            Effect::TellAccount(_) => None,
            Effect::StartMayor(_) | Effect::SwapMayor(_) => {
                order::mayor(state, &[], Nonce::from_u32(1)).map(|o| Order::Start(Box::new(o)))
            }
            Effect::QueryMayor(_) => session.map(Order::Query),
            Effect::StopMayor { assignment_id, epoch } => Some(Order::Stop(SessionKey { assignment_id, epoch })),
            Effect::PushToMayor(ids) => {
                session.map(|session| Order::Push(session, ids.iter().map(ToString::to_string).collect()))
            }
        };
        if let Some(order) = order {
            self.call(Happening::KeeperHears { from, order });
        }
    }

    /// A rig's messages arrive (`src/town/handlers.rs`, `deliver`).
    pub(crate) fn town_hears(&mut self, rig: RigNo, life: Life, batch: Batch<RigToTown>) {
        let rig_id = self.rigs[rig].rig_id;
        let events = vec![Event::RigAcknowledged(rig_id, batch.applied), Event::RigSaid(rig_id, batch.messages)];
        self.town_observes("a rig's word", events);
        if self.net.happens(self.faults.chance(Fault::TownCrash, 0.01)) {
            return self.town_crashes();
        }
        let state = self.town.rows();
        let reply = BatchReply {
            acknowledged: state.applied.get(&rig_id).copied().unwrap_or(0),
            messages: state.outboxes.get(&rig_id).map(Outbox::batch).unwrap_or_default(),
        };
        self.call(Happening::RigHearsBack { rig, life, reply });
    }

    pub(crate) fn town_hears_back(&mut self, rig: RigNo, life: Life, reply: BatchReply<RigToTown>) {
        if self.town.life != life {
            return;
        }
        let rig_id = self.rigs[rig].rig_id;
        let mut events = vec![Event::RigAcknowledged(rig_id, reply.acknowledged)];
        if !reply.messages.is_empty() {
            events.push(Event::RigSaid(rig_id, reply.messages));
        }
        self.town_observes("a rig's answer", events);
    }

    pub(crate) fn town_is_answered(&mut self, life: Life, answer: Answer) {
        if self.town.life != life {
            return;
        }
        let event = match answer {
            Answer::Start(key, answer) => Event::MayorStartAnswered(key, answer),
            Answer::Query(key, answer) => Event::MayorAnswered(key, answer),
            Answer::Delivered(key, ids) => Event::MayorReported(key, SessionFact::Delivered(ids)),
            Answer::Gone(key) => {
                let over = Over::Stopped("the runtime does not have it".to_owned());
                Event::MayorReported(key, SessionFact::Over(over))
            }
            Answer::Job(..) => return,
        };
        self.town_observes("an answer", vec![event]);
    }
}
