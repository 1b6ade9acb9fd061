//! kilo's event stream (container.md 5.4): server-sent events become [`Event`]s that say what matters to a session;
//! everything else is dropped here. Reading is pure; the shell feeds bytes in.

use serde_json::Value;

/// What kilo asks a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedKind {
    /// May a tool run?
    Permission,
    /// A question of the model.
    Question,
    /// The network failed; go on?
    Network,
    /// A suggestion.
    Suggestion,
}

/// One open question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What kind.
    pub kind: AskedKind,
    /// Its id.
    pub id: String,
}

/// Something that happened in a session of kilo.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// kilo's session; absent for events of the server.
    pub session: Option<String>,
    /// kilo's own word for it.
    pub name: String,
    /// What it means.
    pub what: What,
}

/// The meaning of an [`Event`].
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The stream lives; no progress.
    Alive,
    /// A turn runs.
    Busy,
    /// No turn runs; real only when it lasts.
    Idle,
    /// The model is asked again later.
    Retrying {
        /// kilo's words.
        message: String,
    },
    /// A turn ended with an error.
    Error {
        /// kilo's name of it.
        name: String,
        /// Its words.
        message: String,
        /// Status of the model's answer, when there was one.
        status: Option<u16>,
    },
    /// A message appeared or changed: role and whether it is the agent's own.
    Message(Value),
    /// A part of a message appeared or changed.
    Part(Value),
    /// Text was added to a part.
    Delta {
        /// The message.
        message_id: String,
        /// The part.
        part_id: String,
        /// The added text.
        text: String,
    },
    /// Files changed.
    Diff(Value),
    /// The conversation was shortened.
    Compacted,
    /// kilo waits for a person.
    Asked(Asked),
    /// The question is closed.
    Answered,
    /// A sub-agent's session began.
    Child {
        /// Its id.
        id: String,
        /// Its parent's id.
        parent: String,
    },
}

impl What {
    /// Whether an agent that sends this moves on.
    pub const fn is_progress(&self) -> bool {
        match self {
            Self::Message(_) | Self::Part(_) | Self::Delta { .. } | Self::Diff(_) | Self::Compacted => true,
            Self::Alive
            | Self::Busy
            | Self::Idle
            | Self::Retrying { .. }
            | Self::Error { .. }
            | Self::Asked(_)
            | Self::Answered
            | Self::Child { .. } => false,
        }
    }
}

/// Cuts a byte stream into events.
#[derive(Default)]
pub struct Reader {
    buffer: Vec<u8>,
}

/// An event longer than this is skipped: a diff of a huge file must not fill memory.
const EVENT_BYTES_MAX: usize = 8 << 20;

impl Reader {
    /// Adds bytes; gives the events that are complete now.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.buffer.extend_from_slice(bytes);
        let mut events = Vec::new();
        let mut from = 0;
        while let Some(length) = self.buffer[from..].iter().position(|byte| *byte == b'\n') {
            let line = &self.buffer[from..from + length];
            events
                .extend(line.strip_prefix(b"data:").and_then(|data| serde_json::from_slice(data).ok()).and_then(read));
            from += length + 1;
        }
        self.buffer.drain(..from);
        if self.buffer.len() > EVENT_BYTES_MAX {
            self.buffer.clear();
        }
        events
    }
}

fn read(value: Value) -> Option<Event> {
    let name = value["type"].as_str()?.to_owned();
    let mut properties = value["properties"].clone();
    let text = |at: &Value| at.as_str().unwrap_or_default().to_owned();
    let mut session = properties["sessionID"].as_str().map(str::to_owned);
    let asked = |kind, id: &Value| Some(What::Asked(Asked { kind, id: id.as_str()?.to_owned() }));
    let what = match name.as_str() {
        "server.connected" | "server.heartbeat" => What::Alive,
        "session.turn.open" => What::Busy,
        "session.idle" => What::Idle,
        "session.status" => status(&properties["status"])?,
        "session.error" => error(&properties["error"]),
        "message.updated" => {
            let info = properties["info"].take();
            session = info["sessionID"].as_str().map(str::to_owned);
            What::Message(info)
        }
        "message.part.updated" => {
            let part = properties["part"].take();
            session = part["sessionID"].as_str().map(str::to_owned);
            What::Part(part)
        }
        "message.part.delta" => What::Delta {
            message_id: text(&properties["messageID"]),
            part_id: text(&properties["partID"]),
            text: text(&properties["delta"]),
        },
        "session.diff" => What::Diff(properties["diff"].take()),
        "todo.updated" => What::Diff(Value::Null),
        "session.compacted" => What::Compacted,
        "permission.asked" => asked(AskedKind::Permission, &properties["id"])?,
        "question.asked" => asked(AskedKind::Question, &properties["id"])?,
        "session.network.asked" => asked(AskedKind::Network, &properties["id"])?,
        "suggestion.shown" => asked(AskedKind::Suggestion, &properties["id"])?,
        "permission.replied" | "question.replied" | "question.rejected" => What::Answered,
        "session.created" => {
            let info = &properties["info"];
            What::Child { id: text(&info["id"]), parent: info["parentID"].as_str()?.to_owned() }
        }
        _ => return None,
    };
    Some(Event { session, name, what })
}

fn status(status: &Value) -> Option<What> {
    match status["type"].as_str()? {
        "busy" => Some(What::Busy),
        "idle" => Some(What::Idle),
        "retry" => Some(What::Retrying { message: status["message"].as_str().unwrap_or_default().to_owned() }),
        _ => None,
    }
}

fn error(error: &Value) -> What {
    let data = &error["data"];
    What::Error {
        name: error["name"].as_str().unwrap_or("UnknownError").to_owned(),
        message: data["message"].as_str().unwrap_or_default().to_owned(),
        status: data["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<What>) {
        let mut reader = Reader::default();
        let events = reader.feed(format!("data: {line}\n\n").as_bytes());
        assert_eq!(events.into_iter().next().map(|event| event.what), expected, "{line}");
    }

    #[test]
    fn events_of_the_real_server_are_read() {
        check(r#"{"type":"server.connected","properties":{}}"#, Some(What::Alive));
        check(r#"{"type":"session.status","properties":{"sessionID":"s","status":{"type":"busy"}}}"#, Some(What::Busy));
        check(r#"{"type":"session.status","properties":{"sessionID":"s","status":{"type":"idle"}}}"#, Some(What::Idle));
        check(
            r#"{"type":"session.status","properties":{"sessionID":"s","status":{"type":"retry","attempt":1,"message":"busy","next":1}}}"#,
            Some(What::Retrying { message: "busy".to_owned() }),
        );
        check(r#"{"type":"session.turn.close","properties":{"sessionID":"s","reason":"completed"}}"#, None);
        check(
            r#"{"type":"message.part.delta","properties":{"sessionID":"s","messageID":"m","partID":"p","field":"text","delta":"Hi"}}"#,
            Some(What::Delta { message_id: "m".to_owned(), part_id: "p".to_owned(), text: "Hi".to_owned() }),
        );
        check(
            r#"{"type":"session.error","properties":{"sessionID":"s","error":{"name":"APIError","data":{"message":"no","statusCode":503}}}}"#,
            Some(What::Error { name: "APIError".to_owned(), message: "no".to_owned(), status: Some(503) }),
        );
        check(r#"{"type":"file.watcher.updated","properties":{}}"#, None);
        check("not json", None);
    }

    #[test]
    fn an_event_may_come_in_pieces() {
        let mut reader = Reader::default();
        assert!(reader.feed(b"data: {\"type\":\"session.idle\",\"prop").is_empty());
        let events = reader.feed(b"erties\":{\"sessionID\":\"s\"}}\n\n");
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].session.as_deref(), Some("s"));
    }

    #[test]
    fn a_part_names_its_session_inside() {
        let mut reader = Reader::default();
        let events =
            reader.feed(b"data: {\"type\":\"message.part.updated\",\"properties\":{\"part\":{\"sessionID\":\"x\"}}}\n");
        assert_eq!(events[0].session.as_deref(), Some("x"));
        assert!(events[0].what.is_progress());
    }
}
