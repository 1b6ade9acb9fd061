//! T24: the account knows whether the town is live, so that it can look after a town whose alarm was lost.

use crate::breaker::BreakerState;
use crate::town::plan::{Effect, Plan};
use crate::town::state::State;

pub(crate) fn run(plan: &mut Plan) {
    let is_active = is_active(plan.state());
    let told = plan.state().told_account;
    if told != Some(is_active) && (is_active || told.is_some()) {
        plan.set_told_account(is_active);
        plan.effect(Effect::TellAccount(is_active));
    }
}

/// Something here moves with time. Messages that wait for an acknowledgement do not count: their receivers ask again.
fn is_active(state: &State) -> bool {
    state.runtime.is_awake
        || state.drain.is_draining
        || state.day_budget.is_reached
        || state.breaker.state != BreakerState::Closed
}
