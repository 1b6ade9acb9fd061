//! Jobs of the runtime without an agent: gates and merges, and the gate runs that they fill in (domain.md 7.4).

use serde_json::Value;

use super::plan::{Effect, Plan, Write};
use crate::id::{BeadId, JobId, RunId};
use crate::session::{GateResult, JobKind};
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// State of a gate run.
    pub enum GateRunResult {
        Running = "running",
        Green = "green",
        Red = "red",
        Error = "error",
    }
}

/// Every change of a gate run, and what causes it. A report about a run that has ended changes nothing.
pub const GATE_RUN_TRANSITIONS: &[(GateRunResult, &str, GateRunResult)] = &[
    (GateRunResult::Running, "every gate exits 0, or there is none", GateRunResult::Green),
    (GateRunResult::Running, "a gate does not", GateRunResult::Red),
    (GateRunResult::Running, "it could not run, was not heard of, or nobody wants it", GateRunResult::Error),
];

/// One run of the rig's gates at one commit (domain.md 2.4).
#[derive(Debug, Clone, PartialEq)]
pub struct GateRun {
    /// Identity.
    pub run_id: RunId,
    /// For which review.
    pub review_id: BeadId,
    /// At which commit; absent until a job has found the head.
    pub commit_id: Option<String>,
    /// Trial merge: the target's commit that was merged into; its branch until the job has said.
    pub onto: Option<String>,
    /// Result.
    pub result: GateRunResult,
    /// One per gate.
    pub gates: Vec<GateResult>,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

text_enum! {
    /// Where a job is.
    pub enum JobPhase {
        Ordered = "ordered",
        Accepted = "accepted",
        Ended = "ended",
    }
}

/// Every change of a job, and what causes it.
pub const TRANSITIONS: &[(JobPhase, &str, JobPhase)] = &[
    (JobPhase::Ordered, "the runtime has it", JobPhase::Accepted),
    (JobPhase::Ordered, "silence: ordered again (R6)", JobPhase::Ordered),
    (JobPhase::Ordered, "its result, refused, or nobody wants it", JobPhase::Ended),
    (JobPhase::Accepted, "heard of", JobPhase::Accepted),
    (JobPhase::Accepted, "its result, or nobody wants it", JobPhase::Ended),
    (JobPhase::Ended, "late report: nothing", JobPhase::Ended),
];

/// Work of the runtime without an agent (domain.md 2.4).
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Identity; repeats are recognised by it.
    pub job_id: JobId,
    /// Gates or merge.
    pub kind: JobKind,
    /// For which review.
    pub review_id: Option<BeadId>,
    /// What exactly.
    pub spec: JobSpec,
    /// Where it is.
    pub phase: JobPhase,
    /// How often it was ordered.
    pub orders: u32,
    /// Believed alive until then without news.
    pub lease_until: Option<Timestamp>,
    /// The report that ended it.
    pub result: Option<Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What a job is to do; kept as JSON, so that a repeated order says the same.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct JobSpec {
    /// Exact commit; absent: the newest of `branch`.
    pub commit: Option<String>,
    /// Branch of the work.
    pub branch: String,
    /// Branch to reach; of a gates job the branch that a trial merge goes into.
    pub target: Option<String>,
    /// Gates: the run that waits for it.
    pub run_id: Option<RunId>,
    /// Commands, in order.
    pub gates: Vec<String>,
    /// Limit per command.
    pub timeout_minutes: u32,
    /// First line of the merge commit.
    pub title: String,
    /// The work's bead.
    pub bead_id: BeadId,
}

/// Ends the live jobs of a review that nobody waits for any more, and tells the runtime; a push that is under way is
/// finished there, and found again by the next fetch.
pub fn cancel_all(plan: &mut Plan, review_id: BeadId) {
    let now = plan.now();
    let live: Vec<Job> = plan.state().live_jobs(review_id).cloned().collect();
    for job in live {
        plan.update_job(job.job_id, |job| {
            job.phase = JobPhase::Ended;
            job.lease_until = None;
            job.ended_at = Some(now);
        });
        if let Some(mut run) = job.spec.run_id.and_then(|id| plan.state().gate_runs.get(&id)).cloned() {
            run.result = GateRunResult::Error;
            run.ended_at = Some(now);
            plan.write(Write::GateRun(run));
        }
        plan.effect(Effect::CancelJob(job.job_id));
    }
}
