//! rusqlite behind the Worker's `Sql` port, and databases with the real schema.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use gastown::sql::migrate::{Migration, migrate};
use gastown::sql::row::object;
use gastown::sql::{Sql, SqlError, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, StatementStatus};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A database, in memory or in a file.
pub(crate) struct TestSql {
    connection: Connection,
    in_transaction: Cell<bool>,
    work: Cell<Work>,
}

/// What a database was made to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Statements that were run.
    pub(crate) statements: u64,
    /// Instructions of SQLite's machine: they grow with the rows that are looked at, and are the same each time.
    pub(crate) instructions: u64,
}

impl TestSql {
    /// An empty database.
    pub(crate) fn empty() -> Self {
        Self::open(Path::new(":memory:"))
    }

    /// The database in this file, which need not exist.
    pub(crate) fn open(file: &Path) -> Self {
        let connection = Connection::open(file).unwrap();
        Self { connection, in_transaction: Cell::new(false), work: Cell::default() }
    }

    /// A database with this schema.
    pub(crate) fn migrated(list: &[Migration]) -> Self {
        let sql = Self::empty();
        migrate(&sql, list).unwrap();
        sql
    }

    /// How many parameters a statement has; an error when it does not fit the schema.
    pub(crate) fn parameters(&self, statement: &str) -> Result<usize, rusqlite::Error> {
        Ok(self.connection.prepare(statement)?.parameter_count())
    }

    /// How SQLite would run a statement, a line per step.
    pub(crate) fn plan(&self, statement: &str) -> Vec<String> {
        let mut prepared = self.connection.prepare(&format!("explain query plan {statement}")).unwrap();
        let unset = std::iter::repeat_n(rusqlite::types::Null, prepared.parameter_count());
        let steps = prepared.query_map(rusqlite::params_from_iter(unset), |row| row.get("detail")).unwrap();
        steps.map(|step| step.unwrap()).collect()
    }

    /// What was done since this was last asked.
    pub(crate) fn take_work(&self) -> Work {
        self.work.take()
    }

    fn count(&self, statement: &rusqlite::Statement<'_>) {
        let Work { statements, instructions } = self.work.get();
        let run = u64::try_from(statement.reset_status(StatementStatus::VmStep)).unwrap();
        self.work.set(Work { statements: statements + 1, instructions: instructions + run });
    }
}

impl Sql for TestSql {
    fn objects(&self, sql: &str, params: &[Value]) -> Result<Vec<serde_json::Value>, SqlError> {
        let fail = |error: rusqlite::Error| SqlError::new(sql, error);
        let mut statement = self.connection.prepare_cached(sql).map_err(fail)?;
        let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut rows = statement.query(rusqlite::params_from_iter(params.iter().map(Bound))).map_err(fail)?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(fail)? {
            let values = (0..columns.len()).map(|i| read(row.get_ref(i).unwrap())).collect();
            out.push(object(&columns, values));
        }
        drop(rows);
        self.count(&statement);
        Ok(out)
    }

    fn run(&self, sql: &str, params: &[Value]) -> Result<(), SqlError> {
        let fail = |error: rusqlite::Error| SqlError::new(sql, error);
        let mut statement = self.connection.prepare_cached(sql).map_err(fail)?;
        let mut rows = statement.query(rusqlite::params_from_iter(params.iter().map(Bound))).map_err(fail)?;
        while rows.next().map_err(fail)?.is_some() {}
        drop(rows);
        self.count(&statement);
        Ok(())
    }

    fn script(&self, sql: &str) -> Result<(), SqlError> {
        self.connection.execute_batch(sql).map_err(|error| SqlError::new(sql, error))
    }

    fn atomically<R>(&self, f: impl FnOnce() -> Result<R, SqlError>) -> Result<R, SqlError> {
        assert!(!self.in_transaction.replace(true), "transactions do not nest");
        self.connection.execute_batch("begin").unwrap();
        let result = f();
        self.connection.execute_batch(if result.is_ok() { "commit" } else { "rollback" }).unwrap();
        self.in_transaction.set(false);
        result
    }
}

struct Bound<'a>(&'a Value);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn read(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8(text.to_vec()).unwrap()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}
