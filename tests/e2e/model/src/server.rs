//! The routes: chat completions, the list of models, and the recording. Everything else is 404.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::chat::Request;
use crate::choose::{Choice, choose};
use crate::fill::Filler;
use crate::record::{Entry, Recording, key_hash, now};
use crate::reply::{Call, Reply, failure, json_response, usage};
use crate::script::{Answer, Script, Step};

/// Largest request: the same as the runtime's model proxy lets through (container.md 8.5).
const BODY_MAX: usize = 32 * 1024 * 1024;

/// The model that `GET /v1/models` names. Chat requests may name any.
pub const MODEL: &str = "scripted/model";

/// How the server answers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The rules.
    pub script: Script,
    /// The only accepted bearer key; absent: any key, and none.
    pub key: Option<String>,
    /// Leave the usage out of every answer.
    pub no_usage: bool,
    /// Keep bodies and answers in the recording.
    pub full: bool,
    /// Also append the recording to this file.
    pub record: Option<PathBuf>,
}

impl Settings {
    /// A free loopback port, any key, usage, no bodies in the recording.
    pub fn new(script: Script) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { listen, script, key: None, no_usage: false, full: false, record: None }
    }
}

/// A running server. Dropping it ends the server.
pub struct Model {
    address: SocketAddr,
    recording: Arc<Recording>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Model {
    /// Binds and serves in the background.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let file = match &settings.record {
            Some(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                Some(file.with_context(|| format!("could not open {}", path.display()))?)
            }
            None => None,
        };
        let listener = TcpListener::bind(settings.listen);
        let listener = listener.await.with_context(|| format!("could not listen on {}", settings.listen))?;
        let address = listener.local_addr().context("could not read the own address")?;
        let recording = Arc::new(Recording::new(file));
        let serving = Serving { settings, recording: Arc::clone(&recording) };
        let router = router(Arc::new(serving));
        let task = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, recording, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Base address for clients of the API, without `/chat/completions`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What was asked so far.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Serves until the listener fails, which it does only when the process ends.
    pub async fn serve(mut self) -> anyhow::Result<()> {
        (&mut self.task).await.context("the server was ended")?.context("the server failed")
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Serving {
    settings: Settings,
    recording: Arc<Recording>,
}

fn router(serving: Arc<Serving>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/v1/models", get(list_models))
        .route("/__requests", get(list_requests).delete(clear_requests))
        .fallback(|| async { failure(404, "Not found", None) })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(serving)
}

#[derive(Deserialize)]
struct RequestsQuery {
    #[serde(default)]
    after: u64,
    /// Wait that long for the first entry, if there is none.
    #[serde(default)]
    wait_ms: u64,
}

async fn list_requests(State(serving): State<Arc<Serving>>, Query(query): Query<RequestsQuery>) -> Response<Body> {
    let wait = Duration::from_millis(query.wait_ms);
    let entries = serving.recording.wait_after(query.after, wait).await;
    let lines = entries.iter().filter_map(|entry| serde_json::to_string(entry).ok()).map(|line| line + "\n");
    let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"))];
    (content_type, lines.collect::<String>()).into_response()
}

async fn clear_requests(State(serving): State<Arc<Serving>>) -> Response<Body> {
    serving.recording.clear();
    json_response(StatusCode::OK, &json!({"deleted": true}))
}

async fn list_models(State(serving): State<Arc<Serving>>, headers: HeaderMap) -> Response<Body> {
    if !serving.accepts(&headers) {
        return failure(401, "Incorrect API key", None);
    }
    json_response(
        StatusCode::OK,
        &json!({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "gastown"}]}),
    )
}

async fn complete(State(serving): State<Arc<Serving>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let parsed = serde_json::from_slice::<Value>(&body);
    let json = parsed.as_ref().cloned().unwrap_or_default();
    let request = match parsed.and_then(serde_json::from_value::<Request>) {
        Ok(request) => request,
        Err(error) => return failure(400, &format!("The body is no chat request: {error}"), None),
    };
    let mut entry = serving.entry(&request, &headers);
    entry.body = serving.settings.full.then_some(json);
    if !serving.accepts(&headers) {
        entry.status = 401;
        serving.recording.add(entry);
        return failure(401, "Incorrect API key", None);
    }
    let (step, choice) = pick(&serving.settings.script, &request, &mut entry);
    serving.answer(&request, step, choice.as_ref(), entry).await
}

/// The step that answers; what is wrong with the script becomes a text, so that a conversation always ends.
fn pick(script: &Script, request: &Request, entry: &mut Entry) -> (Step, Option<Choice>) {
    let (problem, choice) = match choose(script, request) {
        Ok(Some(choice)) => match choice.step.clone() {
            Some(step) => {
                entry.rule = Some(choice.rule.clone());
                entry.step = Some(choice.index);
                return (step, Some(choice));
            }
            None => ("The steps of this rule are used up.".to_owned(), Some(choice)),
        },
        Ok(None) => ("No rule matches.".to_owned(), None),
        Err(error) => (error, None),
    };
    entry.rule = choice.as_ref().map(|choice| choice.rule.clone());
    entry.step = choice.as_ref().map(|choice| choice.index);
    entry.problem = Some(problem.clone());
    (Step { answer: Answer::Message { text: problem, tools: Vec::new() }, ..Step::default() }, choice)
}

impl Serving {
    fn accepts(&self, headers: &HeaderMap) -> bool {
        self.settings.key.as_deref().is_none_or(|wanted| bearer(headers) == Some(wanted))
    }

    fn entry(&self, request: &Request, headers: &HeaderMap) -> Entry {
        Entry {
            n: 0,
            at: now(),
            path: "/v1/chat/completions".to_owned(),
            model: request.model.clone(),
            role: request.role(),
            bead_id: request.line("Bead", 0),
            rule: None,
            step: None,
            status: 200,
            messages: request.messages.iter().map(|m| (m.role.clone(), m.text().len())).collect(),
            tools: request.tool_names(),
            calls: Vec::new(),
            usage: None,
            key: bearer(headers).map(key_hash),
            problem: None,
            body: None,
            answer: None,
        }
    }

    async fn answer(&self, request: &Request, step: Step, choice: Option<&Choice>, mut entry: Entry) -> Response<Body> {
        let (text, calls) = match &step.answer {
            Answer::Failure { status, error, retry_after } => {
                entry.status = *status;
                self.recording.add(entry);
                tokio::time::sleep(step.delay).await;
                return failure(*status, error, *retry_after);
            }
            Answer::Message { text, tools } => match choice {
                Some(choice) => {
                    let mut filler = Filler::new(request, choice);
                    let text = filler.text(text);
                    let calls = tools.iter().enumerate().map(|(index, call)| Call {
                        // Unique in the conversation, which grows by a message per answer.
                        id: format!("call_{}_{index}", request.messages.len()),
                        name: call.tool.clone(),
                        arguments: filler.json(&call.args).to_string(),
                    });
                    let calls = calls.collect();
                    if !filler.unfilled.is_empty() {
                        entry.problem = Some(format!("no value for {}", filler.unfilled.join(", ")));
                    }
                    (text, calls)
                }
                None => (text.clone(), Vec::new()),
            },
        };
        let usage = match (self.settings.no_usage, step.usage) {
            (true, _) => None,
            (false, Some(given)) => Some(given),
            (false, None) => Some(usage(request.size(), &text, &calls)),
        };
        entry.calls = calls.iter().map(|call| call.name.clone()).collect();
        entry.usage = usage.clone();
        if self.settings.full {
            let calls: Vec<_> = calls.iter().map(|call| json!({"tool": call.name, "args": call.arguments})).collect();
            entry.answer = Some(json!({"text": text, "tools": calls}));
        }
        let created = entry.at.ms() / 1000;
        self.recording.add(entry);
        tokio::time::sleep(step.delay).await;
        let reply = Reply {
            id: format!("chatcmpl-{}", request.messages.len()),
            created,
            model: request.model.clone(),
            text,
            calls,
            usage,
            word_delay: step.word_delay,
            cut_after: step.cut_after,
        };
        match request.stream {
            true => reply.in_chunks(request.stream_options.as_ref().is_some_and(|options| options.include_usage)),
            false => reply.whole(),
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}
