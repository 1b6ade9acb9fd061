//! The documents about the API, held against the API: the guide's examples are run as they stand, and schemathesis calls
//! every route as `docs/openapi.json` describes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::world::World;

/// Inputs per operation and phase; more with `cargo xtask test` in an environment that sets `SCHEMATHESIS_EXAMPLES`.
const EXAMPLES: &str = "4";

/// Not called: a stream that does not end, and what ends the session or the town in the middle of the run.
const LEFT_OUT: [&str; 10] = [
    "session.delete",
    "session.revoke_all",
    "towns.delete",
    "towns.delete.2",
    "towns.delete_of_org",
    "rigs.delete",
    "rigs.delete_of_account",
    "rigs.delete_of_account.2",
    "container.revoke",
    // 503 as documented, once the run has stopped the runtime.
    "rigs.check_access",
];

/// Every example of `docs/api.md` runs, in the order of the page.
pub(crate) fn guide(world: &World) -> Result<()> {
    let town = world.town(0, &json!({}))?;
    let page = fs::read_to_string(root().join("docs/api.md")).context("could not read the guide")?;
    let directory = tempfile::tempdir().context("could not make a directory for the guide")?;
    let script = format!("set -euo pipefail\n{}", examples(&page));
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(directory.path())
        .env("GASTOWN_URL", town.api.base_url())
        .env("GASTOWN_TOKEN", town.api.token().context("no token")?)
        .output()
        .context("could not run bash")?;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    ensure!(output.status.success(), "an example of docs/api.md failed:\n{said}");
    Ok(())
}

/// The text of all blocks that are marked as shell.
fn examples(page: &str) -> String {
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.collect::<Vec<_>>().join("\n")
}

/// An independent validator accepts the document.
pub(crate) fn is_valid(_: &World) -> Result<()> {
    run(Command::new(tool("openapi-spec-validator")?).arg(root().join("docs/openapi.json")))
}

/// schemathesis finds no undocumented status, no undocumented shape and no fault of the server.
pub(crate) fn is_kept(world: &World) -> Result<()> {
    let town = world.town(1, &json!({}))?;
    let bead = json!({"rig_id": town.rigs[0], "title": "Called from outside", "held": true});
    let bead = town.api.post(&town.path("/beads"), &bead)?;
    let directory = tempfile::tempdir().context("could not make a directory for schemathesis")?;
    let settings = format!(
        "[parameters]\n\"path.townId\" = \"{}\"\n\"path.rigId\" = \"{}\"\n\"path.beadId\" = {}\n",
        town.town_id, town.rigs[0], bead["bead_id"]
    );
    let settings_file = directory.path().join("schemathesis.toml");
    fs::write(&settings_file, settings).context("could not write the settings of schemathesis")?;
    let mut command = Command::new(tool("schemathesis")?);
    command.arg("--config-file").arg(&settings_file).arg("run").arg(root().join("docs/openapi.json"));
    command.args(["--url", town.api.base_url(), "--seed", "1", "--workers", "2", "--no-color"]);
    command.args(["--phases", "examples,fuzzing", "--generation-deterministic"]);
    command.arg("--max-examples").arg(std::env::var("SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned()));
    command.args([
        "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
    ]);
    command.arg("--header").arg(format!("Authorization: Bearer {}", town.api.token().context("no token")?));
    command.args(["--exclude-path-regex", "stream|/ws"]);
    for operation in LEFT_OUT {
        command.args(["--exclude-operation-id", operation]);
    }
    run(command.current_dir(directory.path()))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("could not run {}", command.get_program().display()))?;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    ensure!(output.status.success(), "{said}");
    Ok(())
}

/// A program of the Python environment that `cargo xtask setup` makes.
fn tool(name: &str) -> Result<PathBuf> {
    let directory = std::env::var_os("PYTHON_TOOLS").context(
        "PYTHON_TOOLS is not set: run this through `cargo xtask test`, or set it to the `bin` of ~/.cache/gastown/python-…",
    )?;
    Ok(Path::new(&directory).join(name))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
