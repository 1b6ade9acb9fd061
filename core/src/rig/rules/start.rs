//! R27: permitted sessions are ordered. The model is chosen here, once, and stored with its reason; ordering the same
//! assignment again sends the stored bytes.

use crate::breaker::BreakerState;
use crate::limits::{LEASE, START_REORDER};
use crate::rig::assignment::{Assignment, Phase, Slot, resolution};
use crate::rig::bead::{BeadStatus, BeadType};
use crate::rig::plan::{Effect, EventRow, Plan};
use crate::rig::usage;
use crate::rig::wait::{Wait, WaitCode};

pub(crate) fn run(plan: &mut Plan) {
    let mut queued: Vec<Assignment> =
        plan.state().live_assignments().filter(|assignment| assignment.phase == Phase::Queued).cloned().collect();
    crate::sorted::sort_by_key(&mut queued, |assignment| assignment.epoch);
    for assignment in queued {
        match obstacle(plan, &assignment) {
            Some(wait) => {
                let source = plan.state().reviews.get(&assignment.bead_id).and_then(|review| review.source_id);
                if let Some(source) = source {
                    plan.wait(Wait { bead_id: source, ..wait.clone() }.other(assignment.bead_id));
                }
                plan.wait(wait);
            }
            None => start(plan, &assignment),
        }
    }
}

fn obstacle(plan: &Plan, assignment: &Assignment) -> Option<Wait> {
    let rig = &plan.state().rig;
    let now = plan.now();
    let wait = |code, message: &str| Some(Wait::new(assignment.bead_id, code, message, now));
    if rig.settings.as_ref().is_none_or(|settings| settings.version < rig.wanted_version) {
        return wait(WaitCode::ConfigPending, "The rig waits for its newest settings.");
    }
    if rig.town.paused {
        return wait(WaitCode::Paused, "The town is paused.");
    }
    if rig.town.draining {
        return wait(WaitCode::Draining, "The runtime is being replaced.");
    }
    if let Some(wait) = budget_wait(plan, assignment) {
        return Some(wait);
    }
    if let Some(breaker) = rig.town.breaker.as_ref().filter(|_| !assignment.is_probe) {
        let wait = Wait::new(assignment.bead_id, WaitCode::BreakerOpen, breaker.message.clone(), now).of_the_town();
        return Some(wait.until(breaker.until));
    }
    if let Some(wait) = breaker_wait(plan, assignment) {
        return Some(wait);
    }
    match assignment.slot {
        Slot::Granted => None,
        Slot::None | Slot::Asked => wait(WaitCode::NoSlotTown, "All session slots of the town are taken."),
    }
}

/// The town's budget of the day, or the convoy's, is used up: nothing more starts there.
fn budget_wait(plan: &Plan, assignment: &Assignment) -> Option<Wait> {
    let town = &plan.state().rig.town;
    let wait = |message: &str| Wait::new(assignment.bead_id, WaitCode::BudgetReached, message, plan.now());
    if town.budget_reached {
        return Some(wait("The town's budget of the day is used up.").until(town.budget_until));
    }
    let bead = plan.state().beads.get(&assignment.bead_id)?;
    let convoy_id = usage::convoy_of(plan.state(), bead)?;
    let is_exhausted = town.exhausted_convoys.contains(&convoy_id);
    is_exhausted.then(|| wait("The budget of its convoy is used up. Raising it lets the work go on."))
}

/// An open breaker holds everything back; a half-open one lets exactly one session try.
fn breaker_wait(plan: &Plan, assignment: &Assignment) -> Option<Wait> {
    let breaker = &plan.state().rig.breaker;
    let is_behind = |other: &Assignment| {
        other.phase == Phase::Starting || (other.phase == Phase::Queued && other.epoch < assignment.epoch)
    };
    let holds = match breaker.state {
        BreakerState::Closed => false,
        BreakerState::Open => true,
        BreakerState::HalfOpen => plan.state().live_assignments().any(is_behind),
    };
    if !holds {
        return None;
    }
    let code = match breaker.code.as_deref() {
        Some("no_credentials" | "no_llm_credentials" | "auth" | "quota") => WaitCode::NoCredentials,
        Some("repo_not_found" | "repo_forbidden" | "base_missing" | "repo_too_large" | "host_not_allowed") => {
            WaitCode::RigNotReady
        }
        Some(_) | None => WaitCode::BreakerOpen,
    };
    let message = breaker.message.clone().unwrap_or_else(|| "Too many starts failed.".to_owned());
    Some(Wait::new(assignment.bead_id, code, message, plan.now()).until(breaker.until))
}

fn start(plan: &mut Plan, assignment: &Assignment) {
    let bead = plan.state().beads.get(&assignment.bead_id);
    let Some(resolution) = bead.and_then(|bead| resolution(plan.state(), plan.catalogue(), bead)) else { return };
    let now = plan.now();
    plan.update_assignment(assignment.assignment_id, |assignment| {
        assignment.phase = Phase::Starting;
        assignment.step = None;
        assignment.model_reason = Some(resolution.reason());
        assignment.model = Some(resolution.model.clone());
        assignment.small_model = Some(resolution.small_model.clone());
        assignment.started_at = Some(now);
        assignment.ordered_at = Some(now);
        assignment.order_due = Some(now + START_REORDER);
        assignment.lease_until = Some(now + LEASE);
    });
    let old = plan.state().beads.get(&assignment.bead_id).map(|bead| (bead.kind, bead.status));
    plan.update_bead(assignment.bead_id, |bead| {
        bead.dispatches += 1;
        if bead.kind == BeadType::Issue {
            bead.status = BeadStatus::InProgress;
        }
    });
    if let Some((BeadType::Issue, status)) = old {
        plan.status_changed(assignment.bead_id, status, BeadStatus::InProgress, "start");
    }
    let event = plan.event("dispatched");
    plan.record(EventRow {
        bead_id: Some(assignment.bead_id),
        agent_id: Some(assignment.agent_id),
        assignment_id: Some(assignment.assignment_id),
        new: Some(resolution.model.to_string()),
        data: serde_json::json!({ "because": resolution.because }),
        ..event
    });
    plan.effect(Effect::StartSession(assignment.assignment_id));
}
