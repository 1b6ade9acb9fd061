//! What a scripted model was asked, read from its `GET /__requests`.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::api::Api;

/// The recording of a running scripted model.
pub struct Recording {
    api: Api,
}

impl Recording {
    /// Of the model at this base address, with or without its `/v1`.
    pub fn of(model_url: &str) -> Self {
        let base = model_url.trim_end_matches('/');
        Self { api: Api::new(base.strip_suffix("/v1").unwrap_or(base), None) }
    }

    /// Entries with a number above `after`, oldest first.
    pub fn after(&self, after: u64) -> Result<Vec<Value>> {
        let reply = self.api.call("GET", &format!("/__requests?after={after}"), None)?;
        let lines = match reply.body {
            // Several lines are no JSON value, one alone is.
            Value::String(lines) => lines,
            line @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                line.to_string()
            }
        };
        lines.lines().map(|line| serde_json::from_str(line).with_context(|| format!("no entry: {line}"))).collect()
    }
}
