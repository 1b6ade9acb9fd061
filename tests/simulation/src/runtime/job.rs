//! Jobs: gates and merges over the model of git. A job is known by its id and runs once in the life of a process.

use gastown_core::id::{InstanceId, JobId};
use gastown_core::rig::event::JobFact;
use gastown_core::session::{GateResult, GateStatus, GatesStatus, JobKind, MergeStatus};
use gastown_core::wire::control::JobOrder;

use super::Said;
use crate::faults::Fault;
use crate::git::MAIN;
use crate::happening::{Happening, RigNo};
use crate::world::World;

/// One job of the process.
pub(super) struct Job {
    pub(super) order: JobOrder,
    pub(super) rig: RigNo,
    stage: JobStage,
}

enum JobStage {
    Running,
    /// The push is out; only the report is missing.
    Pushed(JobFact),
    Ended,
}

impl Job {
    pub(super) fn is_live(&self) -> bool {
        !matches!(self.stage, JobStage::Ended)
    }

    pub(super) fn is_pushing(&self) -> bool {
        matches!(self.stage, JobStage::Pushed(_))
    }
}

impl World {
    /// A job is ordered; false when it cannot be taken now.
    pub(crate) fn runtime_runs(&mut self, order: JobOrder) -> bool {
        let job_id = order.job_id;
        if self.runtime.jobs.contains_key(&job_id) {
            return true;
        }
        if self.runtime.is_draining {
            return false;
        }
        let Some(rig) = self.rigs.iter().position(|rig| rig.rig_id == order.rig_id) else { return true };
        self.runtime.jobs.insert(job_id, Job { order, rig, stage: JobStage::Running });
        let instance_id = self.runtime.instance_id;
        let span = self.runtime_chance.span(500, 150_000);
        self.queue.add(self.now + span, Happening::JobMoves { instance_id, job_id });
        true
    }

    /// Nobody wants a job any more: it is dropped, unless its push is out.
    pub(crate) fn runtime_cancels(&mut self, job_id: JobId) {
        if self.runtime.jobs.get(&job_id).is_some_and(|job| job.is_live() && !job.is_pushing()) {
            self.note(|| format!("job {job_id} is cancelled"));
            self.runtime.jobs.remove(&job_id);
        }
    }

    pub(crate) fn job_moves(&mut self, instance_id: InstanceId, job_id: JobId) {
        if self.runtime.instance_id != instance_id || !self.runtime.is_up {
            return;
        }
        let Some(job) = self.runtime.jobs.get_mut(&job_id) else { return };
        let (rig, order) = (job.rig, job.order.clone());
        let fact = match std::mem::replace(&mut job.stage, JobStage::Ended) {
            JobStage::Ended => return,
            JobStage::Pushed(fact) => fact,
            JobStage::Running if order.kind == JobKind::Gates => self.run_gates(rig, &order),
            JobStage::Running => {
                let fact = self.run_merge(rig, &order);
                if let Some(job) = self.runtime.jobs.get_mut(&job_id) {
                    job.stage = JobStage::Pushed(fact);
                }
                let span = self.runtime_chance.span(1, 3_000);
                return self.queue.add(self.now + span, Happening::JobMoves { instance_id, job_id });
            }
        };
        self.note(|| format!("job {job_id} of rig {rig} ends: {}", outcome(&fact)));
        self.reports(Some(rig), Said::Job(job_id, fact));
    }

    fn run_gates(&mut self, rig: RigNo, order: &JobOrder) -> JobFact {
        let remote = &self.remotes[rig];
        let commit = order.commit.clone().or_else(|| remote.head(order.branch.as_deref()?).cloned());
        let known = commit.filter(|commit| remote.has(commit));
        let Some(commit) = known else {
            return gates(order.commit.clone(), GatesStatus::NoCommit, Vec::new(), "The remote has no such commit.");
        };
        if self.runtime_chance.happens(self.faults.chance(Fault::Gates, 0.03)) {
            return gates(Some(commit), GatesStatus::Error, Vec::new(), "git: fetch failed");
        }
        if let Some(target) = &order.onto {
            return self.run_trial(rig, order, commit, target);
        }
        let is_green = order.gates.is_empty() || self.remotes[rig].is_green(&commit);
        let status = if is_green { GatesStatus::Green } else { GatesStatus::Red };
        gates(Some(commit), status, results(order, is_green), "")
    }

    /// Gates on the merge of a commit into the tip of a branch, which stays where it is.
    fn run_trial(&mut self, rig: RigNo, order: &JobOrder, commit: String, target: &str) -> JobFact {
        let Some(tip) = self.remotes[rig].head(target).cloned() else {
            return gates(Some(commit), GatesStatus::Error, Vec::new(), "The target is gone.");
        };
        let mut status = GatesStatus::Green;
        if self.runtime_chance.happens(self.faults.chance(Fault::Merge, 0.2)) {
            let statuses = [GatesStatus::Conflict, GatesStatus::Red, GatesStatus::TargetRed, GatesStatus::Error];
            status = self.runtime_chance.pick(&statuses).copied().unwrap_or(GatesStatus::Error);
            if status == GatesStatus::Conflict && self.remotes[rig].contains(&commit, &tip) {
                status = GatesStatus::Green;
            }
        }
        let results = results(order, !matches!(status, GatesStatus::Red | GatesStatus::TargetRed));
        JobFact::Gates { commit: Some(commit), onto: Some(tip), status, results, message: String::new() }
    }

    /// Merges as container.md 7.6 says: what is there is there, and a push that went out is found again.
    fn run_merge(&mut self, rig: RigNo, order: &JobOrder) -> JobFact {
        let (Some(commit), Some(target)) = (&order.commit, &order.target) else {
            return merge(MergeStatus::Error, None, "the order is not complete");
        };
        if !self.remotes[rig].has(commit) {
            return merge(MergeStatus::NoCommit, None, "the commit is gone");
        }
        if self.remotes[rig].head(target).is_none() {
            return merge(MergeStatus::Error, None, "the target is gone");
        }
        let is_there = self.remotes[rig].branch_contains(target, commit);
        if !is_there && self.runtime_chance.happens(self.faults.chance(Fault::Merge, 0.3)) {
            let statuses = [
                MergeStatus::Conflict,
                MergeStatus::Conflict,
                MergeStatus::GatesRed,
                MergeStatus::TargetRed,
                MergeStatus::TargetMoved,
                MergeStatus::TargetMoved,
                MergeStatus::PushRefused,
                MergeStatus::Error,
                MergeStatus::Error,
            ];
            let status = self.runtime_chance.pick(&statuses).copied().unwrap_or(MergeStatus::Error);
            // A branch that has the target in it cannot conflict with it.
            let has_target =
                self.remotes[rig].head(target).is_some_and(|head| self.remotes[rig].contains(commit, head));
            if status == MergeStatus::TargetMoved {
                self.remotes[rig].moves(MAIN);
            }
            if status != MergeStatus::Conflict || !has_target {
                let results = results(order, status != MergeStatus::GatesRed);
                return fact(status, None, results, "as the run decided");
            }
        }
        let merge_commit = self.remotes[rig].merge(commit, target);
        self.note(|| format!("rig {rig}: {} is pushed to {target}", order.branch.clone().unwrap_or_default()));
        merge(MergeStatus::Merged, merge_commit, "")
    }
}

fn results(order: &JobOrder, is_green: bool) -> Vec<GateResult> {
    let status = if is_green { GateStatus::Passed } else { GateStatus::Failed };
    let gate = |command: &String| GateResult {
        command: command.clone(),
        status,
        exit_code: Some(i32::from(!is_green)),
        duration_ms: 1_000,
        output_tail: "output".to_owned(),
    };
    order.gates.iter().map(gate).collect()
}

fn gates(commit: Option<String>, status: GatesStatus, results: Vec<GateResult>, message: &str) -> JobFact {
    JobFact::Gates { commit, onto: None, status, results, message: message.to_owned() }
}

fn merge(status: MergeStatus, merge_commit: Option<String>, message: &str) -> JobFact {
    fact(status, merge_commit, Vec::new(), message)
}

fn fact(status: MergeStatus, merge_commit: Option<String>, results: Vec<GateResult>, message: &str) -> JobFact {
    let files = if status == MergeStatus::Conflict { vec!["src/lib.rs".to_owned()] } else { Vec::new() };
    JobFact::Merge { status, merge_commit, files, results, message: message.to_owned() }
}

fn outcome(fact: &JobFact) -> String {
    match fact {
        JobFact::Beat => "goes on".to_owned(),
        JobFact::Gates { status, commit, .. } => format!("gates {status} at {}", commit.clone().unwrap_or_default()),
        JobFact::Merge { status, .. } => format!("merge {status}"),
    }
}
