//! What a convoy means inside one rig (domain.md 8, 11): tasks that the Town makes, stages, skips and cancels, gates on
//! work of other rigs, landings, and the reports that the Town counts by. Which tasks belong together is the Town's to
//! know; every message may come twice, and about a bead that is not as the Town believes: then the rig says how it is.

use super::assignment::{self, Pending};
use super::bead::{self, Bead, BeadOutcome, BeadStatus, BeadType, Edge, EdgeState, FailureCode, FailureSource};
use super::plan::{EventRow, Plan, Write};
use super::review::{self, Review, ReviewKind, ReviewState};
use super::state::State;
use super::wait::Wait;
use super::{command, escalation};
use crate::id::{AssignmentId, BeadId, ConvoyId};
use crate::protocol::{
    Cancel, CancelBeads, CreateBeads, LandingProgress, LandingReport, OpenLanding, RigToTown, TaskBead, TaskEdge,
    TaskShown, TaskStatus, TaskWait, is_feature_branch, is_feature_branch_of,
};
use serde_json::json;

/// Makes the tasks that do not exist, lets the others join, and writes their edges.
pub(super) fn create_beads(plan: &mut Plan, order: CreateBeads) {
    let CreateBeads { convoy_id, staged, feature_branch, beads, joins, edges } = order;
    let feature_branch = branch_in_use(plan.state(), convoy_id).or(feature_branch);
    for task in beads {
        let bead_id = task.bead_id;
        if !plan.state().beads.contains_key(&bead_id) {
            make(plan, convoy_id, staged, feature_branch.as_deref(), task);
        }
    }
    for bead_id in joins {
        if waits_for_others(plan.state(), convoy_id, bead_id, &edges) {
            plan.post(RigToTown::TaskGone { convoy_id, bead_id });
        } else {
            join(plan, convoy_id, staged, feature_branch.as_deref(), bead_id);
        }
    }
    for edge in edges {
        write_edge(plan, edge);
    }
}

/// The branch where tasks of the convoy meet that have started here: another one comes too late for all of them, so that
/// no work is left where nobody lands it.
fn branch_in_use(state: &State, convoy_id: ConvoyId) -> Option<String> {
    let is_ours = |bead: &&Bead| bead.convoy_id == Some(convoy_id) && bead.kind == BeadType::Issue && is_started(bead);
    let aims = state.beads.values().filter(is_ours).filter_map(|bead| bead.target.as_deref());
    aims.filter(|branch| is_feature_branch_of(branch, convoy_id)).map(str::to_owned).next()
}

/// A bead that waits for one that the Town did not know of cannot join: nobody would check the whole plan for circles.
fn waits_for_others(state: &State, convoy_id: ConvoyId, bead_id: BeadId, told: &[TaskEdge]) -> bool {
    let is_member = state.beads.get(&bead_id).is_some_and(|bead| bead.convoy_id == Some(convoy_id));
    let is_told = |edge: &Edge| told.iter().any(|t| (t.bead_id, t.blocker_id) == (edge.bead_id, edge.blocker_id));
    let holds = |edge: &&Edge| matches!(edge.state, EdgeState::Pending | EdgeState::Failed);
    let mut own = state.edges.values().filter(|edge| edge.bead_id == bead_id).filter(holds);
    !is_member && own.any(|edge| !is_told(edge))
}

fn make(plan: &mut Plan, convoy_id: ConvoyId, staged: bool, feature_branch: Option<&str>, task: TaskBead) {
    let mut bead = Bead::new(task.bead_id, BeadType::Issue, task.title, task.created_by, task.created_at);
    bead.body = task.body;
    bead.priority = task.priority;
    bead.labels = task.labels;
    bead.metadata = task.metadata;
    bead.model = task.model;
    bead.budget_micros = task.budget_micros;
    bead.convoy_id = Some(convoy_id);
    bead.staged = staged;
    bead.base = feature_branch.map(str::to_owned);
    bead.target = feature_branch.map(str::to_owned);
    let (title, actor) = (bead.title.clone(), bead.created_by.clone());
    plan.write(Write::Bead(Box::new(bead)));
    let event = plan.event("created");
    plan.record(EventRow { bead_id: Some(task.bead_id), actor, new: Some(title), ..event });
}

/// A bead that was never started takes the convoy's base and target, a started one keeps its own.
fn join(plan: &mut Plan, convoy_id: ConvoyId, staged: bool, feature_branch: Option<&str>, bead_id: BeadId) {
    let known = plan.state().beads.get(&bead_id).cloned();
    let may_join = |bead: &Bead| bead.kind == BeadType::Issue && bead.convoy_id.is_none_or(|own| own == convoy_id);
    let Some(bead) = known.filter(may_join) else {
        plan.post(RigToTown::TaskGone { convoy_id, bead_id });
        return;
    };
    plan.forget_told(bead_id);
    let aims_elsewhere = match feature_branch {
        Some(branch) => bead.base.as_deref() != Some(branch),
        None => bead.base.as_deref().is_some_and(is_feature_branch),
    };
    let moves = !is_started(&bead) && aims_elsewhere;
    let stages = bead.status == BeadStatus::Open && bead.staged != staged;
    if !moves && !stages && bead.convoy_id == Some(convoy_id) {
        return;
    }
    if moves || stages {
        drop_queued(plan, bead_id);
    }
    plan.update_bead(bead_id, |bead| {
        bead.convoy_id = Some(convoy_id);
        if stages {
            bead.staged = staged;
        }
        if moves {
            bead.base = feature_branch.map(str::to_owned);
            bead.target = feature_branch.map(str::to_owned);
        }
    });
}

/// Whether somebody has begun to work on the bead, so that its branch has a place where it started.
pub(super) fn is_started(bead: &Bead) -> bool {
    bead.status != BeadStatus::Open || bead.dispatches > 0 || bead.attempt > 1 || bead.head_commit.is_some()
}

/// What is queued for the bead and its children asks the Town for its slot again: it is no work of the convoy any more.
fn ask_anew(plan: &mut Plan, root_id: BeadId) {
    let state = plan.state();
    let serves = |bead_id: &BeadId| state.beads.get(bead_id).is_some_and(|bead| bead.root_id == root_id);
    let queued = state.live_assignments().filter(|live| !live.has_session() && serves(&live.bead_id));
    let queued: Vec<AssignmentId> = queued.map(|live| live.assignment_id).collect();
    for assignment_id in queued {
        plan.update_assignment(assignment_id, |live| live.slot = assignment::Slot::None);
    }
}

/// A session that was not ordered begins anew, with what its bead says by then.
fn drop_queued(plan: &mut Plan, bead_id: BeadId) {
    let queued = plan.state().assignment_of_bead(bead_id).filter(|live| !live.has_session());
    if let Some(assignment_id) = queued.map(|live| live.assignment_id) {
        assignment::stop(plan, assignment_id, Pending::Stopped, "convoy", "its bead's convoy changed");
    }
}

/// What the rig sees of its own beads is newer than what the Town said of them.
fn write_edge(plan: &mut Plan, edge: TaskEdge) {
    let TaskEdge { bead_id, blocker_id, cross, state } = edge;
    let state = match plan.state().beads.get(&blocker_id).map(|blocker| blocker.status) {
        _ if state == EdgeState::Waived => EdgeState::Waived,
        Some(BeadStatus::Closed) => EdgeState::Satisfied,
        Some(BeadStatus::Failed) => EdgeState::Failed,
        Some(BeadStatus::Open | BeadStatus::InProgress | BeadStatus::InReview) => EdgeState::Pending,
        None => state,
    };
    set_edge(plan, Edge { bead_id, blocker_id, cross, state });
}

fn set_edge(plan: &mut Plan, edge: Edge) {
    if plan.state().edges.get(&(edge.bead_id, edge.blocker_id)) != Some(&edge) {
        plan.write(Write::Edge(edge));
    }
}

/// The convoy starts: its tasks may be given out.
pub(super) fn start_beads(plan: &mut Plan, convoy_id: ConvoyId, bead_ids: &[BeadId]) {
    for &bead_id in bead_ids {
        let waits = |bead: &Bead| bead.convoy_id == Some(convoy_id) && bead.staged;
        if plan.state().beads.get(&bead_id).is_some_and(waits) {
            plan.update_bead(bead_id, |bead| bead.staged = false);
        }
    }
}

/// The convoy goes on without a failed task. One that is tried again meanwhile is not skipped: the Town is told.
pub(super) fn skip_bead(plan: &mut Plan, bead_id: BeadId) {
    match plan.state().beads.get(&bead_id).map(|bead| bead.status) {
        Some(BeadStatus::Failed) => plan.update_bead(bead_id, |bead| bead.skipped = true),
        Some(BeadStatus::Open | BeadStatus::InProgress | BeadStatus::InReview | BeadStatus::Closed) => {
            plan.forget_told(bead_id);
            return;
        }
        None => (),
    }
    bead::settle_edges(plan, bead_id, EdgeState::Waived);
    escalation::clear_for_bead(plan, bead_id);
}

/// Failed tasks get another attempt. One that is not failed stays as it is: the Town is told.
pub(super) fn retry_beads(plan: &mut Plan, convoy_id: ConvoyId, bead_ids: &[BeadId], actor: &str) {
    for &bead_id in bead_ids {
        plan.forget_told(bead_id);
        if plan.state().beads.contains_key(&bead_id) {
            // A refusal means that the bead is not failed, which is what the report of it says.
            let _stays = command::retry(plan, bead_id, actor);
        } else {
            plan.post(RigToTown::TaskGone { convoy_id, bead_id });
        }
    }
}

/// The convoy is over for these beads: only their own sessions stop. Nobody forwards news of other rigs to them any more,
/// so that one which a person tries again does not wait for them either.
pub(super) fn cancel_beads(plan: &mut Plan, order: &CancelBeads) {
    for &bead_id in &order.bead_ids {
        let Some(bead) = plan.state().beads.get(&bead_id).cloned() else { continue };
        waive_gates(plan, bead_id);
        match (order.how, bead.kind) {
            (Cancel::Removed, _) => leave(plan, &bead, order.convoy_id),
            (Cancel::Aborted, BeadType::Issue) => {
                let (code, source) = (FailureCode::ConvoyAborted, FailureSource::User);
                bead::fail(plan, bead_id, code, &order.message, source, &order.actor);
            }
            (Cancel::Closed, BeadType::Issue) => {
                bead::close(plan, bead_id, BeadOutcome::ClosedByUser, &order.actor);
            }
            (Cancel::Aborted | Cancel::Closed, BeadType::MergeRequest | BeadType::Molecule) => {
                bead::close(plan, bead_id, BeadOutcome::Cancelled, &order.actor);
            }
        }
    }
}

fn waive_gates(plan: &mut Plan, bead_id: BeadId) {
    let holds = |edge: &&Edge| edge.bead_id == bead_id && edge.cross && edge.state != EdgeState::Waived;
    let gates: Vec<Edge> = plan.state().edges.values().filter(holds).cloned().collect();
    for edge in gates {
        plan.write(Write::Edge(Edge { state: EdgeState::Waived, ..edge }));
    }
}

/// The bead is one of its own again: edges to members go, and unless it was started it aims at the merge target.
fn leave(plan: &mut Plan, bead: &Bead, convoy_id: ConvoyId) {
    if bead.convoy_id != Some(convoy_id) {
        return;
    }
    let bead_id = bead.bead_id;
    let is_member = |id: BeadId| plan.state().beads.get(&id).is_some_and(|other| other.convoy_id == Some(convoy_id));
    let ties: Vec<Edge> = plan
        .state()
        .edges
        .values()
        .filter(|edge| edge.state != EdgeState::Waived)
        .filter(|edge| {
            (edge.bead_id == bead_id && is_member(edge.blocker_id))
                || (edge.blocker_id == bead_id && is_member(edge.bead_id))
        })
        .cloned()
        .collect();
    for edge in ties {
        plan.write(Write::Edge(Edge { state: EdgeState::Waived, ..edge }));
    }
    let is_started = is_started(bead);
    if !is_started {
        drop_queued(plan, bead_id);
    }
    ask_anew(plan, bead_id);
    plan.forget_told(bead_id);
    plan.update_bead(bead_id, |bead| {
        bead.convoy_id = None;
        bead.staged = false;
        bead.skipped = false;
        if !is_started {
            bead.base = None;
            bead.target = None;
        }
    });
}

/// A gate on a task's edge, within the rig or across. An edge to a bead of this rig is the rig's own to judge, unless
/// nobody shall wait any more.
pub(super) fn gate(plan: &mut Plan, bead_id: BeadId, blocker_id: BeadId, state: EdgeState) {
    let cross = match plan.state().edges.get(&(bead_id, blocker_id)) {
        Some(known) if !known.cross && state != EdgeState::Waived => return,
        Some(known) => known.cross,
        None => true,
    };
    set_edge(plan, Edge { bead_id, blocker_id, cross, state });
}

/// A review of the whole feature branch, unless it exists.
pub(super) fn open_landing(plan: &mut Plan, order: &OpenLanding) {
    if !plan.state().beads.contains_key(&order.bead_id) {
        make_landing(plan, order);
    }
}

/// A task or a landing was deleted: the Town counts without it, or tries again.
pub(super) fn deleted(plan: &mut Plan, bead: &Bead) {
    let (Some(convoy_id), bead_id) = (bead.convoy_id, bead.bead_id) else { return };
    let is_landing = plan.state().reviews.get(&bead_id).is_some_and(|review| review.kind == ReviewKind::Landing);
    match bead.kind {
        BeadType::Issue => plan.post(RigToTown::TaskGone { convoy_id, bead_id }),
        BeadType::MergeRequest if is_landing => {
            let (progress, reason) = (LandingProgress::Rejected, Some("its review was deleted".to_owned()));
            plan.post(RigToTown::LandingState(LandingReport { convoy_id, bead_id, progress, commit: None, reason }));
        }
        BeadType::MergeRequest | BeadType::Molecule => (),
    }
}

/// How a task is; none for beads of no convoy.
pub(super) fn task_status(state: &State, bead: &Bead, wait: Option<&Wait>) -> Option<TaskStatus> {
    let convoy_id = bead.convoy_id.filter(|_| bead.kind == BeadType::Issue)?;
    let merged = bead.outcome == Some(BeadOutcome::Merged);
    let live = state.assignment_of_bead(bead.bead_id);
    let agent = live.and_then(|live| state.agents.get(&live.agent_id));
    Some(TaskStatus {
        convoy_id,
        bead_id: bead.bead_id,
        attempt: bead.attempt,
        status: bead.status,
        merged_into: bead.target.clone().filter(|_| merged),
        failure: bead.failure.as_ref().map(|failure| failure.message.clone()),
        shown: TaskShown {
            title: bead.title.clone(),
            priority: bead.priority,
            held: bead.has_label(bead::HELD),
            is_started: is_started(bead),
            assignee_name: agent.map(|agent| agent.name.clone()),
            model: live.and_then(|live| live.model.as_ref()).map(ToString::to_string),
            review_state: state.review_of_source(bead.bead_id).map(|review| review.state.to_string()),
            pr_url: bead.metadata.get("pr_url").and_then(|url| url.as_str()).map(str::to_owned),
            wait: wait.filter(|_| bead.is_live()).map(task_wait),
            tokens_in: bead.tokens_in,
            tokens_out: bead.tokens_out,
            cost_micros: bead.cost_micros,
        },
    })
}

fn task_wait(wait: &Wait) -> TaskWait {
    TaskWait {
        code: wait.code.to_string(),
        message: wait.message.clone(),
        since: wait.since,
        until: wait.until,
        scope: wait.scope.to_string(),
        bead_id: wait.other_bead.unwrap_or(wait.bead_id),
        agent_id: wait.agent_id,
    }
}

/// How each landing in view is.
pub(super) fn landings(state: &State) -> Vec<LandingReport> {
    let landings = state.reviews.values().filter(|review| review.kind == ReviewKind::Landing);
    landings
        .filter_map(|review| {
            let progress = match review.state {
                ReviewState::Merged => LandingProgress::Merged,
                ReviewState::Rejected => LandingProgress::Rejected,
                ReviewState::Queued
                | ReviewState::Reviewing
                | ReviewState::ChangesRequested
                | ReviewState::Reworking
                | ReviewState::Approved
                | ReviewState::Merging
                | ReviewState::PrOpen => LandingProgress::Open,
            };
            let failure = state.beads.get(&review.bead_id).and_then(|bead| bead.failure.as_ref());
            let words = || "its review was closed".to_owned();
            let reason = failure.map_or_else(words, |failure| failure.message.clone());
            Some(LandingReport {
                convoy_id: review.convoy_id?,
                bead_id: review.bead_id,
                progress,
                commit: review.merge_commit.clone(),
                reason: (progress == LandingProgress::Rejected).then_some(reason),
            })
        })
        .collect()
}

/// Makes the review of a convoy's feature branch (domain.md 8): no source, always reviewed, its head found by the first
/// job.
fn make_landing(plan: &mut Plan, order: &OpenLanding) {
    let now = plan.now();
    let title = format!("Land {}", order.title);
    let mut request = Bead::new(order.bead_id, BeadType::MergeRequest, title, "system".to_owned(), now);
    request.labels.insert(bead::MERGE_REQUEST.to_owned());
    request.convoy_id = Some(order.convoy_id);
    request.branch = Some(order.branch.clone());
    request.target = Some(order.target.clone());
    plan.write(Write::Bead(Box::new(request)));
    plan.write(Write::Review(Box::new(Review {
        bead_id: order.bead_id,
        kind: ReviewKind::Landing,
        source_id: None,
        convoy_id: Some(order.convoy_id),
        branch: order.branch.clone(),
        target: order.target.clone(),
        strategy: review::strategy(plan, &order.target),
        state: ReviewState::Queued,
        sub: None,
        forge_due: None,
        empty_commit: None,
        dismissed_at: None,
        head_commit: None,
        reviewed_commit: None,
        verdict: None,
        verdict_by: None,
        round: 0,
        feedback_round: 0,
        child_id: None,
        is_merge_ordered: false,
        merge_tries: 0,
        merge_commit: None,
        author_agent: None,
        summary: None,
        queued_at: now,
        not_before: None,
        ended_at: None,
    })));
    let event = plan.event("review_submitted");
    let data = json!({ "convoy_id": order.convoy_id, "attempt": order.attempt });
    plan.record(EventRow { bead_id: Some(order.bead_id), data, ..event });
}
