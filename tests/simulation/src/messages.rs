//! Mail and nudges between people, the mayor and agents, within a rig and over rigs (domain.md 10.1, 10.2). Who wrote to
//! whom is remembered, so that the end of a run can tell whether everything arrived.

use std::collections::BTreeMap;

use gastown_core::id::{AgentId, MailId, NudgeId};
use gastown_core::rig::command::{NewMail, NewNudge, Receiver};
use gastown_core::rig::mail::{self, MailParty, MailTo};
use gastown_core::rig::nudge::{NudgeMode, NudgePriority, NudgeSource};
use gastown_core::rig::{self, Applied};
use gastown_core::session::SessionKey;
use gastown_core::town;
use gastown_core::town::mail::TownMail;

use crate::happening::RigNo;
use crate::world::World;

/// Where a mail belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inbox {
    Agent(RigNo, AgentId),
    Town,
}

/// All mail that was taken, by its id.
pub(crate) type Letters = BTreeMap<MailId, Inbox>;

impl World {
    /// Somebody says something to an agent, or to the mayor.
    pub(crate) fn person_tells(&mut self) {
        let Some((rig, agent_id)) = self.some_agent() else { return };
        match self.people_chance.between(0, 5) {
            0..=2 => self.person_nudges(rig, agent_id),
            3 => self.person_mails(rig, agent_id),
            4 => self.mail_through_town(MailParty::Mayor, Inbox::Agent(rig, agent_id)),
            _ => self.mail_through_town(MailParty::User, Inbox::Town),
        }
    }

    /// Any agent of any rig.
    fn some_agent(&mut self) -> Option<(RigNo, AgentId)> {
        let agents: Vec<(RigNo, AgentId)> = self
            .rigs
            .iter()
            .enumerate()
            .filter_map(|(place, rig)| Some((place, rig.rows()?)))
            .flat_map(|(place, state)| state.agents.keys().map(move |agent_id| (place, *agent_id)))
            .collect();
        self.people_chance.pick(&agents).copied()
    }

    fn person_nudges(&mut self, rig: RigNo, agent_id: AgentId) {
        let chance = &mut self.people_chance;
        let sources = [NudgeSource::User("ann".to_owned()), NudgeSource::Mayor, NudgeSource::Agent(agent_id)];
        let new = NewNudge {
            agent_id,
            message: "Mind the tests.".to_owned(),
            mode: chance.pick(NudgeMode::ALL).copied().unwrap_or(NudgeMode::WaitIdle),
            priority: chance.pick(NudgePriority::ALL).copied().unwrap_or(NudgePriority::Normal),
            source: chance.pick(&sources).cloned().unwrap_or(NudgeSource::Mayor),
            keep: chance.happens(0.3).then(|| chance.span(1_000, 20 * 60_000)),
        };
        self.rig_handles(rig, "a nudge", rig::Command::SendNudge(new));
    }

    fn person_mails(&mut self, rig: RigNo, agent_id: AgentId) {
        let new = letter((MailParty::User, "ann".to_owned()), Receiver::Here(agent_id));
        self.posts(rig, new);
    }

    /// Mail that begins at the Town: of a person or the mayor.
    fn mail_through_town(&mut self, from_kind: MailParty, inbox: Inbox) {
        let mail_id = MailId::from_u128(self.people_chance.id());
        let to = match inbox {
            Inbox::Agent(rig, agent_id) => MailTo::Agent { rig_id: self.rigs[rig].rig_id, agent_id },
            Inbox::Town => MailTo::Mayor,
        };
        let mail = TownMail {
            mail_id,
            from_kind,
            from_id: "ann".to_owned(),
            from_name: "Ann".to_owned(),
            from_rig: None,
            to,
            thread_id: mail_id,
            reply_to: None,
            subject: "A word".to_owned(),
            body: "It is urgent.".to_owned(),
            created_at: self.now,
            read_at: None,
        };
        if self.town_handles("a mail", town::Command::SendMail(Box::new(mail))).is_ok() {
            self.letters.insert(mail_id, inbox);
        }
    }

    /// Mail that begins in a rig; where it belongs is remembered once it is taken.
    pub(crate) fn posts(&mut self, rig: RigNo, new: NewMail) -> Option<Result<Applied, rig::Refusal>> {
        let inbox = match &new.to {
            Receiver::Here(agent_id) => Inbox::Agent(rig, *agent_id),
            Receiver::Elsewhere(MailTo::Agent { rig_id, agent_id }) => {
                let place = self.rigs.iter().position(|rig| rig.rig_id == *rig_id)?;
                Inbox::Agent(place, *agent_id)
            }
            Receiver::Elsewhere(MailTo::Mayor | MailTo::User(_)) => Inbox::Town,
        };
        let answer = self.rig_handles(rig, "a mail", rig::Command::SendMail(new));
        if let Some(Ok(Applied::Mail(mail_id))) = answer {
            self.letters.insert(mail_id, inbox);
        }
        answer
    }

    /// What an agent writes, and to whom: to another of its rig, to one of another rig, to the mayor, or to a person.
    pub(crate) fn agent_writes(&mut self, rig: RigNo, key: SessionKey) -> Option<NewMail> {
        let from = self.rigs[rig].rows()?.assignments.get(&key.assignment_id)?.agent_id;
        let to = match self.people_chance.between(0, 4) {
            0 => Receiver::Elsewhere(MailTo::Mayor),
            1 => Receiver::Elsewhere(MailTo::User("ann".to_owned())),
            _ => match self.some_agent()? {
                (place, agent_id) if place == rig => Receiver::Here(agent_id),
                (place, agent_id) => Receiver::Elsewhere(MailTo::Agent { rig_id: self.rigs[place].rig_id, agent_id }),
            },
        };
        Some(letter((MailParty::Agent, from.to_string()), to))
    }

    /// The mail that an agent finds when it looks; what it finds it has read.
    pub(crate) fn agent_reads_mail(&self, rig: RigNo, session: SessionKey) -> Option<rig::Command> {
        let state = self.rigs[rig].rows()?;
        let assignment = state.assignments.get(&session.assignment_id)?;
        let mail_ids: Vec<MailId> = mail::waiting(state, assignment).iter().map(|mail| mail.mail_id).collect();
        (!mail_ids.is_empty()).then_some(rig::Command::AcknowledgeMail { session, mail_ids })
    }

    /// A nudge that an agent came by in its own way.
    pub(crate) fn agent_reads_nudge(&self, rig: RigNo, session: SessionKey) -> Option<rig::Command> {
        let state = self.rigs[rig].rows()?;
        let assignment = state.assignments.get(&session.assignment_id)?;
        let nudge_id: NudgeId = state.nudges.values().find(|n| n.is_live() && n.is_for(assignment))?.nudge_id;
        Some(rig::Command::NudgeDelivered { session, nudge_id })
    }
}

fn letter((from_kind, from_id): (MailParty, String), to: Receiver) -> NewMail {
    let (subject, body) = ("A word".to_owned(), "It is about the tests.".to_owned());
    NewMail { from_kind, from_id, to, reply_to: None, subject, body }
}
