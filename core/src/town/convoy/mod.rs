//! Convoys: a DAG of tasks over one or more rigs, with a feature branch and a landing in each (domain.md 8). Holds the
//! rows, the table of states, and the steps that commands, facts and rules share. The work itself is the rigs': here it
//! is only ordered, counted, gated across rigs, and landed. Nothing ever fails a convoy by counting.
//!
//! Reading order: the rows below, `graph` (pure functions over edges), `create`, `command`, `fact`, then the rules T10 to
//! T14 in `rules/`.

pub mod command;
pub mod create;
pub(super) mod fact;
pub mod graph;

use crate::sorted::{SortedSet, sort_by_key};

use serde_json::{Map, Value};

pub use command::{ConvoyCommand, ConvoyPatch};
pub use create::{Blocker, Join, NewConvoy, NewTask, TaskFields, ignored_references};

use super::escalation;
use super::plan::{Plan, Write};
use super::state::{Spender, State};
use crate::config::{ConvoyMergeMode, effective_town};
use crate::id::{BeadId, ConvoyId, RigId};
use crate::limits::{LANDING_BACKOFF, LANDING_BACKOFF_MAX, LANDING_MAX};
use crate::protocol::{BeadStatus, Cancel, CancelBeads, EdgeState, TaskShown, TownToRig};
use crate::session::Usage;
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// Where a convoy is.
    pub enum ConvoyState {
        Staged = "staged",
        Active = "active",
        Landing = "landing",
        Landed = "landed",
        Aborted = "aborted",
    }
}

/// Every change of a convoy's state, and what causes it (domain.md 8).
pub const TRANSITIONS: &[(ConvoyState, &str, ConvoyState)] = &[
    (ConvoyState::Staged, "start", ConvoyState::Active),
    (ConvoyState::Staged, "abort", ConvoyState::Aborted),
    (ConvoyState::Staged, "close", ConvoyState::Landed),
    (ConvoyState::Active, "all tasks settled, with work on a feature branch (T13)", ConvoyState::Landing),
    (ConvoyState::Active, "all tasks settled, nothing to land (T13); close", ConvoyState::Landed),
    (ConvoyState::Active, "abort", ConvoyState::Aborted),
    (ConvoyState::Landing, "landed in every rig (T13); close", ConvoyState::Landed),
    (ConvoyState::Landing, "abort", ConvoyState::Aborted),
];

impl ConvoyState {
    /// Whether something may still happen to the convoy.
    pub const fn is_live(self) -> bool {
        match self {
            Self::Staged | Self::Active | Self::Landing => true,
            Self::Landed | Self::Aborted => false,
        }
    }
}

text_enum! {
    /// Where a task is, as its convoy counts it. Only `closed` is success.
    pub enum TaskState {
        Live = "live",
        Closed = "closed",
        Failed = "failed",
        Skipped = "skipped",
    }
}

/// Every change of a task in its convoy, and what causes it (domain.md 8).
pub const TASK_TRANSITIONS: &[(TaskState, &str, TaskState)] = &[
    (TaskState::Live, "its rig reports it closed", TaskState::Closed),
    (TaskState::Live, "its rig reports it failed; abort", TaskState::Failed),
    (TaskState::Failed, "retry", TaskState::Live),
    (TaskState::Failed, "skip", TaskState::Skipped),
    (TaskState::Skipped, "tried again by a person: it counts anew", TaskState::Live),
];

impl TaskState {
    /// Nothing waits for the task any more.
    pub const fn is_settled(self) -> bool {
        match self {
            Self::Closed | Self::Skipped => true,
            Self::Live | Self::Failed => false,
        }
    }

    /// What the rig's word about a bead means here.
    pub(super) const fn of(status: BeadStatus) -> Self {
        match status {
            BeadStatus::Closed => Self::Closed,
            BeadStatus::Failed => Self::Failed,
            BeadStatus::Open | BeadStatus::InProgress | BeadStatus::InReview => Self::Live,
        }
    }

    /// What edges on the task are then.
    pub(super) const fn edge(self) -> EdgeState {
        match self {
            Self::Live => EdgeState::Pending,
            Self::Closed => EdgeState::Satisfied,
            Self::Failed => EdgeState::Failed,
            Self::Skipped => EdgeState::Waived,
        }
    }
}

text_enum! {
    /// Where the landing of one rig is.
    pub enum LandingState {
        None = "none",
        Open = "open",
        Landed = "landed",
    }
}

/// Every change of a landing in one rig, and what causes it (domain.md 8).
pub const LANDING_TRANSITIONS: &[(LandingState, &str, LandingState)] = &[
    (LandingState::None, "all tasks settled, its attempt is due (T14)", LandingState::Open),
    (LandingState::Open, "rejected: another attempt after a while, at most LANDING_MAX", LandingState::None),
    (LandingState::Open, "merged", LandingState::Landed),
];

/// A convoy's own row (domain.md 2.3).
#[derive(Debug, Clone, PartialEq)]
pub struct Convoy {
    /// Identity.
    pub convoy_id: ConvoyId,
    /// One line.
    pub title: String,
    /// The title as a part of a branch name; fixed at creation.
    pub slug: String,
    /// Where it is.
    pub state: ConvoyState,
    /// Where tasks merge.
    pub merge_mode: ConvoyMergeMode,
    /// Budget in micro-dollars, if a caller set one.
    pub budget_micros: Option<u64>,
    /// Free.
    pub metadata: Map<String, Value>,
    /// What a person has to decide.
    pub attention: Vec<Attention>,
    /// Its tasks by state.
    pub counts: Counts,
    /// Who made it.
    pub created_by: String,
    /// The person who declared it finished.
    pub closed_by: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its tasks could start.
    pub started_at: Option<Timestamp>,
    /// When it landed.
    pub landed_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Grows with every write.
    pub version: u64,
}

/// Tasks of a convoy by state; each is in exactly one, and what is in none of these is live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub total: u32,
    /// Done.
    pub closed: u32,
    /// Waiting for a decision.
    pub failed: u32,
    /// Left out.
    pub skipped: u32,
}

/// One thing that a person has to decide about a convoy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attention {
    /// Machine word.
    pub code: AttentionCode,
    /// One sentence.
    pub message: String,
    /// About this task.
    pub bead_id: Option<BeadId>,
    /// About this rig's landing.
    pub rig_id: Option<RigId>,
    /// What a person may choose.
    pub choices: Vec<String>,
    /// Since when.
    pub since: Timestamp,
}

text_enum! {
    /// Why a convoy needs a person.
    pub enum AttentionCode {
        TaskFailed = "task_failed",
        LandingExhausted = "landing_exhausted",
        BudgetReached = "budget_reached",
    }
}

/// The part of a convoy in one rig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvoyRig {
    /// Which convoy.
    pub convoy_id: ConvoyId,
    /// Which rig.
    pub rig_id: RigId,
    /// Where its tasks meet; none when they merge straight into the merge target.
    pub feature_branch: Option<String>,
    /// Where its landing is.
    pub landing: LandingState,
    /// The live or newest landing.
    pub landing_bead: Option<BeadId>,
    /// Landings opened.
    pub attempts: u32,
    /// When the next landing may be opened; set while one is due, and absent when there is nothing to land.
    pub next_at: Option<Timestamp>,
    /// Why the newest landing was rejected.
    pub last_error: Option<String>,
    /// The commit that brought the branch in.
    pub landed_commit: Option<String>,
    /// When it landed.
    pub landed_at: Option<Timestamp>,
}

impl ConvoyRig {
    /// Whether the rig's branch has still to reach the merge target.
    pub fn has_to_land(&self) -> bool {
        self.landing == LandingState::Open || self.next_at.is_some()
    }

    /// Whether no further landing is tried without a person.
    pub fn is_exhausted(&self) -> bool {
        self.landing == LandingState::None && self.next_at.is_some() && self.attempts >= LANDING_MAX
    }

    /// When the next landing may be tried, after so many.
    pub(super) fn backoff(attempts: u32) -> std::time::Duration {
        LANDING_BACKOFF.saturating_mul(1 << attempts.min(10)).min(LANDING_BACKOFF_MAX)
    }
}

/// One task of a convoy.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The bead in its rig.
    pub bead_id: BeadId,
    /// Its convoy.
    pub convoy_id: ConvoyId,
    /// Its rig.
    pub rig_id: RigId,
    /// Place in the plan.
    pub index: u32,
    /// How the convoy counts it.
    pub state: TaskState,
    /// As its rig last reported.
    pub status: BeadStatus,
    /// Whether its rig has spoken of it.
    pub is_reported: bool,
    /// Its life; older reports are late.
    pub attempt: u32,
    /// The branch that its work was merged into.
    pub merged_into: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// What people see of it.
    pub shown: TaskShown,
}

/// One dependency between tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskEdge {
    /// The dependent.
    pub bead_id: BeadId,
    /// What it waits for.
    pub blocker_id: BeadId,
    /// Their convoy.
    pub convoy_id: ConvoyId,
    /// Whether they lie in different rigs.
    pub cross: bool,
    /// Whether it still holds.
    pub state: EdgeState,
    /// What the waiting rig was last told of a cross edge.
    pub told: EdgeState,
}

/// A convoy with everything that belongs to it, as the API shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    /// Its own row.
    pub convoy: Convoy,
    /// Its rigs.
    pub rigs: Vec<ConvoyRig>,
    /// Its tasks, in the order of the plan.
    pub tasks: Vec<Task>,
    /// Their dependencies.
    pub edges: Vec<TaskEdge>,
    /// What it has spent in all its rigs.
    pub spent: Usage,
}

/// The title as a part of a branch name: lower case, everything else than letters and digits one dash, at most 40.
pub fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(SLUG_MAX);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "convoy".to_owned() } else { slug.to_owned() }
}

/// Characters of a slug: branch names stay readable, and far below what git and forges allow.
const SLUG_MAX: usize = 40;

/// Where a convoy's tasks meet. `head` is last because a ref cannot also be a folder of refs.
pub fn feature_branch(slug: &str, convoy_id: ConvoyId) -> String {
    format!("convoy/{slug}/{}/head", convoy_id.short())
}

impl State {
    /// Tasks of a convoy, in the order of the plan.
    pub fn tasks_of(&self, convoy_id: ConvoyId) -> Vec<&Task> {
        let mut tasks: Vec<&Task> = self.tasks.values().filter(|task| task.convoy_id == convoy_id).collect();
        sort_by_key(&mut tasks, |task| (task.index, task.bead_id));
        tasks
    }

    /// The parts of a convoy, by rig.
    pub fn rigs_of(&self, convoy_id: ConvoyId) -> impl Iterator<Item = &ConvoyRig> {
        self.convoy_rigs.values().filter(move |part| part.convoy_id == convoy_id)
    }

    /// Dependencies of a convoy.
    pub fn edges_of(&self, convoy_id: ConvoyId) -> impl Iterator<Item = &TaskEdge> {
        self.task_edges.values().filter(move |edge| edge.convoy_id == convoy_id)
    }

    /// A convoy with everything that belongs to it, when it is in view.
    pub fn whole_convoy(&self, convoy_id: ConvoyId) -> Option<Whole> {
        Some(Whole {
            convoy: self.convoys.get(&convoy_id)?.clone(),
            rigs: self.rigs_of(convoy_id).cloned().collect(),
            tasks: self.tasks_of(convoy_id).into_iter().cloned().collect(),
            edges: self.edges_of(convoy_id).cloned().collect(),
            spent: self.spent_by_convoy(convoy_id),
        })
    }

    /// What a convoy has spent in all its rigs.
    pub fn spent_by_convoy(&self, convoy_id: ConvoyId) -> Usage {
        let of_convoy = |spender: &Spender| matches!(spender, Spender::Convoy(of, _) if *of == convoy_id);
        let rows = self.usage.iter().filter(|((_, spender), _)| of_convoy(spender)).map(|(_, spent)| *spent);
        rows.fold(Usage::default(), Usage::plus)
    }

    /// Convoys whose spend has reached their limit.
    pub fn exhausted_convoys(&self) -> Vec<ConvoyId> {
        let limit = effective_town(&self.town.config).budget.convoy;
        let spenders = self.usage.keys().filter_map(|(_, spender)| match spender {
            Spender::Convoy(convoy_id, _) => Some(*convoy_id),
            Spender::Rig(_) | Spender::Mayor => None,
        });
        let convoys: SortedSet<ConvoyId> = spenders.collect();
        let own = |id: &ConvoyId| self.convoys.get(id).and_then(|convoy| convoy.budget_micros);
        convoys.into_iter().filter(|id| limit.or_own(own(id)).is_reached(self.spent_by_convoy(*id), 100)).collect()
    }

    /// Convoys that have not ended.
    pub fn live_convoys(&self) -> impl Iterator<Item = &Convoy> {
        self.convoys.values().filter(|convoy| convoy.state.is_live())
    }
}

/// Tasks by state.
pub(super) fn count(state: &State, convoy_id: ConvoyId) -> Counts {
    let mut counts = Counts::default();
    for task in state.tasks.values().filter(|task| task.convoy_id == convoy_id) {
        counts.total += 1;
        match task.state {
            TaskState::Live => (),
            TaskState::Closed => counts.closed += 1,
            TaskState::Failed => counts.failed += 1,
            TaskState::Skipped => counts.skipped += 1,
        }
    }
    counts
}

/// Moves a task, and what waits for it.
pub(super) fn set_task(plan: &mut Plan, bead_id: BeadId, change: impl FnOnce(&mut Task)) {
    let Some(old) = plan.state().tasks.get(&bead_id).cloned() else { return };
    let mut task = old.clone();
    change(&mut task);
    if task == old {
        return;
    }
    let (edge, convoy_id) = (task.state.edge(), task.convoy_id);
    plan.write(Write::Task(Box::new(task)));
    plan.touch_convoy(convoy_id);
    let dependents: Vec<TaskEdge> = plan
        .state()
        .task_edges
        .values()
        .filter(|e| e.blocker_id == bead_id && e.state != edge && e.state != EdgeState::Waived)
        .cloned()
        .collect();
    for dependent in dependents {
        plan.write(Write::TaskEdge(TaskEdge { state: edge, ..dependent }));
    }
}

/// Posts to a rig that is still there.
pub(super) fn post(plan: &mut Plan, rig_id: RigId, message: TownToRig) {
    if plan.state().rigs.contains_key(&rig_id) {
        plan.post(rig_id, message);
    }
}

/// The rigs of some tasks, each with its tasks.
pub(super) fn by_rig(plan: &Plan, bead_ids: &[BeadId]) -> Vec<(RigId, Vec<BeadId>)> {
    let tasks: Vec<&Task> = bead_ids.iter().filter_map(|id| plan.state().tasks.get(id)).collect();
    let rigs: SortedSet<RigId> = tasks.iter().map(|task| task.rig_id).collect();
    let of = |rig_id| tasks.iter().filter(|task| task.rig_id == rig_id).map(|task| task.bead_id).collect();
    rigs.into_iter().map(|rig_id| (rig_id, of(rig_id))).collect()
}

/// Ends a convoy: live tasks and landings are taken out of its hands, and nobody is asked any more.
pub(super) fn end(plan: &mut Plan, convoy_id: ConvoyId, how: Cancel, message: &str, actor: &str) {
    let now = plan.now();
    let live: Vec<BeadId> = plan
        .state()
        .tasks_of(convoy_id)
        .into_iter()
        .filter(|task| task.state == TaskState::Live)
        .map(|task| task.bead_id)
        .collect();
    let open: Vec<BeadId> = plan
        .state()
        .tasks_of(convoy_id)
        .into_iter()
        .filter(|task| !task.state.is_settled())
        .map(|task| task.bead_id)
        .collect();
    let mut cancelled = by_rig(plan, &open);
    let landings = plan.state().rigs_of(convoy_id).filter(|part| part.landing == LandingState::Open);
    let landings: Vec<(RigId, BeadId)> = landings.filter_map(|part| Some((part.rig_id, part.landing_bead?))).collect();
    for (rig_id, bead_id) in landings {
        match cancelled.iter_mut().find(|(known, _)| *known == rig_id) {
            Some((_, bead_ids)) => bead_ids.push(bead_id),
            None => cancelled.push((rig_id, vec![bead_id])),
        }
    }
    for (rig_id, bead_ids) in cancelled {
        let order = CancelBeads { convoy_id, bead_ids, how, message: message.to_owned(), actor: actor.to_owned() };
        post(plan, rig_id, TownToRig::CancelBeads(Box::new(order)));
    }
    let (state, status) = match how {
        Cancel::Aborted => (TaskState::Failed, BeadStatus::Failed),
        Cancel::Closed | Cancel::Removed => (TaskState::Closed, BeadStatus::Closed),
    };
    for bead_id in live {
        set_task(plan, bead_id, |task| {
            task.state = state;
            task.status = status;
            task.failure = (state == TaskState::Failed).then(|| message.to_owned());
            task.shown.wait = None;
        });
    }
    let parts: Vec<ConvoyRig> = plan.state().rigs_of(convoy_id).filter(|part| part.has_to_land()).cloned().collect();
    for part in parts {
        plan.write(Write::ConvoyRig(ConvoyRig { landing: LandingState::None, next_at: None, ..part }));
    }
    clear_attention(plan, convoy_id);
    plan.update_convoy(convoy_id, |convoy| {
        convoy.ended_at = Some(now);
        match how {
            Cancel::Aborted => convoy.state = ConvoyState::Aborted,
            Cancel::Closed | Cancel::Removed => {
                convoy.state = ConvoyState::Landed;
                convoy.landed_at = Some(now);
                convoy.closed_by = Some(actor.to_owned());
            }
        }
    });
}

/// All tasks are settled and all branches landed.
pub(super) fn landed(plan: &mut Plan, convoy_id: ConvoyId) {
    let now = plan.now();
    clear_attention(plan, convoy_id);
    plan.update_convoy(convoy_id, |convoy| {
        convoy.state = ConvoyState::Landed;
        convoy.landed_at = Some(now);
        convoy.ended_at = Some(now);
    });
}

fn clear_attention(plan: &mut Plan, convoy_id: ConvoyId) {
    let attention = plan.state().convoys.get(&convoy_id).map(|convoy| convoy.attention.clone()).unwrap_or_default();
    for cause in attention {
        escalation::clear(plan, &attention_key(convoy_id, &cause));
    }
    plan.update_convoy(convoy_id, |convoy| convoy.attention = Vec::new());
}

/// The key of an attention's escalation. A failed task has the key that its rig raises it under, so that one failure is
/// one escalation.
pub(super) fn attention_key(convoy_id: ConvoyId, cause: &Attention) -> String {
    match (cause.bead_id, cause.rig_id) {
        (Some(bead_id), _) => format!("bead:{bead_id}"),
        (None, Some(rig_id)) => format!("convoy:{convoy_id}:{}:{rig_id}", cause.code),
        (None, None) => format!("convoy:{convoy_id}:{}", cause.code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_part_of_a_branch_name() {
        for (title, expected) in [
            ("Fix: Bug #123!!!", "fix-bug-123"),
            ("  --Ünder_score  ", "nder-score"),
            ("!!!", "convoy"),
            ("", "convoy"),
            ("a b c d e f g h i j k l m n o p q r s t u v", "a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p-q-r-s-t"),
        ] {
            assert_eq!(slug(title), expected, "{title}");
            assert!(slug(title).len() <= SLUG_MAX);
        }
        let id: ConvoyId = "0f9a1b2c-3d4e-4f50-8a61-728394a5b6c7".parse().unwrap();
        assert_eq!(feature_branch("fix-bug-123", id), "convoy/fix-bug-123/0f9a1b2c/head");
        assert!(crate::protocol::is_feature_branch(&feature_branch("x", id)));
    }

    #[test]
    fn landings_wait_ever_longer() {
        let seconds: Vec<u64> = [1, 2, 3, 4, 6, 9, 40].map(|n| ConvoyRig::backoff(n).as_secs()).to_vec();
        assert_eq!(seconds, [60, 120, 240, 480, 1800, 1800, 1800]);
    }
}
