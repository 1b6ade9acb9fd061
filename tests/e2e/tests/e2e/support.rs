//! What the tests share: the stack and the scripted model, towns, scripts for single tasks, gates, minted tokens.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use gastown_e2e::api::{Api, items, text};
use gastown_e2e::demo::Demo;
use gastown_e2e::process::Process;
use gastown_e2e::stack::{Options, Stack, last_words};
use gastown_e2e::wait::{Look, until};
use gastown_model::script::Script;
use gastown_model::server::{Model, Settings};
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt as _, Claims, Header};
use serde_json::{Value, json};

/// One kilo start, a few model calls, a push, a review and a merge: some ten seconds, and as much again per neighbour.
pub(crate) const TASK_MAX: Duration = Duration::from_secs(180);

/// Until an agent is at its gate: a clone, a worktree and a kilo start.
pub(crate) const GATE_MAX: Duration = Duration::from_secs(90);

/// Log lines per process that a failed test shows.
const LOG_LINES: usize = 40;

/// The stack and the model, started when first needed.
pub(crate) struct World {
    running: Mutex<Option<Running>>,
}

struct Running {
    stack: Stack,
    model: Model,
    /// Runs the model; fields are dropped in this order, so it outlives it.
    _runtime: tokio::runtime::Runtime,
    directory: tempfile::TempDir,
}

/// A town with one rig on a repository of its own.
pub(crate) struct Town {
    pub(crate) api: Api,
    pub(crate) demo: Demo,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { running: Mutex::new(None) }
    }

    /// Runs one test; a failure comes with the last words of every process.
    pub(crate) fn run(&self, test: fn(&Self) -> Result<()>) -> Result<(), String> {
        test(self).map_err(|error| {
            let logs = self.with(|running| Ok(last_words(&running.stack.ready.state_dir, LOG_LINES)));
            format!("{error:#}\n{}", logs.unwrap_or_default())
        })
    }

    pub(crate) fn api(&self) -> Result<Api> {
        self.with(|running| Ok(running.stack.api()))
    }

    /// Process id of the command that holds the stack together.
    pub(crate) fn stack_pid(&self) -> Result<u32> {
        self.with(|running| Ok(running.stack.pid()))
    }

    /// A fresh town, in a directory named after the test.
    pub(crate) fn town(&self, name: &str) -> Result<Town> {
        self.with(|running| {
            let directory = running.directory.path().join(name);
            std::fs::create_dir_all(&directory).with_context(|| format!("could not make {}", directory.display()))?;
            let api = running.stack.api();
            let demo = Demo::prepare(&api, &directory, Some(&running.model.base_url()))?;
            Ok(Town { api, demo })
        })
    }

    /// A token with these claims, signed by one of the stack's secrets; it ends in an hour unless `exp` is given.
    pub(crate) fn token(&self, secret: &str, claims: &Value) -> Result<String> {
        self.with(|running| {
            let secret =
                running.stack.ready.secrets.get(secret).with_context(|| format!("the stack names no {secret}"))?;
            sign(secret, claims)
        })
    }

    /// Entries of the model's recording.
    pub(crate) fn asked(&self) -> Result<Vec<gastown_model::record::Entry>> {
        self.with(|running| Ok(running.model.recording().after(0)))
    }

    fn with<T>(&self, use_it: impl FnOnce(&Running) -> Result<T>) -> Result<T> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            *running = Some(Running::start()?);
        }
        running.as_ref().context("the stack is not running").and_then(use_it)
    }
}

impl Running {
    fn start() -> Result<Self> {
        let directory = tempfile::tempdir().context("could not make a directory for the tests")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.context("could not start the model's runtime")?;
        let script = Script::parse(gastown_model::DEMO).context("could not read the demo script")?;
        let settings = Settings { key: Some(MODEL_KEY.to_owned()), ..Settings::new(script) };
        let model = runtime.block_on(Model::start(settings))?;
        let options = Options {
            state_dir: directory.path().join("state"),
            environment: vec![
                ("GASTOWN_LLM_BASE_URL".to_owned(), model.base_url()),
                ("GASTOWN_LLM_API_KEY".to_owned(), MODEL_KEY.to_owned()),
            ],
            ..Options::default()
        };
        let stack = Stack::start(&options)?;
        Ok(Self { stack, model, _runtime: runtime, directory })
    }
}

/// The model accepts only this key, so a request that reached it came by way of the runtime's proxy.
const MODEL_KEY: &str = "sk-scripted-0123456789abcdef";

impl Town {
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/towns/{}{rest}", self.demo.town_id)
    }

    /// A task as `T/sling` takes it.
    pub(crate) fn task(&self, title: &str, body: &str) -> Value {
        json!({"rig_id": self.demo.rig_id, "title": title, "body": body})
    }

    /// Slings tasks that are independent of each other; the reply's `beads`.
    pub(crate) fn sling(&self, tasks: &[Value]) -> Result<Vec<Value>> {
        let slung = self.api.post(&self.path("/sling"), &json!({"tasks": tasks, "parallel": true}))?;
        items(slung["beads"].clone())
    }

    pub(crate) fn bead(&self, bead_id: &str) -> Result<Value> {
        self.api.get(&self.path(&format!("/beads/{bead_id}")))
    }

    /// Assignments of a bead, newest first.
    pub(crate) fn assignments(&self, bead_id: &str) -> Result<Vec<Value>> {
        items(self.api.get(&self.path(&format!("/beads/{bead_id}/assignments")))?)
    }

    /// The one live assignment of a bead.
    pub(crate) fn assignment(&self, bead_id: &str) -> Result<Value> {
        let all = self.assignments(bead_id)?;
        let live: Vec<_> = all.iter().filter(|assignment| assignment["phase"] != "ended").collect();
        match live[..] {
            [one] => Ok(one.clone()),
            _ => bail!("not one live assignment: {all:?}"),
        }
    }

    /// Waits for the merge of a bead's work; its row when closed. Answers that fail are looked at again.
    pub(crate) fn until_closed(&self, bead_id: &str) -> Result<Value> {
        until("the task to be closed", TASK_MAX, || {
            let bead = match self.bead(bead_id) {
                Ok(bead) => bead,
                Err(error) => return Ok(Look::NotYet(format!("{error:#}"))),
            };
            match text(&bead, "status")? {
                "closed" => Ok(Look::Found(bead)),
                "failed" => bail!("the task failed: {}", bead["failure"]),
                _ => Ok(Look::NotYet(bead.to_string())),
            }
        })
    }

    /// Checks with git that the work of a closed bead is on the default branch, by exactly one merge.
    pub(crate) fn assert_merged(&self, bead: &Value) -> Result<()> {
        let (repository, branch) = (&self.demo.repository, text(bead, "branch")?);
        let work = repository.head(branch)?.with_context(|| format!("{branch} is not on the remote"))?;
        let main = repository.head("main")?.context("main is gone")?;
        let merges = repository.git(&["rev-list", "--merges", "--parents", &main])?;
        let of_work = merges.lines().filter(|line| line.split(' ').skip(1).any(|parent| parent == work)).count();
        if of_work != 1 {
            bail!("{of_work} merges of {branch} at {work} on main:\n{merges}");
        }
        repository.test(&main)
    }
}

/// A place where scripted agents wait until the test lets them go on.
pub(crate) struct Gate {
    directory: PathBuf,
}

impl Gate {
    pub(crate) fn new(town: &Town) -> Result<Self> {
        let directory = town.demo.repository.path().with_extension("gate");
        std::fs::create_dir_all(&directory).with_context(|| format!("could not make {}", directory.display()))?;
        Ok(Self { directory })
    }

    /// Shell text: says who is here and waits for the gate to open, at most as long as a test would.
    fn command(&self, who: &str) -> String {
        let directory = self.directory.display();
        let tries = TASK_MAX.as_secs() * 10;
        format!(
            "touch '{directory}/{who}.here'; n=0; while [ ! -e '{directory}/open' ] && [ $n -lt {tries} ]; do n=$((n + 1)); sleep 0.1; done"
        )
    }

    pub(crate) fn wait_for(&self, who: &str) -> Result<()> {
        until(&format!("{who} at the gate"), GATE_MAX, || {
            let is_here = self.directory.join(format!("{who}.here")).exists();
            Ok(if is_here { Look::Found(()) } else { Look::NotYet("not here".to_owned()) })
        })
    }

    pub(crate) fn open(&self) -> Result<()> {
        std::fs::write(self.directory.join("open"), "").context("could not open the gate")
    }
}

/// The body of a task whose polecat waits at the gate, then writes `lib/<name>.sh`, commits, pushes and reports.
pub(crate) fn scripted_task(gate: &Gate, name: &str) -> String {
    let write = format!(
        "set -e; printf '{name}() {{\\n  true\\n}}\\n' > lib/{name}.sh; git add lib; git commit -qm 'Add {name}'"
    );
    let steps = json!([
        {"tool": "bash", "args": {"description": "Wait", "command": gate.command(name)}},
        {"tool": "bash", "args": {"description": "Write", "command": format!("[ -e lib/{name}.sh ] || {{ {write}; }}")}},
        {"tool": "bash", "args": {"description": "Push", "command": "git push -q origin HEAD:refs/heads/{{branch}}"}},
        {"tool": "gt_done", "args": {"branch": "{{branch}}", "summary": format!("Added {name}.")}},
        {"text": "Submitted."},
    ]);
    format!("Add an empty function.\n\nSCRIPT polecat: {steps}")
}

/// The kilo server of an agent.
pub(crate) fn kilo_of(agent_id: &str) -> Result<Option<Process>> {
    let processes = Process::with_environment("GASTOWN_AGENT_ID", agent_id)?;
    Ok(processes.into_iter().find(|process| process.name == "kilo"))
}

/// Why tests that need kilo cannot run here: its platform package is not installed.
pub(crate) fn kilo_is_missing() -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let installed = root.join("node_modules/@kilocode/cli-linux-x64/bin/kilo").exists();
    !installed && std::env::var_os("GASTOWN_KILO_BIN").is_none()
}

/// Signs claims by HS256.
pub(crate) fn sign(secret: &str, claims: &Value) -> Result<String> {
    let mut claims = claims.clone();
    if claims.get("exp").is_none() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
        claims["iat"] = json!(now.as_secs());
        claims["exp"] = json!(now.as_secs() + 3600);
    }
    let key = Hs256Key::new(secret.as_bytes());
    Hs256.token(&Header::empty(), &Claims::new(claims), &key).context("could not sign a token")
}
