//! What the town's runtime keeper asks and reports: set-up, credentials, the runtime's identity, and the mayor's session.

use std::rc::Rc;

use gastown_core::config::{SecretName, effective_town};
use gastown_core::rate;
use gastown_core::town::event::{Event, Receipt};
use gastown_core::town::state::State;
use gastown_core::wire::code::Code;
use gastown_core::wire::control::RigRef;
use gastown_core::wire::report::{ItemStatus, Ref};
use gastown_core::wire::{fact, order};
use serde_json::json;

use super::calls::{self, GitKey, LlmKey, RuntimeSetup, RuntimeWord};
use super::handlers::no_rig;
use super::settings::{environment, secret};
use super::{Inner, conversation};
use crate::error::{Refusal, Result};
use crate::sql::Sql;

/// What the runtime's keeper needs; called for every order, so that a change counts at once.
pub(super) fn setup(inner: &Inner) -> Result<RuntimeSetup> {
    let env = environment(inner)?;
    inner.with_state(|state| {
        let settings = effective_town(&state.town.config);
        RuntimeSetup {
            config: order::runtime_config(state),
            env,
            author: order::author(&settings),
            coauthor: !settings.disable_ai_coauthor,
            owner_user_id: state.town.created_by.clone(),
            credential_gen: state.town.credential_gen,
            mayor: mayor_ref(state),
        }
    })
}

pub(super) fn llm_credentials(inner: &Inner) -> Result<Option<LlmKey>> {
    let base_url = inner.with_state(|state| effective_town(&state.town.config).llm_base_url)?;
    let api_key = secret(inner, &SecretName::KilocodeToken)?;
    Ok((base_url.is_some() || api_key.is_some()).then_some(LlmKey { base_url, api_key }))
}

/// A credential goes only to the host of the rig's own address (domain.md 7.6).
pub(super) fn git_credentials(inner: &Rc<Inner>, call: calls::GitCredentials) -> Result<GitKey> {
    let (url, gitlab) = inner
        .with_state(|state| {
            let gitlab = effective_town(&state.town.config).gitlab_instance_url;
            state.rigs.get(&call.rig_id).map(|rig| (rig.git_url.clone(), gitlab))
        })?
        .ok_or_else(no_rig)?;
    let host_of = |url: &str| {
        url.split_once("://").map(|(_, rest)| rest.split(['/', ':']).next().unwrap_or_default().to_lowercase())
    };
    let host = call.host.split(':').next().unwrap_or_default().to_lowercase();
    if host_of(&url).as_deref() != Some(host.as_str()) {
        return Ok(GitKey::OtherHost);
    }
    let is_gitlab = host == "gitlab.com" || gitlab.as_deref().and_then(host_of).as_deref() == Some(host.as_str());
    let (username, secret) = match host.as_str() {
        "github.com" => ("x-access-token", secret(inner, &SecretName::GithubToken)?),
        _ if is_gitlab => ("oauth2", secret(inner, &SecretName::GitlabToken)?),
        _ => ("", None),
    };
    Ok(match secret {
        Some(password) => GitKey::Found { username: username.to_owned(), password },
        None => GitKey::None,
    })
}

pub(super) fn instance_seen(inner: &Rc<Inner>, call: calls::InstanceSeen) -> Result<RuntimeWord> {
    inner.observe(vec![Event::InstanceSeen(call.instance_id)])?;
    runtime_word(inner)
}

pub(super) fn instance_evicted(inner: &Rc<Inner>, call: calls::InstanceEvicted) -> Result<RuntimeWord> {
    inner.observe(vec![Event::InstanceEvicted(call.instance_id)])?;
    runtime_word(inner)
}

pub(super) fn instance_ready(inner: &Rc<Inner>, call: calls::InstanceReady) -> Result<bool> {
    let receipts = inner.observe(vec![Event::InstanceReady(call.instance_id, call.nonce)])?;
    Ok(receipts == [Receipt::Applied])
}

pub(super) fn runtime_says(inner: &Rc<Inner>, call: calls::RuntimeSays) -> Result<()> {
    let event = match call.words {
        calls::RuntimeWords::StartFailed(message) => {
            Event::RuntimeStartFailed { code: "runtime_unavailable".to_owned(), message }
        }
        calls::RuntimeWords::Exhausted => Event::RuntimeExhausted(
            "It was restarted as often as is allowed and does not answer. New work waits until it does.".to_owned(),
        ),
        calls::RuntimeWords::Recovered => Event::RuntimeRecovered,
    };
    inner.observe(vec![event]).map(drop)
}

pub(super) fn mayor_facts(inner: &Rc<Inner>, call: calls::MayorFacts) -> Result<Vec<ItemStatus>> {
    let now = inner.now()?;
    let mut statuses = Vec::new();
    for report in call.facts {
        let event = match (&report.session, report.rig_id, fact::session(&report), fact::repo(&report, now)) {
            (Some(session), _, Some(said), _) => Some(Event::MayorReported(fact::key(session), said)),
            (_, Some(rig_id), _, Some(access)) => Some(Event::RepoChecked(rig_id, access)),
            _ => None,
        };
        statuses.push(match event {
            Some(event) => inner.observe(vec![event])?.first().map_or(ItemStatus::Rejected, status),
            None => ItemStatus::Rejected,
        });
    }
    Ok(statuses)
}

pub(super) fn mayor_beat(inner: &Rc<Inner>, call: calls::MayorBeat) -> Result<RuntimeWord> {
    let mut stop: Vec<Ref> = Vec::new();
    for beat in &call.heartbeat.agents {
        let (key, said) = fact::beat(beat, call.heartbeat.instance_id);
        if inner.observe(vec![Event::MayorReported(key, said)])?.contains(&Receipt::Stale) {
            stop.push(beat.session);
        }
    }
    let word = runtime_word(inner)?;
    // Only a successor is given the nonce: what it names ends the drain.
    let is_successor = inner.with_state(|state| state.drain.instance_id != Some(call.heartbeat.instance_id))?;
    Ok(RuntimeWord { stop, drain_nonce: word.drain_nonce.filter(|_| is_successor), ..word })
}

pub(super) fn mayor_outcome(inner: &Rc<Inner>, call: calls::MayorOutcome) -> Result<ItemStatus> {
    let (key, over) = fact::over(&call.outcome);
    inner.observe(vec![Event::MayorSpent(key, fact::usage(&call.outcome.tokens, call.outcome.cost_usd))])?;
    Ok(inner.observe(vec![Event::MayorReported(key, over)])?.first().map_or(ItemStatus::Rejected, status))
}

pub(super) fn mayor_events(inner: &Rc<Inner>, call: calls::MayorEvents) -> Result<()> {
    let frames = inner.sql.atomically(|| conversation::fold(&inner.sql, &call.batch.events))?;
    inner.publish(frames)
}

pub(super) fn check_mayor(inner: &Rc<Inner>, call: calls::CheckMayor) -> Result<()> {
    let (is_current, is_revoked, epoch) = inner.with_state(|state| {
        let mayor = &state.mayor;
        let is_live = mayor.assignment_id.is_some() && mayor.epoch == call.epoch && mayor.agent_id == call.agent_id;
        (is_live, state.town.credential_gen != call.generation, mayor.epoch)
    })?;
    if is_revoked {
        return Err(Refusal::new(Code::TokenInvalid, "The credentials of this town were revoked").into());
    }
    if is_current && call.is_counted {
        return inner.buckets.borrow_mut().take(call.agent_id.to_string(), rate::AGENT, inner.now()?);
    }
    if is_current {
        return Ok(());
    }
    let details = json!({ "current_epoch": epoch });
    Err(Refusal::new(Code::StaleAssignment, "This session of the mayor is over").with(details).into())
}

pub(super) fn runtime_word(inner: &Inner) -> Result<RuntimeWord> {
    inner.with_state(|state| RuntimeWord {
        drain_nonce: state.drain.nonce.clone().filter(|_| state.drain.is_draining),
        config_version: order::runtime_config_version(state),
        stop: Vec::new(),
    })
}

pub(super) fn mayor_ref(state: &State) -> Option<Ref> {
    Some(Ref {
        rig_id: RigRef::Mayor(state.town.town_id),
        agent_id: state.mayor.agent_id,
        assignment_id: state.mayor.assignment_id?,
        epoch: state.mayor.epoch,
    })
}

pub(super) fn status(receipt: &Receipt) -> ItemStatus {
    match receipt {
        Receipt::Applied => ItemStatus::Applied,
        Receipt::Duplicate => ItemStatus::Duplicate,
        Receipt::Stale => ItemStatus::Stale,
    }
}
