//! Holes in the strings of a step, filled from the request.
//!
//! | hole | value |
//! |---|---|
//! | `{{name}}` | named group of the rule's pattern, or value of its cases |
//! | `{{tool:<name>:<path>}}` | field of that tool's newest result; `/regex/` as path takes its first group from the text; no path: the whole text |
//! | `{{prime:<path>}}` | field of the newest PrimeContext |
//! | `{{branch}}`, `{{bead_id}}`, `{{commit}}`, `{{target}}` | the prompt's lines `Branch:`, `Bead:`, `Commit under review:` (or `Commit:`), `Target:` |
//! | `{{line:<label>}}` | the prompt's line with that label |
//!
//! A path is field names and list positions joined by dots. Filters follow a bar: `|snake` (a name for files and
//! functions), `|line` (the first line), `|sh` (one quoted word for a shell). A hole without a value stays as it is
//! and is named in the recording.

use serde_json::Value;

use crate::chat::{Request, pattern};
use crate::choose::Choice;

/// Longest name that `|snake` makes: a file name that people can read.
const SNAKE_LEN_MAX: usize = 48;

/// Fills holes for one answer and remembers those that had no value.
pub struct Filler<'a> {
    request: &'a Request,
    choice: &'a Choice,
    /// Holes without a value, in the order they were met.
    pub unfilled: Vec<String>,
}

impl<'a> Filler<'a> {
    /// For an answer to this request by this choice.
    pub fn new(request: &'a Request, choice: &'a Choice) -> Self {
        Self { request, choice, unfilled: Vec::new() }
    }

    /// The text with its holes filled.
    pub fn text(&mut self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, hole, after)) = next_hole(rest) {
            filled.push_str(before);
            match self.value(hole) {
                Some(value) => filled.push_str(&value),
                None => {
                    self.unfilled.push(hole.to_owned());
                    filled.push_str("{{");
                    filled.push_str(hole);
                    filled.push_str("}}");
                }
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    /// The value with the holes of every string in it filled.
    pub fn json(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.json(item)).collect()),
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(name, field)| (name.clone(), self.json(field))).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn value(&self, hole: &str) -> Option<String> {
        let (name, filter) = match hole.rsplit_once('|') {
            Some((name, "snake")) => (name, snake as fn(&str) -> String),
            Some((name, "line")) => (name, first_line as fn(&str) -> String),
            Some((name, "sh")) => (name, shell_word as fn(&str) -> String),
            Some(_) | None => (hole, str::to_owned as fn(&str) -> String),
        };
        self.raw(name.trim()).map(|value| filter(&value))
    }

    fn raw(&self, name: &str) -> Option<String> {
        let line = |label: &str| self.request.line(label, self.choice.anchor);
        if let Some(captured) = self.choice.captures.get(name) {
            return Some(captured.clone());
        }
        match name.split_once(':') {
            Some(("tool", rest)) => {
                let (tool, path) = rest.split_once(':').unwrap_or((rest, ""));
                field_of_text(&self.request.tool_result(tool)?, path)
            }
            Some(("prime", path)) => field(&self.request.prime()?, path),
            Some(("line", label)) => line(label),
            Some(_) => None,
            None => match name {
                "branch" => line("Branch"),
                "bead_id" => line("Bead"),
                "commit" => line("Commit under review").or_else(|| line("Commit")),
                "target" => line("Target"),
                _ => None,
            },
        }
    }
}

/// Text before the first hole, the hole's inside, and what follows it.
fn next_hole(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find("{{")?;
    let inside = &text[start + 2..];
    // The last brace pair of a run belongs to the hole, so that a pattern may end with `{8}`.
    let mut end = inside.find("}}")?;
    while inside[end + 1..].starts_with("}}") {
        end += 1;
    }
    Some((&text[..start], &inside[..end], &inside[end + 2..]))
}

fn field_of_text(text: &str, path: &str) -> Option<String> {
    if path.is_empty() {
        return Some(text.to_owned());
    }
    if let Some(source) = path.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        let found = regex::Regex::new(source).ok()?.captures(text)?;
        return found.get(1).or_else(|| found.get(0)).map(|group| group.as_str().to_owned());
    }
    field(&serde_json::from_str(text).ok()?, path)
}

fn field(value: &Value, path: &str) -> Option<String> {
    let parts = path.split('.').filter(|part| !part.is_empty());
    let found = parts.into_iter().try_fold(value, |value, part| match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        Value::Object(fields) => fields.get(part),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })?;
    match found {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(found.to_string()),
    }
}

fn snake(text: &str) -> String {
    let words = pattern("[^a-z0-9]+").replace_all(&text.to_lowercase(), "_").into_owned();
    let cut: String = words.trim_matches('_').chars().take(SNAKE_LEN_MAX).collect();
    let name = cut.trim_end_matches('_');
    match name.chars().next() {
        None => "unnamed".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("n{name}"),
        Some(_) => name.to_owned(),
    }
}

fn first_line(text: &str) -> String {
    text.trim().lines().next().unwrap_or_default().trim().to_owned()
}

fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{Answer, Step};
    use serde_json::json;
    use std::collections::BTreeMap;

    fn check(template: &str, expected: &str, unfilled: &[&str]) {
        let request: Request = serde_json::from_value(json!({"messages": [
            {"role": "system", "content": "Branch: polecat/toast/1a2b3c4d\n{\"hooked_bead\":{\"title\":\"T\",\"labels\":[\"a\",\"b\"]}}"},
            {"role": "user", "content": "Commit under review: 0a0a0a\nSize: big"},
            {"role": "assistant", "tool_calls": [{"id": "x", "function": {"name": "gt_list_rigs", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "x", "content": "demo id 12345678 at http://x"},
            {"role": "assistant", "tool_calls": [{"id": "y", "function": {"name": "gt_status", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "y", "content": "{\"ok\":true,\"list\":[{\"id\":7}]}"},
        ]}))
        .unwrap();
        let step = Step { answer: Answer::default(), ..Step::default() };
        let captures = BTreeMap::from([("what".to_owned(), "Don't  Repeat!\nsecond".to_owned())]);
        let choice = Choice { rule: "r".to_owned(), anchor: 1, index: 0, step: Some(step), captures };
        let mut filler = Filler::new(&request, &choice);
        assert_eq!(filler.text(template), expected);
        assert_eq!(filler.unfilled, unfilled);
    }

    #[test]
    fn holes_are_filled_from_the_request() {
        check("{{branch}} {{commit}} {{line:Size}}", "polecat/toast/1a2b3c4d 0a0a0a big", &[]);
        check("{{what|snake}}", "don_t_repeat_second", &[]);
        check("{{what|line}}", "Don't  Repeat!", &[]);
        check("{{what|sh}}", "'Don'\\''t  Repeat!\nsecond'", &[]);
        check("{{prime:hooked_bead.title}}{{prime:hooked_bead.labels.1}}", "Tb", &[]);
        check("{{tool:gt_status:list.0.id}} {{tool:gt_status:ok}}", "7 true", &[]);
        check("{{tool:gt_list_rigs:/id ([0-9]{8})/}}", "12345678", &[]);
        check("{{tool:gt_list_rigs:/[0-9]{8}/}}!", "12345678!", &[]);
        check("{{tool:gt_list_rigs}}", "demo id 12345678 at http://x", &[]);
    }

    #[test]
    fn a_hole_without_value_stays_and_is_named() {
        check("a {{nothing}} b {{target}}", "a {{nothing}} b {{target}}", &["nothing", "target"]);
        check("{{tool:bash:x}}", "{{tool:bash:x}}", &["tool:bash:x"]);
        check("no end {{branch", "no end {{branch", &[]);
    }

    #[test]
    fn names_can_be_files_and_functions() {
        assert_eq!(snake("3 Blind mice"), "n3_blind_mice");
        assert_eq!(snake("!!"), "unnamed");
        assert_eq!(snake(&"long ".repeat(40)).len(), 48);
        assert_eq!(snake(&"abc ".repeat(40)).len(), 47, "no separator at the end");
    }
}
