//! Table `requests`, which every object has: replies kept by Idempotency-Key (api.md 1.6). Only successes are kept.
//!
//! What a keyed request creates gets an id that follows from its key ([`Idempotency::seed`]), and creating what exists
//! is harmless: a repeat after a crash between commit and reply makes nothing twice.

use gastown_core::rate::{Bucket, Rate};
use gastown_core::sorted::{SortedMap, SortedSet};
use std::cell::RefCell;
use std::future::Future;

use gastown_core::id::IdSeed;
use gastown_core::limits::IDEMPOTENCY_KEEP;
use gastown_core::time::Timestamp;
use gastown_core::wire::code::Code;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Fault, Refusal, Result};
use crate::sql::Sql;

const SELECT: &str = "select body_hash, reply from requests where key = ? and created_at >= ?";
const PUT: &str =
    "insert or replace into requests (key, body_hash, status, reply, created_at) values (?, ?, 200, ?, ?)";
const PRUNE: &str = "delete from requests where created_at < ?";

/// A request that may come twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// Subject, method, path and the client's key.
    pub key: String,
    /// Tells another body under the same key.
    pub body_digest: String,
}

impl Idempotency {
    /// Where the ids of what this request creates come from.
    pub fn seed(&self) -> IdSeed {
        IdSeed::new(digest(self.key.as_bytes()))
    }
}

/// A reply, and whether it was given before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept<T> {
    /// The reply.
    pub reply: T,
    /// Given before.
    pub is_replay: bool,
}

/// Keys whose first request still runs; in memory, because it dies with the request.
#[derive(Debug, Default)]
pub struct Running(RefCell<SortedSet<String>>);

#[derive(Deserialize)]
struct Row {
    body_hash: String,
    reply: String,
}

impl Running {
    /// Runs `work` once per key and body; a repeat gets the kept reply.
    pub async fn once<T, F>(
        &self,
        sql: &impl Sql,
        now: impl Fn() -> Timestamp,
        idempotency: Option<&Idempotency>,
        work: impl FnOnce() -> F,
    ) -> Result<Kept<T>>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T>>,
    {
        let Some(asked) = idempotency else { return Ok(Kept { reply: work().await?, is_replay: false }) };
        if let Some(row) = sql.first::<Row>(SELECT, &[(&asked.key).into(), (now() - IDEMPOTENCY_KEEP).into()])? {
            if row.body_hash != asked.body_digest {
                let message = "This Idempotency-Key was used with another body";
                return Err(Refusal::new(Code::IdempotencyMismatch, message).into());
            }
            let reply = gastown_core::json::from_str(&row.reply).map_err(|e| Fault::new("read a kept reply", e))?;
            return Ok(Kept { reply, is_replay: true });
        }
        if !self.0.borrow_mut().insert(asked.key.clone()) {
            let message = "The first request with this Idempotency-Key still runs";
            return Err(Refusal::new(Code::IdempotencyInProgress, message).retry_after(1).into());
        }
        let result = work().await;
        self.0.borrow_mut().remove(&asked.key);
        let reply = result?;
        let text = gastown_core::json::to_string(&reply).map_err(|e| Fault::new("keep a reply", e))?;
        sql.run(PRUNE, &[(now() - IDEMPOTENCY_KEEP).into()])?;
        sql.run(PUT, &[(&asked.key).into(), (&asked.body_digest).into(), text.into(), now().into()])?;
        Ok(Kept { reply, is_replay: false })
    }
}

/// How often subjects call; in memory, because a bucket that is forgotten is a full one.
#[derive(Debug, Default)]
pub struct Buckets(SortedMap<String, Bucket>);

impl Buckets {
    /// Takes a token of this subject, or refuses with the time to wait.
    pub fn take(&mut self, subject: String, rate: Rate, now: Timestamp) -> Result<()> {
        self.0.retain(|_, bucket| !bucket.is_full(now));
        let wait = match self.0.get_or_insert_with(subject, Bucket::default).take(rate, now) {
            Ok(()) => return Ok(()),
            Err(wait) => wait,
        };
        let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        Err(Refusal::new(Code::RateLimited, "Too many calls of this kind; wait a moment").retry_after(seconds).into())
    }
}

/// FNV-1a in 128 bits: tells bodies and keys of one caller apart; nothing depends on it in secret.
pub fn digest(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}
