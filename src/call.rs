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
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use gastown_core::json::{self, JsonError, NoJson};
use gastown_core::wire::code::Code;
use serde::Serialize;
use serde::de::DeserializeOwned;
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

/// Asks an object, once the answer is awaited.
pub fn ask<C: Call>(stub: Result<Stub>, call: &C, request_id: &str) -> Asked<C::Reply> {
    let body = json::to_string(call);
    Asked { path: C::PATH, text: exchange(stub, C::PATH, body, request_id.to_owned()), reply: PhantomData }
}

/// A question to an object. Everything but the decoding of its answer is one future for all calls: the compiler makes
/// a copy of what stands here for each type of reply.
#[must_use = "a question is asked when its answer is awaited"]
pub struct Asked<T> {
    path: &'static str,
    text: Text<'static>,
    reply: PhantomData<fn() -> T>,
}

/// A JSON text that will be there.
pub type Text<'a> = Pin<Box<dyn Future<Output = Result<String>> + 'a>>;

impl<T> Asked<T> {
    /// The answer as it comes, for whoever only passes it on.
    pub fn text(self) -> Text<'static> {
        self.text
    }
}

impl<T: DeserializeOwned> Future for Asked<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        self.text.as_mut().poll(context).map(|text| answer_of(self.path, text))
    }
}

#[inline(never)]
fn answer_of<T: DeserializeOwned>(path: &str, text: Result<String>) -> Result<T> {
    json::from_str(&text?).map_err(|error| unreadable("call", path, error))
}

/// Asks an object for something that is no JSON: a stream. A refusal comes back as an error all the same.
pub async fn open<C: Serialize>(stub: &Stub, path: &str, call: &C, request_id: &str) -> Result<Response> {
    let body = written(path, json::to_string(call))?;
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

fn exchange(
    stub: Result<Stub>,
    path: &'static str,
    body: std::result::Result<String, NoJson>,
    request_id: String,
) -> Text<'static> {
    Box::pin(async move {
        let mut response = send(&stub?, path, &written(path, body)?, &request_id).await?;
        let fault = |cause: String| Fault::new(format!("call {path}"), cause);
        let body = response.text().await.map_err(|e| fault(e.to_string()))?;
        match response.status_code() {
            200 => Ok(body),
            500 => Err(fault(body).into()),
            status => match json::from_str::<Refusal>(&body) {
                Ok(refusal) => Err(refusal.into()),
                Err(_) => Err(fault(format!("status {status}")).into()),
            },
        }
    })
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

    /// Decodes the call, runs its handler and encodes the reply. Boxed, so that the table of an object's calls is one
    /// small future, and not one that holds every handler.
    pub fn answer<'a, C, F>(&'a self, handler: impl FnOnce(C) -> F + 'a) -> Text<'a>
    where
        C: Call,
        F: Future<Output = Result<C::Reply>>,
    {
        Box::pin(async move {
            let call: C = json::from_str(&self.body).map_err(|error| unreadable("decode", C::PATH, error))?;
            let reply = handler(call).await?;
            written(C::PATH, json::to_string(&reply))
        })
    }

    /// The answer to a call that nobody handles.
    pub fn unknown(&self) -> Text<'_> {
        let fault = Fault::new(format!("call {}", self.path), "the object has no such call");
        Box::pin(std::future::ready(Err(fault.into())))
    }

    /// The answer as it leaves the object.
    pub async fn respond(&self, text: Text<'_>) -> Result<Response> {
        Ok(Response::ok(text.await?).map_err(|e| Fault::new(format!("answer {}", self.path), e))?)
    }
}

#[cold]
#[inline(never)]
fn unreadable(what: &str, path: &str, error: JsonError) -> Error {
    Fault::new(format!("{what} {path}"), error).into()
}

#[inline(never)]
fn written(path: &str, text: std::result::Result<String, NoJson>) -> Result<String> {
    text.map_err(|e| Fault::new(format!("encode {path}"), e).into())
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
