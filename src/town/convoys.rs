//! What people and the mayor ask about convoys. The Town decides and keeps; the rigs hear of it before the reply, so that
//! the reply shows who has each task, or why nobody.

use gastown_core::sorted::{SortedMap, sort_by_key};
use std::rc::Rc;

use futures::future::join_all;
use gastown_core::id::{BeadId, ConvoyId, IdSeed, RigId};
use gastown_core::models::{BadModelId, ModelId};
use gastown_core::protocol::TaskShown;
use gastown_core::town::convoy::{
    Blocker, ConvoyCommand, ConvoyPatch, ConvoyState, Join, NewConvoy, NewTask, TaskFields, Whole, ignored_references,
};
use gastown_core::town::{Command, State};
use gastown_core::wire::api::bead::{self, Bead};
use gastown_core::wire::api::convoy::{Convoy, NewConvoyTask, SlungConvoy};
use gastown_core::wire::api::sling::SlungBead;
use gastown_core::wire::code::Code;
use serde_json::json;

use super::calls::{self, Decision};
use super::{Inner, settings, store};
use crate::ambient;
use crate::call::{Call, ask};
use crate::env::{Object, stub};
use crate::error::{Error, Refusal, Result};
use crate::requests::Kept;
use crate::rig::calls::{ShowBead, ShowSlung};

/// Makes a convoy, once per key.
pub(super) async fn create(inner: &Rc<Inner>, call: calls::CreateConvoy) -> Result<Kept<SlungConvoy>> {
    let idempotency = call.idempotency.clone();
    let now = || inner.now().unwrap_or_else(|_| ambient::wall_now());
    inner.running.once(&inner.sql, now, idempotency.as_ref(), async || make(inner, call).await).await
}

async fn make(inner: &Rc<Inner>, call: calls::CreateConvoy) -> Result<SlungConvoy> {
    let mut ids = match &call.idempotency {
        Some(idempotency) => idempotency.seed(),
        None => IdSeed::new(ambient::seed()),
    };
    let convoy_id: ConvoyId = ids.mint();
    let tasks = call.new.tasks.into_iter().map(|task| new_task(task, Some(ids.mint())));
    let tasks = tasks.collect::<Result<Vec<NewTask>>>()?;
    let mut joins = Vec::new();
    for bead_id in call.new.joins {
        joins.push(join(inner, bead_id).await?);
    }
    let warnings = ignored_references(&tasks);
    let new = NewConvoy {
        convoy_id: Some(convoy_id),
        title: call.new.title,
        tasks,
        joins,
        merge_mode: call.new.merge_mode,
        staged: call.new.staged,
        is_parallel: call.new.is_parallel,
        budget_micros: call.new.budget_micros,
        metadata: call.new.metadata,
        created_by: call.actor,
        refuses_repeat: call.refuses_repeat,
    };
    command(inner, convoy_id, ConvoyCommand::Create(new)).await?;
    let beads = slung_of(inner, convoy_id).await?;
    Ok(SlungConvoy { convoy: detail(inner, convoy_id)?, beads, warnings })
}

fn new_task(task: NewConvoyTask, bead_id: Option<BeadId>) -> Result<NewTask> {
    let NewConvoyTask { rig_id, bead, after_tasks, after_beads } = task;
    let after = after_tasks.into_iter().map(Blocker::Index).chain(after_beads.into_iter().map(Blocker::Bead)).collect();
    Ok(NewTask { bead_id, rig_id, fields: fields(bead)?, after })
}

fn fields(bead: bead::NewBead) -> Result<TaskFields> {
    let model = ModelId::chosen(bead.model.as_deref())
        .map_err(|bad: BadModelId| Error::from(Refusal::new(Code::BadModelId, bad.to_string())))?;
    let mut labels = bead.labels;
    if bead.held {
        labels.insert(gastown_core::rig::bead::HELD.to_owned());
    }
    Ok(TaskFields {
        title: bead.title,
        body: bead.body,
        priority: bead.priority,
        labels,
        metadata: bead.metadata,
        model,
        budget_micros: bead.budget_micros,
    })
}

/// A bead that shall join, as its rig shows it.
async fn join(inner: &Rc<Inner>, bead_id: BeadId) -> Result<Join> {
    let unknown =
        || Refusal::new(Code::UnknownReference, "There is no such bead").with(json!({ "reference": bead_id }));
    let (rig_id, bead) = find(inner, bead_id).await?.ok_or_else(unknown)?;
    let is_started = bead.dispatch_attempts > 0 || bead.attempt > 1;
    Ok(Join {
        bead_id,
        rig_id,
        convoy_id: bead.convoy_id,
        status: bead.status,
        attempt: bead.attempt,
        shown: TaskShown { held: bead.held, is_started, ..TaskShown::new(bead.title, bead.priority) },
        blockers: bead.blocked_by,
    })
}

/// The bead and its rig, when a rig of the town has it.
async fn find(inner: &Rc<Inner>, bead_id: BeadId) -> Result<Option<(RigId, Bead)>> {
    let (town_id, rig_ids) = inner.with_state(|state| {
        let rigs: Vec<RigId> = state.active_rigs().map(|rig| rig.rig_id).collect();
        (state.town.town_id, rigs)
    })?;
    let call = ShowBead { town_id, bead_id };
    let answers = join_all(rig_ids.into_iter().map(|rig_id| {
        let call = call.clone();
        async move { (rig_id, ask_rig(inner, rig_id, &call).await) }
    }));
    let mut fault = None;
    for (rig_id, answer) in answers.await {
        match answer {
            Ok(bead) => return Ok(Some((rig_id, bead))),
            Err(Error::Refusal(refusal)) if refusal.code == Code::NotFound => (),
            Err(error) => fault = Some(error),
        }
    }
    fault.map_or(Ok(None), Err)
}

async fn ask_rig<C: Call>(inner: &Rc<Inner>, rig_id: RigId, call: &C) -> Result<C::Reply> {
    ask(stub(&inner.env, Object::Rig, &rig_id.to_string()), call, "").await
}

/// Runs a command. What the plan calls unknown may be a bead that exists, but is no task; and a convoy that is not live
/// may be one that ended.
async fn command(inner: &Rc<Inner>, convoy_id: ConvoyId, command: ConvoyCommand) -> Result<()> {
    let Err(error) = inner.handle_with_rigs(Command::Convoy(Box::new(command))).await else { return Ok(()) };
    let Error::Refusal(refusal) = &error else { return Err(error) };
    if refusal.code == Code::NotFound && store::convoys::get(&inner.sql, convoy_id)?.is_some() {
        return Err(Refusal::new(Code::ConvoyClosed, "The convoy has ended").into());
    }
    let named = refusal.details.as_ref().and_then(|details| details["bead_id"].as_str()?.parse().ok());
    if let (Code::UnknownReference, Some(bead_id)) = (refusal.code, named)
        && find(inner, bead_id).await?.is_some()
    {
        let message = "A convoy's task waits for tasks of the same convoy only";
        return Err(Refusal::new(Code::CrossRigDependency, message).with(json!({ "bead_id": bead_id })).into());
    }
    Err(error)
}

/// The convoys' tasks as their rigs show them, in the order of the plan.
async fn slung_of(inner: &Rc<Inner>, convoy_id: ConvoyId) -> Result<Vec<SlungBead>> {
    let (town_id, tasks) = inner.with_state(|state| {
        let tasks = state.tasks_of(convoy_id).into_iter().map(|task| (task.rig_id, task.bead_id));
        (state.town.town_id, tasks.collect::<Vec<_>>())
    })?;
    let mut by_rig: SortedMap<RigId, Vec<BeadId>> = SortedMap::new();
    for &(rig_id, bead_id) in &tasks {
        by_rig.get_or_insert_with(rig_id, Vec::new).push(bead_id);
    }
    let asked = by_rig
        .into_iter()
        .map(|(rig_id, bead_ids)| async move { ask_rig(inner, rig_id, &ShowSlung { town_id, bead_ids }).await });
    // A rig that does not answer made its tasks all the same, or will: they are left out of the reply.
    let mut slung: Vec<SlungBead> = join_all(asked).await.into_iter().flatten().flatten().collect();
    sort_by_key(&mut slung, |slung| tasks.iter().position(|(_, bead_id)| *bead_id == slung.bead.bead_id));
    Ok(slung)
}

pub(super) async fn slung_tasks(inner: &Rc<Inner>, call: calls::SlungTasks) -> Result<Vec<SlungBead>> {
    slung_of(inner, call.convoy_id).await
}

fn detail(inner: &Inner, convoy_id: ConvoyId) -> Result<Convoy> {
    let live = inner.with_state(|state| state.whole_convoy(convoy_id).map(|whole| Convoy::detail(state, &whole)))?;
    if let Some(convoy) = live {
        return Ok(convoy);
    }
    let Some(whole) = store::convoys::get(&inner.sql, convoy_id)? else {
        return Err(Refusal::not_found("convoy").into());
    };
    inner.with_state(|state| Convoy::detail(state, &whole))
}

pub(super) fn show(inner: &Rc<Inner>, call: calls::ShowConvoy) -> Result<Convoy> {
    detail(inner, call.convoy_id)
}

/// Live convoys are few; of those that ended, as many are read as the page could need.
pub(super) fn list(inner: &Rc<Inner>, call: calls::ListConvoys) -> Result<Vec<Convoy>> {
    let is_wanted = |convoy: &Convoy| call.states.is_empty() || call.states.contains(&convoy.state);
    let live = [ConvoyState::Staged, ConvoyState::Active, ConvoyState::Landing];
    let ended = [ConvoyState::Landed, ConvoyState::Aborted];
    let named = ended.into_iter().filter(|state| call.states.iter().any(|wanted| wanted == state.as_str()));
    let shown = |state: &State, whole: &[Whole]| -> Vec<Convoy> {
        whole.iter().map(|whole| Convoy::detail(state, whole)).filter(is_wanted).collect()
    };
    let mut found = store::convoys::page(&inner.sql, &live, call.after, u32::MAX)?;
    let named: Vec<ConvoyState> = named.collect();
    if !named.is_empty() {
        found.extend(store::convoys::page(&inner.sql, &named, call.after, call.limit)?);
    }
    let mut convoys = inner.with_state(|state| shown(state, &found))?;
    sort_by_key(&mut convoys, |convoy| std::cmp::Reverse((convoy.created_at, convoy.id)));
    convoys.truncate(call.limit as usize);
    Ok(convoys)
}

pub(super) async fn patch(inner: &Rc<Inner>, call: calls::PatchConvoy) -> Result<Convoy> {
    let convoy_id = call.convoy_id;
    settings::check_version(call.if_version, detail(inner, convoy_id)?.version)?;
    let patch = ConvoyPatch {
        title: call.patch.title,
        merge_mode: call.patch.merge_mode,
        feature_branch: call.patch.feature_branch,
        budget_micros: call.patch.budget_micros,
    };
    command(inner, convoy_id, ConvoyCommand::Update { convoy_id, patch }).await?;
    detail(inner, convoy_id)
}

pub(super) async fn decide(inner: &Rc<Inner>, call: calls::DecideConvoy) -> Result<Convoy> {
    let calls::DecideConvoy { convoy_id, decision, bead_ids, reason, actor } = call;
    let decided = match decision {
        Decision::Start => ConvoyCommand::Start(convoy_id),
        Decision::Retry => ConvoyCommand::Retry { convoy_id, bead_ids, actor },
        Decision::Skip => ConvoyCommand::Skip { convoy_id, bead_ids },
        Decision::Abort => ConvoyCommand::Abort { convoy_id, reason, actor },
        Decision::Close => ConvoyCommand::Close { convoy_id, actor },
    };
    command(inner, convoy_id, decided).await?;
    detail(inner, convoy_id)
}

pub(super) async fn add(inner: &Rc<Inner>, call: calls::AddToConvoy) -> Result<u32> {
    let calls::AddToConvoy { convoy_id, bead_id, task, depends_on } = call;
    let added = match (bead_id, task) {
        (Some(bead_id), _) => {
            // A bead that is a task of this convoy already is not asked for: twice is one.
            let known =
                inner.with_state(|state| state.tasks.get(&bead_id).is_some_and(|t| t.convoy_id == convoy_id))?;
            if known {
                return Ok(detail(inner, convoy_id)?.total_beads);
            }
            ConvoyCommand::AddBead { convoy_id, join: join(inner, bead_id).await?, depends_on }
        }
        (None, Some(task)) => {
            let mut task = new_task(task, None)?;
            task.after.extend(depends_on.into_iter().map(Blocker::Bead));
            ConvoyCommand::AddTask { convoy_id, task }
        }
        (None, None) => return Err(Refusal::new(Code::InvalidRequest, "Give bead_id or task").into()),
    };
    command(inner, convoy_id, added).await?;
    Ok(detail(inner, convoy_id)?.total_beads)
}

pub(super) async fn remove(inner: &Rc<Inner>, call: calls::RemoveFromConvoy) -> Result<u32> {
    let calls::RemoveFromConvoy { convoy_id, bead_id, actor } = call;
    let shown = detail(inner, convoy_id)?;
    if !shown.beads.iter().flatten().any(|task| task.bead_id == bead_id) {
        return Err(Refusal::not_found("bead").into());
    }
    command(inner, convoy_id, ConvoyCommand::RemoveTask { convoy_id, bead_id, actor }).await?;
    Ok(detail(inner, convoy_id)?.total_beads)
}

pub(super) async fn set_dependencies(inner: &Rc<Inner>, call: calls::SetTaskDependencies) -> Result<bool> {
    let calls::SetTaskDependencies { bead_id, depends_on } = call;
    let Some(convoy_id) = inner.with_state(|state| state.tasks.get(&bead_id).map(|task| task.convoy_id))? else {
        return Ok(false);
    };
    command(inner, convoy_id, ConvoyCommand::SetDependencies { bead_id, depends_on }).await?;
    Ok(true)
}
