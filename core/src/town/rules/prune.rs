//! T25: bounded storage. Rows older than they are kept are dropped, at most once an hour, and only when the town is awake
//! anyway.

use crate::limits::PRUNE_EVERY;
use crate::town::plan::{Plan, Write};
use crate::town::state::Runtime;

pub(crate) fn run(plan: &mut Plan) {
    let (now, runtime) = (plan.now(), plan.state().runtime);
    let is_due = runtime.pruned_at.is_none_or(|at| now.since(at) >= PRUNE_EVERY);
    if is_due && !plan.is_empty() {
        plan.write(Write::Prune(now));
        plan.write(Write::Runtime(Runtime { pruned_at: Some(now), ..runtime }));
    }
}
