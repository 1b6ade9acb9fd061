//! T13: a convoy whose tasks are all settled moves on: to its landings where work waits on a feature branch, else it has
//! landed; and when every landing has merged, it has landed too.

use crate::id::{ConvoyId, RigId};
use crate::town::convoy::{ConvoyRig, ConvoyState, LandingState, landed};
use crate::town::plan::{Plan, Write};

pub(crate) fn run(plan: &mut Plan) {
    let live: Vec<(ConvoyId, ConvoyState)> =
        plan.state().live_convoys().map(|convoy| (convoy.convoy_id, convoy.state)).collect();
    for (convoy_id, state) in live {
        match state {
            ConvoyState::Active if is_settled(plan, convoy_id) => settle(plan, convoy_id),
            ConvoyState::Landing if !plan.state().rigs_of(convoy_id).any(ConvoyRig::has_to_land) => {
                landed(plan, convoy_id);
            }
            ConvoyState::Staged
            | ConvoyState::Active
            | ConvoyState::Landing
            | ConvoyState::Landed
            | ConvoyState::Aborted => (),
        }
    }
}

fn is_settled(plan: &Plan, convoy_id: ConvoyId) -> bool {
    plan.state().tasks_of(convoy_id).iter().all(|task| task.state.is_settled())
}

fn settle(plan: &mut Plan, convoy_id: ConvoyId) {
    let now = plan.now();
    let to_land: Vec<ConvoyRig> = plan
        .state()
        .rigs_of(convoy_id)
        .filter(|part| part.landing == LandingState::None && has_work(plan, part))
        .cloned()
        .collect();
    if to_land.is_empty() {
        landed(plan, convoy_id);
        return;
    }
    for part in to_land {
        plan.write(Write::ConvoyRig(ConvoyRig { next_at: Some(now), ..part }));
    }
    plan.update_convoy(convoy_id, |convoy| convoy.state = ConvoyState::Landing);
}

/// Whether work of the convoy was merged into the rig's feature branch.
fn has_work(plan: &Plan, part: &ConvoyRig) -> bool {
    let (Some(branch), rig_id): (_, RigId) = (part.feature_branch.as_deref(), part.rig_id) else { return false };
    let is_there = plan.state().rigs.contains_key(&rig_id);
    let mut tasks = plan.state().tasks_of(part.convoy_id).into_iter().filter(|task| task.rig_id == rig_id);
    is_there && tasks.any(|task| task.merged_into.as_deref() == Some(branch))
}
