//! Rig, else town, else default: the struct that rules read and the view that people see agree.

use serde_json::{Value, json};

use super::super::key::{put, steps_of, value_at};
use super::*;

#[test]
fn defaults_are_those_of_the_specification() {
    assert_eq!(
        serde_json::to_value(EffectiveRig::default()).unwrap(),
        json!({
            "max_concurrent_polecats": 2, "max_dispatch_attempts": 5, "max_review_rounds": 5, "max_feedback_rounds": 5,
            "merge_strategy": "direct", "convoy_merge_mode": "review-then-land", "code_review": true, "gates": [],
            "gate_timeout_minutes": 20, "review_mode": "rework", "auto_merge": true, "auto_merge_delay_minutes": null,
            "auto_resolve_pr_feedback": true, "auto_resolve_merge_conflicts": true, "custom_instructions": {},
            "git_push_flags": [],
            "budget": {
                "bead": {"micros": null, "tokens": null}, "convoy": {"micros": null, "tokens": null},
                "town_daily": {"micros": null, "tokens": null}, "warn_percent": 80,
            },
            "town_memory": true,
        })
    );
    let town = EffectiveTown::default();
    assert_eq!((town.max_sessions, town.sleep_after_minutes, town.mayor_may_configure), (10, 10, true));
}

/// Each key of the effective view has the value that the rules read.
fn agree(town: &TownConfig, rig: &RigConfig) {
    let read = json!(effective_rig(town, rig));
    let shown = effective_view(town, rig);
    for (key, value) in read.as_object().unwrap() {
        let shown = match key.as_str() {
            "budget" | "town_memory" => continue,
            // Comments need a pull request, whatever the setting says.
            "review_mode" if read["merge_strategy"] == "direct" => continue,
            "custom_instructions" => {
                let roles = ["polecat", "refinery"].map(|role| (role, shown[key][role]["value"].clone()));
                Value::Object(
                    roles
                        .into_iter()
                        .filter(|(_, text)| !text.is_null())
                        .map(|(role, text)| (role.to_owned(), text))
                        .collect(),
                )
            }
            "git_push_flags" => {
                json!(shown[key]["value"].as_str().unwrap_or("").split_whitespace().collect::<Vec<_>>())
            }
            _ => shown[key]["value"].clone(),
        };
        assert_eq!(&shown, value, "{key}");
    }
}

#[test]
fn the_rig_wins_then_the_town_then_the_default() {
    let town = town_with(json!({
        "max_polecats_per_rig": 4, "max_review_rounds": 3,
        "refinery": {"gates": ["make test"], "code_review": false, "auto_merge_delay_minutes": 5},
        "custom_instructions": {"polecat": "Be brief.", "refinery": "Be kind."},
    }));
    let rig = rig_with(json!({
        "max_review_rounds": 9, "gates": [], "custom_instructions": {"polecat": "Be exact."},
        "auto_merge_delay_minutes": 0, "git_push_flags": " --atomic  --quiet ",
    }));
    for (town, rig) in [(&town, &rig), (&town, &RigConfig::default()), (&TownConfig::default(), &rig)] {
        agree(town, rig);
    }
    let effective = effective_rig(&town, &rig);
    assert_eq!(effective.max_concurrent_polecats, 4);
    assert_eq!(effective.max_review_rounds, 9);
    assert!(effective.gates.is_empty() && !effective.code_review);
    assert_eq!(effective.auto_merge_delay_minutes, Some(0));
    assert_eq!(effective.git_push_flags, ["--atomic", "--quiet"]);
    assert_eq!(effective.custom_instructions.polecat.as_deref(), Some("Be exact."));
    assert_eq!(effective.custom_instructions.refinery.as_deref(), Some("Be kind."));
    let view = effective_view(&town, &rig);
    assert_eq!(view["max_review_rounds"], json!({"value": 9, "source": "rig"}));
    assert_eq!(view["max_concurrent_polecats"], json!({"value": 4, "source": "town"}));
    assert_eq!(view["gate_timeout_minutes"], json!({"value": 20, "source": "default"}));
    assert_eq!(view["role_models"]["polecat"], json!({"value": null, "source": "default"}));
}

#[test]
fn each_rig_key_alone_overrides_its_town_key() {
    let world = agreement::open_world();
    let town = world.town(&TownConfig::default(), agreement::every_town_key()).unwrap().config;
    for key in RIG_KEYS {
        let Some(value) = agreement::other_sample(key) else { continue };
        let mut patch = Map::new();
        put(&mut patch, &steps_of(key.path), value.clone());
        let rig = world.rig(&RigConfig::default(), Value::Object(patch)).unwrap().config;
        agree(&town, &rig);
        agree(&TownConfig::default(), &rig);
        let (over_town, alone) = (effective_view(&town, &rig), effective_view(&TownConfig::default(), &rig));
        let shown = |view: Map<String, Value>| value_at(&Value::Object(view), key.path).cloned().unwrap();
        assert_eq!(shown(over_town), json!({"value": value, "source": "rig"}), "{}", key.path);
        assert_eq!(shown(alone)["source"], "rig", "{}", key.path);
    }
}

#[test]
fn comments_need_a_pull_request() {
    let town: TownConfig = serde_json::from_value(json!({"refinery": {"review_mode": "comments"}})).unwrap();
    assert_eq!(effective_rig(&town, &RigConfig::default()).review_mode, ReviewMode::Rework);
    let rig: RigConfig = serde_json::from_value(json!({"merge_strategy": "pr"})).unwrap();
    assert_eq!(effective_rig(&town, &rig).review_mode, ReviewMode::Comments);
}

#[test]
fn money_becomes_whole_micro_dollars() {
    let town = town_with(json!({"budget": {"town_daily_usd": 25, "bead_usd": 0.1, "convoy_tokens": 1_000_000}}));
    let budget = effective_rig(&town, &RigConfig::default()).budget;
    assert_eq!(budget.town_daily, SpendLimit { micros: Some(25_000_000), tokens: None });
    assert_eq!(budget.bead.micros, Some(100_000));
    assert_eq!(budget.convoy, SpendLimit { micros: None, tokens: Some(1_000_000) });
}

#[test]
fn a_rig_shows_null_where_the_town_applies() {
    let view = rig_view(&rig_with(json!({"auto_merge": false})));
    assert_eq!((&view["auto_merge"], &view["gates"]), (&json!(false), &Value::Null));
    assert_eq!(view["role_models"], json!({"polecat": null, "refinery": null}));
    let town = town_view(&TownConfig::default());
    assert_eq!(town["model_profile"], "custom");
    assert_eq!(town["role_models"], json!({"mayor": null, "refinery": null, "polecat": null}));
    assert_eq!(town["refinery"]["require_clean_merge"], true);
    assert!(!town.contains_key("version"), "identity belongs to the object");
}

#[test]
fn a_rig_knows_its_models() {
    let rig = rig_with(json!({"default_model": " m/def ", "role_models": {"polecat": "m/x", "refinery": " "}}));
    let models = rig.models(RigId::from_u128(1), "api");
    assert_eq!(models.default_model.unwrap().as_str(), "m/def");
    assert_eq!((models.role_models.polecat.unwrap().as_str(), models.role_models.refinery), ("m/x", None));
}
