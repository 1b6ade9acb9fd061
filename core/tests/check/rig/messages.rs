//! Steps of the scenarios about mail, nudges and answers, and how they are told.

use std::time::Duration;

use gastown_core::id::{AgentId, MailId, NudgeId};
use gastown_core::rig::command::{NewMail, NewNudge, Receiver};
use gastown_core::rig::mail::{self, MailParty, MailTo};
use gastown_core::rig::nudge::{Nudge, NudgeMode, NudgePriority, NudgeSource};
use gastown_core::rig::{Command, State};
use gastown_core::session::{Beat, SessionFact, Usage};
use gastown_core::wire::api::molecule::MoleculeStep;

use super::super::duration;
use super::Player;

impl Player {
    /// `mail toast "subject"`, `mail mayor "subject" from toast`: to an agent, the mayor, or a person.
    pub(super) fn mail(&mut self, to: &str, subject: &str, rest: &[&str]) {
        let from = match *rest {
            ["from", agent] => Some(self.receiver(agent)),
            _ => None,
        };
        let to = match to {
            "mayor" => Receiver::Elsewhere(MailTo::Mayor),
            "ann" => Receiver::Elsewhere(MailTo::User("ann".into())),
            agent => Receiver::Here(self.receiver(agent)),
        };
        self.command(Command::SendMail(NewMail {
            from_kind: if from.is_some() { MailParty::Agent } else { MailParty::User },
            from_id: from.map_or("ann".into(), |id| id.to_string()),
            to,
            reply_to: None,
            subject: subject.into(),
            body: "Please.".into(),
        }));
    }

    /// The agent checks its mail: what it reads is delivered, unless it peeks.
    pub(super) fn check_mail(&mut self, agent: &str, peeks: bool) {
        let session = self.session(agent);
        let state = self.state.as_ref().unwrap();
        let waiting = mail::waiting(state, &state.assignments[&session.assignment_id]);
        let mail_ids = waiting.iter().map(|mail| mail.mail_id).collect();
        let subjects: Vec<String> = waiting.iter().map(|mail| mail.subject.clone()).collect();
        self.told.push(if subjects.is_empty() { "no mail".into() } else { format!("reads {}", subjects.join(", ")) });
        if !peeks {
            self.command(Command::AcknowledgeMail { session, mail_ids });
        }
    }

    /// `nudge toast "text" mode queue urgent by maple for 60s`.
    pub(super) fn nudge(&mut self, to: &str, message: &str, rest: &[&str]) {
        let mut new = NewNudge {
            agent_id: self.receiver(to),
            message: message.into(),
            mode: NudgeMode::WaitIdle,
            priority: NudgePriority::Normal,
            source: NudgeSource::User("ann".into()),
            keep: None,
        };
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            let mut next = || *words.next().unwrap();
            match *word {
                "mode" => new.mode = next().parse().unwrap(),
                "urgent" => new.priority = NudgePriority::Urgent,
                "by" => new.source = NudgeSource::Agent(self.receiver(next())),
                "for" => new.keep = Some(duration(next())),
                other => panic!("nudge: {other}"),
            }
        }
        self.command(Command::SendNudge(new));
    }

    /// The session accepted the message with this text or subject.
    pub(super) fn took(&mut self, agent: &str, text: &str) {
        let state = self.state.as_ref().unwrap();
        let of_nudges = state.nudges.values().filter(|n| n.message == text || n.source.to_string() == text);
        let nudge_ids = of_nudges.map(|nudge| nudge.nudge_id.to_string());
        let of_mail = state.mail.values().filter(|mail| mail.subject == text).map(|mail| mail.mail_id.to_string());
        let mut ids: Vec<String> = nudge_ids.chain(of_mail).collect();
        if text == "any" {
            let nudges = state.nudges.keys().map(ToString::to_string);
            ids.extend(nudges.chain(state.mail.keys().map(ToString::to_string)));
        }
        assert!(text == "any" || !ids.is_empty(), "no message {text}");
        self.reported(agent, SessionFact::Delivered(ids));
    }

    /// The agent says that it has read its newest nudge with this text.
    pub(super) fn has_read(&mut self, agent: &str, text: &str) {
        let session = self.session(agent);
        let state = self.state.as_ref().unwrap();
        let nudge_id = state.nudges.values().find(|nudge| nudge.message == text).unwrap().nudge_id;
        self.command(Command::NudgeDelivered { session, nudge_id });
    }

    /// `molecule b1 one two three`.
    pub(super) fn make_molecule(&mut self, name: &str, steps: &[&str]) {
        let steps = steps.iter().map(|&step| (step.to_owned(), format!("Do {step}."))).collect();
        self.command(Command::CreateMolecule { bead_id: self.bead(name), steps, actor: "ann".into() });
    }

    /// The agent has done its current step.
    pub(super) fn advance(&mut self, agent: &str, summary: &str) {
        let session = self.session(agent);
        self.command(Command::AdvanceMolecule { session, summary: summary.into() });
    }

    /// What the author of a reviewed branch says.
    pub(super) fn tell_summary(&mut self, name: &str) {
        let review = &self.state.as_ref().unwrap().reviews[&self.bead(name)];
        let said = review.summary.clone().unwrap_or_else(|| "nothing".into());
        self.told.extend(said.lines().map(str::to_owned).collect::<Vec<_>>());
    }

    /// The current step of the agent's bead.
    pub(super) fn tell_step(&mut self, agent: &str) {
        let session = self.session(agent);
        let state = self.state.as_ref().unwrap();
        let step = MoleculeStep::current(state, state.assignments[&session.assignment_id].bead_id);
        let told = step.map(|step| format!("step {} of {}: {}", step.current + 1, step.total, step.title));
        self.told.push(told.unwrap_or_else(|| "no molecule".into()));
    }

    /// What waits for an agent, in the order in which it is shown.
    pub(super) fn tell_nudges(&mut self, agent: &str) {
        let (state, agent_id) = (self.state.as_ref().unwrap(), self.receiver(agent));
        let mut nudges: Vec<&Nudge> = state.nudges.values().filter(|nudge| nudge.agent_id == agent_id).collect();
        nudges.sort_by_key(|nudge| nudge.order());
        let told = nudges.iter().map(|nudge| format!("{}: {}", nudge.state, words(state, nudge))).collect::<Vec<_>>();
        self.told.extend(if told.is_empty() { vec!["no nudges".to_owned()] } else { told });
    }

    /// Lets time pass in which the runtime beats for an agent that is not heard of itself.
    pub(super) fn silence(&mut self, agent: &str, span: Duration, tool: Option<&str>) {
        let end = self.now + span;
        while self.now < end {
            self.pass(Duration::from_secs(60));
            let beat = Beat {
                is_running: true,
                idle_since: None,
                tool: tool.map(str::to_owned),
                progress_at: None,
                usage: Usage::default(),
                instance_id: self.town.instance_id.unwrap(),
            };
            self.reported(agent, SessionFact::Beat(beat));
        }
    }

    /// A registered agent by its name; a name that nobody has stands for an id that nobody has.
    pub(super) fn receiver(&self, name: &str) -> AgentId {
        let state = self.state.as_ref().unwrap();
        let known = state.agents.values().find(|agent| agent.name.eq_ignore_ascii_case(name));
        known.map_or(AgentId::from_u128(1), |agent| agent.agent_id)
    }
}

/// Mail that is handed to a session, by its subjects.
pub(super) fn mails(state: &State, agent: &str, mail_ids: &[MailId]) -> String {
    let subjects: Vec<&str> = mail_ids.iter().map(|id| state.mail[id].subject.as_str()).collect();
    format!("-> mail {agent}: {}", subjects.join(", "))
}

/// Nudges that are handed to a session.
pub(super) fn nudges(state: &State, agent: &str, nudge_ids: &[NudgeId]) -> String {
    let words: Vec<String> = nudge_ids.iter().map(|id| words(state, &state.nudges[id])).collect();
    format!("-> nudge {agent}: {}", words.join(", "))
}

/// A nudge of the rig by its cause, one of somebody else by its text.
pub(super) fn words(state: &State, nudge: &Nudge) -> String {
    let text = match &nudge.source {
        NudgeSource::Idle | NudgeSource::Silence => nudge.source.to_string(),
        NudgeSource::Agent(agent_id) => format!("{} from {}", nudge.message, state.agents[agent_id].name),
        other @ (NudgeSource::Escalation(_) | NudgeSource::User(_) | NudgeSource::Mayor | NudgeSource::System) => {
            format!("{} from {other}", nudge.message)
        }
    };
    if nudge.priority == NudgePriority::Urgent { format!("urgent {text}") } else { text }
}
