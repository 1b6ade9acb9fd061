//! Nudges (domain.md 10.2): short texts for one agent. Each is one row and is shown once; the runtime drops a repeated
//! id, so an order that got lost may be given again. Two of the three modes die with the assignment they were meant for.
//!
//! A nudge of the rig itself says in `source` why it exists; what the agent reads is worded from that, elsewhere.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::assignment::{Assignment, Phase};
use super::plan::{Plan, Write};
use crate::id::{AgentId, AssignmentId, NudgeId};
use crate::limits::MESSAGE_REPEAT;
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// When a nudge is shown.
    pub enum NudgeMode {
        Immediate = "immediate",
        WaitIdle = "wait-idle",
        Queue = "queue",
    }
}

text_enum! {
    /// Order among waiting nudges.
    pub enum NudgePriority {
        Normal = "normal",
        Urgent = "urgent",
    }
}

text_enum! {
    /// Where a nudge is: waiting, handed to the runtime, shown, or pointless.
    pub enum NudgeState {
        Pending = "pending",
        Sent = "sent",
        Delivered = "delivered",
        Expired = "expired",
    }
}

/// Every change of a nudge's state, and what causes it. A repeat of what is so changes nothing.
pub const TRANSITIONS: &[(NudgeState, &str, NudgeState)] = &[
    (NudgeState::Pending, "due for a running session (R31)", NudgeState::Sent),
    (NudgeState::Sent, "not heard of for a while (R31)", NudgeState::Sent),
    (NudgeState::Pending, "the agent says that it has read it", NudgeState::Delivered),
    (NudgeState::Sent, "the session accepted it, or the agent says so", NudgeState::Delivered),
    (NudgeState::Pending, "past its end, or its assignment or agent is gone", NudgeState::Expired),
    (NudgeState::Sent, "past its end, or its assignment or agent is gone", NudgeState::Expired),
    (NudgeState::Delivered, "delivered again", NudgeState::Delivered),
    (NudgeState::Expired, "delivered after all", NudgeState::Expired),
];

/// Who or what a nudge comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NudgeSource {
    /// R5: the session is idle without a result.
    Idle,
    /// R4: nothing was heard of the agent.
    Silence,
    /// A person's answer to an escalation.
    Escalation(String),
    /// Another agent of the rig.
    Agent(AgentId),
    /// A person.
    User(String),
    /// The mayor.
    Mayor,
    /// Triage, or the town itself.
    System,
}

impl fmt::Display for NudgeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("idle"),
            Self::Silence => f.write_str("silence"),
            Self::Escalation(by) => write!(f, "escalation:{by}"),
            Self::Agent(agent_id) => write!(f, "agent:{agent_id}"),
            Self::User(user) => write!(f, "user:{user}"),
            Self::Mayor => f.write_str("mayor"),
            Self::System => f.write_str("system"),
        }
    }
}

impl FromStr for NudgeSource {
    type Err = std::convert::Infallible;

    /// A word that is not known speaks for the town, so that one odd row cannot stop a rig.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (word, rest) = text.split_once(':').unwrap_or((text, ""));
        Ok(match (word, rest.parse()) {
            ("idle", _) => Self::Idle,
            ("silence", _) => Self::Silence,
            ("escalation", _) => Self::Escalation(rest.to_owned()),
            ("agent", Ok(agent_id)) => Self::Agent(agent_id),
            ("user", _) => Self::User(rest.to_owned()),
            ("mayor", _) => Self::Mayor,
            (_, _) => Self::System,
        })
    }
}

/// One nudge (domain.md 2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nudge {
    /// Identity.
    pub nudge_id: NudgeId,
    /// For this agent …
    pub agent_id: AgentId,
    /// … in this assignment only; any when absent.
    pub assignment_id: Option<AssignmentId>,
    /// Text.
    pub message: String,
    /// When it is shown.
    pub mode: NudgeMode,
    /// Order among waiting ones.
    pub priority: NudgePriority,
    /// Who or what it comes from.
    pub source: NudgeSource,
    /// Where it is.
    pub state: NudgeState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last handed to the runtime.
    pub sent_at: Option<Timestamp>,
    /// When it is pointless.
    pub expires_at: Option<Timestamp>,
}

impl Nudge {
    /// Whether it may still be shown.
    pub const fn is_live(&self) -> bool {
        match self.state {
            NudgeState::Pending | NudgeState::Sent => true,
            NudgeState::Delivered | NudgeState::Expired => false,
        }
    }

    /// Whether it is meant for this session.
    pub fn is_for(&self, assignment: &Assignment) -> bool {
        match self.assignment_id {
            Some(assignment_id) => assignment_id == assignment.assignment_id,
            None => self.agent_id == assignment.agent_id,
        }
    }

    /// Whether it shall be handed to the runtime for this session now.
    pub fn is_due(&self, assignment: &Assignment, now: Timestamp) -> bool {
        let is_idle = assignment.idle_since.is_some();
        let its_time = match self.mode {
            NudgeMode::Immediate => true,
            NudgeMode::WaitIdle => is_idle,
            NudgeMode::Queue => is_idle || assignment.running_at.is_some_and(|at| at > self.created_at),
        };
        let is_news = self.sent_at.is_none_or(|at| now.since(at) >= MESSAGE_REPEAT);
        assignment.phase == Phase::Running && self.is_live() && self.is_for(assignment) && its_time && is_news
    }

    /// Urgent before normal, then oldest.
    pub const fn order(&self) -> (bool, Timestamp, NudgeId) {
        let is_normal = match self.priority {
            NudgePriority::Normal => true,
            NudgePriority::Urgent => false,
        };
        (is_normal, self.created_at, self.nudge_id)
    }
}

/// A nudge before it has an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNudge {
    /// For whom.
    pub agent_id: AgentId,
    /// Text.
    pub message: String,
    /// When it is shown.
    pub mode: NudgeMode,
    /// Order among waiting ones.
    pub priority: NudgePriority,
    /// Who or what it comes from.
    pub source: NudgeSource,
    /// How long it makes sense.
    pub keep: Option<Duration>,
}

/// Makes a nudge: for the agent's live assignment, or in mode `queue` for whichever comes.
pub fn make(plan: &mut Plan, new: NewNudge) -> NudgeId {
    let (nudge_id, now) = (plan.mint(), plan.now());
    let live = plan.state().assignment_of_agent(new.agent_id).map(|live| live.assignment_id);
    let assignment_id = match new.mode {
        NudgeMode::Immediate | NudgeMode::WaitIdle => live,
        NudgeMode::Queue => None,
    };
    plan.write(Write::Nudge(Nudge {
        nudge_id,
        agent_id: new.agent_id,
        assignment_id,
        message: new.message,
        mode: new.mode,
        priority: new.priority,
        source: new.source,
        state: NudgeState::Pending,
        created_at: now,
        sent_at: None,
        expires_at: new.keep.map(|keep| now + keep),
    }));
    nudge_id
}

/// Moves a live nudge; one that was shown or expired stays as it is.
pub fn move_to(plan: &mut Plan, nudge_id: NudgeId, state: NudgeState) -> bool {
    let Some(nudge) = plan.state().nudges.get(&nudge_id).filter(|nudge| nudge.is_live()).cloned() else { return false };
    plan.write(Write::Nudge(Nudge { state, ..nudge }));
    true
}

/// Forgets every live nudge of which this is true.
pub fn expire(plan: &mut Plan, is_pointless: impl Fn(&Nudge) -> bool) {
    let pointless: Vec<NudgeId> =
        plan.state().nudges.values().filter(|n| n.is_live() && is_pointless(n)).map(|n| n.nudge_id).collect();
    for nudge_id in pointless {
        move_to(plan, nudge_id, NudgeState::Expired);
    }
}
