//! The service itself: is it up, what is it.

use gastown_core::wire::api::service::Meta;
use serde_json::json;

use super::inbound::Inbound;
use super::reply::Reply;
use crate::error::Result;

/// GET `/health`
pub async fn show(_inbound: Inbound) -> Result<Reply> {
    Reply::bare(200, &json!({ "status": "ok" }))
}

/// GET `/api/meta`
pub async fn meta(inbound: Inbound) -> Result<Reply> {
    Reply::ok(&Meta::new(env!("CARGO_PKG_VERSION"), &inbound.settings.commit, inbound.settings.is_development))
}
