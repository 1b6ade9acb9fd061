//! KILO_CONFIG_CONTENT, the only place that knows its shape (container.md 4). Pure: a specification goes in, the bytes
//! come out, and the golden files beside this one say which. kilo obeys the last permission rule that fits, so rules
//! are lists of pairs here and keep their order; nothing passes through a sorted map.

use gastown_core::sorted::SortedMap;
use std::path::Path;

use gastown_core::wire::control::{ModelLimit, Role};
use serde_json::{Map, Value, json};

/// What the configuration depends on.
#[derive(Debug, Clone)]
pub struct Spec<'a> {
    /// Whose permissions.
    pub role: Role,
    /// Model of every working slot.
    pub model: &'a str,
    /// Model of small work.
    pub small_model: &'a str,
    /// Window sizes by model id.
    pub limits: &'a SortedMap<String, ModelLimit>,
    /// `http://127.0.0.1:4100`.
    pub broker: &'a str,
    /// The session's capability.
    pub capability: &'a str,
    /// Holds `role.md`.
    pub session_dir: &'a Path,
    /// May hold `AGENTS.md`.
    pub work_dir: &'a Path,
    /// Bundle of the plugin.
    pub plugin: &'a Path,
}

/// Window of a model that the order does not describe.
const LIMIT_DEFAULT: ModelLimit = ModelLimit { context: 200_000, output: 32_000 };

/// The content of KILO_CONFIG_CONTENT.
pub fn content(spec: &Spec<'_>) -> String {
    let main = format!("gastown/{}", spec.model);
    let small = format!("gastown/{}", spec.small_model);
    object([
        ("provider", json!({ "gastown": provider(spec) })),
        ("enabled_providers", json!(["gastown"])),
        ("model", json!(main)),
        ("small_model", json!(small)),
        (
            "agent",
            json!({
                "code": { "model": main },
                "plan": { "model": main, "permission": { "edit": "deny" } },
                "general": { "model": main, "permission": { "gt_*": "deny" } },
                "explore": { "model": main, "permission": { "edit": "deny", "gt_*": "deny" } },
                "title": { "model": small },
            }),
        ),
        ("permission", permission(spec.role)),
        ("instructions", json!([spec.session_dir.join("role.md"), spec.work_dir.join("AGENTS.md")])),
        ("plugin", json!([format!("file://{}", spec.plugin.display())])),
        ("share", json!("disabled")),
        ("autoupdate", json!(false)),
        ("snapshot", json!(false)),
        ("lsp", json!(false)),
        ("formatter", json!(false)),
    ])
    .to_string()
}

fn provider(spec: &Spec<'_>) -> Value {
    let mut models = Map::new();
    for id in [spec.model, spec.small_model] {
        let limit = spec.limits.get(id).copied().unwrap_or(LIMIT_DEFAULT);
        let limit = json!({ "context": limit.context, "output": limit.output });
        models.insert(id.to_owned(), json!({ "name": id, "tool_call": true, "limit": limit }));
    }
    json!({
        "npm": "@ai-sdk/openai-compatible",
        "name": "Gas Town",
        "options": {
            "baseURL": format!("{}/llm/v1", spec.broker),
            "apiKey": spec.capability,
            "includeUsage": true,
            "timeout": false,
        },
        "models": models,
    })
}

/// One rule, or the rules of one tool by pattern.
enum Rule {
    All(&'static str),
    By(&'static [(&'static str, &'static str)]),
}

use Rule::{All, By};

const ALLOW: &str = "allow";
const DENY: &str = "deny";

/// For every role: nothing may ever ask, since nobody would answer.
const COMMON: &[(&str, &str)] = &[
    ("*", ALLOW),
    ("question", DENY),
    ("suggest", DENY),
    ("plan_enter", DENY),
    ("plan_exit", DENY),
    ("websearch", DENY),
    ("codesearch", DENY),
    ("board_*", DENY),
    ("kilo_*", DENY),
    ("notify_user", DENY),
    ("send_file", DENY),
    ("goal_report", DENY),
    ("agent_manager", DENY),
    ("notebook_*", DENY),
    ("doom_loop", ALLOW),
];

const READ_WITHOUT_SECRETS: &[(&str, &str)] =
    &[("*", ALLOW), ("*.env", DENY), ("*.env.*", DENY), ("*.env.example", ALLOW)];

const POLECAT: &[(&str, Rule)] = &[
    ("external_directory", All(ALLOW)),
    // Without the explicit globs kilo 7.7 asks.
    ("read", By(&[("*", ALLOW), ("*.env", ALLOW), ("*.env.*", ALLOW)])),
    ("bash", By(&[("*", ALLOW), ("git push --force*", DENY), ("git push -f*", DENY), ("gh pr merge*", DENY)])),
];

const REFINERY: &[(&str, Rule)] = &[
    ("edit", All(DENY)),
    ("external_directory", All(ALLOW)),
    ("read", By(READ_WITHOUT_SECRETS)),
    ("bash", By(&[("*", ALLOW), ("git push*", DENY), ("git commit*", DENY)])),
];

const TRIAGE: &[(&str, Rule)] = &[
    ("edit", All(DENY)),
    ("bash", All(DENY)),
    ("webfetch", All(DENY)),
    ("external_directory", All(DENY)),
    ("task", All(DENY)),
];

const MAYOR: &[(&str, Rule)] = &[
    ("edit", All(DENY)),
    ("webfetch", All(DENY)),
    ("external_directory", All(DENY)),
    ("read", By(READ_WITHOUT_SECRETS)),
    (
        "bash",
        By(&[
            ("*", DENY),
            ("git log*", ALLOW),
            ("git show*", ALLOW),
            ("git diff*", ALLOW),
            ("git blame*", ALLOW),
            ("git -C * log*", ALLOW),
            ("git -C * show*", ALLOW),
            ("git -C * diff*", ALLOW),
            ("git -C * blame*", ALLOW),
            ("*>*", DENY),
            ("*--output*", DENY),
            ("* -c *", DENY),
            ("*--config-env*", DENY),
            ("*--exec-path*", DENY),
        ]),
    ),
];

fn permission(role: Role) -> Value {
    let own = match role {
        Role::Polecat => POLECAT,
        Role::Refinery => REFINERY,
        Role::Triage => TRIAGE,
        Role::Mayor => MAYOR,
    };
    let common = COMMON.iter().map(|(tool, rule)| (*tool, json!(rule)));
    let own = own.iter().map(|(tool, rule)| match rule {
        All(rule) => (*tool, json!(rule)),
        By(rules) => (*tool, object(rules.iter().map(|(pattern, rule)| (*pattern, json!(rule))))),
    });
    object(common.chain(own))
}

/// The tools that the plugin registers for a role (api.md 8); a session whose server lacks one of the few that it
/// cannot work without does not start.
pub const fn required_tools(role: Role) -> &'static [&'static str] {
    match role {
        Role::Polecat => &["gt_done"],
        Role::Refinery => &["gt_approve", "gt_request_changes"],
        Role::Triage => &["gt_done"],
        Role::Mayor => &["gt_sling"],
    }
}

fn object<'a>(pairs: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(role: Role, work_dir: &str, model: &str, small_model: &str, expected: &str) {
        let limits = SortedMap::new();
        let spec = Spec {
            role,
            model,
            small_model,
            limits: &limits,
            broker: "http://127.0.0.1:4100",
            capability: "gtc_test",
            session_dir: Path::new("/s"),
            work_dir: Path::new(work_dir),
            plugin: Path::new("/p/gastown.js"),
        };
        assert_eq!(content(&spec), expected.trim_end());
    }

    #[test]
    fn each_role_equals_its_golden_file() {
        let (sonnet, haiku) = ("anthropic/claude-sonnet-4.6", "anthropic/claude-haiku-4.5");
        check(Role::Polecat, "/w", sonnet, haiku, include_str!("golden/polecat.json"));
        check(Role::Mayor, "/desk", "m/one", "m/one", include_str!("golden/mayor.json"));
        check(Role::Refinery, "/w", "plain", "other", include_str!("golden/refinery.json"));
        check(Role::Triage, "/light", "plain", "plain", include_str!("golden/triage.json"));
    }

    #[test]
    fn given_limits_are_used() {
        let limits = [("m".to_owned(), ModelLimit { context: 10, output: 5 })].into();
        let spec = Spec {
            role: Role::Triage,
            model: "m",
            small_model: "s",
            limits: &limits,
            broker: "b",
            capability: "c",
            session_dir: Path::new("/s"),
            work_dir: Path::new("/w"),
            plugin: Path::new("/p"),
        };
        let value: Value = serde_json::from_str(&content(&spec)).unwrap();
        assert_eq!(value["provider"]["gastown"]["models"]["m"]["limit"], json!({"context": 10, "output": 5}));
        assert_eq!(value["provider"]["gastown"]["models"]["s"]["limit"]["context"], 200_000);
    }
}
