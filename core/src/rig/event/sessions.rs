//! Facts about sessions (domain.md 5.2).

use std::time::Duration;

use serde_json::json;

use super::Receipt;
use crate::id::{AssignmentId, BeadId};
use crate::limits::{LEASE, ORDER_CAPACITY_RETRY, ORDER_REFUSED_RETRY};
use crate::rig::assignment::{self, Assignment, AssignmentOutcome, End, GuppTier, Pending, Phase};
use crate::rig::bead::Charge;
use crate::rig::nudge::{self, NudgeState};
use crate::rig::plan::{EventRow, Plan};
use crate::rig::{mail, review, rules, usage};
pub(super) use crate::session::{Beat, Over, SessionAnswer, SessionFact, StartAnswer};
use crate::session::{ErrorKind, StartFailureCode, Step};

pub(super) fn session_reported(plan: &mut Plan, assignment: &Assignment, fact: SessionFact) -> Receipt {
    let id = assignment.assignment_id;
    match fact {
        SessionFact::Step(step) => {
            if assignment.phase != Phase::Starting {
                return Receipt::Duplicate;
            }
            plan.update_assignment(id, |assignment| assignment.step = Some(step));
            renew_lease(plan, id);
        }
        SessionFact::Ready => became_running(plan, assignment),
        SessionFact::Finishing => renew_lease(plan, id),
        SessionFact::StartFailed { code, message, is_retryable } => {
            start_failed(plan, assignment, &code, &message, is_retryable);
        }
        SessionFact::Pushed { branch, commit } => pushed(plan, assignment, &branch, commit),
        SessionFact::Saved { ref_name, commit } => {
            let saved = Some((ref_name, commit));
            plan.update_bead(assignment.bead_id, |bead| bead.saved.clone_from(&saved));
            plan.update_assignment(id, |assignment| assignment.saved = saved);
            renew_lease(plan, id);
        }
        SessionFact::Delivered(mail_ids) => delivered(plan, assignment, &mail_ids),
        SessionFact::Beat(beat) => heartbeat(plan, assignment, beat),
        SessionFact::Over(over) => session_over(plan, assignment, over),
    }
    Receipt::Applied
}

/// Only news renews a lease (domain.md 5.4). Finishing has an end of its own that news does not move.
fn renew_lease(plan: &mut Plan, assignment_id: AssignmentId) {
    let now = plan.now();
    plan.update_assignment(assignment_id, |assignment| {
        if assignment.phase != Phase::Finishing {
            assignment.lease_until = Some(now + assignment.lease());
            assignment.probe_until = None;
        }
        assignment.last_heartbeat_at = Some(now);
    });
}

/// The session takes prompts: the start succeeded, the breaker hears of it, the counter of starts begins anew.
fn became_running(plan: &mut Plan, assignment: &Assignment) {
    let now = plan.now();
    if assignment.phase == Phase::Starting {
        plan.update_assignment(assignment.assignment_id, |assignment| {
            assignment.phase = Phase::Running;
            assignment.step = None;
            assignment.running_at = Some(now);
            assignment.last_progress_at = Some(now);
            assignment.gupp_tier = GuppTier::Heard;
        });
        plan.update_bead(assignment.bead_id, |bead| bead.start_failures = 0);
        plan.update_agent(assignment.agent_id, |agent| agent.last_activity_at = Some(now));
        rules::breaker::start_succeeded(plan, assignment);
    }
    renew_lease(plan, assignment.assignment_id);
}

fn start_failed(plan: &mut Plan, assignment: &Assignment, code: &str, message: &str, is_retryable: bool) {
    if assignment.phase == Phase::Finishing {
        return session_over(plan, assignment, Over::Stopped(message.to_owned()));
    }
    let end = End::new(AssignmentOutcome::StartFailed, code, message).session_is_over();
    if let Some(review_id) = review_without_branch(plan, assignment, code) {
        assignment::end(plan, assignment.assignment_id, end);
        review::branch_is_gone(plan, review_id);
    } else if is_retryable {
        assignment::end(plan, assignment.assignment_id, end.charged(Charge::StartFailure));
        rules::breaker::start_failed(plan, assignment, code, message);
    } else {
        assignment::end(plan, assignment.assignment_id, end);
        rules::breaker::start_impossible(plan, assignment, code, message);
    }
}

/// A child works on its review's branch: when that is gone, it is this review that has lost its work (domain.md 5.3), and
/// no other work of the rig shall wait for it.
fn review_without_branch(plan: &Plan, assignment: &Assignment, code: &str) -> Option<BeadId> {
    let child = plan.state().live_bead(assignment.bead_id)?;
    let review_id = child.parent_id.filter(|parent| plan.state().reviews.contains_key(parent))?;
    (code == StartFailureCode::BaseMissing.as_str()).then_some(review_id)
}

fn pushed(plan: &mut Plan, assignment: &Assignment, branch: &str, commit: String) {
    if assignment.branch.as_deref() == Some(branch) {
        plan.update_bead(assignment.bead_id, |bead| bead.head_commit = Some(commit.clone()));
        let event = plan.event("pushed");
        plan.record(EventRow {
            bead_id: Some(assignment.bead_id),
            agent_id: Some(assignment.agent_id),
            assignment_id: Some(assignment.assignment_id),
            actor: "runtime".to_owned(),
            new: Some(commit),
            data: json!({ "branch": branch }),
            ..event
        });
    }
    renew_lease(plan, assignment.assignment_id);
}

/// The session took these messages, so the agent is not idle any more.
fn delivered(plan: &mut Plan, assignment: &Assignment, message_ids: &[String]) {
    let mut is_news = false;
    for message_id in message_ids {
        let is_mail = message_id.parse().is_ok_and(|id| mail::deliver(plan, id, assignment.assignment_id));
        let is_nudge = message_id.parse().is_ok_and(|id| nudge::move_to(plan, id, NudgeState::Delivered));
        is_news |= is_mail || is_nudge;
    }
    if is_news {
        plan.update_assignment(assignment.assignment_id, |assignment| assignment.idle_since = None);
    }
    renew_lease(plan, assignment.assignment_id);
}

fn heartbeat(plan: &mut Plan, assignment: &Assignment, beat: Beat) {
    if beat.is_running {
        became_running(plan, assignment);
    } else {
        renew_lease(plan, assignment.assignment_id);
    }
    usage::add(plan, assignment, beat.usage);
    let is_progress = beat.progress_at > assignment.last_progress_at;
    if is_progress {
        rules::gupp::forget_reminders(plan, assignment.assignment_id);
    }
    plan.update_assignment(assignment.assignment_id, |assignment| {
        assignment.instance_id = Some(beat.instance_id);
        if is_progress && beat.progress_at > assignment.last_progress_at {
            assignment.last_progress_at = beat.progress_at;
            assignment.gupp_tier = GuppTier::Heard;
        }
        assignment.idle_since = beat.idle_since;
        assignment.active_tools = beat.tool.into_iter().collect();
    });
}

fn session_over(plan: &mut Plan, assignment: &Assignment, over: Over) {
    let id = assignment.assignment_id;
    if assignment.phase == Phase::Finishing && !matches!(over, Over::Evicted(_)) {
        return end_with_pending(plan, assignment, true);
    }
    let end = match over {
        Over::Completed(message) => {
            let message = if message.is_empty() { "the session ended without a result".to_owned() } else { message };
            End::new(AssignmentOutcome::Failed, "no_result", message).charged(Charge::AgentError)
        }
        Over::Error { kind, message, retry_after } => {
            let end = End::new(AssignmentOutcome::Failed, kind.as_str(), message.clone()).retry_after(retry_after);
            match kind {
                ErrorKind::Auth | ErrorKind::Quota | ErrorKind::Config => {
                    assignment::end(plan, id, end.session_is_over());
                    return rules::breaker::needs_a_person(plan, kind.as_str(), &message);
                }
                ErrorKind::RateLimited | ErrorKind::ContextOverflow | ErrorKind::Provider | ErrorKind::Internal => {
                    end.charged(Charge::AgentError)
                }
            }
        }
        Over::Crashed(message) => End::new(AssignmentOutcome::Failed, "crash", message).charged(Charge::AgentError),
        Over::Stopped(message) | Over::Interrupted(message) => {
            End::new(AssignmentOutcome::Lost, "lost", message).charged(Charge::LostLease)
        }
        Over::Evicted(message) => End::new(AssignmentOutcome::Evicted, "evicted", message),
    };
    assignment::end(plan, id, end.session_is_over());
}

/// Ends a finishing assignment with what it was asked to end with. A session that is not known to be over is stopped: its
/// work is saved first.
pub(crate) fn end_with_pending(plan: &mut Plan, assignment: &Assignment, is_over: bool) {
    let (outcome, charge) = match assignment.pending {
        Some(Pending::Stopped) | None => (AssignmentOutcome::Stopped, None),
        Some(Pending::Budget) => (AssignmentOutcome::Budget, None),
        Some(Pending::Failed) => (AssignmentOutcome::Failed, Some(Charge::AgentError)),
    };
    let code = assignment.code.clone().unwrap_or_else(|| outcome.to_string());
    let message = assignment.message.clone().unwrap_or_else(|| "it was asked to end".to_owned());
    let end = End { charge, stop_session: !is_over, ..End::new(outcome, &code, message) };
    assignment::end(plan, assignment.assignment_id, end);
}

pub(super) fn start_answered(plan: &mut Plan, assignment: &Assignment, answer: StartAnswer) -> Receipt {
    let now = plan.now();
    let later = |plan: &mut Plan, why: String, pause: Duration| {
        plan.update_assignment(assignment.assignment_id, |assignment| {
            assignment.step = None;
            assignment.refusal = Some(why);
            assignment.order_due = Some(now + pause);
            assignment.started_at = Some(now);
            assignment.lease_until = Some(now + LEASE);
            assignment.probe_until = None;
        });
    };
    match answer {
        StartAnswer::Accepted(instance_id) => plan.update_assignment(assignment.assignment_id, |assignment| {
            assignment.instance_id = Some(instance_id);
            assignment.refusal = None;
            assignment.step = assignment.step.or(Some(Step::Accepted));
        }),
        StartAnswer::NotNow(why) => later(plan, why, ORDER_REFUSED_RETRY),
        StartAnswer::NoCapacity(why) => later(plan, why, ORDER_CAPACITY_RETRY),
        StartAnswer::Invalid { code, message } => start_failed(plan, assignment, &code, &message, false),
    }
    Receipt::Applied
}

pub(super) fn session_answered(plan: &mut Plan, assignment: &Assignment, answer: SessionAnswer) -> Receipt {
    match answer {
        SessionAnswer::Alive(instance_id) => {
            renew_lease(plan, assignment.assignment_id);
            plan.update_assignment(assignment.assignment_id, |a| a.instance_id = Some(instance_id));
        }
        SessionAnswer::Gone(message) => rules::lease_lost::give_up(plan, assignment, &message, true),
    }
    Receipt::Applied
}
