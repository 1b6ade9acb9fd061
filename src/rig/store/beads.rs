//! Tables `beads` and `bead_labels`.

use gastown_core::sorted::SortedSet;

use gastown_core::id::{AgentId, BeadId, ConvoyId};
use gastown_core::models::ModelId;
use gastown_core::protocol::Priority;
use gastown_core::rig::bead::{Bead, BeadOutcome, BeadStatus, BeadType, Failure, Parked};
use gastown_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sql::row::{Json, Ms};
use crate::sql::{self, Sql, SqlError, json, text, text_or_null};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select bead_id, type, status, attempt, title, body, priority, metadata, parent_id, root_id, age_at, ",
            "convoy_id, staged, branch, branch_digits, base, target, head_commit, model, budget_micros, budget_warned, saved, start_failures, lost_leases, ",
            "agent_errors, not_before, dispatches, preferred_agent, claimed_by, claimed_until, parked, failure, outcome, ",
            "skipped, ",
            "checkpoint, tokens_in, tokens_out, cost_micros, created_by, created_at, updated_at, closed_at, version, ",
            "(select json_group_array(label) from bead_labels l where l.bead_id = beads.bead_id) as labels ",
            "from beads ",
            $rest
        )
    };
}

const SELECT_LIVE: &str = select!("where status in ('open', 'in_progress', 'in_review')");
const SELECT_ONE: &str = select!("where bead_id = ?");
/// Beads whose ids begin alike: the range of one prefix in the order of the key.
const SELECT_NAMESAKES: &str = select!("where bead_id between ?1 and ?2");
/// A bead and everything below it.
const SELECT_FAMILY: &str = select!(
    "where bead_id in
       (with recursive family (id) as (
          select ?1
          union
          select child.bead_id from beads child join family on child.parent_id = family.id)
        select id from family)"
);
const SELECT_RECENT: &str = select!(
    "where status in ('open', 'in_progress', 'in_review') or updated_at >= ?
     order by created_at desc, bead_id desc
     limit ?"
);

/// Newest first; every filter that is null lets everything through.
const SELECT_LIST: &str = select!(
    "where (?1 is null or status in (select value from json_each(?1)))
       and (?2 is null or type in (select value from json_each(?2)))
       and (?3 is null or bead_id in
             (select bead_id from bead_labels where label in (select value from json_each(?3))))
       and (?4 is null or priority in (select value from json_each(?4)))
       and (?5 is null or bead_id in
             (select a.bead_id
              from assignments a
              where a.agent_id = ?5
                and a.epoch = (select max(n.epoch) from assignments n where n.bead_id = a.bead_id)))
       and (?6 is null or parent_id = ?6)
       and (?7 is null or instr(lower(title), lower(?7)) > 0)
       and (?8 is null or updated_at >= ?8)
       and (?11 is null or convoy_id = ?11)
       and (?12 is null or (created_at, bead_id) < (?12, ?13))
     order by created_at desc, bead_id desc
     limit ?9 offset ?10"
);

/// How many the same filters let through.
const SELECT_COUNT: &str = "
    select count(*) as total
    from beads
    where (?1 is null or status in (select value from json_each(?1)))
      and (?2 is null or type in (select value from json_each(?2)))
      and (?3 is null or bead_id in
            (select bead_id from bead_labels where label in (select value from json_each(?3))))
      and (?4 is null or priority in (select value from json_each(?4)))
      and (?5 is null or bead_id in
            (select a.bead_id
             from assignments a
             where a.agent_id = ?5
               and a.epoch = (select max(n.epoch) from assignments n where n.bead_id = a.bead_id)))
      and (?6 is null or parent_id = ?6)
      and (?7 is null or instr(lower(title), lower(?7)) > 0)
      and (?8 is null or updated_at >= ?8)
      and (?9 is null or convoy_id = ?9)";

const PUT: &str = "
    insert into beads
      (bead_id, type, status, attempt, title, body, priority, metadata, parent_id, root_id, age_at, convoy_id, staged,
       branch, branch_digits, base, target, head_commit, model, budget_micros, budget_warned, saved, start_failures,
       lost_leases, agent_errors, not_before, dispatches, preferred_agent, claimed_by, claimed_until, parked, failure, outcome, skipped, checkpoint, tokens_in,
       tokens_out, cost_micros, created_by, created_at, updated_at, closed_at, version)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
            ?, ?, ?, ?, ?, ?, ?)
    on conflict (bead_id) do update set
      type = excluded.type,
      status = excluded.status,
      attempt = excluded.attempt,
      title = excluded.title,
      body = excluded.body,
      priority = excluded.priority,
      metadata = excluded.metadata,
      parent_id = excluded.parent_id,
      root_id = excluded.root_id,
      age_at = excluded.age_at,
      convoy_id = excluded.convoy_id,
      staged = excluded.staged,
      branch = excluded.branch,
      branch_digits = excluded.branch_digits,
      base = excluded.base,
      target = excluded.target,
      head_commit = excluded.head_commit,
      model = excluded.model,
      budget_micros = excluded.budget_micros,
      budget_warned = excluded.budget_warned,
      saved = excluded.saved,
      start_failures = excluded.start_failures,
      lost_leases = excluded.lost_leases,
      agent_errors = excluded.agent_errors,
      not_before = excluded.not_before,
      dispatches = excluded.dispatches,
      preferred_agent = excluded.preferred_agent,
      claimed_by = excluded.claimed_by,
      claimed_until = excluded.claimed_until,
      parked = excluded.parked,
      failure = excluded.failure,
      outcome = excluded.outcome,
      skipped = excluded.skipped,
      checkpoint = excluded.checkpoint,
      tokens_in = excluded.tokens_in,
      tokens_out = excluded.tokens_out,
      cost_micros = excluded.cost_micros,
      created_by = excluded.created_by,
      created_at = excluded.created_at,
      updated_at = excluded.updated_at,
      closed_at = excluded.closed_at,
      version = excluded.version";

const DELETE_LABELS: &str = "
    delete from bead_labels
    where bead_id = ? and label not in (select value from json_each(?))";
const PUT_LABELS: &str = "
    insert or ignore into bead_labels (bead_id, label)
    select ?, value from json_each(?)";

#[derive(Deserialize)]
struct Row {
    bead_id: BeadId,
    #[serde(rename = "type")]
    kind: BeadType,
    status: BeadStatus,
    attempt: u32,
    title: String,
    body: Option<String>,
    priority: i64,
    metadata: Json<Map<String, Value>>,
    parent_id: Option<BeadId>,
    root_id: BeadId,
    age_at: Ms,
    convoy_id: Option<ConvoyId>,
    staged: bool,
    branch: Option<String>,
    branch_digits: u32,
    base: Option<String>,
    target: Option<String>,
    head_commit: Option<String>,
    model: Option<ModelId>,
    budget_micros: Option<u64>,
    budget_warned: bool,
    saved: Option<Json<(String, String)>>,
    start_failures: u32,
    lost_leases: u32,
    agent_errors: u32,
    not_before: Option<Ms>,
    dispatches: u32,
    preferred_agent: Option<AgentId>,
    claimed_by: Option<String>,
    claimed_until: Option<Ms>,
    parked: Option<Json<Parked>>,
    failure: Option<Json<Failure>>,
    outcome: Option<BeadOutcome>,
    skipped: bool,
    checkpoint: Option<Json<Value>>,
    tokens_in: u64,
    tokens_out: u64,
    cost_micros: u64,
    created_by: String,
    created_at: Ms,
    updated_at: Ms,
    closed_at: Option<Ms>,
    version: u64,
    labels: Json<SortedSet<String>>,
}

impl From<Row> for Bead {
    fn from(row: Row) -> Self {
        Self {
            bead_id: row.bead_id,
            kind: row.kind,
            status: row.status,
            attempt: row.attempt,
            title: row.title,
            body: row.body,
            priority: Priority::from_level(row.priority),
            metadata: row.metadata.0,
            labels: row.labels.0,
            parent_id: row.parent_id,
            root_id: row.root_id,
            age_at: row.age_at.0,
            convoy_id: row.convoy_id,
            staged: row.staged,
            branch: row.branch,
            branch_digits: row.branch_digits,
            base: row.base,
            target: row.target,
            head_commit: row.head_commit,
            model: row.model,
            budget_micros: row.budget_micros,
            is_budget_warned: row.budget_warned,
            saved: row.saved.map(|Json(saved)| saved),
            start_failures: row.start_failures,
            lost_leases: row.lost_leases,
            agent_errors: row.agent_errors,
            not_before: row.not_before.map(|at| at.0),
            dispatches: row.dispatches,
            preferred_agent: row.preferred_agent,
            claimed_by: row.claimed_by,
            claimed_until: row.claimed_until.map(|at| at.0),
            parked: row.parked.map(|json| json.0),
            failure: row.failure.map(|json| json.0),
            outcome: row.outcome,
            skipped: row.skipped,
            checkpoint: row.checkpoint.map(|json| json.0),
            tokens_in: row.tokens_in,
            tokens_out: row.tokens_out,
            cost_micros: row.cost_micros,
            created_by: row.created_by,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            closed_at: row.closed_at.map(|at| at.0),
            version: row.version,
        }
    }
}

/// What a list of beads is narrowed to; an empty part lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    /// Any of these.
    pub status: Vec<BeadStatus>,
    /// Any of these.
    pub kind: Vec<BeadType>,
    /// Any of these.
    pub label: Vec<String>,
    /// Any of these.
    pub priority: Vec<Priority>,
    /// Worked on by this agent, and by nobody after it.
    pub agent_id: Option<AgentId>,
    /// Children of this bead.
    pub parent_id: Option<BeadId>,
    /// Part of the title.
    pub q: Option<String>,
    /// Changed since then.
    pub updated_since: Option<Timestamp>,
    /// Of this convoy.
    pub convoy_id: Option<ConvoyId>,
    /// Only what comes after this one in the list.
    pub after: Option<(Timestamp, BeadId)>,
    /// At most so many …
    pub limit: u32,
    /// … leaving out so many.
    pub offset: u32,
}

pub(super) fn live(sql: &impl Sql) -> Result<Vec<Bead>, SqlError> {
    Ok(sql.rows::<Row>(SELECT_LIVE, &[])?.into_iter().map(Bead::from).collect())
}

pub(super) fn find(sql: &impl Sql, bead_id: BeadId) -> Result<Option<Bead>, SqlError> {
    Ok(sql.first::<Row>(SELECT_ONE, &[text(bead_id)])?.map(Bead::from))
}

/// Beads whose ids begin with the same eight digits.
pub(super) fn namesakes(sql: &impl Sql, bead_id: BeadId) -> Result<Vec<Bead>, SqlError> {
    let prefix = bead_id.short();
    let range = [format!("{prefix}-").into(), format!("{prefix}-g").into()];
    Ok(sql.rows::<Row>(SELECT_NAMESAKES, &range)?.into_iter().map(Bead::from).collect())
}

/// A bead with all its descendants, live or not.
pub(super) fn family(sql: &impl Sql, bead_id: BeadId) -> Result<Vec<Bead>, SqlError> {
    Ok(sql.rows::<Row>(SELECT_FAMILY, &[text(bead_id)])?.into_iter().map(Bead::from).collect())
}

/// Live beads and those that changed since then, newest first.
pub fn recent(sql: &impl Sql, since: Timestamp, limit: u32) -> Result<Vec<Bead>, SqlError> {
    Ok(sql.rows::<Row>(SELECT_RECENT, &[since.into(), limit.into()])?.into_iter().map(Bead::from).collect())
}

/// A page of a narrowed list.
pub fn list(sql: &impl Sql, filter: &Filter) -> Result<Vec<Bead>, SqlError> {
    let mut values = narrowed(filter);
    values.extend([filter.limit.into(), filter.offset.into(), text_or_null(filter.convoy_id)]);
    values.extend([filter.after.map(|(at, _)| at).into(), text_or_null(filter.after.map(|(_, id)| id))]);
    let rows: Vec<Row> = sql.rows(SELECT_LIST, &values)?;
    Ok(rows.into_iter().map(Bead::from).collect())
}

/// How many beads a filter lets through, on all pages.
pub fn count(sql: &impl Sql, filter: &Filter) -> Result<u32, SqlError> {
    #[derive(Deserialize)]
    struct CountRow {
        total: u32,
    }
    let mut values = narrowed(filter);
    values.push(text_or_null(filter.convoy_id));
    Ok(sql.first::<CountRow>(SELECT_COUNT, &values)?.map_or(0, |row| row.total))
}

/// The first eight parameters of a list and of its count.
fn narrowed(filter: &Filter) -> Vec<sql::Value> {
    let levels: Vec<i64> = filter.priority.iter().map(|priority| priority.level()).collect();
    vec![
        any_of(&filter.status),
        any_of(&filter.kind),
        any_of(&filter.label),
        any_of(&levels),
        text_or_null(filter.agent_id),
        text_or_null(filter.parent_id),
        filter.q.clone().into(),
        filter.updated_since.into(),
    ]
}

fn any_of<T: Serialize>(values: &[T]) -> sql::Value {
    if values.is_empty() { sql::Value::Null } else { json(&values) }
}

pub(super) fn put(sql: &impl Sql, bead: &Bead) -> Result<(), SqlError> {
    sql.run(
        PUT,
        &[
            text(bead.bead_id),
            text(bead.kind),
            text(bead.status),
            bead.attempt.into(),
            (&bead.title).into(),
            bead.body.clone().into(),
            bead.priority.level().into(),
            json(&bead.metadata),
            text_or_null(bead.parent_id),
            text(bead.root_id),
            bead.age_at.into(),
            text_or_null(bead.convoy_id),
            bead.staged.into(),
            bead.branch.clone().into(),
            bead.branch_digits.into(),
            bead.base.clone().into(),
            bead.target.clone().into(),
            bead.head_commit.clone().into(),
            text_or_null(bead.model.as_ref()),
            bead.budget_micros.into(),
            bead.is_budget_warned.into(),
            bead.saved.as_ref().map(json).into(),
            bead.start_failures.into(),
            bead.lost_leases.into(),
            bead.agent_errors.into(),
            bead.not_before.into(),
            bead.dispatches.into(),
            text_or_null(bead.preferred_agent),
            bead.claimed_by.clone().into(),
            bead.claimed_until.into(),
            bead.parked.as_ref().map(json).into(),
            bead.failure.as_ref().map(json).into(),
            text_or_null(bead.outcome),
            bead.skipped.into(),
            bead.checkpoint.as_ref().map(json).into(),
            bead.tokens_in.into(),
            bead.tokens_out.into(),
            bead.cost_micros.into(),
            (&bead.created_by).into(),
            bead.created_at.into(),
            bead.updated_at.into(),
            bead.closed_at.into(),
            bead.version.into(),
        ],
    )?;
    sql.run(DELETE_LABELS, &[text(bead.bead_id), json(&bead.labels)])?;
    sql.run(PUT_LABELS, &[text(bead.bead_id), json(&bead.labels)])
}
