//! Every answer that a test gets is held against the API document (`docs/openapi.json`): its status, the code of an error
//! and the shape of the body. A route without an entry is not looked at; those are the tests of what is not served.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use jsonschema::Validator;
use serde_json::{Value, json};

/// Fails where the document does not allow this answer.
pub fn check(method: &str, path: &str, status: u16, body: &Value) -> Result<()> {
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let Some(operation) = DOCUMENT.get_or_init(Document::load).operation(method, path) else { return Ok(()) };
    operation.check(status, body).with_context(|| format!("{method} {path} answered {status} {body}"))
}

static DOCUMENT: OnceLock<Document> = OnceLock::new();

/// The document, and the validators that were needed so far.
struct Document {
    whole: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// One operation of the document.
struct Operation<'a> {
    document: &'a Document,
    described: &'a Value,
}

impl Document {
    fn load() -> Self {
        let whole = serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap_or_default();
        Self { whole, validators: Mutex::default() }
    }

    /// The operation of a path; where several templates fit, the one with the most fixed parts.
    fn operation(&self, method: &str, path: &str) -> Option<Operation<'_>> {
        let paths = self.whole["paths"].as_object()?;
        let fitting = paths.iter().filter(|(template, _)| fits(template, path));
        let (_, item) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
        let described = item.get(method.to_ascii_lowercase())?;
        Some(Operation { document: self, described })
    }

    fn follow<'a>(&'a self, value: &'a Value) -> &'a Value {
        let reference =
            value["$ref"].as_str().and_then(|reference| self.whole.pointer(reference.trim_start_matches('#')));
        reference.unwrap_or(value)
    }

    fn validator(&self, schema: &Value) -> Result<Arc<Validator>> {
        let key = schema.to_string();
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = validators.get(&key) {
            return Ok(Arc::clone(validator));
        }
        // References of the document start at its root.
        let schema = json!({ "allOf": [schema], "components": self.whole["components"] });
        let validator = jsonschema::draft202012::new(&schema).context("the document's schema is none")?;
        Ok(Arc::clone(validators.entry(key).or_insert(Arc::new(validator))))
    }
}

impl Operation<'_> {
    fn check(&self, status: u16, body: &Value) -> Result<()> {
        let response = &self.described["responses"][status.to_string()];
        ensure!(!response.is_null(), "the status is not documented");
        let response = self.document.follow(response);
        let schema = &response["content"]["application/json"]["schema"];
        if schema.is_null() {
            return Ok(());
        }
        let validator = self.document.validator(schema)?;
        let problems: Vec<String> =
            validator.iter_errors(body).take(5).map(|error| format!("{}: {error}", error.instance_path())).collect();
        if problems.is_empty() {
            return Ok(());
        }
        bail!("the body is not as documented: {}", problems.join("; "))
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.trim_end_matches('/').split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(part), Some(value)) if part == value || (part.starts_with('{') && !value.is_empty()) => (),
            (_, _) => return false,
        }
    }
}
