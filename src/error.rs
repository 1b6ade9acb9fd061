//! Two kinds of error by who is to blame: a [`Refusal`] is the caller's (4xx and 503), a [`Fault`] is ours (500, logged).
//! What goes wrong in the world (a runtime that does not answer) is neither: it is an event that the domain plans around.
//! Which status belongs to an error is decided in `http/error.rs` alone.

use gastown_core::wire::api::read::BadBody;
use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::Issue;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sql::SqlError;

/// Why a request did not get what it asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The caller's; the text is shown.
    Refusal(Box<Refusal>),
    /// Ours; the text is logged, the caller sees only that it happened.
    Fault(Fault),
}

/// The result of everything that a request does.
pub type Result<T> = std::result::Result<T, Error>;

/// A denial, a refusal by the rules, or a bad input. Crosses between objects as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// Machine word.
    pub code: Code,
    /// One sentence that states the fact.
    pub message: String,
    /// Names the other party, the kind of what was not found, and the like.
    #[serde(default)]
    pub details: Option<Value>,
    /// Fields that failed validation.
    #[serde(default)]
    pub issues: Vec<Issue>,
    /// When it is worth trying again.
    #[serde(default)]
    pub retry_after_s: Option<u32>,
    /// 405: what the path does allow.
    #[serde(default)]
    pub allow: Option<String>,
}

impl Refusal {
    /// A refusal without more.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None, issues: Vec::new(), retry_after_s: None, allow: None }
    }

    /// The same, naming the other party.
    pub fn with(self, details: Value) -> Self {
        Self { details: Some(details), ..self }
    }

    /// The same, worth trying again after so many seconds.
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// Nothing of this kind is there, or none that this caller may see.
    pub fn not_found(kind: &str) -> Self {
        Self::new(Code::NotFound, format!("No such {kind}")).with(json!({ "kind": kind }))
    }
}

/// Something of ours failed: what was tried, and what came back. A word long, because every result carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(Box<(String, String)>);

impl Fault {
    /// A failed operation, with its subject, and its cause.
    pub fn new(operation: impl Into<String>, cause: impl std::fmt::Display) -> Self {
        Self::of(operation.into(), &cause)
    }

    #[inline(never)]
    fn of(operation: String, cause: &dyn std::fmt::Display) -> Self {
        Self(Box::new((operation, cause.to_string())))
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (operation, cause) = &*self.0;
        write!(f, "could not {operation}: {cause}")
    }
}

impl std::error::Error for Fault {}

impl From<Refusal> for Error {
    #[inline(never)]
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(Box::new(refusal))
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<SqlError> for Fault {
    fn from(error: SqlError) -> Self {
        let (operation, cause) = error.into_parts();
        Self::new(operation, cause)
    }
}

impl From<SqlError> for Error {
    fn from(error: SqlError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<BadBody> for Error {
    fn from(bad: BadBody) -> Self {
        match bad {
            BadBody::NotJson(why) => Refusal::new(Code::InvalidJson, format!("The body is not JSON: {why}")).into(),
            BadBody::Issues(issues) => {
                let fields: Vec<String> = issues.iter().map(|issue| issue.path.join(".")).collect();
                let message = format!("The request is not valid: {}", fields.join(", "));
                Refusal { issues, ..Refusal::new(Code::InvalidRequest, message) }.into()
            }
        }
    }
}
