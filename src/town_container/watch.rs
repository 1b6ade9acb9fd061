//! The runtime's health, from the alarm (domain.md 9.1, K2): while it is needed and has not been heard of, it is asked. A
//! process that restarted has forgotten its towns and says nothing by itself; being asked, it shows its new instance, and
//! is attached again. The alarm never throws.

use std::rc::Rc;

use gastown_core::limits::HEALTH_EVERY;
use gastown_core::wire::control::Health;

use super::Keeper;
use super::store::{self, Container};
use crate::container::Answer;
use crate::env::settings;
use crate::error::{Error, Fault, Result};

/// Sets the next look while the runtime is needed, and none otherwise.
pub(super) fn arm(keeper: &Keeper) -> Result<()> {
    let clock = settings(&keeper.env)?.clock;
    let is_needed = store::load(&keeper.sql)?.is_some_and(|row| row.is_needed);
    let at = is_needed.then(|| clock.now() + HEALTH_EVERY);
    clock.set_alarm(&keeper.object, at).map_err(|e| Fault::new("set the alarm", e).into())
}

/// One look.
pub(super) async fn run(keeper: &Rc<Keeper>) {
    let looked = match store::load(&keeper.sql) {
        Ok(Some(row)) if row.is_needed => look(keeper, &row).await,
        Ok(_) => return,
        Err(error) => Err(error.into()),
    };
    if let Err(error) = looked {
        let words = match &error {
            Error::Refusal(refusal) => refusal.message.clone(),
            Error::Fault(fault) => fault.to_string(),
        };
        crate::log::warn("the runtime could not be looked at", &[("why", &words)]);
    }
    if let Err(error) = arm(keeper) {
        crate::log::error("the alarm could not be set", &[("error", &format_args!("{error:?}"))]);
    }
}

async fn look(keeper: &Rc<Keeper>, row: &Container) -> Result<()> {
    let now = keeper.now()?;
    let was_heard = row.last_ok_at.is_some_and(|at| now.since(at) < HEALTH_EVERY);
    if was_heard && keeper.attached.borrow().is_some() {
        return Ok(());
    }
    let known = *keeper.attached.borrow();
    match keeper.control(row.town_id)?.health::<Health>().await {
        Answer::Done(health) => {
            let knows_town = health.towns.iter().any(|town| town.town_id == row.town_id);
            if known != Some(health.instance_id) || !knows_town {
                keeper.attached.replace(None);
                if let Err(why) = keeper.attach(row.town_id).await? {
                    crate::log::warn("the runtime was not attached", &[("why", &why)]);
                }
                return Ok(());
            }
            keeper.change(row.town_id, |row| {
                row.last_ok_at = Some(now);
                row.failures = 0;
            })
        }
        Answer::Refused(_) | Answer::Silent(_) => {
            keeper.attached.replace(None);
            keeper.change(row.town_id, |row| row.failures += 1)
        }
    }
}
