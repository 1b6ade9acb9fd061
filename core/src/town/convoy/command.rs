//! Commands about convoys that exist (domain.md 8, Operations). Each is one commit of the Town, followed by messages to
//! the rigs. A convoy that has ended takes none.

use crate::sorted::SortedSet;

use super::create::{self, Join, Messages, NewConvoy, NewTask};
use super::{Convoy, ConvoyRig, ConvoyState, Task, TaskEdge, TaskState, by_rig, end, feature_branch, post, set_task};
use crate::config::ConvoyMergeMode;
use crate::id::{BeadId, ConvoyId};
use crate::limits::CONVOY_TASKS_MAX;
use crate::protocol::{BeadStatus, Cancel, CancelBeads, EdgeState, TownToRig};
use crate::town::command::{Applied, Refusal};
use crate::town::plan::{Plan, Write};

/// A command about a convoy.
#[derive(Debug, Clone, PartialEq)]
pub enum ConvoyCommand {
    /// Make one.
    Create(NewConvoy),
    /// Let a staged one begin.
    Start(ConvoyId),
    /// One more task: a new one, which waits for `after`.
    AddTask {
        /// Which convoy.
        convoy_id: ConvoyId,
        /// What.
        task: NewTask,
    },
    /// One more task: a bead that exists.
    AddBead {
        /// Which convoy.
        convoy_id: ConvoyId,
        /// What.
        join: Join,
        /// What it waits for.
        depends_on: Vec<BeadId>,
    },
    /// One task less; the bead stays in its rig.
    RemoveTask {
        /// Which convoy.
        convoy_id: ConvoyId,
        /// Which task.
        bead_id: BeadId,
        /// Who asks.
        actor: String,
    },
    /// Replace what a task waits for.
    SetDependencies {
        /// Which task.
        bead_id: BeadId,
        /// All of its blockers.
        depends_on: Vec<BeadId>,
    },
    /// Change fields.
    Update {
        /// Which convoy.
        convoy_id: ConvoyId,
        /// What.
        patch: ConvoyPatch,
    },
    /// Give failed tasks another attempt, or exhausted landings another series.
    Retry {
        /// Which convoy.
        convoy_id: ConvoyId,
        /// Which tasks; all that failed when empty.
        bead_ids: Vec<BeadId>,
        /// Who asks.
        actor: String,
    },
    /// Go on without failed tasks.
    Skip {
        /// Which convoy.
        convoy_id: ConvoyId,
        /// Which tasks; all that failed when empty.
        bead_ids: Vec<BeadId>,
    },
    /// Give up: live tasks fail, nothing lands.
    Abort {
        /// Which convoy.
        convoy_id: ConvoyId,
        /// Why.
        reason: Option<String>,
        /// Who asks.
        actor: String,
    },
    /// A person declares the work finished.
    Close {
        /// Which convoy.
        convoy_id: ConvoyId,
        /// Who asks.
        actor: String,
    },
}

/// Fields of a convoy to change; absent ones keep their value, `Some(None)` clears.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConvoyPatch {
    /// One line.
    pub title: Option<String>,
    /// Where tasks merge; only before any has started.
    pub merge_mode: Option<ConvoyMergeMode>,
    /// Where tasks meet; only before any has started.
    pub feature_branch: Option<String>,
    /// Budget in micro-dollars.
    pub budget_micros: Option<Option<u64>>,
}

/// Applies one command, or refuses it and changes nothing.
pub(in crate::town) fn apply(plan: &mut Plan, command: ConvoyCommand) -> Result<Applied, Refusal> {
    match command {
        ConvoyCommand::Create(new) => create::create(plan, new),
        ConvoyCommand::Start(convoy_id) => start(plan, convoy_id),
        ConvoyCommand::AddTask { convoy_id, task } => add_task(plan, convoy_id, task),
        ConvoyCommand::AddBead { convoy_id, join, depends_on } => add_bead(plan, convoy_id, join, &depends_on),
        ConvoyCommand::RemoveTask { convoy_id, bead_id, actor } => remove_task(plan, convoy_id, bead_id, actor),
        ConvoyCommand::SetDependencies { bead_id, depends_on } => set_dependencies(plan, bead_id, &depends_on),
        ConvoyCommand::Update { convoy_id, patch } => update(plan, convoy_id, patch),
        ConvoyCommand::Retry { convoy_id, bead_ids, actor } => retry(plan, convoy_id, &bead_ids, &actor),
        ConvoyCommand::Skip { convoy_id, bead_ids } => skip(plan, convoy_id, &bead_ids),
        ConvoyCommand::Abort { convoy_id, reason, actor } => {
            live(plan, convoy_id)?;
            let message = reason.unwrap_or_else(|| "its convoy was aborted".to_owned());
            end(plan, convoy_id, Cancel::Aborted, &message, &actor);
            Ok(Applied::Convoy(convoy_id))
        }
        ConvoyCommand::Close { convoy_id, actor } => {
            live(plan, convoy_id)?;
            end(plan, convoy_id, Cancel::Closed, "its convoy was declared finished", &actor);
            Ok(Applied::Convoy(convoy_id))
        }
    }
}

fn live(plan: &Plan, convoy_id: ConvoyId) -> Result<Convoy, Refusal> {
    let convoy = plan.state().convoys.get(&convoy_id).ok_or(Refusal::NoSuchConvoy(convoy_id))?;
    if convoy.state.is_live() { Ok(convoy.clone()) } else { Err(Refusal::ConvoyClosed(convoy_id)) }
}

fn start(plan: &mut Plan, convoy_id: ConvoyId) -> Result<Applied, Refusal> {
    if live(plan, convoy_id)?.state != ConvoyState::Staged {
        return Err(Refusal::NotStaged(convoy_id));
    }
    let now = plan.now();
    plan.update_convoy(convoy_id, |convoy| {
        convoy.state = ConvoyState::Active;
        convoy.started_at = Some(now);
    });
    let tasks: Vec<BeadId> = plan.state().tasks_of(convoy_id).into_iter().map(|task| task.bead_id).collect();
    for (rig_id, bead_ids) in by_rig(plan, &tasks) {
        post(plan, rig_id, TownToRig::StartBeads { convoy_id, bead_ids });
    }
    Ok(Applied::Convoy(convoy_id))
}

/// Tasks join before the landing, and no more than a person can follow.
fn takes_tasks(plan: &Plan, convoy_id: ConvoyId) -> Result<(), Refusal> {
    if live(plan, convoy_id)?.state == ConvoyState::Landing {
        return Err(Refusal::ConvoyClosed(convoy_id));
    }
    match plan.state().tasks_of(convoy_id).len() {
        count if count >= CONVOY_TASKS_MAX => {
            Err(Refusal::LimitReached(format!("a convoy has at most {CONVOY_TASKS_MAX} tasks")))
        }
        _ => Ok(()),
    }
}

fn add_task(plan: &mut Plan, convoy_id: ConvoyId, task: NewTask) -> Result<Applied, Refusal> {
    takes_tasks(plan, convoy_id)?;
    create::check_rig(plan, task.rig_id)?;
    let bead_id = task.bead_id.unwrap_or_else(|| plan.mint());
    if plan.state().tasks.contains_key(&bead_id) {
        return Ok(Applied::Convoy(convoy_id));
    }
    let members = members(plan, convoy_id);
    let mut blockers = SortedSet::new();
    for blocker in &task.after {
        match *blocker {
            create::Blocker::Bead(blocker_id) => drop(blockers.insert(create::member(blocker_id, &members)?)),
            // The places of a plan of one name nothing that is there.
            create::Blocker::Index(_) => (),
        }
    }
    let mut messages = Messages::new();
    create::add_new(plan, convoy_id, &mut messages, task.rig_id, bead_id, task.fields);
    for blocker_id in blockers {
        create::add_edge(plan, convoy_id, &mut messages, bead_id, blocker_id);
    }
    create::send(plan, messages);
    Ok(Applied::Convoy(convoy_id))
}

fn add_bead(plan: &mut Plan, convoy_id: ConvoyId, join: Join, depends_on: &[BeadId]) -> Result<Applied, Refusal> {
    let bead_id = join.bead_id;
    let is_task = |task: &Task| task.convoy_id == convoy_id;
    if live(plan, convoy_id).is_ok() && plan.state().tasks.get(&bead_id).is_some_and(is_task) {
        // Twice is one.
        return Ok(Applied::Convoy(convoy_id));
    }
    takes_tasks(plan, convoy_id)?;
    create::check_rig(plan, join.rig_id)?;
    create::check_join(plan, &join)?;
    let mut members = members(plan, convoy_id);
    let mut blockers = SortedSet::new();
    for &blocker_id in depends_on.iter().chain(&join.blockers).filter(|&&id| id != bead_id) {
        blockers.insert(create::member(blocker_id, &members)?);
    }
    members.push(bead_id);
    let pairs = pairs(plan, convoy_id).into_iter().chain(blockers.iter().map(|&blocker| (bead_id, blocker))).collect();
    create::check_cycles(&members, &pairs)?;
    let mut messages = Messages::new();
    create::add_join(plan, convoy_id, &mut messages, join);
    for blocker_id in blockers {
        create::add_edge(plan, convoy_id, &mut messages, bead_id, blocker_id);
    }
    create::send(plan, messages);
    Ok(Applied::Convoy(convoy_id))
}

fn members(plan: &Plan, convoy_id: ConvoyId) -> Vec<BeadId> {
    plan.state().tasks_of(convoy_id).into_iter().map(|task| task.bead_id).collect()
}

fn pairs(plan: &Plan, convoy_id: ConvoyId) -> SortedSet<(BeadId, BeadId)> {
    let holds = plan.state().edges_of(convoy_id).filter(|edge| edge.state != EdgeState::Waived);
    holds.map(|edge| (edge.bead_id, edge.blocker_id)).collect()
}

fn task_of(plan: &Plan, convoy_id: ConvoyId, bead_id: BeadId) -> Result<Task, Refusal> {
    let task = plan.state().tasks.get(&bead_id).filter(|task| task.convoy_id == convoy_id);
    task.cloned().ok_or(Refusal::NotAMember(bead_id))
}

fn remove_task(plan: &mut Plan, convoy_id: ConvoyId, bead_id: BeadId, actor: String) -> Result<Applied, Refusal> {
    live(plan, convoy_id)?;
    let task = task_of(plan, convoy_id, bead_id)?;
    let message = "it was taken out of its convoy".to_owned();
    let order = CancelBeads { convoy_id, bead_ids: vec![bead_id], how: Cancel::Removed, message, actor };
    post(plan, task.rig_id, TownToRig::CancelBeads(Box::new(order)));
    forget_task(plan, bead_id);
    Ok(Applied::Convoy(convoy_id))
}

/// The task's row goes, with its edges; whoever waited for it in another rig is told.
pub(super) fn forget_task(plan: &mut Plan, bead_id: BeadId) {
    let Some(convoy_id) = plan.state().tasks.get(&bead_id).map(|task| task.convoy_id) else { return };
    let waiting: Vec<TaskEdge> = plan
        .state()
        .task_edges
        .values()
        .filter(|edge| edge.blocker_id == bead_id && edge.cross && edge.told != EdgeState::Waived)
        .cloned()
        .collect();
    for edge in waiting {
        open_gate(plan, &edge);
    }
    plan.write(Write::RemoveTask(bead_id));
    plan.touch_convoy(convoy_id);
}

/// Nobody shall wait for this blocker any more.
fn open_gate(plan: &mut Plan, edge: &TaskEdge) {
    let Some(rig_id) = plan.state().tasks.get(&edge.bead_id).map(|task| task.rig_id) else { return };
    let message = TownToRig::GateOpened { bead_id: edge.bead_id, blocker_id: edge.blocker_id, waived: true };
    post(plan, rig_id, message);
}

fn set_dependencies(plan: &mut Plan, bead_id: BeadId, depends_on: &[BeadId]) -> Result<Applied, Refusal> {
    let task = plan.state().tasks.get(&bead_id).cloned().ok_or(Refusal::NotAMember(bead_id))?;
    let convoy_id = task.convoy_id;
    live(plan, convoy_id)?;
    let members = members(plan, convoy_id);
    let mut wanted = SortedSet::new();
    for &blocker_id in depends_on.iter().filter(|&&id| id != bead_id) {
        wanted.insert(create::member(blocker_id, &members)?);
    }
    let kept = pairs(plan, convoy_id).into_iter().filter(|&(dependent, _)| dependent != bead_id);
    let all = kept.chain(wanted.iter().map(|&blocker| (bead_id, blocker))).collect();
    create::check_cycles(&members, &all)?;
    let old: Vec<TaskEdge> = plan.state().edges_of(convoy_id).filter(|e| e.bead_id == bead_id).cloned().collect();
    for edge in old.iter().filter(|edge| !wanted.contains(&edge.blocker_id) && edge.state != EdgeState::Waived) {
        open_gate(plan, edge);
        plan.write(Write::RemoveTaskEdge(edge.bead_id, edge.blocker_id));
    }
    let is_known = |id: &BeadId| old.iter().any(|edge| edge.blocker_id == *id && edge.state != EdgeState::Waived);
    let mut messages = Messages::new();
    for blocker_id in wanted.into_iter().filter(|id| !is_known(id)) {
        create::add_edge(plan, convoy_id, &mut messages, bead_id, blocker_id);
    }
    create::send(plan, messages);
    plan.touch_convoy(convoy_id);
    Ok(Applied::Convoy(convoy_id))
}

fn update(plan: &mut Plan, convoy_id: ConvoyId, patch: ConvoyPatch) -> Result<Applied, Refusal> {
    let convoy = live(plan, convoy_id)?;
    let mode = patch.merge_mode.unwrap_or(convoy.merge_mode);
    let present = plan.state().rigs_of(convoy_id).find_map(|part| part.feature_branch.clone());
    let wanted = match mode {
        ConvoyMergeMode::ReviewAndMerge if patch.feature_branch.is_some() => {
            return Err(Refusal::IllegalTransition("a review-and-merge convoy has no feature branch".to_owned()));
        }
        ConvoyMergeMode::ReviewAndMerge => None,
        ConvoyMergeMode::ReviewThenLand => {
            let given = || feature_branch(&convoy.slug, convoy_id);
            Some(patch.feature_branch.or(present.clone()).unwrap_or_else(given))
        }
    };
    let moves = mode != convoy.merge_mode || wanted != present;
    let is_started = |task: &&Task| task.shown.is_started || task.status != BeadStatus::Open;
    if moves && plan.state().tasks_of(convoy_id).iter().any(is_started) {
        let message = "merge mode and feature branch are fixed once a task has started".to_owned();
        return Err(Refusal::IllegalTransition(message));
    }
    plan.update_convoy(convoy_id, |convoy| {
        convoy.title = patch.title.unwrap_or_else(|| convoy.title.clone());
        convoy.budget_micros = patch.budget_micros.unwrap_or(convoy.budget_micros);
        convoy.merge_mode = mode;
    });
    if moves {
        move_branch(plan, convoy_id, wanted);
    }
    Ok(Applied::Convoy(convoy_id))
}

/// Tasks that have not started aim at another branch.
fn move_branch(plan: &mut Plan, convoy_id: ConvoyId, branch: Option<String>) {
    let parts: Vec<ConvoyRig> = plan.state().rigs_of(convoy_id).cloned().collect();
    for part in parts {
        plan.write(Write::ConvoyRig(ConvoyRig { feature_branch: branch.clone(), ..part }));
    }
    let mut messages = Messages::new();
    let tasks = members(plan, convoy_id);
    for (rig_id, bead_ids) in by_rig(plan, &tasks) {
        create::message(plan, convoy_id, &mut messages, rig_id).joins = bead_ids;
    }
    create::send(plan, messages);
}

/// The tasks that a decision is about: those that are named, or all that failed.
fn failed(plan: &Plan, convoy_id: ConvoyId, bead_ids: &[BeadId]) -> Result<Vec<BeadId>, Refusal> {
    if bead_ids.is_empty() {
        let failed = plan.state().tasks_of(convoy_id).into_iter().filter(|task| task.state == TaskState::Failed);
        return Ok(failed.map(|task| task.bead_id).collect());
    }
    for &bead_id in bead_ids {
        if task_of(plan, convoy_id, bead_id)?.state != TaskState::Failed {
            return Err(Refusal::NotFailed(bead_id));
        }
    }
    Ok(bead_ids.to_vec())
}

fn retry(plan: &mut Plan, convoy_id: ConvoyId, bead_ids: &[BeadId], actor: &str) -> Result<Applied, Refusal> {
    live(plan, convoy_id)?;
    // What was deleted with its rig cannot be tried again.
    let mut again = failed(plan, convoy_id, bead_ids)?;
    let has_rig = |id: &BeadId| plan.state().tasks.get(id).is_some_and(|t| plan.state().rigs.contains_key(&t.rig_id));
    again.retain(has_rig);
    let exhausted: Vec<ConvoyRig> =
        plan.state().rigs_of(convoy_id).filter(|part| part.is_exhausted()).cloned().collect();
    let lands_again = bead_ids.is_empty() && !exhausted.is_empty();
    if again.is_empty() && !lands_again {
        return Err(Refusal::NothingFailed(convoy_id));
    }
    for (rig_id, bead_ids) in by_rig(plan, &again) {
        post(plan, rig_id, TownToRig::RetryBeads { convoy_id, bead_ids, actor: actor.to_owned() });
    }
    for bead_id in again {
        set_task(plan, bead_id, |task| {
            task.state = TaskState::Live;
            task.status = BeadStatus::Open;
            task.attempt += 1;
            task.failure = None;
        });
    }
    if lands_again {
        let now = plan.now();
        for part in exhausted {
            plan.write(Write::ConvoyRig(ConvoyRig { attempts: 0, next_at: Some(now), ..part }));
        }
        plan.touch_convoy(convoy_id);
    }
    Ok(Applied::Convoy(convoy_id))
}

fn skip(plan: &mut Plan, convoy_id: ConvoyId, bead_ids: &[BeadId]) -> Result<Applied, Refusal> {
    live(plan, convoy_id)?;
    let skipped = failed(plan, convoy_id, bead_ids)?;
    if skipped.is_empty() {
        return Err(Refusal::NothingFailed(convoy_id));
    }
    for bead_id in skipped {
        let Some(rig_id) = plan.state().tasks.get(&bead_id).map(|task| task.rig_id) else { continue };
        post(plan, rig_id, TownToRig::SkipBead { convoy_id, bead_id });
        set_task(plan, bead_id, |task| task.state = TaskState::Skipped);
    }
    Ok(Applied::Convoy(convoy_id))
}
