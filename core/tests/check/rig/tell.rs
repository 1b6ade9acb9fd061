//! What a step led to, in words.

use gastown_core::rig::assignment::Phase;

use super::*;

impl Player {
    pub(super) fn tell_changes(&mut self, before: &State, after: &State) {
        for (id, bead) in &after.beads {
            let old = before.beads.get(id).map(|bead| bead.status.as_str());
            if old != Some(bead.status.as_str()) {
                let words = [bead.outcome.map(|o| o.to_string()), bead.failure.as_ref().map(|f| f.message.clone())];
                let why = words.into_iter().flatten().map(|word| format!(" ({word})")).collect::<String>();
                self.told.push(format!("{} {}{why}", self.name(*id), bead.status));
            }
            let parked = bead.parked.as_ref().map(|parked| parked.code.clone());
            if parked != before.beads.get(id).and_then(|bead| bead.parked.as_ref()).map(|parked| parked.code.clone()) {
                self.told.push(format!("{} parked: {}", self.name(*id), parked.unwrap_or_else(|| "no more".into())));
            }
        }
        for id in before.beads.keys().filter(|id| !after.beads.contains_key(id)) {
            self.archive.remove(id);
            self.told.push(format!("{} deleted", self.name(*id)));
        }
        for (id, review) in &after.reviews {
            let shown = |review: &gastown_core::rig::review::Review| (review.state, review.sub);
            if before.reviews.get(id).map(shown) != Some(shown(review)) {
                let sub = review.sub.map(|sub| format!(" {sub}")).unwrap_or_default();
                self.told.push(format!("{} review {}{sub}", self.name(*id), review.state));
            }
        }
        for (id, watch) in &after.watches {
            if before.watches.get(id).map(|watch| watch.state) != Some(watch.state) {
                self.told.push(format!("{} pull request {} {}", self.name(*id), watch.number, watch.state));
            }
        }
        for (id, assignment) in &after.assignments {
            let old = before.assignments.get(id).map(|assignment| assignment.phase);
            if old == Some(assignment.phase) {
                continue;
            }
            let agent = agent_name(after, before, assignment);
            let bead = self.name(assignment.bead_id);
            if let Some(outcome) = assignment.outcome {
                let key = SessionKey { assignment_id: *id, epoch: assignment.epoch };
                self.ended.insert(agent.clone(), key);
                self.told.push(format!(
                    "{agent} on {bead} ended {outcome} ({})",
                    assignment.code.clone().unwrap_or_default()
                ));
            } else {
                let branch = assignment.branch.clone().unwrap_or_default();
                let detail = match assignment.phase {
                    Phase::Queued => format!(" {} on {branch}", assignment.kind),
                    Phase::Starting => format!(" with {}", assignment.model.as_ref().unwrap().short()),
                    Phase::Running | Phase::Finishing | Phase::Ended => String::new(),
                };
                self.told.push(format!("{agent} on {bead} {}{detail}", assignment.phase));
            }
        }
        if before.rig.breaker.state != after.rig.breaker.state {
            self.told.push(format!("breaker {}", after.rig.breaker.state));
        }
        for agent in before.agents.values().filter(|agent| !after.agents.contains_key(&agent.agent_id)) {
            self.told.push(format!("{} deregistered", agent.name));
        }
    }

    pub(super) fn tell_messages(&mut self, planned: &Planned) {
        for (_, write) in &planned.writes {
            let Write::Outbox(row) = write else { continue };
            if row.sent_at.is_some() {
                continue;
            }
            match &row.message {
                RigToTown::EscalationRaised(raised) => {
                    self.told.push(format!("escalation {} {}: {}", raised.severity, raised.code, raised.title));
                }
                RigToTown::EscalationCleared { .. } => self.told.push("escalation cleared".into()),
                RigToTown::TriageResolved(resolved) => {
                    let live = if resolved.was_live { "" } else { ", not live" };
                    self.told.push(format!("triage resolved: {}{live}", resolved.action));
                }
                RigToTown::TriageEnded { .. } => self.told.push("triage ended".into()),
                RigToTown::TriageAsked(asked) => self.told.push(format!("triage asked: {}", asked.kind)),
                RigToTown::BeadMoved { to, bead } => {
                    self.told.push(format!("{} moves to rig {}", self.name(bead.bead_id), to.short()));
                    self.moved = Some(bead.as_ref().clone());
                }
                RigToTown::MailOut(mail) => self.told.push(format!("mail out: {}", mail.subject)),
                RigToTown::TaskStatus(_) | RigToTown::TaskGone { .. } | RigToTown::LandingState(_) => {
                    let message = row.message.clone();
                    self.tell_report(&message);
                }
                RigToTown::SlotAsked { .. }
                | RigToTown::SlotReleased { .. }
                | RigToTown::StartFailed { .. }
                | RigToTown::StartSucceeded { .. }
                | RigToTown::Usage(_)
                | RigToTown::Activity(_)
                | RigToTown::Feed { .. } => (),
            }
        }
    }

    pub(super) fn effect(&self, effect: &Effect, state: &State) -> String {
        let of = |id: &AssignmentId| match state.assignments.get(id) {
            Some(assignment) => agent_name(state, state, assignment),
            None => "nobody".to_owned(),
        };
        match effect {
            Effect::StartSession(id) => format!("-> start {} epoch {}", of(id), state.assignments[id].epoch),
            Effect::StopSession { assignment_id, code, .. } => format!("-> stop {} ({code})", of(assignment_id)),
            Effect::WrapUp { assignment_id, message, .. } => format!("-> wrap up {}: {message}", of(assignment_id)),
            Effect::QuerySession(id) => format!("-> ask for {}", of(id)),
            Effect::PushMail { assignment_id, mail_ids } => messages::mails(state, &of(assignment_id), mail_ids),
            Effect::PushNudge { assignment_id, nudge_ids } => messages::nudges(state, &of(assignment_id), nudge_ids),
            Effect::RunJob(id) => {
                let job = &state.jobs[id];
                let commit = job.spec.commit.clone().unwrap_or_else(|| "unknown commit".into());
                let target = job.spec.target.clone().map(|target| format!(" into {target}")).unwrap_or_default();
                format!("-> {} {commit}{target}", job.kind)
            }
            Effect::CancelJob(id) => format!("-> cancel {}", state.jobs.get(id).map_or("job", |job| job.kind.as_str())),
            Effect::OpenPr(id) => format!("-> open pull request of {}", self.name(*id)),
            Effect::PollPr(id) => {
                let etag = state.watches[id].etag.clone().map(|etag| format!(" etag {etag}")).unwrap_or_default();
                format!("-> poll pull request of {}{etag}", self.name(*id))
            }
            Effect::MergePr(id) => {
                let head = state.reviews[id].head_commit.clone().unwrap_or_default();
                format!("-> merge pull request of {} at {head}", self.name(*id))
            }
            Effect::PostReview { review_id, round } => {
                let findings = state.rounds[&(*review_id, *round)].findings.len();
                format!("-> post round {round} of {}, findings: {findings}", self.name(*review_id))
            }
            Effect::SendToTown => String::new(),
        }
    }

    pub(super) fn tell_waits(&mut self) {
        let state = self.state.as_ref().unwrap();
        let mut lines: Vec<String> = state
            .waits
            .values()
            .map(|wait| {
                let until =
                    wait.until.map(|at| format!(" until +{} s", at.since(self.now).as_secs())).unwrap_or_default();
                format!("{} waits: {}{until}: {}", self.name(wait.bead_id), wait.code, self.names(&wait.message))
            })
            .collect();
        lines.sort();
        self.told.extend(lines);
    }

    pub(super) fn tell_spending(&mut self) {
        let state = self.state.as_ref().unwrap();
        let mut lines: Vec<String> = state
            .beads
            .values()
            .map(|bead| {
                format!("{}: {} $, {} tokens", self.name(bead.bead_id), dollars(bead.cost_micros), bead.tokens_in)
            })
            .collect();
        let convoys: BTreeMap<_, _> = self.archived_spending.iter().chain(&state.spending.convoys).collect();
        lines.extend(convoys.values().map(|spent| format!("the convoy: {} $", dollars(spent.cost_micros))));
        lines.extend(state.spending.days.iter().map(|(day, spent)| format!("{day}: {} $", dollars(spent.cost_micros))));
        self.told.extend(lines);
    }

    pub(super) fn tell_agents(&mut self) {
        let state = self.state.as_ref().unwrap();
        let mut names: Vec<&str> = state.agents.values().map(|agent| agent.name.as_str()).collect();
        names.sort_by_key(|name| gastown_core::rig::agent::name_rank(name));
        self.told.push(names.join(" "));
    }

    pub(super) fn agent(&self, name: &str) -> gastown_core::id::AgentId {
        let mut agents = self.state.as_ref().unwrap().agents.values();
        let found = agents.find(|agent| agent.name.eq_ignore_ascii_case(name));
        found.unwrap_or_else(|| panic!("no agent {name}")).agent_id
    }
}

fn dollars(micros: u64) -> u64 {
    micros / 1_000_000
}
