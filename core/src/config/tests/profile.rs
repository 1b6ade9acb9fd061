//! How the profile follows the choice of a default model (models.md 1), and the warnings that say so.

use serde_json::{Value, json};

use super::*;

fn warned<D>(patched: &Patched<D>) -> Vec<String> {
    patched.warnings.iter().map(|warning| format!("{} {}", warning.path.join("."), warning.code)).collect()
}

/// Stored settings, patch → stored profile and warnings.
fn check(stored: Value, patch: Value, profile: Option<&str>, warnings: &[&str]) {
    let world = World::new();
    let config: TownConfig = serde_json::from_value(stored.clone()).unwrap();
    let patched = world.town(&config, patch.clone()).unwrap();
    let got = (patched.config.models.model_profile.as_deref(), warned(&patched));
    assert_eq!(got, (profile, warnings.iter().map(|w| (*w).to_owned()).collect()), "{stored} + {patch}");
}

#[test]
fn choosing_a_default_model_leaves_the_named_profile() {
    let balanced = json!({"model_profile": "balanced"});
    check(
        balanced.clone(),
        json!({"default_model": "m/def"}),
        Some("custom"),
        &["model_profile profile_set_to_custom"],
    );
    check(balanced.clone(), json!({"default_model": null}), Some("balanced"), &[]);
    check(balanced.clone(), json!({"default_model": " "}), Some("balanced"), &[]);
    check(
        balanced.clone(),
        json!({"default_model": "m/def", "model_profile": "frugal"}),
        Some("frugal"),
        &["default_model shadowed_by_profile"],
    );
    check(balanced.clone(), json!({"default_model": "m/def", "model_profile": "custom"}), Some("custom"), &[]);
    check(balanced.clone(), json!({"default_model": "m/def", "model_profile": null}), None, &[]);
    check(balanced.clone(), json!({"small_model": "m/small"}), Some("balanced"), &["small_model shadowed_by_profile"]);
    check(balanced.clone(), json!({"role_models": {"mayor": "m/x"}}), Some("balanced"), &[]);
    check(balanced, json!({"model_profile": ""}), None, &[]);
    check(json!({}), json!({"default_model": "m/def"}), None, &[]);
    check(json!({"model_profile": "custom"}), json!({"small_model": "m/small"}), Some("custom"), &[]);
}

#[test]
fn a_model_that_no_catalogue_knows_is_a_warning() {
    check(json!({}), json!({"default_model": "anthropic/claude-opus-4.7"}), None, &[]);
    check(json!({}), json!({"default_model": "other/one"}), None, &["default_model unknown_model"]);
    check(
        json!({}),
        json!({"model_overrides": [{"role": "small", "model": "m/x"}, {"role": "mayor", "model": "other/one"}]}),
        None,
        &["model_overrides.1.model unknown_model"],
    );
}

#[test]
fn a_new_town_is_balanced_unless_it_is_created_with_models() {
    let world = World::new();
    let create = |patch: Option<Value>| new_town(patch.as_ref(), &world.context()).unwrap().config;
    let profile = |patch: Value| create(Some(patch)).models.model_profile;
    assert_eq!(create(None).models.model_profile.as_deref(), Some("balanced"));
    assert_eq!(create(None).refinery.auto_merge_delay_minutes, Some(5));
    assert_eq!(create(None).merge_strategy, Some(MERGE_STRATEGY_DEFAULT));
    assert_eq!(profile(json!({})).as_deref(), Some("balanced"));
    assert_eq!(profile(json!({"max_sessions": 3})).as_deref(), Some("balanced"));
    assert_eq!(profile(json!({"default_model": ""})).as_deref(), Some("balanced"));
    assert_eq!(profile(json!({"default_model": "m/def"})), None);
    assert_eq!(profile(json!({"small_model": "m/small"})), None);
    assert_eq!(profile(json!({"role_models": {"polecat": "m/x"}})), None);
    assert_eq!(profile(json!({"model_profile": "premium"})).as_deref(), Some("premium"));
    assert_eq!(profile(json!({"model_profile": "frugal", "small_model": "m/small"})).as_deref(), Some("frugal"));
    assert!(new_town(Some(&json!({"colour": 1})), &world.context()).is_err());
}

#[test]
fn roles_merge_by_key_and_rules_are_replaced_as_a_whole() {
    let stored = town_with(json!({
        "role_models": {"mayor": "m/x", "polecat": "m/x"},
        "model_overrides": [{"role": "polecat", "model": "m/x"}, {"role": "mayor", "model": "m/x"}],
    }));
    let patched = World::new().town(
        &stored,
        json!({
            "role_models": {"mayor": "", "refinery": "m/def"},
            "model_overrides": [{"role": "small", "model": "m/x"}, {"role": "mayor", "model": ""}],
        }),
    );
    assert_eq!(
        serde_json::to_value(patched.unwrap().config).unwrap(),
        json!({
            "role_models": {"refinery": "m/def", "polecat": "m/x"},
            "model_overrides": [{"role": "small", "model": "m/x"}],
        })
    );
}

#[test]
fn a_preview_tries_model_settings_only() {
    let world = World::new();
    let config = town_with(json!({"model_profile": "balanced"}));
    let models = draft_models(&config, &json!({"role_models": {"mayor": "m/x"}}), &world.context()).unwrap();
    assert_eq!(models.model_profile.as_deref(), Some("balanced"));
    assert_eq!(models.role_models.mayor.unwrap().as_str(), "m/x");
    let refused = draft_models(&config, &json!({"max_sessions": 1}), &world.context()).unwrap_err();
    assert_eq!(
        (refused.code, refused.issues[0].path.clone()),
        (ConfigCode::UnknownField, vec!["max_sessions".to_owned()])
    );
}
