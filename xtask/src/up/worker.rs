//! The development configuration of the Worker, derived from `wrangler.toml` so that the two cannot drift apart.
//!
//! It lies in the state directory, and so do the secrets, in the `.dev.vars` that wrangler reads beside it: nothing is
//! written into the clone and nothing secret is a process argument.

use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use super::secrets::Secrets;
use super::state::{self, StateDir};
use crate::{paths, shell};

/// Settings of the environment that the Worker gets under the same name.
const PASSED_ON: [&str; 1] = ["GASTOWN_TIME_SCALE"];

/// Where fast town time begins. Kept from the first start on, so that no restart of workerd sets a clock back.
const TIME_ANCHOR: &str = "GASTOWN_TIME_ANCHOR_MS";

/// Variables of one start.
pub(super) struct Variables<'a> {
    pub(super) base_url: &'a str,
    pub(super) runtime_url: &'a str,
    pub(super) allow_local_git: bool,
    pub(super) llm: Option<(&'a str, &'a str)>,
}

/// Writes the configuration and returns its path.
pub(super) fn configure(state: &StateDir, secrets: &Secrets, variables: &Variables<'_>) -> Result<PathBuf> {
    let text = std::fs::read_to_string(paths::root().join("wrangler.toml")).context("could not read wrangler.toml")?;
    let mut vars = Map::new();
    vars.insert("ENVIRONMENT".to_owned(), json!("development"));
    vars.insert("CONTAINER_URL".to_owned(), json!(variables.runtime_url));
    vars.insert("GASTOWN_PUBLIC_URL".to_owned(), json!(variables.base_url));
    vars.insert(TIME_ANCHOR.to_owned(), json!(time_anchor(state)?));
    if let Some(commit) = shell::output(shell::command("git").args(["rev-parse", "--short", "HEAD"])) {
        vars.insert("GASTOWN_COMMIT".to_owned(), json!(commit));
    }
    if variables.allow_local_git {
        vars.insert("GASTOWN_ALLOW_LOCAL_GIT".to_owned(), json!("1"));
    }
    for name in PASSED_ON {
        if let Some(value) = super::setting(name) {
            vars.insert(name.to_owned(), json!(value));
        }
    }
    let mut hidden = vec![
        ("USER_JWT_SECRET", secrets.user_jwt_secret.as_str()),
        ("GASTOWN_JWT_SECRET", secrets.gastown_jwt_secret.as_str()),
        ("GASTOWN_CONTROL_SECRET", secrets.control_secret.as_str()),
    ];
    if let Some((base_url, api_key)) = variables.llm {
        vars.insert("GASTOWN_LLM_BASE_URL".to_owned(), json!(base_url));
        hidden.push(("GASTOWN_LLM_API_KEY", api_key));
    }
    let config = derive(&text, vars)?;
    let path = state.worker().join("wrangler.json");
    let config = serde_json::to_string_pretty(&config).context("could not write the Worker's configuration")?;
    state::write_private(&path, &config)?;
    state::write_private(&state.worker().join(".dev.vars"), &dotenv(&hidden)?)?;
    Ok(path)
}

/// `wrangler dev` on one port.
pub(super) fn command(state: &StateDir, config: &std::path::Path, port: u16) -> Command {
    let mut wrangler = shell::command(paths::npm_program("wrangler"));
    wrangler.current_dir(state.worker());
    wrangler.arg("dev").arg("--config").arg(config);
    wrangler.args(["--ip", "127.0.0.1", "--port", &port.to_string(), "--inspector-port", "0"]);
    wrangler.arg("--persist-to").arg(state.worker().join("objects"));
    wrangler.args(["--show-interactive-dev-session=false", "--enable-containers=false"]);
    wrangler.env("CI", "1").env("NO_COLOR", "1");
    // Nothing is looked up in the internet, and nothing is written outside of the state directory.
    wrangler.env("WRANGLER_SEND_METRICS", "false").env("WRANGLER_HIDE_BANNER", "true");
    wrangler.env("CLOUDFLARE_CF_FETCH_ENABLED", "false");
    wrangler.env("WRANGLER_LOG_PATH", state.log().join("wrangler"));
    wrangler.env("WRANGLER_REGISTRY_PATH", state.worker().join("registry"));
    wrangler.env("MINIFLARE_CACHE_DIR", state.worker().join("cache"));
    wrangler
}

/// The deployment's configuration with absolute paths, other variables, and without what only a deployment has.
fn derive(wrangler_toml: &str, vars: Map<String, Value>) -> Result<Value> {
    let table: toml::Table = wrangler_toml.parse().context("could not understand wrangler.toml")?;
    let mut config = serde_json::to_value(table).context("could not understand wrangler.toml")?;
    for pointer in ["/main", "/base_dir", "/assets/directory"] {
        if let Some(path) = config.pointer_mut(pointer) {
            let relative = path.as_str().with_context(|| format!("wrangler.toml: {pointer} is no path"))?;
            *path = json!(paths::root().join(relative));
        }
    }
    let object = config.as_object_mut().context("wrangler.toml is no table")?;
    for deployment_only in ["build", "containers"] {
        object.remove(deployment_only);
    }
    object.insert("vars".to_owned(), Value::Object(vars));
    Ok(config)
}

/// The wall clock at the first start of this state directory, in milliseconds since 1970.
fn time_anchor(state: &StateDir) -> Result<String> {
    let path = state.path().join("time_anchor_ms");
    if let Some(anchor) = super::setting(TIME_ANCHOR).or_else(|| std::fs::read_to_string(&path).ok()) {
        return Ok(anchor.trim().to_owned());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    let anchor = now.as_millis().to_string();
    state::write_private(&path, &anchor)?;
    Ok(anchor)
}

/// `NAME='value'` lines. Single quotes, because nothing inside them has a meaning.
fn dotenv(values: &[(&str, &str)]) -> Result<String> {
    let mut text = String::new();
    for (name, value) in values {
        if value.contains(['\'', '\n']) {
            bail!("{name} holds a quote or a line break, which wrangler's variables file cannot carry");
        }
        text.push_str(&format!("{name}='{value}'\n"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_development_configuration_keeps_the_bindings() {
        let text = std::fs::read_to_string(paths::root().join("wrangler.toml")).unwrap();
        let config = derive(&text, Map::from_iter([("ENVIRONMENT".to_owned(), json!("development"))])).unwrap();
        let names: Vec<_> = config["durable_objects"]["bindings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|binding| binding["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["ACCOUNT", "TOWN", "RIG", "TOWN_CONTAINER"]);
        assert_eq!(config["vars"], json!({"ENVIRONMENT": "development"}));
        assert_eq!(config["main"], json!(paths::root().join("build/index.js")));
        assert_eq!(config.get("containers"), None);
    }

    #[test]
    fn a_value_that_would_end_its_line_is_refused() {
        assert_eq!(dotenv(&[("A", "1"), ("B", "x\"y")]).unwrap(), "A='1'\nB='x\"y'\n");
        assert!(dotenv(&[("A", "it's")]).is_err());
        assert!(dotenv(&[("A", "1\nB=2")]).is_err());
    }
}
