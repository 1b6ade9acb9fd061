//! Tables `outbox`, `outbox_next` and `inbox`: the numbered messages to and from the Town (domain.md 11).

use gastown_core::protocol::{Outbox, OutboxRow, RigToTown, Subject};
use serde::Deserialize;

use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json};

/// The one receiver and sender of a rig.
const TOWN: &str = "town";

const SELECT_OUTBOX: &str = "select seq, body, created_at, sent_at from outbox where receiver = ? order by seq";
const PUT_OUTBOX: &str = "
    insert or replace into outbox (receiver, seq, kind, subject, body, created_at, sent_at)
    values (?, ?, ?, ?, ?, ?, ?)";
const DELETE_OUTBOX: &str = "delete from outbox where receiver = ? and seq <= ?";
const SELECT_NEXT: &str = "select next_seq as number from outbox_next where receiver = ?";
const PUT_NEXT: &str = "
    insert into outbox_next (receiver, next_seq) values (?, ?)
    on conflict (receiver) do update set next_seq = max(next_seq, excluded.next_seq)";
const SELECT_APPLIED: &str = "select last_seq as number from inbox where sender = ?";
const PUT_APPLIED: &str = "insert or replace into inbox (sender, stream, last_seq) values (?, '', ?)";

#[derive(Deserialize)]
struct OutboxSqlRow {
    seq: u64,
    body: Json<RigToTown>,
    created_at: Ms,
    sent_at: Option<Ms>,
}

#[derive(Deserialize)]
struct NumberRow {
    number: u64,
}

/// Messages that the Town has not acknowledged.
pub(super) fn outbox(sql: &impl Sql) -> Result<Outbox<RigToTown>, SqlError> {
    let rows: Vec<OutboxSqlRow> = sql.rows(SELECT_OUTBOX, &[TOWN.into()])?;
    let next = sql.first::<NumberRow>(SELECT_NEXT, &[TOWN.into()])?.map_or(1, |row| row.number);
    let rows = rows.into_iter().map(|row| OutboxRow {
        seq: row.seq,
        message: row.body.0,
        created_at: row.created_at.0,
        sent_at: row.sent_at.map(|at| at.0),
    });
    Ok(Outbox::new(rows.collect(), next))
}

/// The newest number applied from the Town.
pub(super) fn applied(sql: &impl Sql) -> Result<u64, SqlError> {
    Ok(sql.first::<NumberRow>(SELECT_APPLIED, &[TOWN.into()])?.map_or(0, |row| row.number))
}

pub(super) fn put_outbox(sql: &impl Sql, row: &OutboxRow<RigToTown>) -> Result<(), SqlError> {
    sql.run(
        PUT_OUTBOX,
        &[
            TOWN.into(),
            row.seq.into(),
            kind(&row.message).into(),
            row.message.subject().into(),
            json(&row.message),
            row.created_at.into(),
            row.sent_at.into(),
        ],
    )?;
    sql.run(PUT_NEXT, &[TOWN.into(), (row.seq + 1).into()])
}

pub(super) fn acknowledged(sql: &impl Sql, seq: u64) -> Result<(), SqlError> {
    sql.run(DELETE_OUTBOX, &[TOWN.into(), seq.into()])
}

pub(super) fn put_applied(sql: &impl Sql, seq: u64) -> Result<(), SqlError> {
    sql.run(PUT_APPLIED, &[TOWN.into(), seq.into()])
}

const fn kind(message: &RigToTown) -> &'static str {
    match message {
        RigToTown::SlotAsked { .. } => "slot_asked",
        RigToTown::SlotReleased { .. } => "slot_released",
        RigToTown::StartFailed { .. } => "start_failed",
        RigToTown::StartSucceeded { .. } => "start_succeeded",
        RigToTown::TaskStatus(_) => "task_status",
        RigToTown::TaskGone { .. } => "task_gone",
        RigToTown::LandingState(_) => "landing_state",
        RigToTown::Activity(_) => "activity",
        RigToTown::Usage(_) => "usage",
        RigToTown::EscalationRaised(_) => "escalation_raised",
        RigToTown::EscalationCleared { .. } => "escalation_cleared",
        RigToTown::TriageAsked(_) => "triage_asked",
        RigToTown::TriageResolved(_) => "triage_resolved",
        RigToTown::TriageEnded { .. } => "triage_ended",
        RigToTown::MailOut(_) => "mail_out",
        RigToTown::BeadMoved { .. } => "bead_moved",
        RigToTown::Feed { .. } => "feed",
    }
}
