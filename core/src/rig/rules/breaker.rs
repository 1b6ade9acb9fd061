//! R22: failing starts stop (domain.md 5.6). The window opens the breaker, time half-opens it, one probe decides. What
//! only a person can mend opens it at once, with the reason, and is told once per episode. The Town hears of every start
//! that failed or ran, for its own breaker.

use crate::breaker::{Breaker, BreakerState};
use crate::limits::{BREAKER_RIG, BREAKER_RIG_WINDOW};
use crate::protocol::{Escalation, RigToTown, Severity};
use crate::rig::assignment::Assignment;
use crate::rig::escalation::breaker_key;
use crate::rig::plan::Plan;

pub(crate) fn run(plan: &mut Plan) {
    let breaker = &plan.state().rig.breaker;
    if breaker.state == BreakerState::Closed && breaker.failures.len() >= BREAKER_RIG {
        let count = breaker.failures.len();
        let words = breaker.message.clone().unwrap_or_default();
        open(plan, "start_failures", &format!("{count} starts failed in a short time. The last one: {words}"));
    } else if breaker.is_due(plan.now()) {
        half_open(plan);
    }
}

/// A retryable start failure counts; a failed probe opens the breaker again.
pub(crate) fn start_failed(plan: &mut Plan, assignment: &Assignment, code: &str, message: &str) {
    tell_failure(plan, assignment, code, message, true);
    let now = plan.now();
    let was_probe = plan.state().rig.breaker.state == BreakerState::HalfOpen;
    plan.update_rig(|rig| {
        rig.breaker.count(now, BREAKER_RIG_WINDOW);
        rig.breaker.message = Some(message.to_owned());
    });
    if was_probe {
        open(plan, code, message);
    }
}

/// A start failed in a way that no repeat mends: credentials, repository, configuration.
pub(crate) fn start_impossible(plan: &mut Plan, assignment: &Assignment, code: &str, message: &str) {
    tell_failure(plan, assignment, code, message, false);
    needs_a_person(plan, code, message);
}

/// Credentials, quota, repository, configuration: no repeat helps before a person has acted.
pub(crate) fn needs_a_person(plan: &mut Plan, code: &str, message: &str) {
    open(plan, code, message);
}

/// A session runs: a half-open breaker closes, and its escalation with it.
pub(crate) fn start_succeeded(plan: &mut Plan, assignment: &Assignment) {
    plan.post(RigToTown::StartSucceeded { assignment_id: assignment.assignment_id });
    match plan.state().rig.breaker.state {
        BreakerState::HalfOpen | BreakerState::Open => {
            plan.update_rig(|rig| rig.breaker = Breaker::default());
            let dedup_key = breaker_key(plan);
            plan.post(RigToTown::EscalationCleared { dedup_key });
            let event = plan.event("breaker_closed");
            plan.record(event);
        }
        BreakerState::Closed => (),
    }
}

/// Settings or secrets changed, a person asks, or time has passed: one session may probe.
pub(crate) fn half_open(plan: &mut Plan) {
    if plan.state().rig.breaker.state == BreakerState::Open {
        plan.update_rig(|rig| {
            rig.breaker.half_open();
        });
    }
}

fn tell_failure(plan: &mut Plan, assignment: &Assignment, code: &str, message: &str, is_retryable: bool) {
    plan.post(RigToTown::StartFailed {
        assignment_id: assignment.assignment_id,
        code: code.to_owned(),
        message: message.to_owned(),
        is_retryable,
        is_probe: assignment.is_probe,
    });
}

fn open(plan: &mut Plan, code: &str, message: &str) {
    let now = plan.now();
    let mut is_new = false;
    plan.update_rig(|rig| is_new = rig.breaker.open(code, message, now));
    if !is_new {
        return;
    }
    let dedup_key = breaker_key(plan);
    plan.post(RigToTown::EscalationRaised(Box::new(Escalation {
        dedup_key,
        severity: Severity::High,
        category: "runtime".to_owned(),
        code: code.to_owned(),
        title: "No new work starts in this rig".to_owned(),
        message: message.to_owned(),
        bead_id: None,
        agent_id: None,
        assignment_id: None,
        convoy_id: None,
        choices: vec!["reset".to_owned()],
    })));
    let event = plan.event("breaker_opened");
    plan.record(crate::rig::plan::EventRow { new: Some(code.to_owned()), ..event });
}
