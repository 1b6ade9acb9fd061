//! R15: with code review off, queued work is approved by policy (domain.md 7.3); landings and the tasks of review-and-merge
//! convoys are always reviewed. Gates guard the merge in every case.

use crate::id::BeadId;
use crate::rig::plan::Plan;
use crate::rig::pr;
use crate::rig::review::{self, ReviewState};

pub(crate) fn run(plan: &mut Plan) {
    let queued: Vec<BeadId> = plan
        .state()
        .reviews
        .values()
        .filter(|review| review.is_live() && review.state == ReviewState::Queued && !pr::needs_review(plan, review))
        .filter(|review| plan.state().live_bead(review.bead_id).is_some_and(|bead| bead.parked.is_none()))
        .filter(|review| review.head_commit.is_some() && super::gates::is_green(plan, review))
        .map(|review| review.bead_id)
        .collect();
    for review_id in queued {
        review::approve(plan, review_id, "policy");
    }
}
