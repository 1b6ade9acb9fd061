//! T8: the runtime runs when it is useful: a slot is granted, a job is live in a rig, or the mayor is wanted. Its
//! keeper is told when that changes.

use crate::town::plan::{Effect, Plan, Write};
use crate::town::state::{MayorPhase, Runtime, State};

pub(crate) fn run(plan: &mut Plan) {
    let state = plan.state();
    let is_needed = is_needed(state);
    if is_needed && !state.runtime.is_awake {
        let runtime = Runtime { is_awake: true, quiet_since: None, ..state.runtime };
        plan.write(Write::Runtime(runtime));
    }
    let told = plan.state().needed;
    if told != Some(is_needed) && (is_needed || told.is_some()) {
        plan.set_needed(is_needed);
        plan.effect(Effect::SetRuntimeNeeded(is_needed));
    }
}

fn is_needed(state: &State) -> bool {
    let has_mayor = match state.mayor.phase {
        MayorPhase::Starting | MayorPhase::Running => true,
        // A session that is being put to sleep with its runtime needs no other one.
        MayorPhase::Finishing => state.runtime.is_awake,
        MayorPhase::Absent => false,
    };
    has_mayor || has_work(state) || state.mayor.wanted_at.is_some() || state.calls_the_mayor()
}

/// Sessions or jobs of rigs.
pub(super) fn has_work(state: &State) -> bool {
    let has_sessions = state.slots.values().any(|slot| slot.granted_at.is_some());
    has_sessions || state.rigs.values().any(|rig| rig.activity.needs_container())
}
