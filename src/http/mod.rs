//! The HTTP edge: from a request to its row of the route table, through access and body, to the handler and back.
//!
//! The order is fixed: request id, row (404, 405), credential and access (401, 403, 404, 409), body (413, 415), handler,
//! headers. Handlers are thin: read the request, ask an object, shape the reply. Nothing here knows a table or a rule.

pub mod access;
pub mod cors;
mod cursor;
pub mod error;
pub mod inbound;
#[cfg(feature = "schema")]
pub mod openapi;
pub mod page;
pub mod query;
pub mod reply;
mod router;

pub mod agents;
pub mod beads;
pub mod config;
pub mod container;
pub mod convoys;
pub mod feed;
pub mod hands;
pub mod health;
pub mod inbox;
pub mod mayor;
pub mod mayor_tools;
pub mod messages;
pub mod models;
pub mod others;
pub mod people;
pub mod records;
pub mod reviews;
pub mod rigs;
pub mod runtime;
pub mod session;
pub mod sling;
pub mod streams;
pub mod towns;

use std::time::Duration;

use futures::StreamExt as _;
use gastown_core::access::TownRole;
use gastown_core::limits::EVENT_BATCH_BYTES_MAX;
use gastown_core::wire::code::Code;
use worker::{Context, Env, Request, Response};

use crate::ambient;
use crate::call::ask;
use crate::env::{Object, Settings, settings, stub};
use crate::error::{Error, Fault, Refusal, Result};
use crate::routes::{Method, Route};
use crate::town::calls::Audit;
use inbound::Inbound;
use reply::{Reply, security_headers};
use router::{Found, find};

/// A container token may be refreshed this long after its end (api.md 2.4).
const LATE_REFRESH: Duration = Duration::from_secs(24 * 3600);

/// As much as the largest body that any row takes; whoever sends more may lose the connection.
const UNREAD_BYTES_MAX: usize = EVENT_BATCH_BYTES_MAX;

/// Answers one request. Never fails: every error becomes an answer.
pub async fn serve(request: Request, env: Env, _context: Context) -> Response {
    let started = ambient::wall_now();
    let head = Head::of(&request);
    crate::env::remember_origin(&head.own_origin);
    let (operation, result) = answer(request, &env, &head).await;
    let response = match result {
        Ok(reply) => reply.into_response(&head),
        Err(error) => {
            if let Error::Fault(fault) = &error {
                crate::log::error(
                    "a request failed",
                    &[("request_id", &head.request_id), ("operation", &operation), ("fault", fault)],
                );
            }
            Reply::error(&error::reply(&error, &head.request_id)).into_response(&head)
        }
    };
    let response = response.unwrap_or_else(|_| Response::builder().with_status(500).empty());
    let settings = settings(&env).ok();
    let response = cors::apply(response, &head, settings);
    let duration_ms = ambient::wall_now().since(started).as_millis();
    crate::log::info(
        "request",
        &[
            ("request_id", &head.request_id),
            ("method", &head.method),
            ("operation", &operation),
            ("status", &response.status_code()),
            ("duration_ms", &duration_ms),
        ],
    );
    security_headers(response, &head)
}

/// What is known of a request before anything else.
#[derive(Debug, Clone)]
pub struct Head {
    /// Method as sent.
    pub method: String,
    /// Path as sent.
    pub path: String,
    /// `scheme://host[:port]` of the request.
    pub own_origin: String,
    /// `Origin` header.
    pub origin: Option<String>,
    /// The client's, or a new one.
    pub request_id: String,
    /// `If-None-Match` header.
    pub if_none_match: Option<String>,
    /// Whether the client takes HTML.
    pub accepts_html: bool,
    /// Where the request comes from, as the platform says.
    pub address: String,
}

impl Head {
    fn of(request: &Request) -> Self {
        let header = |name: &str| request.headers().get(name).ok().flatten();
        let url = request.inner().url();
        Self {
            method: request.method().to_string(),
            path: request.path(),
            own_origin: origin_of(&url).to_owned(),
            origin: header("origin"),
            request_id: header("x-request-id").filter(|id| is_request_id(id)).unwrap_or_else(ambient::request_id),
            if_none_match: header("if-none-match"),
            accepts_html: header("accept").is_some_and(|accept| accept.contains("text/html")),
            address: header("cf-connecting-ip").unwrap_or_default(),
        }
    }
}

async fn answer(mut request: Request, env: &Env, head: &Head) -> (&'static str, Result<Reply>) {
    let is_api = head.path.starts_with("/api/") || head.path == "/api" || head.path == "/health";
    if !is_api {
        return ("page", page::serve(request, env, head).await);
    }
    if head.method == "OPTIONS" {
        return ("preflight", Ok(Reply::empty(204)));
    }
    let (operation, result) = match find(&head.method, &head.path) {
        Found::Nothing => ("unknown", Err(Refusal::new(Code::NotFound, "Not found").into())),
        Found::OtherMethod { allow } => {
            let refusal = Refusal::new(Code::MethodNotAllowed, format!("{} is not offered here", head.method));
            ("unknown", Err(Refusal { allow: Some(allow), ..refusal }.into()))
        }
        Found::Row { route, params } => (route.operation, run(route, params, &mut request, env, head).await),
    };
    read_to_end(&mut request).await;
    (operation, result)
}

async fn run(
    route: &'static Route,
    params: inbound::Params,
    request: &mut Request,
    env: &Env,
    head: &Head,
) -> Result<Reply> {
    let settings = settings(env)?;
    let entry = access::Entry { route, params: &params, head, settings, env };
    let admitted = entry.admit(request).await?;
    let query = query::Query::parse(&request.inner().url())?;
    let headers = inbound::Headers::of(request);
    let body = read_body(request, route).await?;
    let inbound = Inbound {
        env: env.clone(),
        settings,
        route,
        caller: admitted.caller,
        town_role: admitted.town_role,
        params,
        query,
        headers,
        body,
        head: head.clone(),
    };
    let note = admitted_note(&inbound);
    let result = (route.handler)(inbound).await;
    if let (Ok(_), Some((name, note))) = (&result, note)
        && let Err(error) = ask(stub(env, Object::Town, &name), &note, &head.request_id).await
    {
        crate::log::warn("the audit log was not written", &[("error", &format_args!("{error:?}"))]);
    }
    result
}

/// The row of the town's audit log that this request leaves, if it succeeds: its row of the table says so, or an
/// administrator looks at a town of others (api.md 2.2).
fn admitted_note(inbound: &Inbound) -> Option<(String, Audit)> {
    let town_id = inbound.town_id().ok()?;
    let is_admin = inbound.town_role == Some(TownRole::Admin);
    if !is_admin && !inbound.route.is_audited {
        return None;
    }
    let target = match inbound.params.get("rigId") {
        Some(rig_id) => format!("rig {rig_id}"),
        None => format!("town {town_id}"),
    };
    let (action, request_id) = (inbound.route.operation.to_owned(), inbound.head.request_id.clone());
    Some((town_id.to_string(), Audit { actor: inbound.actor(), action, target, request_id }))
}

/// Reads the body up to the row's limit; a body must say that it is JSON (api.md 1.2).
async fn read_body(request: &mut Request, route: &Route) -> Result<Vec<u8>> {
    if route.method == Method::Get || request.inner().body().is_none() {
        return Ok(Vec::new());
    }
    let too_large =
        || Error::from(Refusal::new(Code::BodyTooLarge, format!("The body is larger than {} bytes", route.body_max)));
    let header = |name: &str| request.headers().get(name).ok().flatten();
    let declared: Option<usize> = header("content-length").and_then(|length| length.parse().ok());
    if declared.is_some_and(|length| length > route.body_max) {
        return Err(too_large());
    }
    let media_type = header("content-type").unwrap_or_default().to_ascii_lowercase();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_owned();
    let bytes = request.bytes().await.map_err(|e| Fault::new("read the body", e))?;
    if bytes.len() > route.body_max {
        return Err(too_large());
    }
    if !bytes.is_empty() && !["application/json", "application/merge-patch+json"].contains(&essence.as_str()) {
        return Err(Refusal::new(Code::UnsupportedMediaType, "The body must be application/json").into());
    }
    Ok(bytes)
}

/// Reads what nobody has read of a refused request, so that its connection is good for the next one: workerd lets the
/// request after an unread body wait for ever.
async fn read_to_end(request: &mut Request) {
    if request.inner().body_used() || request.inner().body().is_none() {
        return;
    }
    let Ok(mut body) = request.stream() else { return };
    let mut seen = 0;
    while let Some(Ok(bytes)) = body.next().await {
        seen += bytes.len();
        if seen > UNREAD_BYTES_MAX {
            return;
        }
    }
}

fn is_request_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn origin_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    &url[..end]
}

/// What a development deployment may relax.
fn is_secure(own_origin: &str) -> bool {
    own_origin.starts_with("https://")
}

/// The path of the session cookie's deployment: `__Host-` needs https.
pub fn cookie_name(own_origin: &str) -> &'static str {
    if is_secure(own_origin) { "__Host-gastown_session" } else { "gastown_session" }
}

/// Origins that may call from browsers: our own, the listed ones, and in development any port of this machine.
pub fn is_origin_allowed(origin: &str, own_origin: &str, settings: &Settings) -> bool {
    origin == own_origin
        || settings.cors_origins.iter().any(|listed| listed == origin)
        || (settings.is_development && is_loopback(origin))
}

fn is_loopback(origin: &str) -> bool {
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    let host = host.rsplit_once(':').map_or(
        host,
        |(name, port)| {
            if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host }
        },
    );
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_scheme_and_host() {
        assert_eq!(origin_of("http://127.0.0.1:8787/api/towns?x=1"), "http://127.0.0.1:8787");
        assert_eq!(origin_of("https://gas.town"), "https://gas.town");
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (origin, expected) in [
            ("http://localhost:5173", true),
            ("http://127.0.0.1", true),
            ("http://[::1]:80", true),
            ("http://localhost.evil.example", false),
            ("http://127.0.0.1.evil.example:80", false),
            ("null", false),
        ] {
            assert_eq!(is_loopback(origin), expected, "{origin}");
        }
    }

    #[test]
    fn request_ids_are_short_and_plain() {
        assert!(is_request_id("abc-123"));
        assert!(!is_request_id("") && !is_request_id("a b") && !is_request_id(&"a".repeat(65)));
    }
}
