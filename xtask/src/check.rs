//! What must hold before anything runs: formatting, lints for both worlds, repository rules, types.

use anyhow::{Result, bail};

use crate::setup::{self, Compiler};
use crate::{paths, shell};

/// The members of the workspace that are compiled to wasm.
const WASM_PACKAGES: [&str; 2] = ["gastown", "gastown-core"];

/// Every check; all of them run, then the failures are named.
pub(crate) fn run() -> Result<()> {
    let compiler = setup::worker()?;
    setup::clippy(compiler)?;
    setup::packages()?;
    let mut failures = Vec::new();
    let mut check = |name: &str, result: Result<()>| {
        if let Err(error) = result {
            eprintln!("{error:#}");
            failures.push(name.to_owned());
        }
    };
    check("formatting", shell::step("check: formatting", formatting));
    check("lints (native)", shell::step("check: lints (native)", lints_native));
    check("lints (wasm32)", shell::step("check: lints (wasm32)", || lints_wasm(compiler)));
    check("repository rules", shell::step("check: repository rules", repository_rules));
    check("types of the API", shell::step("check: types of the API", || types(&["--check"])));
    for package in ["container/plugin", "dashboard"] {
        check(package, shell::step(&format!("check: {package}"), || npm_script(package, "check")));
    }
    if failures.is_empty() { Ok(()) } else { bail!("not clean: {}", failures.join(", ")) }
}

fn formatting() -> Result<()> {
    shell::quietly(shell::cargo()?.args(["fmt", "--all", "--check"]))
}

fn lints_native() -> Result<()> {
    shell::quietly(shell::cargo()?.args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))
}

fn lints_wasm(compiler: Compiler) -> Result<()> {
    let mut cargo = match compiler {
        Compiler::Rustup => shell::command("cargo"),
        Compiler::Debian => shell::debian("cargo"),
    };
    cargo.env("CARGO_TARGET_DIR", paths::wasm_target()?);
    cargo.args(["clippy", "--target", setup::WASM_TARGET, "--quiet"]);
    for package in WASM_PACKAGES {
        cargo.args(["--package", package]);
    }
    shell::quietly(cargo.args(["--", "-D", "warnings"]))
}

fn repository_rules() -> Result<()> {
    shell::quietly(shell::cargo()?.args(["test", "--quiet", "--package", "gastown-integration", "tidy"]))
}

/// The TypeScript types of the API's shapes, written or (`--check`) compared.
pub(crate) fn types(flags: &[&str]) -> Result<()> {
    let mut node = shell::command("node");
    shell::quietly(node.current_dir(paths::root()).arg("xtask/types.mjs").args(flags))
}

fn npm_script(package: &str, script: &str) -> Result<()> {
    let mut npm = shell::command("npm");
    shell::quietly(npm.current_dir(paths::root().join(package)).args(["run", "--silent", script]))
}
