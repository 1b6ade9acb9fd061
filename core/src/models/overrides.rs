//! A town's explicit rules: (role, label, rig) → model. What may be said is a closed vocabulary (models.md 3); there
//! are no free-text rules, so that every stored override can match.

use crate::sorted::SortedSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ModelId, RoutableLabel, SlotRole};
use crate::id::RigId;
use crate::text_enum;

/// One rule of a town. Unique on (role, label, rig), an absent part counting as a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelOverride {
    /// For whom; mayor and small take neither label nor rig.
    pub role: SlotRole,
    /// Only for beads with this label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<RoutableLabel>,
    /// Only in this rig.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rig_id: Option<RigId>,
    /// The model to use.
    pub model: ModelId,
}

text_enum! {
    /// Why an override, or another model setting, was refused.
    pub enum OverrideIssueCode {
        InvalidType = "invalid_type",
        UnknownField = "unknown_field",
        UnknownRole = "unknown_role",
        ScopeNotAllowed = "scope_not_allowed",
        LabelNotRoutable = "label_not_routable",
        UnknownRig = "unknown_rig",
        DuplicateOverride = "duplicate_override",
        BadModelId = "bad_model_id",
    }
}

/// A refused override: which entry, which field of it (none when it is the entry itself), and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideIssue {
    /// Position in the list as it was sent.
    pub index: usize,
    /// The field concerned.
    pub field: Option<String>,
    /// What is wrong.
    pub code: OverrideIssueCode,
    /// The same for people.
    pub message: String,
}

const FIELDS: [&str; 4] = ["role", "label", "rig_id", "model"];

/// Reads overrides as a client sends them. An entry whose model is empty is removed, not stored; every other
/// entry is checked, and all that is wrong is reported at once.
pub fn read_overrides(entries: &[Value], rigs: &[RigId]) -> Result<Vec<ModelOverride>, Vec<OverrideIssue>> {
    let (mut overrides, mut issues, mut seen) = (Vec::new(), Vec::new(), SortedSet::new());
    for (index, entry) in entries.iter().enumerate() {
        match read_entry(entry, rigs) {
            Ok(None) => (),
            Ok(Some(rule)) if seen.insert((rule.role, rule.label, rule.rig_id)) => overrides.push(rule),
            Ok(Some(_)) => issues.push(OverrideIssue {
                index,
                field: None,
                code: OverrideIssueCode::DuplicateOverride,
                message: "there is already an override for this role, label and rig".to_owned(),
            }),
            Err(found) => issues.extend(found.into_iter().map(|found| OverrideIssue {
                index,
                field: found.field,
                code: found.code,
                message: found.message,
            })),
        }
    }
    if issues.is_empty() { Ok(overrides) } else { Err(issues) }
}

struct Found {
    field: Option<String>,
    code: OverrideIssueCode,
    message: String,
}

fn found(field: &str, code: OverrideIssueCode, message: impl Into<String>) -> Found {
    Found { field: Some(field.to_owned()), code, message: message.into() }
}

fn read_entry(entry: &Value, rigs: &[RigId]) -> Result<Option<ModelOverride>, Vec<Found>> {
    let Some(fields) = entry.as_object() else {
        let message = "an override is an object with role, label, rig_id and model".to_owned();
        return Err(vec![Found { field: None, code: OverrideIssueCode::InvalidType, message }]);
    };
    let unknown = fields.keys().filter(|name| !FIELDS.contains(&name.as_str()));
    let mut issues: Vec<Found> =
        unknown.map(|name| found(name, OverrideIssueCode::UnknownField, "overrides have no such field")).collect();
    let mut text = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.trim()).filter(|text| !text.is_empty()),
        Some(_) => {
            issues.push(found(name, OverrideIssueCode::InvalidType, "expected a string"));
            None
        }
    };
    let (role, label, rig, model) = (text("role"), text("label"), text("rig_id"), text("model"));
    if !issues.is_empty() {
        return Err(issues);
    }
    let Some(model) = model else { return Ok(None) };
    let role = read_role(role).map_err(|issue| issues.push(issue)).ok();
    let label = read_label(label).map_err(|issue| issues.push(issue)).ok();
    let rig_id = read_rig(rig, rigs).map_err(|issue| issues.push(issue)).ok();
    let model: Option<ModelId> = model
        .parse()
        .map_err(|error: super::BadModelId| {
            issues.push(found("model", OverrideIssueCode::BadModelId, error.to_string()));
        })
        .ok();
    match (role, label, rig_id, model) {
        (Some(role), Some(label), Some(rig_id), Some(model)) => match scope_issue(role, label, rig_id) {
            None => Ok(Some(ModelOverride { role, label, rig_id, model })),
            Some(issue) => Err(vec![issue]),
        },
        _ => Err(issues),
    }
}

fn read_role(text: Option<&str>) -> Result<SlotRole, Found> {
    let text = text.ok_or_else(|| found("role", OverrideIssueCode::UnknownRole, "a role is required"))?;
    text.parse()
        .map_err(|error: crate::text::UnknownText| found("role", OverrideIssueCode::UnknownRole, error.to_string()))
}

fn read_label(text: Option<&str>) -> Result<Option<RoutableLabel>, Found> {
    text.map(str::parse).transpose().map_err(|error: crate::text::UnknownText| {
        found("label", OverrideIssueCode::LabelNotRoutable, error.to_string())
    })
}

fn read_rig(text: Option<&str>, rigs: &[RigId]) -> Result<Option<RigId>, Found> {
    let Some(text) = text else { return Ok(None) };
    match text.parse() {
        Ok(rig_id) if rigs.contains(&rig_id) => Ok(Some(rig_id)),
        Ok(_) | Err(_) => Err(found("rig_id", OverrideIssueCode::UnknownRig, "this town has no such rig")),
    }
}

fn scope_issue(role: SlotRole, label: Option<RoutableLabel>, rig_id: Option<RigId>) -> Option<Found> {
    let field = if label.is_some() { "label" } else { "rig_id" };
    match role {
        SlotRole::Mayor | SlotRole::Small if label.is_some() || rig_id.is_some() => {
            let message = format!("{role} takes neither a label nor a rig");
            Some(found(field, OverrideIssueCode::ScopeNotAllowed, message))
        }
        SlotRole::Mayor | SlotRole::Small | SlotRole::Polecat | SlotRole::Refinery => None,
    }
}
