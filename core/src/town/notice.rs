//! What the mayor hears from the town itself (T19): matters that need it, once, together, and not without end. What can
//! wait goes along with its next turn.

use super::plan::Plan;
use super::state::{Escalation, MayorPhase, MessageSource, MessageState};
use super::{command, escalation, state::Notices};
use crate::id::MessageId;
use crate::limits::{MAYOR_NOTICE_GAP, MAYOR_NOTICE_WINDOW, MAYOR_NOTICES};
use crate::protocol::Severity;
use crate::time::Timestamp;

/// Something that the mayor shall know, and that does not start a session: told while one is live, else with the next
/// turn.
pub fn note(plan: &mut Plan, text: String) {
    plan.update_mayor(|mayor| mayor.notices.pending.push(text));
}

/// A message of the town that starts a session when none is live.
pub fn post(plan: &mut Plan, text: String) {
    let message_id: MessageId = plan.mint();
    command::post_message(plan, message_id, MessageSource::System, None, text, None);
}

/// What is worth a turn of its own: loud escalations that the mayor has not heard of at this loudness.
///
/// That the runtime cannot be kept alive is not among it: no session could be started to hear it.
pub fn urgent(plan: &Plan) -> Vec<Escalation> {
    let mut urgent = untold(plan, Severity::High);
    urgent.retain(|open| open.dedup_key != escalation::RUNTIME);
    urgent
}

/// Open escalations from this loudness on that the mayor has not heard of, oldest first.
pub fn untold(plan: &Plan, from: Severity) -> Vec<Escalation> {
    let mut untold: Vec<Escalation> = plan
        .state()
        .escalations
        .values()
        .filter(|open| open.is_open() && open.severity >= from && open.told.is_none_or(|told| told < open.severity))
        // That the mayor is not there is no news for the mayor.
        .filter(|open| open.dedup_key != escalation::MAYOR)
        .cloned()
        .collect();
    crate::sorted::sort_by_key(&mut untold, |open| (open.created_at, open.escalation_id));
    untold
}

/// Whether a turn of the mayor begins in any case, so that a notice costs nothing.
pub fn has_turn(plan: &Plan) -> bool {
    plan.state().inbox.values().any(|message| message.state == MessageState::Queued)
}

/// When a notice may have a turn of its own: soon after the last one others wait to go together, and only so many an
/// hour. The automatic messages of a town without budget wait for the next day.
pub fn free_at(plan: &Plan) -> Option<Timestamp> {
    let state = plan.state();
    if state.day_budget.is_reached {
        return None;
    }
    let sent = &state.mayor.notices.sent;
    let gap = sent.last().map(|&last| last + MAYOR_NOTICE_GAP);
    let is_full = sent.len() >= MAYOR_NOTICES;
    let cap = sent.len().checked_sub(MAYOR_NOTICES).and_then(|first| sent.get(first)).filter(|_| is_full);
    [gap, cap.map(|&first| first + MAYOR_NOTICE_WINDOW)].into_iter().flatten().max().or(Some(plan.now()))
}

/// When the alarm must look at what waits to be told; none while nothing does.
pub fn next_look(plan: &Plan) -> Option<Timestamp> {
    let is_live = plan.state().mayor.phase == MayorPhase::Running;
    let has_notes = is_live && !plan.state().mayor.notices.pending.is_empty();
    if urgent(plan).is_empty() && !has_notes { None } else { free_at(plan) }
}

impl Notices {
    /// The same after a notice of this moment; what is older than the window does not count any more.
    pub fn after(&self, now: Timestamp) -> Self {
        let mut sent: Vec<Timestamp> =
            self.sent.iter().copied().filter(|&at| now.since(at) < MAYOR_NOTICE_WINDOW).collect();
        sent.push(now);
        Self { sent, pending: Vec::new() }
    }
}
