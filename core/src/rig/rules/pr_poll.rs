//! R13: pull requests are followed. Each is asked for at its time, in every live state of its review, also while the town
//! is paused or drains: a question starts nothing.

use crate::id::BeadId;
use crate::rig::plan::Plan;
use crate::rig::pr;

pub(crate) fn run(plan: &mut Plan) {
    let now = plan.now();
    let due: Vec<BeadId> = plan
        .state()
        .watches
        .values()
        .filter(|watch| watch.is_open() && watch.poll_at <= now)
        .filter(|watch| plan.state().reviews.get(&watch.review_id).is_some_and(|review| review.is_live()))
        .map(|watch| watch.review_id)
        .collect();
    for review_id in due {
        pr::poll(plan, review_id);
    }
}
