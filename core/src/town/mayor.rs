//! The mayor's session: its table, and the steps that rules, facts and commands share (domain.md 9.5). It is always
//! available: when no session is live, the next message starts one, and is delivered after the start, once.

use super::escalation;
use super::plan::{Effect, Plan};
use super::state::{MayorActivity, MayorError, MayorPhase, MessageState};
use crate::id::{AssignmentId, MessageId};
use crate::limits::{ATTEMPTS, LEASE, backoff};
use crate::models::{Task, resolve};
use crate::protocol::Severity;
use crate::session::Usage;
use crate::time::Timestamp;

/// The code of a swap whose new session did not come up; whoever had a mayor wants it back.
const SWAP_FAILED: &str = "swap_failed";

/// Every change of the mayor's phase, and what causes it.
pub const TRANSITIONS: &[(MayorPhase, &str, MayorPhase)] = &[
    (MayorPhase::Absent, "a message waits, or somebody asks for the mayor (T15)", MayorPhase::Starting),
    (MayorPhase::Starting, "ready, or a heartbeat that says running", MayorPhase::Running),
    (MayorPhase::Starting, "refused, failed, lost", MayorPhase::Absent),
    (MayorPhase::Running, "heartbeat, message, idle", MayorPhase::Running),
    (MayorPhase::Running, "another model (T17): a new epoch takes over", MayorPhase::Starting),
    (MayorPhase::Starting, "restart asked", MayorPhase::Finishing),
    (MayorPhase::Running, "restart asked, or the runtime is put to sleep (T9)", MayorPhase::Finishing),
    (MayorPhase::Running, "session over, lost", MayorPhase::Absent),
    (MayorPhase::Finishing, "session over, lease over", MayorPhase::Absent),
];

/// Every change of a message to the mayor, and what causes it.
pub const MESSAGE_TRANSITIONS: &[(MessageState, &str, MessageState)] = &[
    (MessageState::Queued, "a session runs (T18)", MessageState::Sent),
    (MessageState::Sent, "the session has taken it", MessageState::Delivered),
    (MessageState::Sent, "the session went before it took it", MessageState::Queued),
];

/// Orders a session under a new epoch.
pub fn start(plan: &mut Plan) {
    let assignment_id = begin(plan);
    plan.effect(Effect::StartMayor(assignment_id));
}

/// Orders a session with the present model to take the place of the live one, with the same conversation. What the live
/// one had not taken yet is pushed again; the runtime knows what it has.
pub fn swap(plan: &mut Plan) {
    let assignment_id = begin(plan);
    requeue(plan);
    plan.effect(Effect::SwapMayor(assignment_id));
}

/// A session under a new epoch; the model is resolved here and nowhere else for the mayor (models.md 5.2).
fn begin(plan: &mut Plan) -> AssignmentId {
    let now = plan.now();
    let assignment_id: AssignmentId = plan.mint();
    let epoch = plan.state().town.next_epoch;
    let resolution = resolve(&plan.state().town.config.models, plan.catalogue(), None, &Task::mayor());
    plan.update_town(|town| town.next_epoch += 1);
    plan.update_mayor(|mayor| {
        mayor.assignment_id = Some(assignment_id);
        mayor.epoch = epoch;
        mayor.phase = MayorPhase::Starting;
        mayor.activity = MayorActivity::Waiting;
        mayor.since = now;
        mayor.reason = Some(resolution.reason());
        mayor.model = Some(resolution.model);
        mayor.small_model = Some(resolution.small_model);
        mayor.instance_id = None;
        mayor.ordered_at = Some(now);
        mayor.lease_until = Some(now + LEASE);
        mayor.probe_until = None;
        mayor.not_before = None;
        mayor.is_swap_wanted = false;
        mayor.spent = Usage::default();
    });
    assignment_id
}

/// No session is live any more. Messages that it did not take wait for the next one.
pub fn became_absent(plan: &mut Plan, error: Option<MayorError>, not_before: Option<Timestamp>) {
    let now = plan.now();
    plan.update_mayor(|mayor| {
        mayor.assignment_id = None;
        mayor.phase = MayorPhase::Absent;
        mayor.activity = MayorActivity::Waiting;
        mayor.since = now;
        mayor.lease_until = None;
        mayor.probe_until = None;
        mayor.ordered_at = None;
        mayor.error = error;
        mayor.not_before = not_before;
        mayor.is_swap_wanted = false;
    });
    requeue(plan);
}

fn requeue(plan: &mut Plan) {
    let sent: Vec<MessageId> = plan
        .state()
        .inbox
        .values()
        .filter(|message| message.state == MessageState::Sent)
        .map(|message| message.message_id)
        .collect();
    for message_id in sent {
        plan.update_message(message_id, |message| message.state = MessageState::Queued);
    }
}

/// A start that failed is charged and backs off.
pub fn start_failed(plan: &mut Plan, code: &str, message: &str) {
    let now = plan.now();
    let failures = plan.state().mayor.start_failures + 1;
    plan.update_mayor(|mayor| mayor.start_failures = failures);
    let error = MayorError { code: code.to_owned(), message: message.to_owned(), at: now };
    became_absent(plan, Some(error), Some(now + backoff(failures)));
    if code == SWAP_FAILED {
        plan.update_mayor(|mayor| mayor.wanted_at = Some(now));
    }
    if failures == ATTEMPTS {
        let title = "The mayor cannot be started";
        let message = format!("{failures} starts in a row failed. The last one: {message} A new message tries again.");
        escalation::raise(plan, escalation::MAYOR, Severity::High, "mayor_unavailable", title, &message);
    }
}

/// The session takes messages.
pub fn became_running(plan: &mut Plan) {
    let now = plan.now();
    if plan.state().mayor.phase != MayorPhase::Starting {
        return;
    }
    plan.update_mayor(|mayor| {
        mayor.phase = MayorPhase::Running;
        mayor.since = now;
        mayor.start_failures = 0;
        mayor.wanted_at = None;
        mayor.error = None;
    });
    escalation::clear(plan, escalation::MAYOR);
}

/// News of the session.
pub fn renew_lease(plan: &mut Plan) {
    let now = plan.now();
    plan.update_mayor(|mayor| {
        if mayor.phase != MayorPhase::Finishing {
            mayor.lease_until = Some(now + LEASE);
            mayor.probe_until = None;
        }
        mayor.last_activity_at = Some(now);
    });
}
