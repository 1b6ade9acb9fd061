//! Deleting a bead for good (domain.md 3.6): with all its descendants, and everything that hangs on them.

use crate::sorted::SortedSet;

use serde_json::json;

use super::{Applied, Refusal};
use crate::id::BeadId;
use crate::rig::assignment::{self, Pending};
use crate::rig::bead::{Bead, BeadStatus, BeadType};
use crate::rig::plan::{EventRow, Plan, Write};
use crate::rig::review::{self, ReviewState};
use crate::rig::{convoy, escalation};

/// Deletes a bead and its descendants, which were recalled before. Sessions that run for them are told to stop.
pub(super) fn delete_bead(plan: &mut Plan, bead_id: BeadId, actor: &str) -> Result<Applied, Refusal> {
    let family = family(plan, bead_id);
    if family.is_empty() {
        return Err(Refusal::NoSuchBead(bead_id));
    }
    let title = plan.state().beads.get(&bead_id).map(|bead| bead.title.clone());
    for bead in &family {
        convoy::deleted(plan, bead);
        release(plan, bead, &family, actor);
    }
    // The row names the bead in its data: rows about the bead itself go with it.
    let event = plan.event("deleted");
    let data = json!({ "bead_id": bead_id, "title": title, "count": family.len() });
    plan.record(EventRow { actor: actor.to_owned(), data, ..event });
    for bead in &family {
        let is_of = |edge: &(BeadId, BeadId)| edge.0 == bead.bead_id || edge.1 == bead.bead_id;
        let edges: Vec<(BeadId, BeadId)> = plan.state().edges.keys().copied().filter(is_of).collect();
        for (dependent, blocker) in edges {
            plan.write(Write::RemoveEdge(dependent, blocker));
        }
        plan.write(Write::RemoveBead(bead.bead_id));
    }
    Ok(Applied::Deleted(family.len()))
}

/// The bead and everything below it.
fn family(plan: &Plan, bead_id: BeadId) -> Vec<Bead> {
    let beads = &plan.state().beads;
    let mut found: Vec<Bead> = beads.get(&bead_id).cloned().into_iter().collect();
    let mut seen = SortedSet::from([bead_id]);
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|bead| bead.bead_id) {
        let children = beads.values().filter(|bead| bead.parent_id == Some(parent));
        found.extend(children.filter(|bead| seen.insert(bead.bead_id)).cloned());
        next += 1;
    }
    found
}

/// What others hold of a bead that goes: its session, its escalation, the review that it answers, the work it reviews.
fn release(plan: &mut Plan, bead: &Bead, family: &[Bead], actor: &str) {
    let goes = |id: BeadId| family.iter().any(|bead| bead.bead_id == id);
    if let Some(live) = plan.state().assignment_of_bead(bead.bead_id).map(|live| live.assignment_id) {
        assignment::stop(plan, live, Pending::Stopped, "bead_deleted", "its bead was deleted");
    }
    if bead.parked.is_some() || bead.status == BeadStatus::Failed {
        escalation::clear_for_bead(plan, bead.bead_id);
    }
    if bead.is_budget_warned {
        escalation::clear_warning(plan, bead.bead_id);
    }
    let review_id = bead.parent_id.filter(|&id| !goes(id) && plan.state().live_bead(bead.bead_id).is_some());
    if let Some(review) = review_id.and_then(|id| plan.state().reviews.get(&id)).cloned()
        && review.state == ReviewState::Reworking
    {
        plan.update_review(review.bead_id, |review| review.child_id = None);
        review::move_to(plan, review.bead_id, ReviewState::Queued);
    }
    if bead.kind == BeadType::MergeRequest
        && let Some(source) = plan.state().reviews.get(&bead.bead_id).and_then(|review| review.source_id)
        && let Some(status) = plan.state().live_bead(source).map(|source| source.status)
        && status == BeadStatus::InReview
        && !goes(source)
    {
        plan.update_bead(source, |source| source.status = BeadStatus::Open);
        plan.status_changed(source, status, BeadStatus::Open, actor);
    }
}
