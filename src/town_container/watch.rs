//! The runtime's life, in the object: each fact and each alarm is one step of `gastown_core::container`, written before
//! its effects are performed; every effect comes back as a fact. The alarm never throws.

use std::rc::Rc;

use gastown_core::container::{self, Effect, Event, Phase};
use gastown_core::id::TownId;
use gastown_core::wire::control::Health;

use super::Keeper;
use super::store::{self, Container};
use crate::container::Answer;
use crate::env::settings;
use crate::error::{Fault, Result};
use crate::town::calls::{RuntimeSays, RuntimeWords};

/// Applies one fact about the runtime, or looks without news, and starts what follows.
pub(super) fn step(keeper: &Rc<Keeper>, town_id: TownId, event: Option<Event>) -> Result<()> {
    let now = keeper.now()?;
    let mut row = store::load(&keeper.sql)?.unwrap_or_else(|| Container::new(town_id, now));
    let planned = match event {
        Some(event) => container::observe(row.life.clone(), now, event),
        None => container::plan(row.life.clone(), now),
    };
    row.life = planned.life;
    store::put(&keeper.sql, &row)?;
    let clock = settings(&keeper.env)?.clock;
    clock.set_alarm(&keeper.object, planned.wake_at).map_err(|e| Fault::new("set the alarm", e))?;
    for effect in planned.effects {
        let own = Rc::clone(keeper);
        keeper.object.wait_until(async move {
            let name = format!("{effect:?}");
            if let Err(error) = perform(&own, town_id, effect).await {
                let error = format!("{error:?}");
                crate::log::warn("an effect of the keeper failed", &[("effect", &name), ("error", &error)]);
            }
        });
    }
    Ok(())
}

/// The alarm: one look.
pub(super) fn run(keeper: &Rc<Keeper>) {
    let looked = match store::load(&keeper.sql) {
        Ok(Some(row)) => step(keeper, row.town_id, None),
        Ok(None) => Ok(()),
        Err(error) => Err(error.into()),
    };
    if let Err(error) = looked {
        crate::log::error("the runtime could not be looked at", &[("error", &format_args!("{error:?}"))]);
    }
}

async fn perform(keeper: &Rc<Keeper>, town_id: TownId, effect: Effect) -> Result<()> {
    let says = |words| async move { keeper.ask_town(town_id, &RuntimeSays { words }).await };
    match effect {
        Effect::Start => start(keeper, town_id).await,
        Effect::Ping => ping(keeper, town_id).await,
        Effect::Restart => {
            destroy(keeper).await?;
            start(keeper, town_id).await
        }
        Effect::End => destroy(keeper).await,
        Effect::TellStartFailed(message) => says(RuntimeWords::StartFailed(message)).await,
        Effect::TellExhausted => says(RuntimeWords::Exhausted).await,
        Effect::TellRecovered => says(RuntimeWords::Recovered).await,
    }
}

/// Attaching says how it went; a runtime that was attached already is as good as started.
async fn start(keeper: &Rc<Keeper>, town_id: TownId) -> Result<()> {
    if keeper.attach(town_id).await?.is_ok() && keeper.row()?.life.phase == Phase::Starting {
        step(keeper, town_id, Some(Event::Attached))?;
    }
    Ok(())
}

/// A container of the town's own ends; a runtime at an address is nobody's to end.
pub(super) async fn destroy(keeper: &Keeper) -> Result<()> {
    keeper.attached.replace(None);
    if let Some(container) = keeper.object.container().filter(worker::Container::running) {
        container.destroy(None).await.map_err(|e| Fault::new("destroy the container", e))?;
    }
    Ok(())
}

/// Asks whether it lives. A process that restarted has forgotten its towns and says nothing by itself; being asked, it
/// shows its new instance, and is attached again.
async fn ping(keeper: &Rc<Keeper>, town_id: TownId) -> Result<()> {
    let known = *keeper.attached.borrow();
    let answer = keeper.control(town_id)?.health::<Health>().await;
    let row = keeper.row()?;
    let Answer::Done(health) = answer else {
        keeper.attached.replace(None);
        return step(keeper, town_id, Some(Event::PingFailed));
    };
    let knows_town = health.towns.iter().any(|town| town.town_id == town_id);
    if row.life.end_by.is_some() {
        let has_ended = !knows_town && keeper.object.container().is_none();
        return step(keeper, town_id, Some(if has_ended { Event::Ended } else { Event::Heard }));
    }
    let is_same = row.instance_id == Some(health.instance_id);
    if (known == Some(health.instance_id) && knows_town) || (is_same && row.life.phase == Phase::Draining) {
        return step(keeper, town_id, Some(Event::Heard));
    }
    keeper.attached.replace(None);
    if let Err(why) = keeper.attach(town_id).await? {
        crate::log::warn("the runtime was not attached", &[("why", &why)]);
    }
    Ok(())
}
