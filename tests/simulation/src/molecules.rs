//! Molecules (domain.md 10.5): people give work an order of steps, agents close them one by one, and sometimes forget the
//! last ones.

use gastown_core::id::BeadId;
use gastown_core::rig::{self, molecule};
use gastown_core::session::{Kind, SessionKey};

use crate::happening::{AgentCall, RigNo};
use crate::world::World;

impl World {
    /// Somebody writes down the steps of a bead.
    pub(crate) fn steps_for(&mut self, bead_id: BeadId) -> (&'static str, rig::Command) {
        let count = self.people_chance.between(1, 4);
        let steps = (1..=count).map(|n| (format!("Step {n}"), "Do it.".to_owned())).collect();
        ("steps", rig::Command::CreateMolecule { bead_id, steps, actor: "ann".to_owned() })
    }

    /// The agent looks at its current step, and closes it; true when it did something about it.
    pub(crate) fn agent_takes_a_step(&mut self, rig: RigNo, key: SessionKey) -> bool {
        let Some(state) = self.rigs[rig].rows() else { return false };
        let Some(row) = state.assignments.get(&key.assignment_id).filter(|row| row.kind == Kind::Work) else {
            return false;
        };
        let Some(step) = molecule::open_steps(state, row.bead_id).first().map(|step| step.idx) else { return false };
        if !self.runtime_chance.happens(0.85) {
            return false;
        }
        self.agent_calls(key, AgentCall::Advance(key, step));
        true
    }
}
