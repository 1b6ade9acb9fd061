//! What the Town and the runtime say to a rig: numbered messages, facts, heartbeats, ends of sessions.

use std::rc::Rc;

use gastown_core::id::RigRef;
use gastown_core::protocol::{BatchReply, RigToTown};
use gastown_core::rig::assignment::{Pending, Phase};
use gastown_core::rig::event::{Event, JobFact};
use gastown_core::rig::{Effect, Receipt};
use gastown_core::session::{Role, SessionKey};
use gastown_core::wire::fact;
use gastown_core::wire::report::{AgentBeat, Fact, FactResult, ItemStatus, OutcomeResult, Ref};

use serde::{Deserialize, Serialize};

use super::Desk;
use super::calls::{Deliver, LiveSessions, Running, RuntimeBeats, RuntimeFacts, RuntimeOutcomes};
use crate::error::Result;

/// What the runtime does about sessions after a heartbeat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeatsReply {
    /// Sessions that shall end.
    pub stop: Vec<Ref>,
    /// Sessions that shall finish, because a budget is used up.
    pub wrap_up: Vec<Ref>,
}

/// Numbered messages of the Town; the answer brings ours the other way. The first contact makes the rig.
pub(super) async fn deliver(desk: &Rc<Desk>, call: Deliver) -> Result<BatchReply<RigToTown>> {
    desk.found(&call)?;
    let events = vec![Event::TownAcknowledged(call.batch.applied), Event::TownSaid(call.batch.messages)];
    let committed = desk.observe(events)?;
    // What would be sent to the Town goes with this answer instead.
    let effects = committed.effects.into_iter().filter(|effect| *effect != Effect::SendToTown).collect();
    desk.act(effects).await;
    desk.read(|state| Ok(BatchReply { acknowledged: state.town_applied, messages: state.outbox.batch() }))
}

/// Facts about sessions and jobs; one result per fact.
pub(super) async fn facts(desk: &Rc<Desk>, call: RuntimeFacts) -> Result<Vec<FactResult>> {
    let mut results = Vec::with_capacity(call.facts.len());
    let mut known = Vec::new();
    for report in call.facts {
        match event_of(&report) {
            Some(event) => known.push((report.fact_id, event)),
            None => results.push(FactResult {
                fact_id: report.fact_id,
                status: ItemStatus::Rejected,
                code: Some("no_subject".to_owned()),
            }),
        }
    }
    let (fact_ids, events): (Vec<_>, Vec<_>) = known.into_iter().unzip();
    let committed = desk.observe(events)?;
    results.extend(fact_ids.into_iter().zip(committed.value).map(|(fact_id, receipt)| FactResult {
        fact_id,
        status: status_of(receipt),
        code: None,
    }));
    desk.act(committed.effects).await;
    Ok(results)
}

/// The rig's part of a heartbeat; the answer names sessions that shall end, or finish.
pub(super) async fn beats(desk: &Rc<Desk>, call: RuntimeBeats) -> Result<BeatsReply> {
    let mut events = Vec::with_capacity(call.agents.len() + call.jobs.len());
    for beat in &call.agents {
        let (key, fact) = fact::beat(beat, call.instance_id);
        events.push(Event::SessionReported(key, fact));
    }
    for job in &call.jobs {
        events.push(Event::JobReported(job.job_id, JobFact::Beat));
    }
    // A session that is still ending spends for a bead that is over.
    let spenders = call.agents.iter().map(|beat| beat.session.assignment_id).collect();
    let committed = desk.observe_about(events, spenders)?;
    let stop = call
        .agents
        .iter()
        .zip(&committed.value)
        .filter(|(_, receipt)| **receipt == Receipt::Stale)
        .map(|(beat, _)| beat.session)
        .collect();
    let wrap_up = desk.read(|state| {
        let finishes = |beat: &&AgentBeat| {
            let live = state.assignments.get(&beat.session.assignment_id);
            live.is_some_and(|a| a.phase == Phase::Finishing && a.pending == Some(Pending::Budget))
        };
        Ok(call.agents.iter().filter(finishes).map(|beat| beat.session).collect())
    })?;
    desk.act(committed.effects).await;
    Ok(BeatsReply { stop, wrap_up })
}

/// Ends of sessions; one result each.
pub(super) async fn outcomes(desk: &Rc<Desk>, call: RuntimeOutcomes) -> Result<Vec<OutcomeResult>> {
    // What was spent since the last heartbeat counts also where the session's work is done already.
    let events = call.outcomes.iter().flat_map(|outcome| {
        let (key, fact) = fact::over(outcome);
        let spent = fact::usage(&outcome.tokens, outcome.cost_usd);
        [Event::SessionSpent(key, spent), Event::SessionReported(key, fact)]
    });
    let spenders = call.outcomes.iter().map(|outcome| outcome.session.assignment_id).collect();
    let committed = desk.observe_about(events.collect(), spenders)?;
    let receipts = committed.value.iter().skip(1).step_by(2);
    let results = call.outcomes.iter().zip(receipts).map(|(outcome, receipt)| OutcomeResult {
        key: outcome.key.clone(),
        status: status_of(*receipt),
        code: None,
    });
    let results = results.collect();
    desk.act(committed.effects).await;
    Ok(results)
}

/// Sessions that the runtime shall run.
pub(super) async fn running(desk: &Rc<Desk>, _: Running) -> Result<Vec<Ref>> {
    desk.read(|state| {
        let sessions = state.live_assignments().filter(|assignment| assignment.has_session());
        Ok(sessions
            .map(|assignment| Ref {
                rig_id: RigRef::Rig(state.rig.rig_id),
                agent_id: assignment.agent_id,
                assignment_id: assignment.assignment_id,
                epoch: assignment.epoch,
            })
            .collect())
    })
}

/// Of these sessions, those that are live.
pub(super) async fn live_sessions(desk: &Rc<Desk>, call: LiveSessions) -> Result<Vec<(Ref, Role)>> {
    desk.read(|state| {
        let live = call.sessions.iter().filter_map(|asked| {
            let assignment = state.assignments.get(&asked.assignment_id)?;
            let is_same =
                assignment.is_live() && assignment.epoch == asked.epoch && assignment.agent_id == asked.agent_id;
            is_same.then_some((*asked, assignment.kind.role()))
        });
        Ok(live.collect())
    })
}

fn event_of(report: &Fact) -> Option<Event> {
    if let (Some(job_id), Some(job)) = (report.job_id, fact::job(report)) {
        return Some(Event::JobReported(job_id, job));
    }
    let session = report.session?;
    let key = SessionKey { assignment_id: session.assignment_id, epoch: session.epoch };
    fact::session(report).map(|fact| Event::SessionReported(key, fact))
}

const fn status_of(receipt: Receipt) -> ItemStatus {
    match receipt {
        Receipt::Applied => ItemStatus::Applied,
        Receipt::Duplicate => ItemStatus::Duplicate,
        Receipt::Stale => ItemStatus::Stale,
    }
}
