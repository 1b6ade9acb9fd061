//! Calls to the Worker for one town: address, container token and envelope in one place (container.md 9). A token that
//! ended is refreshed once per call; a refusal keeps its status and code, so that callers decide what it means.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use gastown_core::id::TownId;
use gastown_core::wire::report::ContainerToken;
use reqwest::{RequestBuilder, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::limits;
use crate::secret::Secret;

/// The Worker as one town sees it.
pub struct WorkerClient {
    http: reqwest::Client,
    town: TownId,
    access: RwLock<Access>,
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Access {
    base: String,
    token: Secret,
}

/// A call to the Worker did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No answer, or none that can be read.
    #[error("could not call {path}")]
    Transport {
        /// Path of the call.
        path: String,
        /// Cause.
        source: reqwest::Error,
    },
    /// A refusal.
    #[error("{path} was refused: {status} {code}")]
    Refused {
        /// Path of the call.
        path: String,
        /// Status.
        status: StatusCode,
        /// Machine word.
        code: String,
    },
}

impl CallError {
    /// The machine word of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Transport { .. } => None,
            Self::Refused { code, .. } => Some(code),
        }
    }
}

impl WorkerClient {
    /// A client for one town.
    pub fn new(http: reqwest::Client, town: TownId, base: &str, token: Secret) -> Self {
        let access = RwLock::new(Access { base: trim_base(base), token });
        Self { http, town, access, refreshing: tokio::sync::Mutex::default() }
    }

    /// Uses another token and, with attach, another address from here on.
    pub fn set_access(&self, base: Option<&str>, token: Secret) {
        let mut access = self.access.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(base) = base {
            access.base = trim_base(base);
        }
        access.token = token;
    }

    fn access(&self) -> Access {
        self.access.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Address of a path that the Worker serves.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.access().base)
    }

    /// POST to a path below `T`.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &(impl Serialize + Sync)) -> Result<T, CallError> {
        self.call(path, |request| request.json(body)).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        path: &str,
        fill: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<T, CallError> {
        let mut used = self.access();
        let mut refreshed = false;
        loop {
            let request = fill(self.request(&used, path));
            let reply =
                request.send().await.map_err(|source| CallError::Transport { path: path.to_owned(), source })?;
            if reply.status().is_success() {
                return read(path, reply).await;
            }
            let error = refused(path, reply).await;
            let is_expired = matches!(&error, CallError::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED);
            if !is_expired || refreshed || !self.refresh(&used).await {
                return Err(error);
            }
            refreshed = true;
            used = self.access();
        }
    }

    fn request(&self, access: &Access, path: &str) -> RequestBuilder {
        self.http
            .post(format!("{}/api/towns/{}/{path}", access.base, self.town))
            .bearer_auth(access.token.reveal())
            .timeout(limits::WORKER_TRY)
    }

    /// Gets a new container token unless another call just did; whether there is one now.
    async fn refresh(&self, used: &Access) -> bool {
        let _one_at_a_time = self.refreshing.lock().await;
        let access = self.access();
        if access.token != used.token {
            return true;
        }
        let request = self.request(&access, "refresh-container-token").timeout(Duration::from_secs(10));
        let Ok(reply) = request.send().await else { return false };
        if !reply.status().is_success() {
            return false;
        }
        match read::<ContainerToken>("refresh-container-token", reply).await {
            Ok(new) => {
                self.set_access(None, Secret::new(new.token));
                true
            }
            Err(_) => false,
        }
    }
}

async fn read<T: DeserializeOwned>(path: &str, reply: reqwest::Response) -> Result<T, CallError> {
    #[derive(serde::Deserialize)]
    struct Envelope<T> {
        data: T,
    }
    let failed = |source| CallError::Transport { path: path.to_owned(), source };
    reply.json::<Envelope<T>>().await.map(|envelope| envelope.data).map_err(failed)
}

async fn refused(path: &str, reply: reqwest::Response) -> CallError {
    let status = reply.status();
    let body: Value = reply.json().await.unwrap_or(Value::Null);
    let code = body["code"].as_str().unwrap_or("no_code").to_owned();
    CallError::Refused { path: path.to_owned(), status, code }
}

/// The address without a final `/` or `/api`: paths bring their own.
fn trim_base(base: &str) -> String {
    let base = base.trim_end_matches('/');
    base.strip_suffix("/api").unwrap_or(base).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_may_end_in_a_slash_or_api() {
        for base in ["http://h:1", "http://h:1/", "http://h:1/api", "http://h:1/api/"] {
            assert_eq!(trim_base(base), "http://h:1");
        }
    }
}
