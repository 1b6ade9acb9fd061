//! The recording: one entry per request, kept in memory and, if asked for, appended to a file as JSON lines.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gastown_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

/// Entries kept in memory: hours of a busy demo; a reader that polls never misses one.
pub const ENTRIES_MAX: usize = 10_000;

/// Longest wait for an entry that is still to come; below the limits of HTTP clients.
pub const WAIT_MAX: Duration = Duration::from_secs(25);

/// One request as it was answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1; given by [`Recording::add`].
    pub n: u64,
    /// When the request was read.
    pub at: Timestamp,
    /// Path of the request.
    pub path: String,
    /// Model that the request named.
    pub model: String,
    /// Gas Town role, when the system text names one.
    pub role: Option<String>,
    /// Bead that the prompt names, when it names one.
    #[serde(default)]
    pub bead_id: Option<String>,
    /// Rule that answered; absent when none fits.
    pub rule: Option<String>,
    /// Step of the rule.
    pub step: Option<usize>,
    /// HTTP status of the answer.
    pub status: u16,
    /// Role and length in bytes of each message.
    pub messages: Vec<(String, usize)>,
    /// Names of the offered tools.
    pub tools: Vec<String>,
    /// Names of the tools that the answer calls.
    pub calls: Vec<String>,
    /// Usage of the answer.
    pub usage: Option<Value>,
    /// First 12 hex digits of the SHA-256 of the bearer key.
    pub key: Option<String>,
    /// What went wrong with the script: no rule, steps used up, holes without value, a bad `SCRIPT` line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The request's body, with `--full`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The answer's text and calls, with `--full`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
}

/// All entries since the start or the last clearing.
pub struct Recording {
    entries: Mutex<Kept>,
    changed: Notify,
}

#[derive(Default)]
struct Kept {
    entries: VecDeque<Entry>,
    last: u64,
    file: Option<File>,
}

impl Recording {
    /// An empty recording that also appends to the file, if one is given.
    pub fn new(file: Option<File>) -> Self {
        Self { entries: Mutex::new(Kept { file, ..Kept::default() }), changed: Notify::new() }
    }

    /// Numbers and keeps an entry; wakes those who wait.
    pub fn add(&self, mut entry: Entry) {
        let mut kept = self.kept();
        kept.last += 1;
        entry.n = kept.last;
        let line = serde_json::to_string(&entry).unwrap_or_default();
        if let Some(file) = &mut kept.file {
            // The recording is a by-product: a full disk must not change what the model answers.
            let _ = writeln!(file, "{line}");
        }
        if kept.entries.len() == ENTRIES_MAX {
            kept.entries.pop_front();
        }
        kept.entries.push_back(entry);
        drop(kept);
        self.changed.notify_waiters();
    }

    /// Entries with a number above `n`.
    pub fn after(&self, n: u64) -> Vec<Entry> {
        self.kept().entries.iter().filter(|entry| entry.n > n).cloned().collect()
    }

    /// As [`Self::after`], but if there are none, waits for one.
    pub async fn wait_after(&self, n: u64, wait: Duration) -> Vec<Entry> {
        let next = async {
            loop {
                let changed = self.changed.notified();
                let found = self.after(n);
                if !found.is_empty() {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(wait.min(WAIT_MAX), next).await.unwrap_or_default()
    }

    /// Forgets all entries; numbers go on.
    pub fn clear(&self) {
        self.kept().entries.clear();
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The machine's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// What the recording shows of a key.
pub fn key_hash(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
