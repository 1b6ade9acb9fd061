//! Facts: what happened outside, applied to the tables of domain.md 3.2, 5.2 and 7.2. A fact is never refused; one
//! that comes late, twice, or about a superseded session changes nothing and says so by its [`Receipt`].

mod forge;
mod jobs;
mod sessions;
mod town;

pub use forge::{ForgeCall, ForgeFact};
pub(super) use jobs::{end_job, give_up_job, red_gates};
pub(super) use sessions::end_with_pending;

use super::assignment::{Assignment, Phase};
use super::command::Reference;
use super::plan::{Plan, Write};
use crate::id::{BeadId, JobId};
use crate::protocol::{Numbered, TownToRig};
pub use crate::session::{Beat, JobAnswer, Over, SessionAnswer, SessionFact, SessionKey, StartAnswer, Usage};
use crate::session::{GateResult, GatesStatus, MergeStatus};

/// A fact.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The Town said this.
    TownSaid(Vec<Numbered<TownToRig>>),
    /// The Town has applied everything up to this number.
    TownAcknowledged(u64),
    /// The runtime reported about a session.
    SessionReported(SessionKey, SessionFact),
    /// What a session has spent in all, live or not.
    SessionSpent(SessionKey, Usage),
    /// The runtime reported about a job.
    JobReported(JobId, JobFact),
    /// The runtime answered a start order.
    StartAnswered(SessionKey, StartAnswer),
    /// The runtime answered whether a session lives.
    SessionAnswered(SessionKey, SessionAnswer),
    /// The runtime answered a job order.
    JobAnswered(JobId, JobAnswer),
    /// A call of the forge about this review came to an end.
    ForgeAnswered(BeadId, ForgeFact),
}

/// What a report about a job says.
#[derive(Debug, Clone, PartialEq)]
pub enum JobFact {
    /// It goes on.
    Beat,
    /// Gates ran.
    Gates {
        /// The commit that was tested.
        commit: Option<String>,
        /// Trial merge: the target's commit that it was merged into.
        onto: Option<String>,
        /// Result.
        status: GatesStatus,
        /// One per gate.
        results: Vec<GateResult>,
        /// Why it could not run.
        message: String,
    },
    /// A merge ended.
    Merge {
        /// Result.
        status: MergeStatus,
        /// The commit that brought the work in.
        merge_commit: Option<String>,
        /// Files in conflict.
        files: Vec<String>,
        /// Gates on the result.
        results: Vec<GateResult>,
        /// One sentence.
        message: String,
    },
}

/// What became of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It changed something, or confirmed what is so.
    Applied,
    /// It was known.
    Duplicate,
    /// Its session is over or superseded; the session shall end.
    Stale,
}

impl Event {
    /// Rows outside the live state that the fact speaks of; the shell recalls them before it is applied.
    pub fn references(&self) -> Vec<Reference> {
        match self {
            Self::TownSaid(messages) => {
                messages.iter().flat_map(|numbered| town::references(&numbered.message)).collect()
            }
            Self::TownAcknowledged(_)
            | Self::SessionReported(..)
            | Self::SessionSpent(..)
            | Self::JobReported(..)
            | Self::StartAnswered(..)
            | Self::SessionAnswered(..)
            | Self::JobAnswered(..)
            | Self::ForgeAnswered(..) => Vec::new(),
        }
    }
}

/// Applies one fact.
pub fn apply(plan: &mut Plan, event: Event) -> Receipt {
    match event {
        Event::TownSaid(messages) => town::town_said(plan, messages),
        Event::TownAcknowledged(seq) => {
            if plan.state().outbox.rows().first().is_none_or(|row| row.seq > seq) {
                return Receipt::Duplicate;
            }
            plan.write(Write::Acknowledged(seq));
            Receipt::Applied
        }
        Event::SessionReported(key, fact) => match session(plan, key) {
            Some(assignment) => sessions::session_reported(plan, &assignment, fact),
            None => Receipt::Stale,
        },
        Event::SessionSpent(key, total) => {
            let found = plan.state().assignments.get(&key.assignment_id);
            match found.filter(|assignment| assignment.epoch == key.epoch).cloned() {
                Some(assignment) => {
                    super::usage::add(plan, &assignment, total);
                    Receipt::Applied
                }
                None => Receipt::Stale,
            }
        }
        Event::StartAnswered(key, answer) => match live(plan, key) {
            Some(assignment) if assignment.phase == Phase::Starting => {
                sessions::start_answered(plan, &assignment, answer)
            }
            Some(_) => Receipt::Duplicate,
            None => Receipt::Stale,
        },
        Event::SessionAnswered(key, answer) => match session(plan, key) {
            Some(assignment) => sessions::session_answered(plan, &assignment, answer),
            None => Receipt::Stale,
        },
        Event::JobReported(job_id, fact) => jobs::job_reported(plan, job_id, fact),
        Event::JobAnswered(job_id, answer) => jobs::job_answered(plan, job_id, answer),
        Event::ForgeAnswered(review_id, fact) => forge::forge_answered(plan, review_id, fact),
    }
}

/// The live assignment of a session, if the epoch is its own.
pub fn live(plan: &Plan, key: SessionKey) -> Option<Assignment> {
    plan.state().assignments.get(&key.assignment_id).filter(|a| a.is_live() && a.epoch == key.epoch).cloned()
}

/// The same, if a session may exist: nobody can truly report about an assignment that was never ordered.
fn session(plan: &Plan, key: SessionKey) -> Option<Assignment> {
    live(plan, key).filter(Assignment::has_session)
}
