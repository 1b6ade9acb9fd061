//! Starting, watching and ending the services.

use std::fs::File;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::Pid;
use serde_json::{Map, json};

use super::address::{self, free_ports};
use super::child::{self, Child};
use super::secrets::Secrets;
use super::state::{self, Address, StateDir};
use super::{Deployment, Model, Options, services, worker};

/// A service that ends more often than this within [`RESTART_WINDOW`] will not get better by another start.
const RESTARTS_MAX: usize = 5;
/// Longer than five starts, so that a loop of crashes is seen as one.
const RESTART_WINDOW: Duration = Duration::from_secs(120);
/// wrangler replaces workerd when the Worker was built again; the new one is there within this time.
const RELOAD_MAX: Duration = Duration::from_secs(3);

/// Something happened to the stack. Closed: everything that [`Stack::supervise`] reacts to is in this list.
#[derive(Debug)]
pub(super) enum Event {
    /// A service ended.
    Exited { pid: Pid, status: ExitStatus },
    /// A workerd ended. wrangler does not notice, and would let requests hang.
    WorkerdGone { pid: Pid },
    /// Somebody wants the stack to end.
    Stop { reason: &'static str },
    /// What the stack was started for is done.
    Finished,
}

/// A started service, in the order of starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Model,
    Runtime,
    Worker,
}

impl Service {
    const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Runtime => "runtime",
            Self::Worker => "worker",
        }
    }
}

struct Running {
    service: Service,
    child: Child,
    /// The processes that serve requests; empty for services that are one process.
    workerd: Vec<Pid>,
    restarts: Vec<Instant>,
}

/// A running stack. Dropping it ends every service.
pub(crate) struct Stack {
    pub(crate) state: StateDir,
    pub(crate) secrets: Secrets,
    deployment: Deployment,
    /// Held for as long as the stack lives: two stacks would ruin each other's objects.
    _lock: File,
    address: Address,
    ports: Ports,
    wrangler_config: std::path::PathBuf,
    services: Vec<Running>,
    events: Receiver<Event>,
    sender: Sender<Event>,
    /// Set together with the sending of [`Event::Stop`], for those who wait for something else.
    stopping: Arc<AtomicBool>,
}

struct Ports {
    worker: u16,
    runtime: u16,
    model: u16,
}

impl Stack {
    /// Starts the services and waits until all answer.
    pub(crate) fn start(options: &Options, state: StateDir, deployment: Deployment) -> Result<Self> {
        let (sender, events) = channel();
        let stopping = Arc::new(AtomicBool::new(false));
        listen_for_stop(&sender, &stopping, options.until_stdin_closes)?;
        let lock = state.lock()?;
        let secrets = Secrets::ensure(&state)?;
        let [worker, runtime, model_port] = free_ports()?;
        let ports = Ports { worker: options.port.unwrap_or(worker), runtime, model: model_port };
        let own_runtime = format!("http://127.0.0.1:{}", ports.runtime);
        let address = Address {
            base_url: format!("http://127.0.0.1:{}", ports.worker),
            runtime_url: options.runtime_url.clone().unwrap_or(own_runtime),
        };
        let scripted = format!("http://127.0.0.1:{}/v1", ports.model);
        let llm = match &deployment.model {
            Model::Scripted => Some((scripted.as_str(), "scripted")),
            Model::Endpoint { base_url, api_key } => Some((base_url.as_str(), api_key.as_str())),
            Model::Absent => None,
        };
        let variables = worker::Variables {
            base_url: &address.base_url,
            runtime_url: &address.runtime_url,
            llm,
            allow_local_git: deployment.allow_local_git,
        };
        let wrangler_config = worker::configure(&state, &secrets, &variables)?;
        let mut stack = Self {
            state,
            secrets,
            deployment,
            _lock: lock,
            address,
            ports,
            wrangler_config,
            services: Vec::new(),
            events,
            sender,
            stopping,
        };
        let mut wanted = Vec::new();
        if stack.deployment.model == Model::Scripted {
            wanted.push(Service::Model);
        }
        if options.runtime_url.is_none() {
            wanted.push(Service::Runtime);
        }
        wanted.push(Service::Worker);
        // All start side by side; then each is waited for.
        for service in wanted {
            let child = stack.spawn(service)?;
            stack.services.push(Running { service, child, workerd: Vec::new(), restarts: Vec::new() });
        }
        for index in 0..stack.services.len() {
            stack.await_ready(index)?;
        }
        stack.state.write_address(&stack.address)?;
        stack.write_pids()?;
        Ok(stack)
    }

    /// Address of the Worker and the dashboard.
    pub(crate) fn base_url(&self) -> &str {
        &self.address.base_url
    }

    /// Address of the agent runtime's control API.
    pub(crate) fn runtime_url(&self) -> &str {
        &self.address.runtime_url
    }

    /// Keeps the services running until somebody asks for the end.
    pub(crate) fn supervise(&mut self) -> Result<()> {
        loop {
            let event = self.events.recv().context("nothing is left to wait for")?;
            match event {
                Event::Stop { reason } => {
                    eprintln!("ending: {reason}");
                    return Ok(());
                }
                Event::Exited { pid, status } => {
                    // A service that was replaced meanwhile is not looked for again.
                    if let Some(index) = self.services.iter().position(|running| running.child.pid == pid) {
                        self.restart(index, &status.to_string())?;
                    }
                }
                Event::WorkerdGone { pid } => self.workerd_gone(pid)?,
                Event::Finished => return Ok(()),
            }
        }
    }

    /// Keeps the services running while `work` uses them. `None` if somebody asked for the end before it was done.
    ///
    /// The work has a thread of its own, because the services must be started by this one (see [`Child::spawn`]).
    pub(crate) fn supervise_while<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Option<T>> {
        let events = self.sender.clone();
        let worker = std::thread::spawn(move || {
            let done = work();
            events.send(Event::Finished).ok();
            done
        });
        self.supervise()?;
        if !worker.is_finished() && self.stopping.load(Ordering::Relaxed) {
            return Ok(None);
        }
        worker.join().map(Some).map_err(|_| anyhow::anyhow!("the work on the stack panicked"))
    }

    /// Address of the scripted model, if there is one.
    pub(crate) fn model_url(&self) -> Option<String> {
        (self.deployment.model == Model::Scripted).then(|| format!("http://127.0.0.1:{}", self.ports.model))
    }

    /// The end of a service's log.
    pub(crate) fn last_words(&self, service: &str) -> String {
        let found = self.services.iter().find(|running| running.service.name() == service);
        found.map(|running| running.child.last_words()).unwrap_or_default()
    }

    fn workerd_gone(&mut self, gone: Pid) -> Result<()> {
        let Some(index) = self.services.iter().position(|running| running.workerd.contains(&gone)) else {
            return Ok(());
        };
        let expected = self.services[index].workerd.len();
        let deadline = Instant::now() + RELOAD_MAX;
        while workerd_of(&self.services[index].child).len() < expected && Instant::now() < deadline {
            // Waiting for wrangler itself: should it end, there is nothing to wait for.
            if self.services[index].child.wait_exit(Duration::from_millis(50)).is_some() {
                break;
            }
        }
        if workerd_of(&self.services[index].child).len() < expected {
            return self.restart(index, &format!("workerd {} was killed", gone.as_raw_nonzero()));
        }
        self.watch_workerd(index);
        self.write_pids()
    }

    fn restart(&mut self, index: usize, reason: &str) -> Result<()> {
        let start = Instant::now();
        let running = &mut self.services[index];
        let name = running.service.name();
        running.child.kill();
        running.restarts.retain(|restart| start.duration_since(*restart) < RESTART_WINDOW);
        if running.restarts.len() >= RESTARTS_MAX {
            bail!("{name} ended {} times in a row ({reason})\n{}", RESTARTS_MAX + 1, running.child.last_words());
        }
        running.restarts.push(start);
        eprintln!("{name} ended ({reason}): starting it again");
        let service = running.service;
        let child = self.spawn(service)?;
        let running = &mut self.services[index];
        running.child = child;
        running.workerd.clear();
        self.await_ready(index)?;
        let pid = self.services[index].child.pid.as_raw_nonzero();
        eprintln!("{name} runs again as {pid} after {} ms", start.elapsed().as_millis());
        self.write_pids()
    }

    fn spawn(&self, service: Service) -> Result<Child> {
        let command = match service {
            Service::Model => services::model(&self.state, self.ports.model)?,
            Service::Runtime => {
                let mut runtime =
                    services::runtime(&self.state, &self.secrets, self.ports.runtime, &self.address.base_url)?;
                runtime.env("GASTOWN_ALLOW_LOCAL_GIT", if self.deployment.allow_local_git { "1" } else { "0" });
                runtime
            }
            Service::Worker => worker::command(&self.state, &self.wrangler_config, self.ports.worker),
        };
        let log = self.state.log().join(format!("{}.log", service.name()));
        Child::spawn(service.name(), command, &log, self.sender.clone())
    }

    fn await_ready(&mut self, index: usize) -> Result<()> {
        let running = &self.services[index];
        let (url, limit) = match running.service {
            Service::Model => (format!("http://127.0.0.1:{}/v1/models", self.ports.model), services::MODEL_START_MAX),
            Service::Runtime => (format!("{}/health", self.address.runtime_url), services::RUNTIME_START_MAX),
            Service::Worker => (format!("{}/health", self.address.base_url), services::WORKER_START_MAX),
        };
        address::wait(&url, &running.child, limit, &self.stopping)?;
        if running.service == Service::Worker {
            self.watch_workerd(index);
        }
        Ok(())
    }

    fn watch_workerd(&mut self, index: usize) {
        let current = workerd_of(&self.services[index].child);
        for pid in &current {
            if !self.services[index].workerd.contains(pid) {
                child::watch(*pid, self.sender.clone());
            }
        }
        self.services[index].workerd = current;
    }

    /// `pids.json`: the processes by service, for tests that end one in the middle of something.
    fn write_pids(&self) -> Result<()> {
        let mut pids = Map::new();
        pids.insert("up".to_owned(), json!(std::process::id()));
        for running in &self.services {
            pids.insert(running.service.name().to_owned(), json!(running.child.pid.as_raw_nonzero().get()));
            if running.service == Service::Worker {
                let workerd: Vec<i32> = running.workerd.iter().map(|pid| pid.as_raw_nonzero().get()).collect();
                pids.insert("workerd".to_owned(), json!(workerd));
            }
        }
        let text = serde_json::to_string(&pids).context("could not write pids.json")?;
        state::write_private(&self.state.path().join("pids.json"), &text)
    }
}

impl Drop for Stack {
    /// The runtime goes first: while it saves what its agents did, the Worker and the model must still answer.
    fn drop(&mut self) {
        for service in [Service::Runtime, Service::Worker, Service::Model] {
            for running in self.services.iter().filter(|running| running.service == service) {
                running.child.stop(services::STOP_GRACE);
            }
        }
    }
}

fn workerd_of(child: &Child) -> Vec<Pid> {
    child::descendants(child.pid).into_iter().filter(|(_, name)| name == "workerd").map(|(pid, _)| pid).collect()
}

/// Turns signals, and if wished the end of standard input, into events. A second signal ends this program at once, and
/// the kernel then ends the services.
fn listen_for_stop(sender: &Sender<Event>, stopping: &Arc<AtomicBool>, until_stdin_closes: bool) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals =
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]).context("could not listen for signals")?;
    let (events, flag) = (sender.clone(), Arc::clone(stopping));
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if flag.swap(true, Ordering::Relaxed) {
                std::process::exit(128 + signal);
            }
            events.send(Event::Stop { reason: "asked by a signal" }).ok();
        }
    });
    if until_stdin_closes {
        let (events, flag) = (sender.clone(), Arc::clone(stopping));
        std::thread::spawn(move || {
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).ok();
            flag.store(true, Ordering::Relaxed);
            events.send(Event::Stop { reason: "standard input closed" }).ok();
        });
    }
    Ok(())
}
