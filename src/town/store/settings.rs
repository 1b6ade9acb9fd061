//! The town's own row.

use gastown_core::config::TownConfig;
use gastown_core::id::TownId;
use gastown_core::town::state::{AccountKind, Pause, Town, TownStatus};
use serde::Deserialize;

use crate::params;
use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json, text};

#[derive(Deserialize)]
struct TownRow {
    town_id: TownId,
    name: String,
    account_kind: AccountKind,
    account_id: String,
    created_by: String,
    created_at: Ms,
    updated_at: Ms,
    state: TownStatus,
    config: Json<TownConfig>,
    config_version: u64,
    secrets_version: u64,
    credential_gen: u64,
    next_epoch: u64,
    pause: Option<Json<Pause>>,
    version: u64,
}

const SELECT: &str = "select * from town";

/// The row, once there is one.
pub(super) fn get(sql: &impl Sql) -> Result<Option<Town>, SqlError> {
    let row: Option<TownRow> = sql.first(SELECT, &[])?;
    Ok(row.map(Town::from))
}

const UPSERT: &str = "
insert into town (
  town_id, name, account_kind, account_id, created_by, created_at, updated_at, state, config, config_version,
  secrets_version, credential_gen, next_epoch, pause, version
)
values (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)
on conflict (town_id) do update set
  name = excluded.name,
  account_kind = excluded.account_kind,
  account_id = excluded.account_id,
  created_by = excluded.created_by,
  created_at = excluded.created_at,
  updated_at = excluded.updated_at,
  state = excluded.state,
  config = excluded.config,
  config_version = excluded.config_version,
  secrets_version = excluded.secrets_version,
  credential_gen = excluded.credential_gen,
  next_epoch = excluded.next_epoch,
  pause = excluded.pause,
  version = excluded.version";

/// Writes the row.
pub(super) fn put(sql: &impl Sql, town: &Town) -> Result<(), SqlError> {
    sql.run(
        UPSERT,
        params![
            text(town.town_id),
            &town.name,
            text(town.account_kind),
            &town.account_id,
            &town.created_by,
            town.created_at,
            town.updated_at,
            text(town.status),
            json(&town.config),
            town.config_version,
            town.secrets_version,
            town.credential_gen,
            town.next_epoch,
            town.pause.as_ref().map(json),
            town.version,
        ],
    )
}

impl From<TownRow> for Town {
    fn from(row: TownRow) -> Self {
        Self {
            town_id: row.town_id,
            name: row.name,
            account_kind: row.account_kind,
            account_id: row.account_id,
            created_by: row.created_by,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            status: row.state,
            config: row.config.0,
            config_version: row.config_version,
            secrets_version: row.secrets_version,
            credential_gen: row.credential_gen,
            next_epoch: row.next_epoch,
            pause: row.pause.map(|json| json.0),
            version: row.version,
        }
    }
}
