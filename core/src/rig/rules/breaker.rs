//! R22: failing starts stop (domain.md 5.6). The window opens the breaker, time half-opens it, one probe decides. What
//! only a person can mend opens it at once, with the reason, and is told once per episode.

use crate::limits::BREAKER_PROBE;
use crate::protocol::{Escalation, RigToTown, Severity};
use crate::rig::breaker::BreakerState;
use crate::rig::escalation::breaker_key;
use crate::rig::plan::Plan;

pub(crate) fn run(plan: &mut Plan) {
    let now = plan.now();
    let breaker = &plan.state().rig.breaker;
    match breaker.state {
        BreakerState::Closed if breaker.is_over_limit() => {
            let count = breaker.failures.len();
            let words = breaker.message.clone().unwrap_or_default();
            open(plan, "start_failures", &format!("{count} starts failed in a short time. The last one: {words}"));
        }
        BreakerState::Open if breaker.until.is_some_and(|until| until <= now) => plan.update_rig(|rig| {
            rig.breaker.state = BreakerState::HalfOpen;
            rig.breaker.until = None;
        }),
        BreakerState::Closed | BreakerState::Open | BreakerState::HalfOpen => (),
    }
}

/// A retryable start failure counts; a failed probe opens the breaker again.
pub(crate) fn start_failed(plan: &mut Plan, code: &str, message: &str) {
    let now = plan.now();
    let was_probe = plan.state().rig.breaker.state == BreakerState::HalfOpen;
    plan.update_rig(|rig| {
        rig.breaker.count(now);
        rig.breaker.message = Some(message.to_owned());
    });
    if was_probe {
        open(plan, code, message);
    }
}

/// Credentials, quota, repository, configuration: no repeat helps before a person has acted.
pub(crate) fn needs_a_person(plan: &mut Plan, code: &str, message: &str) {
    open(plan, code, message);
}

/// A session runs: a half-open breaker closes, and its escalation with it.
pub(crate) fn start_succeeded(plan: &mut Plan) {
    match plan.state().rig.breaker.state {
        BreakerState::HalfOpen | BreakerState::Open => {
            plan.update_rig(|rig| rig.breaker = crate::rig::breaker::Breaker::default());
            let dedup_key = breaker_key(plan);
            plan.post(RigToTown::EscalationCleared { dedup_key });
            let event = plan.event("breaker_closed");
            plan.record(event);
        }
        BreakerState::Closed => (),
    }
}

fn open(plan: &mut Plan, code: &str, message: &str) {
    let until = plan.now() + BREAKER_PROBE;
    let is_new = plan.state().rig.breaker.state == BreakerState::Closed;
    plan.update_rig(|rig| {
        rig.breaker.state = BreakerState::Open;
        rig.breaker.until = Some(until);
        rig.breaker.code = Some(code.to_owned());
        rig.breaker.message = Some(message.to_owned());
        rig.breaker.failures.clear();
    });
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
