//! Messages to the mayor: those that wait for its session, and the conversation behind them.

use gastown_core::id::MessageId;
use gastown_core::time::Timestamp;
use gastown_core::town::state::{MayorMessage, MessageSource, MessageState};
use serde::Deserialize;

use crate::params;
use crate::sql::row::Ms;
use crate::sql::{Sql, SqlError, Value, text, text_or_null};

#[derive(Deserialize)]
struct MessageRow {
    message_id: MessageId,
    source: MessageSource,
    source_id: Option<String>,
    body: String,
    ui_context: Option<String>,
    state: MessageState,
    created_at: Ms,
    sent_at: Option<Ms>,
    delivered_at: Option<Ms>,
}

const SELECT_WAITING: &str = "select * from mayor_inbox where state in ('queued', 'sent')";

/// Messages that the mayor's session does not have.
pub(super) fn waiting(sql: &impl Sql) -> Result<Vec<MayorMessage>, SqlError> {
    read(sql, SELECT_WAITING, &[])
}

const SELECT_ONE: &str = "select * from mayor_inbox where message_id = ?";

/// One message in any state: a caller that repeats an id gets the message it made.
pub fn get(sql: &impl Sql, message_id: MessageId) -> Result<Option<MayorMessage>, SqlError> {
    Ok(read(sql, SELECT_ONE, params![text(message_id)])?.into_iter().next())
}

const SELECT_NEWEST: &str = "
select *
from mayor_inbox
where (?1 is null or (created_at, message_id) < (?1, ?2))
order by created_at desc, message_id desc
limit ?3";

/// Messages in any state, newest first; behind `before` when it is given.
pub fn newest(
    sql: &impl Sql,
    before: Option<(Timestamp, MessageId)>,
    limit: usize,
) -> Result<Vec<MayorMessage>, SqlError> {
    let (at, message_id) = before.unzip();
    read(sql, SELECT_NEWEST, params![at, text_or_null(message_id), i64::try_from(limit).unwrap_or(i64::MAX)])
}

const UPSERT: &str = "
insert into mayor_inbox (
  message_id, source, source_id, body, ui_context, state, created_at, sent_at, delivered_at
)
values (
  ?, ?, ?, ?, ?, ?, ?, ?, ?
)
on conflict (message_id) do update set
  source = excluded.source,
  source_id = excluded.source_id,
  body = excluded.body,
  ui_context = excluded.ui_context,
  state = excluded.state,
  created_at = excluded.created_at,
  sent_at = excluded.sent_at,
  delivered_at = excluded.delivered_at";

/// Writes the row.
pub(super) fn put(sql: &impl Sql, message: &MayorMessage) -> Result<(), SqlError> {
    sql.run(
        UPSERT,
        params![
            text(message.message_id),
            text(message.source),
            &message.source_id,
            &message.body,
            &message.ui_context,
            text(message.state),
            message.created_at,
            message.sent_at,
            message.delivered_at,
        ],
    )
}

fn read(sql: &impl Sql, statement: &str, params: &[Value]) -> Result<Vec<MayorMessage>, SqlError> {
    let rows: Vec<MessageRow> = sql.rows(statement, params)?;
    Ok(rows.into_iter().map(MayorMessage::from).collect())
}

impl From<MessageRow> for MayorMessage {
    fn from(row: MessageRow) -> Self {
        Self {
            message_id: row.message_id,
            source: row.source,
            source_id: row.source_id,
            body: row.body,
            ui_context: row.ui_context,
            state: row.state,
            created_at: row.created_at.0,
            sent_at: row.sent_at.map(|at| at.0),
            delivered_at: row.delivered_at.map(|at| at.0),
        }
    }
}
