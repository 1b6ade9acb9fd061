//! Between the agent and the world: messages into the session, exactly once (container.md 6.6); events out of it, into
//! status and transcript; and what an error of a turn means (container.md 6.5).

use std::sync::PoisonError;
use std::time::Duration;

use gastown_core::time::Timestamp;
use gastown_core::wire::control::{Deliver, Message, MessagePriority, MessageSource};
use gastown_core::wire::report::{ErrorKind, FactBody};
use serde_json::Value;
use tokio::time::Instant;

use super::actor::{Actor, is_recent};
use super::inbox::{Arrival, MessageMemory};
use super::machine::{Activity, Input, State};
use super::session::Session;
use crate::broker::llm::Failure;
use crate::clock;
use crate::kilo::client::{PromptPart, message_ids};
use crate::kilo::events::{Event, What};
use crate::report::outbox::chain;
use crate::town::Town;

/// Wait before a delivery is tried again.
const DELIVER_RETRY: Duration = Duration::from_secs(2);
/// Newest messages of a session in which lost deliveries are looked for.
const HISTORY: u32 = 50;

impl Actor {
    /// Sends what is due as one prompt; what was sent is marked only after kilo accepted it.
    pub(super) async fn deliver(&mut self) {
        let State::Ready(activity) = *self.machine.state() else { return };
        let Some(kilo) = self.kilo.clone() else { return };
        if self.check_history {
            match kilo.client.messages(&kilo.session_id, HISTORY).await {
                Ok(messages) => self.mark(&message_ids(&messages)),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the conversation could not be read");
                    self.deliver_at = Some(Instant::now() + DELIVER_RETRY);
                    return;
                }
            }
            self.check_history = false;
        }
        let due = self.session.inbox.lock().unwrap_or_else(PoisonError::into_inner).due(activity == Activity::Idle);
        if due.is_empty() {
            return;
        }
        let parts: Vec<PromptPart> = due.iter().map(part).collect();
        self.session.transcript().expect_source(due[0].source);
        match kilo.client.prompt(&kilo.session_id, &parts, false).await {
            Ok(()) => {
                let ids: Vec<String> = due.into_iter().map(|message| message.message_id).collect();
                self.mark(&ids);
                self.feed(Input::Activity(Activity::Busy)).await;
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "messages could not be delivered");
                // Its answer may be lost: look for the ids before the next try.
                self.check_history = true;
                self.deliver_at = Some(Instant::now() + DELIVER_RETRY);
            }
        }
    }

    /// These messages are in the conversation: remember them, and tell the Worker about its own.
    fn mark(&self, ids: &[String]) {
        let gone = self.session.inbox.lock().unwrap_or_else(PoisonError::into_inner).remove(ids);
        let agent = self.session.reference.agent_id;
        {
            let mut memory = self.town.memory.lock().unwrap_or_else(PoisonError::into_inner);
            let memory: &mut MessageMemory = memory.entry(agent).or_default();
            ids.iter().for_each(|id| memory.add(id));
        }
        let own = format!("{}:", self.session.reference.assignment_id);
        let message_ids: Vec<String> = gone.into_iter().filter(|id| !id.starts_with(&own)).collect();
        if !message_ids.is_empty() {
            self.town.report(self.session.reference, FactBody::Delivered { message_ids });
        }
    }

    /// A message of the runtime itself, into the running turn.
    pub(super) async fn say(&mut self, what: &str, text: &str) {
        self.own_messages += 1;
        let message = Message {
            message_id: format!("{}:{what}:{}", self.session.reference.assignment_id, self.own_messages),
            source: MessageSource::System,
            deliver: Deliver::Now,
            priority: MessagePriority::Urgent,
            text: text.to_owned(),
            ui_context: None,
        };
        self.session.inbox.lock().unwrap_or_else(PoisonError::into_inner).add(message, &MessageMemory::default());
        self.deliver().await;
    }

    /// After a restart in place: an agent whose turn was cut goes on; one whose first prompt was lost gets it again.
    pub(super) async fn say_interrupted(&mut self) {
        let text = "You were cut off. Look at the state of the work (git status, git log), then go on.";
        self.say("interrupted", text).await;
    }
}

/// Takes a message for a session: on disk before it is acknowledged.
pub fn receive(town: &Town, session: &Session, message: Message) -> Arrival {
    let agent = session.reference.agent_id;
    let memory = town.memory.lock().unwrap_or_else(PoisonError::into_inner).get(&agent).cloned().unwrap_or_default();
    session.inbox.lock().unwrap_or_else(PoisonError::into_inner).add(message, &memory)
}

fn part(message: &Message) -> PromptPart {
    let text = match &message.ui_context {
        Some(context) => format!("{}\n\n{context}", message.text),
        None => message.text.clone(),
    };
    PromptPart { message_id: message.message_id.clone(), text }
}

/// Keeps status and transcript current.
pub(super) fn note(session: &Session, event: &Event, is_root: bool, now: Timestamp) {
    {
        let mut status = session.status();
        if event.what != What::Alive {
            status.last_event = Some((event.name.clone(), now));
        }
        if event.what.is_progress() {
            status.last_progress = Some(now);
        }
        if let What::Part(part) = &event.what {
            note_tool(&mut status.tool, part, now);
        }
        if let What::Message(info) = &event.what
            && is_root
            && info["time"]["completed"].is_null()
            && info["summary"].is_null()
        {
            status.messages += 1;
        }
    }
    if is_root {
        session.transcript().see(event, now);
    }
}

fn note_tool(tool: &mut Option<(String, Timestamp)>, part: &Value, now: Timestamp) {
    let (Some(name), Some(state)) = (part["tool"].as_str(), part["state"]["status"].as_str()) else { return };
    match state {
        "running" if tool.as_ref().is_none_or(|(running, _)| running != name) => *tool = Some((name.to_owned(), now)),
        "completed" | "error" => *tool = None,
        _ => (),
    }
}

/// What an error of a turn means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The answer was cut by its length.
    TooLong,
    /// Kind, words, and how long the gateway wants to be left alone.
    Error(ErrorKind, String, Option<u64>),
}

/// The proxy saw the gateway's own answer, so its word wins over kilo's. Nothing is an abort of our own.
pub fn classify(name: &str, message: &str, status: Option<u16>, seen: Option<Failure>) -> Option<Verdict> {
    if name == "MessageAbortedError" {
        return None;
    }
    if name == "MessageOutputLengthError" {
        return Some(Verdict::TooLong);
    }
    if name == "ContextOverflowError" {
        return Some(Verdict::Error(ErrorKind::ContextOverflow, message.to_owned(), None));
    }
    if let Some(seen) = seen.filter(|seen| is_recent(seen.at, clock::now())) {
        return Some(Verdict::Error(seen.kind, seen.message, seen.retry_after_s));
    }
    let kind = match (name, status) {
        ("ProviderAuthError", _) | (_, Some(401 | 403)) => ErrorKind::Auth,
        (_, Some(402)) => ErrorKind::Quota,
        (_, Some(429)) => ErrorKind::RateLimited,
        (_, Some(413)) => ErrorKind::ContextOverflow,
        (_, Some(424 | 500..=599)) => ErrorKind::Provider,
        ("ProviderModelNotFoundError", _) => ErrorKind::Config,
        _ if message.contains("Model not found") => ErrorKind::Config,
        _ => ErrorKind::Internal,
    };
    let message = if message.is_empty() { name } else { message };
    Some(Verdict::Error(kind, message.to_owned(), None))
}

/// Watches for one call that is made again and again (container.md 6.7).
#[derive(Default)]
pub(super) struct Repeats {
    newest_call: String,
    newest: String,
    count: u32,
    warned: bool,
}

/// The same tool with the same input this often in a row.
const REPEATS_MAX: u32 = 6;

impl Repeats {
    /// Sees a part; when the limit is reached, whether it is the second time.
    pub(super) fn see(&mut self, part: &Value) -> Option<bool> {
        let (tool, call) = (part["tool"].as_str()?, part["callID"].as_str()?);
        if part["state"]["status"] != "running" || call == self.newest_call {
            return None;
        }
        self.newest_call = call.to_owned();
        let what = format!("{tool} {}", part["state"]["input"]);
        self.count = if what == self.newest { self.count + 1 } else { 1 };
        self.newest = what;
        if self.count < REPEATS_MAX {
            return None;
        }
        self.count = 0;
        Some(std::mem::replace(&mut self.warned, true))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(name: &str, message: &str, status: Option<u16>, expected: ErrorKind) {
        let verdict = classify(name, message, status, None);
        assert!(matches!(verdict, Some(Verdict::Error(kind, ..)) if kind == expected), "{name}: {verdict:?}");
    }

    #[test]
    fn errors_have_their_kinds() {
        check("ProviderAuthError", "", None, ErrorKind::Auth);
        check("APIError", "", Some(401), ErrorKind::Auth);
        check("APIError", "", Some(402), ErrorKind::Quota);
        check("APIError", "", Some(429), ErrorKind::RateLimited);
        check("APIError", "", Some(503), ErrorKind::Provider);
        check("ContextOverflowError", "", None, ErrorKind::ContextOverflow);
        check("UnknownError", "Model not found: x", None, ErrorKind::Config);
        check("UnknownError", "boom", None, ErrorKind::Internal);
        assert_eq!(classify("MessageAbortedError", "", None, None), None);
        assert_eq!(classify("MessageOutputLengthError", "", None, None), Some(Verdict::TooLong));
    }

    #[test]
    fn the_sixth_equal_call_is_noticed_and_the_twelfth_is_the_second_time() {
        let mut repeats = Repeats::default();
        let mut seen = Vec::new();
        for call in 0..12 {
            let state = json!({ "status": "running", "input": { "command": "ls" } });
            let part = json!({ "tool": "bash", "callID": call.to_string(), "state": state });
            seen.extend(repeats.see(&part));
            assert_eq!(repeats.see(&part), None);
        }
        assert_eq!(seen, [false, true]);
    }
}
