//! Every migration applies to real SQLite; the embedded lists are the directories; the golden schemas are current.

use gastown::sql::migrate::{self, Migration, migrate};
use gastown::sql::{Sql, SqlError};

use crate::support::{self, TestSql};

const OBJECTS: &[(&str, &[Migration])] =
    &[("account", migrate::ACCOUNT), ("town", migrate::TOWN), ("rig", migrate::RIG), ("container", migrate::CONTAINER)];

#[derive(serde::Deserialize)]
struct Item {
    sql: String,
}

#[test]
fn the_embedded_list_is_the_directory() {
    for (object, list) in OBJECTS {
        let mut files: Vec<String> = std::fs::read_dir(directory(object))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "schema.sql")
            .collect();
        files.sort();
        let embedded: Vec<String> = list.iter().map(|migration| format!("{}.sql", migration.name)).collect();
        assert_eq!(files, embedded, "migrations/{object}");
    }
}

#[test]
fn the_golden_schema_is_the_schema_after_all_migrations() {
    for (object, list) in OBJECTS {
        let sql = TestSql::migrated(list);
        let items: Vec<Item> = sql
            .rows(
                "select sql from sqlite_master where sql is not null and name <> 'migrations'
                 order by type = 'view', tbl_name, type = 'index', name",
                &[],
            )
            .unwrap();
        let schema: String = items.iter().map(|item| format!("{};\n\n", item.sql)).collect();
        let header =
            format!("-- The schema of `{object}` after all migrations. Written by a test; read by people.\n\n");
        expect_test::expect_file![directory(object).join("schema.sql")]
            .assert_eq(&format!("{header}{}\n", schema.trim_end()));
    }
}

#[test]
fn migrating_twice_changes_nothing() {
    for (_, list) in OBJECTS {
        let sql = TestSql::migrated(list);
        migrate(&sql, list).unwrap();
    }
}

#[test]
fn a_schema_that_slept_runs_only_what_it_has_not_seen() {
    let sql = TestSql::migrated(&migrate::ACCOUNT[..1]);
    assert!(sql.run("select * from sign_ins", &[]).is_err());
    migrate(&sql, migrate::ACCOUNT).unwrap();
    sql.run("select * from sign_ins", &[]).unwrap();
}

#[test]
fn a_failed_transaction_leaves_nothing() {
    let sql = TestSql::migrated(migrate::ACCOUNT);
    let result: Result<(), SqlError> = sql.atomically(|| {
        sql.run("insert into sign_ins (jti, expires_at) values (?, ?)", &["a".into(), 1i64.into()])?;
        sql.run("insert into nowhere values (1)", &[])
    });
    assert!(result.unwrap_err().to_string().contains("nowhere"));
    assert_eq!(sql.rows::<Item>("select jti as sql from sign_ins", &[]).unwrap().len(), 0);
}

#[test]
fn one_agent_cannot_have_two_live_assignments() {
    let sql = TestSql::migrated(migrate::RIG);
    let insert = "insert into assignments
        (assignment_id, epoch, bead_id, bead_attempt, agent_id, kind, phase, slot, queued_at)
        values (?, ?, ?, 1, 'toast', 'work', 'queued', 'none', 0)";
    sql.run(insert, &["a1".into(), 1i64.into(), "b1".into()]).unwrap();
    assert!(sql.run(insert, &["a2".into(), 2i64.into(), "b2".into()]).is_err());
}

fn directory(object: &str) -> std::path::PathBuf {
    support::root().join("migrations").join(object)
}
