//! R15: with code review off, queued work is approved by policy (domain.md 7.3); landings, and tasks of convoys that
//! merge without one, are always reviewed. Gates guard the merge in every case.

use crate::id::BeadId;
use crate::rig::plan::Plan;
use crate::rig::review::{self, ReviewKind, ReviewState};

pub(crate) fn run(plan: &mut Plan) {
    let reviews_all = plan.state().rig.settings.as_ref().is_none_or(|settings| settings.config.code_review);
    if reviews_all {
        return;
    }
    let queued: Vec<BeadId> = plan
        .state()
        .reviews
        .values()
        .filter(|review| review.is_live() && review.state == ReviewState::Queued && review.kind == ReviewKind::Task)
        .filter(|review| !review.is_of_merging_convoy())
        .filter(|review| review.head_commit.is_some() && super::gates::is_green(plan, review))
        .map(|review| review.bead_id)
        .collect();
    for review_id in queued {
        review::approve(plan, review_id, "policy");
    }
}
