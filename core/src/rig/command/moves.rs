//! Moving a bead to another rig (domain.md 3.6). It leaves here in the commit that posts it, and the Town hands it on: a
//! message is kept until it is applied, so the bead is never in both rigs and never lost.

use serde_json::json;

use super::beads::digits_needed;
use super::{Applied, Refusal, live_bead};
use crate::id::{BeadId, RigId};
use crate::protocol::{MovedBead, RigToTown};
use crate::rig::assignment::{self, Pending};
use crate::rig::bead::{Bead, BeadStatus, BeadType};
use crate::rig::plan::{EventRow, Plan, Write};

/// Sends a bead to another rig: an open one that was never started, and that nothing hangs on.
pub(super) fn move_bead(plan: &mut Plan, bead_id: BeadId, to: RigId, actor: &str) -> Result<Applied, Refusal> {
    let bead = live_bead(plan, bead_id)?;
    if to == plan.state().rig.rig_id {
        return Ok(Applied::Bead(bead_id));
    }
    let is_new = bead.kind == BeadType::Issue && bead.status == BeadStatus::Open && bead.attempt == 1;
    let was_started = bead.dispatches > 0 || bead.head_commit.is_some();
    let is_bound = bead.convoy_id.is_some() || bead.parent_id.is_some() || bead.parked.is_some();
    let has_children = plan.state().beads.values().any(|child| child.parent_id == Some(bead_id));
    let has_edges = plan.state().edges.keys().any(|edge| edge.0 == bead_id || edge.1 == bead_id);
    if !is_new || was_started || is_bound || has_children || has_edges {
        let why = "only an open bead that was never started, alone and without dependencies, moves to another rig";
        return Err(Refusal::IllegalTransition(why.to_owned()));
    }
    if let Some(queued) = plan.state().assignment_of_bead(bead_id).map(|live| live.assignment_id) {
        assignment::stop(plan, queued, Pending::Stopped, "bead_moved", "its bead moved to another rig");
    }
    let event = plan.event("moved");
    let data = json!({ "bead_id": bead_id, "title": bead.title, "rig_id": to });
    plan.record(EventRow { actor: actor.to_owned(), data, ..event });
    plan.post(RigToTown::BeadMoved { to, bead: Box::new(moved(bead)) });
    plan.write(Write::RemoveBead(bead_id));
    Ok(Applied::Deleted(1))
}

/// Takes a bead that was another rig's; one that is here already is not made twice.
pub(in crate::rig) fn adopt(plan: &mut Plan, moved: MovedBead) {
    if plan.state().beads.contains_key(&moved.bead_id) {
        return;
    }
    let now = plan.now();
    let title = moved.title.clone();
    let mut bead = Bead::new(moved.bead_id, BeadType::Issue, moved.title, moved.created_by.clone(), moved.created_at);
    bead.body = moved.body;
    bead.priority = moved.priority;
    bead.labels = moved.labels;
    bead.metadata = moved.metadata;
    bead.model = moved.model;
    bead.budget_micros = moved.budget_micros;
    bead.updated_at = now;
    bead.branch_digits = digits_needed(plan, moved.bead_id);
    plan.write(Write::Bead(Box::new(bead)));
    let event = plan.event("created");
    let actor = moved.created_by;
    plan.record(EventRow { bead_id: Some(moved.bead_id), actor, new: Some(title), ..event });
}

fn moved(bead: Bead) -> MovedBead {
    MovedBead {
        bead_id: bead.bead_id,
        title: bead.title,
        body: bead.body,
        priority: bead.priority,
        labels: bead.labels,
        metadata: bead.metadata,
        model: bead.model,
        budget_micros: bead.budget_micros,
        created_by: bead.created_by,
        created_at: bead.created_at,
    }
}
