//! The service itself: is it up, what is it, what can it be asked.

use gastown_core::wire::api::service::Meta;
use serde_json::json;

use super::inbound::Inbound;
use super::reply::Reply;
use crate::error::{Fault, Result};

/// Where the API document lies among the files of the dashboard; the host means nothing there.
const DOCUMENT: &str = "https://assets.invalid/api/openapi.json";

/// GET `/health`
pub async fn show(_inbound: Inbound) -> Result<Reply> {
    Reply::bare(200, &json!({ "status": "ok" }))
}

/// GET `/api/meta`
pub async fn meta(inbound: Inbound) -> Result<Reply> {
    Reply::ok(&Meta::new(env!("CARGO_PKG_VERSION"), &inbound.settings.commit, inbound.settings.is_development))
}

/// GET `/api/openapi.json`: a file beside the dashboard's, so that the wasm does not carry it.
pub async fn document(inbound: Inbound) -> Result<Reply> {
    let document = crate::env::assets(&inbound.env)?.fetch(DOCUMENT, None).await;
    Ok(Reply::passed(document.map_err(|e| Fault::new("read the API document", e))?))
}
