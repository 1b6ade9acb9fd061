//! The server process: reads the settings, binds both servers, probes the machine, and drains on a signal.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::fleet::tree::Reaper;
use crate::limits;
use crate::report::outbox::chain;
use crate::runtime::Runtime;
use crate::{broker, complain, server};

/// How long a drain may take when a person at a terminal is waiting, and after a second signal.
const DRAIN_INTERRUPTED: Duration = Duration::from_secs(20);
const DRAIN_AGAIN: Duration = Duration::from_secs(15);

/// Runs until a signal.
pub(crate) fn main() -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => return complain(&error.to_string(), 2),
    };
    start_log(&config);
    for name in &config.unknown {
        tracing::warn!("{name} means nothing to this program");
    }
    if config.wants_agent_user {
        tracing::warn!("agents run as the runtime's own user; GASTOWN_AGENT_USER has no effect");
    }
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    // Neither is vital: without them orphans go to process 1, and the environment is readable by the same user.
    for (what, done) in [
        ("become child subreaper", nix::sys::prctl::set_child_subreaper(true)),
        ("hide the own memory", nix::sys::prctl::set_dumpable(false)),
    ] {
        if let Err(error) = done {
            tracing::warn!(error = %error, "could not {what}");
        }
    }
    let tokio = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(tokio) => tokio,
        Err(error) => return complain(&error.to_string(), 1),
    };
    let end = tokio.block_on(run(config));
    tokio.shutdown_timeout(Duration::from_secs(1));
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&chain(error.as_ref()), 1),
    }
}

async fn run(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let runtime = Runtime::new(config)?;
    let broker = TcpListener::bind(runtime.config.broker_listen).await?;
    runtime.set_broker(format!("http://{}", broker.local_addr()?));
    let control = TcpListener::bind(runtime.config.listen).await?;
    let address = control.local_addr()?;
    tokio::spawn(serve(broker, broker::router(runtime.clone())));
    tokio::spawn(serve(control, server::router(runtime.clone())));
    // Whoever started us with port 0 reads the address from this line.
    let line = format!("gastown-container listening on http://{address} broker {}", runtime.broker_url());
    writeln!(std::io::stdout(), "{line}")?;
    let probing = runtime.clone();
    tokio::spawn(async move { probing.probe().await });
    tokio::spawn(reap());
    let limit = tokio::select! {
        _ = terminate.recv() => runtime.config.drain,
        _ = interrupt.recv() => DRAIN_INTERRUPTED.min(runtime.config.drain),
    };
    drain(&runtime, limit, terminate, interrupt).await;
    Ok(())
}

async fn drain(
    runtime: &Arc<Runtime>,
    limit: Duration,
    mut terminate: tokio::signal::unix::Signal,
    mut interrupt: tokio::signal::unix::Signal,
) {
    let again = async {
        tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
    };
    tokio::select! {
        () = server::drain::drain_all(runtime, limit) => return,
        () = again => (),
    }
    server::drain::drain_all(runtime, DRAIN_AGAIN).await;
}

async fn serve(listener: TcpListener, router: axum::Router) {
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(error = %error, "a server ended");
    }
}

/// Orphans of agents come to us as subreaper.
async fn reap() {
    let mut reaper = Reaper::default();
    loop {
        tokio::time::sleep(limits::SAMPLE).await;
        reaper.look();
    }
}

fn start_log(config: &Config) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second subscriber would be a mistake of ours; the first one keeps logging.
    let _already = if config.log_json { log.json().try_init() } else { log.compact().try_init() };
}
