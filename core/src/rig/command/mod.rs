//! Commands: what people, agents and clients ask of the rig. Each is checked as a whole before anything is written, so
//! that a refusal changes nothing. The rules run afterwards, in the same commit.

mod agents;
mod beads;
mod claims;
mod delete;
mod edges;
mod messages;
mod moves;
mod reviews;

use serde_json::Value;

use super::agent::AgentRole;
use super::bead::{self, Bead, BeadOutcome, BeadStatus, FailureCode, FailureSource};
use super::event::SessionKey;
use super::molecule;
use super::plan::Plan;
use super::review::Verdict;
use super::rules;
use super::triage::{self, Decide};
use crate::id::{AgentId, AssignmentId, BeadId, ConvoyId, MailId, NudgeId, RigId};
use crate::models::ModelId;
use crate::session::Role;

pub use agents::NewAgent;
pub use beads::{BeadPatch, NewBead};
pub use claims::Submit;
pub use messages::{NewMail, NewNudge, Receiver};
pub(super) use moves::adopt;
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
    /// Delete a bead and its descendants.
    DeleteBead {
        /// Which.
        bead_id: BeadId,
        /// Who asks.
        actor: String,
    },
    /// Hand a bead that was never started to another rig.
    MoveBead {
        /// Which.
        bead_id: BeadId,
        /// To which rig.
        to: RigId,
        /// Who asks.
        actor: String,
    },
    /// Work done by hand goes in review.
    Submit(Submit),
    /// The agent that works on it closes a bead that needs no review.
    CloseOwn {
        /// Its bead.
        bead_id: BeadId,
        /// Who.
        agent_id: AgentId,
    },
    /// Give a bead to this agent, or back to the queue.
    Reassign {
        /// Which.
        bead_id: BeadId,
        /// To whom.
        agent_id: Option<AgentId>,
        /// Who asks.
        actor: String,
    },
    /// Make an agent.
    Register(NewAgent),
    /// An agent of this role that is free: one that is there, or a new one.
    GetAgent(AgentRole),
    /// Make a queued assignment by hand.
    Hook {
        /// Who shall work …
        agent_id: AgentId,
        /// … on what.
        bead_id: BeadId,
        /// Who asks.
        actor: String,
    },
    /// Take its work away from an agent.
    Unhook {
        /// Whose.
        agent_id: AgentId,
        /// Who asks.
        actor: String,
    },
    /// Stop what an agent does.
    StopAgent {
        /// Which.
        agent_id: AgentId,
        /// Begin anew: counters and back-off of its bead are cleared.
        resets: bool,
        /// Why.
        reason: Option<String>,
        /// Who asks.
        actor: String,
    },
    /// Take an agent out of the rig.
    RemoveAgent {
        /// Which.
        agent_id: AgentId,
        /// Who asks.
        actor: String,
    },
    /// A person says that what kept starts from succeeding is mended: one session may probe.
    ResetBreaker,
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
    /// A person lets a parked review go on.
    ResumeReview {
        /// The review's bead.
        review_id: BeadId,
        /// Why, for the log.
        note: Option<String>,
        /// Who asks.
        actor: String,
    },
    /// A person has seen that a review waits for them.
    DismissReview {
        /// The review's bead.
        review_id: BeadId,
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
    /// Mail to an agent of this rig, or of an agent of this rig to somebody else.
    SendMail(NewMail),
    /// The agent has read these mails.
    AcknowledgeMail {
        /// Its session.
        session: SessionKey,
        /// Which.
        mail_ids: Vec<MailId>,
    },
    /// A short text for an agent of this rig.
    SendNudge(NewNudge),
    /// The agent has read this nudge.
    NudgeDelivered {
        /// Its session.
        session: SessionKey,
        /// Which.
        nudge_id: NudgeId,
    },
    /// An ordered list of steps for an issue.
    CreateMolecule {
        /// The issue.
        bead_id: BeadId,
        /// Title and instructions of each.
        steps: Vec<(String, String)>,
        /// Who asks.
        actor: String,
    },
    /// The agent has done the current step.
    AdvanceMolecule {
        /// Its session.
        session: SessionKey,
        /// What it did.
        summary: String,
    },
    /// The agent of a triage batch decides one of its requests.
    ResolveTriage(Decide),
}

/// What a command did; the caller reads the rows from the state after the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// This bead was made or changed.
    Bead(BeadId),
    /// So many beads are gone.
    Deleted(usize),
    /// This agent was made, found or changed.
    Agent(AgentId),
    /// This assignment is the agent's hook.
    Hooked(AssignmentId),
    /// The assignment is over.
    Done(AssignmentId),
    /// The review of this bead was judged.
    Judged(BeadId),
    /// A row was written.
    Written,
    /// This mail was written.
    Mail(MailId),
    /// This nudge was made.
    Nudge(NudgeId),
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
    /// The work has no steps, or none is left.
    NoMolecule,
    /// The agent has no assignment.
    NotHooked(AgentId),
    /// The rig is full.
    LimitReached(String),
    /// There is no such agent in this rig.
    NoSuchAgent(AgentId),
    /// The agent works on another bead.
    AgentBusy {
        /// Who.
        agent_id: AgentId,
        /// On what.
        bead_id: BeadId,
    },
    /// Another agent works on the bead.
    BeadAssigned {
        /// Which.
        bead_id: BeadId,
        /// Who.
        agent_id: AgentId,
    },
    /// The bead cannot be worked on by this agent, or not yet.
    NotHookable(String),
    /// An agent of the rig has this name.
    DuplicateName(String),
    /// An agent of the rig has this identity.
    DuplicateIdentity(String),
    /// The name belongs to an agent that the town makes itself.
    ReservedName(String),
    /// A task of a convoy waits for tasks of its convoy only.
    CrossRigDependency(BeadId),
    /// It is not the caller's to do.
    NotYours(String),
    /// The request is not one of this batch.
    NotInBatch(BeadId),
    /// The request was decided.
    AlreadyResolved(BeadId),
}

/// A row outside the live state that a command speaks of; the shell recalls it before the command is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// A bead.
    Bead(BeadId),
    /// A bead with all its descendants.
    Family(BeadId),
    /// Beads whose ids begin like this one.
    Namesakes(BeadId),
    /// An assignment.
    Assignment(AssignmentId),
    /// What a convoy has spent here.
    Convoy(ConvoyId),
}

impl Command {
    /// The rows that the command speaks of.
    pub fn references(&self) -> Vec<Reference> {
        match self {
            Self::CreateBead(new) => {
                let named = new.depends_on.iter().copied().chain(new.parent_id).chain(new.bead_id);
                named.map(Reference::Bead).chain(new.bead_id.map(Reference::Namesakes)).collect()
            }
            Self::UpdateBead { bead_id, patch, .. } => {
                let named = patch.depends_on.iter().flatten().copied().chain(patch.parent_id.flatten());
                named.chain([*bead_id]).map(Reference::Bead).collect()
            }
            Self::CloseBead { bead_id, .. }
            | Self::CloseOwn { bead_id, .. }
            | Self::FailBead { bead_id, .. }
            | Self::RetryBead { bead_id, .. }
            | Self::Reassign { bead_id, .. }
            | Self::Hook { bead_id, .. }
            | Self::Submit(Submit { bead_id, .. }) => vec![Reference::Bead(*bead_id)],
            Self::DeleteBead { bead_id, .. } | Self::MoveBead { bead_id, .. } => vec![Reference::Family(*bead_id)],
            Self::PersonJudges { review_id, .. }
            | Self::ResumeReview { review_id, .. }
            | Self::DismissReview { review_id } => vec![Reference::Bead(*review_id)],
            Self::Done(Done { session, .. })
            | Self::Judge(Judge { session, .. })
            | Self::SetStatus { session, .. }
            | Self::SetCheckpoint { session, .. }
            | Self::AcknowledgeMail { session, .. }
            | Self::NudgeDelivered { session, .. }
            | Self::AdvanceMolecule { session, .. }
            | Self::ResolveTriage(Decide { session, .. }) => vec![Reference::Assignment(session.assignment_id)],
            Self::CreateMolecule { bead_id, .. } => vec![Reference::Bead(*bead_id)],
            Self::SendMail(_)
            | Self::SendNudge(_)
            | Self::Register(_)
            | Self::GetAgent(_)
            | Self::Unhook { .. }
            | Self::StopAgent { .. }
            | Self::RemoveAgent { .. }
            | Self::ResetBreaker => Vec::new(),
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
        Command::DeleteBead { bead_id, actor } => delete::delete_bead(plan, bead_id, &actor),
        Command::MoveBead { bead_id, to, actor } => moves::move_bead(plan, bead_id, to, &actor),
        Command::Submit(submit) => claims::submit(plan, submit),
        Command::CloseOwn { bead_id, agent_id } => agents::close_own(plan, bead_id, agent_id),
        Command::Reassign { bead_id, agent_id, actor } => agents::reassign(plan, bead_id, agent_id, &actor),
        Command::Register(new) => agents::register(plan, new),
        Command::GetAgent(role) => agents::get(plan, role),
        Command::Hook { agent_id, bead_id, actor } => agents::hook(plan, agent_id, bead_id, &actor),
        Command::Unhook { agent_id, actor } => agents::unhook(plan, agent_id, &actor),
        Command::StopAgent { agent_id, resets, reason, actor } => agents::stop(plan, agent_id, resets, reason, &actor),
        Command::RemoveAgent { agent_id, actor } => agents::remove(plan, agent_id, &actor),
        Command::ResetBreaker => {
            rules::breaker::half_open(plan);
            Ok(Applied::Written)
        }
        Command::Done(done) => reviews::apply_done(plan, done),
        Command::Judge(judge) => reviews::apply_judge(plan, judge),
        Command::PersonJudges { review_id, verdict, feedback, actor } => {
            reviews::person_judges(plan, review_id, verdict, feedback, &actor)
        }
        Command::ResumeReview { review_id, note, actor } => reviews::resume(plan, review_id, note.as_deref(), &actor),
        Command::DismissReview { review_id } => reviews::dismiss(plan, review_id),
        Command::SetStatus { session, message } => agents::set_status(plan, session, message),
        Command::SetCheckpoint { session, data } => agents::set_checkpoint(plan, session, data),
        Command::SendMail(new) => messages::send_mail(plan, new),
        Command::AcknowledgeMail { session, mail_ids } => messages::acknowledge_mail(plan, session, &mail_ids),
        Command::SendNudge(new) => messages::send_nudge(plan, new),
        Command::NudgeDelivered { session, nudge_id } => messages::nudge_delivered(plan, session, nudge_id),
        Command::CreateMolecule { bead_id, steps, actor } => create_molecule(plan, bead_id, steps, &actor),
        Command::AdvanceMolecule { session, summary } => advance_molecule(plan, session, summary),
        Command::ResolveTriage(decide) => triage::decide(plan, decide),
    }
}

/// Begins a new attempt of a failed bead on its branch, as its convoy decided.
pub(super) fn retry(plan: &mut Plan, bead_id: BeadId, actor: &str) -> Result<Applied, Refusal> {
    beads::retry_bead(plan, bead_id, true, None, actor)
}

/// Lets a failed bead begin anew, and a parked one go on, as an answer to its escalation said.
pub(super) fn try_again(plan: &mut Plan, bead_id: BeadId, actor: &str) {
    let parked = plan.state().live_bead(bead_id).filter(|bead| bead.parked.is_some());
    match parked.map(|bead| bead.kind) {
        Some(bead::BeadType::MergeRequest) => drop(reviews::resume(plan, bead_id, None, actor)),
        Some(bead::BeadType::Issue | bead::BeadType::Molecule) => {
            bead::unpark(plan, bead_id);
            plan.update_bead(bead_id, Bead::clear_counters);
        }
        // What is neither failed nor parked goes on by itself.
        None => drop(beads::retry_bead(plan, bead_id, true, None, actor)),
    }
}

pub(super) fn stale(plan: &Plan, session: SessionKey) -> Refusal {
    let agent = plan.state().assignments.get(&session.assignment_id).map(|assignment| assignment.agent_id);
    let current = agent.and_then(|agent_id| plan.state().assignment_of_agent(agent_id));
    Refusal::StaleAssignment { current_epoch: current.map(|assignment| assignment.epoch) }
}

fn live_bead(plan: &Plan, bead_id: BeadId) -> Result<Bead, Refusal> {
    let bead = plan.state().beads.get(&bead_id).ok_or(Refusal::NoSuchBead(bead_id))?;
    if bead.is_live() { Ok(bead.clone()) } else { Err(Refusal::TerminalBead(bead_id, bead.status)) }
}

fn create_molecule(
    plan: &mut Plan,
    bead_id: BeadId,
    steps: Vec<(String, String)>,
    actor: &str,
) -> Result<Applied, Refusal> {
    let bead = live_bead(plan, bead_id)?;
    if bead.kind != bead::BeadType::Issue || steps.is_empty() {
        return Err(Refusal::IllegalTransition("only an issue has steps, and at least one".to_owned()));
    }
    if molecule::of_bead(plan.state(), bead_id).is_some() {
        return Err(Refusal::IllegalTransition("the bead has its steps already".to_owned()));
    }
    Ok(Applied::Bead(molecule::make(plan, &bead, steps, actor)))
}

fn advance_molecule(plan: &mut Plan, session: SessionKey, summary: String) -> Result<Applied, Refusal> {
    let Some(assignment) = super::event::live(plan, session) else { return Err(stale(plan, session)) };
    molecule::advance(plan, &assignment, summary).map(Applied::Bead).ok_or(Refusal::NoMolecule)
}
