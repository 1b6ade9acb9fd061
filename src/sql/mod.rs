//! The port to SQLite: every statement of every object goes through [`Sql`].
//!
//! Two implementations: [`workers::DurableSql`] over a Durable Object's storage, and, in tests only, rusqlite
//! (`tests/integration/support.rs`). Rows come back as typed structs through one decoder ([`row`]), so that both read
//! alike. Nothing here knows a table; nothing here awaits. Read `migrate` next.

pub mod migrate;
pub mod row;
pub mod workers;

use gastown_core::json;
use serde::de::DeserializeOwned;

/// One SQL value, as a parameter or a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// INTEGER. Travels as a JavaScript number: must stay below 2^53.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT.
    Text(String),
    /// BLOB.
    Blob(Vec<u8>),
}

/// A statement failed, or a row is not what its reader expects: what was tried, with its statement, and what the
/// database or the decoder said. Always our fault, never the caller's. A word long, because every result carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError(Box<(String, String)>);

impl SqlError {
    /// An error about this statement.
    pub fn new(sql: &str, cause: impl std::fmt::Display) -> Self {
        Self::of(format!("run `{}`", sql.trim().lines().next().unwrap_or_default()), &cause)
    }

    /// An error about a transaction.
    pub fn of_commit(cause: impl std::fmt::Display) -> Self {
        Self::of("commit a transaction".to_owned(), &cause)
    }

    #[inline(never)]
    fn of(operation: String, cause: &dyn std::fmt::Display) -> Self {
        Self(Box::new((operation, cause.to_string())))
    }

    /// What was tried, and what came back.
    pub fn into_parts(self) -> (String, String) {
        *self.0
    }
}

impl std::fmt::Display for SqlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (operation, cause) = &*self.0;
        write!(f, "could not {operation}: {cause}")
    }
}

impl std::error::Error for SqlError {}

/// SQLite as an object sees it: synchronous, one connection, nested transactions refused.
pub trait Sql {
    /// Runs one statement and gives each row as an object made by [`row::object`].
    fn objects(&self, sql: &str, params: &[Value]) -> Result<Vec<serde_json::Value>, SqlError>;

    /// Runs one statement whose rows do not matter.
    fn run(&self, sql: &str, params: &[Value]) -> Result<(), SqlError>;

    /// Runs several statements without parameters: migrations only.
    fn script(&self, sql: &str) -> Result<(), SqlError>;

    /// Runs `f` in one transaction: commits on `Ok`, rolls back on `Err`.
    fn atomically<R>(&self, f: impl FnOnce() -> Result<R, SqlError>) -> Result<R, SqlError>;

    /// Runs one statement and decodes every row.
    fn rows<T: DeserializeOwned>(&self, sql: &str, params: &[Value]) -> Result<Vec<T>, SqlError> {
        let mut rows = Vec::new();
        for object in self.objects(sql, params)? {
            rows.push(json::from_row(&object).map_err(|error| SqlError::new(sql, error))?);
        }
        Ok(rows)
    }

    /// The first row, if there is one.
    fn first<T: DeserializeOwned>(&self, sql: &str, params: &[Value]) -> Result<Option<T>, SqlError> {
        Ok(self.rows(sql, params)?.into_iter().next())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Integer(i64::from(flag))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(i64::from(number))
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<gastown_core::time::Timestamp> for Value {
    fn from(at: gastown_core::time::Timestamp) -> Self {
        Self::Integer(at.ms())
    }
}

impl From<&Option<String>> for Value {
    fn from(text: &Option<String>) -> Self {
        text.as_ref().map_or(Self::Null, |text| Self::Text(text.clone()))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Empties every table but the list of migrations: what remains is a fresh object.
pub fn clear(sql: &impl Sql) -> Result<(), SqlError> {
    #[derive(serde::Deserialize)]
    struct TableRow {
        name: String,
    }
    let tables: Vec<TableRow> = sql.rows(SELECT_TABLES, &[])?;
    // Names come from our own schema; a table cannot be a parameter of a statement.
    tables.iter().try_for_each(|table| sql.script(&format!("delete from \"{}\"", table.name)))
}

const SELECT_TABLES: &str = "
select name
from sqlite_master
where type = 'table'
  and name <> 'migrations'
  and name not like 'sqlite_%'
  and name not like '_cf_%'";

/// A value whose text form is what the column holds: ids and text enums.
pub fn text(value: impl std::fmt::Display) -> Value {
    Value::Text(value.to_string())
}

/// The same for a column that may be NULL.
pub fn text_or_null(value: Option<impl std::fmt::Display>) -> Value {
    value.map_or(Value::Null, text)
}

/// A value kept as JSON text.
pub fn json(value: &impl serde::Serialize) -> Value {
    // A value that cannot be JSON (a map with non-text keys) does not exist among our types; `null` shows at once.
    Value::Text(json::to_string(value).unwrap_or_else(|_| "null".to_owned()))
}

/// A list of allowed values as a parameter; `null` allows everything.
pub fn any<T: serde::Serialize>(values: &[T]) -> Value {
    if values.is_empty() { Value::Null } else { json(&values) }
}

/// The parameters of a statement, each converted by `Into<Value>`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::sql::Value::from($value)),*] };
}
