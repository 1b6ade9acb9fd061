//! What people and clients do to beads and agents by hand (api.md 3.3, 3.5, 3.8, 3.9): each is one command, and the reply
//! shows the row afterwards.

use std::rc::Rc;

use gastown_core::id::BeadId;
use gastown_core::limits::BULK_IDS_MAX;
use gastown_core::rig::bead::HELD;
use gastown_core::rig::command::{BeadPatch, NewAgent, Submit};
use gastown_core::rig::event::{Event, Over, SessionFact};
use gastown_core::rig::{Applied, Command};
use gastown_core::session::ErrorKind;
use gastown_core::sorted::SortedSet;
use gastown_core::wire::api::agent::{Agent, Assignment};
use gastown_core::wire::api::bead::Bead;
use gastown_core::wire::api::hand::{BulkOp, BulkResult, Hooked};
use gastown_core::wire::code::Code;

use super::calls::{
    Act, ActOnAgent, Acted, AgentAssignments, CloseOwn, DeleteInStatus, Filter, MoveAway, Reassign, Said,
    SaidOfSession, ShowAgent, SubmitWork, ToEach,
};
use super::commit::View;
use super::store::beads;
use super::work::{bead_id_of, run};
use super::{Desk, agent, refusal, store};
use crate::error::{Error, Fault, Refusal, Result};
use crate::requests::Kept;

/// Submits the branch of an issue.
pub(super) async fn submit(desk: &Rc<Desk>, call: SubmitWork) -> Result<BeadId> {
    desk.is_of(call.town_id)?;
    let submit = Submit {
        bead_id: call.bead_id,
        branch: call.submit.branch,
        commit: call.submit.commit,
        summary: call.submit.summary,
        pr_url: call.submit.pr_url,
        agent_id: call.submit.agent_id,
        actor: call.actor,
    };
    let committed = desk.handle(Command::Submit(submit), |_, applied| bead_id_of(applied))?;
    desk.act(committed.effects).await;
    Ok(committed.value)
}

/// An agent closes its own bead.
pub(super) async fn close_own(desk: &Rc<Desk>, call: CloseOwn) -> Result<Bead> {
    desk.is_of(call.town_id)?;
    run(desk, Command::CloseOwn { bead_id: call.bead_id, agent_id: call.agent_id }).await
}

/// Gives a bead to an agent, or back to the queue.
pub(super) async fn reassign(desk: &Rc<Desk>, call: Reassign) -> Result<Bead> {
    desk.is_of(call.town_id)?;
    run(desk, Command::Reassign { bead_id: call.bead_id, agent_id: call.agent_id, actor: call.actor }).await
}

/// Hands a bead to another rig. The Town is told before the answer is given.
pub(super) async fn move_away(desk: &Rc<Desk>, call: MoveAway) -> Result<Bead> {
    desk.is_of(call.town_id)?;
    let bead = desk.read(|state| View { state, sql: &desk.sql }.bead(call.bead_id))?;
    let command = Command::MoveBead { bead_id: call.bead_id, to: call.to, actor: call.actor };
    let committed = desk.handle(command, |_, _| Ok(()))?;
    desk.act(committed.effects).await;
    Ok(Bead { rig_id: Some(call.to), wait: None, assignee_agent_bead_id: None, assignee_name: None, ..bead })
}

/// The same to many beads, in one commit.
pub(super) async fn to_each(desk: &Rc<Desk>, call: ToEach) -> Result<Kept<Vec<BulkResult>>> {
    desk.is_of(call.town_id)?;
    let idempotency = call.idempotency.clone();
    let now = || desk.now().unwrap_or(gastown_core::time::Timestamp::from_ms(0));
    desk.running
        .once(&desk.sql, now, idempotency.as_ref(), || async {
            let commands = call.bead_ids.iter().map(|&id| command(call.op, id, &call.labels, &call.actor)).collect();
            let committed = desk.handle_each(commands)?;
            let results = call.bead_ids.iter().zip(committed.value).map(|(&bead_id, result)| match result {
                Ok(_) => BulkResult { bead_id, ok: true, code: None, error: None },
                Err(refused) => refused_result(bead_id, refusal::api(refused)),
            });
            let results = results.collect();
            desk.act(committed.effects).await;
            Ok(results)
        })
        .await
}

/// Deletes all beads in one status; a bead that goes with its parent counts with it.
pub(super) async fn delete_in_status(desk: &Rc<Desk>, call: DeleteInStatus) -> Result<usize> {
    desk.is_of(call.town_id)?;
    let limit = u32::try_from(BULK_IDS_MAX).unwrap_or(u32::MAX);
    let kind = call.kind.into_iter().collect();
    let filter = Filter { status: vec![call.status], kind, limit, ..Filter::default() };
    let found = beads::list(&desk.sql, &filter)?;
    let delete =
        |bead: &gastown_core::rig::bead::Bead| Command::DeleteBead { bead_id: bead.bead_id, actor: call.actor.clone() };
    let committed = desk.handle_each(found.iter().map(delete).collect())?;
    let count = |result| if let Ok(Applied::Deleted(count)) = result { count } else { 0 };
    let deleted = committed.value.into_iter().map(count).sum();
    desk.act(committed.effects).await;
    Ok(deleted)
}

/// Something done with an agent.
pub(super) async fn act(desk: &Rc<Desk>, call: ActOnAgent) -> Result<Kept<Acted>> {
    desk.is_of(call.town_id)?;
    let idempotency = call.idempotency.clone();
    let now = || desk.now().unwrap_or(gastown_core::time::Timestamp::from_ms(0));
    desk.running
        .once(&desk.sql, now, idempotency.as_ref(), || async {
            let committed = desk.handle(command_of(call.act, call.actor)?, |view, applied| {
                let assignments = &view.state.assignments;
                let hooked = if let Applied::Hooked(id) = applied { assignments.get(&id) } else { None };
                let changed = if let Applied::Agent(id) = applied { Some(id) } else { None };
                let agent_id = changed.or(hooked.map(|assignment| assignment.agent_id));
                let agent = agent_id.and_then(|id| view.state.agents.get(&id));
                Ok(Acted {
                    agent: agent.map(|agent| Agent::of(view.state, agent)),
                    hooked: hooked.map(|assignment| Hooked {
                        hooked: true,
                        assignment_id: assignment.assignment_id,
                        epoch: assignment.epoch,
                    }),
                })
            })?;
            desk.act(committed.effects).await;
            Ok(committed.value)
        })
        .await
}

/// One agent; one that is not registered any more is dead.
pub(super) async fn show_agent(desk: &Rc<Desk>, call: ShowAgent) -> Result<Agent> {
    desk.is_of(call.town_id)?;
    let former = store::former_agent(&desk.sql, call.agent_id)?;
    desk.read(|state| {
        let live = state.agents.get(&call.agent_id).map(|agent| Agent::of(state, agent));
        let former = former.map(|former| Agent::former(state.rig.rig_id, former));
        live.or(former).ok_or_else(|| Refusal::not_found("agent").into())
    })
}

/// Assignments of an agent.
pub(super) async fn agent_assignments(desk: &Rc<Desk>, call: AgentAssignments) -> Result<Vec<Assignment>> {
    desk.is_of(call.town_id)?;
    let rows = store::assignments_of_agent(&desk.sql, call.agent_id, call.limit, 0)?;
    desk.read(|state| {
        rows.iter()
            .map(|row| {
                let shape = Assignment::of(state, row);
                let title = match shape.bead_title.is_empty() {
                    true => store::bead(&desk.sql, row.bead_id)?.map(|bead| bead.title).unwrap_or_default(),
                    false => shape.bead_title.clone(),
                };
                Ok(Assignment { bead_title: title, ..shape })
            })
            .collect()
    })
}

/// What the runtime says of one session.
pub(super) async fn said(desk: &Rc<Desk>, call: SaidOfSession) -> Result<()> {
    let session = desk.read(|state| agent::live(state, &call.speaker))?.session;
    let fact = match call.said {
        Said::Ended(ended) => {
            let message = ended.reason.unwrap_or_default();
            SessionFact::Over(match ended.is_completed {
                true => Over::Completed(message),
                false if message.is_empty() => Over::Crashed("the session failed without a reason".to_owned()),
                false => Over::Error { kind: ErrorKind::Internal, message, retry_after: None },
            })
        }
        Said::Saved(saved) => SessionFact::Saved { ref_name: saved.branch, commit: saved.commit.unwrap_or_default() },
    };
    let committed = desk.observe(vec![Event::SessionReported(session, fact)])?;
    desk.act(committed.effects).await;
    Ok(())
}

fn command(op: BulkOp, bead_id: BeadId, labels: &SortedSet<String>, actor: &str) -> Command {
    let actor = actor.to_owned();
    let patch = match op {
        BulkOp::Delete => return Command::DeleteBead { bead_id, actor },
        BulkOp::Close => return Command::CloseBead { bead_id, actor },
        BulkOp::Fail => return Command::FailBead { bead_id, reason: None, actor },
        BulkOp::Retry => return Command::RetryBead { bead_id, keep_branch: true, model: None, actor },
        BulkOp::Start => BeadPatch { remove_labels: SortedSet::from([HELD.to_owned()]), ..BeadPatch::default() },
        BulkOp::AddLabels => BeadPatch { add_labels: labels.clone(), ..BeadPatch::default() },
        BulkOp::RemoveLabels => BeadPatch { remove_labels: labels.clone(), ..BeadPatch::default() },
    };
    Command::UpdateBead { bead_id, patch, actor }
}

fn command_of(act: Act, actor: String) -> Result<Command> {
    Ok(match act {
        Act::Register(new) => {
            let role = new.role.ok_or_else(|| Refusal::new(Code::InvalidRequest, "Say the role"))?;
            Command::Register(NewAgent { role, name: new.name, identity: new.identity })
        }
        Act::Get(role) => Command::GetAgent(role),
        Act::Hook(agent_id, bead_id) => Command::Hook { agent_id, bead_id, actor },
        Act::Unhook(agent_id) => Command::Unhook { agent_id, actor },
        Act::Stop(agent_id, resets, reason) => Command::StopAgent { agent_id, resets, reason, actor },
        Act::Remove(agent_id) => Command::RemoveAgent { agent_id, actor },
    })
}

fn refused_result(bead_id: BeadId, error: Error) -> BulkResult {
    match error {
        Error::Refusal(refusal) => {
            BulkResult { bead_id, ok: false, code: Some(refusal.code), error: Some(refusal.message) }
        }
        Error::Fault(Fault { .. }) => BulkResult { bead_id, ok: false, code: Some(Code::Internal), error: None },
    }
}
