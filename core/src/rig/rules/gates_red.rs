//! R17: red gates spare the refinery. Changes are requested by the gates, with their output as findings; also of a head
//! that a person approved while they ran.

use crate::rig::event::red_gates;
use crate::rig::plan::Plan;
use crate::rig::review::{self, GateRun, GateRunResult, Judgement, ReviewState, Verdict};

pub(crate) fn run(plan: &mut Plan) {
    let red: Vec<GateRun> = plan
        .state()
        .reviews
        .values()
        .filter(|review| review.is_live() && matches!(review.state, ReviewState::Queued | ReviewState::Approved))
        .filter_map(|review| plan.state().gate_run(review.bead_id, review.head_commit.as_deref()?))
        .filter(|run| run.result == GateRunResult::Red)
        .cloned()
        .collect();
    for run in red {
        let judgement = Judgement {
            commit: run.commit_id.clone().unwrap_or_default(),
            verdict: Verdict::RequestChanges,
            by: "gates".to_owned(),
            summary: "The gates are red.".to_owned(),
            findings: red_gates(&run.gates),
        };
        review::add_round(plan, run.review_id, judgement, Some(run.run_id));
        review::move_to(plan, run.review_id, ReviewState::ChangesRequested);
    }
}
