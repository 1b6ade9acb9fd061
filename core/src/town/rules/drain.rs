//! T2: a drain that nobody ends, ends by time, so that a runtime that never came back cannot hold the town.

use crate::limits::DRAIN_LIMIT;
use crate::town::plan::{Plan, Write};
use crate::town::state::Drain;

pub(crate) fn run(plan: &mut Plan) {
    let drain = &plan.state().drain;
    let is_over = drain.is_draining && drain.started_at.is_none_or(|at| plan.now().since(at) >= DRAIN_LIMIT);
    if is_over {
        let instance_id = drain.instance_id;
        plan.write(Write::Drain(Drain { instance_id, ..Drain::default() }));
    }
}
