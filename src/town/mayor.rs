//! The mayor in its wire shapes: **MayorStatus**, **Agent**, and the status word of a session (api.md 3.5, 4).

use gastown_core::time::Timestamp;
use gastown_core::town::State;
use gastown_core::town::state::{MayorActivity, MayorPhase};
use gastown_core::wire::control::Tokens;
use serde_json::{Value, json};

use super::calls::MayorSession;

/// `idle`, `active` or `starting`.
pub(super) fn session_status(state: &State) -> &'static str {
    let waits = !state.waiting_messages().is_empty();
    match (state.mayor.phase, state.mayor.activity) {
        (MayorPhase::Running, MayorActivity::Working) => "active",
        (MayorPhase::Running, MayorActivity::Waiting) if !waits => "idle",
        (MayorPhase::Running, MayorActivity::Waiting) => "active",
        (MayorPhase::Absent, _) if !waits => "idle",
        (MayorPhase::Absent | MayorPhase::Starting | MayorPhase::Finishing, _) => "starting",
    }
}

/// Reply of a message to the mayor.
pub(super) fn session(state: &State) -> MayorSession {
    MayorSession { agent_id: state.mayor.agent_id, status: session_status(state).to_owned() }
}

/// **MayorStatus**.
pub(super) fn status(state: &State) -> Value {
    let mayor = &state.mayor;
    let session = mayor.assignment_id.map(|session_id| {
        json!({
            "agentId": mayor.agent_id,
            "sessionId": session_id,
            "status": session_status(state),
            "lastActivityAt": mayor.last_activity_at,
        })
    });
    let error = mayor.error.as_ref().map(|error| {
        json!({
            "code": error.code,
            "message": error.message,
            "source": "runtime",
            "at": error.at,
            "details": {},
        })
    });
    let wait = (mayor.phase != MayorPhase::Running && !state.waiting_messages().is_empty()).then(|| {
        let message = mayor.error.as_ref().map_or("The mayor is starting.", |error| error.message.as_str());
        json!({
            "code": "runtime_starting",
            "message": message,
            "since": mayor.since,
            "until": mayor.not_before,
            "scope": "town",
            "bead_id": null,
            "agent_id": mayor.agent_id,
        })
    });
    json!({
        "agentId": mayor.agent_id,
        "configured": true,
        "townId": state.town.town_id,
        "session": session,
        "model": mayor.model,
        "modelReason": mayor.reason.as_ref().map(|reason| &reason.because),
        "modelPending": null,
        "error": error,
        "wait": wait,
    })
}

/// **Agent** of the mayor.
pub(super) fn agent(state: &State, said: &Option<(Timestamp, String)>) -> Value {
    let mayor = &state.mayor;
    let status = match (mayor.phase, mayor.activity) {
        (MayorPhase::Running, MayorActivity::Working) => "working",
        (MayorPhase::Running, MayorActivity::Waiting) => "waiting",
        (MayorPhase::Starting | MayorPhase::Finishing, _) => "working",
        (MayorPhase::Absent, _) => "idle",
    };
    json!({
        "id": mayor.agent_id,
        "rig_id": null,
        "role": "mayor",
        "name": "Mayor",
        "identity": mayor.identity,
        "status": status,
        "current_hook_bead_id": null,
        "dispatch_attempts": mayor.start_failures,
        "last_activity_at": mayor.last_activity_at,
        "checkpoint": null,
        "created_at": state.town.created_at,
        "agent_status_message": said.as_ref().map(|(_, message)| message),
        "agent_status_updated_at": said.as_ref().map(|(at, _)| at),
        "version": mayor.epoch,
        "assignment": null,
        "state_reason": mayor.error.as_ref().map(|error| &error.message),
        "current_tool": null,
        "context_used_percent": null,
        "rss_bytes": null,
        "pending_nudges": 0,
        "undelivered_mail": 0,
        "tokens": Tokens::default(),
        "cost_usd": null,
    })
}
