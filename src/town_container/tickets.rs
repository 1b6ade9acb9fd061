//! Tickets for streams (api.md 2.1): opaque, for one use within a minute, kept as digests only.

use gastown_core::id::AgentId;
use gastown_core::limits::{TICKET_LIFE, TICKETS_UNUSED_MAX};
use gastown_core::rate;
use gastown_core::time::Timestamp;
use gastown_core::wire::code::Code;
use serde::Deserialize;

use super::Keeper;
use super::calls::{MintTicket, Ticket, UseTicket};
use crate::ambient::{random, wall_now};
use crate::env::settings;
use crate::error::{Refusal, Result};
use crate::params;
use crate::sql::row::Json;
use crate::sql::{Sql, SqlError, json, text};
use crate::sse::Guard;
use crate::token::{hex, keyed_digest};

/// Makes a ticket; what nobody used in time is forgotten first.
pub(super) fn mint(keeper: &Keeper, call: &MintTicket) -> Result<Ticket> {
    let now = wall_now();
    keeper.buckets.borrow_mut().take(call.guard.subject.clone(), rate::TICKET, keeper.now()?)?;
    forget(&keeper.sql, now)?;
    if unused(&keeper.sql)? >= TICKETS_UNUSED_MAX {
        return Err(Refusal::new(Code::LimitReached, "Too many tickets were made and not used").into());
    }
    let ticket = hex(&random::<32>());
    let digest = digest(&settings(&keeper.env)?.gastown_secret, &ticket);
    let expires_at = now + TICKET_LIFE;
    put(&keeper.sql, &digest, &call.purpose, call.agent_id, &call.guard, expires_at)?;
    Ok(Ticket { ticket, expires_at })
}

/// Takes a ticket; whom it stands for. It is gone afterwards, whatever it was for.
pub(super) fn redeem(keeper: &Keeper, call: &UseTicket) -> Result<Guard> {
    let now = wall_now();
    let digest = digest(&settings(&keeper.env)?.gastown_secret, &call.ticket);
    let invalid = || Refusal::new(Code::TicketInvalid, "The ticket is not valid, or was used before");
    let known = take(&keeper.sql, &digest)?.ok_or_else(invalid)?;
    let is_its = known.purpose == call.purpose && (known.subject.is_none() || known.subject == call.agent_id);
    if !is_its || known.expires_at <= now.ms() || known.guard.0.expires_at <= now {
        return Err(invalid().into());
    }
    Ok(known.guard.0)
}

fn digest(secret: &str, ticket: &str) -> String {
    keyed_digest(secret, &format!("ticket:{ticket}"))
}

#[derive(Deserialize)]
struct TicketRow {
    purpose: String,
    subject: Option<AgentId>,
    expires_at: i64,
    guard: Json<Guard>,
}

#[derive(Deserialize)]
struct CountRow {
    count: usize,
}

const DELETE_OLD: &str = "delete from tickets where expires_at <= ?";

fn forget(sql: &impl Sql, now: Timestamp) -> std::result::Result<(), SqlError> {
    sql.run(DELETE_OLD, params![now])
}

const SELECT_COUNT: &str = "select count(*) as count from tickets";

fn unused(sql: &impl Sql) -> std::result::Result<usize, SqlError> {
    Ok(sql.first::<CountRow>(SELECT_COUNT, &[])?.map_or(0, |row| row.count))
}

const INSERT: &str =
    "insert into tickets (ticket, purpose, subject, user_id, expires_at, guard) values (?, ?, ?, ?, ?, ?)";

fn put(
    sql: &impl Sql,
    digest: &str,
    purpose: &str,
    agent_id: Option<AgentId>,
    guard: &Guard,
    expires_at: Timestamp,
) -> std::result::Result<(), SqlError> {
    let subject = text(agent_id.map_or_else(String::new, |id| id.to_string()));
    sql.run(INSERT, params![digest, purpose, subject, &guard.subject, expires_at, json(guard)])
}

const TAKE: &str =
    "delete from tickets where ticket = ? returning purpose, nullif(subject, '') as subject, expires_at, guard";

fn take(sql: &impl Sql, digest: &str) -> std::result::Result<Option<TicketRow>, SqlError> {
    sql.first(TAKE, params![digest])
}
