//! Typed calls between the Worker and its objects, and from object to object: JSON over `fetch`.
//!
//! ```text
//!  caller                                object
//!    │  POST https://object<PATH>  C         │  decode C, find its handler
//!    │ ────────────────────────────────────▶ │  load → pure transition → commit → act
//!    │  200 C::Reply | 4xx Refusal | 500     │
//!    │ ◀──────────────────────────────────── │
//! ```
//! A call is a type with its path and its reply, so caller and object cannot disagree. A refusal travels whole; a fault
//! is logged where it happened and travels as nothing but "our fault".

use std::future::Future;

use gastown_core::json;
use gastown_core::wire::code::Code;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use worker::wasm_bindgen::JsValue;
use worker::{Headers, Method, Request, RequestInit, Response, Stub};

use crate::error::{Error, Fault, Refusal, Result};

/// Names a request in every log line, across objects.
pub const REQUEST_ID: &str = "x-request-id";

/// One thing that an object can be asked.
pub trait Call: Serialize + DeserializeOwned {
    /// Where.
    const PATH: &'static str;
    /// What it answers.
    type Reply: Serialize + DeserializeOwned;
}

/// Asks an object.
pub async fn ask<C: Call>(stub: &Stub, call: &C, request_id: &str) -> Result<C::Reply> {
    let body = written(C::PATH, serde_json::to_string(call))?;
    let reply = exchange(stub, C::PATH, body, request_id).await?;
    Ok(json::from_value(&reply).map_err(|e| Fault::new(format!("call {}", C::PATH), e))?)
}

/// Asks an object for something that is no JSON: a stream. A refusal comes back as an error all the same.
pub async fn open<C: Serialize>(stub: &Stub, path: &str, call: &C, request_id: &str) -> Result<Response> {
    let body = written(path, serde_json::to_string(call))?;
    let mut response = send(stub, path, &body, request_id).await?;
    if response.status_code() < 300 {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default();
    match json::from_str::<Refusal>(&body) {
        Ok(refusal) => Err(refusal.into()),
        Err(_) => Err(Fault::new(format!("call {path}"), body).into()),
    }
}

/// What is the same for every call stands here, once: the compiler makes a copy of [`ask`] for each type of call.
async fn exchange(stub: &Stub, path: &'static str, body: String, request_id: &str) -> Result<Value> {
    let fault = |cause: String| Fault::new(format!("call {path}"), cause);
    let mut response = send(stub, path, &body, request_id).await?;
    let body = response.text().await.map_err(|e| fault(e.to_string()))?;
    match response.status_code() {
        200 => Ok(json::parse(body.as_bytes()).map_err(|e| fault(e.to_string()))?),
        500 => Err(fault(body).into()),
        status => match json::from_str::<Refusal>(&body) {
            Ok(refusal) => Err(refusal.into()),
            Err(_) => Err(fault(format!("status {status}")).into()),
        },
    }
}

async fn send(stub: &Stub, path: &str, body: &str, request_id: &str) -> Result<Response> {
    let fault = |cause: String| Fault::new(format!("call {path}"), cause);
    let headers = Headers::new();
    headers.set(REQUEST_ID, request_id).map_err(|e| fault(e.to_string()))?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_headers(headers).with_body(Some(JsValue::from_str(body)));
    let request = Request::new_with_init(&format!("https://object{path}"), &init).map_err(|e| fault(e.to_string()))?;
    stub.fetch_with_request(request).await.map_err(|e| {
        // The object was restarted or is overloaded: the platform says so, and it is worth trying again.
        crate::log::warn("an object did not answer", &[("call", &path), ("cause", &e)]);
        Refusal::new(Code::Overloaded, "The service is restarting; try again").retry_after(1).into()
    })
}

/// A request that reached an object, before its handler is known.
pub struct Incoming {
    /// Which call.
    pub path: String,
    /// Its JSON.
    pub body: String,
    /// Names the request in log lines.
    pub request_id: String,
}

impl Incoming {
    /// Reads the request.
    pub async fn read(mut request: Request) -> Result<Self> {
        let path = request.path();
        let request_id = request.headers().get(REQUEST_ID).ok().flatten().unwrap_or_default();
        let body = request.text().await.map_err(|e| Fault::new(format!("read {path}"), e))?;
        Ok(Self { path, body, request_id })
    }

    /// Decodes the call, runs its handler and encodes the reply.
    pub async fn answer<C, F>(&self, handler: impl FnOnce(C) -> F) -> Result<Response>
    where
        C: Call,
        F: Future<Output = Result<C::Reply>>,
    {
        let call: C = json::from_str(&self.body).map_err(|e| Fault::new(format!("decode {}", C::PATH), e))?;
        let reply = handler(call).await?;
        answered(C::PATH, written(C::PATH, serde_json::to_string(&reply))?)
    }

    /// The answer to a call that nobody handles.
    pub fn unknown(&self) -> Result<Response> {
        Err(Fault::new(format!("call {}", self.path), "the object has no such call").into())
    }
}

fn written(path: &str, text: serde_json::Result<String>) -> Result<String> {
    text.map_err(|e| Fault::new(format!("encode {path}"), e).into())
}

fn answered(path: &str, body: String) -> Result<Response> {
    Response::ok(body).map_err(|e| Fault::new(format!("answer {path}"), e).into())
}

/// What leaves an object: the answer, or the error in the form that [`ask`] reads.
pub fn respond(object: &str, incoming_path: &str, result: Result<Response>) -> worker::Result<Response> {
    match result {
        Ok(response) => Ok(response),
        Err(Error::Refusal(refusal)) => {
            Response::from_json(&*refusal).map(|response| response.with_status(refusal.code.status()))
        }
        Err(Error::Fault(fault)) => {
            crate::log::error("a call failed", &[("object", &object), ("call", &incoming_path), ("fault", &fault)]);
            Response::error(fault.to_string(), 500)
        }
    }
}
