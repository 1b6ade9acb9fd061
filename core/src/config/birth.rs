//! The settings that a town and a rig are created with.

use serde_json::{Map, Value};

use super::document::{MergeStrategy, RefineryConfig, RigConfig, TownConfig};
use super::issue::ConfigRefusal;
use super::patch::{PatchContext, Patched, patch_town};
use crate::limits::AUTO_MERGE_DELAY_NEW_TOWN_MINUTES;
use crate::models::CUSTOM_PROFILE;

/// Forges whose pull requests can be followed; a town may add its own GitLab.
const FORGE_HOSTS: &[&str] = &["github.com", "gitlab.com"];

/// The settings of a new town: the catalogue's profile, unless the request that creates it chooses models itself.
/// The merge strategy is written down, so that a later default leaves this town as it was created.
pub fn new_town(patch: Option<&Value>, context: &PatchContext<'_>) -> Result<Patched<TownConfig>, ConfigRefusal> {
    let blank = TownConfig {
        refinery: RefineryConfig {
            auto_merge_delay_minutes: Some(AUTO_MERGE_DELAY_NEW_TOWN_MINUTES),
            ..RefineryConfig::default()
        },
        merge_strategy: Some(super::MERGE_STRATEGY_DEFAULT),
        ..TownConfig::default()
    };
    let asked = patch.filter(|patch| !patch.as_object().is_some_and(Map::is_empty));
    let mut patched = match asked {
        Some(patch) => patch_town(&blank, patch, context)?,
        None => Patched { config: blank, secrets: Vec::new(), warnings: Vec::new(), changed: Vec::new() },
    };
    let models = &mut patched.config.models;
    let chooses = models.default_model.is_some() || models.small_model.is_some() || !models.role_models.is_empty();
    let mentions_profile = asked.is_some_and(|patch| patch.get("model_profile").is_some());
    let default_profile = &context.catalogue.default_profile;
    if !chooses && !mentions_profile && default_profile != CUSTOM_PROFILE {
        models.model_profile = Some(default_profile.clone());
    }
    Ok(patched)
}

/// The settings of a new rig: a repository on no known forge can only be merged directly, whatever its town says.
pub fn new_rig(git_url: &str, town: &TownConfig) -> RigConfig {
    let host = host_of(git_url);
    let own_forge = town.git_auth.gitlab_instance_url.as_deref().and_then(host_of);
    let on_forge =
        host.as_deref().is_some_and(|host| FORGE_HOSTS.contains(&host)) || (host.is_some() && host == own_forge);
    RigConfig { merge_strategy: (!on_forge).then_some(MergeStrategy::Direct), ..RigConfig::default() }
}

fn host_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    Some(authority.to_ascii_lowercase()).filter(|host| !host.is_empty())
}
