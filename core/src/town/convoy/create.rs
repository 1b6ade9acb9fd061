//! Making a convoy (domain.md 8): the plan is checked as a whole, then stored in one commit with the messages that make
//! its tasks. A refused plan stores nothing.

use crate::sorted::{SortedMap, SortedSet};

use serde_json::{Map, Value};

use super::graph;
use super::{Convoy, ConvoyRig, ConvoyState, Counts, LandingState, Task, TaskEdge, TaskState, feature_branch, slug};
use crate::config::{ConvoyMergeMode, effective_rig, effective_town};
use crate::id::{BeadId, ConvoyId, RigId};
use crate::limits::{CONVOY_TASKS_MAX, LIVE_CONVOYS_PER_TOWN, SLING_REPEAT};
use crate::models::ModelId;
use crate::protocol::TaskEdge as EdgeToRig;
use crate::protocol::{BeadStatus, CreateBeads, Priority, TaskBead, TaskShown, TownToRig};
use crate::time::Timestamp;
use crate::town::command::{Applied, Refusal};
use crate::town::plan::{Plan, Write};

/// A convoy to make.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewConvoy {
    /// The id, when the caller has one already; a convoy that exists is not made twice.
    pub convoy_id: Option<ConvoyId>,
    /// One line.
    pub title: String,
    /// New tasks, in order.
    pub tasks: Vec<NewTask>,
    /// Beads that join.
    pub joins: Vec<Join>,
    /// Where tasks merge, if the caller says.
    pub merge_mode: Option<ConvoyMergeMode>,
    /// Whether it waits for a start, if the caller says.
    pub staged: Option<bool>,
    /// Independent tasks are meant to be so.
    pub is_parallel: bool,
    /// Budget in micro-dollars.
    pub budget_micros: Option<u64>,
    /// Free.
    pub metadata: Map<String, Value>,
    /// Who asks.
    pub created_by: String,
    /// Refuse what the same caller made a moment ago (a repeated tool call).
    pub refuses_repeat: bool,
}

/// A new task.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// The id, when the caller has one already.
    pub bead_id: Option<BeadId>,
    /// Where.
    pub rig_id: RigId,
    /// What.
    pub fields: TaskFields,
    /// What it waits for.
    pub after: Vec<Blocker>,
}

/// What a task says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskFields {
    /// One line.
    pub title: String,
    /// What to do.
    pub body: Option<String>,
    /// Urgency; medium when absent.
    pub priority: Option<Priority>,
    /// Labels.
    pub labels: SortedSet<String>,
    /// Free, but for reserved keys.
    pub metadata: Map<String, Value>,
    /// Model, if the caller chose one.
    pub model: Option<ModelId>,
    /// Budget in micro-dollars.
    pub budget_micros: Option<u64>,
}

/// What a task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocker {
    /// A task of the same plan, by its place.
    Index(usize),
    /// A task of the convoy.
    Bead(BeadId),
}

/// A bead that joins, as its rig shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// Which bead.
    pub bead_id: BeadId,
    /// Of which rig.
    pub rig_id: RigId,
    /// The convoy that it is in already.
    pub convoy_id: Option<ConvoyId>,
    /// Where it is in its life.
    pub status: BeadStatus,
    /// Its life.
    pub attempt: u32,
    /// What people see of it.
    pub shown: TaskShown,
    /// What it waits for.
    pub blockers: Vec<BeadId>,
}

/// References of a plan that mean nothing and are ignored: a task that waits for itself, an index out of range. Each is
/// told to the caller as a warning.
pub fn ignored_references(tasks: &[NewTask]) -> Vec<String> {
    let mut words = Vec::new();
    for (index, task) in tasks.iter().enumerate() {
        for blocker in &task.after {
            match *blocker {
                Blocker::Index(after) if after == index => words.push(format!("tasks.{index} depends on itself")),
                Blocker::Index(after) if after >= tasks.len() => {
                    words.push(format!("tasks.{index} depends on task {after}, which is not in the plan"));
                }
                Blocker::Bead(after) if Some(after) == task.bead_id => {
                    words.push(format!("tasks.{index} depends on itself"));
                }
                Blocker::Index(_) | Blocker::Bead(_) => (),
            }
        }
    }
    words
}

/// Checks the whole plan, then stores it.
pub(super) fn create(plan: &mut Plan, new: NewConvoy) -> Result<Applied, Refusal> {
    if let Some(known) = new.convoy_id.filter(|id| plan.state().convoys.contains_key(id)) {
        return Ok(Applied::Convoy(known));
    }
    check(plan, &new)?;
    let convoy_id = new.convoy_id.unwrap_or_else(|| plan.mint());
    let bead_ids: Vec<BeadId> = new.tasks.iter().map(|task| task.bead_id.unwrap_or_else(|| plan.mint())).collect();
    let members: Vec<BeadId> = bead_ids.iter().copied().chain(new.joins.iter().map(|join| join.bead_id)).collect();
    let pairs = dependencies(&new, &bead_ids, &members)?;
    check_cycles(&members, &pairs)?;
    let merge_mode = merge_mode(plan, &new);
    let staged = new.staged.unwrap_or_else(|| effective_town(&plan.state().town.config).staged_convoys_default);
    let now = plan.now();
    let slug = slug(&new.title);
    plan.write(Write::Convoy(Box::new(Convoy {
        convoy_id,
        title: new.title,
        slug: slug.clone(),
        state: if staged { ConvoyState::Staged } else { ConvoyState::Active },
        merge_mode,
        budget_micros: new.budget_micros,
        metadata: new.metadata,
        attention: Vec::new(),
        counts: Counts::default(),
        created_by: new.created_by,
        closed_by: None,
        created_at: now,
        started_at: (!staged).then_some(now),
        landed_at: None,
        ended_at: None,
        version: 1,
    })));
    let mut messages = SortedMap::new();
    for (task, bead_id) in new.tasks.into_iter().zip(bead_ids) {
        add_new(plan, convoy_id, &mut messages, task.rig_id, bead_id, task.fields);
    }
    for join in new.joins {
        add_join(plan, convoy_id, &mut messages, join);
    }
    for (bead_id, blocker_id) in pairs {
        add_edge(plan, convoy_id, &mut messages, bead_id, blocker_id);
    }
    send(plan, messages);
    Ok(Applied::Convoy(convoy_id))
}

fn check(plan: &Plan, new: &NewConvoy) -> Result<(), Refusal> {
    let count = new.tasks.len() + new.joins.len();
    if count == 0 || count > CONVOY_TASKS_MAX {
        return Err(Refusal::LimitReached(format!("a convoy has 1 to {CONVOY_TASKS_MAX} tasks, not {count}")));
    }
    if plan.state().live_convoys().count() >= LIVE_CONVOYS_PER_TOWN {
        return Err(Refusal::LimitReached(format!("a town has at most {LIVE_CONVOYS_PER_TOWN} live convoys")));
    }
    for rig_id in new.tasks.iter().map(|task| task.rig_id).chain(new.joins.iter().map(|join| join.rig_id)) {
        check_rig(plan, rig_id)?;
    }
    new.joins.iter().try_for_each(|join| check_join(plan, join))?;
    if new.tasks.len() > 1 && !new.is_parallel && new.tasks.iter().all(|task| task.after.is_empty()) {
        return Err(Refusal::PlanUnclear);
    }
    match plan.state().live_convoys().find(|known| new.refuses_repeat && is_repeat(plan, known, new)) {
        Some(known) => Err(Refusal::ProbableDuplicate(known.convoy_id)),
        None => Ok(()),
    }
}

fn is_repeat(plan: &Plan, known: &Convoy, new: &NewConvoy) -> bool {
    let titles = || plan.state().tasks_of(known.convoy_id).into_iter().map(|task| (task.rig_id, &task.shown.title));
    known.created_by == new.created_by
        && known.title == new.title
        && plan.now().since(known.created_at) < SLING_REPEAT
        && titles().eq(new.tasks.iter().map(|task| (task.rig_id, &task.fields.title)))
}

pub(super) fn check_rig(plan: &Plan, rig_id: RigId) -> Result<(), Refusal> {
    if plan.state().rigs.contains_key(&rig_id) { Ok(()) } else { Err(Refusal::NoSuchRig(rig_id)) }
}

/// Existing beads may join while they are live and in no other convoy.
pub(super) fn check_join(plan: &Plan, join: &Join) -> Result<(), Refusal> {
    if join.status.is_terminal() {
        return Err(Refusal::TerminalBead(join.bead_id, join.status));
    }
    let known = plan.state().tasks.get(&join.bead_id).map(|task| task.convoy_id);
    match known.or(join.convoy_id) {
        Some(other) => Err(Refusal::InAnotherConvoy(join.bead_id, other)),
        None => Ok(()),
    }
}

/// Pairs of (dependent, blocker), all of them members; references that mean nothing are left out.
fn dependencies(
    new: &NewConvoy,
    bead_ids: &[BeadId],
    members: &[BeadId],
) -> Result<SortedSet<(BeadId, BeadId)>, Refusal> {
    let mut pairs = SortedSet::new();
    for (task, &bead_id) in new.tasks.iter().zip(bead_ids) {
        for blocker in &task.after {
            let blocker_id = match *blocker {
                Blocker::Index(index) => bead_ids.get(index).copied(),
                Blocker::Bead(blocker_id) => Some(member(blocker_id, members)?),
            };
            pairs.extend(blocker_id.filter(|&id| id != bead_id).map(|blocker_id| (bead_id, blocker_id)));
        }
    }
    for join in &new.joins {
        for &blocker_id in &join.blockers {
            pairs.insert((join.bead_id, member(blocker_id, members)?));
        }
    }
    Ok(pairs)
}

/// A convoy's task waits for tasks of the same convoy only (domain.md 3.5).
pub(super) fn member(bead_id: BeadId, members: &[BeadId]) -> Result<BeadId, Refusal> {
    if members.contains(&bead_id) { Ok(bead_id) } else { Err(Refusal::NotAMember(bead_id)) }
}

pub(super) fn check_cycles(members: &[BeadId], pairs: &SortedSet<(BeadId, BeadId)>) -> Result<(), Refusal> {
    let pairs: Vec<(BeadId, BeadId)> = pairs.iter().copied().collect();
    let cycle = graph::on_cycles(members, &pairs);
    if cycle.is_empty() { Ok(()) } else { Err(Refusal::DependencyCycle(cycle)) }
}

/// The request's; else what the one rig, or the town, says. A convoy of existing beads only is review-and-merge: they
/// have begun, or may have, where they are.
fn merge_mode(plan: &Plan, new: &NewConvoy) -> ConvoyMergeMode {
    if let Some(mode) = new.merge_mode {
        return mode;
    }
    if new.tasks.is_empty() {
        return ConvoyMergeMode::ReviewAndMerge;
    }
    let rigs = new.tasks.iter().map(|task| task.rig_id).chain(new.joins.iter().map(|join| join.rig_id));
    let rigs: SortedSet<RigId> = rigs.collect();
    let town = &plan.state().town.config;
    match rigs.first().and_then(|rig_id| plan.state().rigs.get(rig_id)) {
        Some(rig) if rigs.len() == 1 => effective_rig(town, &rig.config).convoy_merge_mode,
        Some(_) | None => effective_town(town).convoy_merge_mode,
    }
}

/// What each rig is told of this commit.
pub(super) type Messages = SortedMap<RigId, CreateBeads>;

/// The part of a rig's message, begun with what holds for the convoy; the convoy's part in the rig is made with it.
pub(super) fn message<'a>(
    plan: &mut Plan,
    convoy_id: ConvoyId,
    messages: &'a mut Messages,
    rig_id: RigId,
) -> &'a mut CreateBeads {
    messages.get_or_insert_with(rig_id, || {
        let part = ensure_rig(plan, convoy_id, rig_id);
        let staged = plan.state().convoys.get(&convoy_id).is_some_and(|convoy| convoy.state == ConvoyState::Staged);
        CreateBeads {
            convoy_id,
            staged,
            feature_branch: part.feature_branch,
            beads: Vec::new(),
            joins: Vec::new(),
            edges: Vec::new(),
        }
    })
}

fn ensure_rig(plan: &mut Plan, convoy_id: ConvoyId, rig_id: RigId) -> ConvoyRig {
    if let Some(known) = plan.state().convoy_rigs.get(&(convoy_id, rig_id)) {
        return known.clone();
    }
    let convoy = plan.state().convoys.get(&convoy_id);
    let of_others = plan.state().rigs_of(convoy_id).find_map(|part| part.feature_branch.clone());
    let branch = convoy
        .filter(|convoy| convoy.merge_mode == ConvoyMergeMode::ReviewThenLand)
        .map(|convoy| of_others.unwrap_or_else(|| feature_branch(&convoy.slug, convoy_id)));
    let part = ConvoyRig {
        convoy_id,
        rig_id,
        feature_branch: branch,
        landing: LandingState::None,
        landing_bead: None,
        attempts: 0,
        next_at: None,
        last_error: None,
        landed_commit: None,
        landed_at: None,
    };
    plan.write(Write::ConvoyRig(part.clone()));
    part
}

fn next_index(plan: &Plan, convoy_id: ConvoyId) -> u32 {
    plan.state().tasks_of(convoy_id).last().map_or(0, |task| task.index + 1)
}

pub(super) fn add_new(
    plan: &mut Plan,
    convoy_id: ConvoyId,
    messages: &mut Messages,
    rig_id: RigId,
    bead_id: BeadId,
    fields: TaskFields,
) {
    let index = next_index(plan, convoy_id);
    let priority = fields.priority.unwrap_or(Priority::Medium);
    let created_at = Timestamp::from_ms(plan.now().ms() + i64::from(index));
    let created_by = plan.state().convoys.get(&convoy_id).map(|convoy| convoy.created_by.clone()).unwrap_or_default();
    write_task(plan, convoy_id, rig_id, bead_id, (BeadStatus::Open, 1), TaskShown::new(fields.title.clone(), priority));
    message(plan, convoy_id, messages, rig_id).beads.push(TaskBead {
        bead_id,
        title: fields.title,
        body: fields.body,
        priority,
        labels: fields.labels,
        metadata: fields.metadata,
        model: fields.model,
        budget_micros: fields.budget_micros,
        created_by,
        created_at,
    });
}

pub(super) fn add_join(plan: &mut Plan, convoy_id: ConvoyId, messages: &mut Messages, join: Join) {
    write_task(plan, convoy_id, join.rig_id, join.bead_id, (join.status, join.attempt), join.shown);
    message(plan, convoy_id, messages, join.rig_id).joins.push(join.bead_id);
}

fn write_task(
    plan: &mut Plan,
    convoy_id: ConvoyId,
    rig_id: RigId,
    bead_id: BeadId,
    (status, attempt): (BeadStatus, u32),
    shown: TaskShown,
) {
    let index = next_index(plan, convoy_id);
    plan.write(Write::Task(Box::new(Task {
        bead_id,
        convoy_id,
        rig_id,
        index,
        state: TaskState::of(status),
        status,
        is_reported: false,
        attempt,
        merged_into: None,
        failure: None,
        shown,
    })));
    plan.touch_convoy(convoy_id);
}

/// One dependency, in the Town and in the waiting rig.
pub(super) fn add_edge(
    plan: &mut Plan,
    convoy_id: ConvoyId,
    messages: &mut Messages,
    bead_id: BeadId,
    blocker_id: BeadId,
) {
    let (Some(waiting), Some(blocker)) = (plan.state().tasks.get(&bead_id), plan.state().tasks.get(&blocker_id)) else {
        return;
    };
    let (cross, state, rig_id) = (waiting.rig_id != blocker.rig_id, blocker.state.edge(), waiting.rig_id);
    plan.write(Write::TaskEdge(TaskEdge { bead_id, blocker_id, convoy_id, cross, state, told: state }));
    plan.touch_convoy(convoy_id);
    message(plan, convoy_id, messages, rig_id).edges.push(EdgeToRig { bead_id, blocker_id, cross, state });
}

/// Posts what each rig is told.
pub(super) fn send(plan: &mut Plan, messages: Messages) {
    for (rig_id, order) in messages {
        super::post(plan, rig_id, TownToRig::CreateBeads(Box::new(order)));
    }
}
