//! The scripted model as a program. Prints one JSON line with its address when it listens, then serves until it is
//! ended by a signal.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use gastown_model::script::Script;
use gastown_model::server::{Model, Settings};

/// An OpenAI-compatible model that answers from a script.
#[derive(Parser)]
#[command(name = "gastown-model", version)]
struct Arguments {
    /// JSON list of rules; without it the script of the demo.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Accept only this bearer key.
    #[arg(long)]
    key: Option<String>,
    /// Leave the usage out of every answer.
    #[arg(long)]
    no_usage: bool,
    /// Keep the bodies of requests in the recording.
    #[arg(long)]
    full: bool,
    /// Append the recording to this file, one JSON line per request.
    #[arg(long)]
    record: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let script = match &arguments.script {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?,
        None => gastown_model::DEMO.to_owned(),
    };
    let settings = Settings {
        listen: arguments.listen,
        script: Script::parse(&script).context("could not read the script")?,
        key: arguments.key,
        no_usage: arguments.no_usage,
        full: arguments.full,
        record: arguments.record,
    };
    let model = Model::start(settings).await?;
    let ready = serde_json::json!({"address": model.address().to_string(), "base_url": model.base_url()});
    writeln!(std::io::stdout(), "{ready}").context("could not print the address")?;
    model.serve().await
}
