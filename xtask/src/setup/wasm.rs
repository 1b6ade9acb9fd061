//! The wasm32 target: rustup's where it can be downloaded, else Debian's compiler with a standard library built here.
//!
//! The second way exists because rustup's server is no package registry: a machine behind a registry mirror reaches
//! Debian and crates.io, and nothing else. Debian ships the compiler, its linker and the library's source, but not the
//! library for wasm32; it is built once per compiler, kept in the cache, and put where that compiler looks for it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::apt;
use crate::{paths, shell};

/// The target of the Worker.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Forces one of the two ways: `rustup` or `debian`.
const CHOICE: &str = "GASTOWN_WASM_TOOLCHAIN";

/// What Debian calls the compiler, the library's source, and the LLVM tools with the name of the linker.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];

/// Debian's compiler, wherever rustup stands on PATH.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// The linker that Debian's compiler calls: a link into a package of its own.
const DEBIAN_LINKER: &str = "/usr/bin/rust-lld";

/// Whose rustc and cargo build the Worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compiler {
    /// The `rustc` and `cargo` of PATH.
    Rustup,
    /// Those of `/usr/bin`.
    Debian,
}

/// Makes sure that one compiler has the wasm32 target, and says which.
pub(crate) fn wasm32() -> Result<Compiler> {
    match std::env::var(CHOICE).as_deref() {
        Ok("rustup") => rustup().map(|()| Compiler::Rustup),
        Ok("debian") => debian().map(|()| Compiler::Debian),
        Ok(other) => bail!("{CHOICE}={other}: expected rustup or debian"),
        Err(_) if has_target(Path::new("rustc")) => Ok(Compiler::Rustup),
        Err(_) if debian_is_complete() => Ok(Compiler::Debian),
        Err(_) => either(),
    }
}

fn either() -> Result<Compiler> {
    let Err(first) = rustup() else { return Ok(Compiler::Rustup) };
    let Err(second) = debian() else { return Ok(Compiler::Debian) };
    bail!(
        "no compiler for wasm32. Either `rustup target add {TARGET}`, or Debian's compiler \
         (as root: apt-get install {}) and this command again.\nrustup: {first:#}\nDebian: {second:#}",
        DEBIAN_PACKAGES.join(" ")
    );
}

fn rustup() -> Result<()> {
    if has_target(Path::new("rustc")) {
        return Ok(());
    }
    if !shell::exists("rustup") {
        bail!("rustup is not on PATH");
    }
    shell::step("setup: wasm32 by rustup", || {
        // One try: where the server is not reachable, more tries only take longer.
        let mut rustup = shell::command("rustup");
        rustup.env("RUSTUP_MAX_RETRIES", "1").args(["target", "add", TARGET]);
        shell::quietly(&mut rustup)?;
        // rustup knows its own toolchains only, and `rustc` may be another.
        if has_target(Path::new("rustc")) { Ok(()) } else { bail!("rustup has {TARGET}, `rustc` on PATH has not") }
    })
}

fn debian() -> Result<()> {
    if debian_is_complete() {
        return Ok(());
    }
    if library_source().is_none() || fs::symlink_metadata(DEBIAN_LINKER).is_err() {
        shell::step("setup: Debian's compiler (apt)", || apt::install(&DEBIAN_PACKAGES))?;
    }
    if !Path::new(DEBIAN_LINKER).exists() {
        let linker = linker_package()?;
        shell::step(&format!("setup: {linker} (apt)"), || apt::install(&[&linker]))?;
    }
    if has_target(Path::new(DEBIAN_RUSTC)) {
        return Ok(());
    }
    let built = built_library()?;
    if !built.is_dir() {
        shell::step("setup: standard library for wasm32 (about 1 min)", || build_library(&built))?;
    }
    install_library(&built)
}

/// The linker's package: `/usr/bin/rust-lld` is a link to a program that is named like its package.
fn linker_package() -> Result<String> {
    let link = fs::read_link(DEBIAN_LINKER).with_context(|| format!("{DEBIAN_LINKER} is missing"))?;
    let name = link.file_name().with_context(|| format!("{DEBIAN_LINKER} leads nowhere"))?;
    Ok(name.to_string_lossy().into_owned())
}

fn debian_is_complete() -> bool {
    Path::new(DEBIAN_RUSTC).exists() && Path::new(DEBIAN_LINKER).exists() && has_target(Path::new(DEBIAN_RUSTC))
}

/// The source of the standard library, which Debian keeps in the compiler's sysroot.
fn library_source() -> Option<PathBuf> {
    let sysroot = shell::output(shell::debian(DEBIAN_RUSTC).args(["--print", "sysroot"]))?;
    let source = Path::new(&sysroot).join("lib/rustlib/src/rust/library/std");
    source.is_dir().then_some(source)
}

fn has_target(rustc: &Path) -> bool {
    let Some(directory) = library_directory(rustc) else { return false };
    let Ok(entries) = fs::read_dir(directory) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

fn library_directory(rustc: &Path) -> Option<PathBuf> {
    shell::output(shell::command(rustc).args(["--print", "target-libdir", "--target", TARGET])).map(PathBuf::from)
}

/// Where the library of this very compiler is kept.
fn built_library() -> Result<PathBuf> {
    let version = shell::output(shell::debian(DEBIAN_RUSTC).arg("--version")).context("Debian's rustc does not run")?;
    let key: String = version.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    Ok(paths::cache()?.join(format!("wasm32-std-{key}")))
}

/// Builds the library through a scratch crate and keeps its rlibs in `place`.
fn build_library(place: &Path) -> Result<()> {
    let scratch = place.with_extension("partial");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).context("could not remove an unfinished build of the standard library")?;
    }
    fs::create_dir_all(scratch.join("src")).context("could not make the scratch crate")?;
    let manifest = "[package]\nname = \"scratch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(scratch.join("Cargo.toml"), manifest).context("could not write the scratch crate")?;
    fs::write(scratch.join("src/lib.rs"), "").context("could not write the scratch crate")?;

    let mut cargo = shell::debian("/usr/bin/cargo");
    cargo.current_dir(&scratch);
    cargo.args(["build", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort"]);
    cargo.env("CARGO_TARGET_DIR", scratch.join("target"));
    // Bitcode, because the Worker's release build optimises across crates. Bootstrap, because -Z flags need it.
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", DEBIAN_RUSTC).env("RUSTFLAGS", "-Cembed-bitcode=yes");
    shell::quietly(&mut cargo).context("could not build the standard library for wasm32")?;

    let libraries = scratch.join("libraries");
    fs::create_dir_all(&libraries).context("could not keep the standard library")?;
    let built = scratch.join("target").join(TARGET).join("release/deps");
    for entry in fs::read_dir(&built).with_context(|| format!("could not list {}", built.display()))? {
        let path = entry.context("could not list the standard library")?.path();
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        if name.ends_with(".rlib") && !name.starts_with("libscratch-") {
            fs::copy(&path, libraries.join(&name)).with_context(|| format!("could not keep {name}"))?;
        }
    }
    fs::rename(&libraries, place).with_context(|| format!("could not move the library to {}", place.display()))?;
    fs::remove_dir_all(&scratch).context("could not remove the scratch crate")
}

/// Puts the library where Debian's compiler looks for it.
fn install_library(built: &Path) -> Result<()> {
    let place = library_directory(Path::new(DEBIAN_RUSTC)).context("Debian's rustc knows no wasm32 target")?;
    let by_hand = format!("as root: mkdir -p {0} && cp {1}/*.rlib {0}/", place.display(), built.display());
    let copy = || -> std::io::Result<()> {
        fs::create_dir_all(&place)?;
        let mut names =
            fs::read_dir(built)?.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>()?;
        // `std` itself comes last, because its presence is what says that the target is there.
        names.sort_by_key(|name| name.to_string_lossy().starts_with("libstd-"));
        names.iter().try_for_each(|name| fs::copy(built.join(name), place.join(name)).map(drop))
    };
    copy().with_context(|| format!("could not install the standard library for wasm32; {by_hand}"))
}
