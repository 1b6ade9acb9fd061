//! JSON schemas of what crosses HTTP (api.md 1.10), behind the feature `schema`: the API document is made from them by
//! tests and tools, and the wasm carries none of it.
//!
//! Replies are described by their types ([`schemars::JsonSchema`]), request bodies by what reads them: see `record` of the
//! wire's API. Here are the schemas of the words that both are made of: ids, instants, closed lists, sorted collections.

use std::borrow::Cow;

pub use schemars;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::sorted::{SortedMap, SortedSet};

/// The schema of a closed list of words.
pub fn words(words: &[&str]) -> Schema {
    json_schema!({ "type": "string", "enum": words })
}

/// The schema of a type that is written as one text.
pub fn text(type_name: &str) -> Value {
    let name = type_name.rsplit("::").next().unwrap_or(type_name);
    match name {
        "Timestamp" => json!({
            "type": "string",
            "format": "date-time",
            "description": "An instant: ISO 8601, UTC, milliseconds.",
            "examples": ["2026-11-20T15:04:05.000Z"],
        }),
        "ModelId" => json!({ "type": "string", "minLength": 1, "maxLength": crate::limits::MODEL_ID_MAX }),
        _ if name.ends_with("Id") => json!({ "type": "string", "format": "uuid" }),
        _ => json!({ "type": "string" }),
    }
}

/// Implements the schema of types that are written as one text.
macro_rules! texts {
    ($($type:ty),* $(,)?) => {$(
        impl $crate::schema::schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(
                _: &mut $crate::schema::schemars::SchemaGenerator,
            ) -> $crate::schema::schemars::Schema {
                let schema = $crate::schema::text(::std::any::type_name::<Self>());
                $crate::schema::schemars::Schema::try_from(schema).unwrap_or_default()
            }
        }
    )*};
}

pub(crate) use texts;

texts! { crate::time::Timestamp, crate::id::RigRef }

impl<K: JsonSchema, V: JsonSchema> JsonSchema for SortedMap<K, V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Map_of_{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<V>() })
    }
}

impl<K: JsonSchema> JsonSchema for SortedSet<K> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Set_of_{}", K::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "uniqueItems": true, "items": generator.subschema_for::<K>() })
    }
}

/// Gives an enum of words its schema; without the feature it gives nothing.
#[macro_export]
macro_rules! word_schema {
    ($name:ident, $($text:literal),*) => {
        impl $crate::schema::schemars::JsonSchema for $name {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut $crate::schema::schemars::SchemaGenerator) -> $crate::schema::schemars::Schema {
                $crate::schema::words(&[$($text),*])
            }
        }
    };
}

/// Gives ids their schema; without the feature it gives nothing.
#[macro_export]
macro_rules! id_schema {
    ($name:ident) => {
        impl $crate::schema::schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut $crate::schema::schemars::SchemaGenerator) -> $crate::schema::schemars::Schema {
                $crate::schema::schemars::json_schema!({ "type": "string", "format": "uuid" })
            }
        }
    };
}
