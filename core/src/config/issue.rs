//! Why a change of settings was refused, and what deserves attention although it was accepted.

use std::fmt;

use crate::models::OverrideIssueCode;
use crate::text_enum;

text_enum! {
    /// The API's error codes that a change of settings can end with.
    pub enum ConfigCode {
        InvalidRequest = "invalid_request",
        UnknownField = "unknown_field",
        RoleNotAllowed = "role_not_allowed",
        NotOffered = "not_offered",
        ReadOnlyField = "read_only_field",
        ReservedName = "reserved_name",
        UnsupportedValue = "unsupported_value",
        UnsafeUrl = "unsafe_url",
        UnknownProfile = "unknown_profile",
        UnknownRole = "unknown_role",
        ScopeNotAllowed = "scope_not_allowed",
        LabelNotRoutable = "label_not_routable",
        UnknownRig = "unknown_rig",
        DuplicateOverride = "duplicate_override",
        BadModelId = "bad_model_id",
        MayorIsTownLevel = "mayor_is_town_level",
    }
}

impl ConfigCode {
    /// Of several issues the most basic one names the refusal: may not at all, cannot be read, means nothing.
    const fn rank(self) -> u8 {
        match self {
            Self::RoleNotAllowed => 0,
            Self::InvalidRequest | Self::UnknownField => 1,
            Self::NotOffered
            | Self::ReadOnlyField
            | Self::ReservedName
            | Self::UnsupportedValue
            | Self::UnsafeUrl
            | Self::UnknownProfile
            | Self::UnknownRole
            | Self::ScopeNotAllowed
            | Self::LabelNotRoutable
            | Self::UnknownRig
            | Self::DuplicateOverride
            | Self::BadModelId
            | Self::MayorIsTownLevel => 2,
        }
    }
}

impl From<OverrideIssueCode> for ConfigCode {
    fn from(code: OverrideIssueCode) -> Self {
        match code {
            OverrideIssueCode::InvalidType => Self::InvalidRequest,
            OverrideIssueCode::UnknownField => Self::UnknownField,
            OverrideIssueCode::UnknownRole => Self::UnknownRole,
            OverrideIssueCode::ScopeNotAllowed => Self::ScopeNotAllowed,
            OverrideIssueCode::LabelNotRoutable => Self::LabelNotRoutable,
            OverrideIssueCode::UnknownRig => Self::UnknownRig,
            OverrideIssueCode::DuplicateOverride => Self::DuplicateOverride,
            OverrideIssueCode::BadModelId => Self::BadModelId,
        }
    }
}

text_enum! {
    /// What is wrong with one field, in the words of `issues[].code` (api.md 1.1).
    pub enum IssueKind {
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

/// One thing that is wrong with a patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigIssue {
    /// What the request is refused with because of it.
    pub code: ConfigCode,
    /// The word of the field's own entry in `issues`.
    pub kind: IssueKind,
    /// The field.
    pub path: Vec<String>,
    /// One sentence for people, without the value: it may be a secret.
    pub message: String,
}

impl ConfigIssue {
    pub(super) fn new(code: ConfigCode, path: &[String], message: impl Into<String>) -> Self {
        let kind = match code {
            ConfigCode::UnknownField => IssueKind::UnrecognizedKey,
            ConfigCode::UnknownProfile | ConfigCode::UnknownRole | ConfigCode::LabelNotRoutable => {
                IssueKind::InvalidEnum
            }
            ConfigCode::BadModelId | ConfigCode::UnsafeUrl => IssueKind::InvalidString,
            ConfigCode::InvalidRequest
            | ConfigCode::RoleNotAllowed
            | ConfigCode::NotOffered
            | ConfigCode::ReadOnlyField
            | ConfigCode::ReservedName
            | ConfigCode::UnsupportedValue
            | ConfigCode::ScopeNotAllowed
            | ConfigCode::UnknownRig
            | ConfigCode::DuplicateOverride
            | ConfigCode::MayorIsTownLevel => IssueKind::Custom,
        };
        Self { code, kind, path: path.to_vec(), message: message.into() }
    }

    pub(super) fn shape(kind: IssueKind, path: &[String], message: impl Into<String>) -> Self {
        Self { code: ConfigCode::InvalidRequest, kind, path: path.to_vec(), message: message.into() }
    }
}

/// A patch that changes nothing because of what is wrong with it; everything that is wrong is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigRefusal {
    /// What to answer with.
    pub code: ConfigCode,
    /// At least one.
    pub issues: Vec<ConfigIssue>,
}

impl ConfigRefusal {
    /// `Ok` when there is nothing wrong.
    pub(super) fn unless_clean(issues: Vec<ConfigIssue>) -> Result<(), Self> {
        match issues.iter().map(|issue| issue.code).min_by_key(|code| code.rank()) {
            None => Ok(()),
            Some(code) => Err(Self { code, issues }),
        }
    }

    pub(super) fn one(issue: ConfigIssue) -> Self {
        Self { code: issue.code, issues: vec![issue] }
    }
}

impl fmt::Display for ConfigRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |issue: &ConfigIssue| match issue.path.is_empty() {
            true => issue.message.clone(),
            false => format!("{}: {}", issue.path.join("."), issue.message),
        };
        f.write_str(&self.issues.iter().map(line).collect::<Vec<_>>().join("; "))
    }
}

impl std::error::Error for ConfigRefusal {}

text_enum! {
    /// The words of `warnings[].code` that a change of settings can give.
    pub enum WarningCode {
        IgnoredField = "ignored_field",
        UnknownModel = "unknown_model",
        ProfileSetToCustom = "profile_set_to_custom",
        ShadowedByProfile = "shadowed_by_profile",
    }
}

/// Something that was accepted but deserves attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigWarning {
    /// Which.
    pub code: WarningCode,
    /// The field.
    pub path: Vec<String>,
    /// One sentence for people.
    pub message: String,
}
