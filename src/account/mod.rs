//! `Account`: the Durable Object of one user or organisation. It keeps the list of its towns and the sessions of its
//! people, and looks after towns that say they are active: those silent for long are pinged, which arms a lost alarm
//! again (domain.md 9.1). With no active town it has no alarm. It has no rules and no state in memory.

pub mod calls;
pub mod store;

use std::cell::RefCell;

use gastown_core::limits::ACCOUNT_WATCH;
use gastown_core::wire::code::Code;
use worker::wasm_bindgen;
use worker::{DurableObject, Env, Request, Response, durable_object};

use crate::ambient::{self, wall_now};
use crate::call::{Call, Incoming, ask, respond};
use crate::env::{Object, settings, stub};
use crate::error::{Error, Fault, Result};
use crate::requests::Buckets;
use crate::sql::Sql;
use crate::sql::migrate::{ACCOUNT, migrate};
use crate::sql::workers::DurableSql;
use crate::town::calls::Ping;
use calls::{
    AddTown, CheckSession, Count, ListTowns, OpenSession, OpenedSession, RemoveTown, RevokeSessions, SessionCheck,
    SetActive, SignOut,
};

/// The object.
#[durable_object]
pub struct Account {
    object: worker::State,
    env: Env,
    sql: DurableSql,
    migrated: std::result::Result<(), Fault>,
    /// How often its subject calls.
    buckets: RefCell<Buckets>,
}

impl DurableObject for Account {
    fn new(object: worker::State, env: Env) -> Self {
        let sql = DurableSql::new(&object);
        let migrated = migrate(&sql, ACCOUNT).map_err(Fault::from);
        Self { object, env, sql, migrated, buckets: RefCell::default() }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        let incoming = match Incoming::read(request).await {
            Ok(incoming) => incoming,
            Err(error) => return respond("account", "", Err(error)),
        };
        let result = self.answer(&incoming).await;
        respond("account", &incoming.path, result)
    }

    async fn alarm(&self) -> worker::Result<Response> {
        if let Err(error) = self.watch().await {
            crate::log::error("the towns could not be watched", &[("error", &format_args!("{error:?}"))]);
        }
        Response::empty()
    }
}

impl Account {
    async fn answer(&self, incoming: &Incoming) -> Result<Response> {
        self.migrated.clone()?;
        let reply = match incoming.path.as_str() {
            AddTown::PATH => incoming.answer(|call| async move { self.add_town(call) }),
            RemoveTown::PATH => incoming.answer(|call| async move { self.remove_town(&call) }),
            SetActive::PATH => incoming.answer(|call| async move { self.set_active(&call) }),
            ListTowns::PATH => incoming.answer(|_: ListTowns| async { Ok(store::towns(&self.sql)?) }),
            OpenSession::PATH => incoming.answer(|call| async move { self.open_session(call) }),
            CheckSession::PATH => incoming.answer(|call| async move { self.check_session(&call) }),
            Count::PATH => incoming.answer(|call| async move { self.count(&call) }),
            SignOut::PATH => incoming.answer(|call| async move { self.sign_out(&call) }),
            RevokeSessions::PATH => incoming.answer(|call| async move { self.revoke_sessions(&call) }),
            _ => incoming.unknown(),
        };
        incoming.respond(reply).await
    }

    fn add_town(&self, call: AddTown) -> Result<()> {
        let now = settings(&self.env)?.clock.now();
        Ok(self.sql.atomically(|| {
            store::ensure(&self.sql, &call.account, now)?;
            store::add_town(&self.sql, call.town_id, &call.name, &call.created_by, now)
        })?)
    }

    fn remove_town(&self, call: &RemoveTown) -> Result<()> {
        Ok(store::remove_town(&self.sql, call.town_id)?)
    }

    fn set_active(&self, call: &SetActive) -> Result<()> {
        let clock = settings(&self.env)?.clock;
        store::set_active(&self.sql, call.town_id, call.is_active, clock.now())?;
        self.arm()
    }

    /// Asks every active town that has been silent; one that is gone is taken off the list.
    async fn watch(&self) -> Result<()> {
        let now = settings(&self.env)?.clock.now();
        for town_id in store::silent_towns(&self.sql, now - ACCOUNT_WATCH)? {
            match ask(stub(&self.env, Object::Town, &town_id.to_string()), &Ping {}, &ambient::request_id()).await {
                Ok(is_active) => store::set_active(&self.sql, town_id, is_active, now)?,
                Err(Error::Refusal(refusal)) if refusal.code == Code::NotFound => {
                    store::remove_town(&self.sql, town_id)?;
                }
                Err(error) => {
                    crate::log::warn("a town did not answer its account", &[("error", &format_args!("{error:?}"))]);
                }
            }
        }
        self.arm()
    }

    fn arm(&self) -> Result<()> {
        let clock = settings(&self.env)?.clock;
        let at = store::has_active_towns(&self.sql)?.then(|| clock.now() + ACCOUNT_WATCH);
        clock.set_alarm(&self.object, at).map_err(|e| Fault::new("arm the alarm", e).into())
    }

    fn open_session(&self, call: OpenSession) -> Result<OpenedSession> {
        let now = settings(&self.env)?.clock.now();
        let generation = store::generation(&self.sql)?;
        if call.generation.is_some_and(|of_token| of_token < generation) {
            return Ok(OpenedSession { is_open: false, generation });
        }
        let is_open = match &call.jti {
            None => true,
            Some(jti) => self.sql.atomically(|| {
                store::ensure(&self.sql, &call.account, now)?;
                store::use_sign_in(&self.sql, jti, call.expires_at, wall_now())
            })?,
        };
        Ok(OpenedSession { is_open, generation })
    }

    fn check_session(&self, call: &CheckSession) -> Result<SessionCheck> {
        let generation = store::generation(&self.sql)?;
        let is_signed_out = match &call.session_id {
            Some(session_id) => store::is_signed_out(&self.sql, session_id)?,
            None => false,
        };
        Ok(SessionCheck { is_live: !is_signed_out && call.generation.is_none_or(|of_token| of_token >= generation) })
    }

    fn count(&self, call: &Count) -> Result<()> {
        let now = settings(&self.env)?.clock.now();
        self.buckets.borrow_mut().take(String::new(), call.rate, now)
    }

    fn sign_out(&self, call: &SignOut) -> Result<()> {
        Ok(store::sign_out(&self.sql, &call.session_id, call.expires_at, wall_now())?)
    }

    fn revoke_sessions(&self, call: &RevokeSessions) -> Result<()> {
        let now = settings(&self.env)?.clock.now();
        Ok(self.sql.atomically(|| {
            store::ensure(&self.sql, &call.account, now)?;
            store::raise_generation(&self.sql)
        })?)
    }
}
