//! Serves a repository on this machine by running git's own service on it, so that a `file:` remote passes the same
//! gateway, with the same rules, as a forge (container.md 8.4).

use std::path::Path;
use std::process::Stdio;

use futures::{Stream, StreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdout, Command};
use tokio_util::bytes::Bytes;

use super::{GitError, base_env};

/// Half of git's smart protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Fetching.
    UploadPack,
    /// Pushing.
    ReceivePack,
}

impl Service {
    /// The name in addresses and media types.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    /// The service with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::UploadPack, Self::ReceivePack].into_iter().find(|service| service.name() == name)
    }

    fn command(self) -> &'static str {
        self.name().strip_prefix("git-").unwrap_or_default()
    }
}

/// The reference advertisement, as smart HTTP frames it.
pub async fn advertise(service: Service, path: &Path, protocol: Option<&str>) -> Result<Vec<u8>, GitError> {
    let mut command = base(service, protocol);
    command.args(["--http-backend-info-refs"]).arg(path);
    let output = command.output().await.map_err(|error| spawn_error(service, &error))?;
    if !output.status.success() {
        return Err(GitError::Failed {
            command: service.command().to_owned(),
            code: output.status.code(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            stdout: String::new(),
        });
    }
    let mut body = Vec::new();
    if protocol.is_none_or(|protocol| !protocol.contains("version=2")) {
        let line = format!("# service={}\n", service.name());
        body.extend_from_slice(format!("{:04x}{line}0000", line.len() + 4).as_bytes());
    }
    body.extend_from_slice(&output.stdout);
    Ok(body)
}

/// Runs one request; its answer is the returned stream, and the process ends with it.
pub fn run<E: Send + 'static>(
    service: Service,
    path: &Path,
    protocol: Option<&str>,
    mut request: impl Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
) -> Result<(Child, ChildStdout), GitError> {
    let mut command = base(service, protocol);
    command.arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| spawn_error(service, &error))?;
    let gone = || spawn_error(service, &std::io::Error::other("no pipe"));
    let mut input = child.stdin.take().ok_or_else(gone)?;
    let output = child.stdout.take().ok_or_else(gone)?;
    tokio::spawn(async move {
        while let Some(Ok(bytes)) = request.next().await {
            if input.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    Ok((child, output))
}

fn base(service: Service, protocol: Option<&str>) -> Command {
    let mut command = Command::new("git");
    // The repository's own hooks run: they are the forge's rules.
    command.args(["-c", "safe.directory=*", service.command(), "--stateless-rpc"]);
    command.env_clear().envs(base_env()).stdin(Stdio::null()).stderr(Stdio::null());
    if let Some(protocol) = protocol {
        command.env("GIT_PROTOCOL", protocol);
    }
    command
}

fn spawn_error(service: Service, error: &std::io::Error) -> GitError {
    GitError::Spawn { command: service.command().to_owned(), reason: error.to_string() }
}
