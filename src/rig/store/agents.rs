//! Tables `agents` and `former_agents`.

use gastown_core::id::AgentId;
use gastown_core::rig::agent::{Agent, AgentRole};
use gastown_core::wire::api::agent::FormerAgent;
use serde::Deserialize;
use serde_json::Value;

use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json, text};

const SELECT: &str = "
    select agent_id, role, name, identity, checkpoint, status_message, status_message_at, last_activity_at, idle_since,
           created_at, version
    from agents";
const PUT: &str = "
    insert into agents
      (agent_id, role, name, name_key, identity, checkpoint, status_message, status_message_at, last_activity_at,
       idle_since, created_at, version)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    on conflict (agent_id) do update set
      role = excluded.role,
      name = excluded.name,
      name_key = excluded.name_key,
      identity = excluded.identity,
      checkpoint = excluded.checkpoint,
      status_message = excluded.status_message,
      status_message_at = excluded.status_message_at,
      last_activity_at = excluded.last_activity_at,
      idle_since = excluded.idle_since,
      created_at = excluded.created_at,
      version = excluded.version";
const PUT_FORMER: &str = "
    insert or replace into former_agents (agent_id, role, name, identity, created_at)
    select agent_id, role, name, identity, created_at
    from agents
    where agent_id = ?";
const SELECT_FORMER: &str = "
    select agent_id, role, name, identity, created_at
    from former_agents
    where agent_id = ?";
const DELETE: &str = "delete from agents where agent_id = ?";

#[derive(Deserialize)]
struct Row {
    agent_id: AgentId,
    role: AgentRole,
    name: String,
    identity: String,
    checkpoint: Option<Json<Value>>,
    status_message: Option<String>,
    status_message_at: Option<Ms>,
    last_activity_at: Option<Ms>,
    idle_since: Option<Ms>,
    created_at: Ms,
    version: u64,
}

/// Every registered agent.
pub(super) fn all(sql: &impl Sql) -> Result<Vec<Agent>, SqlError> {
    let agent = |row: Row| Agent {
        agent_id: row.agent_id,
        role: row.role,
        name: row.name,
        identity: row.identity,
        checkpoint: row.checkpoint.map(|json| json.0),
        status_message: row.status_message,
        status_message_at: row.status_message_at.map(|at| at.0),
        last_activity_at: row.last_activity_at.map(|at| at.0),
        idle_since: row.idle_since.map(|at| at.0),
        created_at: row.created_at.0,
        version: row.version,
    };
    Ok(sql.rows::<Row>(SELECT, &[])?.into_iter().map(agent).collect())
}

pub(super) fn put(sql: &impl Sql, agent: &Agent) -> Result<(), SqlError> {
    sql.run(
        PUT,
        &[
            text(agent.agent_id),
            text(agent.role),
            (&agent.name).into(),
            agent.name.to_lowercase().into(),
            (&agent.identity).into(),
            agent.checkpoint.as_ref().map(json).into(),
            agent.status_message.clone().into(),
            agent.status_message_at.into(),
            agent.last_activity_at.into(),
            agent.idle_since.into(),
            agent.created_at.into(),
            agent.version.into(),
        ],
    )
}

/// The name is free again; history keeps it.
pub(super) fn remove(sql: &impl Sql, agent_id: AgentId) -> Result<(), SqlError> {
    sql.run(PUT_FORMER, &[text(agent_id)])?;
    sql.run(DELETE, &[text(agent_id)])
}

/// An agent that is not registered any more.
pub(super) fn former(sql: &impl Sql, agent_id: AgentId) -> Result<Option<FormerAgent>, SqlError> {
    #[derive(Deserialize)]
    struct FormerRow {
        agent_id: AgentId,
        role: AgentRole,
        name: String,
        identity: String,
        created_at: Ms,
    }
    Ok(sql.first::<FormerRow>(SELECT_FORMER, &[text(agent_id)])?.map(|row| FormerAgent {
        agent_id: row.agent_id,
        role: row.role,
        name: row.name,
        identity: row.identity,
        created_at: row.created_at.0,
    }))
}
