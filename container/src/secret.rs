//! Values that must never be seen, and the one redaction layer that everything passes before it leaves the runtime:
//! facts, outcomes, events, errors and logs (container.md 9.4). Nothing here performs I/O.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{LazyLock, RwLock};

use regex::Regex;

/// Shown where a secret stood.
pub const REDACTED: &str = "«redacted»";

/// A value that shows itself only through [`Secret::reveal`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself; callers hand it to exactly one header or environment variable.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("«secret»")
    }
}

/// Known secret values shorter than this would blacken ordinary words.
const KNOWN_MIN: usize = 8;

/// Token forms and places that are secret whoever made them. A constant that does not compile would fail every test.
static FORMS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", REDACTED),
        (r"(?i)(authorization\s*[:=]\s*)[^\r\n]+", "$1«redacted»"),
        (r"([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s@]+@", "$1«redacted»@"),
        (r"\b(ghp_|gho_|ghs_|github_pat_|glpat-|sk-|gtc_|xox[a-z]-)[A-Za-z0-9_-]{8,}", REDACTED),
    ]
    .into_iter()
    .filter_map(|(pattern, with)| Regex::new(pattern).ok().map(|regex| (regex, with)))
    .collect()
});

/// Knows the secret values of all towns and removes them from text.
#[derive(Default)]
pub struct Redactor {
    known: RwLock<BTreeSet<String>>,
}

impl Redactor {
    /// Remembers a value; short ones are ignored.
    pub fn learn(&self, value: &str) {
        if value.len() < KNOWN_MIN {
            return;
        }
        if let Ok(mut known) = self.known.write() {
            known.insert(value.to_owned());
        }
    }

    /// The text without any known value or token form.
    pub fn redact(&self, text: &str) -> String {
        let mut out = Cow::Borrowed(text);
        if let Ok(known) = self.known.read() {
            // Longest first, so that a value inside another does not leave a tail.
            let mut values: Vec<&String> = known.iter().collect();
            values.sort_by_key(|value| std::cmp::Reverse(value.len()));
            for value in values {
                if out.contains(value.as_str()) {
                    out = Cow::Owned(out.replace(value.as_str(), REDACTED));
                }
            }
        }
        for (regex, with) in FORMS.iter() {
            if let Cow::Owned(replaced) = regex.replace_all(&out, *with) {
                out = Cow::Owned(replaced);
            }
        }
        out.into_owned()
    }

    /// Every text of a JSON value without secrets; keys are ours and stay.
    pub fn redact_json(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = self.redact(text),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.redact_json(item)),
            serde_json::Value::Object(fields) => fields.values_mut().for_each(|field| self.redact_json(field)),
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let redactor = Redactor::default();
        redactor.learn("hunter2hunter2");
        redactor.learn("short");
        assert_eq!(redactor.redact(text), expected);
    }

    #[test]
    fn known_values_and_token_forms_disappear() {
        check("pw hunter2hunter2!", "pw «redacted»!");
        check("short words stay", "short words stay");
        check("https://me:pw@host/x", "https://«redacted»@host/x");
        check("Authorization: Bearer abc", "Authorization: «redacted»");
        check("ghp_0123456789abcdef and sk-0123456789", "«redacted» and «redacted»");
        check("-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----.", "«redacted».");
        check("risk-averse", "risk-averse");
    }

    #[test]
    fn all_forms_compile() {
        assert_eq!(FORMS.len(), 4);
    }

    #[test]
    fn a_secret_never_shows_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "«secret»");
    }
}
