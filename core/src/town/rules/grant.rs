//! T6: permission to start sessions, town-wide: by priority, then age, then id, up to the town's number of sessions.

use std::cmp::Reverse;

use crate::config::effective_town;
use crate::protocol::TownToRig;
use crate::town::plan::{Plan, Write};
use crate::town::state::{Slot, TownStatus};

pub(crate) fn run(plan: &mut Plan) {
    if plan.state().town.status != TownStatus::Active || plan.state().drain.is_draining {
        return;
    }
    let max = usize::try_from(effective_town(&plan.state().town.config).max_sessions).unwrap_or(usize::MAX);
    let granted = plan.state().slots.values().filter(|slot| slot.granted_at.is_some()).count();
    let mut asked: Vec<Slot> = plan.state().slots.values().filter(|slot| slot.granted_at.is_none()).cloned().collect();
    asked.sort_by_key(|slot| (Reverse(slot.priority), slot.age_at, slot.assignment_id));
    for slot in asked.into_iter().take(max.saturating_sub(granted)) {
        let now = plan.now();
        plan.post(slot.rig_id, TownToRig::GrantSlot { assignment_id: slot.assignment_id, probe: slot.is_probe });
        plan.write(Write::Slot(Slot { granted_at: Some(now), ..slot }));
    }
}
