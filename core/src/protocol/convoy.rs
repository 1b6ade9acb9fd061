//! What a Town and its Rigs say about convoys (domain.md 8, 11), and the words that both keep about a task.

use crate::sorted::SortedSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Priority;
use crate::id::{AgentId, BeadId, ConvoyId};
use crate::models::ModelId;
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// Where a bead is in its life (domain.md 3.2).
    pub enum BeadStatus {
        Open = "open",
        InProgress = "in_progress",
        InReview = "in_review",
        Closed = "closed",
        Failed = "failed",
    }
}

impl BeadStatus {
    /// Closed and failed beads never change by themselves again.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Closed | Self::Failed => true,
            Self::Open | Self::InProgress | Self::InReview => false,
        }
    }
}

text_enum! {
    /// Whether a dependency still holds its bead back.
    pub enum EdgeState {
        Pending = "pending",
        Satisfied = "satisfied",
        Failed = "failed",
        Waived = "waived",
    }
}

/// Whether a branch is where the tasks of a convoy meet: no agent but a landing's child works on it, and merges into it
/// are always direct (domain.md 7.1, 8).
pub fn is_feature_branch(branch: &str) -> bool {
    branch.starts_with("convoy/") && branch.ends_with("/head")
}

/// Whether it is the branch of this convoy: its own, or one that a person named; not what another convoy's is called.
pub fn is_feature_branch_of(branch: &str, convoy_id: ConvoyId) -> bool {
    let parts: Vec<&str> = branch.split('/').collect();
    is_feature_branch(branch) && (parts.len() != 4 || parts[2] == convoy_id.short())
}

/// Tasks of a convoy in one rig: new ones, and beads that join. Says nothing new when it comes twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreateBeads {
    /// Which convoy.
    pub convoy_id: ConvoyId,
    /// Nothing starts before the convoy does.
    pub staged: bool,
    /// Where its tasks start and merge; the rig's merge target when absent.
    pub feature_branch: Option<String>,
    /// Tasks to make.
    pub beads: Vec<TaskBead>,
    /// Beads of the rig that join.
    pub joins: Vec<BeadId>,
    /// Who waits for whom, within the rig and across.
    pub edges: Vec<TaskEdge>,
}

/// A task to make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskBead {
    /// Identity.
    pub bead_id: BeadId,
    /// One line.
    pub title: String,
    /// What to do.
    pub body: Option<String>,
    /// Urgency.
    pub priority: Priority,
    /// Labels.
    pub labels: SortedSet<String>,
    /// Free, but for reserved keys.
    pub metadata: Map<String, Value>,
    /// Model, if the caller chose one.
    pub model: Option<ModelId>,
    /// Budget in micro-dollars.
    pub budget_micros: Option<u64>,
    /// Who made the convoy.
    pub created_by: String,
    /// When; tasks of one convoy differ by a millisecond each, so that they keep their order.
    pub created_at: Timestamp,
}

/// One dependency between tasks of a convoy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEdge {
    /// The dependent, in the rig that is told.
    pub bead_id: BeadId,
    /// What it waits for.
    pub blocker_id: BeadId,
    /// Whether the blocker lives in another rig.
    pub cross: bool,
    /// Whether it still holds, as far as the Town knows.
    pub state: EdgeState,
}

text_enum! {
    /// Why tasks are taken out of a convoy's hands.
    pub enum Cancel {
        Aborted = "aborted",
        Closed = "closed",
        Removed = "removed",
    }
}

/// The convoy is over for these beads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelBeads {
    /// Which convoy.
    pub convoy_id: ConvoyId,
    /// Its tasks and landings in the rig.
    pub bead_ids: Vec<BeadId>,
    /// What becomes of them.
    pub how: Cancel,
    /// Why, for people.
    pub message: String,
    /// Who decided it.
    pub actor: String,
}

/// A landing to be reviewed and merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenLanding {
    /// Which convoy.
    pub convoy_id: ConvoyId,
    /// Title of the convoy.
    pub title: String,
    /// From 1.
    pub attempt: u32,
    /// The merge_request bead to make.
    pub bead_id: BeadId,
    /// The feature branch.
    pub branch: String,
    /// Branch to reach.
    pub target: String,
}

/// How a task is; replaces an unsent older one about the same bead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// Which convoy.
    pub convoy_id: ConvoyId,
    /// Which task.
    pub bead_id: BeadId,
    /// Its life.
    pub attempt: u32,
    /// Where it is in it.
    pub status: BeadStatus,
    /// The branch that its work was merged into, when it was.
    pub merged_into: Option<String>,
    /// Why it failed, in words.
    pub failure: Option<String>,
    /// What people see of it.
    pub shown: TaskShown,
}

impl TaskStatus {
    /// Whether the Town learns something from this one; sums alone are told with the next news.
    pub fn is_news_after(&self, told: &Self) -> bool {
        let without_sums = |status: &Self| {
            let shown = TaskShown { tokens_in: 0, tokens_out: 0, cost_micros: 0, ..status.shown.clone() };
            Self { shown, ..status.clone() }
        };
        without_sums(self) != without_sums(told)
    }
}

/// What people see of a task without asking its rig.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskShown {
    /// One line.
    pub title: String,
    /// Urgency.
    pub priority: Priority,
    /// Waits for a person's start.
    pub held: bool,
    /// Whether a session was ever ordered for it, or somebody else worked on it.
    pub is_started: bool,
    /// Name of who has it.
    pub assignee_name: Option<String>,
    /// Model of the newest session.
    pub model: Option<String>,
    /// State of its live review.
    pub review_state: Option<String>,
    /// Its pull request.
    pub pr_url: Option<String>,
    /// Why it is not moving.
    pub wait: Option<TaskWait>,
    /// Sum over its assignments.
    pub tokens_in: u64,
    /// Sum over its assignments.
    pub tokens_out: u64,
    /// Sum over its assignments.
    pub cost_micros: u64,
}

impl TaskShown {
    /// A task that its rig has not spoken of.
    pub fn new(title: String, priority: Priority) -> Self {
        Self {
            title,
            priority,
            held: false,
            is_started: false,
            assignee_name: None,
            model: None,
            review_state: None,
            pr_url: None,
            wait: None,
            tokens_in: 0,
            tokens_out: 0,
            cost_micros: 0,
        }
    }
}

/// Why a task is not moving, as its rig says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskWait {
    /// Machine word.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// Since when this is the answer.
    pub since: Timestamp,
    /// When time alone ends it.
    pub until: Option<Timestamp>,
    /// What it is about.
    pub scope: String,
    /// The bead that the answer names.
    pub bead_id: BeadId,
    /// The agent that the answer names.
    pub agent_id: Option<AgentId>,
}

text_enum! {
    /// Where a landing is, as its rig says.
    pub enum LandingProgress {
        Open = "open",
        Merged = "merged",
        Rejected = "rejected",
    }
}

/// How a landing is; replaces an unsent older one about the same bead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandingReport {
    /// Which convoy.
    pub convoy_id: ConvoyId,
    /// The merge_request bead.
    pub bead_id: BeadId,
    /// Where it is.
    pub progress: LandingProgress,
    /// The commit that brought the branch in; none when there was nothing to merge.
    pub commit: Option<String>,
    /// Why it was rejected.
    pub reason: Option<String>,
}
