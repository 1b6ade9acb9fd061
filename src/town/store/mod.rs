//! The town's rows in SQLite. [`load`] reads what the rules look at; [`commit`] takes the step in SQL that `plan::apply`
//! takes in memory, and numbers the frames of the town channel; the reads for the API are in the files of their rows.
//! Nothing here decides, awaits or opens a transaction: the caller commits in one `atomically`.

pub mod activity;
pub mod admission;
pub mod audit;
pub mod convoys;
pub mod escalations;
pub mod mail;
mod mayor;
pub mod messages;
mod protocol;
mod prune;
mod rigs;
pub mod secrets;
mod settings;
mod slots;
pub mod triage;

use gastown_core::time::Timestamp;
use gastown_core::town::{State, Write};

use crate::sql::{Sql, SqlError};
pub use activity::StoredFrame;

/// A new town gets its rows.
pub fn create(sql: &impl Sql, state: &State) -> Result<(), SqlError> {
    settings::put(sql, &state.town)?;
    mayor::put(sql, &state.mayor)?;
    mayor::put_drain(sql, &state.drain)
}

/// Everything the rules look at; nothing when the town was never created.
pub fn load(sql: &impl Sql) -> Result<Option<State>, SqlError> {
    let (Some(town), Some(mayor)) = (settings::get(sql)?, mayor::get(sql)?) else { return Ok(None) };
    let mut state = State::new(town, mayor.agent_id);
    state.mayor = mayor;
    state.rigs = rigs::all(sql)?.into_iter().map(|rig| (rig.rig_id, rig)).collect();
    state.slots = slots::all(sql)?.into_iter().map(|slot| (slot.assignment_id, slot)).collect();
    state.inbox = messages::waiting(sql)?.into_iter().map(|message| (message.message_id, message)).collect();
    state.escalations = escalations::open(sql)?.into_iter().map(|open| (open.dedup_key.clone(), open)).collect();
    convoys::load(sql, &mut state)?;
    state.triage = triage::live(sql)?.into_iter().map(|request| (request.asked.request_id, request)).collect();
    state.drain = mayor::drain(sql)?;
    state.breaker = admission::breaker(sql)?;
    state.day_budget = admission::day_budget(sql)?;
    state.usage = admission::usage(sql)?;
    state.runtime = admission::runtime(sql)?;
    state.outboxes = protocol::outboxes(sql)?;
    state.applied = protocol::applied(sql)?;
    Ok(Some(state))
}

/// Writes one row of a plan, and returns a frame with its number when it was one. `rule` is who wants it.
pub fn write(sql: &impl Sql, rule: &str, write: &Write, now: Timestamp) -> Result<Option<StoredFrame>, SqlError> {
    match write {
        Write::Town(town) => settings::put(sql, town)?,
        Write::Rig(rig) => rigs::put(sql, rig)?,
        Write::RemoveRig(rig_id) => {
            rigs::remove(sql, *rig_id)?;
            triage::forget(sql, *rig_id)?;
            protocol::forget(sql, *rig_id)?;
        }
        Write::Slot(slot) => slots::put(sql, slot)?,
        Write::RemoveSlot(assignment_id) => slots::remove(sql, *assignment_id)?,
        Write::Mayor(mayor) => mayor::put(sql, mayor)?,
        Write::Message(message) => messages::put(sql, message)?,
        Write::Escalation(escalation) => escalations::put(sql, escalation)?,
        Write::Convoy(convoy) => convoys::put(sql, convoy)?,
        Write::ConvoyRig(part) => convoys::put_rig(sql, part)?,
        Write::Task(task) => convoys::put_task(sql, task)?,
        Write::RemoveTask(bead_id) => convoys::remove_task(sql, *bead_id)?,
        Write::RemoveTaskEdge(dependent, blocker) => convoys::remove_edge(sql, *dependent, *blocker)?,
        Write::TaskEdge(edge) => convoys::put_edge(sql, edge)?,
        Write::Triage(request) => triage::put(sql, request)?,
        Write::Mail(mail) => mail::add(sql, mail)?,
        Write::MailRead(mail_id, at) => mail::read(sql, *mail_id, *at)?,
        Write::Event(event) => return activity::record(sql, now, rule, event),
        Write::Drain(drain) => mayor::put_drain(sql, drain)?,
        Write::Breaker(breaker) => admission::put_breaker(sql, breaker)?,
        Write::StartFailure { rig_id, at, code } => admission::add_failure(sql, *rig_id, *at, code)?,
        Write::DayBudget(budget) => admission::put_day_budget(sql, budget)?,
        Write::Usage { day, spender, spent } => admission::put_usage(sql, day, *spender, *spent)?,
        Write::Runtime(runtime) => admission::put_runtime(sql, runtime)?,
        Write::Prune(at) => prune::run(sql, *at)?,
        Write::Outbox(rig_id, row) => protocol::put_message(sql, *rig_id, row)?,
        Write::Acknowledged(rig_id, seq) => protocol::acknowledged(sql, *rig_id, *seq)?,
        Write::Applied(rig_id, seq) => protocol::put_applied(sql, *rig_id, *seq)?,
        Write::Frame(rig_id, frame) => return activity::add(sql, now, rule, *rig_id, frame),
        Write::Audit { actor, action, target, changes } => {
            audit::add(sql, now, &audit::Change { actor, action, target, keys: changes })?;
        }
    }
    Ok(None)
}

/// Writes a plan's rows in order, and returns its frames with their numbers, for the readers of the town channel.
pub fn commit(sql: &impl Sql, now: Timestamp, writes: &[(&'static str, Write)]) -> Result<Vec<StoredFrame>, SqlError> {
    let mut frames = Vec::new();
    for (rule, row) in writes {
        frames.extend(write(sql, rule, row, now)?);
    }
    Ok(frames)
}
