//! A small client of the JSON API (api.md 1.1): one method per verb, the envelope taken off.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use ureq::http::{Method, Request, Response};

use crate::document;

/// Longer than any request may take: the slowest is bounded by the 20 s of a broker call (container.md 16).
const CALL_MAX: Duration = Duration::from_secs(30);

/// A deployment and the credential to use there.
#[derive(Clone)]
pub struct Api {
    base_url: String,
    token: Option<String>,
    headers: Vec<(String, String)>,
    agent: ureq::Agent,
}

/// An answer as it came, whatever its status.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header fields in lower case with their first value.
    pub headers: Vec<(String, String)>,
    /// The body as JSON; text that is none as a JSON string.
    pub body: Value,
}

impl Api {
    /// A client with a bearer token, or without credential.
    pub fn new(base_url: &str, token: Option<&str>) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(CALL_MAX));
        let base_url = base_url.trim_end_matches('/').to_owned();
        Self { base_url, token: token.map(str::to_owned), headers: Vec::new(), agent: config.build().into() }
    }

    /// The same deployment with another credential.
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// The same with one more header in every request.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The credential, if there is one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Where it is.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// `GET`, the answer's `data`; any status but 2xx is an error.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.call("GET", path, None)?.data()
    }

    /// `POST` with a JSON body, the answer's `data`; any status but 2xx is an error.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call("POST", path, Some(&body.to_string()))?.data()
    }

    /// Any method; `body` is sent as it stands with the content type of JSON. An answer that the API document does not
    /// allow is an error.
    pub fn call(&self, method: &str, path: &str, body: Option<&str>) -> Result<Reply> {
        self.call_as("application/json", method, path, body)
    }

    /// As [`Self::call`], with another content type.
    pub fn call_as(&self, content_type: &str, method: &str, path: &str, body: Option<&str>) -> Result<Reply> {
        self.send(content_type, method, path, body.map(str::as_bytes))
    }

    /// Any method, any content type, any bytes.
    pub fn send(&self, content_type: &str, method: &str, path: &str, body: Option<&[u8]>) -> Result<Reply> {
        let what = || format!("{method} {path}");
        let verb = method.to_owned();
        let method: Method = method.parse().with_context(|| format!("{method} is no method"))?;
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base_url));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = match body {
            Some(body) => {
                let request = request.header("content-type", content_type).body(body.to_vec());
                self.agent.run(request.with_context(what)?)
            }
            None => self.agent.run(request.body(()).with_context(what)?),
        };
        let reply = Reply::read(response.with_context(what)?).with_context(what)?;
        document::check(&verb, path, reply.status, &reply.body)?;
        Ok(reply)
    }
}

impl Reply {
    fn read(mut response: Response<ureq::Body>) -> Result<Self> {
        // A live stream has no end to wait for.
        let is_stream = response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let text = match is_stream {
            true => String::new(),
            false => response.body_mut().read_to_string().context("could not read the answer")?,
        };
        let header = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
            (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned())
        };
        let headers = response.headers().iter().map(header).collect();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Self { status: response.status().as_u16(), headers, body })
    }

    /// The `data` of a success; for answers without envelope the whole body.
    pub fn data(self) -> Result<Value> {
        if !(200..300).contains(&self.status) {
            bail!("{self}");
        }
        let mut body = self.body;
        let data = body.as_object_mut().and_then(|fields| fields.remove("data"));
        Ok(data.unwrap_or(body))
    }

    /// The machine word of an error.
    pub fn code(&self) -> Option<&str> {
        self.body.get("code").and_then(Value::as_str)
    }

    /// A header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.body)
    }
}

/// A string field that must be there.
pub fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("no text `{field}` in {value}"))
}

/// The items of a list.
pub fn items(value: Value) -> Result<Vec<Value>> {
    serde_json::from_value(value).context("not a list")
}
