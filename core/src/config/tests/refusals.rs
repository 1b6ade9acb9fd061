//! What is refused, with which code and at which path; a refused patch tells all that is wrong with it.

use serde_json::{Value, json};

use super::*;

fn check_town(patch: Value, expected: &str) {
    assert_eq!(outcome(World::new().town(&TownConfig::default(), patch.clone())), expected, "{patch}");
}

fn check_rig(patch: Value, expected: &str) {
    assert_eq!(outcome(World::new().rig(&RigConfig::default(), patch.clone())), expected, "{patch}");
}

#[test]
fn shapes() {
    check_town(json!({}), "invalid_request:  too_small");
    check_town(json!([]), "invalid_request:  invalid_type");
    check_town(json!({"colour": "red"}), "unknown_field: colour unknown_field");
    check_town(json!({"refinery": {"colour": 1}}), "unknown_field: refinery.colour unknown_field");
    check_town(json!({"refinery.auto_merge": true}), "unknown_field: refinery.auto_merge unknown_field");
    check_town(json!({"refinery": {"auto_merge.x": true}}), "unknown_field: refinery.auto_merge.x unknown_field");
    check_town(json!({"refinery": 5}), "invalid_request: refinery invalid_type");
    check_town(json!({"max_sessions": "5"}), "invalid_request: max_sessions invalid_type");
    check_town(json!({"max_sessions": 5.5}), "invalid_request: max_sessions invalid_type");
    check_town(json!({"max_sessions": 0}), "invalid_request: max_sessions too_small");
    check_town(json!({"max_sessions": -1}), "invalid_request: max_sessions too_small");
    check_town(json!({"max_sessions": 201}), "invalid_request: max_sessions too_big");
    check_town(json!({"budget": {"bead_usd": 0}}), "invalid_request: budget.bead_usd too_small");
    check_town(json!({"budget": {"bead_usd": -2.5}}), "invalid_request: budget.bead_usd too_small");
    check_town(json!({"budget": {"bead_usd": 1e12}}), "invalid_request: budget.bead_usd too_big");
    check_town(json!({"budget": {"bead_tokens": 0.5}}), "invalid_request: budget.bead_tokens invalid_type");
    check_town(json!({"merge_strategy": "rebase"}), "invalid_request: merge_strategy invalid_enum");
    check_town(json!({"refinery": {"gates": "make"}}), "invalid_request: refinery.gates invalid_type");
    check_town(json!({"refinery": {"gates": ["make", " "]}}), "invalid_request: refinery.gates.1 too_small");
    check_town(json!({"refinery": {"gates": vec!["x"; 21]}}), "invalid_request: refinery.gates too_big");
    check_town(
        json!({"custom_instructions": {"mayor": "x".repeat(2001)}}),
        "invalid_request: custom_instructions.mayor too_big",
    );
    check_town(json!({"git_author_name": "a\nb"}), "invalid_request: git_author_name invalid_string");
    check_town(json!({"git_author_email": "nobody"}), "invalid_request: git_author_email invalid_string");
    check_town(json!({"model_overrides": {}}), "invalid_request: model_overrides invalid_type");
    check_town(
        json!({"model_overrides": vec![json!({"role": "mayor", "model": "m/x"}); 101]}),
        "invalid_request: model_overrides too_big",
    );
}

#[test]
fn meanings() {
    check_town(json!({"default_model": "-x"}), "bad_model_id: default_model bad_model_id");
    check_town(json!({"model_profile": "golden"}), "unknown_profile: model_profile unknown_profile");
    check_town(
        json!({"model_overrides": [{"role": "triage", "model": "m/x"}]}),
        "unknown_role: model_overrides.0.role unknown_role",
    );
    check_town(json!({"merge_strategy": "pr"}), "not_offered: merge_strategy not_offered");
    check_town(
        json!({"refinery": {"require_clean_merge": false}}),
        "read_only_field: refinery.require_clean_merge read_only_field",
    );
    check_town(json!({"version": 4}), "read_only_field: version read_only_field");
    check_town(json!({"version": 3, "max_sessions": 4}), r#"{"max_sessions":4}"#);
    check_town(
        json!({"git_auth": {"platform_integration_id": "1"}}),
        "unsupported_value: git_auth.platform_integration_id unsupported_value",
    );
    check_town(json!({"llm": {"base_url": "http://example.org"}}), "unsafe_url: llm.base_url unsafe_url");
    check_town(json!({"llm": {"base_url": "https://me:pw@example.org"}}), "unsafe_url: llm.base_url unsafe_url");
    check_town(json!({"llm": {"base_url": "example.org"}}), "invalid_request: llm.base_url invalid_string");
    check_town(json!({"llm": {"base_url": "https:///v1"}}), "invalid_request: llm.base_url invalid_string");
    check_town(
        json!({"llm": {"base_url": "https://example.org/v1?x=1"}}),
        "invalid_request: llm.base_url invalid_string",
    );
    check_town(
        json!({"llm": {"base_url": "https://example.org/v1/"}}),
        r#"{"llm":{"base_url":"https://example.org/v1"}}"#,
    );
    check_rig(json!({"role_models": {"mayor": "m/x"}}), "mayor_is_town_level: role_models.mayor mayor_is_town_level");
    check_rig(json!({"role_models": {"mayor": null}}), "{}");
    check_rig(json!({"merge_strategy": "pr"}), "not_offered: merge_strategy not_offered");
    check_rig(json!({"git_push_flags": "--force"}), "unsupported_value: git_push_flags unsupported_value");
    check_rig(
        json!({"git_push_flags": "--tags --receive-pack=x"}),
        "unsupported_value: git_push_flags unsupported_value",
    );
    check_rig(json!({"max_concurrent_polecats": 51}), "invalid_request: max_concurrent_polecats too_big");
    check_rig(json!({"max_sessions": 5}), "unknown_field: max_sessions unknown_field");
}

#[test]
fn all_that_is_wrong_is_told_and_the_most_basic_names_the_refusal() {
    check_town(
        json!({"default_model": "-x", "colour": 1, "max_sessions": 0}),
        "unknown_field: default_model bad_model_id; colour unknown_field; max_sessions too_small",
    );
}

#[test]
fn offers_open_what_is_refused_without_them() {
    let mut world = World::new();
    world.offers = Offers { pull_requests: true, github_app: true, local_urls: true };
    let patch = json!({
        "merge_strategy": "pr", "llm": {"base_url": "http://127.0.0.1:8080"},
        "git_auth": {"platform_integration_id": "1"},
    });
    assert!(world.town(&TownConfig::default(), patch).is_ok());
}

#[test]
fn keys_of_old_clients_are_ignored_with_a_warning() {
    let patched = World::new().town(&TownConfig::default(), json!({"alarm_interval_active": 5})).unwrap();
    assert_eq!(patched.config, TownConfig::default());
    assert_eq!(patched.warnings[0].code, WarningCode::IgnoredField);
}

#[test]
fn the_mayor_sets_what_concerns_its_work() {
    let world = World { editor: Editor::Mayor, ..World::new() };
    let allowed =
        json!({"default_model": "m/def", "staged_convoys_default": true, "custom_instructions": {"polecat": "x"}});
    assert!(world.town(&TownConfig::default(), allowed.clone()).is_ok());
    let refused = world.town(&TownConfig::default(), json!({"max_sessions": 0}));
    assert_eq!(outcome(refused), "role_not_allowed: max_sessions role_not_allowed");
    let closed = TownConfig { mayor_may_configure: Some(false), ..TownConfig::default() };
    assert_eq!(outcome(world.town(&closed, allowed)), "role_not_allowed:  role_not_allowed");
    assert_eq!(
        outcome(world.rig(&RigConfig::default(), json!({"max_concurrent_polecats": 2}))),
        r#"{"max_concurrent_polecats":2}"#
    );
    assert_eq!(
        outcome(world.rig(&RigConfig::default(), json!({"max_concurrent_polecats": 3}))),
        "role_not_allowed: max_concurrent_polecats role_not_allowed"
    );
}
