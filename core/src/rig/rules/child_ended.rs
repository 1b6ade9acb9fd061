//! R12: close the loop of a rework, or of a repair on a pull request. A closed child brings the branch's new head back to the queue; a failed one puts
//! the review in front of a person.

use crate::rig::bead::{self, Bead, BeadStatus, REVIEW_CHOICES};
use crate::rig::plan::Plan;
use crate::rig::review::{self, Review};

pub(crate) fn run(plan: &mut Plan) {
    let ended: Vec<(Review, Bead)> = plan
        .state()
        .reviews
        .values()
        .filter(|review| review.is_live() && review.awaits_child())
        .filter_map(|review| Some((review.clone(), plan.state().beads.get(&review.child_id?)?.clone())))
        .filter(|(_, child)| !child.is_live())
        .collect();
    for (review, child) in ended {
        review::queue_again(plan, review.bead_id, child.head_commit);
        if child.status == BeadStatus::Failed {
            let message = child.failure.map_or_else(|| "the rework failed".to_owned(), |failure| failure.message);
            let message = format!("\"{}\" failed: {message}", child.title);
            bead::park(plan, review.bead_id, "child_failed", &message, REVIEW_CHOICES);
        }
    }
}
