//! Triage in the rig (domain.md 9.6): a batch is an issue by `patrol` whose metadata hold the requests; its agent decides
//! them one by one. A decision reaches only the session that its request names, and only while that is the live one.
//! The Town hears of each decision, and of the end of the batch.

use serde_json::json;

use super::agent::{self, AgentRole};
use super::answer;
use super::assignment::{self, Assignment, Pending};
use super::bead::{self, Bead, BeadType, FailureCode, FailureSource};
use super::command::{Applied, Refusal};
use super::event::{SessionKey, live};
use super::plan::{EventRow, Plan, Write};
use super::review;
use crate::id::{AgentId, AssignmentId, BeadId};
use crate::limits::backoff;
use crate::protocol::{Priority, RigToTown, TriageAction, TriageItem, TriageResolved};
use crate::session::Kind;
use crate::sorted::SortedSet;

/// Reserved key of a batch's metadata: its requests with what was decided.
pub const REQUESTS: &str = "triage_requests";

/// A decision about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decide {
    /// The session of the batch.
    pub session: SessionKey,
    /// Which request.
    pub request_id: BeadId,
    /// What.
    pub action: TriageAction,
    /// Why, for people.
    pub notes: String,
    /// What the agent concerned shall read; the notes when absent.
    pub guidance: Option<String>,
}

/// Makes the bead of a batch. A batch that was made, or has ended, is not made again.
pub fn open_batch(plan: &mut Plan, batch_id: BeadId, requests: &[TriageItem]) {
    let now = plan.now();
    let title = format!("Triage: {} request(s)", requests.len());
    let batch = Bead {
        priority: Priority::High,
        labels: SortedSet::from([bead::TRIAGE.to_owned()]),
        metadata: serde_json::Map::from_iter([(REQUESTS.to_owned(), json!(requests))]),
        version: 1,
        ..Bead::new(batch_id, BeadType::Issue, title, bead::PATROL.to_owned(), now)
    };
    plan.write(Write::Bead(Box::new(batch)));
    let event = plan.event("created");
    plan.record(EventRow { bead_id: Some(batch_id), actor: bead::PATROL.to_owned(), ..event });
}

/// The requests of a batch, oldest first; none of any other bead.
pub fn requests(batch: &Bead) -> Vec<TriageItem> {
    let kept = batch.metadata.get(REQUESTS).filter(|_| is_batch(batch));
    kept.and_then(|kept| crate::json::from_value(kept).ok()).unwrap_or_default()
}

/// Whether the bead is a batch; a person's bead that merely has the label is not.
pub fn is_batch(bead: &Bead) -> bool {
    bead.has_label(bead::TRIAGE) && bead.created_by == bead::PATROL
}

/// The bead of a batch ended: the Town hears of it, so that what was left undecided waits again.
pub fn ended(plan: &mut Plan, batch_id: BeadId) {
    if plan.state().beads.get(&batch_id).is_some_and(is_batch) {
        plan.post(RigToTown::TriageEnded { batch_id });
    }
}

/// The agent of a batch decides one of its requests; nobody else may.
pub(super) fn decide(plan: &mut Plan, decide: Decide) -> Result<Applied, Refusal> {
    let Some(triage) = live(plan, decide.session) else { return Err(super::command::stale(plan, decide.session)) };
    if triage.kind != Kind::Triage {
        return Err(Refusal::RoleNotAllowed(triage.kind.role()));
    }
    let batch = plan.state().beads.get(&triage.bead_id).map(requests).unwrap_or_default();
    let Some(item) = batch.iter().find(|item| item.asked.request_id == decide.request_id).cloned() else {
        return Err(Refusal::NotInBatch(decide.request_id));
    };
    if item.decided.is_some() {
        return Err(Refusal::AlreadyResolved(decide.request_id));
    }
    if !item.asked.options.iter().any(|word| TriageAction::read(word) == Some(decide.action)) {
        return Err(Refusal::IllegalTransition(format!("{} is not offered for this request", decide.action)));
    }
    let was_live = perform(plan, &item, &triage, &decide);
    let decided = batch.into_iter().map(|mut item| {
        item.decided = item.decided.or((item.asked.request_id == decide.request_id).then_some(decide.action));
        item
    });
    let kept = json!(decided.collect::<Vec<_>>());
    plan.update_bead(triage.bead_id, |bead| drop(bead.metadata.insert(REQUESTS.to_owned(), kept)));
    plan.post(RigToTown::TriageResolved(Box::new(TriageResolved {
        request_id: decide.request_id,
        action: decide.action,
        notes: decide.notes,
        agent_id: triage.agent_id,
        was_live,
    })));
    Ok(Applied::Bead(triage.bead_id))
}

/// Does what was decided, as far as it concerns this rig; says whether the named session was still the live one.
fn perform(plan: &mut Plan, item: &TriageItem, triage: &Assignment, decide: &Decide) -> bool {
    let named =
        item.asked.assignment_id.and_then(|id| plan.state().assignments.get(&id)).filter(|named| named.is_live());
    let named = named.cloned();
    let words = decide.guidance.as_deref().unwrap_or(&decide.notes);
    let by = triage.agent_id.to_string();
    match (decide.action, &named) {
        (TriageAction::ProvideGuidance, _) => {
            answer::give(plan, item.asked.bead_id, item.asked.agent_id, &by, words);
        }
        (TriageAction::Nudge, Some(named)) => answer::tell(plan, named.assignment_id, &by, words),
        (TriageAction::Restart, Some(named)) => restart(plan, named.assignment_id, &decide.notes),
        (TriageAction::RestartWithBackoff, Some(named)) => {
            let (now, bead_id) = (plan.now(), named.bead_id);
            restart(plan, named.assignment_id, &decide.notes);
            plan.update_bead(bead_id, |bead| bead.not_before = Some(now + backoff(bead.dispatches)));
        }
        (TriageAction::ReassignBead, Some(named)) => {
            let (bead_id, other) = (named.bead_id, another_polecat(plan, named));
            restart(plan, named.assignment_id, &decide.notes);
            plan.update_bead(bead_id, |bead| bead.preferred_agent = other);
        }
        (TriageAction::CloseBead, Some(named)) => fail(plan, named.bead_id, &decide.notes, &by),
        (
            TriageAction::Nudge
            | TriageAction::Restart
            | TriageAction::RestartWithBackoff
            | TriageAction::ReassignBead
            | TriageAction::CloseBead,
            None,
        )
        | (TriageAction::Escalate | TriageAction::EscalateToMayor | TriageAction::Discard, _) => (),
    }
    named.is_some()
}

fn restart(plan: &mut Plan, assignment_id: AssignmentId, notes: &str) {
    assignment::stop(plan, assignment_id, Pending::Stopped, "triage", notes);
}

/// A polecat that is not the one that has it: an idle one, or a new one. The refinery has no other.
fn another_polecat(plan: &mut Plan, named: &Assignment) -> Option<AgentId> {
    let is_polecat = |id: &AgentId| plan.state().agents.get(id).is_some_and(|agent| agent.role == AgentRole::Polecat);
    if !is_polecat(&named.agent_id) {
        return None;
    }
    // The one that has it is at work, so it is not among the idle.
    let idle = agent::idle_polecat(plan.state(), None);
    Some(idle.unwrap_or_else(|| {
        let name = agent::free_name(plan.state());
        agent::register(plan, AgentRole::Polecat, name)
    }))
}

/// Triage found that nobody can do it. A review ends as rejected, so that its source has the reason.
fn fail(plan: &mut Plan, bead_id: BeadId, notes: &str, by: &str) {
    let message = format!("Triage ended it: {notes}");
    match plan.state().live_bead(bead_id).map(|bead| bead.kind) {
        Some(BeadType::MergeRequest) => review::rejected(plan, bead_id, &message, by),
        Some(BeadType::Issue | BeadType::Molecule) => {
            bead::fail(plan, bead_id, FailureCode::FailedByUser, &message, FailureSource::Agent, by);
        }
        None => (),
    }
}
