//! Agents: named workers of the rig, and the pool their names come from (domain.md 4).

use serde_json::Value;

use super::bead::Bead;
use super::plan::{Plan, Write};
use super::state::State;
use super::{mail, nudge};
use crate::id::AgentId;
use crate::limits::BRANCH_DIGITS_MAX;
use crate::text::slug;
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// What an agent is for.
    pub enum AgentRole {
        Polecat = "polecat",
        Refinery = "refinery",
        Mayor = "mayor",
    }
}

/// Names of polecats, taken in this order; then `Polecat-21` and so on.
pub const NAMES: [&str; 20] = [
    "Toast", "Maple", "Birch", "Shadow", "Clover", "Ember", "Sage", "Dusk", "Flint", "Coral", "Slate", "Reed", "Thorn",
    "Pike", "Moss", "Wren", "Blaze", "Gale", "Drift", "Lark",
];

/// The name of a rig's refinery.
pub const REFINERY_NAME: &str = "refinery";

/// One agent of the rig (domain.md 2.4).
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// Identity.
    pub agent_id: AgentId,
    /// What it is for.
    pub role: AgentRole,
    /// Unique in the rig without regard to case.
    pub name: String,
    /// `<Name>-<role>-<rig tag>@<town8>`.
    pub identity: String,
    /// What it left for its next session.
    pub checkpoint: Option<Value>,
    /// What it says it is doing.
    pub status_message: Option<String>,
    /// Since when.
    pub status_message_at: Option<Timestamp>,
    /// Newest sign of life.
    pub last_activity_at: Option<Timestamp>,
    /// Without live assignment since then.
    pub idle_since: Option<Timestamp>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Grows with every write.
    pub version: u64,
}

/// The lowest free polecat name of the rig.
pub fn free_name(state: &State) -> String {
    let is_taken = |name: &str| state.agents.values().any(|agent| agent.name.eq_ignore_ascii_case(name));
    match NAMES.into_iter().find(|name| !is_taken(name)) {
        Some(name) => name.to_owned(),
        None => (NAMES.len() + 1..).map(|n| format!("Polecat-{n}")).find(|name| !is_taken(name)).unwrap_or_default(),
    }
}

/// Where a name stands in the order of choice: pool names first, then by number.
pub fn name_rank(name: &str) -> usize {
    NAMES
        .iter()
        .position(|pool| pool.eq_ignore_ascii_case(name))
        .or_else(|| name.strip_prefix("Polecat-")?.parse().ok())
        .unwrap_or(usize::MAX)
}

/// Registers an agent and returns its id.
pub fn register(plan: &mut Plan, role: AgentRole, name: String) -> AgentId {
    let rig = &plan.state().rig;
    let identity = format!("{name}-{role}-{}@{}", rig.tag, rig.town_id.short());
    register_as(plan, role, name, identity)
}

/// Registers the rig's refinery.
pub fn register_refinery(plan: &mut Plan) -> AgentId {
    register(plan, AgentRole::Refinery, REFINERY_NAME.to_owned())
}

/// Takes an agent out of the rig: its name is free, mail to it alone expires undelivered, history keeps what it did.
pub fn deregister(plan: &mut Plan, agent_id: AgentId) {
    mail::expire(plan, |mail| mail.bead_id.is_none() && mail.to_agent == Some(agent_id));
    nudge::expire(plan, |nudge| nudge.agent_id == agent_id);
    plan.write(Write::RemoveAgent(agent_id));
}

/// Registers an agent under an identity that somebody chose.
pub fn register_as(plan: &mut Plan, role: AgentRole, name: String, identity: String) -> AgentId {
    let agent_id = plan.mint();
    let now = plan.now();
    plan.write(Write::Agent(Agent {
        agent_id,
        role,
        name,
        identity,
        checkpoint: None,
        status_message: None,
        status_message_at: None,
        last_activity_at: None,
        idle_since: Some(now),
        created_at: now,
        version: 0,
    }));
    agent_id
}

/// The polecat for a bead (domain.md 4): the preferred one if idle, else the idle one with the lowest name, else none.
pub fn idle_polecat(state: &State, preferred: Option<AgentId>) -> Option<AgentId> {
    let is_idle =
        |agent: &&Agent| agent.role == AgentRole::Polecat && state.assignment_of_agent(agent.agent_id).is_none();
    preferred
        .and_then(|id| state.agents.get(&id))
        .filter(is_idle)
        .or_else(|| state.agents.values().filter(is_idle).min_by_key(|agent| (name_rank(&agent.name), agent.agent_id)))
        .map(|agent| agent.agent_id)
}

/// `polecat/<slug>/<bead8>`, with more digits of the bead's id where the bead needs them, or another bead of the rig has
/// that branch.
pub fn work_branch(state: &State, name: &str, bead: &Bead) -> String {
    let branch = |digits: u32| format!("polecat/{}/{}", slug(name), bead.bead_id.digits(digits as usize));
    let is_taken = |branch: &str| {
        state.beads.values().any(|other| other.bead_id != bead.bead_id && other.branch.as_deref() == Some(branch))
    };
    let free = (bead.branch_digits..=BRANCH_DIGITS_MAX).map(branch).find(|branch| !is_taken(branch));
    free.unwrap_or_else(|| branch(BRANCH_DIGITS_MAX))
}
