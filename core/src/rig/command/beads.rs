//! Commands about beads: create, edit, retry, and their dependencies (domain.md 3).

use crate::sorted::SortedSet;

use serde_json::{Map, Value, json};

use super::edges::{blockers_of, check_cycle, check_known, set_dependencies};
use super::{Applied, Refusal, claims, live_bead};
use crate::id::BeadId;
use crate::limits::{BRANCH_DIGITS, BRANCH_DIGITS_MAX, LIVE_BEADS_PER_RIG, SLING_REPEAT};
use crate::models::ModelId;
use crate::protocol::Priority;
use crate::rig::assignment::{Phase, Slot};
use crate::rig::bead::{
    self, Bead, BeadOutcome, BeadStatus, BeadType, EdgeState, FailureCode, FailureSource, HELD, RESERVED_METADATA,
};
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
    pub labels: SortedSet<String>,
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
    pub labels: Option<SortedSet<String>>,
    /// Labels to add to what is there.
    pub add_labels: SortedSet<String>,
    /// Labels to take away.
    pub remove_labels: SortedSet<String>,
    /// Keys to merge; `null` removes one. Reserved keys keep their value.
    pub metadata: Option<Map<String, Value>>,
    /// Model.
    pub model: Option<Option<ModelId>>,
    /// Budget in micro-dollars.
    pub budget_micros: Option<Option<u64>>,
    /// All dependencies.
    pub depends_on: Option<Vec<BeadId>>,
    /// The bead that it belongs to.
    pub parent_id: Option<Option<BeadId>>,
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
    check_known(plan, None, &new.depends_on)?;
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
    bead.metadata.retain(|key, _| !RESERVED_METADATA.contains(&key.as_str()));
    bead.branch_digits = digits_needed(plan, bead_id);
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

/// Digits of the id that no other bead of the rig in view has; beads that begin alike are recalled before (S24).
pub(super) fn digits_needed(plan: &Plan, bead_id: BeadId) -> u32 {
    let shared = |digits: u32| {
        let own = bead_id.digits(digits as usize);
        plan.state().beads.keys().any(|other| *other != bead_id && other.digits(digits as usize) == own)
    };
    (BRANCH_DIGITS..BRANCH_DIGITS_MAX).find(|&digits| !shared(digits)).unwrap_or(BRANCH_DIGITS_MAX)
}

pub(super) fn update_bead(plan: &mut Plan, bead_id: BeadId, patch: BeadPatch, actor: &str) -> Result<Applied, Refusal> {
    let bead = plan.state().beads.get(&bead_id).cloned().ok_or(Refusal::NoSuchBead(bead_id))?;
    if bead.status.is_terminal() && !patch.touches_only_labels_and_metadata(bead.status) {
        return Err(Refusal::TerminalBead(bead_id, bead.status));
    }
    if let Some(depends_on) = &patch.depends_on {
        if bead.kind == BeadType::MergeRequest && !depends_on.is_empty() {
            return Err(Refusal::IllegalTransition("a review waits for nothing but its source".to_owned()));
        }
        check_known(plan, bead.convoy_id, depends_on)?;
        check_cycle(plan, bead_id, depends_on)?;
    }
    if patch.parent_id.is_some() && of_review(plan, &bead, patch.parent_id.flatten()) {
        return Err(Refusal::IllegalTransition("what belongs to a review stays with it".to_owned()));
    }
    if let Some(Some(parent_id)) = patch.parent_id {
        check_parent(plan, bead_id, parent_id)?;
    }
    let by_hand = patch.status.map(|status| by_hand(plan, &bead, &patch, status, actor)).transpose()?;
    claims::renew(plan, bead_id, actor);
    change_fields(plan, &bead, &patch, actor);
    match by_hand {
        Some(ByHand::Close) => bead::close(plan, bead_id, BeadOutcome::ClosedByUser, actor),
        Some(ByHand::Fail) => {
            let words = "a person ended it";
            bead::fail(plan, bead_id, FailureCode::FailedByUser, words, FailureSource::User, actor);
        }
        Some(ByHand::Claim) => claims::begin(plan, bead_id, actor),
        Some(ByHand::GiveBack) => claims::give_back(plan, bead_id, actor),
        Some(ByHand::Submit(branch)) => drop(claims::submit_work(plan, bead_id, branch, None, None, actor)),
        Some(ByHand::Nothing) | None => (),
    }
    Ok(Applied::Bead(bead_id))
}

/// Writes the fields that differ, and one event that names them (domain.md 3.6).
fn change_fields(plan: &mut Plan, bead: &Bead, patch: &BeadPatch, actor: &str) {
    let bead_id = bead.bead_id;
    let mut fields = patch.changed_fields(bead);
    let depends_on = patch.depends_on.as_ref().map(|list| list.iter().copied().filter(|&id| id != bead_id).collect());
    let new_blockers = depends_on.filter(|wanted: &SortedSet<BeadId>| *wanted != blockers_of(plan, bead_id));
    fields.extend(new_blockers.is_some().then_some("depends_on"));
    if fields.is_empty() {
        return;
    }
    let family = patch.parent_id.map(|parent| {
        let parent = parent.and_then(|id| plan.state().beads.get(&id));
        parent.map_or((bead_id, bead.created_at), |parent| (parent.root_id, parent.age_at))
    });
    plan.update_bead(bead_id, |bead| {
        patch.clone().apply_to(bead);
        (bead.root_id, bead.age_at) = family.unwrap_or((bead.root_id, bead.age_at));
    });
    let event = plan.event("fields_updated");
    let data = json!({ "fields": fields });
    plan.record(EventRow { bead_id: Some(bead_id), actor: actor.to_owned(), data, ..event });
    if let Some(blockers) = new_blockers {
        set_dependencies(plan, bead_id, &Vec::from_iter(blockers));
    }
    if let Some(priority) = patch.priority.filter(|&priority| priority != bead.priority) {
        carry_priority(plan, bead_id, priority);
    }
    let was_held = bead.has_label(HELD);
    let is_held = plan.state().beads.get(&bead_id).is_some_and(|bead| bead.has_label(HELD));
    if was_held != is_held {
        let event = plan.event(if is_held { "held" } else { "released" });
        plan.record(EventRow { bead_id: Some(bead_id), actor: actor.to_owned(), ..event });
    }
}

/// A changed urgency holds for the live review and its child too, and for the slot that is asked for (domain.md 3.6).
fn carry_priority(plan: &mut Plan, bead_id: BeadId, priority: Priority) {
    let is_review = |bead: Option<&Bead>| bead.is_some_and(|bead| bead.kind == BeadType::MergeRequest);
    let of_review = is_review(plan.state().beads.get(&bead_id));
    for child in plan.state().live_children(bead_id) {
        if of_review || is_review(plan.state().beads.get(&child)) {
            plan.update_bead(child, |child| child.priority = priority);
            carry_priority(plan, child, priority);
        }
    }
    let queued = plan.state().assignment_of_bead(bead_id).filter(|live| live.phase == Phase::Queued);
    if let Some(live) = queued.filter(|live| live.slot == Slot::Asked).map(|live| live.assignment_id) {
        plan.update_assignment(live, |live| live.slot = Slot::None);
    }
}

/// Whether the bead is a review or its child, or would become one.
fn of_review(plan: &Plan, bead: &Bead, parent_id: Option<BeadId>) -> bool {
    let is_review = |id: BeadId| plan.state().reviews.contains_key(&id);
    bead.kind != BeadType::Issue || bead.parent_id.is_some_and(is_review) || parent_id.is_some_and(is_review)
}

/// A parent is a bead of this rig, and no descendant of its child.
fn check_parent(plan: &Plan, bead_id: BeadId, parent_id: BeadId) -> Result<(), Refusal> {
    let mut above = Some(parent_id);
    let mut steps = 0;
    while let Some(id) = above {
        if id == bead_id || steps > LIVE_BEADS_PER_RIG {
            return Err(Refusal::IllegalTransition("a bead cannot belong to itself or to its own child".to_owned()));
        }
        let bead = plan.state().beads.get(&id).ok_or_else(|| Refusal::UnknownReference(id.to_string()))?;
        above = bead.parent_id.filter(|id| plan.state().beads.contains_key(id));
        steps += 1;
    }
    Ok(())
}

impl BeadPatch {
    fn touches_only_labels_and_metadata(&self, status: BeadStatus) -> bool {
        let kept = Self {
            labels: self.labels.clone(),
            add_labels: self.add_labels.clone(),
            remove_labels: self.remove_labels.clone(),
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
            ("parent_bead_id", changed.parent_id != bead.parent_id),
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
        bead.labels.extend(self.add_labels);
        bead.labels.retain(|label| !self.remove_labels.contains(label));
        let free = |(key, _): &(String, Value)| !RESERVED_METADATA.contains(&key.as_str());
        for (key, value) in self.metadata.into_iter().flatten().filter(free) {
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
        if let Some(parent_id) = self.parent_id {
            bead.parent_id = parent_id;
        }
    }
}

/// What a status that is set by hand means for a bead.
enum ByHand {
    Nothing,
    Claim,
    GiveBack,
    Submit(String),
    Close,
    Fail,
}

/// The rows of [`bead::TRANSITIONS`] that a person or client causes; all others follow from work.
fn by_hand(plan: &Plan, bead: &Bead, patch: &BeadPatch, wanted: BeadStatus, actor: &str) -> Result<ByHand, Refusal> {
    if wanted == bead.status {
        return Ok(ByHand::Nothing);
    }
    if bead.status.is_terminal() {
        return Err(Refusal::TerminalBead(bead.bead_id, bead.status));
    }
    let refused = |why: String| Err(Refusal::IllegalTransition(why));
    match wanted {
        BeadStatus::Closed => Ok(ByHand::Close),
        BeadStatus::Failed => Ok(ByHand::Fail),
        BeadStatus::InProgress => claims::check(plan, bead).map(|()| ByHand::Claim),
        BeadStatus::Open if bead.claimed_by.as_deref() == Some(actor) => Ok(ByHand::GiveBack),
        BeadStatus::Open => refused(format!("a bead that is {} becomes open only by its work", bead.status)),
        BeadStatus::InReview => {
            let named = patch.metadata.as_ref().and_then(|metadata| metadata.get("branch")?.as_str());
            let known = bead.branch.as_deref().or_else(|| bead.metadata.get("branch")?.as_str());
            match named.or(known) {
                Some(branch) => {
                    claims::check_submit(plan, bead, branch, actor).map(|()| ByHand::Submit(branch.to_owned()))
                }
                None => refused("a bead goes in review with a branch: submit it".to_owned()),
            }
        }
    }
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
    if bead.answers_review() {
        return Err(Refusal::IllegalTransition("its review goes on without it; decide about the review".to_owned()));
    }
    plan.update_bead(bead_id, |bead| {
        bead.status = BeadStatus::Open;
        bead.attempt += 1;
        bead.dispatches = 0;
        bead.failure = None;
        bead.skipped = false;
        bead.parked = None;
        bead.clear_counters();
        bead.model = model.or(bead.model.take());
        if !keep_branch {
            let was_named = bead.branch.take().is_some();
            // What is left of the dropped branch keeps its name.
            bead.branch_digits = (bead.branch_digits + u32::from(was_named)).min(BRANCH_DIGITS_MAX);
            bead.head_commit = None;
            bead.saved = None;
        }
    });
    plan.status_changed(bead_id, BeadStatus::Failed, BeadStatus::Open, actor);
    bead::settle_edges(plan, bead_id, EdgeState::Pending);
    crate::rig::escalation::clear_for_bead(plan, bead_id);
    let event = plan.event("retried");
    plan.record(EventRow { bead_id: Some(bead_id), actor: actor.to_owned(), ..event });
    Ok(Applied::Bead(bead_id))
}
