//! One structured line per event: a message for people, fields for queries. Never a token, a prompt or a body.

use serde_json::{Map, Value};

/// Something that happened.
pub fn info(message: &str, fields: &[(&str, &dyn std::fmt::Display)]) {
    worker::console_log!("{}", line("info", message, fields));
}

/// Something that deserves attention but was handled.
pub fn warn(message: &str, fields: &[(&str, &dyn std::fmt::Display)]) {
    worker::console_warn!("{}", line("warn", message, fields));
}

/// Something of ours that failed.
pub fn error(message: &str, fields: &[(&str, &dyn std::fmt::Display)]) {
    worker::console_error!("{}", line("error", message, fields));
}

fn line(level: &str, message: &str, fields: &[(&str, &dyn std::fmt::Display)]) -> String {
    let mut line = Map::new();
    line.insert("level".to_owned(), level.into());
    line.insert("message".to_owned(), message.into());
    for (name, value) in fields {
        line.insert((*name).to_owned(), redact(&value.to_string()).into());
    }
    Value::Object(line).to_string()
}

/// Takes credentials out of a text: bearer tokens, `token=` and `ticket=` in URLs, user info in URLs.
fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, word) in text.split(' ').enumerate() {
        if i > 0 {
            out.push(' ');
        }
        out.push_str(&redact_word(word));
    }
    out
}

fn redact_word(word: &str) -> String {
    // A JWT begins with the base64 of `{"`.
    if word.starts_with("eyJ") && word.matches('.').count() == 2 {
        return "«redacted»".to_owned();
    }
    let without_token = without_value(&without_value(word, "token="), "ticket=");
    match without_token.split_once("://") {
        Some((scheme, rest)) => match rest.split_once('@') {
            Some((user, host)) if !user.contains('/') => format!("{scheme}://«redacted»@{host}"),
            Some(_) | None => without_token,
        },
        None => without_token,
    }
}

/// What stands behind a name in a query or a fragment, taken out.
fn without_value(word: &str, name: &str) -> String {
    let Some((before, rest)) = word.split_once(name) else { return word.to_owned() };
    let end = rest.find('&').unwrap_or(rest.len());
    format!("{before}{name}«redacted»{}", &rest[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_reach_the_log() {
        for (text, expected) in [
            ("Bearer eyJhbGciOi.eyJzdWIi.c2ln", "Bearer «redacted»"),
            ("GET /x?token=abc&a=1", "GET /x?token=«redacted»&a=1"),
            ("GET /x?a=1&ticket=abc", "GET /x?a=1&ticket=«redacted»"),
            ("fetch https://me:pw@host/a.git", "fetch https://«redacted»@host/a.git"),
            ("fetch https://host/a@b", "fetch https://host/a@b"),
        ] {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn a_line_is_json_with_its_fields() {
        let line = line("info", "started", &[("bead.id", &"b1"), ("duration_ms", &5)]);
        assert_eq!(line, r#"{"level":"info","message":"started","bead.id":"b1","duration_ms":"5"}"#);
    }
}
