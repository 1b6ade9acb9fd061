//! The mayor's conversation (api.md 4, **MayorMessage**): what people said comes from the inbox, what the mayor said and
//! did is folded from its transcript, one row per message, so that it outlives every session and process.

use gastown_core::protocol::Frame;
use gastown_core::time::Timestamp;
use gastown_core::town::state::{MayorMessage, MessageSource, MessageState, TurnState};
use gastown_core::wire::report::TranscriptEvent;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::params;
use crate::sql::{Sql, SqlError};

const SELECT_ONE: &str = "select message_id, parts, state, at from mayor_messages where message_id = ?";
const SELECT_NEWEST: &str = "select message_id, parts, state, at from mayor_messages order by at desc limit ?";
const SELECT_STREAMING: &str = "select message_id, parts, state, at from mayor_messages where state = 'streaming'";
const SELECT_LATEST: &str = "select message_id, parts, state, at from mayor_messages order by at desc limit 1";
const PUT: &str = "insert or replace into mayor_messages (message_id, parts, state, at) values (?, ?, ?, ?)";

/// Parts of one message; a mayor that loops must not grow a row without end.
const PARTS_MAX: usize = 500;

#[derive(Debug, Clone, Deserialize)]
struct Row {
    message_id: String,
    parts: String,
    state: TurnState,
    at: i64,
}

/// Folds transcript events into the conversation and returns what the live stream shall show.
pub(super) fn fold(sql: &impl Sql, events: &[TranscriptEvent]) -> Result<Vec<Frame>, SqlError> {
    let mut changed: Vec<String> = Vec::new();
    for event in events {
        let touched = fold_one(sql, event)?;
        changed.retain(|id| !touched.contains(id));
        changed.extend(touched);
    }
    let mut frames = Vec::new();
    for id in changed {
        if let Some(row) = sql.first::<Row>(SELECT_ONE, params![&id])? {
            frames.push(Frame { frame: "mayor.message".to_owned(), data: row.shown() });
        }
    }
    Ok(frames)
}

/// The newest entries of the mayor's side, oldest first.
pub(super) fn newest(sql: &impl Sql, limit: u32) -> Result<Vec<Value>, SqlError> {
    let mut rows: Vec<Row> = sql.rows(SELECT_NEWEST, params![limit])?;
    rows.reverse();
    Ok(rows.iter().map(Row::shown).collect())
}

/// **MayorMessage** of what a person, or the system, said.
pub(super) fn of_person(message: &MayorMessage) -> Value {
    let role = match message.source {
        MessageSource::User => "user",
        MessageSource::System | MessageSource::Agent => "system",
    };
    let state = match message.state {
        MessageState::Queued | MessageState::Sent => "queued",
        MessageState::Delivered => "delivered",
    };
    json!({
        "id": message.message_id,
        "at": message.created_at,
        "role": role,
        "author": message.source_id,
        "parts": [{ "type": "text", "text": message.body }],
        "state": state,
    })
}

fn fold_one(sql: &impl Sql, event: &TranscriptEvent) -> Result<Vec<String>, SqlError> {
    let text = |key: &str| event.data.get(key).and_then(Value::as_str).unwrap_or_default();
    match event.kind.as_str() {
        "message" if text("role") == "assistant" => {
            let id = text("message_id");
            if sql.first::<Row>(SELECT_ONE, params![id])?.is_none() {
                put(
                    sql,
                    &Row {
                        message_id: id.to_owned(),
                        parts: "[]".into(),
                        state: TurnState::Streaming,
                        at: event.at.ms(),
                    },
                )?;
            }
            Ok(vec![id.to_owned()])
        }
        "part" if text("kind") == "text" => {
            let part = json!({ "type": "text", "part_id": text("part_id"), "text": text("text") });
            let row = sql.first::<Row>(SELECT_ONE, params![text("message_id")])?;
            upsert_part(sql, row, "part_id", part)
        }
        "tool" => {
            let part = json!({
                "type": "tool",
                "call_id": text("call_id"),
                "tool": text("tool"),
                "state": text("state"),
                "title": shown_title(event),
                "refs": refs(text("output_tail")),
                "error": event.data.get("error"),
            });
            let row = sql.first::<Row>(SELECT_LATEST, &[])?;
            upsert_part(sql, row, "call_id", part)
        }
        "session" if text("state") == "idle" => settle(sql, TurnState::Complete),
        "error" | "exited" => settle(sql, TurnState::Failed),
        _ => Ok(Vec::new()),
    }
}

/// Every message that was still being written is finished.
fn settle(sql: &impl Sql, state: TurnState) -> Result<Vec<String>, SqlError> {
    let rows: Vec<Row> = sql.rows(SELECT_STREAMING, &[])?;
    for row in &rows {
        put(sql, &Row { state, ..row.clone() })?;
    }
    Ok(rows.into_iter().map(|row| row.message_id).collect())
}

/// Replaces the part with the same id, or adds it. A part of a message that is not ours (a person's) is left out.
fn upsert_part(sql: &impl Sql, row: Option<Row>, key: &str, part: Value) -> Result<Vec<String>, SqlError> {
    let Some(row) = row else { return Ok(Vec::new()) };
    let mut parts: Vec<Value> = gastown_core::json::from_str(&row.parts).unwrap_or_default();
    let known = parts.iter().position(|known| known.get(key).is_some() && known.get(key) == part.get(key));
    match known {
        Some(place) => parts[place] = part,
        None if parts.len() < PARTS_MAX => parts.push(part),
        None => return Ok(Vec::new()),
    }
    let id = row.message_id.clone();
    put(sql, &Row { parts: json!(parts).to_string(), ..row })?;
    Ok(vec![id])
}

fn put(sql: &impl Sql, row: &Row) -> Result<(), SqlError> {
    sql.run(PUT, params![&row.message_id, &row.parts, row.state.as_str(), row.at])
}

/// What kilo calls the call; a tool that says nothing of itself is shown by its name.
fn shown_title(event: &TranscriptEvent) -> String {
    let text = |key: &str| event.data.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    text("title").or(text("tool")).unwrap_or_default().to_owned()
}

/// Beads that a tool's result names, as links.
fn refs(output: &str) -> Vec<Value> {
    output
        .split("bead ")
        .skip(1)
        .filter_map(|rest| rest.get(..36)?.parse::<gastown_core::id::BeadId>().ok())
        .map(|id| json!({ "kind": "bead", "id": id }))
        .collect()
}

impl Row {
    fn shown(&self) -> Value {
        let parts: Value = gastown_core::json::parse(self.parts.as_bytes()).unwrap_or_else(|_| json!([]));
        json!({
            "id": self.message_id,
            "at": Timestamp::from_ms(self.at),
            "role": "mayor",
            "author": "Mayor",
            "parts": parts,
            "state": self.state,
        })
    }
}
