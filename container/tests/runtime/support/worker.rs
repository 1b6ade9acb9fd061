//! A Worker that answers everything and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use serde_json::{Value, json};

use super::new_id;

/// One recorded call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) token: String,
    pub(crate) key: String,
    pub(crate) body: Value,
}

#[derive(Default)]
pub(crate) struct Recorded {
    pub(crate) calls: Vec<Call>,
    /// Answers for paths that end so, instead of the usual ones.
    pub(crate) answers: Vec<(String, u16, Value)>,
}

pub(crate) struct Worker {
    pub(crate) base: String,
    pub(crate) town: String,
    pub(crate) recorded: Arc<Mutex<Recorded>>,
}

#[derive(Clone)]
struct Shared {
    recorded: Arc<Mutex<Recorded>>,
    model: String,
}

pub(crate) fn config() -> Value {
    json!({
        "config_version": 1, "secrets_version": 1, "max_sessions": 10, "author": null, "coauthor": false, "rigs": [],
    })
}

impl Worker {
    pub(crate) async fn start(model: &str) -> Self {
        let recorded = Arc::new(Mutex::new(Recorded::default()));
        let shared = Shared { recorded: recorded.clone(), model: model.to_owned() };
        let router = Router::new().route("/{*path}", any(answer)).with_state(shared);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, town: new_id(), recorded }
    }

    pub(crate) fn calls(&self, end: &str) -> Vec<Call> {
        self.recorded.lock().unwrap().calls.iter().filter(|call| call.path.ends_with(end)).cloned().collect()
    }

    pub(crate) fn answer_with(&self, end: &str, status: u16, body: Value) {
        self.recorded.lock().unwrap().answers.push((end.to_owned(), status, body));
    }

    /// All facts, in the order in which they came.
    pub(crate) fn facts(&self) -> Vec<Value> {
        let calls = self.calls("/runtime/facts");
        calls.iter().flat_map(|call| call.body["facts"].as_array().cloned().unwrap_or_default()).collect()
    }

    pub(crate) fn outcomes(&self) -> Vec<Value> {
        let calls = self.calls("/runtime/outcomes");
        calls.iter().flat_map(|call| call.body["outcomes"].as_array().cloned().unwrap_or_default()).collect()
    }

    /// The facts of an assignment in short: the phase, or the type.
    pub(crate) fn story(&self, assignment: &str) -> Vec<String> {
        let facts = self.facts();
        let own = facts.iter().filter(|fact| fact["ref"]["assignment_id"] == assignment);
        let word = |fact: &Value| fact["phase"].as_str().or(fact["type"].as_str()).unwrap_or_default().to_owned();
        own.map(|fact| if fact["type"] == "phase" { word(fact) } else { fact["type"].as_str().unwrap().to_owned() })
            .collect()
    }
}

async fn answer(
    State(shared): State<Shared>,
    Path(path): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let own = {
        let mut recorded = shared.recorded.lock().unwrap();
        recorded.calls.push(Call {
            method: method.to_string(),
            path: path.clone(),
            token: text("authorization"),
            key: text("idempotency-key"),
            body: body.clone(),
        });
        recorded.answers.iter().rfind(|(end, ..)| path.ends_with(end)).map(|(_, status, body)| (*status, body.clone()))
    };
    if let Some((status, body)) = own {
        return (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response();
    }
    let route = path.rsplit_once("/runtime/").map_or(path.as_str(), |(_, route)| route);
    let data = match route {
        "register" => {
            json!({ "config_version": 1, "config": config(), "assignments": [], "stop": [], "heartbeat_interval_ms": 1000 })
        }
        "facts" => {
            let facts = body["facts"].as_array().cloned().unwrap_or_default();
            let one = |fact: &Value| json!({ "fact_id": fact["fact_id"], "status": "applied" });
            json!({ "results": facts.iter().map(one).collect::<Vec<_>>() })
        }
        "outcomes" => {
            let outcomes = body["outcomes"].as_array().cloned().unwrap_or_default();
            let one = |outcome: &Value| json!({ "key": outcome["key"], "status": "applied" });
            json!({ "results": outcomes.iter().map(one).collect::<Vec<_>>() })
        }
        "heartbeat" => json!({ "config_version": 1 }),
        "events" => json!({ "next_seq": {} }),
        "llm-credentials" => {
            json!({ "base_url": format!("{}/v1", shared.model), "api_key": "model-key-0123", "expires_at": null })
        }
        _ => json!({ "done": true }),
    };
    axum::Json(json!({ "success": true, "data": data })).into_response()
}
