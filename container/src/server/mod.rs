//! The control API (container.md 2): what the Worker orders. One table of routes; every answer comes at once, nothing
//! here waits for a clone, a boot or a turn.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use gastown_core::id::TownId;
use gastown_core::wire::code::Code;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::broker::capability::digest;
use crate::error::ControlError;
use crate::limits;
use crate::runtime::Runtime;
use crate::town::Town;

pub mod assignments;
pub mod drain;
pub mod jobs;
pub mod towns;

/// What a handler gives back.
pub type Reply = Result<Response, ControlError>;

/// All routes. Everything but `/health` needs the control secret.
pub fn router(runtime: Arc<Runtime>) -> Router {
    let guarded = Router::new()
        .route("/towns/{town}", put(towns::attach).get(towns::show).delete(towns::remove))
        .route("/towns/{town}/config", put(towns::set_config))
        .route("/towns/{town}/token", put(towns::set_token))
        .route("/towns/{town}/assignments", post(assignments::start))
        .route("/towns/{town}/assignments/{assignment}", get(assignments::show))
        .route("/towns/{town}/assignments/{assignment}/stop", post(assignments::stop))
        .route("/towns/{town}/assignments/{assignment}/wrap-up", post(assignments::wrap_up))
        .route("/towns/{town}/assignments/{assignment}/messages", post(assignments::push_messages))
        .route("/towns/{town}/assignments/{assignment}/log", get(assignments::log))
        .route("/towns/{town}/jobs", post(jobs::start))
        .route("/towns/{town}/jobs/{job}", get(jobs::show).delete(jobs::cancel))
        .route("/towns/{town}/rigs/{rig}", axum::routing::delete(towns::remove_rig))
        .route("/towns/{town}/rigs/{rig}/check", post(towns::check_rig))
        .route("/towns/{town}/drain", post(drain::order))
        .layer(axum::middleware::from_fn_with_state(runtime.clone(), need_secret));
    Router::new()
        .route("/health", get(towns::health))
        .merge(guarded)
        .fallback(|| async { ControlError::Api(Code::NotFound, "Not found".to_owned()) })
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn(pass_request_id))
        .with_state(runtime)
}

/// Whether a request shows the control secret.
pub fn shows_secret(runtime: &Runtime, request_headers: &axum::http::HeaderMap) -> bool {
    let shown = request_headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = shown.and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    token.is_some_and(|(_, token)| digest(token.trim()) == digest(runtime.config.control_secret.reveal()))
}

async fn need_secret(State(runtime): State<Arc<Runtime>>, request: Request, next: Next) -> Response {
    if !shows_secret(&runtime, request.headers()) {
        let mut response =
            ControlError::Api(Code::Unauthenticated, "The control secret is needed.".to_owned()).into_response();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    }
    next.run(request).await
}

/// The caller's request id, or a new one, stands on the answer.
async fn pass_request_id(request: Request, next: Next) -> Response {
    let is_good = |id: &HeaderValue| {
        (1..=64).contains(&id.len()) && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    let given = request.headers().get("x-request-id").filter(|id| is_good(id)).cloned();
    let id = given.or_else(|| HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()).ok());
    let mut response = next.run(request).await;
    if let Some(id) = id {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// A JSON body; what cannot be read is 400 with the reason.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ControlError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|error| ControlError::Api(Code::BodyTooLarge, error.to_string()))?;
        let value: serde_json::Value = serde_json::from_slice(&bytes)
            .map_err(|error| ControlError::Api(Code::InvalidJson, format!("The body is not JSON: {error}")))?;
        T::deserialize(value).map(Self).map_err(|error| ControlError::Api(Code::InvalidRequest, error.to_string()))
    }
}

/// The attached town of a path.
pub fn town_of(runtime: &Runtime, id: &str) -> Result<Arc<Town>, ControlError> {
    let id: TownId = id.parse().map_err(|_| ControlError::not_found("town"))?;
    runtime.town(id).ok_or_else(ControlError::not_attached)
}

/// An id of a path.
pub fn id_of<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, ControlError> {
    text.parse().map_err(|_| ControlError::not_found(what))
}

/// An answer in the envelope.
pub fn reply(status: StatusCode, data: impl Serialize) -> Reply {
    Ok((status, axum::Json(json!({ "success": true, "data": data }))).into_response())
}

/// Path with the town only.
pub type TownPath = Path<String>;
/// Path with the town and one more id.
pub type ItemPath = Path<(String, String)>;
