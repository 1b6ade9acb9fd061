//! What a script may say: rules, the conditions under which they fit, and the steps they answer with.
//!
//! A script is a JSON list of rules. Unknown fields are errors, so that a misspelt condition cannot silently fit
//! everything.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;

/// The rules in the order they are tried.
#[derive(Debug, Clone, Default)]
pub struct Script(pub Vec<Rule>);

impl Script {
    /// Reads a script from its JSON text.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json).map(Self)
    }
}

/// One rule: when it fits, the steps in the order they are taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Stands in the recording.
    pub name: String,
    /// All of its conditions must hold.
    #[serde(default)]
    pub when: When,
    /// Values that depend on the anchor's words.
    #[serde(default)]
    pub cases: Vec<Case>,
    /// Answer n is given when n assistant messages follow the anchor.
    pub steps: Vec<Step>,
}

/// Holes that a rule fills itself: the first case that has a name and occurs in the anchor gives its value.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Must occur in the anchor message; absent: always.
    pub contains: Option<Pattern>,
    /// Names and their values, which have no holes themselves.
    #[serde(rename = "let")]
    pub values: BTreeMap<String, String>,
}

/// Conditions of a rule. One that is absent always holds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The word after `# Gas Town role:` in the system texts.
    pub role: Option<String>,
    /// The model that the request names.
    pub model: Option<Pattern>,
    /// Must occur in the anchor message; named groups become holes.
    pub contains: Option<Pattern>,
    /// True: only requests without tools (titles, compaction). False: only requests with tools.
    pub no_tools: Option<bool>,
}

/// A text that must occur, or `/a regular expression/` that must match.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// Occurs as it stands.
    Text(String),
    /// Matches.
    Regex(Regex),
}

/// One answer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "RawStep")]
pub struct Step {
    /// What the answer is.
    pub answer: Answer,
    /// Wait before anything is sent.
    pub delay: Duration,
    /// Wait before each word of a streamed text.
    pub word_delay: Duration,
    /// Replaces the computed usage: any object.
    pub usage: Option<Value>,
    /// Close the connection after this many characters of the body's text and arguments.
    pub cut_after: Option<usize>,
}

/// The kinds of answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// An assistant message: text, tool calls, or both.
    Message {
        /// The text; empty when there is none.
        text: String,
        /// Called in parallel.
        tools: Vec<ToolCall>,
    },
    /// An HTTP error in the form of the API.
    Failure {
        /// HTTP status.
        status: u16,
        /// Text for people.
        error: String,
        /// Value of `Retry-After`, in seconds.
        retry_after: Option<u64>,
    },
}

impl Default for Answer {
    fn default() -> Self {
        Self::Message { text: String::new(), tools: Vec::new() }
    }
}

/// A tool and its arguments; strings anywhere in `args` may have holes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// Name as offered in the request.
    pub tool: String,
    /// An object.
    #[serde(default = "no_args")]
    pub args: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    text: Option<String>,
    tool: Option<String>,
    args: Option<Value>,
    #[serde(default)]
    tools: Vec<ToolCall>,
    status: Option<u16>,
    error: Option<String>,
    retry_after: Option<u64>,
    #[serde(default)]
    hang_ms: u64,
    #[serde(default)]
    delay_ms: u64,
    #[serde(default)]
    word_delay_ms: u64,
    cut_after: Option<usize>,
    usage: Option<Value>,
}

impl TryFrom<RawStep> for Step {
    type Error = String;

    fn try_from(raw: RawStep) -> Result<Self, String> {
        let mut tools = raw.tools;
        match (raw.tool, raw.args) {
            (Some(tool), args) => tools.insert(0, ToolCall { tool, args: args.unwrap_or_else(no_args) }),
            (None, Some(_)) => return Err("`args` without `tool`".to_owned()),
            (None, None) => (),
        }
        let answer = match raw.status {
            Some(status @ 400..=599) => {
                if raw.text.is_some() || !tools.is_empty() {
                    return Err("a step with `status` has no text and no tools".to_owned());
                }
                let error = raw.error.unwrap_or_else(|| "scripted failure".to_owned());
                Answer::Failure { status, error, retry_after: raw.retry_after }
            }
            Some(status) => return Err(format!("`status` {status} is no error")),
            None if raw.error.is_some() || raw.retry_after.is_some() => {
                return Err("`error` and `retry_after` need `status`".to_owned());
            }
            None => Answer::Message { text: raw.text.unwrap_or_default(), tools },
        };
        Ok(Self {
            answer,
            delay: Duration::from_millis(raw.delay_ms.saturating_add(raw.hang_ms)),
            word_delay: Duration::from_millis(raw.word_delay_ms),
            usage: raw.usage,
            cut_after: raw.cut_after,
        })
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
            Some(source) => Regex::new(source).map(Self::Regex).map_err(D::Error::custom),
            None => Ok(Self::Text(text)),
        }
    }
}

fn no_args() -> Value {
    Value::Object(serde_json::Map::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(json: &str) -> Result<Step, String> {
        serde_json::from_str(json).map_err(|e| e.to_string())
    }

    #[test]
    fn a_step_is_a_message_or_a_failure() {
        let both = step(r#"{"text":"now","tool":"bash","args":{"command":"ls"},"tools":[{"tool":"read"}]}"#).unwrap();
        let Answer::Message { text, tools } = both.answer else { panic!("a message") };
        assert_eq!(text, "now");
        assert_eq!(tools.iter().map(|t| t.tool.as_str()).collect::<Vec<_>>(), ["bash", "read"]);
        let failure = step(r#"{"status":429,"error":"slow down","retry_after":5}"#).unwrap();
        assert_eq!(
            failure.answer,
            Answer::Failure { status: 429, error: "slow down".to_owned(), retry_after: Some(5) }
        );
    }

    #[test]
    fn a_misspelt_step_is_refused() {
        for bad in [
            r#"{"txt":"x"}"#,
            r#"{"args":{}}"#,
            r#"{"status":200}"#,
            r#"{"error":"x"}"#,
            r#"{"status":500,"text":"x"}"#,
        ] {
            assert!(step(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_demo_script_is_a_script() {
        let script = Script::parse(crate::DEMO).unwrap();
        let mut names: Vec<_> = script.0.iter().map(|r| r.name.as_str()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "each rule has its own name");
        assert!(script.0.iter().all(|r| !r.steps.is_empty()));
    }
}
