//! T22: mail between rigs, the mayor and people. Mail for an agent goes to its rig; mail for the mayor and for people is
//! kept here, and the mayor's is also a message of its conversation. An agent that is gone meanwhile gets nothing.

use crate::id::MessageId;
use crate::protocol::{DeliverMail, MailParty, MailTo, TownToRig};
use crate::town::command;
use crate::town::mail::TownMail;
use crate::town::plan::{EventRow, Plan, Write};
use crate::town::state::MessageSource;

pub(crate) fn run(plan: &mut Plan) {
    for mail in plan.take_mail() {
        match &mail.to {
            MailTo::Agent { rig_id, agent_id } if plan.state().rigs.contains_key(rig_id) => {
                let delivered = DeliverMail {
                    mail_id: mail.mail_id,
                    from_kind: mail.from_kind,
                    from_id: mail.from_id.clone(),
                    to_agent: *agent_id,
                    thread_id: mail.thread_id,
                    reply_to: mail.reply_to,
                    subject: mail.subject.clone(),
                    body: mail.body.clone(),
                    created_at: mail.created_at,
                };
                plan.post(*rig_id, TownToRig::DeliverMail(Box::new(delivered)));
            }
            MailTo::Agent { agent_id, .. } => {
                let event = event(&mail, "notification_failed");
                plan.record(EventRow { agent_id: Some(*agent_id), ..event });
            }
            MailTo::Mayor => {
                to_mayor(plan, &mail);
                keep(plan, mail);
            }
            // What a person is sent is in their inbox at once.
            MailTo::User(_) => keep(plan, TownMail { read_at: Some(mail.created_at), ..mail }),
        }
    }
}

fn keep(plan: &mut Plan, mail: TownMail) {
    plan.record(event(&mail, "mail_sent"));
    plan.write(Write::Mail(Box::new(mail)));
}

/// The message has the mail's id, so that a repeated mail is no second message.
fn to_mayor(plan: &mut Plan, mail: &TownMail) {
    let Ok(message_id) = mail.mail_id.to_string().parse::<MessageId>() else { return };
    let source = match mail.from_kind {
        MailParty::User => MessageSource::User,
        MailParty::Agent | MailParty::Mayor => MessageSource::Agent,
        MailParty::System => MessageSource::System,
    };
    let rig = mail.from_rig.and_then(|rig_id| plan.state().rigs.get(&rig_id));
    let from =
        rig.map(|rig| format!("From: {}, rig {} ({})\n", mail.from_name, rig.name, rig.rig_id)).unwrap_or_default();
    let body = format!("{from}Subject: {}\n\n{}", mail.subject, mail.body);
    command::post_message(plan, message_id, source, Some(mail.from_id.clone()), body, None);
}

fn event(mail: &TownMail, kind: &'static str) -> EventRow {
    EventRow {
        kind,
        rig_id: mail.from_rig,
        bead_id: None,
        agent_id: None,
        convoy_id: None,
        actor: mail.from_id.clone(),
        actor_name: (mail.from_kind == MailParty::Agent).then(|| mail.from_name.clone()),
        old: None,
        new: Some(mail.subject.clone()),
        title: None,
        data: serde_json::json!({ "mail_id": mail.mail_id }),
    }
}
