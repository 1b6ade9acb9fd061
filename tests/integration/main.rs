//! Native integration tests of the Worker: real SQLite with the real migrations, and the rules of routes and access that
//! need no Worker. One binary, so that it links once; modules mirror `src/`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod checks;
mod history;
mod migrations;
mod openapi;
mod random;
mod rig;
mod routes;
mod scenarios;
mod statements;
mod support;
mod tidy;
mod town;
