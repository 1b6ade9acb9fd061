//! Rigs know their effective settings and what holds for the town. What was last told is remembered in memory only, so
//! that a restarted town tells everything again; rigs ignore what they know.

use crate::config::effective_rig;
use crate::id::RigId;
use crate::protocol::{Configure, TownToRig};
use crate::town::plan::Plan;

pub(crate) fn run(plan: &mut Plan) {
    let town_state = plan.state().town_state(plan.now());
    let rig_ids: Vec<RigId> = plan.state().active_rigs().map(|rig| rig.rig_id).collect();
    for rig_id in rig_ids {
        configure(plan, rig_id);
        if plan.state().told.get(&rig_id) != Some(&town_state) {
            plan.post(rig_id, TownToRig::TownState(town_state.clone()));
            plan.set_told(rig_id, town_state.clone());
        }
    }
}

fn configure(plan: &mut Plan, rig_id: RigId) {
    let state = plan.state();
    let Some(rig) = state.rigs.get(&rig_id) else { return };
    // Both numbers only grow, so their sum names every combination that is ever in force, in order.
    let version = state.town.config_version + rig.config_version;
    let secrets_version = state.town.secrets_version;
    if state.configured.get(&rig_id) == Some(&(version, secrets_version)) {
        return;
    }
    let configure = Configure {
        version,
        secrets_version,
        git_url: rig.git_url.clone(),
        default_branch: rig.default_branch.clone(),
        target_branch: rig.target().to_owned(),
        config: effective_rig(&state.town.config, &rig.config),
        town_models: state.town.config.models.clone(),
        rig_models: rig.config.models(rig_id, &rig.name),
    };
    plan.post(rig_id, TownToRig::Configure(Box::new(configure)));
    plan.set_configured(rig_id, (version, secrets_version));
}
