//! T23: lost alarms. A rig that said it was live and has been silent is asked; any call arms its alarm again.

use crate::id::RigId;
use crate::limits::RIG_SILENT;
use crate::protocol::TownToRig;
use crate::time::Timestamp;
use crate::town::plan::Plan;
use crate::town::state::State;

pub(crate) fn run(plan: &mut Plan) {
    let now = plan.now();
    let silent: Vec<RigId> =
        watched(plan.state()).filter(|(_, ask_at)| *ask_at <= now).map(|(rig_id, _)| rig_id).collect();
    for rig_id in silent {
        plan.set_heard(rig_id);
        plan.post(rig_id, TownToRig::Ping);
    }
}

/// Rigs that said they were live, each with the instant at which it is asked. A rig that has yet to acknowledge something
/// is being spoken to anyway.
pub(super) fn watched(state: &State) -> impl Iterator<Item = (RigId, Timestamp)> {
    state
        .active_rigs()
        .filter(|rig| rig.activity.needs_container())
        .filter(|rig| state.outboxes.get(&rig.rig_id).is_none_or(|outbox| outbox.is_empty()))
        .map(|rig| {
            let heard = state.heard.get(&rig.rig_id).copied().or(rig.reported_at).unwrap_or(rig.created_at);
            (rig.rig_id, heard + RIG_SILENT)
        })
}
