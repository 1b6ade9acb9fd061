//! The pure heart of Gas Town: what the system decides, without doing it.
//!
//! Nothing here performs I/O, reads a clock, or makes an id: time and ids are arguments, results are values.
//! The Worker (`src/`) and the agent runtime (`container/`) are the shells that feed it and obey it.
//!
//! # Glossary
//!
//! | word | tense | meaning | may be refused? |
//! |---|---|---|---|
//! | Command | imperative | someone asks (HTTP) | yes, with a `Refusal` |
//! | Event | past | a fact that happened | never |
//! | State | – | all rows the rules look at, as a value | – |
//! | Rule | noun | one concern: reads the plan's state, adds to the plan | – |
//! | Write | – | one row as it shall be | no |
//! | Effect | imperative | one thing to do outside | its outcome comes back as an Event |
//! | Wait | – | why nothing happened to a bead | – |
//! | Plan | – | writes, effects, waits, and when to wake | – |
//!
//! # Reading order
//!
//! `id`, `time`, `text`, `limits` are the words; `json` and `sorted` read and keep them. `models`, `config`, `access` are decisions that need no state.
//! `rig` and `town` are the two aggregates: each `mod.rs` opens with its list of rules. `prompt` renders what
//! agents read. `wire` is what crosses a process boundary; nothing else in this crate may name it.

pub mod access;
pub mod breaker;
pub mod config;
pub mod container;
pub mod id;
pub mod json;
pub mod limits;
pub mod models;
pub mod prompt;
pub mod protocol;
pub mod rate;
pub mod rig;
#[cfg(feature = "schema")]
pub mod schema;
pub mod session;
pub mod sorted;
pub mod text;
pub mod time;
pub mod town;
pub mod wire;
