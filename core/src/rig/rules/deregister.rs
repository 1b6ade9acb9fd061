//! R29: a polecat without work gives its name back after a while; history keeps what it did. Refinery and mayor stay.

use crate::id::AgentId;
use crate::limits::AGENT_IDLE;
use crate::rig::agent::{self, AgentRole};
use crate::rig::plan::Plan;

pub(crate) fn run(plan: &mut Plan) {
    let now = plan.now();
    let idle: Vec<AgentId> = plan
        .state()
        .agents
        .values()
        .filter(|agent| agent.role == AgentRole::Polecat)
        .filter(|agent| agent.idle_since.is_some_and(|since| now.since(since) >= AGENT_IDLE))
        .filter(|agent| plan.state().assignment_of_agent(agent.agent_id).is_none())
        .map(|agent| agent.agent_id)
        .collect();
    for agent_id in idle {
        agent::deregister(plan, agent_id);
    }
}
