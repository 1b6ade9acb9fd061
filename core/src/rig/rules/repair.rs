//! R9: leave every impossible state. Each repair is recorded: it should never be needed, and if it is, a person can
//! see where.

use crate::id::BeadId;
use crate::rig::bead::{Bead, BeadStatus, BeadType};
use crate::rig::plan::{EventRow, Plan};
use crate::rig::pr::PrSub;
use crate::rig::review::{self, Review, ReviewState};

pub(crate) fn run(plan: &mut Plan) {
    let beads: Vec<(BeadId, BeadStatus)> =
        plan.state().beads.values().filter(|bead| is_impossible(plan, bead)).map(|b| (b.bead_id, b.status)).collect();
    for (bead_id, status) in beads {
        plan.update_bead(bead_id, |bead| bead.status = BeadStatus::Open);
        repaired(plan, bead_id, status.as_str(), BeadStatus::Open.as_str());
    }
    let reviews: Vec<(Review, ReviewState)> = plan
        .state()
        .reviews
        .values()
        .filter(|review| review.is_live())
        .filter_map(|review| Some((review.clone(), possible_state(plan, review)?)))
        .collect();
    for (review, state) in reviews {
        plan.update_review(review.bead_id, |review| review.child_id = None);
        review::move_to(plan, review.bead_id, state);
        repaired(plan, review.bead_id, review.state.as_str(), state.as_str());
    }
}

/// An issue in progress that nobody works on, or in review without a review.
fn is_impossible(plan: &Plan, bead: &Bead) -> bool {
    if bead.kind != BeadType::Issue {
        return false;
    }
    match bead.status {
        BeadStatus::InProgress => plan.state().assignment_of_bead(bead.bead_id).is_none() && !bead.is_claimed(),
        BeadStatus::InReview => plan.state().review_of_source(bead.bead_id).is_none(),
        BeadStatus::Open | BeadStatus::Closed | BeadStatus::Failed => false,
    }
}

/// The state that a review without its assignment, child or job goes back to.
fn possible_state(plan: &Plan, review: &Review) -> Option<ReviewState> {
    let state = plan.state();
    match review.state {
        ReviewState::Reviewing => state.assignment_of_bead(review.bead_id).is_none().then_some(ReviewState::Queued),
        ReviewState::PrOpen if review.sub != Some(PrSub::Fixing) => {
            (!state.watches.contains_key(&review.bead_id)).then_some(ReviewState::Approved)
        }
        ReviewState::Reworking | ReviewState::PrOpen => {
            let child_in_view = review.child_id.is_some_and(|child| state.beads.contains_key(&child));
            (!child_in_view).then_some(ReviewState::Queued)
        }
        ReviewState::Merging => {
            let is_out = state.live_jobs(review.bead_id).next().is_some() || review.forge_due.is_some();
            (!is_out).then_some(ReviewState::Approved)
        }
        ReviewState::Queued
        | ReviewState::ChangesRequested
        | ReviewState::Approved
        | ReviewState::Merged
        | ReviewState::Rejected => None,
    }
}

fn repaired(plan: &mut Plan, bead_id: BeadId, old: &str, new: &str) {
    let event = plan.event("repaired");
    plan.record(EventRow { bead_id: Some(bead_id), old: Some(old.to_owned()), new: Some(new.to_owned()), ..event });
}
