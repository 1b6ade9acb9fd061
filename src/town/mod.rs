//! The `Town` Durable Object: one per town. Keeps the settings, the registry of rigs, the slots, the mayor with its
//! inbox and conversation, and the feed with its live fan-out.
//!
//! This file is the shell's outline: construction, the table of calls, the alarm. What a call does stands in
//! `handlers.rs`, `settings.rs` and `runtime.rs`, how a decision becomes rows in `tick.rs`, what is done afterwards in `effects.rs`, the live stream in
//! `stream.rs`. Decisions are `gastown_core::town`.

mod admission;
mod asides;
pub mod calls;
mod conversation;
mod convoys;
mod effects;
mod handlers;
mod inbox;
mod mayor;
mod runtime;
mod settings;
pub mod store;
pub mod stream;
mod tick;
pub mod view;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gastown_core::town::State;
use worker::{Env, Request, Response, durable_object};

use crate::call::{Incoming, respond};
use crate::error::{Fault, Result};
use crate::requests::{Buckets, Running};
use crate::sql::migrate::{TOWN, migrate};
use crate::sql::workers::DurableSql;

/// The object; everything it has is shared with the effects that outlive a request.
#[durable_object]
pub struct Town {
    inner: Rc<Inner>,
}

/// What a town object holds in memory.
struct Inner {
    state: worker::State,
    env: Env,
    sql: DurableSql,
    /// The state that the plans work on; none until the first call, and after an error.
    memory: RefCell<Option<State>>,
    /// When the alarm is set to.
    next_wake: Cell<Option<gastown_core::time::Timestamp>>,
    /// What the mayor says it does, and since when; gone with the object, as what it did is.
    mayor_says: RefCell<Option<(gastown_core::time::Timestamp, String)>>,
    /// What a person looks at, and since when.
    looked_at: RefCell<Option<(gastown_core::time::Timestamp, String)>>,
    /// Readers of the live stream.
    readers: RefCell<crate::sse::Readers<stream::Wanted>>,
    /// Keyed requests whose first run has not ended.
    running: Running,
    /// Whether the schema is current.
    is_migrated: Cell<bool>,
    /// Breaches of invariants that were logged already.
    breaches: RefCell<gastown_core::sorted::SortedSet<String>>,
    /// How often the mayor calls.
    buckets: RefCell<Buckets>,
}

impl worker::DurableObject for Town {
    fn new(state: worker::State, env: Env) -> Self {
        let sql = DurableSql::new(&state);
        let inner = Inner {
            state,
            env,
            sql,
            memory: RefCell::default(),
            next_wake: Cell::new(None),
            mayor_says: RefCell::default(),
            looked_at: RefCell::default(),
            readers: RefCell::default(),
            running: Running::default(),
            is_migrated: Cell::new(false),
            breaches: RefCell::default(),
            buckets: RefCell::default(),
        };
        Self { inner: Rc::new(inner) }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        let incoming = match Incoming::read(request).await {
            Ok(incoming) => incoming,
            Err(error) => return respond("town", "?", Err(error)),
        };
        let result = match self.inner.ensure_schema() {
            Ok(()) => handlers::answer(&self.inner, &incoming).await,
            Err(error) => Err(error),
        };
        respond("town", &incoming.path, result)
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.inner.alarm();
        Response::empty()
    }
}

impl Inner {
    /// Migrates when the object wakes, before it serves anything.
    fn ensure_schema(&self) -> Result<()> {
        if !self.is_migrated.get() {
            migrate(&self.sql, TOWN).map_err(Fault::from)?;
            self.is_migrated.set(true);
        }
        Ok(())
    }
}
