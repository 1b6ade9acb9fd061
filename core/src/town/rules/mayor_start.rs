//! T15: whoever wants the mayor finds one. The session is started without the message; `mayor_deliver` brings it
//! afterwards. After too many failed starts only a person's new message tries again.

use crate::limits::{ATTEMPTS, START_LIMIT};
use crate::town::mayor;
use crate::town::plan::Plan;
use crate::town::state::MayorPhase;

pub(crate) fn run(plan: &mut Plan) {
    forget_old_wishes(plan);
    let state = plan.state();
    let is_wanted = state.mayor.wanted_at.is_some() || state.calls_the_mayor();
    let backs_off = state.mayor.not_before.is_some_and(|at| at > plan.now());
    if is_wanted && state.mayor.phase == MayorPhase::Absent && !backs_off && !state.drain.is_draining {
        mayor::start(plan);
    }
}

/// A dashboard that was opened long ago, or a mayor that cannot be started: nobody is waiting any more.
fn forget_old_wishes(plan: &mut Plan) {
    let mayor = &plan.state().mayor;
    let is_old = mayor.wanted_at.is_some_and(|at| plan.now().since(at) >= START_LIMIT);
    if is_old || (mayor.wanted_at.is_some() && mayor.start_failures >= ATTEMPTS) {
        plan.update_mayor(|mayor| mayor.wanted_at = None);
    }
}
