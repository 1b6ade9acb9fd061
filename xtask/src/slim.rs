//! What is shipped as wasm: the linked file made small after worker-build has bound it to JavaScript, and weighed.
//!
//! worker-build can run wasm-opt itself, but always keeps the names of functions, a quarter of the file. Panics print
//! their message and place without them.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

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

/// The most that it may weigh when compressed, in bytes: a little above the 1160 kB that it weighs with the domain and the API.
/// docs/ARCHITECTURE.md says what costs much and what was tried.
const GZIPPED_MAX: usize = 1_200_000;

/// Makes the Worker's wasm in this directory small; fails if it is too large all the same.
pub(crate) fn slim(directory: &Path) -> Result<()> {
    let (linked, slim) = (directory.join(FILE), directory.join("slim.tmp"));
    let mut wasm_opt = shell::command(paths::npm_program("wasm-opt"));
    wasm_opt.args(FEATURES).args(PASSES).arg(&linked).arg("-o").arg(&slim);
    shell::quietly(&mut wasm_opt)?;
    fs::rename(&slim, &linked).with_context(|| format!("could not replace {}", linked.display()))?;
    weigh(&linked, GZIPPED_MAX)
}

fn weigh(path: &Path, max: usize) -> Result<()> {
    let (weight, max) = (gzipped(path)?.div_ceil(1000), max / 1000);
    if weight > max {
        bail!(
            "the Worker's wasm weighs {weight} kB gzipped, more than the {max} kB of GZIPPED_MAX in xtask/src/slim.rs"
        );
    }
    Ok(())
}

/// How many bytes are left of a file by `gzip -9`, give or take one in a hundred.
fn gzipped(path: &Path) -> Result<usize> {
    let bytes = fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&bytes).context("could not compress the wasm")?;
    Ok(encoder.finish().context("could not compress the wasm")?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_heavy_is_refused() {
        let path = std::env::temp_dir().join(format!("gastown-slim-{}", std::process::id()));
        let noise: Vec<u8> = (0..40_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8 ^ i as u8).collect();
        fs::write(&path, noise).unwrap();
        let results = (weigh(&path, 1_000), weigh(&path, 60_000));
        fs::remove_file(&path).unwrap();
        assert!(results.0.unwrap_err().to_string().contains("kB gzipped, more than the 1 kB"));
        assert!(results.1.is_ok());
    }
}
