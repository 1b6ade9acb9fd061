//! A model id as it was configured: trimmed, never empty, of the form that models.md 3 allows. Any id of that form is
//! accepted, since a self-hosted gateway may serve models that no catalogue knows.

use std::borrow::Cow;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::MODEL_ID_MAX;

/// The id of a model, such as `anthropic/claude-sonnet-4.6`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ModelId(String);

impl ModelId {
    /// Reads a caller's choice: absent, empty and blank are all "no choice"; anything else must be a good id.
    pub fn chosen(text: Option<&str>) -> Result<Option<Self>, BadModelId> {
        match text.map(str::trim) {
            None | Some("") => Ok(None),
            Some(id) if is_model_id(id) => Ok(Some(Self(id.to_owned()))),
            Some(_) => Err(BadModelId),
        }
    }

    /// The id as it is sent to a gateway.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id without its provider: what people are shown.
    pub fn short(&self) -> &str {
        self.0.split_once('/').map_or(self.0.as_str(), |(_, rest)| rest)
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for ModelId {
    type Err = BadModelId;

    fn from_str(text: &str) -> Result<Self, BadModelId> {
        Self::chosen(Some(text))?.ok_or(BadModelId)
    }
}

impl<'de> Deserialize<'de> for ModelId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// The text is not a model id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadModelId;

impl fmt::Display for BadModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a model id is 1 to {MODEL_ID_MAX} characters of A-Z a-z 0-9 . _ : / @ -, begins with a letter or digit, \
             and has no // and no trailing /"
        )
    }
}

impl std::error::Error for BadModelId {}

/// Reads an optional id; an empty or blank text is the same as none (models.md 1).
pub(super) fn unset_when_blank<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ModelId>, D::Error> {
    let text = Option::<Cow<'de, str>>::deserialize(deserializer)?;
    ModelId::chosen(text.as_deref()).map_err(D::Error::custom)
}

fn is_model_id(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:/@-".contains(&b);
    (1..=MODEL_ID_MAX).contains(&id.len())
        && id.bytes().all(allowed)
        && id.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && !id.contains("//")
        && !id.ends_with('/')
}
#[cfg(feature = "schema")]
crate::schema::texts! { ModelId }
