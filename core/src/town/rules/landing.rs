//! T14: landings. A convoy that lands has at most one live landing in each rig; a rejected one is followed by the next
//! after a pause, until the series is used up and a person decides.

use crate::limits::LANDING_MAX;
use crate::protocol::{OpenLanding, TownToRig};
use crate::town::convoy::{ConvoyRig, ConvoyState, LandingState, post};
use crate::town::plan::{Plan, Write};

pub(crate) fn run(plan: &mut Plan) {
    let now = plan.now();
    let due: Vec<ConvoyRig> = plan
        .state()
        .live_convoys()
        .filter(|convoy| convoy.state == ConvoyState::Landing)
        .flat_map(|convoy| plan.state().rigs_of(convoy.convoy_id))
        .filter(|part| part.landing == LandingState::None && part.attempts < LANDING_MAX)
        .filter(|part| part.next_at.is_some_and(|at| at <= now))
        .cloned()
        .collect();
    for part in due {
        open(plan, part);
    }
}

fn open(plan: &mut Plan, part: ConvoyRig) {
    let (convoy_id, rig_id) = (part.convoy_id, part.rig_id);
    let Some(branch) = part.feature_branch.clone() else { return };
    let Some(target) = plan.state().rigs.get(&rig_id).map(|rig| rig.target().to_owned()) else { return };
    let Some(title) = plan.state().convoys.get(&convoy_id).map(|convoy| convoy.title.clone()) else { return };
    let bead_id = plan.mint();
    let attempt = part.attempts + 1;
    plan.write(Write::ConvoyRig(ConvoyRig {
        landing: LandingState::Open,
        landing_bead: Some(bead_id),
        attempts: attempt,
        ..part
    }));
    let order = OpenLanding { convoy_id, title, attempt, bead_id, branch, target };
    post(plan, rig_id, TownToRig::OpenLanding(Box::new(order)));
    plan.update_convoy(convoy_id, |_| ());
}
