//! The keeper of the runtime (`src/town_container`): hands orders to the process that runs now, attaches one that is a
//! stranger, looks after it while it is needed, and passes reports on.

use std::time::Duration;

use gastown_core::id::InstanceId;
use gastown_core::limits::HEALTH_EVERY;
use gastown_core::session::{JobAnswer, SessionAnswer, SessionKey, StartAnswer};
use gastown_core::town;

use crate::faults::Fault;
use crate::happening::{Answer, Caller, Happening, Order};
use crate::world::World;

/// What the keeper knows.
#[derive(Default)]
pub(crate) struct Keeper {
    /// The instance that was attached; in memory only.
    attached: Option<InstanceId>,
    /// The instance whose reports are taken; on disk.
    pub(crate) known: Option<InstanceId>,
    is_needed: bool,
    turn: u32,
}

impl World {
    pub(crate) fn keeper_crashes(&mut self) {
        self.note(|| "the runtime's keeper crashes".to_owned());
        self.keeper.attached = None;
    }

    /// Looks at the runtime while it is needed.
    pub(crate) fn keeper_looks(&mut self, turn: u32) {
        if self.keeper.turn != turn || !self.keeper.is_needed {
            return;
        }
        if self.keeper.attached != Some(self.runtime.instance_id) {
            self.attach();
        }
        self.queue.add(self.now + HEALTH_EVERY, Happening::KeeperLooks { turn });
    }

    /// Makes the present process usable; false when there is none.
    fn attach(&mut self) -> bool {
        if !self.runtime.is_up {
            self.keeper.attached = None;
            return false;
        }
        let instance_id = self.runtime.instance_id;
        if self.keeper.attached == Some(instance_id) {
            return true;
        }
        if self.net.happens(self.faults.chance(Fault::Lost, 0.05)) {
            return false;
        }
        self.keeper.known = Some(instance_id);
        self.note(|| format!("instance {} is attached", instance_id.short()));
        self.town_observes("an instance was seen", vec![town::Event::InstanceSeen(instance_id)]);
        self.keeper.attached = Some(instance_id);
        self.reports_leave(instance_id);
        true
    }

    /// One order.
    pub(crate) fn keeper_hears(&mut self, from: Caller, order: Order) {
        if let Order::SetNeeded(is_needed) = order {
            self.keeper.is_needed = is_needed;
            self.keeper.turn += 1;
            let turn = self.keeper.turn;
            if is_needed {
                self.queue.add(self.now + HEALTH_EVERY, Happening::KeeperLooks { turn });
                self.attach();
            }
            return;
        }
        if matches!(order, Order::Sleep) {
            self.note(|| "the runtime sleeps".to_owned());
            self.keeper.attached = None;
            return self.runtime_sleeps();
        }
        if self.net.happens(self.faults.chance(Fault::KeeperCrash, 0.01)) {
            return self.keeper_crashes();
        }
        if !self.attach() {
            // Silence: only a start is told so, as "not now".
            if let Order::Start(order) = order {
                let key = SessionKey { assignment_id: order.assignment.assignment_id, epoch: order.assignment.epoch };
                let answer = StartAnswer::NotNow("The agent runtime does not answer".to_owned());
                self.answer(from, Answer::Start(key, answer));
            }
            return;
        }
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
        self.town_observes("the runtime ends", vec![town::Event::InstanceEvicted(instance_id)]);
    }

    /// A call of the runtime to the Worker takes this long to be tried again.
    pub(crate) fn pause(&mut self, tries: u32) -> Duration {
        Duration::from_secs(1 << tries.min(5))
    }
}
