//! What a request body may hold, learned by reading one: [`schema`] plays [`Request::read`] over a body that answers every
//! question with "absent" and writes down what was asked.
//!
//! Some requests ask first whether a field is there and read on accordingly. Each such question is answered both ways,
//! and the plays are put together: a field is required where every play asks for it.

use std::collections::{BTreeMap, BTreeSet};

use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::limits::{LABEL_MAX, LABELS_MAX};
use crate::text::UnknownText;
use crate::wire::api::read::{Fields, Request};

/// Questions answered both ways at most; the rest is answered with "absent".
const BRANCHES_MAX: usize = 6;

/// What one play has asked for.
#[derive(Debug, Default)]
pub struct Record {
    /// Names that the play takes to be there.
    present: BTreeSet<String>,
    /// Names of which the play asked whether they are there.
    asked: BTreeSet<String>,
    /// Schemas of the fields.
    fields: Map<String, Value>,
    /// Fields without which the body is refused.
    required: BTreeSet<String>,
}

impl Record {
    /// The play asks whether a field is there.
    pub fn ask(&mut self, key: &str) -> bool {
        self.asked.insert(key.to_owned());
        self.present.contains(key)
    }

    /// The play asks for a field of this shape. The first shape stays: it is the outermost question.
    pub fn note(&mut self, key: &str, shape: Value) {
        if !self.fields.contains_key(key) {
            self.fields.insert(key.to_owned(), shape);
        }
    }

    /// The field must be there.
    pub fn require(&mut self, key: &str) {
        self.required.insert(key.to_owned());
    }

    /// The play asks for a list; `item` plays one of its items under the key `0`.
    pub fn list(&mut self, key: &str, min: usize, max: usize, item: impl FnOnce(&mut Fields<'_>)) {
        let mut items = Self::default();
        play_over(&mut items, item);
        let items = items.fields.remove("0").unwrap_or_else(|| json!({}));
        self.note(key, json!({ "type": "array", "minItems": min, "maxItems": max, "items": items }));
        if min > 0 {
            self.require(key);
        }
    }

    fn schema(self) -> Value {
        let required = self.required;
        let fields = self.fields.into_iter().map(|(key, shape)| {
            let shape = if required.contains(&key) { shape } else { nullable(shape) };
            (key, shape)
        });
        let fields: Map<String, Value> = fields.collect();
        object(fields, &required)
    }
}

/// The schema of a request body.
pub fn schema<T: Request>() -> Value {
    let first = play::<T>(BTreeSet::new());
    let asked: Vec<String> = first.asked.iter().take(BRANCHES_MAX).cloned().collect();
    let plays = (1_u32..1 << asked.len()).map(|bits| {
        let present = asked.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0);
        play::<T>(present.map(|(_, key)| key.clone()).collect())
    });
    merged(std::iter::once(first).chain(plays.collect::<Vec<_>>()))
}

fn play<T: Request>(present: BTreeSet<String>) -> Record {
    let mut record = Record { present, ..Record::default() };
    play_over(&mut record, |fields| drop(T::read(fields)));
    record
}

fn play_over(record: &mut Record, read: impl FnOnce(&mut Fields<'_>)) {
    let (map, mut issues) = (Map::new(), Vec::new());
    read(&mut Fields::recording(&map, &mut issues, record));
}

/// One schema for all plays.
fn merged(plays: impl Iterator<Item = Record>) -> Value {
    let mut merged: Option<Record> = None;
    for play in plays {
        match &mut merged {
            None => merged = Some(play),
            Some(merged) => {
                merged.required.retain(|key| play.required.contains(key));
                for (key, shape) in play.fields {
                    merged.fields.entry(key).or_insert(shape);
                }
            }
        }
    }
    merged.unwrap_or_default().schema()
}

fn object(fields: Map<String, Value>, required: &BTreeSet<String>) -> Value {
    let mut object = json!({ "type": "object", "properties": fields });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

/// The same shape, or null: `null` counts as absent where a field may be absent.
fn nullable(shape: Value) -> Value {
    match shape.get("type").and_then(Value::as_str) {
        Some(name) => {
            let mut shape = shape.clone();
            if let Some(Value::Array(words)) = shape.get_mut("enum") {
                words.push(Value::Null);
            }
            shape["type"] = json!([name, "null"]);
            shape
        }
        None => shape,
    }
}

/// A closed list of words, which it names itself when it reads none of them.
pub fn word<T: FromStr<Err = UnknownText>>() -> Value {
    let expected = "\0".parse::<T>().err().map_or(&[][..], |unknown| unknown.expected);
    json!({ "type": "string", "enum": expected })
}

/// Labels (api.md 1.3).
pub fn labels() -> Value {
    let item = json!({ "type": "string", "minLength": 1, "maxLength": LABEL_MAX, "pattern": "^[A-Za-z0-9:._/-]+$" });
    json!({ "type": "array", "maxItems": LABELS_MAX, "items": item })
}

/// Bounds of a text.
pub fn bounds(min: usize, max: usize) -> Value {
    let mut shape = BTreeMap::from([("type", json!("string"))]);
    if min > 0 {
        shape.insert("minLength", json!(min));
    }
    if max < usize::MAX {
        shape.insert("maxLength", json!(max));
    }
    json!(shape)
}
