//! What rigs report about tasks and landings. A report about a bead that is no task, or about an earlier attempt or
//! landing, is late and changes nothing.

use super::command::forget_task;
use super::{ConvoyRig, ConvoyState, LandingState, TaskState, set_task};
use crate::id::{BeadId, ConvoyId, RigId};
use crate::protocol::{LandingProgress, LandingReport, TaskStatus, is_feature_branch_of};
use crate::town::plan::{Plan, Write};

/// A task is so.
pub(in crate::town) fn task_reported(plan: &mut Plan, rig_id: RigId, status: TaskStatus) {
    let Some(task) = plan.state().tasks.get(&status.bead_id) else { return };
    let Some(convoy) = plan.state().convoys.get(&task.convoy_id) else { return };
    let is_ours = task.convoy_id == status.convoy_id && task.rig_id == rig_id;
    if !is_ours || !convoy.state.is_live() || status.attempt < task.attempt {
        return;
    }
    keep_branch(plan, rig_id, &status);
    let Some(task) = plan.state().tasks.get(&status.bead_id) else { return };
    let Some(convoy) = plan.state().convoys.get(&task.convoy_id) else { return };
    // A person may try a skipped task again: it counts anew, unless its convoy is landing without it.
    let stays_skipped =
        task.state == TaskState::Skipped && (status.attempt == task.attempt || convoy.state == ConvoyState::Landing);
    set_task(plan, status.bead_id, |task| {
        task.is_reported = true;
        if !stays_skipped {
            task.state = TaskState::of(status.status);
            task.attempt = status.attempt;
        }
        task.status = status.status;
        task.merged_into = status.merged_into;
        task.failure = status.failure;
        task.shown = status.shown;
    });
}

/// A task that had started before its rig heard of another branch merged where it began: that is what lands.
fn keep_branch(plan: &mut Plan, rig_id: RigId, status: &TaskStatus) {
    let Some(part) = plan.state().convoy_rigs.get(&(status.convoy_id, rig_id)).cloned() else { return };
    let merged = status.merged_into.as_deref().filter(|branch| is_feature_branch_of(branch, status.convoy_id));
    let moved = merged.filter(|branch| part.feature_branch.as_deref() != Some(branch));
    if let Some(branch) = moved.filter(|_| part.landing == LandingState::None) {
        plan.write(Write::ConvoyRig(ConvoyRig { feature_branch: Some(branch.to_owned()), ..part }));
    }
}

/// A bead is no task any more.
pub(in crate::town) fn task_gone(plan: &mut Plan, rig_id: RigId, convoy_id: ConvoyId, bead_id: BeadId) {
    let known = plan.state().tasks.get(&bead_id).is_some_and(|t| t.rig_id == rig_id && t.convoy_id == convoy_id);
    let is_live = plan.state().convoys.get(&convoy_id).is_some_and(|convoy| convoy.state.is_live());
    if known && is_live {
        forget_task(plan, bead_id);
    }
}

/// A landing is so.
pub(in crate::town) fn landing_reported(plan: &mut Plan, rig_id: RigId, report: LandingReport) {
    let Some(part) = plan.state().convoy_rigs.get(&(report.convoy_id, rig_id)).cloned() else { return };
    if part.landing != LandingState::Open || part.landing_bead != Some(report.bead_id) {
        return;
    }
    let now = plan.now();
    let part = match report.progress {
        LandingProgress::Open => return,
        LandingProgress::Merged => ConvoyRig {
            landing: LandingState::Landed,
            next_at: None,
            last_error: None,
            landed_commit: report.commit,
            landed_at: Some(now),
            ..part
        },
        LandingProgress::Rejected => ConvoyRig {
            landing: LandingState::None,
            next_at: Some(now + ConvoyRig::backoff(part.attempts)),
            last_error: report.reason.or(Some("the landing was rejected".to_owned())),
            ..part
        },
    };
    plan.write(Write::ConvoyRig(part));
    plan.touch_convoy(report.convoy_id);
}

/// The rig is gone, and its tasks with it: who waits for them needs a decision.
pub(in crate::town) fn rig_removed(plan: &mut Plan, rig_id: RigId) {
    let open = |task: &&super::Task| task.rig_id == rig_id && !task.state.is_settled();
    let lost: Vec<BeadId> = plan.state().tasks.values().filter(open).map(|task| task.bead_id).collect();
    for bead_id in lost {
        set_task(plan, bead_id, |task| {
            task.state = TaskState::Failed;
            task.status = crate::protocol::BeadStatus::Failed;
            task.failure = Some("its rig was deleted".to_owned());
        });
    }
    let parts = plan.state().convoy_rigs.values().filter(|part| part.rig_id == rig_id && part.has_to_land());
    for part in parts.cloned().collect::<Vec<_>>() {
        let last_error = Some("its rig was deleted".to_owned());
        plan.write(Write::ConvoyRig(ConvoyRig { landing: LandingState::None, next_at: None, last_error, ..part }));
    }
}
