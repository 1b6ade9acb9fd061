//! What people and the mayor ask of a rig.

use gastown_core::sorted::SortedSet;
use std::rc::Rc;

use gastown_core::id::{BeadId, TownId};
use gastown_core::models::{BadModelId, ModelId};
use gastown_core::protocol::TownState;
use gastown_core::rig::assignment::resolution;
use gastown_core::rig::breaker::Breaker;
use gastown_core::rig::command::{BeadPatch, NewBead};
use gastown_core::rig::state::{Rig, RigStatus};
use gastown_core::rig::{Applied, Command};
use gastown_core::wire::api::agent::Agent;
use gastown_core::wire::api::bead::{self, Bead, Wait};
use gastown_core::wire::api::sling::SlungBead;
use gastown_core::wire::code::Code;

use super::calls::{Close, Delete, Deliver, Fail, Patch, ResetBreaker, Retry, ShowSlung, Sling, Start};
use super::commit::View;
use super::{Desk, store};
use crate::catalogue::catalogue;
use crate::error::{Fault, Refusal, Result};
use crate::requests::Kept;

/// Forgets everything.
pub(super) async fn delete(desk: &Rc<Desk>, _: Delete) -> Result<()> {
    desk.wipe()?;
    desk.object.storage().delete_alarm().await.map_err(|e| Fault::new("delete the alarm", e))?;
    Ok(())
}

/// Creates a bead; the reply names the agent that has it, once the town has been asked for a slot.
pub(super) async fn sling(desk: &Rc<Desk>, call: Sling) -> Result<Kept<SlungBead>> {
    desk.is_of(call.town_id)?;
    let idempotency = call.idempotency.clone();
    let now = || desk.now().unwrap_or(gastown_core::time::Timestamp::from_ms(0));
    desk.running
        .once(&desk.sql, now, idempotency.as_ref(), || async {
            let keyed = idempotency.as_ref().map(|key| key.seed().mint());
            let new = new_bead(call.bead, call.bead_id.or(keyed), call.actor, call.refuses_repeat)?;
            let committed = desk.handle(Command::CreateBead(new), |_, applied| bead_id_of(applied))?;
            desk.act(committed.effects).await;
            slung(desk, committed.value)
        })
        .await
}

/// Beads with who has them, or why nobody.
pub(super) async fn show_slung(desk: &Rc<Desk>, call: ShowSlung) -> Result<Vec<SlungBead>> {
    desk.is_of(call.town_id)?;
    Ok(call.bead_ids.into_iter().filter_map(|bead_id| slung(desk, bead_id).ok()).collect())
}

/// Changes fields of a bead.
pub(super) async fn patch(desk: &Rc<Desk>, call: Patch) -> Result<Bead> {
    desk.is_of(call.town_id)?;
    let patch = BeadPatch {
        title: call.patch.title,
        body: call.patch.body,
        priority: call.patch.priority,
        labels: call.patch.labels,
        add_labels: SortedSet::new(),
        remove_labels: SortedSet::new(),
        parent_id: call.patch.parent_bead_id,
        metadata: call.patch.metadata,
        model: call.patch.model.map(|model| chosen(model.as_deref())).transpose()?,
        budget_micros: call.patch.budget_micros,
        depends_on: call.patch.depends_on,
        status: call.patch.status,
    };
    run(desk, Command::UpdateBead { bead_id: call.bead_id, patch, actor: call.actor }).await
}

/// Takes the hold off a bead.
pub(super) async fn start(desk: &Rc<Desk>, call: Start) -> Result<Bead> {
    desk.is_of(call.town_id)?;
    let bead = store::bead(&desk.sql, call.bead_id)?.ok_or_else(|| Refusal::not_found("bead"))?;
    if bead.status.is_terminal() {
        return Err(Refusal::new(Code::TerminalBead, format!("The bead is {}", bead.status)).into());
    }
    let held = gastown_core::rig::bead::HELD.to_owned();
    let patch = BeadPatch { remove_labels: SortedSet::from([held]), ..BeadPatch::default() };
    run(desk, Command::UpdateBead { bead_id: call.bead_id, patch, actor: call.actor }).await
}

/// Closes a bead.
pub(super) async fn close(desk: &Rc<Desk>, call: Close) -> Result<Bead> {
    desk.is_of(call.town_id)?;
    run(desk, Command::CloseBead { bead_id: call.bead_id, actor: call.actor }).await
}

/// Fails a bead.
pub(super) async fn fail(desk: &Rc<Desk>, call: Fail) -> Result<Bead> {
    desk.is_of(call.town_id)?;
    run(desk, Command::FailBead { bead_id: call.bead_id, reason: call.reason, actor: call.actor }).await
}

/// Begins a new attempt.
pub(super) async fn retry(desk: &Rc<Desk>, call: Retry) -> Result<Bead> {
    desk.is_of(call.town_id)?;
    let model = chosen(call.retry.model.as_deref())?;
    let keep_branch = call.retry.keep_branch;
    run(desk, Command::RetryBead { bead_id: call.bead_id, keep_branch, model, actor: call.actor }).await
}

/// What kept starts from succeeding is mended.
pub(super) async fn reset_breaker(desk: &Rc<Desk>, call: ResetBreaker) -> Result<()> {
    desk.is_of(call.town_id)?;
    let committed = desk.handle(Command::ResetBreaker, |_, _| Ok(()))?;
    desk.act(committed.effects).await;
    Ok(())
}

impl Desk {
    /// Makes the rig's row, when the Town speaks to it for the first time. Where the repository lives comes with the
    /// settings, and nothing starts before them.
    pub(super) fn found(&self, call: &Deliver) -> Result<()> {
        if self.memory.borrow().is_some() || store::load(&self.sql)?.is_some() {
            return Ok(());
        }
        let rig = Rig {
            rig_id: call.rig_id,
            town_id: call.town_id,
            tag: call.tag.clone(),
            git_url: String::new(),
            default_branch: "main".to_owned(),
            target_branch: "main".to_owned(),
            status: RigStatus::Active,
            settings: None,
            wanted_version: 0,
            town: TownState::default(),
            breaker: Breaker::default(),
            next_epoch: 1,
            drain_epoch: 0,
            pruned_at: None,
        };
        Ok(store::create(&self.sql, &rig)?)
    }

    /// A rig of another town does not exist.
    pub(super) fn is_of(&self, town_id: TownId) -> Result<()> {
        self.read(|state| match state.rig.town_id == town_id {
            true => Ok(()),
            false => Err(Refusal::not_found("rig").into()),
        })
    }
}

/// Runs a command about one bead and shows the bead.
pub(super) async fn run(desk: &Rc<Desk>, command: Command) -> Result<Bead> {
    let committed = desk.handle(command, |view, applied| view.bead(bead_id_of(applied)?))?;
    desk.act(committed.effects).await;
    Ok(committed.value)
}

fn slung(desk: &Desk, bead_id: BeadId) -> Result<SlungBead> {
    let catalogue = catalogue()?;
    desk.read(|state| {
        let bead = View { state, sql: &desk.sql }.bead(bead_id)?;
        let live = state.assignment_of_bead(bead_id);
        let agent = live.and_then(|assignment| state.agents.get(&assignment.agent_id));
        let has_agent = agent.is_some();
        Ok(SlungBead {
            bead,
            agent: agent.map(|agent| Agent::of(state, agent)),
            model: state.beads.get(&bead_id).and_then(|bead| resolution(state, catalogue, bead)),
            wait: state.waits.get(&bead_id).filter(|_| !has_agent).map(Wait::of),
        })
    })
}

fn new_bead(new: bead::NewBead, bead_id: Option<BeadId>, actor: String, refuses_repeat: bool) -> Result<NewBead> {
    let mut labels = new.labels;
    if new.held {
        labels.insert(gastown_core::rig::bead::HELD.to_owned());
    }
    Ok(NewBead {
        bead_id,
        title: new.title,
        body: new.body,
        priority: new.priority,
        labels,
        metadata: new.metadata,
        parent_id: new.parent_bead_id,
        depends_on: new.depends_on,
        model: chosen(new.model.as_deref())?,
        budget_micros: new.budget_micros,
        created_by: actor,
        refuses_repeat,
    })
}

fn chosen(model: Option<&str>) -> Result<Option<ModelId>> {
    ModelId::chosen(model).map_err(|bad: BadModelId| Refusal::new(Code::BadModelId, bad.to_string()).into())
}

pub(super) fn bead_id_of(applied: Applied) -> Result<BeadId> {
    match applied {
        Applied::Bead(bead_id) | Applied::Judged(bead_id) => Ok(bead_id),
        other @ (Applied::Done(_)
        | Applied::Written
        | Applied::Deleted(_)
        | Applied::Agent(_)
        | Applied::Hooked(_)
        | Applied::Mail(_)
        | Applied::Nudge(_)
        | Applied::Delivered(_)) => Err(unexpected(other)),
    }
}

fn unexpected(applied: Applied) -> crate::error::Error {
    Fault::new("read what a command did", format_args!("{applied:?}")).into()
}
