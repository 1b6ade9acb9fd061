//! What a rig answers, where that is no shape of the API.

use super::*;

/// Everything that a dashboard shows of one rig.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// Live beads and those that ended in the last day, newest first.
    pub beads: Vec<Bead>,
    /// Registered agents, oldest first.
    pub agents: Vec<Agent>,
    /// Numbers for the rig's card.
    pub counts: RigCounts,
    /// Newest rows of the audit log.
    pub events: Vec<Event>,
    /// Beads were left out.
    pub is_truncated: bool,
}

/// A page of beads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BeadPage {
    /// Newest first.
    pub beads: Vec<Bead>,
    /// How many there are in all, when asked.
    pub total: u32,
}

/// A verdict's effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// What was said.
    pub verdict: Verdict,
    /// State of the review.
    pub review_state: String,
    /// The work that answers requested changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rework_bead_id: Option<BeadId>,
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
