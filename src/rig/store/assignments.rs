//! Table `assignments`.

use gastown_core::sorted::SortedMap;

use gastown_core::id::{AgentId, AssignmentId, BeadId, InstanceId};
use gastown_core::models::{ModelId, ModelReason};
use gastown_core::rig::assignment::{Assignment, AssignmentOutcome, GuppTier, Pending, Phase, Slot};
use gastown_core::rig::review::ReviewState;
use gastown_core::session::{Kind, Step};
use gastown_core::wire::api::bead::NewestAssignment;
use serde::Deserialize;
use serde_json::Value;

use crate::sql::row::{Json, Ms};
use crate::sql::{Sql, SqlError, json, text, text_or_null};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select assignment_id, epoch, bead_id, bead_attempt, agent_id, kind, phase, step, slot, is_probe, model, ",
            "small_model, model_reason, branch, base, target, head_commit, instance_id, ordered_at, order_due, refusal, ",
            "lease_until, probe_until, last_heartbeat_at, last_progress_at, active_tools, gupp_tier, idle_since, idle_nudges, ",
            "idle_nudged_at, pending, outcome, code, message, summary, checkpoint, saved, tokens_in, tokens_out, cost_micros, queued_at, started_at, ",
            "running_at, ended_at ",
            "from assignments ",
            $rest
        )
    };
}

const SELECT_LIVE: &str = select!("where ended_at is null");
const SELECT_ONE: &str = select!("where assignment_id = ?");
const SELECT_OF_BEAD: &str = select!("where bead_id = ? order by epoch desc limit 100");
const SELECT_OF_AGENT: &str = select!("where agent_id = ? order by epoch desc limit ? offset ?");

/// The newest assignment and review of each bead. Reviews hang on their source and on their own bead.
const SELECT_NEWEST: &str = "
    select wanted.value as bead_id, a.agent_id, coalesce(n.name, f.name) as agent_name, a.model, a.ordered_at,
      (select r.state from reviews r
       where r.source_id = wanted.value or r.bead_id = wanted.value
       order by r.queued_at desc limit 1) as review_state
    from json_each(?) wanted
    left join assignments a
      on a.bead_id = wanted.value
     and a.epoch = (select max(b.epoch) from assignments b where b.bead_id = wanted.value)
    left join agents n on n.agent_id = a.agent_id
    left join former_agents f on f.agent_id = a.agent_id";

const SELECT_SUMMARY: &str = "
    select summary
    from assignments
    where bead_id = ? and summary is not null
    order by epoch desc
    limit 1";

const PUT: &str = "
    insert into assignments
      (assignment_id, epoch, bead_id, bead_attempt, agent_id, kind, phase, step, slot, is_probe, model, small_model,
       model_reason, branch, base, target, head_commit, instance_id, ordered_at, order_due, refusal, lease_until,
       probe_until, last_heartbeat_at, last_progress_at, active_tools, gupp_tier, idle_since, idle_nudges, idle_nudged_at, pending,
       outcome, code, message, summary, checkpoint, saved, tokens_in, tokens_out, cost_micros, queued_at, started_at,
       running_at, ended_at)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
            ?, ?, ?, ?, ?, ?, ?, ?)
    on conflict (assignment_id) do update set
      epoch = excluded.epoch,
      bead_id = excluded.bead_id,
      bead_attempt = excluded.bead_attempt,
      agent_id = excluded.agent_id,
      kind = excluded.kind,
      phase = excluded.phase,
      step = excluded.step,
      slot = excluded.slot,
      is_probe = excluded.is_probe,
      model = excluded.model,
      small_model = excluded.small_model,
      model_reason = excluded.model_reason,
      branch = excluded.branch,
      base = excluded.base,
      target = excluded.target,
      head_commit = excluded.head_commit,
      instance_id = excluded.instance_id,
      ordered_at = excluded.ordered_at,
      order_due = excluded.order_due,
      refusal = excluded.refusal,
      lease_until = excluded.lease_until,
      probe_until = excluded.probe_until,
      last_heartbeat_at = excluded.last_heartbeat_at,
      last_progress_at = excluded.last_progress_at,
      active_tools = excluded.active_tools,
      gupp_tier = excluded.gupp_tier,
      idle_since = excluded.idle_since,
      idle_nudges = excluded.idle_nudges,
      idle_nudged_at = excluded.idle_nudged_at,
      pending = excluded.pending,
      outcome = excluded.outcome,
      code = excluded.code,
      message = excluded.message,
      summary = excluded.summary,
      checkpoint = excluded.checkpoint,
      saved = excluded.saved,
      tokens_in = excluded.tokens_in,
      tokens_out = excluded.tokens_out,
      cost_micros = excluded.cost_micros,
      queued_at = excluded.queued_at,
      started_at = excluded.started_at,
      running_at = excluded.running_at,
      ended_at = excluded.ended_at";

#[derive(Deserialize)]
struct Row {
    assignment_id: AssignmentId,
    epoch: u64,
    bead_id: BeadId,
    bead_attempt: u32,
    agent_id: AgentId,
    kind: Kind,
    phase: Phase,
    step: Option<Step>,
    slot: Slot,
    is_probe: bool,
    model: Option<ModelId>,
    small_model: Option<ModelId>,
    model_reason: Option<Json<ModelReason>>,
    branch: Option<String>,
    base: Option<String>,
    target: Option<String>,
    head_commit: Option<String>,
    instance_id: Option<InstanceId>,
    ordered_at: Option<Ms>,
    order_due: Option<Ms>,
    refusal: Option<String>,
    lease_until: Option<Ms>,
    probe_until: Option<Ms>,
    last_heartbeat_at: Option<Ms>,
    last_progress_at: Option<Ms>,
    active_tools: Json<Vec<String>>,
    gupp_tier: i64,
    idle_since: Option<Ms>,
    idle_nudges: u32,
    idle_nudged_at: Option<Ms>,
    pending: Option<Pending>,
    outcome: Option<AssignmentOutcome>,
    code: Option<String>,
    message: Option<String>,
    summary: Option<String>,
    checkpoint: Option<Json<Value>>,
    saved: Option<Json<(String, String)>>,
    tokens_in: u64,
    tokens_out: u64,
    cost_micros: u64,
    queued_at: Ms,
    started_at: Option<Ms>,
    running_at: Option<Ms>,
    ended_at: Option<Ms>,
}

impl From<Row> for Assignment {
    fn from(row: Row) -> Self {
        Self {
            assignment_id: row.assignment_id,
            epoch: row.epoch,
            bead_id: row.bead_id,
            bead_attempt: row.bead_attempt,
            agent_id: row.agent_id,
            kind: row.kind,
            phase: row.phase,
            step: row.step,
            slot: row.slot,
            is_probe: row.is_probe,
            model: row.model,
            small_model: row.small_model,
            model_reason: row.model_reason.map(|json| json.0),
            branch: row.branch,
            base: row.base,
            target: row.target,
            head_commit: row.head_commit,
            instance_id: row.instance_id,
            ordered_at: row.ordered_at.map(|at| at.0),
            order_due: row.order_due.map(|at| at.0),
            refusal: row.refusal,
            lease_until: row.lease_until.map(|at| at.0),
            probe_until: row.probe_until.map(|at| at.0),
            last_heartbeat_at: row.last_heartbeat_at.map(|at| at.0),
            last_progress_at: row.last_progress_at.map(|at| at.0),
            active_tools: row.active_tools.0,
            gupp_tier: GuppTier::from_level(row.gupp_tier),
            idle_since: row.idle_since.map(|at| at.0),
            idle_nudges: row.idle_nudges,
            idle_nudged_at: row.idle_nudged_at.map(|at| at.0),
            pending: row.pending,
            outcome: row.outcome,
            code: row.code,
            message: row.message,
            summary: row.summary,
            checkpoint: row.checkpoint.map(|json| json.0),
            saved: row.saved.map(|json| json.0),
            tokens_in: row.tokens_in,
            tokens_out: row.tokens_out,
            cost_micros: row.cost_micros,
            queued_at: row.queued_at.0,
            started_at: row.started_at.map(|at| at.0),
            running_at: row.running_at.map(|at| at.0),
            ended_at: row.ended_at.map(|at| at.0),
        }
    }
}

/// Assignments that have not ended.
pub(super) fn live(sql: &impl Sql) -> Result<Vec<Assignment>, SqlError> {
    Ok(sql.rows::<Row>(SELECT_LIVE, &[])?.into_iter().map(Assignment::from).collect())
}

pub(super) fn find(sql: &impl Sql, assignment_id: AssignmentId) -> Result<Option<Assignment>, SqlError> {
    Ok(sql.first::<Row>(SELECT_ONE, &[text(assignment_id)])?.map(Assignment::from))
}

/// Newest first.
pub(super) fn of_bead(sql: &impl Sql, bead_id: BeadId) -> Result<Vec<Assignment>, SqlError> {
    Ok(sql.rows::<Row>(SELECT_OF_BEAD, &[text(bead_id)])?.into_iter().map(Assignment::from).collect())
}

/// Newest first.
pub(super) fn of_agent(
    sql: &impl Sql,
    agent_id: AgentId,
    limit: u32,
    offset: u32,
) -> Result<Vec<Assignment>, SqlError> {
    let rows: Vec<Row> = sql.rows(SELECT_OF_AGENT, &[text(agent_id), limit.into(), offset.into()])?;
    Ok(rows.into_iter().map(Assignment::from).collect())
}

/// What the author of a bead's newest work said at the end.
pub(super) fn summary_of_bead(sql: &impl Sql, bead_id: BeadId) -> Result<Option<String>, SqlError> {
    #[derive(Deserialize)]
    struct SummaryRow {
        summary: String,
    }
    Ok(sql.first::<SummaryRow>(SELECT_SUMMARY, &[text(bead_id)])?.map(|row| row.summary))
}

/// What the newest assignment and review of each bead say about it.
pub(super) fn newest(sql: &impl Sql, bead_ids: &[BeadId]) -> Result<SortedMap<BeadId, NewestAssignment>, SqlError> {
    #[derive(Deserialize)]
    struct NewestRow {
        bead_id: BeadId,
        agent_id: Option<AgentId>,
        agent_name: Option<String>,
        model: Option<String>,
        ordered_at: Option<Ms>,
        review_state: Option<ReviewState>,
    }
    let rows: Vec<NewestRow> = sql.rows(SELECT_NEWEST, &[json(&bead_ids)])?;
    let newest = rows.into_iter().map(|row| {
        (
            row.bead_id,
            NewestAssignment {
                agent_id: row.agent_id,
                agent_name: row.agent_name,
                model: row.model,
                ordered_at: row.ordered_at.map(|at| at.0),
                review_state: row.review_state,
            },
        )
    });
    Ok(newest.collect())
}

pub(super) fn put(sql: &impl Sql, a: &Assignment) -> Result<(), SqlError> {
    sql.run(
        PUT,
        &[
            text(a.assignment_id),
            a.epoch.into(),
            text(a.bead_id),
            a.bead_attempt.into(),
            text(a.agent_id),
            text(a.kind),
            text(a.phase),
            text_or_null(a.step),
            text(a.slot),
            a.is_probe.into(),
            text_or_null(a.model.as_ref()),
            text_or_null(a.small_model.as_ref()),
            a.model_reason.as_ref().map(json).into(),
            a.branch.clone().into(),
            a.base.clone().into(),
            a.target.clone().into(),
            a.head_commit.clone().into(),
            text_or_null(a.instance_id),
            a.ordered_at.into(),
            a.order_due.into(),
            a.refusal.clone().into(),
            a.lease_until.into(),
            a.probe_until.into(),
            a.last_heartbeat_at.into(),
            a.last_progress_at.into(),
            json(&a.active_tools),
            a.gupp_tier.level().into(),
            a.idle_since.into(),
            a.idle_nudges.into(),
            a.idle_nudged_at.into(),
            text_or_null(a.pending),
            text_or_null(a.outcome),
            a.code.clone().into(),
            a.message.clone().into(),
            a.summary.clone().into(),
            a.checkpoint.as_ref().map(json).into(),
            a.saved.as_ref().map(json).into(),
            a.tokens_in.into(),
            a.tokens_out.into(),
            a.cost_micros.into(),
            a.queued_at.into(),
            a.started_at.into(),
            a.running_at.into(),
            a.ended_at.into(),
        ],
    )
}
