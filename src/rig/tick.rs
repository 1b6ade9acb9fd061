//! The alarm: plan without news, then act. It never throws: a failure is logged once and tried again later.

use std::rc::Rc;
use std::time::Duration;

use super::Desk;
use crate::env::settings;
use crate::error::{Error, Result};

/// After a failed tick; a fault that lasts must not be asked for ten times a second.
const RETRY: Duration = Duration::from_secs(30);

/// One wake-up.
pub(super) async fn run(desk: &Rc<Desk>) {
    match desk.replan() {
        Ok(committed) => desk.act(committed.effects).await,
        // A rig that is not there has nothing to wake for.
        Err(Error::Refusal(_)) => (),
        Err(Error::Fault(fault)) => {
            crate::log::error("a tick failed", &[("object", &"rig"), ("fault", &fault)]);
            if let Err(error) = retry_later(desk) {
                crate::log::error("the alarm could not be set", &[("error", &format_args!("{error:?}"))]);
            }
        }
    }
}

fn retry_later(desk: &Desk) -> Result<()> {
    let clock = settings(&desk.env)?.clock;
    let at = clock.now() + RETRY;
    Ok(clock.set_alarm(&desk.object, Some(at)).map_err(|e| crate::error::Fault::new("set the alarm", e))?)
}
