//! One town with everything around it, and the loop that lets it live.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use gastown_core::id::{AgentId, BeadId, InstanceId, RigId, TownId};
use gastown_core::limits::{AGENT_IDLE, HEARTBEAT};
use gastown_core::models::Catalogue;
use gastown_core::session::{SessionKey, StartAnswer};
use gastown_core::time::Timestamp;

use crate::chance::Chance;
use crate::check;
use crate::faults::{Fault, Faults};
use crate::forge::{self, Forge};
use crate::git::Remote;
use crate::happening::{Answer, Caller, Happening, Order};
use crate::keeper::Keeper;
use crate::messages::Letters;
use crate::people::{ACTIVE, Deed, People};
use crate::queue::Queue;
use crate::rig::RigObject;
use crate::runtime::Runtime;
use crate::timeline::Timeline;
use crate::town::TownObject;
use crate::{Options, Stats};

/// Everything.
pub(crate) struct World {
    pub(crate) start: Timestamp,
    pub(crate) now: Timestamp,
    pub(crate) queue: Queue,
    pub(crate) faults: Faults,
    pub(crate) is_healed: bool,
    pub(crate) town: TownObject,
    pub(crate) rigs: Vec<RigObject>,
    pub(crate) keeper: Keeper,
    pub(crate) runtime: Runtime,
    pub(crate) remotes: Vec<Remote>,
    pub(crate) forges: Vec<Forge>,
    pub(crate) people: People,
    pub(crate) letters: Letters,
    /// When a rig was last told that something is wrong with a pull request.
    pub(crate) bad_news: BTreeMap<BeadId, Timestamp>,
    pub(crate) ids: Chance,
    pub(crate) net: Chance,
    pub(crate) runtime_chance: Chance,
    pub(crate) people_chance: Chance,
    pub(crate) town_chance: Chance,
    /// Whether orders may have been lost; an order to sleep is not given again.
    pub(crate) loses_orders: bool,
    pub(crate) forge_chance: Chance,
    pub(crate) timeline: Timeline,
    pub(crate) violation: Option<String>,
    pub(crate) stats: Stats,
    pub(crate) commits: u64,
}

/// The deployment's models.
pub(crate) fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| Catalogue::load(None).expect("the deployment's own catalogue is readable"))
}

/// Noon of some day; some runs begin shortly before midnight.
const START: Timestamp = Timestamp::from_ms(1_767_268_800_000);
/// Without faults everything comes to its end within this.
const PATIENCE: Duration = Duration::from_secs(12 * 3600);

impl World {
    /// The world of a seed, before anything has happened.
    pub(crate) fn new(seed: u64, options: &Options) -> Self {
        let (mut ids, mut town_chance) = (Chance::new(seed, 2), Chance::new(seed, 6));
        let is_evening = town_chance.happens(0.5);
        let later = if is_evening { 8 * 3_600_000 + town_chance.between(0, 230 * 60_000) } else { 0 };
        let start = START + Duration::from_millis(later);
        let town = TownObject::new(TownId::from_u128(ids.id()), AgentId::from_u128(ids.id()), start);
        let rigs: Vec<RigObject> = (0..ids.between(2, 3)).map(|_| RigObject::new(RigId::from_u128(ids.id()))).collect();
        let remotes = (0..rigs.len()).map(|place| Remote::new(u8::try_from(place).unwrap_or(0) + 1)).collect();
        let forges = rigs.iter().map(|_| Forge::default()).collect();
        let (keeps_disk, is_own) = (ids.happens(0.5), ids.happens(0.6));
        let runtime = Runtime::new(InstanceId::from_u128(ids.id()), keeps_disk, is_own);
        let mut world = Self {
            start,
            now: start,
            queue: Queue::default(),
            faults: Faults::draw(seed, &options.off),
            is_healed: false,
            town,
            rigs,
            keeper: Keeper::new(start),
            runtime,
            remotes,
            forges,
            people: People::default(),
            letters: Letters::default(),
            bad_news: BTreeMap::new(),
            ids,
            net: Chance::new(seed, 3),
            runtime_chance: Chance::new(seed, 4),
            people_chance: Chance::new(seed, 5),
            forge_chance: Chance::new(seed, 7),
            town_chance,
            loses_orders: false,
            timeline: Timeline::new(options.is_told),
            violation: None,
            stats: Stats::default(),
            commits: 0,
        };
        let loses = [Fault::Lost, Fault::Late, Fault::TownCrash, Fault::KeeperCrash];
        world.loses_orders = loses.iter().any(|fault| world.faults.strength(*fault) > 0.0);
        world.plan_the_day(options.beads);
        world
    }

    fn plan_the_day(&mut self, beads: u32) {
        self.people_arrive(beads);
        self.convoys_arrive(beads);
        self.budgets_arrive();
        let instance_id = self.runtime.instance_id;
        self.queue.add(self.start + HEARTBEAT, Happening::RuntimeBeats { instance_id, is_early: false });
        let active_ms = u64::try_from(ACTIVE.as_millis()).unwrap_or(u64::MAX);
        let mut blows: Vec<Happening> = Vec::new();
        blows.extend((0..self.times(Fault::RuntimeCrash, 1.0)).map(|_| Happening::RuntimeDies));
        blows.extend((0..self.times(Fault::Wedge, 1.0)).map(|_| Happening::RuntimeWedges));
        blows.extend((0..self.times(Fault::Drain, 1.0)).map(|_| Happening::RuntimeDrains));
        blows.extend((0..self.times(Fault::ClockJump, 1.0)).map(|_| Happening::ClockJumps));
        blows.extend((0..self.times(Fault::TownCrash, 2.0)).map(|_| Happening::TownCrashes));
        blows.extend((0..self.times(Fault::KeeperCrash, 2.0)).map(|_| Happening::KeeperCrashes));
        for rig in 0..self.rigs.len() {
            blows.extend((0..self.times(Fault::RigCrash, 2.0)).map(|_| Happening::RigCrashes { rig }));
            blows.extend((0..self.times(Fault::LostBranch, 0.5)).map(|_| Happening::BranchLost { rig }));
            blows.extend((0..self.times(Fault::Forge, 0.5)).map(|_| Happening::ForgeSuffers { rig }));
        }
        for blow in blows {
            let at = self.start + Duration::from_millis(self.people_chance.between(10_000, active_ms));
            self.queue.add(at, blow);
        }
        self.queue.add(self.start + ACTIVE, Happening::Heal);
    }

    /// Lives until everything has come to rest, a sentence is violated, or patience ends.
    pub(crate) fn run(&mut self) {
        let mut quiet_at: Option<Timestamp> = None;
        while self.violation.is_none() {
            let Some((at, happening)) = self.queue.next() else { break };
            self.now = self.now.max(at);
            let looks = self.is_healed && matches!(happening, Happening::Look);
            self.happens(happening);
            if !looks {
                continue;
            }
            for rig in 0..self.rigs.len() {
                // Whoever looks at a rig that has lost its memory wants to know why its beads wait.
                if self.rigs[rig].memory().is_none() {
                    self.rig_looks(rig);
                }
            }
            quiet_at = quiet_at.or(Some(self.now)).filter(|_| check::is_quiet(self));
            if quiet_at.is_some_and(|at| self.now.since(at) > AGENT_IDLE + HEARTBEAT) || self.is_too_late() {
                break;
            }
        }
        if self.violation.is_none() {
            check::at_rest(self);
        }
        check::count(self);
    }

    fn is_too_late(&self) -> bool {
        self.now.since(self.start) > ACTIVE + PATIENCE
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::RigAlarm { rig, turn } => self.rig_alarm(rig, turn),
            Happening::RigActs { rig, life, effect } => self.rig_act(rig, life, effect),
            Happening::RigCrashes { rig } => self.rig_crashes(rig),
            Happening::TownAlarm { turn } => self.town_alarm(turn),
            Happening::TownActs { life, effect } => self.town_act(life, effect),
            Happening::TownCrashes => self.town_crashes(),
            Happening::TownHears { rig, life, batch } => self.town_hears(rig, life, batch),
            Happening::RigHearsBack { rig, life, reply } => self.rig_hears_back(rig, life, reply),
            Happening::RigHears { rig, life, batch } => self.rig_hears(rig, life, batch),
            Happening::TownHearsBack { rig, life, reply } => self.town_hears_back(rig, life, reply),
            Happening::KeeperHears { from, order } => self.keeper_hears(from, order),
            Happening::KeeperAnswers { to, answer } => self.keeper_answers(to, answer),
            Happening::KeeperLooks { turn } => self.keeper_looks(turn),
            Happening::KeeperCrashes => self.keeper_crashes(),
            Happening::RuntimeBoots => self.runtime_boots(),
            Happening::RuntimeDies => self.runtime_dies(),
            Happening::KeeperActs { object, effect } => self.keeper_acts(object, effect),
            Happening::RuntimeWedges => self.runtime_wedges(),
            Happening::RuntimeRecovers { instance_id } => self.runtime_recovers(instance_id),
            Happening::RuntimeExits { instance_id } => self.runtime_exits(instance_id),
            Happening::RigWiped { rig } => self.rig_is_wiped(rig),
            Happening::RuntimeDrains => self.runtime_drains(),
            Happening::RuntimeSaysEviction { instance_id } => self.eviction_is_said(instance_id),
            Happening::RuntimeBeats { instance_id, is_early } => self.runtime_beats(instance_id, is_early),
            Happening::BeatsArrive { instance_id } => self.beats_arrive(instance_id),
            Happening::ReportsLeave { instance_id } => self.reports_leave_again(instance_id),
            Happening::ReportsArrive { instance_id, reports } => self.reports_arrive(instance_id, reports),
            Happening::ReportsAnswered { instance_id, last, stale } => self.reports_answered(instance_id, last, stale),
            Happening::SessionMoves { instance_id, key, turn } => self.session_moves(instance_id, key, turn),
            Happening::JobMoves { instance_id, job_id } => self.job_moves(instance_id, job_id),
            Happening::AgentCalls { key, call, tries } => self.agent_call_arrives(key, call, tries),
            Happening::AgentHears { key, call, tries, heard } => self.agent_hears(key, call, tries, heard),
            Happening::ForgeHears { rig, life, ask } => self.forge_hears(rig, life, ask),
            Happening::ForgeAnswers { rig, life, ask, fact } => self.forge_answers(rig, life, &ask, fact),
            Happening::ForgeSuffers { rig } => self.forge_suffers(rig),
            Happening::ForgeMends { rig } => self.forge_mends(rig),
            Happening::PersonActs { deed } => self.person_acts(deed),
            Happening::BranchLost { rig } => {
                if let Some(branch) = self.remotes[rig].lose_branch(&mut self.runtime_chance) {
                    self.note(|| format!("rig {rig}: branch {branch} is deleted on the remote"));
                }
            }
            Happening::ClockJumps => {
                let span = self.people_chance.span(10_000, 40 * 60_000);
                self.now = self.now + span;
                self.note(|| format!("the clock jumps by {} s", span.as_secs()));
            }
            Happening::Heal => self.heal(),
            Happening::Look => self.queue.add(self.now + HEARTBEAT, Happening::Look),
        }
    }

    /// From here on nothing goes wrong, and nobody changes anything.
    fn heal(&mut self) {
        self.note(|| "everything heals".to_owned());
        self.is_healed = true;
        self.faults.cease();
        self.queue.add(self.now + HEARTBEAT, Happening::Look);
        self.runtime.is_wedged = false;
        self.forges.iter_mut().for_each(Forge::heal);
        self.person_acts_at_last(Deed::Pause(false));
    }

    fn person_acts_at_last(&mut self, deed: Deed) {
        self.is_healed = false;
        self.person_acts(deed);
        self.is_healed = true;
    }

    /// Sends a call or an answer over the network, which may lose, double or delay it.
    pub(crate) fn call(&mut self, happening: Happening) {
        if self.runtime.is_wedged && is_of_runtime(&happening) {
            return;
        }
        if self.net.happens(self.faults.chance(Fault::Lost, 0.05)) {
            self.note(|| format!("lost: {}", brief(&happening)));
            return self.was_not_answered(happening);
        }
        let delay = self.delay();
        if self.net.happens(self.faults.chance(Fault::Doubled, 0.04)) && is_repeated(&happening) {
            let second = self.delay();
            self.queue.add(self.now + second, happening.clone());
        }
        self.queue.add(self.now + delay, happening);
    }

    fn delay(&mut self) -> Duration {
        if self.net.happens(self.faults.chance(Fault::Late, 0.04)) {
            return self.net.span(500, 180_000);
        }
        self.net.span(1, 60)
    }

    /// A caller that waits for an answer learns that there is none: the Town when it starts the mayor, a Rig of its forge,
    /// whether the call was lost or what it came to.
    pub(crate) fn was_not_answered(&mut self, happening: Happening) {
        match happening {
            Happening::KeeperHears { from: Caller::Town(life), order: Order::Start(order) } => {
                let key = SessionKey { assignment_id: order.assignment.assignment_id, epoch: order.assignment.epoch };
                let answer = StartAnswer::NotNow("The runtime could not be asked.".to_owned());
                let answer = Answer::Start(key, answer);
                let at = self.now + Duration::from_secs(5);
                self.queue.add(at, Happening::KeeperAnswers { to: Caller::Town(life), answer });
            }
            Happening::ForgeHears { rig, life, ask } | Happening::ForgeAnswers { rig, life, ask, .. } => {
                let fact = forge::silence(&ask);
                self.queue.add(self.now + forge::PATIENCE, Happening::ForgeAnswers { rig, life, ask, fact });
            }
            _ => (),
        }
    }

    /// A line of the timeline.
    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        self.timeline.add(self.now, text);
    }

    /// A sentence does not hold. The first one counts.
    pub(crate) fn violated(&mut self, sentence: String) {
        if self.violation.is_none() {
            self.note(|| format!("VIOLATED {sentence}"));
            self.violation = Some(sentence);
        }
    }
}

/// Whether the runtime's process makes this call.
fn is_of_runtime(happening: &Happening) -> bool {
    matches!(
        happening,
        Happening::BeatsArrive { .. }
            | Happening::ReportsArrive { .. }
            | Happening::AgentCalls { .. }
            | Happening::RuntimeSaysEviction { .. }
    )
}

/// Answers go to whoever waits for them and are not repeated; calls may be.
fn is_repeated(happening: &Happening) -> bool {
    matches!(
        happening,
        Happening::TownHears { .. }
            | Happening::RigHears { .. }
            | Happening::KeeperHears { .. }
            | Happening::ReportsArrive { .. }
            | Happening::AgentCalls { .. }
            | Happening::ForgeHears { .. }
            | Happening::RuntimeSaysEviction { .. }
    )
}

fn brief(happening: &Happening) -> String {
    let mut text = format!("{happening:?}");
    text.truncate(text.char_indices().nth(160).map_or(text.len(), |(at, _)| at));
    text
}
