//! The two documents as JSON Schemas with titles, defaults and help, built from the tables of keys.

use serde_json::{Map, Value, json};

use super::key::{Key, Kind, put};
use super::keys::{RIG_KEYS, TOWN_KEYS};
use super::view::default_of;
use crate::limits;
use crate::models::{RoutableLabel, SlotRole};

/// `{town, rig}`, as `GET /api/config-schema` serves them.
pub fn schemas() -> Value {
    json!({"town": schema("Town settings", TOWN_KEYS), "rig": schema("Rig settings", RIG_KEYS)})
}

fn schema(title: &str, keys: &[Key]) -> Value {
    let mut properties = Map::new();
    for key in keys {
        // Every step into a section goes through its own `properties`.
        let mut path: Vec<String> = Vec::new();
        for step in key.steps() {
            if !path.is_empty() {
                path.push("properties".to_owned());
            }
            path.push(step.to_owned());
        }
        put(&mut properties, &path, described(key));
        if let [section, ..] = path.as_slice()
            && path.len() > 1
        {
            put(&mut properties, &[section.clone(), "type".to_owned()], json!("object"));
            put(&mut properties, &[section.clone(), "additionalProperties".to_owned()], json!(false));
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn described(key: &Key) -> Value {
    let mut out = shape(key.kind);
    out.insert("title".to_owned(), json!(key.title));
    out.insert("description".to_owned(), json!(key.help));
    out.insert("default".to_owned(), default_of(key));
    if key.by_mayor {
        out.insert("x-by-mayor".to_owned(), json!(true));
    }
    if let Some(town) = key.town {
        out.insert("x-inherits".to_owned(), json!(town));
    }
    out.into()
}

fn shape(kind: Kind) -> Map<String, Value> {
    let value = match kind {
        Kind::Model => json!({"type": ["string", "null"], "maxLength": limits::MODEL_ID_MAX, "format": "model"}),
        Kind::Profile => json!({"type": ["string", "null"], "format": "model-profile"}),
        Kind::Overrides => json!({
            "type": "array",
            "maxItems": limits::MODEL_OVERRIDES_MAX,
            "items": {
                "type": "object",
                "properties": {
                    "role": {"enum": SlotRole::ALL},
                    "label": {"enum": RoutableLabel::ALL},
                    "rig_id": {"type": "string", "format": "uuid"},
                    "model": {"type": "string", "maxLength": limits::MODEL_ID_MAX, "format": "model"},
                },
                "required": ["role", "model"],
                "additionalProperties": false,
            },
        }),
        Kind::Integer { min, max } => json!({"type": ["integer", "null"], "minimum": min, "maximum": max}),
        Kind::Dollars => {
            json!({"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": limits::BUDGET_USD_MAX})
        }
        Kind::Flag => json!({"type": ["boolean", "null"]}),
        Kind::Word(words) => {
            let null = [Value::Null];
            json!({"enum": words.iter().map(|word| json!(word)).chain(null).collect::<Vec<_>>()})
        }
        Kind::Line { max } => json!({"type": ["string", "null"], "maxLength": max}),
        Kind::Email => json!({"type": ["string", "null"], "maxLength": limits::AUTHOR_EMAIL_MAX, "format": "email"}),
        Kind::Text { max } => json!({"type": ["string", "null"], "maxLength": max, "format": "multiline"}),
        Kind::Commands => json!({
            "type": ["array", "null"],
            "maxItems": limits::GATES_MAX,
            "items": {"type": "string", "minLength": 1, "maxLength": limits::GATE_COMMAND_MAX},
        }),
        Kind::Url => json!({"type": ["string", "null"], "maxLength": limits::GIT_URL_MAX, "format": "uri"}),
        Kind::PushFlags | Kind::Installation => json!({"type": ["string", "null"]}),
        Kind::Credential => {
            json!({"type": ["string", "null"], "maxLength": limits::CREDENTIAL_MAX, "format": "password"})
        }
        Kind::Environment => json!({
            "type": "object",
            "maxProperties": limits::ENV_VARS_MAX,
            "additionalProperties": {
                "type": ["string", "null"], "maxLength": limits::ENV_VALUE_MAX, "format": "password",
            },
        }),
        Kind::ReadOnly => json!({"readOnly": true}),
    };
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
