//! The settings: what each patch stores, refuses and warns about; what applies in a rig; that tables and types agree.

mod agreement;
mod effective;
mod profile;
mod refusals;
mod secrets;
mod sequences;

use serde_json::{Map, Value, json};

use super::*;
use crate::id::RigId;
use crate::models::Catalogue;
use crate::sorted::SortedSet;

/// Everything a [`PatchContext`] borrows.
pub(super) struct World {
    pub(super) editor: Editor,
    pub(super) offers: Offers,
    pub(super) catalogue: Catalogue,
    pub(super) known_models: SortedSet<String>,
    pub(super) rigs: Vec<RigId>,
    pub(super) read_only: Map<String, Value>,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            editor: Editor::Person,
            offers: Offers::default(),
            catalogue: Catalogue::load(None).unwrap(),
            known_models: ["m/def", "m/small", "m/x"].map(str::to_owned).into(),
            rigs: vec![RigId::from_u128(1)],
            read_only: json!({"version": 3, "owner_type": "user"}).as_object().unwrap().clone(),
        }
    }

    pub(super) fn context(&self) -> PatchContext<'_> {
        PatchContext {
            editor: self.editor,
            offers: self.offers,
            catalogue: &self.catalogue,
            known_models: &self.known_models,
            rigs: &self.rigs,
            read_only: &self.read_only,
        }
    }

    pub(super) fn town(&self, config: &TownConfig, patch: Value) -> Result<Patched<TownConfig>, ConfigRefusal> {
        patch_town(config, &patch, &self.context())
    }

    pub(super) fn rig(&self, config: &RigConfig, patch: Value) -> Result<Patched<RigConfig>, ConfigRefusal> {
        patch_rig(config, &TownConfig::default(), &patch, &self.context())
    }
}

pub(super) fn town_with(patch: Value) -> TownConfig {
    World::new().town(&TownConfig::default(), patch).unwrap().config
}

pub(super) fn rig_with(patch: Value) -> RigConfig {
    World::new().rig(&RigConfig::default(), patch).unwrap().config
}

/// The issues of a refusal as `path code`, or what was stored.
pub(super) fn outcome<D: serde::Serialize>(result: Result<Patched<D>, ConfigRefusal>) -> String {
    match result {
        Ok(patched) => serde_json::to_string(&patched.config).unwrap(),
        Err(refusal) => {
            let line = |issue: &ConfigIssue| {
                let is_shape = issue.code == ConfigCode::InvalidRequest;
                let word = if is_shape { issue.kind.as_str() } else { issue.code.as_str() };
                format!("{} {word}", issue.path.join("."))
            };
            let issues: Vec<String> = refusal.issues.iter().map(line).collect();
            format!("{}: {}", refusal.code, issues.join("; "))
        }
    }
}

#[test]
fn a_patch_keeps_what_it_does_not_name_and_null_clears() {
    let world = World::new();
    let stored = town_with(json!({"max_sessions": 7, "refinery": {"gates": ["make test"], "auto_merge": false}}));
    let patched = world.town(&stored, json!({"refinery": {"auto_merge": null, "gate_timeout_minutes": 5}})).unwrap();
    assert_eq!(
        serde_json::to_value(&patched.config).unwrap(),
        json!({"max_sessions": 7, "refinery": {"gates": ["make test"], "gate_timeout_minutes": 5}})
    );
    assert_eq!(patched.changed, ["refinery.gate_timeout_minutes", "refinery.auto_merge"]);
    let cleared = world.town(&patched.config, json!({"refinery": null, "max_sessions": null})).unwrap();
    assert_eq!(cleared.config, TownConfig::default());
    let again = world.town(&cleared.config, json!({"refinery": null, "max_sessions": null})).unwrap();
    assert!(again.changed.is_empty(), "clearing what is clear is no change");
}

#[test]
fn what_is_shown_may_be_sent_back() {
    let mut world = World::new();
    world.offers = Offers { pull_requests: true, github_app: true, local_urls: false };
    let stored = world.town(&TownConfig::default(), agreement::every_town_key()).unwrap().config;
    let mut shown = town_view(&stored);
    shown.extend(world.read_only.clone());
    let patched = world.town(&stored, Value::Object(shown)).unwrap();
    assert_eq!((patched.config, patched.secrets, patched.changed), (stored, vec![], vec![]));
}

#[test]
fn what_was_accepted_once_is_not_judged_again() {
    let stored = json!({"model_profile": "lost", "merge_strategy": "pr", "small_model": "gone/one"});
    let config: TownConfig = serde_json::from_value(stored.clone()).unwrap();
    let patched = World::new().town(&config, stored).unwrap();
    assert_eq!((patched.config, patched.warnings, patched.changed), (config, vec![], vec![]));
}

#[test]
fn a_deleted_rig_takes_its_rules_along() {
    let rig = RigId::from_u128(1);
    let config = town_with(json!({"model_overrides": [
        {"role": "polecat", "model": "m/x"}, {"role": "polecat", "rig_id": rig, "model": "m/x"},
    ]}));
    assert_eq!(config.without_rig(rig).models.model_overrides.len(), 1);
}

#[test]
fn a_rig_on_no_known_forge_is_merged_directly() {
    let own = town_with(json!({"git_auth": {"gitlab_instance_url": "https://Git.example.org"}}));
    let strategy = |url: &str| new_rig(url, &own).merge_strategy;
    assert_eq!(strategy("https://github.com/a/b.git"), None);
    assert_eq!(strategy("https://GitLab.com/a/b"), None);
    assert_eq!(strategy("https://git.example.org/a/b"), None);
    assert_eq!(strategy("https://github.com.example.net/a/b"), Some(MergeStrategy::Direct));
    assert_eq!(strategy("https://example.net/github.com/b"), Some(MergeStrategy::Direct));
    assert_eq!(strategy("file:///srv/git/b.git"), Some(MergeStrategy::Direct));
}
