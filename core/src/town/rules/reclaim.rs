//! T7: no leaked slot. A granted slot that its rig, in a report clearly younger than the grant, does not name is free.

use crate::id::AssignmentId;
use crate::limits::SLOT_RECLAIM;
use crate::town::plan::{Plan, Write};
use crate::town::state::{Slot, State};

pub(crate) fn run(plan: &mut Plan) {
    let state = plan.state();
    let leaked: Vec<AssignmentId> =
        state.slots.values().filter(|slot| is_leaked(state, slot)).map(|slot| slot.assignment_id).collect();
    for assignment_id in leaked {
        plan.write(Write::RemoveSlot(assignment_id));
    }
}

fn is_leaked(state: &State, slot: &Slot) -> bool {
    let Some(rig) = state.rigs.get(&slot.rig_id) else { return true };
    let (Some(granted), Some(reported)) = (slot.granted_at, rig.reported_at) else { return false };
    reported.since(granted) >= SLOT_RECLAIM && !rig.activity.live.contains(&slot.assignment_id)
}
