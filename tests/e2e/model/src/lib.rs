//! The scripted model: an OpenAI-compatible server that answers from a script (container.md 14).
//!
//! It stands in for a language model in tests, benchmarks and the demo, so that everything around it can be real.
//! It is deterministic and keeps nothing between requests except the recording: what to answer is read from the
//! messages of the request alone, so restarts and resumed sessions do not confuse it.
//!
//! Nothing here thinks: a rule fits or it does not, a hole is filled or stays visible.
//!
//! Reading order: [`script`] is what a script may say, [`chat`] what a request says, [`choose`] which step answers,
//! [`fill`] how its texts are completed, `reply` how it goes out, [`record`] what is remembered, [`server`] the routes.

pub mod chat;
pub mod choose;
pub mod fill;
pub mod record;
mod reply;
pub mod script;
pub mod server;

/// The script of the demo: mayor, polecat, refinery, rework and triage, for any repository that has a `test.sh`.
pub const DEMO: &str = include_str!("../demo.json");
