//! Messages for one agent, exactly once (container.md 6.6). A message is on disk before it is acknowledged; ids that
//! the agent has had are remembered, and a known id is never sent again. Order: urgent first, then arrival.

use std::collections::VecDeque;
use std::io::Write as _;
use std::path::PathBuf;

use gastown_core::wire::control::{Deliver, Message, MessagePriority};

use crate::limits;

/// Ids of messages that an agent has had.
#[derive(Debug, Clone, Default)]
pub struct MessageMemory {
    ids: VecDeque<String>,
}

impl MessageMemory {
    /// Remembers an id.
    pub fn add(&mut self, id: &str) {
        if self.contains(id) {
            return;
        }
        if self.ids.len() == limits::MESSAGE_MEMORY {
            self.ids.pop_front();
        }
        self.ids.push_back(id.to_owned());
    }

    /// Whether the agent has had it.
    pub fn contains(&self, id: &str) -> bool {
        self.ids.iter().any(|known| known == id)
    }
}

/// What became of a message that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Waits now, or waited already.
    Queued,
    /// Delivered earlier.
    Delivered,
    /// No room.
    Full,
}

/// Messages that wait for one session.
#[derive(Debug, Default)]
pub struct Inbox {
    waiting: Vec<(u64, Message)>,
    arrived: u64,
    file: Option<PathBuf>,
}

impl Inbox {
    /// An inbox that also writes to `file`.
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { file, ..Self::default() }
    }

    /// Takes a message.
    pub fn add(&mut self, message: Message, memory: &MessageMemory) -> Arrival {
        if memory.contains(&message.message_id) {
            return Arrival::Delivered;
        }
        if self.waiting.iter().any(|(_, waiting)| waiting.message_id == message.message_id) {
            return Arrival::Queued;
        }
        if self.waiting.len() >= limits::INBOX_MAX {
            return Arrival::Full;
        }
        self.write(&message);
        self.arrived += 1;
        self.waiting.push((self.arrived, message));
        self.waiting.sort_by_key(|(arrived, message)| (message.priority != MessagePriority::Urgent, *arrived));
        Arrival::Queued
    }

    /// What can be sent: everything when the session is idle, else what may enter a running turn.
    pub fn due(&self, is_idle: bool) -> Vec<Message> {
        let fits = |message: &&Message| is_idle || message.deliver == Deliver::Now;
        self.waiting.iter().map(|(_, message)| message).filter(fits).cloned().collect()
    }

    /// Takes out what was delivered; the ids that were waiting.
    pub fn remove(&mut self, ids: &[String]) -> Vec<String> {
        let (gone, kept) = self.waiting.drain(..).partition(|(_, message)| ids.contains(&message.message_id));
        self.waiting = kept;
        let gone: Vec<(u64, Message)> = gone;
        gone.into_iter().map(|(_, message)| message.message_id).collect()
    }

    /// All that waits, for a session that takes over.
    pub fn take_all(&mut self) -> Vec<Message> {
        self.waiting.drain(..).map(|(_, message)| message).collect()
    }

    fn write(&self, message: &Message) {
        let Some(path) = &self.file else { return };
        let line = serde_json::to_string(message).unwrap_or_default();
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        if let Err(error) = file.and_then(|mut file| writeln!(file, "{line}")) {
            tracing::error!(error = %error, "the inbox could not be written; the message stays in memory");
        }
    }
}

#[cfg(test)]
mod tests {
    use gastown_core::wire::control::MessageSource;

    use super::*;

    fn message(id: &str, deliver: Deliver, priority: MessagePriority) -> Message {
        Message {
            message_id: id.to_owned(),
            source: MessageSource::Mail,
            deliver,
            priority,
            text: id.to_owned(),
            ui_context: None,
        }
    }

    fn ids(messages: &[Message]) -> Vec<&str> {
        messages.iter().map(|message| message.message_id.as_str()).collect()
    }

    #[test]
    fn urgent_ones_come_first_and_idle_ones_wait() {
        let (mut inbox, memory) = (Inbox::new(None), MessageMemory::default());
        inbox.add(message("a", Deliver::Idle, MessagePriority::Normal), &memory);
        inbox.add(message("b", Deliver::Now, MessagePriority::Normal), &memory);
        inbox.add(message("c", Deliver::Now, MessagePriority::Urgent), &memory);
        assert_eq!(ids(&inbox.due(false)), ["c", "b"]);
        assert_eq!(ids(&inbox.due(true)), ["c", "a", "b"]);
    }

    #[test]
    fn a_known_id_is_never_queued_again() {
        let (mut inbox, mut memory) = (Inbox::new(None), MessageMemory::default());
        let one = message("a", Deliver::Now, MessagePriority::Normal);
        assert_eq!(inbox.add(one.clone(), &memory), Arrival::Queued);
        assert_eq!(inbox.add(one.clone(), &memory), Arrival::Queued);
        assert_eq!(inbox.due(true).len(), 1);
        assert_eq!(inbox.remove(&["a".to_owned()]), ["a"]);
        memory.add("a");
        assert_eq!(inbox.add(one, &memory), Arrival::Delivered);
        assert!(inbox.due(true).is_empty());
    }

    #[test]
    fn a_full_inbox_says_so() {
        let (mut inbox, memory) = (Inbox::new(None), MessageMemory::default());
        for at in 0..limits::INBOX_MAX {
            inbox.add(message(&at.to_string(), Deliver::Idle, MessagePriority::Normal), &memory);
        }
        assert_eq!(inbox.add(message("more", Deliver::Idle, MessagePriority::Normal), &memory), Arrival::Full);
    }
}
