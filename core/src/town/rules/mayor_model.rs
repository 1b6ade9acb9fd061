//! T17: the mayor's model changes while it lives. When the settings name another one the session is swapped at once, with
//! the same conversation; when only the deployment's catalogue does, the swap waits for the end of the turn.

use crate::models::{Resolution, Task, resolve};
use crate::town::mayor;
use crate::town::plan::Plan;
use crate::town::state::{MayorActivity, MayorPhase, State};

pub(crate) fn run(plan: &mut Plan) {
    let state = plan.state();
    let resolution = resolution(plan);
    let differs = state.mayor.phase != MayorPhase::Absent && is_other(state, &resolution);
    if !differs {
        if state.mayor.is_swap_wanted {
            plan.update_mayor(|mayor| mayor.is_swap_wanted = false);
        }
        return;
    }
    let may_swap = state.mayor.is_swap_wanted || state.mayor.activity == MayorActivity::Waiting;
    if state.mayor.phase == MayorPhase::Running && may_swap && !state.drain.is_draining {
        mayor::swap(plan);
    }
}

/// What the mayor's next session runs with.
fn resolution(plan: &Plan) -> Resolution {
    resolve(&plan.state().town.config.models, plan.catalogue(), None, &Task::mayor())
}

fn is_other(state: &State, resolution: &Resolution) -> bool {
    state.mayor.model.as_ref() != Some(&resolution.model)
        || state.mayor.small_model.as_ref() != Some(&resolution.small_model)
}
