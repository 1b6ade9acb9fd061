//! The process as a whole: its identity, what it found on this machine, its towns and its capabilities. Everything that
//! belongs to one town is in `town`; nothing here waits for one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use gastown_core::id::{InstanceId, RigId, TownId};
use gastown_core::time::Timestamp;
use gastown_core::wire::control::Memory;
use tokio::sync::{Semaphore, watch};

use crate::broker::capability::{Capabilities, CommandGrant, Grant};
use crate::clock;
use crate::config::Config;
use crate::fleet::process::{self, Program, Spawner};
use crate::fleet::tree;
use crate::git::{self, Git, Remote};
use crate::secret::Redactor;
use crate::town::Town;

/// What the runtime offers on the wire (container.md 1.4).
pub const CAPABILITIES: &[&str] = &["gates", "merge", "swap", "browse"];

/// One life of the runtime.
pub struct Runtime {
    /// Settings.
    pub config: Config,
    /// This life.
    pub instance_id: InstanceId,
    /// Its beginning.
    pub started_at: Timestamp,
    /// For all outgoing calls but those to kilo's event streams.
    pub http: reqwest::Client,
    /// For forges: names that resolve to private addresses lead nowhere, unless local git is allowed.
    pub forge_http: reqwest::Client,
    /// Knows all secrets.
    pub redactor: Arc<Redactor>,
    /// Starts processes.
    pub spawner: Spawner,
    /// Who may use the broker.
    pub capabilities: Capabilities,
    /// Places for jobs.
    pub job_slots: Arc<Semaphore>,
    /// True from the first signal on.
    pub draining: watch::Sender<bool>,
    towns: Mutex<BTreeMap<TownId, Arc<Town>>>,
    broker: OnceLock<String>,
    tools: watch::Sender<Tools>,
    own: PathBuf,
}

/// What was found on this machine.
#[derive(Debug, Clone, Default)]
pub struct Tools {
    /// Whether all probes have ended.
    pub probed: bool,
    /// Version of kilo.
    pub kilo_version: Option<String>,
    /// Whether the plugin's bundle is there.
    pub has_plugin: bool,
    /// What is missing, in sentences.
    pub problems: Vec<String>,
}

/// The runtime could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error("could not use the data directory {path}")]
    DataDir {
        /// Where.
        path: String,
        /// Cause.
        source: std::io::Error,
    },
    /// The HTTP client cannot be made.
    #[error("could not make the HTTP client")]
    Http(#[from] reqwest::Error),
    /// The program does not know where it is.
    #[error("could not find the own executable")]
    OwnPath(#[source] std::io::Error),
}

impl Runtime {
    /// Makes the data directory and an instance.
    pub fn new(config: Config) -> Result<Arc<Self>, StartError> {
        std::fs::create_dir_all(&config.data_dir)
            .map_err(|source| StartError::DataDir { path: config.data_dir.display().to_string(), source })?;
        let client = || {
            reqwest::Client::builder()
                .connect_timeout(Duration::from_secs(10))
                .user_agent(concat!("gastown-container/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
        };
        let http = client().build()?;
        let forge_http = match config.allow_local_git {
            true => http.clone(),
            false => client().dns_resolver(Arc::new(crate::public_dns::PublicOnly)).build()?,
        };
        let redactor = Arc::new(Redactor::default());
        redactor.learn(config.control_secret.reveal());
        let (draining, _) = watch::channel(false);
        Ok(Arc::new(Self {
            instance_id: clock::new_id(),
            started_at: clock::now(),
            http,
            forge_http,
            redactor,
            spawner: Spawner::start(tokio::runtime::Handle::current()),
            capabilities: Capabilities::default(),
            job_slots: Arc::new(Semaphore::new(config.jobs)),
            draining,
            towns: Mutex::default(),
            broker: OnceLock::new(),
            tools: watch::Sender::new(Tools::default()),
            own: std::env::current_exe().map_err(StartError::OwnPath)?,
            config,
        }))
    }

    /// Tells where the broker listens; once, before the control server answers.
    pub fn set_broker(&self, url: String) {
        let _only_once = self.broker.set(url);
    }

    /// Address of the broker, without a final slash.
    pub fn broker_url(&self) -> &str {
        self.broker.get().map(String::as_str).unwrap_or_default()
    }

    /// What was found on this machine.
    pub fn tools(&self) -> Tools {
        self.tools.borrow().clone()
    }

    /// Waits until all probes have ended.
    pub async fn probed(&self) {
        // The sender lives as long as we do.
        let _probed = self.tools.subscribe().wait_for(|tools| tools.probed).await.is_ok();
    }

    /// Looks for git, kilo and the plugin; what is missing is said in `problems`, the process stays up.
    pub async fn probe(&self) {
        let mut tools = Tools { probed: true, ..Tools::default() };
        match Git::runtime(&self.config.data_dir).args(["version"]).text().await {
            Ok(text) if is_git_new_enough(&text) => (),
            Ok(text) => tools.problems.push(format!("git 2.39 or newer is needed, this is {text}.")),
            Err(error) => tools.problems.push(format!("git cannot be run: {error}.")),
        }
        match self.probe_kilo().await {
            Ok(version) => tools.kilo_version = Some(version),
            Err(problem) => tools.problems.push(problem),
        }
        tools.has_plugin = self.config.plugin.is_file();
        if !tools.has_plugin {
            tools.problems.push(format!("The plugin is not at {}.", self.config.plugin.display()));
        }
        for problem in &tools.problems {
            tracing::warn!("{problem}");
        }
        self.tools.send_replace(tools);
    }

    async fn probe_kilo(&self) -> Result<String, String> {
        let kilo = &self.config.kilo_bin;
        if !kilo.is_file() {
            return Err(format!("kilo is not at {}.", kilo.display()));
        }
        let home = self.config.data_dir.join("probe");
        let made = std::fs::create_dir_all(&home);
        made.map_err(|error| format!("{} cannot be made: {error}.", home.display()))?;
        let home_text = home.display().to_string();
        let places = ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"];
        let program = Program {
            path: kilo.clone(),
            args: vec!["--version".into()],
            dir: home.clone(),
            env: places.iter().map(|name| ((*name).to_owned(), home_text.clone())).collect(),
        };
        let end = process::run_bounded(&self.spawner, &program, Duration::from_secs(20)).await;
        let _scratch = std::fs::remove_dir_all(&home);
        match end {
            Ok(end) if end.code == Some(0) => {
                Ok(end.output.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("unknown").to_owned())
            }
            Ok(end) => Err(format!("kilo --version failed: {}.", git::last_line(&end.output))),
            Err(error) => Err(format!("kilo cannot be run: {}.", crate::report::outbox::chain(&error))),
        }
    }

    /// A town that was attached.
    pub fn town(&self, id: TownId) -> Option<Arc<Town>> {
        self.lock_towns().get(&id).cloned()
    }

    /// All attached towns.
    pub fn towns(&self) -> Vec<Arc<Town>> {
        self.lock_towns().values().cloned().collect()
    }

    /// The town with this id; made by `make` when it is not attached.
    pub fn ensure_town(&self, id: TownId, make: impl FnOnce() -> Arc<Town>) -> (Arc<Town>, bool) {
        let mut towns = self.lock_towns();
        if let Some(town) = towns.get(&id) {
            return (town.clone(), false);
        }
        let town = make();
        towns.insert(id, town.clone());
        (town, true)
    }

    /// Forgets a town.
    pub fn forget_town(&self, id: TownId) {
        self.lock_towns().remove(&id);
    }

    fn lock_towns(&self) -> std::sync::MutexGuard<'_, BTreeMap<TownId, Arc<Town>>> {
        self.towns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Live sessions of all towns.
    pub fn live_sessions(&self) -> usize {
        self.towns().iter().map(|town| town.live_sessions().len()).sum()
    }

    /// Memory in use and its limit.
    pub fn memory(&self) -> Memory {
        let limit_bytes = self.config.memory_limit.unwrap_or_else(tree::memory_limit);
        Memory { rss_bytes: tree::own_memory(), limit_bytes }
    }

    /// `waiting` until a town is attached, `ready` then.
    pub fn state(&self) -> &'static str {
        if *self.draining.borrow() {
            "draining"
        } else if !self.tools().probed {
            "starting"
        } else if self.lock_towns().is_empty() {
            "waiting"
        } else {
            "ready"
        }
    }

    /// The remote of a rig for one command of the runtime's own git.
    pub fn remote(&self, town: &Arc<Town>, rig: RigId, git_url: &str, push: Option<String>) -> Remote {
        let failure = Arc::new(Mutex::new(None));
        let git_url = git_url.to_owned();
        let grant = CommandGrant { town: town.clone(), rig, git_url, push, failure: failure.clone() };
        // Without randomness there is no capability, and the gateway refuses the command.
        let capability = match Capabilities::mint() {
            Ok(capability) => {
                self.capabilities.grant(&capability, Grant::Command(Arc::new(grant)));
                capability
            }
            Err(_) => crate::secret::Secret::new(""),
        };
        let mut env = git::config_env(&[self.helper_pair()]);
        env.push(("GASTOWN_API_URL".to_owned(), self.broker_url().to_owned()));
        env.push(("GASTOWN_SESSION_TOKEN".to_owned(), capability.reveal().to_owned()));
        let keep = Arc::new(Revoke { town: town.clone(), capability });
        Remote { url: self.gateway_url(rig), env, failure, keep }
    }

    /// Address of a rig at the gateway.
    pub fn gateway_url(&self, rig: RigId) -> String {
        format!("{}/git/{rig}", self.broker_url())
    }

    /// The setting that makes git ask this program for the gateway's password.
    pub fn helper_pair(&self) -> (String, String) {
        (format!("credential.{}.helper", self.broker_url()), git::credential_helper(&self.own))
    }
}

/// Takes a capability back when the command that used it is over.
struct Revoke {
    town: Arc<Town>,
    capability: crate::secret::Secret,
}

impl Drop for Revoke {
    fn drop(&mut self) {
        self.town.runtime.capabilities.revoke(&self.capability);
    }
}

/// `git version 2.39.2`.
fn is_git_new_enough(text: &str) -> bool {
    let mut numbers =
        text.split(' ').nth(2).unwrap_or_default().split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (2, 39)
}

#[cfg(test)]
mod tests {
    use super::is_git_new_enough;

    #[test]
    fn old_gits_are_recognised() {
        assert!(is_git_new_enough("git version 2.47.3"));
        assert!(is_git_new_enough("git version 3.0"));
        assert!(!is_git_new_enough("git version 2.30.2"));
        assert!(!is_git_new_enough("git"));
    }
}
