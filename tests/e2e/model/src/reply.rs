//! How an answer goes out: one JSON object, or a stream of chunks, in the form of the OpenAI API.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use futures::stream;
use serde_json::{Value, json};

/// A message that is ready to go out.
pub(crate) struct Reply {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) model: String,
    pub(crate) text: String,
    pub(crate) calls: Vec<Call>,
    pub(crate) usage: Option<Value>,
    pub(crate) word_delay: Duration,
    pub(crate) cut_after: Option<usize>,
}

/// One tool call; `arguments` is JSON text.
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
}

/// Characters per token; the usual rule of thumb, good enough for numbers that only have to be plausible.
const CHARS_PER_TOKEN: usize = 4;

/// Usage by lengths.
pub(crate) fn usage(request_bytes: usize, text: &str, calls: &[Call]) -> Value {
    let answer: usize = text.len() + calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>();
    let (prompt, completion) = (request_bytes.div_ceil(CHARS_PER_TOKEN), answer.div_ceil(CHARS_PER_TOKEN).max(1));
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0},
    })
}

/// An error in the form of the API.
pub(crate) fn failure(status: u16, message: &str, retry_after: Option<u64>) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({"error": {"message": message, "type": "scripted", "code": status.as_u16()}});
    let mut response = json_response(status, &body);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A JSON answer.
pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl Reply {
    /// The whole answer at once.
    pub(crate) fn whole(self) -> Response<Body> {
        let calls: Vec<_> = self.calls.iter().map(Call::whole).collect();
        let mut message = json!({"role": "assistant", "content": Value::Null});
        if !self.text.is_empty() || calls.is_empty() {
            message["content"] = Value::String(self.text.clone());
        }
        if !calls.is_empty() {
            message["tool_calls"] = Value::Array(calls);
        }
        let mut body = json!({
            "id": self.id, "object": "chat.completion", "created": self.created, "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason()}],
        });
        if let Some(usage) = &self.usage {
            body["usage"] = usage.clone();
        }
        match self.cut_after {
            None => json_response(StatusCode::OK, &body),
            Some(chars) => {
                let half: String = body.to_string().chars().take(chars).collect();
                streamed("application/json", vec![Piece::Bytes(half), Piece::Cut], Duration::ZERO)
            }
        }
    }

    /// The answer in chunks; the usage chunk only if the client asked for it.
    pub(crate) fn in_chunks(self, include_usage: bool) -> Response<Body> {
        let mut pieces = vec![Piece::Bytes(self.chunk(&json!({"role": "assistant", "content": ""}), None))];
        let mut chars_left = self.cut_after.unwrap_or(usize::MAX);
        for (chars, piece) in self.deltas() {
            if chars > chars_left {
                break;
            }
            chars_left -= chars;
            pieces.push(piece);
        }
        if self.cut_after.is_some() {
            pieces.push(Piece::Cut);
        } else {
            pieces.push(Piece::Bytes(self.chunk(&json!({}), Some(self.finish_reason()))));
            if let (Some(usage), true) = (&self.usage, include_usage) {
                pieces.push(Piece::Bytes(self.usage_chunk(usage)));
            }
            pieces.push(Piece::Bytes("data: [DONE]\n\n".to_owned()));
        }
        streamed("text/event-stream", pieces, self.word_delay)
    }

    /// Text by words, then the calls, each with the characters that it brings.
    fn deltas(&self) -> Vec<(usize, Piece)> {
        let words = self
            .text
            .split_inclusive(' ')
            .map(|word| (word.chars().count(), Piece::Word(self.chunk(&json!({"content": word}), None))));
        let calls = self.calls.iter().enumerate().flat_map(|(index, call)| call.deltas(index));
        let calls = calls.map(|(chars, delta)| (chars, Piece::Bytes(self.chunk(&delta, None))));
        words.chain(calls).collect()
    }

    fn finish_reason(&self) -> &'static str {
        if self.calls.is_empty() { "stop" } else { "tool_calls" }
    }

    fn chunk(&self, delta: &Value, finish_reason: Option<&str>) -> String {
        self.frame(&json!([{"index": 0, "delta": delta, "finish_reason": finish_reason}]), None)
    }

    fn usage_chunk(&self, usage: &Value) -> String {
        self.frame(&json!([]), Some(usage))
    }

    fn frame(&self, choices: &Value, usage: Option<&Value>) -> String {
        let mut frame = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "choices": choices,
        });
        if let Some(usage) = usage {
            frame["usage"] = usage.clone();
        }
        format!("data: {frame}\n\n")
    }
}

impl Call {
    fn whole(&self) -> Value {
        json!({"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}})
    }

    /// The call as a model streams it: its name first, then the arguments in two parts.
    fn deltas(&self, index: usize) -> Vec<(usize, Value)> {
        let half = self.arguments.char_indices().nth(self.arguments.chars().count() / 2).map_or(0, |(at, _)| at);
        let (first, second) = self.arguments.split_at(half);
        let mut head = self.whole();
        head["function"]["arguments"] = json!("");
        head["index"] = json!(index);
        let part = |text: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]});
        vec![
            (0, json!({"tool_calls": [head]})),
            (first.chars().count(), part(first)),
            (second.chars().count(), part(second)),
        ]
    }
}

enum Piece {
    Bytes(String),
    /// Sent after the step's delay per word.
    Word(String),
    /// The connection is closed here, in the middle of the answer.
    Cut,
}

fn streamed(content_type: &'static str, pieces: Vec<Piece>, word_delay: Duration) -> Response<Body> {
    let bytes = stream::unfold(pieces.into_iter(), move |mut pieces| async move {
        let item = match pieces.next()? {
            Piece::Bytes(text) => Ok(Bytes::from(text)),
            Piece::Word(text) => {
                if !word_delay.is_zero() {
                    tokio::time::sleep(word_delay).await;
                }
                Ok(Bytes::from(text))
            }
            Piece::Cut => {
                // Lets what was sent reach the client before the connection breaks.
                tokio::task::yield_now().await;
                Err(std::io::Error::other("cut by the script"))
            }
        };
        Some((item, pieces))
    });
    let mut response = Response::new(Body::from_stream(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
