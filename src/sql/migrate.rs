//! The migration lists, one per object class, and the runner. An object migrates when it wakes, before it serves
//! anything; each file is applied once, in order, in a transaction of its own.

use serde::Deserialize;

use super::{Sql, SqlError};

/// One change of a schema.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// File name without `.sql`; its number orders it.
    pub name: &'static str,
    /// The file.
    pub sql: &'static str,
}

macro_rules! migrations {
    ($object:literal: $($name:literal),* $(,)?) => {
        &[$(Migration {
            name: $name,
            sql: include_str!(concat!("../../migrations/", $object, "/", $name, ".sql")),
        }),*]
    };
}

/// Schema of `Account`.
pub const ACCOUNT: &[Migration] = migrations!["account": "0001_account", "0002_sign_ins"];

/// Schema of `Town`.
pub const TOWN: &[Migration] = migrations![
    "town": "0001_town", "0002_convoys", "0003_mayor", "0004_escalations", "0005_admission", "0006_messages",
    "0007_protocol", "0008_reports", "0009_mayor", "0010_escalations", "0011_drain", "0012_outbox_next", "0013_conversation",
    "0014_admission", "0015_inbox", "0016_convoys",
];

/// Schema of `Rig`.
pub const RIG: &[Migration] = migrations![
    "rig": "0001_beads", "0002_agents", "0003_reviews", "0004_messages", "0005_rig", "0006_protocol", "0007_lists",
    "0008_former_agents", "0009_idle", "0010_drain", "0011_branch_digits", "0012_retention", "0013_budget",
    "0014_saved", "0015_messages", "0016_convoys", "0017_pr_marks", "0018_empty_review",
];

/// Schema of `TownContainer`.
pub const CONTAINER: &[Migration] = migrations!["container": "0001_container", "0002_life", "0003_tickets"];

/// Durable Objects have no `pragma user_version`, so what was applied is kept in a table.
const CREATE_APPLIED: &str = "create table if not exists migrations (name text primary key) strict";
const SELECT_APPLIED: &str = "select name from migrations";
const INSERT_APPLIED: &str = "insert into migrations (name) values (?)";

#[derive(Deserialize)]
struct AppliedRow {
    name: String,
}

/// Applies what is missing. Idempotent: a schema that is current costs one read.
pub fn migrate(sql: &impl Sql, list: &[Migration]) -> Result<(), SqlError> {
    sql.run(CREATE_APPLIED, &[])?;
    let applied: Vec<AppliedRow> = sql.rows(SELECT_APPLIED, &[])?;
    for migration in list.iter().filter(|m| !applied.iter().any(|row| row.name == m.name)) {
        sql.atomically(|| {
            sql.script(migration.sql)?;
            sql.run(INSERT_APPLIED, &[migration.name.into()])
        })?;
    }
    Ok(())
}
