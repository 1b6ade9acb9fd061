//! Agents that ask for help, and agents that decide about others (domain.md 9.6): the agent of a batch goes through its
//! requests, leaves some of them open, and reports.

use gastown_core::protocol::{Severity, TriageAction, TriageItem};
use gastown_core::rig::command::Done;
use gastown_core::rig::triage::{self, Decide};
use gastown_core::session::SessionKey;
use gastown_core::town;
use gastown_core::town::escalation::AgentEscalation;

use super::session::Session;
use crate::happening::{AgentCall, AgentHeard};
use crate::world::World;

impl World {
    /// The agent of a batch: it decides, a while later it reports.
    pub(super) fn triage_works(&mut self, session: &Session) {
        let key = session.key;
        let open: Vec<TriageItem> = self.batch_of(session).into_iter().filter(|item| item.decided.is_none()).collect();
        let is_done = session.has_decided || open.is_empty();
        if is_done {
            let done = Done {
                session: key,
                branch: String::new(),
                commit: None,
                summary: None,
                files: Vec::new(),
                pr_url: None,
            };
            return self.agent_calls(key, AgentCall::Done(done));
        }
        for item in open {
            if self.runtime_chance.happens(0.85) {
                let decide = self.decision(key, &item);
                self.agent_calls(key, AgentCall::Resolve(decide));
            }
        }
        let now = self.now;
        if let Some(session) = self.runtime.live_mut(key) {
            session.has_decided = true;
            session.progress_at = Some(now);
        }
        self.session_moves_in(key, 2_000, 40_000);
    }

    fn batch_of(&self, session: &Session) -> Vec<TriageItem> {
        let Some(state) = session.rig.and_then(|rig| self.rigs[rig].rows()) else { return Vec::new() };
        let live = state.assignments.get(&session.key.assignment_id);
        let batch = live.and_then(|live| state.beads.get(&live.bead_id));
        batch.map(triage::requests).unwrap_or_default()
    }

    fn decision(&mut self, session: SessionKey, item: &TriageItem) -> Decide {
        let offered: Vec<TriageAction> =
            item.asked.options.iter().filter_map(|word| TriageAction::read(word)).collect();
        // Now and then an agent decides what is not offered, or about what is not its own.
        let any = self.runtime_chance.pick(TriageAction::ALL).copied().unwrap_or(TriageAction::Discard);
        let action = match self.runtime_chance.happens(0.95) {
            true => self.runtime_chance.pick(&offered).copied().unwrap_or(any),
            false => any,
        };
        let guidance = self.runtime_chance.happens(0.3).then(|| "Look at the tests first.".to_owned());
        Decide { session, request_id: item.asked.request_id, action, notes: "It seems so.".to_owned(), guidance }
    }

    /// An agent at work asks people to see something.
    pub(super) fn agent_asks_for_help(&mut self, session: &Session) {
        let Some(rig) = session.rig else { return };
        let severities = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
        let state = self.rigs[rig].rows();
        let live = state.and_then(|state| state.assignments.get(&session.key.assignment_id));
        let bead_id = live.map(|live| live.bead_id);
        let raised = AgentEscalation {
            rig_id: self.rigs[rig].rig_id,
            agent_id: session.agent_id,
            agent_name: "an agent".to_owned(),
            assignment_id: Some(session.key.assignment_id),
            bead_id,
            severity: self.runtime_chance.pick(&severities).copied().unwrap_or(Severity::Medium),
            category: "agent".to_owned(),
            title: self.runtime_chance.pick(&["Help", "The tests fail"]).copied().unwrap_or("Help").to_owned(),
            body: "I do not know how to go on.".to_owned(),
            metadata: serde_json::Map::new(),
        };
        self.agent_calls(session.key, AgentCall::Escalate(Box::new(raised)));
    }

    /// An agent's escalation reaches the Town, once its rig knows the speaker (`src/rig/triage.rs`, `who_speaks`).
    pub(super) fn escalation_arrives(&mut self, key: SessionKey, raised: AgentEscalation) -> AgentHeard {
        let rig = self.rigs.iter().position(|rig| rig.rig_id == raised.rig_id);
        let state = rig.and_then(|rig| self.rigs[rig].rows());
        let Some(state) = state else { return AgentHeard::Refused };
        let live = state.assignments.get(&key.assignment_id);
        if live.is_none_or(|live| live.epoch != key.epoch || !live.is_live()) {
            return AgentHeard::Stale;
        }
        let command = town::Command::Escalate(Box::new(raised));
        match self.town_handles("an agent's escalation", command) {
            Ok(_) => AgentHeard::Taken,
            Err(_) => AgentHeard::Refused,
        }
    }
}
