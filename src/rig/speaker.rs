//! Who speaks to a rig: the session that a token or a body names, and the one that the rig knows to be live.

use gastown_core::access::AgentSession;
use gastown_core::id::{AgentId, TownId};
use gastown_core::session::{Role, SessionKey};
use gastown_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The session that a token stands for, as it crosses to the rig.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenSession {
    /// This one.
    Named(SessionKey),
    /// The agent's live one, if it was created no later than this.
    Short {
        /// When the token was made.
        issued_at: Timestamp,
    },
}

impl From<AgentSession> for TokenSession {
    fn from(session: AgentSession) -> Self {
        match session {
            AgentSession::Named { assignment_id, epoch, .. } => Self::Named(SessionKey { assignment_id, epoch }),
            AgentSession::Short { issued_at } => Self::Short { issued_at },
        }
    }
}

/// The session that a rig knows to be live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSession {
    /// Whose.
    pub agent_id: AgentId,
    /// Which.
    pub session: SessionKey,
    /// Role of its kind.
    pub role: Role,
}

/// What an agent's call says about itself: its town, and its session as the token or the body names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speaker {
    /// The town that the rig must belong to.
    pub town_id: TownId,
    /// Who.
    pub agent_id: AgentId,
    /// For which session.
    pub session: TokenSession,
}
