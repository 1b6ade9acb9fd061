//! What rigs and the Town say about triage (domain.md 9.6): matters that no rule decides, put before an agent before a
//! person is asked.

use serde::{Deserialize, Serialize};

use super::{TriageAsked, TriageKind};
use crate::id::{AgentId, BeadId, EscalationId};
use crate::text_enum;
use crate::time::Timestamp;

impl TriageKind {
    /// Asked by a rule. Only those are limited per rig: what an agent asks itself is never dropped.
    pub const fn is_automatic(self) -> bool {
        match self {
            Self::StuckAgent => true,
            Self::Escalation => false,
        }
    }
}

text_enum! {
    /// What a triage agent may decide (api.md 3.10).
    pub enum TriageAction {
        Restart = "RESTART",
        RestartWithBackoff = "RESTART_WITH_BACKOFF",
        CloseBead = "CLOSE_BEAD",
        Escalate = "ESCALATE",
        EscalateToMayor = "ESCALATE_TO_MAYOR",
        Nudge = "NUDGE",
        ReassignBead = "REASSIGN_BEAD",
        Discard = "DISCARD",
        ProvideGuidance = "PROVIDE_GUIDANCE",
    }
}

impl TriageAction {
    /// The action of a word in any letter case; `CLOSE` is an older spelling.
    pub fn read(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_uppercase();
        if word == "CLOSE" { Some(Self::CloseBead) } else { word.parse().ok() }
    }
}

/// One matter as the agent of a batch gets it: what `RunTriage` carries and the bead of the batch keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriageItem {
    /// Since when it waits.
    pub created_at: Timestamp,
    /// What it is about.
    pub asked: TriageAsked,
    /// What was decided; none until then.
    pub decided: Option<TriageAction>,
}

/// Rig → Town: the agent of a batch decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriageResolved {
    /// Which request.
    pub request_id: BeadId,
    /// What.
    pub action: TriageAction,
    /// Why, for people.
    pub notes: String,
    /// The agent that decided.
    pub agent_id: AgentId,
    /// Whether the session that the request names was still the live one.
    pub was_live: bool,
}

/// Town → Rig: what a person answers to an escalation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscalationAnswered {
    /// Which escalation.
    pub escalation_id: EscalationId,
    /// The bead that it is about.
    pub bead_id: Option<BeadId>,
    /// The agent that it is about.
    pub agent_id: Option<AgentId>,
    /// Who answers.
    pub by: String,
    /// The answer.
    pub message: String,
    /// Try the bead again, if it failed or waits for a person.
    pub retries: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read_in_any_letter_case() {
        assert_eq!(TriageAction::read("restart_with_backoff"), Some(TriageAction::RestartWithBackoff));
        assert_eq!(TriageAction::read(" Close "), Some(TriageAction::CloseBead));
        assert_eq!(TriageAction::read("explode"), None);
    }
}
