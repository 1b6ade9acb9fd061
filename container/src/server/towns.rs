//! Health, attach, settings, repositories, removal.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use gastown_core::id::{RigId, TownId};
use gastown_core::wire::code::Code;
use gastown_core::wire::control::{
    Attach, Attached, CheckRepo, ControlCode, Health, HealthTown, NewToken, PROTOCOL, RemoveOrder, RuntimeConfig,
    StopMode, TownView,
};
use gastown_core::wire::report::{FactBody, OutcomeKind};
use serde_json::json;

use super::{Body, ItemPath, Reply, TownPath, id_of, reply, shows_secret, town_of};
use crate::clock;
use crate::error::ControlError;
use crate::fleet::Session;
use crate::fleet::machine::{Cause, Input};
use crate::fleet::session::Signal;
use crate::limits;
use crate::runtime::{CAPABILITIES, Runtime};
use crate::secret::Secret;
use crate::town::{Town, TownState, attach as attaching};
use crate::validate;

/// `GET /health`.
pub async fn health(State(runtime): State<Arc<Runtime>>, headers: HeaderMap) -> Response {
    if !shows_secret(&runtime, &headers) {
        return axum::Json(json!({ "status": "ok" })).into_response();
    }
    let tools = runtime.tools();
    let towns = runtime.towns();
    let agents = u32::try_from(runtime.live_sessions()).unwrap_or(u32::MAX);
    let servers = towns.iter().flat_map(|town| town.live_sessions()).filter(|s| s.status().pid.is_some()).count();
    axum::Json(Health {
        status: "ok".to_owned(),
        state: runtime.state().to_owned(),
        instance_id: runtime.instance_id,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: PROTOCOL,
        kilo_version: tools.kilo_version,
        capabilities: CAPABILITIES.iter().map(|name| (*name).to_owned()).collect(),
        towns: towns
            .iter()
            .map(|town| HealthTown { town_id: town.id, state: town.state.borrow().as_str().to_owned() })
            .collect(),
        agents,
        servers: u32::try_from(servers).unwrap_or(u32::MAX),
        uptime: clock::now().since(runtime.started_at).as_secs(),
        started_at: runtime.started_at,
        draining: *runtime.draining.borrow(),
        memory: runtime.memory(),
        problems: tools.problems,
    })
    .into_response()
}

/// `PUT C`.
pub async fn attach(State(runtime): State<Arc<Runtime>>, Path(town): TownPath, Body(body): Body<Attach>) -> Reply {
    let town_id: TownId = id_of(&town, "town")?;
    if body.instance_id != runtime.instance_id {
        let message = format!("This is instance {}.", runtime.instance_id);
        return Err(ControlError::Control(ControlCode::InstanceMismatch, message, json!({})));
    }
    if body.protocol != PROTOCOL {
        let details = json!({ "min": PROTOCOL, "max": PROTOCOL });
        let message = format!("This runtime speaks protocol {PROTOCOL}.");
        return Err(ControlError::Control(ControlCode::ProtocolUnsupported, message, details));
    }
    if reqwest::Url::parse(&body.api_url).is_err() {
        return Err(ControlError::Api(Code::InvalidRequest, "api_url is not a URL.".to_owned()));
    }
    let attached = attaching::attach(&runtime, town_id, body);
    let mut state = attached.state.subscribe();
    // Usually the town is ready at once, and the Worker's first order need not be refused.
    let ready = state.wait_for(|state| *state != TownState::Attaching);
    let _ready_or_not = tokio::time::timeout(limits::ATTACH_WAIT, ready).await.is_ok();
    let state = attached.state.borrow().as_str().to_owned();
    reply(StatusCode::OK, Attached { instance_id: runtime.instance_id, state })
}

/// `GET C`.
pub async fn show(State(runtime): State<Arc<Runtime>>, Path(town): TownPath) -> Reply {
    let town = town_of(&runtime, &town)?;
    let unsaved = town.unsaved.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    reply(
        StatusCode::OK,
        TownView {
            state: town.state.borrow().as_str().to_owned(),
            config_version: town.config().config_version,
            sessions: town.sessions().iter().map(|session| session.view()).collect(),
            jobs: town.jobs().iter().map(|job| job.view()).collect(),
            unsaved,
            memory: runtime.memory(),
            problems: runtime.tools().problems,
        },
    )
}

/// `PUT C/config`.
pub async fn set_config(
    State(runtime): State<Arc<Runtime>>,
    Path(town): TownPath,
    Body(config): Body<RuntimeConfig>,
) -> Reply {
    let config_version = town_of(&runtime, &town)?.apply_config(config);
    reply(StatusCode::OK, json!({ "config_version": config_version }))
}

/// `PUT C/token`.
pub async fn set_token(State(runtime): State<Arc<Runtime>>, Path(town): TownPath, Body(new): Body<NewToken>) -> Reply {
    let town = town_of(&runtime, &town)?;
    runtime.redactor.learn(&new.token);
    town.worker.set_access(None, Secret::new(new.token));
    reply(StatusCode::OK, json!({}))
}

/// `POST C/rigs/:r/check`: looks at both advertisements of the remote, writes nothing.
pub async fn check_rig(
    State(runtime): State<Arc<Runtime>>,
    Path((town, rig)): ItemPath,
    Body(check): Body<CheckRepo>,
) -> Reply {
    let town = town_of(&runtime, &town)?;
    let rig: RigId = id_of(&rig, "rig")?;
    if let Err(why) = validate::git_url(&check.git_url, runtime.config.allow_local_git) {
        return Err(ControlError::Api(Code::UnsafeUrl, format!("git_url {why}.")));
    }
    tokio::spawn(async move {
        let body = look_at(&town, rig, &check).await;
        town.report_rig(rig, body);
    });
    reply(StatusCode::ACCEPTED, json!({}))
}

async fn look_at(town: &Arc<Town>, rig: RigId, check: &CheckRepo) -> FactBody {
    use crate::git::Git;
    use crate::git::store::explained;
    let dir = town.dir();
    let remote = town.runtime.remote(town, rig, &check.git_url, None);
    let list = Git::runtime(&dir).args(["ls-remote", "--heads", "--end-of-options", &remote.url]).remote(&remote);
    let heads = match list.text().await {
        Ok(heads) => heads,
        Err(error) => {
            let (code, message) = explained(&remote, error).start_failure();
            let message = Some(town.runtime.redactor.redact(&message));
            return FactBody::Repo {
                state: "failed".to_owned(),
                can_push: None,
                code: Some(code.to_string()),
                message,
            };
        }
    };
    let wanted = format!("refs/heads/{}", check.default_branch);
    if !heads.is_empty() && !heads.lines().any(|line| line.ends_with(&wanted)) {
        let message = Some(format!("The repository has no branch {}.", check.default_branch));
        let code = Some("base_missing".to_owned());
        return FactBody::Repo { state: "failed".to_owned(), can_push: None, code, message };
    }
    let can_push = Some(can_push(town, rig, &remote).await);
    FactBody::Repo { state: "ready".to_owned(), can_push, code: None, message: None }
}

/// Whether the remote offers its push advertisement to us, asked at our own gateway.
async fn can_push(town: &Town, rig: RigId, remote: &crate::git::Remote) -> bool {
    let capability = remote.env.iter().find(|(name, _)| name == "GASTOWN_SESSION_TOKEN");
    let capability = capability.map(|(_, value)| value.as_str()).unwrap_or_default();
    let url = format!("{}/info/refs?service=git-receive-pack", town.runtime.gateway_url(rig));
    let request = town.runtime.http.get(url).basic_auth("gastown", Some(capability)).timeout(limits::WORKER_TRY);
    request.send().await.is_ok_and(|reply| reply.status().is_success())
}

/// `DELETE C`.
pub async fn remove(
    State(runtime): State<Arc<Runtime>>,
    Path(town): TownPath,
    Body(order): Body<RemoveOrder>,
) -> Reply {
    let id: TownId = id_of(&town, "town")?;
    if let Some(town) = runtime.town(id) {
        tokio::spawn(async move {
            end_sessions(town.live_sessions(), order.mode).await;
            for job in town.jobs() {
                job.cancel(&town);
            }
            town.outbox.flushed(limits::WORKER_TRY).await;
            town.state.send_replace(TownState::Detached);
            town.runtime.forget_town(town.id);
            if has_no_unsaved(&town, order.mode) {
                remove_folder(&town.dir());
            }
        });
    }
    reply(StatusCode::ACCEPTED, json!({}))
}

/// `DELETE C/rigs/:r`.
pub async fn remove_rig(
    State(runtime): State<Arc<Runtime>>,
    Path((town, rig)): ItemPath,
    Body(order): Body<RemoveOrder>,
) -> Reply {
    let town = town_of(&runtime, &town)?;
    let rig: RigId = id_of(&rig, "rig")?;
    tokio::spawn(async move {
        let of_rig = |session: &Arc<Session>| session.reference.rig_id.rig() == Some(rig);
        let sessions = town.live_sessions().into_iter().filter(of_rig).collect();
        end_sessions(sessions, order.mode).await;
        for job in town.jobs().iter().filter(|job| job.order.rig_id == rig) {
            job.cancel(&town);
        }
        if has_no_unsaved(&town, order.mode) {
            let store = town.rig(rig);
            let _held = store.lock.lock().await;
            town.forget_rig(rig);
            remove_folder(&store.dir);
        }
    });
    reply(StatusCode::ACCEPTED, json!({}))
}

fn has_no_unsaved(town: &Town, mode: StopMode) -> bool {
    mode != StopMode::Save || town.unsaved.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_empty()
}

/// Stops these sessions and waits until they are over.
pub async fn end_sessions(sessions: Vec<Arc<Session>>, mode: StopMode) {
    for session in &sessions {
        let cause = Cause::new(OutcomeKind::Stopped, "removed", "The town or repository was removed.");
        session.signal(Signal::Machine(Input::Stop(cause, mode)));
    }
    let poll = std::time::Duration::from_millis(100);
    let mut waited = std::time::Duration::ZERO;
    while waited < limits::STOP_MAX && sessions.iter().any(|session| !session.is_ended()) {
        tokio::time::sleep(poll).await;
        waited += poll;
    }
}

fn remove_folder(path: &std::path::Path) {
    if let Err(error) = std::fs::remove_dir_all(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(error = %error, "a folder could not be removed");
    }
}
