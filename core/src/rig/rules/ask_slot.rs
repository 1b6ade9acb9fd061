//! R26: a session needs the town's permission. A queued assignment asks once; the message is kept until the Town has it.

use crate::protocol::RigToTown;
use crate::rig::assignment::{Assignment, Phase, Slot};
use crate::rig::plan::Plan;

pub(crate) fn run(plan: &mut Plan) {
    let new: Vec<Assignment> = plan
        .state()
        .live_assignments()
        .filter(|assignment| assignment.phase == Phase::Queued && assignment.slot == Slot::None)
        .cloned()
        .collect();
    for assignment in new {
        let Some(bead) = plan.state().beads.get(&assignment.bead_id) else { continue };
        let message = RigToTown::SlotAsked {
            assignment_id: assignment.assignment_id,
            bead_id: assignment.bead_id,
            convoy_id: bead.convoy_id,
            assignment_kind: assignment.kind,
            priority: bead.priority,
            age_at: bead.age_at,
        };
        plan.post(message);
        plan.update_assignment(assignment.assignment_id, |assignment| assignment.slot = Slot::Asked);
    }
}
