//! T10: gates between rigs. A dependency across rigs whose state is not as the waiting rig was last told is told again. The
//! gates of a convoy that has ended open with its end, in the rigs.

use crate::id::ConvoyId;
use crate::protocol::{EdgeState, TownToRig};
use crate::town::convoy::{TaskEdge, post};
use crate::town::plan::{Plan, Write};

pub(crate) fn run(plan: &mut Plan) {
    let is_live = |id: &ConvoyId| plan.state().convoys.get(id).is_some_and(|convoy| convoy.state.is_live());
    let edges = plan.state().task_edges.values();
    let changed: Vec<TaskEdge> =
        edges.filter(|edge| edge.cross && edge.told != edge.state && is_live(&edge.convoy_id)).cloned().collect();
    for edge in changed {
        let (bead_id, blocker_id) = (edge.bead_id, edge.blocker_id);
        let Some(rig_id) = plan.state().tasks.get(&bead_id).map(|task| task.rig_id) else { continue };
        let message = match edge.state {
            EdgeState::Pending => TownToRig::GatePending { bead_id, blocker_id },
            EdgeState::Failed => TownToRig::GateFailed { bead_id, blocker_id },
            EdgeState::Satisfied => TownToRig::GateOpened { bead_id, blocker_id, waived: false },
            EdgeState::Waived => TownToRig::GateOpened { bead_id, blocker_id, waived: true },
        };
        post(plan, rig_id, message);
        plan.write(Write::TaskEdge(TaskEdge { told: edge.state, ..edge }));
    }
}
