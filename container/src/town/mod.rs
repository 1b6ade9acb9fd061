//! One attached town: its settings, its sessions and jobs, its repositories and credentials, and its reports. No
//! operation on one town waits for another. Where to read next: `attach` (register, heartbeats), `credentials`.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use gastown_core::id::{AgentId, AssignmentId, JobId, RigId, TownId};
use gastown_core::wire::control::{RuntimeConfig, UnsavedWork};
use gastown_core::wire::report::{Fact, FactBody, Outcome, Ref};
use tokio::sync::{Notify, watch};

use crate::clock;
use crate::fleet::Session;
use crate::fleet::inbox::MessageMemory;
use crate::git::store::RigStore;
use crate::job::Job;
use crate::limits;
use crate::report::outbox::{Item, Outbox};
use crate::runtime::Runtime;
use crate::secret::Secret;
use crate::worker::WorkerClient;

pub mod attach;
pub mod credentials;
pub mod recover;

/// Where a town stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TownState {
    /// Registering with the Worker.
    Attaching,
    /// Orders are taken.
    Ready,
    /// The Worker refuses our token, or another runtime owns the town.
    Detached,
    /// The runtime is ending.
    Draining,
}

impl TownState {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Attaching => "attaching",
            Self::Ready => "ready",
            Self::Detached => "detached",
            Self::Draining => "draining",
        }
    }
}

/// One town.
pub struct Town {
    /// Which.
    pub id: TownId,
    /// The process it lives in.
    pub runtime: Arc<Runtime>,
    /// Its Worker.
    pub worker: WorkerClient,
    /// Reports that wait.
    pub outbox: Outbox,
    /// Asks for an early heartbeat.
    pub beat: Notify,
    /// Asks for a new registration.
    pub register: Notify,
    /// Where it stands.
    pub state: watch::Sender<TownState>,
    /// Worktrees that could not be saved.
    pub unsaved: Mutex<Vec<UnsavedWork>>,
    /// Messages that agents have had.
    pub memory: Mutex<BTreeMap<AgentId, MessageMemory>>,
    /// Credentials of git and the model gateway.
    pub credentials: credentials::Cache,
    config: RwLock<RuntimeConfig>,
    rigs: Mutex<BTreeMap<RigId, Arc<RigStore>>>,
    sessions: Mutex<VecDeque<Arc<Session>>>,
    jobs: Mutex<VecDeque<Arc<Job>>>,
}

impl Town {
    /// A town that is about to register.
    pub fn new(runtime: Arc<Runtime>, id: TownId, api_url: &str, token: Secret, config: RuntimeConfig) -> Arc<Self> {
        let dir = runtime.config.data_dir.join("towns").join(id.to_string());
        if let Err(error) = std::fs::create_dir_all(&dir) {
            tracing::error!(error = %error, town.id = %id, "could not make the town's folder");
        }
        let (state, _) = watch::channel(TownState::Attaching);
        Arc::new(Self {
            id,
            worker: WorkerClient::new(runtime.http.clone(), id, api_url, token),
            outbox: Outbox::open(dir.join("outbox.jsonl"), runtime.redactor.clone()),
            beat: Notify::new(),
            register: Notify::new(),
            state,
            unsaved: Mutex::default(),
            memory: Mutex::default(),
            credentials: credentials::Cache::default(),
            config: RwLock::new(config),
            rigs: Mutex::default(),
            sessions: Mutex::default(),
            jobs: Mutex::default(),
            runtime,
        })
    }

    /// `<data>/towns/<town>`.
    pub fn dir(&self) -> PathBuf {
        self.runtime.config.data_dir.join("towns").join(self.id.to_string())
    }

    /// The settings in use.
    pub fn config(&self) -> RuntimeConfig {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Uses these settings unless they are older; a higher secrets version empties the credential caches.
    pub fn apply_config(&self, new: RuntimeConfig) -> u64 {
        let mut config = self.config.write().unwrap_or_else(PoisonError::into_inner);
        if new.config_version >= config.config_version {
            if new.secrets_version > config.secrets_version {
                self.credentials.clear();
            }
            *config = new;
        }
        config.config_version
    }

    /// The repository folder of a rig.
    pub fn rig(&self, rig: RigId) -> Arc<RigStore> {
        let mut rigs = self.rigs.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = || self.dir().join("rigs").join(rig.to_string());
        rigs.entry(rig).or_insert_with(|| Arc::new(RigStore::new(dir()))).clone()
    }

    /// Forgets a rig's folder.
    pub fn forget_rig(&self, rig: RigId) {
        self.rigs.lock().unwrap_or_else(PoisonError::into_inner).remove(&rig);
    }

    /// All sessions that are known, also ended ones.
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        self.lock_sessions().iter().cloned().collect()
    }

    /// Sessions that have not ended.
    pub fn live_sessions(&self) -> Vec<Arc<Session>> {
        self.lock_sessions().iter().filter(|session| !session.is_ended()).cloned().collect()
    }

    /// The newest session of an assignment.
    pub fn session(&self, assignment: AssignmentId) -> Option<Arc<Session>> {
        self.lock_sessions().iter().rfind(|session| session.reference.assignment_id == assignment).cloned()
    }

    /// Runs `decide` while no session can be added; what it returns is added.
    pub fn add_session<E>(
        &self,
        decide: impl FnOnce(&VecDeque<Arc<Session>>) -> Result<Arc<Session>, E>,
    ) -> Result<Arc<Session>, E> {
        let mut sessions = self.lock_sessions();
        let session = decide(&sessions)?;
        sessions.push_back(session.clone());
        let over = sessions.len().saturating_sub(limits::ENDED_KEEP);
        for _ in 0..over {
            if let Some(at) = sessions.iter().position(|session| session.is_ended()) {
                sessions.remove(at);
            }
        }
        Ok(session)
    }

    fn lock_sessions(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All jobs that are known, also ended ones.
    pub fn jobs(&self) -> Vec<Arc<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// A job by its id.
    pub fn job(&self, id: JobId) -> Option<Arc<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|job| job.order.job_id == id).cloned()
    }

    /// The job with this id; `make` when it is not known. Says whether it was made.
    pub fn ensure_job(&self, id: JobId, make: impl FnOnce() -> Arc<Job>) -> (Arc<Job>, bool) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = jobs.iter().find(|job| job.order.job_id == id) {
            return (job.clone(), false);
        }
        let job = make();
        jobs.push_back(job.clone());
        if jobs.len() > limits::ENDED_KEEP
            && let Some(at) = jobs.iter().position(|job| job.is_ended())
        {
            jobs.remove(at);
        }
        (job, true)
    }

    /// Queues a fact about a session.
    pub fn report(&self, session: Ref, body: FactBody) {
        self.push_fact(Some(session), None, None, body);
    }

    /// Queues a fact about a job.
    pub fn report_job(&self, job: JobId, rig: RigId, body: FactBody) {
        self.push_fact(None, Some(job), Some(rig), body);
    }

    /// Queues a fact about a repository.
    pub fn report_rig(&self, rig: RigId, body: FactBody) {
        self.push_fact(None, None, Some(rig), body);
    }

    fn push_fact(&self, session: Option<Ref>, job_id: Option<JobId>, rig_id: Option<RigId>, body: FactBody) {
        let fact = Fact { fact_id: clock::new_id(), at: clock::now(), session, job_id, rig_id, body };
        self.outbox.push(Item::Fact(fact));
    }

    /// Queues how a session ended.
    pub fn report_outcome(&self, outcome: Outcome) {
        self.outbox.push(Item::Outcome(outcome));
    }
}
