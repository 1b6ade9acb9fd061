//! R12: close the loop of a rework. A closed child brings the branch's new head back to the queue; a failed one puts
//! the review in front of a person.

use crate::rig::bead::{self, Bead, BeadStatus};
use crate::rig::event::REVIEW_CHOICES;
use crate::rig::plan::Plan;
use crate::rig::review::{self, Review, ReviewState};

pub(crate) fn run(plan: &mut Plan) {
    let ended: Vec<(Review, Bead)> = plan
        .state()
        .reviews
        .values()
        .filter(|review| review.is_live() && review.state == ReviewState::Reworking)
        .filter_map(|review| Some((review.clone(), plan.state().beads.get(&review.child_id?)?.clone())))
        .filter(|(_, child)| !child.is_live())
        .collect();
    for (review, child) in ended {
        plan.update_review(review.bead_id, |review| {
            review.child_id = None;
            review.head_commit = child.head_commit.or(review.head_commit.take());
        });
        review::move_to(plan, review.bead_id, ReviewState::Queued);
        if child.status == BeadStatus::Failed {
            let message = child.failure.map_or_else(|| "the rework failed".to_owned(), |failure| failure.message);
            let message = format!("\"{}\" failed: {message}", child.title);
            bead::park(plan, review.bead_id, "child_failed", &message, REVIEW_CHOICES);
        }
    }
}
