//! Free ports, and the wait until a server answers.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::child::Child;

/// Between two looks at a server that does not listen yet: short beside the start of any service.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// One look; a health check that takes longer is as good as none.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// Different ports that nothing listens on at this moment.
pub(super) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut ports = [0; N];
    let mut listeners = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("could not find a free port")?;
        *port = listener.local_addr().context("could not find a free port")?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// Whether `url` answers with success.
pub(super) fn answers(url: &str) -> bool {
    let agent = ureq::Agent::config_builder().timeout_global(Some(LOOK_MAX)).proxy(None).build().new_agent();
    agent.get(url).call().is_ok()
}

/// Waits until `url` answers; ends early when the process that should answer is gone, or when the stack shall end.
pub(super) fn wait(url: &str, child: &Child, limit: Duration, stopping: &AtomicBool) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !answers(url) {
        if let Some(status) = child.wait_exit(LOOK_AGAIN) {
            bail!("{} ended before it was ready ({status})\n{}", child.name, child.last_words());
        }
        if stopping.load(Ordering::Relaxed) {
            bail!("asked to end before {} was ready", child.name);
        }
        if Instant::now() > deadline {
            bail!("{} did not answer within {} s\n{}", child.name, limit.as_secs(), child.last_words());
        }
    }
    Ok(())
}
