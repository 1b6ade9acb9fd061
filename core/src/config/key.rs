//! What one setting is: where it stands, what it may be, what applies when nobody says.

use serde_json::{Map, Value};

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its place in the document, parted by dots.
    pub path: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// What applies when nobody says.
    pub default: KeyDefault,
    /// The town's key that applies where a rig does not say; rig keys only.
    pub town: Option<&'static str>,
    /// Whether the mayor may set it (‡ in api.md 5).
    pub by_mayor: bool,
    /// Its name for people.
    pub title: &'static str,
    /// One sentence on what it does.
    pub help: &'static str,
}

/// The values that a setting may have. Every kind but `Overrides` and the secret ones may be cleared with null.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A model id; an empty text clears.
    Model,
    /// `custom` or a profile of the catalogue; an empty text clears.
    Profile,
    /// The list of model rules.
    Overrides,
    /// A whole number.
    Integer {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// US dollars, more than nothing.
    Dollars,
    /// Yes or no.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One line of text; blank clears.
    Line {
        /// Characters at most.
        max: usize,
    },
    /// An e-mail address; blank clears.
    Email,
    /// Several lines of text; blank clears.
    Text {
        /// Characters at most.
        max: usize,
    },
    /// Shell commands.
    Commands,
    /// An https address without user info; blank clears.
    Url,
    /// Flags of `git push` from a closed list; blank clears.
    PushFlags,
    /// An installation of the deployment's GitHub App; blank clears.
    Installation,
    /// A secret; null or an empty text removes it.
    Credential,
    /// Secrets by name.
    Environment,
    /// Shown, never set: identity and state of the document.
    ReadOnly,
}

/// What applies when nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyDefault {
    /// Nothing.
    Null,
    /// This answer.
    Flag(bool),
    /// This number.
    Integer(u64),
    /// This word.
    Word(&'static str),
    /// The empty list.
    List,
    /// The empty object.
    Object,
}

impl KeyDefault {
    /// The default as JSON.
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Flag(flag) => Value::from(flag),
            Self::Integer(number) => Value::from(number),
            Self::Word(word) => Value::from(word),
            Self::List => Value::Array(Vec::new()),
            Self::Object => Value::Object(Map::new()),
        }
    }
}

impl Key {
    /// A key without a default that only people may set.
    pub(super) const fn new(path: &'static str, kind: Kind, title: &'static str, help: &'static str) -> Self {
        Self { path, kind, default: KeyDefault::Null, town: None, by_mayor: false, title, help }
    }

    pub(super) const fn or(mut self, default: KeyDefault) -> Self {
        self.default = default;
        self
    }

    pub(super) const fn or_town(mut self, town: &'static str) -> Self {
        self.town = Some(town);
        self
    }

    pub(super) const fn by_mayor(mut self) -> Self {
        self.by_mayor = true;
        self
    }

    /// Its place in the document, step by step.
    pub fn steps(&self) -> std::str::Split<'static, char> {
        self.path.split('.')
    }
}

/// The value at a place of a document; `None` when it, or anything above it, is absent.
pub(super) fn value_at<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(document, |value, step| value.get(step))
}

/// Puts a value at a place of a document, with the objects above it.
pub(super) fn put(document: &mut Map<String, Value>, path: &[String], value: Value) {
    let [step, rest @ ..] = path else { return };
    if rest.is_empty() {
        document.insert(step.clone(), value);
        return;
    }
    let below = document.entry(step.clone()).or_insert(Value::Null);
    if !below.is_object() {
        *below = Value::Object(Map::new());
    }
    if let Some(below) = below.as_object_mut() {
        put(below, rest, value);
    }
}

/// Takes a value out of a document; absent is as good as taken out.
pub(super) fn take(document: &mut Map<String, Value>, path: &[String]) {
    let [step, rest @ ..] = path else { return };
    if rest.is_empty() {
        document.remove(step);
        return;
    }
    if let Some(below) = document.get_mut(step).and_then(Value::as_object_mut) {
        take(below, rest);
    }
}

/// A place as a list of steps.
pub(super) fn steps_of(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}
