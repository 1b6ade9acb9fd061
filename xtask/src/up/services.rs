//! The programs of the stack: how each is started, and how one knows that it is ready.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::secrets::Secrets;
use super::state::StateDir;
use crate::{paths, shell};

/// wrangler bundles and starts workerd: seconds on two cores, more beside a build.
pub(super) const WORKER_START_MAX: Duration = Duration::from_secs(90);
/// The runtime listens within half a second; recovery of a large data directory comes after.
pub(super) const RUNTIME_START_MAX: Duration = Duration::from_secs(20);
/// The scripted model has nothing to load.
pub(super) const MODEL_START_MAX: Duration = Duration::from_secs(20);

/// The shortest drain that the runtime knows: people who press Ctrl-C want to leave.
const DRAIN_SECONDS: u64 = 10;
/// Longer than the drain, shorter than anybody's patience.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(DRAIN_SECONDS + 5);

/// Settings of the runtime that a person may give (container.md 1.2); the stack chooses the others.
const RUNTIME_SETTINGS: [&str; 11] = [
    "GASTOWN_KILO_SHARING",
    "GASTOWN_TOOL_CACHE",
    "GASTOWN_AGENT_USER",
    "GASTOWN_MAX_SESSIONS",
    "GASTOWN_MEMORY_LIMIT_MB",
    "GASTOWN_SESSION_MEMORY_MB",
    "GASTOWN_JOBS",
    "GASTOWN_DRAIN_SECONDS",
    "GASTOWN_LOG",
    "GASTOWN_LOG_FORMAT",
    "GASTOWN_BROKER_LISTEN",
];

/// The agent runtime.
pub(super) fn runtime(state: &StateDir, secrets: &Secrets, port: u16, base_url: &str) -> Result<Command> {
    let mut runtime = shell::command(paths::program("gastown-container")?);
    for (name, _) in std::env::vars_os() {
        // The runtime warns of names it does not know; those of this program are not meant for it.
        if name.to_string_lossy().starts_with("GASTOWN_") {
            runtime.env_remove(name);
        }
    }
    runtime.env("GASTOWN_DRAIN_SECONDS", DRAIN_SECONDS.to_string());
    for name in RUNTIME_SETTINGS {
        if let Some(value) = super::setting(name) {
            runtime.env(name, value);
        }
    }
    let modules = paths::root().join("node_modules");
    let kilo = modules.join("@kilocode/cli-linux-x64/bin/kilo");
    let ripgrep = modules.join("@vscode/ripgrep-linux-x64/bin");
    runtime.env("GASTOWN_KILO_BIN", super::setting("GASTOWN_KILO_BIN").map_or(kilo, Into::into));
    runtime.env("GASTOWN_TOOL_PATH", super::setting("GASTOWN_TOOL_PATH").map_or(ripgrep, Into::into));
    let plugin = paths::root().join("container/plugin/dist/gastown.js");
    runtime.env("GASTOWN_PLUGIN", super::setting("GASTOWN_PLUGIN").map_or(plugin, Into::into));
    runtime.env("GASTOWN_CONTROL_SECRET", &secrets.control_secret);
    runtime.env("GASTOWN_LISTEN", format!("127.0.0.1:{port}"));
    runtime.env("GASTOWN_DATA_DIR", state.runtime());
    runtime.env("GASTOWN_API_URL", base_url);
    Ok(runtime)
}

/// The scripted model, which keeps a recording of its requests beside its log.
pub(super) fn model(state: &StateDir, port: u16) -> Result<Command> {
    let mut model = shell::command(paths::program("gastown-model")?);
    model.args(["--listen", &format!("127.0.0.1:{port}")]);
    model.arg("--record").arg(state.log().join("model-requests.jsonl"));
    Ok(model)
}
