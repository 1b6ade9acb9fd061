//! T20: what nobody answers is not forgotten: an open escalation gets louder 4, 8 and 12 hours after it was raised, until
//! it is critical.

use crate::protocol::Severity;
use crate::town::escalation;
use crate::town::plan::Plan;

pub(crate) fn run(plan: &mut Plan) {
    let now = plan.now();
    let due: Vec<String> = plan
        .state()
        .escalations
        .values()
        .filter(|open| open.is_open() && open.severity != Severity::Critical)
        .filter(|open| open.next_raise_at.is_some_and(|at| at <= now))
        .map(|open| open.dedup_key.clone())
        .collect();
    for dedup_key in due {
        escalation::raise_by_time(plan, &dedup_key);
    }
}
