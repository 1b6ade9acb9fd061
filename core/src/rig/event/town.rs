//! What the Town says (domain.md 11).

use super::Receipt;
use crate::id::AssignmentId;
use crate::protocol::{self, Numbered, TownToRig};
use crate::rig::assignment::{self, Assignment};
use crate::rig::breaker;
use crate::rig::mail::Mail;
use crate::rig::plan::{EventRow, Plan, Write};
use crate::rig::state::Settings;

pub(super) fn town_said(plan: &mut Plan, messages: Vec<Numbered<TownToRig>>) -> Receipt {
    let news = protocol::news(messages, plan.state().town_applied);
    let Some(last) = news.last().map(|message| message.seq) else { return Receipt::Duplicate };
    for Numbered { message, .. } in news {
        match message {
            TownToRig::Configure(configure) => configured(plan, *configure),
            TownToRig::GrantSlot { assignment_id, probe } => slot_granted(plan, assignment_id, probe),
            TownToRig::TownState(town) => plan.update_rig(|rig| rig.town = town),
            TownToRig::DeliverMail(mail) => mail_arrived(plan, *mail),
            TownToRig::Ping => (),
        }
    }
    plan.write(Write::Applied(last));
    Receipt::Applied
}

/// Settings. A repeat changes nothing; with new ones a person may have mended what opened the breaker, so one session may probe (domain.md 5.6).
fn configured(plan: &mut Plan, configure: protocol::Configure) {
    let known = plan.state().rig.settings.as_ref();
    if known.is_some_and(|s| s.version == configure.version && s.secrets_version == configure.secrets_version) {
        return;
    }
    plan.update_rig(|rig| {
        rig.git_url = configure.git_url;
        rig.default_branch = configure.default_branch;
        rig.target_branch = configure.target_branch;
        rig.wanted_version = rig.wanted_version.max(configure.version);
        rig.settings = Some(Settings {
            version: configure.version,
            secrets_version: configure.secrets_version,
            config: configure.config,
            town_models: configure.town_models,
            rig_models: configure.rig_models,
        });
        if rig.breaker.state == breaker::BreakerState::Open {
            rig.breaker.state = breaker::BreakerState::HalfOpen;
            rig.breaker.until = None;
        }
    });
}

/// A slot for an assignment that ended meanwhile goes back at once; one that was granted before is one grant.
fn slot_granted(plan: &mut Plan, assignment_id: AssignmentId, is_probe: bool) {
    let is_live = plan.state().assignments.get(&assignment_id).is_some_and(Assignment::is_live);
    if is_live {
        plan.update_assignment(assignment_id, |assignment| {
            assignment.slot = assignment::Slot::Granted;
            assignment.is_probe = is_probe;
        });
    } else {
        plan.post(protocol::RigToTown::SlotReleased { assignment_id });
    }
}

/// Mail from outside. One that is known already is not written again; one to an agent that left is told to nobody.
fn mail_arrived(plan: &mut Plan, mail: protocol::DeliverMail) {
    if plan.state().mail.contains_key(&mail.mail_id) || !plan.state().agents.contains_key(&mail.to_agent) {
        return;
    }
    let bead_id = plan.state().assignment_of_agent(mail.to_agent).map(|live| live.bead_id);
    let event = plan.event("mail_sent");
    plan.record(EventRow {
        bead_id,
        agent_id: Some(mail.to_agent),
        actor: mail.from_id.clone(),
        new: Some(mail.subject.clone()),
        ..event
    });
    plan.write(Write::Mail(Mail {
        mail_id: mail.mail_id,
        from_kind: mail.from_kind,
        from_id: mail.from_id,
        to_agent: Some(mail.to_agent),
        bead_id,
        thread_id: mail.thread_id,
        reply_to: mail.reply_to,
        subject: mail.subject,
        body: mail.body,
        created_at: mail.created_at,
        delivered_at: None,
        delivered_to: None,
        expires_at: None,
    }));
}
