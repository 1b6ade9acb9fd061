//! Convoys as clients see them (api.md 4, **Convoy**, **ConvoyDetail**), and the requests that make and change them
//! (api.md 3.4, 3.12).

use crate::sorted::SortedMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::bead::{NewBead, cost_usd, dollars, micros, tokens};
use super::read::{Fields, Request};
use super::sling::{SlingTask, SlungBead};
use crate::config::ConvoyMergeMode;
use crate::id::{BeadId, ConvoyId, RigId};
use crate::limits::{CONVOY_TASKS_MAX, NOTE_MAX, TITLE_MAX};
use crate::protocol::{BeadStatus, Priority, TaskWait, is_feature_branch};
use crate::session::Tokens;
use crate::time::Timestamp;
use crate::town::State;
use crate::town::convoy::{Attention, ConvoyState, LandingState, Task, TaskState, Whole, graph};
use crate::wire::envelope::IssueCode;

/// **ConvoyDetail**, and **Convoy** where the parts behind `rigs` are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Convoy {
    pub id: ConvoyId,
    pub title: String,
    pub status: String,
    pub staged: bool,
    pub total_beads: u32,
    pub closed_beads: u32,
    pub created_by: Option<String>,
    pub created_at: Timestamp,
    pub landed_at: Option<Timestamp>,
    pub feature_branch: Option<String>,
    pub merge_mode: ConvoyMergeMode,
    pub version: u64,
    pub state: String,
    pub failed_beads: u32,
    pub skipped_beads: u32,
    pub in_flight_beads: u32,
    pub failure: Option<ConvoyFailure>,
    pub attention: Vec<Attention>,
    pub closed_by: Option<String>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub metadata: Map<String, Value>,
    pub rigs: Vec<ConvoyRig>,
    pub tokens: Tokens,
    pub cost_usd: Option<f64>,
    pub budget_usd: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beads: Option<Vec<ConvoyTask>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependency_edges: Option<Vec<ConvoyEdge>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<String>>,
}

/// **Failure** of a convoy: what a person has to decide first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct ConvoyFailure {
    pub code: String,
    pub message: String,
    pub source: String,
    pub at: Timestamp,
    pub details: Map<String, Value>,
}

/// The part of a convoy in one rig.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct ConvoyRig {
    pub rig_id: RigId,
    pub rig_name: String,
    pub feature_branch: Option<String>,
    pub landing_mr_bead_id: Option<BeadId>,
    pub landed_at: Option<Timestamp>,
    pub landing_state: LandingState,
    pub attempts: u32,
    pub next_at: Option<Timestamp>,
    pub last_error: Option<String>,
    pub landed_commit: Option<String>,
}

/// One task of a convoy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct ConvoyTask {
    pub bead_id: BeadId,
    pub title: String,
    pub status: BeadStatus,
    pub rig_id: RigId,
    pub assignee_agent_name: Option<String>,
    pub priority: Priority,
    pub held: bool,
    pub skipped: bool,
    pub wave: u32,
    pub model: Option<String>,
    pub review_state: Option<String>,
    pub pr_url: Option<String>,
    pub wait: Option<TaskWait>,
    pub cost_usd: Option<f64>,
}

/// One dependency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct ConvoyEdge {
    pub bead_id: BeadId,
    pub depends_on_bead_id: BeadId,
}

impl Convoy {
    /// **ConvoyDetail**; the state names the rigs.
    pub fn detail(state: &State, whole: &Whole) -> Self {
        let Whole { convoy, rigs, tasks, edges, spent } = whole;
        // Reviews and rework are part of the rigs' totals; what tasks spent is known a little sooner.
        let sum = |of: fn(&Task) -> u64| tasks.iter().map(of).sum::<u64>();
        let is_in_flight = |task: &&Task| {
            task.state == TaskState::Live && matches!(task.status, BeadStatus::InProgress | BeadStatus::InReview)
        };
        let needs_attention = !convoy.attention.is_empty() && convoy.state.is_live();
        let nodes: Vec<BeadId> = tasks.iter().map(|task| task.bead_id).collect();
        let pairs: Vec<(BeadId, BeadId)> = edges.iter().map(|edge| (edge.bead_id, edge.blocker_id)).collect();
        let waves = graph::waves(&nodes, &pairs);
        Self {
            id: convoy.convoy_id,
            title: convoy.title.clone(),
            status: if convoy.state == ConvoyState::Landed { "landed" } else { "active" }.to_owned(),
            staged: convoy.state == ConvoyState::Staged,
            total_beads: convoy.counts.total,
            closed_beads: convoy.counts.closed,
            created_by: Some(convoy.created_by.clone()),
            created_at: convoy.created_at,
            landed_at: convoy.landed_at,
            feature_branch: rigs.iter().find_map(|part| part.feature_branch.clone()),
            merge_mode: convoy.merge_mode,
            version: convoy.version,
            state: if needs_attention { "needs_attention" } else { convoy.state.as_str() }.to_owned(),
            failed_beads: convoy.counts.failed,
            skipped_beads: convoy.counts.skipped,
            in_flight_beads: u32::try_from(tasks.iter().filter(is_in_flight).count()).unwrap_or(u32::MAX),
            failure: convoy.attention.first().map(failure),
            attention: convoy.attention.clone(),
            closed_by: convoy.closed_by.clone(),
            started_at: convoy.started_at,
            ended_at: convoy.ended_at,
            metadata: convoy.metadata.clone(),
            rigs: rigs
                .iter()
                .map(|part| ConvoyRig {
                    rig_id: part.rig_id,
                    rig_name: state.rigs.get(&part.rig_id).map(|rig| rig.name.clone()).unwrap_or_default(),
                    feature_branch: part.feature_branch.clone(),
                    landing_mr_bead_id: part.landing_bead,
                    landed_at: part.landed_at,
                    landing_state: part.landing,
                    attempts: part.attempts,
                    next_at: part.next_at,
                    last_error: part.last_error.clone(),
                    landed_commit: part.landed_commit.clone(),
                })
                .collect(),
            tokens: tokens(
                spent.tokens_in.max(sum(|task| task.shown.tokens_in)),
                spent.tokens_out.max(sum(|task| task.shown.tokens_out)),
            ),
            cost_usd: cost_usd(spent.cost_micros.max(sum(|task| task.shown.cost_micros))),
            budget_usd: convoy.budget_micros.map(dollars),
            beads: Some(tasks.iter().map(|task| shown(task, &waves)).collect()),
            dependency_edges: Some(
                pairs
                    .into_iter()
                    .map(|(bead_id, blocker)| ConvoyEdge { bead_id, depends_on_bead_id: blocker })
                    .collect(),
            ),
            actions: Some(actions(whole)),
        }
    }

    /// **Convoy**: without its tasks.
    pub fn summary(self) -> Self {
        Self { beads: None, dependency_edges: None, actions: None, ..self }
    }
}

fn shown(task: &Task, waves: &SortedMap<BeadId, u32>) -> ConvoyTask {
    let shown = &task.shown;
    ConvoyTask {
        bead_id: task.bead_id,
        title: shown.title.clone(),
        status: task.status,
        rig_id: task.rig_id,
        assignee_agent_name: shown.assignee_name.clone(),
        priority: shown.priority,
        held: shown.held,
        skipped: task.state == TaskState::Skipped,
        wave: waves.get(&task.bead_id).copied().unwrap_or(0),
        model: shown.model.clone(),
        review_state: shown.review_state.clone(),
        pr_url: shown.pr_url.clone(),
        wait: shown.wait.clone(),
        cost_usd: cost_usd(shown.cost_micros),
    }
}

fn failure(cause: &Attention) -> ConvoyFailure {
    let about =
        [("bead_id", cause.bead_id.map(|id| id.to_string())), ("rig_id", cause.rig_id.map(|id| id.to_string()))];
    ConvoyFailure {
        code: cause.code.to_string(),
        message: cause.message.clone(),
        source: "reconciler".to_owned(),
        at: cause.since,
        details: about.into_iter().filter_map(|(key, id)| Some((key.to_owned(), Value::from(id?)))).collect(),
    }
}

/// What may be done with the convoy now.
fn actions(whole: &Whole) -> Vec<String> {
    if !whole.convoy.state.is_live() {
        return Vec::new();
    }
    let asks = |choice: &str| whole.convoy.attention.iter().any(|cause| cause.choices.iter().any(|c| c == choice));
    let all = [
        ("start", whole.convoy.state == ConvoyState::Staged),
        ("retry", asks("retry")),
        ("skip", asks("skip")),
        ("abort", true),
        ("close", true),
    ];
    all.into_iter().filter(|(_, is_allowed)| *is_allowed).map(|(action, _)| action.to_owned()).collect()
}

/// What making a convoy answers: the convoy, and who has its tasks or why nobody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SlungConvoy {
    /// **ConvoyDetail**.
    pub convoy: Convoy,
    /// Its tasks in the order of the plan.
    pub beads: Vec<SlungBead>,
    /// References that were ignored.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A convoy to make, as every way of asking for one says it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewConvoy {
    /// One line.
    pub title: String,
    /// New tasks.
    pub tasks: Vec<NewConvoyTask>,
    /// Beads that join.
    pub joins: Vec<BeadId>,
    /// Where tasks merge.
    pub merge_mode: Option<ConvoyMergeMode>,
    /// Wait for a start.
    pub staged: Option<bool>,
    /// Independent tasks are meant to be so.
    pub is_parallel: bool,
    /// Budget in micro-dollars.
    pub budget_micros: Option<u64>,
    /// Free.
    pub metadata: Map<String, Value>,
}

/// A new task of a convoy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewConvoyTask {
    /// Where.
    pub rig_id: RigId,
    /// What.
    pub bead: NewBead,
    /// Tasks of the same plan, by index …
    pub after_tasks: Vec<usize>,
    /// … and tasks of the convoy.
    pub after_beads: Vec<BeadId>,
}

impl From<SlingTask> for NewConvoyTask {
    fn from(task: SlingTask) -> Self {
        let SlingTask { rig_id, bead, after_tasks, after_beads } = task;
        Self { rig_id, bead, after_tasks, after_beads }
    }
}

fn tasks(fields: &mut Fields<'_>, min: usize, rig_id: Option<RigId>) -> Vec<NewConvoyTask> {
    fields.list("tasks", min, CONVOY_TASKS_MAX, |fields, index| {
        let task = fields.object::<SlingTask>(index);
        let task = task.unwrap_or_else(SlingTask::nothing).in_rig(rig_id);
        if task.rig_id == SlingTask::nothing().rig_id {
            fields.issue(index, IssueCode::Required, "rig_id is required");
        }
        task.into()
    })
}

/// Fields that every way of making a convoy shares, whatever the title is called.
fn shared(fields: &mut Fields<'_>, title: &str) -> NewConvoy {
    NewConvoy {
        title: fields.text(title, 1, TITLE_MAX),
        tasks: Vec::new(),
        joins: Vec::new(),
        merge_mode: fields.optional_word("merge_mode"),
        staged: fields.optional_flag("staged"),
        is_parallel: fields.optional_flag("parallel").unwrap_or(false),
        budget_micros: fields.optional_positive("budget_usd").map(micros),
        metadata: fields.metadata("metadata").unwrap_or_default(),
    }
}

/// `convoy` of `POST T/sling`.
impl Request for NewConvoy {
    fn read(fields: &mut Fields<'_>) -> Self {
        shared(fields, "title")
    }
}

/// `POST T/convoys`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateConvoy(pub NewConvoy);

impl Request for CreateConvoy {
    fn read(fields: &mut Fields<'_>) -> Self {
        let tasks = tasks(fields, 0, None);
        let beads = fields.list("beads", 0, CONVOY_TASKS_MAX, |fields, index| fields.object::<Member>(index));
        if tasks.is_empty() && beads.is_empty() {
            fields.issue("tasks", IssueCode::Required, "give tasks or beads");
        }
        let joins = beads.into_iter().flatten().filter_map(|member| member.bead_id).collect();
        Self(NewConvoy { tasks, joins, ..shared(fields, "title") })
    }
}

struct Member {
    bead_id: Option<BeadId>,
}

impl Request for Member {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { bead_id: fields.id("bead_id") }
    }
}

/// `POST M/sling-batch`.
#[derive(Debug, Clone, PartialEq)]
pub struct SlingBatch {
    /// What.
    pub convoy: NewConvoy,
    /// Really wanted twice.
    pub allows_duplicate: bool,
}

impl Request for SlingBatch {
    fn read(fields: &mut Fields<'_>) -> Self {
        let rig_id = fields.optional_id("rig_id");
        let tasks = tasks(fields, 1, rig_id);
        let allows_duplicate = fields.optional_flag("allow_duplicate").unwrap_or(false);
        Self { convoy: NewConvoy { tasks, ..shared(fields, "convoy_title") }, allows_duplicate }
    }
}

/// `PATCH T/convoys/:c`: absent keeps, null clears.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PatchConvoy {
    /// One line.
    pub title: Option<String>,
    /// Where tasks merge.
    pub merge_mode: Option<ConvoyMergeMode>,
    /// Where tasks meet.
    pub feature_branch: Option<String>,
    /// Budget in micro-dollars.
    pub budget_micros: Option<Option<u64>>,
}

impl Request for PatchConvoy {
    fn read(fields: &mut Fields<'_>) -> Self {
        if !["title", "merge_mode", "feature_branch", "budget_usd"].iter().any(|key| fields.names(key)) {
            fields.issue("", IssueCode::Required, "change at least one field");
        }
        if fields.names("title") && !fields.has("title") {
            fields.issue("title", IssueCode::Required, "cannot be cleared");
        }
        let feature_branch = fields.optional_branch("feature_branch");
        if feature_branch.as_deref().is_some_and(|branch| !is_feature_branch(branch)) {
            let message = "must begin with convoy/ and end with /head: nobody else works on such a branch";
            fields.issue("feature_branch", IssueCode::InvalidString, message);
        }
        Self {
            title: fields.optional_text("title", 1, TITLE_MAX),
            merge_mode: fields.optional_word("merge_mode"),
            feature_branch,
            budget_micros: fields.names("budget_usd").then(|| fields.optional_positive("budget_usd").map(micros)),
        }
    }
}

/// `POST …/retry`, `/skip`, `/abort`, `/close`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecideConvoy {
    /// Which tasks; all that failed when empty.
    pub bead_ids: Vec<BeadId>,
    /// Why.
    pub reason: Option<String>,
}

impl Request for DecideConvoy {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { bead_ids: fields.ids("bead_ids", CONVOY_TASKS_MAX), reason: fields.optional_text("reason", 0, NOTE_MAX) }
    }
}

/// `POST T/convoys/:c/beads` and `add-bead`: a bead that exists, or a new task.
#[derive(Debug, Clone, PartialEq)]
pub struct AddToConvoy {
    /// The bead …
    pub bead_id: Option<BeadId>,
    /// … or the task.
    pub task: Option<NewConvoyTask>,
    /// What it waits for.
    pub depends_on: Vec<BeadId>,
}

impl Request for AddToConvoy {
    fn read(fields: &mut Fields<'_>) -> Self {
        let (bead_id, task) = (fields.optional_id("bead_id"), fields.object::<SlingTask>("task"));
        if !fields.has("bead_id") && !fields.has("task") {
            fields.issue("bead_id", IssueCode::Required, "give bead_id or task");
        }
        if task.as_ref().is_some_and(|task| task.rig_id == SlingTask::nothing().rig_id) {
            fields.issue("task", IssueCode::Required, "rig_id is required");
        }
        let depends_on = fields.ids("depends_on", CONVOY_TASKS_MAX);
        Self { bead_id, task: task.map(NewConvoyTask::from), depends_on }
    }
}

/// `remove-bead` and `bead-closed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameBead {
    /// Which.
    pub bead_id: BeadId,
    /// Of which convoy, where the path does not say.
    pub convoy_id: Option<ConvoyId>,
}

impl Request for NameBead {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            bead_id: fields.id("bead_id").unwrap_or(BeadId::from_u128(0)),
            convoy_id: fields.optional_id("convoy_id"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::read;
    use super::*;

    const RIG: &str = "0f9a1b2c-3d4e-4f50-8a61-728394a5b6c7";

    fn is_read<T: Request>(body: &str) -> bool {
        read::<T>(body.replace("RIG", RIG).as_bytes()).is_ok()
    }

    #[test]
    fn a_convoy_is_made_of_tasks_or_beads() {
        for (body, is_good) in [
            (r#"{"title":"t","tasks":[{"rig_id":"RIG","title":"a"}]}"#, true),
            (r#"{"title":"t","beads":[{"bead_id":"RIG","rig_id":"RIG"}]}"#, true),
            (r#"{"title":"t"}"#, false),
            (r#"{"title":"t","tasks":[{"title":"a"}]}"#, false),
            (r#"{"tasks":[{"rig_id":"RIG","title":"a"}]}"#, false),
            (r#"{"title":"t","merge_mode":"yolo","tasks":[{"rig_id":"RIG","title":"a"}]}"#, false),
        ] {
            assert_eq!(is_read::<CreateConvoy>(body), is_good, "{body}");
        }
    }

    #[test]
    fn tasks_of_a_batch_take_its_rig() {
        let body = format!(r#"{{"convoy_title":"t","rig_id":"{RIG}","tasks":[{{"title":"a"}}]}}"#);
        let batch: SlingBatch = read(body.as_bytes()).unwrap();
        assert_eq!(batch.convoy.tasks[0].rig_id.to_string(), RIG);
        assert!(!is_read::<SlingBatch>(r#"{"convoy_title":"t","tasks":[{"title":"a"}]}"#));
    }

    #[test]
    fn a_feature_branch_keeps_its_form() {
        assert!(is_read::<PatchConvoy>(r#"{"feature_branch":"convoy/mine/head"}"#));
        assert!(!is_read::<PatchConvoy>(r#"{"feature_branch":"main"}"#));
        assert!(!is_read::<PatchConvoy>("{}"));
        assert!(!is_read::<PatchConvoy>(r#"{"title":null}"#));
    }
}
