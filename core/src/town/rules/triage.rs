//! T21: ambiguous matters of a rig go to an agent, one batch per rig at a time. A batch that failed is followed by the
//! next one after a pause. A matter whose session is over meanwhile needs no decision any more.

use crate::id::{BeadId, RigId};
use crate::limits::TRIAGE_BATCH;
use crate::protocol::TownToRig;
use crate::sorted::SortedSet;
use crate::time::Timestamp;
use crate::town::plan::{Plan, Write};
use crate::town::state::TownStatus;
use crate::town::triage::{self, TriageRequest, TriageState};

pub(crate) fn run(plan: &mut Plan) {
    for request_id in moot(plan) {
        triage::withdraw(plan, request_id);
    }
    let is_active = plan.state().town.status == TownStatus::Active && !plan.state().drain.is_draining;
    if !is_active {
        return;
    }
    let rigs: SortedSet<RigId> = waiting(plan).map(|request| request.rig_id).collect();
    for rig_id in rigs {
        if due_at(plan, rig_id).is_some_and(|at| at <= plan.now()) {
            start_batch(plan, rig_id);
        }
    }
}

/// When the next batch of any rig is due; none while nothing waits for one.
pub(crate) fn next_batch(plan: &Plan) -> Option<Timestamp> {
    waiting(plan).filter_map(|request| due_at(plan, request.rig_id)).min()
}

fn waiting<'a>(plan: &'a Plan) -> impl Iterator<Item = &'a TriageRequest> {
    plan.state().triage.values().filter(|request| request.state == TriageState::Open)
}

/// When the rig may have a batch: at once, or after the pause that follows a failed one; never beside a live one.
fn due_at(plan: &Plan, rig_id: RigId) -> Option<Timestamp> {
    let state = plan.state();
    let is_active = state.rigs.get(&rig_id).is_some_and(|rig| rig.status == TownStatus::Active);
    let has_batch = state.triage.values().any(|request| request.rig_id == rig_id && request.batch_is_live);
    if !is_active || has_batch {
        return None;
    }
    waiting(plan).filter(|request| request.rig_id == rig_id).map(|r| r.not_before.unwrap_or(r.created_at)).max()
}

fn start_batch(plan: &mut Plan, rig_id: RigId) {
    let mut requests: Vec<TriageRequest> = waiting(plan).filter(|request| request.rig_id == rig_id).cloned().collect();
    crate::sorted::sort_by_key(&mut requests, |request| (request.created_at, request.asked.request_id));
    requests.truncate(TRIAGE_BATCH);
    let batch_id: BeadId = plan.mint();
    let items = requests.iter().map(TriageRequest::item).collect();
    plan.post(rig_id, TownToRig::RunTriage { batch_id, requests: items });
    for request in requests {
        plan.write(Write::Triage(Box::new(TriageRequest {
            state: TriageState::Batched,
            batch_bead: Some(batch_id),
            batch_is_live: true,
            ..request
        })));
    }
}

/// Automatic requests about sessions that their rig does not name any more. What an agent asked stands also after it.
fn moot(plan: &Plan) -> Vec<BeadId> {
    let state = plan.state();
    let is_over = |request: &&TriageRequest| {
        let Some(rig) = state.rigs.get(&request.rig_id) else { return true };
        let Some(assignment_id) = request.asked.assignment_id else { return false };
        let knows_better = rig.reported_at.is_some_and(|at| at > request.created_at);
        request.asked.kind.is_automatic() && knows_better && !rig.activity.live.contains(&assignment_id)
    };
    waiting(plan).filter(is_over).map(|request| request.asked.request_id).collect()
}
