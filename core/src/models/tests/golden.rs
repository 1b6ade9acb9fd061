//! The golden table of models.md 7, row by row, in its own notation.

use serde_json::json;

use super::*;

fn rig(name: &str) -> Option<RigModels> {
    let settings = match name {
        "–" => return None,
        "api" => json!({"default_model": "m/api-def", "role_models": {"polecat": "m/api-pole"}}),
        "web" => json!({"default_model": "m/web-def"}),
        "bare" => json!({}),
        other => panic!("no rig {other}"),
    };
    let mut settings = settings;
    settings["rig_id"] = json!(rig_id(name));
    settings["name"] = json!(name);
    Some(serde_json::from_value(settings).unwrap())
}

fn rig_id(name: &str) -> RigId {
    RigId::from_u128(["api", "web", "bare"].iter().position(|rig| *rig == name).unwrap() as u128 + 1)
}

fn town(name: &str) -> TownModels {
    let over = |entries: serde_json::Value| {
        let rigs = ["api", "web", "bare"].map(rig_id);
        json!(read_overrides(entries.as_array().unwrap(), &rigs).unwrap())
    };
    let settings = match name {
        "E" => json!({}),
        "D" => json!({"default_model": "m/def"}),
        "R" => json!({"default_model": "m/def", "role_models": {"mayor": "m/mayor", "refinery": "m/ref"}}),
        "P" => json!({"default_model": "m/def", "small_model": "m/small",
            "role_models": {"mayor": "m/mayor", "refinery": "m/ref", "polecat": "m/pole"}}),
        "Q" => json!({"default_model": "", "role_models": {"mayor": "", "polecat": "  "}}),
        "B" => json!({"model_profile": "balanced"}),
        "F" => json!({"model_profile": "frugal", "default_model": "m/def", "small_model": "m/small"}),
        "X" => json!({"model_profile": "premium"}),
        "V" => {
            json!({"model_profile": "balanced", "role_models": {"refinery": "m/ref"}, "model_overrides": over(json!([
                {"role": "polecat", "label": "gt:pr-fixup", "model": "m/o-fix"},
                {"role": "polecat", "label": "gt:pr-fixup", "rig_id": rig_id("api"), "model": "m/o-fix-api"},
                {"role": "polecat", "rig_id": rig_id("web"), "model": "m/o-web"},
                {"role": "mayor", "model": "m/o-mayor"},
                {"role": "small", "model": "m/o-small"},
                {"role": "polecat", "label": "gt:rework", "model": "m/o-rework"},
            ]))})
        }
        "C" => json!({"default_model": "m/def", "role_models": {"refinery": "m/ref"}, "model_overrides": over(json!([
            {"role": "polecat", "label": "gt:triage", "model": "m/o-tri"},
            {"role": "refinery", "model": "m/o-ref"},
        ]))}),
        other => panic!("no town {other}"),
    };
    serde_json::from_value(settings).unwrap()
}

/// Number, town, role, rig, labels, bead model, model, rule.
const TABLE: &str = "
    1 | E | polecat | bare | – | – | S | fallback
    2 | E | mayor | – | – | – | S | fallback
    3 | E | small | – | – | – | H | fallback_small
    4 | D | polecat | bare | – | – | m/def | town_default
    5 | D | mayor | – | – | – | m/def | town_default
    6 | R | mayor | – | – | – | m/mayor | town_role
    7 | R | refinery | bare | – | – | m/ref | town_role
    8 | R | polecat | bare | – | – | m/def | town_default
    9 | R | polecat | bare | pr-fixup | – | m/def | town_default
    10 | P | polecat | web | – | – | m/pole | town_role
    11 | P | polecat | api | – | – | m/api-pole | rig_role
    12 | P | refinery | api | – | – | m/ref | town_role
    13 | D | refinery | api | – | – | m/api-def | rig_default
    14 | D | polecat | web | – | – | m/web-def | rig_default
    15 | D | mayor | api | – | – | m/def | town_default
    16 | P | small | – | – | – | m/small | town_small
    17 | Q | polecat | bare | – | – | S | fallback
    18 | B | mayor | – | – | – | O | profile_role
    19 | B | polecat | bare | – | – | S | profile_role
    20 | B | polecat | bare | pr-fixup | – | H | profile_role_label
    21 | B | polecat | bare | triage | – | H | profile_role_label
    22 | B | refinery | bare | – | – | S | profile_role
    23 | B | polecat | api | – | – | m/api-pole | rig_role
    24 | B | polecat | api | pr-feedback | – | H | profile_role_label
    25 | B | polecat | web | – | – | m/web-def | rig_default
    26 | B | polecat | bare | pr-fixup, pr-conflict | – | S | profile_role_label
    27 | B | polecat | bare | bug, held | – | S | profile_role
    28 | B | polecat | bare | pr-fixup | m/bead | m/bead | bead
    29 | B | mayor | – | triage | m/bead | O | profile_role
    30 | B | none | – | pr-fixup | – | S | fallback
    31 | F | polecat | bare | – | – | H | profile_role
    32 | F | none | – | – | – | m/def | town_default
    33 | F | small | – | – | – | H | profile_small
    34 | F | refinery | bare | rework | – | S | profile_role
    35 | X | polecat | bare | rework | – | O | profile_role_label
    36 | V | polecat | bare | pr-fixup | – | m/o-fix | override_role_label
    37 | V | polecat | api | pr-fixup | – | m/o-fix-api | override_role_label_rig
    38 | V | polecat | web | – | – | m/o-web | override_role_rig
    39 | V | polecat | web | triage | – | H | profile_role_label
    40 | V | polecat | bare | pr-conflict, rework | – | m/o-rework | override_role_label
    41 | V | polecat | bare | rework, pr-fixup | – | m/o-fix | override_role_label
    42 | V | polecat | api | rework, pr-fixup | – | m/o-fix-api | override_role_label_rig
    43 | V | mayor | api | – | m/bead | m/o-mayor | override_role
    44 | V | small | – | – | – | m/o-small | override_small
    45 | V | polecat | api | pr-fixup | m/bead | m/bead | bead
    46 | V | polecat | api | – | – | m/api-pole | rig_role
    47 | C | polecat | bare | triage | – | m/o-tri | override_role_label
    48 | C | refinery | web | – | – | m/o-ref | override_role
    49 | C | refinery | web | – | m/bead | m/bead | bead
    50 | C | polecat | web | pr-fixup | – | m/web-def | rig_default
    51 | D | polecat | bare | – | (blank) | m/def | town_default
";

/// Row number → the sentence that people read.
const SENTENCES: &[(&str, &str)] = &[
    ("1", "claude-sonnet-4.6 because: built-in fallback"),
    ("4", "def because: town \"Default model\""),
    ("7", "ref because: town \"Refinery\""),
    ("11", "api-pole because: rig api \"Polecat\""),
    ("14", "web-def because: rig web \"Default model\""),
    ("18", "claude-opus-4.7 because: profile balanced \"Mayor\""),
    ("20", "claude-haiku-4.5 because: profile balanced \"Polecat - label gt:pr-fixup\""),
    ("28", "bead because: model chosen for this bead"),
    ("36", "o-fix because: override \"Polecat - label gt:pr-fixup\""),
    ("38", "o-web because: override \"Polecat - rig web\""),
    ("42", "o-fix-api because: override \"Polecat - label gt:pr-fixup - rig api\""),
    ("43", "o-mayor because: override \"Mayor\""),
];

struct Row {
    number: String,
    role: String,
    model: String,
    rule: Rule,
    resolution: Resolution,
}

fn rows() -> Vec<Row> {
    let catalogue = shipped();
    let read = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [number, town_name, role, rig_name, labels, bead_model, model, rule] = cells[..] else {
            panic!("eight cells: {line}")
        };
        let labels: Vec<String> = match labels {
            "–" => Vec::new(),
            some => some.split(", ").map(|label| format!("gt:{label}")).collect(),
        };
        let bead_model = match bead_model {
            "–" => None,
            "(blank)" => Some("  "),
            some => Some(some),
        };
        let bead_model = ModelId::chosen(bead_model).unwrap();
        let asked = if role == "small" { "polecat" } else { role };
        let task = Task::from_words(asked, &labels, bead_model).unwrap();
        Row {
            number: number.to_owned(),
            role: role.to_owned(),
            model: long(model),
            rule: rule.parse().unwrap(),
            resolution: resolve(&town(town_name), &catalogue, rig(rig_name).as_ref(), &task),
        }
    };
    TABLE.lines().filter(|line| !line.trim().is_empty()).map(read).collect()
}

fn long(name: &str) -> String {
    match name {
        "H" => "anthropic/claude-haiku-4.5".to_owned(),
        "S" => "anthropic/claude-sonnet-4.6".to_owned(),
        "O" => "anthropic/claude-opus-4.7".to_owned(),
        other => other.to_owned(),
    }
}

#[test]
fn every_row_of_the_table_resolves_as_written() {
    let rows = rows();
    assert_eq!(rows.len(), 51);
    for row in rows {
        let (model, trace) = match row.role.as_str() {
            "small" => (&row.resolution.small_model, &row.resolution.small_trace),
            _ => (&row.resolution.model, &row.resolution.trace),
        };
        let winner = trace.iter().find(|entry| entry.outcome == Outcome::Wins).unwrap();
        assert_eq!((model.as_str(), winner.rule), (row.model.as_str(), row.rule), "row {}", row.number);
    }
}

#[test]
fn people_read_the_sentence_of_the_winning_rule() {
    let rows = rows();
    for (number, sentence) in SENTENCES {
        let row = rows.iter().find(|row| row.number == *number).unwrap();
        assert_eq!(row.resolution.because, *sentence, "row {number}");
    }
}

#[test]
fn the_trace_lists_what_would_apply_next() {
    let task = Task::new(TaskRole::Polecat, &["gt:rework", "gt:pr-fixup", "bug"], None);
    let resolution = resolve(&town("V"), &shipped(), rig("api").as_ref(), &task);
    let line = |entry: &TraceEntry| {
        let label = entry.label.map(|label| format!(" {label}")).unwrap_or_default();
        let rig = if entry.rig_id.is_some() { " rig" } else { "" };
        let value = entry.value.as_ref().map_or("unset", |model| model.short());
        format!("{}{label}{rig} = {value}: {}", entry.rule, entry.outcome)
    };
    let trace: Vec<String> = resolution.trace.iter().map(line).collect();
    assert_eq!(
        trace,
        [
            "bead = unset: unset",
            "override_role_label_rig gt:pr-fixup rig = o-fix-api: wins",
            "override_role_label_rig gt:rework rig = unset: unset",
            "override_role_label gt:pr-fixup = o-fix: shadowed",
            "override_role_label gt:rework = o-rework: shadowed",
            "profile_role_label gt:pr-fixup = claude-haiku-4.5: shadowed",
            "profile_role_label gt:rework = claude-sonnet-4.6: shadowed",
            "override_role_rig rig = unset: unset",
            "rig_role rig = api-pole: shadowed",
            "override_role = unset: unset",
            "town_role = unset: unset",
            "rig_default rig = api-def: shadowed",
            "profile_role = claude-sonnet-4.6: shadowed",
            "town_default = unset: unset",
            "fallback = claude-sonnet-4.6: shadowed",
        ]
    );
    let small: Vec<String> = resolution.small_trace.iter().map(line).collect();
    assert_eq!(
        small,
        [
            "override_small = o-small: wins",
            "profile_small = claude-haiku-4.5: shadowed",
            "town_small = unset: unset",
            "fallback_small = claude-haiku-4.5: shadowed",
        ]
    );
}

#[test]
fn the_wire_form_keeps_its_names() {
    let resolution = resolve(&town("R"), &shipped(), None, &Task::mayor());
    assert_eq!(
        serde_json::to_value(&resolution).unwrap(),
        json!({
            "model": "m/mayor", "small_model": "anthropic/claude-haiku-4.5", "source": "town", "rule": "town_role",
            "trace": [
                {"rule": "override_role", "value": null, "outcome": "unset"},
                {"rule": "town_role", "value": "m/mayor", "outcome": "wins"},
                {"rule": "town_default", "value": "m/def", "outcome": "shadowed"},
                {"rule": "fallback", "value": "anthropic/claude-sonnet-4.6", "outcome": "shadowed"},
            ],
            "small_trace": [
                {"rule": "override_small", "value": null, "outcome": "unset"},
                {"rule": "town_small", "value": null, "outcome": "unset"},
                {"rule": "fallback_small", "value": "anthropic/claude-haiku-4.5", "outcome": "wins"},
            ],
            "because": "mayor because: town \"Mayor\"",
            "catalogue_version": 1,
        })
    );
}

#[test]
fn triage_is_polecat_work_with_its_label() {
    let task = Task::from_words("triage", &["bug"], None).unwrap();
    assert_eq!(task, Task::new(TaskRole::Polecat, &["gt:triage"], None));
    assert_eq!(Task::from_words::<&str>("witness", &[], None), None);
}
