//! How the runtime is reached, and the four steps that make a town usable in it (container.md 1.3): read its instance,
//! make a token for it, attach, wait until it has registered. Attaching is idempotent and happens whenever the runtime
//! turns out to be another life than the one that was spoken to.

use std::rc::Rc;
use std::time::Duration;

use gastown_core::container::{Event, Phase};
use gastown_core::id::{InstanceId, TownId};
use gastown_core::wire::api::bead::Failure;
use gastown_core::wire::api::snapshot::RuntimeStatus;
use gastown_core::wire::code::Code;
use gastown_core::wire::control::{Attach, Attached, CheckRepo, Health, PROTOCOL, RuntimeRig, TownView};
use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::{ContainerStartupOptions, Method};

use super::store::Container;
use super::{Keeper, store, watch};
use crate::ambient::{self, wall_now};
use crate::call::{Asked, Call, ask};
use crate::container::{Answer, Control, Order, Refused, Transport, order};
use crate::env::{Object, public_url, settings, stub};
use crate::error::{Error, Fault, Refusal, Result};
use crate::token::keyed_digest;
use crate::town::calls::{InstanceSeen, RuntimeSetup, Setup};

/// A runtime that was attached registers within this; longer, and the order is tried again later.
const READY_MAX: Duration = Duration::from_secs(10);
/// Pause between two looks at it.
const READY_LOOK: Duration = Duration::from_millis(50);

impl Keeper {
    /// The row; a keeper that was never spoken to knows no town.
    pub(super) fn row(&self) -> Result<Container> {
        store::load(&self.sql)?.ok_or_else(|| Refusal::not_found("town").into())
    }

    /// Changes the row, making it when the town is first named.
    pub(super) fn change(&self, town_id: TownId, change: impl FnOnce(&mut Container)) -> Result<()> {
        let now = self.now()?;
        let mut row = store::load(&self.sql)?.unwrap_or_else(|| Container::new(town_id, now));
        change(&mut row);
        Ok(store::put(&self.sql, &row)?)
    }

    /// The present, in town time.
    pub(super) fn now(&self) -> Result<gastown_core::time::Timestamp> {
        Ok(settings(&self.env)?.clock.now())
    }

    /// The runtime's control API.
    pub(super) fn control(&self, town_id: TownId) -> Result<Control> {
        let settings = settings(&self.env)?;
        let request_id = ambient::request_id();
        if let (Some(url), Some(secret)) = (&settings.container_url, &settings.control_secret) {
            return Ok(Control::new(Transport::Address(url.clone()), secret.clone(), request_id));
        }
        let Some(container) = self.object.container() else {
            let message = "This deployment has no agent runtime";
            return Err(Refusal::new(Code::RuntimeUnavailable, message).into());
        };
        let generation = store::load(&self.sql)?.map_or(0, |row| row.generation);
        let secret = control_secret(&settings.gastown_secret, town_id, generation);
        if !container.running() {
            let mut options = ContainerStartupOptions::new();
            options.enable_internet(true);
            options.add_env("GASTOWN_CONTROL_SECRET", &secret);
            container.start(Some(options)).map_err(|e| Fault::new("start the container", e))?;
        }
        Ok(Control::new(Transport::Platform(container), secret, request_id))
    }

    /// Calls the runtime about a town, attaching it first where it is a stranger.
    pub(super) async fn call<T: DeserializeOwned>(
        self: &Rc<Self>,
        town_id: TownId,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Answer<T>> {
        Ok(self.call_text(town_id, method, path, order(body)).await?.decoded())
    }

    async fn call_text(
        self: &Rc<Self>,
        town_id: TownId,
        method: Method,
        path: &str,
        order: Order,
    ) -> Result<Answer<String>> {
        if let Err(why) = self.attach(town_id).await? {
            return Ok(Answer::Silent(why));
        }
        let control = self.control(town_id)?;
        let again = order.as_ref().ok().cloned().flatten();
        match control.town_text(method.clone(), town_id, path, order).await {
            Answer::Refused(refused) if refused.is_stranger() => {
                self.attached.replace(None);
                match self.attach(town_id).await? {
                    Ok(_) => Ok(control.town_text(method, town_id, path, Ok(again)).await),
                    Err(why) => Ok(Answer::Silent(why)),
                }
            }
            answer @ (Answer::Done(_) | Answer::Refused(_) | Answer::Silent(_)) => Ok(answer),
        }
    }

    /// Makes the town usable in the runtime; the inner error is why it is not, in words.
    pub(super) async fn attach(self: &Rc<Self>, town_id: TownId) -> Result<std::result::Result<InstanceId, String>> {
        if let Some(instance_id) = *self.attached.borrow() {
            return Ok(Ok(instance_id));
        }
        let _one_at_a_time = self.attaching.lock().await;
        if let Some(instance_id) = *self.attached.borrow() {
            return Ok(Ok(instance_id));
        }
        if store::load(&self.sql)?.is_some_and(|row| row.life.end_by.is_some()) {
            return Ok(Err("The agent runtime is being put to sleep".to_owned()));
        }
        let result = self.attach_now(town_id).await;
        let error = match &result {
            Ok(Ok(_)) => None,
            Ok(Err(why)) => Some(why.clone()),
            Err(Error::Refusal(refusal)) => Some(refusal.message.clone()),
            Err(Error::Fault(_)) => Some("attaching failed".to_owned()),
        };
        self.change(town_id, |row| row.error.clone_from(&error))?;
        let is_starting = self.row()?.life.phase == Phase::Starting;
        watch::step(
            self,
            town_id,
            Some(match error {
                None => Event::Attached,
                Some(why) if is_starting => Event::StartFailed(why),
                Some(_) => Event::PingFailed,
            }),
        )?;
        result
    }

    async fn attach_now(&self, town_id: TownId) -> Result<std::result::Result<InstanceId, String>> {
        let settings = settings(&self.env)?;
        let control = self.control(town_id)?;
        let health = match control.health::<Health>().await {
            Answer::Done(health) => health,
            Answer::Refused(refused) => return Ok(Err(said(&refused))),
            Answer::Silent(why) => return Ok(Err(format!("The agent runtime does not answer: {why}"))),
        };
        let setup = self.setup(town_id).await?;
        self.remember(town_id, &health, &setup)?;
        let minted = settings.keys.mint_runtime(
            town_id,
            &setup.owner_user_id,
            health.instance_id,
            setup.credential_gen,
            wall_now(),
        )?;
        let rigs = setup.config.rigs.clone();
        let attach = Attach {
            api_url: public_url(&self.env)?,
            token: minted.token,
            instance_id: health.instance_id,
            protocol: PROTOCOL,
            config: setup.config,
        };
        match control.town::<Attached>(Method::Put, town_id, "", Some(&attach)).await {
            Answer::Done(_) => (),
            Answer::Refused(refused) => return Ok(Err(said(&refused))),
            Answer::Silent(why) => return Ok(Err(format!("The agent runtime does not answer: {why}"))),
        }
        self.ask_town(town_id, &InstanceSeen { instance_id: health.instance_id }).await?;
        if !self.becomes_ready(&control, town_id).await {
            return Ok(Err("The agent runtime is starting".to_owned()));
        }
        self.attached.replace(Some(health.instance_id));
        look_at_repositories(&control, town_id, &rigs).await;
        crate::log::info("attached the runtime", &[("town.id", &town_id), ("instance.id", &health.instance_id)]);
        Ok(Ok(health.instance_id))
    }

    /// Keeps who the runtime is before it can call us: its first call names this instance and generation.
    fn remember(&self, town_id: TownId, health: &Health, setup: &RuntimeSetup) -> Result<()> {
        let now = self.now()?;
        self.change(town_id, |row| {
            if row.instance_id != Some(health.instance_id) {
                row.instance_id = Some(health.instance_id);
                row.started_at = Some(now);
                self.tokens.borrow_mut().clear();
            }
            row.owner_id.clone_from(&setup.owner_user_id);
            row.generation = setup.credential_gen;
            row.protocol = health.protocol;
            row.version = Some(health.version.clone());
            row.capabilities.clone_from(&health.capabilities);
            row.memory = health.memory;
            row.life.last_ok_at = Some(now);
        })
    }

    async fn becomes_ready(&self, control: &Control, town_id: TownId) -> bool {
        let begun = wall_now();
        while wall_now().since(begun) < READY_MAX {
            match control.town::<TownView>(Method::Get, town_id, "", None::<&()>).await {
                Answer::Done(view) if view.state == "ready" => return true,
                Answer::Done(_) => worker::Delay::from(READY_LOOK).await,
                Answer::Refused(_) | Answer::Silent(_) => return false,
            }
        }
        false
    }

    /// What the town says its runtime needs.
    pub(super) async fn setup(&self, town_id: TownId) -> Result<RuntimeSetup> {
        self.ask_town(town_id, &Setup {}).await
    }

    /// Asks the town.
    pub(super) fn ask_town<C: Call>(&self, town_id: TownId, call: &C) -> Asked<C::Reply> {
        ask(stub(&self.env, Object::Town, &town_id.to_string()), call, &ambient::request_id())
    }

    /// **RuntimeStatus**.
    pub(super) fn status(&self) -> Result<RuntimeStatus> {
        let Some(row) = store::load(&self.sql)? else {
            return Ok(RuntimeStatus { state: "stopped".to_owned(), ..RuntimeStatus::default() });
        };
        let state = match row.life.phase {
            Phase::Running => "ready",
            Phase::Stopped => "stopped",
            Phase::Starting => "starting",
            Phase::Unhealthy => "unhealthy",
            Phase::Draining => "draining",
        };
        let error = row.error.map(|message| Failure {
            code: "runtime_unavailable".to_owned(),
            message,
            source: "runtime".to_owned(),
            at: row.life.last_ok_at.or(row.started_at).unwrap_or(gastown_core::time::Timestamp::from_ms(0)),
            details: serde_json::Map::new(),
        });
        Ok(RuntimeStatus {
            state: state.to_owned(),
            since: Some(row.life.since),
            instance_id: row.instance_id,
            version: row.version,
            protocol: Some(row.protocol).filter(|protocol| *protocol > 0),
            capabilities: row.capabilities,
            memory: row.memory,
            sessions: row.sessions,
            sessions_max: row.sessions_max,
            config_version: row.config_version,
            restarts_30m: row.life.restarts,
            last_heartbeat_at: row.life.last_ok_at,
            error,
        })
    }
}

/// A runtime that was just attached says what it can reach; its answers come as facts.
async fn look_at_repositories(control: &Control, town_id: TownId, rigs: &[RuntimeRig]) {
    for rig in rigs {
        let look = CheckRepo { git_url: rig.git_url.clone(), default_branch: rig.default_branch.clone() };
        let path = format!("/rigs/{}/check", rig.rig_id);
        let answer = control.town::<serde_json::Value>(Method::Post, town_id, &path, Some(&look)).await;
        if let Answer::Silent(why) = answer {
            crate::log::warn("the runtime did not look at a repository", &[("rig.id", &rig.rig_id), ("why", &why)]);
        }
    }
}

/// A refusal in words for people.
pub(super) fn said(refused: &Refused) -> String {
    format!("The agent runtime says: {}", refused.message)
}

/// The control secret of a town's own container (container.md 1.2): HMAC-SHA256 of town and generation, in hex.
fn control_secret(gastown_secret: &str, town_id: TownId, generation: u64) -> String {
    keyed_digest(gastown_secret, &format!("control:{town_id}:{generation}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_secret_differs_by_town_and_generation() {
        let secret = |town, generation| control_secret("secret", TownId::from_u128(town), generation);
        assert_eq!(secret(1, 1).len(), 64);
        assert_ne!(secret(1, 1), secret(2, 1));
        assert_ne!(secret(1, 1), secret(1, 2));
    }
}
