//! The real runtime binary against a stub Worker that records calls, real git repositories, and (★) the real kilo with a
//! scripted model. A test that needs kilo prints its name and passes when kilo is not installed.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it expects")]

mod broker;
mod control;
mod jobs;
mod mayor;
mod recovery;
mod sessions;
mod support;
