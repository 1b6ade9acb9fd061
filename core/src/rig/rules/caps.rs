//! R10: fruitless work ends (domain.md 5.5). An issue whose counter is at its cap fails with the reason; a review that
//! no session can be had for is put in front of a person.

use crate::id::BeadId;
use crate::limits::ATTEMPTS;
use crate::rig::bead::{self, Bead, BeadType, FailureCode, FailureSource, REVIEW_CHOICES};
use crate::rig::plan::Plan;
use crate::rig::review::ReviewState;

pub(crate) fn run(plan: &mut Plan) {
    let cap = plan.state().rig.settings.as_ref().map_or(ATTEMPTS, |settings| settings.config.max_dispatch_attempts);
    let at_cap: Vec<(BeadId, BeadType, FailureCode, u32)> = plan
        .state()
        .beads
        .values()
        .filter(|bead| bead.is_live() && bead.parked.is_none() && needs_sessions(plan, bead))
        .filter_map(|bead| bead.counter_at_cap(cap).map(|(code, count)| (bead.bead_id, bead.kind, code, count)))
        .collect();
    for (bead_id, kind, code, count) in at_cap {
        let message = words(code, count);
        match kind {
            BeadType::Issue | BeadType::Molecule => {
                bead::fail(plan, bead_id, code, &message, FailureSource::Reconciler, "caps");
            }
            BeadType::MergeRequest => bead::park(plan, bead_id, "review_unavailable", &message, REVIEW_CHOICES),
        }
    }
}

/// A review that is approved or merges waits for no session any more, whatever its counters say under a lowered cap.
fn needs_sessions(plan: &Plan, bead: &Bead) -> bool {
    let review = plan.state().reviews.get(&bead.bead_id);
    review.is_none_or(|review| matches!(review.state, ReviewState::Queued | ReviewState::Reviewing))
}

fn words(code: FailureCode, count: u32) -> String {
    match code {
        FailureCode::StartFailures => format!("{count} starts in a row failed"),
        FailureCode::LostLeases => format!("{count} sessions in a row were lost"),
        FailureCode::AgentErrors => format!("{count} sessions in a row ended without a result"),
        FailureCode::ReviewRejected
        | FailureCode::ChildFailed
        | FailureCode::ConvoyAborted
        | FailureCode::FailedByUser
        | FailureCode::RigDeleted => code.to_string(),
    }
}
