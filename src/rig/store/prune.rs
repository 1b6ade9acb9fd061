//! What is too old to keep (R32, domain.md 3.6): found by index, deleted in small portions. Terminal beads and their
//! reviews are the town's history and stay until a person deletes them.

use gastown_core::limits::{ASSIGNMENTS_KEEP, EVENTS_KEEP, LESSONS_MAX, MESSAGES_KEEP, PRUNE_ROWS};
use gastown_core::time::Timestamp;

use crate::sql::{Sql, SqlError};

/// The newest row stays, so that no number is used twice.
const PRUNE_EVENTS: &str = "
    delete from events
    where seq in (select seq from events where at < ?1 order by at limit ?2)
      and seq < (select max(seq) from events)";
const PRUNE_MAIL: &str = "
    delete from mail
    where mail_id in
      (select mail_id from mail where created_at < ?1 and coalesce(delivered_at, expired_at) < ?1 order by created_at limit ?2)";
const PRUNE_NUDGES: &str = "
    delete from nudges
    where nudge_id in
      (select nudge_id from nudges
       where created_at < ?1 and state in ('delivered', 'expired')
       order by created_at
       limit ?2)";
const PRUNE_JOBS: &str = "
    delete from jobs
    where job_id in (select job_id from jobs where ended_at < ?1 order by ended_at limit ?2)";
const PRUNE_ASSIGNMENTS: &str = "
    delete from assignments
    where assignment_id in (select assignment_id from assignments where ended_at < ?1 order by ended_at limit ?2)";

/// The oldest lessons beyond what a rig remembers.
const PRUNE_LESSONS: &str = "
    delete from lessons
    where bead_id in (select bead_id from lessons order by at desc limit ?2 offset ?1)";

/// Deletes what is too old at this instant.
pub(super) fn run(sql: &impl Sql, now: Timestamp) -> Result<(), SqlError> {
    let portions = [
        (PRUNE_EVENTS, EVENTS_KEEP),
        (PRUNE_MAIL, MESSAGES_KEEP),
        (PRUNE_NUDGES, MESSAGES_KEEP),
        (PRUNE_JOBS, MESSAGES_KEEP),
        (PRUNE_ASSIGNMENTS, ASSIGNMENTS_KEEP),
    ];
    sql.run(PRUNE_LESSONS, &[u32::try_from(LESSONS_MAX).unwrap_or(u32::MAX).into(), PRUNE_ROWS.into()])?;
    portions.iter().try_for_each(|(statement, keep)| sql.run(statement, &[(now - *keep).into(), PRUNE_ROWS.into()]))
}
