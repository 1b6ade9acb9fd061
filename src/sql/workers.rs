//! Durable Object SQLite behind the port. The only place that sees `SqlStorage`, and the only binding of
//! `transactionSync`, which `worker` 0.8 lacks. Durable Objects refuse `begin`, so this is the one way to a transaction.

use wasm_bindgen::prelude::*;
use worker::{SqlCursor, SqlStorageValue};

use super::row::object;
use super::{Sql, SqlError, Value};

#[wasm_bindgen]
extern "C" {
    /// `ctx.storage`, seen through its one method that is missing in `worker`.
    type TransactionalStorage;

    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &TransactionalStorage,
        body: &mut dyn FnMut() -> Result<(), JsValue>,
    ) -> Result<(), JsValue>;
}

/// The SQLite database of one Durable Object.
pub struct DurableSql {
    transactional: TransactionalStorage,
    sql: worker::SqlStorage,
}

impl DurableSql {
    /// The database of the object with this state.
    pub fn new(state: &worker::State) -> Self {
        let storage = state.storage();
        let raw: &JsValue = storage.as_raw().as_ref();
        Self { transactional: raw.clone().unchecked_into(), sql: storage.sql() }
    }

    fn cursor(&self, sql: &str, params: &[Value]) -> Result<SqlCursor, SqlError> {
        let params: Vec<SqlStorageValue> = params.iter().cloned().map(bound).collect();
        self.sql.exec(sql, params).map_err(|error| SqlError::new(sql, error))
    }
}

impl Sql for DurableSql {
    fn objects(&self, sql: &str, params: &[Value]) -> Result<Vec<serde_json::Value>, SqlError> {
        let cursor = self.cursor(sql, params)?;
        let columns = cursor.column_names();
        let mut rows = Vec::new();
        for values in cursor.raw() {
            let values = values.map_err(|error| SqlError::new(sql, error))?;
            rows.push(object(&columns, values.into_iter().map(read).collect()));
        }
        Ok(rows)
    }

    fn run(&self, sql: &str, params: &[Value]) -> Result<(), SqlError> {
        self.cursor(sql, params).map(drop)
    }

    fn script(&self, sql: &str) -> Result<(), SqlError> {
        self.cursor(sql, &[]).map(drop)
    }

    fn atomically<R>(&self, f: impl FnOnce() -> Result<R, SqlError>) -> Result<R, SqlError> {
        let mut body = Some(f);
        let mut outcome = None;
        let committed = self.transactional.transaction_sync(&mut || {
            // The platform calls the body once; a second call would find nothing to do and commit nothing.
            let Some(f) = body.take() else { return Ok(()) };
            match f() {
                Ok(value) => {
                    outcome = Some(Ok(value));
                    Ok(())
                }
                Err(error) => {
                    outcome = Some(Err(error));
                    Err(JsValue::from_str("rolled back"))
                }
            }
        });
        match (outcome, committed) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(_)) | None, committed) => Err(SqlError::of_commit(format_args!("{committed:?}"))),
        }
    }
}

fn bound(value: Value) -> SqlStorageValue {
    match value {
        Value::Null => SqlStorageValue::Null,
        Value::Integer(number) => SqlStorageValue::Integer(number),
        Value::Real(number) => SqlStorageValue::Float(number),
        Value::Text(text) => SqlStorageValue::String(text),
        Value::Blob(bytes) => SqlStorageValue::Blob(bytes),
    }
}

fn read(value: SqlStorageValue) -> Value {
    match value {
        SqlStorageValue::Null => Value::Null,
        SqlStorageValue::Boolean(flag) => Value::Integer(i64::from(flag)),
        SqlStorageValue::Integer(number) => Value::Integer(number),
        SqlStorageValue::Float(number) => Value::Real(number),
        SqlStorageValue::String(text) => Value::Text(text),
        SqlStorageValue::Blob(bytes) => Value::Blob(bytes),
    }
}
