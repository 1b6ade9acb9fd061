//! How the town itself calls for a person: one open escalation per subject, raised and cleared by its own rules. Those
//! of its rigs come as messages (`event.rs`).

use super::event::escalation_raised;
use super::plan::Plan;
use crate::protocol::{Escalation, Severity};

/// The key of the town's breaker.
pub(super) const BREAKER: &str = "breaker:town";
/// The key of the town's budget of the day.
pub(super) const BUDGET: &str = "budget:town";
/// The key of the runtime.
pub(super) const RUNTIME: &str = "runtime";
/// The key of the mayor.
pub(super) const MAYOR: &str = "mayor";

/// Tells people of something that concerns the whole town.
pub(super) fn raise(plan: &mut Plan, dedup_key: &str, severity: Severity, code: &str, title: &str, message: &str) {
    escalation_raised(
        plan,
        None,
        Escalation {
            dedup_key: dedup_key.to_owned(),
            severity,
            category: "runtime".to_owned(),
            code: code.to_owned(),
            title: title.to_owned(),
            message: message.to_owned(),
            bead_id: None,
            agent_id: None,
            assignment_id: None,
            convoy_id: None,
            choices: Vec::new(),
        },
    );
}
