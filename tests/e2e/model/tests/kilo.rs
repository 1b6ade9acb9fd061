//! The real kilo against the scripted model: what kilo sends is understood, what it gets back makes it work.
//!
//! This is where a new version of kilo shows whether scripts still fit.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use gastown_model::record::Entry;
use gastown_model::script::Script;
use gastown_model::server::{Model, Settings};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A cold kilo takes six seconds at most (container.md 16); busy test machines get ten times that.
const LIMIT: Duration = Duration::from_secs(60);

const RULES: &str = r##"[
    {"name": "title", "when": {"no_tools": true}, "steps": [{"text": "A title"}]},
    {"name": "work", "when": {"role": "polecat", "contains": "/<<<BEGIN task [0-9a-f]{8}\\n(?<what>.+)\\n/"}, "steps": [
        {"text": "I look first.", "tool": "bash", "args": {"command": "git branch --show-current", "description": "Look"}},
        {"tools": [
            {"tool": "write", "args": {"filePath": "{{what|snake}}.txt", "content": "{{what}} on {{branch}}\n"}},
            {"tool": "write", "args": {"filePath": "second.txt", "content": "for {{bead_id}}\n"}}
        ]},
        {"tool": "bash", "args": {"command": "git add -A && git commit -qm 'Add {{what|snake}}' && git log --format=%s -1", "description": "Commit"}},
        {"text": "Branch was {{tool:bash:/(\\S+)/}}."}
    ]}
]"##;

const ROLE: &str =
    "# Gas Town role: polecat\n\nBranch: polecat/toast/1a2b3c4d\nBead: 1a2b3c4d-0000-4000-8000-000000000000\n";
const TASK: &str = "Do this:\n<<<BEGIN task 0a1b2c3d\nWrite a note\nEND task 0a1b2c3d>>>\n";

#[tokio::test]
async fn kilo_works_by_the_script() {
    let Some(kilo) = kilo_binary("kilo_works_by_the_script") else { return };
    let settings = Settings { full: true, ..Settings::new(Script::parse(RULES).unwrap()) };
    let model = Model::start(settings).await.unwrap();
    let place = Place::new();
    let server = Server::start(&kilo, &place, &model).await;
    let session = server.post("/session", json!({"title": "Write a note"})).await;
    let prompt = format!("/session/{}/prompt_async", session["id"].as_str().unwrap());
    server.post(&prompt, json!({"parts": [{"type": "text", "text": TASK}]})).await;

    let entries = entries_until(&model, |entry| entry.step == Some(3)).await;
    let steps: Vec<_> = entries.iter().map(|entry| (entry.rule.as_deref(), entry.step)).collect();
    let work = |step| (Some("work"), Some(step));
    assert_eq!(steps, [work(0), work(1), work(2), work(3)], "one request per step, and no others");
    for entry in &entries {
        assert_eq!(entry.problem, None);
        assert_eq!(entry.model, "vendor/main");
        assert_eq!(entry.role.as_deref(), Some("polecat"));
        assert_eq!(entry.bead_id.as_deref(), Some("1a2b3c4d-0000-4000-8000-000000000000"));
        assert!(entry.body.as_ref().unwrap()["stream"].as_bool().unwrap());
        assert!(["bash", "write", "edit", "read"].iter().all(|tool| entry.tools.iter().any(|t| t == tool)));
    }
    assert_eq!(place.read("write_a_note.txt"), "Write a note on polecat/toast/1a2b3c4d\n");
    assert_eq!(place.read("second.txt"), "for 1a2b3c4d-0000-4000-8000-000000000000\n");
    assert_eq!(place.git(&["log", "--format=%s", "-1"]), "Add write_a_note");
    let said = entries[3].answer.as_ref().unwrap()["text"].as_str().unwrap().to_owned();
    assert_eq!(said, "Branch was Add.", "the newest result of bash");

    // A session without a title asks the small model for one; the role text is not in that request.
    let untitled = server.post("/session", json!({})).await;
    let prompt = format!("/session/{}/prompt_async", untitled["id"].as_str().unwrap());
    server.post(&prompt, json!({"parts": [{"type": "text", "text": "Anything"}]})).await;
    let titles = entries_until(&model, |entry| entry.rule.as_deref() == Some("title")).await;
    let title = titles.last().unwrap();
    assert_eq!((title.model.as_str(), title.role.as_deref(), title.tools.len()), ("vendor/small", None, 0));
    server.end().await;
}

#[tokio::test]
async fn a_restarted_kilo_goes_on_with_the_script() {
    let Some(kilo) = kilo_binary("a_restarted_kilo_goes_on_with_the_script") else { return };
    let settings = Settings { full: true, ..Settings::new(Script::parse("[]").unwrap()) };
    let model = Model::start(settings).await.unwrap();
    let place = Place::new();
    let server = Server::start(&kilo, &place, &model).await;
    let session = server.post("/session", json!({"title": "Cut off"})).await;
    let prompt = format!("/session/{}/prompt_async", session["id"].as_str().unwrap());
    // What a killed server ran goes on without it, so the command looks for its own end.
    let wait = "touch here; n=0; while [ ! -e gone ] && [ $n -lt 600 ]; do n=$((n + 1)); sleep 0.1; done";
    let steps = json!([{"tool": "bash", "args": {"command": wait, "description": "Wait"}}, {"text": "On I go."}]);
    let task = format!("SCRIPT: {steps}");
    server.post(&prompt, json!({"parts": [{"type": "text", "text": task}]})).await;
    let here = place.path("work/here");
    let started = async {
        while !here.exists() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, started).await.unwrap();
    server.end().await;
    std::fs::write(place.path("work/gone"), "").unwrap();

    let server = Server::start(&kilo, &place, &model).await;
    let interrupted = "You were cut off in the middle: go on where you were.";
    server.post(&prompt, json!({"parts": [{"type": "text", "text": interrupted}]})).await;
    let entries = entries_until(&model, |entry| entry.n == 2).await;
    assert_eq!(entries[1].step, Some(1), "the step that was cut off counts as taken");
    server.end().await;
}

/// Everything recorded until an entry fits, oldest first.
async fn entries_until(model: &Model, fits: impl Fn(&Entry) -> bool) -> Vec<Entry> {
    let wait = async {
        let mut seen = 0;
        loop {
            for entry in model.recording().wait_after(seen, LIMIT).await {
                seen = entry.n;
                if fits(&entry) {
                    return model.recording().after(0);
                }
            }
        }
    };
    match tokio::time::timeout(LIMIT, wait).await {
        Ok(entries) => entries,
        Err(_) => panic!("not asked in time; asked so far: {:#?}", model.recording().after(0)),
    }
}

/// The kilo that is configured or installed. Without one the test is skipped, and says so past the test harness,
/// which would swallow it.
fn kilo_binary(test: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("GASTOWN_KILO_BIN") {
        return Some(PathBuf::from(path));
    }
    let installed = "../../../node_modules/@kilocode/cli-linux-x64/bin/kilo";
    let found = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join(installed)).filter(|path| path.exists());
    if found.is_none() {
        let mut stderr = std::io::stderr();
        writeln!(stderr, "skipped {test}: no kilo binary; set GASTOWN_KILO_BIN").unwrap();
    }
    found
}

/// A git repository with one commit, and the folders of a session beside it.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { root: tempfile::tempdir().unwrap() };
        for folder in ["work", "home/.config/kilo/node_modules", "tmp"] {
            std::fs::create_dir_all(place.path(folder)).unwrap();
        }
        let package = json!({"dependencies": {"@kilocode/plugin": "7.0.33"}});
        std::fs::write(place.path("home/.config/kilo/package.json"), package.to_string()).unwrap();
        std::fs::write(place.path("role.md"), ROLE).unwrap();
        std::fs::write(place.path("work/README.md"), "# Notes\n").unwrap();
        place.git(&["init", "-q", "-b", "main"]);
        place.git(&["config", "user.name", "Toast"]);
        place.git(&["config", "user.email", "toast@agents.gastown.invalid"]);
        place.git(&["add", "-A"]);
        place.git(&["commit", "-qm", "Begin"]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path("work").join(name)).unwrap()
    }

    fn git(&self, args: &[&str]) -> String {
        let output = std::process::Command::new("git").args(args).current_dir(self.path("work")).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// A `kilo serve` with the configuration of container.md 4, without our plugin.
struct Server {
    child: Child,
    base: String,
    directory: PathBuf,
    http: reqwest::Client,
}

impl Server {
    async fn start(kilo: &Path, place: &Place, model: &Model) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let home = place.path("home");
        let mut command = Command::new(kilo);
        command.args(["serve", "--hostname", "127.0.0.1", "--port", &port.to_string()]).env_clear();
        command.envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C.UTF-8"), ("TZ", "UTC")]);
        command.envs([("HOME", &home), ("KILO_TEST_HOME", &home), ("TMPDIR", &place.path("tmp"))]);
        command.env("KILO_CONFIG_CONTENT", configuration(place, model).to_string());
        command.env("KILO_SERVER_PASSWORD", "password").env("KILO_CLIENT", "gastown");
        command.env("KILO_API_URL", "http://127.0.0.1:9").env("KILO_TELEMETRY_LEVEL", "off");
        for name in ["PROJECT_CONFIG", "MODELS_FETCH", "AUTOUPDATE", "DEFAULT_PLUGINS", "LSP_DOWNLOAD", "SHARE"] {
            command.env(format!("KILO_DISABLE_{name}"), "1");
        }
        command.current_dir(place.path("work")).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains("kilo server listening") {
                    return;
                }
            }
            panic!("kilo ended before it listened");
        };
        tokio::time::timeout(LIMIT, ready).await.unwrap();
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let http = reqwest::Client::builder().timeout(LIMIT).build().unwrap();
        Self { child, base: format!("http://127.0.0.1:{port}"), directory: place.path("work"), http }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.base);
        let request = self.http.post(url).query(&[("directory", &self.directory)]).basic_auth("kilo", Some("password"));
        let response = request.json(&body).send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        let text = response.text().await.unwrap();
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    async fn end(mut self) {
        self.child.kill().await.unwrap();
    }
}

fn configuration(place: &Place, model: &Model) -> Value {
    let limit = json!({"context": 200_000, "output": 32_000});
    let entry = |id: &str| json!({"name": id, "tool_call": true, "limit": limit});
    json!({
        "provider": {"gastown": {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": model.base_url(), "apiKey": "key", "includeUsage": true, "timeout": false},
            "models": {"vendor/main": entry("vendor/main"), "vendor/small": entry("vendor/small")},
        }},
        "enabled_providers": ["gastown"],
        "model": "gastown/vendor/main",
        "small_model": "gastown/vendor/small",
        "agent": {"code": {"model": "gastown/vendor/main"}, "title": {"model": "gastown/vendor/small"}},
        "permission": {"*": "allow", "external_directory": "allow"},
        "instructions": [place.path("role.md")],
        "share": "disabled", "autoupdate": false, "snapshot": false, "lsp": false, "formatter": false,
    })
}
