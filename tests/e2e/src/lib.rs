//! The stack from outside: start it, speak to it over HTTP, look at its git remotes and its processes.
//!
//! Nothing here knows how a part works inside: what the tests and the demo say about the system they say by its
//! public API, by git, and by the process table. Calls are blocking; every wait has a limit and a name, and ends
//! with what was seen last.
//!
//! Reading order: [`stack`] starts `cargo xtask up`, [`api`] is the client, [`repository`] makes remotes, [`wait`]
//! waits, [`document`] holds answers against the API document, [`process`] finds and kills by process id, [`recording`]
//! reads what a scripted model was asked.
//! [`demo`] puts them together: it is what `cargo xtask demo --once` prints.

pub mod api;
pub mod demo;
pub mod document;
pub mod leaks;
pub mod process;
pub mod recording;
pub mod repository;
pub mod stack;
pub mod wait;
