//! The broker: a loopback server that gives each agent exactly what its assignment may do, and adds the real
//! credentials itself (container.md 8). An agent holds a capability that means nothing anywhere else. `api` forwards
//! tool calls to the Worker, `git` is the gateway to the rig's remote, `llm` the proxy to the model.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::limits;
use crate::runtime::Runtime;

pub mod api;
pub mod capability;
pub mod git;
pub mod llm;
pub mod meter;
pub mod push;
pub mod result;

/// All routes of the broker.
pub fn router(runtime: Arc<Runtime>) -> Router {
    let llm = Router::new()
        .route("/llm/v1/chat/completions", post(llm::complete))
        .route("/llm/v1/models", get(llm::models))
        .layer(DefaultBodyLimit::max(limits::LLM_BODY_MAX));
    let git = Router::new()
        .route("/git/{rig}/info/refs", get(git::info_refs))
        .route("/git/{rig}/git-upload-pack", post(git::upload_pack))
        .route("/git/{rig}/git-receive-pack", post(git::receive_pack))
        .layer(DefaultBodyLimit::disable());
    Router::new()
        .route("/local/session", get(api::local_session))
        .route("/api/{*path}", any(api::forward))
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES_MAX))
        .merge(llm)
        .merge(git)
        .layer(axum::middleware::from_fn_with_state(runtime.clone(), refuse_strangers))
        .with_state(runtime)
}

/// Web pages and name tricks get nothing: no `Origin`, and `Host` is our own address.
async fn refuse_strangers(State(runtime): State<Arc<Runtime>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if headers.contains_key(header::ORIGIN) || Some(host) != runtime.broker_url().strip_prefix("http://") {
        return StatusCode::FORBIDDEN.into_response();
    }
    next.run(request).await
}

/// The capability that a request shows, as Bearer or as the password of Basic.
pub fn shown_capability(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, value) = text.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}
