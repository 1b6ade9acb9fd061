//! Brings a session from its accepted order to its first prompt (container.md 3.3, 5.2): credentials, store, worktree,
//! kilo, session. It runs beside the actor and tells it each step; whoever drops it ends all it started.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use gastown_core::wire::control::{Kind, Resume, StartFailureCode};
use gastown_core::wire::report::{GitOperation, Step};

use super::machine::{Input, StartFailure};
use super::process::{self, Program, Server};
use super::session::{Session, Signal};
use super::{env, tree};
use crate::clock;
use crate::git::worktree::{self, Start};
use crate::git::{self, Git};
use crate::kilo::client::{Client, PromptPart};
use crate::kilo::config::{self, Spec};
use crate::kilo::events::{Reader, What};
use crate::limits;
use crate::secret::Secret;
use crate::town::Town;

/// A kilo server that is ready, and the session in it.
pub struct Booted {
    /// Number of the server in its session's life.
    pub generation: u32,
    /// Its process.
    pub server: Server,
    /// Its calls.
    pub client: Client,
    /// kilo's session.
    pub session_id: String,
    /// Whether the conversation was there before.
    pub is_resumed: bool,
}

impl std::fmt::Debug for Booted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Booted({}, {})", self.generation, self.session_id)
    }
}

/// Runs the whole preparation and tells the actor how it went.
pub async fn prepare(town: Arc<Town>, session: Arc<Session>) {
    match prepare_steps(&town, &session).await {
        Ok((booted, first)) => {
            let (client, session_id) = (booted.client.clone(), booted.session_id.clone());
            session.signal(Signal::Booted(Box::new(booted)));
            let sent = match first.is_empty() {
                true => Ok(()),
                false => client.prompt(&session_id, &first, false).await,
            };
            session.signal(Signal::Machine(match sent {
                Ok(()) => Input::Running,
                Err(error) => failed(StartFailureCode::PromptFailed, &error),
            }));
        }
        Err(failure) => session.signal(Signal::Machine(Input::StartFailed(failure))),
    }
}

/// Starts kilo again on the same data and finds the session.
pub async fn restart(town: Arc<Town>, session: Arc<Session>, generation: u32) {
    let known = session.status().session_id.clone();
    match tokio::time::timeout(limits::BOOT_MAX, boot(&town, &session, generation, known)).await {
        Ok(Ok(booted)) => {
            session.signal(Signal::Booted(Box::new(booted)));
            session.signal(Signal::Machine(Input::Running));
        }
        Ok(Err(failure)) => session.signal(Signal::Machine(Input::StartFailed(failure))),
        Err(_) => {
            session.signal(Signal::Machine(failed_text(StartFailureCode::BootTimeout, "kilo was not ready in time")))
        }
    }
}

async fn prepare_steps(town: &Arc<Town>, session: &Arc<Session>) -> Result<(Booted, Vec<PromptPart>), StartFailure> {
    check_tools(town)?;
    make_folders(session)?;
    fetch_credentials(town, session).await?;
    let restored = make_work_dir(town, session).await?;
    reached(session, Step::Booting);
    let known = if session.order.kind == Kind::Mayor { read_mayor_session(session) } else { None };
    let booted = boot(town, session, 0, known);
    let booted = tokio::time::timeout(limits::BOOT_MAX, booted).await;
    let booted = booted.map_err(|_| failure(StartFailureCode::BootTimeout, "kilo was not ready in time"))??;
    Ok((booted, first_prompt(session, restored)))
}

fn reached(session: &Session, step: Step) {
    session.signal(Signal::Machine(Input::StepReached(step)));
}

fn check_tools(town: &Town) -> Result<(), StartFailure> {
    let tools = town.runtime.tools();
    if tools.kilo_version.is_none() {
        let words = format!("kilo is not at {}", town.runtime.config.kilo_bin.display());
        return Err(failure(StartFailureCode::KiloMissing, &words));
    }
    // The plugin may have been built after the runtime started.
    if !town.runtime.config.plugin.is_file() {
        let words = format!("the plugin is not at {}", town.runtime.config.plugin.display());
        return Err(failure(StartFailureCode::PluginMissing, &words));
    }
    Ok(())
}

fn make_folders(session: &Session) -> Result<(), StartFailure> {
    let dir = &session.paths.dir;
    let kilo = dir.join("config").join("kilo");
    let folders = ["home", "tmp", "cache", "state"].map(|name| dir.join(name));
    let made = folders
        .iter()
        .chain([&session.paths.data_dir, &kilo.join("node_modules")])
        .try_for_each(std::fs::create_dir_all)
        .and_then(|()| std::fs::write(dir.join("role.md"), &session.order.prompt.system))
        .and_then(|()| std::fs::write(dir.join("gitconfig"), ""))
        .and_then(|()| write_hook(session));
    made.map_err(|error| failure(StartFailureCode::DiskFull, &format!("{}: {error}", dir.display())))
}

/// The one hook of ours: names the agent as co-author when the town has an author of its own.
fn write_hook(session: &Session) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let hooks = session.paths.dir.join("hooks");
    std::fs::create_dir_all(&hooks)?;
    if session.order.author.is_none() || !session.order.coauthor {
        return Ok(());
    }
    let slug = gastown_core::text::slug(&session.order.agent.name);
    // The slug is letters, digits and dashes only, so nothing of the name reaches the shell unquoted.
    let trailer = format!("Co-authored-by: {slug} (Gas Town) <{slug}@agents.gastown.invalid>");
    let script = format!(
        "#!/bin/sh\nexec git interpret-trailers --in-place --if-exists addIfDifferent --trailer '{trailer}' \"$1\"\n"
    );
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.create(true).truncate(true).write(true).mode(0o755).open(hooks.join("prepare-commit-msg"))?;
    std::io::Write::write_all(&mut file, script.as_bytes())
}

/// Both credentials are needed soon; a missing one ends the start here, with its name.
async fn fetch_credentials(town: &Town, session: &Session) -> Result<(), StartFailure> {
    let llm = town.llm_credentials().await;
    if let Err(error) = llm
        && error.code() == Some("no_credentials")
    {
        return Err(failure(StartFailureCode::NoLlmCredentials, "the town has no key for a model gateway"));
    }
    let (Some(repo), Some(rig)) = (&session.order.repo, session.reference.rig_id.rig()) else { return Ok(()) };
    let Ok(url) = reqwest::Url::parse(&repo.git_url) else { return Ok(()) };
    if url.scheme() != "https" {
        return Ok(());
    }
    match town.git_credentials(rig, &url, GitOperation::Fetch, Some(session.reference)).await {
        Err(error) if error.code() == Some("no_credentials") => {
            Err(failure(StartFailureCode::NoCredentials, "the town has no credential for this repository's host"))
        }
        Err(error) if error.code() == Some("host_not_allowed") => {
            Err(failure(StartFailureCode::HostNotAllowed, "no credential may be sent to this repository's host"))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Makes the folder that the agent works in; what was restored there, in words.
async fn make_work_dir(town: &Arc<Town>, session: &Arc<Session>) -> Result<Option<String>, StartFailure> {
    let (order, work_dir) = (&session.order, &session.paths.work_dir);
    let (Some(repo), Some(rig_id)) = (&order.repo, session.reference.rig_id.rig()) else {
        reached(session, Step::Worktree);
        make_light(work_dir, session).await?;
        if order.kind == Kind::Mayor {
            super::desk::write_list(town, session);
        }
        return Ok(None);
    };
    let rig = town.rig(rig_id);
    let remote = || town.runtime.remote(town, rig_id, &repo.git_url, None);
    let stored = |error: git::store::StoreError| {
        let (code, message) = error.start_failure();
        failure(code, &message)
    };
    refresh_store(town, session, &rig, repo).await?;
    if let (Some(base), Some(from)) = (&order.base, &order.base_from)
        && rig.branch(base).await.map_err(|error| stored(error.into()))?.is_none()
    {
        let start = rig.branch(from).await.map_err(|error| stored(error.into()))?;
        let start = start.ok_or_else(|| stored(git::store::StoreError::BaseMissing(from.clone())))?;
        let push = town.runtime.remote(town, rig_id, &repo.git_url, Some(format!("refs/heads/{base}")));
        rig.create_branch(&push, base, &start).await.map_err(stored)?;
        rig.fetch_now(&remote(), &repo.default_branch).await.map_err(stored)?;
    }
    reached(session, Step::Worktree);
    let base = order.base.as_deref().unwrap_or(&repo.target_branch);
    let start = match (&order.branch, &order.commit) {
        (Some(branch), _) => Start::Branch { branch, base, resume: order.resume.as_ref() },
        (None, Some(commit)) => Start::Commit(commit),
        (None, None) => return Err(failure(StartFailureCode::InvalidOrder, "neither branch nor commit is named")),
    };
    let fetching = remote();
    let made = worktree::make(&rig, &session.env, &repo.git_url, &fetching, work_dir, start);
    let made = tokio::time::timeout(limits::WORKTREE_MAX, made).await;
    let tree = made.map_err(|_| failure(StartFailureCode::GitTimeout, "the worktree was not ready in time"))?;
    let tree = tree.map_err(stored)?;
    session.status().head = Some(tree.head);
    let note = order.resume.as_ref().and_then(|resume: &Resume| resume.note.clone());
    Ok(match (tree.restored, note) {
        (Some(words), Some(note)) => Some(format!("{words} {note}")),
        (words, note) => words.or(note),
    })
}

/// `cloning` is reported only when it takes a while: a fresh store costs nothing.
async fn refresh_store(
    town: &Arc<Town>,
    session: &Arc<Session>,
    rig: &git::store::RigStore,
    repo: &gastown_core::wire::control::Repo,
) -> Result<(), StartFailure> {
    let rig_id = session.reference.rig_id.rig().unwrap_or_else(clock::new_id);
    let remote = || town.runtime.remote(town, rig_id, &repo.git_url, None);
    if rig.is_new() {
        reached(session, Step::Cloning);
    }
    let is_review = matches!(session.order.kind, Kind::Review | Kind::Landing);
    let refresh = async {
        let first = remote();
        match session.order.commit.as_deref() {
            Some(commit) if is_review => rig.need_commit(&first, &repo.default_branch, commit).await,
            // Information only: a newest known head that is not in the mirror asks for a fetch, no more.
            wanted => rig.refresh(&first, &repo.default_branch, wanted).await,
        }
    };
    tokio::pin!(refresh);
    let slow = tokio::time::sleep(Duration::from_secs(1));
    let done = tokio::select! {
        done = &mut refresh => done,
        () = slow => {
            reached(session, Step::Cloning);
            tokio::time::timeout(limits::CLONE_MAX, refresh)
                .await
                .map_err(|_| failure(StartFailureCode::GitTimeout, "the clone took too long"))?
        }
    };
    done.map_err(|error| {
        let (code, message) = error.start_failure();
        failure(code, &message)
    })
}

/// A folder without a repository of the town: for triage an empty one, for the mayor its desk.
async fn make_light(work_dir: &Path, session: &Session) -> Result<(), StartFailure> {
    let disk = |error: std::io::Error| failure(StartFailureCode::DiskFull, &format!("{}: {error}", work_dir.display()));
    std::fs::create_dir_all(work_dir).map_err(disk)?;
    if !work_dir.join(".git").exists() {
        let init = Git::agent(work_dir, &session.env).args(["init", "--quiet", "."]).run().await;
        init.map_err(|error| failure(StartFailureCode::GitFailed, &error.to_string()))?;
    }
    Ok(())
}

pub(super) fn first_prompt(session: &Session, restored: Option<String>) -> Vec<PromptPart> {
    let id = |what: &str| format!("{}:{what}:0", session.reference.assignment_id);
    let first = session.order.prompt.first.clone().map(|text| PromptPart { message_id: id("first"), text });
    let restored = restored.map(|text| PromptPart { message_id: id("resume"), text });
    // The mayor's start costs nothing: it waits for somebody to speak.
    first.into_iter().chain(restored.filter(|_| session.order.kind != Kind::Mayor)).collect()
}

async fn boot(
    town: &Arc<Town>,
    session: &Arc<Session>,
    generation: u32,
    known: Option<String>,
) -> Result<Booted, StartFailure> {
    let mut last = failure(StartFailureCode::PortInUse, "no free port was found");
    for _ in 0..limits::PORT_TRIES {
        match boot_once(town, session, generation, known.clone()).await {
            Err(failure) if failure.code == StartFailureCode::PortInUse => last = failure,
            result => return result,
        }
    }
    Err(last)
}

async fn boot_once(
    town: &Arc<Town>,
    session: &Arc<Session>,
    generation: u32,
    known: Option<String>,
) -> Result<Booted, StartFailure> {
    let began = Instant::now();
    let port = free_port()?;
    let password = clock::random_token().map_err(|error| failure(StartFailureCode::Internal, &error.to_string()))?;
    town.runtime.redactor.learn(&password);
    let program = kilo_program(town, session, port, &password)?;
    let (spawner, log) = (&town.runtime.spawner, session.log.clone());
    let server = process::start_server(spawner, &program, log, "kilo server listening").await;
    let server =
        server.map_err(|error| failure(StartFailureCode::BootExited, &crate::report::outbox::chain(&error)))?;
    session.status().pid = Some(server.pid);
    session.write_record();
    // A dropped start must not leave a server behind.
    let guard = KillOnDrop { group: Some(server.pid), assignment: session.reference.assignment_id };
    let client = Client::new(town.runtime.http.clone(), port, &session.paths.work_dir, Secret::new(password));
    let mut exit = server.exit.clone();
    let ready = get_ready(&server, &client, session, generation, known);
    let (session_id, is_resumed) = tokio::select! {
        ready = ready => ready?,
        _ = async { exit.wait_for(Option::is_some).await.is_err() } => return Err(exited_early(&server)),
    };
    // The plugin may ask for it before the actor has looked at this.
    session.status().session_id = Some(session_id.clone());
    watch_exit(session.clone(), &server, generation);
    guard.keep();
    tracing::info!(
        agent.name = %session.order.agent.name,
        assignment.id = %session.reference.assignment_id,
        duration_ms = began.elapsed().as_millis(),
        "kilo is ready"
    );
    Ok(Booted { generation, server, client, session_id, is_resumed })
}

fn kilo_program(town: &Town, session: &Session, port: u16, password: &str) -> Result<Program, StartFailure> {
    let (order, paths, runtime) = (&session.order, &session.paths, &town.runtime);
    let manifest = paths.dir.join("config").join("kilo").join("package.json");
    let version = runtime.tools().kilo_version.unwrap_or_default();
    // Stops kilo from installing packages in the background.
    let text = serde_json::json!({ "dependencies": { "@kilocode/plugin": version } }).to_string();
    std::fs::write(&manifest, text).map_err(|error| failure(StartFailureCode::DiskFull, &error.to_string()))?;
    let content = config::content(&Spec {
        role: order.role,
        model: &order.model,
        small_model: &order.small_model,
        limits: &order.model_limits,
        broker: runtime.broker_url(),
        capability: session.capability.reveal(),
        session_dir: &paths.dir,
        work_dir: &paths.work_dir,
        plugin: &runtime.config.plugin,
    });
    let mut vars = session.env.clone();
    vars.extend(env::kilo(content, password, &paths.dir.join("home")));
    Ok(Program {
        path: runtime.config.kilo_bin.clone(),
        args: ["serve", "--hostname", "127.0.0.1", "--port", &port.to_string()].map(Into::into).to_vec(),
        dir: paths.work_dir.clone(),
        env: vars,
    })
}

async fn get_ready(
    server: &Server,
    client: &Client,
    session: &Arc<Session>,
    generation: u32,
    known: Option<String>,
) -> Result<(String, bool), StartFailure> {
    let mut listening = server.ready.clone();
    // A process that ends without the line is noticed by its exit.
    let _lost = listening.wait_for(|ready| *ready).await.is_err();
    while !client.is_healthy(Duration::from_secs(1)).await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let session_failed = |error: crate::kilo::client::KiloError| {
        failure(StartFailureCode::SessionFailed, &crate::report::outbox::chain(&error))
    };
    // An early request can hang for ever, so that each try is short; the boot as a whole has its own limit.
    let tools = loop {
        if let Ok(Ok(tools)) = tokio::time::timeout(limits::KILO_EARLY_CALL, client.tool_ids()).await {
            break tools;
        }
    };
    let missing: Vec<&str> = config::required_tools(session.order.role)
        .iter()
        .copied()
        .filter(|tool| !tools.iter().any(|t| t == tool))
        .collect();
    if !missing.is_empty() {
        let words = format!("the plugin did not offer {}", missing.join(", "));
        return Err(failure(StartFailureCode::PluginMissing, &words));
    }
    let agents = client.agents().await.map_err(session_failed)?;
    if !agents.iter().any(|agent| agent == "code") {
        return Err(failure(StartFailureCode::KiloUnsupported, "kilo has no agent named code"));
    }
    follow(session.clone(), client.clone(), generation).await.map_err(session_failed)?;
    if let Some(known) = known
        && client.has_session(&known).await.map_err(session_failed)?
    {
        return Ok((known, true));
    }
    let id = client.create_session(&session.order.title).await.map_err(session_failed)?;
    Ok((id, false))
}

/// Opens the event stream, waits for its greeting, and passes its events to the actor until it ends.
pub async fn follow(
    session: Arc<Session>,
    client: Client,
    generation: u32,
) -> Result<(), crate::kilo::client::KiloError> {
    let stream = client.events().await?;
    let (greeted, greeting) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (mut bytes, mut reader, mut greeted) = (stream.bytes_stream(), Reader::default(), Some(greeted));
        // A silent stream is as good as none; the actor opens another.
        while let Ok(Some(Ok(chunk))) = tokio::time::timeout(limits::STREAM_SILENCE, bytes.next()).await {
            for event in reader.feed(&chunk) {
                if event.what == What::Alive
                    && let Some(greeted) = greeted.take()
                {
                    let _nobody_waits = greeted.send(());
                }
                session.signal(Signal::Kilo(generation, event));
            }
        }
        session.signal(Signal::StreamEnded(generation));
    });
    match tokio::time::timeout(limits::KILO_CALL, greeting).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(crate::kilo::client::KiloError::Silent { call: "follow the event stream" }),
    }
}

fn watch_exit(session: Arc<Session>, server: &Server, generation: u32) {
    let mut exit = server.exit.clone();
    tokio::spawn(async move {
        let status = exit.wait_for(Option::is_some).await.map(|status| *status).ok().flatten();
        let words = status.map_or_else(|| "kilo exited".to_owned(), |status| format!("kilo ended with {status}"));
        session.signal(Signal::Exited(generation, words));
    });
}

fn exited_early(server: &Server) -> StartFailure {
    let tail = server.log.tail(20).join("\n");
    match tail.contains("ServeError") || tail.contains("EADDRINUSE") {
        true => failure(StartFailureCode::PortInUse, "the port was taken"),
        false => failure(StartFailureCode::BootExited, &format!("kilo ended: {}", git::last_line(&tail))),
    }
}

/// kilo's port 0 does not mean "any", so a free one is looked up; losing the race to another process costs a try.
fn free_port() -> Result<u16, StartFailure> {
    let bound = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|error| failure(StartFailureCode::PortInUse, &error.to_string()))
}

/// The mayor's conversation is found by the id that stands beside its database.
fn read_mayor_session(session: &Session) -> Option<String> {
    let text = std::fs::read_to_string(session.paths.data_dir.join("session_id")).ok()?;
    Some(text.trim().to_owned()).filter(|id| id.starts_with("ses_"))
}

struct KillOnDrop {
    group: Option<i32>,
    assignment: gastown_core::id::AssignmentId,
}

impl KillOnDrop {
    fn keep(mut self) {
        self.group = None;
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            tree::kill_session_processes(group, self.assignment);
        }
    }
}

fn failure(code: StartFailureCode, message: &str) -> StartFailure {
    StartFailure { code, message: message.to_owned() }
}

fn failed(code: StartFailureCode, error: &dyn std::error::Error) -> Input {
    failed_text(code, &crate::report::outbox::chain(error))
}

fn failed_text(code: StartFailureCode, message: &str) -> Input {
    Input::StartFailed(failure(code, message))
}
