//! Answers to escalations (domain.md 9.6): the agent of the live assignment is told at once; what was said stands on the
//! bead as well, so that the next one knows it too.

use serde_json::{Value, json};

use super::bead::Bead;
use super::nudge::{self, NewNudge, NudgeMode, NudgePriority, NudgeSource};
use super::plan::Plan;
use crate::id::{AgentId, AssignmentId, BeadId};
use crate::protocol::EscalationAnswered;
use crate::rig::command;

/// Reserved key of a bead's metadata: what people answered, oldest first.
pub const ANSWERS: &str = "answers";
/// Answers that a bead keeps: a prompt must not grow without end.
const ANSWERS_MAX: usize = 10;

/// Applies what a person answered.
pub(super) fn answered(plan: &mut Plan, answered: EscalationAnswered) {
    let EscalationAnswered { bead_id, agent_id, by, message, retries, .. } = answered;
    give(plan, bead_id, agent_id, &by, &message);
    if let Some(bead_id) = bead_id.filter(|_| retries) {
        command::try_again(plan, bead_id, &by);
    }
}

/// Gives words to whoever works on the bead, or to the agent where no bead is named, and keeps them on the bead.
pub(super) fn give(plan: &mut Plan, bead_id: Option<BeadId>, agent_id: Option<AgentId>, by: &str, message: &str) {
    let of_agent = agent_id.and_then(|id| plan.state().assignment_of_agent(id));
    let bead_id = bead_id.or(of_agent.map(|assignment| assignment.bead_id));
    let Some(bead_id) = bead_id else { return };
    keep(plan, bead_id, by, message);
    if let Some(assignment_id) = plan.state().assignment_of_bead(bead_id).map(|live| live.assignment_id) {
        tell(plan, assignment_id, by, message);
    }
}

/// Tells the agent of a session, urgently.
pub(super) fn tell(plan: &mut Plan, assignment_id: AssignmentId, by: &str, message: &str) {
    let Some(assignment) = plan.state().assignments.get(&assignment_id).filter(|a| a.is_live()) else { return };
    let agent_id = assignment.agent_id;
    let author = by.parse().ok().filter(|id: &AgentId| plan.state().agents.contains_key(id));
    nudge::make(
        plan,
        NewNudge {
            agent_id,
            message: message.to_owned(),
            mode: NudgeMode::Immediate,
            priority: NudgePriority::Urgent,
            source: author.map_or_else(|| NudgeSource::Escalation(by.to_owned()), NudgeSource::Agent),
            keep: None,
        },
    );
}

/// What people answered about a bead, oldest first, each with its author.
pub fn of_bead(bead: &Bead) -> Vec<(&str, &str)> {
    let kept = bead.metadata.get(ANSWERS).and_then(Value::as_array);
    kept.into_iter().flatten().filter_map(|answer| Some((part(answer, "by")?, part(answer, "message")?))).collect()
}

fn part<'a>(answer: &'a Value, key: &str) -> Option<&'a str> {
    answer.get(key).and_then(Value::as_str)
}

fn keep(plan: &mut Plan, bead_id: BeadId, by: &str, message: &str) {
    let at = plan.now();
    let agent = by.parse().ok().and_then(|id: AgentId| plan.state().agents.get(&id));
    let by = agent.map_or_else(|| by.to_owned(), |agent| agent.name.clone());
    plan.update_bead(bead_id, |bead| {
        let kept = bead.metadata.get(ANSWERS).and_then(Value::as_array).cloned().unwrap_or_default();
        let skipped = (kept.len() + 1).saturating_sub(ANSWERS_MAX);
        let answer = json!({ "at": at, "by": by, "message": message });
        let kept: Vec<Value> = kept.into_iter().skip(skipped).chain([answer]).collect();
        bead.metadata.insert(ANSWERS.to_owned(), Value::Array(kept));
    });
}
