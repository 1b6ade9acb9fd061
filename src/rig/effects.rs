//! Performs what a commit ordered, and commits the outcome as a fact. A lost outcome is found again by the next tick.
//!
//! Messages to the Town are awaited, because their answer often brings the slot that was asked for, and with it the order
//! to start; orders to the runtime run in the background, so that no caller waits for it.

use std::rc::Rc;

use gastown_core::id::{AssignmentId, BeadId, JobId, TownId};
use gastown_core::prompt::Nonce;
use gastown_core::protocol::Batch;
use gastown_core::rig::event::{Event, ForgeCall, ForgeFact};
use gastown_core::rig::pr::{ForgeError, ForgeErrorClass};
use gastown_core::rig::{Effect, State};
use gastown_core::session::{SessionFact, SessionKey};
use gastown_core::wire::control::{Message, Reason, StopMode};
use gastown_core::wire::order;

use super::Desk;
use crate::ambient;
use crate::call::{Asked, Call, ask};
use crate::env::{Object, stub};
use crate::error::Result;
use crate::town::calls::Deliver;
use crate::town_container::calls::{
    CancelJob, PushToSession, QuerySession, RunJob, StartSession, StopSession, WrapUpSession,
};

/// Rounds of talk with the Town in one go: asking, being granted, reporting back. More is left to the next tick.
const ROUNDS_MAX: usize = 4;

impl Desk {
    /// Performs effects until none are left to wait for.
    pub(super) async fn act(self: &Rc<Self>, effects: Vec<Effect>) {
        let mut effects = effects;
        for _ in 0..ROUNDS_MAX {
            let says_something = effects.contains(&Effect::SendToTown);
            for effect in effects.into_iter().filter(|effect| *effect != Effect::SendToTown) {
                self.start(effect);
            }
            if !says_something {
                return;
            }
            effects = match self.send_to_town().await {
                Ok(effects) => effects,
                Err(error) => return self.note("the town was not reached", &error),
            };
        }
        for effect in effects {
            self.start(effect);
        }
    }

    /// Performs one effect in the background, and what follows from it.
    fn start(self: &Rc<Self>, effect: Effect) {
        let desk = Rc::clone(self);
        self.object.wait_until(async move { desk.perform(effect).await });
    }

    async fn perform(self: Rc<Self>, effect: Effect) {
        let outcome = match effect {
            Effect::StartSession(assignment_id) => self.start_session(assignment_id).await,
            Effect::StopSession { assignment_id, epoch, code, message } => {
                self.stop_session(SessionKey { assignment_id, epoch }, code, message).await.map(|()| None)
            }
            Effect::WrapUp { assignment_id, epoch, message } => {
                self.wrap_up(SessionKey { assignment_id, epoch }, message).await.map(|()| None)
            }
            Effect::QuerySession(assignment_id) => self.query_session(assignment_id).await,
            Effect::PushMail { assignment_id, mail_ids } => {
                let word =
                    |state: &State, nonce| mail_ids.iter().filter_map(|id| order::mail(state, *id, nonce)).collect();
                self.push(assignment_id, word).await
            }
            Effect::PushNudge { assignment_id, nudge_ids } => {
                let word = |state: &State, nonce| {
                    nudge_ids.iter().filter_map(|id| order::nudge(state, assignment_id, *id, nonce)).collect()
                };
                self.push(assignment_id, word).await
            }
            Effect::RunJob(job_id) => self.run_job(job_id).await,
            Effect::CancelJob(job_id) => self.cancel_job(job_id).await.map(|()| None),
            Effect::OpenPr(review_id) => Ok(Some(no_forge(review_id, ForgeCall::Open))),
            Effect::PollPr(review_id) => Ok(Some(no_forge(review_id, ForgeCall::Poll))),
            Effect::MergePr(review_id) => Ok(Some(no_forge(review_id, ForgeCall::Merge))),
            Effect::PostReview { review_id, round } => Ok(Some(no_forge(review_id, ForgeCall::Post(round)))),
            Effect::SendToTown => return Box::pin(self.act(vec![Effect::SendToTown])).await,
        };
        let events = match outcome {
            Ok(event) => Vec::from_iter(event),
            Err(error) => return self.note("an order was not answered", &error),
        };
        if events.is_empty() {
            return;
        }
        match self.observe(events) {
            Ok(committed) => Box::pin(self.act(committed.effects)).await,
            Err(error) => self.note("an answer could not be recorded", &error),
        }
    }

    async fn send_to_town(self: &Rc<Self>) -> Result<Vec<Effect>> {
        let (town_id, call) = self.read(|state| {
            let batch = Batch { messages: state.outbox.batch(), applied: state.town_applied };
            Ok((state.rig.town_id, Deliver { rig_id: state.rig.rig_id, batch }))
        })?;
        let town = stub(&self.env, Object::Town, &town_id.to_string());
        let reply = ask(town, &call, &ambient::request_id()).await?;
        let events = vec![Event::TownAcknowledged(reply.acknowledged), Event::TownSaid(reply.messages)];
        Ok(self.observe(events)?.effects)
    }

    async fn start_session(&self, assignment_id: AssignmentId) -> Result<Option<Event>> {
        let nonce = Nonce::from_u32(u32::from_le_bytes(ambient::random()));
        let (town_id, order) =
            self.read(|state| Ok((state.rig.town_id, order::session(state, assignment_id, nonce))))?;
        let Some(order) = order else { return Ok(None) };
        let session = SessionKey { assignment_id, epoch: order.assignment.epoch };
        let answer = self.ask_container(town_id, &StartSession { town_id, order }).await?;
        Ok(Some(Event::StartAnswered(session, answer)))
    }

    async fn stop_session(&self, session: SessionKey, code: String, message: String) -> Result<()> {
        let town_id = self.read(|state| Ok(state.rig.town_id))?;
        let call = StopSession { town_id, session, mode: StopMode::Save, reason: Reason { code, message } };
        self.ask_container(town_id, &call).await.map(drop)
    }

    /// Whether it arrived is not recorded: heartbeats say it again, and the lease stops what does not listen.
    async fn wrap_up(&self, session: SessionKey, message: String) -> Result<()> {
        let town_id = self.read(|state| Ok(state.rig.town_id))?;
        let reason = Reason { code: "budget_reached".to_owned(), message };
        self.ask_container(town_id, &WrapUpSession { town_id, session, reason }).await
    }

    async fn query_session(&self, assignment_id: AssignmentId) -> Result<Option<Event>> {
        let (town_id, epoch) = self.read(|state| {
            Ok((state.rig.town_id, state.assignments.get(&assignment_id).map(|assignment| assignment.epoch)))
        })?;
        let Some(epoch) = epoch else { return Ok(None) };
        let session = SessionKey { assignment_id, epoch };
        let answer = self.ask_container(town_id, &QuerySession { town_id, session }).await?;
        // Silence is no answer: the probe runs out.
        Ok(answer.map(|answer| Event::SessionAnswered(session, answer)))
    }

    /// Hands messages to a session. What it took at once comes back as a fact; the rest comes from the runtime later,
    /// or is handed over again.
    async fn push(
        &self,
        assignment_id: AssignmentId,
        word: impl FnOnce(&State, Nonce) -> Vec<Message>,
    ) -> Result<Option<Event>> {
        let nonce = Nonce::from_u32(u32::from_le_bytes(ambient::random()));
        let call = self.read(|state| {
            let session = state.assignments.get(&assignment_id).map(|a| SessionKey { assignment_id, epoch: a.epoch });
            let (town_id, messages) = (state.rig.town_id, word(state, nonce));
            Ok(session.map(|session| PushToSession { town_id, session, messages }))
        })?;
        let Some(call) = call.filter(|call| !call.messages.is_empty()) else { return Ok(None) };
        let pushed = self.ask_container(call.town_id, &call).await?;
        let results = pushed.into_iter().flat_map(|pushed| pushed.results);
        let taken: Vec<String> = results.filter(|r| r.state == "delivered").map(|r| r.message_id).collect();
        let fact = Event::SessionReported(call.session, SessionFact::Delivered(taken.clone()));
        Ok((!taken.is_empty()).then_some(fact))
    }

    async fn run_job(&self, job_id: JobId) -> Result<Option<Event>> {
        let (town_id, order) = self.read(|state| Ok((state.rig.town_id, order::job(state, job_id))))?;
        let Some(order) = order else { return Ok(None) };
        let answer = self.ask_container(town_id, &RunJob { town_id, order }).await?;
        // Silence is no answer: the job's lease brings the order again.
        Ok(answer.map(|answer| Event::JobAnswered(job_id, answer)))
    }

    /// A cancel that does not arrive costs a run for nothing: its report is a duplicate.
    async fn cancel_job(&self, job_id: JobId) -> Result<()> {
        let town_id = self.read(|state| Ok(state.rig.town_id))?;
        self.ask_container(town_id, &CancelJob { town_id, job_id }).await
    }

    fn ask_container<C: Call>(&self, town_id: TownId, call: &C) -> Asked<C::Reply> {
        ask(stub(&self.env, Object::TownContainer, &town_id.to_string()), call, &ambient::request_id())
    }

    fn note(&self, message: &str, error: &crate::error::Error) {
        crate::log::warn(message, &[("object", &"rig"), ("error", &format_args!("{error:?}"))]);
    }
}

/// What every call of a forge comes to: settings refuse strategy `pr` (`not_offered`), so that none is made by a rig whose
/// settings were checked.
fn no_forge(review_id: BeadId, call: ForgeCall) -> Event {
    let message = "unsupported forge: this deployment does not offer pull requests".to_owned();
    let error = ForgeError { class: ForgeErrorClass::Permanent, message, retry_at: None };
    Event::ForgeAnswered(review_id, ForgeFact::Failed(call, error))
}
