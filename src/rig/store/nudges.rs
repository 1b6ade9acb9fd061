//! Table `nudges`.

use gastown_core::id::{AgentId, AssignmentId, NudgeId};
use gastown_core::rig::nudge::{Nudge, NudgeMode, NudgePriority, NudgeSource, NudgeState};
use serde::Deserialize;

use crate::sql::row::Ms;
use crate::sql::{Sql, SqlError, text, text_or_null};

const SELECT_LIVE: &str = "
    select nudge_id, agent_id, assignment_id, message, mode, priority, source, state, created_at, sent_at, expires_at
    from nudges
    where state in ('pending', 'sent')";
const PUT: &str = "
    insert or replace into nudges
      (nudge_id, agent_id, assignment_id, message, mode, priority, source, state, created_at, sent_at, expires_at)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

#[derive(Deserialize)]
struct Row {
    nudge_id: NudgeId,
    agent_id: AgentId,
    assignment_id: Option<AssignmentId>,
    message: String,
    mode: NudgeMode,
    priority: NudgePriority,
    source: String,
    state: NudgeState,
    created_at: Ms,
    sent_at: Option<Ms>,
    expires_at: Option<Ms>,
}

/// Nudges that may still be shown.
pub(super) fn live(sql: &impl Sql) -> Result<Vec<Nudge>, SqlError> {
    let nudge = |row: Row| Nudge {
        nudge_id: row.nudge_id,
        agent_id: row.agent_id,
        assignment_id: row.assignment_id,
        message: row.message,
        mode: row.mode,
        priority: row.priority,
        source: row.source.parse().unwrap_or(NudgeSource::System),
        state: row.state,
        created_at: row.created_at.0,
        sent_at: row.sent_at.map(|at| at.0),
        expires_at: row.expires_at.map(|at| at.0),
    };
    Ok(sql.rows::<Row>(SELECT_LIVE, &[])?.into_iter().map(nudge).collect())
}

pub(super) fn put(sql: &impl Sql, nudge: &Nudge) -> Result<(), SqlError> {
    sql.run(
        PUT,
        &[
            text(nudge.nudge_id),
            text(nudge.agent_id),
            text_or_null(nudge.assignment_id),
            (&nudge.message).into(),
            text(nudge.mode),
            text(nudge.priority),
            text(&nudge.source),
            text(nudge.state),
            nudge.created_at.into(),
            nudge.sent_at.into(),
            nudge.expires_at.into(),
        ],
    )
}
