//! R26: a session needs the town's permission. A queued assignment asks once; the message is kept until the Town has it.
//! While a breaker holds it back it asks for nothing and gives back what it had, so that one bad rig does not hold the
//! slots of the others.

use crate::breaker::BreakerState;
use crate::protocol::RigToTown;
use crate::rig::assignment::{Assignment, Phase, Slot};
use crate::rig::plan::Plan;
use crate::rig::usage;

pub(crate) fn run(plan: &mut Plan) {
    let mut queued: Vec<Assignment> =
        plan.state().live_assignments().filter(|assignment| assignment.phase == Phase::Queued).cloned().collect();
    crate::sorted::sort_by_key(&mut queued, |assignment| assignment.epoch);
    let allowed = match plan.state().rig.breaker.state {
        BreakerState::Closed => queued.len(),
        BreakerState::HalfOpen => {
            usize::from(!plan.state().live_assignments().any(|other| other.phase == Phase::Starting))
        }
        BreakerState::Open => 0,
    };
    for (place, assignment) in queued.iter().enumerate() {
        if place >= allowed {
            give_back(plan, assignment);
        } else if assignment.slot == Slot::None {
            ask(plan, assignment);
        }
    }
}

fn ask(plan: &mut Plan, assignment: &Assignment) {
    let Some(bead) = plan.state().beads.get(&assignment.bead_id) else { return };
    let message = RigToTown::SlotAsked {
        assignment_id: assignment.assignment_id,
        bead_id: assignment.bead_id,
        convoy_id: usage::convoy_of(plan.state(), bead),
        assignment_kind: assignment.kind,
        priority: bead.priority,
        age_at: bead.age_at,
    };
    plan.post(message);
    plan.update_assignment(assignment.assignment_id, |assignment| assignment.slot = Slot::Asked);
}

fn give_back(plan: &mut Plan, assignment: &Assignment) {
    let assignment_id = assignment.assignment_id;
    if assignment.slot != Slot::None {
        plan.post(RigToTown::SlotReleased { assignment_id });
        plan.update_assignment(assignment_id, |assignment| {
            assignment.slot = Slot::None;
            assignment.is_probe = false;
        });
    }
}
