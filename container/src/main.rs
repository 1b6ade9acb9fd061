//! The agent runtime: keeps git repositories, runs one kilo server per agent session, carries messages and credentials,
//! runs gates and merges, and reports facts. It decides nothing about beads (spec: container.md).
//!
//! Reading order: `server` (what the Worker orders), `fleet` (sessions: `machine` first), `git`, `broker` (what an agent
//! may reach), `job`, `report` (what the Worker hears), `town`, `runtime`.
//!
//! Invariants: only `config` reads the environment; only `git` and `fleet::process` spawn processes; `fleet::machine`
//! and `kilo::config` are pure; no child inherits the environment; every wait has a limit from `limits`.

pub mod broker;
pub mod clock;
pub mod config;
pub mod error;
pub mod fleet;
pub mod git;
pub mod job;
pub mod kilo;
pub mod limits;
pub mod public_dns;
pub mod report;
pub mod runtime;
pub mod secret;
pub mod server;
pub mod town;
pub mod validate;
pub mod worker;

mod serve;

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next().as_deref().and_then(std::ffi::OsStr::to_str) {
        None => serve::main(),
        Some("launch") => {
            let error = fleet::process::launch(args);
            complain(&error.to_string(), 127)
        }
        Some("git-credential") => {
            let action = args.next().and_then(|action| action.into_string().ok()).unwrap_or_default();
            answer_git(&action)
        }
        Some(other) => complain(&format!("{other}: unknown subcommand; there are launch and git-credential"), 2),
    }
}

/// git's credential helper: reads the question from standard input, prints the answer.
fn answer_git(action: &str) -> ExitCode {
    let mut question = String::new();
    if let Err(error) = std::io::stdin().take(64 << 10).read_to_string(&mut question) {
        return complain(&error.to_string(), 1);
    }
    let config = config::HelperConfig::from_env();
    let answer = git::credential_answer(action, &question, &config.gateway, config.capability.reveal());
    match std::io::stdout().write_all(answer.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error.to_string(), 1),
    }
}

/// One line for people, and the exit code.
fn complain(words: &str, code: u8) -> ExitCode {
    let _nobody_listens = writeln!(std::io::stderr(), "gastown-container: {words}");
    ExitCode::from(code)
}
