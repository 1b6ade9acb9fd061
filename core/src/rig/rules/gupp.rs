//! R4: what is on an agent's hook is run at once (domain.md 10.4). An agent of which nothing is heard is reminded, then
//! reminded urgently while triage is asked, then stopped: each once per silence. Heartbeats of its supervisor are no
//! news of the agent, and silence stands still while the town drains.

use serde_json::json;

use crate::id::AssignmentId;
use crate::limits::{GUPP_ESCALATE, GUPP_REMIND, GUPP_STOP};
use crate::protocol::{RigToTown, TriageAsked, TriageKind};
use crate::rig::assignment::{self, Assignment, GuppTier, Pending, Phase};
use crate::rig::nudge::{self, NewNudge, NudgeMode, NudgePriority, NudgeSource};
use crate::rig::plan::Plan;
use crate::time::Timestamp;

/// What triage may do about a stuck agent.
const OPTIONS: &[&str] =
    &["NUDGE", "RESTART", "RESTART_WITH_BACKOFF", "REASSIGN_BEAD", "CLOSE_BEAD", "ESCALATE", "DISCARD"];

pub(crate) fn run(plan: &mut Plan) {
    if plan.state().rig.town.draining {
        return;
    }
    let silent: Vec<(Assignment, GuppTier)> = plan
        .state()
        .live_assignments()
        .filter(|assignment| assignment.phase == Phase::Running)
        .map(|assignment| (assignment.clone(), tier(assignment, plan.now())))
        .filter(|(assignment, tier)| *tier > assignment.gupp_tier)
        .collect();
    for (assignment, tier) in silent {
        plan.update_assignment(assignment.assignment_id, |assignment| assignment.gupp_tier = tier);
        match tier {
            GuppTier::Heard => (),
            GuppTier::Reminded => remind(plan, &assignment, NudgePriority::Normal),
            GuppTier::Escalated => {
                remind(plan, &assignment, NudgePriority::Urgent);
                ask_triage(plan, &assignment);
            }
            GuppTier::Stopped => {
                let message = format!("nothing was heard of the agent for {} minutes", GUPP_STOP.as_secs() / 60);
                assignment::stop(plan, assignment.assignment_id, Pending::Failed, "stalled", &message);
            }
        }
    }
}

/// When the next tier is reached, if nothing is heard until then.
pub(crate) fn deadline(assignment: &Assignment) -> Option<Timestamp> {
    let since = heard_at(assignment).filter(|_| assignment.phase == Phase::Running)?;
    let next = match assignment.gupp_tier {
        GuppTier::Heard if assignment.active_tools.is_empty() => GUPP_REMIND,
        GuppTier::Heard | GuppTier::Reminded => GUPP_ESCALATE,
        GuppTier::Escalated => GUPP_STOP,
        GuppTier::Stopped => return None,
    };
    Some(since + next)
}

fn tier(assignment: &Assignment, now: Timestamp) -> GuppTier {
    let Some(since) = heard_at(assignment) else { return GuppTier::Heard };
    let silence = now.since(since);
    if silence >= GUPP_STOP {
        GuppTier::Stopped
    } else if silence >= GUPP_ESCALATE {
        GuppTier::Escalated
    } else if silence >= GUPP_REMIND && assignment.active_tools.is_empty() {
        GuppTier::Reminded
    } else {
        GuppTier::Heard
    }
}

fn heard_at(assignment: &Assignment) -> Option<Timestamp> {
    assignment.last_progress_at.or(assignment.running_at)
}

fn remind(plan: &mut Plan, assignment: &Assignment, priority: NudgePriority) {
    let minutes = heard_at(assignment).map_or(0, |since| plan.now().since(since).as_secs() / 60);
    forget_reminders(plan, assignment.assignment_id);
    nudge::make(
        plan,
        NewNudge {
            agent_id: assignment.agent_id,
            message: format!("Nothing was heard of you for {minutes} minutes."),
            mode: NudgeMode::Immediate,
            priority,
            source: NudgeSource::Silence,
            keep: None,
        },
    );
}

/// A reminder makes sense only while the silence that it is about lasts, and only the newest one.
pub(crate) fn forget_reminders(plan: &mut Plan, assignment_id: AssignmentId) {
    nudge::expire(plan, |nudge| nudge.source == NudgeSource::Silence && nudge.assignment_id == Some(assignment_id));
}

fn ask_triage(plan: &mut Plan, assignment: &Assignment) {
    let request_id = plan.mint();
    let state = plan.state();
    let agent = state.agents.get(&assignment.agent_id);
    let context = json!({
        "agent_name": agent.map(|agent| &agent.name),
        "status_message": agent.and_then(|agent| agent.status_message.as_ref()),
        "bead_title": state.beads.get(&assignment.bead_id).map(|bead| &bead.title),
        "assignment_kind": assignment.kind,
        "active_tools": assignment.active_tools,
        "heard_at": heard_at(assignment),
    });
    plan.post(RigToTown::TriageAsked(Box::new(TriageAsked {
        request_id,
        kind: TriageKind::StuckAgent,
        agent_id: Some(assignment.agent_id),
        bead_id: Some(assignment.bead_id),
        assignment_id: Some(assignment.assignment_id),
        options: OPTIONS.iter().map(|&option| option.to_owned()).collect(),
        context,
    })));
}
