//! Steps of scenarios about what people and the mayor are told: escalations, triage, mail.

use gastown_core::id::{AgentId, BeadId, EscalationId, MailId};
use gastown_core::protocol::{
    Escalation, MailOut, MailParty, MailTo, RigToTown, Severity, TriageAction, TriageAsked, TriageKind, TriageResolved,
};
use gastown_core::town::escalation::AgentEscalation;
use gastown_core::town::mail::TownMail;
use gastown_core::town::plan::Write;
use gastown_core::town::state::{MessageSource, State};
use gastown_core::town::triage::TriageState;
use gastown_core::town::{Command, Planned};
use serde_json::{Map, json};

use super::{Player, assignment, rig};

impl Player {
    pub(super) fn run_inbox(&mut self, words: &[&str]) {
        match *words {
            ["raise", name, key, severity] => {
                let raised = raised(key, severity.parse().unwrap());
                self.rig_says(name, RigToTown::EscalationRaised(Box::new(raised)));
            }
            ["clear", name, key] => self.rig_says(name, RigToTown::EscalationCleared { dedup_key: key.to_owned() }),
            ["escalate", name, who, severity, title] => {
                self.command(Command::Escalate(Box::new(AgentEscalation {
                    rig_id: rig(name),
                    agent_id: agent(who),
                    agent_name: who.to_owned(),
                    assignment_id: None,
                    bead_id: None,
                    severity: severity.parse().unwrap(),
                    category: "question".to_owned(),
                    title: title.to_owned(),
                    body: format!("{title} Please."),
                    metadata: Map::from_iter([("tried".to_owned(), json!(3))]),
                })));
            }
            ["acknowledge", title] => {
                let (escalation_id, actor) = (self.escalation(title), "ann".to_owned());
                self.command(Command::Acknowledge { escalation_id, actor, note: None });
            }
            ["reply", title, text, ref rest @ ..] => {
                let command = Command::Reply {
                    escalation_id: self.escalation(title),
                    actor: "ann".to_owned(),
                    message: text.to_owned(),
                    acknowledges: rest.contains(&"acknowledge"),
                    retries: rest.contains(&"retry"),
                };
                self.command(command);
            }
            ["stuck", name, who, slot] => {
                let asked = TriageAsked {
                    request_id: BeadId::from_u128(u128::from(self.seed as u64) | (7 << 96)),
                    kind: TriageKind::StuckAgent,
                    agent_id: Some(agent(who)),
                    bead_id: None,
                    assignment_id: Some(assignment(slot)),
                    options: TriageAction::ALL.iter().map(ToString::to_string).collect(),
                    context: json!("silent for 60 minutes"),
                };
                self.rig_says(name, RigToTown::TriageAsked(Box::new(asked)));
            }
            ["decided", name, who, action] => {
                let resolved = TriageResolved {
                    request_id: self.request(who),
                    action: TriageAction::read(action).unwrap(),
                    notes: "because".to_owned(),
                    agent_id: agent("Triage"),
                    was_live: true,
                };
                self.rig_says(name, RigToTown::TriageResolved(Box::new(resolved)));
            }
            ["batch-ended", name] => {
                let live = self.state.as_ref().unwrap().triage.values().find_map(|request| request.batch_bead);
                let batch_id = live.unwrap_or(BeadId::from_u128(9));
                self.rig_says(name, RigToTown::TriageEnded { batch_id });
            }
            ["mail-out", name, who, "to", to, subject] => {
                let mail = MailOut {
                    mail_id: MailId::from_u128(u128::from(self.seed as u64) | (8 << 96)),
                    from_agent: agent(who),
                    from_name: who.to_owned(),
                    to: recipient(to),
                    thread_id: MailId::from_u128(1),
                    reply_to: None,
                    subject: subject.to_owned(),
                    body: format!("{subject}."),
                    created_at: self.now,
                };
                self.rig_says(name, RigToTown::MailOut(Box::new(mail)));
            }
            ["mail", to, subject] => {
                let mail_id = MailId::from_u128(u128::from(self.seed as u64) | (8 << 96));
                self.command(Command::SendMail(Box::new(TownMail {
                    mail_id,
                    from_kind: MailParty::User,
                    from_id: "ann".to_owned(),
                    from_name: "ann".to_owned(),
                    from_rig: None,
                    to: recipient(to),
                    thread_id: mail_id,
                    reply_to: None,
                    subject: subject.to_owned(),
                    body: format!("{subject}."),
                    created_at: self.now,
                    read_at: None,
                })));
            }
            ref other => panic!("no such command: {other:?}"),
        }
    }

    /// An open escalation by its title.
    fn escalation(&self, title: &str) -> EscalationId {
        let mut open = self.state.as_ref().unwrap().escalations.values();
        open.find(|open| open.title == title).map_or(EscalationId::from_u128(404), |open| open.escalation_id)
    }

    /// A request that nobody has decided, by the agent concerned.
    fn request(&self, who: &str) -> BeadId {
        let mut live = self.state.as_ref().unwrap().triage.values();
        let found = live.find(|request| request.asked.agent_id == Some(agent(who)));
        found.map_or(BeadId::from_u128(404), |request| request.asked.request_id)
    }
}

/// What a plan changed of open escalations, of requests and of mail, a line each.
pub(super) fn differences(before: &State, planned: &Planned) -> Vec<String> {
    let mut told = Vec::new();
    for (key, row) in &planned.state.escalations {
        let old = before.escalations.get(key);
        let title = &row.title;
        match old {
            None => (),
            Some(old) => {
                if old.severity != row.severity {
                    told.push(format!("escalation rises to {}: {title}", row.severity));
                }
                if old.count != row.count {
                    told.push(format!("escalation counted {}: {title}", row.count));
                }
                if old.replies.len() != row.replies.len() {
                    told.push(format!("escalation answered: {title}"));
                }
            }
        }
    }
    for (request_id, request) in &planned.state.triage {
        if before.triage.get(request_id).map(|old| old.state) != Some(request.state) {
            let action = request.action.filter(|_| request.state == TriageState::Resolved);
            let action = action.map(|action| format!(" as {action}")).unwrap_or_default();
            told.push(format!("triage {}{action}: {}", request.state, request_words(&request.asked)));
        }
    }
    for (_, write) in &planned.writes {
        if let Write::Mail(mail) = write {
            told.push(format!("mail kept: {}", mail.subject));
        } else if let Write::MailRead(mail_id, _) = write
            && is_of_agent(before, *mail_id)
        {
            told.push("mail read".to_owned());
        }
    }
    told
}

/// A message in one line: of a notice the escalations that it names, of anything else the first line.
pub(super) fn in_short(body: &str) -> String {
    let escalations = body.lines().filter_map(|line| line.strip_prefix("Escalation ")?.split_once(' '));
    let named: Vec<&str> = escalations.map(|(_, words)| words).collect();
    if named.is_empty() { body.lines().next().unwrap_or_default().to_owned() } else { named.join(" and ") }
}

pub(super) fn request_words(asked: &TriageAsked) -> String {
    let name = asked.agent_id.map(|id| format!("{id:?}")).unwrap_or_default();
    let known =
        ["Toast", "Maple", "Birch", "Shadow", "Clover", "Ember"].iter().find(|who| asked.agent_id == Some(agent(who)));
    format!("{} {}", asked.kind, known.map_or(name, |who| (*who).to_owned()))
}

fn is_of_agent(state: &State, mail_id: MailId) -> bool {
    let message = mail_id.to_string().parse().ok().and_then(|message_id| state.inbox.get(&message_id));
    message.is_some_and(|message| message.source == MessageSource::Agent)
}

fn recipient(to: &str) -> MailTo {
    match to.split_once(':') {
        Some((name, who)) => MailTo::Agent { rig_id: rig(name), agent_id: agent(who) },
        None if to == "mayor" => MailTo::Mayor,
        None => MailTo::User(to.to_owned()),
    }
}

fn agent(who: &str) -> AgentId {
    AgentId::from_u128(who.bytes().fold(0, |id, byte| (id << 8) | u128::from(byte)))
}

fn raised(key: &str, severity: Severity) -> Escalation {
    Escalation {
        dedup_key: key.to_owned(),
        severity,
        category: "bead".to_owned(),
        code: "agent_errors".to_owned(),
        title: key.to_owned(),
        message: format!("{key} happened."),
        bead_id: None,
        agent_id: None,
        assignment_id: None,
        convoy_id: None,
        choices: vec!["retry".to_owned()],
    }
}
