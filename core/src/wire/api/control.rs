//! Town control (api.md 3.7): bodies. Each may be absent as a whole; then its defaults count.

use super::read::{Fields, Request};
use crate::id::RigId;
use crate::limits::NOTE_MAX;

/// `POST T/pause`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PauseTown {
    /// Why, for people.
    pub reason: Option<String>,
    /// Running work ends as well.
    pub stop_running: bool,
}

impl Request for PauseTown {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            reason: fields.optional_text("reason", 0, NOTE_MAX).filter(|reason| !reason.trim().is_empty()),
            stop_running: fields.optional_flag("stop_running").unwrap_or(false),
        }
    }
}

/// `POST T/breaker/reset`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResetBreaker {
    /// Only this rig's; otherwise the town's and every rig's.
    pub rig_id: Option<RigId>,
}

impl Request for ResetBreaker {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { rig_id: fields.optional_id("rig_id") }
    }
}

/// `POST T/container/restart` and `/stop`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StopContainer {
    /// Without waiting for work to be saved.
    pub force: bool,
}

impl Request for StopContainer {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { force: fields.optional_flag("force").unwrap_or(false) }
    }
}
