//! Secrets pass through a patch once: the document keeps their trace, the reply their mask.

use serde_json::{Value, json};

use super::*;

const TOKEN: &str = "ghp-0123456789abcd";

/// The changes as text; values are exposed here, and only here, to be compared.
fn changes(patched: &Patched<TownConfig>) -> Vec<String> {
    let line = |change: &SecretChange| match change {
        SecretChange::Set(name, value) => format!("{name} = {}", value.expose()),
        SecretChange::Remove(name) => format!("{name} removed"),
    };
    patched.secrets.iter().map(line).collect()
}

fn step(config: &TownConfig, patch: Value, expected: &[&str]) -> TownConfig {
    let patched = World::new().town(config, patch.clone()).unwrap();
    assert_eq!(changes(&patched), expected, "{patch}");
    assert_eq!(patched.changed.is_empty(), expected.is_empty(), "{patch}");
    patched.config
}

#[test]
fn a_credential_is_set_kept_replaced_and_removed() {
    let at = |value: Value| json!({"git_auth": {"github_token": value}});
    let config =
        step(&TownConfig::default(), at(json!(format!(" {TOKEN}\n"))), &[&format!("git_auth.github_token = {TOKEN}")]);
    assert_eq!(serde_json::to_value(&config).unwrap(), at(json!({"last4": "abcd"})));
    assert_eq!(town_view(&config)["git_auth"]["github_token"], "****abcd");
    assert_eq!(town_view(&config)["git_auth"]["gitlab_token"], Value::Null);
    let config = step(&config, at(json!("****abcd")), &[]);
    let config = step(&config, at(json!("short")), &["git_auth.github_token = short"]);
    assert_eq!(town_view(&config)["git_auth"]["github_token"], "****");
    let config = step(&config, at(json!("****")), &[]);
    let config = step(&config, at(Value::Null), &["git_auth.github_token removed"]);
    assert_eq!(config, TownConfig::default());
    step(&config, at(Value::Null), &[]);
    step(&config, at(json!(" ")), &[]);
}

#[test]
fn the_same_value_again_is_stored_again() {
    let patch = json!({"kilocode_token": TOKEN});
    let config = step(&TownConfig::default(), patch.clone(), &[&format!("kilocode_token = {TOKEN}")]);
    step(&config, patch, &[&format!("kilocode_token = {TOKEN}")]);
}

#[test]
fn the_mask_of_an_older_value_is_not_taken_for_a_value() {
    let config = town_with(json!({"github_cli_pat": TOKEN}));
    let refused = World::new().town(&config, json!({"github_cli_pat": "****wxyz"}));
    assert_eq!(outcome(refused), "unsupported_value: github_cli_pat unsupported_value");
    let refused = World::new().town(&TownConfig::default(), json!({"env_vars": {"A": "****"}}));
    assert_eq!(outcome(refused), "unsupported_value: env_vars.A unsupported_value");
}

#[test]
fn variables_merge_by_name() {
    let config = step(
        &TownConfig::default(),
        json!({"env_vars": {"LOG_LEVEL": "debug", "_API": " 0123456789abcd "}}),
        &["env_vars.LOG_LEVEL = debug", "env_vars._API =  0123456789abcd "],
    );
    assert_eq!(town_view(&config)["env_vars"], json!({"LOG_LEVEL": "****", "_API": "****bcd "}));
    let config = step(
        &config,
        json!({"env_vars": {"LOG_LEVEL": null, "_API": "****bcd ", "NEW": ""}}),
        &["env_vars.LOG_LEVEL removed", "env_vars.NEW = "],
    );
    assert_eq!(config.env_vars.keys().collect::<Vec<_>>(), ["NEW", "_API"]);
    let config = step(&config, json!({"env_vars": null}), &["env_vars.NEW removed", "env_vars._API removed"]);
    assert_eq!(config, TownConfig::default());
}

#[test]
fn names_of_variables() {
    let check = |name: &str, expected: &str| {
        let refused = World::new().town(&TownConfig::default(), json!({"env_vars": {name: "x"}}));
        assert_eq!(
            outcome(refused),
            format!(
                "{expected}: env_vars.{name} {}",
                match expected {
                    "invalid_request" => "invalid_string",
                    other => other,
                }
            )
        );
    };
    for reserved in [
        "PATH",
        "HOME",
        "NODE_OPTIONS",
        "GH_TOKEN",
        "GASTOWN_X",
        "KILO",
        "KILO_CONFIG",
        "OPENCODE_X",
        "GIT_DIR",
        "GITHUB_TOKEN",
        "GITLAB_TOKEN",
        "LD_PRELOAD",
        "XDG_DATA_HOME",
    ] {
        check(reserved, "reserved_name");
    }
    let long = "A".repeat(129);
    for bad in ["", "1A", "A-B", "A.B", "Ä", &long] {
        check(bad, "invalid_request");
    }
    let many: serde_json::Map<String, Value> = (0..101).map(|n| (format!("V{n}"), json!("x"))).collect();
    let refused = World::new().town(&TownConfig::default(), json!({"env_vars": many}));
    assert_eq!(outcome(refused), "invalid_request: env_vars too_big");
    let refused = World::new().town(&TownConfig::default(), json!({"env_vars": {"A": "x".repeat(8193), "B": 1}}));
    assert_eq!(outcome(refused), "invalid_request: env_vars.A too_big; env_vars.B invalid_type");
}

#[test]
fn a_key_does_not_follow_the_endpoint_to_another_host() {
    let set = format!("kilocode_token = {TOKEN}");
    let config = step(
        &TownConfig::default(),
        json!({"kilocode_token": TOKEN, "llm": {"base_url": "https://one.example"}}),
        &[&set],
    );
    assert!(config.kilocode_token.is_some());
    let same = json!({"llm": {"base_url": "https://one.example/"}});
    assert_eq!(World::new().town(&config, same).unwrap().secrets, []);
    step(&config, json!({"llm": {"base_url": "https://two.example"}}), &["kilocode_token removed"]);
    step(&config, json!({"llm": {"base_url": null}}), &["kilocode_token removed"]);
    step(
        &config,
        json!({"llm": {"base_url": "https://two.example"}, "kilocode_token": "****abcd"}),
        &["kilocode_token removed"],
    );
    let both = json!({"llm": {"base_url": "https://two.example"}, "kilocode_token": "another-key-9876"});
    assert!(step(&config, both, &["kilocode_token = another-key-9876"]).kilocode_token.is_some());
}

#[test]
fn nothing_prints_a_secret() {
    let patched =
        World::new().town(&TownConfig::default(), json!({"kilocode_token": TOKEN, "env_vars": {"A": TOKEN}})).unwrap();
    let printed = format!("{patched:?} {} {:?}", json!(patched.config), town_view(&patched.config));
    assert!(!printed.contains(TOKEN) && printed.contains("****abcd"));
    let refused = World::new().town(&TownConfig::default(), json!({"kilocode_token": format!("{TOKEN} {TOKEN}")}));
    assert!(!format!("{:?}", refused.unwrap_err()).contains(TOKEN));
}

#[test]
fn names_survive_the_table_of_secrets() {
    for text in ["env_vars.A", "git_auth.github_token", "git_auth.gitlab_token", "github_cli_pat", "kilocode_token"] {
        assert_eq!(text.parse::<SecretName>().unwrap().to_string(), text);
    }
    assert_eq!("password".parse::<SecretName>(), Err(UnknownSecret));
}
