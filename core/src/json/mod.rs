//! The one way between JSON and our types in the Worker. Writing is in `encode`. Reading: text becomes a [`Value`] by one function, and a `Value` becomes a
//! type through one small decoder.
//!
//! serde compiles the reader of every type anew for every decoder that it is read with, and only the parts that the
//! decoder calls. One decoder that knows the forms of JSON that we write, and no other, keeps the Worker's wasm within its
//! limit. Native programs may read the same types with `serde_json`; what is said there about a struct holds here,
//! but that `alias` does not work, and that [`from_str_exactly`] takes the place of `deny_unknown_fields`. Absent: streams, 128-bit numbers.

mod encode;

use std::fmt;

pub use encode::{NoJson, to_string};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::{Map, Value};

/// Why JSON could not be read; says where only when the text is no JSON at all. A word long: every field of every type
/// hands it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError(Box<Problem>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem(String);

/// Reads a text.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, JsonError> {
    from_value(&*parse_boxed(text)?)
}

/// Reads a text that may have no fields but those that are known.
pub fn from_str_exactly<T: DeserializeOwned>(text: &str) -> Result<T, JsonError> {
    let value = parse_boxed(text)?;
    T::deserialize(Decoder { value: Input::Value(&value), reading: Reading::Exact })
}

/// Reads a value.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, JsonError> {
    T::deserialize(Decoder { value: Input::Value(value), reading: Reading::Plain })
}

/// Reads a row of a database: a flag may also be 0 or 1.
pub fn from_row<T: DeserializeOwned>(row: &Value) -> Result<T, JsonError> {
    T::deserialize(Decoder { value: Input::Value(row), reading: Reading::Row })
}

/// What reads this value, for types that are read in two steps.
pub fn decoder(value: &Value) -> impl Deserializer<'_, Error = JsonError> {
    Decoder { value: Input::Value(value), reading: Reading::Plain }
}

/// Parses a text.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    serde_json::from_slice(text).map_err(|error| JsonError::from_text(&error.to_string()))
}

/// From `{"variant": {…}}`, as serde writes an enum, to `{tag: "variant", …}`, as the wire has it.
pub fn tag(tag: &str, value: &Value) -> Map<String, Value> {
    let mut tagged = Map::new();
    for (variant, fields) in value.as_object().into_iter().flatten() {
        tagged.insert(tag.to_owned(), variant.as_str().into());
        tagged.extend(fields.as_object().cloned().into_iter().flatten());
    }
    tagged
}

/// The way back; what the variant does not know stays among its fields and is ignored.
pub fn untag(tag: &str, tagged: &Value) -> Value {
    let variant = tagged.get(tag).and_then(Value::as_str).unwrap_or_default();
    Value::Object(Map::from_iter([(variant.to_owned(), tagged.clone())]))
}

/// The same, where a result that is as large as a value would be moved around in every reader.
#[inline(never)]
fn parse_boxed(text: &str) -> Result<Box<Value>, JsonError> {
    parse(text.as_bytes()).map(Box::new)
}

impl JsonError {
    #[inline(never)]
    fn from_text(text: &str) -> Self {
        Self(Box::new(Problem(text.to_owned())))
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.0)
    }
}

impl std::error::Error for JsonError {}

impl de::Error for JsonError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::from_text(&message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        mismatch("type", found, expected)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        mismatch("value", found, expected)
    }

    fn invalid_length(_: usize, _: &dyn Expected) -> Self {
        Self::from_text(WRONG_LENGTH)
    }

    #[inline(never)]
    fn missing_field(field: &'static str) -> Self {
        Self::from_text(&format!("missing field `{field}`"))
    }

    #[inline(never)]
    fn duplicate_field(field: &'static str) -> Self {
        Self::from_text(&format!("duplicate field `{field}`"))
    }

    #[inline(never)]
    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::from_text(&format!("unknown variant `{variant}`, expected one of {}", expected.join(", ")))
    }

    #[inline(never)]
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::from_text(&format!("unknown field `{field}`, expected one of {}", expected.join(", ")))
    }
}

#[inline(never)]
fn mismatch(what: &str, found: Unexpected<'_>, expected: &dyn Expected) -> JsonError {
    JsonError::from_text(&format!("invalid {what}: {found}, expected {expected}"))
}

const WRONG_LENGTH: &str = "the list has another length";

/// What is decoded: a value, the key of an object, or a field that is not there.
#[derive(Clone, Copy)]
enum Input<'a> {
    Value(&'a Value),
    Key(&'a str),
    Absent,
}

/// What differs between the ways to read.
#[derive(Clone, Copy, PartialEq)]
enum Reading {
    Plain,
    /// Flags are 0 and 1.
    Row,
    /// Unknown fields are errors.
    Exact,
}

#[derive(Clone, Copy)]
struct Decoder<'a> {
    value: Input<'a>,
    reading: Reading,
}

impl<'a> Decoder<'a> {
    fn with(self, value: Input<'a>) -> Self {
        Self { value, ..self }
    }

    #[inline(never)]
    fn expected(self, expected: &dyn Expected) -> JsonError {
        let found = match self.value {
            // Never shown: what happens to an absent field is its struct's to say.
            Input::Absent => return JsonError::from_text(""),
            Input::Key(key) => Unexpected::Str(key),
            Input::Value(Value::Null) => Unexpected::Unit,
            Input::Value(Value::Bool(flag)) => Unexpected::Bool(*flag),
            Input::Value(Value::Number(_)) => Unexpected::Other("number"),
            Input::Value(Value::String(text)) => Unexpected::Str(text),
            Input::Value(Value::Array(_)) => Unexpected::Seq,
            Input::Value(Value::Object(_)) => Unexpected::Map,
        };
        mismatch("type", found, expected)
    }

    fn as_str(self) -> Option<&'a str> {
        match self.value {
            Input::Key(key) => Some(key),
            Input::Value(value) => value.as_str(),
            Input::Absent => None,
        }
    }

    /// The number, if it is a whole one that is not negative. Keys of objects hold numbers as text.
    #[inline(never)]
    fn as_u64(self) -> Option<u64> {
        match self.value {
            Input::Key(key) => key.parse().ok(),
            Input::Value(value) => value.as_u64(),
            Input::Absent => None,
        }
    }

    #[inline(never)]
    fn as_i64(self) -> Option<i64> {
        match self.value {
            Input::Key(key) => key.parse().ok(),
            Input::Value(value) => value.as_i64(),
            Input::Absent => None,
        }
    }

    #[inline(never)]
    fn as_bool(self) -> Option<bool> {
        let Input::Value(value) = self.value else { return None };
        match (value, value.as_u64()) {
            (Value::Bool(flag), _) => Some(*flag),
            (_, Some(number @ (0 | 1))) if self.reading == Reading::Row => Some(number == 1),
            _ => None,
        }
    }

    fn elements(self) -> Option<Elements<'a>> {
        let Input::Value(Value::Array(values)) = self.value else { return None };
        Some(Elements { values: values.iter(), decoder: self })
    }

    fn entries(self) -> Option<Entries<'a>> {
        let Input::Value(Value::Object(map)) = self.value else { return None };
        Some(Entries { entries: map.iter(), next: None, decoder: self })
    }
}

/// Reads with one visit, if the input has the form; says what was expected otherwise.
macro_rules! visit {
    ($self:ident, $form:expr, $visitor:ident.$visit:ident) => {
        match $form {
            Some(found) => $visitor.$visit(found),
            None => Err($self.expected(&$visitor)),
        }
    };
}

macro_rules! forms {
    ($($method:ident: $form:ident, $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
            visit!(self, self.$form(), visitor.$visit)
        }
    )*};
}

impl<'de> Deserializer<'de> for Decoder<'de> {
    type Error = JsonError;

    forms! {
        deserialize_bool: as_bool, visit_bool;
        deserialize_u8: as_u64, visit_u64;
        deserialize_u16: as_u64, visit_u64;
        deserialize_u32: as_u64, visit_u64;
        deserialize_u64: as_u64, visit_u64;
        deserialize_i8: as_i64, visit_i64;
        deserialize_i16: as_i64, visit_i64;
        deserialize_i32: as_i64, visit_i64;
        deserialize_i64: as_i64, visit_i64;
        deserialize_str: as_str, visit_borrowed_str;
        deserialize_string: as_str, visit_borrowed_str;
        deserialize_identifier: as_str, visit_borrowed_str;
        deserialize_seq: elements, visit_seq;
        deserialize_map: entries, visit_map;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self.value {
            Input::Absent => Err(self.expected(&visitor)),
            Input::Key(key) => visitor.visit_borrowed_str(key),
            Input::Value(Value::Null) => visitor.visit_unit(),
            Input::Value(Value::Bool(flag)) => visitor.visit_bool(*flag),
            Input::Value(Value::Number(number)) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Input::Value(Value::String(text)) => visitor.visit_borrowed_str(text),
            Input::Value(Value::Array(_)) => self.deserialize_seq(visitor),
            Input::Value(Value::Object(_)) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        let number = match self.value {
            Input::Value(value) => value.as_f64(),
            Input::Key(_) | Input::Absent => None,
        };
        visit!(self, number, visitor.visit_f64)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self.value {
            Input::Absent | Input::Value(Value::Null) => visitor.visit_none(),
            Input::Value(_) | Input::Key(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self.value {
            Input::Value(Value::Null) => visitor.visit_unit(),
            Input::Value(_) | Input::Key(_) | Input::Absent => Err(self.expected(&visitor)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, JsonError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, JsonError> {
        match self.value {
            Input::Absent => Err(self.expected(&visitor)),
            Input::Value(_) | Input::Key(_) => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, JsonError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.deserialize_seq(visitor)
    }

    /// An object, whose fields are looked up in the order of their definition.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        let mut fields = Fields { map: None, names: fields, absent: None, reading: self.reading };
        fields.open(self, &visitor)?;
        visitor.visit_seq(&mut fields).map_err(|error| fields.explain(error))
    }

    /// A word, or an object with one field.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visit!(self, self.variant(), visitor.visit_enum)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i128 u128 char bytes byte_buf }
}

impl<'a> Decoder<'a> {
    #[inline(never)]
    fn variant(self) -> Option<Variant<'a>> {
        static NOTHING: Value = Value::Null;
        let (name, value) = match self.value {
            Input::Key(key) => (key, &NOTHING),
            Input::Value(Value::String(word)) => (word.as_str(), &NOTHING),
            Input::Value(Value::Object(map)) if map.len() == 1 => {
                map.iter().next().map(|(name, value)| (name.as_str(), value))?
            }
            Input::Value(_) | Input::Absent => return None,
        };
        Some(Variant { name, content: self.with(Input::Value(value)) })
    }
}

struct Elements<'a> {
    values: std::slice::Iter<'a, Value>,
    decoder: Decoder<'a>,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = JsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, JsonError> {
        let Some(value) = self.values.next() else { return Ok(None) };
        seed.deserialize(self.decoder.with(Input::Value(value))).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.values.len())
    }
}

/// The fields of a struct as the sequence of their values, each looked up by its name. What serde derives for sequences
/// is a quarter of what it derives for maps: no matching of names, no check for doubles, no value that waits for others.
struct Fields<'a> {
    map: Option<&'a Map<String, Value>>,
    /// Those that were not asked for yet.
    names: &'static [&'static str],
    /// The field that was asked for last, if it is not there. The struct gives its default, or ends the decoding.
    absent: Option<&'static str>,
    reading: Reading,
}

impl Fields<'_> {
    /// An error about the length of the sequence is about the field that is absent.
    #[inline(never)]
    fn explain(&self, error: JsonError) -> JsonError {
        match self.absent {
            Some(field) if error.0.0 == WRONG_LENGTH => de::Error::missing_field(field),
            Some(_) | None => error,
        }
    }
}

impl<'de> SeqAccess<'de> for Fields<'de> {
    type Error = JsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, JsonError> {
        let value = self.next();
        match seed.deserialize(Decoder { value, reading: self.reading }) {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.failed(value, error).map(|()| None),
        }
    }
}

impl<'a> Fields<'a> {
    /// Takes the object, whose fields are known where unknown ones are errors.
    #[inline(never)]
    fn open(&mut self, decoder: Decoder<'a>, expected: &dyn Expected) -> Result<(), JsonError> {
        let Input::Value(Value::Object(map)) = decoder.value else { return Err(decoder.expected(expected)) };
        self.map = Some(map);
        match map.keys().find(|key| !self.names.contains(&key.as_str())) {
            Some(unknown) if self.reading == Reading::Exact => Err(de::Error::unknown_field(unknown, self.names)),
            Some(_) | None => Ok(()),
        }
    }

    #[inline(never)]
    fn next(&mut self) -> Input<'a> {
        let Some((name, others)) = self.names.split_first() else { return Input::Absent };
        self.names = others;
        let value = self.map.and_then(|map| map.get(*name));
        self.absent = if value.is_none() { Some(name) } else { None };
        value.map_or(Input::Absent, Input::Value)
    }

    /// Only the failure of a field that is there is one: the struct knows what becomes of the others.
    #[inline(never)]
    fn failed(&self, value: Input<'a>, error: JsonError) -> Result<(), JsonError> {
        if matches!(value, Input::Absent) { Ok(()) } else { Err(error) }
    }
}

struct Entries<'a> {
    entries: serde_json::map::Iter<'a>,
    next: Option<&'a Value>,
    decoder: Decoder<'a>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = JsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, JsonError> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.next = Some(value);
        seed.deserialize(self.decoder.with(Input::Key(key))).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, JsonError> {
        let value = self.next.take().unwrap_or(&Value::Null);
        seed.deserialize(self.decoder.with(Input::Value(value)))
    }
}

struct Variant<'a> {
    name: &'a str,
    content: Decoder<'a>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = JsonError;
    type Variant = Decoder<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Decoder<'de>), JsonError> {
        let name = seed.deserialize(self.content.with(Input::Key(self.name)))?;
        Ok((name, self.content))
    }
}

impl<'de> VariantAccess<'de> for Decoder<'de> {
    type Error = JsonError;

    fn unit_variant(self) -> Result<(), JsonError> {
        <()>::deserialize(self)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, JsonError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, JsonError> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.deserialize_struct("", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Shape {
        Point,
        Circle(f64),
        Box {
            width: u32,
            #[serde(default)]
            name: Option<String>,
        },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Tagged {
        Held { by: String },
        Free,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Everything {
        flag: bool,
        small: i32,
        large: Option<u64>,
        names: Vec<String>,
        counts: BTreeMap<u32, i64>,
        shapes: Vec<Shape>,
        tagged: Vec<Tagged>,
        raw: Value,
        pair: (u32, String),
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }

    fn everything() -> Value {
        json!({
            "flag": true, "small": -5, "names": ["a", "b"], "counts": { "7": -1 }, "pair": [3, "c"],
            "shapes": ["point", { "circle": 1 }, { "box": { "width": 2, "unknown": [1] } }],
            "tagged": [{ "kind": "held", "by": "toast" }, { "kind": "free" }],
            "raw": { "b": [1.5, null], "a": {} }, "other": 1,
        })
    }

    #[test]
    fn every_form_reads_as_with_serde_json() {
        let value = everything();
        let expected: Everything = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(from_value::<Everything>(&value).unwrap(), expected);
        assert_eq!(from_str::<Everything>(&value.to_string()).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (value, expected) in [
            (json!({}), "missing field `at`"),
            (json!({ "at": "x" }), "invalid type: string \"x\", expected u8"),
            (json!({ "at": 256 }), "invalid value: integer `256`, expected u8"),
            (json!({ "at": 1, "is_held": 1 }), "invalid type: number, expected a boolean"),
            (json!([1, true]), "invalid type: sequence, expected struct Row"),
        ] {
            assert_eq!(from_value::<Row>(&value).unwrap_err().to_string(), expected, "{value}");
        }
        assert_eq!(
            from_str::<Shape>("\"cone\"").unwrap_err().to_string(),
            "unknown variant `cone`, expected one of point, circle, box"
        );
        assert_eq!(
            from_str_exactly::<Row>("{\"at\":1,\"by\":2}").unwrap_err().to_string(),
            "unknown field `by`, expected one of at, is_held"
        );
        assert!(from_str::<Shape>("{\"circle\":1,\"point\":null}").is_err());
        assert!(from_str::<Value>("{").unwrap_err().to_string().contains("line 1"));
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Row {
        at: u8,
        is_held: Option<bool>,
    }

    #[test]
    fn flags_of_rows_are_numbers() {
        let row = |flag: u8| from_row::<Row>(&json!({ "at": 1, "is_held": flag }));
        assert_eq!(row(1).unwrap(), Row { at: 1, is_held: Some(true) });
        assert_eq!(row(0).unwrap(), Row { at: 1, is_held: Some(false) });
        assert!(row(2).is_err());
    }
}
