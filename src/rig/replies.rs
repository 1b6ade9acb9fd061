//! What a rig answers to calls that show more than one thing.

use gastown_core::id::BeadId;
use gastown_core::rig::review::Verdict;
use gastown_core::wire::api::agent::Agent;
use gastown_core::wire::api::bead::Bead;
use gastown_core::wire::api::event::Event;
use gastown_core::wire::api::review::MergeQueueItem;
use gastown_core::wire::api::snapshot::BreakerStatus;
use gastown_core::wire::api::town::RigCounts;
use serde::{Deserialize, Serialize};

/// Everything that a dashboard shows of one rig.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// Live beads and those that ended in the last day, newest first.
    pub beads: Vec<Bead>,
    /// Registered agents, oldest first.
    pub agents: Vec<Agent>,
    /// Numbers for the rig's card.
    pub counts: RigCounts,
    /// What keeps starts from being tried.
    pub breaker: BreakerStatus,
    /// Live reviews.
    pub reviews: Vec<MergeQueueItem>,
    /// Newest rows of the audit log.
    pub events: Vec<Event>,
    /// Beads were left out.
    pub is_truncated: bool,
}

/// A verdict's effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Judged {
    /// What was said.
    pub verdict: Verdict,
    /// State of the review.
    pub review_state: String,
    /// The work that answers requested changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rework_bead_id: Option<BeadId>,
}

/// The merge queue of one rig.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RigReviews {
    /// Live reviews.
    pub items: Vec<MergeQueueItem>,
    /// What happened to reviews, newest first.
    pub activity: Vec<Event>,
}
