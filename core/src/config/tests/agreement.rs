//! The tables of keys, the document types, the defaults and the schema say the same.

use serde_json::{Value, json};

use super::super::key::{Key, Kind, put, steps_of, value_at};
use super::super::keys::{RIG_KEYS, TOWN_KEYS};
use super::*;

/// A good value of each kind that differs from every default.
pub(super) fn sample(key: &Key) -> Option<Value> {
    let value = match key.kind {
        Kind::Model => json!("m/x"),
        Kind::Profile => json!("premium"),
        Kind::Overrides => {
            json!([{"role": "polecat", "label": "gt:rework", "rig_id": RigId::from_u128(1), "model": "m/x"}])
        }
        Kind::Integer { min, .. } => json!(min),
        Kind::Dollars => json!(12.5),
        Kind::Flag => json!(key.default == KeyDefault::Flag(false)),
        Kind::Word(words) => json!(words[1]),
        Kind::Line { .. } => json!("Ada"),
        Kind::Email => json!("ada@example.org"),
        Kind::Text { .. } => json!("Be brief."),
        Kind::Commands => json!(["make test"]),
        Kind::Url => json!("https://example.org/v1"),
        Kind::PushFlags => json!("--atomic --quiet"),
        Kind::Installation => json!("12345"),
        Kind::Credential => json!("token-0123456789"),
        Kind::Environment => json!({"LOG_LEVEL": "debug"}),
        Kind::ReadOnly => return None,
    };
    Some(value)
}

/// Another good value of each kind that a rig may set.
pub(super) fn other_sample(key: &Key) -> Option<Value> {
    let value = match key.kind {
        Kind::Model => json!("m/def"),
        Kind::Integer { max, .. } => json!(max),
        Kind::Flag => json!(true),
        Kind::Word(words) => json!(words[0]),
        Kind::Text { .. } => json!("Be exact."),
        Kind::Commands => json!([]),
        Kind::PushFlags => json!("--tags"),
        Kind::Profile
        | Kind::Overrides
        | Kind::Dollars
        | Kind::Line { .. }
        | Kind::Email
        | Kind::Url
        | Kind::Installation
        | Kind::Credential
        | Kind::Environment
        | Kind::ReadOnly => return None,
    };
    Some(value)
}

fn every_key(keys: &[Key]) -> Value {
    let mut patch = serde_json::Map::new();
    for key in keys {
        if let Some(value) = sample(key) {
            put(&mut patch, &steps_of(key.path), value);
        }
    }
    Value::Object(patch)
}

pub(super) fn every_town_key() -> Value {
    every_key(TOWN_KEYS)
}

pub(super) fn open_world() -> World {
    World { offers: Offers { pull_requests: true, github_app: true, local_urls: true }, ..World::new() }
}

#[test]
fn every_key_of_the_tables_has_a_place_in_the_document() {
    let world = open_world();
    let town = world.town(&TownConfig::default(), every_key(TOWN_KEYS)).unwrap();
    let rig = world.rig(&RigConfig::default(), every_key(RIG_KEYS)).unwrap();
    for (keys, document, changed) in
        [(TOWN_KEYS, json!(town.config), town.changed), (RIG_KEYS, json!(rig.config), rig.changed)]
    {
        for key in keys.iter().filter(|key| key.kind != Kind::ReadOnly) {
            let stored = value_at(&document, key.path);
            assert!(stored.is_some(), "{} is not stored", key.path);
            let told = changed.iter().any(|path| path == key.path || path.starts_with(&format!("{}.", key.path)));
            assert!(told, "{} is not told as changed", key.path);
            if !matches!(key.kind, Kind::Credential | Kind::Environment) {
                assert_eq!(stored, sample(key).as_ref(), "{}", key.path);
            }
        }
    }
}

#[test]
fn clearing_every_key_leaves_nothing() {
    let world = open_world();
    let full = world.town(&TownConfig::default(), every_key(TOWN_KEYS)).unwrap().config;
    let mut patch = serde_json::Map::new();
    for key in TOWN_KEYS.iter().filter(|key| key.kind != Kind::ReadOnly) {
        put(&mut patch, &steps_of(key.path), Value::Null);
    }
    let cleared = world.town(&full, Value::Object(patch)).unwrap();
    assert_eq!(cleared.config, TownConfig::default());
    let names: Vec<String> = cleared.secrets.iter().map(|change| change.name().to_string()).collect();
    assert_eq!(
        names,
        ["env_vars.LOG_LEVEL", "git_auth.github_token", "git_auth.gitlab_token", "github_cli_pat", "kilocode_token"]
    );
}

#[test]
fn words_of_the_tables_are_the_words_of_the_types() {
    let words = |path: &str| {
        let key = TOWN_KEYS.iter().find(|key| key.path == path).unwrap();
        let Kind::Word(words) = key.kind else { panic!("{path} has words") };
        words.to_vec()
    };
    assert_eq!(words("merge_strategy"), MergeStrategy::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>());
    assert_eq!(words("convoy_merge_mode"), ConvoyMergeMode::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>());
    assert_eq!(words("refinery.review_mode"), ReviewMode::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>());
}

#[test]
fn every_rig_key_but_the_push_flags_overrides_one_of_the_town() {
    for key in RIG_KEYS.iter().filter(|key| key.kind != Kind::ReadOnly) {
        let Some(path) = key.town else {
            assert_eq!(key.path, "git_push_flags");
            continue;
        };
        let town = TOWN_KEYS.iter().find(|town| town.path == path).unwrap();
        assert_eq!(key.kind, town.kind, "{}", key.path);
    }
}

#[test]
fn every_key_is_told_apart_and_described() {
    for keys in [TOWN_KEYS, RIG_KEYS] {
        let paths: SortedSet<&str> = keys.iter().map(|key| key.path).collect();
        assert_eq!(paths.len(), keys.len());
        assert!(keys.iter().all(|key| !key.title.is_empty() && key.help.ends_with('.')));
    }
}

#[test]
fn the_schema_describes_every_key() {
    let schemas = schemas();
    for (name, keys) in [("town", TOWN_KEYS), ("rig", RIG_KEYS)] {
        for key in keys {
            let pointer = format!("/{name}/properties/{}", key.path.replace('.', "/properties/"));
            let found = schemas.pointer(&pointer).unwrap_or_else(|| panic!("{pointer}"));
            assert_eq!(found["title"], key.title);
        }
    }
    assert_eq!(schemas["town"]["properties"]["max_sessions"]["default"], 10);
    assert_eq!(schemas["town"]["properties"]["budget"]["type"], "object");
    assert_eq!(schemas["rig"]["properties"]["gate_timeout_minutes"]["default"], 20);
    assert_eq!(schemas["rig"]["properties"]["merge_strategy"]["enum"], json!(["direct", "pr", null]));
}
