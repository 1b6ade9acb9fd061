//! Random commands about convoys, and what rigs say of tasks and landings.

use gastown_core::config::ConvoyMergeMode;
use gastown_core::id::{BeadId, ConvoyId, RigId};
use gastown_core::protocol::{
    BeadStatus, LandingProgress, LandingReport, Priority, RigToTown, TaskShown, TaskStatus, TaskWait,
};
use gastown_core::time::Timestamp;
use gastown_core::town::convoy::{Blocker, ConvoyCommand, ConvoyPatch, Join, NewConvoy, NewTask, TaskFields};
use gastown_core::town::state::State;
use serde_json::json;

use crate::random::Random;

/// A command about a convoy; about one that is not there when the town has none.
pub(super) fn command(random: &mut Random, state: &State, rig_id: RigId) -> ConvoyCommand {
    let convoy_id = random.pick(state.convoys.keys().copied()).unwrap_or(ConvoyId::from_u128(1));
    let tasks = || state.tasks.values().filter(|task| task.convoy_id == convoy_id).map(|task| task.bead_id);
    let bead_id = random.pick(tasks()).unwrap_or(BeadId::from_u128(1));
    let actor = "ann".to_owned();
    match random.below(12) {
        0..=3 => ConvoyCommand::Create(new_convoy(random, state, rig_id)),
        4 => ConvoyCommand::Start(convoy_id),
        5 => ConvoyCommand::AddTask { convoy_id, task: new_task(random, rig_id, vec![Blocker::Bead(bead_id)]) },
        6 => ConvoyCommand::AddBead { convoy_id, join: join(random, rig_id), depends_on: vec![bead_id] },
        7 => ConvoyCommand::RemoveTask { convoy_id, bead_id, actor },
        8 if random.one_in(2) => ConvoyCommand::SetDependencies { bead_id, depends_on: Vec::new() },
        8 => ConvoyCommand::SetDependencies { bead_id, depends_on: tasks().filter(|_| random.one_in(3)).collect() },
        9 => ConvoyCommand::Update {
            convoy_id,
            patch: ConvoyPatch {
                title: random.maybe("Another \"title\"".to_owned()),
                merge_mode: random.pick(ConvoyMergeMode::ALL.iter().copied()),
                feature_branch: random.maybe("convoy/mine/head".to_owned()),
                budget_micros: random.maybe(Some(5_000_000)),
            },
        },
        10 if random.one_in(2) => ConvoyCommand::Retry { convoy_id, bead_ids: Vec::new(), actor },
        10 => ConvoyCommand::Skip { convoy_id, bead_ids: Vec::new() },
        _ if random.one_in(2) => ConvoyCommand::Abort { convoy_id, reason: random.maybe("no".to_owned()), actor },
        _ => ConvoyCommand::Close { convoy_id, actor },
    }
}

fn new_convoy(random: &mut Random, state: &State, rig_id: RigId) -> NewConvoy {
    let other = random.pick(state.rigs.keys().copied()).unwrap_or(rig_id);
    let count = random.below(4) + 1;
    let tasks = (0..count)
        .map(|n| {
            let after = (0..n).filter(|_| random.one_in(2)).map(Blocker::Index).collect();
            new_task(random, if n % 2 == 0 { rig_id } else { other }, after)
        })
        .collect();
    NewConvoy {
        convoy_id: Some(ConvoyId::from_u128(random.id())),
        title: "Dark mode".to_owned(),
        tasks,
        joins: if random.one_in(3) { vec![join(random, rig_id)] } else { Vec::new() },
        merge_mode: random.pick(ConvoyMergeMode::ALL.iter().copied()),
        staged: random.maybe(true),
        is_parallel: true,
        budget_micros: random.maybe(2_500_000),
        metadata: json!({ "n": 1.5 }).as_object().unwrap().clone(),
        created_by: "ann".to_owned(),
        refuses_repeat: random.one_in(4),
    }
}

fn new_task(random: &mut Random, rig_id: RigId, after: Vec<Blocker>) -> NewTask {
    let fields = TaskFields {
        title: format!("Task {}", random.below(9)),
        body: random.maybe("Say \"hello\".".to_owned()),
        priority: random.pick(Priority::ALL.iter().copied()),
        ..TaskFields::default()
    };
    NewTask { bead_id: Some(BeadId::from_u128(random.id())), rig_id, fields, after }
}

fn join(random: &mut Random, rig_id: RigId) -> Join {
    Join {
        bead_id: BeadId::from_u128(random.id()),
        rig_id,
        convoy_id: None,
        status: random.pick(BeadStatus::ALL.iter().copied()).unwrap(),
        attempt: 2,
        shown: TaskShown::new("Joins".to_owned(), Priority::High),
        blockers: Vec::new(),
    }
}

/// What a rig says of a convoy; nothing when the town has none.
pub(super) fn report(random: &mut Random, state: &State, rig_id: RigId, now: Timestamp) -> Option<RigToTown> {
    let parts = state.convoy_rigs.values().filter(|part| part.rig_id == rig_id && part.landing_bead.is_some());
    if let Some(part) = random.pick(parts.cloned()).filter(|_| random.one_in(2)) {
        let progress = random.pick(LandingProgress::ALL.iter().copied())?;
        return Some(RigToTown::LandingState(LandingReport {
            convoy_id: part.convoy_id,
            bead_id: part.landing_bead?,
            progress,
            commit: random.maybe("feed5eed".to_owned()),
            reason: random.maybe("it does not fit".to_owned()),
        }));
    }
    let task = random.pick(state.tasks.values().filter(|task| task.rig_id == rig_id).cloned())?;
    if random.one_in(12) {
        return Some(RigToTown::TaskGone { convoy_id: task.convoy_id, bead_id: task.bead_id });
    }
    let status = random.pick(BeadStatus::ALL.iter().copied())?;
    let branch = state.convoy_rigs.get(&(task.convoy_id, rig_id)).and_then(|part| part.feature_branch.clone());
    Some(RigToTown::TaskStatus(Box::new(TaskStatus {
        convoy_id: task.convoy_id,
        bead_id: task.bead_id,
        attempt: task.attempt + u32::from(random.one_in(8)),
        status,
        merged_into: branch.filter(|_| status == BeadStatus::Closed),
        failure: (status == BeadStatus::Failed).then(|| "it went wrong".to_owned()),
        shown: TaskShown {
            is_started: true,
            wait: random.maybe(TaskWait {
                code: "blocked".to_owned(),
                message: "It waits for \"that\".".to_owned(),
                since: now,
                until: Some(now),
                scope: "bead".to_owned(),
                bead_id: task.bead_id,
                agent_id: None,
            }),
            cost_micros: 17,
            ..task.shown
        },
    })))
}
