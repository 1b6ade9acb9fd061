//! Decodes one row (column names and values) into a row struct. Integers become flags where the struct wants a `bool`,
//! and JSON columns stay text: their reader parses them.

use gastown_core::time::Timestamp;
use serde::Deserialize;
use serde::de::value::{Error, MapDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::Value;

/// Reads a row struct from columns in any order; unknown columns are ignored, missing ones are an error.
pub fn decode<T: DeserializeOwned>(columns: &[String], values: Vec<Value>) -> Result<T, String> {
    let pairs = columns.iter().map(String::as_str).zip(values.into_iter().map(Column));
    T::deserialize(MapDeserializer::<_, Error>::new(pairs)).map_err(|error| error.to_string())
}

/// A JSON column: parsed when the row is read, written with [`super::json`].
#[derive(Debug, Clone, PartialEq)]
pub struct Json<T>(pub T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        serde_json::from_str(&text).map(Self).map_err(D::Error::custom)
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

struct Column(Value);

impl<'de> IntoDeserializer<'de, Error> for Column {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Column {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Integer(number) => visitor.visit_i64(number),
            Value::Real(number) => visitor.visit_f64(number),
            Value::Text(text) => visitor.visit_string(text),
            Value::Blob(bytes) => visitor.visit_byte_buf(bytes),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            value @ (Value::Integer(_) | Value::Real(_) | Value::Text(_) | Value::Blob(_)) => {
                visitor.visit_some(Self(value))
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Integer(0) => visitor.visit_bool(false),
            Value::Integer(1) => visitor.visit_bool(true),
            other @ (Value::Null | Value::Integer(_) | Value::Real(_) | Value::Text(_) | Value::Blob(_)) => {
                Err(Error::custom(format_args!("{other:?} is no flag")))
            }
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
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
        let row: Row = decode(&columns(), values).unwrap();
        assert_eq!(row, Row { name: "toast".to_owned(), is_held: true, at: None, data: Json(vec![1, 2]) });
    }

    #[test]
    fn a_value_of_another_type_is_an_error() {
        let values = vec![Value::Integer(1), Value::Null, Value::Integer(1), Value::Null, "[]".into()];
        assert!(decode::<Row>(&columns(), values).unwrap_err().contains("invalid type"));
    }
}
