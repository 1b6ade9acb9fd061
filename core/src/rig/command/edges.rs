//! Dependencies of a bead (domain.md 3.5): what may be asked for, and the edges that follow from it.

use crate::sorted::SortedSet;

use super::Refusal;
use crate::id::{BeadId, ConvoyId};
use crate::rig::bead::{BeadStatus, Edge, EdgeState};
use crate::rig::plan::{Plan, Write};

/// Refuses blockers that this rig does not have, and those that no check over the whole plan of a convoy would see: a
/// task of a convoy may be blocked only by tasks of the same convoy.
pub(super) fn check_known(plan: &Plan, convoy_id: Option<ConvoyId>, blockers: &[BeadId]) -> Result<(), Refusal> {
    for blocker_id in blockers {
        let Some(blocker) = plan.state().beads.get(blocker_id) else {
            return Err(Refusal::UnknownReference(blocker_id.to_string()));
        };
        if convoy_id.is_some() && blocker.convoy_id != convoy_id {
            return Err(Refusal::CrossRigDependency(*blocker_id));
        }
    }
    Ok(())
}

/// Refuses edges that would let a bead wait for itself, and names the beads on the way (domain.md 3.5).
/// Follows what still holds somebody back: not the edges that were waived or satisfied, nor those of closed beads.
pub(super) fn check_cycle(plan: &Plan, bead_id: BeadId, blockers: &[BeadId]) -> Result<(), Refusal> {
    let is_closed = |id| plan.state().beads.get(&id).is_some_and(|bead| bead.status == BeadStatus::Closed);
    let holds = |edge: &&Edge| match edge.state {
        EdgeState::Pending | EdgeState::Failed => !is_closed(edge.bead_id),
        EdgeState::Satisfied | EdgeState::Waived => false,
    };
    let mut paths: Vec<Vec<BeadId>> = blockers.iter().filter(|&&b| b != bead_id).map(|&b| vec![bead_id, b]).collect();
    let mut seen = SortedSet::new();
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

/// The blockers of a bead, as a caller names them: all of them, without the bead itself.
pub(super) fn blockers_of(plan: &Plan, bead_id: BeadId) -> SortedSet<BeadId> {
    let edges = plan.state().edges.values().filter(|edge| edge.bead_id == bead_id && !edge.cross);
    edges.map(|edge| edge.blocker_id).collect()
}

/// Replaces all edges of a bead inside the rig. A reference to itself is ignored.
pub(super) fn set_dependencies(plan: &mut Plan, bead_id: BeadId, blockers: &[BeadId]) {
    let wanted: SortedSet<BeadId> = blockers.iter().copied().filter(|&blocker| blocker != bead_id).collect();
    let is_own = |edge: &&Edge| edge.bead_id == bead_id && !edge.cross;
    let old: Vec<Edge> = plan.state().edges.values().filter(is_own).cloned().collect();
    for edge in old.iter().filter(|edge| !wanted.contains(&edge.blocker_id)) {
        plan.write(Write::RemoveEdge(bead_id, edge.blocker_id));
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
