//! Triage and escalations of agents, as far as their rig answers for them (api.md 3.10).

use std::rc::Rc;

use gastown_core::protocol::TriageItem;
use gastown_core::rig::bead::{self, BeadOutcome, BeadStatus, BeadType, PATROL};
use gastown_core::rig::triage::{self, Decide};
use gastown_core::rig::{Applied, Command, State};
use gastown_core::sorted::SortedSet;
use gastown_core::time::Timestamp;
use gastown_core::wire::api::bead::{Bead, NewestAssignment};
use gastown_core::wire::code::Code;
use serde_json::json;

use super::Desk;
use super::agent::{live, session_of};
use super::calls::{ResolveTriage, Spokesman, WhoSpeaks};
use super::store;
use crate::error::{Fault, Refusal, Result};

/// Label of a request where it is shown as a bead.
const REQUEST: &str = "gt:triage-request";

/// Who an agent is, and what it works on.
pub(super) async fn who_speaks(desk: &Rc<Desk>, call: WhoSpeaks) -> Result<Spokesman> {
    desk.is_of(call.town_id)?;
    if let Some(bead_id) = call.bead_id
        && store::bead(&desk.sql, bead_id)?.is_none()
    {
        return Err(Refusal::new(Code::UnknownReference, "There is no such bead in this rig").into());
    }
    desk.read(|state| {
        if let Some(speaker) = &call.speaker {
            live(state, speaker)?;
        }
        let unknown = || Refusal::new(Code::UnknownReference, "There is no such agent in this rig");
        let agent = state.agents.get(&call.agent_id).ok_or_else(unknown)?;
        let assignment = state.assignment_of_agent(call.agent_id);
        Ok(Spokesman {
            agent_name: agent.name.clone(),
            assignment_id: assignment.map(|live| live.assignment_id),
            bead_id: assignment.map(|live| live.bead_id),
        })
    })
}

/// The agent of a batch decides one of its requests; the reply shows it as a closed bead.
pub(super) async fn resolve(desk: &Rc<Desk>, call: ResolveTriage) -> Result<Bead> {
    let session = session_of(desk, &call.speaker)?;
    let now = desk.now()?;
    let request_id = call.request_id;
    let decide = Decide { session, request_id, action: call.action, notes: call.notes, guidance: call.guidance };
    let committed = desk.handle(Command::ResolveTriage(decide), |view, applied| {
        let batch = if let Applied::Bead(batch_id) = applied { view.state.beads.get(&batch_id) } else { None };
        let items = batch.map(triage::requests).unwrap_or_default();
        let item = items.into_iter().find(|item| item.asked.request_id == request_id);
        let item = item.ok_or_else(|| Fault::new("show a request", "it is not in its batch"))?;
        Ok(shown(view.state, &item, now))
    })?;
    desk.act(committed.effects).await;
    Ok(committed.value)
}

fn shown(state: &State, item: &TriageItem, now: Timestamp) -> Bead {
    let asked = &item.asked;
    let title = format!("Triage request: {}", asked.kind);
    let request = bead::Bead {
        status: BeadStatus::Closed,
        outcome: Some(BeadOutcome::Done),
        labels: SortedSet::from([REQUEST.to_owned()]),
        metadata: [
            ("triage_type".to_owned(), json!(asked.kind)),
            ("agent_id".to_owned(), json!(asked.agent_id)),
            ("bead_id".to_owned(), json!(asked.bead_id)),
            ("assignment_id".to_owned(), json!(asked.assignment_id)),
            ("context".to_owned(), asked.context.clone()),
            ("action".to_owned(), json!(item.decided)),
        ]
        .into_iter()
        .collect(),
        updated_at: now,
        closed_at: Some(now),
        version: 2,
        ..bead::Bead::new(asked.request_id, BeadType::Issue, title, PATROL.to_owned(), item.created_at)
    };
    Bead::of(state, &request, &NewestAssignment::default())
}
