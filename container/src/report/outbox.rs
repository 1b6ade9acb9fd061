//! Facts and outcomes of one town, on disk before anyone sees what they speak of, sent in order, removed when answered
//! (container.md 9.3). While one call is under way more items gather, so that batches form by themselves.

use std::collections::VecDeque;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gastown_core::id::InstanceId;
use gastown_core::wire::report::{Fact, Facts, FactsReply, ItemStatus, Outcome, Outcomes, OutcomesReply};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use crate::limits;
use crate::secret::Redactor;
use crate::worker::{CallError, WorkerClient};

/// One thing to report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// A fact.
    Fact(Fact),
    /// How a session ended.
    Outcome(Outcome),
}

/// The queue and its file.
pub struct Outbox {
    queue: Mutex<Queue>,
    added: Notify,
    empty: watch::Sender<bool>,
    redactor: Arc<Redactor>,
}

struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    path: PathBuf,
}

/// How the sending ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendEnd {
    /// Another runtime owns the town; nothing more may be sent.
    Superseded,
}

/// What sessions are told when a fact or an outcome was answered.
pub trait Answers: Send + Sync {
    /// The Worker says that this session is over.
    fn stale(&self, item: &Item);
}

impl Outbox {
    /// Opens the file; what was not acknowledged in an earlier life is sent first.
    pub fn open(path: PathBuf, redactor: Arc<Redactor>) -> Self {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let items: VecDeque<Item> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let (empty, _) = watch::channel(items.is_empty());
        let queue = Mutex::new(Queue { items, bytes: text.len(), path });
        Self { queue, added: Notify::new(), empty, redactor }
    }

    /// Appends an item; on disk when this returns, as far as the disk allows.
    pub fn push(&self, item: Item) {
        let Some(item) = self.redacted(item) else { return };
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let line = serde_json::to_string(&item).unwrap_or_default();
        queue.bytes += line.len() + 1;
        if let Err(error) = append(&queue.path, &line) {
            tracing::error!(error = %error, "the outbox could not be written; the report stays in memory");
        }
        queue.items.push_back(item);
        if queue.bytes > limits::OUTBOX_BYTES_MAX {
            queue.shed();
        }
        self.empty.send_replace(false);
        drop(queue);
        self.added.notify_one();
    }

    /// Waits until everything was answered, at most this long; whether it was.
    pub async fn flushed(&self, limit: Duration) -> bool {
        let mut empty = self.empty.subscribe();
        tokio::time::timeout(limit, empty.wait_for(|empty| *empty)).await.is_ok()
    }

    /// Sends for ever; returns only when nothing more may be sent.
    pub async fn send_all(&self, worker: &WorkerClient, instance: InstanceId, answers: &dyn Answers) -> SendEnd {
        let mut failures = 0u32;
        loop {
            let batch = self.batch();
            if batch.is_empty() {
                self.added.notified().await;
                continue;
            }
            match send(worker, instance, &batch, answers).await {
                Ok(()) => {
                    failures = 0;
                    self.remove(batch.len());
                }
                Err(error) if error.code() == Some("instance_superseded") => return SendEnd::Superseded,
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "reports could not be sent");
                    // A body that the Worker cannot read will not get better; one bad item must not block the rest.
                    if matches!(&error, CallError::Refused { status, .. } if status.as_u16() == 400) {
                        self.remove(batch.len().min(1));
                    }
                    tokio::time::sleep(backoff(failures)).await;
                    failures += 1;
                }
            }
        }
    }

    /// The oldest items of one kind.
    fn batch(&self) -> Vec<Item> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = queue.items.front() else { return Vec::new() };
        let (is_fact, most) = match first {
            Item::Fact(_) => (true, limits::FACTS_PER_CALL),
            Item::Outcome(_) => (false, limits::OUTCOMES_PER_CALL),
        };
        queue.items.iter().take_while(|item| matches!(item, Item::Fact(_)) == is_fact).take(most).cloned().collect()
    }

    fn remove(&self, count: usize) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.items.drain(..count);
        queue.rewrite();
        self.empty.send_replace(queue.items.is_empty());
    }

    fn redacted(&self, item: Item) -> Option<Item> {
        let mut value = serde_json::to_value(&item).ok()?;
        self.redactor.redact_json(&mut value);
        serde_json::from_value(value).ok()
    }
}

impl Queue {
    /// Over the limit, old phase facts go first: the newest one says more.
    fn shed(&mut self) {
        use gastown_core::wire::report::FactBody;
        self.items.retain(|item| !matches!(item, Item::Fact(Fact { body: FactBody::Phase { .. }, .. })));
        self.rewrite();
    }

    fn rewrite(&mut self) {
        let text: String =
            self.items.iter().filter_map(|item| serde_json::to_string(item).ok()).map(|line| line + "\n").collect();
        self.bytes = text.len();
        let new = self.path.with_extension("new");
        let written = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &self.path));
        if let Err(error) = written {
            tracing::error!(error = %error, "the outbox could not be rewritten");
        }
    }
}

async fn send(
    worker: &WorkerClient,
    instance_id: InstanceId,
    batch: &[Item],
    answers: &dyn Answers,
) -> Result<(), CallError> {
    let facts: Vec<Fact> =
        batch.iter().filter_map(|item| if let Item::Fact(fact) = item { Some(fact.clone()) } else { None }).collect();
    if !facts.is_empty() {
        let reply: FactsReply = worker.post("runtime/facts", &Facts { instance_id, facts }).await?;
        for result in &reply.results {
            let item = batch.iter().find(|item| matches!(item, Item::Fact(fact) if fact.fact_id == result.fact_id));
            judge(item, result.status, result.code.as_deref(), answers);
        }
        return Ok(());
    }
    let outcomes: Vec<Outcome> = batch
        .iter()
        .filter_map(|item| if let Item::Outcome(outcome) = item { Some(outcome.clone()) } else { None })
        .collect();
    let reply: OutcomesReply = worker.post("runtime/outcomes", &Outcomes { instance_id, outcomes }).await?;
    for result in &reply.results {
        let item = batch.iter().find(|item| matches!(item, Item::Outcome(outcome) if outcome.key == result.key));
        judge(item, result.status, result.code.as_deref(), answers);
    }
    Ok(())
}

fn judge(item: Option<&Item>, status: ItemStatus, code: Option<&str>, answers: &dyn Answers) {
    match (status, item) {
        (ItemStatus::Applied | ItemStatus::Duplicate, _) | (_, None) => (),
        (ItemStatus::Stale, Some(item)) => answers.stale(item),
        (ItemStatus::Rejected, Some(item)) => {
            tracing::error!(code = code.unwrap_or("none"), item = ?item_name(item), "the Worker rejected a report");
        }
    }
}

fn item_name(item: &Item) -> String {
    match item {
        Item::Fact(fact) => format!("fact {}", fact.fact_id),
        Item::Outcome(outcome) => format!("outcome {}", outcome.key),
    }
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    writeln!(file, "{line}")
}

/// 1, 2, 4 … 30 s, up to a quarter more, so that many towns do not come at once.
fn backoff(failures: u32) -> Duration {
    let seconds = 1u64.checked_shl(failures).unwrap_or(u64::MAX).min(30);
    let mut byte = [0u8; 1];
    // Without randomness the waits are merely regular.
    let _regular = getrandom::fill(&mut byte);
    Duration::from_millis(seconds * 1000 + seconds * u64::from(byte[0]))
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use gastown_core::wire::report::{FactBody, Phase};

    use super::*;
    use crate::clock;

    fn fact(phase: Phase) -> Item {
        Item::Fact(Fact {
            fact_id: clock::new_id(),
            at: clock::now(),
            session: None,
            job_id: None,
            rig_id: None,
            body: FactBody::Phase { phase, detail: None },
        })
    }

    #[test]
    fn what_was_not_answered_is_found_after_a_restart() {
        let dir = std::env::temp_dir().join(format!("outbox-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("outbox.jsonl");
        let outbox = Outbox::open(path.clone(), Arc::default());
        outbox.push(fact(Phase::Accepted));
        outbox.push(fact(Phase::Running));
        outbox.remove(1);
        let again = Outbox::open(path, Arc::default());
        let batch = again.batch();
        assert_eq!(batch.len(), 1);
        assert!(matches!(&batch[0], Item::Fact(Fact { body: FactBody::Phase { phase: Phase::Running, .. }, .. })));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
