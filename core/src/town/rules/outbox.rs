//! T1: messages to rigs are sent at once, and again until acknowledged.

use crate::id::RigId;
use crate::town::plan::Plan;

pub(crate) fn run(plan: &mut Plan) {
    let now = plan.now();
    let due: Vec<RigId> =
        plan.state().outboxes.iter().filter(|(_, outbox)| outbox.is_due(now)).map(|(rig_id, _)| *rig_id).collect();
    for rig_id in due {
        plan.send_to_rig(rig_id);
    }
}
