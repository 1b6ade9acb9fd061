//! The numbered messages to and from each rig (domain.md 11): `outbox` is sent until acknowledged, `outbox_next` makes
//! sure that no number is used twice after the rows are gone, `inbox` is the last number applied of each rig.

use gastown_core::sorted::SortedMap;

use gastown_core::id::RigId;
use gastown_core::protocol::{Outbox, OutboxRow, Subject, TownToRig};
use serde::Deserialize;

use crate::params;
use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json, text};

#[derive(Deserialize)]
struct MessageRow {
    receiver: RigId,
    seq: u64,
    body: Json<TownToRig>,
    created_at: Ms,
    sent_at: Option<Ms>,
}

#[derive(Deserialize)]
struct NumberRow {
    rig_id: RigId,
    number: u64,
}

const SELECT_MESSAGES: &str = "
select receiver, seq, body, created_at, sent_at
from outbox
order by receiver, seq";

const SELECT_NEXT: &str = "select receiver as rig_id, next_seq as number from outbox_next";

/// What each rig has not acknowledged, with the next number to use, for every rig that was ever written to.
pub(super) fn outboxes(sql: &impl Sql) -> Result<SortedMap<RigId, Outbox<TownToRig>>, SqlError> {
    let mut rows: SortedMap<RigId, Vec<OutboxRow<TownToRig>>> = SortedMap::new();
    for row in sql.rows::<MessageRow>(SELECT_MESSAGES, &[])? {
        rows.get_or_insert_with(row.receiver, Vec::new).push(OutboxRow {
            seq: row.seq,
            message: row.body.0,
            created_at: row.created_at.0,
            sent_at: row.sent_at.map(|at| at.0),
        });
    }
    let next: Vec<NumberRow> = sql.rows(SELECT_NEXT, &[])?;
    let outbox = |next: NumberRow| {
        let rows = rows.remove(&next.rig_id).unwrap_or_default();
        (next.rig_id, Outbox::new(rows, next.number))
    };
    Ok(next.into_iter().map(outbox).collect())
}

const UPSERT_MESSAGE: &str = "
insert into outbox (receiver, seq, kind, subject, body, created_at, sent_at)
values (?, ?, ?, ?, ?, ?, ?)
on conflict (receiver, seq) do update set
  kind = excluded.kind,
  subject = excluded.subject,
  body = excluded.body,
  created_at = excluded.created_at,
  sent_at = excluded.sent_at";

const UPSERT_NEXT: &str = "
insert into outbox_next (receiver, next_seq)
values (?, ?)
on conflict (receiver) do update set next_seq = max(next_seq, excluded.next_seq)";

/// Writes a message, or its mark that it was sent.
pub(super) fn put_message(sql: &impl Sql, rig_id: RigId, row: &OutboxRow<TownToRig>) -> Result<(), SqlError> {
    sql.run(
        UPSERT_MESSAGE,
        params![
            text(rig_id),
            row.seq,
            kind(&row.message),
            row.message.subject(),
            json(&row.message),
            row.created_at,
            row.sent_at,
        ],
    )?;
    sql.run(UPSERT_NEXT, params![text(rig_id), row.seq + 1])
}

const DELETE_MESSAGES: &str = "delete from outbox where receiver = ? and seq <= ?";

/// The rig has applied everything up to this number.
pub(super) fn acknowledged(sql: &impl Sql, rig_id: RigId, seq: u64) -> Result<(), SqlError> {
    sql.run(DELETE_MESSAGES, params![text(rig_id), seq])
}

const SELECT_APPLIED: &str = "select sender as rig_id, last_seq as number from inbox";

/// The newest number applied of each rig.
pub(super) fn applied(sql: &impl Sql) -> Result<SortedMap<RigId, u64>, SqlError> {
    let rows: Vec<NumberRow> = sql.rows(SELECT_APPLIED, &[])?;
    Ok(rows.into_iter().map(|row| (row.rig_id, row.number)).collect())
}

/// `stream` tells lives of the sender apart; a sender that names none is in its first.
const UPSERT_APPLIED: &str = "
insert into inbox (sender, stream, last_seq)
values (?, '', ?)
on conflict (sender) do update set last_seq = excluded.last_seq";

/// Everything of the rig up to this number is applied.
pub(super) fn put_applied(sql: &impl Sql, rig_id: RigId, seq: u64) -> Result<(), SqlError> {
    sql.run(UPSERT_APPLIED, params![text(rig_id), seq])
}

const DELETE_OUTBOX: &str = "delete from outbox where receiver = ?";
const DELETE_NEXT: &str = "delete from outbox_next where receiver = ?";
const DELETE_APPLIED: &str = "delete from inbox where sender = ?";

/// The rig is gone, and its numbers with it.
pub(super) fn forget(sql: &impl Sql, rig_id: RigId) -> Result<(), SqlError> {
    sql.run(DELETE_OUTBOX, params![text(rig_id)])?;
    sql.run(DELETE_NEXT, params![text(rig_id)])?;
    sql.run(DELETE_APPLIED, params![text(rig_id)])
}

const fn kind(message: &TownToRig) -> &'static str {
    match message {
        TownToRig::Configure(_) => "configure",
        TownToRig::CreateBeads(_) => "create_beads",
        TownToRig::StartBeads { .. } => "start_beads",
        TownToRig::SkipBead { .. } => "skip_bead",
        TownToRig::RetryBeads { .. } => "retry_beads",
        TownToRig::CancelBeads(_) => "cancel_beads",
        TownToRig::GateOpened { .. } => "gate_opened",
        TownToRig::GateFailed { .. } => "gate_failed",
        TownToRig::GatePending { .. } => "gate_pending",
        TownToRig::OpenLanding(_) => "open_landing",
        TownToRig::GrantSlot { .. } => "grant_slot",
        TownToRig::TownState(_) => "town_state",
        TownToRig::DeliverMail(_) => "deliver_mail",
        TownToRig::WrapUp { .. } => "wrap_up",
        TownToRig::RunTriage { .. } => "run_triage",
        TownToRig::EscalationAnswered(_) => "escalation_answered",
        TownToRig::AdoptBead(_) => "adopt_bead",
        TownToRig::Ping => "ping",
    }
}
