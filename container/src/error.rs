//! Refusals of the control API: a code, its status, a sentence (api.md 1.1 and container.md 2). The only place that
//! picks a status.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gastown_core::wire::code::Code;
use gastown_core::wire::control::ControlCode;
use serde_json::{Value, json};

use crate::validate::Issue;

/// Why a control request was refused.
#[derive(Debug)]
pub enum ControlError {
    /// A code of the whole API.
    Api(Code, String),
    /// A code that only the control API has.
    Control(ControlCode, String, Value),
    /// An order with faults; nothing was made for it.
    Invalid(Vec<Issue>),
}

impl ControlError {
    /// The town was never attached to this instance.
    pub fn not_attached() -> Self {
        let message = "This town is not attached to this runtime.".to_owned();
        Self::Control(ControlCode::TownNotAttached, message, Value::Null)
    }

    /// An id that names nothing here.
    pub fn not_found(what: &str) -> Self {
        Self::Api(Code::NotFound, format!("There is no such {what}."))
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let (status, mut body) = match self {
            Self::Api(code, message) => (code.status(), json!({ "error": message, "code": code })),
            Self::Control(code, message, details) => {
                let status = match code {
                    ControlCode::TownNotAttached
                    | ControlCode::InstanceMismatch
                    | ControlCode::ProtocolUnsupported
                    | ControlCode::StaleEpoch
                    | ControlCode::Finishing => 409,
                    ControlCode::Starting | ControlCode::Capacity => 503,
                };
                (status, json!({ "error": message, "code": code, "details": details }))
            }
            Self::Invalid(issues) => {
                // A fault of meaning outweighs one of shape.
                let code = issues.iter().map(|issue| issue.refusal).max_by_key(|code| code.status());
                let code = code.unwrap_or(Code::InvalidRequest);
                let message = issues.iter().map(|issue| format!("{}: {}", issue.path.join("."), issue.message));
                let message = message.collect::<Vec<_>>().join("; ");
                (code.status(), json!({ "error": message, "code": code, "issues": issues }))
            }
        };
        body["success"] = json!(false);
        let is_capacity = body["code"] == ControlCode::Capacity.as_str();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(body)).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let wait = HeaderValue::from_static(if is_capacity { "60" } else { "5" });
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        response
    }
}
