//! Commands: what people, agents and clients ask of the rig. Each is checked as a whole before anything is written, so
//! that a refusal changes nothing. The rules run afterwards, in the same commit.

mod agents;
mod beads;
mod messages;
mod reviews;

use serde_json::Value;

use super::bead::{self, Bead, BeadOutcome, BeadStatus, FailureCode, FailureSource};
use super::event::SessionKey;
use super::plan::Plan;
use super::review::Verdict;
use crate::id::{AssignmentId, BeadId, MailId};
use crate::models::ModelId;
use crate::session::Role;

pub use beads::{BeadPatch, NewBead};
pub use messages::NewMail;
pub use reviews::{Done, Judge};

/// A command.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Make an issue.
    CreateBead(NewBead),
    /// Change fields of a bead.
    UpdateBead {
        /// Which.
        bead_id: BeadId,
        /// What.
        patch: BeadPatch,
        /// Who asks.
        actor: String,
    },
    /// Close a live bead by hand.
    CloseBead {
        /// Which.
        bead_id: BeadId,
        /// Who asks.
        actor: String,
    },
    /// Fail a live bead by hand.
    FailBead {
        /// Which.
        bead_id: BeadId,
        /// Why.
        reason: Option<String>,
        /// Who asks.
        actor: String,
    },
    /// Begin a new attempt of a failed bead.
    RetryBead {
        /// Which.
        bead_id: BeadId,
        /// Start from the branch of the last attempt.
        keep_branch: bool,
        /// Model of the new attempt, if the caller chose one.
        model: Option<ModelId>,
        /// Who asks.
        actor: String,
    },
    /// The agent says that the work is done.
    Done(Done),
    /// The refinery judges.
    Judge(Judge),
    /// A person judges a review.
    PersonJudges {
        /// The review's bead.
        review_id: BeadId,
        /// Judgement.
        verdict: Verdict,
        /// Words for the author.
        feedback: Option<String>,
        /// Who asks.
        actor: String,
    },
    /// The agent says what it is doing.
    SetStatus {
        /// Its session.
        session: SessionKey,
        /// One line.
        message: String,
    },
    /// The agent leaves something for its next session.
    SetCheckpoint {
        /// Its session.
        session: SessionKey,
        /// Any JSON.
        data: Value,
    },
    /// Mail to an agent of this rig.
    SendMail(NewMail),
    /// The agent has read these mails.
    AcknowledgeMail {
        /// Its session.
        session: SessionKey,
        /// Which.
        mail_ids: Vec<MailId>,
    },
}

/// What a command did; the caller reads the rows from the state after the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// This bead was made or changed.
    Bead(BeadId),
    /// The assignment is over.
    Done(AssignmentId),
    /// The review of this bead was judged.
    Judged(BeadId),
    /// A row was written.
    Written,
    /// This mail was written.
    Mail(MailId),
    /// So many mails are delivered.
    Delivered(usize),
}

/// Why a command was refused; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such bead in this rig.
    NoSuchBead(BeadId),
    /// An id in the body names nothing.
    UnknownReference(String),
    /// The session is over or superseded.
    StaleAssignment {
        /// The epoch of the bead's or agent's present assignment, when there is one.
        current_epoch: Option<u64>,
    },
    /// The bead has ended.
    TerminalBead(BeadId, BeadStatus),
    /// The state does not allow it.
    IllegalTransition(String),
    /// Only a failed bead can be tried again.
    NotFailed(BeadId, BeadStatus),
    /// The dependencies would wait for each other.
    DependencyCycle(Vec<BeadId>),
    /// The refinery must say approve, request_changes or reject.
    VerdictRequired,
    /// A request for changes without words.
    FeedbackRequired,
    /// This role may not do that.
    RoleNotAllowed(Role),
    /// The same was slung a moment ago, as this bead.
    ProbableDuplicate(BeadId),
    /// The rig is full.
    LimitReached(String),
}

/// A row outside the live state that a command speaks of; the shell recalls it before the command is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// A bead.
    Bead(BeadId),
    /// An assignment.
    Assignment(AssignmentId),
}

impl Command {
    /// The rows that the command speaks of.
    pub fn references(&self) -> Vec<Reference> {
        match self {
            Self::CreateBead(new) => {
                new.depends_on.iter().copied().chain(new.parent_id).chain(new.bead_id).map(Reference::Bead).collect()
            }
            Self::UpdateBead { bead_id, patch, .. } => {
                patch.depends_on.iter().flatten().copied().chain([*bead_id]).map(Reference::Bead).collect()
            }
            Self::CloseBead { bead_id, .. } | Self::FailBead { bead_id, .. } | Self::RetryBead { bead_id, .. } => {
                vec![Reference::Bead(*bead_id)]
            }
            Self::PersonJudges { review_id, .. } => vec![Reference::Bead(*review_id)],
            Self::Done(Done { session, .. })
            | Self::Judge(Judge { session, .. })
            | Self::SetStatus { session, .. }
            | Self::SetCheckpoint { session, .. }
            | Self::AcknowledgeMail { session, .. } => vec![Reference::Assignment(session.assignment_id)],
            Self::SendMail(_) => Vec::new(),
        }
    }
}

/// Applies one command, or refuses it and changes nothing.
pub fn apply(plan: &mut Plan, command: Command) -> Result<Applied, Refusal> {
    match command {
        Command::CreateBead(new) => beads::create_bead(plan, new),
        Command::UpdateBead { bead_id, patch, actor } => beads::update_bead(plan, bead_id, patch, &actor),
        Command::CloseBead { bead_id, actor } => {
            live_bead(plan, bead_id)?;
            bead::close(plan, bead_id, BeadOutcome::ClosedByUser, &actor);
            Ok(Applied::Bead(bead_id))
        }
        Command::FailBead { bead_id, reason, actor } => {
            live_bead(plan, bead_id)?;
            let reason = reason.unwrap_or_else(|| "a person ended it".to_owned());
            bead::fail(plan, bead_id, FailureCode::FailedByUser, &reason, FailureSource::User, &actor);
            Ok(Applied::Bead(bead_id))
        }
        Command::RetryBead { bead_id, keep_branch, model, actor } => {
            beads::retry_bead(plan, bead_id, keep_branch, model, &actor)
        }
        Command::Done(done) => reviews::apply_done(plan, done),
        Command::Judge(judge) => reviews::apply_judge(plan, judge),
        Command::PersonJudges { review_id, verdict, feedback, actor } => {
            reviews::person_judges(plan, review_id, verdict, feedback, &actor)
        }
        Command::SetStatus { session, message } => agents::set_status(plan, session, message),
        Command::SetCheckpoint { session, data } => agents::set_checkpoint(plan, session, data),
        Command::SendMail(new) => messages::send_mail(plan, new),
        Command::AcknowledgeMail { session, mail_ids } => messages::acknowledge_mail(plan, session, &mail_ids),
    }
}

fn stale(plan: &Plan, session: SessionKey) -> Refusal {
    let agent = plan.state().assignments.get(&session.assignment_id).map(|assignment| assignment.agent_id);
    let current = agent.and_then(|agent_id| plan.state().assignment_of_agent(agent_id));
    Refusal::StaleAssignment { current_epoch: current.map(|assignment| assignment.epoch) }
}

fn live_bead(plan: &Plan, bead_id: BeadId) -> Result<Bead, Refusal> {
    let bead = plan.state().beads.get(&bead_id).ok_or(Refusal::NoSuchBead(bead_id))?;
    if bead.is_live() { Ok(bead.clone()) } else { Err(Refusal::TerminalBead(bead_id, bead.status)) }
}
