//! Commands of agents about themselves.

use serde_json::Value;

use super::{Applied, Refusal, stale};
use crate::rig::event::{SessionKey, live};
use crate::rig::plan::{EventRow, Plan};

pub(super) fn set_status(plan: &mut Plan, session: SessionKey, message: String) -> Result<Applied, Refusal> {
    let Some(assignment) = live(plan, session) else { return Err(stale(plan, session)) };
    let now = plan.now();
    plan.update_agent(assignment.agent_id, |agent| {
        agent.status_message = Some(message.clone());
        agent.status_message_at = Some(now);
        agent.last_activity_at = Some(now);
    });
    let event = plan.event("agent_status");
    plan.record(EventRow {
        bead_id: Some(assignment.bead_id),
        agent_id: Some(assignment.agent_id),
        assignment_id: Some(assignment.assignment_id),
        actor: assignment.agent_id.to_string(),
        new: Some(message),
        ..event
    });
    Ok(Applied::Written)
}

pub(super) fn set_checkpoint(plan: &mut Plan, session: SessionKey, data: Value) -> Result<Applied, Refusal> {
    let Some(assignment) = live(plan, session) else { return Err(stale(plan, session)) };
    plan.update_assignment(assignment.assignment_id, |assignment| assignment.checkpoint = Some(data.clone()));
    plan.update_agent(assignment.agent_id, |agent| agent.checkpoint = Some(data));
    Ok(Applied::Written)
}
