//! What each call does: read the state, hand a command or facts to the domain, shape the reply. A handler decides
//! nothing about the town; checks of settings and addresses are pure functions of `gastown_core`.

use std::rc::Rc;

use gastown_core::config::{Editor, Patched, new_rig, new_town};
use gastown_core::id::{IdSeed, RigId};
use gastown_core::models::{Task, resolve};
use gastown_core::town::Command;
use gastown_core::town::command::{NewRig, RigPatch};
use gastown_core::town::event::Event;
use gastown_core::town::state::{MessageSource, RigEntry, State, Town as TownRow, TownStatus};
use gastown_core::wire::api::town as api;
use serde_json::{Map, Value, json};
use worker::Response;

use super::calls::{self, Frames, MayorSession, MayorView, TownView};
use super::stream::Wanted;
use super::{Inner, admission, asides, conversation, convoys, inbox, mayor, runtime, settings, store, view};
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
                $(calls::$call::PATH => incoming.answer(async |call: calls::$call| $handler(inner, call)),)*
                calls::AddRig::PATH => incoming.answer(async |call| add_rig(inner, call).await),
                calls::Escalate::PATH => incoming.answer(async |call| inbox::escalate(inner, call).await),
                calls::ReplyEscalation::PATH => incoming.answer(async |call| inbox::reply_escalation(inner, call).await),
                calls::MailMayor::PATH => incoming.answer(async |call| inbox::mail_mayor(inner, call).await),
                calls::CreateConvoy::PATH => incoming.answer(async |call| convoys::create(inner, call).await),
                calls::PatchConvoy::PATH => incoming.answer(async |call| convoys::patch(inner, call).await),
                calls::DecideConvoy::PATH => incoming.answer(async |call| convoys::decide(inner, call).await),
                calls::AddToConvoy::PATH => incoming.answer(async |call| convoys::add(inner, call).await),
                calls::RemoveFromConvoy::PATH => incoming.answer(async |call| convoys::remove(inner, call).await),
                calls::SetTaskDependencies::PATH => {
                    incoming.answer(async |call| convoys::set_dependencies(inner, call).await)
                }
                calls::SlungTasks::PATH => incoming.answer(async |call| convoys::slung_tasks(inner, call).await),
                calls::STREAM => return stream(inner, incoming),
                _ => incoming.unknown(),
            }
        };
    }
    let reply = table! {
        Create => create,
        Show => |inner: &Rc<Inner>, _| inner.with_state(view::town_view),
        Rename => rename,
        Delete => delete,
        Pause => |inner, call: calls::Pause| town_command(inner, Command::Pause(call.pause)),
        Resume => |inner, _| town_command(inner, Command::Resume),
        ResetBreaker => |inner, _| town_command(inner, Command::ResetBreaker),
        RevokeCredentials => |inner, _| town_command(inner, Command::RevokeCredentials),
        ShowAdmission => admission::show,
        ListSpent => admission::spent,
        RuntimeSays => runtime::runtime_says,
        Ping => ping,
        ShowConfig => |inner: &Rc<Inner>, _| inner.with_state(settings::config_of),
        PatchConfig => settings::patch_config,
        ListRigs => list_rigs,
        ShowRig => |inner: &Rc<Inner>, call: calls::ShowRig| shown_rig(inner, call.rig_id),
        PatchRig => change_rig,
        RemoveRig => remove_rig,
        ShowRigConfig => settings::show_rig_config,
        PatchRigConfig => settings::patch_rig_config,
        Deliver => deliver,
        PostMessage => post_message,
        EnsureMayor => |inner, _| mayor_command(inner, Command::EnsureMayor),
        RestartMayor => |inner, _| mayor_command(inner, Command::RestartMayor),
        EndMayor => |inner, _| mayor_command(inner, Command::EndMayor),
        ShowMayor => show_mayor,
        ListMessages => list_messages,
        ListConvoys => convoys::list,
        ShowConvoy => convoys::show,
        ListEscalations => inbox::list_escalations,
        CountEscalations => inbox::count_escalations,
        ShowEscalation => inbox::show_escalation,
        Acknowledge => inbox::acknowledge,
        ListMail => inbox::list_mail,
        ListEvents => inbox::list_events,
        ListFrames => list_frames,
        ResolveModel => asides::resolve_model,
        ShowUi => asides::show_ui,
        LookAt => asides::look_at,
        MayorSays => asides::mayor_says,
        Audit => asides::audit,
        ListAudit => asides::list_audit,
        Setup => |inner: &Rc<Inner>, _| runtime::setup(inner),
        LlmCredentials => |inner: &Rc<Inner>, _| runtime::llm_credentials(inner),
        GitCredentials => runtime::git_credentials,
        InstanceSeen => runtime::instance_seen,
        InstanceEvicted => runtime::instance_evicted,
        InstanceReady => runtime::instance_ready,
        MayorFacts => runtime::mayor_facts,
        MayorBeat => runtime::mayor_beat,
        MayorOutcome => runtime::mayor_outcome,
        MayorEvents => runtime::mayor_events,
        Ownership => |inner: &Rc<Inner>, _| inner.with_state(ownership),
        CheckMayor => runtime::check_mayor,
    };
    incoming.respond(reply).await
}

fn create(inner: &Rc<Inner>, call: calls::Create) -> Result<TownView> {
    if store::load(&inner.sql)?.is_none() {
        let Patched { config, secrets, .. } =
            new_town(call.config.as_ref(), &settings::patch_context(catalogue()?, Editor::Person, &[], &Map::new()))
                .map_err(settings::config_refusal)?;
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
            pause: None,
            version: 1,
        };
        let mut ids = IdSeed::new(ambient::seed());
        let state = State::new(town, ids.mint());
        inner.sql.atomically(|| {
            store::create(&inner.sql, &state)?;
            settings::keep_secrets(inner, &secrets, &state.town.created_by)
        })?;
    }
    inner.with_state(view::town_view)
}

fn rename(inner: &Rc<Inner>, call: calls::Rename) -> Result<TownView> {
    settings::check_version(call.if_version, inner.with_state(|state| state.town.version)?)?;
    inner.handle(Command::Rename(call.name))?;
    inner.with_state(view::town_view)
}

/// Takes everything away; the caller ends rigs and runtime by the list that it gets.
fn delete(inner: &Rc<Inner>, _: calls::Delete) -> Result<Vec<RigId>> {
    let rigs = inner.with_state(|state| state.rigs.keys().copied().collect())?;
    inner.sql.atomically(|| crate::sql::clear(&inner.sql))?;
    inner.memory.borrow_mut().take();
    inner.readers.borrow_mut().close();
    let clock = crate::env::settings(&inner.env)?.clock;
    clock.set_alarm(&inner.state, None).map_err(|e| Fault::new("disarm the alarm", e))?;
    Ok(rigs)
}

fn town_command(inner: &Rc<Inner>, command: Command) -> Result<TownView> {
    inner.handle(command)?;
    inner.with_state(view::town_view)
}

/// Looks at everything, as the alarm would have.
fn ping(inner: &Rc<Inner>, _: calls::Ping) -> Result<bool> {
    inner.observe(Vec::new())?;
    inner.with_state(|state| state.told_account.unwrap_or(false))
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
        gastown_core::sorted::sort_by_key(&mut rigs, |rig| std::cmp::Reverse((rig.created_at, rig.rig_id)));
        rigs.into_iter().map(|rig| view::rig(state, rig)).collect()
    })
}

fn shown_rig(inner: &Inner, rig_id: RigId) -> Result<api::Rig> {
    inner.with_state(|state| state.rigs.get(&rig_id).map(|rig| view::rig(state, rig)))?.ok_or_else(no_rig)
}

fn change_rig(inner: &Rc<Inner>, call: calls::PatchRig) -> Result<api::Rig> {
    let version = inner.with_state(|state| state.rigs.get(&call.rig_id).map(|rig| rig.version))?.ok_or_else(no_rig)?;
    settings::check_version(call.if_version, version)?;
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
        let ui_context = match call.ui_context {
            Some(context) => Some(context),
            None => asides::looked_at(inner)?,
        };
        inner.handle(Command::PostMessage {
            message_id: call.message_id,
            source: MessageSource::User,
            source_id: Some(call.author),
            body: call.text,
            ui_context,
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
        agent: mayor::agent(state, &inner.mayor_says.borrow()),
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
    gastown_core::sorted::sort_by(&mut all, |a, b| a["at"].as_str().cmp(&b["at"].as_str()));
    let known = call.after_id.and_then(|after| all.iter().position(|message| message["id"] == json!(after)));
    Ok(match known {
        Some(place) => all.into_iter().skip(place + 1).take(limit).collect(),
        None => all.split_off(all.len().saturating_sub(limit)),
    })
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
    let range = store::activity::range(&inner.sql, inner.now()?)?;
    let frames = frames.into_iter().map(view::frame).collect();
    Ok(Frames { frames, newest_seq: range.newest, oldest_seq: range.oldest })
}

/// Opens the live stream where the reader left off.
fn stream(inner: &Rc<Inner>, incoming: &Incoming) -> Result<Response> {
    inner.with_state(|_| ())?;
    let wanted: Wanted = gastown_core::json::from_str(&incoming.body).unwrap_or_default();
    let missed = match wanted.after {
        Some(after) => store::activity::after(&inner.sql, after, gastown_core::limits::EVENTS_MAX)?,
        None => Vec::new(),
    };
    let missed = with_range(inner, missed)?;
    let now = inner.now()?.to_string();
    super::stream::open(&mut inner.readers.borrow_mut(), &inner.env, &missed, wanted, &now)
}

fn ownership(state: &State) -> calls::OwnerView {
    let town = &state.town;
    calls::OwnerView {
        account_kind: town.account_kind,
        account_id: town.account_id.clone(),
        created_by: town.created_by.clone(),
    }
}

pub(super) fn no_rig() -> Error {
    Refusal::not_found("rig").into()
}
