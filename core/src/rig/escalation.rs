//! How the rig calls for a person: one open escalation per subject and cause, raised and cleared as messages to the
//! Town, which keeps the inbox (domain.md 9.6).

use super::bead::Bead;
use super::plan::Plan;
use crate::id::BeadId;
use crate::protocol::{Escalation, RigToTown, Severity};

/// The key under which the town keeps one escalation per bead.
pub(super) fn bead_key(bead_id: BeadId) -> String {
    format!("bead:{bead_id}")
}

/// The key of what can happen to a pull request.
pub(super) fn pr_key(code: &str, review_id: BeadId) -> String {
    format!("{code}:{review_id}")
}

/// The key of the rig's breaker.
pub(super) fn breaker_key(plan: &Plan) -> String {
    format!("breaker:{}", plan.state().rig.rig_id)
}

/// Tells people about a bead. A repeat while open is counted by the Town, not doubled.
pub(super) fn raise_for_bead(
    plan: &mut Plan,
    bead_id: BeadId,
    severity: Severity,
    code: &str,
    title: &str,
    message: &str,
    choices: &[&str],
) {
    let convoy_id = plan.state().beads.get(&bead_id).and_then(|bead| bead.convoy_id);
    let live = plan.state().assignment_of_bead(bead_id);
    let (agent_id, assignment_id) = (live.map(|a| a.agent_id), live.map(|a| a.assignment_id));
    plan.post(RigToTown::EscalationRaised(Box::new(Escalation {
        dedup_key: bead_key(bead_id),
        severity,
        category: "bead".to_owned(),
        code: code.to_owned(),
        title: title.to_owned(),
        message: message.to_owned(),
        bead_id: Some(bead_id),
        agent_id,
        assignment_id,
        convoy_id,
        choices: choices.iter().map(|&choice| choice.to_owned()).collect(),
    })));
}

/// Tells people that the budget of a bead and its family nears its end.
pub(super) fn raise_warning(plan: &mut Plan, root: &Bead, message: &str) {
    plan.post(RigToTown::EscalationRaised(Box::new(Escalation {
        dedup_key: warning_key(root.bead_id),
        severity: Severity::Medium,
        category: "bead".to_owned(),
        code: "budget_warning".to_owned(),
        title: format!("The budget of \"{}\" nears its end", root.title),
        message: message.to_owned(),
        bead_id: Some(root.bead_id),
        agent_id: None,
        assignment_id: None,
        convoy_id: root.convoy_id,
        choices: Vec::new(),
    })));
}

/// The warning is settled.
pub(super) fn clear_warning(plan: &mut Plan, bead_id: BeadId) {
    plan.post(RigToTown::EscalationCleared { dedup_key: warning_key(bead_id) });
}

fn warning_key(bead_id: BeadId) -> String {
    format!("budget:{bead_id}")
}

/// The cause is gone: the bead ended, was retried, or goes on.
pub(super) fn clear_for_bead(plan: &mut Plan, bead_id: BeadId) {
    plan.post(RigToTown::EscalationCleared { dedup_key: bead_key(bead_id) });
}
