//! The transcript of a session (container.md 9.4, api.md 6.3): kilo's events become numbered, bounded events that the
//! Worker stores and shows. A ring per session; when it overflows, deltas go first, then the oldest. Nothing here ever
//! holds an agent up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use gastown_core::text::cut;
use gastown_core::time::Timestamp;
use gastown_core::wire::control::MessageSource;
use gastown_core::wire::report::{EventBatch, EventBatches, EventsReply, TranscriptEvent};
use serde_json::{Value, json};

use crate::broker::meter::Totals;
use crate::clock;
use crate::fleet::Session;
use crate::kilo::events::{Event, What};
use crate::limits;
use crate::report::outbox::chain;
use crate::town::Town;

/// A text that grows is sent whole this often; between, only what was added.
const PART_WHOLE: Duration = Duration::from_secs(2);
/// Totals are shown this often.
const USAGE_EVERY: Duration = Duration::from_secs(5);
/// Longest summary of a tool's input, in characters.
const INPUT_MAX: usize = 300;
/// Longest tail of a tool's output, in bytes.
const OUTPUT_MAX: usize = 4 << 10;
/// Longest text of a part that is kept.
const TEXT_MAX: usize = 64 << 10;

/// Events of one session that were not stored yet.
#[derive(Default)]
pub struct Ring {
    events: VecDeque<(u64, TranscriptEvent)>,
    last_seq: u64,
    dropped: Option<(u64, u64)>,
    messages: BTreeSet<String>,
    user_messages: BTreeSet<String>,
    parts: BTreeMap<String, Growing>,
    tools: BTreeMap<String, String>,
    source: Option<MessageSource>,
    usage_at: Option<Timestamp>,
    usage_requests: u64,
}

#[derive(Default)]
struct Growing {
    message_id: String,
    kind: &'static str,
    text: String,
    whole_at: Option<Timestamp>,
}

impl Ring {
    /// Adds an event.
    pub fn push(&mut self, kind: &str, data: Value, at: Timestamp) {
        self.append(kind, data, at);
        if self.events.len() > limits::EVENT_RING {
            self.shed();
        }
    }

    fn append(&mut self, kind: &str, data: Value, at: Timestamp) {
        self.last_seq += 1;
        self.events.push_back((self.last_seq, TranscriptEvent { kind: kind.to_owned(), at, data }));
    }

    /// Numbers have no gaps, so the event that goes is replaced by nothing and the gap is told by the next batch.
    fn shed(&mut self) {
        let delta = self.events.iter().position(|(_, event)| event.kind == "part.delta").unwrap_or(0);
        if let Some((seq, _)) = self.events.remove(delta) {
            self.dropped = Some(self.dropped.map_or((seq, seq), |(from, to)| (from.min(seq), to.max(seq))));
        }
    }

    /// The next user message comes from here.
    pub fn expect_source(&mut self, source: MessageSource) {
        self.source = Some(source);
    }

    /// Takes an event of the root session.
    pub fn see(&mut self, event: &Event, now: Timestamp) {
        match &event.what {
            What::Message(info) => self.see_message(info, now),
            What::Part(part) => self.see_part(part, now),
            What::Delta { message_id, part_id, text } => self.see_delta(message_id, part_id, text, now),
            What::Diff(diff) => self.see_diff(diff, now),
            What::Compacted => self.push("session", json!({ "state": "compacted", "detail": null }), now),
            What::Alive
            | What::Busy
            | What::Idle
            | What::Retrying { .. }
            | What::Error { .. }
            | What::Asked(_)
            | What::Answered
            | What::Child { .. } => (),
        }
    }

    fn see_message(&mut self, info: &Value, now: Timestamp) {
        let (Some(id), Some(role)) = (info["id"].as_str(), info["role"].as_str()) else { return };
        if !self.messages.insert(id.to_owned()) {
            return;
        }
        if role == "user" {
            self.user_messages.insert(id.to_owned());
        }
        let source = match self.source.take() {
            Some(MessageSource::User) => "person",
            Some(MessageSource::Mail) => "mail",
            Some(MessageSource::Nudge) => "nudge",
            Some(MessageSource::Escalation | MessageSource::System) | None => "prompt",
        };
        self.push("message", json!({ "message_id": id, "role": role, "source": source }), now);
    }

    fn see_part(&mut self, part: &Value, now: Timestamp) {
        let text = |at: &Value| at.as_str().unwrap_or_default().to_owned();
        let (part_id, message_id) = (text(&part["id"]), text(&part["messageID"]));
        match part["type"].as_str() {
            Some("tool") => self.see_tool(part, now),
            Some(kind @ ("text" | "reasoning")) => {
                let kind = if kind == "text" { "text" } else { "reasoning" };
                let is_whole = !part["time"]["end"].is_null() || self.user_messages.contains(&message_id);
                let growing = self.parts.entry(part_id.clone()).or_default();
                (growing.message_id, growing.kind) = (message_id, kind);
                growing.text = cut(part["text"].as_str().unwrap_or_default(), TEXT_MAX);
                if is_whole {
                    self.push_whole(&part_id, now);
                    self.parts.remove(&part_id);
                }
            }
            Some(_) | None => (),
        }
    }

    fn push_whole(&mut self, part_id: &str, now: Timestamp) {
        let Some(growing) = self.parts.get_mut(part_id) else { return };
        growing.whole_at = Some(now);
        let data =
            json!({ "part_id": part_id, "message_id": growing.message_id, "kind": growing.kind, "text": growing.text });
        self.push("part", data, now);
    }

    fn see_delta(&mut self, message_id: &str, part_id: &str, added: &str, now: Timestamp) {
        let growing = self.parts.entry(part_id.to_owned()).or_default();
        growing.message_id = message_id.to_owned();
        if growing.kind.is_empty() {
            growing.kind = "text";
        }
        let offset = growing.text.chars().count();
        if growing.text.len() + added.len() > TEXT_MAX {
            return;
        }
        growing.text.push_str(added);
        let began = *growing.whole_at.get_or_insert(now);
        if now.since(began) >= PART_WHOLE {
            return self.push_whole(part_id, now);
        }
        if let Some((_, last)) = self.events.back_mut()
            && last.kind == "part.delta"
            && last.data["part_id"] == part_id
            && let Some(text) = last.data["text"].as_str()
        {
            last.data["text"] = json!(format!("{text}{added}"));
            return;
        }
        self.push("part.delta", json!({ "part_id": part_id, "offset": offset, "text": added }), now);
    }

    fn see_tool(&mut self, part: &Value, now: Timestamp) {
        let state = &part["state"];
        let (Some(call), Some(word)) = (part["callID"].as_str(), state["status"].as_str()) else { return };
        if self.tools.get(call).is_some_and(|known| known == word) {
            return;
        }
        self.tools.insert(call.to_owned(), word.to_owned());
        let at = |value: &Value| value.as_i64().map(Timestamp::from_ms);
        let data = json!({
            "call_id": call,
            "tool": part["tool"],
            "state": word,
            "title": state["title"].as_str().or(part["tool"].as_str()),
            "input_summary": cut(&state["input"].to_string(), INPUT_MAX),
            "output_tail": tail(state["output"].as_str().unwrap_or_default(), OUTPUT_MAX),
            "error": state["error"],
            "started_at": at(&state["time"]["start"]),
            "ended_at": at(&state["time"]["end"]),
        });
        self.push("tool", data, now);
        if matches!(word, "completed" | "error") {
            self.tools.remove(call);
        }
    }

    fn see_diff(&mut self, diff: &Value, now: Timestamp) {
        let files = diff.as_array().filter(|files| !files.is_empty());
        let Some(files) = files else { return };
        let files: Vec<Value> = files
            .iter()
            .map(|file| json!({ "path": file["file"], "added": file["additions"], "removed": file["deletions"] }))
            .collect();
        self.push("diff", json!({ "files": files }), now);
    }

    /// Shows the totals when they changed, not too often.
    fn note_usage(&mut self, totals: &Totals, now: Timestamp) {
        let is_due = self.usage_at.is_none_or(|at| now.since(at) >= USAGE_EVERY);
        if totals.requests == self.usage_requests || !is_due {
            return;
        }
        (self.usage_at, self.usage_requests) = (Some(now), totals.requests);
        let data = json!({ "tokens": totals.tokens, "cost_usd": totals.cost_usd(), "context_used_percent": null });
        self.push("usage", data, now);
    }

    /// The oldest events, as many as one call may carry and as have consecutive numbers.
    fn batch(&mut self) -> Option<(u64, Vec<TranscriptEvent>)> {
        if let Some((from, to)) = self.dropped.take() {
            // One more than the ring holds: the mark must not push out what it stands for.
            self.append("session", json!({ "state": "busy", "detail": format!("gap {from}–{to}") }), clock::now());
        }
        let first = self.events.front()?.0;
        let run = self.events.iter().enumerate().take_while(|(at, (seq, _))| *seq == first + *at as u64);
        let events: Vec<_> = run.map(|(_, (_, event))| event.clone()).take(limits::EVENTS_PER_CALL).collect();
        Some((first, events))
    }

    fn acknowledge(&mut self, below: u64) {
        while self.events.front().is_some_and(|(seq, _)| *seq < below) {
            self.events.pop_front();
        }
    }
}

impl Session {
    /// The transcript, to add to.
    pub fn transcript(&self) -> MutexGuard<'_, Ring> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tail(text: &str, max: usize) -> &str {
    let mut from = text.len().saturating_sub(max);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

/// Sends transcripts until the town is detached.
pub async fn run(town: Arc<Town>) {
    let mut pause = limits::EVENT_FLUSH;
    let mut state = town.state.subscribe();
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => (),
            () = super::heartbeat::detached(&mut state) => return,
        }
        pause = match flush(&town).await {
            Ok(()) => limits::EVENT_FLUSH,
            Err(error) => {
                tracing::debug!(error = %chain(&error), "transcripts could not be sent");
                (pause * 2).min(PAUSE_MAX)
            }
        };
    }
}

const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Sends what waits, one call.
pub async fn flush(town: &Arc<Town>) -> Result<(), crate::worker::CallError> {
    let mut batches = Vec::new();
    let mut senders = Vec::new();
    for session in town.sessions() {
        let totals = session.totals();
        let mut ring = session.transcript();
        ring.note_usage(&totals, clock::now());
        let Some((first_seq, mut events)) = ring.batch() else { continue };
        drop(ring);
        events.iter_mut().for_each(|event| town.runtime.redactor.redact_json(&mut event.data));
        let reference = session.reference;
        let count = events.len() as u64;
        batches.push(EventBatch {
            agent_id: reference.agent_id,
            rig_id: reference.rig_id,
            assignment_id: reference.assignment_id,
            epoch: reference.epoch,
            first_seq,
            events,
        });
        senders.push((session, first_seq + count));
    }
    if batches.is_empty() {
        return Ok(());
    }
    let body = EventBatches { instance_id: town.runtime.instance_id, batches };
    let _reply: EventsReply = town.worker.post("runtime/events", &body).await?;
    for (session, next) in senders {
        session.transcript().acknowledge(next);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(ring: &Ring) -> Vec<&str> {
        ring.events.iter().map(|(_, event)| event.kind.as_str()).collect()
    }

    #[test]
    fn growing_text_is_coalesced_and_then_whole() {
        let mut ring = Ring::default();
        let now = Timestamp::from_ms(1000);
        ring.see_delta("m", "p", "Hel", now);
        ring.see_delta("m", "p", "lo", now);
        assert_eq!(ring.events[0].1.data["text"], "Hello");
        ring.see_part(&json!({"id":"p","messageID":"m","type":"text","text":"Hello","time":{"end":1}}), now);
        assert_eq!(kinds(&ring), ["part.delta", "part"]);
    }

    #[test]
    fn a_tool_is_told_once_per_state() {
        let mut ring = Ring::default();
        for word in ["pending", "running", "running", "completed"] {
            let state = json!({ "status": word, "input": { "command": "ls" }, "output": "x" });
            ring.see_tool(&json!({ "callID": "c", "tool": "bash", "state": state }), Timestamp::from_ms(0));
        }
        assert_eq!(kinds(&ring), ["tool", "tool", "tool"]);
    }

    #[test]
    fn an_overflow_loses_deltas_first_and_says_so() {
        let mut ring = Ring::default();
        let now = Timestamp::from_ms(0);
        ring.push("message", json!({}), now);
        ring.push("part.delta", json!({}), now);
        for _ in 0..limits::EVENT_RING - 1 {
            ring.push("tool", json!({}), now);
        }
        assert_eq!(ring.events.len(), limits::EVENT_RING);
        assert_eq!(ring.events[0].1.kind, "message");
        let (first, events) = ring.batch().unwrap();
        assert_eq!((first, events.len()), (1, 1));
        assert_eq!(ring.events.back().unwrap().1.data["detail"], "gap 2–2");
    }
}
