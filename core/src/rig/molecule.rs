//! Molecules (domain.md 10.5): an ordered list of steps on an issue. The agent at work on it has one current step, the
//! first that is open; a new assignment goes on where the last one stopped. The last step closes the molecule.

use serde_json::json;

use super::assignment::Assignment;
use super::bead::{self, Bead, BeadOutcome, BeadStatus, BeadType};
use super::plan::{EventRow, Plan, Write};
use super::state::State;
use crate::id::BeadId;
use crate::text_enum;
use crate::time::Timestamp;

/// The label of a molecule's bead.
pub const MOLECULE: &str = "gt:molecule";

text_enum! {
    /// Whether a step is still to be done.
    pub enum StepState {
        Open = "open",
        Closed = "closed",
    }
}

/// Every change of a step, and what causes it.
pub const TRANSITIONS: &[(StepState, &str, StepState)] = &[(StepState::Open, "advance", StepState::Closed)];

/// One step of a molecule (domain.md 2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoleculeStep {
    /// The molecule.
    pub molecule_id: BeadId,
    /// Place in it, from 0.
    pub idx: u32,
    /// Identity.
    pub step_id: BeadId,
    /// One line.
    pub title: String,
    /// What to do.
    pub instructions: String,
    /// Whether it is still to be done.
    pub state: StepState,
    /// What the agent says it did.
    pub summary: Option<String>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// The live molecule of an issue.
pub fn of_bead(state: &State, bead_id: BeadId) -> Option<&Bead> {
    state.beads.values().find(|bead| {
        bead.kind == BeadType::Molecule && bead.parent_id == Some(bead_id) && bead.status == BeadStatus::Open
    })
}

/// Steps of a molecule, in order.
pub fn steps(state: &State, molecule_id: BeadId) -> Vec<&MoleculeStep> {
    state.steps.range((molecule_id, 0)..=(molecule_id, u32::MAX)).map(|(_, step)| step).collect()
}

/// Steps of an issue's molecule that are still to be done, in order.
pub fn open_steps(state: &State, bead_id: BeadId) -> Vec<&MoleculeStep> {
    let steps = of_bead(state, bead_id).map(|molecule| steps(state, molecule.bead_id)).unwrap_or_default();
    steps.into_iter().filter(|step| step.state == StepState::Open).collect()
}

/// Makes the molecule of an issue.
pub fn make(plan: &mut Plan, parent: &Bead, formula: Vec<(String, String)>, actor: &str) -> BeadId {
    let (molecule_id, now) = (plan.mint(), plan.now());
    let title = format!("Steps of {}", parent.title);
    let mut molecule = Bead::new(molecule_id, BeadType::Molecule, title.clone(), actor.to_owned(), now);
    molecule.labels.insert(MOLECULE.to_owned());
    molecule.parent_id = Some(parent.bead_id);
    molecule.root_id = parent.root_id;
    molecule.age_at = parent.age_at;
    plan.write(Write::Bead(Box::new(molecule)));
    for (idx, (title, instructions)) in (0..).zip(formula) {
        let step_id = plan.mint();
        plan.write(Write::Step(MoleculeStep {
            molecule_id,
            idx,
            step_id,
            title,
            instructions,
            state: StepState::Open,
            summary: None,
            closed_at: None,
        }));
    }
    let key = "molecule_bead_id".to_owned();
    plan.update_bead(parent.bead_id, |bead| drop(bead.metadata.insert(key, json!(molecule_id))));
    let event = plan.event("created");
    plan.record(EventRow { bead_id: Some(molecule_id), actor: actor.to_owned(), new: Some(title), ..event });
    molecule_id
}

/// Closes the current step of the session's issue, and with the last one the molecule, which is returned.
pub fn advance(plan: &mut Plan, assignment: &Assignment, summary: String) -> Option<BeadId> {
    let molecule_id = of_bead(plan.state(), assignment.bead_id)?.bead_id;
    let current = open_steps(plan.state(), assignment.bead_id).first().copied()?.clone();
    let closed_at = Some(plan.now());
    plan.write(Write::Step(MoleculeStep { state: StepState::Closed, summary: Some(summary), closed_at, ..current }));
    if open_steps(plan.state(), assignment.bead_id).is_empty() {
        bead::close(plan, molecule_id, BeadOutcome::Done, &assignment.agent_id.to_string());
    } else {
        plan.update_bead(molecule_id, |_| ());
    }
    Some(molecule_id)
}

/// The author's words to the reviewer, with the steps that were left open.
pub fn with_open_steps(state: &State, bead_id: BeadId, summary: Option<String>) -> Option<String> {
    let open: Vec<String> =
        open_steps(state, bead_id).iter().map(|step| format!("- {}. {}", step.idx + 1, step.title)).collect();
    if open.is_empty() {
        return summary;
    }
    let said = summary.map(|words| format!("{words}\n\n")).unwrap_or_default();
    Some(format!("{said}Steps left open:\n{}", open.join("\n")))
}
