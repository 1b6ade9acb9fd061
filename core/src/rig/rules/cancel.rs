//! R7: nobody works for nothing. A session whose bead is gone, ended, or in another attempt is stopped; a queued
//! assignment whose bead may not be dispatched any more is dropped.

use super::dispatchable::obstacle;
use crate::rig::assignment::{self, Assignment, Pending, Phase};
use crate::rig::bead::BeadType;
use crate::rig::plan::Plan;

pub(crate) fn run(plan: &mut Plan) {
    let pointless: Vec<(Assignment, &'static str)> = plan
        .state()
        .live_assignments()
        .filter_map(|assignment| Some((assignment.clone(), why_pointless(plan, assignment)?)))
        .collect();
    for (assignment, why) in pointless {
        assignment::stop(plan, assignment.assignment_id, Pending::Stopped, "cancelled", why);
    }
}

fn why_pointless(plan: &Plan, assignment: &Assignment) -> Option<&'static str> {
    let Some(bead) = plan.state().live_bead(assignment.bead_id) else { return Some("its bead ended") };
    if bead.attempt != assignment.bead_attempt {
        return Some("its bead is in another attempt");
    }
    let is_held_back = bead.kind == BeadType::Issue && obstacle(plan, bead).is_some();
    (assignment.phase == Phase::Queued && is_held_back).then_some("its bead may not start any more")
}
