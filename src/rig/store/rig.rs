//! Table `rig`: the rig's own row.

use gastown_core::config::EffectiveRig;
use gastown_core::id::{RigId, TownId};
use gastown_core::models::{RigModels, TownModels};
use gastown_core::protocol::TownState;
use gastown_core::rig::breaker::Breaker;
use gastown_core::rig::state::{Rig, RigStatus, Settings};
use serde::{Deserialize, Serialize};

use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json, text};

const SELECT: &str = "
    select rig_id, town_id, tag, git_url, default_branch, target_branch, state, settings, wanted_version, town_state,
           breaker, next_epoch, drain_epoch, pruned_at
    from rig";

const PUT: &str = "
    insert or replace into rig
      (rig_id, town_id, tag, git_url, default_branch, target_branch, state, settings, wanted_version, town_state,
       breaker, next_epoch, drain_epoch, pruned_at)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

#[derive(Deserialize)]
struct Row {
    rig_id: RigId,
    town_id: TownId,
    tag: String,
    git_url: String,
    default_branch: String,
    target_branch: String,
    state: RigStatus,
    settings: Option<Json<StoredSettings>>,
    wanted_version: u64,
    town_state: Json<TownState>,
    breaker: Json<Breaker>,
    next_epoch: u64,
    drain_epoch: u64,
    pruned_at: Option<Ms>,
}

/// Settings as the column keeps them.
#[derive(Serialize, Deserialize)]
struct StoredSettings {
    version: u64,
    secrets_version: u64,
    config: EffectiveRig,
    town_models: TownModels,
    rig_models: RigModels,
}

/// The row, if the rig exists.
pub(super) fn load(sql: &impl Sql) -> Result<Option<Rig>, SqlError> {
    Ok(sql.first::<Row>(SELECT, &[])?.map(|row| Rig {
        rig_id: row.rig_id,
        town_id: row.town_id,
        tag: row.tag,
        git_url: row.git_url,
        default_branch: row.default_branch,
        target_branch: row.target_branch,
        status: row.state,
        settings: row.settings.map(|Json(stored)| Settings {
            version: stored.version,
            secrets_version: stored.secrets_version,
            config: stored.config,
            town_models: stored.town_models,
            rig_models: stored.rig_models,
        }),
        wanted_version: row.wanted_version,
        town: row.town_state.0,
        breaker: row.breaker.0,
        next_epoch: row.next_epoch,
        drain_epoch: row.drain_epoch,
        pruned_at: row.pruned_at.map(|at| at.0),
    }))
}

/// Makes the rig's row.
pub fn create(sql: &impl Sql, rig: &Rig) -> Result<(), SqlError> {
    put(sql, rig)
}

/// Inserts or replaces the row.
pub(super) fn put(sql: &impl Sql, rig: &Rig) -> Result<(), SqlError> {
    let settings = rig.settings.as_ref().map(|settings| {
        json(&StoredSettings {
            version: settings.version,
            secrets_version: settings.secrets_version,
            config: settings.config.clone(),
            town_models: settings.town_models.clone(),
            rig_models: settings.rig_models.clone(),
        })
    });
    sql.run(
        PUT,
        &[
            text(rig.rig_id),
            text(rig.town_id),
            (&rig.tag).into(),
            (&rig.git_url).into(),
            (&rig.default_branch).into(),
            (&rig.target_branch).into(),
            text(rig.status),
            settings.into(),
            rig.wanted_version.into(),
            json(&rig.town),
            json(&rig.breaker),
            rig.next_epoch.into(),
            rig.drain_epoch.into(),
            rig.pruned_at.into(),
        ],
    )
}
