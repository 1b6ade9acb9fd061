//! A running stack: `cargo xtask up --json` as a child, ended by SIGTERM to its own process id.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use serde::Deserialize;

use crate::api::Api;
use crate::process;
use crate::wait::{Look, until};

/// `up` builds what is not built, and has limits of its own for what it starts; this one is for a hung compiler.
const READY_MAX: Duration = Duration::from_secs(20 * 60);

/// The runtime's drain at the end of a development stack takes up to 20 s (container.md 12.1); then it must be gone.
const END_MAX: Duration = Duration::from_secs(60);

/// The line that `xtask up --json` prints when everything answers.
#[derive(Debug, Clone, Deserialize)]
pub struct Ready {
    /// Address of the Worker.
    pub base_url: String,
    /// Address of the agent runtime.
    pub runtime_url: String,
    /// The person of [`Self::user_token`].
    pub user_id: String,
    /// A user token.
    pub user_token: String,
    /// Development secrets by variable name, so that tests can mint tokens.
    pub secrets: BTreeMap<String, String>,
    /// Everything the stack keeps on disk, its logs among it.
    pub state_dir: PathBuf,
}

/// How to start a stack.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where it keeps its state; a new stack with the same directory continues there.
    pub state_dir: PathBuf,
    /// Port of the Worker; absent: a free one.
    pub port: Option<u16>,
    /// Use this runtime instead of its own.
    pub runtime_url: Option<String>,
    /// Variables for it, such as `GASTOWN_LLM_BASE_URL`.
    pub environment: Vec<(String, String)>,
}

/// A running stack. Dropping it ends it.
pub struct Stack {
    /// What it said when it was ready.
    pub ready: Ready,
    child: Child,
}

impl Stack {
    /// Starts it and waits until it says that it is ready.
    pub fn start(options: &Options) -> Result<Self> {
        let program = xtask()?;
        let mut command = Command::new(&program);
        command.arg("up").arg("--json").arg("--state-dir").arg(&options.state_dir);
        if let Some(port) = options.port {
            command.args(["--port", &port.to_string()]);
        }
        if let Some(url) = &options.runtime_url {
            command.args(["--runtime-url", url]);
        }
        command.env("GASTOWN_ALLOW_LOCAL_GIT", "1").envs(options.environment.iter().map(|(name, value)| (name, value)));
        // The pipe stays open as long as this process lives: a test run that is killed leaves no stack behind.
        command.arg("--until-stdin-closes");
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("could not start {}", program.display()))?;
        match first_line(&mut child).and_then(|line| serde_json::from_str(&line).context("its line is no JSON")) {
            Ok(ready) => Ok(Self { ready, child }),
            Err(error) => {
                end(&mut child)?;
                Err(error.context("the stack did not get ready"))
            }
        }
    }

    /// A client as the stack's user.
    pub fn api(&self) -> Api {
        Api::new(&self.ready.base_url, Some(&self.ready.user_token))
    }

    /// Port of the Worker.
    pub fn port(&self) -> Result<u16> {
        let url = &self.ready.base_url;
        let port = url.rsplit_once(':').and_then(|(_, port)| port.trim_end_matches('/').parse().ok());
        port.with_context(|| format!("no port in {url}"))
    }

    /// Process id of the command that holds the stack together.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a person would, and waits until it is gone.
    pub fn end(mut self) -> Result<()> {
        end(&mut self.child)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure here; `end` is for those who want to know.
        let _ = end(&mut self.child);
    }
}

/// The newest lines of every log below a state directory: what a failed test shows.
pub fn last_words(state_dir: &Path, lines: usize) -> String {
    let mut logs = Vec::new();
    find_logs(state_dir, LOG_DEPTH_MAX, &mut logs);
    logs.sort();
    let tail = |path: &PathBuf| {
        let text = String::from_utf8_lossy(&std::fs::read(path).ok()?).into_owned();
        let all: Vec<&str> = text.lines().collect();
        let shown = all[all.len().saturating_sub(lines)..].join("\n");
        Some(format!("── {}\n{shown}\n", path.display()))
    };
    logs.iter().filter_map(tail).collect()
}

/// The logs of the services lie one level down; what is deeper is of databases, worktrees and tools.
const LOG_DEPTH_MAX: usize = 1;

fn find_logs(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && depth > 0 {
            find_logs(&path, depth - 1, found);
        } else if path.extension().is_some_and(|extension| extension == "log") {
            found.push(path);
        }
    }
}

/// The command that starts stacks: `XTASK_BIN`, else the one built beside this program.
fn xtask() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("XTASK_BIN") {
        return Ok(PathBuf::from(path));
    }
    let this = std::env::current_exe().context("could not find the path of this program")?;
    let beside = this.ancestors().skip(1).take(2).map(|directory| directory.join(OsString::from("xtask")));
    let found = beside.into_iter().find(|path| path.is_file());
    found.context("xtask is not built: run `cargo build -p xtask`, or set XTASK_BIN")
}

fn first_line(child: &mut Child) -> Result<String> {
    let stdout = child.stdout.take().context("no standard output")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines();
        // The receiver is gone when nobody waits any more.
        let _ = sender.send(lines.next());
        // Read to the end, so that the child never blocks on a full pipe.
        for _ in lines {}
    });
    match receiver.recv_timeout(READY_MAX) {
        Ok(Some(line)) => line.context("could not read its line"),
        Ok(None) => bail!("it ended without a line; its words stand above"),
        Err(_) => bail!("no line within {} s", READY_MAX.as_secs()),
    }
}

fn end(child: &mut Child) -> Result<()> {
    if child.try_wait().context("could not look at the stack")?.is_some() {
        return Ok(());
    }
    process::signal(child.id(), Signal::TERM)?;
    let gone = until("the end of the stack", END_MAX, || {
        Ok(match child.try_wait().context("could not look at the stack")? {
            Some(_) => Look::Found(()),
            None => Look::NotYet("it runs".to_owned()),
        })
    });
    if gone.is_err() {
        child.kill().context("could not kill the stack")?;
        child.wait().context("could not wait for the stack")?;
    }
    gone
}
