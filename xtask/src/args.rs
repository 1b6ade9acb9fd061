//! The command line. A command that stands here works; there are no placeholders.

use clap::{Parser, Subcommand};

use crate::{demo, simulate, token, up};

/// Every command of the repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, about)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Install the tools that are missing (every other command does this for itself)
    Setup,
    /// Build the Worker, the agent runtime, the plugin and the dashboard
    Build,
    /// Formatting, lints (native and wasm32), repository rules, types
    Check,
    /// Run every test; what CI runs
    Test {
        /// Only unit, scenario and SQL tests of the native crates; no set-up
        #[arg(long)]
        fast: bool,
    },
    /// Rewrite the expected files of golden tests, then show what changed
    Golden,
    /// Play whole towns in virtual time, with faults; one seed is one run
    Simulate(simulate::Options),
    /// Measure what a rig's wake-up costs with 50 000 closed beads; fails above 1.2 times the cost without them
    Bench,
    /// Start the whole stack and keep it running, without demo data
    Up {
        #[command(flatten)]
        options: up::Options,
        /// When ready, print one JSON line with addresses, a user token and the development secrets
        #[arg(long)]
        json: bool,
    },
    /// Start everything with a small repository, a town and a rig, and print a sign-in link
    Demo(demo::Options),
    /// Print a user token for a stack that `up` started
    Token(token::Options),
    /// Print a link that signs a browser in to a stack that `up` started
    SignIn(token::Options),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_readme_names_every_command() {
        let readme = std::fs::read_to_string(crate::paths::root().join("README.md")).unwrap();
        for command in Args::command().get_subcommands() {
            let name = format!("`cargo xtask {}", command.get_name());
            assert!(readme.contains(&name), "README.md does not name {name}`");
        }
    }
}
