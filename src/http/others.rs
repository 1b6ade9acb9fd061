//! Routes of other runtimes than ours (api.md 3.5, 3.9, 3.10, 3.11): one call per thing that happened, where ours sends
//! batches. Each becomes the same fact.

use gastown_core::access::Caller;
use gastown_core::id::{AssignmentId, RigRef};
use gastown_core::session::MergeStatus;
use gastown_core::wire::api::agent::{Agent, AgentStatus};
use gastown_core::wire::api::hand::{AgentHappening, MergeWord, ReviewEnded};
use gastown_core::wire::api::town::check_git_url;
use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::{Issue, IssueCode};
use gastown_core::wire::report::{EventBatch, TranscriptEvent};
use serde_json::{Value, json};

use super::inbound::Inbound;
use super::reply::Reply;
use crate::ambient::wall_now;
use crate::error::{Refusal, Result};
use crate::rig::calls::{CompleteReview, WhoSpeaks};
use crate::town::calls::{GitCredentials, GitKey, ShowMayor, ShowRig};
use crate::town_container::calls::{AppendEvents, ShowRuntime};

/// POST `R/review-queue/:mr/complete`: the end of the merge that was ordered.
pub async fn complete_review(inbound: Inbound) -> Result<Reply> {
    let ReviewEnded { status, message, commit } = inbound.read()?;
    let Some(status) = status else { return Err(Refusal::new(Code::InvalidRequest, "status is required").into()) };
    let (town_id, review_id) = (inbound.town_id()?, inbound.bead_id()?);
    let status = match status {
        MergeWord::Merged => MergeStatus::Merged,
        MergeWord::Conflict => MergeStatus::Conflict,
        MergeWord::Failed => MergeStatus::Error,
    };
    let call = CompleteReview { town_id, review_id, status, message, commit };
    inbound.ask_rig(inbound.rig_id()?, &call).await?;
    Reply::ok(&json!({ "completed": true }))
}

/// POST `R/agent-events`: one event of a transcript.
pub async fn append_event(inbound: Inbound) -> Result<Reply> {
    let AgentHappening { agent_id, kind, data } = inbound.read()?;
    let Some(agent_id) = agent_id else {
        return Err(Refusal::new(Code::InvalidRequest, "agent_id is required").into());
    };
    if matches!(&inbound.caller, Caller::Agent(agent) if agent.agent_id != agent_id) {
        return Err(Refusal::new(Code::IdentityMismatch, "agent_id is not the agent that calls").into());
    }
    let rig_id = inbound.rig_ref()?;
    let (assignment_id, epoch) = match rig_id {
        RigRef::Rig(rig) => {
            let who = WhoSpeaks { town_id: inbound.town_id()?, agent_id, speaker: None, bead_id: None };
            (inbound.ask_rig(rig, &who).await?.assignment_id, 0)
        }
        RigRef::Mayor(_) => (None, 0),
    };
    // Between two sessions an agent speaks for itself.
    let assignment_id = assignment_id.unwrap_or_else(|| AssignmentId::from_u128(agent_id.as_u128()));
    let events = vec![TranscriptEvent { kind, at: wall_now(), data }];
    let batch = EventBatch { agent_id, rig_id, assignment_id, epoch, first_seq: 0, events };
    inbound.ask_container(&AppendEvents { batch }).await?;
    Reply::created(&json!({ "appended": true }))
}

/// POST `R/refresh-git-token`
pub async fn refresh_git_token(inbound: Inbound) -> Result<Reply> {
    let rig_id = inbound.rig_id()?;
    let git_url = inbound.ask_town(&ShowRig { rig_id }).await?.git_url;
    let host = check_git_url(&git_url, true).map(|git| git.host).unwrap_or_default();
    match inbound.ask_town(&GitCredentials { rig_id, host }).await? {
        GitKey::Found { password, .. } => Ok(Reply::ok(&json!({ "token": password, "expires_at": null }))?.no_store()),
        GitKey::OtherHost | GitKey::None => {
            Err(Refusal::new(Code::NoCredentials, "The town has no credentials for this host").into())
        }
    }
}

/// GET `T/container-registry`: what shall run, without secrets.
pub async fn registry(inbound: Inbound) -> Result<Reply> {
    let town_id = inbound.town_id()?;
    let (agents, _) = super::people::agents_of_town(&inbound).await?;
    let entry = |agent: &Agent| {
        let assignment = agent.assignment.as_ref()?;
        Some(json!({
            "agentId": agent.id,
            "rigId": agent.rig_id,
            "townId": town_id,
            "role": agent.role,
            "name": agent.name,
            "identity": agent.identity,
            "beadId": assignment.bead_id,
            "assignment_id": assignment.assignment_id,
            "epoch": assignment.epoch,
            "model": assignment.model,
            "branch": assignment.branch,
            "status": assignment.phase,
        }))
    };
    let mut entries: Vec<Value> = agents.iter().filter_map(entry).collect();
    let mayor = inbound.ask_town(&ShowMayor {}).await?.status;
    if !mayor["session"].is_null() {
        entries
            .push(json!({ "agentId": mayor["session"]["agentId"], "rigId": RigRef::Mayor(town_id), "townId": town_id,
            "role": "mayor", "name": "Mayor", "status": mayor["session"]["status"], "model": mayor["model"] }));
    }
    Reply::ok(&entries)
}

/// POST `T/container-registry`: what runs. What should not is ended, and what should is started again, by the leases: each
/// session is known by its own heartbeats.
pub async fn register(inbound: Inbound) -> Result<Reply> {
    let body = gastown_core::wire::api::read::parse(&inbound.body)?;
    let named = |entry: &Value| entry.get("agentId").is_some_and(Value::is_string);
    match body.as_array() {
        Some(entries) if entries.iter().all(named) => Reply::ok(&json!({ "registered": entries.len() })),
        Some(_) | None => {
            let message = "expected a list of objects with agentId".to_owned();
            let issue = Issue { code: IssueCode::InvalidType, path: Vec::new(), message: message.clone() };
            Err(Refusal { issues: vec![issue], ..Refusal::new(Code::InvalidRequest, message) }.into())
        }
    }
}

/// POST `T/container-events`: how long the steps of a start took; for the log.
pub async fn container_event(inbound: Inbound) -> Result<Reply> {
    let body = gastown_core::wire::api::read::parse(&inbound.body)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().chars().take(64).collect();
    let (event, agent): (String, String) = (text("event"), text("agentId"));
    if event.is_empty() {
        let message = "is required".to_owned();
        let issue = Issue { code: IssueCode::Required, path: vec!["event".to_owned()], message };
        let refusal = Refusal::new(Code::InvalidRequest, "The request is not valid: event");
        return Err(Refusal { issues: vec![issue], ..refusal }.into());
    }
    let duration = body.get("durationMs").and_then(Value::as_u64).unwrap_or_default();
    let (town_id, request_id) = (inbound.town_id()?, &inbound.head.request_id);
    crate::log::info(
        "a runtime tells",
        &[
            ("request_id", request_id),
            ("town.id", &town_id),
            ("event", &event),
            ("agent.id", &agent),
            ("duration_ms", &duration),
        ],
    );
    Reply::bare(200, &json!({ "success": true }))
}

/// POST `A/waiting`: the mayor waits for words. Its heartbeats say so with the epoch; a word without one changes nothing.
pub async fn waiting(inbound: Inbound) -> Result<Reply> {
    match inbound.rig_ref()? {
        RigRef::Mayor(_) => Reply::ok(&json!({ "acknowledged": true })),
        RigRef::Rig(_) => Err(Refusal::new(Code::RoleNotAllowed, "Only the mayor waits for words").into()),
    }
}

/// GET `T/container/agents/:a/status`: the agent as the runtime has it.
pub async fn agent_status(inbound: Inbound) -> Result<Reply> {
    let (rig_id, agent) = super::hands::find_agent(&inbound).await?;
    let runtime = inbound.ask_container(&ShowRuntime {}).await?;
    if !matches!(runtime.state.as_str(), "ready" | "draining") {
        return Err(Refusal::new(Code::RuntimeUnavailable, "The agent runtime does not run").into());
    }
    let live = agent.assignment.as_ref();
    let status = match (agent.status, live) {
        (AgentStatus::Idle | AgentStatus::Dead, _) | (_, None) => "exited".to_owned(),
        (AgentStatus::Working | AgentStatus::Waiting | AgentStatus::Stalled, Some(live)) => live.phase.to_string(),
    };
    Reply::ok(&json!({
        "agentId": agent.id,
        "rigId": rig_id,
        "townId": inbound.town_id()?,
        "role": agent.role,
        "name": agent.name,
        "status": status,
        "sessionId": live.map(|live| live.assignment_id),
        "startedAt": live.and_then(|live| live.started_at),
        "lastActivityAt": agent.last_activity_at,
        "activeTools": agent.current_tool.iter().collect::<Vec<_>>(),
        "model": live.and_then(|live| live.model.as_ref()),
        "exitReason": agent.state_reason,
    }))
}

/// Terminals are not offered by protocol 1 of the runtime (container.md 2).
pub async fn no_terminal(_: Inbound) -> Result<Reply> {
    Err(Refusal::new(Code::NotOffered, "This runtime offers no terminals").into())
}
