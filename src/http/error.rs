//! The only place that chooses a status: an error becomes the envelope of api.md 1.1.

use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::ErrorBody;

use crate::error::{Error, Refusal};

/// An error as it leaves the Worker.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorReply {
    /// HTTP status.
    pub status: u16,
    /// Extra headers: `WWW-Authenticate`, `Retry-After`, `Allow`.
    pub headers: Vec<(&'static str, String)>,
    /// Envelope.
    pub body: ErrorBody,
}

/// Chooses the status and words the envelope. A fault shows nothing of itself but that it happened.
pub fn reply(error: &Error, request_id: &str) -> ErrorReply {
    let internal = Refusal::new(Code::Internal, "Something went wrong on our side");
    let refusal = match error {
        Error::Refusal(refusal) => refusal,
        Error::Fault(_) => &internal,
    };
    let mut headers = Vec::new();
    if refusal.code.status() == 401 {
        headers.push(("WWW-Authenticate", "Bearer".to_owned()));
    }
    if let Some(seconds) = refusal.retry_after_s.or_else(|| retry_after(refusal.code)) {
        headers.push(("Retry-After", seconds.to_string()));
    }
    if let Some(allow) = &refusal.allow {
        headers.push(("Allow", allow.clone()));
    }
    ErrorReply {
        status: refusal.code.status(),
        headers,
        body: ErrorBody {
            success: false,
            error: refusal.message.clone(),
            code: refusal.code.to_string(),
            request_id: request_id.to_owned(),
            issues: refusal.issues.clone(),
            details: refusal.details.clone(),
        },
    }
}

/// 429 and 503 carry `Retry-After` (api.md 1.2), except `misconfigured`, which waiting does not mend.
fn retry_after(code: Code) -> Option<u32> {
    match code.status() {
        429 | 503 if code != Code::Misconfigured => Some(5),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;

    #[test]
    fn a_fault_shows_nothing_of_itself() {
        let reply = reply(&Fault::new("open /secret", "denied").into(), "r1");
        assert_eq!((reply.status, reply.body.code.as_str()), (500, "internal"));
        assert!(!serde_json::to_string(&reply.body).unwrap().contains("secret"));
    }

    #[test]
    fn headers_follow_the_code() {
        let header = |code| reply(&Refusal::new(code, "x").into(), "r1").headers;
        assert_eq!(header(Code::TokenExpired), [("WWW-Authenticate", "Bearer".to_owned())]);
        assert_eq!(header(Code::RuntimeUnavailable), [("Retry-After", "5".to_owned())]);
        assert_eq!(header(Code::Misconfigured), []);
        assert_eq!(header(Code::Forbidden), []);
    }
}
