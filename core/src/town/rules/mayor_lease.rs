//! T16: a dead mayor is noticed. As for a rig's sessions (R1, R2): ask first, then give up; a new life of the runtime
//! is a reason to ask. What it had not taken waits for the next session.

use crate::limits::PROBE;
use crate::town::mayor::became_absent;
use crate::town::plan::{Effect, Plan};
use crate::town::state::MayorPhase;

pub(crate) fn run(plan: &mut Plan) {
    let now = plan.now();
    let mayor = plan.state().mayor.clone();
    let Some(assignment_id) = mayor.assignment_id else { return };
    let lease_over = mayor.lease_until.is_some_and(|until| until <= now);
    match mayor.phase {
        MayorPhase::Finishing if lease_over => became_absent(plan, None, None),
        MayorPhase::Starting | MayorPhase::Running if mayor.probe_until.is_some_and(|until| until <= now) => {
            became_absent(plan, None, None);
        }
        MayorPhase::Starting | MayorPhase::Running if mayor.probe_until.is_none() => {
            let present = plan.state().drain.instance_id;
            let replaced = mayor.instance_id.is_some() && present.is_some() && mayor.instance_id != present;
            if (lease_over || replaced) && !plan.state().drain.is_draining {
                plan.update_mayor(|mayor| mayor.probe_until = Some(now + PROBE));
                plan.effect(Effect::QueryMayor(assignment_id));
            }
        }
        MayorPhase::Absent | MayorPhase::Starting | MayorPhase::Running | MayorPhase::Finishing => (),
    }
}
