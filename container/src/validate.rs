//! What an order must look like before anything is made for it (container.md 3.2). All problems are reported at once;
//! pure.

use std::net::IpAddr;

use gastown_core::id::TownId;
use gastown_core::wire::code::Code;
use gastown_core::wire::control::{JobKind, JobOrder, Kind, Repo, RigRef, StartOrder};
use reqwest::Url;
use serde::Serialize;

use crate::fleet::env::is_reserved;
use crate::git::{is_branch_name, is_commit};
use crate::public_dns;

/// One thing that is wrong with an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// Kind of issue (api.md 1.1), always `custom` here.
    pub code: &'static str,
    /// Where.
    pub path: Vec<String>,
    /// Why.
    pub message: String,
    /// Which refusal it leads to.
    #[serde(skip)]
    pub refusal: Code,
}

/// Longest prompt part.
const PROMPT_MAX: usize = 128 << 10;
/// Longest history of the mayor, in characters.
const HISTORY_MAX: usize = 40_000;
/// Most variables of a town and the longest value of one.
const ENV_MAX: usize = 100;
const ENV_VALUE_MAX: usize = 8 << 10;

/// Flags that a push may have (api.md 5.3).
const PUSH_FLAGS: &[&str] = &[
    "--atomic",
    "--follow-tags",
    "--signed",
    "--no-signed",
    "--progress",
    "--no-progress",
    "--verbose",
    "--quiet",
    "--tags",
    "--porcelain",
    "--ipv4",
    "--ipv6",
    "--recurse-submodules=check",
    "--recurse-submodules=on-demand",
    "--recurse-submodules=no",
];

#[derive(Default)]
struct Issues(Vec<Issue>);

impl Issues {
    fn add(&mut self, refusal: Code, path: &str, message: impl Into<String>) {
        let path = path.split('.').map(str::to_owned).collect();
        self.0.push(Issue { code: "custom", path, message: message.into(), refusal });
    }
}

/// Everything that is wrong with a start order.
pub fn start(order: &StartOrder, town: TownId, allow_local_git: bool) -> Vec<Issue> {
    let mut issues = Issues::default();
    if order.kind.role() != order.role {
        issues.add(Code::UnsupportedValue, "role", format!("{} does not fit {}", order.role, order.kind));
    }
    let is_mayor = order.kind == Kind::Mayor;
    match order.assignment.rig_id {
        RigRef::Mayor(named) if !is_mayor || named != town => {
            issues.add(Code::UnsupportedValue, "assignment.rig_id", "not a rig of this town");
        }
        RigRef::Rig(_) if is_mayor => {
            issues.add(Code::UnsupportedValue, "assignment.rig_id", format!("must be mayor-{town}"));
        }
        RigRef::Mayor(_) | RigRef::Rig(_) => (),
    }
    check_texts(order, &mut issues);
    check_workspace(order, allow_local_git, &mut issues);
    check_env(order.env.iter(), &mut issues);
    issues.0
}

/// Everything that is wrong with a job order.
pub fn job(order: &JobOrder, allow_local_git: bool) -> Vec<Issue> {
    let mut issues = Issues::default();
    check_repo(&order.repo, allow_local_git, &mut issues);
    for (path, branch) in [("branch", &order.branch), ("target", &order.target), ("onto", &order.onto)] {
        check_branch(path, branch.as_deref(), &mut issues);
    }
    check_commit(order.commit.as_deref(), &mut issues);
    match order.kind {
        JobKind::Merge => {
            for (path, is_missing) in [("commit", order.commit.is_none()), ("target", order.target.is_none())] {
                if is_missing {
                    issues.add(Code::InvalidRequest, path, "is required for a merge");
                }
            }
        }
        JobKind::Gates if order.commit.is_none() && order.branch.is_none() => {
            issues.add(Code::InvalidRequest, "commit", "commit or branch is required");
        }
        JobKind::Gates => (),
    }
    if !(1..=120).contains(&order.timeout_minutes) {
        issues.add(Code::InvalidRequest, "timeout_minutes", "must be 1 to 120");
    }
    check_env(order.env.iter(), &mut issues);
    issues.0
}

/// Whether a remote may be used at all; names are resolved again at the gateway.
pub fn git_url(url: &str, allow_local_git: bool) -> Result<(), &'static str> {
    if url.len() > 2048 || url.contains("..") {
        return Err("is too long or leaves its folder");
    }
    let parsed = Url::parse(url).map_err(|_| "is not a URL")?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("must not hold a user name or password");
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err("must not have a query or fragment");
    }
    match parsed.scheme() {
        "https" if allow_local_git || !is_private(&parsed) => Ok(()),
        "file" | "http" if allow_local_git => Ok(()),
        "https" => Err("must be a public address"),
        _ => Err("must be an https address"),
    }
}

/// Private by its look; what a name resolves to is looked at where it is used.
fn is_private(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return true };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => public_dns::is_private(address),
        Err(_) => {
            bare == "localhost" || bare.ends_with(".localhost") || bare.ends_with(".internal") || !bare.contains('.')
        }
    }
}

fn check_texts(order: &StartOrder, issues: &mut Issues) {
    if order.title.is_empty() || order.title.chars().count() > 200 {
        issues.add(Code::InvalidRequest, "title", "must have 1 to 200 characters");
    }
    for (path, model) in [("model", &order.model), ("small_model", &order.small_model)] {
        if !is_model_id(model) {
            issues.add(Code::BadModelId, path, "is not a model id");
        }
    }
    let first = order.prompt.first.as_deref();
    if order.prompt.system.len() > PROMPT_MAX || first.is_some_and(|first| first.len() > PROMPT_MAX) {
        issues.add(Code::InvalidRequest, "prompt", "is too long");
    }
    if first.is_none() && order.kind != Kind::Mayor {
        issues.add(Code::InvalidRequest, "prompt.first", "is required");
    }
    if order.history.as_ref().is_some_and(|history| history.chars().count() > HISTORY_MAX) {
        issues.add(Code::InvalidRequest, "history", "is too long");
    }
    let texts = [&order.title, &order.agent.name, &order.agent.identity, &order.prompt.system];
    if texts.iter().any(|text| text.contains('\0')) {
        issues.add(Code::InvalidRequest, "prompt", "must not hold NUL");
    }
    if gastown_core::text::slug(&order.agent.name).is_empty() {
        issues.add(Code::InvalidRequest, "agent.name", "has no letter or digit");
    }
}

fn check_workspace(order: &StartOrder, allow_local_git: bool, issues: &mut Issues) {
    let needs_repo = !matches!(order.kind, Kind::Triage | Kind::Mayor);
    let Some(repo) = &order.repo else {
        if needs_repo {
            issues.add(Code::InvalidRequest, "repo", "is required");
        }
        return;
    };
    check_repo(repo, allow_local_git, issues);
    for (path, branch) in [("branch", &order.branch), ("base", &order.base), ("base_from", &order.base_from)] {
        check_branch(path, branch.as_deref(), issues);
    }
    check_commit(order.commit.as_deref(), issues);
    match &order.branch {
        Some(branch) if !order.landing_child && is_shared(branch, repo) => {
            issues.add(Code::UnsupportedValue, "branch", "no agent works on a shared branch");
        }
        None if order.kind.may_push() => issues.add(Code::InvalidRequest, "branch", "is required"),
        Some(_) | None => (),
    }
    if matches!(order.kind, Kind::Review | Kind::Landing) && order.commit.is_none() {
        issues.add(Code::InvalidRequest, "commit", "is required");
    }
}

fn is_shared(branch: &str, repo: &Repo) -> bool {
    let is_convoy_head = branch.starts_with("convoy/") && branch.ends_with("/head");
    branch == repo.target_branch || branch == repo.default_branch || is_convoy_head
}

fn check_repo(repo: &Repo, allow_local_git: bool, issues: &mut Issues) {
    if let Err(why) = git_url(&repo.git_url, allow_local_git) {
        issues.add(Code::UnsafeUrl, "repo.git_url", why);
    }
    check_branch("repo.default_branch", Some(&repo.default_branch), issues);
    check_branch("repo.target_branch", Some(&repo.target_branch), issues);
    for flag in repo.push_flags.iter().filter(|flag| !PUSH_FLAGS.contains(&flag.as_str())) {
        issues.add(Code::UnsupportedValue, "repo.push_flags", format!("{flag} is not allowed"));
    }
}

fn check_branch(path: &str, branch: Option<&str>, issues: &mut Issues) {
    if branch.is_some_and(|branch| !is_branch_name(branch)) {
        issues.add(Code::UnsupportedValue, path, "is not a branch name");
    }
}

fn check_commit(commit: Option<&str>, issues: &mut Issues) {
    if commit.is_some_and(|commit| !is_commit(commit)) {
        issues.add(Code::InvalidRequest, "commit", "is not a full commit hash");
    }
}

fn check_env<'a>(env: impl ExactSizeIterator<Item = (&'a String, &'a String)>, issues: &mut Issues) {
    if env.len() > ENV_MAX {
        issues.add(Code::InvalidRequest, "env", format!("has more than {ENV_MAX} entries"));
    }
    for (name, value) in env {
        if is_reserved(name) {
            issues.add(Code::ReservedName, "env", format!("{name} is reserved"));
        } else if !is_env_name(name) || value.len() > ENV_VALUE_MAX || value.contains('\0') {
            issues.add(Code::InvalidRequest, "env", format!("{name} is not a usable variable"));
        }
    }
}

fn is_env_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let begins_well = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    begins_well && name.len() <= 128 && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// models.md 3.
fn is_model_id(id: &str) -> bool {
    (1..=200).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/@-".contains(&byte))
        && id.as_bytes()[0].is_ascii_alphanumeric()
        && !id.contains("//")
        && !id.ends_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_public_https_unless_local_git_is_allowed() {
        let good = "https://github.com/me/repo.git";
        assert_eq!(git_url(good, false), Ok(()));
        let private = ["https://10.0.0.1/x", "https://localhost/x", "https://[::1]/x", "file:///x.git", "http://a.b/x"];
        for url in private {
            assert!(git_url(url, false).is_err(), "{url}");
            assert!(git_url(url, true).is_ok(), "{url}");
        }
        for url in ["ssh://git@h.x/x", "git@h:x", "https://u:p@h.x/x", "https://h.x/x?y", "https://h.x/a/../b", "x"] {
            assert!(git_url(url, true).is_err(), "{url}");
        }
    }

    #[test]
    fn model_ids_have_a_form() {
        for id in ["anthropic/claude-sonnet-4.6", "m", "a:b@c"] {
            assert!(is_model_id(id), "{id}");
        }
        for id in ["", "/a", "a//b", "a/", "a b", "-a"] {
            assert!(!is_model_id(id), "{id}");
        }
    }
}
