//! The town's rows in their wire shapes (api.md 4).

use gastown_core::access::TownRole;
use gastown_core::config::effective_rig;
use gastown_core::town::State;
use gastown_core::town::state::{AccountKind, RigEntry, TownStatus};
use gastown_core::wire::api::town as api;

use serde_json::json;

use super::calls::{NumberedFrame, TownView};
use super::store::StoredFrame;

/// **Town** as its owner sees it.
pub fn town(state: &State) -> api::Town {
    let town = &state.town;
    let is_user = town.account_kind == AccountKind::User;
    let open = count(state.escalations.len());
    api::Town {
        id: town.town_id,
        name: town.name.clone(),
        owner_user_id: is_user.then(|| town.account_id.clone()),
        owner_org_id: (!is_user).then(|| town.account_id.clone()),
        created_by_user_id: (!is_user).then(|| town.created_by.clone()),
        created_at: town.created_at,
        updated_at: town.updated_at,
        version: town.version,
        role: TownRole::Owner,
        paused: town.status == TownStatus::Paused,
        counts: api::TownCounts {
            rigs: count(state.active_rigs().count()),
            working_agents: count(state.slots.values().filter(|slot| slot.granted_at.is_some()).count()),
            open_beads: 0,
            escalations: open,
            needs_attention: open,
        },
    }
}

/// **Town** with what the Worker needs to know besides.
pub fn town_view(state: &State) -> TownView {
    TownView { town: town(state), config_version: state.town.config_version, mayor_id: state.mayor.agent_id }
}

/// **Rig**; the counts of beads are the rig's own to add.
pub fn rig(state: &State, rig: &RigEntry) -> api::Rig {
    let slots = effective_rig(&state.town.config, &rig.config).max_concurrent_polecats;
    let live = count(rig.activity.live.len());
    api::Rig {
        id: rig.rig_id,
        town_id: state.town.town_id,
        name: rig.name.clone(),
        git_url: rig.git_url.clone(),
        default_branch: rig.default_branch.clone(),
        platform_integration_id: rig.integration_id.clone(),
        created_at: rig.created_at,
        updated_at: rig.updated_at,
        version: rig.version,
        purpose: rig.purpose.clone(),
        target_branch: rig.target().to_owned(),
        access: gastown_core::json::from_value(&rig.access).unwrap_or_default(),
        counts: api::RigCounts {
            working_agents: live.saturating_sub(rig.activity.queued),
            slots_used: live,
            slots,
            ..api::RigCounts::default()
        },
    }
}

/// A frame as readers of the town channel see it. A row of the feed carries the number of its frame as its own: that is
/// its place in the one order of the town.
pub(super) fn frame(mut stored: StoredFrame) -> NumberedFrame {
    if stored.frame == "activity"
        && let Some(event) = stored.data.as_object_mut()
    {
        event.insert("seq".to_owned(), json!(stored.seq));
        event.insert("bead_event_id".to_owned(), json!(stored.seq.to_string()));
    }
    NumberedFrame { seq: stored.seq, at: stored.at, frame: stored.frame, rig_id: stored.rig_id, data: stored.data }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
