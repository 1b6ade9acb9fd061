//! Secrets among the settings. The document knows a [`SecretMark`]; the value itself passes through a patch once and
//! is never printed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::{SECRET_SHOWN, SECRET_SHOWN_FROM};

/// What is shown in place of a secret's hidden part.
const MASK: &str = "****";

/// The trace that a stored secret leaves in the document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretMark {
    /// Its last four characters, unless it is so short that they would give it away.
    pub last4: Option<String>,
}

impl SecretMark {
    /// The mark of a value.
    pub fn of(value: &str) -> Self {
        let length = value.chars().count();
        let shown = length >= SECRET_SHOWN_FROM;
        Self { last4: shown.then(|| value.chars().skip(length - SECRET_SHOWN).collect()) }
    }

    /// What the API shows (api.md 2.5).
    pub fn masked(&self) -> String {
        format!("{MASK}{}", self.last4.as_deref().unwrap_or_default())
    }
}

/// Whether a text looks like what the API shows for some secret. Such a text is never a new value: a form that was
/// loaded before the secret changed would otherwise store its mask.
pub(super) fn looks_masked(text: &str) -> bool {
    text.strip_prefix(MASK).is_some_and(|rest| rest.is_empty() || rest.chars().count() == SECRET_SHOWN)
}

/// Which secret of a town. The text form is the key of the `secrets` table and the path in the document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretName {
    /// An environment variable of agents' tools.
    Env(String),
    /// `git_auth.github_token`
    GithubToken,
    /// `git_auth.gitlab_token`
    GitlabToken,
    /// `github_cli_pat`
    GithubCliPat,
    /// `kilocode_token`: the key of the model endpoint.
    KilocodeToken,
}

const ENV_PREFIX: &str = "env_vars.";

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "{ENV_PREFIX}{name}"),
            Self::GithubToken => f.write_str("git_auth.github_token"),
            Self::GitlabToken => f.write_str("git_auth.gitlab_token"),
            Self::GithubCliPat => f.write_str("github_cli_pat"),
            Self::KilocodeToken => f.write_str("kilocode_token"),
        }
    }
}

/// The text names no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownSecret;

impl fmt::Display for UnknownSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no secret has this name")
    }
}

impl std::error::Error for UnknownSecret {}

impl FromStr for SecretName {
    type Err = UnknownSecret;

    fn from_str(text: &str) -> Result<Self, UnknownSecret> {
        match text {
            "git_auth.github_token" => Ok(Self::GithubToken),
            "git_auth.gitlab_token" => Ok(Self::GitlabToken),
            "github_cli_pat" => Ok(Self::GithubCliPat),
            "kilocode_token" => Ok(Self::KilocodeToken),
            env => env.strip_prefix(ENV_PREFIX).map(|name| Self::Env(name.to_owned())).ok_or(UnknownSecret),
        }
    }
}

impl Serialize for SecretName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SecretName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A secret on its way to where it is kept. It has no `Display` and no `Serialize`, and its `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(String);

impl SecretValue {
    pub(super) const fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for the one place that seals and stores it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(hidden)")
    }
}

/// What a patch does to the stored secrets, in the order of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretChange {
    /// Store this value under this name, in place of any other.
    Set(SecretName, SecretValue),
    /// Forget the value.
    Remove(SecretName),
}

impl SecretChange {
    /// The secret concerned.
    pub const fn name(&self) -> &SecretName {
        match self {
            Self::Set(name, _) | Self::Remove(name) => name,
        }
    }
}
