//! What scenarios show of the life cycles: every change of state that a commit writes is compared with the transition
//! table of its entity, and noted, so that rows which no scenario shows can be found.
//!
//! A row that leads back to where it began changes no state, so it is not looked for: late and doubled reports have
//! scenarios that say `stale` and `duplicate`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use gastown_core::rig::{self, assignment, bead, job, mail, molecule, nudge, pr, review};
use gastown_core::town::{self, convoy, escalation, mayor, triage};
use gastown_core::{breaker, container};

/// A table as words: from, what happens, to.
pub(crate) type Rows = Vec<(String, &'static str, String)>;

/// Every life cycle by its name.
pub(crate) fn tables() -> BTreeMap<&'static str, Rows> {
    BTreeMap::from([
        ("bead", rows(bead::TRANSITIONS)),
        ("edge", rows(bead::EDGE_TRANSITIONS)),
        ("assignment", rows(assignment::TRANSITIONS)),
        ("slot", rows(assignment::SLOT_TRANSITIONS)),
        ("review", rows(review::TRANSITIONS)),
        ("job", rows(job::TRANSITIONS)),
        ("gate run", rows(job::GATE_RUN_TRANSITIONS)),
        ("watch", rows(pr::WATCH_TRANSITIONS)),
        ("pull request", rows(pr::TRANSITIONS)),
        ("mail", rows(mail::TRANSITIONS)),
        ("nudge", rows(nudge::TRANSITIONS)),
        ("step", rows(molecule::TRANSITIONS)),
        ("breaker", rows(breaker::TRANSITIONS)),
        ("convoy", rows(convoy::TRANSITIONS)),
        ("task", rows(convoy::TASK_TRANSITIONS)),
        ("landing", rows(convoy::LANDING_TRANSITIONS)),
        ("escalation", rows(escalation::TRANSITIONS)),
        ("triage", rows(triage::TRANSITIONS)),
        ("mayor", rows(mayor::TRANSITIONS)),
        ("message", rows(mayor::MESSAGE_TRANSITIONS)),
        ("container", rows(container::TRANSITIONS)),
    ])
}

fn rows<S: std::fmt::Display>(table: &[(S, &'static str, S)]) -> Rows {
    table.iter().map(|(from, what, to)| (from.to_string(), *what, to.to_string())).collect()
}

/// A life cycle, where it was left, and where it was entered.
type Step = (&'static str, String, String);

thread_local! {
    static SEEN: RefCell<BTreeSet<Step>> = const { RefCell::new(BTreeSet::new()) };
}

/// Changes that this thread has seen and that no row allows.
pub(crate) fn unknown() -> Vec<String> {
    let tables = tables();
    let is_row = |(table, from, to): &Step| tables[table].iter().any(|row| (&row.0, &row.2) == (from, to));
    let seen = SEEN.with_borrow(Clone::clone);
    seen.iter().filter(|step| !is_row(step)).map(|(table, from, to)| format!("{table}: {from} -> {to}")).collect()
}

/// Rows that lead somewhere and that this thread has not seen.
pub(crate) fn unseen() -> Vec<String> {
    let seen = SEEN.with_borrow(Clone::clone);
    let mut unseen = Vec::new();
    for (table, rows) in tables() {
        for (from, what, to) in rows.into_iter().filter(|(from, _, to)| from != to) {
            if !seen.contains(&(table, from.clone(), to.clone())) {
                unseen.push(format!("{table}: {from} -> {to}: {what}"));
            }
        }
    }
    unseen
}

/// Where each thing of one object is, as the writes of a commit change it.
struct Trace {
    at: BTreeMap<(&'static str, String), String>,
}

impl Trace {
    fn enter(&mut self, table: &'static str, key: impl std::fmt::Debug, state: impl std::fmt::Display) {
        let (key, state) = ((table, format!("{key:?}")), state.to_string());
        if let Some(from) = self.at.insert(key, state.clone())
            && from != state
        {
            SEEN.with_borrow_mut(|seen| seen.insert((table, from, state)));
        }
    }

    fn leave(&mut self, table: &'static str, key: impl std::fmt::Debug) {
        self.at.remove(&(table, format!("{key:?}")));
    }
}

/// Notes what a commit of a rig changes.
pub(crate) fn note_rig(before: &rig::State, planned: &rig::Planned) {
    let mut trace = Trace { at: BTreeMap::new() };
    let rows = [rig::Write::Rig(Box::new(before.rig.clone()))]
        .into_iter()
        .chain(before.beads.values().map(|row| rig::Write::Bead(Box::new(row.clone()))))
        .chain(before.edges.values().map(|row| rig::Write::Edge(row.clone())))
        .chain(before.assignments.values().map(|row| rig::Write::Assignment(Box::new(row.clone()))))
        .chain(before.reviews.values().map(|row| rig::Write::Review(Box::new(row.clone()))))
        .chain(before.gate_runs.values().map(|row| rig::Write::GateRun(row.clone())))
        .chain(before.watches.values().map(|row| rig::Write::Watch(Box::new(row.clone()))))
        .chain(before.jobs.values().map(|row| rig::Write::Job(Box::new(row.clone()))))
        .chain(before.mail.values().map(|row| rig::Write::Mail(row.clone())))
        .chain(before.nudges.values().map(|row| rig::Write::Nudge(row.clone())))
        .chain(before.steps.values().map(|row| rig::Write::Step(row.clone())));
    rows.for_each(|row| trace_rig(&mut trace, &row));
    planned.writes.iter().for_each(|(_, row)| trace_rig(&mut trace, row));
}

fn trace_rig(trace: &mut Trace, row: &rig::Write) {
    use rig::Write;
    match row {
        Write::Rig(rig) => trace.enter("breaker", rig.rig_id, rig.breaker.state),
        Write::Bead(bead) => trace.enter("bead", bead.bead_id, bead.status),
        Write::Edge(edge) => trace.enter("edge", (edge.bead_id, edge.blocker_id), edge.state),
        Write::RemoveEdge(bead_id, blocker_id) => trace.leave("edge", (bead_id, blocker_id)),
        Write::Assignment(assignment) => {
            trace.enter("assignment", assignment.assignment_id, assignment.phase);
            if assignment.is_live() {
                trace.enter("slot", assignment.assignment_id, assignment.slot);
            }
        }
        Write::Review(review) => {
            trace.enter("review", review.bead_id, review.state);
            match review.sub {
                Some(sub) => trace.enter("pull request", review.bead_id, sub),
                None => trace.leave("pull request", review.bead_id),
            }
        }
        Write::GateRun(run) => trace.enter("gate run", run.run_id, run.result),
        Write::Watch(watch) => trace.enter("watch", watch.review_id, watch.state),
        Write::Job(job) => trace.enter("job", job.job_id, job.phase),
        Write::Mail(mail) => trace.enter("mail", mail.mail_id, mail.state()),
        Write::Nudge(nudge) => trace.enter("nudge", nudge.nudge_id, nudge.state),
        Write::Step(step) => trace.enter("step", step.step_id, step.state),
        Write::RemoveBead(_)
        | Write::Agent(_)
        | Write::RemoveAgent(_)
        | Write::Round(_)
        | Write::Lesson(_)
        | Write::Usage(..)
        | Write::Outbox(_)
        | Write::Acknowledged(_)
        | Write::Applied(_)
        | Write::Event(_)
        | Write::Prune(_) => (),
    }
}

/// Notes what a commit of a town changes.
pub(crate) fn note_town(before: &town::State, planned: &town::Planned) {
    let mut trace = Trace { at: BTreeMap::new() };
    let rows =
        [town::Write::Mayor(Box::new(before.mayor.clone())), town::Write::Breaker(Box::new(before.breaker.clone()))]
            .into_iter()
            .chain(before.convoys.values().map(|row| town::Write::Convoy(Box::new(row.clone()))))
            .chain(before.convoy_rigs.values().map(|row| town::Write::ConvoyRig(row.clone())))
            .chain(before.tasks.values().map(|row| town::Write::Task(Box::new(row.clone()))))
            .chain(before.task_edges.values().map(|row| town::Write::TaskEdge(row.clone())))
            .chain(before.inbox.values().map(|row| town::Write::Message(row.clone())))
            .chain(before.escalations.values().map(|row| town::Write::Escalation(Box::new(row.clone()))))
            .chain(before.triage.values().map(|row| town::Write::Triage(Box::new(row.clone()))));
    rows.for_each(|row| trace_town(&mut trace, &row));
    planned.writes.iter().for_each(|(_, row)| trace_town(&mut trace, row));
}

fn trace_town(trace: &mut Trace, row: &town::Write) {
    use town::Write;
    match row {
        Write::Mayor(mayor) => trace.enter("mayor", mayor.agent_id, mayor.phase),
        Write::Breaker(breaker) => trace.enter("breaker", "town", breaker.state),
        Write::Convoy(convoy) => trace.enter("convoy", convoy.convoy_id, convoy.state),
        Write::ConvoyRig(part) => trace.enter("landing", (part.convoy_id, part.rig_id), part.landing),
        Write::Task(task) => trace.enter("task", task.bead_id, task.state),
        Write::TaskEdge(edge) => trace.enter("edge", (edge.bead_id, edge.blocker_id), edge.state),
        Write::Message(message) => trace.enter("message", message.message_id, message.state),
        Write::Escalation(escalation) => trace.enter("escalation", escalation.escalation_id, escalation.state),
        Write::Triage(request) => trace.enter("triage", request.asked.request_id, request.state),
        Write::Town(_)
        | Write::Rig(_)
        | Write::RemoveRig(_)
        | Write::Slot(_)
        | Write::RemoveSlot(_)
        | Write::RemoveTask(_)
        | Write::RemoveTaskEdge(..)
        | Write::Drain(_)
        | Write::StartFailure { .. }
        | Write::DayBudget(_)
        | Write::Usage { .. }
        | Write::Runtime(_)
        | Write::Acknowledged(..)
        | Write::Applied(..)
        | Write::Outbox(..)
        | Write::Mail(_)
        | Write::MailRead(..)
        | Write::Event(_)
        | Write::Frame(..)
        | Write::Audit { .. }
        | Write::Prune(_) => (),
    }
}

/// Notes how the runtime's phase changes.
pub(crate) fn note_container(from: container::Phase, to: container::Phase) {
    if from != to {
        SEEN.with_borrow_mut(|seen| seen.insert(("container", from.to_string(), to.to_string())));
    }
}
