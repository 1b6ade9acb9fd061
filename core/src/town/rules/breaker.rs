//! T4: failing starts stop in the whole town (domain.md 5.6). Rigs report theirs, and a container that cannot be started
//! counts too. The window opens the breaker, time half-opens it, one probe decides; people are told once per episode.

use crate::breaker::{Breaker, BreakerState};
use crate::id::{AssignmentId, RigId};
use crate::limits::{BREAKER_TOWN, BREAKER_TOWN_WINDOW};
use crate::protocol::Severity;
use crate::town::escalation;
use crate::town::plan::{Plan, Write};
use crate::town::state::Slot;

pub(crate) fn run(plan: &mut Plan) {
    let breaker = &plan.state().breaker;
    if breaker.state == BreakerState::Closed && breaker.failures.len() >= BREAKER_TOWN {
        let minutes = BREAKER_TOWN_WINDOW.as_secs() / 60;
        let words = breaker.message.clone().unwrap_or_default();
        open(plan, &format!("{BREAKER_TOWN} starts failed within {minutes} minutes. The last one: {words}"));
    } else if breaker.is_due(plan.now()) {
        half_open(plan);
    }
}

/// A retryable start failure counts while the breaker is closed; the probe's opens it again.
pub(crate) fn start_failed(plan: &mut Plan, rig_id: Option<RigId>, code: &str, message: &str, is_probe: bool) {
    match plan.state().breaker.state {
        BreakerState::Closed => {
            plan.update_breaker(|breaker| breaker.message = Some(message.to_owned()));
            let at = plan.now();
            plan.write(Write::StartFailure { rig_id, at, code: code.to_owned() });
        }
        BreakerState::HalfOpen if is_probe => open(plan, &format!("The probe failed: {message}")),
        BreakerState::HalfOpen | BreakerState::Open => (),
    }
}

/// A session runs: a half-open breaker closes, and its escalation with it.
pub(crate) fn start_succeeded(plan: &mut Plan) {
    if plan.state().breaker.state != BreakerState::HalfOpen {
        return;
    }
    plan.write(Write::Breaker(Box::default()));
    let probes: Vec<AssignmentId> =
        plan.state().slots.values().filter(|slot| slot.is_probe).map(|slot| slot.assignment_id).collect();
    for assignment_id in probes {
        if let Some(slot) = plan.state().slots.get(&assignment_id).cloned() {
            plan.write(Write::Slot(Slot { is_probe: false, ..slot }));
        }
    }
    escalation::clear(plan, escalation::BREAKER);
}

/// Settings or secrets changed, a person asks, or time has passed: one session may probe.
pub(crate) fn half_open(plan: &mut Plan) {
    if plan.state().breaker.state == BreakerState::Open {
        plan.update_breaker(Breaker::half_open);
    }
}

fn open(plan: &mut Plan, message: &str) {
    let now = plan.now();
    if plan.update_breaker(|breaker| breaker.open("start_failures", message, now)) {
        let title = "No new work starts in this town";
        escalation::raise(plan, escalation::BREAKER, Severity::High, "start_failures", title, message);
    }
}
