//! What the rig has spent (domain.md 9.3): counted for the assignment, its bead and the bead's root, for the day, and for
//! the convoy. Totals only grow, so a lost or late report loses nothing and counts nothing twice.

use super::assignment::Assignment;
use super::bead::Bead;
use super::plan::{Plan, Write};
use super::state::State;
use crate::config::SpendLimit;
use crate::id::{BeadId, ConvoyId};
use crate::session::Usage;

/// Days that are kept in view: the present one, and the one whose last reports may be on their way.
pub const DAYS_KEPT: usize = 2;

/// Whose spend a row of `usage` counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Of a day in UTC, as `2026-11-20`.
    Day(String),
    /// Of a convoy, over all its time.
    Convoy(ConvoyId),
}

/// Adds what an assignment has spent since it was last heard of.
pub fn add(plan: &mut Plan, assignment: &Assignment, total: Usage) {
    let more = total.beyond(Usage {
        tokens_in: assignment.tokens_in,
        tokens_out: assignment.tokens_out,
        cost_micros: assignment.cost_micros,
    });
    if more == Usage::default() {
        return;
    }
    plan.update_assignment(assignment.assignment_id, |assignment| {
        assignment.tokens_in += more.tokens_in;
        assignment.tokens_out += more.tokens_out;
        assignment.cost_micros += more.cost_micros;
    });
    let bead_id = assignment.bead_id;
    let bead = plan.state().beads.get(&bead_id);
    let root_id = bead.map(|bead| bead.root_id);
    let convoy_id = bead.and_then(|bead| convoy_of(plan.state(), bead));
    add_to_bead(plan, bead_id, more);
    if let Some(root_id) = root_id.filter(|root_id| *root_id != bead_id) {
        add_to_bead(plan, root_id, more);
    }
    let day = plan.now().day();
    let of_day = plan.state().spending.days.get(&day).copied().unwrap_or_default();
    plan.write(Write::Usage(Scope::Day(day), of_day.plus(more)));
    if let Some(convoy_id) = convoy_id {
        let of_convoy = plan.state().spending.convoys.get(&convoy_id).copied().unwrap_or_default();
        plan.write(Write::Usage(Scope::Convoy(convoy_id), of_convoy.plus(more)));
    }
}

/// What a bead's whole family has spent: counted at its root.
pub fn of_family(state: &State, bead: &Bead) -> Usage {
    let root = state.beads.get(&bead.root_id).unwrap_or(bead);
    Usage { tokens_in: root.tokens_in, tokens_out: root.tokens_out, cost_micros: root.cost_micros }
}

/// What a bead's whole family may spend: the root's own limit, else the town's for one bead.
pub fn limit_of_family(state: &State, bead: &Bead) -> SpendLimit {
    let root = state.beads.get(&bead.root_id).unwrap_or(bead);
    let limit = state.rig.settings.as_ref().map(|settings| settings.config.budget.bead).unwrap_or_default();
    limit.or_own(root.budget_micros)
}

/// A review and its children count for the convoy of the work that they serve.
pub(super) fn convoy_of(state: &State, bead: &Bead) -> Option<ConvoyId> {
    // A review keeps the convoy that it began in, but it is the work itself that may have left it.
    state.beads.get(&bead.root_id).map_or(bead.convoy_id, |root| root.convoy_id)
}

fn add_to_bead(plan: &mut Plan, bead_id: BeadId, more: Usage) {
    plan.update_bead(bead_id, |bead| {
        bead.tokens_in += more.tokens_in;
        bead.tokens_out += more.tokens_out;
        bead.cost_micros += more.cost_micros;
    });
}
