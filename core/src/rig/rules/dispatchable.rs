//! Whether an issue may be given out, and if not, why (domain.md 3.4). Not a rule: R7 and R25 ask it.

use crate::rig::assignment::Phase;
use crate::rig::bead::{Bead, BeadStatus, EdgeState, HELD};
use crate::rig::plan::Plan;
use crate::rig::wait::{Wait, WaitCode};

/// The first reason that holds an open issue back, tried in the order of domain.md 3.4.
pub(crate) fn obstacle(plan: &Plan, bead: &Bead) -> Option<Wait> {
    let now = plan.now();
    let wait = |code, message: &str| Some(Wait::new(bead.bead_id, code, message, now));
    if bead.has_label(HELD) {
        return wait(WaitCode::Held, "It is held. Removing the label gt:held starts it.");
    }
    if bead.staged {
        return wait(WaitCode::Staged, "Its convoy has not been started.");
    }
    if let Some(parked) = plan.state().parked(bead) {
        return wait(WaitCode::NeedsDecision, &parked.message);
    }
    if let Some(blocked) = blocked(plan, bead) {
        return Some(blocked);
    }
    let until = bead.not_before.filter(|&until| until > now)?;
    Some(Wait::new(bead.bead_id, WaitCode::BackingOff, "It is tried again later.", now).until(Some(until)))
}

/// Whether the issue is open and nobody works on it.
pub(crate) fn is_unassigned(plan: &Plan, bead: &Bead) -> bool {
    bead.is_live_issue() && bead.status == BeadStatus::Open && plan.state().assignment_of_bead(bead.bead_id).is_none()
}

/// A session that is still finishing for this bead, of an earlier attempt or claim.
pub(crate) fn finishing(plan: &Plan, bead: &Bead) -> Option<Wait> {
    let live = plan.state().assignment_of_bead(bead.bead_id).filter(|live| live.phase == Phase::Finishing)?;
    let message = "An earlier session is being ended.";
    Some(Wait::new(bead.bead_id, WaitCode::AgentRunning, message, plan.now()).agent(live.agent_id))
}

fn blocked(plan: &Plan, bead: &Bead) -> Option<Wait> {
    let mut edges: Vec<_> = plan
        .state()
        .edges
        .values()
        .filter(|edge| edge.bead_id == bead.bead_id)
        .filter(|edge| matches!(edge.state, EdgeState::Pending | EdgeState::Failed))
        .collect();
    crate::sorted::sort_by_key(&mut edges, |edge| (edge.state != EdgeState::Failed, edge.blocker_id));
    let edge = edges.first()?;
    let title = plan.state().beads.get(&edge.blocker_id).map(|blocker| format!("\"{}\"", blocker.title));
    let name = title.unwrap_or_else(|| format!("bead {}", edge.blocker_id));
    let message = match edge.state {
        EdgeState::Failed => format!("It waits for {name}, which failed. Retrying or skipping that lets it go on."),
        EdgeState::Pending | EdgeState::Satisfied | EdgeState::Waived => format!("It waits for {name}."),
    };
    Some(Wait::new(bead.bead_id, WaitCode::Blocked, message, plan.now()).other(edge.blocker_id))
}
