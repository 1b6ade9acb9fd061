//! Towns and rigs as clients see them (api.md 4, **Town**, **Rig**), and the requests that make and change them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::read::{Fields, Request};
use crate::access::TownRole;
use crate::id::{RigId, TownId};
use crate::limits::{CREDENTIAL_MAX, GIT_URL_MAX, NAME_MAX, PURPOSE_MAX};
use crate::text_enum;
use crate::time::Timestamp;
use crate::wire::envelope::IssueCode;

/// **Town**.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Town {
    pub id: TownId,
    pub name: String,
    pub owner_user_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_org_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by_user_id: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
    pub role: TownRole,
    pub paused: bool,
    pub counts: TownCounts,
}

/// Counts of a town.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct TownCounts {
    pub rigs: u32,
    pub working_agents: u32,
    pub open_beads: u32,
    pub escalations: u32,
    pub needs_attention: u32,
}

/// **Rig**.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Rig {
    pub id: RigId,
    pub town_id: TownId,
    pub name: String,
    pub git_url: String,
    pub default_branch: String,
    pub platform_integration_id: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
    pub purpose: Option<String>,
    pub target_branch: String,
    pub access: RigAccess,
    pub counts: RigCounts,
}

text_enum! {
    /// Whether the runtime can reach a repository.
    pub enum RigAccessState {
        Unknown = "unknown",
        Checking = "checking",
        Ok = "ok",
        Failed = "failed",
    }
}

/// What the last look at a repository found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RigAccess {
    /// Whether it can be read.
    pub state: RigAccessState,
    /// Whether it takes pushes.
    #[serde(default)]
    pub can_push: Option<bool>,
    /// Why not, in a sentence.
    #[serde(default)]
    pub message: Option<String>,
    /// When.
    #[serde(default)]
    pub checked_at: Option<Timestamp>,
}

impl Default for RigAccess {
    fn default() -> Self {
        Self { state: RigAccessState::Unknown, can_push: None, message: None, checked_at: None }
    }
}

/// Counts of a rig.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct RigCounts {
    pub open: u32,
    pub in_progress: u32,
    pub in_review: u32,
    pub failed: u32,
    pub working_agents: u32,
    pub slots_used: u32,
    pub slots: u32,
}

/// `POST /api/towns` and its siblings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewTown {
    /// Name.
    pub name: String,
    /// The organisation that owns it.
    pub org_id: Option<String>,
    /// Settings to begin with, as a patch.
    pub config: Option<Value>,
}

impl Request for NewTown {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            name: fields.trimmed("name", 1, NAME_MAX),
            org_id: fields.optional_text("org_id", 1, 128),
            config: fields.optional_object("config").map(Value::Object),
        }
    }
}

/// `PATCH T`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenameTown {
    /// Name.
    pub name: String,
}

impl Request for RenameTown {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { name: fields.trimmed("name", 1, NAME_MAX) }
    }
}

/// `POST T/rigs` and its siblings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewRig {
    /// The town, where the path does not say.
    pub town_id: Option<TownId>,
    /// Name, unique in the town.
    pub name: String,
    /// Where the repository lives; judged by [`check_git_url`].
    pub git_url: String,
    /// Its default branch.
    pub default_branch: String,
    /// Branch that work is merged into.
    pub target_branch: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// Installation of the deployment's app at the forge.
    pub platform_integration_id: Option<String>,
    /// The town's key of the model gateway, where it has none.
    pub kilocode_token: Option<String>,
}

impl Request for NewRig {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            town_id: fields.optional_id("town_id"),
            name: fields.trimmed("name", 1, NAME_MAX),
            git_url: fields.text("git_url", 1, GIT_URL_MAX),
            default_branch: fields.optional_branch("default_branch").unwrap_or_else(|| "main".to_owned()),
            target_branch: fields.optional_branch("target_branch"),
            purpose: fields.optional_text("purpose", 0, PURPOSE_MAX),
            platform_integration_id: fields.optional_text("platform_integration_id", 1, 128),
            kilocode_token: fields.optional_text("kilocode_token", 1, CREDENTIAL_MAX),
        }
    }
}

/// `PATCH R`: absent keeps, null clears.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PatchRig {
    /// Name.
    pub name: Option<String>,
    /// What it is for.
    pub purpose: Option<Option<String>>,
    /// Its default branch.
    pub default_branch: Option<String>,
    /// Branch that work is merged into.
    pub target_branch: Option<Option<String>>,
}

impl Request for PatchRig {
    fn read(fields: &mut Fields<'_>) -> Self {
        if !["name", "purpose", "default_branch", "target_branch"].iter().any(|key| fields.names(key)) {
            fields.issue("", IssueCode::Required, "change at least one field");
        }
        Self {
            name: fields.names("name").then(|| fields.trimmed("name", 1, NAME_MAX)),
            purpose: fields.names("purpose").then(|| fields.optional_text("purpose", 0, PURPOSE_MAX)),
            default_branch: fields.optional_branch("default_branch"),
            target_branch: fields.names("target_branch").then(|| fields.optional_branch("target_branch")),
        }
    }
}

/// Where a repository lives, and what is known from that alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHost {
    /// Host name in lower case; empty for a path of this machine.
    pub host: String,
    /// Whether pull requests can be made there.
    pub is_forge: bool,
}

/// Judges a repository's address (api.md 3.2): https, a public host, no user info, no query, no tricks in the path.
/// `allow_local` adds `file:`, `http:` and private addresses, for the demo and for tests.
pub fn check_git_url(url: &str, allow_local: bool) -> Result<GitHost, &'static str> {
    let (scheme, rest) = url.split_once("://").ok_or("git_url must be an https address")?;
    if url.chars().any(|c| c.is_control() || c == ' ' || c == '\\') {
        return Err("git_url must not contain blanks, control characters or backslashes");
    }
    if rest.contains('?') || rest.contains('#') {
        return Err("git_url must have no query and no fragment");
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if path.split('/').any(|part| part == ".." || part == ".") {
        return Err("git_url must not step out of its path");
    }
    match scheme {
        "file" if allow_local && authority.is_empty() && !path.is_empty() => {
            return Ok(GitHost { host: String::new(), is_forge: false });
        }
        "https" => (),
        "http" if allow_local => (),
        _ => return Err("git_url must be an https address"),
    }
    if authority.contains('@') {
        return Err("git_url must not contain a user or a password");
    }
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
    .to_ascii_lowercase();
    if host.is_empty() || path.is_empty() {
        return Err("git_url must name a host and a repository");
    }
    if !allow_local && !is_public(&host) {
        return Err("git_url must name a public host");
    }
    let is_forge = matches!(host.as_str(), "github.com" | "gitlab.com");
    Ok(GitHost { host, is_forge })
}

/// Whether a host may be public by its name alone; what a name resolves to is the runtime's check.
fn is_public(host: &str) -> bool {
    if host.contains(':') {
        // A literal of IPv6: loopback, link-local, unique-local and mapped addresses are ours.
        let private = ["fe8", "fe9", "fea", "feb", "fc", "fd", "::"];
        return !private.iter().any(|prefix| host.starts_with(prefix));
    }
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_hexdigit() || b == b'x');
    let parts: Vec<&str> = host.split('.').collect();
    if parts.iter().all(is_number) && parts.last().is_some_and(|p| p.starts_with(|c: char| c.is_ascii_digit())) {
        let octets: Vec<u8> = parts.iter().filter_map(|part| part.parse().ok()).collect();
        return match octets[..] {
            [0 | 10 | 127 | 224..=255, _, _, _] => false,
            [100, 64..=127, _, _] => false,
            [169, 254, _, _] | [192, 168, _, _] => false,
            [172, 16..=31, _, _] => false,
            [_, _, _, _] => true,
            // Numbers in another notation than four decimals name some address that nobody meant to write.
            _ => false,
        };
    }
    let local = ["localhost", "local", "internal", "lan", "home", "corp", "intranet"];
    parts.len() > 1 && !parts.last().is_some_and(|last| local.contains(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_https_addresses_are_safe() {
        for good in ["https://github.com/a/b.git", "https://git.example.org:8443/x", "https://8.8.8.8/x"] {
            assert!(check_git_url(good, false).is_ok(), "{good}");
        }
        for bad in [
            "git@github.com:a/b.git",
            "ssh://git@github.com/a",
            "http://github.com/a",
            "file:///tmp/x",
            "https://me:pw@github.com/a",
            "https://localhost/a",
            "https://git.internal/a",
            "https://127.0.0.1/a",
            "https://10.1.2.3/a",
            "https://2130706433/a",
            "https://0x7f.1/a",
            "https://[::1]/a",
            "https://[fd00::1]/a",
            "https://169.254.169.254/latest",
            "https://github.com/a/../b",
            "https://github.com/a?x=1",
            "https://github.com/a#x",
            "https://github.com",
            "https://github.com/a b",
            "",
        ] {
            assert!(check_git_url(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_development_deployment_may_use_this_machine() {
        for good in ["file:///tmp/x.git", "http://127.0.0.1:3000/x.git", "https://localhost/x"] {
            assert!(check_git_url(good, true).is_ok(), "{good}");
        }
        assert!(check_git_url("file:///tmp/../etc", true).is_err());
        assert!(check_git_url("ftp://x/y", true).is_err());
    }

    #[test]
    fn known_forges_take_pull_requests() {
        assert!(check_git_url("https://GitHub.com/a/b", false).unwrap().is_forge);
        assert!(!check_git_url("https://git.example.org/a/b", false).unwrap().is_forge);
    }
}
