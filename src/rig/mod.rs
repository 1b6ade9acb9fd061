//! `Rig`: the Durable Object of one repository. The live rows are held in memory and changed by one function
//! ([`commit`]); everything else reads, converts, or performs what a commit ordered.
//!
//! Reading order: `calls` (what can be asked), `commit` (the one way to change something), `effects` (what follows),
//! `tick` (the alarm), then the handlers: `work` for people and the mayor, `agent`, `messages`, `runtime`,
//! `reads`.
//! Calls interleave at every await: nothing read before an await is written after it.

mod agent;
pub mod calls;
mod commit;
mod effects;
mod hands;
mod messages;
mod molecules;
mod publish;
mod reads;
mod refusal;
mod replies;
mod review;
mod runtime;
mod speaker;
pub mod store;
mod tick;
mod triage;
mod work;

use gastown_core::sorted::{SortedMap, SortedSet};
use std::cell::RefCell;
use std::rc::Rc;

use gastown_core::rig::State;
use worker::wasm_bindgen;
use worker::{DurableObject, Env, Request, Response, durable_object};

use crate::call::{Incoming, respond};
use crate::error::{Fault, Refusal, Result};
use crate::requests::{Buckets, Running};
use crate::sql::Sql;
use crate::sql::migrate::{RIG, migrate};
use crate::sql::workers::DurableSql;

/// The object.
#[durable_object]
pub struct Rig {
    desk: Rc<Desk>,
}

/// What handlers and effects share.
pub(crate) struct Desk {
    object: worker::State,
    env: Env,
    sql: DurableSql,
    migrated: std::result::Result<(), Fault>,
    /// The live rows; absent until they are needed, and after an error.
    memory: RefCell<Option<State>>,
    /// Requests whose reply will be kept.
    running: Running,
    /// Digest of each row that the live stream was last shown.
    shown: RefCell<SortedMap<String, u128>>,
    /// Breaches of invariants that were reported.
    breaches: RefCell<SortedSet<String>>,
    /// How often its agents call.
    buckets: RefCell<Buckets>,
}

impl DurableObject for Rig {
    fn new(object: worker::State, env: Env) -> Self {
        let sql = DurableSql::new(&object);
        let migrated = migrate(&sql, RIG).map_err(Fault::from);
        Self {
            desk: Rc::new(Desk {
                object,
                env,
                sql,
                migrated,
                memory: RefCell::new(None),
                running: Running::default(),
                shown: RefCell::new(SortedMap::new()),
                breaches: RefCell::new(SortedSet::new()),
                buckets: RefCell::default(),
            }),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        let incoming = match Incoming::read(request).await {
            Ok(incoming) => incoming,
            Err(error) => return respond("rig", "", Err(error)),
        };
        let result = self.desk.answer(&incoming).await;
        respond("rig", &incoming.path, result)
    }

    async fn alarm(&self) -> worker::Result<Response> {
        tick::run(&self.desk).await;
        Response::empty()
    }
}

/// Finds the handler of a call by its path.
macro_rules! dispatch {
    ($incoming:expr, $desk:expr, { $($call:ident => $handler:path,)* }) => {
        match $incoming.path.as_str() {
            $(<calls::$call as crate::call::Call>::PATH => {
                $incoming.answer(|call: calls::$call| $handler($desk, call))
            })*
            _ => $incoming.unknown(),
        }
    };
}

impl Desk {
    async fn answer(self: &Rc<Self>, incoming: &Incoming) -> Result<Response> {
        self.migrated.clone()?;
        let reply = dispatch!(incoming, self, {
            Delete => work::delete,
            Whereabouts => reads::whereabouts,
            Deliver => runtime::deliver,
            CheckAgent => agent::check,
            RuntimeFacts => runtime::facts,
            RuntimeBeats => runtime::beats,
            RuntimeOutcomes => runtime::outcomes,
            Running => runtime::running,
            LiveSessions => runtime::live_sessions,
            Sling => work::sling,
            ShowSlung => work::show_slung,
            ListBeads => reads::beads,
            ShowBead => reads::bead,
            Patch => work::patch,
            Start => work::start,
            Close => work::close,
            Fail => work::fail,
            Retry => work::retry,
            ResetBreaker => work::reset_breaker,
            CompleteReview => review::complete,
            SubmitWork => hands::submit,
            CloseOwn => hands::close_own,
            Reassign => hands::reassign,
            MoveAway => hands::move_away,
            ToEach => hands::to_each,
            DeleteInStatus => hands::delete_in_status,
            ActOnAgent => hands::act,
            ShowAgent => hands::show_agent,
            AgentAssignments => hands::agent_assignments,
            SaidOfSession => hands::said,
            ExplainBead => reads::explain,
            ListReviews => review::list,
            JudgeReview => review::judge,
            ResumeReview => review::resume,
            DismissReview => review::dismiss,
            BeadAssignments => reads::assignments,
            ListAgents => reads::agents,
            ListEvents => reads::events,
            ShowFigures => reads::figures,
            ListSpent => reads::spent,
            ShowOverview => reads::overview,
            Prime => agent::prime,
            AgentDone => agent::done,
            AgentJudges => agent::judge,
            SetStatus => agent::set_status,
            SetCheckpoint => agent::set_checkpoint,
            AgentBeats => agent::beats,
            ReadMail => agent::read_mail,
            AcknowledgeMail => agent::acknowledge_mail,
            Send => messages::send_mail,
            SendNudge => messages::send_nudge,
            PendingNudges => messages::pending_nudges,
            NudgeDelivered => agent::nudge_delivered,
            WhoSpeaks => triage::who_speaks,
            ResolveTriage => triage::resolve,
            ListMail => reads::mail,
            CreateMolecule => molecules::create,
            CurrentStep => molecules::current,
            AdvanceMolecule => molecules::advance,
        });
        incoming.respond(reply).await
    }

    /// Reads the live rows; a rig that was never made, or was deleted, is not there.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> Result<T>) -> Result<T> {
        let state = self.take()?;
        let result = read(&state);
        *self.memory.borrow_mut() = Some(state);
        result
    }

    /// Takes the live rows out of memory, loading them where they are not there.
    fn take(&self) -> Result<State> {
        if let Some(state) = self.memory.borrow_mut().take() {
            return Ok(state);
        }
        store::load(&self.sql)?.ok_or_else(|| Refusal::not_found("rig").into())
    }

    /// Empties the object.
    fn wipe(&self) -> Result<()> {
        *self.memory.borrow_mut() = None;
        Ok(self.sql.atomically(|| store::wipe(&self.sql))?)
    }
}
