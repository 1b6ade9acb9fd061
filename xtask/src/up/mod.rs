//! The whole stack on one machine: the Worker in workerd (by `wrangler dev`), the agent runtime, and for the demo the
//! scripted model.
//!
//! Everything it writes lies in the state directory: secrets, objects, worktrees, logs, and `pids.json` with the
//! process of each service. A service that ends is started again and a line says so; one that ends too often ends the
//! stack. Nothing outlives this program: services are ended on SIGINT and SIGTERM, and the kernel ends them should this
//! program be killed.

mod address;
mod child;
mod secrets;
mod services;
mod stack;
mod state;
mod worker;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;

pub(crate) use self::secrets::Secrets;
pub(crate) use self::stack::Stack;
pub(crate) use self::state::StateDir;
use crate::{build, token};

/// The person that development tokens are made for.
pub(crate) const USER: &str = "local";

/// How the stack is started.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Port of the Worker and the dashboard; a free one if absent
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Where secrets, data and logs are kept; one directory per clone if absent
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Use the agent runtime at this address; it must have the same GASTOWN_CONTROL_SECRET
    #[arg(long, value_name = "URL")]
    pub(crate) runtime_url: Option<String>,
    /// End when standard input closes, so that a test that dies leaves nothing behind
    #[arg(long)]
    pub(crate) until_stdin_closes: bool,
}

/// What the deployment offers to its towns.
#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    pub(crate) model: Model,
    /// Remotes on this machine are accepted.
    pub(crate) allow_local_git: bool,
}

/// Which language model the deployment offers to its towns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Model {
    /// The scripted one, started with the stack.
    Scripted,
    /// An OpenAI-compatible endpoint.
    Endpoint { base_url: String, api_key: String },
    /// None: towns bring their own.
    Absent,
}

impl Model {
    /// What the environment names: `GASTOWN_LLM_BASE_URL` and `GASTOWN_LLM_API_KEY`.
    pub(crate) fn from_environment() -> Option<Self> {
        let base_url = setting("GASTOWN_LLM_BASE_URL")?;
        Some(Self::Endpoint { base_url, api_key: setting("GASTOWN_LLM_API_KEY").unwrap_or_default() })
    }
}

/// A setting of the environment; an empty one counts as absent.
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The line of `--json`.
#[derive(Debug, Serialize)]
struct Ready<'a> {
    base_url: &'a str,
    runtime_url: &'a str,
    user_id: &'a str,
    user_token: String,
    secrets: &'a Secrets,
    state_dir: &'a std::path::Path,
}

/// `cargo xtask up`.
pub(crate) fn run(options: &Options, json: bool) -> Result<()> {
    build::stack(options.runtime_url.is_none(), false)?;
    let state = StateDir::open(options.state_dir.as_deref())?;
    let deployment = Deployment {
        model: Model::from_environment().unwrap_or(Model::Absent),
        allow_local_git: setting("GASTOWN_ALLOW_LOCAL_GIT").as_deref() == Some("1"),
    };
    let mut stack = Stack::start(options, state, deployment)?;
    if json {
        let user_token = token::user(&stack.secrets.user_jwt_secret, USER)?;
        let ready = Ready {
            base_url: stack.base_url(),
            runtime_url: stack.runtime_url(),
            user_id: USER,
            user_token,
            secrets: &stack.secrets,
            state_dir: stack.state.path(),
        };
        crate::print(&serde_json::to_string(&ready).context("could not write the ready line")?)?;
    } else {
        let link = token::sign_in_link(stack.base_url(), &stack.secrets.user_jwt_secret, USER)?;
        crate::print(&format!("ready: {}\nsign in: {link}\nlogs: {}", stack.base_url(), stack.state.log().display()))?;
    }
    stack.supervise()
}
