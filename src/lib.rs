//! The Worker: the shell around `gastown_core`. Routes and their handlers (`routes`, `http`), four Durable Objects
//! (`account`, `town`, `rig`, `town_container`), and the few modules that touch the outside: `ambient` (time and
//! randomness), `env` (bindings), `sql` (SQLite), `token` (credentials). Decisions are all in `core`.

pub mod account;
pub mod ambient;
pub mod call;
pub mod catalogue;
pub mod container;
pub mod env;
pub mod error;
pub mod http;
pub mod log;
pub mod requests;
pub mod rig;
pub mod routes;
pub mod sql;
pub mod sse;
pub mod token;
pub mod town;
pub mod town_container;

use worker::{Context, Env, Request, Response, event};

/// Panics become readable log lines; the instance is built anew after one.
#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// Every request of the deployment.
#[event(fetch, respond_with_errors)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    Ok(http::serve(request, env, context).await)
}
