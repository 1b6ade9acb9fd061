//! R23: a review that waits has a refinery to wait for. It is registered with the rig's first review and stays.

use crate::rig::agent;
use crate::rig::plan::Plan;
use crate::rig::review::ReviewState;

pub(crate) fn run(plan: &mut Plan) {
    let waits = plan.state().reviews.values().any(|review| review.is_live() && review.state == ReviewState::Queued);
    if waits && plan.state().refinery().is_none() {
        agent::register_refinery(plan);
    }
}
