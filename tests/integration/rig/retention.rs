//! R32 and deletion over real rows: what is too old goes in small portions, what is young or unfinished stays, and a
//! deleted bead leaves nothing but the work of its agents.

use std::time::Duration;

use gastown::rig::store;
use gastown::sql::Sql;
use gastown::sql::migrate;
use gastown_core::id::BeadId;
use gastown_core::limits::{ASSIGNMENTS_KEEP, MESSAGES_KEEP, PRUNE_ROWS};
use gastown_core::rig::Write;
use gastown_core::time::Timestamp;

use crate::support::TestSql;

const MAIL: &str = "
    insert into mail (mail_id, from_kind, from_id, thread_id, subject, body, bead_id, created_at, delivered_at)
    values (?, 'user', 'ann', 't', 's', 'b', ?, ?, ?)";
const JOB: &str = "
    insert into jobs (job_id, kind, review_id, spec, phase, orders, created_at, ended_at)
    values (?, 'gates', ?, '{}', ?, 1, ?, ?)";
const NUDGE: &str = "
    insert into nudges (nudge_id, agent_id, message, mode, priority, source, state, created_at)
    values (?, 'a', 'm', 'queue', 'normal', 's', ?, ?)";
const ASSIGNMENT: &str = "
    insert into assignments (assignment_id, epoch, bead_id, bead_attempt, agent_id, kind, phase, slot, queued_at, ended_at)
    values (?, ?, ?, 1, ?, 'work', 'ended', 'none', ?, ?)";

#[test]
fn what_is_too_old_goes_and_what_is_unfinished_stays() {
    let sql = TestSql::migrated(migrate::RIG);
    let now: Timestamp = "2026-06-01T00:00:00.000Z".parse().unwrap();
    let (old, young) = (now - MESSAGES_KEEP - Duration::from_secs(1), now - Duration::from_secs(1));
    for (name, delivered) in [("old", Some(old)), ("late", Some(young)), ("waiting", None)] {
        sql.run(MAIL, &[name.into(), "b".into(), old.into(), delivered.into()]).unwrap();
    }
    for (name, phase, ended) in
        [("old", "ended", Some(old)), ("young", "ended", Some(young)), ("live", "ordered", None)]
    {
        sql.run(JOB, &[name.into(), "r".into(), phase.into(), old.into(), ended.into()]).unwrap();
    }
    for (name, state, at) in [("old", "expired", old), ("young", "delivered", young), ("waiting", "pending", old)] {
        sql.run(NUDGE, &[name.into(), state.into(), at.into()]).unwrap();
    }
    let ages = [("old", now - ASSIGNMENTS_KEEP - Duration::from_secs(1)), ("young", old)];
    for (epoch, (name, ended)) in ages.into_iter().enumerate() {
        let row = [name.into(), i64::try_from(epoch).unwrap().into(), "b".into(), "a".into(), old.into(), ended.into()];
        sql.run(ASSIGNMENT, &row).unwrap();
    }
    store::write(&sql, "prune", &Write::Prune(now)).unwrap();
    assert_eq!(names(&sql, "select mail_id as name from mail order by 1"), ["late", "waiting"]);
    assert_eq!(names(&sql, "select job_id as name from jobs order by 1"), ["live", "young"]);
    assert_eq!(names(&sql, "select nudge_id as name from nudges order by 1"), ["waiting", "young"]);
    assert_eq!(names(&sql, "select assignment_id as name from assignments order by 1"), ["young"]);
}

#[test]
fn a_portion_is_bounded() {
    let sql = TestSql::migrated(migrate::RIG);
    let now: Timestamp = "2026-06-01T00:00:00.000Z".parse().unwrap();
    let old = now - MESSAGES_KEEP - Duration::from_secs(1);
    for n in 0..=PRUNE_ROWS {
        sql.run(NUDGE, &[n.to_string().into(), "expired".into(), old.into()]).unwrap();
    }
    store::write(&sql, "prune", &Write::Prune(now)).unwrap();
    assert_eq!(names(&sql, "select nudge_id as name from nudges").len(), 1);
}

#[test]
fn a_deleted_bead_leaves_nothing_but_the_work_of_its_agents() {
    let sql = TestSql::migrated(migrate::RIG);
    let (bead, at) = (BeadId::from_u128(1), Timestamp::from_ms(1));
    let id = bead.to_string();
    sql.run(MAIL, &["m".into(), (&id).into(), at.into(), None::<Timestamp>.into()]).unwrap();
    sql.run(JOB, &["j".into(), (&id).into(), "ordered".into(), at.into(), None::<Timestamp>.into()]).unwrap();
    let row = ["a".into(), 1_i64.into(), (&id).into(), "a".into(), at.into(), at.into()];
    sql.run(ASSIGNMENT, &row).unwrap();
    sql.script(&format!(
        "insert into dependencies values ('{id}', 'x', 0, 'pending'), ('y', '{id}', 0, 'pending');
         insert into bead_labels values ('{id}', 'bug');
         insert into events (at, type, bead_id, actor, data) values (1, 'created', '{id}', 'ann', '{{}}');"
    ))
    .unwrap();
    store::write(&sql, "command", &Write::RemoveBead(bead)).unwrap();
    for table in ["mail", "jobs", "dependencies", "bead_labels", "events"] {
        assert_eq!(names(&sql, &format!("select 'a row' as name from {table}")), Vec::<String>::new(), "{table}");
    }
    assert_eq!(names(&sql, "select assignment_id as name from assignments"), ["a"]);
}

fn names(sql: &TestSql, select: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Row {
        name: String,
    }
    sql.rows::<Row>(select, &[]).unwrap().into_iter().map(|row| row.name).collect()
}
