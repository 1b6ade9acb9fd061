//! Every command a person types: `cargo xtask <command>`.
//!
//! Each command does its own set-up ([`setup`]) and builds what it needs ([`build`]); both are instant when there is
//! nothing to do. Progress goes to standard error, results to standard output. What CI runs is `cargo xtask test`.
//! Nothing here knows the domain: the stack is started as processes and spoken to over HTTP.

mod args;
mod bench;
mod build;
mod check;
mod demo;
mod paths;
mod setup;
mod shell;
mod simulate;
mod slim;
mod suites;
mod token;
mod up;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Setup => setup::everything(),
        Command::Build => build::everything(),
        Command::Check => check::run(),
        Command::Test { fast: true } => suites::fast(),
        Command::Test { fast: false } => suites::everything(),
        Command::Golden => suites::golden(),
        Command::Simulate(options) => simulate::run(&options),
        Command::Bench => bench::run(),
        Command::Up { options, json } => up::run(&options, json),
        Command::Demo(options) => demo::run(&options),
        Command::Token(options) => token::print_user(&options),
        Command::SignIn(options) => token::print_sign_in(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a result on standard output.
fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")?;
    Ok(stdout.flush()?)
}
