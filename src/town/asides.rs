//! What people ask of a town beside its work: which model would be used, what changed its settings, what open dashboards
//! show, and what the person in front of one looks at. Nothing here is a decision of the domain.

use std::rc::Rc;
use std::time::Duration;

use gastown_core::config::{Editor, draft_models};
use gastown_core::id::RigId;
use gastown_core::models::{ModelId, Task, TaskRole, resolve};
use gastown_core::protocol::Frame;
use gastown_core::wire::code::Code;
use serde_json::{Map, Value, json};

use super::calls::{self, Resolved};
use super::handlers::no_rig;
use super::settings::{config_refusal, patch_context};
use super::{Inner, store};
use crate::catalogue::catalogue;
use crate::error::{Refusal, Result};

/// What a person looks at is the mayor's to know while they still look at it (api.md 3.5).
const LOOKED_AT: Duration = Duration::from_secs(600);

/// Which model such work would get, with the stored settings or with a draft of them.
pub(super) fn resolve_model(inner: &Rc<Inner>, call: calls::ResolveModel) -> Result<Resolved> {
    let role: TaskRole = match call.role.as_str() {
        "triage" => TaskRole::Polecat,
        "" => TaskRole::None,
        role => role.parse().map_err(|_| Refusal::new(Code::UnknownRole, format!("There is no role {role}")))?,
    };
    let model: Option<ModelId> = match call.model.as_deref().map(str::trim) {
        None | Some("") => None,
        Some(model) => Some(model.parse().map_err(|why| Refusal::new(Code::BadModelId, format!("{why}")))?),
    };
    let catalogue = catalogue()?;
    let (config, version, rigs, rig) = inner.with_state(|state| {
        let rigs: Vec<RigId> = state.rigs.keys().copied().collect();
        let rig = call.rig_id.map(|id| state.rigs.get(&id).map(|rig| rig.config.models(rig.rig_id, &rig.name)));
        (state.town.config.clone(), state.town.config_version, rigs, rig)
    })?;
    let rig = match rig {
        None => None,
        Some(None) => return Err(no_rig()),
        Some(rig) => rig,
    };
    let empty = Map::new();
    let context = patch_context(catalogue, Editor::Person, &rigs, &empty);
    let models = match &call.draft {
        None => config.models.clone(),
        Some(draft) => draft_models(&config, draft, &context).map_err(config_refusal)?,
    };
    let task = Task::new(role, &call.labels, model);
    let resolution = resolve(&models, catalogue, rig.as_ref(), &task);
    Ok(Resolved { resolution, config_version: version })
}

/// Shows something in every dashboard that is open.
pub(super) fn show_ui(inner: &Rc<Inner>, call: calls::ShowUi) -> Result<()> {
    let knows_rig = inner.with_state(|state| call.rig_id.is_none_or(|rig_id| state.rigs.contains_key(&rig_id)))?;
    if !knows_rig {
        return Err(Refusal::new(Code::UnknownRig, "The town has no such rig").into());
    }
    if let Some(convoy_id) = call.convoy_id
        && store::convoys::get(&inner.sql, convoy_id)?.is_none()
    {
        return Err(Refusal::new(Code::UnknownReference, "The town has no such convoy").into());
    }
    inner.publish(vec![Frame { frame: "ui_action".to_owned(), data: json!({ "action": call.action }) }])
}

/// Keeps what a person looks at, for the next message to the mayor.
pub(super) fn look_at(inner: &Rc<Inner>, call: calls::LookAt) -> Result<()> {
    inner.with_state(|_| ())?;
    let now = inner.now()?;
    *inner.looked_at.borrow_mut() = Some((now, call.context)).filter(|(_, context)| !context.is_empty());
    Ok(())
}

/// Shows what the mayor says it does.
pub(super) fn mayor_says(inner: &Rc<Inner>, call: calls::MayorSays) -> Result<()> {
    let now = inner.now()?;
    let said = Some((now, call.message));
    *inner.mayor_says.borrow_mut() = said.clone();
    let (agent, mut frames) = inner.with_state(|state| {
        let data =
            json!({ "agent_id": state.mayor.agent_id, "message": said.as_ref().map(|(_, words)| words), "at": now });
        (super::mayor::agent(state, &said), vec![Frame { frame: "agent.status".to_owned(), data }])
    })?;
    frames.push(Frame { frame: "agent.updated".to_owned(), data: agent });
    inner.publish(frames)
}

/// What was looked at a moment ago.
pub(super) fn looked_at(inner: &Inner) -> Result<Option<String>> {
    let now = inner.now()?;
    let kept = inner.looked_at.borrow();
    Ok(kept.as_ref().filter(|(at, _)| now.since(*at) < LOOKED_AT).map(|(_, context)| context.clone()))
}

/// One more row of the log of what was changed.
pub(super) fn audit(inner: &Rc<Inner>, call: calls::Audit) -> Result<()> {
    inner.with_state(|_| ())?;
    let now = inner.now()?;
    Ok(store::audit::note(&inner.sql, now, &call.actor, &call.action, &call.target, &call.request_id)?)
}

/// A part of that log, newest first.
pub(super) fn list_audit(inner: &Rc<Inner>, call: calls::ListAudit) -> Result<Vec<Value>> {
    inner.with_state(|_| ())?;
    Ok(store::audit::page(&inner.sql, &call.filter)?.into_iter().map(entry).collect())
}

/// **AuditEntry**.
fn entry(row: store::audit::StoredChange) -> Value {
    let (kind, id) = row.target.split_once(' ').unwrap_or(("town", row.target.as_str()));
    json!({
        "id": row.seq.to_string(),
        "at": row.at,
        "actor": row.actor,
        "action": row.action,
        "target": { "kind": kind, "id": id },
        "request_id": row.request_id,
        "changes": row.changes,
    })
}
