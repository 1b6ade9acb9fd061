//! What people and agents might ask of a rig, at random.

use std::time::Duration;

use gastown_core::id::{AgentId, BeadId};
use gastown_core::rig::Command;
use gastown_core::rig::agent::AgentRole;
use gastown_core::rig::bead::{BeadStatus, HELD};
use gastown_core::rig::command::{BeadPatch, NewAgent, NewNudge};
use gastown_core::rig::nudge::{NudgeMode, NudgePriority, NudgeSource};
use serde_json::json;

use crate::random::Random;

/// A change of some fields.
pub(super) fn a_patch(random: &mut Random, other: BeadId) -> BeadPatch {
    BeadPatch {
        title: random.maybe("Fix it well".to_owned()),
        body: random.maybe(None),
        priority: None,
        labels: random.maybe(["docs".to_owned()].into()),
        metadata: random.maybe(json!({ "n": null, "m": 2 }).as_object().unwrap().clone()),
        model: random.maybe(None),
        budget_micros: random.maybe(Some(7)),
        depends_on: random.maybe(vec![other]).filter(|_| random.one_in(2)),
        parent_id: random.pick([None, None, None, None, None, Some(None), Some(Some(other))]).flatten(),
        add_labels: random.maybe("late".to_owned()).into_iter().collect(),
        remove_labels: random.maybe(HELD.to_owned()).into_iter().collect(),
        status: random.pick(BeadStatus::ALL.iter().copied()).filter(|_| random.one_in(4)),
    }
}

/// What people do with agents by hand.
pub(super) fn by_hand(random: &mut Random, agent_id: AgentId, bead_id: BeadId, actor: String) -> Command {
    match random.below(8) {
        0 => Command::Register(NewAgent {
            role: random.pick([AgentRole::Polecat, AgentRole::Refinery]).unwrap(),
            name: format!("Mango{}", random.below(3)),
            identity: format!("someone-{}", random.below(9)),
        }),
        1 => Command::GetAgent(AgentRole::Polecat),
        2 => Command::Hook { agent_id, bead_id, actor },
        3 => Command::Unhook { agent_id, actor },
        4 => Command::Reassign { bead_id, agent_id: random.maybe(agent_id), actor },
        5 => Command::StopAgent { agent_id, resets: random.one_in(2), reason: None, actor },
        6 => Command::RemoveAgent { agent_id, actor },
        _ => Command::CloseOwn { bead_id, agent_id },
    }
}

/// A nudge of somebody.
pub(super) fn a_nudge(random: &mut Random, agent_id: AgentId) -> Command {
    Command::SendNudge(NewNudge {
        agent_id,
        message: "Hurry".to_owned(),
        mode: random.pick(NudgeMode::ALL.iter().copied()).unwrap(),
        priority: random.pick(NudgePriority::ALL.iter().copied()).unwrap(),
        source: random.pick(sources(agent_id)).unwrap(),
        keep: random.maybe(Duration::from_secs(60)),
    })
}

/// One of each kind.
fn sources(agent_id: AgentId) -> [NudgeSource; 7] {
    [
        NudgeSource::Idle,
        NudgeSource::Silence,
        NudgeSource::Escalation("ann: the first".to_owned()),
        NudgeSource::Agent(agent_id),
        NudgeSource::User("ann".to_owned()),
        NudgeSource::Mayor,
        NudgeSource::System,
    ]
}
