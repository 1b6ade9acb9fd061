//! Tool calls of agents to the Worker (container.md 8.2): the same paths as the Worker's, checked against the
//! capability and the table of roles before anything is sent, with the real token added here. Retries keep their key.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use gastown_core::wire::code::Code;
use gastown_core::wire::control::Role;
use gastown_core::wire::report::{AgentToken, AgentTokens, LocalSession};
use serde_json::{Value, json};

use super::capability::Grant;
use super::{result, shown_capability};
use crate::fleet::Session;
use crate::fleet::session::Signal;
use crate::limits;
use crate::runtime::Runtime;
use crate::secret::Secret;
use crate::town::Town;

/// Who may call what: method, route below the agent (`A`), the rig (`R`) or the mayor's tools (`M`), roles.
const ROUTES: &[(Method, &str, &[Role])] = {
    use Role::{Mayor, Polecat, Refinery, Triage};
    &[
        (Method::GET, "A/prime", &[Polecat, Refinery, Triage]),
        (Method::GET, "A/mail", &[Polecat, Refinery, Triage]),
        (Method::GET, "A/molecule/current", &[Polecat]),
        (Method::GET, "R/beads", &[Polecat, Refinery, Triage]),
        (Method::GET, "R/beads/:id", &[Polecat, Refinery, Triage]),
        (Method::POST, "A/done", &[Polecat, Refinery, Triage]),
        (Method::POST, "A/mail/ack", &[Polecat, Refinery, Triage]),
        (Method::POST, "A/checkpoint", &[Polecat, Refinery, Mayor]),
        (Method::POST, "A/status", &[Polecat, Refinery, Triage, Mayor]),
        (Method::POST, "A/molecule/advance", &[Polecat]),
        (Method::POST, "A/verdict", &[Refinery]),
        (Method::POST, "A/request-changes", &[Refinery]),
        (Method::POST, "R/mail", &[Polecat, Refinery, Triage]),
        (Method::POST, "R/nudge", &[Polecat, Refinery, Triage, Mayor]),
        (Method::POST, "R/escalations", &[Polecat, Refinery, Triage]),
        (Method::POST, "R/beads/:id/close", &[Polecat, Triage]),
        (Method::POST, "R/triage/resolve", &[Triage]),
    ]
};

/// A refusal of our own, in the Worker's words.
pub fn refuse(code: Code, message: &str) -> Response {
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(json!({ "success": false, "error": message, "code": code }))).into_response()
}

/// The live session of a request, or the answer that ends it.
pub fn session_of(runtime: &Runtime, headers: &HeaderMap) -> Result<(Arc<Town>, Arc<Session>), Box<Response>> {
    let shown = shown_capability(headers);
    match shown.and_then(|shown| runtime.capabilities.find(&shown)) {
        Some(Grant::Session(town, session)) => Ok((town, session)),
        Some(Grant::Ended) => Err(Box::new(refuse(Code::StaleAssignment, "This assignment is over."))),
        Some(Grant::Command(_)) | None => Err(Box::new(refuse(Code::Unauthenticated, "No capability of a session."))),
    }
}

/// `GET /local/session`: what the plugin may know of itself.
pub async fn local_session(State(runtime): State<Arc<Runtime>>, headers: HeaderMap) -> Response {
    match session_of(&runtime, &headers) {
        Ok((_, session)) => {
            let root_session_id = session.status().session_id.clone();
            let (role, kind) = (session.order.role, session.order.kind);
            axum::Json(LocalSession { role, kind, root_session_id }).into_response()
        }
        Err(refusal) => *refusal,
    }
}

/// One call of a tool.
pub struct Call {
    /// Method.
    pub method: Method,
    /// Path with query, as the Worker gets it.
    pub path: String,
    /// JSON body; null without one.
    pub body: Value,
    /// Same on every try.
    pub idempotency_key: String,
    /// Passed on.
    pub request_id: Option<String>,
}

/// Everything below `/api`.
pub async fn forward(
    State(runtime): State<Arc<Runtime>>,
    Path(path): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let (town, session) = match session_of(&runtime, &headers) {
        Ok(found) => found,
        Err(refusal) => return *refusal,
    };
    let route = match route_of(&path, &town, &session) {
        Ok(route) => route,
        Err(code) => return refuse(code, "This path belongs to somebody else."),
    };
    if !is_allowed(&method, &route, session.order.role) {
        return refuse(Code::RoleNotAllowed, "Your role may not do this.");
    }
    let mut body = match bytes.is_empty() {
        true => Value::Null,
        false => match serde_json::from_slice(&bytes) {
            Ok(body) => body,
            Err(_) => return refuse(Code::InvalidJson, "The body is not JSON."),
        },
    };
    set_identity(&mut body, &route, &session);
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let call = Call {
        method,
        path: uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string),
        body,
        idempotency_key: text("idempotency-key").unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
        request_id: text("x-request-id"),
    };
    match route.as_str() {
        "A/done" => result::done(&town, &session, call).await,
        "A/verdict" | "A/request-changes" => result::verdict(&town, &session, call).await,
        _ => send(&town, &session, &call).await,
    }
}

/// The path in the table's form, after its ids were compared with the capability's.
fn route_of(path: &str, town: &Town, session: &Session) -> Result<String, Code> {
    let parts: Vec<&str> = path.split('/').collect();
    let own_town = town.id.to_string();
    let own_rig = session.reference.rig_id.to_string();
    let own_agent = session.reference.agent_id.to_string();
    let is_mayor = session.order.role == Role::Mayor;
    match parts.as_slice() {
        ["mayor", town, "tools", rest @ ..] if !rest.is_empty() => match *town == own_town {
            true => Ok("M".to_owned()),
            false => Err(Code::WrongTown),
        },
        ["towns", town, ..] if *town != own_town => Err(Code::WrongTown),
        ["towns", _, "rigs", rig, "agents", agent, rest @ ..] if !rest.is_empty() => {
            if *rig != own_rig {
                return Err(Code::WrongRig);
            }
            if *agent != own_agent {
                return Err(Code::WrongAgent);
            }
            Ok(format!("A/{}", rest.join("/")))
        }
        ["towns", _, "rigs", rig, rest @ ..] if !rest.is_empty() => {
            if *rig != own_rig && !is_mayor {
                return Err(Code::WrongRig);
            }
            let mut rest = rest.to_vec();
            if rest.first() == Some(&"beads") && rest.len() > 1 {
                rest[1] = ":id";
            }
            Ok(format!("R/{}", rest.join("/")))
        }
        _ => Err(Code::RoleNotAllowed),
    }
}

fn is_allowed(method: &Method, route: &str, role: Role) -> bool {
    if route == "M" {
        return role == Role::Mayor;
    }
    ROUTES.iter().any(|(allowed, pattern, roles)| allowed == method && *pattern == route && roles.contains(&role))
}

/// An agent speaks for itself: identities in the body are ours.
fn set_identity(body: &mut Value, route: &str, session: &Session) {
    let Value::Object(fields) = body else { return };
    let own = json!(session.reference.agent_id);
    if fields.contains_key("agent_id") && route != "M" {
        fields.insert("agent_id".to_owned(), own.clone());
    }
    if route == "R/mail" || fields.contains_key("from_agent_id") {
        fields.insert("from_agent_id".to_owned(), own);
    }
}

/// Sends a call with retries; what the Worker says last is what the agent gets.
pub async fn send(town: &Arc<Town>, session: &Arc<Session>, call: &Call) -> Response {
    match try_send(town, session, call).await {
        Some((status, headers, body)) => {
            if is_stale(status, &body) {
                session.signal(Signal::Stale);
            }
            let mut response = (status, body).into_response();
            response.headers_mut().extend(headers);
            response
        }
        None => {
            let mut response = refuse(Code::RuntimeUnavailable, "The Gas Town service cannot be reached right now.");
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("30"));
            response
        }
    }
}

/// An answer of the Worker.
pub type Answer = (StatusCode, HeaderMap, Bytes);

fn is_stale(status: StatusCode, body: &[u8]) -> bool {
    status == StatusCode::CONFLICT
        && serde_json::from_slice::<Value>(body).is_ok_and(|body| body["code"] == "stale_assignment")
}

/// The last answer of the Worker; none when it could not be reached at all.
pub async fn try_send(town: &Arc<Town>, session: &Arc<Session>, call: &Call) -> Option<Answer> {
    let began = Instant::now();
    let mut tries = 0;
    let mut refreshed = false;
    loop {
        let answer = send_once(town, session, call).await;
        let wait = match &answer {
            Some((status, _, body)) if *status == StatusCode::UNAUTHORIZED && !refreshed && is_over(body) => {
                refreshed = true;
                match renew_token(town, session).await {
                    true => Some(Duration::ZERO),
                    false => None,
                }
            }
            Some((status, headers, _)) if is_transient(*status) => backoff(tries, headers),
            Some(_) => None,
            None => backoff(tries, &HeaderMap::new()),
        };
        tries += 1;
        match wait {
            Some(wait) if began.elapsed() + wait < limits::BROKER_CALL => tokio::time::sleep(wait).await,
            Some(_) | None => return answer,
        }
    }
}

/// A token that ended, or was revoked, may have a successor.
fn is_over(body: &[u8]) -> bool {
    let code = serde_json::from_slice::<Value>(body).map(|body| body["code"].clone()).unwrap_or_default();
    code == "token_expired" || code == "token_invalid"
}

const fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

fn backoff(tries: usize, headers: &HeaderMap) -> Option<Duration> {
    let own = Duration::from_millis(*limits::BROKER_BACKOFF_MS.get(tries)?);
    let asked = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Some(asked.map_or(own, |seconds| own.max(Duration::from_secs(seconds))))
}

async fn send_once(town: &Town, session: &Session, call: &Call) -> Option<Answer> {
    let mut request = town.runtime.http.request(call.method.clone(), town.worker.url(&call.path));
    request = request.bearer_auth(session.token().reveal()).timeout(limits::WORKER_TRY);
    if let Some(id) = &call.request_id {
        request = request.header("x-request-id", id);
    }
    if call.method == Method::POST {
        request = request.header("idempotency-key", &call.idempotency_key);
    }
    if !call.body.is_null() {
        request = request.json(&call.body);
    }
    let reply = request.send().await.ok()?;
    let status = reply.status();
    let mut headers = HeaderMap::new();
    for name in [header::CONTENT_TYPE, header::RETRY_AFTER, header::HeaderName::from_static("x-next-cursor")] {
        if let Some(value) = reply.headers().get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let body = reply.bytes().await.ok()?;
    Some((status, headers, body))
}

/// Asks for a new agent token; whether there is one.
pub async fn renew_token(town: &Town, session: &Session) -> bool {
    let ask = AgentTokens { assignments: vec![session.reference] };
    let Ok(tokens) = town.worker.post::<Vec<AgentToken>>("runtime/agent-tokens", &ask).await else { return false };
    let own = tokens.into_iter().find(|token| token.assignment_id == session.reference.assignment_id);
    match own {
        Some(own) => {
            town.runtime.redactor.learn(&own.token);
            session.set_token(Secret::new(own.token));
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_calls_its_own_routes_only() {
        use Role::{Mayor, Polecat, Refinery, Triage};
        let check = |method: Method, route: &str, allowed: &[Role]| {
            for role in Role::ALL {
                assert_eq!(is_allowed(&method, route, *role), allowed.contains(role), "{method} {route} {role}");
            }
        };
        check(Method::POST, "A/verdict", &[Refinery]);
        check(Method::POST, "A/done", &[Polecat, Refinery, Triage]);
        check(Method::GET, "A/done", &[]);
        check(Method::POST, "M", &[Mayor]);
        check(Method::POST, "R/triage/resolve", &[Triage]);
        check(Method::POST, "R/nudge", &[Polecat, Refinery, Triage, Mayor]);
        check(Method::DELETE, "R/beads/:id", &[]);
        check(Method::POST, "A/completed", &[]);
    }
}
