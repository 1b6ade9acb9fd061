//! The whole environment of a session's processes and of gates (container.md 4.4): a child gets these names and no
//! others. Pure: the shell clears the environment and sets what this module lists.

use std::path::Path;

use gastown_core::id::TownId;
use gastown_core::text::slug;
use gastown_core::wire::control::{Kind, StartOrder};

use super::session::Paths;
use crate::git;

type Env = Vec<(String, String)>;

/// What the environment of a session depends on besides its order.
pub struct Surroundings<'a> {
    /// The town.
    pub town: TownId,
    /// Address of the broker.
    pub broker: &'a str,
    /// Address of the rig at the gateway.
    pub gateway: Option<String>,
    /// Opens the broker.
    pub capability: &'a str,
    /// Directories before PATH.
    pub tool_path: &'a str,
    /// The session's folders.
    pub paths: &'a Paths,
    /// The setting that makes git ask the runtime's helper.
    pub helper: (String, String),
    /// Folder with the one hook of ours.
    pub hooks: &'a Path,
    /// Download caches of package managers.
    pub caches: Option<&'a Path>,
}

/// Environment of a session: its shell commands, its git, and (with [`kilo`]) its server.
pub fn session(order: &StartOrder, around: &Surroundings<'_>) -> Env {
    let mut env = base(around.tool_path);
    env.extend(places(&around.paths.dir, &around.paths.data_dir));
    env.extend(gastown(order, around));
    env.extend(git_group(order, around));
    env.extend(caches(around.caches));
    let taken: Vec<String> = env.iter().map(|(name, _)| name.clone()).collect();
    let own = order.env.iter().filter(|(name, _)| !taken.contains(name) && !is_reserved(name));
    env.extend(own.map(|(name, value)| (name.clone(), value.clone())));
    env
}

/// Environment of a gate: no kilo, no capability, caches of its own.
pub fn gate(tool_path: &str, dir: &Path, cache: Option<&Path>) -> Env {
    let mut env = base(tool_path);
    env.push(pair("HOME", &dir.join("home").display()));
    env.push(pair("TMPDIR", &dir.join("tmp").display()));
    env.extend(
        [("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_TERMINAL_PROMPT", "0")]
            .map(|(name, value)| pair(name, &value)),
    );
    env.extend(caches(cache));
    env
}

/// What only kilo's server gets.
pub fn kilo(config: String, password: &str, home: &Path) -> Env {
    let mut env = vec![
        pair("KILO_CONFIG_CONTENT", &config),
        pair("KILO_SERVER_PASSWORD", &password),
        pair("KILO_CLIENT", &"gastown"),
        pair("KILO_DISABLE_PROJECT_CONFIG", &"1"),
        pair("KILO_TEST_HOME", &home.display()),
        pair("KILO_TELEMETRY_LEVEL", &"off"),
        // A closed port: nothing of kilo's own service is ever asked.
        pair("KILO_API_URL", &"http://127.0.0.1:9"),
        pair("KILO_SESSION_RETRY_LIMIT", &"3"),
    ];
    env.extend(KILO_DISABLED.iter().map(|name| pair(&format!("KILO_DISABLE_{name}"), &"1")));
    env
}

const KILO_DISABLED: &[&str] = &[
    "MODELS_FETCH",
    "AUTOUPDATE",
    "DEFAULT_PLUGINS",
    "LSP_DOWNLOAD",
    "SHARE",
    "SESSION_INGEST",
    "PRESENCE",
    "CLAUDE_CODE",
    "FILETIME_CHECK",
];

/// Names that would change programs or speak for us (api.md 5.2, `env_vars`).
pub fn is_reserved(name: &str) -> bool {
    ["PATH", "HOME", "NODE_OPTIONS", "GH_TOKEN"].contains(&name)
        || ["GASTOWN_", "KILO", "OPENCODE_", "GIT_", "GITHUB_", "GITLAB_", "LD_", "XDG_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

fn base(tool_path: &str) -> Env {
    let path = match tool_path {
        "" => "/usr/local/bin:/usr/bin:/bin".to_owned(),
        more => format!("{more}:/usr/local/bin:/usr/bin:/bin"),
    };
    let mut env = vec![pair("PATH", &path)];
    let fixed = [("LANG", "C.UTF-8"), ("TZ", "UTC"), ("PAGER", "cat"), ("GIT_PAGER", "cat"), ("GIT_EDITOR", "true")];
    env.extend(fixed.map(|(name, value)| pair(name, &value)));
    env
}

fn places(dir: &Path, data: &Path) -> Env {
    let mut env = vec![pair("XDG_DATA_HOME", &data.display())];
    let below = [
        ("HOME", "home"),
        ("TMPDIR", "tmp"),
        ("XDG_CONFIG_HOME", "config"),
        ("XDG_CACHE_HOME", "cache"),
        ("XDG_STATE_HOME", "state"),
    ];
    env.extend(below.map(|(name, folder)| pair(name, &dir.join(folder).display())));
    env
}

fn gastown(order: &StartOrder, around: &Surroundings<'_>) -> Env {
    let assignment = &order.assignment;
    let mut env = vec![
        pair("GASTOWN_API_URL", &around.broker),
        pair("GASTOWN_SESSION_TOKEN", &around.capability),
        pair("GASTOWN_TOWN_ID", &around.town),
        pair("GASTOWN_AGENT_ID", &assignment.agent_id),
        pair("GASTOWN_AGENT_ROLE", &order.role),
        pair("GASTOWN_ASSIGNMENT_ID", &assignment.assignment_id),
    ];
    if order.kind != Kind::Mayor {
        env.push(pair("GASTOWN_RIG_ID", &assignment.rig_id));
    }
    if let Some(branch) = &order.branch {
        env.push(pair("GASTOWN_BRANCH", branch));
    }
    env
}

fn git_group(order: &StartOrder, around: &Surroundings<'_>) -> Env {
    let global = around.paths.dir.join("gitconfig");
    let mut env = vec![
        pair("GIT_CONFIG_NOSYSTEM", &"1"),
        pair("GIT_CONFIG_GLOBAL", &global.display()),
        pair("GIT_TERMINAL_PROMPT", &"0"),
        pair("GIT_LFS_SKIP_SMUDGE", &"1"),
    ];
    let agent = &order.agent.name;
    let address = format!("{}@agents.gastown.invalid", slug(agent));
    let (name, email) = match &order.author {
        Some(author) => (author.name.as_str(), author.email.as_str()),
        None => (agent.as_str(), address.as_str()),
    };
    for who in ["AUTHOR", "COMMITTER"] {
        env.push(pair(&format!("GIT_{who}_NAME"), &name));
        env.push(pair(&format!("GIT_{who}_EMAIL"), &email));
    }
    let mut settings = vec![around.helper.clone(), pair("core.hooksPath", &around.hooks.display())];
    if let (Some(gateway), Some(repo)) = (&around.gateway, &order.repo) {
        settings.push(pair(&format!("url.{gateway}.insteadOf"), &repo.git_url));
    }
    let fixed = [
        ("push.default", "current"),
        ("safe.directory", "*"),
        ("advice.detachedHead", "false"),
        ("commit.gpgSign", "false"),
        ("submodule.recurse", "false"),
        ("gc.auto", "0"),
    ];
    settings.extend(fixed.map(|(key, value)| pair(key, &value)));
    env.extend(git::config_env(&settings));
    env
}

fn caches(folder: Option<&Path>) -> Env {
    let Some(folder) = folder else { return Env::new() };
    [("npm_config_cache", "npm"), ("PIP_CACHE_DIR", "pip"), ("GOMODCACHE", "go")]
        .map(|(name, below)| pair(name, &folder.join(below).display()))
        .to_vec()
}

fn pair(name: &str, value: &dyn std::fmt::Display) -> (String, String) {
    (name.to_owned(), value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_change_programs_are_reserved() {
        for name in ["PATH", "LD_PRELOAD", "GIT_DIR", "GASTOWN_X", "KILOCODE", "GH_TOKEN"] {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["DATABASE_URL", "PATHS", "MY_HOME"] {
            assert!(!is_reserved(name), "{name}");
        }
    }

    #[test]
    fn a_gate_has_no_capability() {
        let env = gate("/tools", Path::new("/j"), None);
        assert!(env.iter().all(|(name, _)| !name.starts_with("GASTOWN") && !name.starts_with("KILO")));
        assert!(env.contains(&("PATH".to_owned(), "/tools:/usr/local/bin:/usr/bin:/bin".to_owned())));
    }
}
