//! From a decision to rows: load, plan, check, write in one transaction, keep in memory, arm the alarm. Nothing here
//! awaits, so nothing can change between the first read and the last write of a decision. Effects run afterwards.

use std::rc::Rc;

use gastown_core::id::IdSeed;
use gastown_core::protocol::Frame;
use gastown_core::time::Timestamp;
use gastown_core::town::{
    Command, Context, Effect, Event, Planned, Receipt, Refusal as Refused, State, Write, invariant,
};
use gastown_core::wire;
use gastown_core::wire::api::convoy::Convoy;
use gastown_core::wire::api::mail::Mail;
use gastown_core::wire::code::Code;
use serde_json::json;

use super::{Inner, effects, store, view};
use crate::ambient;
use crate::catalogue::catalogue;
use crate::env::settings;
use crate::error::{Error, Fault, Refusal, Result};
use crate::sql::Sql;

/// After an error the alarm comes back this much later, so that a town that cannot be planned does not spin.
const ALARM_AFTER_ERROR_MS: i64 = 30_000;

impl Inner {
    /// The state, loaded when it is not in memory. A town that was never made, or was deleted, is not found.
    pub(super) fn with_state<R>(&self, read: impl FnOnce(&State) -> R) -> Result<R> {
        let state = self.take()?;
        let result = read(&state);
        *self.memory.borrow_mut() = Some(state);
        Ok(result)
    }

    /// The present, in town time.
    pub(super) fn now(&self) -> Result<Timestamp> {
        Ok(settings(&self.env)?.clock.now())
    }

    /// Applies one command and what follows from it.
    pub(super) fn handle(self: &Rc<Self>, command: Command) -> Result<()> {
        let effects = self.decide(command)?;
        self.act(effects);
        Ok(())
    }

    /// Applies one command and waits until the rigs that it concerns have heard of it, so that the caller sees what they
    /// made of it. A rig that does not answer hears of it later.
    pub(super) async fn handle_with_rigs(self: &Rc<Self>, command: Command) -> Result<()> {
        let effects = self.decide(command)?;
        let (told, rest): (Vec<_>, Vec<_>) =
            effects.into_iter().partition(|effect| matches!(effect, Effect::SendToRig(_)));
        self.act(rest);
        effects::perform(self, told).await;
        Ok(())
    }

    fn decide(&self, command: Command) -> Result<Vec<Effect>> {
        let state = self.take()?;
        match gastown_core::town::handle(state, self.context()?, command) {
            Ok((planned, _)) => self.keep(planned),
            Err((state, refused)) => {
                *self.memory.borrow_mut() = Some(*state);
                Err(refusal(refused))
            }
        }
    }

    /// Applies facts and what follows from them; one receipt per fact.
    pub(super) fn observe(self: &Rc<Self>, events: Vec<Event>) -> Result<Vec<Receipt>> {
        let state = self.take()?;
        let (planned, receipts) = gastown_core::town::observe(state, self.context()?, events);
        self.commit(planned)?;
        Ok(receipts)
    }

    /// Shows rows in the live stream that are not the plan's own.
    pub(super) fn publish(self: &Rc<Self>, frames: Vec<Frame>) -> Result<()> {
        if frames.is_empty() {
            return Ok(());
        }
        let state = self.take()?;
        let mut planned = gastown_core::town::plan(state, self.context()?);
        planned.publish(None, frames);
        self.commit(planned)
    }

    /// The alarm: plans without news. Never fails: an error is logged, and the alarm comes back later.
    pub(super) fn alarm(self: &Rc<Self>) {
        let planned = || -> Result<()> {
            self.ensure_schema()?;
            let state = match self.take() {
                // A town that was deleted has nothing to wake for.
                Err(Error::Refusal(_)) => return Ok(()),
                taken => taken?,
            };
            let planned = gastown_core::town::plan(state, self.context()?);
            self.commit(planned)
        };
        if let Err(error) = planned() {
            crate::log::error("the town could not be planned", &[("error", &format!("{error:?}"))]);
            if let Ok(settings) = settings(&self.env) {
                let later = Timestamp::from_ms(settings.clock.now().ms() + ALARM_AFTER_ERROR_MS);
                drop(settings.clock.set_alarm(&self.state, Some(later)));
            }
        }
    }

    fn take(&self) -> Result<State> {
        match self.memory.borrow_mut().take() {
            Some(state) => Ok(state),
            None => Ok(store::load(&self.sql)?.ok_or_else(|| Error::from(Refusal::not_found("town")))?),
        }
    }

    fn context(&self) -> Result<Context<'static>> {
        Ok(Context { now: self.now()?, seed: IdSeed::new(ambient::seed()), catalogue: catalogue()? })
    }

    /// Writes a plan: SQL and memory in one step, then the alarm, the live stream, and the effects. When a write fails
    /// nothing was stored, and memory stays empty, so that the next call loads what is true.
    pub(super) fn commit(self: &Rc<Self>, planned: Planned) -> Result<()> {
        let effects = self.keep(planned)?;
        self.act(effects);
        Ok(())
    }

    /// The same, but for the effects.
    fn keep(&self, mut planned: Planned) -> Result<Vec<Effect>> {
        let now = self.now()?;
        self.report_breaches(&planned, now);
        let frames = frames(&planned, now, &self.mayor_says.borrow());
        planned.publish(None, frames);
        let numbered = self.sql.atomically(|| store::commit(&self.sql, now, &planned.writes))?;
        let Planned { mut state, effects, wake_at, .. } = planned;
        state.forget();
        *self.memory.borrow_mut() = Some(state);
        let clock = settings(&self.env)?.clock;
        self.next_wake.set(wake_at);
        clock.set_alarm(&self.state, wake_at).map_err(|e| Fault::new("arm the alarm", e))?;
        let shown: Vec<_> = numbered.into_iter().map(view::frame).collect();
        super::stream::send(&mut self.readers.borrow_mut(), &shown);
        Ok(effects)
    }

    /// Performs effects after the reply, in the object's own time.
    fn act(self: &Rc<Self>, effects: Vec<Effect>) {
        if !effects.is_empty() {
            let inner = Rc::clone(self);
            self.state.wait_until(async move { effects::perform(&inner, effects).await });
        }
    }

    /// Logs each breach once.
    fn report_breaches(&self, planned: &Planned, now: Timestamp) {
        for breach in invariant::check(planned, now) {
            if self.breaches.borrow_mut().insert(breach.clone()) {
                crate::log::error("an invariant of the town does not hold", &[("breach", &breach)]);
            }
        }
    }
}

/// What the live stream shows of a plan: each changed row in its wire shape.
fn frames(planned: &Planned, now: Timestamp, said: &Option<(Timestamp, String)>) -> Vec<Frame> {
    let (state, changed) = (&planned.state, &planned.changed);
    let frame = |frame: &str, data| Frame { frame: frame.to_owned(), data };
    let mut frames = Vec::new();
    if changed.town {
        frames.push(frame("town.updated", json!(view::town(state))));
    }
    for rig_id in &changed.rigs {
        frames.push(match state.rigs.get(rig_id) {
            Some(rig) => frame("rig.updated", json!(view::rig(state, rig))),
            None => frame("rig.deleted", json!({ "rig_id": rig_id })),
        });
    }
    for (_, write) in &planned.writes {
        if let Write::Audit { action, target, changes, .. } = write {
            let rig = target.parse().ok().and_then(|id: gastown_core::id::RigId| state.rigs.get(&id));
            let version = rig.map_or(state.town.config_version, |rig| rig.config_version);
            let (scope, rig_id) = (action.trim_end_matches(".config"), rig.map(|rig| rig.rig_id));
            let data = json!({ "scope": scope, "rig_id": rig_id, "version": version, "keys": changes });
            frames.push(frame("config.changed", data));
        } else if let Write::DayBudget(_) = write {
            frames.extend(super::admission::budget(state, now).iter().map(|row| frame("budget.updated", json!(row))));
        } else if let Write::MailRead(mail_id, at) = write {
            frames.push(frame("mail.delivered", json!({ "mail_id": mail_id, "at": at })));
        }
    }
    if changed.mayor {
        frames.push(frame("mayor.updated", super::mayor::status(state)));
        frames.push(frame("agent.updated", super::mayor::agent(state, said)));
    }
    for message in changed.messages.iter().filter_map(|id| state.inbox.get(id)) {
        frames.push(frame("mayor.message", super::conversation::of_person(message)));
    }
    for mail in &changed.mail {
        frames.push(frame("mail.created", json!(Mail::of_town(mail, state.mayor.agent_id))));
    }
    for escalation in changed.escalations.iter().filter_map(|key| state.escalations.get(key)) {
        let kind = if escalation.version == 1 { "escalation.created" } else { "escalation.updated" };
        frames.push(frame(kind, wire::api::escalation::shape(escalation)));
    }
    for whole in changed.convoys.iter().filter_map(|id| state.whole_convoy(*id)) {
        frames.push(frame("convoy.updated", json!(Convoy::detail(state, &whole))));
    }
    frames
}

fn refusal(refused: Refused) -> Error {
    match refused {
        Refused::NoSuchRig(_) => Refusal::not_found("rig"),
        Refused::NoSuchEscalation(_) => Refusal::not_found("escalation"),
        Refused::UnknownReference(what) => Refusal::new(Code::UnknownReference, format!("Unknown reference: {what}"))
            .with(json!({ "reference": what })),
        Refused::DuplicateName(name) => {
            Refusal::new(Code::DuplicateName, format!("Another rig of the town is called {name}"))
        }
        Refused::LimitReached(message) => Refusal::new(Code::LimitReached, message),
        Refused::NoSuchConvoy(convoy_id) => {
            Refusal::not_found("convoy").with(json!({ "kind": "convoy", "convoy_id": convoy_id }))
        }
        Refused::ConvoyClosed(_) => Refusal::new(Code::ConvoyClosed, "The convoy takes no more changes"),
        Refused::NotStaged(_) => Refusal::new(Code::NotStaged, "The convoy has been started"),
        Refused::PlanUnclear => {
            Refusal::new(Code::PlanUnclear, "Give depends_on to the tasks, or parallel: true if they are independent")
        }
        Refused::DependencyCycle(cycle) => {
            let message = format!("{} tasks would wait for each other", cycle.len());
            Refusal::new(Code::DependencyCycle, message).with(json!({ "cycle": cycle }))
        }
        Refused::NotAMember(bead_id) => {
            Refusal::new(Code::UnknownReference, format!("Bead {bead_id} is no task of the convoy"))
                .with(json!({ "reference": bead_id, "bead_id": bead_id }))
        }
        Refused::TerminalBead(bead_id, status) => Refusal::new(Code::TerminalBead, format!("The bead is {status}"))
            .with(json!({ "bead_id": bead_id, "status": status })),
        Refused::InAnotherConvoy(bead_id, convoy_id) => {
            Refusal::new(Code::IllegalTransition, "The bead is in another convoy")
                .with(json!({ "bead_id": bead_id, "convoy_id": convoy_id }))
        }
        Refused::NotFailed(bead_id) => {
            Refusal::new(Code::NotFailed, "Only a failed task can be tried again or skipped")
                .with(json!({ "bead_id": bead_id }))
        }
        Refused::NothingFailed(_) => Refusal::new(Code::NotFailed, "Nothing of the convoy has failed"),
        Refused::IllegalTransition(message) => Refusal::new(Code::IllegalTransition, message),
        Refused::ProbableDuplicate(convoy_id) => {
            Refusal::new(Code::ProbableDuplicate, "The same convoy was made a moment ago")
                .with(json!({ "bead_id": convoy_id, "convoy_id": convoy_id }))
        }
    }
    .into()
}
