//! T16: a dead mayor is noticed. As for a rig's sessions (R1, R2, R3): ask first, then give up; a new life of the runtime
//! is a reason to ask. What it had not taken waits for the next session.

use crate::limits::{PROBE, START_LIMIT};
use crate::town::mayor::{became_absent, start_failed};
use crate::town::plan::{Effect, Plan};
use crate::town::state::MayorPhase;

pub(crate) fn run(plan: &mut Plan) {
    let now = plan.now();
    let mayor = plan.state().mayor.clone();
    let Some(assignment_id) = mayor.assignment_id else { return };
    let lease_over = mayor.lease_until.is_some_and(|until| until <= now);
    match mayor.phase {
        MayorPhase::Finishing if lease_over => became_absent(plan, None, None),
        // Heartbeats must not keep a start for ever that never comes to an end.
        MayorPhase::Starting if now.since(mayor.since) >= START_LIMIT && !plan.state().drain.is_draining => {
            plan.effect(Effect::StopMayor { assignment_id, epoch: mayor.epoch });
            start_failed(plan, "start_timeout", "The mayor's session was not running 20 minutes after its start.");
        }
        MayorPhase::Starting | MayorPhase::Running if mayor.probe_until.is_some_and(|until| until <= now) => {
            give_up(plan, "Nothing was heard of the session, and nobody answered for it.");
        }
        MayorPhase::Starting | MayorPhase::Running if mayor.probe_until.is_none() => {
            if (lease_over || is_of_an_older_instance(plan)) && !plan.state().drain.is_draining {
                plan.update_mayor(|mayor| mayor.probe_until = Some(now + PROBE));
                plan.effect(Effect::QueryMayor(assignment_id));
            }
        }
        MayorPhase::Absent | MayorPhase::Starting | MayorPhase::Running | MayorPhase::Finishing => (),
    }
}

/// A session that is gone: a start that led to nothing is charged, unless the runtime itself was replaced, so that one
/// that can never succeed is not tried for ever.
pub(crate) fn give_up(plan: &mut Plan, message: &str) {
    if plan.state().mayor.phase == MayorPhase::Starting && !is_of_an_older_instance(plan) {
        start_failed(plan, "lost", message);
    } else {
        became_absent(plan, None, None);
    }
}

fn is_of_an_older_instance(plan: &Plan) -> bool {
    let (accepted_by, present) = (plan.state().mayor.instance_id, plan.state().drain.instance_id);
    accepted_by.is_some() && present.is_some() && accepted_by != present
}
