//! The repositories of the town, each with the last report of its rig. `needs_container` and `live` repeat what the
//! report says, for people who read the table.

use gastown_core::config::RigConfig;
use gastown_core::id::{AssignmentId, RigId};
use gastown_core::protocol::Activity;
use gastown_core::town::state::{RigEntry, TownStatus};
use serde::Deserialize;
use serde_json::Value as JsonValue;

use crate::params;
use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json, text};

#[derive(Deserialize)]
struct RigRow {
    rig_id: RigId,
    tag: String,
    name: String,
    git_url: String,
    default_branch: String,
    target_branch: Option<String>,
    purpose: Option<String>,
    integration_id: Option<String>,
    config: Json<RigConfig>,
    config_version: u64,
    state: TownStatus,
    access: Json<JsonValue>,
    live_assignments: Json<Vec<AssignmentId>>,
    queued: u32,
    jobs: u32,
    next_deadline: Option<Ms>,
    reported_at: Option<Ms>,
    created_at: Ms,
    updated_at: Ms,
    version: u64,
}

const SELECT_ALL: &str = "select * from rigs";

/// Every rig of the town; there are at most `RIGS_PER_TOWN`.
pub(super) fn all(sql: &impl Sql) -> Result<Vec<RigEntry>, SqlError> {
    let rows: Vec<RigRow> = sql.rows(SELECT_ALL, &[])?;
    Ok(rows.into_iter().map(RigEntry::from).collect())
}

const UPSERT: &str = "
insert into rigs (
  rig_id, tag, name, git_url, default_branch, target_branch, purpose, integration_id, config, config_version,
  state, access, needs_container, live, live_assignments, queued, jobs, next_deadline, reported_at,
  created_at, updated_at, version
)
values (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)
on conflict (rig_id) do update set
  tag = excluded.tag,
  name = excluded.name,
  git_url = excluded.git_url,
  default_branch = excluded.default_branch,
  target_branch = excluded.target_branch,
  purpose = excluded.purpose,
  integration_id = excluded.integration_id,
  config = excluded.config,
  config_version = excluded.config_version,
  state = excluded.state,
  access = excluded.access,
  needs_container = excluded.needs_container,
  live = excluded.live,
  live_assignments = excluded.live_assignments,
  queued = excluded.queued,
  jobs = excluded.jobs,
  next_deadline = excluded.next_deadline,
  reported_at = excluded.reported_at,
  created_at = excluded.created_at,
  updated_at = excluded.updated_at,
  version = excluded.version";

/// Writes the row.
pub(super) fn put(sql: &impl Sql, rig: &RigEntry) -> Result<(), SqlError> {
    sql.run(
        UPSERT,
        params![
            text(rig.rig_id),
            &rig.tag,
            &rig.name,
            &rig.git_url,
            &rig.default_branch,
            &rig.target_branch,
            &rig.purpose,
            &rig.integration_id,
            json(&rig.config),
            rig.config_version,
            text(rig.status),
            json(&rig.access),
            rig.activity.needs_container(),
            i64::try_from(rig.activity.live.len()).unwrap_or(i64::MAX),
            json(&rig.activity.live),
            rig.activity.queued,
            rig.activity.jobs,
            rig.activity.next_deadline,
            rig.reported_at,
            rig.created_at,
            rig.updated_at,
            rig.version,
        ],
    )
}

const DELETE: &str = "delete from rigs where rig_id = ?";

/// The rig is gone.
pub(super) fn remove(sql: &impl Sql, rig_id: RigId) -> Result<(), SqlError> {
    sql.run(DELETE, params![text(rig_id)])
}

impl From<RigRow> for RigEntry {
    fn from(row: RigRow) -> Self {
        let activity = Activity {
            live: row.live_assignments.0,
            queued: row.queued,
            jobs: row.jobs,
            next_deadline: row.next_deadline.map(|at| at.0),
        };
        Self {
            rig_id: row.rig_id,
            tag: row.tag,
            name: row.name,
            git_url: row.git_url,
            default_branch: row.default_branch,
            target_branch: row.target_branch,
            purpose: row.purpose,
            integration_id: row.integration_id,
            config: row.config.0,
            config_version: row.config_version,
            status: row.state,
            access: row.access.0,
            activity,
            reported_at: row.reported_at.map(|at| at.0),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: row.version,
        }
    }
}
