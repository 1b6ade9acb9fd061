//! A runtime process, a Worker that records, a model that follows a script, and repositories to work on.

pub(crate) mod model;
pub(crate) mod repo;
pub(crate) mod worker;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use model::Model;
use repo::Repo;
use worker::Worker;

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// One runtime process with its own data directory; ended by its own pid.
pub(crate) struct Runtime {
    child: Child,
    pub(crate) base: String,
    pub(crate) instance: String,
    pub(crate) dir: PathBuf,
    http: reqwest::Client,
}

/// A new folder for one test.
pub(crate) fn new_dir(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("gastown-test-{name}-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

pub(crate) fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// kilo's binary, where the set-up puts it.
pub(crate) fn kilo() -> Option<PathBuf> {
    let named = std::env::var_os("GASTOWN_KILO_BIN").map(PathBuf::from);
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let cached = home.join(".cache/gastown/kilo-7.0.33/node_modules/@kilocode/cli-linux-x64/bin/kilo");
    named.into_iter().chain([cached]).find(|path| path.is_file())
}

/// kilo's binary, or says that the test is skipped.
#[expect(clippy::print_stderr, reason = "a skipped test must be named")]
pub(crate) fn kilo_or_skip(test: &str) -> Option<PathBuf> {
    let kilo = kilo();
    if kilo.is_none() {
        eprintln!("SKIPPED {test}: kilo is not installed");
    }
    kilo
}

impl Runtime {
    pub(crate) async fn start(dir: PathBuf, more: &[(&str, String)]) -> Self {
        let plugin = dir.join("plugin").join("gastown.js");
        std::fs::create_dir_all(plugin.parent().unwrap()).unwrap();
        match std::env::var_os("GASTOWN_PLUGIN") {
            Some(shipped) => drop(std::fs::copy(shipped, &plugin).unwrap()),
            None => std::fs::write(&plugin, PLUGIN).unwrap(),
        }
        let kilo = kilo().unwrap_or_else(|| dir.join("no-kilo"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_gastown-container"));
        command
            .env_clear()
            .env("GASTOWN_CONTROL_SECRET", SECRET)
            .env("GASTOWN_LISTEN", "127.0.0.1:0")
            .env("GASTOWN_DATA_DIR", dir.join("data"))
            .env("GASTOWN_KILO_BIN", kilo)
            .env("GASTOWN_PLUGIN", plugin)
            .env("GASTOWN_ALLOW_LOCAL_GIT", "1")
            .env("GASTOWN_DRAIN_SECONDS", "10")
            .env("GASTOWN_LOG_FORMAT", "text")
            .env("RUST_BACKTRACE", "1")
            .envs(more.iter().map(|(name, value)| (*name, value.as_str())))
            .stdout(Stdio::piped())
            .stderr(std::fs::OpenOptions::new().create(true).append(true).open(dir.join("runtime.log")).unwrap());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let base = line.split(' ').nth(3).unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut runtime = Self { child, base, instance: String::new(), dir, http };
        let health = runtime.until("waiting", async |runtime| {
            let health = runtime.get("/health").await.1;
            (health["state"] == "waiting").then_some(health)
        });
        let health = health.await;
        runtime.instance = health["instance_id"].as_str().unwrap().to_owned();
        runtime
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(SECRET);
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = request.send().await.unwrap();
        let status = reply.status().as_u16();
        (status, reply.json().await.unwrap_or(Value::Null))
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.call("POST", path, Some(body)).await
    }

    pub(crate) async fn attach(&self, worker: &Worker) {
        let body = self.attach_body(worker);
        let (status, reply) = self.call("PUT", &format!("/towns/{}", worker.town), Some(&body)).await;
        assert_eq!(status, 200, "{reply}");
        let path = format!("/towns/{}", worker.town);
        self.until("a ready town", async |runtime| {
            (runtime.get(&path).await.1["data"]["state"] == "ready").then_some(())
        })
        .await;
    }

    pub(crate) fn attach_body(&self, worker: &Worker) -> Value {
        json!({
            "api_url": worker.base,
            "token": "container-token",
            "instance_id": self.instance,
            "protocol": 1,
            "config": worker::config(),
        })
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for the process to exit by itself.
    pub(crate) async fn exited(&mut self) -> std::process::ExitStatus {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "the runtime did not exit");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("runtime.log")).unwrap_or_default()
    }

    /// Looks again and again until something is there; panics with the log after a minute.
    pub(crate) async fn until<T>(&self, what: &str, look: impl AsyncFn(&Self) -> Option<T>) -> T {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(found) = look(self).await {
                return found;
            }
            assert!(Instant::now() < until, "timed out waiting for {what}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        if !std::thread::panicking() {
            let _removed = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// A town with a runtime, a Worker, a model and a repository.
pub(crate) struct Town {
    pub(crate) runtime: Runtime,
    pub(crate) worker: Worker,
    pub(crate) model: Model,
    pub(crate) repo: Repo,
    pub(crate) rig: String,
}

impl Town {
    pub(crate) async fn start(name: &str) -> Self {
        let dir = new_dir(name);
        let model = Model::start().await;
        let worker = Worker::start(&model.base).await;
        let repo = Repo::new(&dir.join("origin.git"));
        let runtime = Runtime::start(dir, &[]).await;
        runtime.attach(&worker).await;
        Self { runtime, worker, model, repo, rig: new_id() }
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/towns/{}{rest}", self.worker.town)
    }

    pub(crate) fn repo_json(&self) -> Value {
        json!({ "git_url": self.repo.url(), "default_branch": "main", "target_branch": "main", "push_flags": [] })
    }

    /// An order for a polecat named Toast.
    pub(crate) fn work_order(&self, branch: &str) -> Value {
        json!({
            "instance_id": self.runtime.instance,
            "protocol": 1,
            "assignment": {
                "assignment_id": new_id(), "epoch": 1, "rig_id": self.rig, "agent_id": new_id(), "bead_id": new_id(),
            },
            "kind": "work",
            "role": "polecat",
            "agent": { "name": "Toast", "identity": "Toast-polecat-1" },
            "title": "Add a greeting",
            "model": "vendor/main",
            "small_model": "vendor/small",
            "repo": self.repo_json(),
            "branch": branch,
            "base": "main",
            "prompt": { "system": "# Gas Town role: polecat\nYou are Toast.", "first": "Add a greeting." },
            "token": "agent-token",
            "token_expires_at": "2030-01-01T00:00:00.000Z",
        })
    }

    pub(crate) fn merge_order(&self, commit: &str, gates: &[&str]) -> Value {
        json!({
            "job_id": new_id(),
            "kind": "merge",
            "rig_id": self.rig,
            "repo": self.repo_json(),
            "commit": commit,
            "branch": "polecat/toast/1",
            "target": "main",
            "gates": gates,
            "timeout_minutes": 1,
            "author": null,
            "message": { "title": "Merge a greeting", "bead_id": new_id(), "review_id": new_id() },
        })
    }

    /// Posts a job and waits for its last fact.
    pub(crate) async fn run_job(&self, order: &Value) -> Value {
        let (status, reply) = self.runtime.post(&self.path("/jobs"), order).await;
        assert!(status == 202 || status == 200, "{reply}");
        let id = order["job_id"].clone();
        self.runtime
            .until("the job's result", async |_| {
                let is_end =
                    |fact: &&Value| fact["job_id"] == id && (fact["type"] == "merge" || fact["type"] == "gates");
                self.worker.facts().iter().find(is_end).cloned()
            })
            .await
    }
}

/// The processes of a session.
pub(crate) fn processes_of(assignment: &str) -> Vec<i32> {
    let mark = format!("GASTOWN_ASSIGNMENT_ID={assignment}");
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let env = std::fs::read(Path::new("/proc").join(pid.to_string()).join("environ")).unwrap_or_default();
        env.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
    })
    .collect()
}

/// Stands in for the shipped plugin, unless GASTOWN_PLUGIN names that: one HTTP call per tool.
const PLUGIN: &str = r#"
const env = process.env
const rig = env.GASTOWN_RIG_ID ?? `mayor-${env.GASTOWN_TOWN_ID}`
const agent = `/api/towns/${env.GASTOWN_TOWN_ID}/rigs/${rig}/agents/${env.GASTOWN_AGENT_ID}`
const post = async (path, body) => {
  const reply = await fetch(env.GASTOWN_API_URL + path, {
    method: "POST",
    headers: { authorization: `Bearer ${env.GASTOWN_SESSION_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  })
  return `${reply.status} ${await reply.text()}`
}
const tool = (description, path, body) => ({ description, args: {}, execute: async () => post(path, body) })
export default async () => {
  const tools = {
    polecat: { gt_done: tool("Submit", agent + "/done", { branch: env.GASTOWN_BRANCH, summary: "Done." }) },
    refinery: {
      gt_approve: tool("Approve", agent + "/verdict", { verdict: "approve" }),
      gt_request_changes: tool("Reject", agent + "/verdict", { verdict: "request_changes", feedback: "No." }),
    },
    triage: { gt_done: tool("Done", agent + "/done", {}) },
    mayor: { gt_sling: tool("Sling", `/api/mayor/${env.GASTOWN_TOWN_ID}/tools/sling`, { title: "Task" }) },
  }
  return { tool: tools[env.GASTOWN_AGENT_ROLE] }
}
"#;
