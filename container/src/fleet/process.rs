//! Spawns what is not git: kilo servers, gates and version probes. Every child starts from an empty environment, in a
//! process group of its own, and dies with the runtime: [`launch`] sets the parent death signal between fork and exec,
//! and one thread that lives as long as the process does the forking, because that signal follows the thread.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};

use crate::limits;

/// Lines longer than this are cut; a program that prints megabytes in one line must not fill the ring.
const LINE_MAX: usize = 4 << 10;
/// The log file stops growing here; the ring goes on.
const LOG_FILE_MAX: u64 = 4 << 20;

/// A program to run; nothing is inherited.
#[derive(Debug, Clone)]
pub struct Program {
    /// Executable.
    pub path: PathBuf,
    /// Arguments.
    pub args: Vec<OsString>,
    /// Working directory.
    pub dir: PathBuf,
    /// The whole environment.
    pub env: Vec<(String, String)>,
}

/// A program could not be started.
#[derive(Debug, thiserror::Error)]
#[error("could not start {program}")]
pub struct SpawnError {
    program: String,
    source: std::io::Error,
}

/// Starts programs from one long-lived thread.
#[derive(Clone)]
pub struct Spawner {
    requests: std::sync::mpsc::Sender<(Command, oneshot::Sender<std::io::Result<Child>>)>,
}

impl Spawner {
    /// Starts the thread; it ends with the process.
    pub fn start(handle: tokio::runtime::Handle) -> Self {
        let (requests, inbox) = std::sync::mpsc::channel::<(Command, oneshot::Sender<std::io::Result<Child>>)>();
        std::thread::spawn(move || {
            let _inside = handle.enter();
            for (mut command, reply) in inbox {
                // A caller that went away drops the child, which kills it.
                let _gone = reply.send(command.spawn());
            }
        });
        Self { requests }
    }

    async fn spawn(&self, program: &Program) -> Result<Child, SpawnError> {
        let failed = |source| SpawnError { program: program.path.display().to_string(), source };
        let own = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(own);
        command.arg("launch").arg(std::process::id().to_string()).arg(&program.path).args(&program.args);
        command.env_clear().envs(program.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(&program.dir).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (reply, child) = oneshot::channel();
        let lost = || std::io::Error::other("the spawning thread ended");
        self.requests.send((command, reply)).map_err(|_| failed(lost()))?;
        child.await.map_err(|_| failed(lost()))?.map_err(failed)
    }
}

/// The `launch` subcommand: becomes `program`, which then dies with the runtime. Returns only on failure.
pub fn launch(mut args: impl Iterator<Item = OsString>) -> std::io::Error {
    let parent = args.next().and_then(|text| text.to_str().and_then(|text| text.parse::<i32>().ok()));
    let Some(program) = args.next() else { return std::io::Error::other("launch: no program") };
    if let Err(error) = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL) {
        return error.into();
    }
    // The parent may have died before the signal was asked for.
    if parent != Some(nix::unistd::getppid().as_raw()) {
        return std::io::Error::other("launch: the parent is gone");
    }
    std::process::Command::new(program).args(args).exec()
}

/// The newest output lines of one process, and a bounded file of them.
pub struct LogRing {
    lines: Mutex<VecDeque<String>>,
    file: Option<PathBuf>,
}

impl LogRing {
    /// An empty ring that also writes to `file`.
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { lines: Mutex::default(), file }
    }

    fn push(&self, line: String) {
        if let Some(path) = &self.file {
            append_bounded(path, &line);
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == limits::LOG_RING {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The newest `count` lines, oldest first.
    pub fn tail(&self, count: usize) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().skip(lines.len().saturating_sub(count)).cloned().collect()
    }
}

fn append_bounded(path: &Path, line: &str) {
    use std::io::Write as _;
    let small = std::fs::metadata(path).map_or(true, |meta| meta.len() < LOG_FILE_MAX);
    if small && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path) {
        // The file is for people after the fact; a full disk must not end a session.
        let _best_effort = writeln!(file, "{line}");
    }
}

/// A running server process.
pub struct Server {
    /// Its process and process group id.
    pub pid: i32,
    /// Set once when it exited.
    pub exit: watch::Receiver<Option<ExitStatus>>,
    /// Turns true when a line contained the readiness text.
    pub ready: watch::Receiver<bool>,
    /// Its output.
    pub log: Arc<LogRing>,
}

/// Starts a server whose output is logged; `ready_text` in a line marks readiness.
pub async fn start_server(
    spawner: &Spawner,
    program: &Program,
    log: Arc<LogRing>,
    ready_text: &'static str,
) -> Result<Server, SpawnError> {
    let mut child = spawner.spawn(program).await?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
    let (ready_tx, ready) = watch::channel(false);
    let ready_tx = Arc::new(ready_tx);
    if let Some(out) = child.stdout.take() {
        tokio::spawn(read_lines(out, log.clone(), ready_tx.clone(), ready_text));
    }
    if let Some(err) = child.stderr.take() {
        tokio::spawn(read_lines(err, log.clone(), ready_tx, ready_text));
    }
    let (exit_tx, exit) = watch::channel(None);
    tokio::spawn(async move {
        let status = child.wait().await.unwrap_or_default();
        exit_tx.send_replace(Some(status));
    });
    Ok(Server { pid, exit, ready, log })
}

async fn read_lines(out: impl AsyncRead + Unpin, log: Arc<LogRing>, ready: Arc<watch::Sender<bool>>, text: &str) {
    let mut reader = BufReader::new(out);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut reader).take(LINE_MAX as u64);
        match limited.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => (),
        }
        let shown = String::from_utf8_lossy(&line).trim_end().to_owned();
        if shown.contains(text) {
            ready.send_replace(true);
        }
        log.push(shown);
    }
}

/// How a bounded command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandEnd {
    /// Exit status; absent when a signal or the limit ended it.
    pub code: Option<i32>,
    /// Whether the limit ended it.
    pub timed_out: bool,
    /// First and last output, stdout and stderr as they came.
    pub output: String,
    /// How long it ran.
    pub took: Duration,
}

/// Runs a command to its end or the limit; its whole group is killed afterwards, so that nothing is left running.
pub async fn run_bounded(spawner: &Spawner, program: &Program, limit: Duration) -> Result<CommandEnd, SpawnError> {
    let began = Instant::now();
    let mut child = spawner.spawn(program).await?;
    let group = child.id().and_then(|pid| i32::try_from(pid).ok());
    let clip = Arc::new(Mutex::new(Clip::default()));
    let readers = [
        child.stdout.take().map(|out| tokio::spawn(read_clip(out, clip.clone()))),
        child.stderr.take().map(|err| tokio::spawn(read_clip(err, clip.clone()))),
    ];
    let waited = tokio::time::timeout(limit, child.wait()).await;
    if let Some(group) = group {
        signal_group(group, Signal::SIGKILL);
    }
    let (code, timed_out) = match waited {
        Ok(status) => (status.ok().and_then(|status| status.code()), false),
        Err(_) => {
            let _killed = child.wait().await;
            (None, true)
        }
    };
    for reader in readers.into_iter().flatten() {
        // A grandchild that left the group may hold the pipe open; its output is not worth waiting for.
        let _closed = tokio::time::timeout(Duration::from_secs(1), reader).await;
    }
    let output = clip.lock().unwrap_or_else(PoisonError::into_inner).text();
    Ok(CommandEnd { code, timed_out, output, took: began.elapsed() })
}

async fn read_clip(mut out: impl AsyncRead + Unpin, clip: Arc<Mutex<Clip>>) {
    let mut buffer = vec![0u8; 8 << 10];
    while let Ok(count) = out.read(&mut buffer).await {
        if count == 0 {
            return;
        }
        clip.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..count]);
    }
}

/// The first and the last bytes of a stream.
#[derive(Default)]
struct Clip {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: usize,
}

impl Clip {
    fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(limits::GATE_HEAD - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(limits::GATE_TAIL);
        self.tail.drain(..over);
        self.dropped += over;
    }

    fn text(&self) -> String {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        let middle =
            if self.dropped > 0 { format!("\n… {} bytes left out …\n", self.dropped) } else { String::new() };
        format!("{}{middle}{}", String::from_utf8_lossy(&self.head), String::from_utf8_lossy(&tail))
    }
}

/// Sends a signal to a process group; a group that is gone is fine.
pub fn signal_group(group: i32, signal: Signal) {
    if group > 1 {
        let _gone = nix::sys::signal::killpg(Pid::from_raw(group), signal);
    }
}

/// Sends a signal to one process; one that is gone is fine.
pub fn signal_process(pid: i32, signal: Signal) {
    if pid > 1 {
        let _gone = nix::sys::signal::kill(Pid::from_raw(pid), signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_keeps_both_ends() {
        let mut clip = Clip::default();
        clip.push(&vec![b'a'; limits::GATE_HEAD + 5]);
        clip.push(&vec![b'b'; limits::GATE_TAIL]);
        let text = clip.text();
        assert!(text.starts_with("aaa") && text.ends_with("bbb") && text.contains("5 bytes left out"), "{text}");
        assert!(text.len() < 17 << 10);
    }

    #[test]
    fn a_short_text_is_whole() {
        let mut clip = Clip::default();
        clip.push(b"ok\n");
        assert_eq!(clip.text(), "ok\n");
    }
}
