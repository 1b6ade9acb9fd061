//! Commands about beads: create, edit, retry, and their dependencies (domain.md 3).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Applied, Refusal, live_bead};
use crate::id::BeadId;
use crate::limits::{LIVE_BEADS_PER_RIG, SLING_REPEAT};
use crate::models::ModelId;
use crate::protocol::Priority;
use crate::rig::bead::{self, Bead, BeadOutcome, BeadStatus, BeadType, Edge, EdgeState, FailureCode, FailureSource};
use crate::rig::plan::{EventRow, Plan, Write};

/// A new issue.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewBead {
    /// The id, when the caller has one already; a bead that exists is not made twice.
    pub bead_id: Option<BeadId>,
    /// One line.
    pub title: String,
    /// What to do.
    pub body: Option<String>,
    /// Urgency; medium when absent.
    pub priority: Option<Priority>,
    /// Labels.
    pub labels: BTreeSet<String>,
    /// Free, but for reserved keys.
    pub metadata: Map<String, Value>,
    /// Parent.
    pub parent_id: Option<BeadId>,
    /// What it waits for.
    pub depends_on: Vec<BeadId>,
    /// Model, if the caller chose one.
    pub model: Option<ModelId>,
    /// Budget in micro-dollars.
    pub budget_micros: Option<u64>,
    /// Who asks.
    pub created_by: String,
    /// Refuse what the same caller slung a moment ago (a repeated tool call).
    pub refuses_repeat: bool,
}

/// Fields to change; absent ones keep their value, `Some(None)` clears.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BeadPatch {
    /// One line.
    pub title: Option<String>,
    /// What to do.
    pub body: Option<Option<String>>,
    /// Urgency.
    pub priority: Option<Priority>,
    /// All labels.
    pub labels: Option<BTreeSet<String>>,
    /// Keys to merge; `null` removes one.
    pub metadata: Option<Map<String, Value>>,
    /// Model.
    pub model: Option<Option<ModelId>>,
    /// Budget in micro-dollars.
    pub budget_micros: Option<Option<u64>>,
    /// All dependencies.
    pub depends_on: Option<Vec<BeadId>>,
    /// Status by hand.
    pub status: Option<BeadStatus>,
}

pub(super) fn create_bead(plan: &mut Plan, new: NewBead) -> Result<Applied, Refusal> {
    if let Some(known) = new.bead_id.filter(|id| plan.state().beads.contains_key(id)) {
        return Ok(Applied::Bead(known));
    }
    let now = plan.now();
    if plan.state().beads.values().filter(|bead| bead.is_live()).count() >= LIVE_BEADS_PER_RIG {
        return Err(Refusal::LimitReached(format!("a rig holds at most {LIVE_BEADS_PER_RIG} live beads")));
    }
    if new.refuses_repeat
        && let Some(known) = plan.state().beads.values().find(|bead| is_repeat(bead, &new, now))
    {
        return Err(Refusal::ProbableDuplicate(known.bead_id));
    }
    check_known(plan, &new.depends_on)?;
    let parent = match new.parent_id {
        Some(parent_id) => Some(live_bead(plan, parent_id)?),
        None => None,
    };
    let bead_id = new.bead_id.unwrap_or_else(|| plan.mint());
    let mut bead = Bead::new(bead_id, BeadType::Issue, new.title, new.created_by.clone(), now);
    bead.body = new.body;
    bead.priority = new.priority.unwrap_or(Priority::Medium);
    bead.labels = new.labels;
    bead.metadata = new.metadata;
    bead.model = new.model;
    bead.budget_micros = new.budget_micros;
    if let Some(parent) = parent {
        bead.parent_id = Some(parent.bead_id);
        bead.root_id = parent.root_id;
        bead.age_at = parent.age_at;
    }
    let title = bead.title.clone();
    plan.write(Write::Bead(Box::new(bead)));
    set_dependencies(plan, bead_id, &new.depends_on);
    let event = plan.event("created");
    plan.record(EventRow { bead_id: Some(bead_id), actor: new.created_by, new: Some(title), ..event });
    Ok(Applied::Bead(bead_id))
}

fn is_repeat(bead: &Bead, new: &NewBead, now: crate::time::Timestamp) -> bool {
    bead.is_live()
        && bead.created_by == new.created_by
        && bead.title == new.title
        && bead.body == new.body
        && now.since(bead.created_at) < SLING_REPEAT
}

pub(super) fn update_bead(plan: &mut Plan, bead_id: BeadId, patch: BeadPatch, actor: &str) -> Result<Applied, Refusal> {
    let bead = plan.state().beads.get(&bead_id).cloned().ok_or(Refusal::NoSuchBead(bead_id))?;
    if bead.status.is_terminal() && !patch.touches_only_labels_and_metadata(bead.status) {
        return Err(Refusal::TerminalBead(bead_id, bead.status));
    }
    if let Some(depends_on) = &patch.depends_on {
        check_known(plan, depends_on)?;
        check_cycle(plan, bead_id, depends_on)?;
    }
    if let Some(status) = patch.status {
        check_status_by_hand(&bead, status)?;
    }
    let fields = patch.changed_fields(&bead);
    if !fields.is_empty() {
        plan.update_bead(bead_id, |bead| patch.clone().apply_to(bead));
        let event = plan.event("fields_updated");
        plan.record(EventRow {
            bead_id: Some(bead_id),
            actor: actor.to_owned(),
            data: json!({ "fields": fields }),
            ..event
        });
    }
    if let Some(depends_on) = patch.depends_on {
        set_dependencies(plan, bead_id, &depends_on);
    }
    match patch.status {
        Some(BeadStatus::Closed) if bead.is_live() => bead::close(plan, bead_id, BeadOutcome::ClosedByUser, actor),
        Some(BeadStatus::Failed) if bead.is_live() => {
            let words = "a person ended it";
            bead::fail(plan, bead_id, FailureCode::FailedByUser, words, FailureSource::User, actor);
        }
        Some(
            BeadStatus::Open | BeadStatus::InProgress | BeadStatus::InReview | BeadStatus::Closed | BeadStatus::Failed,
        )
        | None => (),
    }
    Ok(Applied::Bead(bead_id))
}

impl BeadPatch {
    fn touches_only_labels_and_metadata(&self, status: BeadStatus) -> bool {
        let kept = Self {
            labels: self.labels.clone(),
            metadata: self.metadata.clone(),
            status: self.status.filter(|&wanted| wanted == status),
            ..Self::default()
        };
        *self == kept
    }

    fn changed_fields(&self, bead: &Bead) -> Vec<&'static str> {
        let mut changed = bead.clone();
        self.clone().apply_to(&mut changed);
        [
            ("title", changed.title != bead.title),
            ("body", changed.body != bead.body),
            ("priority", changed.priority != bead.priority),
            ("labels", changed.labels != bead.labels),
            ("metadata", changed.metadata != bead.metadata),
            ("model", changed.model != bead.model),
            ("budget_usd", changed.budget_micros != bead.budget_micros),
        ]
        .into_iter()
        .filter_map(|(field, is_changed)| is_changed.then_some(field))
        .collect()
    }

    fn apply_to(self, bead: &mut Bead) {
        if let Some(title) = self.title {
            bead.title = title;
        }
        if let Some(body) = self.body {
            bead.body = body;
        }
        if let Some(priority) = self.priority {
            bead.priority = priority;
        }
        if let Some(labels) = self.labels {
            bead.labels = labels;
        }
        for (key, value) in self.metadata.into_iter().flatten() {
            if value.is_null() {
                bead.metadata.remove(&key);
            } else {
                bead.metadata.insert(key, value);
            }
        }
        if let Some(model) = self.model {
            bead.model = model;
        }
        if let Some(budget) = self.budget_micros {
            bead.budget_micros = budget;
        }
    }
}

/// A status that a person may set by hand: the same again, closed, or failed; the others follow from work.
fn check_status_by_hand(bead: &Bead, wanted: BeadStatus) -> Result<(), Refusal> {
    let is_allowed = wanted == bead.status || (wanted.is_terminal() && bead.is_live());
    if is_allowed {
        return Ok(());
    }
    if bead.status.is_terminal() {
        return Err(Refusal::TerminalBead(bead.bead_id, bead.status));
    }
    Err(Refusal::IllegalTransition(format!("a bead that is {} becomes {wanted} only by its work", bead.status)))
}

pub(super) fn retry_bead(
    plan: &mut Plan,
    bead_id: BeadId,
    keep_branch: bool,
    model: Option<ModelId>,
    actor: &str,
) -> Result<Applied, Refusal> {
    let bead = plan.state().beads.get(&bead_id).ok_or(Refusal::NoSuchBead(bead_id))?;
    if bead.status != BeadStatus::Failed || bead.kind != BeadType::Issue {
        return Err(Refusal::NotFailed(bead_id, bead.status));
    }
    plan.update_bead(bead_id, |bead| {
        bead.status = BeadStatus::Open;
        bead.attempt += 1;
        bead.dispatches = 0;
        bead.failure = None;
        bead.parked = None;
        bead.clear_counters();
        bead.model = model.or(bead.model.take());
        if !keep_branch {
            bead.branch = None;
            bead.head_commit = None;
        }
    });
    plan.status_changed(bead_id, BeadStatus::Failed, BeadStatus::Open, actor);
    bead::settle_edges(plan, bead_id, EdgeState::Pending);
    crate::rig::escalation::clear_for_bead(plan, bead_id);
    let event = plan.event("retried");
    plan.record(EventRow { bead_id: Some(bead_id), actor: actor.to_owned(), ..event });
    Ok(Applied::Bead(bead_id))
}

pub(super) fn check_known(plan: &Plan, bead_ids: &[BeadId]) -> Result<(), Refusal> {
    match bead_ids.iter().find(|id| !plan.state().beads.contains_key(id)) {
        Some(unknown) => Err(Refusal::UnknownReference(unknown.to_string())),
        None => Ok(()),
    }
}

/// Refuses edges that would let a bead wait for itself, and names the beads on the way (domain.md 3.5).
/// Follows what still holds somebody back: not the edges that were waived or satisfied, nor those of closed beads.
fn check_cycle(plan: &Plan, bead_id: BeadId, blockers: &[BeadId]) -> Result<(), Refusal> {
    let is_closed = |id| plan.state().beads.get(&id).is_some_and(|bead| bead.status == BeadStatus::Closed);
    let holds = |edge: &&Edge| match edge.state {
        EdgeState::Pending | EdgeState::Failed => !is_closed(edge.bead_id),
        EdgeState::Satisfied | EdgeState::Waived => false,
    };
    let mut paths: Vec<Vec<BeadId>> = blockers.iter().filter(|&&b| b != bead_id).map(|&b| vec![bead_id, b]).collect();
    let mut seen = BTreeSet::new();
    while let Some(path) = paths.pop() {
        let Some(&last) = path.last() else { continue };
        if last == bead_id {
            return Err(Refusal::DependencyCycle(path[..path.len() - 1].to_vec()));
        }
        if seen.insert(last) {
            for edge in plan.state().edges.values().filter(holds).filter(|edge| edge.bead_id == last) {
                paths.push(path.iter().copied().chain([edge.blocker_id]).collect());
            }
        }
    }
    Ok(())
}

/// Replaces all edges of a bead. A reference to itself is ignored; a removed edge is waived, so that its row remains.
pub(super) fn set_dependencies(plan: &mut Plan, bead_id: BeadId, blockers: &[BeadId]) {
    let wanted: BTreeSet<BeadId> = blockers.iter().copied().filter(|&blocker| blocker != bead_id).collect();
    let old: Vec<Edge> = plan.state().edges.values().filter(|edge| edge.bead_id == bead_id).cloned().collect();
    for edge in old.iter().filter(|edge| !wanted.contains(&edge.blocker_id) && edge.state != EdgeState::Waived) {
        plan.write(Write::Edge(Edge { state: EdgeState::Waived, ..edge.clone() }));
    }
    for blocker_id in wanted {
        let state = match plan.state().beads.get(&blocker_id).map(|bead| bead.status) {
            Some(BeadStatus::Closed) => EdgeState::Satisfied,
            Some(BeadStatus::Failed) => EdgeState::Failed,
            Some(BeadStatus::Open | BeadStatus::InProgress | BeadStatus::InReview) | None => EdgeState::Pending,
        };
        let edge = Edge { bead_id, blocker_id, cross: false, state };
        if !old.contains(&edge) {
            plan.write(Write::Edge(edge));
        }
    }
}
