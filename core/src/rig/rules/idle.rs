//! R5: agents that forget to report. A session that is idle without a result is asked to finish or say why; after the
//! last question it has a little time, then its work is saved and it is stopped, charged as an agent error. Being busy
//! for a moment does not begin the count anew: an agent that only ever answers "almost done" must not run for ever.

use crate::limits::{IDLE_EXIT, IDLE_NUDGES};
use crate::rig::assignment::{self, Assignment, Pending, Phase};
use crate::rig::nudge::{self, NewNudge, Nudge, NudgeMode, NudgePriority, NudgeSource, NudgeState};
use crate::rig::plan::Plan;
use crate::time::Timestamp;

pub(crate) fn run(plan: &mut Plan) {
    if plan.state().rig.town.draining {
        return;
    }
    let idle: Vec<Assignment> = plan
        .state()
        .live_assignments()
        .filter(|assignment| assignment.phase == Phase::Running && is_overdue(plan, assignment))
        .cloned()
        .collect();
    for assignment in idle {
        if assignment.idle_nudges < IDLE_NUDGES {
            ask(plan, &assignment);
        } else {
            let message = "it was idle without a result, and did not answer when asked for one";
            assignment::stop(plan, assignment.assignment_id, Pending::Failed, "no_result", message);
        }
    }
}

/// Idle, with nothing else to read, and not asked yet, or asked long enough ago to have answered.
fn is_overdue(plan: &Plan, assignment: &Assignment) -> bool {
    let asked_at = assignment.idle_nudged_at;
    let is_unanswered = asked_at.is_none_or(|at| plan.now().since(at) >= IDLE_EXIT);
    assignment.idle_since.is_some() && is_unanswered && !has_something_to_read(plan, assignment)
}

/// Another nudge comes first, unless it was handed over so long ago that it is not what keeps the agent.
fn has_something_to_read(plan: &Plan, assignment: &Assignment) -> bool {
    let is_young = |sent_at: Option<Timestamp>| sent_at.is_none_or(|at| plan.now().since(at) < IDLE_EXIT);
    let now = plan.now();
    // What expires in this plan (R8) is read by nobody.
    let may_be_read = |nudge: &&Nudge| nudge.expires_at.is_none_or(|at| at > now);
    let others = |nudge: &&Nudge| nudge.source != NudgeSource::Idle && nudge.is_for(assignment);
    plan.state().nudges.values().filter(others).filter(may_be_read).any(|nudge| match nudge.state {
        NudgeState::Pending => true,
        NudgeState::Sent => is_young(nudge.sent_at),
        NudgeState::Delivered | NudgeState::Expired => false,
    })
}

fn ask(plan: &mut Plan, assignment: &Assignment) {
    let (assignment_id, now, nudge) = (assignment.assignment_id, plan.now(), assignment.idle_nudges + 1);
    plan.update_assignment(assignment_id, |assignment| {
        assignment.idle_nudges = nudge;
        assignment.idle_nudged_at = Some(now);
    });
    nudge::expire(plan, |known| known.source == NudgeSource::Idle && known.assignment_id == Some(assignment_id));
    nudge::make(
        plan,
        NewNudge {
            agent_id: assignment.agent_id,
            message: "You are idle without a result: finish, or say what keeps you.".to_owned(),
            mode: NudgeMode::WaitIdle,
            priority: NudgePriority::Normal,
            source: NudgeSource::Idle,
            keep: None,
        },
    );
}
