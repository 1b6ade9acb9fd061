//! Performs what a plan ordered, and brings every outcome back as a fact. What fails here is found again by the next
//! plan: by the order's mark, by a question, or by a repeat.

use std::rc::Rc;

use gastown_core::id::RigId;
use gastown_core::prompt::Nonce;
use gastown_core::protocol::Batch;
use gastown_core::session::{SessionFact, SessionKey, StartAnswer};
use gastown_core::town::state::State;
use gastown_core::town::{Effect, Event};
use gastown_core::wire::control::{Reason, StopMode};
use gastown_core::wire::order::{self, SessionOrder};

use super::Inner;
use crate::account::calls::SetActive;
use crate::call::{Asked, Call, ask};
use crate::env::{Object, stub};
use crate::error::Result;
use crate::town_container::calls::{PushToSession, QuerySession, SetNeeded, SleepRuntime, StartSession, StopSession};
use crate::{ambient, rig};

/// Performs effects side by side; one that hangs does not hold up the others.
pub(super) async fn perform(inner: &Rc<Inner>, effects: Vec<Effect>) {
    futures::future::join_all(effects.into_iter().map(|effect| async move {
        let name = format!("{effect:?}");
        if let Err(error) = perform_one(inner, effect).await {
            crate::log::warn("an effect of the town failed", &[("effect", &name), ("error", &format!("{error:?}"))]);
        }
    }))
    .await;
}

async fn perform_one(inner: &Rc<Inner>, effect: Effect) -> Result<()> {
    let town_id = inner.with_state(|state| state.town.town_id)?;
    match effect {
        Effect::SendToRig(rig_id) => send_to_rig(inner, rig_id).await,
        Effect::SetRuntimeNeeded(needed) => container(inner, &SetNeeded { town_id, needed }).await,
        Effect::StartMayor(_) => start_mayor(inner, false).await,
        Effect::SwapMayor(_) => start_mayor(inner, true).await,
        Effect::StopRuntime => container(inner, &SleepRuntime { town_id }).await,
        Effect::TellAccount(is_active) => tell_account(inner, is_active).await,
        Effect::QueryMayor(_) => {
            let Some(session) = inner.with_state(session_of)? else { return Ok(()) };
            let answer = container(inner, &QuerySession { town_id, session }).await?;
            if let Some(answer) = answer {
                inner.observe(vec![Event::MayorAnswered(session, answer)])?;
            }
            Ok(())
        }
        Effect::StopMayor { assignment_id, epoch } => {
            let session = SessionKey { assignment_id, epoch };
            let reason = Reason { code: "restart".into(), message: "a restart was asked for".into() };
            let gone = container(inner, &StopSession { town_id, session, mode: StopMode::Save, reason }).await?;
            if gone {
                let over = gastown_core::session::Over::Stopped("the runtime does not have it".into());
                inner.observe(vec![Event::MayorReported(session, SessionFact::Over(over))])?;
            }
            Ok(())
        }
        Effect::PushToMayor(message_ids) => {
            let nonce = Nonce::from_u32(u32::from_le_bytes(ambient::random()));
            let pushed = inner.with_state(|state| {
                let waiting = state.waiting_messages();
                let messages: Vec<_> = waiting
                    .into_iter()
                    .filter(|message| message_ids.contains(&message.message_id))
                    .map(|message| order::mayor_message(message, nonce))
                    .collect();
                session_of(state).map(|session| (session, messages))
            })?;
            let Some((session, messages)) = pushed else { return Ok(()) };
            push(inner, session, messages).await
        }
    }
}

async fn push(
    inner: &Rc<Inner>,
    session: SessionKey,
    messages: Vec<gastown_core::wire::control::Message>,
) -> Result<()> {
    let town_id = inner.with_state(|state| state.town.town_id)?;
    let reply = container(inner, &PushToSession { town_id, session, messages }).await?;
    let delivered: Vec<String> = reply
        .into_iter()
        .flat_map(|pushed| pushed.results)
        .filter(|message| message.state == "delivered")
        .map(|message| message.message_id)
        .collect();
    if !delivered.is_empty() {
        inner.observe(vec![Event::MayorReported(session, SessionFact::Delivered(delivered))])?;
    }
    Ok(())
}

/// The account looks after a town that says it is active.
async fn tell_account(inner: &Rc<Inner>, is_active: bool) -> Result<()> {
    let (town_id, account) = inner.with_state(|state| {
        let town = &state.town;
        (town.town_id, format!("{}:{}", town.account_kind, town.account_id))
    })?;
    ask(stub(&inner.env, Object::Account, &account), &SetActive { town_id, is_active }, "").await
}

async fn start_mayor(inner: &Rc<Inner>, is_swap: bool) -> Result<()> {
    let nonce = Nonce::from_u32(u32::from_le_bytes(ambient::random()));
    let ordered = inner.with_state(|state| {
        let session = session_of(state)?;
        let order = order::mayor(state, &[], nonce)?;
        Some((state.town.town_id, session, SessionOrder { is_swap, ..order }))
    })?;
    let Some((town_id, session, order)) = ordered else { return Ok(()) };
    let answer = match container(inner, &StartSession { town_id, order }).await {
        Ok(answer) => answer,
        Err(error) => StartAnswer::NotNow(words(&error)),
    };
    inner.observe(vec![Event::MayorStartAnswered(session, answer)])?;
    Ok(())
}

/// Sends everything unacknowledged; the reply acknowledges and carries what the rig has to say.
async fn send_to_rig(inner: &Rc<Inner>, rig_id: RigId) -> Result<()> {
    let call = inner.with_state(|state| {
        let rig = state.rigs.get(&rig_id)?;
        let outbox = state.outboxes.get(&rig_id)?;
        let applied = state.applied.get(&rig_id).copied().unwrap_or(0);
        let batch = Batch { messages: outbox.batch(), applied };
        Some(rig::calls::Deliver { rig_id, town_id: state.town.town_id, tag: rig.tag.clone(), batch })
    })?;
    let Some(call) = call else { return Ok(()) };
    let rig = stub(&inner.env, Object::Rig, &rig_id.to_string());
    let reply = ask(rig, &call, "").await?;
    let mut events = vec![Event::RigAcknowledged(rig_id, reply.acknowledged)];
    if !reply.messages.is_empty() {
        events.push(Event::RigSaid(rig_id, reply.messages));
    }
    inner.observe(events)?;
    Ok(())
}

fn container<C: Call>(inner: &Rc<Inner>, call: &C) -> Asked<C::Reply> {
    let name = inner.with_state(|state| state.town.town_id.to_string());
    ask(name.and_then(|name| stub(&inner.env, Object::TownContainer, &name)), call, "")
}

fn session_of(state: &State) -> Option<SessionKey> {
    Some(SessionKey { assignment_id: state.mayor.assignment_id?, epoch: state.mayor.epoch })
}

fn words(error: &crate::error::Error) -> String {
    match error {
        crate::error::Error::Refusal(refusal) => refusal.message.clone(),
        crate::error::Error::Fault(_) => "The runtime could not be asked.".to_owned(),
    }
}
