//! Molecules: the steps of an issue, as their makers and the agent at work see them.

use std::rc::Rc;

use gastown_core::rig::{Applied, Command};
use gastown_core::wire::api::molecule::{Molecule, MoleculeStep};

use super::calls::{AdvanceMolecule, CreateMolecule, CurrentStep};
use super::commit::View;
use super::{Desk, agent};
use crate::error::{Fault, Refusal, Result};
use crate::requests::Kept;

/// Makes the steps of an issue.
pub(super) async fn create(desk: &Rc<Desk>, call: CreateMolecule) -> Result<Kept<Molecule>> {
    desk.is_of(call.town_id)?;
    let idempotency = call.idempotency.clone();
    let now = || desk.now().unwrap_or(gastown_core::time::Timestamp::from_ms(0));
    desk.running
        .once(&desk.sql, now, idempotency.as_ref(), || async {
            let CreateMolecule { bead_id, steps, actor, .. } = call;
            run(desk, Command::CreateMolecule { bead_id, steps, actor }).await
        })
        .await
}

/// The current step of the agent's issue.
pub(super) async fn current(desk: &Rc<Desk>, call: CurrentStep) -> Result<MoleculeStep> {
    desk.read(|state| {
        let live = agent::live(state, &call.speaker)?;
        let bead_id = state.assignments.get(&live.session.assignment_id).map(|assignment| assignment.bead_id);
        let step = bead_id.and_then(|bead_id| MoleculeStep::current(state, bead_id));
        step.ok_or_else(|| Refusal::not_found("molecule").into())
    })
}

/// The agent has done the current step. A repeat under the same key is the same step.
pub(super) async fn advance(desk: &Rc<Desk>, call: AdvanceMolecule) -> Result<Kept<Molecule>> {
    let idempotency = call.idempotency.clone();
    let now = || desk.now().unwrap_or(gastown_core::time::Timestamp::from_ms(0));
    desk.running
        .once(&desk.sql, now, idempotency.as_ref(), || async {
            let session = agent::session_of(desk, &call.speaker)?;
            run(desk, Command::AdvanceMolecule { session, summary: call.summary }).await
        })
        .await
}

async fn run(desk: &Rc<Desk>, command: Command) -> Result<Molecule> {
    let committed = desk.handle(command, |View { state, .. }, applied| {
        let Applied::Bead(molecule_id) = applied else {
            return Err(Fault::new("read a molecule", format_args!("{applied:?}")).into());
        };
        let molecule = state.beads.get(&molecule_id).map(|bead| Molecule::of(state, bead));
        molecule.ok_or_else(|| Refusal::not_found("molecule").into())
    })?;
    desk.act(committed.effects).await;
    Ok(committed.value)
}
