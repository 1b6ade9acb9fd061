//! Which model does which work (models.md). One pure function, [`resolve`], answers every question of that form:
//! dispatch, mayor start and prewarm, change detection, container default and preview.
//!
//! Deliberately absent: what a gateway serves when a model is busy, budgets, preferences of a person, a choice per
//! phase of a session. A model is chosen once, when an assignment starts, and holds until it ends.
//!
//! Read `resolver` for the order of the levels, `catalogue` for the profiles, `overrides` for what a town may say,
//! and `tests/golden.rs` for the table that fixes all of it.

mod catalogue;
mod id;
mod overrides;
mod resolver;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::id::RigId;
use crate::text_enum;

pub use catalogue::{Catalogue, CatalogueError, Profile, Slot};
pub use id::{BadModelId, ModelId};
pub use overrides::{ModelOverride, OverrideIssue, OverrideIssueCode, read_overrides};
pub use resolver::{ModelReason, Outcome, Resolution, Rule, Source, TraceEntry, resolve};

/// The profile name that stands for "only what the town itself says"; no catalogue may use it.
pub const CUSTOM_PROFILE: &str = "custom";

text_enum! {
    /// What a slot of a profile, or an override, is for: a role, or the small model of every role.
    pub enum SlotRole {
        Mayor = "mayor",
        Polecat = "polecat",
        Refinery = "refinery",
        Small = "small",
    }
}

text_enum! {
    /// Who asks for a model. `none` is the container's default, which knows no task.
    pub enum TaskRole {
        Mayor = "mayor",
        Polecat = "polecat",
        Refinery = "refinery",
        None = "none",
    }
}

text_enum! {
    /// The labels that choose a model, in the order in which they are tried. Triage is polecat work with its label.
    pub enum RoutableLabel {
        PrConflict = "gt:pr-conflict",
        PrFeedback = "gt:pr-feedback",
        PrFixup = "gt:pr-fixup",
        Rework = "gt:rework",
        Triage = "gt:triage",
    }
}

/// A town's model settings (models.md 1), as stored in its config and as copied to its rigs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TownModels {
    /// The profile that fills the gaps; absent means custom. A name that the catalogue has lost counts as custom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_profile: Option<String>,
    /// For any role without anything better.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "id::unset_when_blank")]
    pub default_model: Option<ModelId>,
    /// Titles and other small tasks.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "id::unset_when_blank")]
    pub small_model: Option<ModelId>,
    /// A choice per role.
    #[serde(skip_serializing_if = "RoleModels::is_empty")]
    pub role_models: RoleModels,
    /// Explicit rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model_overrides: Vec<ModelOverride>,
}

/// A town's model per role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoleModels {
    /// The mayor's.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "id::unset_when_blank")]
    pub mayor: Option<ModelId>,
    /// Every refinery's.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "id::unset_when_blank")]
    pub refinery: Option<ModelId>,
    /// Every polecat's.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "id::unset_when_blank")]
    pub polecat: Option<ModelId>,
}

impl RoleModels {
    /// Whether no role has a model.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A rig's model settings, with what its sentences call it. There is no mayor here: the mayor is the town's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RigModels {
    /// The rig, as overrides name it.
    pub rig_id: RigId,
    /// The rig, as people name it.
    pub name: String,
    /// For polecats and the refinery of this rig.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "id::unset_when_blank")]
    pub default_model: Option<ModelId>,
    /// A choice per role.
    #[serde(default, skip_serializing_if = "RigRoleModels::is_empty")]
    pub role_models: RigRoleModels,
}

/// A rig's model per role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RigRoleModels {
    /// The refinery's of this rig.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "id::unset_when_blank")]
    pub refinery: Option<ModelId>,
    /// The polecats' of this rig.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "id::unset_when_blank")]
    pub polecat: Option<ModelId>,
}

impl RigRoleModels {
    /// Whether no role has a model.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The work that needs a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Who does it.
    pub role: TaskRole,
    /// Its routable labels, each once, in the order of [`RoutableLabel::ALL`].
    labels: Vec<RoutableLabel>,
    /// The model that a caller chose for this bead.
    pub bead_model: Option<ModelId>,
}

impl Task {
    /// Work on a bead. Labels that choose no model are left out here.
    pub fn new<L: AsRef<str>>(role: TaskRole, labels: &[L], bead_model: Option<ModelId>) -> Self {
        let has = |label: &&RoutableLabel| labels.iter().any(|text| text.as_ref() == label.as_str());
        Self { role, labels: RoutableLabel::ALL.iter().filter(has).copied().collect(), bead_model }
    }

    /// The mayor's work: start and prewarm ask exactly this, so that they agree byte for byte.
    pub const fn mayor() -> Self {
        Self { role: TaskRole::Mayor, labels: Vec::new(), bead_model: None }
    }

    /// The runtime's base configuration, which knows no task.
    pub const fn container_default() -> Self {
        Self { role: TaskRole::None, labels: Vec::new(), bead_model: None }
    }

    /// Work as an HTTP client names it: an older one says `triage` where it means a polecat with that label.
    /// `None` when the role is unknown.
    pub fn from_words<L: AsRef<str>>(role: &str, labels: &[L], bead_model: Option<ModelId>) -> Option<Self> {
        if role == "triage" {
            let mut words: Vec<&str> = labels.iter().map(AsRef::as_ref).collect();
            words.push(RoutableLabel::Triage.as_str());
            return Some(Self::new(TaskRole::Polecat, &words, bead_model));
        }
        role.parse().ok().map(|role| Self::new(role, labels, bead_model))
    }

    /// The labels that choose a model, in the order in which they are tried.
    pub fn labels(&self) -> &[RoutableLabel] {
        &self.labels
    }
}

/// Whether a change of settings changes what the mayor runs with (models.md 5.3); nothing else restarts its session.
pub fn mayor_models_changed(before: &TownModels, after: &TownModels, catalogue: &Catalogue) -> bool {
    let mayor = Task::mayor();
    !resolve(before, catalogue, None, &mayor).asks_same(&resolve(after, catalogue, None, &mayor))
}
