//! A model that follows a script: the step is the number of assistant messages in the request.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};

/// One answer of the model.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Say(&'static str),
    Tool(&'static str, Value),
    /// Never ends, until the client goes away.
    Hang,
    Fail(u16),
}

/// A command of the agent's shell.
pub(crate) fn bash(command: &str) -> Step {
    Step::Tool("bash", json!({ "command": command, "description": "work" }))
}

/// A tool without arguments.
pub(crate) fn tool(name: &'static str) -> Step {
    Step::Tool(name, json!({}))
}

#[derive(Default)]
pub(crate) struct Recorded {
    pub(crate) script: Vec<Step>,
    pub(crate) requests: Vec<(String, Value)>,
}

pub(crate) struct Model {
    pub(crate) base: String,
    pub(crate) recorded: Arc<Mutex<Recorded>>,
}

impl Model {
    pub(crate) async fn start() -> Self {
        let recorded = Arc::new(Mutex::new(Recorded::default()));
        let router = Router::new().route("/v1/chat/completions", post(complete)).with_state(recorded.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, recorded }
    }

    pub(crate) fn follow(&self, script: Vec<Step>) {
        self.recorded.lock().unwrap().script = script;
    }

    pub(crate) fn requests(&self) -> Vec<(String, Value)> {
        self.recorded.lock().unwrap().requests.clone()
    }
}

async fn complete(
    State(recorded): State<Arc<Mutex<Recorded>>>,
    headers: HeaderMap,
    axum::Json(request): axum::Json<Value>,
) -> Response {
    let key = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let messages = request["messages"].as_array().cloned().unwrap_or_default();
    let at = messages.iter().filter(|message| message["role"] == "assistant").count();
    let step = {
        let mut recorded = recorded.lock().unwrap();
        recorded.requests.push((key, request.clone()));
        recorded.script.get(at).cloned().unwrap_or(Step::Say("Finished."))
    };
    let delta = match step {
        Step::Hang => std::future::pending().await,
        Step::Fail(status) => {
            let status = axum::http::StatusCode::from_u16(status).unwrap();
            return (status, axum::Json(json!({ "error": { "message": "the gateway is down" } }))).into_response();
        }
        Step::Say(text) => json!({ "role": "assistant", "content": text }),
        Step::Tool(name, args) => {
            let function = json!({ "name": name, "arguments": args.to_string() });
            json!({ "role": "assistant", "tool_calls": [{ "index": 0, "id": format!("call{at}"), "type": "function", "function": function }] })
        }
    };
    let reason = if delta["tool_calls"].is_null() { "stop" } else { "tool_calls" };
    let chunk = |choices: Value, usage: Value| {
        let value = json!({
            "id": "x", "object": "chat.completion.chunk", "created": 1, "model": request["model"],
            "choices": choices, "usage": usage,
        });
        format!("data: {value}\n\n")
    };
    let body = [
        chunk(json!([{ "index": 0, "delta": delta }]), Value::Null),
        chunk(json!([{ "index": 0, "delta": {}, "finish_reason": reason }]), Value::Null),
        chunk(json!([]), json!({ "prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110 })),
        "data: [DONE]\n\n".to_owned(),
    ];
    ([("content-type", "text/event-stream")], body.concat()).into_response()
}
