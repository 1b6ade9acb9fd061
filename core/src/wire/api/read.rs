//! Reads request bodies: every problem of a body is reported at once, as `issues` (api.md 1.1), never only the first.
//!
//! A request type implements [`Request`] by asking [`Fields`] for one field after the other. A field that is wrong
//! leaves an issue and a placeholder; [`read`] hands out the result only when no issue was left. Nothing is coerced:
//! `"5"` is no number. `null` counts as absent where a field may be absent.

use crate::sorted::SortedSet;
use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::limits::{BRANCH_MAX, JSON_DEPTH_MAX, LABEL_MAX, LABELS_MAX, METADATA_BYTES_MAX, METADATA_DEPTH_MAX};
use crate::text::UnknownText;
use crate::wire::envelope::{Issue, IssueCode};

/// Writes down what is asked for, where a request is only played for its schema; else it is nothing.
#[cfg(feature = "schema")]
macro_rules! note {
    ($fields:ident, $key:ident, $shape:expr) => {
        if let Some(record) = &mut $fields.record {
            record.note($key, $shape);
        }
    };
}
#[cfg(not(feature = "schema"))]
macro_rules! note {
    ($fields:ident, $key:ident, $shape:expr) => {};
}

/// A request body that cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub enum BadBody {
    /// Not JSON (400 `invalid_json`).
    NotJson(String),
    /// JSON of the wrong shape (400 `invalid_request`).
    Issues(Vec<Issue>),
}

/// A request that can be read from a JSON object.
pub trait Request: Sized {
    /// Asks for one field after the other; what is wrong is left in `fields`.
    fn read(fields: &mut Fields<'_>) -> Self;
}

/// Reads a body. An empty body counts as `{}`, because several requests have optional fields only.
pub fn read<T: Request>(body: &[u8]) -> Result<T, BadBody> {
    read_value(&parse(body)?)
}

/// Reads a body that has been parsed.
pub fn read_value<T: Request>(value: &Value) -> Result<T, BadBody> {
    let mut issues = Vec::new();
    let map = object(value)?;
    let request = T::read(&mut Fields::new(map, Vec::new(), &mut issues));
    if issues.is_empty() { Ok(request) } else { Err(BadBody::Issues(issues)) }
}

fn object(value: &Value) -> Result<&Map<String, Value>, BadBody> {
    let message = || "the body must be a JSON object".to_owned();
    let issue = || Issue { code: IssueCode::InvalidType, path: Vec::new(), message: message() };
    value.as_object().ok_or_else(|| BadBody::Issues(vec![issue()]))
}

/// Parses JSON of bounded depth.
pub fn parse(body: &[u8]) -> Result<Value, BadBody> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    if depth(body) > JSON_DEPTH_MAX {
        return Err(BadBody::NotJson(format!("nested deeper than {JSON_DEPTH_MAX} levels")));
    }
    crate::json::parse(body).map_err(|error| BadBody::NotJson(error.to_string()))
}

/// The fields of one object and the issues found so far.
pub struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: Vec<String>,
    issues: &'a mut Vec<Issue>,
    #[cfg(feature = "schema")]
    record: Option<&'a mut super::record::Record>,
}

impl<'a> Fields<'a> {
    fn new(map: &'a Map<String, Value>, path: Vec<String>, issues: &'a mut Vec<Issue>) -> Self {
        Self {
            map,
            path,
            issues,
            #[cfg(feature = "schema")]
            record: None,
        }
    }

    /// Fields that are asked for without a body: what is asked is written down.
    #[cfg(feature = "schema")]
    pub fn recording(
        map: &'a Map<String, Value>,
        issues: &'a mut Vec<Issue>,
        record: &'a mut super::record::Record,
    ) -> Self {
        Self { record: Some(record), ..Self::new(map, Vec::new(), issues) }
    }
}

impl Fields<'_> {
    /// Whether the field is there and not null.
    pub fn has(&mut self, key: &str) -> bool {
        self.names(key) && self.map.get(key).is_none_or(|value| !value.is_null())
    }

    /// Whether the field is there, also as null.
    pub fn names(&mut self, key: &str) -> bool {
        #[cfg(feature = "schema")]
        if let Some(record) = &mut self.record {
            return record.ask(key);
        }
        self.map.contains_key(key)
    }

    /// Leaves an issue about a field.
    pub fn issue(&mut self, key: &str, code: IssueCode, message: impl Into<String>) {
        let path = self.path.iter().cloned().chain([key.to_owned()]).collect();
        self.issues.push(Issue { code, path, message: message.into() });
    }

    /// A text of `min` to `max` characters.
    pub fn text(&mut self, key: &str, min: usize, max: usize) -> String {
        self.required(key, |fields, key| fields.optional_text(key, min, max)).unwrap_or_default()
    }

    /// The same, absent or null included.
    pub fn optional_text(&mut self, key: &str, min: usize, max: usize) -> Option<String> {
        note!(self, key, super::record::bounds(min, max));
        let value = self.present(key)?;
        let Some(text) = value.as_str() else { return self.wrong_type(key, "a string") };
        let length = text.chars().count();
        if length < min {
            let message = if min == 1 { "must not be empty".to_owned() } else { format!("at least {min} characters") };
            self.issue(key, IssueCode::TooSmall, message);
        } else if length > max {
            self.issue(key, IssueCode::TooBig, format!("at most {max} characters"));
        } else if text.contains('\0') {
            self.issue(key, IssueCode::InvalidString, "must not contain a NUL character");
        } else {
            return Some(text.to_owned());
        }
        None
    }

    /// A text of `min` to `max` characters after trimming.
    pub fn trimmed(&mut self, key: &str, min: usize, max: usize) -> String {
        note!(self, key, super::record::bounds(min, max));
        let text = self.text(key, 0, usize::MAX);
        let trimmed = text.trim();
        match trimmed.chars().count() {
            length if length < min && self.has(key) => self.issue(key, IssueCode::TooSmall, "must not be empty"),
            length if length > max => self.issue(key, IssueCode::TooBig, format!("at most {max} characters")),
            _ => (),
        }
        trimmed.to_owned()
    }

    /// One word of a closed list.
    pub fn word<T: FromStr<Err = UnknownText>>(&mut self, key: &str) -> Option<T> {
        self.required(key, Self::optional_word)
    }

    /// The same, absent or null included.
    pub fn optional_word<T: FromStr<Err = UnknownText>>(&mut self, key: &str) -> Option<T> {
        note!(self, key, super::record::word::<T>());
        let value = self.present(key)?;
        let Some(text) = value.as_str() else { return self.wrong_type(key, "a string") };
        match text.parse() {
            Ok(word) => Some(word),
            Err(unknown) => {
                self.issue(key, IssueCode::InvalidEnum, unknown.to_string());
                None
            }
        }
    }

    /// An id, or anything else that reads from its one text form.
    pub fn id<T: FromStr<Err: Display>>(&mut self, key: &str) -> Option<T> {
        self.required(key, Self::optional_id)
    }

    /// The same, absent or null included.
    pub fn optional_id<T: FromStr<Err: Display>>(&mut self, key: &str) -> Option<T> {
        note!(self, key, crate::schema::text(std::any::type_name::<T>()));
        let value = self.present(key)?;
        let Some(text) = value.as_str() else { return self.wrong_type(key, "a string") };
        match text.parse() {
            Ok(id) => Some(id),
            Err(error) => {
                self.issue(key, IssueCode::InvalidString, error.to_string());
                None
            }
        }
    }

    /// A flag.
    pub fn optional_flag(&mut self, key: &str) -> Option<bool> {
        note!(self, key, serde_json::json!({ "type": "boolean" }));
        let value = self.present(key)?;
        value.as_bool().or_else(|| self.wrong_type(key, "true or false"))
    }

    /// A whole number of `min` to `max`.
    pub fn optional_integer(&mut self, key: &str, min: i64, max: i64) -> Option<i64> {
        note!(self, key, serde_json::json!({ "type": "integer", "minimum": min, "maximum": max }));
        let value = self.present(key)?;
        let Some(number) = value.as_i64() else { return self.wrong_type(key, "a whole number") };
        if number < min {
            self.issue(key, IssueCode::TooSmall, format!("at least {min}"));
            return None;
        }
        if number > max {
            self.issue(key, IssueCode::TooBig, format!("at most {max}"));
            return None;
        }
        Some(number)
    }

    /// A number above zero.
    pub fn optional_positive(&mut self, key: &str) -> Option<f64> {
        note!(self, key, serde_json::json!({ "type": "number", "exclusiveMinimum": 0 }));
        let value = self.present(key)?;
        let Some(number) = value.as_f64() else { return self.wrong_type(key, "a number") };
        if number <= 0.0 {
            self.issue(key, IssueCode::TooSmall, "must be above zero");
            return None;
        }
        Some(number)
    }

    /// An object, as it is.
    pub fn optional_object(&mut self, key: &str) -> Option<Map<String, Value>> {
        note!(self, key, serde_json::json!({ "type": "object", "additionalProperties": true }));
        let value = self.present(key)?;
        value.as_object().cloned().or_else(|| self.wrong_type(key, "an object"))
    }

    /// An object of bounded size and depth that is kept as it is.
    pub fn metadata(&mut self, key: &str) -> Option<Map<String, Value>> {
        let object = self.optional_object(key)?;
        let text = Value::Object(object.clone()).to_string();
        if text.len() > METADATA_BYTES_MAX {
            self.issue(key, IssueCode::TooBig, format!("at most {METADATA_BYTES_MAX} bytes of JSON"));
        } else if depth(text.as_bytes()) > METADATA_DEPTH_MAX {
            self.issue(key, IssueCode::TooBig, format!("nested at most {METADATA_DEPTH_MAX} levels"));
        }
        Some(object)
    }

    /// Labels: few, short, of plain characters.
    pub fn labels(&mut self, key: &str) -> Option<SortedSet<String>> {
        note!(self, key, super::record::labels());
        if !self.has(key) {
            return None;
        }
        let labels = self.list(key, 0, LABELS_MAX, |fields, index| {
            let label = fields.text(index, 1, LABEL_MAX);
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '_' | '/' | '-');
            if !label.chars().all(is_plain) {
                fields.issue(index, IssueCode::InvalidString, "may hold letters, digits and : . _ / -");
            }
            label
        });
        Some(labels.into_iter().collect())
    }

    /// A branch name by the rules of git.
    pub fn branch(&mut self, key: &str) -> String {
        self.required(key, Self::optional_branch).unwrap_or_default()
    }

    /// The same, absent or null included.
    pub fn optional_branch(&mut self, key: &str) -> Option<String> {
        note!(self, key, super::record::bounds(1, BRANCH_MAX));
        let name = self.optional_text(key, 1, BRANCH_MAX)?;
        if is_branch_name(&name) {
            return Some(name);
        }
        self.issue(key, IssueCode::InvalidString, "is no valid branch name");
        None
    }

    /// Any JSON, but not null.
    pub fn any(&mut self, key: &str) -> Value {
        note!(self, key, serde_json::json!({}));
        self.required(key, |fields, key| fields.present(key)).unwrap_or_default()
    }

    /// A list of at most `max` texts of 1 to `length_max` characters.
    pub fn texts(&mut self, key: &str, max: usize, length_max: usize) -> Vec<String> {
        self.list(key, 0, max, |fields, index| fields.text(index, 1, length_max))
    }

    /// A list of at most `max` ids.
    pub fn ids<T: FromStr<Err: Display>>(&mut self, key: &str, max: usize) -> Vec<T> {
        self.list(key, 0, max, |fields, index| fields.id(index)).into_iter().flatten().collect()
    }

    /// A list of `min` to `max` items, each read by `item` under its index. Absent counts as empty.
    pub fn list<T>(
        &mut self,
        key: &str,
        min: usize,
        max: usize,
        mut item: impl FnMut(&mut Fields<'_>, &str) -> T,
    ) -> Vec<T> {
        #[cfg(feature = "schema")]
        if let Some(record) = &mut self.record {
            record.list(key, min, max, |fields| drop(item(fields, "0")));
            return Vec::new();
        }
        let Some(value) = self.present(key) else {
            if min > 0 {
                self.issue(key, IssueCode::Required, "is required");
            }
            return Vec::new();
        };
        let Value::Array(values) = value else {
            self.wrong_type::<()>(key, "a list");
            return Vec::new();
        };
        if values.len() < min {
            self.issue(key, IssueCode::TooSmall, format!("at least {min} items"));
        }
        if values.len() > max {
            self.issue(key, IssueCode::TooBig, format!("at most {max} items"));
            return Vec::new();
        }
        // Items are read through the same questions as fields: a list is an object whose keys are its indexes.
        let count = values.len();
        let map: Map<String, Value> = values.into_iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect();
        let path = self.path.iter().cloned().chain([key.to_owned()]).collect();
        let mut fields = Fields::new(&map, path, self.issues);
        (0..count).map(|index| item(&mut fields, &index.to_string())).collect()
    }

    /// A nested object read as a request of its own.
    pub fn object<T: Request>(&mut self, key: &str) -> Option<T> {
        note!(self, key, super::record::schema::<T>());
        let value = self.present(key)?;
        let Value::Object(map) = value else { return self.wrong_type(key, "an object") };
        let path = self.path.iter().cloned().chain([key.to_owned()]).collect();
        Some(T::read(&mut Fields::new(&map, path, self.issues)))
    }

    /// This object's own fields: config bodies name those that they do not know.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.map.keys()
    }

    fn present(&self, key: &str) -> Option<Value> {
        self.map.get(key).filter(|value| !value.is_null()).cloned()
    }

    fn required<T>(&mut self, key: &str, read: impl FnOnce(&mut Self, &str) -> Option<T>) -> Option<T> {
        #[cfg(feature = "schema")]
        if let Some(record) = &mut self.record {
            record.require(key);
            return read(self, key);
        }
        if !self.has(key) {
            self.issue(key, IssueCode::Required, "is required");
            return None;
        }
        read(self, key)
    }

    fn wrong_type<T>(&mut self, key: &str, wanted: &str) -> Option<T> {
        self.issue(key, IssueCode::InvalidType, format!("must be {wanted}"));
        None
    }
}

/// The rules of `git check-ref-format` for a branch, without a leading `-` or `refs/`, and not `HEAD`.
pub fn is_branch_name(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    let is_bad = |c: char| c.is_control() || c == '\u{7f}' || " ~^:?*[\\".contains(c);
    (1..=BRANCH_MAX).contains(&name.len())
        && name.split('/').all(is_part)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.chars().any(is_bad)
        && !name.ends_with('.')
        && !name.starts_with('-')
        && !name.starts_with("refs/")
        && name != "@"
        && name != "HEAD"
}

/// How deep arrays and objects nest, read from the bytes alone; brackets inside strings do not count.
fn depth(body: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for &byte in body {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_string = false,
            (true, _) => (),
            (false, b'"') => in_string = true,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (false, _) => (),
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::BeadId;

    #[derive(Debug)]
    struct Sample {
        title: String,
        bead: Option<BeadId>,
        labels: Vec<String>,
    }

    impl Request for Sample {
        fn read(fields: &mut Fields<'_>) -> Self {
            Self {
                title: fields.text("title", 1, 5),
                bead: fields.optional_id("bead"),
                labels: fields.texts("labels", 2, 3),
            }
        }
    }

    fn issues(body: &str) -> String {
        match read::<Sample>(body.as_bytes()) {
            Ok(sample) => format!("{sample:?}"),
            Err(BadBody::NotJson(_)) => "not json".to_owned(),
            Err(BadBody::Issues(issues)) => issues
                .iter()
                .map(|issue| format!("{} {}", issue.path.join("."), issue.code))
                .collect::<Vec<_>>()
                .join(", "),
        }
    }

    #[test]
    fn all_problems_are_told_at_once() {
        for (body, expected) in [
            (
                r#"{"title": 5, "bead": "x", "labels": ["abcd", 1]}"#,
                "title invalid_type, bead invalid_string, labels.0 too_big, labels.1 invalid_type",
            ),
            (r#"{"title": "", "labels": "a"}"#, "title too_small, labels invalid_type"),
            (r#"{"labels": ["a", "b", "c"]}"#, "title required, labels too_big"),
            (r#"{"title": null}"#, "title required"),
            ("[]", " invalid_type"),
            ("", "title required"),
            ("{", "not json"),
            (r#"{"title": "a\u0000"}"#, "title invalid_string"),
        ] {
            assert_eq!(issues(body), expected, "{body}");
        }
        let sample = read::<Sample>(br#"{"title": "abcde", "unknown": 1, "bead": null, "labels": ["a"]}"#).unwrap();
        assert_eq!((sample.title.as_str(), sample.bead, sample.labels.len()), ("abcde", None, 1));
    }

    #[test]
    fn branch_names_follow_git() {
        for good in ["main", "polecat/toast/0f9a1b2c", "release-1.2", "ä"] {
            assert!(is_branch_name(good), "{good}");
        }
        let long = "a".repeat(201);
        for bad in [
            "",
            "-x",
            "a..b",
            "a b",
            "a/",
            "/a",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "refs/heads/a",
            "HEAD",
            "@",
            "a@{b",
            "a.",
            &long,
        ] {
            assert!(!is_branch_name(bad), "{bad}");
        }
    }

    #[test]
    fn depth_is_bounded_and_counted_outside_strings() {
        let deep = format!("{}{}", "[".repeat(33), "]".repeat(33));
        assert!(matches!(parse(deep.as_bytes()), Err(BadBody::NotJson(_))));
        assert_eq!(depth(br#"{"a": "[[[[\"[[", "b": [1]}"#), 2);
    }
}
