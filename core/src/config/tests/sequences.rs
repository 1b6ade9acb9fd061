//! Random sequences of patches against the plain reading of RFC 7396. One seed is one sequence.

use serde_json::{Map, Value};

use super::super::key::{Kind, put, steps_of};
use super::*;
use crate::id::IdSeed;

const SEQUENCES: u128 = 60;
const PATCHES: usize = 25;

/// RFC 7396, word for word.
fn merge(target: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (name, value) in fields {
        if let Some(object) = target.as_object_mut() {
            if value.is_null() {
                object.remove(name);
            } else {
                merge(object.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

/// A document without its empty sections, which mean the same as absent ones.
fn pruned(value: &Value) -> Value {
    let Some(fields) = value.as_object() else { return value.clone() };
    let kept = fields.iter().map(|(name, value)| (name.clone(), pruned(value)));
    Value::Object(kept.filter(|(_, value)| !value.as_object().is_some_and(Map::is_empty)).collect())
}

fn below(seed: &mut IdSeed, bound: usize) -> usize {
    let drawn: RigId = seed.mint();
    usize::from_str_radix(&drawn.digits(8), 16).unwrap() % bound
}

/// One to three random keys with a good value or null; now and then a whole section is cleared.
fn draw(seed: &mut IdSeed) -> Value {
    let keys: Vec<&Key> = RIG_KEYS.iter().filter(|key| key.kind != Kind::ReadOnly).collect();
    let mut patch = Map::new();
    for _ in 0..=below(seed, 3) {
        let key = keys[below(seed, keys.len())];
        let value = match below(seed, 4) {
            0 => Some(Value::Null),
            1 => agreement::sample(key),
            _ => agreement::other_sample(key),
        };
        put(&mut patch, &steps_of(key.path), value.unwrap());
    }
    if below(seed, 10) == 0 {
        patch.insert("role_models".to_owned(), Value::Null);
    }
    Value::Object(patch)
}

#[test]
fn a_sequence_of_patches_is_what_the_rfc_says() {
    let world = agreement::open_world();
    for seed in 0..SEQUENCES {
        let (mut source, mut config, mut plain) = (IdSeed::new(seed), RigConfig::default(), json!({}));
        for step in 0..PATCHES {
            let patch = draw(&mut source);
            let patched = world.rig(&config, patch.clone()).unwrap();
            merge(&mut plain, &patch);
            let differs = patched.config != config;
            config = patched.config;
            assert_eq!(json!(config), pruned(&plain), "seed {seed} step {step}: {patch}");
            assert_eq!(!patched.changed.is_empty(), differs, "seed {seed} step {step}: {patch}");
            let again = world.rig(&config, patch.clone()).unwrap();
            assert!(again.config == config && again.changed.is_empty(), "seed {seed} step {step}: {patch} twice");
        }
    }
}
