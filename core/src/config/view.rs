//! The documents as the API shows them: every key, defaults filled in, secrets masked. Identity and version belong to
//! the object that keeps the document, which adds them.

use serde_json::{Map, Value, json};

use super::document::{RigConfig, TownConfig};
use super::key::{Key, Kind, put, steps_of, value_at};
use super::keys::{RIG_KEYS, TOWN_KEYS};
use crate::text_enum;

text_enum! {
    /// Where an effective value comes from.
    pub enum Origin {
        Rig = "rig",
        Town = "town",
        Default = "default",
    }
}

/// A town's settings: what applies, masked.
pub fn town_view(config: &TownConfig) -> Map<String, Value> {
    let document = json!(config);
    let shown = |key: &Key| match (key.kind, value_at(&document, key.path)) {
        (Kind::Credential, Some(mark)) => masked(mark),
        (Kind::Environment, Some(Value::Object(marks))) => {
            Value::Object(marks.iter().map(|(name, mark)| (name.clone(), masked(mark))).collect())
        }
        (_, Some(value)) => value.clone(),
        (_, None) => key.default.to_value(),
    };
    view(TOWN_KEYS, shown)
}

/// A rig's settings: what it says itself, null where the town's apply.
pub fn rig_view(config: &RigConfig) -> Map<String, Value> {
    let document = json!(config);
    view(RIG_KEYS, |key| value_at(&document, key.path).cloned().unwrap_or(Value::Null))
}

/// Each key of a rig as `{value, source}` (api.md 5.1).
pub fn effective_view(town: &TownConfig, rig: &RigConfig) -> Map<String, Value> {
    let (town, rig) = (json!(town), json!(rig));
    view(RIG_KEYS, |key| {
        let of_town = key.town.and_then(|path| value_at(&town, path));
        let (value, source) = match (value_at(&rig, key.path), of_town) {
            (Some(value), _) => (value.clone(), Origin::Rig),
            (None, Some(value)) => (value.clone(), Origin::Town),
            (None, None) => (default_of(key), Origin::Default),
        };
        json!({"value": value, "source": source})
    })
}

/// A rig's default is the default of the town's key that it overrides.
pub(super) fn default_of(key: &Key) -> Value {
    let town = key.town.and_then(|path| TOWN_KEYS.iter().find(|town| town.path == path));
    town.unwrap_or(key).default.to_value()
}

fn view(keys: &[Key], shown: impl Fn(&Key) -> Value) -> Map<String, Value> {
    let mut out = Map::new();
    for key in keys {
        // Of the read-only keys only those with a constant value are known here.
        if key.kind == Kind::ReadOnly && key.default.to_value().is_null() {
            continue;
        }
        put(&mut out, &steps_of(key.path), shown(key));
    }
    out
}

fn masked(mark: &Value) -> Value {
    let mark: super::SecretMark = crate::json::from_value(mark).unwrap_or_default();
    Value::from(mark.masked())
}
