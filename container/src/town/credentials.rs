//! Credentials of forges and of the model gateway: asked of the Worker when needed, kept for a few minutes in memory,
//! never on disk (container.md 8.4, 8.5).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use gastown_core::id::RigId;
use gastown_core::time::Timestamp;
use gastown_core::wire::report::{GitCredentials, GitCredentialsRequest, GitOperation, LlmCredentials, Ref};

use super::Town;
use crate::clock;
use crate::limits;
use crate::worker::CallError;

/// What was fetched.
#[derive(Default)]
pub struct Cache {
    git: Mutex<BTreeMap<(RigId, GitOperation), Kept<GitCredentials>>>,
    llm: Mutex<Option<Kept<LlmCredentials>>>,
}

#[derive(Clone)]
struct Kept<T> {
    value: T,
    fetched: Instant,
    expires_at: Option<Timestamp>,
}

impl<T> Kept<T> {
    fn is_fresh(&self) -> bool {
        let in_time = self.expires_at.is_none_or(|end| end.since(clock::now()) > limits::CREDENTIAL_MARGIN);
        in_time && self.fetched.elapsed() < limits::CREDENTIAL_CACHE
    }
}

impl Cache {
    /// Forgets everything: a secret changed.
    pub fn clear(&self) {
        self.git.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.llm.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Town {
    /// The credential for a rig's remote.
    pub async fn git_credentials(
        &self,
        rig_id: RigId,
        url: &reqwest::Url,
        operation: GitOperation,
        session: Option<Ref>,
    ) -> Result<GitCredentials, CallError> {
        let key = (rig_id, operation);
        let kept = self.credentials.git.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(kept) = kept.filter(Kept::is_fresh) {
            return Ok(kept.value);
        }
        let (host, path) = (url.host_str().unwrap_or_default().to_owned(), url.path().to_owned());
        let request = GitCredentialsRequest { rig_id, host, path, operation, session };
        let value: GitCredentials = self.worker.post("runtime/git-credentials", &request).await?;
        self.runtime.redactor.learn(&value.password);
        let kept = Kept { expires_at: value.expires_at, value: value.clone(), fetched: Instant::now() };
        self.credentials.git.lock().unwrap_or_else(PoisonError::into_inner).insert(key, kept);
        Ok(value)
    }

    /// Forgets the credentials of a rig: the forge refused them.
    pub fn forget_git_credentials(&self, rig: RigId) {
        let mut git = self.credentials.git.lock().unwrap_or_else(PoisonError::into_inner);
        git.retain(|(kept, _), _| *kept != rig);
    }

    /// The model gateway and its key.
    pub async fn llm_credentials(&self) -> Result<LlmCredentials, CallError> {
        let kept = self.credentials.llm.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = kept.filter(Kept::is_fresh) {
            return Ok(kept.value);
        }
        let value: LlmCredentials = self.worker.post("runtime/llm-credentials", &serde_json::json!({})).await?;
        self.runtime.redactor.learn(&value.api_key);
        let kept = Kept { expires_at: value.expires_at, value: value.clone(), fetched: Instant::now() };
        *self.credentials.llm.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(value)
    }

    /// Forgets the key: the gateway refused it.
    pub fn forget_llm_credentials(&self) {
        *self.credentials.llm.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
