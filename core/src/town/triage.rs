//! Triage: matters that no rule decides are put before an agent first, in batches of one rig (domain.md 9.6). A batch
//! is a bead of that rig; its agent decides each request there, and the rig says what was decided. What two batches
//! leave open goes to a person.

use super::escalation;
use super::plan::{EventRow, Plan, Write};
use super::state::Escalation;
use crate::id::{BeadId, EscalationId, RigId};
use crate::limits::{TRIAGE_GAP, TRIAGE_OPEN, TRIAGE_ROUNDS};
use crate::protocol::{self, Severity, TriageAction, TriageAsked, TriageItem, TriageResolved};
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// Where a request is.
    pub enum TriageState {
        Open = "open",
        Batched = "batched",
        Resolved = "resolved",
    }
}

/// Every change of a request's state, and what causes it. Late and doubled decisions have rows too.
pub const TRANSITIONS: &[(TriageState, &str, TriageState)] = &[
    (TriageState::Open, "T21: no batch of the rig is live", TriageState::Batched),
    (TriageState::Open, "the session that it names is over", TriageState::Resolved),
    (TriageState::Batched, "the agent of the batch decided", TriageState::Resolved),
    (TriageState::Batched, "the batch ended without a decision, for the first time", TriageState::Open),
    (TriageState::Batched, "the batch ended without a decision, again: a person", TriageState::Resolved),
    (TriageState::Resolved, "decided again, or its batch ended: nothing", TriageState::Resolved),
];

/// One matter to decide (domain.md 2.3, `triage_requests`).
#[derive(Debug, Clone, PartialEq)]
pub struct TriageRequest {
    /// In this rig.
    pub rig_id: RigId,
    /// What it is about, and its identity: a bead's, because agents name it like one.
    pub asked: TriageAsked,
    /// The escalation that stands for it meanwhile.
    pub escalation_id: Option<EscalationId>,
    /// Where it is.
    pub state: TriageState,
    /// The bead of its batch.
    pub batch_bead: Option<BeadId>,
    /// Whether that bead has not ended; another batch of the rig waits for it.
    pub batch_is_live: bool,
    /// Batches that left it open.
    pub rounds: u32,
    /// What was decided.
    pub action: Option<TriageAction>,
    /// Why.
    pub notes: Option<String>,
    /// By whom.
    pub resolved_by: Option<String>,
    /// Not before then in another batch.
    pub not_before: Option<Timestamp>,
    /// When it was asked.
    pub created_at: Timestamp,
    /// When it was decided.
    pub resolved_at: Option<Timestamp>,
}

impl TriageRequest {
    /// The same matter as the agent of a batch gets it.
    pub fn item(&self) -> TriageItem {
        TriageItem { created_at: self.created_at, asked: self.asked.clone(), decided: None }
    }

    /// Whether the rules still look at it.
    pub fn is_in_view(&self) -> bool {
        self.is_live() || self.batch_is_live
    }

    /// Whether nobody has decided.
    pub fn is_live(&self) -> bool {
        self.state != TriageState::Resolved
    }
}

/// Adds a request, unless the agent has an open one of this kind, or too many automatic ones are open.
pub fn ask(plan: &mut Plan, rig_id: RigId, asked: TriageAsked, escalation_id: Option<EscalationId>) {
    let live = || plan.state().triage.values().filter(|known| known.is_live());
    let is_known = plan.state().triage.contains_key(&asked.request_id)
        || live().any(|known| known.asked.agent_id == asked.agent_id && known.asked.kind == asked.kind);
    let automatic = live().filter(|known| known.rig_id == rig_id && known.asked.kind.is_automatic()).count();
    if is_known || (asked.kind.is_automatic() && automatic >= TRIAGE_OPEN) {
        return;
    }
    let created_at = plan.now();
    plan.write(Write::Triage(Box::new(TriageRequest {
        rig_id,
        asked,
        escalation_id,
        state: TriageState::Open,
        batch_bead: None,
        batch_is_live: false,
        rounds: 0,
        action: None,
        notes: None,
        resolved_by: None,
        not_before: None,
        created_at,
        resolved_at: None,
    })));
}

/// The agent of a batch decided. What concerns its rig was done there; the rest is done here, and the escalation that
/// stood for the matter is settled.
pub fn resolved(plan: &mut Plan, rig_id: RigId, decision: TriageResolved) {
    let known = plan.state().triage.get(&decision.request_id).filter(|known| known.is_live() && known.rig_id == rig_id);
    let Some(request) = known.cloned() else { return };
    let TriageResolved { action, notes, agent_id, .. } = decision;
    let linked = request.escalation_id.and_then(|id| escalation::find(plan, id)).cloned();
    if let Some(linked) = &linked {
        escalation::resolve(plan, &linked.dedup_key, &agent_id.to_string());
    }
    match action {
        TriageAction::Escalate => ask_person(plan, &request, linked.as_ref(), &notes),
        TriageAction::EscalateToMayor => {
            let note = format!("Triage asks for you: {}\n{}", words(&request), notes);
            super::notice::post(plan, note);
        }
        TriageAction::Restart
        | TriageAction::RestartWithBackoff
        | TriageAction::CloseBead
        | TriageAction::Nudge
        | TriageAction::ReassignBead
        | TriageAction::Discard
        | TriageAction::ProvideGuidance => (),
    }
    settle(plan, request, action, notes, &agent_id.to_string());
}

/// A batch is over. What it left undecided waits for another one, or for a person.
pub fn batch_ended(plan: &mut Plan, rig_id: RigId, batch_id: BeadId) {
    let of_batch: Vec<TriageRequest> = plan
        .state()
        .triage
        .values()
        .filter(|request| request.batch_is_live && request.rig_id == rig_id && request.batch_bead == Some(batch_id))
        .cloned()
        .collect();
    for mut request in of_batch {
        request.batch_is_live = false;
        if !request.is_live() {
            plan.write(Write::Triage(Box::new(request)));
            continue;
        }
        request.rounds += 1;
        if request.rounds >= TRIAGE_ROUNDS {
            let linked = request.escalation_id.and_then(|id| escalation::find(plan, id)).cloned();
            if let Some(linked) = &linked {
                escalation::resolve(plan, &linked.dedup_key, "system");
            }
            let notes = "Two triage batches left it open.".to_owned();
            ask_person(plan, &request, linked.as_ref(), &notes);
            settle(plan, request, TriageAction::Escalate, notes, "system");
            continue;
        }
        request.state = TriageState::Open;
        request.batch_bead = None;
        request.not_before = Some(plan.now() + TRIAGE_GAP);
        plan.write(Write::Triage(Box::new(request)));
    }
}

/// The session that a request names is over: there is nothing to decide about it any more.
pub fn withdraw(plan: &mut Plan, request_id: BeadId) {
    if let Some(request) = plan.state().triage.get(&request_id).filter(|known| known.is_live()).cloned() {
        settle(plan, request, TriageAction::Discard, "The session is over.".to_owned(), "system");
    }
}

fn settle(plan: &mut Plan, request: TriageRequest, action: TriageAction, notes: String, by: &str) {
    let now = plan.now();
    plan.record(EventRow {
        kind: "triage_resolved",
        rig_id: Some(request.rig_id),
        bead_id: request.asked.bead_id,
        agent_id: request.asked.agent_id,
        convoy_id: None,
        actor_name: None,
        actor: by.to_owned(),
        old: None,
        new: Some(action.to_string()),
        title: None,
        data: serde_json::json!({ "request_id": request.asked.request_id, "notes": notes }),
    });
    plan.write(Write::Triage(Box::new(TriageRequest {
        state: TriageState::Resolved,
        action: Some(action),
        notes: Some(notes),
        resolved_by: Some(by.to_owned()),
        resolved_at: Some(now),
        ..request
    })));
}

/// Puts a matter before a person: what the agent asked in its own words, and why triage could not settle it.
fn ask_person(plan: &mut Plan, request: &TriageRequest, linked: Option<&Escalation>, notes: &str) {
    let (title, said) = match linked {
        Some(linked) => (linked.title.clone(), linked.message.clone()),
        None => (words(request), request.asked.context.to_string()),
    };
    let severity = linked.map_or(Severity::High, |linked| linked.severity.max(Severity::High));
    let raised = protocol::Escalation {
        dedup_key: format!("triage:{}", request.asked.request_id),
        severity,
        category: "triage".to_owned(),
        code: request.asked.kind.to_string(),
        title,
        message: format!("{said}\n\n{notes}"),
        bead_id: request.asked.bead_id,
        agent_id: request.asked.agent_id,
        assignment_id: request.asked.assignment_id,
        convoy_id: linked.and_then(|linked| linked.convoy_id),
        choices: vec!["reply".to_owned()],
    };
    escalation::raised(plan, Some(request.rig_id), raised);
}

fn words(request: &TriageRequest) -> String {
    match request.asked.kind {
        protocol::TriageKind::StuckAgent => "An agent has been silent for a long time".to_owned(),
        protocol::TriageKind::Escalation => "An agent asks for help".to_owned(),
    }
}
