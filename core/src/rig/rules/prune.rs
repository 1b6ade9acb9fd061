//! R32: bounded storage. What is too old to keep is deleted, at most once an hour and only when the rig is awake anyway,
//! so that forgetting never wakes it.

use crate::limits::PRUNE_EVERY;
use crate::rig::plan::{Plan, Write};

pub(crate) fn run(plan: &mut Plan) {
    let now = plan.now();
    if plan.state().rig.pruned_at.is_none_or(|at| now.since(at) >= PRUNE_EVERY) {
        plan.update_rig(|rig| rig.pruned_at = Some(now));
        plan.write(Write::Prune(now));
    }
}
