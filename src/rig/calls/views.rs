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
