//! The shipped catalogue against the table of models.md 2, and what an operator's catalogue may not be.

use serde_json::{Value, json};

use super::*;

#[test]
fn the_shipped_catalogue_is_version_1_of_the_table() {
    let table = "
        mayor                  | haiku-4.5  | opus-4.7   | opus-4.7
        polecat                | haiku-4.5  | sonnet-4.6 | opus-4.7
        polecat gt:pr-conflict | haiku-4.5  | sonnet-4.6 | opus-4.7
        polecat gt:pr-feedback | haiku-4.5  | haiku-4.5  | sonnet-4.6
        polecat gt:pr-fixup    | haiku-4.5  | haiku-4.5  | sonnet-4.6
        polecat gt:rework      | haiku-4.5  | sonnet-4.6 | opus-4.7
        polecat gt:triage      | haiku-4.5  | haiku-4.5  | sonnet-4.6
        refinery               | sonnet-4.6 | sonnet-4.6 | opus-4.7
        small                  | haiku-4.5  | haiku-4.5  | haiku-4.5
    ";
    let catalogue = shipped();
    let names: Vec<&str> = catalogue.profiles.iter().map(|profile| profile.name.as_str()).collect();
    assert_eq!((catalogue.version, catalogue.default_profile.as_str()), (1, "balanced"));
    assert_eq!(names, ["frugal", "balanced", "premium"]);
    assert_eq!(catalogue.fallback.as_str(), "anthropic/claude-sonnet-4.6");
    assert_eq!(catalogue.small_fallback.as_str(), "anthropic/claude-haiku-4.5");
    for (column, profile) in catalogue.profiles.iter().enumerate() {
        let shown: Vec<(String, String)> =
            profile.slots.iter().map(|(slot, model)| (slot.to_string(), model.to_string())).collect();
        let written: Vec<(String, String)> = table
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
            .map(|cells| (cells[0].to_owned(), format!("anthropic/claude-{}", cells[column + 1])))
            .collect();
        assert_eq!(shown, written, "{}", profile.name);
    }
}

#[test]
fn a_catalogue_survives_being_written_down() {
    let catalogue = shipped();
    assert_eq!(Catalogue::from_json(&serde_json::to_string(&catalogue).unwrap()).unwrap(), catalogue);
}

#[test]
fn an_unusable_catalogue_says_why() {
    let mut bad: Vec<(&str, Value)> = Vec::new();
    let base: Value = serde_json::to_value(shipped()).unwrap();
    let mut edit = |why: &'static str, change: &dyn Fn(&mut Value)| {
        let mut catalogue = base.clone();
        change(&mut catalogue);
        bad.push((why, catalogue));
    };
    edit("default profile", &|c| c["default_profile"] = json!("golden"));
    edit("versions count from 1", &|c| c["version"] = json!(0));
    edit("no slot refinery", &|c| drop(c["profiles"]["frugal"].as_object_mut().unwrap().remove("refinery")));
    edit("no such slot", &|c| c["profiles"]["frugal"]["mayor gt:rework"] = json!("m/x"));
    edit("no such slot", &|c| c["profiles"]["frugal"]["witness"] = json!("m/x"));
    edit("no such slot", &|c| c["profiles"]["frugal"]["polecat bug"] = json!("m/x"));
    edit("a model id is", &|c| c["profiles"]["frugal"]["polecat"] = json!("-x"));
    edit("name of a profile", &|c| c["profiles"]["custom"] = c["profiles"]["frugal"].clone());
    edit("unknown field", &|c| c["colour"] = json!("red"));
    for (why, catalogue) in bad {
        let error = Catalogue::load(Some(&catalogue.to_string())).unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
    }
}

#[test]
fn a_lost_profile_resolves_like_custom() {
    let lost = TownModels { model_profile: Some("golden".to_owned()), ..TownModels::default() };
    let custom = TownModels { model_profile: Some(CUSTOM_PROFILE.to_owned()), ..TownModels::default() };
    let task = Task::new(TaskRole::Polecat, &["gt:triage"], None);
    let catalogue = shipped();
    assert!(!catalogue.knows_profile("golden") && catalogue.knows_profile("custom"));
    assert_eq!(resolve(&lost, &catalogue, None, &task), resolve(&custom, &catalogue, None, &task));
}

#[test]
fn a_new_catalogue_changes_every_town_on_its_profile() {
    let town = TownModels { model_profile: Some("frugal".to_owned()), ..TownModels::default() };
    let mut newer = shipped();
    newer.version = 2;
    let slot = Slot { role: SlotRole::Polecat, label: None };
    newer.profiles[0].slots.insert(slot, id("m/new"));
    let task = Task::new::<&str>(TaskRole::Polecat, &[], None);
    let resolution = resolve(&town, &newer, None, &task);
    assert_eq!((resolution.model, resolution.catalogue_version), (id("m/new"), 2));
}
