//! The settings of a town and of a rig (api.md 5; domain.md 2.6): two documents, one table of keys for each, one way to
//! change them (JSON Merge Patch), and one way to read them (rig, else town, else default).
//!
//! [`TOWN_KEYS`] and [`RIG_KEYS`] list every key with its kind, range, default and help; what is refused, shown or
//! described follows from these tables. Documents are sparse: only what somebody set is stored.
//!
//! Deliberately absent: secrets. A document keeps that a secret is there and its last four characters; a patch hands
//! the values back apart from the document ([`SecretChange`]), since they are stored elsewhere. Nothing here knows an
//! HTTP status; the words of [`ConfigCode`] are the API's error codes.

mod birth;
mod document;
mod effective;
mod issue;
mod key;
mod keys;
mod patch;
mod schema;
mod secret;
#[cfg(test)]
mod tests;
mod value;
mod view;

pub use birth::{new_rig, new_town};
pub use document::{
    ContainerConfig, ConvoyMergeMode, GitAuthConfig, LlmConfig, MergeStrategy, RefineryConfig, ReviewMode, RigConfig,
    RigInstructions, TownBudget, TownConfig, TownInstructions,
};
pub use effective::{Budget, EffectiveRig, EffectiveTown, SpendLimit, effective_rig, effective_town};
pub use issue::{ConfigCode, ConfigIssue, ConfigRefusal, ConfigWarning, IssueKind, WarningCode};
pub use key::{Key, KeyDefault, Kind};
pub use keys::{RIG_KEYS, TOWN_KEYS};
pub use patch::{Editor, Offers, PatchContext, Patched, draft_models, patch_rig, patch_town};
pub use schema::schemas;
pub use secret::{SecretChange, SecretMark, SecretName, SecretValue, UnknownSecret};
pub use view::{Origin, effective_view, rig_view, town_view};

/// What a town merges with unless it says otherwise. Pull requests need a client of the forge, which this deployment
/// does not have; so long as [`Offers::pull_requests`] is false the API refuses `pr` (`not_offered`).
pub const MERGE_STRATEGY_DEFAULT: MergeStrategy = MergeStrategy::Direct;
