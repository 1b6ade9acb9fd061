//! Steps of molecules, and lessons of finished work.

use gastown::rig::store;
use gastown_core::rig::bead::{Bead, BeadType};
use gastown_core::rig::lesson::Lesson;
use gastown_core::rig::molecule::{MoleculeStep, StepState};
use gastown_core::rig::{self, Write};

use super::rows::{a_rig_store, at, bead, full_bead};

#[test]
fn steps_of_live_molecules_and_lessons_come_back() {
    let sql = a_rig_store();
    let mut state = store::load(&sql).unwrap().unwrap();
    let step = MoleculeStep {
        molecule_id: bead(4),
        idx: 1,
        step_id: bead(5),
        title: "write".to_owned(),
        instructions: "Write \"it\".".to_owned(),
        state: StepState::Closed,
        summary: Some("It is written.".to_owned()),
        closed_at: Some(at(3)),
    };
    let molecule = Bead { kind: BeadType::Molecule, ..full_bead(4) };
    for row in [Write::Bead(Box::new(molecule)), Write::Step(step)] {
        store::write(&sql, "test", &row).unwrap();
        rig::plan::apply(&mut state, &row);
    }
    assert_eq!(store::load(&sql).unwrap().unwrap(), state);
    let lesson = |n: u32| Lesson {
        bead_id: bead(n),
        title: "Fix it".to_owned(),
        labels: vec!["bug".to_owned()],
        files: vec!["src/a.rs".to_owned()],
        summary: "It is fixed.".to_owned(),
        findings: "The name was wrong.".to_owned(),
        outcome: "merged".to_owned(),
        at: at(i64::from(n)),
    };
    for n in [1, 3, 2, 3] {
        store::write(&sql, "test", &Write::Lesson(Box::new(lesson(n)))).unwrap();
    }
    assert_eq!(store::lessons(&sql).unwrap(), [lesson(3), lesson(2), lesson(1)]);
    assert_eq!(store::load(&sql).unwrap().unwrap(), state);
}
