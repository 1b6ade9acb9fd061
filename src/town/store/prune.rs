//! Bounded storage: rows that are over and older than they are kept are dropped, a few at a time, by index.

use gastown_core::limits::{EVENTS_KEEP, IDEMPOTENCY_KEEP, TOWN_HISTORY_KEEP, USAGE_KEEP};
use gastown_core::time::Timestamp;

use crate::params;
use crate::sql::{Sql, SqlError};

const DELETE_AUDIT: &str = "
delete from audit where seq in (select seq from audit where at < ? order by at limit 500)";
const DELETE_REQUESTS: &str = "
delete from requests where key in (select key from requests where created_at < ? order by created_at limit 500)";
const DELETE_INBOX: &str = "
delete from mayor_inbox where message_id in (
  select message_id from mayor_inbox where created_at < ? and state = 'delivered' order by created_at limit 500
)";
const DELETE_CONVERSATION: &str = "
delete from mayor_messages where message_id in (
  select message_id from mayor_messages where at < ? order by at limit 500
)";
const DELETE_ESCALATIONS: &str = "
delete from escalations where escalation_id in (
  select escalation_id from escalations where created_at < ? and state <> 'open' order by created_at limit 500
)";
const DELETE_MAIL: &str = "
delete from mail where mail_id in (
  select mail_id from mail where created_at < ? and read_at is not null order by created_at limit 500
)";
const DELETE_TRIAGE: &str = "
delete from triage_requests where request_id in (
  select request_id from triage_requests where resolved_at < ? and batch_is_live = 0 order by resolved_at limit 500
)";
const DELETE_METRICS: &str = "delete from metrics where start < ?";
const DELETE_USAGE: &str = "delete from usage where day < ? and day <> 'all'";

/// Drops what is old at `now`; the activity feed has a bound of its own besides.
pub(super) fn run(sql: &impl Sql, now: Timestamp) -> Result<(), SqlError> {
    super::activity::trim(sql, now)?;
    sql.run(DELETE_AUDIT, params![now - USAGE_KEEP])?;
    sql.run(DELETE_REQUESTS, params![now - IDEMPOTENCY_KEEP])?;
    sql.run(DELETE_INBOX, params![now - TOWN_HISTORY_KEEP])?;
    sql.run(DELETE_CONVERSATION, params![now - TOWN_HISTORY_KEEP])?;
    sql.run(DELETE_ESCALATIONS, params![now - TOWN_HISTORY_KEEP])?;
    sql.run(DELETE_MAIL, params![now - EVENTS_KEEP])?;
    sql.run(DELETE_TRIAGE, params![now - EVENTS_KEEP])?;
    sql.run(DELETE_METRICS, params![now - TOWN_HISTORY_KEEP])?;
    sql.run(DELETE_USAGE, params![(now - USAGE_KEEP).day()])
}
