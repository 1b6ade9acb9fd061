//! Sessions: start, look, stop, wrap up, messages, log (container.md 2.1, 2.2, 3). A start is idempotent by assignment
//! and epoch; two equal orders at the same moment make one session, because the decision is taken under one lock.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use gastown_core::id::AssignmentId;
use gastown_core::wire::code::Code;
use gastown_core::wire::control::{
    ControlCode, Kind, PROTOCOL, PushMessages, PushedMessage, PushedMessages, StartOrder, StopOrder, WrapUpOrder,
};
use gastown_core::wire::report::OutcomeKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Body, ItemPath, Reply, TownPath, id_of, reply, town_of};
use crate::error::ControlError;
use crate::fleet::Session;
use crate::fleet::actor;
use crate::fleet::delivery;
use crate::fleet::inbox::Arrival;
use crate::fleet::machine::{Cause, Input};
use crate::fleet::session::Signal;
use crate::limits;
use crate::runtime::Runtime;
use crate::town::{Town, TownState};
use crate::validate;

/// What a start order leads to.
enum Decision {
    Known(Arc<Session>),
    Refused(ControlError),
}

/// `POST C/assignments`.
pub async fn start(State(runtime): State<Arc<Runtime>>, Path(town): TownPath, Body(order): Body<StartOrder>) -> Reply {
    let town = town_of(&runtime, &town)?;
    if order.instance_id != runtime.instance_id {
        let message = format!("This is instance {}.", runtime.instance_id);
        return Err(ControlError::Control(ControlCode::InstanceMismatch, message, json!({})));
    }
    if order.protocol != PROTOCOL {
        let message = format!("This runtime speaks protocol {PROTOCOL}.");
        return Err(ControlError::Control(ControlCode::ProtocolUnsupported, message, json!({})));
    }
    let issues = validate::start(&order, town.id, runtime.config.allow_local_git);
    if !issues.is_empty() {
        return Err(ControlError::Invalid(issues));
    }
    let (room, mut begun) = (Room::beside(&town), None);
    let added = town.add_session(|sessions| {
        let mut of_agent = sessions.iter().filter(|s| s.reference.agent_id == order.assignment.agent_id);
        let same = sessions.iter().filter(|s| s.reference.assignment_id == order.assignment.assignment_id);
        if let Some(known) = same.clone().find(|s| s.reference.epoch == order.assignment.epoch) {
            return Err(Decision::Known(known.clone()));
        }
        let newest = of_agent.clone().chain(same).map(|s| s.reference.epoch).max().unwrap_or(0);
        if newest >= order.assignment.epoch {
            return Err(Decision::Refused(stale(newest)));
        }
        check_state(&town).and_then(|()| room.check(&town, &order, sessions)).map_err(Decision::Refused)?;
        let older = of_agent.find(|session| !session.is_ended()).cloned();
        let capability = actor::mint_capability()
            .map_err(|error| Decision::Refused(ControlError::Api(Code::Internal, error.to_string())))?;
        let (session, pending) = actor::accept(&town, order, capability);
        begun = Some((pending, older));
        Ok(session)
    });
    match added {
        Ok(session) => {
            if let Some((pending, older)) = begun {
                tokio::spawn(actor::run(town, session.clone(), pending, older));
            }
            reply(StatusCode::ACCEPTED, session.view())
        }
        Err(Decision::Known(session)) => reply(StatusCode::OK, session.view()),
        Err(Decision::Refused(error)) => Err(error),
    }
}

fn stale(current: u64) -> ControlError {
    let message = format!("The agent is at epoch {current}.");
    ControlError::Control(ControlCode::StaleEpoch, message, json!({ "current_epoch": current }))
}

/// What sessions of other towns, and the machine, leave for this one; looked at before the town's list is locked.
struct Room {
    sessions: usize,
    need_bytes: u64,
    limit_bytes: u64,
    free_disk: Option<u64>,
}

impl Room {
    fn beside(town: &Town) -> Self {
        let runtime = &town.runtime;
        let others = runtime.towns().into_iter().filter(|other| other.id != town.id);
        let others: Vec<Arc<Session>> = others.flat_map(|other| other.live_sessions()).collect();
        Self {
            sessions: others.len(),
            need_bytes: need_bytes(runtime, others.iter()),
            limit_bytes: runtime.memory().limit_bytes / 100 * MEMORY_PERCENT,
            free_disk: free_disk(&runtime.config.data_dir),
        }
    }

    /// Refuses what cannot be held (container.md 5.6); nothing is charged for it.
    fn check(&self, town: &Town, order: &StartOrder, own: &VecDeque<Arc<Session>>) -> Result<(), ControlError> {
        let runtime = &town.runtime;
        let live: Vec<&Arc<Session>> = own.iter().filter(|session| !session.is_ended()).collect();
        let has_mayor = order.kind == Kind::Mayor || live.iter().any(|session| session.order.kind == Kind::Mayor);
        let capacity = |lacking: &str, details: Value| {
            let message = format!("There is no room for another session: {lacking}.");
            Err(ControlError::Control(ControlCode::Capacity, message, details))
        };
        // One place is kept for a mayor that does not run.
        let sessions = self.sessions + live.len() + usize::from(!has_mayor) + 1;
        let most = runtime.config.max_sessions as usize;
        if sessions > most.max(2) {
            return capacity("too many sessions", json!({ "sessions": sessions, "max_sessions": most }));
        }
        let need = self.need_bytes + need_bytes(runtime, live.into_iter()) + runtime.config.session_memory;
        if self.limit_bytes > 0 && need > self.limit_bytes {
            return capacity("too little memory", json!({ "needed_bytes": need, "limit_bytes": self.limit_bytes }));
        }
        match self.free_disk {
            Some(free) if free < limits::DISK_FREE_MIN => capacity("too little disk", json!({ "free_bytes": free })),
            Some(_) | None => Ok(()),
        }
    }
}

/// Share of the memory limit that sessions may need together.
const MEMORY_PERCENT: u64 = 85;

fn need_bytes<'a>(runtime: &Runtime, sessions: impl Iterator<Item = &'a Arc<Session>>) -> u64 {
    sessions.map(|session| session.status().rss_bytes.max(runtime.config.session_memory)).sum()
}

/// Orders are taken only while the town is ready.
fn check_state(town: &Town) -> Result<(), ControlError> {
    let runtime = &town.runtime;
    if *runtime.draining.borrow() || *town.state.borrow() == TownState::Draining {
        return Err(ControlError::Api(Code::Draining, "The runtime is ending.".to_owned()));
    }
    if *town.state.borrow() != TownState::Ready || !runtime.tools().probed {
        let message = "The town is not registered yet.".to_owned();
        return Err(ControlError::Control(ControlCode::Starting, message, Value::Null));
    }
    Ok(())
}

fn free_disk(path: &std::path::Path) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(path).ok()?;
    Some(stat.blocks_available() * stat.fragment_size())
}

/// Epoch of a look.
#[derive(Deserialize)]
pub struct Epoch {
    epoch: Option<u64>,
}

/// `GET C/assignments/:a`.
pub async fn show(
    State(runtime): State<Arc<Runtime>>,
    Path((town, assignment)): ItemPath,
    Query(at): Query<Epoch>,
) -> Reply {
    let session = session_of(&runtime, &town, &assignment)?;
    match at.epoch {
        Some(epoch) if epoch != session.reference.epoch => Err(ControlError::not_found("assignment")),
        Some(_) | None => reply(StatusCode::OK, session.view()),
    }
}

fn session_of(runtime: &Runtime, town: &str, assignment: &str) -> Result<Arc<Session>, ControlError> {
    let town = town_of(runtime, town)?;
    let id: AssignmentId = id_of(assignment, "assignment")?;
    town.session(id).ok_or_else(|| ControlError::not_found("assignment"))
}

fn live_at(session: &Session, epoch: u64) -> Result<(), ControlError> {
    match session.reference.epoch == epoch {
        true => Ok(()),
        false => Err(stale(session.reference.epoch)),
    }
}

/// `POST C/assignments/:a/stop`.
pub async fn stop(
    State(runtime): State<Arc<Runtime>>,
    Path((town, assignment)): ItemPath,
    Body(order): Body<StopOrder>,
) -> Reply {
    let session = session_of(&runtime, &town, &assignment)?;
    live_at(&session, order.epoch)?;
    if session.is_ended() {
        return reply(StatusCode::OK, session.view());
    }
    let cause = Cause { outcome: OutcomeKind::Stopped, error: None, reason: order.reason.clone() };
    session.signal(Signal::Machine(Input::Stop(cause, order.mode)));
    let mut view = session.view();
    if !session.is_ended() {
        view.phase = "finishing".to_owned();
        view.reason = Some(order.reason);
    }
    reply(StatusCode::ACCEPTED, view)
}

/// `POST C/assignments/:a/wrap-up`.
pub async fn wrap_up(
    State(runtime): State<Arc<Runtime>>,
    Path((town, assignment)): ItemPath,
    Body(order): Body<WrapUpOrder>,
) -> Reply {
    let session = session_of(&runtime, &town, &assignment)?;
    live_at(&session, order.epoch)?;
    if session.is_ended() {
        return reply(StatusCode::OK, session.view());
    }
    session.signal(Signal::Machine(Input::WrapUp(order.reason.message)));
    reply(StatusCode::ACCEPTED, session.view())
}

/// `POST C/assignments/:a/messages`.
pub async fn push_messages(
    State(runtime): State<Arc<Runtime>>,
    Path((town, assignment)): ItemPath,
    Body(push): Body<PushMessages>,
) -> Reply {
    let session = session_of(&runtime, &town, &assignment)?;
    live_at(&session, push.epoch)?;
    if push.messages.len() > limits::MESSAGES_PER_PUSH {
        let message = format!("At most {} messages at a time.", limits::MESSAGES_PER_PUSH);
        return Err(ControlError::Api(Code::InvalidRequest, message));
    }
    if session.is_finishing() {
        let message = "The session is ending.".to_owned();
        return Err(ControlError::Control(ControlCode::Finishing, message, Value::Null));
    }
    let town = town_of(&runtime, &town)?;
    let mut results = Vec::new();
    for message in push.messages {
        let message_id = message.message_id.clone();
        let state = match delivery::receive(&town, &session, message) {
            Arrival::Queued => "queued",
            Arrival::Delivered => "delivered",
            Arrival::Full => {
                return Err(ControlError::Api(Code::Overloaded, "Too many messages wait for this agent.".to_owned()));
            }
        };
        results.push(PushedMessage { message_id, state: state.to_owned() });
    }
    session.signal(Signal::Inbox);
    reply(StatusCode::ACCEPTED, PushedMessages { results })
}

/// How much of a log.
#[derive(Deserialize)]
pub struct Lines {
    lines: Option<usize>,
}

/// Longest part of a log.
const LOG_LINES_MAX: usize = 1_000;

/// `GET C/assignments/:a/log`.
pub async fn log(
    State(runtime): State<Arc<Runtime>>,
    Path((town, assignment)): ItemPath,
    Query(ask): Query<Lines>,
) -> Reply {
    let session = session_of(&runtime, &town, &assignment)?;
    let lines = session.log.tail(ask.lines.unwrap_or(LOG_LINES_MAX).min(LOG_LINES_MAX));
    let text = runtime.redactor.redact(&lines.join("\n"));
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}
