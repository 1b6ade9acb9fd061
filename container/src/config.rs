//! The only reader of the environment (container.md 1.2). A missing or bad value is one line that names the variable
//! and the rule; what depends on a town comes with attach and with orders, never from here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::secret::Secret;

/// Settings of one runtime process.
#[derive(Debug, Clone)]
pub struct Config {
    /// Bearer secret of the control API.
    pub control_secret: Secret,
    /// Address of the control server.
    pub listen: SocketAddr,
    /// Address of the broker; loopback.
    pub broker_listen: SocketAddr,
    /// Everything on disk.
    pub data_dir: PathBuf,
    /// Replaces the Worker address given by attach.
    pub api_url: Option<String>,
    /// kilo's executable.
    pub kilo_bin: PathBuf,
    /// Plugin file handed to kilo.
    pub plugin: PathBuf,
    /// Directories before PATH of agents and gates.
    pub tool_path: String,
    /// Sessions of all towns, mayors included.
    pub max_sessions: u32,
    /// Memory that all sessions may use, in bytes; absent: what the machine has.
    pub memory_limit: Option<u64>,
    /// Expected memory of a new session, in bytes.
    pub session_memory: u64,
    /// Gates and merges at the same time.
    pub jobs: usize,
    /// Accept `file:`, `http:` and private addresses as remotes.
    pub allow_local_git: bool,
    /// Share download caches of package managers among the agents of a rig.
    pub tool_cache: bool,
    /// Longest drain after SIGTERM.
    pub drain: Duration,
    /// Filter of log lines.
    pub log: String,
    /// Log lines as JSON.
    pub log_json: bool,
    /// Whether another user was asked for; this build runs agents as its own.
    pub wants_agent_user: bool,
    /// Names that begin with `GASTOWN_` and mean nothing here.
    pub unknown: Vec<String>,
}

/// A variable with a value that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} {rule}")]
pub struct ConfigError {
    name: &'static str,
    rule: String,
}

const NAMES: &[&str] = &[
    "GASTOWN_CONTROL_SECRET",
    "GASTOWN_LISTEN",
    "GASTOWN_BROKER_LISTEN",
    "GASTOWN_DATA_DIR",
    "GASTOWN_API_URL",
    "GASTOWN_KILO_BIN",
    "GASTOWN_PLUGIN",
    "GASTOWN_KILO_SHARING",
    "GASTOWN_TOOL_PATH",
    "GASTOWN_AGENT_USER",
    "GASTOWN_MAX_SESSIONS",
    "GASTOWN_MEMORY_LIMIT_MB",
    "GASTOWN_SESSION_MEMORY_MB",
    "GASTOWN_JOBS",
    "GASTOWN_ALLOW_LOCAL_GIT",
    "GASTOWN_TOOL_CACHE",
    "GASTOWN_DRAIN_SECONDS",
    "GASTOWN_LOG",
    "GASTOWN_LOG_FORMAT",
];

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_vars(std::env::vars().filter(|(name, _)| name.starts_with("GASTOWN_")).collect())
    }

    /// Reads the settings from these variables.
    pub fn from_vars(vars: BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let read = Reader { vars: &vars };
        let secret = read.text("GASTOWN_CONTROL_SECRET").unwrap_or_default();
        if !(32..=256).contains(&secret.chars().count()) {
            return Err(fault("GASTOWN_CONTROL_SECRET", "must be set to 32 to 256 characters"));
        }
        let broker_listen: SocketAddr = read.parse("GASTOWN_BROKER_LISTEN", "127.0.0.1:0", "address:port")?;
        if !broker_listen.ip().is_loopback() {
            return Err(fault("GASTOWN_BROKER_LISTEN", "must be a loopback address"));
        }
        if read.text("GASTOWN_KILO_SHARING").unwrap_or("none") != "none" {
            return Err(fault("GASTOWN_KILO_SHARING", "must be none: this build runs one server per session"));
        }
        let data_dir = std::path::absolute(read.text("GASTOWN_DATA_DIR").unwrap_or(".gastown/runtime"))
            .map_err(|_| fault("GASTOWN_DATA_DIR", "must be a path"))?;
        let kilo = read.text("GASTOWN_KILO_BIN").unwrap_or("node_modules/@kilocode/cli-linux-x64/bin/kilo");
        let plugin = read.text("GASTOWN_PLUGIN").unwrap_or("container/plugin/dist/gastown.js");
        Ok(Self {
            control_secret: Secret::new(secret),
            listen: read.parse("GASTOWN_LISTEN", "127.0.0.1:8080", "address:port")?,
            broker_listen,
            data_dir,
            api_url: read.text("GASTOWN_API_URL").map(str::to_owned),
            kilo_bin: std::path::absolute(kilo).map_err(|_| fault("GASTOWN_KILO_BIN", "must be a path"))?,
            plugin: std::path::absolute(plugin).map_err(|_| fault("GASTOWN_PLUGIN", "must be a path"))?,
            tool_path: read.text("GASTOWN_TOOL_PATH").unwrap_or_default().to_owned(),
            max_sessions: u32::try_from(read.number("GASTOWN_MAX_SESSIONS", 20, 1, 200)?).unwrap_or(20),
            memory_limit: match read.text("GASTOWN_MEMORY_LIMIT_MB") {
                None => None,
                Some(_) => Some(read.number("GASTOWN_MEMORY_LIMIT_MB", 0, 1, 1 << 30)? << 20),
            },
            session_memory: read.number("GASTOWN_SESSION_MEMORY_MB", 512, 1, 1 << 20)? << 20,
            jobs: usize::try_from(read.number("GASTOWN_JOBS", 2, 1, 16)?).unwrap_or(2),
            allow_local_git: read.flag("GASTOWN_ALLOW_LOCAL_GIT")?,
            tool_cache: read.choice("GASTOWN_TOOL_CACHE", "rig", &["rig", "off"])? == "rig",
            drain: Duration::from_secs(read.number("GASTOWN_DRAIN_SECONDS", 300, 10, 400)?),
            log: read.text("GASTOWN_LOG").unwrap_or("info").to_owned(),
            log_json: read.choice("GASTOWN_LOG_FORMAT", "json", &["json", "text"])? == "json",
            wants_agent_user: read.text("GASTOWN_AGENT_USER").is_some(),
            unknown: vars.keys().filter(|name| !NAMES.contains(&name.as_str())).cloned().collect(),
        })
    }
}

/// What git's credential helper may know: the gateway and the session's capability.
#[derive(Debug)]
pub struct HelperConfig {
    /// Address of the broker.
    pub gateway: String,
    /// Capability of the session or command.
    pub capability: Secret,
}

impl HelperConfig {
    /// Reads the environment that the runtime gave to git.
    pub fn from_env() -> Self {
        let read = |name| std::env::var(name).unwrap_or_default();
        Self { gateway: read("GASTOWN_API_URL"), capability: Secret::new(read("GASTOWN_SESSION_TOKEN")) }
    }
}

struct Reader<'a> {
    vars: &'a BTreeMap<String, String>,
}

impl<'a> Reader<'a> {
    fn text(&self, name: &'static str) -> Option<&'a str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn parse<T: std::str::FromStr>(&self, name: &'static str, default: &str, rule: &str) -> Result<T, ConfigError> {
        let text = self.text(name).unwrap_or(default);
        text.parse().map_err(|_| fault(name, &format!("must be {rule}")))
    }

    fn number(&self, name: &'static str, default: u64, min: u64, max: u64) -> Result<u64, ConfigError> {
        let value = match self.text(name) {
            None => return Ok(default),
            Some(text) => text.parse().ok().filter(|value| (min..=max).contains(value)),
        };
        value.ok_or_else(|| fault(name, &format!("must be a number from {min} to {max}")))
    }

    fn flag(&self, name: &'static str) -> Result<bool, ConfigError> {
        Ok(self.choice(name, "0", &["0", "1"])? == "1")
    }

    fn choice(&self, name: &'static str, default: &'a str, allowed: &[&str]) -> Result<&'a str, ConfigError> {
        let value = self.text(name).unwrap_or(default);
        match allowed.contains(&value) {
            true => Ok(value),
            false => Err(fault(name, &format!("must be one of {}", allowed.join(", ")))),
        }
    }
}

fn fault(name: &'static str, rule: &str) -> ConfigError {
    ConfigError { name, rule: rule.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vars: &[(&str, &str)]) -> Result<Config, String> {
        let mut all: BTreeMap<String, String> = [("GASTOWN_CONTROL_SECRET".to_owned(), "s".repeat(32))].into();
        all.extend(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Config::from_vars(all).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_local() {
        let config = check(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert!(config.broker_listen.ip().is_loopback());
        assert!(!config.allow_local_git);
        assert_eq!(config.max_sessions, 20);
    }

    #[test]
    fn a_bad_value_names_its_variable() {
        for (name, value) in [
            ("GASTOWN_CONTROL_SECRET", "short"),
            ("GASTOWN_BROKER_LISTEN", "0.0.0.0:80"),
            ("GASTOWN_LISTEN", "here"),
            ("GASTOWN_MAX_SESSIONS", "0"),
            ("GASTOWN_JOBS", "many"),
            ("GASTOWN_ALLOW_LOCAL_GIT", "yes"),
            ("GASTOWN_KILO_SHARING", "town"),
            ("GASTOWN_LOG_FORMAT", "xml"),
        ] {
            let error = check(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(name), "{error}");
        }
    }

    #[test]
    fn unknown_names_are_listed() {
        assert_eq!(check(&[("GASTOWN_COLOUR", "red")]).unwrap().unknown, ["GASTOWN_COLOUR"]);
    }
}
