//! R25: dispatchable issues get polecats, by priority, then age, then id, up to the rig's cap. The cap is looked at only
//! here: a lowered cap stops no one.

use std::cmp::Reverse;

use super::dispatchable::{finishing, is_unassigned, obstacle};
use crate::id::{AgentId, AssignmentId};
use crate::limits::POLECATS_PER_RIG;
use crate::rig::agent::{self, AgentRole};
use crate::rig::assignment;
use crate::rig::bead::{Bead, BeadStatus};
use crate::rig::plan::Plan;
use crate::rig::wait::{Wait, WaitCode};

pub(crate) fn run(plan: &mut Plan) {
    let mut issues: Vec<Bead> = plan
        .state()
        .beads
        .values()
        .filter(|bead| bead.is_live_issue() && bead.status == BeadStatus::Open)
        .cloned()
        .collect();
    crate::sorted::sort_by_key(&mut issues, |bead| (Reverse(bead.priority), bead.age_at, bead.bead_id));
    let cap = plan.state().rig.settings.as_ref().map_or(POLECATS_PER_RIG, |s| s.config.max_concurrent_polecats);
    for bead in issues {
        if let Some(wait) = finishing(plan, &bead) {
            plan.wait(wait);
        } else if !is_unassigned(plan, &bead) {
            // Queued: ask_slot and start speak for it.
        } else if let Some(wait) = obstacle(plan, &bead) {
            plan.wait(wait);
        } else if plan.state().polecats_at_work() >= usize::try_from(cap).unwrap_or(usize::MAX) {
            let message = format!("All {cap} polecat slots of the rig are taken.");
            let now = plan.now();
            plan.wait(Wait::new(bead.bead_id, WaitCode::NoSlotRig, message, now));
        } else {
            assign(plan, &bead);
        }
    }
}

fn assign(plan: &mut Plan, bead: &Bead) {
    let idle = agent::idle_polecat(plan.state(), bead.preferred_agent);
    let agent_id: AgentId = idle.unwrap_or_else(|| {
        let name = agent::free_name(plan.state());
        agent::register(plan, AgentRole::Polecat, name)
    });
    let actor = plan.rule();
    assign_to(plan, bead, agent_id, actor);
}

/// Gives an issue to this polecat, on a branch of its own.
pub(crate) fn assign_to(plan: &mut Plan, bead: &Bead, agent_id: AgentId, actor: &str) -> Option<AssignmentId> {
    choose_branch(plan, bead, agent_id);
    assignment::assign_by(plan, bead.bead_id, agent_id, actor)
}

/// Chosen once per bead, at its first assignment, and kept when another agent takes over (domain.md 4, Branches).
fn choose_branch(plan: &mut Plan, bead: &Bead, agent_id: AgentId) {
    let has_code = assignment::kind_of(plan, bead) != crate::session::Kind::Triage;
    if bead.branch.is_some() || !has_code {
        return;
    }
    let fixup = bead
        .metadata
        .get("branch")
        .and_then(|branch| branch.as_str())
        .filter(|_| assignment::kind_of(plan, bead) == crate::session::Kind::Fixup);
    let name = plan.state().agents.get(&agent_id).map(|agent| agent.name.clone()).unwrap_or_default();
    let branch = fixup.map_or_else(|| agent::work_branch(plan.state(), &name, bead), str::to_owned);
    let target = plan.state().rig.target_branch.clone();
    plan.update_bead(bead.bead_id, |bead| {
        bead.branch = Some(branch);
        bead.base = bead.base.take().or_else(|| Some(target.clone()));
        bead.target = bead.target.take().or(Some(target));
    });
}
