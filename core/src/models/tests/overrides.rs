//! What a town may say, and the code of each refusal (models.md 3).

use serde_json::{Value, json};

use super::*;

fn check(entries: Value, expected: &str) {
    let rigs = [RigId::from_u128(1)];
    let shown = match read_overrides(entries.as_array().unwrap(), &rigs) {
        Ok(overrides) => serde_json::to_string(&overrides).unwrap(),
        Err(issues) => {
            let line = |issue: &OverrideIssue| {
                format!("{}.{} {}", issue.index, issue.field.as_deref().unwrap_or("*"), issue.code)
            };
            issues.iter().map(line).collect::<Vec<_>>().join("; ")
        }
    };
    assert_eq!(shown, expected, "{entries}");
}

#[test]
fn each_rule_has_its_code() {
    let rig = RigId::from_u128(1).to_string();
    let other = RigId::from_u128(2).to_string();
    check(json!([]), "[]");
    check(json!([{"role": "polecat", "model": " m/x "}]), r#"[{"role":"polecat","model":"m/x"}]"#);
    check(
        json!([{"role": "polecat", "label": "", "rig_id": null, "model": "m/x"}]),
        r#"[{"role":"polecat","model":"m/x"}]"#,
    );
    check(json!([{"role": "polecat", "model": " "}, {"role": "mayor"}]), "[]");
    check(json!([{"model": "m/x"}]), "0.role unknown_role");
    check(json!([{"role": "triage", "model": "m/x"}]), "0.role unknown_role");
    check(json!([{"role": "mayor", "label": "gt:rework", "model": "m/x"}]), "0.label scope_not_allowed");
    check(json!([{"role": "small", "rig_id": rig, "model": "m/x"}]), "0.rig_id scope_not_allowed");
    check(json!([{"role": "polecat", "label": "gt:held", "model": "m/x"}]), "0.label label_not_routable");
    check(json!([{"role": "refinery", "rig_id": other, "model": "m/x"}]), "0.rig_id unknown_rig");
    check(json!([{"role": "refinery", "rig_id": "api", "model": "m/x"}]), "0.rig_id unknown_rig");
    check(json!([{"role": "refinery", "model": "m//x"}]), "0.model bad_model_id");
    check(json!([{"role": 1, "model": "m/x"}]), "0.role invalid_type");
    check(json!(["polecat"]), "0.* invalid_type");
    check(json!([{"role": "mayor", "model": "m/x", "when": "night"}]), "0.when unknown_field");
    check(
        json!([{"role": "x", "model": "-"}, {"role": "y", "model": "m/x"}]),
        "0.role unknown_role; 0.model bad_model_id; 1.role unknown_role",
    );
}

#[test]
fn an_absent_part_counts_when_looking_for_duplicates() {
    let rig = RigId::from_u128(1).to_string();
    check(
        json!([{"role": "polecat", "model": "m/x"}, {"role": "polecat", "label": null, "model": "m/y"}]),
        "1.* duplicate_override",
    );
    check(
        json!([{"role": "polecat", "model": "m/x"}, {"role": "polecat", "rig_id": rig, "model": "m/y"}]),
        &format!(r#"[{{"role":"polecat","model":"m/x"}},{{"role":"polecat","rig_id":"{rig}","model":"m/y"}}]"#),
    );
}

#[test]
fn model_ids_have_one_form() {
    let long = "a".repeat(200);
    for good in ["a", "m/def", "anthropic/claude-sonnet-4.6", "9b", "a:b@c_d", "o/p/q", &long] {
        assert_eq!(good.parse::<ModelId>().map(|id| id.to_string()), Ok(good.to_owned()));
    }
    let too_long = "a".repeat(201);
    for bad in ["", " ", "a//b", "a/", "/a", "-a", ".a", "a b", "a\n.", "é", "a?b", &too_long] {
        assert_eq!(bad.parse::<ModelId>(), Err(BadModelId), "{bad}");
    }
    assert_eq!(ModelId::chosen(Some(" \t")), Ok(None));
    assert_eq!(ModelId::chosen(None), Ok(None));
    assert_eq!(id("openrouter/anthropic/x").short(), "anthropic/x");
    assert_eq!(id("local").short(), "local");
}
