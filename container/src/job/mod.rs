//! Jobs: gates and merges that the runtime does by itself (container.md 7.5, 7.6). A job is known by its id, runs once,
//! reports its steps and ends with one fact. It can be cancelled until its push begins, never after.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gastown_core::time::Timestamp;
use gastown_core::wire::control::{JobKind, JobOrder, JobView};
use gastown_core::wire::report::{FactBody, GatesStatus, JobBeat, MergeReport, MergeStatus};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::clock;
use crate::fleet::env;
use crate::git::gates::{Gates, are_green, red_commands};
use crate::git::merge::{self, Merge, Trial};
use crate::git::store::{RigStore, StoreError};
use crate::town::Town;

/// One job.
pub struct Job {
    /// What was ordered; the values of its environment stay here.
    pub order: JobOrder,
    status: Mutex<Status>,
}

struct Status {
    phase: Phase,
    step: String,
    since: Timestamp,
    result: Option<Value>,
    task: Option<JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Queued,
    Running,
    Pushing,
    Ended,
}

impl Job {
    /// A job that has not begun.
    pub fn new(order: JobOrder) -> Arc<Self> {
        let status =
            Status { phase: Phase::Queued, step: "queued".to_owned(), since: clock::now(), result: None, task: None };
        Arc::new(Self { order, status: Mutex::new(status) })
    }

    /// Runs the job beside the caller.
    pub fn start(self: &Arc<Self>, town: Arc<Town>) {
        let job = self.clone();
        let task = tokio::spawn(async move { job.run(town).await });
        self.status().task = Some(task);
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is over.
    pub fn is_ended(&self) -> bool {
        self.status().phase == Phase::Ended
    }

    /// Ends the job unless its push has begun; whether it ended.
    pub fn cancel(&self, town: &Town) -> bool {
        let mut status = self.status();
        if !matches!(status.phase, Phase::Queued | Phase::Running) {
            return false;
        }
        if let Some(task) = status.task.take() {
            task.abort();
        }
        status.end("cancelled", None);
        drop(status);
        self.remove_folder(town);
        true
    }

    /// As the control API shows it.
    pub fn view(&self) -> JobView {
        let status = self.status();
        let phase = match status.phase {
            Phase::Queued => "queued",
            Phase::Running | Phase::Pushing => "running",
            Phase::Ended => "ended",
        };
        JobView {
            job_id: self.order.job_id,
            kind: self.order.kind,
            rig_id: self.order.rig_id,
            phase: phase.to_owned(),
            step: status.step.clone(),
            result: status.result.clone(),
            since: status.since,
        }
    }

    /// As a heartbeat shows it.
    pub fn beat(&self) -> JobBeat {
        let (job_id, rig_id, kind) = (self.order.job_id, self.order.rig_id, self.order.kind);
        JobBeat { job_id, rig_id, kind, step: self.status().step.clone() }
    }

    async fn run(&self, town: Arc<Town>) {
        let Ok(_place) = town.runtime.job_slots.clone().acquire_owned().await else { return };
        {
            let mut status = self.status();
            status.phase = Phase::Running;
            status.since = clock::now();
        }
        for value in self.order.env.values() {
            town.runtime.redactor.learn(value);
        }
        town.beat.notify_one();
        let body = match self.order.kind {
            JobKind::Merge => FactBody::Merge(self.merge(&town).await),
            JobKind::Gates => self.gates(&town).await,
        };
        self.remove_folder(&town);
        let result = serde_json::to_value(&body).ok();
        town.report_job(self.order.job_id, self.order.rig_id, body);
        self.status().end("done", result);
        town.beat.notify_one();
    }

    fn folder(&self, town: &Town) -> PathBuf {
        town.rig(self.order.rig_id).dir.join("jobs").join(self.order.job_id.short())
    }

    fn remove_folder(&self, town: &Town) {
        let folder = self.folder(town);
        if let Err(error) = std::fs::remove_dir_all(&folder)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(job.id = %self.order.job_id, error = %error, "a job's folder could not be removed");
        }
    }

    fn step(&self, town: &Town, step: String) {
        {
            let mut status = self.status();
            if status.step == step {
                return;
            }
            status.step.clone_from(&step);
        }
        let body = FactBody::Job { phase: "running".to_owned(), step };
        town.report_job(self.order.job_id, self.order.rig_id, body);
    }

    fn begin_push(&self) -> bool {
        let mut status = self.status();
        let may = status.phase == Phase::Running || status.phase == Phase::Pushing;
        if may {
            status.phase = Phase::Pushing;
        }
        may
    }

    async fn merge(&self, town: &Arc<Town>) -> MergeReport {
        let order = &self.order;
        let (Some(commit), Some(target)) = (&order.commit, &order.target) else {
            return failed_merge(order, "The order names no commit or no target.");
        };
        let (rig, dir) = (town.rig(order.rig_id), self.folder(town));
        let gates = self.gate_runner(town, &rig, &dir);
        let push = format!("refs/heads/{target}");
        let remote = || town.runtime.remote(town, order.rig_id, &order.repo.git_url, Some(push.clone()));
        let merge = Merge {
            rig: &rig,
            remote: &remote,
            default_branch: &order.repo.default_branch,
            commit,
            branch: order.branch.as_deref().unwrap_or_default(),
            target,
            commands: &order.gates,
            gates: &gates,
            author: order.author.as_ref(),
            message: message_of(order),
            push_flags: &order.repo.push_flags,
            step: &|step| self.step(town, step),
            may_push: &|| self.begin_push(),
        };
        let mut report = merge.run().await;
        report.message = town.runtime.redactor.redact(&report.message);
        report
    }

    fn gate_runner<'a>(&'a self, town: &'a Town, rig: &RigStore, dir: &'a std::path::Path) -> Gates<'a> {
        let runtime = &town.runtime;
        let cache = runtime.config.tool_cache.then(|| rig.dir.join("cache").join("gates"));
        Gates {
            spawner: &runtime.spawner,
            redactor: &runtime.redactor,
            dir,
            limit: Duration::from_secs(u64::from(self.order.timeout_minutes.max(1)) * 60),
            env: env::gate(&runtime.config.tool_path, dir, cache.as_deref()),
            town_env: &self.order.env,
        }
    }

    async fn gates(&self, town: &Arc<Town>) -> FactBody {
        let (status, message) = match self.try_gates(town).await {
            Ok(body) => return body,
            Err(StoreError::CommitMissing(commit)) => {
                (GatesStatus::NoCommit, format!("The remote has no commit {commit}."))
            }
            Err(error) => (GatesStatus::Error, town.runtime.redactor.redact(&error.to_string())),
        };
        let (commit, results) = (self.order.commit.clone(), Vec::new());
        FactBody::Gates { commit, onto: None, status, results, message: Some(message) }
    }

    async fn try_gates(&self, town: &Arc<Town>) -> Result<FactBody, StoreError> {
        let order = &self.order;
        let (rig, dir) = (town.rig(order.rig_id), self.folder(town));
        let step = |step| self.step(town, step);
        step("fetching".to_owned());
        let remote = || town.runtime.remote(town, order.rig_id, &order.repo.git_url, None);
        let commit = match (&order.commit, &order.branch) {
            (Some(commit), _) => {
                rig.need_commit(&remote(), &order.repo.default_branch, commit).await?;
                commit.clone()
            }
            (None, Some(branch)) => {
                rig.fetch_now(&remote(), &order.repo.default_branch).await?;
                rig.branch(branch).await?.ok_or_else(|| StoreError::CommitMissing(branch.clone()))?
            }
            (None, None) => return Err(StoreError::CommitMissing("that the order names".to_owned())),
        };
        let runner = self.gate_runner(town, &rig, &dir);
        let Some(onto) = &order.onto else {
            let results = runner.run(&rig, &commit, &order.gates, &step).await?;
            let status = if are_green(&results) { GatesStatus::Green } else { GatesStatus::Red };
            return Ok(FactBody::Gates { commit: Some(commit), onto: None, status, results, message: None });
        };
        let base = rig.branch(onto).await?.ok_or_else(|| StoreError::BaseMissing(onto.clone()))?;
        let message = message_of(order);
        let merged = match merge::trial(&rig, &dir, &base, &commit, &message, order.author.as_ref()).await? {
            Trial::Clean(merged) => merged,
            Trial::Conflict(files) => {
                let message = Some(format!("Conflicts in {}.", files.join(", ")));
                let (results, status) = (Vec::new(), GatesStatus::Conflict);
                return Ok(FactBody::Gates { commit: Some(commit), onto: Some(base), status, results, message });
            }
        };
        let results = runner.run(&rig, &merged, &order.gates, &step).await?;
        let status = match are_green(&results) {
            true => GatesStatus::Green,
            false => match are_green(&runner.run(&rig, &base, &red_commands(&results), &step).await?) {
                true => GatesStatus::Red,
                false => GatesStatus::TargetRed,
            },
        };
        Ok(FactBody::Gates { commit: Some(commit), onto: Some(base), status, results, message: None })
    }
}

impl Status {
    fn end(&mut self, step: &str, result: Option<Value>) {
        self.phase = Phase::Ended;
        self.step = step.to_owned();
        self.since = clock::now();
        self.result = result;
    }
}

fn failed_merge(order: &JobOrder, message: &str) -> MergeReport {
    MergeReport {
        status: MergeStatus::Error,
        commit: order.commit.clone().unwrap_or_default(),
        branch: order.branch.clone().unwrap_or_default(),
        target: order.target.clone().unwrap_or_default(),
        merge_commit: None,
        files: Vec::new(),
        results: Vec::new(),
        message: message.to_owned(),
        tries: 0,
    }
}

/// Title, then the trailers that lead back to bead and review.
fn message_of(order: &JobOrder) -> String {
    match &order.message {
        Some(message) => format!(
            "{}\n\nGastown-Bead: {}\nGastown-Review: {}",
            message.title.lines().next().unwrap_or("Merge"),
            message.bead_id,
            message.review_id
        ),
        None => "Trial merge".to_owned(),
    }
}
