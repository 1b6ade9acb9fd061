//! Budgets, as people set them: of the town for a day, of convoys and of beads; and how they answer when one is used up.

use std::time::Duration;

use gastown_core::id::BeadId;
use gastown_core::rig;
use gastown_core::rig::bead::BUDGET;
use gastown_core::rig::command::BeadPatch;

use crate::convoys::COME_BACK;
use crate::faults::Fault;
use crate::happening::{Happening, RigNo};
use crate::people::{ACTIVE, Deed};
use crate::world::World;

/// What somebody does about money.
#[derive(Debug, Clone)]
pub(crate) enum BudgetDeed {
    /// The town's settings limit something, or nothing any more.
    Limit,
    /// One bead gets a limit of its own.
    LimitBead,
    /// Somebody decides about work whose budget is used up.
    Decide,
    /// The town may spend what it wants.
    Lift,
}

const HOUR: Duration = Duration::from_secs(3600);

impl World {
    /// Plans what people do about budgets on this day.
    pub(crate) fn budgets_arrive(&mut self) {
        if self.town_chance.happens(0.6) {
            return;
        }
        let active_ms = u64::try_from(ACTIVE.as_millis()).unwrap_or(u64::MAX);
        let mut deeds = vec![(self.town_chance.between(0, active_ms / 4), BudgetDeed::Limit)];
        for _ in 0..self.town_times(Fault::Config, 3.0) {
            deeds.push((self.town_chance.between(0, active_ms), BudgetDeed::Limit));
        }
        for _ in 0..self.town_times(Fault::Config, 3.0) {
            deeds.push((self.town_chance.between(60_000, active_ms), BudgetDeed::LimitBead));
        }
        for _ in 0..self.town_chance.between(0, 4) {
            deeds.push((self.town_chance.between(active_ms / 4, active_ms), BudgetDeed::Decide));
        }
        for minutes in COME_BACK {
            let at = active_ms + minutes * 60_000;
            deeds.extend((1..3).map(|n| (at + n * 15_000, BudgetDeed::Decide)));
        }
        for (at_ms, deed) in deeds {
            let at = self.now + Duration::from_millis(at_ms);
            self.queue.add(at, Happening::PersonActs { deed: Deed::Budget(deed) });
        }
        // Somebody lifts the limit of the day, or midnight does, and somebody lifts the next day's.
        let healed = self.now + ACTIVE;
        let midnight = self.now.next_day();
        let waits_for_midnight = midnight.since(healed) < HOUR * 4 && self.town_chance.happens(0.6);
        let lifted =
            if waits_for_midnight { midnight + HOUR } else { healed + self.town_chance.span(1_000, 7_000_000) };
        self.queue.add(lifted, Happening::PersonActs { deed: Deed::Budget(BudgetDeed::Lift) });
        let until = self.now + Duration::from_secs(60 * (40 + COME_BACK[COME_BACK.len() - 1]) + 120);
        self.people.answers_until = self.people.answers_until.max(Some(until)).max(Some(lifted + HOUR / 60));
    }

    pub(crate) fn acts_on_budgets(&mut self, deed: BudgetDeed) {
        match deed {
            BudgetDeed::Limit if self.is_healed => (),
            BudgetDeed::Limit => self.limit(),
            BudgetDeed::LimitBead if self.is_healed => (),
            BudgetDeed::LimitBead => self.limit_bead(),
            BudgetDeed::Decide => self.decide_about_budget(),
            BudgetDeed::Lift => {
                self.people.config.budget.town_daily_usd = None;
                self.people.config.budget.town_daily_tokens = None;
                self.configure_again(false);
            }
        }
    }

    fn limit(&mut self) {
        let chance = &mut self.town_chance;
        let budget = &mut self.people.config.budget;
        let mut dollars = |low: u64, high: u64| chance.between(low, high) as f64 / 100.0;
        let (day, convoy, bead) = (dollars(50, 1_500), dollars(30, 700), dollars(10, 250));
        match self.town_chance.between(0, 8) {
            0 | 1 => budget.town_daily_usd = Some(day),
            2 => budget.town_daily_tokens = Some((day * 300_000.0) as u64),
            3 => budget.convoy_usd = Some(convoy),
            4 => budget.bead_usd = Some(bead),
            5 => budget.bead_tokens = Some((bead * 300_000.0) as u64),
            6 => budget.warn_percent = Some(50),
            7 => (budget.bead_usd, budget.bead_tokens) = (None, None),
            _ => (budget.town_daily_usd, budget.convoy_usd) = (None, None),
        }
        self.configure_again(false);
    }

    fn limit_bead(&mut self) {
        let known = self.people.beads.clone();
        let Some(&(rig, bead_id)) = self.town_chance.pick(&known) else { return };
        let limit = self.town_chance.happens(0.7).then(|| self.town_chance.between(50_000, 2_500_000));
        self.give_budget(rig, bead_id, limit);
    }

    fn give_budget(&mut self, rig: RigNo, bead_id: BeadId, limit: Option<u64>) {
        let patch = BeadPatch { budget_micros: Some(limit), ..BeadPatch::default() };
        let command = rig::Command::UpdateBead { bead_id, patch, actor: "ann".to_owned() };
        self.rig_handles(rig, "a bead's budget", command);
    }

    /// Somebody raises the limit of a bead that waits for it, or gives the bead up.
    fn decide_about_budget(&mut self) {
        let mut waiting: Vec<(RigNo, BeadId, u64)> = Vec::new();
        for (rig, state) in self.rigs.iter().enumerate().filter_map(|(rig, object)| Some((rig, object.rows()?))) {
            let parked = state.beads.values().filter(|bead| bead.is_live());
            let spent = parked.filter(|bead| bead.parked.as_ref().is_some_and(|parked| parked.code == BUDGET));
            waiting.extend(spent.map(|bead| (rig, bead.bead_id, bead.cost_micros)));
        }
        let Some(&(rig, bead_id, spent)) = self.town_chance.pick(&waiting) else { return };
        let actor = "ann".to_owned();
        match self.town_chance.between(0, 5) {
            0 => drop(self.rig_handles(rig, "a close", rig::Command::CloseBead { bead_id, actor })),
            1 => {
                let command = rig::Command::FailBead { bead_id, reason: Some("Too dear.".to_owned()), actor };
                drop(self.rig_handles(rig, "a failure by hand", command));
            }
            _ => {
                let limit = spent + self.town_chance.between(100_000, 5_000_000);
                self.give_budget(rig, bead_id, Some(limit));
            }
        }
    }
}
