//! Facts about the town: what rigs and the runtime said. A fact is never refused; a late or doubled one changes nothing.

use super::convoy::fact;
use super::mail::TownMail;
use super::plan::{Plan, Write};
use super::state::{
    ALL_TIME, Drain, MayorActivity, MayorError, MayorPhase, MessageSource, MessageState, Slot, Spender,
};
use super::{escalation, mayor, notice, rules, triage};
use crate::id::{InstanceId, MailId, MessageId, RigId};
use crate::limits::{ORDER_CAPACITY_RETRY, ORDER_REFUSED_RETRY, backoff};
use crate::protocol::{self, Activity, Numbered, RigToTown, Severity, Spending};
use crate::session::{Over, SessionAnswer, SessionFact, SessionKey, StartAnswer, Usage};
use crate::time::Timestamp;

/// A fact.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A rig said this.
    RigSaid(RigId, Vec<Numbered<RigToTown>>),
    /// A rig has applied everything up to this number.
    RigAcknowledged(RigId, u64),
    /// The runtime was heard of under this identity.
    InstanceSeen(InstanceId),
    /// The runtime ends.
    InstanceEvicted(InstanceId),
    /// A new runtime names the nonce of the drain.
    InstanceReady(InstanceId, String),
    /// The runtime looked at a repository; the result as the API shows it.
    RepoChecked(RigId, serde_json::Value),
    /// The runtime reported about the mayor's session.
    MayorReported(SessionKey, SessionFact),
    /// What the mayor's session has spent in all.
    MayorSpent(SessionKey, Usage),
    /// The runtime answered the start order.
    MayorStartAnswered(SessionKey, StartAnswer),
    /// The runtime answered whether the session lives.
    MayorAnswered(SessionKey, SessionAnswer),
    /// The runtime's keeper could not start it.
    RuntimeStartFailed {
        /// Machine word.
        code: String,
        /// One sentence.
        message: String,
    },
    /// The runtime's keeper may not restart it any more; told once per window.
    RuntimeExhausted(String),
    /// The runtime answers again.
    RuntimeRecovered,
}

/// What became of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It changed something, or confirmed what is so.
    Applied,
    /// It was known.
    Duplicate,
    /// Its session is over or superseded.
    Stale,
}

/// Applies one fact.
pub fn apply(plan: &mut Plan, event: Event) -> Receipt {
    match event {
        Event::RigSaid(rig_id, messages) => rig_said(plan, rig_id, messages),
        Event::RigAcknowledged(rig_id, seq) => {
            let rows = plan.state().outboxes.get(&rig_id).map(|outbox| outbox.rows()).unwrap_or_default();
            if rows.first().is_none_or(|row| row.seq > seq) {
                return Receipt::Duplicate;
            }
            plan.set_heard(rig_id);
            plan.write(Write::Acknowledged(rig_id, seq));
            Receipt::Applied
        }
        Event::InstanceSeen(instance_id) => instance_seen(plan, instance_id),
        Event::InstanceEvicted(instance_id) => instance_evicted(plan, instance_id),
        Event::InstanceReady(instance_id, nonce) => instance_ready(plan, instance_id, &nonce),
        Event::RuntimeStartFailed { code, message } => {
            rules::breaker::start_failed(plan, None, &code, &message, false);
            Receipt::Applied
        }
        Event::RuntimeExhausted(message) => {
            let title = "The agent runtime cannot be kept alive";
            escalation::raise(plan, escalation::RUNTIME, Severity::Critical, "runtime_exhausted", title, &message);
            Receipt::Applied
        }
        Event::RuntimeRecovered => {
            escalation::clear(plan, escalation::RUNTIME);
            Receipt::Applied
        }
        Event::RepoChecked(rig_id, access) => {
            plan.update_rig(rig_id, |rig| rig.access = access);
            Receipt::Applied
        }
        Event::MayorSpent(key, total) if is_current(plan, key) => {
            mayor_has_spent(plan, total);
            Receipt::Applied
        }
        Event::MayorReported(key, fact) if is_current(plan, key) => mayor_reported(plan, fact),
        Event::MayorStartAnswered(key, answer) if is_current(plan, key) => mayor_start_answered(plan, answer),
        Event::MayorAnswered(key, answer) if is_current(plan, key) => mayor_answered(plan, answer),
        Event::MayorSpent(..) | Event::MayorReported(..) | Event::MayorStartAnswered(..) | Event::MayorAnswered(..) => {
            Receipt::Stale
        }
    }
}

/// Whether this is the mayor's present session.
pub fn is_current(plan: &Plan, key: SessionKey) -> bool {
    let mayor = &plan.state().mayor;
    mayor.assignment_id == Some(key.assignment_id) && mayor.epoch == key.epoch
}

fn rig_said(plan: &mut Plan, rig_id: RigId, messages: Vec<Numbered<RigToTown>>) -> Receipt {
    if !plan.state().rigs.contains_key(&rig_id) {
        return Receipt::Stale;
    }
    let applied = plan.state().applied.get(&rig_id).copied().unwrap_or(0);
    let news = protocol::news(messages, applied);
    let Some(last) = news.last().map(|message| message.seq) else { return Receipt::Duplicate };
    for Numbered { message, .. } in news {
        match message {
            RigToTown::SlotAsked { assignment_id, bead_id, convoy_id, assignment_kind, priority, age_at } => {
                // Asked again, with another priority, while the grant was on its way: it stays granted.
                let known = plan.state().slots.get(&assignment_id);
                let (granted_at, is_probe) = known.map_or((None, false), |slot| (slot.granted_at, slot.is_probe));
                let requested_at = known.map_or(plan.now(), |slot| slot.requested_at);
                let slot = Slot {
                    assignment_id,
                    rig_id,
                    bead_id,
                    convoy_id,
                    kind: assignment_kind,
                    priority,
                    age_at,
                    requested_at,
                    granted_at,
                    is_probe,
                };
                plan.write(Write::Slot(slot));
            }
            RigToTown::SlotReleased { assignment_id } => plan.write(Write::RemoveSlot(assignment_id)),
            RigToTown::StartFailed { code, message, is_retryable, is_probe, .. } => {
                if is_retryable {
                    rules::breaker::start_failed(plan, Some(rig_id), &code, &message, is_probe);
                }
            }
            RigToTown::StartSucceeded { .. } => rules::breaker::start_succeeded(plan),
            RigToTown::Activity(activity) => rig_is_active(plan, rig_id, activity),
            RigToTown::Usage(spending) => rig_has_spent(plan, rig_id, spending),
            RigToTown::TaskStatus(status) => fact::task_reported(plan, rig_id, *status),
            RigToTown::TaskGone { convoy_id, bead_id } => fact::task_gone(plan, rig_id, convoy_id, bead_id),
            RigToTown::LandingState(report) => fact::landing_reported(plan, rig_id, report),
            RigToTown::EscalationRaised(raised) => drop(escalation::raised(plan, Some(rig_id), *raised)),
            RigToTown::EscalationCleared { dedup_key } => escalation::clear(plan, &dedup_key),
            RigToTown::TriageAsked(asked) => triage::ask(plan, rig_id, *asked, None),
            RigToTown::TriageResolved(decision) => triage::resolved(plan, rig_id, *decision),
            RigToTown::TriageEnded { batch_id } => triage::batch_ended(plan, rig_id, batch_id),
            RigToTown::MailOut(mail) => plan.route(TownMail::out(rig_id, *mail)),
            RigToTown::BeadMoved { to, bead } => bead_moved(plan, rig_id, to, bead),
            RigToTown::Feed { frames } => {
                for frame in frames {
                    plan.write(Write::Frame(Some(rig_id), frame));
                }
            }
        }
    }
    plan.set_heard(rig_id);
    plan.write(Write::Applied(rig_id, last));
    Receipt::Applied
}

/// A bead on its way: to the rig it was moved to, or home again when that rig is gone meanwhile.
fn bead_moved(plan: &mut Plan, from: RigId, to: RigId, bead: Box<protocol::MovedBead>) {
    let home = if plan.state().rigs.contains_key(&to) { to } else { from };
    plan.post(home, protocol::TownToRig::AdoptBead(bead));
}

fn rig_is_active(plan: &mut Plan, rig_id: RigId, activity: Activity) {
    let now = plan.now();
    plan.update_rig(rig_id, |rig| {
        rig.activity = activity;
        rig.reported_at = Some(now);
    });
}

/// Totals only grow: what a rig repeats, or says late, changes nothing.
fn rig_has_spent(plan: &mut Plan, rig_id: RigId, spending: Spending) {
    for (day, spent) in spending.days {
        plan.raise_usage(&day, Spender::Rig(rig_id), spent);
    }
    for (convoy_id, spent) in spending.convoys {
        plan.raise_usage(ALL_TIME, Spender::Convoy(convoy_id, rig_id), spent);
    }
}

/// T3: another life of the runtime ends a drain, and the mayor of the old one is asked for.
fn instance_seen(plan: &mut Plan, instance_id: InstanceId) -> Receipt {
    if plan.state().drain.instance_id == Some(instance_id) {
        return Receipt::Duplicate;
    }
    plan.write(Write::Drain(Drain { instance_id: Some(instance_id), ..Drain::default() }));
    Receipt::Applied
}

fn instance_evicted(plan: &mut Plan, instance_id: InstanceId) -> Receipt {
    let drain = &plan.state().drain;
    if drain.instance_id.is_some_and(|known| known != instance_id) {
        return Receipt::Stale;
    }
    if drain.is_draining {
        return Receipt::Duplicate;
    }
    let (now, nonce) = (plan.now(), plan.mint::<crate::id::RunId>().to_string());
    plan.write(Write::Drain(Drain {
        is_draining: true,
        nonce: Some(nonce),
        instance_id: Some(instance_id),
        started_at: Some(now),
    }));
    notice::note(plan, "The runtime is being replaced: sessions are saved and go on afterwards.".to_owned());
    Receipt::Applied
}

/// A drain ends with the right nonce from another instance; a wrong nonce or the old instance ends nothing.
fn instance_ready(plan: &mut Plan, instance_id: InstanceId, nonce: &str) -> Receipt {
    let drain = &plan.state().drain;
    let ends = drain.is_draining && drain.nonce.as_deref() == Some(nonce) && drain.instance_id != Some(instance_id);
    if !ends {
        return Receipt::Stale;
    }
    plan.write(Write::Drain(Drain { instance_id: Some(instance_id), ..Drain::default() }));
    Receipt::Applied
}

fn mayor_reported(plan: &mut Plan, fact: SessionFact) -> Receipt {
    match fact {
        SessionFact::Step(_) | SessionFact::Finishing | SessionFact::Pushed { .. } | SessionFact::Saved { .. } => {
            mayor::renew_lease(plan);
        }
        SessionFact::Ready => {
            mayor::became_running(plan);
            mayor::renew_lease(plan);
        }
        SessionFact::StartFailed { code, message, .. } => mayor::start_failed(plan, &code, &message),
        SessionFact::Delivered(message_ids) => delivered(plan, &message_ids),
        SessionFact::Beat(beat) => {
            if beat.is_running {
                mayor::became_running(plan);
            }
            mayor::renew_lease(plan);
            plan.update_mayor(|mayor| mayor.instance_id = Some(beat.instance_id));
            mayor_has_spent(plan, beat.usage);
            mayor_turned(plan, beat.idle_since);
        }
        SessionFact::Over(over) => mayor_over(plan, over),
    }
    Receipt::Applied
}

/// The session's totals, added to the day's: a late or doubled report adds nothing.
fn mayor_has_spent(plan: &mut Plan, total: Usage) {
    let more = total.beyond(plan.state().mayor.spent);
    if more == Usage::default() {
        return;
    }
    plan.update_mayor(|mayor| mayor.spent = mayor.spent.plus(more));
    let day = plan.now().day();
    let known = plan.state().usage.get(&(day.clone(), Spender::Mayor)).copied().unwrap_or_default();
    plan.raise_usage(&day, Spender::Mayor, known.plus(more));
}

/// Idle makes the mayor waiting, unless a message reached it after it had turned idle (domain.md 9.5).
fn mayor_turned(plan: &mut Plan, idle_since: Option<Timestamp>) {
    let now = plan.now();
    let (activity, since) = (plan.state().mayor.activity, plan.state().mayor.since);
    let turned = match (activity, idle_since) {
        (MayorActivity::Working, Some(idle_since)) if idle_since >= since => MayorActivity::Waiting,
        (MayorActivity::Waiting, None) => MayorActivity::Working,
        (MayorActivity::Working, _) | (MayorActivity::Waiting, Some(_)) => return,
    };
    plan.update_mayor(|mayor| {
        mayor.activity = turned;
        mayor.since = now;
    });
}

fn delivered(plan: &mut Plan, message_ids: &[String]) {
    let now = plan.now();
    for message_id in message_ids.iter().filter_map(|id| id.parse::<MessageId>().ok()) {
        plan.update_message(message_id, |message| {
            message.state = MessageState::Delivered;
            message.delivered_at = Some(now);
        });
        if let Some(mail_id) = mail_of(plan, message_id) {
            plan.write(Write::MailRead(mail_id, now));
        }
    }
    mayor::renew_lease(plan);
}

/// The mail behind a message of an agent or a person; a message that nobody mailed has no such row, which is no harm.
fn mail_of(plan: &Plan, message_id: MessageId) -> Option<MailId> {
    plan.state().inbox.get(&message_id).filter(|message| message.source != MessageSource::System)?;
    message_id.to_string().parse().ok()
}

fn mayor_over(plan: &mut Plan, over: Over) {
    let now = plan.now();
    let error = match over {
        Over::Error { kind, message, .. } => Some((kind.as_str().to_owned(), message)),
        Over::Crashed(message) => Some(("crash".to_owned(), message)),
        Over::Completed(_) | Over::Stopped(_) | Over::Evicted(_) | Over::Interrupted(_) => None,
    };
    match error {
        Some((code, message)) if plan.state().mayor.phase == MayorPhase::Starting => {
            mayor::start_failed(plan, &code, &message);
        }
        error => {
            let error = error.map(|(code, message)| MayorError { code, message, at: now });
            // A session that dies of its messages must not be started for them without end; a person's word is sooner.
            let not_before = error.as_ref().map(|_| now + backoff(1));
            mayor::became_absent(plan, error, not_before);
        }
    }
}

fn mayor_start_answered(plan: &mut Plan, answer: StartAnswer) -> Receipt {
    if plan.state().mayor.phase != MayorPhase::Starting {
        return Receipt::Duplicate;
    }
    let now = plan.now();
    let mut later = |code: &str, message: String, pause| {
        let error = MayorError { code: code.to_owned(), message, at: now };
        mayor::became_absent(plan, Some(error), Some(now + pause));
    };
    match answer {
        StartAnswer::Accepted(instance_id) => plan.update_mayor(|mayor| mayor.instance_id = Some(instance_id)),
        StartAnswer::NotNow(why) => later("runtime_starting", why, ORDER_REFUSED_RETRY),
        StartAnswer::NoCapacity(why) => later("capacity", why, ORDER_CAPACITY_RETRY),
        StartAnswer::Invalid { code, message } => mayor::start_failed(plan, &code, &message),
    }
    Receipt::Applied
}

fn mayor_answered(plan: &mut Plan, answer: SessionAnswer) -> Receipt {
    match answer {
        SessionAnswer::Alive(instance_id) => {
            mayor::renew_lease(plan);
            plan.update_mayor(|mayor| mayor.instance_id = Some(instance_id));
        }
        SessionAnswer::Gone(message) => rules::mayor_lease::give_up(plan, &message),
    }
    Receipt::Applied
}
