//! What the Town says about convoys, as commands of a scenario, and what the rig says back.

use gastown_core::id::{BeadId, ConvoyId};
use gastown_core::protocol::{
    Cancel, CancelBeads, CreateBeads, EdgeState, OpenLanding, Priority, RigToTown, TaskBead, TaskEdge, TownToRig,
};

use super::super::bead_id;
use super::Player;

impl Player {
    /// A command about convoys; false when it is none.
    pub(super) fn run_convoy(&mut self, words: &[&str]) -> bool {
        let convoy_id = CONVOY;
        let message = match *words {
            ["task", name, ref rest @ ..] => {
                let bead_id = bead_id(name);
                self.beads.insert(bead_id, name.to_owned());
                let mut order = order(convoy_id, rest);
                order.edges = edges(bead_id, rest);
                order.beads.push(TaskBead {
                    bead_id,
                    title: name.to_owned(),
                    body: None,
                    priority: Priority::Medium,
                    labels: rest.contains(&"held").then(|| "gt:held".to_owned()).into_iter().collect(),
                    metadata: serde_json::Map::new(),
                    model: None,
                    budget_micros: None,
                    created_by: "ann".to_owned(),
                    created_at: self.now,
                });
                TownToRig::CreateBeads(Box::new(order))
            }
            ["join", name, ref rest @ ..] => {
                let joins = vec![bead_id(name)];
                TownToRig::CreateBeads(Box::new(CreateBeads { joins, ..order(convoy_id, rest) }))
            }
            ["start-convoy", ref names @ ..] => TownToRig::StartBeads { convoy_id, bead_ids: ids(names) },
            ["skip", name] => TownToRig::SkipBead { convoy_id, bead_id: bead_id(name) },
            ["retry-task", ref names @ ..] => {
                TownToRig::RetryBeads { convoy_id, bead_ids: ids(names), actor: "ann".to_owned() }
            }
            ["cancel", how, ref names @ ..] => TownToRig::CancelBeads(Box::new(CancelBeads {
                convoy_id,
                bead_ids: names.iter().map(|name| self.known(name)).collect(),
                how: how.parse::<Cancel>().unwrap(),
                message: "its convoy ended".to_owned(),
                actor: "ann".to_owned(),
            })),
            ["gate", name, blocker, state] => {
                let (bead_id, blocker_id) = (bead_id(name), bead_id(blocker));
                match state {
                    "opened" => TownToRig::GateOpened { bead_id, blocker_id, waived: false },
                    "waived" => TownToRig::GateOpened { bead_id, blocker_id, waived: true },
                    "failed" => TownToRig::GateFailed { bead_id, blocker_id },
                    _ => TownToRig::GatePending { bead_id, blocker_id },
                }
            }
            ["land", attempt] => TownToRig::OpenLanding(Box::new(OpenLanding {
                convoy_id,
                title: "Dark mode".to_owned(),
                attempt: attempt.parse().unwrap(),
                bead_id: BeadId::from_u128((0xf000_0000 + attempt.parse::<u128>().unwrap()) << 96),
                branch: FEATURE.to_owned(),
                target: "main".to_owned(),
            })),
            _ => return false,
        };
        self.town_says(vec![message]);
        true
    }

    fn known(&self, name: &str) -> BeadId {
        self.beads.iter().find(|(_, known)| *known == name).map_or_else(|| bead_id(name), |(id, _)| *id)
    }

    /// What the rig says of tasks and landings, when it says something new.
    pub(super) fn tell_report(&mut self, message: &RigToTown) {
        let (bead_id, words) = match message {
            RigToTown::TaskStatus(status) => {
                let attempt = if status.attempt > 1 { format!(" attempt {}", status.attempt) } else { String::new() };
                let merged = status.merged_into.as_ref().map(|branch| format!(" into {branch}")).unwrap_or_default();
                (status.bead_id, format!("{}{attempt}{merged}", status.status))
            }
            RigToTown::TaskGone { bead_id, .. } => (*bead_id, "gone".to_owned()),
            RigToTown::LandingState(report) => {
                let more = report.commit.clone().or(report.reason.clone());
                (report.bead_id, format!("{}{}", report.progress, more.map(|m| format!(" ({m})")).unwrap_or_default()))
            }
            RigToTown::SlotAsked { .. }
            | RigToTown::SlotReleased { .. }
            | RigToTown::StartFailed { .. }
            | RigToTown::StartSucceeded { .. }
            | RigToTown::Activity(_)
            | RigToTown::Usage(_)
            | RigToTown::EscalationRaised(_)
            | RigToTown::EscalationCleared { .. }
            | RigToTown::TriageAsked(_)
            | RigToTown::MailOut(_)
            | RigToTown::TriageResolved(_)
            | RigToTown::TriageEnded { .. }
            | RigToTown::BeadMoved { .. }
            | RigToTown::Feed { .. } => return,
        };
        let words = format!("told the town: {} {words}", self.name(bead_id));
        if self.reports.insert(bead_id, words.clone()).as_ref() != Some(&words) {
            self.told.push(words);
        }
    }
}

/// The convoy of the scenario.
pub(super) const CONVOY: ConvoyId = ConvoyId::from_u128(0xc000_0001 << 96);
/// The branch where the tasks of the scenario's convoy meet.
const FEATURE: &str = "convoy/dark-mode/c0000001/head";

fn ids(names: &[&str]) -> Vec<BeadId> {
    names.iter().map(|name| bead_id(name)).collect()
}

fn order(convoy_id: ConvoyId, rest: &[&str]) -> CreateBeads {
    CreateBeads {
        convoy_id,
        staged: rest.contains(&"staged"),
        feature_branch: rest.contains(&"land").then(|| FEATURE.to_owned()),
        beads: Vec::new(),
        joins: Vec::new(),
        edges: Vec::new(),
    }
}

/// `after b1` within the rig, `across b9` to a task of another.
fn edges(bead_id: BeadId, rest: &[&str]) -> Vec<TaskEdge> {
    let pairs = rest.windows(2).filter(|pair| ["after", "across"].contains(&pair[0]));
    pairs
        .map(|pair| TaskEdge {
            bead_id,
            blocker_id: super::super::bead_id(pair[1]),
            cross: pair[0] == "across",
            state: EdgeState::Pending,
        })
        .collect()
}
