//! Changes of settings as JSON Merge Patch (RFC 7396; api.md 1.7, 5.1): an absent key keeps, null clears, objects
//! merge, lists are replaced. Everything is checked before anything changes, and all that is wrong is told at once.

use crate::sorted::SortedSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::document::{RigConfig, TownConfig};
use super::issue::{ConfigCode, ConfigIssue, ConfigRefusal, ConfigWarning, IssueKind, WarningCode};
use super::key::{Key, Kind, put, steps_of, take, value_at};
use super::keys::{IGNORED, MODEL_KEYS, RIG_KEYS, TOWN_KEYS};
use super::secret::{SecretChange, SecretMark, SecretName, SecretValue, looks_masked};
use super::value;
use crate::id::RigId;
use crate::limits;
use crate::models::{CUSTOM_PROFILE, Catalogue, ModelId, SlotRole, TownModels, read_overrides};

/// Who changes settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Editor {
    /// A person with the right to configure the town: every key.
    Person,
    /// The mayor: the keys marked for it, while `mayor_may_configure` holds.
    Mayor,
}

/// What this deployment can do; a setting that needs more is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offers {
    /// A client for pull requests (`merge_strategy: pr`).
    pub pull_requests: bool,
    /// A GitHub App (`git_auth.platform_integration_id`).
    pub github_app: bool,
    /// Plain-http addresses, for development.
    pub local_urls: bool,
}

/// What a patch is judged against, beside the document.
#[derive(Debug, Clone, Copy)]
pub struct PatchContext<'a> {
    /// Who asks.
    pub editor: Editor,
    /// What this deployment can do.
    pub offers: Offers,
    /// The profiles.
    pub catalogue: &'a Catalogue,
    /// Model ids that the gateway is known to serve, beside those of the catalogue; others are warned about.
    pub known_models: &'a SortedSet<String>,
    /// The rigs of the town.
    pub rigs: &'a [RigId],
    /// The read-only keys as they are shown: sending them back unchanged is harmless.
    pub read_only: &'a Map<String, Value>,
}

/// An accepted patch.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Patched<D> {
    /// The document after it.
    pub config: D,
    /// What to do to the stored secrets, in this order.
    pub secrets: Vec<SecretChange>,
    /// What deserves attention.
    pub warnings: Vec<ConfigWarning>,
    /// The keys whose value differs, parted by dots; when none does, there is nothing to store and no new version.
    pub changed: Vec<String>,
}

/// Changes the settings of a town.
pub fn patch_town(
    config: &TownConfig,
    patch: &Value,
    context: &PatchContext<'_>,
) -> Result<Patched<TownConfig>, ConfigRefusal> {
    admit(config, context)?;
    let mut walk = Walk::new(TOWN_KEYS, config, context);
    walk.patch(patch);
    walk.settle_profile(patch);
    walk.forget_key_of_old_endpoint();
    walk.finish()
}

/// Changes the settings of a rig of this town.
pub fn patch_rig(
    config: &RigConfig,
    town: &TownConfig,
    patch: &Value,
    context: &PatchContext<'_>,
) -> Result<Patched<RigConfig>, ConfigRefusal> {
    admit(town, context)?;
    let mut walk = Walk::new(RIG_KEYS, config, context);
    walk.patch(patch);
    walk.keep_polecats_within(town);
    walk.finish()
}

/// The model settings that a preview tries: the stored ones with a patch of model keys on top, never saved.
pub fn draft_models(
    config: &TownConfig,
    draft: &Value,
    context: &PatchContext<'_>,
) -> Result<TownModels, ConfigRefusal> {
    let strangers = draft.as_object().into_iter().flat_map(Map::keys).filter(|key| !MODEL_KEYS.contains(&key.as_str()));
    let issue = |key: &String| {
        ConfigIssue::new(ConfigCode::UnknownField, std::slice::from_ref(key), "a preview tries model settings only")
    };
    ConfigRefusal::unless_clean(strangers.map(issue).collect())?;
    patch_town(config, draft, context).map(|patched| patched.config.models)
}

/// Refuses the mayor where its town does not let it change settings.
fn admit(town: &TownConfig, context: &PatchContext<'_>) -> Result<(), ConfigRefusal> {
    if context.editor == Editor::Mayor && town.mayor_may_configure == Some(false) {
        let message = "this town does not let its mayor change settings";
        return Err(ConfigRefusal::one(ConfigIssue::new(ConfigCode::RoleNotAllowed, &[], message)));
    }
    Ok(())
}

/// One pass over a patch. The document is handled as JSON, guided by the table of keys, and typed again at the end.
struct Walk<'a> {
    keys: &'static [Key],
    context: &'a PatchContext<'a>,
    before: Value,
    after: Map<String, Value>,
    secrets: Vec<SecretChange>,
    warnings: Vec<ConfigWarning>,
    issues: Vec<ConfigIssue>,
}

impl<'a> Walk<'a> {
    fn new(keys: &'static [Key], config: &impl Serialize, context: &'a PatchContext<'a>) -> Self {
        let before = json!(config);
        let after = before.as_object().cloned().unwrap_or_default();
        Self { keys, context, before, after, secrets: Vec::new(), warnings: Vec::new(), issues: Vec::new() }
    }

    fn patch(&mut self, patch: &Value) {
        let shape = |kind, message: &str| ConfigIssue::shape(kind, &[], message);
        match patch.as_object() {
            None => self.issues.push(shape(IssueKind::InvalidType, "expected an object")),
            Some(fields) if fields.is_empty() => self.issues.push(shape(IssueKind::TooSmall, "the patch is empty")),
            Some(fields) => self.section(&[], fields),
        }
    }

    fn section(&mut self, above: &[String], fields: &Map<String, Value>) {
        for (name, value) in fields {
            let path = [above, std::slice::from_ref(name)].concat();
            let dotted = path.join(".");
            // A name with a dot in it is no place in the document, even if the dotted path of one looks the same.
            let known = |key: &&Key| key.path == dotted && path.len() == key.steps().count();
            let below = format!("{dotted}.");
            if let Some(key) = self.keys.iter().find(known) {
                self.key(key, &path, value);
            } else if !name.contains('.') && self.keys.iter().any(|key| key.path.starts_with(&below)) {
                self.subsection(&path, &below, value);
            } else {
                self.stranger(&path, &dotted, value);
            }
        }
    }

    fn subsection(&mut self, path: &[String], below: &str, value: &Value) {
        match value {
            Value::Object(fields) => self.section(path, fields),
            Value::Null => {
                let settable = |key: &&Key| key.path.starts_with(below) && key.kind != Kind::ReadOnly;
                let keys = self.keys;
                for key in keys.iter().filter(settable) {
                    self.key(key, &steps_of(key.path), &Value::Null);
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                self.issues.push(ConfigIssue::shape(IssueKind::InvalidType, path, "expected an object"));
            }
        }
    }

    fn stranger(&mut self, path: &[String], dotted: &str, value: &Value) {
        let is_rig = self.keys.as_ptr() == RIG_KEYS.as_ptr();
        let is_blank = value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
        if IGNORED.contains(&dotted) {
            let message = "accepted for older clients, without effect";
            self.warn(WarningCode::IgnoredField, path, message);
        } else if is_rig && dotted == "role_models.mayor" {
            if !is_blank {
                let message = "the mayor belongs to the town: set its model there";
                self.issues.push(ConfigIssue::new(ConfigCode::MayorIsTownLevel, path, message));
            }
        } else {
            self.issues.push(ConfigIssue::new(ConfigCode::UnknownField, path, "there is no such setting"));
        }
    }

    fn key(&mut self, key: &Key, path: &[String], value: &Value) {
        if key.kind == Kind::ReadOnly {
            return self.read_only(key, path, value);
        }
        if self.context.editor == Editor::Mayor && !key.by_mayor {
            let message = "the mayor may not change this setting";
            return self.issues.push(ConfigIssue::new(ConfigCode::RoleNotAllowed, path, message));
        }
        // What is stored was accepted once; a form that sends it back asks for nothing.
        if value_at(&self.before, key.path) == Some(value) {
            return;
        }
        match key.kind {
            Kind::Overrides => self.overrides(path, value),
            Kind::Credential => self.credential(path, value),
            Kind::Environment => self.environment(path, value),
            Kind::ReadOnly => (),
            Kind::Model
            | Kind::Profile
            | Kind::Integer { .. }
            | Kind::Dollars
            | Kind::Flag
            | Kind::Word(_)
            | Kind::Line { .. }
            | Kind::Email
            | Kind::Text { .. }
            | Kind::Commands
            | Kind::Url
            | Kind::PushFlags
            | Kind::Installation => match value::check(key, path, value, self.context) {
                Err(issue) => self.issues.push(issue),
                Ok(checked) => {
                    if key.kind == Kind::Model {
                        self.warn_if_unknown(path, checked.as_str());
                    }
                    self.set(path, checked);
                }
            },
        }
    }

    fn set(&mut self, path: &[String], value: Value) {
        match value.is_null() {
            true => take(&mut self.after, path),
            false => put(&mut self.after, path, value),
        }
    }

    fn read_only(&mut self, key: &Key, path: &[String], value: &Value) {
        let constant = key.default.to_value();
        let shown =
            if constant.is_null() { self.context.read_only.get(key.path).unwrap_or(&Value::Null) } else { &constant };
        if value != shown {
            self.issues.push(ConfigIssue::new(ConfigCode::ReadOnlyField, path, "cannot be changed"));
        }
    }

    fn overrides(&mut self, path: &[String], value: &Value) {
        let entries = match value {
            Value::Null => return self.set(path, Value::Null),
            Value::Array(entries) => entries,
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                return self.issues.push(ConfigIssue::shape(IssueKind::InvalidType, path, "expected a list"));
            }
        };
        if entries.len() > limits::MODEL_OVERRIDES_MAX {
            let message = format!("at most {} overrides", limits::MODEL_OVERRIDES_MAX);
            return self.issues.push(ConfigIssue::shape(IssueKind::TooBig, path, message));
        }
        match read_overrides(entries, self.context.rigs) {
            Ok(rules) => {
                for (index, rule) in rules.iter().enumerate() {
                    let path = [path, &[index.to_string(), "model".to_owned()]].concat();
                    self.warn_if_unknown(&path, Some(rule.model.as_str()));
                }
                self.set(path, json!(rules));
            }
            Err(issues) => self.issues.extend(issues.into_iter().map(|issue| {
                let mut path = path.to_vec();
                path.push(issue.index.to_string());
                path.extend(issue.field);
                ConfigIssue::new(issue.code.into(), &path, issue.message)
            })),
        }
    }

    fn credential(&mut self, path: &[String], value: &Value) {
        let Ok(name) = path.join(".").parse::<SecretName>() else { return };
        match value {
            Value::Null => self.remove_secret(path, name),
            // A pasted token ends in a line break more often than not.
            Value::String(text) => match text.trim() {
                "" => self.remove_secret(path, name),
                token => self.set_credential(path, name, token),
            },
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.issues.push(ConfigIssue::shape(IssueKind::InvalidType, path, "expected a string"));
            }
        }
    }

    fn set_credential(&mut self, path: &[String], name: SecretName, token: &str) {
        if let Err(issue) = value::not_longer(path, token, limits::CREDENTIAL_MAX) {
            self.issues.push(issue);
        } else if token.chars().any(|c| c.is_control() || c.is_whitespace()) {
            let message = "a credential has no blanks and no line breaks inside";
            self.issues.push(ConfigIssue::shape(IssueKind::InvalidString, path, message));
        } else {
            self.set_secret(path, name, token);
        }
    }

    fn environment(&mut self, path: &[String], value: &Value) {
        match value {
            Value::Null => {
                let stored = value_at(&self.before, "env_vars").and_then(Value::as_object).cloned();
                for name in stored.unwrap_or_default().keys() {
                    let path = [path, std::slice::from_ref(name)].concat();
                    self.remove_secret(&path, SecretName::Env(name.clone()));
                }
            }
            Value::Object(variables) => {
                for (name, value) in variables {
                    let path = [path, std::slice::from_ref(name)].concat();
                    self.variable(&path, name, value);
                }
                let count = self.after.get("env_vars").and_then(Value::as_object).map_or(0, Map::len);
                if count > limits::ENV_VARS_MAX {
                    let message = format!("at most {} variables", limits::ENV_VARS_MAX);
                    self.issues.push(ConfigIssue::shape(IssueKind::TooBig, path, message));
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                self.issues.push(ConfigIssue::shape(IssueKind::InvalidType, path, "expected an object"));
            }
        }
    }

    fn variable(&mut self, path: &[String], name: &str, value: &Value) {
        if let Some(issue) = env_name_issue(path, name) {
            return self.issues.push(issue);
        }
        let secret = SecretName::Env(name.to_owned());
        match value {
            Value::Null => self.remove_secret(path, secret),
            Value::String(text) => match value::not_longer(path, text, limits::ENV_VALUE_MAX) {
                Err(issue) => self.issues.push(issue),
                Ok(()) if text.contains('\0') => {
                    self.issues.push(ConfigIssue::shape(IssueKind::InvalidString, path, "a value has no NUL"));
                }
                Ok(()) => self.set_secret(path, secret, text),
            },
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.issues.push(ConfigIssue::shape(IssueKind::InvalidType, path, "expected a string"));
            }
        }
    }

    fn stored_mark(&self, path: &[String]) -> Option<SecretMark> {
        let mark = path.iter().try_fold(&self.before, |value, step| value.get(step))?;
        crate::json::from_value(mark).ok()
    }

    fn set_secret(&mut self, path: &[String], name: SecretName, value: &str) {
        if self.stored_mark(path).is_some_and(|mark| mark.masked() == value) {
            return;
        }
        if looks_masked(value) {
            let message = "this is the masked form of another value; send the value itself";
            return self.issues.push(ConfigIssue::new(ConfigCode::UnsupportedValue, path, message));
        }
        put(&mut self.after, path, json!(SecretMark::of(value)));
        self.secrets.push(SecretChange::Set(name, SecretValue::new(value.to_owned())));
    }

    fn remove_secret(&mut self, path: &[String], name: SecretName) {
        if self.stored_mark(path).is_some() {
            take(&mut self.after, path);
            self.secrets.push(SecretChange::Remove(name));
        }
    }

    /// A key belongs to the endpoint it was given for: whoever may change the address must not thereby learn the key.
    fn forget_key_of_old_endpoint(&mut self) {
        let path = ["llm".to_owned(), "base_url".to_owned()];
        let after = self.after.get("llm").and_then(|llm| llm.get("base_url"));
        let moved = value_at(&self.before, &path.join(".")) != after;
        let given = self.secrets.iter().any(|change| *change.name() == SecretName::KilocodeToken);
        if moved && !given {
            self.remove_secret(&["kilocode_token".to_owned()], SecretName::KilocodeToken);
        }
    }

    /// A default model can never win under a named profile, so choosing one leaves the profile (models.md 1).
    fn settle_profile(&mut self, patch: &Value) {
        let sets = |name: &str| patch.get(name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
        let name = self.after.get("model_profile").and_then(Value::as_str).map(str::to_owned);
        let Some(name) = name.filter(|name| name != CUSTOM_PROFILE) else { return };
        if sets("default_model") && patch.get("model_profile").is_none() {
            self.after.insert("model_profile".to_owned(), Value::from(CUSTOM_PROFILE));
            let message = format!("the profile {name} has a model for every role; it was changed to custom");
            return self.warn(WarningCode::ProfileSetToCustom, &["model_profile".to_owned()], message);
        }
        let Some(profile) = self.context.catalogue.profile(&name) else { return };
        let has_small = profile.model(SlotRole::Small, None).is_some();
        for key in ["default_model", "small_model"] {
            if sets(key) && (key == "default_model" || has_small) {
                let message = format!("not used: the profile {name} comes before it");
                self.warn(WarningCode::ShadowedByProfile, &[key.to_owned()], message);
            }
        }
    }

    fn keep_polecats_within(&mut self, town: &TownConfig) {
        let most = u64::from(town.max_polecats_per_rig.unwrap_or(limits::POLECATS_PER_RIG));
        let wished = self.after.get("max_concurrent_polecats").and_then(Value::as_u64).unwrap_or(0);
        let changed = self.before.get("max_concurrent_polecats") != self.after.get("max_concurrent_polecats");
        if self.context.editor == Editor::Mayor && changed && wished > most {
            let path = ["max_concurrent_polecats".to_owned()];
            let message = format!("the mayor may not go above the town's {most}");
            self.issues.push(ConfigIssue::new(ConfigCode::RoleNotAllowed, &path, message));
        }
    }

    fn warn_if_unknown(&mut self, path: &[String], model: Option<&str>) {
        let Some(model) = model else { return };
        let in_catalogue = self.context.catalogue.models().into_iter().any(|known: &ModelId| known.as_str() == model);
        if !in_catalogue && !self.context.known_models.contains(model) {
            let message = format!("{model} is in no catalogue; it is used as it is");
            self.warn(WarningCode::UnknownModel, path, message);
        }
    }

    fn warn(&mut self, code: WarningCode, path: &[String], message: impl Into<String>) {
        self.warnings.push(ConfigWarning { code, path: path.to_vec(), message: message.into() });
    }

    fn changed(&self, after: &Value) -> Vec<String> {
        let is_plain = |key: &&Key| match key.kind {
            Kind::Credential | Kind::Environment | Kind::ReadOnly => false,
            Kind::Model
            | Kind::Profile
            | Kind::Overrides
            | Kind::Integer { .. }
            | Kind::Dollars
            | Kind::Flag
            | Kind::Word(_)
            | Kind::Line { .. }
            | Kind::Email
            | Kind::Text { .. }
            | Kind::Commands
            | Kind::Url
            | Kind::PushFlags
            | Kind::Installation => true,
        };
        let differs = |key: &&Key| value_at(&self.before, key.path) != value_at(after, key.path);
        let plain = self.keys.iter().filter(is_plain).filter(differs).map(|key| key.path.to_owned());
        plain.chain(self.secrets.iter().map(|change| change.name().to_string())).collect()
    }

    fn finish<D: Serialize + DeserializeOwned>(self) -> Result<Patched<D>, ConfigRefusal> {
        ConfigRefusal::unless_clean(self.issues.clone())?;
        // The tables and the document types agree (a test sets every key), so this reads back what was checked.
        let config: D = crate::json::from_value(&Value::Object(self.after.clone()))
            .map_err(|error| ConfigRefusal::one(ConfigIssue::shape(IssueKind::Custom, &[], error.to_string())))?;
        let changed = self.changed(&json!(config));
        Ok(Patched { config, secrets: self.secrets, warnings: self.warnings, changed })
    }
}

/// Names that decide what agents' tools do or whom they trust; the runtime sets them itself.
const RESERVED_NAMES: &[&str] = &["PATH", "HOME", "NODE_OPTIONS", "GH_TOKEN"];
const RESERVED_PREFIXES: &[&str] = &["GASTOWN_", "KILO", "OPENCODE_", "GIT_", "GITHUB_", "GITLAB_", "LD_", "XDG_"];

fn env_name_issue(path: &[String], name: &str) -> Option<ConfigIssue> {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let rest = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !first || !rest || name.len() > limits::ENV_NAME_MAX {
        let message = format!("a name is a letter or _, then letters, digits and _, at most {}", limits::ENV_NAME_MAX);
        return Some(ConfigIssue::shape(IssueKind::InvalidString, path, message));
    }
    let reserved = RESERVED_NAMES.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    reserved.then(|| ConfigIssue::new(ConfigCode::ReservedName, path, "this name is reserved"))
}
