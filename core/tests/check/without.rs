//! Plans with one rule left out: what a scenario is worth shows when a rule is missing. Where nothing is left out these
//! are the plans of the objects themselves.

use std::cell::Cell;

use gastown_core::container::{self, Life};
use gastown_core::time::Timestamp;
use gastown_core::{rig, town};

thread_local! {
    /// The object and the name of its rule.
    static LEFT_OUT: Cell<Option<(&'static str, &'static str)>> = const { Cell::new(None) };
}

/// Does this while the rule is left out of all plans of this thread.
pub(crate) fn without<T>(aggregate: &'static str, rule: &'static str, act: impl FnOnce() -> T) -> T {
    LEFT_OUT.set(Some((aggregate, rule)));
    let result = act();
    LEFT_OUT.set(None);
    result
}

/// The rules that are left, when one of this object's is left out.
fn left<R: Copy>(aggregate: &str, rules: &[(&'static str, R)]) -> Option<Vec<(&'static str, R)>> {
    let (of, left_out) = LEFT_OUT.get()?;
    (of == aggregate).then(|| rules.iter().filter(|(name, _)| *name != left_out).copied().collect())
}

pub(crate) fn plan_rig(state: rig::State, context: rig::Context<'_>) -> rig::Planned {
    match left("rig", rig::RULES) {
        Some(rules) => rig::run_rules(rig::Plan::new(state, context), &rules),
        None => rig::plan(state, context),
    }
}

pub(crate) fn observe_rig(
    state: rig::State,
    context: rig::Context<'_>,
    events: Vec<rig::Event>,
) -> (rig::Planned, Vec<rig::Receipt>) {
    let Some(rules) = left("rig", rig::RULES) else { return rig::observe(state, context, events) };
    let mut plan = rig::Plan::new(state, context);
    let receipts = events.into_iter().map(|event| rig::event::apply(&mut plan, event)).collect();
    (rig::run_rules(plan, &rules), receipts)
}

pub(crate) fn handle_rig(
    state: rig::State,
    context: rig::Context<'_>,
    command: rig::Command,
) -> Result<rig::Planned, (Box<rig::State>, rig::Refusal)> {
    let Some(rules) = left("rig", rig::RULES) else {
        return rig::handle(state, context, command).map(|(planned, _)| planned);
    };
    let mut plan = rig::Plan::new(state, context);
    match rig::command::apply(&mut plan, command) {
        Ok(_) => Ok(rig::run_rules(plan, &rules)),
        Err(refusal) => Err((Box::new(plan.refused()), refusal)),
    }
}

pub(crate) fn plan_town(state: town::State, context: town::Context<'_>) -> town::Planned {
    match left("town", town::RULES) {
        Some(rules) => town::run_rules(town::Plan::new(state, context), &rules),
        None => town::plan(state, context),
    }
}

pub(crate) fn observe_town(
    state: town::State,
    context: town::Context<'_>,
    events: Vec<town::Event>,
) -> (town::Planned, Vec<town::Receipt>) {
    let Some(rules) = left("town", town::RULES) else { return town::observe(state, context, events) };
    let mut plan = town::Plan::new(state, context);
    let receipts = events.into_iter().map(|event| town::event::apply(&mut plan, event)).collect();
    (town::run_rules(plan, &rules), receipts)
}

pub(crate) fn handle_town(
    state: town::State,
    context: town::Context<'_>,
    command: town::Command,
) -> Result<town::Planned, (Box<town::State>, town::Refusal)> {
    let Some(rules) = left("town", town::RULES) else {
        return town::handle(state, context, command).map(|(planned, _)| planned);
    };
    let mut plan = town::Plan::new(state, context);
    match town::command::apply(&mut plan, command) {
        Ok(_) => Ok(town::run_rules(plan, &rules)),
        Err(refusal) => Err((Box::new(plan.refused()), refusal)),
    }
}

pub(crate) fn plan_container(life: Life, now: Timestamp) -> container::Planned {
    match left("container", container::RULES) {
        Some(rules) => container::run_rules(container::Plan::new(life, now), &rules),
        None => container::plan(life, now),
    }
}

pub(crate) fn observe_container(life: Life, now: Timestamp, event: container::Event) -> container::Planned {
    let Some(rules) = left("container", container::RULES) else { return container::observe(life, now, event) };
    let mut plan = container::Plan::new(life, now);
    container::apply(&mut plan, event);
    container::run_rules(plan, &rules)
}
