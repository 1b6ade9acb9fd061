//! What the Town says (domain.md 11).

use super::Receipt;
use crate::id::{AssignmentId, BeadId, ConvoyId};
use crate::limits::FINISH_LIMIT;
use crate::protocol::{self, DeliverMail, EdgeState, Numbered, TownToRig};
use crate::rig::assignment::{self, Assignment, GuppTier, Pending, Phase};
use crate::rig::command::{self, Reference};
use crate::rig::convoy;
use crate::rig::mail::{self, Mail};
use crate::rig::plan::{EventRow, Plan, Write};
use crate::rig::pr;
use crate::rig::rules;
use crate::rig::state::Settings;
use crate::rig::{answer, triage, usage};

pub(super) fn town_said(plan: &mut Plan, messages: Vec<Numbered<TownToRig>>) -> Receipt {
    let news = protocol::news(messages, plan.state().town_applied);
    let Some(last) = news.last().map(|message| message.seq) else { return Receipt::Duplicate };
    for Numbered { message, .. } in news {
        match message {
            TownToRig::Configure(configure) => configured(plan, *configure),
            TownToRig::CreateBeads(order) => convoy::create_beads(plan, *order),
            TownToRig::StartBeads { convoy_id, bead_ids } => convoy::start_beads(plan, convoy_id, &bead_ids),
            TownToRig::SkipBead { bead_id, .. } => convoy::skip_bead(plan, bead_id),
            TownToRig::RetryBeads { convoy_id, bead_ids, actor } => {
                convoy::retry_beads(plan, convoy_id, &bead_ids, &actor);
            }
            TownToRig::CancelBeads(order) => convoy::cancel_beads(plan, &order),
            TownToRig::GateOpened { bead_id, blocker_id, waived } => {
                let state = if waived { EdgeState::Waived } else { EdgeState::Satisfied };
                convoy::gate(plan, bead_id, blocker_id, state);
            }
            TownToRig::GateFailed { bead_id, blocker_id } => {
                convoy::gate(plan, bead_id, blocker_id, EdgeState::Failed);
            }
            TownToRig::GatePending { bead_id, blocker_id } => {
                convoy::gate(plan, bead_id, blocker_id, EdgeState::Pending);
            }
            TownToRig::OpenLanding(order) => convoy::open_landing(plan, &order),
            TownToRig::GrantSlot { assignment_id, probe } => slot_granted(plan, assignment_id, probe),
            TownToRig::DeliverMail(mail) => mail_arrived(plan, *mail),
            TownToRig::TownState(town) => town_state(plan, town),
            TownToRig::WrapUp { convoy_id, message } => wrap_up(plan, convoy_id, &message),
            TownToRig::RunTriage { batch_id, requests } if !plan.state().beads.contains_key(&batch_id) => {
                triage::open_batch(plan, batch_id, &requests);
            }
            TownToRig::RunTriage { .. } => (),
            TownToRig::EscalationAnswered(answered) => answer::answered(plan, *answered),
            TownToRig::AdoptBead(bead) => command::adopt(plan, *bead),
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
    });
    rules::breaker::half_open(plan);
    pr::settings_changed(plan);
}

/// What holds for the whole town. A repeat changes nothing.
fn town_state(plan: &mut Plan, town: protocol::TownState) {
    let before = plan.state().rig.town.clone();
    if before == town {
        return;
    }
    let is_replaced = before.instance_id.is_some() && before.instance_id != town.instance_id;
    let drain_begins = town.draining && !before.draining;
    let breaker_opens = town.breaker.is_some() && before.breaker.is_none();
    let (drain_ends, stop_running) = (before.draining && !town.draining, town.stop_running && !before.stop_running);
    plan.update_rig(|rig| {
        rig.town = town;
        if is_replaced || drain_begins {
            rig.drain_epoch = rig.next_epoch;
        }
    });
    if drain_ends {
        begin_anew(plan);
    }
    if breaker_opens {
        ask_again(plan);
    }
    if stop_running {
        stop_everything(plan, Pending::Stopped, "paused", "the town was paused and asked to stop running work");
    }
}

/// Leases, the start limit and silence stood still during the drain; an order that was refused is due at once.
fn begin_anew(plan: &mut Plan) {
    let now = plan.now();
    for live in live_sessions(plan) {
        plan.update_assignment(live.assignment_id, |assignment| {
            assignment.probe_until = None;
            match assignment.phase {
                Phase::Starting => {
                    assignment.started_at = Some(now);
                    assignment.order_due = assignment.order_due.map(|due| due.min(now));
                    assignment.lease_until = Some(now + assignment.lease());
                }
                Phase::Running => {
                    assignment.last_progress_at = Some(now);
                    assignment.gupp_tier = GuppTier::Heard;
                    assignment.lease_until = Some(now + assignment.lease());
                }
                Phase::Finishing => assignment.lease_until = Some(now + FINISH_LIMIT),
                Phase::Queued | Phase::Ended => (),
            }
        });
    }
}

/// A permission from before the town's breaker opened does not hold any more: it is asked for again, so that the one
/// session that may probe is the Town's choice.
fn ask_again(plan: &mut Plan) {
    let granted: Vec<AssignmentId> = plan
        .state()
        .live_assignments()
        .filter(|assignment| assignment.phase == Phase::Queued && assignment.slot == assignment::Slot::Granted)
        .map(|assignment| assignment.assignment_id)
        .collect();
    for assignment_id in granted {
        plan.update_assignment(assignment_id, |assignment| {
            assignment.slot = assignment::Slot::None;
            assignment.is_probe = false;
        });
    }
}

/// Every session that works is told to end.
fn stop_everything(plan: &mut Plan, pending: Pending, code: &str, message: &str) {
    for live in live_sessions(plan) {
        assignment::stop(plan, live.assignment_id, pending, code, message);
    }
}

/// A budget is used up: sessions, of one convoy or of all, are told to finish.
fn wrap_up(plan: &mut Plan, convoy_id: Option<ConvoyId>, message: &str) {
    for live in live_sessions(plan) {
        let bead = plan.state().beads.get(&live.bead_id);
        let of = bead.and_then(|bead| usage::convoy_of(plan.state(), bead));
        if convoy_id.is_none() || of == convoy_id {
            assignment::stop(plan, live.assignment_id, Pending::Budget, "budget_reached", message);
        }
    }
}

fn live_sessions(plan: &Plan) -> Vec<Assignment> {
    plan.state().live_assignments().filter(|assignment| assignment.has_session()).cloned().collect()
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
fn mail_arrived(plan: &mut Plan, mail: DeliverMail) {
    if plan.state().mail.contains_key(&mail.mail_id) || !plan.state().agents.contains_key(&mail.to_agent) {
        return;
    }
    let bead_id = mail::about(plan.state(), mail.to_agent);
    let event = plan.event("mail_sent");
    plan.record(EventRow {
        bead_id,
        agent_id: Some(mail.to_agent),
        actor: mail.from_id.clone(),
        new: Some(mail.subject.clone()),
        ..event
    });
    let DeliverMail { mail_id, from_kind, from_id, to_agent, thread_id, reply_to, subject, body, created_at } = mail;
    let mail = Mail::new(mail_id, (from_kind, from_id), subject, body, created_at);
    plan.write(Write::Mail(Mail { to_agent: Some(to_agent), bead_id, thread_id, reply_to, ..mail }));
}

/// Ended beads that a message speaks of.
pub(super) fn references(message: &TownToRig) -> Vec<Reference> {
    let beads = |ids: &[BeadId]| ids.iter().copied().map(Reference::Bead).collect();
    match message {
        TownToRig::CreateBeads(order) => {
            let made = order.beads.iter().map(|bead| bead.bead_id);
            let blockers = order.edges.iter().filter(|edge| !edge.cross).map(|edge| edge.blocker_id);
            let beads = made.chain(order.joins.iter().copied()).chain(blockers).map(Reference::Bead);
            beads.chain([Reference::Convoy(order.convoy_id)]).collect()
        }
        TownToRig::StartBeads { bead_ids, .. } | TownToRig::RetryBeads { bead_ids, .. } => beads(bead_ids),
        TownToRig::CancelBeads(order) => beads(&order.bead_ids),
        TownToRig::SkipBead { bead_id, .. } => beads(&[*bead_id]),
        TownToRig::OpenLanding(order) => vec![Reference::Bead(order.bead_id), Reference::Convoy(order.convoy_id)],
        TownToRig::GateOpened { bead_id, .. }
        | TownToRig::GateFailed { bead_id, .. }
        | TownToRig::GatePending { bead_id, .. } => beads(&[*bead_id]),
        TownToRig::RunTriage { batch_id, .. } => vec![Reference::Bead(*batch_id)],
        TownToRig::EscalationAnswered(answered) => answered.bead_id.map(Reference::Bead).into_iter().collect(),
        TownToRig::AdoptBead(bead) => vec![Reference::Bead(bead.bead_id), Reference::Namesakes(bead.bead_id)],
        TownToRig::Configure(_)
        | TownToRig::GrantSlot { .. }
        | TownToRig::TownState(_)
        | TownToRig::DeliverMail(_)
        | TownToRig::WrapUp { .. }
        | TownToRig::Ping => Vec::new(),
    }
}
