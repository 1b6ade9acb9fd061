//! Which browsers' pages may call the API (api.md 1.9). A foreign origin gets the answer without the headers, so that its
//! browser refuses to show it.

use worker::Response;

use super::{Head, is_origin_allowed};
use crate::env::Settings;

const METHODS: &str = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
const REQUEST_HEADERS: &str =
    "Content-Type, Authorization, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID, X-Request-Id";
const EXPOSED_HEADERS: &str =
    "ETag, Link, X-Next-Cursor, X-Total-Count, X-Request-Id, Retry-After, Idempotency-Replayed";

/// Adds the headers for a listed origin.
pub fn apply(mut response: Response, head: &Head, settings: Option<&Settings>) -> Response {
    let allowed = head
        .origin
        .as_ref()
        .filter(|origin| settings.is_some_and(|settings| is_origin_allowed(origin, &head.own_origin, settings)));
    let is_api = head.path.starts_with("/api/");
    let Some(origin) = allowed.filter(|_| is_api) else { return response };
    let headers = response.headers_mut();
    // A header that cannot be set is a header that a browser misses: the answer itself stands.
    let _ = headers.set("Access-Control-Allow-Origin", origin);
    let _ = headers.set("Access-Control-Allow-Credentials", "true");
    let _ = headers.append("Vary", "Origin");
    if head.method == "OPTIONS" {
        let _ = headers.set("Access-Control-Allow-Methods", METHODS);
        let _ = headers.set("Access-Control-Allow-Headers", REQUEST_HEADERS);
        let _ = headers.set("Access-Control-Max-Age", "3600");
    } else {
        let _ = headers.set("Access-Control-Expose-Headers", EXPOSED_HEADERS);
    }
    response
}
