//! The account's rows: tables `account`, `towns`, `sign_ins` and `signed_out`.

use gastown_core::id::TownId;
use gastown_core::time::Timestamp;
use serde::Deserialize;

use crate::sql::{Sql, SqlError, text};

const SELECT_GENERATION: &str = "select session_gen from account";
const ENSURE: &str =
    "insert or ignore into account (account_id, kind, name, session_gen, created_at) values (?, ?, ?, 0, ?)";
const RAISE_GENERATION: &str = "update account set session_gen = session_gen + 1";
const PUT_TOWN: &str = "
    insert or ignore into towns (town_id, name, created_by, state, active, seen_at, created_at, updated_at)
    values (?, ?, ?, 'active', 0, ?, ?, ?)";
const DELETE_TOWN: &str = "delete from towns where town_id = ?";
const SELECT_TOWNS: &str = "select town_id from towns order by created_at desc, town_id desc";
const SET_ACTIVE: &str = "update towns set active = ?1, seen_at = ?2, updated_at = ?2 where town_id = ?3";
const SELECT_SILENT: &str = "select town_id from towns where active = 1 and seen_at <= ?";
const SELECT_ACTIVE: &str = "select town_id from towns where active = 1 limit 1";
const SELECT_SIGN_IN: &str = "select jti as key from sign_ins where jti = ?";
const PUT_SIGN_IN: &str = "insert into sign_ins (jti, expires_at) values (?, ?)";
const PRUNE_SIGN_INS: &str = "delete from sign_ins where expires_at < ?";
const SELECT_SIGNED_OUT: &str = "select sid as key from signed_out where sid = ?";
const PUT_SIGNED_OUT: &str = "insert or ignore into signed_out (sid, expires_at) values (?, ?)";
const PRUNE_SIGNED_OUT: &str = "delete from signed_out where expires_at < ?";

#[derive(Deserialize)]
struct GenerationRow {
    session_gen: u64,
}

#[derive(Deserialize)]
struct TownRow {
    town_id: TownId,
}

#[derive(Deserialize)]
struct KeyRow {
    #[serde(rename = "key")]
    _key: String,
}

/// The account's own row is made when something of it is first kept. `account` is `user:<id>` or `org:<id>`.
pub fn ensure(sql: &impl Sql, account: &str, now: Timestamp) -> Result<(), SqlError> {
    let (kind, id) = account.split_once(':').unwrap_or(("user", account));
    sql.run(ENSURE, &[id.into(), kind.into(), id.into(), now.into()])
}

/// The session generation; zero before anything was revoked.
pub fn generation(sql: &impl Sql) -> Result<u64, SqlError> {
    Ok(sql.first::<GenerationRow>(SELECT_GENERATION, &[])?.map_or(0, |row| row.session_gen))
}

/// Ends every session.
pub fn raise_generation(sql: &impl Sql) -> Result<(), SqlError> {
    sql.run(RAISE_GENERATION, &[])
}

/// Puts a town on the list.
pub fn add_town(sql: &impl Sql, town_id: TownId, name: &str, by: &str, now: Timestamp) -> Result<(), SqlError> {
    sql.run(PUT_TOWN, &[text(town_id), name.into(), by.into(), now.into(), now.into(), now.into()])
}

/// Takes it off the list.
pub fn remove_town(sql: &impl Sql, town_id: TownId) -> Result<(), SqlError> {
    sql.run(DELETE_TOWN, &[text(town_id)])
}

/// What a town says of itself; one that is not on the list is not put there.
pub fn set_active(sql: &impl Sql, town_id: TownId, is_active: bool, now: Timestamp) -> Result<(), SqlError> {
    sql.run(SET_ACTIVE, &[is_active.into(), now.into(), text(town_id)])
}

/// Active towns that were last heard of then, or before.
pub fn silent_towns(sql: &impl Sql, since: Timestamp) -> Result<Vec<TownId>, SqlError> {
    Ok(sql.rows::<TownRow>(SELECT_SILENT, &[since.into()])?.into_iter().map(|row| row.town_id).collect())
}

/// Whether a town has live work.
pub fn has_active_towns(sql: &impl Sql) -> Result<bool, SqlError> {
    Ok(sql.first::<TownRow>(SELECT_ACTIVE, &[])?.is_some())
}

/// The towns, newest first.
pub fn towns(sql: &impl Sql) -> Result<Vec<TownId>, SqlError> {
    Ok(sql.rows::<TownRow>(SELECT_TOWNS, &[])?.into_iter().map(|row| row.town_id).collect())
}

/// Uses a sign-in token; false when it was used before. Ended ones are forgotten.
pub fn use_sign_in(sql: &impl Sql, jti: &str, expires_at: Timestamp, wall: Timestamp) -> Result<bool, SqlError> {
    sql.run(PRUNE_SIGN_INS, &[wall.into()])?;
    if sql.first::<KeyRow>(SELECT_SIGN_IN, &[jti.into()])?.is_some() {
        return Ok(false);
    }
    sql.run(PUT_SIGN_IN, &[jti.into(), expires_at.into()])?;
    Ok(true)
}

/// Ends one session. Rows of cookies that have ended are forgotten.
pub fn sign_out(sql: &impl Sql, session_id: &str, expires_at: Timestamp, wall: Timestamp) -> Result<(), SqlError> {
    sql.run(PRUNE_SIGNED_OUT, &[wall.into()])?;
    sql.run(PUT_SIGNED_OUT, &[session_id.into(), expires_at.into()])
}

/// Whether a session was signed out.
pub fn is_signed_out(sql: &impl Sql, session_id: &str) -> Result<bool, SqlError> {
    Ok(sql.first::<KeyRow>(SELECT_SIGNED_OUT, &[session_id.into()])?.is_some())
}
