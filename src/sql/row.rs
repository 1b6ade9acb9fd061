//! Turns one row (column names and values) into an object, from which row structs are read. Integers become flags where
//! the struct wants a `bool`, and JSON columns stay text: their reader parses them.

use gastown_core::json;
use gastown_core::time::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};

use super::Value;

/// A row as [`json::from_row`] reads it: columns in any order, unknown ones are ignored, missing ones are an error.
pub fn object(columns: &[String], values: Vec<Value>) -> serde_json::Value {
    columns.iter().cloned().zip(values.into_iter().map(column)).collect()
}

fn column(value: Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => number.into(),
        Value::Real(number) => number.into(),
        Value::Text(text) => text.into(),
        Value::Blob(bytes) => bytes.into(),
    }
}

/// A JSON column: parsed when the row is read, written with [`super::json`].
#[derive(Debug, Clone, PartialEq)]
pub struct Json<T>(pub T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        json::from_str(&text).map(Self).map_err(D::Error::custom)
    }
}

/// An instant kept as milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ms(pub Timestamp);

impl<'de> Deserialize<'de> for Ms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(|ms| Self(Timestamp::from_ms(ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Row {
        name: String,
        is_held: bool,
        at: Option<i64>,
        data: Json<Vec<u32>>,
    }

    fn columns() -> Vec<String> {
        ["name", "extra", "is_held", "at", "data"].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_row_is_read_by_column_name() {
        let values = vec!["toast".into(), Value::Integer(3), Value::Integer(1), Value::Null, "[1,2]".into()];
        let row: Row = json::from_row(&object(&columns(), values)).unwrap();
        assert_eq!(row, Row { name: "toast".to_owned(), is_held: true, at: None, data: Json(vec![1, 2]) });
    }

    #[test]
    fn a_value_of_another_type_is_an_error() {
        let values = vec![Value::Integer(1), Value::Null, Value::Integer(1), Value::Null, "[]".into()];
        let error = json::from_row::<Row>(&object(&columns(), values)).unwrap_err();
        assert!(error.to_string().contains("invalid type"), "{error}");
    }
}
