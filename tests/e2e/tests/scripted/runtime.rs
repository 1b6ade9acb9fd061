//! A runtime that does what a test says: it speaks the control API of container.md 2 and the reports of api.md 3.11, and
//! runs nothing. Orders are kept until the test takes them; sessions stay alive by heartbeats until the test ends them.
//!
//! It knows the wire as JSON only, on purpose: a change of a shared type cannot hide a change of the wire from it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use gastown_e2e::api::Api;
use gastown_e2e::wait::{Look, until};
use serde_json::{Value, json};
use uuid::Uuid;

/// Between two heartbeats: many fit into a lease, also where town time runs 30 times faster.
const BEAT: Duration = Duration::from_millis(250);

/// The longest wait for an order; the Worker orders within a second, and a busy machine takes its time.
pub(crate) const ORDER_MAX: Duration = Duration::from_secs(40);

/// A running scripted runtime.
pub(crate) struct Runtime {
    pub(crate) base_url: String,
    shared: Arc<Mutex<State>>,
}

struct State {
    secret: String,
    instance_id: Uuid,
    towns: BTreeMap<String, Town>,
}

/// What one town has said to its runtime, and what shall be answered.
#[derive(Default)]
struct Town {
    api_url: String,
    token: String,
    config: Value,
    is_ready: bool,
    beats: u64,
    orders: Vec<Order>,
    sessions: BTreeMap<String, Session>,
    jobs: BTreeMap<String, Value>,
    /// Answers to the next starts, instead of accepting them.
    refusals: Vec<(u16, String)>,
}

/// One request of the Worker that a test may look at.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) kind: OrderKind,
    /// The assignment or job that it is about.
    pub(crate) subject: String,
    pub(crate) body: Value,
    pub(crate) at: std::time::Instant,
    taken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderKind {
    Start,
    Stop,
    WrapUp,
    Messages,
    Job,
    CancelJob,
}

#[derive(Debug, Clone)]
struct Session {
    reference: Value,
    model: String,
    is_alive: bool,
    state: &'static str,
    idle_since: Option<String>,
    tokens: Value,
    cost_usd: Option<f64>,
}

/// The view of one town.
#[derive(Clone)]
pub(crate) struct Seat {
    shared: Arc<Mutex<State>>,
    town_id: String,
}

impl Runtime {
    /// Starts it on a free port of the loopback.
    pub(crate) async fn start(secret: &str) -> Result<Self> {
        let state = State { secret: secret.to_owned(), instance_id: Uuid::new_v4(), towns: BTreeMap::new() };
        let shared = Arc::new(Mutex::new(state));
        let router = Router::new()
            .route("/health", get(health))
            .route("/towns/{town}", any(town))
            .route("/towns/{town}/{*path}", any(control))
            .with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("could not bind")?;
        let address = listener.local_addr().context("no address")?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        let beating = shared.clone();
        std::thread::spawn(move || beat(&beating));
        Ok(Self { base_url: format!("http://{address}"), shared })
    }

    pub(crate) fn seat(&self, town_id: &str) -> Seat {
        Seat { shared: self.shared.clone(), town_id: town_id.to_owned() }
    }

    /// A new life of the process: its towns and sessions are forgotten.
    pub(crate) fn restart(&self) {
        let mut state = lock(&self.shared);
        state.instance_id = Uuid::new_v4();
        for town in state.towns.values_mut() {
            *town = Town { orders: std::mem::take(&mut town.orders), ..Town::default() };
        }
    }
}

impl Seat {
    /// The next order of this kind that no one has taken and that fits.
    pub(crate) fn next(&self, kind: OrderKind, fits: impl Fn(&Value) -> bool) -> Result<Order> {
        until(&format!("an order {kind:?}"), ORDER_MAX, || {
            Ok(self.take(kind, &fits).map_or_else(|| Look::NotYet(self.summary()), Look::Found))
        })
    }

    /// The next start of a session for this bead.
    pub(crate) fn start_of(&self, bead_id: &str) -> Result<Order> {
        self.next(OrderKind::Start, |body| body["assignment"]["bead_id"] == bead_id)
    }

    /// The next start of a session of this kind.
    pub(crate) fn start_of_kind(&self, kind: &str) -> Result<Order> {
        self.next(OrderKind::Start, |body| body["kind"] == kind)
    }

    /// Takes an order if there is one.
    pub(crate) fn take(&self, kind: OrderKind, fits: impl Fn(&Value) -> bool) -> Option<Order> {
        self.with(|town| {
            let order = town.orders.iter_mut().find(|order| !order.taken && order.kind == kind && fits(&order.body))?;
            order.taken = true;
            Some(order.clone())
        })
    }

    /// Orders of this kind so far.
    pub(crate) fn count(&self, kind: OrderKind) -> usize {
        self.with(|town| town.orders.iter().filter(|order| order.kind == kind).count())
    }

    /// Refuses the next start with this status and code.
    pub(crate) fn refuse_next(&self, status: u16, code: &str) {
        self.with(|town| town.refusals.push((status, code.to_owned())));
    }

    /// The session has begun to work.
    pub(crate) fn ready(&self, start: &Order) -> Result<()> {
        self.fact(start, json!({"type": "phase", "phase": "running"})).map(drop)
    }

    /// The session could not be started.
    pub(crate) fn start_failed(&self, start: &Order, code: &str, retryable: bool) -> Result<Value> {
        self.forget(start);
        let body = json!({"type": "start_failed", "phase": "booting", "code": code,
            "message": format!("{code} happened"), "retryable": retryable});
        self.fact(start, body)
    }

    /// Reports one fact about a session; its receipt.
    pub(crate) fn fact(&self, start: &Order, body: Value) -> Result<Value> {
        let mut fact = json!({"fact_id": Uuid::new_v4(), "at": now(), "ref": reference(&start.body)});
        merge(&mut fact, body);
        self.facts(fact)
    }

    /// Reports one fact about a job.
    pub(crate) fn job_fact(&self, job: &Order, body: Value) -> Result<Value> {
        let mut fact =
            json!({"fact_id": Uuid::new_v4(), "at": now(), "job_id": job.subject, "rig_id": job.body["rig_id"]});
        merge(&mut fact, body);
        self.with(|town| town.jobs.remove(&job.subject));
        self.facts(fact)
    }

    fn facts(&self, fact: Value) -> Result<Value> {
        let body = json!({"instance_id": self.instance_id(), "facts": [fact]});
        let reply = self.worker().post(&self.path("/runtime/facts"), &body)?;
        Ok(reply["results"][0]["status"].clone())
    }

    /// The end of a session, in the runtime's words; its receipt.
    pub(crate) fn outcome(&self, start: &Order, outcome: &str, error: Option<Value>) -> Result<Value> {
        self.forget(start);
        let outcome = json!({"key": Uuid::new_v4(), "ref": reference(&start.body), "at": now(), "outcome": outcome,
            "error": error, "message": format!("the session ended: {outcome}"),
            "tokens": {"input": 0, "output": 0, "cache_read": 0, "cache_write": 0}, "cost_usd": null});
        let body = json!({"instance_id": self.instance_id(), "outcomes": [outcome]});
        let reply = self.worker().post(&self.path("/runtime/outcomes"), &body)?;
        Ok(reply["results"][0]["status"].clone())
    }

    /// The agent pushed, and says that it is done.
    pub(crate) fn done(&self, start: &Order, commit: &str) -> Result<()> {
        let branch = start.body["branch"].as_str().context("the order names no branch")?;
        self.fact(start, json!({"type": "pushed", "branch": branch, "commit": commit}))?;
        self.agent(start)
            .post(&self.agent_path(start, "/done"), &json!({"branch": branch, "commit": commit, "summary": "Done."}))?;
        Ok(())
    }

    /// The refinery judges.
    pub(crate) fn verdict(&self, start: &Order, body: &Value) -> Result<()> {
        self.agent(start).post(&self.agent_path(start, "/verdict"), body).map(drop)
    }

    /// From here on the session says nothing and is not there when asked for.
    pub(crate) fn forget(&self, start: &Order) {
        self.with(|town| town.sessions.remove(&start.subject));
    }

    /// From here on heartbeats say that the session has nothing to do, or that it has.
    pub(crate) fn set_idle(&self, start: &Order, is_idle: bool) {
        self.with(|town| {
            if let Some(session) = town.sessions.get_mut(&start.subject) {
                session.state = if is_idle { "idle" } else { "busy" };
                session.idle_since = is_idle.then(now);
            }
        });
    }

    /// From here on heartbeats report this spending.
    pub(crate) fn spend(&self, start: &Order, input: u64, cost_usd: f64) {
        self.with(|town| {
            if let Some(session) = town.sessions.get_mut(&start.subject) {
                session.tokens = json!({"input": input, "output": 0, "cache_read": 0, "cache_write": 0});
                session.cost_usd = Some(cost_usd);
            }
        });
    }

    /// The gates of a job ran.
    pub(crate) fn gates(&self, job: &Order, commit: &str, status: &str) -> Result<Value> {
        let result = json!({"command": "make test", "status": if status == "green" {"passed"} else {"failed"},
            "exit_code": i32::from(status != "green"), "duration_ms": 5, "output_tail": "1 failed"});
        let body = json!({"type": "gates", "commit": commit, "status": status, "results": [result]});
        self.job_fact(job, body)
    }

    /// The merge of a job ended.
    pub(crate) fn merged(&self, job: &Order, merge_commit: &str) -> Result<Value> {
        let body = json!({"type": "merge", "status": "merged", "commit": job.body["commit"], "branch": job.body["branch"],
            "target": job.body["target"], "merge_commit": merge_commit, "files": [], "results": [], "message": "merged",
            "tries": 1});
        self.job_fact(job, body)
    }

    /// A client with the credential of the session's agent.
    pub(crate) fn agent(&self, start: &Order) -> Api {
        let token = start.body["token"].as_str().unwrap_or_default();
        self.with(|town| Api::new(&town.api_url, Some(token)))
    }

    /// A path of the session's agent.
    pub(crate) fn agent_path(&self, start: &Order, rest: &str) -> String {
        let assignment = &start.body["assignment"];
        let text = |field: &str| assignment[field].as_str().unwrap_or_default().to_owned();
        self.path(&format!("/rigs/{}/agents/{}{rest}", text("rig_id"), text("agent_id")))
    }

    /// The container token.
    pub(crate) fn token(&self) -> String {
        self.with(|town| town.token.clone())
    }

    /// A client with the container token.
    pub(crate) fn worker(&self) -> Api {
        self.with(|town| Api::new(&town.api_url, Some(&town.token)))
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/towns/{}{rest}", self.town_id)
    }

    pub(crate) fn instance_id(&self) -> Uuid {
        lock(&self.shared).instance_id
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut Town) -> T) -> T {
        use_it(lock(&self.shared).towns.entry(self.town_id.clone()).or_default())
    }

    fn summary(&self) -> String {
        self.with(|town| {
            let orders: Vec<String> = town
                .orders
                .iter()
                .map(|order| {
                    let sign = if order.taken { "taken" } else { "open" };
                    format!("{:?} {} {} ({sign})", order.kind, order.body["kind"], order.subject)
                })
                .collect();
            format!("orders: {orders:?}; sessions: {:?}", town.sessions.keys())
        })
    }
}

/// The `ref` of a start order.
pub(crate) fn reference(start: &Value) -> Value {
    let assignment = &start["assignment"];
    json!({"rig_id": assignment["rig_id"], "agent_id": assignment["agent_id"],
        "assignment_id": assignment["assignment_id"], "epoch": assignment["epoch"]})
}

/// A commit id made of one letter.
pub(crate) fn commit(digit: char) -> String {
    String::from(digit).repeat(40)
}

fn merge(into: &mut Value, from: Value) {
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}

/// The present as the wire has it.
pub(crate) fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    gastown_core::time::Timestamp::from_ms(ms).to_string()
}

fn lock(shared: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn success(status: u16, data: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    (status, Json(json!({"success": true, "data": data}))).into_response()
}

fn refusal(status: u16, code: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let body = json!({"success": false, "error": format!("{code}."), "code": code, "request_id": "scripted"});
    (status, Json(body)).into_response()
}

fn is_ours(state: &State, headers: &HeaderMap) -> bool {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    given == Some(&format!("Bearer {}", state.secret))
}

async fn health(Shared(shared): Shared<Arc<Mutex<State>>>) -> Json<Value> {
    let state = lock(&shared);
    let towns: Vec<Value> = state.towns.keys().map(|id| json!({"town_id": id, "state": "ready"})).collect();
    Json(json!({"status": "ok", "state": "ready", "instance_id": state.instance_id, "version": "1", "protocol": 1,
        "kilo_version": null, "capabilities": ["gates", "merge", "swap", "snapshot", "browse"], "towns": towns,
        "agents": 0, "servers": 0, "uptime": 1, "startedAt": now(), "draining": false,
        "memory": {"rss_bytes": 1, "limit_bytes": 2}, "problems": []}))
}

/// `PUT`, `GET` and `DELETE` of a town.
async fn town(
    Shared(shared): Shared<Arc<Mutex<State>>>,
    Path(town_id): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: String,
) -> Response {
    let mut state = lock(&shared);
    if !is_ours(&state, &headers) {
        return refusal(401, "unauthenticated");
    }
    let instance_id = state.instance_id;
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    match method.as_str() {
        "PUT" => {
            let town = state.towns.entry(town_id.clone()).or_default();
            town.api_url = body["api_url"].as_str().unwrap_or_default().to_owned();
            town.token = body["token"].as_str().unwrap_or_default().to_owned();
            town.config = body["config"].clone();
            let shared = shared.clone();
            std::thread::spawn(move || register(&shared, &town_id));
            success(200, &json!({"instance_id": instance_id, "state": "attaching"}))
        }
        "GET" => match state.towns.get(&town_id).filter(|town| !town.token.is_empty()) {
            Some(town) => success(
                200,
                &json!({"state": if town.is_ready {"ready"} else {"attaching"}, "config_version": 1, "sessions": [],
                    "jobs": [], "unsaved": [], "memory": {"rss_bytes": 1, "limit_bytes": 2}, "problems": []}),
            ),
            None => refusal(409, "town_not_attached"),
        },
        _ => success(202, &json!({})),
    }
}

/// Everything below a town.
async fn control(
    Shared(shared): Shared<Arc<Mutex<State>>>,
    Path((town_id, path)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
    body: String,
) -> Response {
    let mut state = lock(&shared);
    if !is_ours(&state, &headers) {
        return refusal(401, "unauthenticated");
    }
    let Some(town) = state.towns.get_mut(&town_id).filter(|town| !town.token.is_empty()) else {
        return refusal(409, "town_not_attached");
    };
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["assignments"]) => start(town, body),
        ("GET", ["assignments", id]) => match town.sessions.get(*id).filter(|session| session.is_alive) {
            Some(session) => success(200, &view(session, "running")),
            None => refusal(404, "not_found"),
        },
        ("POST", ["assignments", id, action]) => {
            let kind = match *action {
                "stop" => OrderKind::Stop,
                "wrap-up" => OrderKind::WrapUp,
                _ => OrderKind::Messages,
            };
            town.note(kind, id, body.clone());
            let Some(session) = town.sessions.get(*id) else { return refusal(404, "not_found") };
            if kind != OrderKind::Messages {
                return success(202, &view(session, "finishing"));
            }
            let messages = body["messages"].as_array().cloned().unwrap_or_default();
            let queued = messages.iter().map(|m| json!({"message_id": m["message_id"], "state": "queued"}));
            success(202, &json!({"results": queued.collect::<Vec<_>>()}))
        }
        ("POST", ["jobs"]) => {
            let id = body["job_id"].as_str().unwrap_or_default().to_owned();
            let is_new = town.jobs.insert(id.clone(), body.clone()).is_none();
            if is_new {
                town.note(OrderKind::Job, &id, body.clone());
            }
            let view = json!({"job_id": id, "kind": body["kind"], "rig_id": body["rig_id"], "phase": "running",
                "step": "fetch", "result": null, "since": now()});
            success(if is_new { 202 } else { 200 }, &view)
        }
        ("DELETE", ["jobs", id]) => {
            town.jobs.remove(*id);
            town.note(OrderKind::CancelJob, id, body);
            success(202, &json!({}))
        }
        ("PUT", ["config"]) => {
            town.config = body.clone();
            success(200, &json!({"config_version": body["config_version"]}))
        }
        ("PUT", ["token"]) => {
            town.token = body["token"].as_str().unwrap_or_default().to_owned();
            success(200, &json!({}))
        }
        ("POST", ["rigs", _, "check"] | ["drain"]) | ("DELETE", ["rigs", _]) => success(202, &json!({})),
        _ => refusal(404, "not_found"),
    }
}

fn start(town: &mut Town, body: Value) -> Response {
    let id = body["assignment"]["assignment_id"].as_str().unwrap_or_default().to_owned();
    if let Some((status, code)) = town.refusals.pop() {
        town.note(OrderKind::Start, &id, body);
        return refusal(status, &code);
    }
    if let Some(session) = town.sessions.get(&id) {
        return success(200, &view(session, "starting"));
    }
    let session = Session {
        reference: reference(&body),
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        is_alive: true,
        state: "busy",
        idle_since: None,
        tokens: json!({"input": 0, "output": 0, "cache_read": 0, "cache_write": 0}),
        cost_usd: None,
    };
    let answer = success(202, &view(&session, "starting"));
    town.sessions.insert(id.clone(), session);
    town.note(OrderKind::Start, &id, body);
    answer
}

impl Town {
    fn note(&mut self, kind: OrderKind, subject: &str, body: Value) {
        self.orders.push(Order {
            kind,
            subject: subject.to_owned(),
            body,
            at: std::time::Instant::now(),
            taken: false,
        });
    }
}

fn view(session: &Session, phase: &str) -> Value {
    let reference = &session.reference;
    json!({"assignment_id": reference["assignment_id"], "epoch": reference["epoch"], "rig_id": reference["rig_id"],
        "agent_id": reference["agent_id"], "kind": "work", "phase": phase, "step": null, "state": session.state,
        "since": now(), "model": session.model, "session_id": null, "tokens": session.tokens,
        "cost_usd": session.cost_usd, "rss_bytes": 0, "restarts": 0, "saved": null, "outcome": null, "reason": null})
}

/// Says hello, then is ready.
fn register(shared: &Arc<Mutex<State>>, town_id: &str) {
    let (instance_id, api) = {
        let state = lock(shared);
        let Some(town) = state.towns.get(town_id) else { return };
        (state.instance_id, Api::new(&town.api_url, Some(&town.token)))
    };
    let body = json!({"instance_id": instance_id, "version": "1", "protocol": 1, "kilo_version": null,
        "capabilities": ["gates", "merge"], "capacity": {"max_sessions": 20, "memory_bytes": 1 << 30}, "running": []});
    let registered = until("the registration", ORDER_MAX, || {
        let reply = api.call("POST", &format!("/api/towns/{town_id}/runtime/register"), Some(&body.to_string()))?;
        Ok(if reply.status == 200 { Look::Found(()) } else { Look::NotYet(reply.to_string()) })
    });
    if registered.is_ok()
        && let Some(town) = lock(shared).towns.get_mut(town_id)
    {
        town.is_ready = true;
    }
}

/// Heartbeats of every town, for as long as the process runs.
fn beat(shared: &Arc<Mutex<State>>) {
    loop {
        std::thread::sleep(BEAT);
        let beats: Vec<(String, Api, Value)> = {
            let mut state = lock(shared);
            let instance_id = state.instance_id;
            let ready = state.towns.iter_mut().filter(|(_, town)| town.is_ready);
            ready
                .map(|(id, town)| (id.clone(), Api::new(&town.api_url, Some(&town.token)), town.beat(instance_id)))
                .collect()
        };
        for (town_id, api, body) in beats {
            // A beat that is lost is followed by the next; the stack may be ending.
            api.post(&format!("/api/towns/{town_id}/runtime/heartbeat"), &body).ok();
        }
    }
}

impl Town {
    fn beat(&mut self, instance_id: Uuid) -> Value {
        self.beats += 1;
        let now = now();
        let agents: Vec<Value> = self
            .sessions
            .values()
            .filter(|session| session.is_alive)
            .map(|session| {
                let since = session.idle_since.clone().unwrap_or_else(|| now.clone());
                json!({"ref": session.reference, "state": session.state, "state_since": since, "model": session.model,
                    "current_tool": null, "tool_since": null, "message_count": 1, "last_event_type": null,
                    "last_event_at": since, "last_progress_at": since, "tokens": session.tokens,
                    "cost_usd": session.cost_usd, "context_used_percent": null, "rss_bytes": 0, "restarts": 0,
                    "last_error": null})
            })
            .collect();
        let jobs: Vec<Value> = self
            .jobs
            .values()
            .map(|job| json!({"job_id": job["job_id"], "rig_id": job["rig_id"], "kind": job["kind"], "step": "run"}))
            .collect();
        json!({"instance_id": instance_id, "seq": self.beats, "sent_at": now, "draining": false,
            "memory": {"rss_bytes": 1, "limit_bytes": 2}, "config_version": 1, "agents": agents, "jobs": jobs})
    }
}
