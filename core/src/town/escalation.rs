//! Escalations: what a person should see (domain.md 9.6). One row is open per key; a repeat raises its count, time makes
//! it louder, an acknowledgement or the end of its cause closes it. Who tells the mayor is T19, who waits is T20.

use serde_json::{Map, Value, json};

use super::plan::{EventRow, Plan, Write};
use super::state::{Escalation, EscalationState};
use crate::id::{AgentId, AssignmentId, BeadId, EscalationId, RigId};
use crate::limits::ESCALATION_RAISES;
use crate::protocol::{self, EscalationAnswered, Severity, TownToRig};
use crate::time::Timestamp;

/// Every change of an escalation's state, and what causes it. A late or doubled step has a row too.
pub const TRANSITIONS: &[(EscalationState, &str, EscalationState)] = &[
    (EscalationState::Open, "raised again: counted", EscalationState::Open),
    (EscalationState::Open, "4, 8 and 12 hours without an answer: louder", EscalationState::Open),
    (EscalationState::Open, "replied to", EscalationState::Open),
    (EscalationState::Open, "acknowledged by a person or the mayor", EscalationState::Acknowledged),
    (EscalationState::Open, "its cause is gone, or triage settled it", EscalationState::Resolved),
    (EscalationState::Acknowledged, "acknowledged or cleared again: nothing", EscalationState::Acknowledged),
    (EscalationState::Resolved, "acknowledged or cleared again: nothing", EscalationState::Resolved),
];

/// The key of the town's breaker.
pub(super) const BREAKER: &str = "breaker:town";
/// The key of the town's budget of the day.
pub(super) const BUDGET: &str = "budget:town";
/// The key of the runtime.
pub(super) const RUNTIME: &str = "runtime";
/// The key of the mayor.
pub(super) const MAYOR: &str = "mayor";

/// One answer of a person.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reply {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What.
    pub message: String,
    /// When its rig had it.
    pub delivered_at: Option<Timestamp>,
}

/// What an agent asks people to see, kept whole.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentEscalation {
    /// Its rig.
    pub rig_id: RigId,
    /// Who.
    pub agent_id: AgentId,
    /// Its name.
    pub agent_name: String,
    /// Its session, when one is live.
    pub assignment_id: Option<AssignmentId>,
    /// About this bead.
    pub bead_id: Option<BeadId>,
    /// How loudly.
    pub severity: Severity,
    /// Group for filters.
    pub category: String,
    /// One line.
    pub title: String,
    /// Text.
    pub body: String,
    /// Free.
    pub metadata: Map<String, Value>,
}

impl AgentEscalation {
    /// The same words about the same subject are one escalation; other words are another matter.
    pub fn dedup_key(&self) -> String {
        let subject = self.bead_id.map_or_else(|| self.agent_id.to_string(), |bead_id| bead_id.to_string());
        format!("agent:{subject}:{}", crate::text::slug(&self.title))
    }
}

impl Escalation {
    /// Whether it still calls.
    pub fn is_open(&self) -> bool {
        self.state == EscalationState::Open
    }
}

/// Tells people of something that concerns the whole town.
pub(super) fn raise(plan: &mut Plan, dedup_key: &str, severity: Severity, code: &str, title: &str, message: &str) {
    let row = protocol::Escalation {
        dedup_key: dedup_key.to_owned(),
        severity,
        category: "runtime".to_owned(),
        code: code.to_owned(),
        title: title.to_owned(),
        message: message.to_owned(),
        bead_id: None,
        agent_id: None,
        assignment_id: None,
        convoy_id: None,
        choices: Vec::new(),
    };
    raised(plan, None, row);
}

/// The cause is gone.
pub(super) fn clear(plan: &mut Plan, dedup_key: &str) {
    resolve(plan, dedup_key, "system");
}

/// Raises one, or counts the repeat of one that is open: the newest words stand, and it never gets quieter.
pub fn raised(plan: &mut Plan, rig_id: Option<RigId>, raised: protocol::Escalation) -> EscalationId {
    let by = if rig_id.is_some() { "rig" } else { "town" };
    let row = Escalation {
        dedup_key: raised.dedup_key,
        severity: raised.severity,
        category: raised.category,
        code: raised.code,
        title: raised.title,
        message: raised.message,
        rig_id,
        bead_id: raised.bead_id,
        agent_id: raised.agent_id,
        assignment_id: raised.assignment_id,
        convoy_id: raised.convoy_id,
        choices: raised.choices,
        raised_by: by.to_owned(),
        ..blank(plan)
    };
    keep(plan, row)
}

/// An agent's own escalation.
pub fn raise_by_agent(plan: &mut Plan, raised: AgentEscalation) -> EscalationId {
    let row = Escalation {
        dedup_key: raised.dedup_key(),
        severity: raised.severity,
        category: raised.category,
        code: "agent".to_owned(),
        title: raised.title,
        message: raised.body,
        rig_id: Some(raised.rig_id),
        bead_id: raised.bead_id,
        agent_id: Some(raised.agent_id),
        assignment_id: raised.assignment_id,
        choices: vec!["reply".to_owned()],
        metadata: raised.metadata,
        raised_by: raised.agent_id.to_string(),
        raised_by_name: Some(raised.agent_name),
        ..blank(plan)
    };
    keep(plan, row)
}

fn blank(plan: &Plan) -> Escalation {
    let now = plan.now();
    Escalation {
        escalation_id: EscalationId::from_u128(0),
        dedup_key: String::new(),
        severity: Severity::Medium,
        category: String::new(),
        code: String::new(),
        title: String::new(),
        message: String::new(),
        rig_id: None,
        bead_id: None,
        agent_id: None,
        assignment_id: None,
        convoy_id: None,
        choices: Vec::new(),
        metadata: Map::new(),
        replies: Vec::new(),
        raised_by: String::new(),
        raised_by_name: None,
        count: 1,
        state: EscalationState::Open,
        raises: 0,
        next_raise_at: None,
        told: None,
        created_at: now,
        updated_at: now,
        closed_at: None,
        closed_by: None,
        version: 1,
    }
}

fn keep(plan: &mut Plan, row: Escalation) -> EscalationId {
    let open = plan.state().escalations.get(&row.dedup_key).filter(|open| open.is_open()).cloned();
    if let Some(open) = open {
        let escalation_id = open.escalation_id;
        plan.write(Write::Escalation(Box::new(Escalation {
            escalation_id,
            severity: row.severity.max(open.severity),
            replies: open.replies,
            count: open.count + 1,
            raises: open.raises,
            next_raise_at: open.next_raise_at,
            told: open.told,
            created_at: open.created_at,
            version: open.version + 1,
            ..row
        })));
        return escalation_id;
    }
    let escalation_id = plan.mint();
    let next_raise_at = (row.severity != Severity::Critical).then(|| row.created_at + ESCALATION_RAISES[0]);
    let row = Escalation { escalation_id, next_raise_at, ..row };
    let event = about(&row, "escalated", row.raised_by.clone());
    plan.record(EventRow { new: Some(row.severity.to_string()), ..event });
    plan.write(Write::Escalation(Box::new(row)));
    escalation_id
}

/// Makes an open escalation louder because nobody answered (T20).
pub fn raise_by_time(plan: &mut Plan, dedup_key: &str) {
    let now = plan.now();
    let Some(open) = plan.state().escalations.get(dedup_key).filter(|open| open.is_open()).cloned() else { return };
    let severity = Severity::ALL.iter().copied().find(|level| *level > open.severity).unwrap_or(open.severity);
    let raises = open.raises + 1;
    let next =
        usize::try_from(raises).ok().and_then(|n| ESCALATION_RAISES.get(n)).map(|&after| open.created_at + after);
    let row = Escalation {
        severity,
        raises,
        next_raise_at: next.filter(|_| severity != Severity::Critical),
        updated_at: now,
        version: open.version + 1,
        ..open
    };
    let event = about(&row, "escalated", "system".to_owned());
    plan.record(EventRow { new: Some(severity.to_string()), ..event });
    plan.write(Write::Escalation(Box::new(row)));
}

/// The cause is gone, or triage settled it. A key that is not open is no news.
pub fn resolve(plan: &mut Plan, dedup_key: &str, by: &str) {
    close(plan, dedup_key, EscalationState::Resolved, by, None);
}

/// A person has seen it.
pub fn acknowledge(plan: &mut Plan, dedup_key: &str, by: &str, note: Option<String>) {
    close(plan, dedup_key, EscalationState::Acknowledged, by, note);
}

fn close(plan: &mut Plan, dedup_key: &str, state: EscalationState, by: &str, note: Option<String>) {
    let now = plan.now();
    let Some(open) = plan.state().escalations.get(dedup_key).filter(|open| open.is_open()).cloned() else { return };
    let mut row = Escalation {
        state,
        next_raise_at: None,
        updated_at: now,
        closed_at: Some(now),
        closed_by: Some(by.to_owned()),
        version: open.version + 1,
        ..open
    };
    if let Some(note) = note {
        row.metadata.insert("acknowledge_note".to_owned(), json!(note));
    }
    plan.write(Write::Escalation(Box::new(row)));
}

/// A person's answer: kept with the escalation, and sent to the rig that it is about.
pub fn reply(plan: &mut Plan, dedup_key: &str, by: &str, message: String, retries: bool) {
    let now = plan.now();
    let Some(open) = plan.state().escalations.get(dedup_key).filter(|open| open.is_open()).cloned() else { return };
    let mut row = Escalation { updated_at: now, version: open.version + 1, ..open };
    row.replies.push(Reply { at: now, by: by.to_owned(), message: message.clone(), delivered_at: None });
    let event = about(&row, "escalation_answered", by.to_owned());
    plan.record(event);
    send_answer(plan, &row, by, message, retries);
    plan.write(Write::Escalation(Box::new(row)));
}

fn send_answer(plan: &mut Plan, row: &Escalation, by: &str, message: String, retries: bool) {
    let Some(rig_id) = row.rig_id.filter(|rig_id| plan.state().rigs.contains_key(rig_id)) else { return };
    let answered = EscalationAnswered {
        escalation_id: row.escalation_id,
        bead_id: row.bead_id,
        agent_id: row.agent_id,
        by: by.to_owned(),
        message,
        retries,
    };
    plan.post(rig_id, TownToRig::EscalationAnswered(Box::new(answered)));
}

/// An escalation by its id, if it is open.
pub fn find<'a>(plan: &'a Plan<'_>, escalation_id: EscalationId) -> Option<&'a Escalation> {
    plan.state().escalations.values().find(|open| open.escalation_id == escalation_id && open.is_open())
}

fn about(row: &Escalation, kind: &'static str, actor: String) -> EventRow {
    EventRow {
        kind,
        rig_id: row.rig_id,
        bead_id: row.bead_id,
        agent_id: row.agent_id,
        convoy_id: row.convoy_id,
        actor_name: row.raised_by_name.clone().filter(|_| actor == row.raised_by),
        actor,
        old: None,
        new: None,
        title: Some(row.title.clone()),
        data: json!({ "escalation_id": row.escalation_id, "severity": row.severity, "code": row.code }),
    }
}
