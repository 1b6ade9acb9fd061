//! The stack with a scripted runtime and fast town time, and towns in it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use gastown_e2e::api::{Api, items, text};
use gastown_e2e::stack::{Options, Stack, last_words};
use gastown_e2e::wait::{Look, until};
use serde_json::{Value, json};

use crate::runtime::{ORDER_MAX, Order, OrderKind, Runtime, Seat, commit};

/// Town time runs so many times faster: half a minute is a second, and a lease of 90 s still holds many heartbeats.
pub(crate) const TIME_SCALE: u32 = 30;

/// Both sides must know it before either is started.
const CONTROL_SECRET: &str = "scripted-control-secret-0123456789abcdef";

/// Log lines per process that a failed test shows.
const LOG_LINES: usize = 40;

/// The stack and its runtime, started when first needed.
pub(crate) struct World {
    running: Mutex<Option<Running>>,
    time_scale: u32,
}

struct Running {
    stack: Stack,
    runtime: Runtime,
    /// Runs the scripted runtime; fields are dropped in this order, so it outlives the stack.
    _executor: tokio::runtime::Runtime,
    _directory: tempfile::TempDir,
}

/// A town, its rigs, and the runtime as that town sees it.
pub(crate) struct Town {
    pub(crate) api: Api,
    pub(crate) town_id: String,
    pub(crate) rigs: Vec<String>,
    pub(crate) seat: Seat,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { running: Mutex::new(None), time_scale: TIME_SCALE }
    }

    /// One whose towns live as fast as we do: for what is counted by the minute.
    pub(crate) fn in_real_time() -> Self {
        Self { running: Mutex::new(None), time_scale: 1 }
    }

    /// Runs one test; a failure comes with the last words of every process.
    pub(crate) fn run(&self, test: fn(&Self) -> Result<()>) -> Result<(), String> {
        test(self).map_err(|error| {
            let logs = self.with(|running| Ok(last_words(&running.stack.ready.state_dir, LOG_LINES)));
            format!("{error:#}\n{}", logs.unwrap_or_default())
        })
    }

    /// A town with so many rigs and these settings.
    pub(crate) fn town(&self, rigs: usize, config: &Value) -> Result<Town> {
        self.town_of(self.api()?, "/api/towns", rigs, config)
    }

    /// The same, made by this person by this route.
    pub(crate) fn town_of(&self, api: Api, route: &str, rigs: usize, config: &Value) -> Result<Town> {
        self.with(|running| {
            let town = api.post(route, &json!({"name": "Scripted"})).context("could not make the town")?;
            let town_id = text(&town, "id")?.to_owned();
            if *config != json!({}) {
                let reply = api.call("PATCH", &format!("/api/towns/{town_id}/config"), Some(&config.to_string()))?;
                ensure!(reply.status == 200, "the settings were refused: {reply}");
            }
            let mut town = Town { api, seat: running.runtime.seat(&town_id), town_id, rigs: Vec::new() };
            for n in 0..rigs {
                let rig = json!({"name": format!("rig-{n}"), "git_url": format!("https://example.com/rig-{n}.git"),
                    "default_branch": "main"});
                let rig = town.api.post(&town.path("/rigs"), &rig).context("could not make a rig")?;
                town.rigs.push(text(&rig, "id")?.to_owned());
            }
            Ok(town)
        })
    }

    /// The stack's user, and where the stack is.
    pub(crate) fn api(&self) -> Result<Api> {
        self.with(|running| Ok(running.stack.api()))
    }

    /// A secret of the stack, by the name of its variable.
    pub(crate) fn secret(&self, name: &str) -> Result<String> {
        self.with(|running| {
            running.stack.ready.secrets.get(name).cloned().with_context(|| format!("the stack names no {name}"))
        })
    }

    /// Where the stack keeps everything, its logs among it.
    pub(crate) fn state_dir(&self) -> Result<std::path::PathBuf> {
        self.with(|running| Ok(running.stack.ready.state_dir.clone()))
    }

    /// Ends the runtime's present life and begins the next.
    pub(crate) fn restart_runtime(&self) -> Result<()> {
        self.with(|running| {
            running.runtime.restart();
            Ok(())
        })
    }

    fn with<T>(&self, use_it: impl FnOnce(&Running) -> Result<T>) -> Result<T> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            *running = Some(Running::start(self.time_scale)?);
        }
        running.as_ref().context("the stack is not running").and_then(use_it)
    }
}

impl Running {
    fn start(time_scale: u32) -> Result<Self> {
        let directory = tempfile::tempdir().context("could not make a directory for the tests")?;
        let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let executor = executor.context("could not start the runtime's executor")?;
        let runtime = executor.block_on(Runtime::start(CONTROL_SECRET))?;
        let options = Options {
            state_dir: directory.path().join("state"),
            runtime_url: Some(runtime.base_url.clone()),
            environment: vec![
                ("GASTOWN_CONTROL_SECRET".to_owned(), CONTROL_SECRET.to_owned()),
                ("GASTOWN_TIME_SCALE".to_owned(), time_scale.to_string()),
            ],
            ..Options::default()
        };
        let stack = Stack::start(&options)?;
        Ok(Self { stack, runtime, _executor: executor, _directory: directory })
    }
}

impl Town {
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/towns/{}{rest}", self.town_id)
    }

    pub(crate) fn get(&self, rest: &str) -> Result<Value> {
        self.api.get(&self.path(rest))
    }

    pub(crate) fn list(&self, rest: &str) -> Result<Vec<Value>> {
        items(self.get(rest)?)
    }

    pub(crate) fn post(&self, rest: &str, body: &Value) -> Result<Value> {
        self.api.post(&self.path(rest), body)
    }

    /// Slings one task into the first rig; its bead's id.
    pub(crate) fn sling(&self, title: &str) -> Result<String> {
        self.sling_with(json!({"rig_id": self.rigs[0], "title": title}))
    }

    /// Slings this one task; its bead's id.
    pub(crate) fn sling_with(&self, task: Value) -> Result<String> {
        let slung = self.post("/sling", &json!({"tasks": [task]}))?;
        Ok(text(&slung["beads"][0]["bead"], "bead_id")?.to_owned())
    }

    pub(crate) fn bead(&self, bead_id: &str) -> Result<Value> {
        self.get(&format!("/beads/{bead_id}"))
    }

    /// Assignments of a bead, newest first.
    pub(crate) fn assignments(&self, bead_id: &str) -> Result<Vec<Value>> {
        self.list(&format!("/beads/{bead_id}/assignments"))
    }

    /// Waits until the bead is as the look wants it.
    pub(crate) fn until_bead(&self, what: &str, bead_id: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        until(what, ORDER_MAX, || {
            let bead = self.bead(bead_id)?;
            Ok(if is_so(&bead) { Look::Found(bead) } else { Look::NotYet(bead.to_string()) })
        })
    }

    /// Waits until the bead has this status.
    pub(crate) fn until_status(&self, bead_id: &str, status: &str) -> Result<Value> {
        self.until_bead(&format!("status {status}"), bead_id, |bead| bead["status"] == status)
    }

    /// Waits until the bead's wait has this code.
    pub(crate) fn until_wait(&self, bead_id: &str, code: &str) -> Result<Value> {
        self.until_bead(&format!("wait {code}"), bead_id, |bead| bead["wait"]["code"] == code)
    }

    /// Takes the bead's start order and reports that the session works.
    pub(crate) fn begin(&self, bead_id: &str) -> Result<Order> {
        let start = self.seat.start_of(bead_id)?;
        self.seat.ready(&start)?;
        Ok(start)
    }

    /// The next review session, at work.
    pub(crate) fn begin_review(&self) -> Result<Order> {
        let start = self.seat.next(OrderKind::Start, |body| body["role"] == "refinery")?;
        self.seat.ready(&start)?;
        Ok(start)
    }

    /// Work, review and merge of one bead, all well.
    pub(crate) fn carry_through(&self, bead_id: &str, digit: char) -> Result<Order> {
        let start = self.begin(bead_id)?;
        self.seat.done(&start, &commit(digit))?;
        self.approve_and_merge(digit)?;
        self.until_status(bead_id, "closed")?;
        Ok(start)
    }

    /// The next review approves, and its merge succeeds.
    pub(crate) fn approve_and_merge(&self, digit: char) -> Result<Order> {
        let review = self.begin_review()?;
        self.seat.verdict(&review, &json!({"verdict": "approve", "summary": "Good."}))?;
        let job = self.seat.next(OrderKind::Job, |body| body["kind"] == "merge")?;
        self.seat.merged(&job, &commit(digit.to_ascii_lowercase()))?;
        Ok(job)
    }
}

/// So much town time in real time.
pub(crate) fn town_time(seconds: u64) -> Duration {
    Duration::from_secs(seconds) / TIME_SCALE
}
