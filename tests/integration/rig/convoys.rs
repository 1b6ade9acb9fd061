//! Random messages of the Town about convoys.

use gastown_core::id::{BeadId, ConvoyId};
use gastown_core::protocol::{
    Cancel, CancelBeads, CreateBeads, EdgeState, OpenLanding, Priority, TaskBead, TaskEdge, TownToRig,
};
use gastown_core::sorted::SortedSet;
use gastown_core::time::Timestamp;

use super::model::random_id;
use crate::random::Random;

/// A message about a convoy's tasks: those that are there, and those that are not.
pub(super) fn message(random: &mut Random, now: Timestamp, bead_id: BeadId, blocker_id: BeadId) -> TownToRig {
    let convoy_id = ConvoyId::from_u128(7);
    let branch = "convoy/dark-mode/00000007/head".to_owned();
    match random.below(10) {
        0..=2 => TownToRig::CreateBeads(Box::new(CreateBeads {
            convoy_id,
            staged: random.one_in(4),
            feature_branch: random.maybe(branch),
            beads: vec![TaskBead {
                bead_id: BeadId::from_u128(random_id(now, 2)),
                title: "A task".to_owned(),
                body: None,
                priority: Priority::High,
                labels: SortedSet::from(["bug".to_owned()]),
                metadata: serde_json::Map::new(),
                model: None,
                budget_micros: random.maybe(1_000),
                created_by: "ann".to_owned(),
                created_at: now,
            }],
            joins: vec![bead_id],
            edges: vec![TaskEdge {
                bead_id: BeadId::from_u128(random_id(now, 2)),
                blocker_id: BeadId::from_u128(9),
                cross: true,
                state: EdgeState::Pending,
            }],
        })),
        3 => TownToRig::StartBeads { convoy_id, bead_ids: vec![bead_id] },
        4 => TownToRig::SkipBead { convoy_id, bead_id },
        5 => TownToRig::RetryBeads { convoy_id, bead_ids: vec![bead_id], actor: "ann".to_owned() },
        6 => TownToRig::CancelBeads(Box::new(CancelBeads {
            convoy_id,
            bead_ids: vec![bead_id],
            how: random.pick(Cancel::ALL.iter().copied()).unwrap(),
            message: "its convoy ended".to_owned(),
            actor: "ann".to_owned(),
        })),
        7 => TownToRig::GateOpened { bead_id, blocker_id: BeadId::from_u128(9), waived: random.one_in(2) },
        8 => TownToRig::GateFailed { bead_id, blocker_id },
        _ => TownToRig::OpenLanding(Box::new(OpenLanding {
            convoy_id,
            title: "Dark mode".to_owned(),
            attempt: 1,
            bead_id: BeadId::from_u128(random_id(now, 3)),
            branch,
            target: "next".to_owned(),
        })),
    }
}
