//! Models as clients see them (api.md 4, **ModelCatalogue**, **ResolvedModel**), and the question of a preview.

use serde_json::{Value, json};

use super::read::{Fields, Request};
use crate::id::{BeadId, RigId};
use crate::limits::{LABEL_MAX, LABELS_MAX, MODEL_ID_MAX};
use crate::models::{Catalogue, Profile, SlotRole};

/// **ModelCatalogue**.
pub fn catalogue(catalogue: &Catalogue) -> Value {
    let slots = |profile: &Profile| -> Vec<Value> {
        let own = profile.slots.iter().filter(|(slot, _)| slot.role != SlotRole::Small);
        own.map(|(slot, model)| json!({ "role": slot.role, "label": slot.label, "model": model })).collect()
    };
    let profiles: Vec<Value> = catalogue
        .profiles
        .iter()
        .map(|profile| {
            json!({
                "name": profile.name,
                "title": title(&profile.name),
                "description": profile.description,
                "slots": slots(profile),
                "small_model": profile.model(SlotRole::Small, None),
            })
        })
        .collect();
    json!({
        "version": catalogue.version,
        "default_profile": catalogue.default_profile,
        "fallback": catalogue.fallback,
        "small_fallback": catalogue.small_fallback,
        "profiles": profiles,
    })
}

/// Suggestions for a model field: what the catalogue names. Other ids stay allowed, and prices are not known.
pub fn suggestions(catalogue: &Catalogue) -> Vec<Value> {
    let row = |id: &str| {
        let (provider, name) = id.split_once('/').unwrap_or(("", id));
        json!({ "id": id, "name": name, "provider": provider })
    };
    catalogue.models().iter().map(|model| row(model.as_str())).collect()
}

fn title(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// `POST T/models/resolve`: a bead, or a role with what its bead would have.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolveModel {
    /// Which bead …
    pub bead_id: Option<BeadId>,
    /// … or whose model; judged by whoever answers.
    pub role: Option<String>,
    /// Labels of the work.
    pub labels: Vec<String>,
    /// The rig of the work.
    pub rig_id: Option<RigId>,
    /// A model chosen for the bead itself.
    pub model: Option<String>,
    /// Model settings to try, not saved.
    pub draft: Option<Value>,
}

impl Request for ResolveModel {
    fn read(fields: &mut Fields<'_>) -> Self {
        let bead_id = fields.optional_id("bead_id");
        Self {
            role: if fields.has("bead_id") { None } else { Some(fields.text("role", 0, LABEL_MAX)) },
            bead_id,
            labels: fields.texts("labels", LABELS_MAX, LABEL_MAX),
            rig_id: fields.optional_id("rig_id"),
            model: fields.optional_text("model", 0, MODEL_ID_MAX + 1),
            draft: fields.optional_object("draft").map(Value::Object),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_names_every_slot_once_and_the_small_model_beside_them() {
        let shipped = Catalogue::load(None).unwrap();
        let shown = catalogue(&shipped);
        assert_eq!(shown["profiles"][1]["title"], "Balanced");
        for profile in shown["profiles"].as_array().unwrap() {
            assert!(profile["small_model"].is_string());
            let slots = profile["slots"].as_array().unwrap();
            assert!(slots.iter().all(|slot| slot["role"] != "small" && slot["model"].is_string()));
            assert!(slots.iter().any(|slot| slot["role"] == "polecat" && slot["label"].is_null()));
        }
        let all = suggestions(&shipped);
        assert!(all.iter().all(|row| row["provider"] == "anthropic"), "{all:?}");
    }
}
