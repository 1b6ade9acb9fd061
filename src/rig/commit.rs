//! The one way to change the rig (STYLE 5.2). No await anywhere: recall, apply and plan, check invariants, write rows in
//! one SQLite transaction, put the new state in memory, set the alarm. On any error the state in memory is dropped and the
//! next reader loads it again. What the plan ordered comes back as effects, performed after the commit.

use gastown_core::sorted::SortedSet;

use gastown_core::id::{AssignmentId, BeadId, IdSeed};
use gastown_core::protocol::RigToTown;
use gastown_core::rig::event::Event;
use gastown_core::rig::{self, Applied, Command, Context, Effect, Planned, Receipt, Reference, State, invariant};
use gastown_core::time::Timestamp;
use gastown_core::wire::api::bead::{Bead, NewestAssignment};

use super::{Desk, publish, refusal, store};
use crate::ambient;
use crate::catalogue::catalogue;
use crate::env::settings;
use crate::error::{Fault, Result};
use crate::sql::Sql;
use crate::sql::workers::DurableSql;

/// What was committed, and what it ordered.
#[must_use]
pub(super) struct Committed<T> {
    /// What the caller sees.
    pub(super) value: T,
    /// What to do now.
    pub(super) effects: Vec<Effect>,
}

/// The rows as a caller may see them right after a plan, with what the commit will forget still in view.
pub(super) struct View<'a> {
    /// The rows.
    pub(super) state: &'a State,
    pub(super) sql: &'a DurableSql,
}

impl View<'_> {
    /// A bead's row, live or not.
    pub(super) fn row(&self, bead_id: BeadId) -> Result<gastown_core::rig::bead::Bead> {
        match self.state.beads.get(&bead_id) {
            Some(bead) => Ok(bead.clone()),
            None => Ok(store::bead(self.sql, bead_id)?.ok_or_else(|| crate::error::Refusal::not_found("bead"))?),
        }
    }

    /// A bead in its wire shape.
    pub(super) fn bead(&self, bead_id: BeadId) -> Result<Bead> {
        let bead = self.row(bead_id)?;
        let newest = store::newest(self.sql, &[bead_id])?.remove(&bead_id).unwrap_or_default();
        Ok(Bead::of(self.state, &bead, &newest))
    }
}

impl Desk {
    /// The present, in town time.
    pub(super) fn now(&self) -> Result<Timestamp> {
        Ok(settings(&self.env)?.clock.now())
    }

    /// Plans without news.
    pub(super) fn replan(&self) -> Result<Committed<()>> {
        self.commit(|state, context| Ok((rig::plan(state, context), ())), |_, ()| Ok(()))
    }

    /// Applies facts.
    pub(super) fn observe(&self, events: Vec<Event>) -> Result<Committed<Vec<Receipt>>> {
        let references: Vec<Reference> = events.iter().flat_map(Event::references).collect();
        self.commit(
            |mut state, context| {
                store::recall(&self.sql, &mut state, &references)?;
                Ok(rig::observe(state, context, events))
            },
            |_, receipts| Ok(receipts),
        )
    }

    /// Applies facts that may be about sessions whose work is done.
    pub(super) fn observe_about(
        &self,
        events: Vec<Event>,
        sessions: Vec<AssignmentId>,
    ) -> Result<Committed<Vec<Receipt>>> {
        self.commit(
            |mut state, context| {
                for assignment_id in sessions {
                    store::recall_spender(&self.sql, &mut state, assignment_id)?;
                }
                Ok(rig::observe(state, context, events))
            },
            |_, receipts| Ok(receipts),
        )
    }

    /// Applies a command, or refuses it. `view` shapes the reply.
    pub(super) fn handle<T>(
        &self,
        command: Command,
        view: impl FnOnce(View<'_>, Applied) -> Result<T>,
    ) -> Result<Committed<T>> {
        let references = command.references();
        self.commit(
            |mut state, context| {
                store::recall(&self.sql, &mut state, &references)?;
                match rig::handle(state, context, command) {
                    Ok(planned) => Ok(planned),
                    Err((mut state, refused)) => {
                        state.forget();
                        *self.memory.borrow_mut() = Some(*state);
                        Err(refusal::api(refused))
                    }
                }
            },
            view,
        )
    }

    /// Applies several commands in one commit: each is applied or refused for itself.
    pub(super) fn handle_each(
        &self,
        commands: Vec<Command>,
    ) -> Result<Committed<Vec<std::result::Result<Applied, rig::Refusal>>>> {
        let references: SortedSet<rig::Reference> = commands.iter().flat_map(Command::references).collect();
        self.commit(
            |mut state, context| {
                store::recall(&self.sql, &mut state, &Vec::from_iter(references))?;
                Ok(rig::handle_each(state, context, commands))
            },
            |_, results| Ok(results),
        )
    }

    fn commit<R, T>(
        &self,
        step: impl FnOnce(State, Context<'static>) -> Result<(Planned, R)>,
        view: impl FnOnce(View<'_>, R) -> Result<T>,
    ) -> Result<Committed<T>> {
        let now = self.now()?;
        let context = Context { now, seed: IdSeed::new(ambient::seed()), catalogue: catalogue()? };
        let state = self.take()?;
        let known: SortedSet<BeadId> = state.beads.keys().copied().collect();
        let (mut planned, result) = step(state, context)?;
        self.write(&mut planned, &known, now)?;
        let value = view(View { state: &planned.state, sql: &self.sql }, result);
        let effects = self.keep(planned)?;
        Ok(Committed { value: value?, effects })
    }

    /// Stores what was planned, with the frames that show it, in one transaction.
    fn write(&self, planned: &mut Planned, known: &SortedSet<BeadId>, now: Timestamp) -> Result<()> {
        self.report_breaches(planned, now);
        for frames in publish::frames(self, planned, known)? {
            planned.publish(RigToTown::Feed { frames }, now);
        }
        self.sql
            .atomically(|| planned.writes.iter().try_for_each(|(rule, write)| store::write(&self.sql, rule, write)))?;
        Ok(())
    }

    /// Puts the planned state in memory and sets the alarm; what is left to do are the effects.
    fn keep(&self, planned: Planned) -> Result<Vec<Effect>> {
        let Planned { mut state, effects, wake_at, .. } = planned;
        let wake_at = [wake_at, state.outbox.resend_at()].into_iter().flatten().min();
        state.forget();
        *self.memory.borrow_mut() = Some(state);
        let clock = settings(&self.env)?.clock;
        clock.set_alarm(&self.object, wake_at).map_err(|e| Fault::new("set the alarm", e))?;
        Ok(effects)
    }

    /// A breach is reported once: it is ours to mend, and shouting does not help.
    fn report_breaches(&self, planned: &Planned, now: Timestamp) {
        let breaches: SortedSet<String> = invariant::check(planned, now).into_iter().collect();
        let mut known = self.breaches.borrow_mut();
        for breach in breaches.difference(&known) {
            crate::log::error(
                "an invariant does not hold",
                &[("rig.id", &planned.state.rig.rig_id), ("breach", breach)],
            );
        }
        *known = breaches;
    }
}

/// What beads without a live assignment show.
pub(super) fn newest_of(sql: &impl Sql, bead_id: BeadId) -> Result<NewestAssignment> {
    Ok(store::newest(sql, &[bead_id])?.remove(&bead_id).unwrap_or_default())
}
