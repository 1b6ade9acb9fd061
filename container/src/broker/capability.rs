//! Who may use the broker: capabilities by their digest, bound to one session, or to one command of the runtime's own
//! git (container.md 8.1). The texts themselves are not kept here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use gastown_core::id::RigId;
use sha2::{Digest as _, Sha256};

use crate::clock;
use crate::fleet::Session;
use crate::git::GatewayFailure;
use crate::limits;
use crate::secret::Secret;
use crate::town::Town;

/// What a capability opens.
#[derive(Clone)]
pub enum Grant {
    /// A session that lives.
    Session(Arc<Town>, Arc<Session>),
    /// A session that ended a moment ago.
    Ended,
    /// One command of the runtime.
    Command(Arc<CommandGrant>),
}

/// What the runtime's own git may do.
pub struct CommandGrant {
    /// For this town.
    pub town: Arc<Town>,
    /// At this rig.
    pub rig: RigId,
    /// Its remote.
    pub git_url: String,
    /// Full ref that it may write; absent: fetch only.
    pub push: Option<String>,
    /// Why the gateway refused.
    pub failure: Arc<Mutex<Option<GatewayFailure>>>,
}

/// All capabilities of the process.
#[derive(Default)]
pub struct Capabilities {
    grants: Mutex<HashMap<[u8; 32], Entry>>,
}

struct Entry {
    grant: Grant,
    ended_at: Option<Instant>,
}

impl Capabilities {
    /// Makes a new capability text; nothing is granted yet.
    pub fn mint() -> Result<Secret, getrandom::Error> {
        clock::random_token().map(|token| Secret::new(format!("gtc_{token}")))
    }

    /// Grants something to whoever shows the text.
    pub fn grant(&self, capability: &Secret, grant: Grant) {
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        grants.retain(|_, entry| entry.ended_at.is_none_or(|at| at.elapsed() < limits::CAPABILITY_GRACE));
        grants.insert(digest(capability.reveal()), Entry { grant, ended_at: None });
    }

    /// What this text opens.
    pub fn find(&self, shown: &str) -> Option<Grant> {
        let grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = grants.get(&digest(shown))?;
        entry.ended_at.is_none_or(|at| at.elapsed() < limits::CAPABILITY_GRACE).then(|| entry.grant.clone())
    }

    /// The session is over: its capability says so for a while.
    pub fn end(&self, capability: &Secret) {
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = grants.get_mut(&digest(capability.reveal())) {
            *entry = Entry { grant: Grant::Ended, ended_at: Some(Instant::now()) };
        }
    }

    /// Forgets a capability at once.
    pub fn revoke(&self, capability: &Secret) {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest(capability.reveal()));
    }
}

/// Digest of a secret; comparing digests takes the same time whatever was shown.
pub fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
