//! The envelope of every JSON answer (api.md 1.1), of the public API and of the control API alike.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text_enum;

/// `{"success":true,"data":…}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Success<T> {
    /// Always true.
    pub success: bool,
    /// The answer.
    pub data: T,
    /// What was accepted but deserves attention.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

impl<T> Success<T> {
    /// An answer without warnings.
    pub const fn new(data: T) -> Self {
        Self { success: true, data, warnings: Vec::new() }
    }
}

/// `{"success":false,…}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// Always false.
    pub success: bool,
    /// One sentence for people.
    pub error: String,
    /// One machine word: [`super::code::Code`], or a code that only the control API has.
    pub code: String,
    /// Names the request in every log line.
    pub request_id: String,
    /// The fields that failed validation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<Issue>,
    /// Names the other party, the kind of what was not found, and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

text_enum! {
    /// What is wrong with a field.
    pub enum IssueCode {
        Required = "required",
        InvalidType = "invalid_type",
        InvalidEnum = "invalid_enum",
        InvalidString = "invalid_string",
        TooSmall = "too_small",
        TooBig = "too_big",
        UnrecognizedKey = "unrecognized_key",
        Custom = "custom",
    }
}

/// One field that failed validation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Issue {
    /// What is wrong.
    pub code: IssueCode,
    /// Where: keys and indexes from the body's root.
    pub path: Vec<String>,
    /// One sentence for people.
    pub message: String,
}

text_enum! {
    /// What a warning is about.
    pub enum WarningCode {
        IgnoredField = "ignored_field",
        Partial = "partial",
        UnknownModel = "unknown_model",
        ProfileSetToCustom = "profile_set_to_custom",
        ShadowedByProfile = "shadowed_by_profile",
    }
}

/// Something that was accepted but deserves attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Warning {
    /// What it is about.
    pub code: WarningCode,
    /// One sentence for people.
    pub message: String,
    /// Where in the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}
