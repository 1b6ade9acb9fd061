//! Debian packages: installed by root, named to everybody else.

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// Installs packages, after bringing the lists up to date: a fresh machine has none.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    let by_hand = format!("as root: apt-get update && apt-get install -y {names}");
    if !shell::exists("apt-get") {
        bail!("this system has no apt-get; install what Debian calls {names}");
    }
    if !rustix::process::geteuid().is_root() {
        bail!("missing Debian packages; {by_hand}");
    }
    let apt = || {
        let mut apt = shell::command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    // A stale mirror is no reason to stop: the install says whether the lists were good enough.
    shell::quietly(apt().arg("update")).ok();
    shell::quietly(apt().args(["install", "-y", "--no-install-recommends"]).args(packages))
        .with_context(|| format!("could not install Debian packages; {by_hand}"))
}
