//! Secret settings. Values come in sealed and go out sealed; nothing here can read them.

use gastown_core::time::Timestamp;
use serde::Deserialize;

use crate::params;
use crate::sql::row::Ms;
use crate::sql::{Sql, SqlError};

/// One secret setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The key of the setting, such as `github_cli_pat` or `env_vars.NPM_TOKEN`.
    pub name: String,
    /// The sealed value.
    pub value: String,
    /// What replies show of it.
    pub last4: String,
    /// When it was set.
    pub updated_at: Timestamp,
    /// By whom.
    pub updated_by: String,
}

#[derive(Deserialize)]
struct SecretRow {
    name: String,
    value: String,
    last4: String,
    updated_at: Ms,
    updated_by: String,
}

const SELECT_ALL: &str = "select * from secrets order by name";

/// Every secret of the town.
pub fn all(sql: &impl Sql) -> Result<Vec<Secret>, SqlError> {
    let rows: Vec<SecretRow> = sql.rows(SELECT_ALL, &[])?;
    Ok(rows.into_iter().map(Secret::from).collect())
}

const SELECT_ONE: &str = "select * from secrets where name = ?";

/// One secret, if it is set.
pub fn get(sql: &impl Sql, name: &str) -> Result<Option<Secret>, SqlError> {
    let row: Option<SecretRow> = sql.first(SELECT_ONE, params![name])?;
    Ok(row.map(Secret::from))
}

const UPSERT: &str = "
insert into secrets (name, value, last4, updated_at, updated_by)
values (?, ?, ?, ?, ?)
on conflict (name) do update set
  value = excluded.value,
  last4 = excluded.last4,
  updated_at = excluded.updated_at,
  updated_by = excluded.updated_by";

/// Sets a secret.
pub fn put(sql: &impl Sql, secret: &Secret) -> Result<(), SqlError> {
    sql.run(UPSERT, params![&secret.name, &secret.value, &secret.last4, secret.updated_at, &secret.updated_by])
}

const DELETE: &str = "delete from secrets where name = ?";

/// Removes a secret; one that is not set stays so.
pub fn remove(sql: &impl Sql, name: &str) -> Result<(), SqlError> {
    sql.run(DELETE, params![name])
}

impl From<SecretRow> for Secret {
    fn from(row: SecretRow) -> Self {
        Self {
            name: row.name,
            value: row.value,
            last4: row.last4,
            updated_at: row.updated_at.0,
            updated_by: row.updated_by,
        }
    }
}
