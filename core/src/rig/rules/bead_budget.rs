//! R11: the spend of one bead, with everything that serves it, is bounded (domain.md 9.3). Near the limit people are told
//! once; at the limit the family's sessions finish and the root waits for a higher one.

use crate::id::{AssignmentId, BeadId};
use crate::rig::assignment::{self, Pending};
use crate::rig::bead::{self, BUDGET, Bead};
use crate::rig::escalation;
use crate::rig::plan::Plan;
use crate::rig::usage;
use crate::rig::wait::{Wait, WaitCode};

/// What a person may choose for a bead without budget, besides raising the limit.
const CHOICES: &[&str] = &["resume", "close", "fail"];

pub(crate) fn run(plan: &mut Plan) {
    let Some(percent) = plan.state().rig.settings.as_ref().map(|settings| settings.config.budget.warn_percent) else {
        return;
    };
    let is_root = |bead: &&Bead| bead.is_live() && bead.root_id == bead.bead_id;
    let roots: Vec<Bead> = plan.state().beads.values().filter(is_root).cloned().collect();
    for root in roots {
        look(plan, &root, percent);
    }
    say_why(plan);
}

fn look(plan: &mut Plan, root: &Bead, percent: u32) {
    let (limit, spent) = (usage::limit_of_family(plan.state(), root), usage::of_family(plan.state(), root));
    let is_reached = limit.is_reached(spent, 100);
    let is_parked_for_it = root.parked.as_ref().is_some_and(|parked| parked.code == BUDGET);
    if is_reached {
        if root.parked.is_none() {
            finish(plan, root, &limit.words(spent));
        }
        return;
    }
    if is_parked_for_it {
        bead::unpark(plan, root.bead_id);
        // What was fruitless while nobody acted on it ends with that.
        super::caps::run(plan);
        if plan.state().live_bead(root.bead_id).is_none() {
            return;
        }
    }
    warn(plan, root, limit.is_reached(spent, percent), &limit.words(spent));
}

/// Sessions of the family are told to finish; nothing of it starts before the limit is raised.
fn finish(plan: &mut Plan, root: &Bead, words: &str) {
    let message = format!("Its budget is used up: {words}. Raising it lets the work go on.");
    for assignment_id in sessions_of(plan, root.bead_id) {
        assignment::stop(plan, assignment_id, Pending::Budget, "budget_reached", &message);
    }
    bead::park(plan, root.bead_id, BUDGET, &message, CHOICES);
    let event = plan.event("budget_reached");
    plan.record(crate::rig::plan::EventRow { bead_id: Some(root.bead_id), ..event });
}

fn warn(plan: &mut Plan, root: &Bead, nears_end: bool, words: &str) {
    if nears_end && !root.is_budget_warned {
        plan.update_bead(root.bead_id, |bead| bead.is_budget_warned = true);
        escalation::raise_warning(plan, root, &format!("{words} are used."));
    } else if !nears_end && root.is_budget_warned {
        bead::forget_warning(plan, root.bead_id);
    }
}

/// Beads of a family without budget that nobody works on any more.
fn say_why(plan: &mut Plan) {
    let state = plan.state();
    let now = plan.now();
    let waits: Vec<Wait> = state
        .beads
        .values()
        .filter(|bead| bead.is_live() && state.assignment_of_bead(bead.bead_id).is_none())
        .filter_map(|bead| {
            let parked = state.parked(bead).filter(|parked| parked.code == BUDGET)?;
            Some(Wait::new(bead.bead_id, WaitCode::BudgetReached, parked.message.clone(), now).other(bead.root_id))
        })
        .collect();
    for wait in waits {
        plan.wait(wait);
    }
}

fn sessions_of(plan: &Plan, root_id: BeadId) -> Vec<AssignmentId> {
    let state = plan.state();
    let serves = |bead_id: &BeadId| state.beads.get(bead_id).is_some_and(|bead| bead.root_id == root_id);
    state.live_assignments().filter(|live| serves(&live.bead_id)).map(|live| live.assignment_id).collect()
}
