//! The service as a whole: **Meta** (api.md 4).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::wire::control::PROTOCOL;

/// What this deployment is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Meta {
    /// Version of the Worker.
    pub version: String,
    /// Commit that it was built of.
    pub commit: String,
    /// Number of the conversation with runtimes.
    pub protocol: u32,
    /// Whether this is a development deployment.
    pub test_mode: bool,
    /// What it offers.
    pub features: Features,
    /// The table of api.md 1.3.
    pub limits: Value,
}

/// What a deployment may or may not offer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Features {
    /// Terminals of agents.
    pub pty: bool,
    /// Short-lived tokens of a GitHub App.
    pub github_app: bool,
    /// Prices of models.
    pub prices: bool,
}

impl Meta {
    /// The description of this build.
    pub fn new(version: &str, commit: &str, test_mode: bool) -> Self {
        Self {
            version: version.to_owned(),
            commit: commit.to_owned(),
            protocol: PROTOCOL,
            test_mode,
            features: Features::default(),
            limits: limits(),
        }
    }
}

fn limits() -> Value {
    use crate::limits as l;
    json!({
        "name": l::NAME_MAX,
        "title": l::TITLE_MAX,
        "body": l::BODY_MAX,
        "labels": l::LABELS_MAX,
        "label": l::LABEL_MAX,
        "mail_body": l::MAIL_BODY_MAX,
        "mayor_message": l::MAYOR_MESSAGE_MAX,
        "ui_context": l::UI_CONTEXT_MAX,
        "status_message": l::STATUS_MESSAGE_MAX,
        "nudge_message": l::NUDGE_MAX,
        "tasks": l::SLING_TASKS_MAX,
        "purpose": l::PURPOSE_MAX,
        "branch": l::BRANCH_MAX,
        "git_url": l::GIT_URL_MAX,
    })
}
