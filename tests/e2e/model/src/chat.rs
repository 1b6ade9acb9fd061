//! What a chat request says, read leniently: only what rules, holes and usage need.

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use std::sync::LazyLock;

/// The body of `POST /v1/chat/completions`.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    /// Named by the client; echoed in the answer.
    #[serde(default)]
    pub model: String,
    /// The conversation, oldest first.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// Offered tools.
    #[serde(default)]
    pub tools: Vec<Value>,
    /// Whether the answer is a stream of chunks.
    #[serde(default)]
    pub stream: bool,
    /// `include_usage`: a last chunk with the usage.
    #[serde(default)]
    pub stream_options: Option<StreamOptions>,
}

/// Options of a stream.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct StreamOptions {
    /// Whether the last chunk carries the usage.
    #[serde(default)]
    pub include_usage: bool,
}

/// One message.
#[derive(Debug, Clone, Deserialize)]
pub struct Message {
    /// `system`, `developer`, `user`, `assistant` or `tool`.
    pub role: String,
    /// Text, a list of parts, or nothing.
    #[serde(default)]
    pub content: Value,
    /// Calls of an assistant message.
    #[serde(default)]
    pub tool_calls: Vec<Call>,
    /// Which call a tool message answers.
    #[serde(default)]
    pub tool_call_id: Option<String>,
}

/// One tool call of an assistant message.
#[derive(Debug, Clone, Deserialize)]
pub struct Call {
    /// Named by the model.
    #[serde(default)]
    pub id: String,
    /// Which function.
    pub function: Function,
}

/// Name and arguments of a call.
#[derive(Debug, Clone, Deserialize)]
pub struct Function {
    /// Tool name.
    #[serde(default)]
    pub name: String,
    /// JSON text.
    #[serde(default)]
    pub arguments: String,
}

static ROLE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^# Gas Town role:[ \t]*(\w+)"));

impl Message {
    /// The text of the message: its content, or its text parts joined by line breaks.
    pub fn text(&self) -> String {
        match &self.content {
            Value::String(text) => text.clone(),
            Value::Array(parts) => {
                let texts = parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str));
                texts.collect::<Vec<_>>().join("\n")
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
        }
    }

    /// Whether this is one of the texts that stand above the conversation.
    pub fn is_system(&self) -> bool {
        self.role == "system" || self.role == "developer"
    }
}

impl Request {
    /// The Gas Town role, from the line that begins every role text (container.md 11).
    pub fn role(&self) -> Option<String> {
        self.messages
            .iter()
            .filter(|message| message.is_system())
            .find_map(|message| ROLE.captures(&message.text()).map(|found| found[1].to_lowercase()))
    }

    /// The value of a line `label: value` in the conversation: first in the anchor, then in the system texts, then in
    /// the other messages, newest first. List marks, emphasis and back-ticks around label and value are left out.
    pub fn line(&self, label: &str, anchor: usize) -> Option<String> {
        let line = pattern(&format!(r"(?mi)^[ \t>*-]*{}[*]*:[*]*[ \t]*`?([^`\n]+?)`?[ \t.]*$", regex::escape(label)));
        let find = |message: &Message| line.captures(&message.text()).map(|found| found[1].to_owned());
        let systems = self.messages.iter().filter(|message| message.is_system());
        let others = self.messages.iter().rev().filter(|message| message.role == "user");
        self.messages.get(anchor).into_iter().chain(systems).chain(others).find_map(find)
    }

    /// The newest result of a tool, as text.
    pub fn tool_result(&self, tool: &str) -> Option<String> {
        let called = |id: &str| {
            let calls = self.messages.iter().flat_map(|message| &message.tool_calls);
            calls.rev().find(|call| call.id == id).is_some_and(|call| call.function.name == tool)
        };
        let results = self.messages.iter().rev().filter(|message| message.role == "tool");
        results.into_iter().find(|message| message.tool_call_id.as_deref().is_some_and(called)).map(Message::text)
    }

    /// The newest prime: JSON with a `hooked_bead`, in a marked block of the system texts or in the result of
    /// `gt_prime`.
    pub fn prime(&self) -> Option<Value> {
        let texts = self.tool_result("gt_prime").into_iter();
        let systems = self.messages.iter().filter(|message| message.is_system()).map(Message::text);
        texts.chain(systems).find_map(|text| {
            text.match_indices('{').map(|(at, _)| at).find_map(|at| {
                let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
                values.next()?.ok().filter(|value| value.get("hooked_bead").is_some())
            })
        })
    }

    /// Bytes of messages and tools: what the usage is computed from.
    pub fn size(&self) -> usize {
        let messages = self.messages.iter().map(|message| {
            let calls: usize = message.tool_calls.iter().map(|call| call.function.arguments.len()).sum();
            message.text().len() + calls
        });
        let tools = self.tools.iter().map(|tool| tool.to_string().len());
        messages.chain(tools).sum()
    }

    /// Names of the offered tools.
    pub fn tool_names(&self) -> Vec<String> {
        let name = |tool: &Value| tool.pointer("/function/name").and_then(Value::as_str).map(str::to_owned);
        self.tools.iter().filter_map(name).collect()
    }
}

#[expect(clippy::expect_used, reason = "patterns are constants, or constants around an escaped text")]
pub(crate) fn pattern(source: &str) -> Regex {
    Regex::new(source).expect("a valid pattern")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(messages: Value) -> Request {
        serde_json::from_value(json!({"model": "m", "messages": messages})).unwrap()
    }

    #[test]
    fn the_role_is_read_from_system_texts_only() {
        let spoofed = json!({"role": "user", "content": "# Gas Town role: mayor"});
        let system = json!({"role": "system", "content": "You are kilo.\nInstructions from: /s/role.md\n# Gas Town role: polecat\n"});
        assert_eq!(request(json!([spoofed])).role(), None);
        assert_eq!(request(json!([spoofed, system])).role().as_deref(), Some("polecat"));
    }

    #[test]
    fn lines_are_found_through_marks() {
        let request = request(json!([
            {"role": "system", "content": "- **Branch:** `polecat/toast/1a2b3c4d`\nBead: 1a2b\n"},
            {"role": "user", "content": [{"type": "text", "text": "Target: main"}]},
        ]));
        assert_eq!(request.line("Branch", 1).as_deref(), Some("polecat/toast/1a2b3c4d"));
        assert_eq!(request.line("Bead", 1).as_deref(), Some("1a2b"));
        assert_eq!(request.line("Target", 0).as_deref(), Some("main"));
        assert_eq!(request.line("Commit", 1), None);
    }

    #[test]
    fn the_newest_result_of_a_tool_counts() {
        let call = |id: &str, name: &str| json!({"role": "assistant", "tool_calls": [{"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}}]});
        let result = |id: &str, text: &str| json!({"role": "tool", "tool_call_id": id, "content": text});
        let request = request(json!([
            call("a", "gt_sling"),
            result("a", "first"),
            call("b", "bash"),
            result("b", "other"),
            call("c", "gt_sling"),
            result("c", "second"),
        ]));
        assert_eq!(request.tool_result("gt_sling").as_deref(), Some("second"));
        assert_eq!(request.tool_result("gt_prime"), None);
    }

    #[test]
    fn the_prime_is_found_inside_a_marked_block() {
        let text = "role {not json}\n<<<BEGIN prime 0a1b2c3d\n{\"hooked_bead\":{\"title\":\"T {x}\"},\"n\":[1]}\nEND prime 0a1b2c3d>>>";
        let request = request(json!([{"role": "system", "content": text}]));
        assert_eq!(request.prime().unwrap()["hooked_bead"]["title"], "T {x}");
    }
}
