//! What people do by hand in a scenario, and how beads and agents are shown to them.

use gastown_core::id::{BeadId, ConvoyId};
use gastown_core::rig::bead::BeadStatus;
use gastown_core::rig::command::{BeadPatch, NewAgent, Submit};
use gastown_core::rig::{self, Command, State};

use super::{Player, agent_name};

impl Player {
    pub(super) fn claim(&mut self, name: &str, rest: &[&str]) {
        let actor = rest.get(1).copied().unwrap_or("ann").to_owned();
        let patch = BeadPatch { status: Some(BeadStatus::InProgress), ..BeadPatch::default() };
        self.command(Command::UpdateBead { bead_id: self.bead(name), patch, actor });
    }

    pub(super) fn submit(&mut self, name: &str, rest: &[&str]) {
        let mut submit = Submit {
            bead_id: self.bead(name),
            branch: "work".into(),
            commit: Some("c0ffee".into()),
            summary: None,
            pr_url: None,
            agent_id: None,
            actor: "ann".into(),
        };
        for pair in rest.chunks(2) {
            match *pair {
                ["branch", branch] => submit.branch = branch.to_owned(),
                ["by", who] => submit.actor = who.to_owned(),
                ["pr", url] => submit.pr_url = Some(url.to_owned()),
                ["agent", agent] => submit.agent_id = Some(self.agent(agent)),
                _ => panic!("submit: {pair:?}"),
            }
        }
        self.command(Command::Submit(submit));
    }

    pub(super) fn register(&mut self, role: &str, name: &str, rest: &[&str]) {
        let identity = rest.first().map_or_else(|| format!("{name}@somewhere"), |&identity| identity.to_owned());
        self.command(Command::Register(NewAgent { role: role.parse().unwrap(), name: name.to_owned(), identity }));
    }

    pub(super) fn recall_family(&self, state: &mut State, id: BeadId) {
        let mut family = vec![id];
        while let Some(id) = family.pop() {
            self.archive.get(&id).into_iter().for_each(|bead| state.recall_bead(bead.clone()));
            family.extend(self.archive.values().filter(|bead| bead.parent_id == Some(id)).map(|bead| bead.bead_id));
            family.extend(state.beads.values().filter(|bead| bead.parent_id == Some(id)).map(|bead| bead.bead_id));
        }
    }

    /// Brings back what the shell would load for a command or a fact.
    pub(super) fn recall(&self, state: &mut State, references: &[rig::Reference]) {
        for reference in references {
            match reference {
                rig::Reference::Bead(id) => {
                    if let Some(bead) = self.archive.get(id) {
                        state.recall_bead(bead.clone());
                        bead.convoy_id.iter().for_each(|convoy_id| self.recall_spending(state, convoy_id));
                        let ties = self.archived_edges.iter().filter(|((a, b), _)| a == id || b == id);
                        for (key, edge) in ties {
                            state.edges.get_or_insert_with(*key, || edge.clone());
                        }
                    }
                }
                rig::Reference::Family(id) => self.recall_family(state, *id),
                rig::Reference::Namesakes(id) => {
                    let alike = self.archive.values().filter(|bead| bead.bead_id.short() == id.short());
                    alike.for_each(|bead| state.recall_bead(bead.clone()));
                }
                rig::Reference::Convoy(id) => self.recall_spending(state, id),
                rig::Reference::Assignment(id) => {
                    self.archived_assignments.get(id).into_iter().for_each(|a| state.recall_assignment(a.clone()));
                }
            }
        }
    }

    fn recall_spending(&self, state: &mut State, convoy_id: &ConvoyId) {
        self.archived_spending.get(convoy_id).into_iter().for_each(|spent| state.recall_spending(*convoy_id, *spent));
    }

    /// A bead as people see it; what is over is looked up where it was put away.
    pub(super) fn tell_bead(&mut self, name: &str) {
        let id = self.bead(name);
        let state = self.state.as_ref().unwrap();
        let Some(bead) = state.beads.get(&id).or_else(|| self.archive.get(&id)) else {
            return self.told.push(format!("{name} is not there"));
        };
        let mut text = format!("{name} {} attempt {} {} \"{}\"", bead.status, bead.attempt, bead.priority, bead.title);
        for (what, value) in [
            ("assignee", state.assignment_of_bead(id).map(|live| agent_name(state, state, live))),
            ("labels", (!bead.labels.is_empty()).then(|| Vec::from_iter(bead.labels.iter().cloned()).join(","))),
            ("branch", bead.branch.clone()),
            ("by", bead.claimed_by.clone()),
            ("meta", (!bead.metadata.is_empty()).then(|| serde_json::to_string(&bead.metadata).unwrap())),
            ("checkpoint", bead.checkpoint.as_ref().map(ToString::to_string)),
        ] {
            text += &value.map(|value| format!(", {what} {value}")).unwrap_or_default();
        }
        let counters = (bead.start_failures, bead.lost_leases, bead.agent_errors);
        if counters != (0, 0, 0) {
            text += &format!(", counters {counters:?}");
        }
        let text = self.names(&text);
        self.told.push(text);
    }

    pub(super) fn tell_agent(&mut self, name: &str) {
        let id = self.agent(name);
        let state = self.state.as_ref().unwrap();
        let shape = gastown_core::wire::api::agent::Agent::of(state, &state.agents[&id]);
        let hook = shape.current_hook_bead_id.map_or("nothing".to_owned(), |id| self.name(id));
        let checkpoint = shape.checkpoint.map(|data| format!(", checkpoint {data}")).unwrap_or_default();
        self.told.push(format!("{} {} on {hook}{checkpoint}", shape.name, shape.status));
    }
}
