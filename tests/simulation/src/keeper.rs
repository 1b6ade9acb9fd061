//! The keeper of the runtime (`src/town_container`): lives by the rules of `core::container` (K1 to K4), hands orders to
//! the process that runs now, attaches one that is a stranger, and passes reports on. The process is a container of the
//! town's own, which the keeper starts and ends, or stands at an address, where somebody else does.

use std::time::Duration;

use gastown_core::container::{self, Effect, Event, Life, Phase};
use gastown_core::id::InstanceId;
use gastown_core::limits::{PING_FAILURES, RESTART_AFTER, RESTARTS_MAX, RESTARTS_WINDOW};
use gastown_core::session::{JobAnswer, SessionAnswer, SessionKey, StartAnswer};
use gastown_core::time::Timestamp;
use gastown_core::town;

use crate::faults::Fault;
use crate::happening::{Answer, Caller, Happening, Order};
use crate::world::World;

/// What the keeper knows.
pub(crate) struct Keeper {
    /// The instance that was attached; in memory only.
    attached: Option<InstanceId>,
    /// The instance whose reports are taken; on disk.
    pub(crate) known: Option<InstanceId>,
    /// On disk.
    pub(crate) life: Life,
    pub(crate) alarm: Option<Timestamp>,
    /// Effects of an earlier life of the object are lost.
    turns: u32,
    object: u32,
    /// When it restarted the process.
    restarts: Vec<Timestamp>,
}

/// The runtime sleeps within this, or is ended.
const SLEEP_LIMIT: Duration = Duration::from_secs(35);

impl Keeper {
    pub(crate) const fn new(now: Timestamp) -> Self {
        let life = Life::new(now);
        Self { attached: None, known: None, life, alarm: None, turns: 0, object: 0, restarts: Vec::new() }
    }
}

impl World {
    pub(crate) fn keeper_crashes(&mut self) {
        self.note(|| "the runtime's keeper crashes".to_owned());
        self.keeper.attached = None;
        self.keeper.object += 1;
    }

    /// Its alarm.
    pub(crate) fn keeper_looks(&mut self, turn: u32) {
        if self.keeper.turns == turn && self.keeper.alarm.take().is_some() {
            self.keeper_steps(None);
        }
    }

    /// One fact, or a look without news (`watch::step`).
    fn keeper_steps(&mut self, event: Option<Event>) {
        let (before, now) = (self.keeper.life.clone(), self.now);
        let planned = match event {
            Some(event) => container::observe(before.clone(), now, event),
            None => container::plan(before.clone(), now),
        };
        let again = container::plan(planned.life.clone(), now);
        if again.life != planned.life || !again.effects.is_empty() {
            self.violated(format!("20: keeper: a second plan is not empty: {:?}", again.effects));
        }
        if planned.life.phase != before.phase {
            self.note(|| format!("keeper: the runtime is {}", planned.life.phase));
        }
        self.restarts_are_bounded(&before, planned.life.is_needed, &planned.effects);
        self.keeper.life = planned.life;
        self.keeper.turns += 1;
        self.keeper.alarm = planned.wake_at;
        let (turn, object) = (self.keeper.turns, self.keeper.object);
        if let Some(at) = planned.wake_at {
            self.queue.add(at.max(now), Happening::KeeperLooks { turn });
        }
        for effect in planned.effects {
            if self.net.happens(self.faults.chance(Fault::KeeperCrash, 0.01)) {
                return self.keeper_crashes();
            }
            self.queue.add(now, Happening::KeeperActs { object, effect });
        }
    }

    /// K3: a restart follows failed pings, over a while, and there are few of them.
    fn restarts_are_bounded(&mut self, before: &Life, is_needed: bool, effects: &[Effect]) {
        if !effects.contains(&Effect::Restart) {
            return;
        }
        let now = self.now;
        let recent = self.keeper.restarts.iter().filter(|at| now.since(**at) < RESTARTS_WINDOW).count();
        let newest = self.keeper.restarts.last().map(|at| now.since(*at));
        let first = before.first_failure_at.map(|at| now.since(at));
        let is_due = before.failures + 1 >= PING_FAILURES && first.is_some_and(|span| span >= RESTART_AFTER);
        // The window begins with its first restart, so that two windows can touch.
        let most = usize::try_from(RESTARTS_MAX * 2).unwrap_or(usize::MAX);
        if !is_needed || !is_due || recent >= most || newest.is_some_and(|span| span < RESTART_AFTER) {
            self.violated(format!("K3: the runtime is restarted out of turn, after {} failures", before.failures));
        }
        self.keeper.restarts.push(now);
    }

    /// One effect of one life of the object.
    pub(crate) fn keeper_acts(&mut self, object: u32, effect: Effect) {
        if self.keeper.object != object {
            return;
        }
        match effect {
            Effect::Start => self.keeper_starts(),
            Effect::Ping => self.keeper_pings(),
            Effect::Restart => {
                self.note(|| "keeper: restart".to_owned());
                self.keeper_destroys();
                self.keeper_starts();
            }
            Effect::End => self.keeper_destroys(),
            Effect::TellStartFailed(message) => {
                let event = town::Event::RuntimeStartFailed { code: "runtime_unavailable".to_owned(), message };
                self.town_observes("the runtime does not start", vec![event]);
            }
            Effect::TellExhausted => {
                let event = town::Event::RuntimeExhausted("It does not answer.".to_owned());
                self.town_observes("the runtime is given up", vec![event]);
            }
            Effect::TellRecovered => drop(self.town_observes("it answers again", vec![town::Event::RuntimeRecovered])),
        }
    }

    fn keeper_starts(&mut self) {
        if self.attach() && self.keeper.life.phase == Phase::Starting {
            self.keeper_steps(Some(Event::Attached));
        }
    }

    /// A container of the town's own ends; what stands at an address is nobody's to end.
    fn keeper_destroys(&mut self) {
        self.keeper.attached = None;
        if self.runtime.is_own {
            self.runtime_is_destroyed();
        }
    }

    /// Asks whether it lives (`watch::ping`).
    fn keeper_pings(&mut self) {
        let known = self.keeper.attached;
        if !self.is_reached() {
            self.keeper.attached = None;
            return self.keeper_steps(Some(Event::PingFailed));
        }
        let (instance_id, knows_town) = (self.runtime.instance_id, self.runtime.knows_town);
        if self.keeper.life.end_by.is_some() {
            let has_ended = !knows_town && !self.runtime.is_own;
            return self.keeper_steps(Some(if has_ended { Event::Ended } else { Event::Heard }));
        }
        let is_same = self.keeper.known == Some(instance_id);
        if (known == Some(instance_id) && knows_town) || (is_same && self.keeper.life.phase == Phase::Draining) {
            return self.keeper_steps(Some(Event::Heard));
        }
        self.keeper.attached = None;
        self.attach();
    }

    /// Whether a control call is answered. Calling starts a container that does not run.
    fn is_reached(&mut self) -> bool {
        if self.runtime.is_own && !self.runtime.is_up {
            self.runtime_is_started();
        }
        let is_lost = self.net.happens(self.faults.chance(Fault::Lost, 0.05));
        self.runtime.is_up && !self.runtime.is_wedged && !is_lost
    }

    /// Makes the present process usable (`keeper.rs`, `attach`); false when there is none.
    fn attach(&mut self) -> bool {
        if self.keeper.attached.is_some() {
            return true;
        }
        if self.keeper.life.end_by.is_some() {
            return false;
        }
        let is_reached = self.is_reached();
        if is_reached {
            let instance_id = self.runtime.instance_id;
            self.keeper.known = Some(instance_id);
            self.runtime.knows_town = true;
            self.note(|| format!("instance {} is attached", instance_id.short()));
            self.town_observes("an instance was seen", vec![town::Event::InstanceSeen(instance_id)]);
            self.keeper.attached = Some(instance_id);
        }
        let is_starting = self.keeper.life.phase == Phase::Starting;
        self.keeper_steps(Some(match is_reached {
            true => Event::Attached,
            false if is_starting => Event::StartFailed("The agent runtime does not answer".to_owned()),
            false => Event::PingFailed,
        }));
        if is_reached {
            self.reports_leave(self.runtime.instance_id);
        }
        is_reached
    }

    /// The runtime called: it lives.
    pub(crate) fn keeper_is_called(&mut self) {
        let life = &mut self.keeper.life;
        if life.failures > 0 || life.is_exhausted_told {
            return self.keeper_steps(Some(Event::Heard));
        }
        life.last_ok_at = Some(self.now);
    }

    /// Nothing needs the runtime (`orders.rs`, `sleep`).
    fn keeper_sends_to_sleep(&mut self) {
        self.note(|| "the runtime sleeps".to_owned());
        self.keeper_steps(Some(Event::Needed(false)));
        let ends = self.keeper.life.end_by.is_some();
        if !ends && (self.runtime.is_up || !self.runtime.is_own) {
            self.attach();
        }
        let was_attached = self.keeper.attached.take().is_some();
        if !was_attached && !ends {
            self.keeper_destroys();
        } else if was_attached && self.is_reached() {
            self.runtime_sleeps();
        }
        let end_by = self.now + SLEEP_LIMIT;
        self.keeper_steps(Some(if was_attached { Event::ToldToEnd(end_by) } else { Event::Ended }));
    }

    /// One order.
    pub(crate) fn keeper_hears(&mut self, from: Caller, order: Order) {
        if self.net.happens(self.faults.chance(Fault::KeeperCrash, 0.01)) {
            return self.keeper_crashes();
        }
        match order {
            Order::SetNeeded(is_needed) => {
                self.keeper_steps(Some(Event::Needed(is_needed)));
                let runs = matches!(self.keeper.life.phase, Phase::Running | Phase::Unhealthy);
                if is_needed && runs {
                    self.attach();
                }
            }
            Order::Sleep => self.keeper_sends_to_sleep(),
            order => self.keeper_hands_over(from, order),
        }
    }

    fn keeper_hands_over(&mut self, from: Caller, order: Order) {
        if !self.attach() {
            // Silence: only a start is told so, as "not now".
            if let Order::Start(order) = order {
                let key = SessionKey { assignment_id: order.assignment.assignment_id, epoch: order.assignment.epoch };
                let answer = StartAnswer::NotNow("The agent runtime does not answer".to_owned());
                self.answer(from, Answer::Start(key, answer));
            }
            return;
        }
        if !self.is_reached() {
            return self.was_not_answered(Happening::KeeperHears { from, order });
        }
        if self.keeper.attached != Some(self.runtime.instance_id) || !self.runtime.knows_town {
            // Another life, or one that has forgotten the town, says so; it is attached, and asked again.
            self.keeper.attached = None;
            if !self.attach() {
                return self.was_not_answered(Happening::KeeperHears { from, order });
            }
        }
        self.runtime_obeys(from, order);
    }

    fn runtime_obeys(&mut self, from: Caller, order: Order) {
        let instance_id = self.runtime.instance_id;
        match order {
            Order::Start(order) => {
                let key = SessionKey { assignment_id: order.assignment.assignment_id, epoch: order.assignment.epoch };
                let answer = self.runtime_starts(*order);
                self.answer(from, Answer::Start(key, answer));
            }
            Order::Stop(key) => {
                if !self.runtime_stops(key, "stopped") {
                    self.answer(from, Answer::Gone(key));
                }
            }
            Order::Query(key) => {
                let answer = match self.runtime.live(key) {
                    Some(_) => SessionAnswer::Alive(instance_id),
                    None => SessionAnswer::Gone("the runtime does not have the session".to_owned()),
                };
                self.answer(from, Answer::Query(key, answer));
            }
            Order::WrapUp(key) => self.runtime_asks(key),
            Order::Job(order) => {
                let job_id = order.job_id;
                if self.runtime_runs(*order) {
                    self.answer(from, Answer::Job(job_id, JobAnswer::Accepted));
                }
            }
            Order::CancelJob(job_id) => self.runtime_cancels(job_id),
            Order::Push(key, messages) => {
                let taken = self.runtime_takes(key, messages);
                if !taken.is_empty() {
                    self.answer(from, Answer::Delivered(key, taken));
                }
            }
            Order::SetNeeded(_) | Order::Sleep => (),
        }
    }

    fn answer(&mut self, to: Caller, answer: Answer) {
        self.call(Happening::KeeperAnswers { to, answer });
    }

    /// An answer arrives.
    pub(crate) fn keeper_answers(&mut self, to: Caller, answer: Answer) {
        match to {
            Caller::Rig(rig, life) => self.rig_is_answered(rig, life, answer),
            Caller::Town(life) => self.town_is_answered(life, answer),
        }
    }

    /// The runtime says that it ends.
    pub(crate) fn eviction_is_said(&mut self, instance_id: InstanceId) {
        if self.keeper.known == Some(instance_id) {
            self.keeper_is_called();
            self.keeper_steps(Some(Event::Drains));
        }
        self.town_observes("the runtime ends", vec![town::Event::InstanceEvicted(instance_id)]);
    }

    /// A call of the runtime to the Worker takes this long to be tried again.
    pub(crate) fn pause(&mut self, tries: u32) -> Duration {
        Duration::from_secs(1 << tries.min(5))
    }
}
