//! The keeper's rows: table `container` (one row) and the ring of transcripts.

use gastown_core::sorted::SortedMap;

use gastown_core::container::{Life, Phase};
use gastown_core::id::{AgentId, AssignmentId, InstanceId, TownId};
use gastown_core::limits::TRANSCRIPT_KEEP;
use gastown_core::time::Timestamp;
use gastown_core::wire::control::Memory;
use gastown_core::wire::report::EventBatch;
use serde::Deserialize;
use serde_json::Value;

use super::calls::AgentEvent;
use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json, text, text_or_null};

const SELECT: &str = "
    select town_id, owner_id, is_needed, state, instance_id, generation, protocol, version, capabilities, memory,
           sessions, sessions_max, started_at, last_ok_at, failures, config_version, error, since, pinged_at,
           first_failure_at, start_failures, not_before, window_at, restarts, restarted_at, exhausted_told, end_by
    from container";
const PUT: &str = "
    insert or replace into container
      (only_row, town_id, owner_id, is_needed, state, instance_id, generation, protocol, version, capabilities, memory,
       sessions, sessions_max, started_at, last_ok_at, failures, config_version, error, since, pinged_at,
       first_failure_at, start_failures, not_before, window_at, restarts, restarted_at, exhausted_told, end_by)
    values (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const APPEND: &str = "
    insert or ignore into transcripts (agent_id, assignment_id, seq, kind, data, at) values (?, ?, ?, ?, ?, ?)
    returning id";
const SELECT_NEXT: &str = "
    select agent_id, max(seq) + 1 as next_seq from transcripts where assignment_id = ? group by agent_id";
const SELECT_AFTER: &str = "
    select id, agent_id, assignment_id, seq, kind, data, at
    from transcripts
    where agent_id = ?1 and id > ?2 and (?3 is null or assignment_id = ?3)
    order by id
    limit ?4";
const SELECT_NEWEST: &str = "
    select id, agent_id, assignment_id, seq, kind, data, at from (
      select id, agent_id, assignment_id, seq, kind, data, at
      from transcripts
      where agent_id = ?1 and (?2 is null or id < ?2) and (?3 is null or assignment_id = ?3)
      order by id desc
      limit ?4
    ) order by id";
const SELECT_LAST: &str = "select coalesce(max(id), 0) as id from transcripts";
/// Whoever has fewer rows than are kept has lost none.
const SELECT_FIRST: &str = "
    select coalesce(max(first), 0) as id from (
      select min(id) as first
      from transcripts
      where agent_id in (select value from json_each(?1))
      group by agent_id
      having count(*) >= ?2)";
/// A part that grows, and a call that goes on, replace what was said of them before.
const SUPERSEDE: &str = "
    delete from transcripts
    where assignment_id = ?1 and seq > ?2 - 200 and seq < ?2 and kind = ?3
      and coalesce(json_extract(data, '$.part_id'), json_extract(data, '$.call_id'), '')
        = coalesce(json_extract(?4, '$.part_id'), json_extract(?4, '$.call_id'), '')";
const TRIM: &str = "
    delete from transcripts
    where agent_id = ?1 and id <= (
      select id from transcripts where agent_id = ?1 order by id desc limit 1 offset ?2
    )";

/// Kinds of which the newest is kept.
const REPLACED: [&str; 3] = ["part", "tool", "usage"];
/// Deltas are for eyes that are there; what they add up to follows as a whole part.
const NOT_KEPT: &str = "part.delta";

/// The runtime as its keeper knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    /// The town.
    pub town_id: TownId,
    /// Whose tokens the runtime's are.
    pub owner_id: String,
    /// What the rules of its life look at.
    pub life: Life,
    /// Its present life.
    pub instance_id: Option<InstanceId>,
    /// Tokens of an older generation are refused.
    pub generation: u64,
    /// Protocol that it speaks.
    pub protocol: u32,
    /// Its version.
    pub version: Option<String>,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Its memory, as the newest heartbeat says.
    pub memory: Memory,
    /// Sessions that it runs for this town.
    pub sessions: u32,
    /// Sessions that it can run.
    pub sessions_max: u32,
    /// When this life was first heard of.
    pub started_at: Option<Timestamp>,
    /// Version of the settings that it uses.
    pub config_version: u64,
    /// Why it cannot be reached.
    pub error: Option<String>,
}

impl Container {
    /// Nothing is known yet.
    pub const fn new(town_id: TownId, now: Timestamp) -> Self {
        Self {
            town_id,
            owner_id: String::new(),
            life: Life::new(now),
            instance_id: None,
            generation: 0,
            protocol: 0,
            version: None,
            capabilities: Vec::new(),
            memory: Memory { rss_bytes: 0, limit_bytes: 0 },
            sessions: 0,
            sessions_max: 0,
            started_at: None,
            config_version: 0,
            error: None,
        }
    }
}

#[derive(Deserialize)]
struct Row {
    town_id: TownId,
    owner_id: String,
    is_needed: bool,
    state: Phase,
    instance_id: Option<InstanceId>,
    generation: u64,
    protocol: u32,
    version: Option<String>,
    capabilities: Json<Vec<String>>,
    memory: Json<Memory>,
    sessions: u32,
    sessions_max: u32,
    started_at: Option<Ms>,
    last_ok_at: Option<Ms>,
    failures: u32,
    config_version: u64,
    error: Option<String>,
    since: Ms,
    pinged_at: Option<Ms>,
    first_failure_at: Option<Ms>,
    start_failures: u32,
    not_before: Option<Ms>,
    window_at: Option<Ms>,
    restarts: u32,
    restarted_at: Option<Ms>,
    exhausted_told: bool,
    end_by: Option<Ms>,
}

impl Row {
    fn life(&self) -> Life {
        let at = |at: Option<Ms>| at.map(|at| at.0);
        Life {
            is_needed: self.is_needed,
            phase: self.state,
            since: self.since.0,
            last_ok_at: at(self.last_ok_at),
            pinged_at: at(self.pinged_at),
            failures: self.failures,
            first_failure_at: at(self.first_failure_at),
            start_failures: self.start_failures,
            not_before: at(self.not_before),
            window_at: at(self.window_at),
            restarts: self.restarts,
            restarted_at: at(self.restarted_at),
            is_exhausted_told: self.exhausted_told,
            end_by: at(self.end_by),
        }
    }
}

/// The row, once the keeper was spoken to.
pub fn load(sql: &impl Sql) -> Result<Option<Container>, SqlError> {
    let container = |row: Row| Container {
        life: row.life(),
        town_id: row.town_id,
        owner_id: row.owner_id,
        instance_id: row.instance_id,
        generation: row.generation,
        protocol: row.protocol,
        version: row.version,
        capabilities: row.capabilities.0,
        memory: row.memory.0,
        sessions: row.sessions,
        sessions_max: row.sessions_max,
        started_at: row.started_at.map(|at| at.0),
        config_version: row.config_version,
        error: row.error,
    };
    Ok(sql.first::<Row>(SELECT, &[])?.map(container))
}

/// Writes the row.
pub fn put(sql: &impl Sql, container: &Container) -> Result<(), SqlError> {
    let life = &container.life;
    sql.run(
        PUT,
        &[
            text(container.town_id),
            (&container.owner_id).into(),
            life.is_needed.into(),
            text(life.phase),
            text_or_null(container.instance_id),
            container.generation.into(),
            container.protocol.into(),
            container.version.clone().into(),
            json(&container.capabilities),
            json(&container.memory),
            container.sessions.into(),
            container.sessions_max.into(),
            container.started_at.into(),
            life.last_ok_at.into(),
            life.failures.into(),
            container.config_version.into(),
            container.error.clone().into(),
            life.since.into(),
            life.pinged_at.into(),
            life.first_failure_at.into(),
            life.start_failures.into(),
            life.not_before.into(),
            life.window_at.into(),
            life.restarts.into(),
            life.restarted_at.into(),
            life.is_exhausted_told.into(),
            life.end_by.into(),
        ],
    )
}

/// Keeps a batch of transcript events; numbers that are kept already are skipped. Returns the next number wanted, and the
/// events as readers see them.
pub fn append(sql: &impl Sql, batch: &EventBatch) -> Result<(u64, Vec<AgentEvent>), SqlError> {
    let mut next = batch.first_seq;
    let mut shown = Vec::new();
    for event in &batch.events {
        let (seq, data) = (next, json(&event.data));
        next += 1;
        let mut id = 0;
        if event.kind != NOT_KEPT {
            let row: Option<IdRow> = sql.first(
                APPEND,
                &[
                    text(batch.agent_id),
                    text(batch.assignment_id),
                    seq.into(),
                    (&event.kind).into(),
                    data.clone(),
                    event.at.into(),
                ],
            )?;
            // Kept before, and shown before.
            let Some(row) = row else { continue };
            id = row.id;
            if REPLACED.contains(&event.kind.as_str()) {
                sql.run(SUPERSEDE, &[text(batch.assignment_id), seq.into(), (&event.kind).into(), data])?;
            }
        }
        shown.push(AgentEvent {
            id,
            agent_id: batch.agent_id,
            event_type: event.kind.clone(),
            data: event.data.clone(),
            created_at: event.at,
            assignment_id: session(batch.agent_id, batch.assignment_id),
            seq,
        });
    }
    sql.run(TRIM, &[text(batch.agent_id), (TRANSCRIPT_KEEP as u64).into()])?;
    Ok((next, shown))
}

/// Between two sessions an agent speaks for itself, under its own id.
fn session(agent_id: AgentId, assignment_id: AssignmentId) -> Option<AssignmentId> {
    Some(assignment_id).filter(|id| id.as_u128() != agent_id.as_u128())
}

#[derive(Deserialize)]
struct IdRow {
    id: u64,
}

/// The newest number of all; 0 before the first event.
pub fn newest_event(sql: &impl Sql) -> Result<u64, SqlError> {
    Ok(sql.first::<IdRow>(SELECT_LAST, &[])?.map_or(0, |row| row.id))
}

/// Below this number some of these agents have lost events; 0 when none has.
pub fn oldest_event(sql: &impl Sql, agents: &[AgentId]) -> Result<u64, SqlError> {
    let row: Option<IdRow> = sql.first(SELECT_FIRST, &[json(&agents), (TRANSCRIPT_KEEP as u64).into()])?;
    Ok(row.map_or(0, |row| row.id))
}

/// The next number of a session that is kept, by agent.
pub fn next_seq(sql: &impl Sql, assignment_id: AssignmentId) -> Result<SortedMap<AgentId, u64>, SqlError> {
    #[derive(Deserialize)]
    struct NextRow {
        agent_id: AgentId,
        next_seq: u64,
    }
    let rows: Vec<NextRow> = sql.rows(SELECT_NEXT, &[text(assignment_id)])?;
    Ok(rows.into_iter().map(|row| (row.agent_id, row.next_seq)).collect())
}

/// Events of an agent after this one, or its newest before that one; ascending.
pub fn transcript(
    sql: &impl Sql,
    agent_id: AgentId,
    after_id: Option<u64>,
    before_id: Option<u64>,
    assignment_id: Option<AssignmentId>,
    limit: u32,
) -> Result<Vec<AgentEvent>, SqlError> {
    #[derive(Deserialize)]
    struct EventRow {
        id: u64,
        agent_id: AgentId,
        assignment_id: AssignmentId,
        seq: u64,
        kind: String,
        data: Json<Value>,
        at: Ms,
    }
    let rows: Vec<EventRow> = match after_id {
        Some(after_id) => {
            sql.rows(SELECT_AFTER, &[text(agent_id), after_id.into(), text_or_null(assignment_id), limit.into()])?
        }
        None => {
            sql.rows(SELECT_NEWEST, &[text(agent_id), before_id.into(), text_or_null(assignment_id), limit.into()])?
        }
    };
    let event = |row: EventRow| AgentEvent {
        id: row.id,
        agent_id: row.agent_id,
        event_type: row.kind,
        data: row.data.0,
        created_at: row.at.0,
        assignment_id: session(row.agent_id, row.assignment_id),
        seq: row.seq,
    };
    Ok(rows.into_iter().map(event).collect())
}
