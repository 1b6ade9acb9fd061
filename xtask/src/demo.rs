//! `cargo xtask demo`: the stack, a small repository, a town and a rig; then a person, or with `--once` a message.
//!
//! What the demo does with a running stack is [`gastown_e2e::demo`]; the end-to-end tests prove the same code.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use gastown_e2e::api::Api;
use gastown_e2e::demo::{self, Demo};
use serde_json::json;
use uuid::Uuid;

use crate::up::{self, Deployment, Model, Stack, StateDir, USER};
use crate::{build, token};

/// The scripted model needs half a minute; on a machine that does other things as well, a few.
const SCRIPTED_MAX: Duration = Duration::from_secs(6 * 60);

/// How the demo is run.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    up: up::Options,
    /// Send one message, wait for the merge, verify it with git, print the timeline, and end
    #[arg(long)]
    once: bool,
    /// What `--once` asks the mayor for
    #[arg(long, default_value = demo::MESSAGE, requires = "once")]
    message: String,
}

/// Runs the demo to its end: that of the person, or that of the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    let model = Model::from_environment().unwrap_or(Model::Scripted);
    build::stack(options.up.runtime_url.is_none(), model == Model::Scripted)?;
    let place = Place::choose(options.up.state_dir.as_deref())?;
    let result = on_stack(options, &place, model);
    match &result {
        Ok(()) => place.remove()?,
        Err(_) => eprintln!("kept for a look: {}", place.path.display()),
    }
    result
}

fn on_stack(options: &Options, place: &Place, model: Model) -> Result<()> {
    let limit = if model == Model::Scripted { SCRIPTED_MAX } else { demo::LIMIT };
    let state = StateDir::open(Some(&place.path))?;
    let mut stack = Stack::start(&options.up, state, Deployment { model, allow_local_git: true })?;
    let api = Api::new(stack.base_url(), Some(&token::user(&stack.secrets.user_jwt_secret, USER)?));
    let directory = place.path.join("remotes");
    let model_url = stack.model_url();
    let Some(demo) = stack.supervise_while(move || prepare(&api, &directory, model_url.as_deref()))? else {
        return Ok(());
    };
    let demo = demo.context("could not prepare the demo")?;
    if options.once { once(&mut stack, demo, &options.message, limit) } else { for_a_person(&mut stack, &demo) }
}

fn prepare(api: &Api, directory: &Path, model_url: Option<&str>) -> Result<Demo> {
    let demo = Demo::prepare(api, directory, model_url)?;
    if let Some(model) = up::setting("GASTOWN_LLM_MODEL") {
        let config = json!({"default_model": model}).to_string();
        let path = format!("/api/towns/{}/config", demo.town_id);
        api.call("PATCH", &path, Some(&config))?.data().context("could not choose the model")?;
    }
    Ok(demo)
}

fn once(stack: &mut Stack, demo: Demo, message: &str, limit: Duration) -> Result<()> {
    eprintln!("to the mayor: {message}");
    let message = message.to_owned();
    match stack.supervise_while(move || demo.run(&message, limit))? {
        None => bail!("ended before the task was done"),
        Some(Ok(timeline)) => crate::print(timeline.to_string().trim_end()),
        Some(Err(stopped)) => bail!("{stopped}\n{}", stack.last_words(stopped.stage.log())),
    }
}

fn for_a_person(stack: &mut Stack, demo: &Demo) -> Result<()> {
    let link = token::sign_in_link(stack.base_url(), &stack.secrets.user_jwt_secret, USER)?;
    crate::print(&format!(
        "\nOpen       {link}\nand type   {}\nRepository {}\nLogs       {}\nCtrl-C ends it.",
        demo::MESSAGE,
        demo.repository.url(),
        stack.state.log().display(),
    ))?;
    stack.supervise()
}

/// Where a demo lives: in the directory that was asked for, or in one that goes away with it.
struct Place {
    path: PathBuf,
    is_temporary: bool,
}

impl Place {
    fn choose(asked: Option<&Path>) -> Result<Self> {
        Ok(match asked {
            Some(path) => Self { path: path.to_path_buf(), is_temporary: false },
            None => {
                let name = format!("gastown-demo-{}", &Uuid::new_v4().simple().to_string()[..8]);
                Self { path: std::env::temp_dir().join(name), is_temporary: true }
            }
        })
    }

    fn remove(&self) -> Result<()> {
        if self.is_temporary {
            std::fs::remove_dir_all(&self.path).with_context(|| format!("could not remove {}", self.path.display()))?;
        }
        Ok(())
    }
}
