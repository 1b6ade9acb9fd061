//! Messages into a running session: nudges, mail, people, and what the runtime has to say about the session itself.

use std::time::Duration;

use super::mark::{Label, Nonce, block, one_line};
use crate::id::{AgentId, RigId};

/// How a session reports its result; named where it is asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// A polecat: commits, pushes, `gt_done`.
    Work,
    /// The refinery: one of the verdicts.
    Review,
    /// Triage: every request resolved, `gt_done`.
    Triage,
}

impl Finish {
    const fn tools(self) -> &'static str {
        match self {
            Self::Work | Self::Triage => "`gt_done`",
            Self::Review => "`gt_approve`, `gt_request_changes` or `gt_reject`",
        }
    }

    fn end_text(self) -> String {
        match self {
            Self::Work => fill!("end_work.md"),
            Self::Review => fill!("end_review.md"),
            Self::Triage => fill!("end_triage.md"),
        }
    }
}

/// The first nudge to an agent that stopped without a result (domain.md R5).
pub fn idle_first(finish: Finish) -> String {
    fill!("idle_first.md", finish = finish.tools())
}

/// The second one; `exit` is the time until the assignment ends.
pub fn idle_second(finish: Finish, exit: Duration) -> String {
    fill!("idle_second.md", finish = finish.tools(), seconds = exit.as_secs().to_string())
}

/// The nudge to an agent that was silent (domain.md 10.4, first tier).
pub fn silence(finish: Finish, silent: Duration) -> String {
    fill!("silence.md", finish = finish.tools(), minutes = minutes(silent))
}

/// The urgent one (second tier); `left` is the time until the work is given back.
pub fn silence_urgent(finish: Finish, silent: Duration, left: Duration) -> String {
    fill!("silence_urgent.md", finish = finish.tools(), minutes = minutes(silent), minutes_left = minutes(left))
}

/// Arguments of [`person`].
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// Who writes; a name for people.
    pub author: &'a str,
    /// What was typed.
    pub text: &'a str,
    /// What the dashboard shows to its author.
    pub ui_context: Option<&'a str>,
}

/// A person's message to the mayor.
pub fn person(arguments: &Person<'_>, nonce: Nonce) -> String {
    let Person { author, text, ui_context } = *arguments;
    fill!(
        "person.md",
        author = one_line(author),
        task = block(Label::Task, nonce, text),
        dashboard = ui_context.map(|text| block(Label::Dashboard, nonce, text)).unwrap_or_default(),
    )
}

/// What the town itself tells the mayor.
pub fn notice(text: &str, nonce: Nonce) -> String {
    fill!("notice.md", notice = block(Label::Note, nonce, text))
}

/// A mail of an agent to the mayor, as its conversation keeps it: rig, subject and text.
pub fn mail_to_mayor(from: &str, text: &str, nonce: Nonce) -> String {
    fill!("mail_to_mayor.md", from = one_line(from), mail = block(Label::Mail, nonce, text))
}

/// A short text of an agent, the mayor or the town into a running session; `from` is a name for people.
pub fn nudge(from: &str, text: &str, nonce: Nonce) -> String {
    fill!("nudge.md", from = one_line(from), nudge = block(Label::Mail, nonce, text))
}

/// A person's answer to an escalation of the agent.
pub fn answer(author: &str, text: &str, nonce: Nonce) -> String {
    fill!("answer.md", author = one_line(author), task = block(Label::Task, nonce, text))
}

/// Who wrote a mail, and how the receiver can answer.
#[derive(Debug, Clone, Copy)]
pub enum Sender<'a> {
    /// An agent of the receiver's rig.
    Agent { name: &'a str, agent_id: AgentId },
    /// An agent of a rig, to the mayor, who has to name the rig.
    AgentOfRig { name: &'a str, agent_id: AgentId, rig_id: RigId },
    /// The mayor.
    Mayor,
    /// A person, to an agent that has no way to answer but its work.
    Person { name: &'a str },
    /// Gas Town itself.
    System,
}

/// A mail that is pushed into the session of its receiver.
pub fn mail(sender: Sender<'_>, subject: &str, body: &str, nonce: Nonce) -> String {
    let (from, answer) = match sender {
        Sender::Agent { name, agent_id } => (
            format!("{} ({agent_id})", one_line(name)),
            format!("Answer, if one is needed, with `gt_mail_send` to {agent_id}; then go on with your work."),
        ),
        Sender::AgentOfRig { name, agent_id, rig_id } => (
            format!("{} ({agent_id}, rig {rig_id})", one_line(name)),
            format!("Answer, if one is needed, with `gt_mail_send` to {agent_id} in rig {rig_id}."),
        ),
        Sender::Mayor => (
            "the mayor".into(),
            "Answer, if one is needed, with `gt_mail_send` to `mayor`; then go on with your work.".into(),
        ),
        Sender::Person { name } => (
            format!("{} (a person)", one_line(name)),
            "Take it into account and go on with your work; your summary is your answer.".into(),
        ),
        Sender::System => ("Gas Town".into(), "Take it into account and go on with your work.".into()),
    };
    let text = format!("Subject: {}\n\n{body}", one_line(subject));
    fill!("mail.md", from = from, mail = block(Label::Mail, nonce, &text), answer = answer)
}

/// After a restart of the agent's process in place.
pub fn interrupted() -> String {
    fill!("interrupted.md")
}

/// The same for the mayor, who has no branch.
pub fn interrupted_mayor() -> String {
    fill!("interrupted_mayor.md")
}

/// After a model error that was waited out; `reason` is the runtime's own sentence.
pub fn continued(reason: &str) -> String {
    fill!("continued.md", reason = one_line(reason))
}

/// Which limit asks for the end of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// Of the bead and its family.
    Bead,
    /// Of the convoy.
    Convoy,
    /// Of the town, per day.
    TownDay,
}

/// The budget is reached: finish within `left`.
pub fn wrap_up(budget: Budget, left: Duration, finish: Finish) -> String {
    let reason = match budget {
        Budget::Bead => "the budget of this bead is reached",
        Budget::Convoy => "the budget of this convoy is reached",
        Budget::TownDay => "the town's budget for today is reached",
    };
    fill!("wrap_up.md", reason = reason, minutes = minutes(left), end = finish.end_text())
}

/// The machine goes away: save within `left`.
pub fn drain(left: Duration, finish: Finish) -> String {
    fill!("drain.md", minutes = minutes(left), end = finish.end_text())
}

/// One message of the mayor's conversation.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// `mayor`, or the name of a person.
    pub author: &'a str,
    /// What was said.
    pub text: &'a str,
}

/// The conversation so far, for a mayor session that could not be restored. The newest messages are kept.
pub fn history(lines: &[Line<'_>], nonce: Nonce) -> String {
    let mut kept = Vec::new();
    let mut bytes = 0;
    for line in lines.iter().rev() {
        let text = format!("{}: {}", one_line(line.author), line.text.trim());
        bytes += text.len() + 2;
        if bytes > super::mark::HISTORY_BYTES_MAX && !kept.is_empty() {
            break;
        }
        kept.push(text);
    }
    kept.reverse();
    fill!("history.md", messages = block(Label::History, nonce, &kept.join("\n\n")))
}

/// Whole minutes, at least one.
fn minutes(span: Duration) -> String {
    span.as_secs().div_ceil(60).max(1).to_string()
}
