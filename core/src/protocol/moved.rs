//! A bead between two rigs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Priority;
use crate::id::BeadId;
use crate::models::ModelId;
use crate::sorted::SortedSet;
use crate::time::Timestamp;

/// A bead on its way to another rig (domain.md 3.6): it was never started and nothing hangs on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MovedBead {
    /// The same in both rigs.
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
    pub metadata: serde_json::Map<String, Value>,
    /// Model, if a caller chose one.
    pub model: Option<ModelId>,
    /// Budget in micro-dollars, if a caller set one.
    pub budget_micros: Option<u64>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}
