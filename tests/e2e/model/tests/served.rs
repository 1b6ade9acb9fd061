//! The server over HTTP: the forms of the API, failures, and the recording.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::time::Duration;

use gastown_model::script::Script;
use gastown_model::server::{Model, Settings};
use serde_json::{Value, json};

const RULES: &str = r#"[
    {"name": "tools", "when": {"contains": "tools"}, "steps": [
        {"text": "Two calls", "tools": [{"tool": "read", "args": {"path": "ä.txt"}}, {"tool": "bash", "args": {"command": "ls {{x}}"}}]}
    ]},
    {"name": "busy", "when": {"contains": "busy"}, "steps": [{"status": 429, "error": "slow down", "retry_after": 7}]},
    {"name": "cut", "when": {"contains": "cut"}, "steps": [{"text": "one two three four five", "cut_after": 8}]},
    {"name": "priced", "when": {"contains": "priced"}, "steps": [{"text": "x", "usage": {"prompt_tokens": 5, "cost": 0.25}}]},
    {"name": "slow", "when": {"contains": "slow"}, "steps": [{"hang_ms": 200, "text": "at last"}]},
    {"name": "hello", "when": {"contains": "hello"}, "steps": [{"text": "Hello there, friend."}]}
]"#;

struct Client {
    model: Model,
    http: reqwest::Client,
}

impl Client {
    async fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new(Script::parse(RULES).unwrap());
        change(&mut settings);
        Self { model: Model::start(settings).await.unwrap(), http: reqwest::Client::new() }
    }

    async fn post(&self, body: Value) -> reqwest::Response {
        let url = format!("{}/chat/completions", self.model.base_url());
        self.http.post(url).bearer_auth("secret-key").json(&body).send().await.unwrap()
    }

    async fn ask(&self, text: &str) -> reqwest::Response {
        self.post(json!({"model": "m/one", "messages": [{"role": "user", "content": text}]})).await
    }

    /// All chunks of a streamed answer, without `[DONE]`, which must be there.
    async fn stream(&self, text: &str, usage: bool) -> Vec<Value> {
        let options = if usage { json!({"include_usage": true}) } else { Value::Null };
        let messages = json!([{"role": "user", "content": text}]);
        let body = json!({"model": "m/one", "stream": true, "stream_options": options, "messages": messages});
        let response = self.post(body).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let text = response.text().await.unwrap();
        let mut frames: Vec<_> = text.split("\n\n").filter(|frame| !frame.is_empty()).collect();
        assert_eq!(frames.pop(), Some("data: [DONE]"));
        frames.iter().map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap()).collect()
    }
}

#[tokio::test]
async fn an_answer_comes_whole() {
    let client = Client::new(|_| ()).await;
    let answer: Value = client.ask("hello").await.json().await.unwrap();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], "m/one");
    assert_eq!(answer["choices"][0]["message"]["content"], "Hello there, friend.");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["usage"]["prompt_tokens"], 2);
    assert_eq!(answer["usage"]["completion_tokens"], 5);

    let calls: Value = client.ask("tools").await.json().await.unwrap();
    let message = &calls["choices"][0]["message"];
    assert_eq!(calls["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(message["tool_calls"][0]["function"]["name"], "read");
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], r#"{"path":"ä.txt"}"#);
    assert_ne!(message["tool_calls"][0]["id"], message["tool_calls"][1]["id"]);
}

#[tokio::test]
async fn an_answer_comes_in_chunks() {
    let client = Client::new(|_| ()).await;
    let chunks = client.stream("hello", true).await;
    let text: String = chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, "Hello there, friend.");
    let (last, before) = chunks.split_last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["completion_tokens"], 5);
    assert_eq!(before.last().unwrap()["choices"][0]["finish_reason"], "stop");
    assert!(client.stream("hello", false).await.iter().all(|chunk| chunk.get("usage").is_none()));
}

#[tokio::test]
async fn parallel_calls_are_put_together_from_their_parts() {
    let client = Client::new(|_| ()).await;
    let mut calls = vec![(String::new(), String::new(), String::new()); 2];
    for chunk in client.stream("tools", true).await {
        for part in chunk["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let call = &mut calls[part["index"].as_u64().unwrap() as usize];
            call.0.push_str(part["id"].as_str().unwrap_or_default());
            call.1.push_str(part["function"]["name"].as_str().unwrap_or_default());
            call.2.push_str(part["function"]["arguments"].as_str().unwrap());
        }
    }
    assert_eq!(calls[0], ("call_1_0".to_owned(), "read".to_owned(), r#"{"path":"ä.txt"}"#.to_owned()));
    assert_eq!(calls[1], ("call_1_1".to_owned(), "bash".to_owned(), r#"{"command":"ls {{x}}"}"#.to_owned()));
}

#[tokio::test]
async fn scripted_failures_look_like_those_of_a_gateway() {
    let client = Client::new(|_| ()).await;
    let busy = client.ask("busy").await;
    assert_eq!(busy.status(), 429);
    assert_eq!(busy.headers()["retry-after"], "7");
    assert_eq!(busy.json::<Value>().await.unwrap()["error"]["message"], "slow down");

    let messages = json!([{"role": "user", "content": "cut"}]);
    let cut = client.post(json!({"stream": true, "messages": messages})).await;
    assert_eq!(cut.status(), 200);
    let error = cut.text().await.unwrap_err();
    assert!(error.is_body() || error.is_decode(), "the connection breaks: {error:?}");

    let started = std::time::Instant::now();
    assert!(client.ask("slow").await.text().await.unwrap().contains("at last"));
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn usage_can_be_given_and_left_out() {
    let client = Client::new(|_| ()).await;
    let answer: Value = client.ask("priced").await.json().await.unwrap();
    assert_eq!(answer["usage"], json!({"prompt_tokens": 5, "cost": 0.25}));
    let silent = Client::new(|settings| settings.no_usage = true).await;
    assert!(silent.ask("priced").await.json::<Value>().await.unwrap().get("usage").is_none());
    assert!(silent.stream("hello", true).await.iter().all(|chunk| chunk.get("usage").is_none()));
}

#[tokio::test]
async fn only_the_key_opens_when_one_is_set() {
    let client = Client::new(|settings| settings.key = Some("another".to_owned())).await;
    assert_eq!(client.ask("hello").await.status(), 401);
    let models = client.http.get(format!("{}/models", client.model.base_url()));
    assert_eq!(models.try_clone().unwrap().send().await.unwrap().status(), 401);
    let open = models.bearer_auth("another").send().await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(open["data"][0]["id"], "scripted/model");
    let entries = client.model.recording().after(0);
    assert_eq!(entries[0].status, 401);
}

#[tokio::test]
async fn other_paths_and_bodies_are_refused() {
    let client = Client::new(|_| ()).await;
    let base = client.model.base_url();
    assert_eq!(client.http.get(format!("{base}/embeddings")).send().await.unwrap().status(), 404);
    let bad = client.http.post(format!("{base}/chat/completions")).body("{").send().await.unwrap();
    assert_eq!(bad.status(), 400);
}

#[tokio::test]
async fn every_request_is_recorded() {
    let client = Client::new(|settings| settings.full = true).await;
    let all = format!("http://{}/__requests", client.model.address());
    let waiting = client.http.get(format!("{all}?after=1&wait_ms=20000")).send();
    client.ask("hello").await;
    let ask_again = async {
        client.ask("nothing fits this").await;
    };
    let (later, ()) = tokio::join!(waiting, ask_again);
    let later: Value = serde_json::from_str(&later.unwrap().text().await.unwrap()).unwrap();
    assert_eq!((later["n"].as_u64(), later["problem"].as_str()), (Some(2), Some("No rule matches.")));

    let text = client.http.get(&all).send().await.unwrap().text().await.unwrap();
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first["rule"], "hello");
    assert_eq!(first["messages"], json!([["user", 5]]));
    assert_eq!(first["key"].as_str().map(str::len), Some(12));
    assert_eq!(first["body"]["messages"][0]["content"], "hello");
    assert!(!text.contains("secret-key"));

    assert_eq!(client.http.delete(&all).send().await.unwrap().status(), 200);
    assert_eq!(client.http.get(&all).send().await.unwrap().text().await.unwrap(), "");
    client.ask("hello").await;
    assert_eq!(client.model.recording().after(0)[0].n, 3, "numbers go on");
}
