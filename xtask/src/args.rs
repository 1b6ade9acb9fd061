//! The command line. A command that stands here works; there are no placeholders.

use clap::{Parser, Subcommand};

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
}
