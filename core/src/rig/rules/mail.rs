//! R30: waiting mail is handed to the runtime of a running session. It is delivered when the session has accepted it,
//! so what is not heard of is handed over again.

use crate::id::{AssignmentId, MailId};
use crate::limits::MESSAGES_PER_PUSH;
use crate::rig::mail::{self, Mail};
use crate::rig::plan::{Effect, Plan, Write};

pub(crate) fn run(plan: &mut Plan) {
    let (state, now) = (plan.state(), plan.now());
    let due: Vec<(AssignmentId, Vec<Mail>)> = state
        .live_assignments()
        .filter(|assignment| mail::can_be_told(assignment))
        .map(|assignment| {
            let waiting = mail::waiting(state, assignment).into_iter().filter(|mail| mail.is_due(now));
            (assignment.assignment_id, waiting.take(MESSAGES_PER_PUSH).cloned().collect())
        })
        .filter(|(_, due): &(AssignmentId, Vec<Mail>)| !due.is_empty())
        .collect();
    for (assignment_id, due) in due {
        let mail_ids: Vec<MailId> = due.iter().map(|mail| mail.mail_id).collect();
        for mail in due {
            plan.write(Write::Mail(Mail { sent_at: Some(now), ..mail }));
        }
        plan.effect(Effect::PushMail { assignment_id, mail_ids });
    }
}
