//! T18: each message once, in order. All waiting messages go in one push, oldest first; those whose delivery was not
//! confirmed are pushed again under their ids, which the runtime recognises. Once the budget of the day is used up only
//! people's go through.

use crate::id::MessageId;
use crate::limits::START_REORDER;
use crate::town::plan::{Effect, Plan};
use crate::town::state::{MayorActivity, MayorPhase, MessageState};

pub(crate) fn run(plan: &mut Plan) {
    if plan.state().mayor.phase != MayorPhase::Running {
        return;
    }
    let now = plan.now();
    let waiting = plan.state().deliverable_messages();
    let is_due = waiting.iter().any(|message| {
        message.state == MessageState::Queued || message.sent_at.is_none_or(|at| now.since(at) >= START_REORDER)
    });
    if !is_due {
        return;
    }
    let message_ids: Vec<MessageId> = waiting.iter().map(|message| message.message_id).collect();
    for &message_id in &message_ids {
        plan.update_message(message_id, |message| {
            message.state = MessageState::Sent;
            message.sent_at = Some(now);
        });
    }
    plan.update_mayor(|mayor| {
        mayor.activity = MayorActivity::Working;
        mayor.since = now;
    });
    plan.effect(Effect::PushToMayor(message_ids));
}
