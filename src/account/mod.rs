//! `Account`: the Durable Object of one user or organisation. It keeps the list of its towns and the sessions of its
//! people, and nothing else: it has no rules, no alarm and no state in memory. Every handler is one turn without an await.

pub mod calls;
pub mod store;

use worker::wasm_bindgen;
use worker::{DurableObject, Env, Request, Response, durable_object};

use crate::ambient::wall_now;
use crate::call::{Call, Incoming, respond};
use crate::env::settings;
use crate::error::{Fault, Result};
use crate::sql::Sql;
use crate::sql::migrate::{ACCOUNT, migrate};
use crate::sql::workers::DurableSql;
use calls::{
    AddTown, CheckSession, ListTowns, OpenSession, OpenedSession, RemoveTown, RevokeSessions, SessionCheck, SignOut,
};

/// The object.
#[durable_object]
pub struct Account {
    env: Env,
    sql: DurableSql,
    migrated: std::result::Result<(), Fault>,
}

impl DurableObject for Account {
    fn new(object: worker::State, env: Env) -> Self {
        let sql = DurableSql::new(&object);
        let migrated = migrate(&sql, ACCOUNT).map_err(Fault::from);
        Self { env, sql, migrated }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        let incoming = match Incoming::read(request).await {
            Ok(incoming) => incoming,
            Err(error) => return respond("account", "", Err(error)),
        };
        let result = self.answer(&incoming).await;
        respond("account", &incoming.path, result)
    }

    /// An account sets no alarm; one that was set by an older version has nothing to do.
    async fn alarm(&self) -> worker::Result<Response> {
        Response::empty()
    }
}

impl Account {
    async fn answer(&self, incoming: &Incoming) -> Result<Response> {
        self.migrated.clone()?;
        match incoming.path.as_str() {
            AddTown::PATH => incoming.answer(|call| async move { self.add_town(call) }).await,
            RemoveTown::PATH => incoming.answer(|call| async move { self.remove_town(&call) }).await,
            ListTowns::PATH => incoming.answer(|_: ListTowns| async { Ok(store::towns(&self.sql)?) }).await,
            OpenSession::PATH => incoming.answer(|call| async move { self.open_session(call) }).await,
            CheckSession::PATH => incoming.answer(|call| async move { self.check_session(&call) }).await,
            SignOut::PATH => incoming.answer(|call| async move { self.sign_out(&call) }).await,
            RevokeSessions::PATH => incoming.answer(|call| async move { self.revoke_sessions(&call) }).await,
            _ => incoming.unknown(),
        }
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
