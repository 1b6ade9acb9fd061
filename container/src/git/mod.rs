//! Runs git: fixed flags, fixed environment, a limit on time and output, typed errors (container.md 7.2). Two
//! authorities never mix: [`Authority::Runtime`] works in a rig's store and its checkouts, whose configuration no agent
//! can write; [`Authority::Agent`] works in worktrees, with a session's own environment and nothing else.
//! Where to read next: `store` (clone, fetch), `worktree`, `save`, `merge`, `gates`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gastown_core::wire::control::StartFailureCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use crate::limits;

pub mod gates;
pub mod merge;
pub mod save;
pub mod serve;
pub mod store;
pub mod worktree;

/// Whose rights a command has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority<'a> {
    /// The runtime's: an environment without anything of an agent.
    Runtime,
    /// A session's: exactly this environment.
    Agent(&'a [(String, String)]),
}

/// A git command that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// The program could not be run.
    #[error("git {command} could not be started: {reason}")]
    Spawn {
        /// Sub-command.
        command: String,
        /// Cause.
        reason: String,
    },
    /// It took too long.
    #[error("git {command} took longer than {limit_s} s")]
    TimedOut {
        /// Sub-command.
        command: String,
        /// The limit.
        limit_s: u64,
    },
    /// It ended with an error.
    #[error("git {command} failed: {}", last_line(stderr))]
    Failed {
        /// Sub-command.
        command: String,
        /// Exit status.
        code: Option<i32>,
        /// Its words.
        stderr: String,
        /// Its answer so far.
        stdout: String,
    },
}

/// The last line that says something.
pub fn last_line(text: &str) -> &str {
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no message")
}

impl GitError {
    /// What the program wrote to its error stream.
    pub fn stderr(&self) -> &str {
        match self {
            Self::Failed { stderr, .. } => stderr,
            Self::Spawn { .. } | Self::TimedOut { .. } => "",
        }
    }

    /// Exit status of a command that ran.
    pub const fn code(&self) -> Option<i32> {
        match self {
            Self::Failed { code, .. } => *code,
            Self::Spawn { .. } | Self::TimedOut { .. } => None,
        }
    }
}

/// One git command.
pub struct Git<'a> {
    dir: &'a Path,
    authority: Authority<'a>,
    args: Vec<std::ffi::OsString>,
    env: Vec<(String, String)>,
    stdin: Option<Vec<u8>>,
    limit: Duration,
}

/// How the runtime's own git reaches a remote: through the gateway, with a capability that lives for one command.
#[derive(Clone)]
pub struct Remote {
    /// Address of the rig at the gateway.
    pub url: String,
    /// Environment that lets git's credential helper answer.
    pub env: Vec<(String, String)>,
    /// Why the gateway refused, when it did; git itself only knows a status.
    pub failure: Arc<Mutex<Option<GatewayFailure>>>,
    /// Keeps the capability alive; it opens nothing once the last copy is gone.
    pub keep: Arc<dyn std::any::Any + Send + Sync>,
}

/// Why the gateway could not serve a remote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct GatewayFailure {
    /// What a start that needs it fails with.
    pub code: StartFailureCode,
    /// One sentence.
    pub message: String,
}

/// Flags of every command: nothing that a repository says makes git run a program or leave the gateway.
const FLAGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.allow=never",
    "protocol.http.allow=always",
    "submodule.recurse=false",
    "fetch.fsckObjects=true",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
    "commit.gpgSign=false",
];

impl<'a> Git<'a> {
    /// A command with the runtime's authority.
    pub fn runtime(dir: &'a Path) -> Self {
        Self::new(dir, Authority::Runtime)
    }

    /// A command with a session's authority.
    pub fn agent(dir: &'a Path, env: &'a [(String, String)]) -> Self {
        Self::new(dir, Authority::Agent(env))
    }

    /// A command in this directory.
    pub fn new(dir: &'a Path, authority: Authority<'a>) -> Self {
        Self { dir, authority, args: Vec::new(), env: Vec::new(), stdin: None, limit: limits::GIT_COMMAND }
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Adds a variable.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Lets the command reach a remote.
    pub fn remote(mut self, remote: &Remote) -> Self {
        self.env.extend(remote.env.iter().cloned());
        self.limit = limits::GIT_NETWORK;
        self
    }

    /// Feeds standard input.
    pub fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = Some(bytes);
        self
    }

    /// Another limit than that of a local command.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs the command; its output without the final line end.
    pub async fn text(self) -> Result<String, GitError> {
        let bytes = self.bytes().await?;
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
    }

    /// Runs the command; whether it exited with 0, or with 1 for "no".
    pub async fn answer(self) -> Result<bool, GitError> {
        match self.bytes().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(1) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Runs the command for its effect.
    pub async fn run(self) -> Result<(), GitError> {
        self.bytes().await.map(drop)
    }

    /// Runs the command; its output.
    pub async fn bytes(self) -> Result<Vec<u8>, GitError> {
        let name = self.args.first().map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default();
        let (limit, stdin) = (self.limit, self.stdin.clone());
        let mut command = self.command();
        let spawn_failed = |error: std::io::Error| GitError::Spawn { command: name.clone(), reason: error.to_string() };
        let mut child = command.spawn().map_err(spawn_failed)?;
        let group = child.id().and_then(|pid| i32::try_from(pid).ok());
        let work = async {
            let (input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
            let feed = async {
                if let (Some(mut input), Some(bytes)) = (input, stdin) {
                    // git may close its input early; its exit status tells the rest.
                    let _closed = input.write_all(&bytes).await;
                }
            };
            let ((), stdout, stderr) = tokio::join!(feed, read_capped(out), read_capped(err));
            (child.wait().await, stdout, stderr)
        };
        let done = tokio::time::timeout(limit, work).await;
        if done.is_err()
            && let Some(group) = group
        {
            crate::fleet::process::signal_group(group, nix::sys::signal::Signal::SIGKILL);
        }
        let Ok((status, stdout, stderr)) = done else {
            return Err(GitError::TimedOut { command: name, limit_s: limit.as_secs() });
        };
        let status = status.map_err(spawn_failed)?;
        if status.success() {
            return Ok(stdout);
        }
        Err(GitError::Failed {
            command: name,
            code: status.code(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        for flag in FLAGS {
            command.arg("-c").arg(flag);
        }
        command.args(&self.args).current_dir(self.dir).env_clear();
        match self.authority {
            Authority::Runtime => command.envs(base_env()),
            Authority::Agent(env) => command.envs(env.iter().map(|(name, value)| (name, value))),
        };
        command.env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let stdin = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        command
    }
}

/// Environment of the runtime's own git: no system or user configuration, no prompt, no smudge filter.
pub fn base_env() -> Vec<(String, String)> {
    [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("HOME", "/nonexistent"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_LFS_SKIP_SMUDGE", "1"),
        ("GIT_EDITOR", "true"),
        ("TZ", "UTC"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// `GIT_CONFIG_COUNT` and its pairs.
pub fn config_env(pairs: &[(String, String)]) -> Vec<(String, String)> {
    let mut env = vec![("GIT_CONFIG_COUNT".to_owned(), pairs.len().to_string())];
    for (at, (key, value)) in pairs.iter().enumerate() {
        env.push((format!("GIT_CONFIG_KEY_{at}"), key.clone()));
        env.push((format!("GIT_CONFIG_VALUE_{at}"), value.clone()));
    }
    env
}

/// The credential helper that answers for the gateway only: this program with `git-credential`.
pub fn credential_helper(own: &Path) -> String {
    let quoted = own.display().to_string().replace('\'', r"'\''");
    format!("!'{quoted}' git-credential")
}

/// The `git-credential` subcommand: reads git's question, answers for the gateway's own address only.
pub fn credential_answer(action: &str, question: &str, gateway: &str, capability: &str) -> String {
    if action != "get" {
        return String::new();
    }
    let field = |name: &str| question.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let asked = format!("{}://{}", field("protocol").unwrap_or_default(), field("host").unwrap_or_default());
    match asked == gateway && !capability.is_empty() {
        true => format!("username=gastown\npassword={capability}\n"),
        false => "quit=1\n".to_owned(),
    }
}

/// Whether a text can be a branch name for git and for us (container.md 3.2).
pub fn is_branch_name(name: &str) -> bool {
    let part_is_good = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    (1..=200).contains(&name.len())
        && name != "HEAD"
        && name != "@"
        && !name.starts_with('-')
        && !name.starts_with("refs/")
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && name.split('/').all(part_is_good)
        && !name.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c))
}

/// Whether a text is a full commit hash.
pub fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Makes a folder with its parents.
pub fn make_dir(path: &Path) -> Result<PathBuf, GitError> {
    std::fs::create_dir_all(path).map_err(|error| GitError::Spawn {
        command: "init".to_owned(),
        reason: format!("{}: {error}", path.display()),
    })?;
    Ok(path.to_owned())
}

async fn read_capped(from: Option<impl tokio::io::AsyncRead + Unpin>) -> Vec<u8> {
    let Some(mut from) = from else { return Vec::new() };
    let (mut kept, mut buffer) = (Vec::new(), vec![0u8; 16 << 10]);
    while let Ok(count) = from.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        let room = limits::GIT_OUTPUT_MAX.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..count.min(room)]);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branch_names_follow_git() {
        for good in ["main", "polecat/toast/0f9a1b2c", "convoy/x/1/head", "a.b"] {
            assert!(is_branch_name(good), "{good}");
        }
        for bad in
            ["", "-f", "a b", "x.lock", "a/x.lock/b", "HEAD", "refs/heads/x", "a..b", "a//b", "/a", "a/", "a~1", "x."]
        {
            assert!(!is_branch_name(bad), "{bad}");
        }
    }

    #[test]
    fn the_helper_answers_for_the_gateway_only() {
        let question = "protocol=http\nhost=127.0.0.1:4100\npath=git/x\n";
        let gateway = "http://127.0.0.1:4100";
        assert_eq!(credential_answer("get", question, gateway, "gtc_x"), "username=gastown\npassword=gtc_x\n");
        assert_eq!(credential_answer("get", "protocol=https\nhost=github.com\n", gateway, "gtc_x"), "quit=1\n");
        assert_eq!(credential_answer("store", question, gateway, "gtc_x"), "");
        assert_eq!(credential_answer("get", question, gateway, ""), "quit=1\n");
    }

    #[test]
    fn commits_are_full_hashes() {
        assert!(is_commit(&"a".repeat(40)) && is_commit(&"0".repeat(64)));
        assert!(!is_commit("abc") && !is_commit(&"g".repeat(40)) && !is_commit(&"A".repeat(40)));
    }
}
