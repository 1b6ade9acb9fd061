//! Table `mail`.

use gastown_core::id::{AgentId, AssignmentId, BeadId, MailId};
use gastown_core::rig::mail::{Mail, MailParty};
use serde::Deserialize;

use crate::sql::row::Ms;
use crate::sql::{Sql, SqlError, text, text_or_null};

const SELECT_UNDELIVERED: &str = "
    select mail_id, from_kind, from_id, to_agent, bead_id, thread_id, reply_to, subject, body, created_at, sent_at,
           delivered_at, delivered_to, expires_at, expired_at
    from mail
    where delivered_at is null and expired_at is null";
const SELECT_OF_AGENT: &str = "
    select mail_id, from_kind, from_id, to_agent, bead_id, thread_id, reply_to, subject, body, created_at, sent_at,
           delivered_at, delivered_to, expires_at, expired_at
    from mail
    where to_agent = ?
    order by created_at desc, mail_id desc
    limit ? offset ?";
const SELECT_DELIVERED: &str = "
    select mail_id, from_kind, from_id, to_agent, bead_id, thread_id, reply_to, subject, body, created_at, sent_at,
           delivered_at, delivered_to, expires_at, expired_at
    from mail
    where delivered_to = ?
    order by created_at, mail_id
    limit 100";
const SELECT_PAGE: &str = "
    select *
    from mail
    where (?1 is null or mail_id = ?1)
      and (?2 is null or thread_id = ?2)
    order by created_at desc, mail_id desc
    limit ?3";
const PUT: &str = "
    insert or replace into mail
      (mail_id, from_kind, from_id, to_agent, bead_id, thread_id, reply_to, subject, body, created_at, sent_at,
       delivered_at, delivered_to, expires_at, expired_at)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

#[derive(Deserialize)]
struct Row {
    mail_id: MailId,
    from_kind: MailParty,
    from_id: String,
    to_agent: Option<AgentId>,
    bead_id: Option<BeadId>,
    thread_id: MailId,
    reply_to: Option<MailId>,
    subject: String,
    body: String,
    created_at: Ms,
    sent_at: Option<Ms>,
    delivered_at: Option<Ms>,
    delivered_to: Option<AssignmentId>,
    expires_at: Option<Ms>,
    expired_at: Option<Ms>,
}

/// Mail that waits for its receiver.
pub(super) fn undelivered(sql: &impl Sql) -> Result<Vec<Mail>, SqlError> {
    Ok(sql.rows::<Row>(SELECT_UNDELIVERED, &[])?.into_iter().map(Mail::from).collect())
}

/// Mail to an agent, newest first, delivered or not.
pub(super) fn of_agent(sql: &impl Sql, agent_id: AgentId, limit: u32, offset: u32) -> Result<Vec<Mail>, SqlError> {
    let rows: Vec<Row> = sql.rows(SELECT_OF_AGENT, &[text(agent_id), limit.into(), offset.into()])?;
    Ok(rows.into_iter().map(Mail::from).collect())
}

/// Mail that this assignment has read, oldest first.
pub(super) fn delivered_to(sql: &impl Sql, assignment_id: AssignmentId) -> Result<Vec<Mail>, SqlError> {
    Ok(sql.rows::<Row>(SELECT_DELIVERED, &[text(assignment_id)])?.into_iter().map(Mail::from).collect())
}

/// The newest mail: this one, of one thread, or of all.
pub(super) fn page(
    sql: &impl Sql,
    mail_id: Option<MailId>,
    thread_id: Option<MailId>,
    limit: u32,
) -> Result<Vec<Mail>, SqlError> {
    let params = &[text_or_null(mail_id), text_or_null(thread_id), limit.into()];
    Ok(sql.rows::<Row>(SELECT_PAGE, params)?.into_iter().map(Mail::from).collect())
}

pub(super) fn put(sql: &impl Sql, mail: &Mail) -> Result<(), SqlError> {
    sql.run(
        PUT,
        &[
            text(mail.mail_id),
            text(mail.from_kind),
            (&mail.from_id).into(),
            text_or_null(mail.to_agent),
            text_or_null(mail.bead_id),
            text(mail.thread_id),
            text_or_null(mail.reply_to),
            (&mail.subject).into(),
            (&mail.body).into(),
            mail.created_at.into(),
            mail.sent_at.into(),
            mail.delivered_at.into(),
            text_or_null(mail.delivered_to),
            mail.expires_at.into(),
            mail.expired_at.into(),
        ],
    )
}

impl From<Row> for Mail {
    fn from(row: Row) -> Self {
        Self {
            mail_id: row.mail_id,
            from_kind: row.from_kind,
            from_id: row.from_id,
            to_agent: row.to_agent,
            bead_id: row.bead_id,
            thread_id: row.thread_id,
            reply_to: row.reply_to,
            subject: row.subject,
            body: row.body,
            created_at: row.created_at.0,
            sent_at: row.sent_at.map(|at| at.0),
            delivered_at: row.delivered_at.map(|at| at.0),
            delivered_to: row.delivered_to,
            expires_at: row.expires_at.map(|at| at.0),
            expired_at: row.expired_at.map(|at| at.0),
        }
    }
}
