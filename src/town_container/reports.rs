//! What the runtime reports (api.md 3.11), handed to the objects it is about: each rig gets its own sessions and jobs, the
//! Town the mayor's and the repositories. A late or unknown item is answered as such, and the rest is applied.
//! Instants of the runtime are wall time; they become town time here.

use gastown_core::sorted::SortedMap;
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use gastown_core::container::{Event, Phase};
use gastown_core::id::{RigId, RigRef};
use gastown_core::limits::HEARTBEAT;
use gastown_core::session::Role;
use gastown_core::wire::code::Code;
use gastown_core::wire::report::{
    AgentToken, ContainerToken, EventBatch, EventsReply, Fact, FactBody, FactResult, FactsReply, Heartbeat,
    HeartbeatReply, ItemStatus, OutcomeResult, OutcomesReply, Ref, RegisterReply,
};

use super::calls::{
    AppendEvents, CheckRuntime, RefreshToken, RenewTokens, RuntimeBeats, RuntimeEnds, RuntimeRegisters, RuntimeReports,
    RuntimeShows,
};
use super::{Keeper, store, stream, watch};
use crate::ambient::{self, Clock, wall_now};
use crate::call::{Asked, Call, ask};
use crate::env::{Object, settings, stub};
use crate::error::{Error, Refusal, Result};
use crate::rig::calls as rig;
use crate::sql::Sql;
use crate::token::AgentSubject;
use crate::town::calls as town;

/// Tokens that end within this are renewed (api.md 2.4).
const RENEW_BEFORE: Duration = Duration::from_secs(3600);
/// Heartbeats in scaled time do not come more often than this.
const HEARTBEAT_MIN: Duration = Duration::from_millis(500);

/// Whether a token's bearer is the town's present runtime.
pub(super) fn check(keeper: &Rc<Keeper>, call: &CheckRuntime) -> Result<()> {
    let row = keeper.row()?;
    if call.generation != row.generation {
        return Err(Refusal::new(Code::TokenInvalid, "The credentials of this town were revoked").into());
    }
    if row.instance_id != Some(call.instance_id) {
        return Err(Refusal::new(Code::InstanceSuperseded, "Another runtime owns this town").into());
    }
    if row.life.failures > 0 || row.life.is_exhausted_told {
        return watch::step(keeper, row.town_id, Some(Event::Heard));
    }
    let now = keeper.now()?;
    keeper.change(row.town_id, |row| row.life.last_ok_at = Some(now))
}

/// A runtime says hello: it learns its settings, what it shall run and what it shall end.
pub(super) async fn registers(keeper: &Rc<Keeper>, call: RuntimeRegisters) -> Result<RegisterReply> {
    let register = call.register;
    let row = keeper.row()?;
    let setup = keeper.setup(row.town_id).await?;
    let rigs = setup.config.rigs.iter().map(|rig| rig.rig_id);
    let running = join_all(rigs.map(|rig_id| keeper.ask_rig(rig_id, &rig::Running {}))).await;
    let mut assignments: Vec<Ref> = running.into_iter().filter_map(Result::ok).flatten().collect();
    assignments.extend(setup.mayor);
    let stop = register.running.iter().filter(|session| !assignments.contains(session)).copied().collect();
    keeper.change(row.town_id, |row| {
        row.version = Some(register.version.clone());
        row.capabilities.clone_from(&register.capabilities);
        row.sessions_max = register.capacity.max_sessions;
        row.config_version = setup.config.config_version;
    })?;
    let interval = settings(&keeper.env)?.clock.wall_span(HEARTBEAT).max(HEARTBEAT_MIN);
    Ok(RegisterReply {
        config_version: setup.config.config_version,
        config: setup.config,
        assignments,
        stop,
        heartbeat_interval_ms: u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
    })
}

/// Facts, each to whom it is about; results in the order of the facts.
pub(super) async fn facts(keeper: &Rc<Keeper>, call: RuntimeReports) -> Result<FactsReply> {
    let row = keeper.row()?;
    let clock = settings(&keeper.env)?.clock;
    let order: Vec<_> = call.facts.facts.iter().map(|fact| fact.fact_id).collect();
    let (mut of_rigs, mut of_town) = (SortedMap::<RigId, Vec<Fact>>::new(), Vec::new());
    for fact in call.facts.facts {
        let fact = Fact { at: clock.town(fact.at), ..fact };
        match rig_of(&fact) {
            Some(rig_id) => of_rigs.get_or_insert_with(rig_id, Vec::new).push(fact),
            None => of_town.push(fact),
        }
    }
    let mut results = SortedMap::new();
    let asked = of_rigs.into_iter().map(|(rig_id, facts)| {
        let ids: Vec<_> = facts.iter().map(|fact| fact.fact_id).collect();
        async move { (ids, keeper.ask_rig(rig_id, &rig::RuntimeFacts { facts }).await) }
    });
    for (ids, answer) in join_all(asked).await {
        match answer {
            Ok(answered) => results.extend(answered.into_iter().map(|result| (result.fact_id, result))),
            Err(error) => results.extend(ids.into_iter().map(|id| (id, unheard(id, &error)))),
        }
    }
    if !of_town.is_empty() {
        let ids: Vec<_> = of_town.iter().map(|fact| fact.fact_id).collect();
        let statuses = keeper.ask_town(row.town_id, &town::MayorFacts { facts: of_town }).await?;
        results.extend(
            ids.into_iter()
                .zip(statuses)
                .map(|(fact_id, status)| (fact_id, FactResult { fact_id, status, code: None })),
        );
    }
    let rejected = |fact_id| FactResult { fact_id, status: ItemStatus::Rejected, code: None };
    Ok(FactsReply {
        results: order.into_iter().map(|id| results.remove(&id).unwrap_or_else(|| rejected(id))).collect(),
    })
}

/// A heartbeat, split by rig; the reply says what shall end and which tokens end soon.
pub(super) async fn heartbeat(keeper: &Rc<Keeper>, call: RuntimeBeats) -> Result<HeartbeatReply> {
    let row = keeper.row()?;
    let clock = settings(&keeper.env)?.clock;
    let beat = in_town_time(call.heartbeat, clock);
    let now = keeper.now()?;
    keeper.change(row.town_id, |row| {
        row.life.last_ok_at = Some(now);
        row.memory = beat.memory;
        row.sessions = u32::try_from(beat.agents.len()).unwrap_or(u32::MAX);
        row.config_version = beat.config_version;
    })?;
    if beat.draining && row.life.phase != Phase::Draining {
        watch::step(keeper, row.town_id, Some(Event::Drains))?;
    }
    let mut by_rig: SortedMap<RigId, rig::RuntimeBeats> = SortedMap::new();
    let of = |instance_id| rig::RuntimeBeats { instance_id, agents: Vec::new(), jobs: Vec::new() };
    for agent in beat.agents.iter().filter(|agent| agent.session.rig_id.rig().is_some()) {
        if let Some(rig_id) = agent.session.rig_id.rig() {
            by_rig.get_or_insert_with(rig_id, || of(beat.instance_id)).agents.push(agent.clone());
        }
    }
    for job in &beat.jobs {
        by_rig.get_or_insert_with(job.rig_id, || of(beat.instance_id)).jobs.push(job.clone());
    }
    let asked = by_rig.into_iter().map(|(rig_id, beats)| {
        let sessions: Vec<Ref> = beats.agents.iter().map(|agent| agent.session).collect();
        async move { (sessions, keeper.ask_rig(rig_id, &beats).await) }
    });
    let asked = join_all(asked).await;
    let (mut stop, mut wrap_up) = (Vec::<Ref>::new(), Vec::<Ref>::new());
    for (sessions, answer) in asked {
        match answer {
            Ok(answer) => {
                stop.extend(answer.stop);
                wrap_up.extend(answer.wrap_up);
            }
            // Sessions of a rig that is gone have nobody else to end them.
            Err(Error::Refusal(refusal)) if refusal.code == Code::NotFound => stop.extend(sessions),
            Err(_) => (),
        }
    }
    let mayors = beat.agents.iter().filter(|agent| agent.session.rig_id.rig().is_none()).cloned().collect();
    let heartbeat = Heartbeat { agents: mayors, jobs: Vec::new(), ..beat.clone() };
    let word = keeper.ask_town(row.town_id, &town::MayorBeat { heartbeat }).await?;
    stop.extend(word.stop);
    Ok(HeartbeatReply {
        drain_nonce: word.drain_nonce,
        config_version: word.config_version,
        expiring: keeper.expiring(beat.agents.iter().map(|agent| agent.session).filter(|s| !stop.contains(s))),
        stop,
        wrap_up,
    })
}

/// Ends of sessions, each to whom it is about.
pub(super) async fn outcomes(keeper: &Rc<Keeper>, call: RuntimeEnds) -> Result<OutcomesReply> {
    let row = keeper.row()?;
    let mut results = Vec::with_capacity(call.outcomes.outcomes.len());
    for outcome in call.outcomes.outcomes {
        keeper.tokens.borrow_mut().remove(&outcome.session.assignment_id);
        let key = outcome.key.clone();
        let status = match outcome.session.rig_id {
            RigRef::Rig(rig_id) => {
                let answer = keeper.ask_rig(rig_id, &rig::RuntimeOutcomes { outcomes: vec![outcome] }).await?;
                answer.first().map_or(ItemStatus::Rejected, |result| result.status)
            }
            RigRef::Mayor(_) => keeper.ask_town(row.town_id, &town::MayorOutcome { outcome }).await?,
        };
        results.push(OutcomeResult { key, status, code: None });
    }
    Ok(OutcomesReply { results })
}

/// Transcript events: kept here, and the mayor's shown to its town.
pub(super) async fn events(keeper: &Rc<Keeper>, call: RuntimeShows) -> Result<EventsReply> {
    let row = keeper.row()?;
    let mut next_seq = SortedMap::new();
    for batch in call.events.batches {
        let known = store::next_seq(&keeper.sql, batch.assignment_id)?.get(&batch.agent_id).copied().unwrap_or(0);
        let (next, shown) = keeper.sql.atomically(|| store::append(&keeper.sql, &batch))?;
        stream::send(keeper, &shown);
        next_seq.insert(batch.agent_id, next.max(known));
        // A batch that was kept before was shown before.
        if batch.rig_id.rig().is_none() && next > known {
            keeper.ask_town(row.town_id, &town::MayorEvents { batch }).await?;
        }
    }
    Ok(EventsReply { next_seq })
}

/// Events that nobody numbered follow the last one of their session.
pub(super) fn append(keeper: &Keeper, call: AppendEvents) -> Result<()> {
    let batch = call.batch;
    let known = store::next_seq(&keeper.sql, batch.assignment_id)?.get(&batch.agent_id).copied().unwrap_or(0);
    let batch = EventBatch { first_seq: known, ..batch };
    let (_, shown) = keeper.sql.atomically(|| store::append(&keeper.sql, &batch))?;
    stream::send(keeper, &shown);
    Ok(())
}

/// New tokens for sessions that are live; those that are over are missing.
pub(super) async fn renew_tokens(keeper: &Rc<Keeper>, call: RenewTokens) -> Result<Vec<AgentToken>> {
    let row = keeper.row()?;
    let setup = keeper.setup(row.town_id).await?;
    let mut live: Vec<(Ref, Role)> = Vec::new();
    let mut by_rig: SortedMap<RigId, Vec<Ref>> = SortedMap::new();
    for session in call.sessions {
        match session.rig_id {
            RigRef::Rig(rig_id) => by_rig.get_or_insert_with(rig_id, Vec::new).push(session),
            RigRef::Mayor(_) if setup.mayor == Some(session) => live.push((session, Role::Mayor)),
            RigRef::Mayor(_) => (),
        }
    }
    for (rig_id, sessions) in by_rig {
        live.extend(keeper.ask_rig(rig_id, &rig::LiveSessions { sessions }).await?);
    }
    let mut tokens = Vec::with_capacity(live.len());
    for (session, role) in live {
        let subject = AgentSubject {
            town_id: row.town_id,
            rig_id: session.rig_id.rig(),
            agent_id: session.agent_id,
            owner: &setup.owner_user_id,
            role,
            assignment_id: session.assignment_id,
            epoch: session.epoch,
            generation: setup.credential_gen,
        };
        let minted = settings(&keeper.env)?.keys.mint_agent(&subject, wall_now())?;
        keeper.tokens.borrow_mut().insert(session.assignment_id, minted.expires_at);
        tokens.push(AgentToken {
            agent_id: session.agent_id,
            assignment_id: session.assignment_id,
            epoch: session.epoch,
            token: minted.token,
            expires_at: minted.expires_at,
        });
    }
    Ok(tokens)
}

/// A new container token for the present instance.
pub(super) fn refresh_token(keeper: &Keeper, call: &RefreshToken) -> Result<ContainerToken> {
    let row = keeper.row()?;
    let keys = &settings(&keeper.env)?.keys;
    let minted = keys.mint_runtime(row.town_id, &row.owner_id, call.instance_id, row.generation, wall_now())?;
    Ok(ContainerToken { token: minted.token, expired_inbound: call.was_late })
}

impl Keeper {
    fn ask_rig<C: Call>(&self, rig_id: RigId, call: &C) -> Asked<C::Reply> {
        ask(stub(&self.env, Object::Rig, &rig_id.to_string()), call, &ambient::request_id())
    }

    /// Sessions whose token ends soon. One that is not remembered was made before this object woke.
    fn expiring(&self, sessions: impl Iterator<Item = Ref>) -> Vec<Ref> {
        let soon = wall_now() + RENEW_BEFORE;
        let tokens = self.tokens.borrow();
        sessions.filter(|session| tokens.get(&session.assignment_id).is_none_or(|end| *end <= soon)).collect()
    }
}

/// The rig that a fact is about; none for the mayor and for repositories, which the Town keeps.
fn rig_of(fact: &Fact) -> Option<RigId> {
    if matches!(fact.body, FactBody::Repo { .. }) {
        return None;
    }
    fact.session.and_then(|session| session.rig_id.rig()).or(fact.rig_id)
}

/// The rig did not answer: the runtime keeps the fact and sends it again only if the whole call fails; an item that
/// names a rig which is gone is over for good.
fn unheard(fact_id: gastown_core::id::FactId, error: &crate::error::Error) -> FactResult {
    let code = match error {
        crate::error::Error::Refusal(refusal) => refusal.code.to_string(),
        crate::error::Error::Fault(_) => "internal".to_owned(),
    };
    FactResult { fact_id, status: ItemStatus::Stale, code: Some(code) }
}

fn in_town_time(beat: Heartbeat, clock: Clock) -> Heartbeat {
    let agents = beat.agents.into_iter().map(|agent| gastown_core::wire::report::AgentBeat {
        state_since: clock.town(agent.state_since),
        tool_since: agent.tool_since.map(|at| clock.town(at)),
        last_event_at: agent.last_event_at.map(|at| clock.town(at)),
        last_progress_at: agent.last_progress_at.map(|at| clock.town(at)),
        ..agent
    });
    Heartbeat { agents: agents.collect(), sent_at: clock.town(beat.sent_at), ..beat }
}
