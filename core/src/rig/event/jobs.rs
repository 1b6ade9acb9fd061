//! Facts about jobs of the runtime: gates and merges (domain.md 7.4).

use serde_json::{Value, json};

use super::{JobFact, Receipt};
use crate::id::{BeadId, JobId};
use crate::limits::{LEASE, MERGE_MOVED_RETRY, MERGE_TRIES, backoff};
use crate::rig::bead::{self, REVIEW_CHOICES};
use crate::rig::plan::{EventRow, Plan, Write};
use crate::rig::review::{self, Finding, GateRunResult, Job, JobPhase, ReviewState, Verdict};
use crate::rig::rules;
pub(super) use crate::session::JobAnswer;
use crate::session::{GateResult, GateStatus, GatesStatus, MergeStatus};

pub(super) fn job_reported(plan: &mut Plan, job_id: JobId, fact: JobFact) -> Receipt {
    let Some(job) = plan.state().jobs.get(&job_id).filter(|job| job.ended_at.is_none()).cloned() else {
        return Receipt::Duplicate;
    };
    match fact {
        JobFact::Beat => {
            let lease = plan.now() + LEASE;
            plan.update_job(job_id, |job| {
                job.phase = JobPhase::Accepted;
                job.lease_until = Some(lease);
            });
        }
        JobFact::Gates { commit, onto, status, results, message } => {
            end_job(plan, job_id, json!({ "status": status, "message": message }));
            if job.spec.target.is_some() {
                trial_ended(plan, &job, onto, status, results, message);
            } else {
                gates_ended(plan, &job, commit, status, results, &message);
            }
        }
        JobFact::Merge { status, merge_commit, files, results, message } => {
            end_job(plan, job_id, json!({ "status": status, "merge_commit": merge_commit, "message": message }));
            merge_ended(plan, &job, MergeEnd { status, merge_commit, files, results, message });
        }
    }
    Receipt::Applied
}

pub(super) fn job_answered(plan: &mut Plan, job_id: JobId, answer: JobAnswer) -> Receipt {
    let Some(job) = plan.state().jobs.get(&job_id).filter(|job| job.ended_at.is_none()).cloned() else {
        return Receipt::Duplicate;
    };
    match answer {
        JobAnswer::Accepted => job_reported(plan, job_id, JobFact::Beat),
        JobAnswer::Invalid(message) => {
            end_job(plan, job_id, json!({ "status": "error", "message": message }));
            give_up_job(plan, &job, &message);
            Receipt::Applied
        }
    }
}

/// A job that cannot run: the review is in front of a person, with the reason.
pub(crate) fn give_up_job(plan: &mut Plan, job: &Job, message: &str) {
    let Some(review_id) = job.review_id else { return };
    match job.spec.run_id {
        Some(_) if job.spec.target.is_some() => {
            fill_run(plan, job, None, None, GatesStatus::Error, Vec::new());
            review::move_to(plan, review_id, ReviewState::Approved);
            bead::park(plan, review_id, "gates_error", message, REVIEW_CHOICES);
        }
        Some(_) => gates_ended(plan, job, None, GatesStatus::Error, Vec::new(), message),
        None => {
            review::move_to(plan, review_id, ReviewState::Approved);
            bead::park(plan, review_id, "merge_error", message, REVIEW_CHOICES);
        }
    }
}

/// Ends a job row with its result.
pub(crate) fn end_job(plan: &mut Plan, job_id: JobId, result: Value) {
    let now = plan.now();
    plan.update_job(job_id, |job| {
        job.phase = JobPhase::Ended;
        job.result = Some(result);
        job.lease_until = None;
        job.ended_at = Some(now);
    });
}

fn gates_ended(
    plan: &mut Plan,
    job: &Job,
    commit: Option<String>,
    status: GatesStatus,
    results: Vec<GateResult>,
    message: &str,
) {
    let Some(review_id) = job.review_id else { return };
    fill_run(plan, job, commit.clone(), None, status, results);
    if let Some(head) = commit {
        plan.update_review(review_id, |review| review.head_commit = review.head_commit.take().or(Some(head)));
    }
    let event = plan.event("gates_completed");
    plan.record(EventRow { bead_id: Some(review_id), new: Some(status.to_string()), ..event });
    match status {
        GatesStatus::Green | GatesStatus::Red => (),
        GatesStatus::NoCommit => review::branch_is_gone(plan, review_id),
        GatesStatus::TargetRed | GatesStatus::Error | GatesStatus::Conflict => {
            let message = if message.is_empty() { "the gates could not run" } else { message };
            bead::park(plan, review_id, "gates_error", message, REVIEW_CHOICES);
        }
    }
}

/// Writes what became of a job's gate run.
fn fill_run(
    plan: &mut Plan,
    job: &Job,
    commit: Option<String>,
    onto: Option<String>,
    status: GatesStatus,
    results: Vec<GateResult>,
) {
    let now = plan.now();
    let Some(mut run) = job.spec.run_id.and_then(|id| plan.state().gate_runs.get(&id)).cloned() else { return };
    run.commit_id = commit.or(run.commit_id);
    run.onto = onto.or(run.onto);
    run.gates = results;
    run.ended_at = Some(now);
    run.result = match status {
        GatesStatus::Green => GateRunResult::Green,
        GatesStatus::Red => GateRunResult::Red,
        GatesStatus::TargetRed | GatesStatus::Error | GatesStatus::NoCommit | GatesStatus::Conflict => {
            GateRunResult::Error
        }
    };
    plan.write(Write::GateRun(run));
}

/// The gates ran on the trial merge of a pull request. Green: the forge is asked to merge (R21). Everything else means
/// what it means of a direct merge.
fn trial_ended(
    plan: &mut Plan,
    job: &Job,
    onto: Option<String>,
    status: GatesStatus,
    results: Vec<GateResult>,
    message: String,
) {
    fill_run(plan, job, None, onto, status, results.clone());
    let Some(review_id) = job.review_id else { return };
    let status = match status {
        GatesStatus::Green => {
            let now = plan.now();
            return plan.update_review(review_id, |review| review.forge_due = Some(now));
        }
        GatesStatus::Red => MergeStatus::GatesRed,
        GatesStatus::TargetRed => MergeStatus::TargetRed,
        GatesStatus::Error => MergeStatus::Error,
        GatesStatus::NoCommit => MergeStatus::NoCommit,
        GatesStatus::Conflict => MergeStatus::Conflict,
    };
    merge_ended(plan, job, MergeEnd { status, merge_commit: None, files: Vec::new(), results, message });
}

struct MergeEnd {
    status: MergeStatus,
    merge_commit: Option<String>,
    files: Vec<String>,
    results: Vec<GateResult>,
    message: String,
}

/// What a merge job's answer means (domain.md 7.4).
fn merge_ended(plan: &mut Plan, job: &Job, end: MergeEnd) {
    let Some(review_id) = job.review_id.filter(|id| plan.state().reviews.contains_key(id)) else { return };
    match end.status {
        MergeStatus::Merged => review::merged(plan, review_id, end.merge_commit),
        MergeStatus::Conflict => conflicted(plan, review_id, &end.files),
        MergeStatus::GatesRed => {
            let commit = job.spec.commit.clone().unwrap_or_default();
            let findings = red_gates(&end.results);
            let summary = "The gates are red on the merge with the target.".to_owned();
            let round = review::Judgement {
                commit,
                verdict: Verdict::RequestChanges,
                by: "gates".to_owned(),
                summary,
                findings,
            };
            review::add_round(plan, review_id, round, None);
            review::move_to(plan, review_id, ReviewState::ChangesRequested);
        }
        MergeStatus::TargetRed => {
            review::move_to(plan, review_id, ReviewState::Approved);
            let message = "The gates are red on the target branch itself, without this work.";
            bead::park(plan, review_id, "target_red", message, REVIEW_CHOICES);
        }
        MergeStatus::TargetMoved => try_merge_later(plan, review_id, "target_moving", &end.message, true),
        MergeStatus::PushRefused => {
            review::move_to(plan, review_id, ReviewState::Approved);
            let message = format!("The remote refused the push: {}. Merge strategy pr may be needed.", end.message);
            bead::park(plan, review_id, "push_refused", &message, REVIEW_CHOICES);
        }
        MergeStatus::NoCommit => review::branch_is_gone(plan, review_id),
        MergeStatus::Error => try_merge_later(plan, review_id, "merge_error", &end.message, false),
    }
}

fn try_merge_later(plan: &mut Plan, review_id: BeadId, code: &str, message: &str, moved: bool) {
    let now = plan.now();
    plan.update_review(review_id, |review| {
        review.merge_tries += 1;
        let pause = if moved { MERGE_MOVED_RETRY } else { backoff(review.merge_tries) };
        review.not_before = Some(now + pause);
    });
    review::move_to(plan, review_id, ReviewState::Approved);
    if plan.state().reviews.get(&review_id).is_some_and(|review| review.merge_tries >= MERGE_TRIES) {
        let message = if message.is_empty() { "the target branch moves faster than it can be merged" } else { message };
        bead::park(plan, review_id, code, message, REVIEW_CHOICES);
    }
}

fn conflicted(plan: &mut Plan, review_id: BeadId, files: &[String]) {
    let Some(settings) = plan.state().rig.settings.as_ref() else { return };
    let resolves = settings.config.auto_resolve_merge_conflicts;
    let Some(review) = plan.state().reviews.get(&review_id).cloned() else { return };
    review::move_to(plan, review_id, ReviewState::Approved);
    if resolves {
        rules::child::answer_conflict(plan, &review, files);
    } else {
        let message = format!("The branch conflicts with {} in: {}", review.target, files.join(", "));
        bead::park(plan, review_id, "merge_conflict", &message, REVIEW_CHOICES);
    }
}

/// Red gates as findings: the command and the end of its output.
pub(crate) fn red_gates(results: &[GateResult]) -> Vec<Finding> {
    results
        .iter()
        .filter(|gate| gate.status != GateStatus::Passed)
        .map(|gate| Finding {
            file: None,
            line: None,
            severity: "must".to_owned(),
            message: format!("gate `{}` {}:\n{}", gate.command, gate.status, gate.output_tail),
        })
        .collect()
}
