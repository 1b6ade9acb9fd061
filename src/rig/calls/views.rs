//! What a rig answers, where that is no shape of the API.

use super::*;

/// A page of beads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BeadPage {
    /// Newest first.
    pub beads: Vec<Bead>,
    /// How many there are in all, when asked.
    pub total: u32,
}

/// An agent as its town names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spokesman {
    /// Its name.
    pub agent_name: String,
    /// Its live session.
    pub assignment_id: Option<AssignmentId>,
    /// What it works on.
    pub bead_id: Option<BeadId>,
}

/// What people and clients do with an agent by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// Make one.
    Register(RegisterAgent),
    /// One of this role that is free.
    Get(AgentRole),
    /// A queued assignment.
    Hook(AgentId, BeadId),
    /// Take its work away.
    Unhook(AgentId),
    /// Stop what it does; true: and begin anew.
    Stop(AgentId, bool, Option<String>),
    /// Take it out of the rig.
    Remove(AgentId),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acted {
    /// The agent afterwards, unless it is gone.
    pub agent: Option<Agent>,
    /// Its hook, when one was made.
    pub hooked: Option<Hooked>,
}

/// What the runtime says of one session outside its batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// It is over.
    Ended(SessionEnded),
    /// Its work is saved.
    Saved(SavedWork),
}
