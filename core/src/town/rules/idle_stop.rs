//! T9: the runtime sleeps when nothing needs it. After the quiet time of the settings the mayor's conversation is saved
//! and the runtime told to stop; the next need wakes it.

use std::time::Duration;

use super::container_needed::has_work;
use crate::config::effective_town;
use crate::limits::{FINISH_LIMIT, STOP_GAP};
use crate::time::Timestamp;
use crate::town::plan::{Effect, Plan, Write};
use crate::town::state::{MayorActivity, MayorPhase, Runtime, State};

pub(crate) fn run(plan: &mut Plan) {
    let (now, runtime) = (plan.now(), plan.state().runtime);
    if !runtime.is_awake {
        return;
    }
    if is_busy(plan.state()) {
        if runtime.quiet_since.is_some() {
            plan.write(Write::Runtime(Runtime { quiet_since: None, ..runtime }));
        }
        return;
    }
    if runtime.quiet_since.is_none() {
        plan.write(Write::Runtime(Runtime { quiet_since: Some(now), ..runtime }));
    }
    if !plan.state().drain.is_draining && due_at(plan.state()).is_some_and(|at| at <= now) {
        stop(plan);
    }
}

/// When the runtime is told to stop, if nothing happens before.
pub(super) fn due_at(state: &State) -> Option<Timestamp> {
    let quiet_since = state.runtime.quiet_since.filter(|_| state.runtime.is_awake)?;
    let minutes = u64::from(effective_town(&state.town.config).sleep_after_minutes);
    let quiet_enough = quiet_since + Duration::from_secs(minutes * 60);
    Some(state.runtime.stopped_at.map_or(quiet_enough, |at| quiet_enough.max(at + STOP_GAP)))
}

fn is_busy(state: &State) -> bool {
    let mayor_is_busy = match (state.mayor.phase, state.mayor.activity) {
        (MayorPhase::Absent, _) | (MayorPhase::Running, MayorActivity::Waiting) => false,
        (MayorPhase::Starting | MayorPhase::Finishing, _) | (MayorPhase::Running, MayorActivity::Working) => true,
    };
    mayor_is_busy || has_work(state) || state.mayor.wanted_at.is_some() || state.calls_the_mayor()
}

fn stop(plan: &mut Plan) {
    let now = plan.now();
    let runtime = Runtime { is_awake: false, quiet_since: None, stopped_at: Some(now), ..plan.state().runtime };
    plan.write(Write::Runtime(runtime));
    if plan.state().mayor.phase == MayorPhase::Running {
        plan.update_mayor(|mayor| {
            mayor.phase = MayorPhase::Finishing;
            mayor.lease_until = Some(now + FINISH_LIMIT);
            mayor.probe_until = None;
        });
    }
    plan.set_needed(false);
    plan.effect(Effect::StopRuntime);
}
