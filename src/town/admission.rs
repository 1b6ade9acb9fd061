//! Admission in its wire shapes (api.md 4, 6.4): breaker, budget, drain, slots, and what was spent.

use gastown_core::sorted::SortedMap;
use std::rc::Rc;

use gastown_core::config::effective_town;
use gastown_core::session::Usage;
use gastown_core::town::State;
use gastown_core::town::state::{RigEntry, Spender};
use gastown_core::town::triage::TriageState;
use gastown_core::wire::api::snapshot::{BreakerStatus, BudgetRow, Slots};

use super::calls::{self, AdmissionView, SpentRow};
use super::{Inner, store};
use crate::error::Result;

/// What holds for the whole town.
pub(super) fn show(inner: &Rc<Inner>, _: calls::ShowAdmission) -> Result<AdmissionView> {
    let now = inner.now()?;
    inner.with_state(|state| AdmissionView {
        pause_reason: state.town.pause.as_ref().and_then(|pause| pause.reason.clone()),
        drain_started_at: state.drain.started_at.filter(|_| state.drain.is_draining),
        drain_nonce: state.drain.nonce.clone().filter(|_| state.drain.is_draining),
        drains: state.drain.instance_id.filter(|_| state.drain.is_draining),
        breaker: breaker(state),
        budget: budget(state, now),
        slots: slots(state),
        next_wake: inner.next_wake.get(),
        triage_requests: u32::try_from(
            state.triage.values().filter(|request| request.state != TriageState::Resolved).count(),
        )
        .unwrap_or(u32::MAX),
    })
}

/// Totals by day and who, for people; convoys over all their time.
pub(super) fn spent(inner: &Rc<Inner>, call: calls::ListSpent) -> Result<Vec<SpentRow>> {
    let names: SortedMap<_, _> =
        inner.with_state(|state| state.rigs.values().map(|rig: &RigEntry| (rig.rig_id, rig.name.clone())).collect())?;
    let row = |(day, spender): (String, Spender), spent: Usage| {
        let (key, label) = match spender {
            Spender::Rig(rig_id) => {
                (rig_id.to_string(), names.get(&rig_id).cloned().unwrap_or_else(|| "a deleted rig".to_owned()))
            }
            Spender::Mayor => ("mayor".to_owned(), "Mayor".to_owned()),
            Spender::Convoy(convoy_id, _) => (convoy_id.to_string(), convoy_id.to_string()),
        };
        SpentRow { day, key, label, spent }
    };
    if call.by_convoy {
        let convoys = store::admission::by_convoy(&inner.sql)?.into_iter();
        return Ok(convoys.map(|(of, spent)| row(of, spent)).collect());
    }
    Ok(store::admission::days(&inner.sql, &call.from, &call.to)?
        .into_iter()
        .map(|(of, spent)| row(of, spent))
        .collect())
}

fn breaker(state: &State) -> BreakerStatus {
    BreakerStatus {
        state: state.breaker.state,
        opens_until: state.breaker.until,
        failures: u32::try_from(state.breaker.failures.len()).unwrap_or(u32::MAX),
        last_error: state.breaker.message.clone(),
    }
}

fn slots(state: &State) -> Slots {
    let used = state.slots.values().filter(|slot| slot.granted_at.is_some()).count();
    Slots { used: u32::try_from(used).unwrap_or(u32::MAX), total: effective_town(&state.town.config).max_sessions }
}

pub(super) fn budget(state: &State, now: gastown_core::time::Timestamp) -> Vec<BudgetRow> {
    let limit = effective_town(&state.town.config).budget.town_daily;
    let spent = state.spent_on(&now.day());
    let row = |unit: &str, limit: f64, used: f64| BudgetRow {
        scope: "town_daily".to_owned(),
        unit: unit.to_owned(),
        limit,
        used,
        resets_at: Some(now.next_day()),
    };
    #[expect(clippy::cast_precision_loss, reason = "limits of spend are below 2^53")]
    let dollars = |micros: u64| micros as f64 / 1_000_000.0;
    let usd = limit.micros.map(|micros| row("usd", dollars(micros), dollars(spent.cost_micros)));
    #[expect(clippy::cast_precision_loss, reason = "limits of spend are below 2^53")]
    let tokens = limit.tokens.map(|tokens| row("tokens", tokens as f64, spent.tokens() as f64));
    usd.into_iter().chain(tokens).collect()
}
