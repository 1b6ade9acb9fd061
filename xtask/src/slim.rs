//! What is shipped as wasm: the linked file made small after worker-build has bound it to JavaScript.
//!
//! worker-build can run wasm-opt itself, but always keeps the names of functions, a quarter of the file. Panics print
//! their message and place without them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::{paths, shell};

/// The file that wrangler uploads.
const FILE: &str = "index_bg.wasm";

/// What the wasm may use: what rustc emits and workerd runs. wasm-opt alone would also use what is newer than both.
const FEATURES: [&str; 7] = [
    "--enable-mutable-globals",
    "--enable-sign-ext",
    "--enable-nontrapping-float-to-int",
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-reference-types",
    "--enable-exception-handling",
];

/// What is done to it. Functions in the order of their names stand beside those that look like them: compression, which
/// sees 32 kB at a time, finds what repeats.
const PASSES: [&str; 4] = ["-Oz", "--reorder-locals", "--reorder-functions-by-name", "--strip-producers"];

/// Makes the Worker's wasm in this directory small.
pub(crate) fn slim(directory: &Path) -> Result<()> {
    let (linked, slim) = (directory.join(FILE), directory.join("slim.tmp"));
    let mut wasm_opt = shell::command(paths::npm_program("wasm-opt"));
    wasm_opt.args(FEATURES).args(PASSES).arg(&linked).arg("-o").arg(&slim);
    shell::quietly(&mut wasm_opt)?;
    fs::rename(&slim, &linked).with_context(|| format!("could not replace {}", linked.display()))
}
