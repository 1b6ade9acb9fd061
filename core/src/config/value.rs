//! What one value may be. Each function answers with the value as it is stored, null when it clears the key, or with
//! what is wrong. A message never repeats the value.

use serde_json::{Number, Value};

use super::issue::{ConfigCode, ConfigIssue, IssueKind};
use super::key::{Key, Kind};
use super::patch::PatchContext;
use crate::limits;
use crate::models::ModelId;

type Checked = Result<Value, ConfigIssue>;

/// Flags of `git push` that a rig may set: none of them chooses what is pushed, or where to.
const PUSH_FLAGS: &[&str] = &[
    "--atomic",
    "--follow-tags",
    "--signed",
    "--no-signed",
    "--progress",
    "--no-progress",
    "--verbose",
    "--quiet",
    "--tags",
    "--porcelain",
    "--ipv4",
    "--ipv6",
    "--recurse-submodules=check",
    "--recurse-submodules=on-demand",
    "--recurse-submodules=no",
];

/// A string of push flags at most: all flags once fit with room to spare.
const PUSH_FLAGS_MAX: usize = 1_000;

/// Checks one value of a key that holds no secret, no rules and is not read-only.
pub(super) fn check(key: &Key, path: &[String], value: &Value, context: &PatchContext<'_>) -> Checked {
    if value.is_null() {
        return Ok(Value::Null);
    }
    match key.kind {
        Kind::Model => model(path, value),
        Kind::Profile => profile(path, value, context),
        Kind::Integer { min, max } => integer(path, value, min, max),
        Kind::Dollars => dollars(path, value),
        Kind::Flag => flag(path, value),
        Kind::Word(words) => word(path, value, words, context),
        Kind::Line { max } => line(path, value, max),
        Kind::Email => email(path, value),
        Kind::Text { max } => text(path, value, max),
        Kind::Commands => commands(path, value),
        Kind::Url => url(path, value, context),
        Kind::PushFlags => push_flags(path, value),
        Kind::Installation => installation(path, value, context),
        Kind::Overrides | Kind::Credential | Kind::Environment | Kind::ReadOnly => {
            Err(ConfigIssue::new(ConfigCode::ReadOnlyField, path, "cannot be set like this"))
        }
    }
}

fn wrong_type(path: &[String], expected: &str) -> ConfigIssue {
    ConfigIssue::shape(IssueKind::InvalidType, path, format!("expected {expected}"))
}

fn bad_text(path: &[String], message: &str) -> ConfigIssue {
    ConfigIssue::shape(IssueKind::InvalidString, path, message)
}

/// A trimmed text; `None` when nothing is left of it.
fn trimmed<'a>(path: &[String], value: &'a Value) -> Result<Option<&'a str>, ConfigIssue> {
    let text = value.as_str().ok_or_else(|| wrong_type(path, "a string"))?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

pub(super) fn not_longer(path: &[String], text: &str, max: usize) -> Result<(), ConfigIssue> {
    match text.chars().count() > max {
        true => Err(ConfigIssue::shape(IssueKind::TooBig, path, format!("at most {max} characters"))),
        false => Ok(()),
    }
}

fn model(path: &[String], value: &Value) -> Checked {
    let text = value.as_str().ok_or_else(|| wrong_type(path, "a model id"))?;
    match ModelId::chosen(Some(text)) {
        Ok(chosen) => Ok(chosen.map_or(Value::Null, |id| Value::from(id.as_str()))),
        Err(bad) => Err(ConfigIssue::new(ConfigCode::BadModelId, path, bad.to_string())),
    }
}

fn profile(path: &[String], value: &Value, context: &PatchContext<'_>) -> Checked {
    match trimmed(path, value)? {
        None => Ok(Value::Null),
        Some(name) if context.catalogue.knows_profile(name) => Ok(Value::from(name)),
        Some(_) => {
            let names = context.catalogue.profiles.iter().map(|profile| profile.name.as_str());
            let known: Vec<&str> = names.chain([crate::models::CUSTOM_PROFILE]).collect();
            Err(ConfigIssue::new(ConfigCode::UnknownProfile, path, format!("expected one of {}", known.join(", "))))
        }
    }
}

fn integer(path: &[String], value: &Value, min: u64, max: u64) -> Checked {
    let too_small = || ConfigIssue::shape(IssueKind::TooSmall, path, format!("at least {min}"));
    let too_big = || ConfigIssue::shape(IssueKind::TooBig, path, format!("at most {max}"));
    match value.as_u64() {
        Some(number) if number < min => Err(too_small()),
        Some(number) if number > max => Err(too_big()),
        Some(number) => Ok(Value::from(number)),
        None if value.as_i64().is_some() => Err(too_small()),
        None => Err(wrong_type(path, "a whole number")),
    }
}

fn dollars(path: &[String], value: &Value) -> Checked {
    let amount = value.as_f64().ok_or_else(|| wrong_type(path, "a number"))?;
    if super::effective::micros(amount) == 0 {
        return Err(ConfigIssue::shape(IssueKind::TooSmall, path, "more than 0"));
    }
    if amount > limits::BUDGET_USD_MAX {
        return Err(ConfigIssue::shape(IssueKind::TooBig, path, format!("at most {}", limits::BUDGET_USD_MAX)));
    }
    Number::from_f64(amount).map(Value::Number).ok_or_else(|| wrong_type(path, "a number"))
}

fn flag(path: &[String], value: &Value) -> Checked {
    value.as_bool().map(Value::from).ok_or_else(|| wrong_type(path, "true or false"))
}

fn word(path: &[String], value: &Value, words: &[&str], context: &PatchContext<'_>) -> Checked {
    let text = value.as_str().ok_or_else(|| wrong_type(path, "a string"))?;
    if !words.contains(&text) {
        let message = format!("expected one of {}", words.join(", "));
        return Err(ConfigIssue::shape(IssueKind::InvalidEnum, path, message));
    }
    let is_pull_request = path == ["merge_strategy"] && text == super::MergeStrategy::Pr.as_str();
    if is_pull_request && !context.offers.pull_requests {
        return Err(ConfigIssue::new(ConfigCode::NotOffered, path, "this deployment does not offer pull requests"));
    }
    Ok(Value::from(text))
}

fn line(path: &[String], value: &Value, max: usize) -> Checked {
    let Some(text) = trimmed(path, value)? else { return Ok(Value::Null) };
    not_longer(path, text, max)?;
    // Angle brackets would end the name in a commit's author line.
    if text.chars().any(|c| c.is_control() || matches!(c, '<' | '>')) {
        return Err(bad_text(path, "one line without < and >"));
    }
    Ok(Value::from(text))
}

fn email(path: &[String], value: &Value) -> Checked {
    let Some(text) = trimmed(path, value)? else { return Ok(Value::Null) };
    not_longer(path, text, limits::AUTHOR_EMAIL_MAX)?;
    let has_parts = text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    let plain = text.chars().all(|c| !c.is_control() && !c.is_whitespace() && !matches!(c, '<' | '>'));
    match has_parts && plain {
        true => Ok(Value::from(text)),
        false => Err(bad_text(path, "expected an e-mail address")),
    }
}

fn text(path: &[String], value: &Value, max: usize) -> Checked {
    let Some(text) = trimmed(path, value)? else { return Ok(Value::Null) };
    not_longer(path, text, max)?;
    Ok(Value::from(text))
}

fn commands(path: &[String], value: &Value) -> Checked {
    let list = value.as_array().ok_or_else(|| wrong_type(path, "a list of commands"))?;
    if list.len() > limits::GATES_MAX {
        let message = format!("at most {} commands", limits::GATES_MAX);
        return Err(ConfigIssue::shape(IssueKind::TooBig, path, message));
    }
    let command = |(index, value): (usize, &Value)| {
        let path = [path, &[index.to_string()]].concat();
        let required = || ConfigIssue::shape(IssueKind::TooSmall, &path, "a command is not empty");
        let command = trimmed(&path, value)?.ok_or_else(required)?;
        not_longer(&path, command, limits::GATE_COMMAND_MAX)?;
        match command.contains('\0') {
            true => Err(bad_text(&path, "a command has no NUL")),
            false => Ok(Value::from(command)),
        }
    };
    list.iter().enumerate().map(command).collect::<Result<Vec<_>, _>>().map(Value::from)
}

fn url(path: &[String], value: &Value, context: &PatchContext<'_>) -> Checked {
    let Some(text) = trimmed(path, value)? else { return Ok(Value::Null) };
    not_longer(path, text, limits::GIT_URL_MAX)?;
    let unsafe_url = |message: &str| ConfigIssue::new(ConfigCode::UnsafeUrl, path, message);
    let (scheme, rest) = text.split_once("://").ok_or_else(|| bad_text(path, "expected an https address"))?;
    match scheme.to_ascii_lowercase().as_str() {
        "https" => (),
        "http" if context.offers.local_urls => (),
        _ => return Err(unsafe_url("only https addresses are accepted")),
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return Err(unsafe_url("an address carries no user name or password"));
    }
    let in_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
    let has_name = host.chars().any(|c| c.is_ascii_alphanumeric()) && !host.starts_with(':');
    let printable = text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '\\'));
    match has_name && host.chars().all(in_host) && printable {
        true => Ok(Value::from(text.trim_end_matches('/'))),
        false => Err(bad_text(path, "expected an https address without query or fragment")),
    }
}

fn push_flags(path: &[String], value: &Value) -> Checked {
    let Some(text) = trimmed(path, value)? else { return Ok(Value::Null) };
    not_longer(path, text, PUSH_FLAGS_MAX)?;
    let flags: Vec<&str> = text.split_whitespace().collect();
    match flags.iter().all(|flag| PUSH_FLAGS.contains(flag)) {
        true => Ok(Value::from(flags.join(" "))),
        false => {
            let message = format!("only these flags are allowed: {}", PUSH_FLAGS.join(" "));
            Err(ConfigIssue::new(ConfigCode::UnsupportedValue, path, message))
        }
    }
}

fn installation(path: &[String], value: &Value, context: &PatchContext<'_>) -> Checked {
    let Some(id) = trimmed(path, value)? else { return Ok(Value::Null) };
    if !context.offers.github_app {
        return Err(ConfigIssue::new(ConfigCode::UnsupportedValue, path, "this deployment has no GitHub App"));
    }
    not_longer(path, id, limits::NAME_MAX)?;
    match id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        true => Ok(Value::from(id)),
        false => Err(bad_text(path, "expected an installation id")),
    }
}
