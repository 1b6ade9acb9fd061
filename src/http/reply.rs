//! Replies: JSON in its envelope, streams, and the headers that every answer carries.

use gastown_core::json::{self, NoJson};
use gastown_core::wire::envelope::{Success, Warning};
use serde::Serialize;
use worker::{Headers, Response, ResponseBody};

use super::{Head, error::ErrorReply, is_secure};
use crate::call::Text;
use crate::error::{Fault, Result};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// An answer on its way out.
#[derive(Debug)]
pub struct Reply {
    status: u16,
    /// Version of the one row that this shows.
    version: Option<u64>,
    body: Body,
    headers: Vec<(&'static str, String)>,
}

#[derive(Debug)]
enum Body {
    Empty,
    Json(String),
    /// Passed on as it is: a file, a stream.
    Passed(Response),
}

impl Reply {
    /// 200 with data in its envelope.
    pub fn ok<T: Serialize>(data: &T) -> Result<Self> {
        Self::json(200, data)
    }

    /// 201 with data in its envelope.
    pub fn created<T: Serialize>(data: &T) -> Result<Self> {
        Self::json(201, data)
    }

    /// 202 with data in its envelope.
    pub fn accepted<T: Serialize>(data: &T) -> Result<Self> {
        Self::json(202, data)
    }

    /// Data in its envelope.
    pub fn json<T: Serialize>(status: u16, data: &T) -> Result<Self> {
        Self::bare(status, &Success::new(data))
    }

    /// Data in its envelope, with warnings.
    pub fn with_warnings<T: Serialize>(status: u16, data: &T, warnings: Vec<Warning>) -> Result<Self> {
        Self::bare(status, &Success { success: true, data, warnings })
    }

    /// What an object answers, in its envelope and not decoded on the way.
    pub async fn passing(status: u16, text: Text<'_>) -> Result<Self> {
        let data = text.await?;
        let body = format!("{{\"success\":true,\"data\":{data}}}");
        Ok(Self { status, version: None, body: Body::Json(body), headers: Vec::new() })
    }

    /// JSON without an envelope: the few answers of api.md 1.1 that have none.
    pub fn bare<T: Serialize>(status: u16, body: &T) -> Result<Self> {
        Self::written(status, json::to_string(body))
    }

    #[inline(never)]
    fn written(status: u16, body: std::result::Result<String, NoJson>) -> Result<Self> {
        let body = body.map_err(|e| Fault::new("encode a reply", e))?;
        Ok(Self { status, version: None, body: Body::Json(body), headers: Vec::new() })
    }

    /// No body.
    pub fn empty(status: u16) -> Self {
        Self { status, version: None, body: Body::Empty, headers: Vec::new() }
    }

    /// An answer that somebody else made.
    pub fn passed(response: Response) -> Self {
        Self { status: response.status_code(), version: None, body: Body::Passed(response), headers: Vec::new() }
    }

    /// An error in its envelope.
    pub fn error(error: &ErrorReply) -> Self {
        let body = json::to_string(&error.body).unwrap_or_default();
        Self { status: error.status, version: None, body: Body::Json(body), headers: error.headers.clone() }
    }

    /// With one more header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Showing one row at this version: the tag begins with it, so that `If-Match` can name what was read.
    pub fn version(self, version: u64) -> Self {
        Self { version: Some(version), ..self }
    }

    /// Says when the answer was given before to the same key.
    pub fn replayed(self, is_replay: bool) -> Self {
        if is_replay { self.header("Idempotency-Replayed", "true") } else { self }
    }

    /// An answer that no cache may keep: it carries a token or a secret.
    pub fn no_store(self) -> Self {
        self.header("Cache-Control", "no-store")
    }

    /// The answer as the platform wants it. A GET whose content the client already has becomes 304.
    pub fn into_response(self, head: &Head) -> worker::Result<Response> {
        let Self { status, version, body, headers: extra } = self;
        let headers = Headers::new();
        let is_json = matches!(body, Body::Json(_));
        if let Body::Json(json) = &body {
            headers.set("Content-Type", "application/json; charset=utf-8")?;
            let is_read = matches!(head.method.as_str(), "GET" | "HEAD");
            let may_keep = is_read && !extra.iter().any(|(name, _)| *name == "Cache-Control");
            if status == 200 && (may_keep || version.is_some()) {
                let etag = etag(version, json);
                headers.set("ETag", &etag)?;
                if is_read && head.if_none_match.as_ref().is_some_and(|known| matches(known, &etag)) {
                    return Ok(Response::builder().with_status(304).with_headers(headers).empty());
                }
            }
        }
        if let Body::Passed(response) = &body {
            for (name, value) in response.headers().entries() {
                headers.set(&name, &value)?;
            }
        }
        if is_json {
            headers.set("Cache-Control", "private, no-cache")?;
        }
        for (name, value) in &extra {
            // A cookie may be set more than once; everything else has one value.
            if *name == "Set-Cookie" { headers.append(name, value)? } else { headers.set(name, value)? }
        }
        let builder = Response::builder().with_status(status).with_headers(headers);
        Ok(match body {
            Body::Empty => builder.empty(),
            Body::Json(json) => builder.fixed(json.into_bytes()),
            Body::Passed(response) => match response.body() {
                ResponseBody::Stream(stream) => builder.stream(stream.clone()),
                ResponseBody::Body(bytes) => builder.fixed(bytes.clone()),
                ResponseBody::Empty => builder.empty(),
            },
        })
    }
}

/// What every answer carries (api.md 1.9).
pub fn security_headers(mut response: Response, head: &Head) -> Response {
    let is_html =
        response.headers().get("content-type").ok().flatten().is_some_and(|kind| kind.starts_with("text/html"));
    let mut set = |name: &str, value: &str| {
        // A header that cannot be set is a header that a browser misses: the answer itself stands.
        let _ = response.headers_mut().set(name, value);
    };
    set("X-Request-Id", &head.request_id);
    set("X-Content-Type-Options", "nosniff");
    set("Referrer-Policy", "no-referrer");
    if is_secure(&head.own_origin) {
        set("Strict-Transport-Security", "max-age=31536000; includeSubDomains");
    }
    if is_html {
        set("Content-Security-Policy", POLICY);
        set("Cross-Origin-Opener-Policy", "same-origin");
        set("Permissions-Policy", "camera=(), microphone=(), geolocation=()");
    }
    response
}

/// A digest of the content, behind the row's version if there is one: what is derived changes without the row. FNV-1a in
/// 64 bits tells versions of one resource apart; nothing depends on it in secret.
fn etag(version: Option<u64>, body: &str) -> String {
    let digest = body
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    version.map_or_else(|| format!("\"{digest:016x}\""), |version| format!("\"{version}-{digest:016x}\""))
}

fn matches(if_none_match: &str, etag: &str) -> bool {
    if_none_match
        .split(',')
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == etag || known == "*")
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn what_is_passed_on_looks_like_what_is_made_here() {
        let text: Text<'_> = Box::pin(std::future::ready(Ok("[1]".to_owned())));
        let passed = block_on(Reply::passing(201, text)).unwrap();
        let made = Reply::created(&[1]).unwrap();
        let (Body::Json(passed), Body::Json(made)) = (passed.body, made.body) else { panic!("both are JSON") };
        assert_eq!(passed, made);
    }

    #[test]
    fn a_known_content_is_recognised() {
        let tag = etag(None, "{}");
        assert!(matches(&tag, &tag) && matches(&format!("W/{tag}, \"x\""), &tag) && matches("*", &tag));
        assert!(!matches("\"x\"", &tag));
        assert_ne!(etag(None, "a"), etag(None, "b"));
        assert!(etag(Some(7), "a").starts_with("\"7-"));
    }
}
