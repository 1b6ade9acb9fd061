//! What must hold about mail and nudges (domain.md 10.1, 10.2).

use gastown_core::rig::mail::{self, Mail};
use gastown_core::rig::nudge::{NudgeMode, NudgeState};
use gastown_core::rig::plan::Planned;
use gastown_core::rig::{Effect, Write};

use crate::happening::RigNo;
use crate::messages::Inbox;
use crate::rig::Disk;
use crate::world::World;

/// What is handed over waits, is due, and goes in its order; what was delivered stays so.
pub(super) fn orders(world: &World, rig: RigNo, planned: &Planned, breaches: &mut Vec<String>) {
    let Some(disk) = &world.rigs[rig].disk else { return };
    let state = &planned.state;
    for effect in &planned.effects {
        match effect {
            Effect::PushMail { assignment_id, mail_ids } => {
                let row = state.assignments.get(assignment_id).filter(|row| mail::can_be_told(row));
                let mails: Vec<&Mail> = mail_ids.iter().filter_map(|id| state.mail.get(id)).collect();
                let is_marked = mails.iter().all(|mail| mail.is_live() && mail.sent_at == Some(world.now));
                let is_in_order = mails.is_sorted_by_key(|mail| mail.created_at);
                if row.is_none() || mails.len() != mail_ids.len() || !is_marked || !is_in_order {
                    breaches.push(format!("10.1: mail is pushed out of order: {mail_ids:?} to {assignment_id}"));
                }
            }
            Effect::PushNudge { assignment_id, nudge_ids } => {
                let Some(row) = state.assignments.get(assignment_id).filter(|row| mail::can_be_told(row)) else {
                    breaches.push(format!("10.2: nudges are pushed to {assignment_id}, which does not run"));
                    continue;
                };
                let nudges: Vec<_> = nudge_ids.iter().filter_map(|id| state.nudges.get(id)).collect();
                let is_its_time = |mode| mode != NudgeMode::WaitIdle || row.idle_since.is_some();
                let is_due = nudges.iter().all(|n| n.state == NudgeState::Sent && n.is_for(row) && is_its_time(n.mode));
                if nudges.len() != nudge_ids.len() || !is_due || !nudges.is_sorted_by_key(|nudge| nudge.order()) {
                    breaches.push(format!("10.2: nudges are pushed before their turn: {nudge_ids:?}"));
                }
            }
            _ => (),
        }
    }
    for (_, write) in &planned.writes {
        match write {
            Write::Mail(new) => mail_goes_once(disk, planned, new, breaches),
            Write::Nudge(new) => {
                let old = disk.nudges.get(&new.nudge_id).copied();
                let is_over = matches!(old, Some(NudgeState::Delivered | NudgeState::Expired));
                if is_over && old != Some(new.state) {
                    breaches.push(format!("10.2: nudge {} was {old:?} and is {}", new.nudge_id, new.state));
                }
            }
            _ => (),
        }
    }
}

/// Delivered once, and to whom it is for.
fn mail_goes_once(disk: &Disk, planned: &Planned, new: &Mail, breaches: &mut Vec<String>) {
    let id = new.mail_id;
    if let Some(old) = disk.mail.get(&id).filter(|old| !old.is_live())
        && (old.delivered_at, old.delivered_to, old.expired_at) != (new.delivered_at, new.delivered_to, new.expired_at)
    {
        breaches.push(format!("10.1: mail {id} had come to its end, and comes to another"));
    }
    let state = &planned.state;
    let Some(row) = new.delivered_to.and_then(|id| state.assignments.get(&id)) else { return };
    let is_receiver = match new.bead_id {
        Some(bead_id) => bead_id == row.bead_id || bead_id == mail::subject(state, row),
        None => new.to_agent == Some(row.agent_id),
    };
    if disk.mail.get(&id).is_none_or(Mail::is_live) && !is_receiver {
        breaches.push(format!("10.1: mail {id} is delivered to {}, whom it is not for", row.assignment_id));
    }
}

/// Everything that was taken has arrived, in one place.
pub(super) fn at_rest(world: &World, sentences: &mut Vec<String>) {
    for (mail_id, inbox) in &world.letters {
        let holders = world.rigs.iter().filter_map(|rig| rig.disk.as_ref()).filter(|d| d.mail.contains_key(mail_id));
        let count = holders.count() + usize::from(world.town.disk.mail.contains(mail_id));
        let is_gone = match inbox {
            Inbox::Agent(rig, agent_id) => {
                !world.rigs[*rig].rows().is_some_and(|state| state.agents.contains_key(agent_id))
            }
            Inbox::Town => false,
        };
        if count > 1 || count == 0 && !is_gone {
            sentences.push(format!("10.1: mail {mail_id} for {inbox:?} is in {count} places"));
        }
    }
}
