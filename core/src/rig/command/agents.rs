//! Commands about agents: who there is, what they are given by hand, and what they say of themselves (domain.md 4).

use serde_json::Value;

use super::{Applied, Refusal, live_bead, stale};
use crate::id::{AgentId, BeadId};
use crate::limits::{POLECATS_PER_RIG, UNHOOK_PAUSE};
use crate::rig::agent::{self, Agent, AgentRole};
use crate::rig::assignment::{self, Assignment, AssignmentOutcome, End, Pending, Phase};
use crate::rig::bead::{self, Bead, BeadOutcome, BeadStatus, BeadType};
use crate::rig::event::{SessionKey, live};
use crate::rig::plan::{EventRow, Plan};
use crate::rig::review::ReviewState;
use crate::rig::rules::{assign_polecats, assign_review, dispatchable};
use crate::rig::wait::WaitCode;
use crate::session::Kind;

/// A registration by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAgent {
    /// What it is for.
    pub role: AgentRole,
    /// Unique in the rig without regard to case.
    pub name: String,
    /// Unique in the rig.
    pub identity: String,
}

/// Names that only singletons have.
const RESERVED_NAMES: [&str; 2] = [agent::REFINERY_NAME, "mayor"];

/// Makes an agent. A rig has one refinery: asking for it returns the one that exists.
pub(super) fn register(plan: &mut Plan, new: NewAgent) -> Result<Applied, Refusal> {
    if new.role == AgentRole::Refinery
        && let Some(refinery) = plan.state().refinery()
    {
        return Ok(Applied::Agent(refinery.agent_id));
    }
    let is_reserved = RESERVED_NAMES.iter().any(|name| name.eq_ignore_ascii_case(&new.name));
    if new.role == AgentRole::Mayor || (is_reserved && new.role == AgentRole::Polecat) {
        return Err(Refusal::ReservedName(new.name));
    }
    let mut agents = plan.state().agents.values();
    if agents.clone().any(|agent| agent.name.to_lowercase() == new.name.to_lowercase()) {
        return Err(Refusal::DuplicateName(new.name));
    }
    if agents.any(|agent| agent.identity == new.identity) {
        return Err(Refusal::DuplicateIdentity(new.identity));
    }
    Ok(Applied::Agent(agent::register_as(plan, new.role, new.name, new.identity)))
}

/// The refinery, or a polecat that is free: an idle one, else a new one while the rig has a slot for it.
pub(super) fn get(plan: &mut Plan, role: AgentRole) -> Result<Applied, Refusal> {
    match role {
        AgentRole::Refinery => {
            let known = plan.state().refinery().map(|agent| agent.agent_id);
            Ok(Applied::Agent(known.unwrap_or_else(|| agent::register_refinery(plan))))
        }
        AgentRole::Polecat => {
            if let Some(idle) = agent::idle_polecat(plan.state(), None) {
                return Ok(Applied::Agent(idle));
            }
            check_slot(plan, 0)?;
            let name = agent::free_name(plan.state());
            Ok(Applied::Agent(agent::register(plan, AgentRole::Polecat, name)))
        }
        AgentRole::Mayor => Err(Refusal::ReservedName("mayor".to_owned())),
    }
}

/// Makes a queued assignment by hand, under the rules of dispatch. Repeating it gives the same answer.
pub(super) fn hook(plan: &mut Plan, agent_id: AgentId, bead_id: BeadId, actor: &str) -> Result<Applied, Refusal> {
    let agent = known(plan, agent_id)?;
    if let Some(live) = plan.state().assignment_of_agent(agent_id) {
        let is_same = live.bead_id == bead_id && live.phase != Phase::Finishing;
        let busy = Refusal::AgentBusy { agent_id, bead_id: live.bead_id };
        return if is_same { Ok(Applied::Hooked(live.assignment_id)) } else { Err(busy) };
    }
    let unknown = |_| Refusal::NotHookable(format!("this rig has no bead {bead_id} that can be worked on"));
    let bead = match live_bead(plan, bead_id) {
        Err(Refusal::TerminalBead(bead_id, status)) => return Err(Refusal::TerminalBead(bead_id, status)),
        other => other.map_err(unknown)?,
    };
    let replaced = plan.state().assignment_of_bead(bead_id).cloned();
    if let Some(live) = replaced.as_ref().filter(|live| live.phase != Phase::Queued) {
        return Err(Refusal::BeadAssigned { bead_id, agent_id: live.agent_id });
    }
    match agent.role {
        AgentRole::Polecat => check_issue(plan, &bead)?,
        AgentRole::Refinery => check_review(plan, &bead, replaced.is_some())?,
        AgentRole::Mayor => return Err(Refusal::NotHookable("the mayor has no hook".to_owned())),
    }
    if agent.role == AgentRole::Polecat {
        check_slot(plan, replaced.iter().count())?;
    }
    if let Some(live) = replaced {
        let end = End::new(AssignmentOutcome::Stopped, "hooked_again", "another agent was hooked to its bead");
        assignment::end(plan, live.assignment_id, end.session_is_over());
    }
    if is_resting(&bead) {
        plan.update_bead(bead_id, |bead| bead.not_before = None);
    }
    let assigned = match agent.role {
        AgentRole::Refinery => assign_review::assign(plan, bead_id, agent_id, actor),
        AgentRole::Polecat | AgentRole::Mayor => assign_polecats::assign_to(plan, &bead, agent_id, actor),
    };
    assigned.map(Applied::Hooked).ok_or(Refusal::NoSuchBead(bead_id))
}

/// Stops the agent's assignment and clears its checkpoint. The bead rests a moment before it is given out again, so that
/// whoever unhooked it may hook it elsewhere.
pub(super) fn unhook(plan: &mut Plan, agent_id: AgentId, actor: &str) -> Result<Applied, Refusal> {
    known(plan, agent_id)?;
    if let Some(live) = plan.state().assignment_of_agent(agent_id).cloned() {
        let reason = "its agent was unhooked";
        stop_by_hand(plan, &live, "unhooked", reason, actor);
        rest(plan, live.bead_id);
    }
    if plan.state().agents.get(&agent_id).is_some_and(|agent| agent.checkpoint.is_some()) {
        plan.update_agent(agent_id, |agent| agent.checkpoint = None);
    }
    Ok(Applied::Agent(agent_id))
}

/// Stops the live assignment of a bead and sets who shall have it next; nobody: back to the queue.
pub(super) fn reassign(
    plan: &mut Plan,
    bead_id: BeadId,
    agent_id: Option<AgentId>,
    actor: &str,
) -> Result<Applied, Refusal> {
    let bead = live_bead(plan, bead_id)?;
    if bead.kind != BeadType::Issue {
        return Err(Refusal::IllegalTransition(format!("a {} is given out by the rules", bead.kind)));
    }
    if let Some(wanted) = agent_id {
        let role = plan.state().agents.get(&wanted).map(|agent| agent.role);
        if role != Some(AgentRole::Polecat) {
            return Err(Refusal::UnknownReference(wanted.to_string()));
        }
        let other = plan.state().assignment_of_agent(wanted).filter(|live| live.bead_id != bead_id);
        if let Some(live) = other {
            return Err(Refusal::AgentBusy { agent_id: wanted, bead_id: live.bead_id });
        }
    }
    let live = plan.state().assignment_of_bead(bead_id).filter(|live| agent_id != Some(live.agent_id)).cloned();
    if let Some(live) = live {
        stop_by_hand(plan, &live, "reassigned", "its bead was given to somebody else", actor);
    }
    let was_claimed = bead.is_claimed();
    let is_resting = is_resting(&bead);
    if was_claimed || is_resting || bead.preferred_agent != agent_id {
        plan.update_bead(bead_id, |bead| {
            bead.preferred_agent = agent_id;
            if is_resting {
                bead.not_before = None;
            }
            if was_claimed {
                bead.end_claim();
                bead.status = BeadStatus::Open;
            }
        });
    }
    if was_claimed {
        plan.status_changed(bead_id, bead.status, BeadStatus::Open, actor);
    }
    Ok(Applied::Bead(bead_id))
}

/// Stops what an agent does. A reset begins anew: counters and back-off of its bead are cleared.
pub(super) fn stop(
    plan: &mut Plan,
    agent_id: AgentId,
    resets: bool,
    reason: Option<String>,
    actor: &str,
) -> Result<Applied, Refusal> {
    known(plan, agent_id)?;
    if let Some(live) = plan.state().assignment_of_agent(agent_id).cloned() {
        let code = if resets { "reset" } else { "stopped" };
        let reason = reason.unwrap_or_else(|| "a person stopped its agent".to_owned());
        stop_by_hand(plan, &live, code, &reason, actor);
        if resets {
            plan.update_bead(live.bead_id, Bead::clear_counters);
        } else {
            rest(plan, live.bead_id);
        }
    }
    Ok(Applied::Agent(agent_id))
}

/// Takes an agent out of the rig; its assignment is stopped first, uncharged, and its name is free.
pub(super) fn remove(plan: &mut Plan, agent_id: AgentId, actor: &str) -> Result<Applied, Refusal> {
    known(plan, agent_id)?;
    if let Some(live) = plan.state().assignment_of_agent(agent_id).cloned() {
        stop_by_hand(plan, &live, "agent_removed", "its agent was removed", actor);
    }
    agent::deregister(plan, agent_id);
    Ok(Applied::Agent(agent_id))
}

/// The agent that works on a bead closes it, where no review is needed (domain.md 3.2).
pub(super) fn close_own(plan: &mut Plan, bead_id: BeadId, agent_id: AgentId) -> Result<Applied, Refusal> {
    live_bead(plan, bead_id)?;
    let own = plan.state().assignment_of_bead(bead_id).filter(|live| live.agent_id == agent_id).cloned();
    let Some(live) = own else { return Err(Refusal::NotYours("an agent closes only its own bead".to_owned())) };
    let needs_review = match live.kind {
        Kind::Work | Kind::Review | Kind::Landing | Kind::Mayor => true,
        Kind::Rework | Kind::Conflict | Kind::Feedback | Kind::Fixup | Kind::Triage => false,
    };
    if needs_review {
        return Err(Refusal::IllegalTransition("this work is reviewed: report it as done".to_owned()));
    }
    let end = End::new(AssignmentOutcome::Done, "done", "the agent closed its bead");
    assignment::end(plan, live.assignment_id, end);
    bead::close(plan, bead_id, BeadOutcome::Done, &agent_id.to_string());
    Ok(Applied::Bead(bead_id))
}

fn known(plan: &Plan, agent_id: AgentId) -> Result<Agent, Refusal> {
    plan.state().agents.get(&agent_id).cloned().ok_or(Refusal::NoSuchAgent(agent_id))
}

/// An issue that dispatch would give out. The rest after an unhook keeps it from the rules, not from people.
fn check_issue(plan: &Plan, bead: &Bead) -> Result<(), Refusal> {
    if bead.kind != BeadType::Issue || bead.status != BeadStatus::Open {
        return Err(Refusal::NotHookable(format!("this {} is {}: nobody can begin it", bead.kind, bead.status)));
    }
    match dispatchable::obstacle(plan, bead) {
        Some(wait) if wait.code == WaitCode::BackingOff && is_resting(bead) => Ok(()),
        Some(wait) => Err(Refusal::NotHookable(wait.message)),
        None => Ok(()),
    }
}

/// A review that the refinery would be given.
fn check_review(plan: &Plan, bead: &Bead, is_replaced: bool) -> Result<(), Refusal> {
    let queued = plan.state().reviews.get(&bead.bead_id).filter(|review| review.state == ReviewState::Queued);
    let Some(review) = queued.filter(|_| !is_replaced) else {
        return Err(Refusal::NotHookable(format!(
            "this {} is {}: it does not wait for a review",
            bead.kind, bead.status
        )));
    };
    match assign_review::obstacle(plan, review) {
        Some(wait) => Err(Refusal::NotHookable(wait.message)),
        None => Ok(()),
    }
}

/// Whether the rig may have one more polecat at work, once `freed` of those at work are not.
fn check_slot(plan: &Plan, freed: usize) -> Result<(), Refusal> {
    let cap = plan.state().rig.settings.as_ref().map_or(POLECATS_PER_RIG, |s| s.config.max_concurrent_polecats);
    let at_work = plan.state().polecats_at_work().saturating_sub(freed);
    if at_work < usize::try_from(cap).unwrap_or(usize::MAX) {
        return Ok(());
    }
    Err(Refusal::LimitReached(format!("all {cap} polecat slots of the rig are taken")))
}

fn stop_by_hand(plan: &mut Plan, live: &Assignment, code: &str, reason: &str, actor: &str) {
    assignment::stop(plan, live.assignment_id, Pending::Stopped, code, reason);
    let event = plan.event("unhooked");
    plan.record(EventRow {
        bead_id: Some(live.bead_id),
        agent_id: Some(live.agent_id),
        assignment_id: Some(live.assignment_id),
        actor: actor.to_owned(),
        new: Some(code.to_owned()),
        ..event
    });
}

fn rest(plan: &mut Plan, bead_id: BeadId) {
    let until = plan.now() + UNHOOK_PAUSE;
    plan.update_bead(bead_id, |bead| bead.not_before = bead.not_before.max(Some(until)));
}

/// Whether the bead's back-off is only the rest after an unhook: nothing was charged to it.
fn is_resting(bead: &Bead) -> bool {
    bead.not_before.is_some() && bead.start_failures == 0 && bead.lost_leases == 0 && bead.agent_errors == 0
}

pub(super) fn set_status(plan: &mut Plan, session: SessionKey, message: String) -> Result<Applied, Refusal> {
    let Some(assignment) = live(plan, session) else { return Err(stale(plan, session)) };
    let now = plan.now();
    plan.update_agent(assignment.agent_id, |agent| {
        agent.status_message = Some(message.clone());
        agent.status_message_at = Some(now);
        agent.last_activity_at = Some(now);
    });
    let event = plan.event("agent_status");
    plan.record(EventRow {
        bead_id: Some(assignment.bead_id),
        agent_id: Some(assignment.agent_id),
        assignment_id: Some(assignment.assignment_id),
        actor: assignment.agent_id.to_string(),
        new: Some(message),
        ..event
    });
    Ok(Applied::Written)
}

pub(super) fn set_checkpoint(plan: &mut Plan, session: SessionKey, data: Value) -> Result<Applied, Refusal> {
    let Some(assignment) = live(plan, session) else { return Err(stale(plan, session)) };
    plan.update_assignment(assignment.assignment_id, |assignment| assignment.checkpoint = Some(data.clone()));
    plan.update_agent(assignment.agent_id, |agent| agent.checkpoint = Some(data));
    Ok(Applied::Written)
}
