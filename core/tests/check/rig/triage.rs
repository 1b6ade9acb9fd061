//! Steps of scenarios about answers and triage, and what must hold between a rig and the inbox of its town.

use gastown_core::id::{BeadId, EscalationId};
use gastown_core::protocol::{EscalationAnswered, TownToRig, TriageAction, TriageAsked, TriageItem, TriageKind};
use gastown_core::rig::Command;
use gastown_core::rig::answer;
use gastown_core::rig::bead::BeadStatus;
use gastown_core::rig::triage::Decide;
use serde_json::json;

use super::{Player, agent_name};

impl Player {
    pub(super) fn run_triage(&mut self, words: &[&str]) {
        match *words {
            ["answer", name, text, ref rest @ ..] => {
                let answered = EscalationAnswered {
                    escalation_id: EscalationId::from_u128(1),
                    bead_id: Some(self.bead(name)),
                    agent_id: None,
                    by: "ann".to_owned(),
                    message: text.to_owned(),
                    retries: rest.contains(&"retry"),
                };
                self.town_says(vec![TownToRig::EscalationAnswered(Box::new(answered))]);
            }
            ["answers", name] => {
                let bead = &self.state.as_ref().unwrap().beads[&self.bead(name)];
                let lines: Vec<String> =
                    answer::of_bead(bead).into_iter().map(|(by, message)| format!("{by}: {message}")).collect();
                self.told.extend(lines);
            }
            ["mail-of", agent] => {
                let state = self.state.as_ref().unwrap();
                let agent_id = self.agent(agent);
                let lines: Vec<String> = state
                    .mail
                    .values()
                    .filter(|mail| mail.to_agent == Some(agent_id))
                    .map(|mail| format!("{}: {}", mail.subject, mail.body))
                    .collect();
                self.told.extend(lines);
            }
            ["batch", name, ref agents @ ..] => {
                let batch_id = BeadId::from_u128((0xc000_0000 + name[1..].parse::<u128>().unwrap()) << 96);
                self.beads.insert(batch_id, name.to_owned());
                let requests = agents.iter().map(|agent| self.item(agent)).collect();
                self.town_says(vec![TownToRig::RunTriage { batch_id, requests }]);
            }
            ["decide", who, about, action, notes, ref rest @ ..] => {
                let decide = Decide {
                    session: self.session(who),
                    request_id: request(about),
                    action: TriageAction::read(action).unwrap(),
                    notes: notes.to_owned(),
                    guidance: rest.first().map(|&words| words.to_owned()),
                };
                self.command(Command::ResolveTriage(decide));
            }
            ref other => panic!("no such command: {other:?}"),
        }
    }

    /// A request about an agent's live session; one about an agent without a session names its last one.
    fn item(&self, agent: &str) -> TriageItem {
        let state = self.state.as_ref().unwrap();
        let live = state.live_assignments().find(|a| agent_name(state, state, a).eq_ignore_ascii_case(agent));
        TriageItem {
            created_at: self.now,
            asked: TriageAsked {
                request_id: request(agent),
                kind: TriageKind::StuckAgent,
                agent_id: live.map(|live| live.agent_id),
                bead_id: live.map(|live| live.bead_id),
                assignment_id: Some(self.session(agent).assignment_id),
                options: TriageAction::ALL.iter().map(ToString::to_string).collect(),
                context: json!("silent"),
            },
            decided: None,
        }
    }

    /// Invariant 23: a parked bead has exactly one open escalation; what is open about a bead has a cause.
    pub(super) fn check_inbox(&self) {
        let state = self.state.as_ref().unwrap();
        for bead in state.beads.values().filter(|bead| bead.is_live() && bead.parked.is_some()) {
            let key = format!("bead:{}", bead.bead_id);
            assert!(self.inbox.contains(&key), "23: {} is parked without an escalation", self.name(bead.bead_id));
        }
        for bead_id in self.inbox.iter().filter_map(|key| key.strip_prefix("bead:")?.parse::<BeadId>().ok()) {
            let is_parked = state.live_bead(bead_id).is_some_and(|bead| bead.parked.is_some());
            let has_failed = self.archive.get(&bead_id).is_some_and(|bead| bead.status == BeadStatus::Failed);
            assert!(is_parked || has_failed, "23: the escalation of {} has no cause", self.name(bead_id));
        }
    }
}

fn request(about: &str) -> BeadId {
    BeadId::from_u128(about.to_lowercase().bytes().fold(0, |id, byte| (id << 8) | u128::from(byte)) << 32)
}
