//! `TownContainer`: the Durable Object that keeps a town's runtime. It attaches the runtime to the town, completes orders
//! with what only it knows (instance, tokens, environment), hands the runtime's reports to the objects they are about,
//! and keeps the transcripts. It decides nothing about beads.
//!
//! Reading order: `calls`, `keeper` (attach, and how the runtime is spoken to), `orders` (town and rigs → runtime),
//! `reports` (runtime → town and rigs), `watch` (its life, step by step).

pub mod calls;
mod keeper;
mod orders;
mod reports;
pub mod store;
pub mod stream;
mod tickets;
mod watch;

use gastown_core::sorted::SortedMap;
use std::cell::RefCell;
use std::rc::Rc;

use futures::lock::Mutex;
use gastown_core::id::{AssignmentId, InstanceId};
use gastown_core::time::Timestamp;
use worker::wasm_bindgen;
use worker::{DurableObject, Env, Request, Response, durable_object};

use crate::call::{Call, Incoming, respond};
use crate::error::{Fault, Result};
use crate::requests::Buckets;
use crate::sql::migrate::{CONTAINER, migrate};
use crate::sql::workers::DurableSql;
use calls as c;

/// The object.
#[durable_object]
pub struct TownContainer {
    keeper: Rc<Keeper>,
}

/// What handlers share.
pub(crate) struct Keeper {
    object: worker::State,
    env: Env,
    sql: DurableSql,
    migrated: std::result::Result<(), Fault>,
    /// The life of the runtime that knows the town and is ready for orders.
    attached: RefCell<Option<InstanceId>>,
    /// One attach at a time: orders that come meanwhile wait for it.
    attaching: Mutex<()>,
    /// Readers of transcripts.
    readers: RefCell<crate::sse::Readers<stream::Wanted>>,
    /// End of the token of each session, by wall time; in memory, so that a restart hands out new ones.
    tokens: RefCell<SortedMap<AssignmentId, Timestamp>>,
    /// How often people ask for tickets.
    buckets: RefCell<Buckets>,
}

impl DurableObject for TownContainer {
    fn new(object: worker::State, env: Env) -> Self {
        let sql = DurableSql::new(&object);
        let migrated = migrate(&sql, CONTAINER).map_err(Fault::from);
        Self {
            keeper: Rc::new(Keeper {
                object,
                env,
                sql,
                migrated,
                attached: RefCell::new(None),
                attaching: Mutex::new(()),
                readers: RefCell::default(),
                tokens: RefCell::new(SortedMap::new()),
                buckets: RefCell::default(),
            }),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        let incoming = match Incoming::read(request).await {
            Ok(incoming) => incoming,
            Err(error) => return respond("town_container", "", Err(error)),
        };
        let result = self.keeper.answer(&incoming).await;
        respond("town_container", &incoming.path, result)
    }

    async fn alarm(&self) -> worker::Result<Response> {
        watch::run(&self.keeper);
        Response::empty()
    }
}

impl Keeper {
    async fn answer(self: &Rc<Self>, incoming: &Incoming) -> Result<Response> {
        self.migrated.clone()?;
        let reply = match incoming.path.as_str() {
            c::SetNeeded::PATH => incoming.answer(|call| async move { orders::set_needed(self, &call) }),
            c::SleepRuntime::PATH => incoming.answer(|call| orders::sleep(self, call)),
            c::EndRuntime::PATH => incoming.answer(|call| orders::end_runtime(self, call)),
            c::Renew::PATH => incoming.answer(|call| orders::renew(self, call)),
            c::StartSession::PATH => incoming.answer(|call| orders::start_session(self, call)),
            c::QuerySession::PATH => incoming.answer(|call| orders::query_session(self, call)),
            c::StopSession::PATH => incoming.answer(|call| orders::stop_session(self, call)),
            c::WrapUpSession::PATH => incoming.answer(|call| orders::wrap_up_session(self, call)),
            c::PushToSession::PATH => incoming.answer(|call| orders::push_to_session(self, call)),
            c::RunJob::PATH => incoming.answer(|call| orders::run_job(self, call)),
            c::CancelJob::PATH => incoming.answer(|call| orders::cancel_job(self, call)),
            c::CheckRepo::PATH => incoming.answer(|call| orders::check_repo(self, call)),
            c::Forget::PATH => incoming.answer(|call| orders::forget(self, call)),
            c::Reconfigure::PATH => incoming.answer(|call| orders::reconfigure(self, call)),
            c::CheckRuntime::PATH => incoming.answer(|call| async move { reports::check(self, &call) }),
            c::RuntimeRegisters::PATH => incoming.answer(|call| reports::registers(self, call)),
            c::RuntimeReports::PATH => incoming.answer(|call| reports::facts(self, call)),
            c::RuntimeBeats::PATH => incoming.answer(|call| reports::heartbeat(self, call)),
            c::RuntimeEnds::PATH => incoming.answer(|call| reports::outcomes(self, call)),
            c::RuntimeShows::PATH => incoming.answer(|call| reports::events(self, call)),
            c::AppendEvents::PATH => incoming.answer(|call| async move { reports::append(self, call) }),
            c::RenewTokens::PATH => incoming.answer(|call| reports::renew_tokens(self, call)),
            c::RefreshToken::PATH => incoming.answer(|call| async move { reports::refresh_token(self, &call) }),
            c::MintTicket::PATH => incoming.answer(|call: c::MintTicket| async move { tickets::mint(self, &call) }),
            c::UseTicket::PATH => incoming.answer(|call: c::UseTicket| async move { tickets::redeem(self, &call) }),
            c::STREAM => {
                let wanted = gastown_core::json::from_str(&incoming.body).unwrap_or_default();
                return stream::open(self, wanted);
            }
            c::ShowRuntime::PATH => incoming.answer(|_: c::ShowRuntime| async { self.status() }),
            c::ListTranscript::PATH => {
                let list = |call: c::ListTranscript| async move {
                    let c::ListTranscript { agent_id, after_id, before_id, assignment_id, limit } = call;
                    Ok(store::transcript(&self.sql, agent_id, after_id, before_id, assignment_id, limit)?)
                };
                incoming.answer(list)
            }
            _ => incoming.unknown(),
        };
        incoming.respond(reply).await
    }
}
