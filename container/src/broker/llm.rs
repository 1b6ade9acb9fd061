//! The only way to a model (container.md 8.5): enforces the resolved model, adds the key, passes bytes on as they come,
//! meters them, and ends what would never end by itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use gastown_core::time::Timestamp;
use gastown_core::wire::report::ErrorKind;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::api::session_of;
use super::meter::Tap;
use crate::clock;
use crate::fleet::Session;
use crate::fleet::session::Signal;
use crate::limits;
use crate::runtime::Runtime;
use crate::town::Town;

/// How the gateway refused last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Kind.
    pub kind: ErrorKind,
    /// Words.
    pub message: String,
    /// The gateway's own wish.
    pub retry_after_s: Option<u64>,
    /// When.
    pub at: Timestamp,
}

/// Load and failures of one session's model requests.
pub struct Gauge {
    places: Arc<Semaphore>,
    state: Mutex<GaugeState>,
}

#[derive(Default)]
struct GaugeState {
    recent: VecDeque<Instant>,
    burst_since: Option<Instant>,
    failures: u32,
    failing_since: Option<Instant>,
    newest: Option<Failure>,
    over_budget_since: Option<Instant>,
}

impl Default for Gauge {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(limits::LLM_PARALLEL)), state: Mutex::default() }
    }
}

impl Gauge {
    fn state(&self) -> std::sync::MutexGuard<'_, GaugeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest refusal that no success followed.
    pub fn newest_failure(&self) -> Option<Failure> {
        self.state().newest.clone()
    }

    /// Counts a request; whether it is one too many, and whether that has lasted.
    fn count(&self) -> (bool, bool) {
        let mut state = self.state();
        let now = Instant::now();
        while state.recent.front().is_some_and(|at| now.duration_since(*at) > limits::LLM_BURST_WINDOW) {
            state.recent.pop_front();
        }
        if state.recent.len() < limits::LLM_BURST {
            state.recent.push_back(now);
            state.burst_since = None;
            return (false, false);
        }
        let since = *state.burst_since.get_or_insert(now);
        (true, now.duration_since(since) > BURST_PATIENCE)
    }

    fn succeeded(&self) {
        let mut state = self.state();
        state.failures = 0;
        state.failing_since = None;
        state.newest = None;
    }

    /// Notes a refusal; whether kilo must be kept from repeating it.
    fn failed(&self, failure: Failure) -> bool {
        let mut state = self.state();
        state.failures += 1;
        let since = *state.failing_since.get_or_insert_with(Instant::now);
        state.newest = Some(failure);
        state.failures >= limits::LLM_FAILURES || since.elapsed() > limits::LLM_FAILING_MAX
    }
}

/// How long a burst may last before the session is ended.
const BURST_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
/// After its budget is reached a session may finish for this long.
const BUDGET_GRACE: std::time::Duration = std::time::Duration::from_secs(180);

/// An error as model APIs say it.
fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    (status, axum::Json(json!({ "error": { "message": message, "type": code, "code": code } }))).into_response()
}

/// `GET /llm/v1/models`.
pub async fn models(State(runtime): State<Arc<Runtime>>, headers: HeaderMap) -> Response {
    let session = match session_of(&runtime, &headers) {
        Ok((_, session)) => session,
        Err(refusal) => return *refusal,
    };
    let mut ids = vec![session.order.model.clone(), session.order.small_model.clone()];
    ids.dedup();
    let data: Vec<Value> =
        ids.into_iter().map(|id| json!({ "id": id, "object": "model", "owned_by": "gastown" })).collect();
    axum::Json(json!({ "object": "list", "data": data })).into_response()
}

/// `POST /llm/v1/chat/completions`.
pub async fn complete(State(runtime): State<Arc<Runtime>>, headers: HeaderMap, body: Bytes) -> Response {
    let (town, session) = match session_of(&runtime, &headers) {
        Ok(found) => found,
        Err(refusal) => return *refusal,
    };
    let Ok(mut request) = serde_json::from_slice::<Value>(&body) else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_json", "The body is not JSON.");
    };
    let model = request["model"].as_str().unwrap_or_default().to_owned();
    if model != session.order.model && model != session.order.small_model {
        let words = format!("The model {model:?} is not this session's.");
        session.transcript().push(
            "error",
            json!({ "kind": "config", "message": words, "retry_at": null }),
            clock::now(),
        );
        tracing::error!(assignment.id = %session.reference.assignment_id, "{words}");
        return refuse(StatusCode::FORBIDDEN, "model_not_allowed", &words);
    }
    if let Some(refusal) = against_limits(&town, &session) {
        return refusal;
    }
    let Ok(place) = session.llm.places.clone().acquire_owned().await else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "The session is ending.");
    };
    if request["stream"] == json!(true) {
        request["stream_options"]["include_usage"] = json!(true);
    }
    match ask(&town, &request, &headers).await {
        Ok(reply) if reply.status().is_success() => pass_on(town, session, reply, model, body.len() as u64, place),
        Ok(reply) => failed(&town, &session, reply).await,
        Err(words) => {
            let failure =
                Failure { kind: ErrorKind::Provider, message: words.clone(), retry_after_s: None, at: clock::now() };
            match session.llm.failed(failure) {
                true => refuse(StatusCode::FAILED_DEPENDENCY, "provider", &words),
                false => refuse(StatusCode::BAD_GATEWAY, "provider", &words),
            }
        }
    }
}

fn against_limits(town: &Town, session: &Session) -> Option<Response> {
    let (too_many, lasting) = session.llm.count();
    if lasting {
        session.signal(Signal::Runaway);
    }
    if too_many {
        let words = "Too many model requests in a minute.";
        return Some(refuse(StatusCode::TOO_MANY_REQUESTS, "rate_limited", words));
    }
    let used = used_of_budget(session);
    let mut state = session.llm.state();
    if used < 1.0 {
        state.over_budget_since = None;
        return None;
    }
    let since = *state.over_budget_since.get_or_insert_with(|| {
        town.beat.notify_one();
        Instant::now()
    });
    let is_over = used >= 1.2 || since.elapsed() > BUDGET_GRACE;
    is_over.then(|| refuse(StatusCode::PAYMENT_REQUIRED, "budget_reached", "The budget of this work is used up."))
}

/// Share of what was left when the session began.
fn used_of_budget(session: &Session) -> f64 {
    let Some(budget) = session.order.budget else { return 0.0 };
    let totals = session.totals();
    let tokens = totals.tokens;
    let used = (tokens.input + tokens.output + tokens.cache_read + tokens.cache_write) as f64;
    let by_tokens = budget.remaining_tokens.map_or(0.0, |left| used / (left.max(1) as f64));
    let by_cost = match (budget.remaining_usd, totals.cost_usd()) {
        (Some(left), Some(cost)) => cost / left.max(f64::EPSILON),
        (Some(_) | None, _) => 0.0,
    };
    by_tokens.max(by_cost)
}

/// One upstream request; a refused key is fetched anew once, as nothing was sent to the client yet.
async fn ask(town: &Town, request: &Value, headers: &HeaderMap) -> Result<reqwest::Response, String> {
    let mut is_second = false;
    loop {
        let credentials = town.llm_credentials().await.map_err(|error| match error.code() {
            Some("no_credentials") => "The town has no key for a model gateway.".to_owned(),
            Some(_) | None => "The key of the model gateway could not be read.".to_owned(),
        })?;
        let url = format!("{}/chat/completions", credentials.base_url.trim_end_matches('/'));
        let mut call = town.runtime.http.post(url).bearer_auth(&credentials.api_key).json(request);
        if let Some(accept) = headers.get(header::ACCEPT) {
            call = call.header(header::ACCEPT, accept);
        }
        if let Some(organization) = &credentials.organization_id {
            call = call.header("X-KiloCode-OrganizationId", organization);
        }
        let reply = tokio::time::timeout(limits::LLM_STALL, call.send()).await;
        let reply = reply.map_err(|_| "The model gateway does not answer.".to_owned())?;
        let reply = reply.map_err(|error| format!("The model gateway cannot be reached: {}.", error.without_url()))?;
        if reply.status() != StatusCode::UNAUTHORIZED || is_second {
            return Ok(reply);
        }
        town.forget_llm_credentials();
        is_second = true;
    }
}

/// Settles when it is dropped: at the end of the answer, or when the client went away.
struct Metered {
    tap: Option<Tap>,
    town: Arc<Town>,
    session: Arc<Session>,
    model: String,
    _place: OwnedSemaphorePermit,
}

impl Drop for Metered {
    fn drop(&mut self) {
        let Some(tap) = self.tap.take() else { return };
        let usage = tap.settle();
        let price = self.session.order.prices.get(&self.model);
        self.session.totals.lock().unwrap_or_else(PoisonError::into_inner).add(&usage, price);
        if used_of_budget(&self.session) >= 1.0 {
            self.town.beat.notify_one();
        }
    }
}

fn pass_on(
    town: Arc<Town>,
    session: Arc<Session>,
    reply: reqwest::Response,
    model: String,
    request_bytes: u64,
    place: OwnedSemaphorePermit,
) -> Response {
    session.llm.succeeded();
    let content_type = reply.headers().get(header::CONTENT_TYPE).cloned();
    let metered = Metered { tap: Some(Tap::new(request_bytes)), town, session, model, _place: place };
    let bytes = reply.bytes_stream().boxed();
    let stream = futures::stream::unfold((bytes, metered), |(mut bytes, mut metered)| async move {
        let next = tokio::time::timeout(limits::LLM_STALL, bytes.next()).await;
        let chunk = match next {
            Ok(None) => return None,
            Ok(Some(Ok(chunk))) => Ok(chunk),
            Ok(Some(Err(error))) => Err(std::io::Error::other(error.without_url())),
            Err(_) => Err(std::io::Error::other("the model's answer stalled")),
        };
        if let (Ok(chunk), Some(tap)) = (&chunk, metered.tap.as_mut()) {
            tap.see(chunk);
        }
        Some((chunk, (bytes, metered)))
    });
    let mut response = Response::new(Body::from_stream(stream));
    if let Some(content_type) = content_type {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    response
}

async fn failed(town: &Town, session: &Session, reply: reqwest::Response) -> Response {
    let status = reply.status();
    let retry_after = reply.headers().get(header::RETRY_AFTER).cloned();
    let retry_after_s = retry_after.as_ref().and_then(|value| value.to_str().ok()?.parse().ok());
    let text = town.runtime.redactor.redact(&reply.text().await.unwrap_or_default());
    let message = serde_json::from_str::<Value>(&text)
        .ok()
        .and_then(|body| body["error"]["message"].as_str().map(str::to_owned))
        .unwrap_or_else(|| format!("the model gateway answered {status}"));
    let kind = kind_of(status, &text);
    let is_final = session.llm.failed(Failure { kind, message: message.clone(), retry_after_s, at: clock::now() });
    let is_transient = matches!(kind, ErrorKind::RateLimited | ErrorKind::Provider);
    if is_final && is_transient {
        // kilo repeats 429 and 5xx without end; this status it does not repeat.
        return refuse(StatusCode::FAILED_DEPENDENCY, kind.as_str(), &message);
    }
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], text).into_response();
    if let Some(value) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

/// What a refusal of the gateway means (container.md 6.5).
fn kind_of(status: StatusCode, body: &str) -> ErrorKind {
    let body = body.to_ascii_lowercase();
    match status.as_u16() {
        401 | 403 => ErrorKind::Auth,
        402 => ErrorKind::Quota,
        429 if body.contains("quota") || body.contains("credit") => ErrorKind::Quota,
        429 => ErrorKind::RateLimited,
        413 => ErrorKind::ContextOverflow,
        400 if body.contains("context length") || body.contains("context_length") => ErrorKind::ContextOverflow,
        404 => ErrorKind::Config,
        400 if body.contains("model") => ErrorKind::Config,
        500..=599 => ErrorKind::Provider,
        _ => ErrorKind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_the_gateway_have_their_kinds() {
        let check = |status: u16, body: &str, expected: ErrorKind| {
            assert_eq!(kind_of(StatusCode::from_u16(status).unwrap(), body), expected, "{status} {body}");
        };
        check(401, "", ErrorKind::Auth);
        check(402, "", ErrorKind::Quota);
        check(429, "You exceeded your quota", ErrorKind::Quota);
        check(429, "slow down", ErrorKind::RateLimited);
        check(503, "", ErrorKind::Provider);
        check(400, "This model's maximum context length is 10", ErrorKind::ContextOverflow);
        check(400, "unknown model", ErrorKind::Config);
        check(400, "bad tool", ErrorKind::Internal);
    }

    #[test]
    fn the_sixth_failure_in_a_row_is_final() {
        let gauge = Gauge::default();
        let failure =
            Failure { kind: ErrorKind::Provider, message: String::new(), retry_after_s: None, at: clock::now() };
        let finals: Vec<bool> = (0..6).map(|_| gauge.failed(failure.clone())).collect();
        assert_eq!(finals, [false, false, false, false, false, true]);
        gauge.succeeded();
        assert!(!gauge.failed(failure));
    }

    #[test]
    fn a_burst_is_refused() {
        let gauge = Gauge::default();
        for _ in 0..limits::LLM_BURST {
            assert_eq!(gauge.count(), (false, false));
        }
        assert_eq!(gauge.count(), (true, false));
    }
}
