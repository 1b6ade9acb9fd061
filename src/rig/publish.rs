//! What the live stream shows of a commit (api.md 6.2): rows in their wire shape, and the new rows of the audit log. A
//! row that looks as it did is not shown again, so that heartbeats make no frames.

use gastown_core::sorted::{SortedMap, SortedSet};

use gastown_core::id::{AgentId, BeadId};
use gastown_core::protocol::Frame;
use gastown_core::rig::plan::EventRow;
use gastown_core::rig::{Planned, Write};
use gastown_core::wire::api::agent::{Agent, Assignment};
use gastown_core::wire::api::bead::Bead;
use gastown_core::wire::api::event::{Actor, Event, sentence};
use gastown_core::wire::api::mail::Mail;
use serde_json::{Value, json};

use super::commit::View;
use super::store::events::Logged;
use super::{Desk, review, store};
use crate::error::Result;
use crate::requests::digest;

/// Frames of one message to the Town: a message is one row, and rows are bounded.
const FRAMES_PER_MESSAGE: usize = 32;
/// Fields that change without anything happening.
const RESTLESS: [&str; 4] = ["lease_until", "version", "updated_at", "last_activity_at"];

/// The frames of a plan, in messages of bounded size.
pub(super) fn frames(desk: &Desk, planned: &Planned, known: &SortedSet<BeadId>) -> Result<Vec<Vec<Frame>>> {
    let mut frames = Vec::new();
    let bead_ids: Vec<BeadId> = planned.changed_beads.iter().copied().collect();
    let mut newest = store::newest(&desk.sql, &bead_ids)?;
    for bead_id in bead_ids {
        let Some(bead) = planned.state.beads.get(&bead_id) else {
            if is_deleted(planned, bead_id) {
                let gone = json!({ "bead_id": bead_id, "rig_id": planned.state.rig.rig_id });
                push(desk, &mut frames, "bead.deleted", bead_id.to_string(), gone);
            }
            continue;
        };
        let shape = json!(Bead::of(&planned.state, bead, &newest.remove(&bead_id).unwrap_or_default()));
        let kind = if known.contains(&bead_id) { "bead.updated" } else { "bead.created" };
        push(desk, &mut frames, kind, bead_id.to_string(), shape);
        if planned.state.reviews.contains_key(&bead_id) {
            let view = View { state: &planned.state, sql: &desk.sql };
            let shape = json!(review::item(desk, &view, bead_id)?);
            push(desk, &mut frames, "review.updated", format!("review:{bead_id}"), shape);
        }
    }
    for agent_id in &planned.changed_agents {
        match planned.state.agents.get(agent_id) {
            Some(agent) => {
                let shape = json!(Agent::of(&planned.state, agent));
                push(desk, &mut frames, "agent.updated", agent_id.to_string(), shape);
            }
            None => push(desk, &mut frames, "agent.deleted", agent_id.to_string(), json!({ "agent_id": agent_id })),
        }
    }
    let said = of_writes(planned).into_iter();
    for (kind, id, shape) in said {
        push(desk, &mut frames, kind, id, shape);
    }
    for (rule, write) in &planned.writes {
        if let Write::Event(event) = write {
            if event.kind == "agent_status" {
                let data = json!({ "agent_id": event.agent_id, "message": event.new, "at": event.at });
                frames.push(Frame { frame: "agent.status".to_owned(), data });
            }
            let shape = json!(event_of(planned, rule, event));
            frames.push(Frame { frame: "activity".to_owned(), data: shape });
        }
    }
    Ok(frames.chunks(FRAMES_PER_MESSAGE).map(<[Frame]>::to_vec).collect())
}

/// Assignments and mail, as the rows of the plan leave them: the kind of the frame, the row's name, its shape.
fn of_writes(planned: &Planned) -> Vec<(&'static str, String, Value)> {
    let state = &planned.state;
    let mut rows: SortedMap<String, (&'static str, Value)> = SortedMap::new();
    for (_, write) in &planned.writes {
        if let Write::Assignment(row) = write {
            let shape = json!(Assignment::of(state, row));
            rows.insert(format!("assignment:{}", row.assignment_id), ("assignment.updated", shape));
        } else if let Write::Mail(mail) = write {
            let (name, row) = match mail.delivered_at {
                None => (format!("mail:{}", mail.mail_id), ("mail.created", json!(Mail::of(state, mail)))),
                Some(at) => {
                    let shape = json!({ "mail_id": mail.mail_id, "at": at });
                    (format!("delivered:{}", mail.mail_id), ("mail.delivered", shape))
                }
            };
            rows.insert(name, row);
        }
    }
    rows.into_iter().map(|(id, (kind, shape))| (kind, id, shape)).collect()
}

fn is_deleted(planned: &Planned, bead_id: BeadId) -> bool {
    planned.writes.iter().any(|(_, write)| matches!(write, Write::RemoveBead(id) if *id == bead_id))
}

fn push(desk: &Desk, frames: &mut Vec<Frame>, kind: &str, id: String, shape: Value) {
    let mut lasting = shape.clone();
    settle(&mut lasting);
    let digest = digest(lasting.to_string().as_bytes());
    if desk.shown.borrow_mut().insert(id, digest) != Some(digest) {
        frames.push(Frame { frame: kind.to_owned(), data: shape });
    }
}

/// Leaves out what changes without anything happening, also in the assignment of an agent and in the beads of a review.
fn settle(shape: &mut Value) {
    if let Value::Object(fields) = shape {
        for field in RESTLESS {
            fields.remove(field);
        }
        for inner in ["assignment", "mr_bead", "source_bead"] {
            if let Some(shape) = fields.get_mut(inner) {
                settle(shape);
            }
        }
    }
}

fn event_of(planned: &Planned, rule: &str, event: &EventRow) -> Event {
    let state = &planned.state;
    let title = event.bead_id.and_then(|id| state.beads.get(&id)).map(|bead| bead.title.clone());
    let name = |id: AgentId| state.agents.get(&id).map(|agent| agent.name.clone());
    shape(
        &Logged {
            seq: 0,
            at: event.at,
            kind: event.kind.to_owned(),
            bead_id: event.bead_id,
            agent_id: event.agent_id,
            assignment_id: event.assignment_id,
            actor: event.actor.clone(),
            rule: Some(rule.to_owned()),
            old: event.old.clone(),
            new: event.new.clone(),
            data: event.data.clone(),
            title,
        },
        state.rig.rig_id,
        event.agent_id.and_then(name).as_deref(),
    )
}

/// A row of the audit log in its wire shape.
pub(super) fn shape(row: &Logged, rig_id: gastown_core::id::RigId, agent_name: Option<&str>) -> Event {
    let is_rule = row.rule.as_deref() == Some(row.actor.as_str());
    let metadata = row.data.as_object().cloned().unwrap_or_default();
    let agent_is_actor = row.agent_id.is_some_and(|id| id.to_string() == row.actor);
    Event {
        bead_event_id: format!("{rig_id}:{}", row.seq),
        bead_id: row.bead_id,
        agent_id: row.agent_id,
        event_type: row.kind.clone(),
        old_value: row.old.clone(),
        new_value: row.new.clone(),
        metadata,
        created_at: row.at,
        seq: row.seq,
        rig_id: Some(rig_id),
        convoy_id: None,
        actor: Actor::of(&row.actor, is_rule, agent_name.filter(|_| agent_is_actor)),
        rule: row.rule.clone(),
        cause_seq: None,
        title: row.title.clone(),
        text: sentence(&row.kind, row.title.as_deref(), agent_name, row.old.as_deref(), row.new.as_deref()),
    }
}
