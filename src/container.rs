//! Client of the runtime's control API (container.md 2). One small enum says how the runtime is reached: at a fixed address
//! (development, self-hosting) or as the container of the Durable Object (production); everything else is the same.
//!
//! Every call has a limit, and three ends: an answer, a refusal in the runtime's own words, or silence. What each means
//! is the keeper's to say (`town_container`).

use std::time::Duration;

use futures::future::{Either, select};
use gastown_core::id::TownId;
use gastown_core::json::{self, NoJson};
use gastown_core::wire::envelope::{ErrorBody, Success};
use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::wasm_bindgen::JsValue;
use worker::{Fetch, Headers, Method, Request, RequestInit, Response};

use crate::call::REQUEST_ID;

/// The runtime answers every control call within this (container.md, CONTROL_REPLY), network included.
const REPLY_MAX: Duration = Duration::from_secs(10);
/// Port of the control server in the container (container.md 1.2).
const PORT: u16 = 8080;

/// How the runtime is reached.
pub enum Transport {
    /// A process at this address.
    Address(String),
    /// The container of this Durable Object.
    Platform(worker::Container),
}

/// The control API of one runtime.
pub struct Control {
    transport: Transport,
    secret: String,
    request_id: String,
}

/// How a control call ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer<T> {
    /// As asked.
    Done(T),
    /// In the runtime's words.
    Refused(Refused),
    /// Nothing came back in time, or nothing that can be read.
    Silent(String),
}

/// A refusal of the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// A code of the control API or of the public one.
    pub code: String,
    /// One sentence.
    pub message: String,
}

impl Refused {
    /// The runtime is another life than the one that was spoken to, or has forgotten the town: attach again.
    pub fn is_stranger(&self) -> bool {
        matches!(self.code.as_str(), "town_not_attached" | "instance_mismatch")
    }
}

impl Control {
    /// A client that signs with this secret; the request id travels along.
    pub const fn new(transport: Transport, secret: String, request_id: String) -> Self {
        Self { transport, secret, request_id }
    }

    /// `GET /health`; it has no envelope.
    pub async fn health<T: DeserializeOwned>(&self) -> Answer<T> {
        match self.send(Method::Get, "/health", None).await {
            Ok((200, body)) => read(&body),
            Ok((status, body)) => Answer::Refused(refusal(status, &body)),
            Err(why) => Answer::Silent(why),
        }
    }

    /// A call about a town: `path` is what follows `/towns/:townId`.
    pub async fn town<T: DeserializeOwned>(
        &self,
        method: Method,
        town_id: TownId,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Answer<T> {
        self.town_text(method, town_id, path, order(body)).await.decoded()
    }

    /// The same, as text in both directions: one function for all orders.
    pub async fn town_text(&self, method: Method, town_id: TownId, path: &str, order: Order) -> Answer<String> {
        let body = match order {
            Ok(body) => body,
            Err(error) => return Answer::Silent(format!("the order could not be written: {error}")),
        };
        match self.send(method, &format!("/towns/{town_id}{path}"), body).await {
            Ok((200..=299, body)) => Answer::Done(body),
            Ok((status, body)) => Answer::Refused(refusal(status, &body)),
            Err(why) => Answer::Silent(why),
        }
    }

    /// Sends a request and reads its status and body, within the limit.
    async fn send(&self, method: Method, path: &str, body: Option<String>) -> Result<(u16, String), String> {
        let exchange = async {
            let mut response = self.fetch(method, path, body).await.map_err(|e| e.to_string())?;
            let text = response.text().await.map_err(|e| e.to_string())?;
            Ok((response.status_code(), text))
        };
        let limit = worker::Delay::from(REPLY_MAX);
        match select(Box::pin(exchange), limit).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), _)) => Err(format!("no answer within {} s", REPLY_MAX.as_secs())),
        }
    }

    async fn fetch(&self, method: Method, path: &str, body: Option<String>) -> worker::Result<Response> {
        let headers = Headers::new();
        headers.set("authorization", &format!("Bearer {}", self.secret))?;
        headers.set("content-type", "application/json")?;
        headers.set(REQUEST_ID, &self.request_id)?;
        let mut init = RequestInit::new();
        init.with_method(method).with_headers(headers).with_body(body.map(|body| JsValue::from_str(&body)));
        match &self.transport {
            Transport::Address(base) => {
                let request = Request::new_with_init(&format!("{base}{path}"), &init)?;
                Fetch::Request(request).send().await
            }
            Transport::Platform(container) => {
                container.get_tcp_port(PORT)?.fetch(format!("http://runtime{path}"), Some(init)).await
            }
        }
    }
}

/// The body of an order, if it has one.
pub type Order = Result<Option<String>, NoJson>;

/// Writes the body of an order.
pub fn order(body: Option<&impl Serialize>) -> Order {
    body.map(json::to_string).transpose()
}

impl Answer<String> {
    /// The answer out of its envelope.
    pub fn decoded<T: DeserializeOwned>(self) -> Answer<T> {
        match self {
            Self::Done(body) => match read::<Success<T>>(&body) {
                Answer::Done(success) => Answer::Done(success.data),
                Answer::Refused(refused) => Answer::Refused(refused),
                Answer::Silent(why) => Answer::Silent(why),
            },
            Self::Refused(refused) => Answer::Refused(refused),
            Self::Silent(why) => Answer::Silent(why),
        }
    }
}

fn read<T: DeserializeOwned>(body: &str) -> Answer<T> {
    match json::from_str(body) {
        Ok(value) => Answer::Done(value),
        Err(error) => Answer::Silent(format!("the answer could not be read: {error}")),
    }
}

fn refusal(status: u16, body: &str) -> Refused {
    match json::from_str::<ErrorBody>(body) {
        Ok(error) => Refused { status, code: error.code, message: error.error },
        Err(_) => Refused { status, code: format!("status_{status}"), message: format!("status {status}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_the_runtimes_words() {
        let body = r#"{"success":false,"error":"Not attached","code":"town_not_attached","request_id":"r"}"#;
        let refused = refusal(409, body);
        assert!(refused.is_stranger());
        assert_eq!(refused.message, "Not attached");
        assert_eq!(refusal(502, "<html>").code, "status_502");
    }
}
