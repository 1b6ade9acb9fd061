//! The two documents as they are stored: sparse, typed, and only ever changed by a checked patch.

use crate::sorted::SortedMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::secret::SecretMark;
use crate::id::RigId;
use crate::json;
use crate::models::{RigModels, RigRoleModels, TownModels};
use crate::text_enum;

text_enum! {
    /// How approved work reaches the target branch.
    pub enum MergeStrategy {
        /// The runtime merges after green gates.
        Direct = "direct",
        /// A pull request at the forge.
        Pr = "pr",
    }
}

text_enum! {
    /// When the work of a convoy reaches the target branch.
    pub enum ConvoyMergeMode {
        /// All at once, by a landing review of the convoy's branch.
        ReviewThenLand = "review-then-land",
        /// Bead by bead.
        ReviewAndMerge = "review-and-merge",
    }
}

text_enum! {
    /// Where requested changes go.
    pub enum ReviewMode {
        /// A rework task.
        Rework = "rework",
        /// Comments on the pull request.
        Comments = "comments",
    }
}

/// The settings of a town. An absent value means the default of [`super::TOWN_KEYS`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, remote = "Self")]
pub struct TownConfig {
    /// Which model does which work. Read on its own below: a reader that serde derives for fields among other fields is
    /// several times as large.
    #[serde(flatten, skip_deserializing)]
    pub models: TownModels,
    /// Live polecat assignments per rig.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_polecats_per_rig: Option<u32>,
    /// Live sessions, the mayor's not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_sessions: Option<u32>,
    /// Cap of each counter of a bead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_dispatch_attempts: Option<u32>,
    /// Rework children per review.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_review_rounds: Option<u32>,
    /// Feedback and conflict children per review.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_feedback_rounds: Option<u32>,
    /// Spend and its limits.
    #[serde(skip_serializing_if = "is_unset")]
    pub budget: TownBudget,
    /// How work reaches the target branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge_strategy: Option<MergeStrategy>,
    /// Whether convoys wait for a start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staged_convoys_default: Option<bool>,
    /// Merge mode of convoys that do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub convoy_merge_mode: Option<ConvoyMergeMode>,
    /// Review, gates and merging.
    #[serde(skip_serializing_if = "is_unset")]
    pub refinery: RefineryConfig,
    /// The container's life.
    #[serde(skip_serializing_if = "is_unset")]
    pub container: ContainerConfig,
    /// Names of the environment variables of agents' tools.
    #[serde(skip_serializing_if = "SortedMap::is_empty")]
    pub env_vars: SortedMap<String, SecretMark>,
    /// Credentials of forges.
    #[serde(skip_serializing_if = "is_unset")]
    pub git_auth: GitAuthConfig,
    /// Whether a token for `gh` is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub github_cli_pat: Option<SecretMark>,
    /// Whether a key of the model endpoint is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kilocode_token: Option<SecretMark>,
    /// The model endpoint.
    #[serde(skip_serializing_if = "is_unset")]
    pub llm: LlmConfig,
    /// Author name of commits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_author_name: Option<String>,
    /// Author e-mail of commits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_author_email: Option<String>,
    /// Whether agents are left out as co-authors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_ai_coauthor: Option<bool>,
    /// Last section of each role's prompt.
    #[serde(skip_serializing_if = "is_unset")]
    pub custom_instructions: TownInstructions,
    /// Whether the mayor may change some of these settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mayor_may_configure: Option<bool>,
    /// Whether lessons of earlier work are cited to agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub town_memory: Option<bool>,
}

impl Serialize for TownConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for TownConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Value::deserialize(deserializer)?;
        let mut config = Self::deserialize(json::decoder(&document)).map_err(D::Error::custom)?;
        config.models = json::from_value(&document).map_err(D::Error::custom)?;
        Ok(config)
    }
}

impl TownConfig {
    /// The settings without the model rules of a rig that was deleted.
    #[must_use]
    pub fn without_rig(mut self, rig_id: RigId) -> Self {
        self.models.model_overrides.retain(|rule| rule.rig_id != Some(rig_id));
        self
    }
}

/// Limits of spend. Dollars are stored as they were written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TownBudget {
    /// Per bead and its children, in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bead_usd: Option<f64>,
    /// Per convoy, in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub convoy_usd: Option<f64>,
    /// Per day, in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub town_daily_usd: Option<f64>,
    /// Per bead and its children, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bead_tokens: Option<u64>,
    /// Per convoy, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub convoy_tokens: Option<u64>,
    /// Per day, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub town_daily_tokens: Option<u64>,
    /// Share of a budget at which people are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warn_percent: Option<u32>,
}

/// Review, gates and merging, at the town.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RefineryConfig {
    /// Whether the refinery reviews.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_review: Option<bool>,
    /// Commands that must pass before a merge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gates: Option<Vec<String>>,
    /// Time for each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate_timeout_minutes: Option<u32>,
    /// Where requested changes go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_mode: Option<ReviewMode>,
    /// Whether green work is merged without a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_merge: Option<bool>,
    /// Minutes of green before a pull request is merged; absent is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_merge_delay_minutes: Option<u32>,
    /// Whether comments and red checks become work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_resolve_pr_feedback: Option<bool>,
    /// Whether conflicts become work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_resolve_merge_conflicts: Option<bool>,
}

/// The container's life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerConfig {
    /// Quiet minutes before it stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sleep_after_minutes: Option<u32>,
}

/// Credentials of forges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GitAuthConfig {
    /// Whether a GitHub token is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub github_token: Option<SecretMark>,
    /// Whether a GitLab token is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gitlab_token: Option<SecretMark>,
    /// The town's own GitLab.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gitlab_instance_url: Option<String>,
    /// Installation of the deployment's GitHub App.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_integration_id: Option<String>,
}

/// The model endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LlmConfig {
    /// An OpenAI-compatible endpoint; absent is the deployment's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
}

/// Custom instructions at the town.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TownInstructions {
    /// For polecats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub polecat: Option<String>,
    /// For refineries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refinery: Option<String>,
    /// For the mayor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mayor: Option<String>,
}

/// The settings of a rig. An absent value means the town's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RigConfig {
    /// For polecats and the refinery of this rig.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_model: Option<crate::models::ModelId>,
    /// A choice per role.
    #[serde(skip_serializing_if = "RigRoleModels::is_empty")]
    pub role_models: RigRoleModels,
    /// Live polecat assignments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_polecats: Option<u32>,
    /// Cap of each counter of a bead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_dispatch_attempts: Option<u32>,
    /// Rework children per review.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_review_rounds: Option<u32>,
    /// Feedback and conflict children per review.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_feedback_rounds: Option<u32>,
    /// How work reaches the target branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge_strategy: Option<MergeStrategy>,
    /// Merge mode of a convoy whose tasks all lie in this rig.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub convoy_merge_mode: Option<ConvoyMergeMode>,
    /// Whether the refinery reviews.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_review: Option<bool>,
    /// Commands that must pass before a merge; an empty list means none, whatever the town says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gates: Option<Vec<String>>,
    /// Time for each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate_timeout_minutes: Option<u32>,
    /// Where requested changes go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_mode: Option<ReviewMode>,
    /// Whether green work is merged without a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_merge: Option<bool>,
    /// Minutes of green before a pull request is merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_merge_delay_minutes: Option<u32>,
    /// Whether comments and red checks become work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_resolve_pr_feedback: Option<bool>,
    /// Whether conflicts become work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_resolve_merge_conflicts: Option<bool>,
    /// Last section of each role's prompt, in place of the town's.
    #[serde(skip_serializing_if = "is_unset")]
    pub custom_instructions: RigInstructions,
    /// Flags of `git push`, parted by one blank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_push_flags: Option<String>,
}

impl RigConfig {
    /// The model settings of this rig, as the resolver reads them.
    pub fn models(&self, rig_id: RigId, name: &str) -> RigModels {
        RigModels {
            rig_id,
            name: name.to_owned(),
            default_model: self.default_model.clone(),
            role_models: self.role_models.clone(),
        }
    }
}

/// Custom instructions at a rig.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RigInstructions {
    /// For polecats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub polecat: Option<String>,
    /// For the refinery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refinery: Option<String>,
}

fn is_unset<T: Default + PartialEq>(section: &T) -> bool {
    *section == T::default()
}
