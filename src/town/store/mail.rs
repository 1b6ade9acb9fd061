//! The town's own mail: to the mayor and to people. No rule looks at it; agents' mail is in their rigs.

use gastown_core::id::{MailId, RigId};
use gastown_core::protocol::{MailParty, MailTo};
use gastown_core::time::Timestamp;
use gastown_core::town::mail::TownMail;
use serde::Deserialize;

use crate::params;
use crate::sql::row::Ms;
use crate::sql::{Sql, SqlError, text, text_or_null};

#[derive(Deserialize)]
struct MailRow {
    mail_id: MailId,
    from_kind: MailParty,
    from_id: String,
    from_name: String,
    from_rig: Option<RigId>,
    to_id: Option<String>,
    thread_id: MailId,
    reply_to: Option<MailId>,
    subject: String,
    body: String,
    created_at: Ms,
    read_at: Option<Ms>,
}

const SELECT_PAGE: &str = "
select *
from mail
where (?1 is null or thread_id = ?1)
order by created_at desc, mail_id desc
limit ?2";

/// The newest mail, of one thread or of all.
pub fn page(sql: &impl Sql, thread_id: Option<MailId>, limit: usize) -> Result<Vec<TownMail>, SqlError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<MailRow> = sql.rows(SELECT_PAGE, params![text_or_null(thread_id), limit])?;
    Ok(rows.into_iter().map(TownMail::from).collect())
}

const SELECT_ONE: &str = "select * from mail where mail_id = ?";

/// One mail.
pub fn get(sql: &impl Sql, mail_id: MailId) -> Result<Option<TownMail>, SqlError> {
    Ok(sql.first::<MailRow>(SELECT_ONE, params![text(mail_id)])?.map(TownMail::from))
}

const INSERT: &str = "
insert or ignore into mail (
  mail_id, from_kind, from_id, from_name, from_rig, to_kind, to_id, thread_id, reply_to, subject, body, created_at, read_at
)
values (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)";

/// Keeps a mail; a repeat of its id is the same mail. Mail to an agent is not kept here.
pub(super) fn add(sql: &impl Sql, mail: &TownMail) -> Result<(), SqlError> {
    let (to_kind, to_id) = match &mail.to {
        MailTo::Mayor => ("mayor", None),
        MailTo::User(user_id) => ("user", Some(user_id.clone())),
        MailTo::Agent { .. } => return Ok(()),
    };
    sql.run(
        INSERT,
        params![
            text(mail.mail_id),
            text(mail.from_kind),
            &mail.from_id,
            &mail.from_name,
            text_or_null(mail.from_rig),
            to_kind,
            to_id,
            text(mail.thread_id),
            text_or_null(mail.reply_to),
            &mail.subject,
            &mail.body,
            mail.created_at,
            mail.read_at,
        ],
    )
}

const MARK_READ: &str = "update mail set read_at = ? where mail_id = ? and read_at is null";

/// The recipient has it.
pub(super) fn read(sql: &impl Sql, mail_id: MailId, at: Timestamp) -> Result<(), SqlError> {
    sql.run(MARK_READ, params![at, text(mail_id)])
}

impl From<MailRow> for TownMail {
    fn from(row: MailRow) -> Self {
        Self {
            mail_id: row.mail_id,
            from_kind: row.from_kind,
            from_id: row.from_id,
            from_name: row.from_name,
            from_rig: row.from_rig,
            to: row.to_id.map_or(MailTo::Mayor, MailTo::User),
            thread_id: row.thread_id,
            reply_to: row.reply_to,
            subject: row.subject,
            body: row.body,
            created_at: row.created_at.0,
            read_at: row.read_at.map(|at| at.0),
        }
    }
}
