//! T8: the runtime runs when it is useful: a slot is granted, a job is live in a rig, or the mayor is wanted. Its
//! keeper is told when that changes.

use crate::town::plan::{Effect, Plan};
use crate::town::state::MayorPhase;

pub(crate) fn run(plan: &mut Plan) {
    let state = plan.state();
    let has_sessions = state.slots.values().any(|slot| slot.granted_at.is_some());
    let has_work = state.rigs.values().any(|rig| rig.activity.needs_container());
    let has_mayor = state.mayor.phase != MayorPhase::Absent || !state.waiting_messages().is_empty();
    let is_needed = has_sessions || has_work || has_mayor;
    if state.needed != Some(is_needed) && (is_needed || state.needed.is_some()) {
        plan.set_needed(is_needed);
        plan.effect(Effect::SetRuntimeNeeded(is_needed));
    }
}
