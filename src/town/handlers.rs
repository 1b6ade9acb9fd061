//! What each call does: read the state, hand a command or facts to the domain, shape the reply. A handler decides
//! nothing about the town; checks of settings and addresses are pure functions of `gastown_core`.

use std::collections::BTreeMap;
use std::rc::Rc;

use gastown_core::config::{
    ConfigRefusal, Editor, Offers, PatchContext, Patched, SecretChange, SecretMark, SecretName, effective_town,
    effective_view, new_rig, new_town, patch_rig, patch_town, rig_view, town_view as config_view,
};
use gastown_core::id::{IdSeed, RigId};
use gastown_core::models::{Task, resolve};
use gastown_core::town::Command;
use gastown_core::town::command::{NewRig, RigPatch};
use gastown_core::town::event::{Event, Receipt};
use gastown_core::town::state::{MessageSource, RigEntry, State, Town as TownRow, TownStatus};
use gastown_core::wire::api::town as api;
use gastown_core::wire::code::Code;
use gastown_core::wire::control::RigRef;
use gastown_core::wire::envelope::Issue;
use gastown_core::wire::report::{ItemStatus, Ref};
use gastown_core::wire::{fact, order};
use serde_json::{Map, Value, json};
use worker::Response;

use super::calls::{
    self, ConfigView, Frames, GitKey, LlmKey, MayorSession, MayorView, RuntimeSetup, RuntimeWord, TownView,
};
use super::{Inner, conversation, mayor, store, view};
use crate::ambient;
use crate::call::{Call, Incoming};
use crate::catalogue::catalogue;
use crate::error::{Error, Fault, Refusal, Result};
use crate::requests::Kept;
use crate::sql::Sql;

/// Finds the handler of a call.
pub(super) async fn answer(inner: &Rc<Inner>, incoming: &Incoming) -> Result<Response> {
    macro_rules! table {
        ($($call:ident => $handler:expr,)*) => {
            match incoming.path.as_str() {
                $(calls::$call::PATH => incoming.answer(async |call: calls::$call| $handler(inner, call)).await,)*
                calls::AddRig::PATH => incoming.answer(async |call| add_rig(inner, call).await).await,
                calls::STREAM => stream(inner, incoming),
                _ => incoming.unknown(),
            }
        };
    }
    table! {
        Create => create,
        Show => |inner: &Rc<Inner>, _| inner.with_state(view::town_view),
        Rename => rename,
        Delete => delete,
        SetPaused => set_paused,
        ShowConfig => |inner: &Rc<Inner>, _| inner.with_state(config_of),
        PatchConfig => patch_config,
        ListRigs => list_rigs,
        ShowRig => |inner: &Rc<Inner>, call: calls::ShowRig| shown_rig(inner, call.rig_id),
        PatchRig => change_rig,
        RemoveRig => remove_rig,
        ShowRigConfig => show_rig_config,
        PatchRigConfig => patch_rig_config,
        Deliver => deliver,
        PostMessage => post_message,
        EnsureMayor => |inner, _| mayor_command(inner, Command::EnsureMayor),
        RestartMayor => |inner, _| mayor_command(inner, Command::RestartMayor),
        ShowMayor => show_mayor,
        ListMessages => list_messages,
        ListEscalations => list_escalations,
        Acknowledge => acknowledge,
        ListFrames => list_frames,
        Setup => |inner: &Rc<Inner>, _| setup(inner),
        LlmCredentials => |inner: &Rc<Inner>, _| llm_credentials(inner),
        GitCredentials => git_credentials,
        InstanceSeen => instance_seen,
        InstanceEvicted => instance_evicted,
        InstanceReady => instance_ready,
        MayorFacts => mayor_facts,
        MayorBeat => mayor_beat,
        MayorOutcome => mayor_outcome,
        MayorEvents => mayor_events,
        Ownership => |inner: &Rc<Inner>, _| inner.with_state(ownership),
        CheckMayor => check_mayor,
    }
}

fn create(inner: &Rc<Inner>, call: calls::Create) -> Result<TownView> {
    if store::load(&inner.sql)?.is_none() {
        let Patched { config, secrets, .. } =
            new_town(call.config.as_ref(), &patch_context(catalogue()?, Editor::Person, &[], &Map::new()))
                .map_err(config_refusal)?;
        let now = inner.now()?;
        let town = TownRow {
            town_id: call.town_id,
            name: call.name,
            account_kind: call.account_kind,
            account_id: call.account_id,
            created_by: call.created_by,
            created_at: now,
            updated_at: now,
            status: TownStatus::Active,
            config,
            config_version: 1,
            secrets_version: 1,
            credential_gen: 1,
            next_epoch: 1,
            version: 1,
        };
        let mut ids = IdSeed::new(ambient::seed());
        let state = State::new(town, ids.mint());
        inner.sql.atomically(|| {
            store::create(&inner.sql, &state)?;
            keep_secrets(inner, &secrets, &state.town.created_by)
        })?;
    }
    inner.with_state(view::town_view)
}

fn rename(inner: &Rc<Inner>, call: calls::Rename) -> Result<TownView> {
    check_version(call.if_version, inner.with_state(|state| state.town.version)?)?;
    inner.handle(Command::Rename(call.name))?;
    inner.with_state(view::town_view)
}

/// Takes everything away; the caller ends rigs and runtime by the list that it gets.
fn delete(inner: &Rc<Inner>, _: calls::Delete) -> Result<Vec<RigId>> {
    let rigs = inner.with_state(|state| state.rigs.keys().copied().collect())?;
    inner.sql.atomically(|| crate::sql::clear(&inner.sql))?;
    inner.memory.borrow_mut().take();
    let clock = crate::env::settings(&inner.env)?.clock;
    clock.set_alarm(&inner.state, None).map_err(|e| Fault::new("disarm the alarm", e))?;
    Ok(rigs)
}

fn set_paused(inner: &Rc<Inner>, call: calls::SetPaused) -> Result<TownView> {
    inner.handle(Command::SetPaused(call.paused))?;
    inner.with_state(view::town_view)
}

fn patch_config(inner: &Rc<Inner>, call: calls::PatchConfig) -> Result<ConfigView> {
    let (config, version, rigs, read_only) = inner.with_state(|state| {
        let rigs: Vec<RigId> = state.rigs.keys().copied().collect();
        (state.town.config.clone(), state.town.config_version, rigs, read_only(state))
    })?;
    check_version(call.if_version, version)?;
    let editor = if call.by_mayor { Editor::Mayor } else { Editor::Person };
    let context = patch_context(catalogue()?, editor, &rigs, &read_only);
    let Patched { config, secrets, warnings, changed } =
        patch_town(&config, &call.patch, &context).map_err(config_refusal)?;
    if !changed.is_empty() || !secrets.is_empty() {
        inner.sql.atomically(|| keep_secrets(inner, &secrets, &call.actor))?;
        let secrets_changed = !secrets.is_empty();
        inner.handle(Command::SetConfig { config: Box::new(config), secrets_changed, changed, actor: call.actor })?;
    }
    let view = inner.with_state(config_of)?;
    Ok(ConfigView { warnings: warnings.iter().map(warning).collect(), ..view })
}

async fn add_rig(inner: &Rc<Inner>, call: calls::AddRig) -> Result<Kept<api::Rig>> {
    let idempotency = call.idempotency.clone();
    let now = || inner.now().unwrap_or_else(|_| ambient::wall_now());
    inner.running.once(&inner.sql, now, idempotency.as_ref(), async || connect(inner, call)).await
}

fn connect(inner: &Rc<Inner>, call: calls::AddRig) -> Result<api::Rig> {
    let mut ids = match &call.idempotency {
        Some(idempotency) => idempotency.seed(),
        None => IdSeed::new(ambient::seed()),
    };
    let rig_id: RigId = ids.mint();
    let config = inner.with_state(|state| new_rig(&call.new.git_url, &state.town.config))?;
    inner.handle(Command::AddRig(Box::new(NewRig {
        rig_id: Some(rig_id),
        name: call.new.name,
        git_url: call.new.git_url,
        default_branch: call.new.default_branch,
        target_branch: call.new.target_branch,
        purpose: call.new.purpose,
        integration_id: call.new.integration_id,
        config,
    })))?;
    shown_rig(inner, rig_id)
}

fn list_rigs(inner: &Rc<Inner>, _: calls::ListRigs) -> Result<Vec<api::Rig>> {
    inner.with_state(|state| {
        let mut rigs: Vec<&RigEntry> = state.active_rigs().collect();
        rigs.sort_by_key(|rig| std::cmp::Reverse((rig.created_at, rig.rig_id)));
        rigs.into_iter().map(|rig| view::rig(state, rig)).collect()
    })
}

fn shown_rig(inner: &Inner, rig_id: RigId) -> Result<api::Rig> {
    inner.with_state(|state| state.rigs.get(&rig_id).map(|rig| view::rig(state, rig)))?.ok_or_else(no_rig)
}

fn change_rig(inner: &Rc<Inner>, call: calls::PatchRig) -> Result<api::Rig> {
    let version = inner.with_state(|state| state.rigs.get(&call.rig_id).map(|rig| rig.version))?.ok_or_else(no_rig)?;
    check_version(call.if_version, version)?;
    let patch = RigPatch {
        name: call.patch.name,
        purpose: call.patch.purpose,
        default_branch: call.patch.default_branch,
        target_branch: call.patch.target_branch,
    };
    inner.handle(Command::UpdateRig { rig_id: call.rig_id, patch })?;
    shown_rig(inner, call.rig_id)
}

fn remove_rig(inner: &Rc<Inner>, call: calls::RemoveRig) -> Result<()> {
    inner.handle(Command::RemoveRig(call.rig_id))
}

fn show_rig_config(inner: &Rc<Inner>, call: calls::ShowRigConfig) -> Result<ConfigView> {
    inner
        .with_state(|state| {
            let rig = state.rigs.get(&call.rig_id)?;
            let config = match call.effective {
                true => effective_view(&state.town.config, &rig.config),
                false => rig_view(&rig.config),
            };
            Some(ConfigView { config, version: rig.config_version, warnings: Vec::new() })
        })?
        .ok_or_else(no_rig)
}

fn patch_rig_config(inner: &Rc<Inner>, call: calls::PatchRigConfig) -> Result<ConfigView> {
    let (town, rig, version, rigs) = inner
        .with_state(|state| {
            let rig = state.rigs.get(&call.rig_id)?;
            let rigs: Vec<RigId> = state.rigs.keys().copied().collect();
            Some((state.town.config.clone(), rig.config.clone(), rig.config_version, rigs))
        })?
        .ok_or_else(no_rig)?;
    check_version(call.if_version, version)?;
    let editor = if call.by_mayor { Editor::Mayor } else { Editor::Person };
    let empty = Map::new();
    let context = patch_context(catalogue()?, editor, &rigs, &empty);
    let Patched { config, warnings, changed, .. } =
        patch_rig(&rig, &town, &call.patch, &context).map_err(config_refusal)?;
    if !changed.is_empty() {
        let (rig_id, actor) = (call.rig_id, call.actor);
        inner.handle(Command::SetRigConfig { rig_id, config: Box::new(config), changed, actor })?;
    }
    let view = show_rig_config(inner, calls::ShowRigConfig { rig_id: call.rig_id, effective: false })?;
    Ok(ConfigView { warnings: warnings.iter().map(warning).collect(), ..view })
}

/// A rig's messages are applied, and what waits for it goes back with the reply: a slot asked is usually granted here.
fn deliver(
    inner: &Rc<Inner>,
    call: calls::Deliver,
) -> Result<gastown_core::protocol::BatchReply<gastown_core::protocol::TownToRig>> {
    let rig_id = call.rig_id;
    let events = vec![Event::RigAcknowledged(rig_id, call.batch.applied), Event::RigSaid(rig_id, call.batch.messages)];
    inner.observe(events)?;
    inner
        .with_state(|state| {
            let acknowledged = state.applied.get(&rig_id).copied().unwrap_or(0);
            let messages = state.outboxes.get(&rig_id).map(|outbox| outbox.batch()).unwrap_or_default();
            state.rigs.contains_key(&rig_id).then_some(gastown_core::protocol::BatchReply { acknowledged, messages })
        })?
        .ok_or_else(no_rig)
}

fn post_message(inner: &Rc<Inner>, call: calls::PostMessage) -> Result<MayorSession> {
    if store::messages::get(&inner.sql, call.message_id)?.is_none() {
        inner.handle(Command::PostMessage {
            message_id: call.message_id,
            source: MessageSource::User,
            source_id: Some(call.author),
            body: call.text,
            ui_context: call.ui_context,
        })?;
    }
    inner.with_state(mayor::session)
}

fn mayor_command(inner: &Rc<Inner>, command: Command) -> Result<MayorSession> {
    inner.handle(command)?;
    inner.with_state(mayor::session)
}

fn show_mayor(inner: &Rc<Inner>, _: calls::ShowMayor) -> Result<MayorView> {
    let catalogue = catalogue()?;
    inner.with_state(|state| MayorView {
        status: mayor::status(state),
        agent: mayor::agent(state),
        resolution: resolve(&state.town.config.models, catalogue, None, &Task::mayor()),
    })
}

/// What people and the mayor said, by time; the text of instants orders as they do.
fn list_messages(inner: &Rc<Inner>, call: calls::ListMessages) -> Result<Vec<Value>> {
    inner.with_state(|_| ())?;
    let limit = usize::try_from(call.limit).unwrap_or(usize::MAX);
    let mut all = conversation::newest(&inner.sql, call.limit)?;
    let said = store::messages::newest(&inner.sql, None, limit)?;
    all.extend(said.iter().map(conversation::of_person));
    all.sort_by(|a, b| a["at"].as_str().cmp(&b["at"].as_str()));
    let known = call.after_id.and_then(|after| all.iter().position(|message| message["id"] == json!(after)));
    Ok(match known {
        Some(place) => all.into_iter().skip(place + 1).take(limit).collect(),
        None => all.split_off(all.len().saturating_sub(limit)),
    })
}

fn list_escalations(inner: &Rc<Inner>, _: calls::ListEscalations) -> Result<Vec<calls::EscalationView>> {
    inner.with_state(|state| {
        let mut open: Vec<_> = state.escalations.values().map(view::escalation).collect();
        open.sort_by_key(|escalation| std::cmp::Reverse((escalation.created_at, escalation.id)));
        open
    })
}

fn acknowledge(inner: &Rc<Inner>, call: calls::Acknowledge) -> Result<calls::EscalationView> {
    let find = |state: &State| {
        let found = state.escalations.values().find(|escalation| escalation.escalation_id == call.escalation_id);
        found.map(view::escalation)
    };
    if inner.with_state(find)?.is_some() {
        inner.handle(Command::Acknowledge { escalation_id: call.escalation_id, actor: call.actor.clone() })?;
    }
    let stored = store::escalations::get(&inner.sql, call.escalation_id)?;
    stored.as_ref().map(view::escalation).ok_or_else(|| Refusal::not_found("escalation").into())
}

fn list_frames(inner: &Rc<Inner>, call: calls::ListFrames) -> Result<Frames> {
    inner.with_state(|_| ())?;
    let limit = usize::try_from(call.limit).unwrap_or(usize::MAX);
    let frames = match call.after_seq {
        Some(after) => store::activity::after(&inner.sql, after, limit)?,
        None => {
            let mut newest = store::activity::newest(&inner.sql, call.frame.as_deref(), None, None, limit)?;
            newest.reverse();
            newest
        }
    };
    with_range(inner, frames)
}

/// Frames with the numbers that are kept, so that a reader sees what it missed.
fn with_range(inner: &Inner, frames: Vec<store::StoredFrame>) -> Result<Frames> {
    let range = store::activity::range(&inner.sql)?;
    let frames = frames.into_iter().map(view::frame).collect();
    Ok(Frames { frames, newest_seq: range.newest, oldest_seq: range.oldest })
}

/// Opens the live stream where the reader left off.
fn stream(inner: &Rc<Inner>, incoming: &Incoming) -> Result<Response> {
    inner.with_state(|_| ())?;
    let call: Value = serde_json::from_str(&incoming.body).unwrap_or_default();
    let after = call.get("after").and_then(Value::as_u64);
    let missed = match after {
        Some(after) => store::activity::after(&inner.sql, after, gastown_core::limits::EVENTS_MAX)?,
        None => Vec::new(),
    };
    let missed = with_range(inner, missed)?;
    let now = inner.now()?.to_string();
    inner.readers.borrow_mut().open(&missed, after, &now)
}

/// What the runtime's keeper needs; called for every order, so that a change counts at once.
fn setup(inner: &Inner) -> Result<RuntimeSetup> {
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

fn llm_credentials(inner: &Inner) -> Result<Option<LlmKey>> {
    let base_url = inner.with_state(|state| effective_town(&state.town.config).llm_base_url)?;
    let api_key = secret(inner, &SecretName::KilocodeToken)?;
    Ok((base_url.is_some() || api_key.is_some()).then_some(LlmKey { base_url, api_key }))
}

/// A credential goes only to the host of the rig's own address (domain.md 7.6).
fn git_credentials(inner: &Rc<Inner>, call: calls::GitCredentials) -> Result<GitKey> {
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

fn instance_seen(inner: &Rc<Inner>, call: calls::InstanceSeen) -> Result<RuntimeWord> {
    inner.observe(vec![Event::InstanceSeen(call.instance_id)])?;
    runtime_word(inner)
}

fn instance_evicted(inner: &Rc<Inner>, call: calls::InstanceEvicted) -> Result<RuntimeWord> {
    inner.observe(vec![Event::InstanceEvicted(call.instance_id)])?;
    runtime_word(inner)
}

fn instance_ready(inner: &Rc<Inner>, call: calls::InstanceReady) -> Result<bool> {
    let receipts = inner.observe(vec![Event::InstanceReady(call.instance_id, call.nonce)])?;
    Ok(receipts == [Receipt::Applied])
}

fn mayor_facts(inner: &Rc<Inner>, call: calls::MayorFacts) -> Result<Vec<ItemStatus>> {
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

fn mayor_beat(inner: &Rc<Inner>, call: calls::MayorBeat) -> Result<RuntimeWord> {
    let mut stop: Vec<Ref> = Vec::new();
    for beat in &call.heartbeat.agents {
        let (key, said) = fact::beat(beat, call.heartbeat.instance_id);
        if inner.observe(vec![Event::MayorReported(key, said)])?.contains(&Receipt::Stale) {
            stop.push(beat.session);
        }
    }
    Ok(RuntimeWord { stop, ..runtime_word(inner)? })
}

fn mayor_outcome(inner: &Rc<Inner>, call: calls::MayorOutcome) -> Result<ItemStatus> {
    let (key, over) = fact::over(&call.outcome);
    Ok(inner.observe(vec![Event::MayorReported(key, over)])?.first().map_or(ItemStatus::Rejected, status))
}

fn mayor_events(inner: &Rc<Inner>, call: calls::MayorEvents) -> Result<()> {
    let frames = inner.sql.atomically(|| conversation::fold(&inner.sql, &call.batch.events))?;
    inner.publish(frames)
}

fn ownership(state: &State) -> calls::OwnerView {
    let town = &state.town;
    calls::OwnerView {
        account_kind: town.account_kind,
        account_id: town.account_id.clone(),
        created_by: town.created_by.clone(),
    }
}

fn check_mayor(inner: &Rc<Inner>, call: calls::CheckMayor) -> Result<()> {
    let (is_current, epoch) = inner.with_state(|state| {
        let mayor = &state.mayor;
        let is_live = mayor.assignment_id.is_some() && mayor.epoch == call.epoch && mayor.agent_id == call.agent_id;
        (is_live && state.town.credential_gen == call.generation, mayor.epoch)
    })?;
    if is_current {
        return Ok(());
    }
    let details = json!({ "current_epoch": epoch });
    Err(Refusal::new(Code::StaleAssignment, "This session of the mayor is over").with(details).into())
}

fn runtime_word(inner: &Inner) -> Result<RuntimeWord> {
    inner.with_state(|state| RuntimeWord {
        drain_nonce: state.drain.nonce.clone().filter(|_| state.drain.is_draining),
        config_version: order::runtime_config_version(state),
        stop: Vec::new(),
    })
}

fn mayor_ref(state: &State) -> Option<Ref> {
    Some(Ref {
        rig_id: RigRef::Mayor(state.town.town_id),
        agent_id: state.mayor.agent_id,
        assignment_id: state.mayor.assignment_id?,
        epoch: state.mayor.epoch,
    })
}

fn status(receipt: &Receipt) -> ItemStatus {
    match receipt {
        Receipt::Applied => ItemStatus::Applied,
        Receipt::Duplicate => ItemStatus::Duplicate,
        Receipt::Stale => ItemStatus::Stale,
    }
}

/// The settings as the API shows them: the document, masked, with the keys that only we set.
fn config_of(state: &State) -> ConfigView {
    let mut config = read_only(state);
    config.extend(config_view(&state.town.config));
    ConfigView { config, version: state.town.config_version, warnings: Vec::new() }
}

fn read_only(state: &State) -> Map<String, Value> {
    let town = &state.town;
    let is_user = town.account_kind == gastown_core::town::state::AccountKind::User;
    let runtime_version: Option<u64> = None;
    [
        ("owner_type", json!(town.account_kind)),
        ("owner_id", json!(town.account_id)),
        ("owner_user_id", json!(is_user.then_some(&town.account_id))),
        ("organization_id", json!((!is_user).then_some(&town.account_id))),
        ("created_by_user_id", json!(town.created_by)),
        ("version", json!(town.config_version)),
        (
            "applied",
            json!({ "config_version": town.config_version, "runtime_version": runtime_version, "mayor": "unchanged", "error": null }),
        ),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

fn patch_context<'a>(
    catalogue: &'a gastown_core::models::Catalogue,
    editor: Editor,
    rigs: &'a [RigId],
    read_only: &'a Map<String, Value>,
) -> PatchContext<'a> {
    static NONE: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
    PatchContext { editor, offers: Offers::default(), catalogue, known_models: &NONE, rigs, read_only }
}

fn keep_secrets(inner: &Inner, changes: &[SecretChange], by: &str) -> std::result::Result<(), crate::sql::SqlError> {
    let updated_at = ambient::wall_now();
    for change in changes {
        match change {
            SecretChange::Set(name, value) => {
                let last4 = SecretMark::of(value.expose()).last4.unwrap_or_default();
                let (name, value, updated_by) = (name.to_string(), value.expose().to_owned(), by.to_owned());
                store::secrets::put(
                    &inner.sql,
                    &store::secrets::Secret { name, value, last4, updated_at, updated_by },
                )?;
            }
            SecretChange::Remove(name) => store::secrets::remove(&inner.sql, &name.to_string())?,
        }
    }
    Ok(())
}

fn secret(inner: &Inner, name: &SecretName) -> Result<Option<String>> {
    Ok(store::secrets::get(&inner.sql, &name.to_string())?.map(|secret| secret.value))
}

/// The town's environment of agents' tools.
fn environment(inner: &Inner) -> Result<BTreeMap<String, String>> {
    let mut env = BTreeMap::new();
    for secret in store::secrets::all(&inner.sql)? {
        if let Ok(SecretName::Env(name)) = secret.name.parse() {
            env.insert(name, secret.value);
        }
    }
    Ok(env)
}

fn check_version(wanted: Option<u64>, present: u64) -> Result<()> {
    match wanted {
        Some(wanted) if wanted != present => {
            let details = json!({ "etag": format!("\"{present}\"") });
            Err(Refusal::new(Code::PreconditionFailed, "Somebody else changed it meanwhile").with(details).into())
        }
        Some(_) | None => Ok(()),
    }
}

fn config_refusal(refused: ConfigRefusal) -> Error {
    let issues = refused
        .issues
        .iter()
        .map(|issue| Issue {
            code: issue.kind.as_str().parse().unwrap_or(gastown_core::wire::envelope::IssueCode::Custom),
            path: issue.path.clone(),
            message: issue.message.clone(),
        })
        .collect();
    let code = refused.code.as_str().parse().unwrap_or(Code::InvalidRequest);
    let message = refused.issues.first().map(|issue| issue.message.clone()).unwrap_or_default();
    Refusal { issues, ..Refusal::new(code, message) }.into()
}

fn warning(warning: &gastown_core::config::ConfigWarning) -> gastown_core::wire::envelope::Warning {
    gastown_core::wire::envelope::Warning {
        code: warning.code.as_str().parse().unwrap_or(gastown_core::wire::envelope::WarningCode::IgnoredField),
        message: warning.message.clone(),
        path: None,
    }
}

fn no_rig() -> Error {
    Refusal::not_found("rig").into()
}
