//! R31: due nudges are handed to the runtime of a running session, urgent first. Each is shown once: the runtime knows
//! their ids, so what is not heard of is handed over again.

use crate::id::{AssignmentId, NudgeId};
use crate::limits::MESSAGES_PER_PUSH;
use crate::rig::nudge::{Nudge, NudgeState};
use crate::rig::plan::{Effect, Plan, Write};
use crate::sorted::sort_by_key;

pub(crate) fn run(plan: &mut Plan) {
    let (state, now) = (plan.state(), plan.now());
    let due: Vec<(AssignmentId, Vec<Nudge>)> = state
        .live_assignments()
        .map(|assignment| {
            let mut due: Vec<Nudge> =
                state.nudges.values().filter(|nudge| nudge.is_due(assignment, now)).cloned().collect();
            sort_by_key(&mut due, Nudge::order);
            due.truncate(MESSAGES_PER_PUSH);
            (assignment.assignment_id, due)
        })
        .filter(|(_, due)| !due.is_empty())
        .collect();
    for (assignment_id, due) in due {
        let nudge_ids: Vec<NudgeId> = due.iter().map(|nudge| nudge.nudge_id).collect();
        for nudge in due {
            plan.write(Write::Nudge(Nudge { state: NudgeState::Sent, sent_at: Some(now), ..nudge }));
        }
        plan.effect(Effect::PushNudge { assignment_id, nudge_ids });
    }
}
