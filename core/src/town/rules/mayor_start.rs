//! T15: a message finds a mayor. The session is started without the message; `mayor_deliver` brings it afterwards.

use crate::limits::ATTEMPTS;
use crate::town::mayor;
use crate::town::plan::Plan;
use crate::town::state::{MayorPhase, MessageSource};

pub(crate) fn run(plan: &mut Plan) {
    let state = plan.state();
    let waiting = state.waiting_messages();
    let is_wanted = !waiting.is_empty();
    let backs_off = state.mayor.not_before.is_some_and(|at| at > plan.now());
    let a_person_asks = waiting.iter().any(|message| {
        message.source == MessageSource::User && state.mayor.error.as_ref().is_none_or(|e| message.created_at > e.at)
    });
    let is_given_up = state.mayor.start_failures >= ATTEMPTS && !a_person_asks;
    if is_wanted && state.mayor.phase == MayorPhase::Absent && !backs_off && !is_given_up && !state.drain.is_draining {
        mayor::start(plan);
    }
}
