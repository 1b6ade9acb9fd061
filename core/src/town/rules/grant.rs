//! T6: permission to start sessions, town-wide: by priority, then age, then id, up to the town's number of sessions. A
//! half-open breaker lets exactly one through; work of a convoy without budget waits.

use std::cmp::Reverse;

use crate::breaker::BreakerState;
use crate::config::effective_town;
use crate::protocol::TownToRig;
use crate::town::plan::{Plan, Write};
use crate::town::state::{Slot, State, TownStatus};

pub(crate) fn run(plan: &mut Plan) {
    let state = plan.state();
    let free = free_places(state);
    if free == 0 {
        return;
    }
    let is_probe = state.breaker.state == BreakerState::HalfOpen;
    let exhausted = state.exhausted_convoys();
    let may_start = |slot: &&Slot| slot.convoy_id.is_none_or(|convoy_id| !exhausted.contains(&convoy_id));
    let asked = state.slots.values().filter(|slot| slot.granted_at.is_none());
    let mut asked: Vec<Slot> = asked.filter(may_start).cloned().collect();
    crate::sorted::sort_by_key(&mut asked, |slot| (Reverse(slot.priority), slot.age_at, slot.assignment_id));
    for slot in asked.into_iter().take(free) {
        let now = plan.now();
        plan.post(slot.rig_id, TownToRig::GrantSlot { assignment_id: slot.assignment_id, probe: is_probe });
        plan.write(Write::Slot(Slot { granted_at: Some(now), is_probe, ..slot }));
    }
}

fn free_places(state: &State) -> usize {
    let is_closed_to_all = state.town.status != TownStatus::Active
        || state.drain.is_draining
        || state.day_budget.is_reached
        || state.breaker.state == BreakerState::Open;
    if is_closed_to_all {
        return 0;
    }
    let max = usize::try_from(effective_town(&state.town.config).max_sessions).unwrap_or(usize::MAX);
    let granted = state.slots.values().filter(|slot| slot.granted_at.is_some());
    let free = max.saturating_sub(granted.clone().count());
    match state.breaker.state {
        BreakerState::Closed => free,
        BreakerState::HalfOpen => free.min(usize::from(!granted.clone().any(|slot| slot.is_probe))),
        BreakerState::Open => 0,
    }
}
