//! Slinging: creating work and giving it to a polecat at once if one is free (api.md 3.3, 3.12).

use serde::{Deserialize, Serialize};

use super::agent::Agent;
use super::bead::{Bead, NewBead, Wait};
use super::convoy::{Convoy, NewConvoy};
use super::read::{Fields, Request};
use crate::id::{BeadId, RigId};
use crate::limits::SLING_TASKS_MAX;
use crate::models::Resolution;
use crate::wire::envelope::IssueCode;

/// **SlingResult**.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SlingResult {
    /// In the order of the tasks.
    pub beads: Vec<SlungBead>,
    /// The convoy that the tasks form.
    pub convoy: Option<Convoy>,
}

/// One slung task: who has it with which model, or why nobody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SlungBead {
    /// The work.
    pub bead: Bead,
    /// Who has it.
    pub agent: Option<Agent>,
    /// Which model it gets, and why.
    pub model: Option<Resolution>,
    /// Why nobody has it.
    pub wait: Option<Wait>,
}

/// `POST T/sling`: a plan of several tasks, or a single one at top level.
#[derive(Debug, Clone, PartialEq)]
pub struct SlingPlan {
    /// The tasks.
    pub tasks: Vec<SlingTask>,
    /// The convoy that they shall form.
    pub convoy: Option<NewConvoy>,
    /// References that mean nothing and are left out.
    pub ignored: Vec<String>,
    /// Independent tasks are meant to be so.
    pub is_parallel: bool,
}

/// One task of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct SlingTask {
    /// Where.
    pub rig_id: RigId,
    /// What.
    pub bead: NewBead,
    /// Tasks of the same plan, by index …
    pub after_tasks: Vec<usize>,
    /// … and beads that exist.
    pub after_beads: Vec<BeadId>,
}

impl Request for SlingPlan {
    fn read(fields: &mut Fields<'_>) -> Self {
        let tasks = if fields.has("tasks") || !fields.has("rig_id") {
            fields.list("tasks", 1, SLING_TASKS_MAX, |fields, index| {
                let task = fields.object::<SlingTask>(index).unwrap_or_else(SlingTask::nothing);
                if task.rig_id == SlingTask::nothing().rig_id {
                    fields.issue(index, IssueCode::Required, "rig_id is required");
                }
                task
            })
        } else {
            fields.id::<RigId>("rig_id");
            vec![SlingTask::read(fields)]
        };
        let convoy = fields.object("convoy");
        let is_parallel = fields.optional_flag("parallel").unwrap_or(false);
        let mut plan = Self { tasks, convoy, ignored: Vec::new(), is_parallel };
        plan.leave_out();
        plan
    }
}

impl SlingTask {
    /// The placeholder of a task that could not be read; an issue was left.
    pub(super) fn nothing() -> Self {
        let rig_id = RigId::from_u128(0);
        Self { rig_id, bead: NewBead::default(), after_tasks: Vec::new(), after_beads: Vec::new() }
    }
}

impl SlingTask {
    /// The same task; in this rig, when it names none.
    pub(super) fn in_rig(self, rig_id: Option<RigId>) -> Self {
        let own = (self.rig_id != RigId::from_u128(0)).then_some(self.rig_id);
        Self { rig_id: own.or(rig_id).unwrap_or(self.rig_id), ..self }
    }
}

/// Whether a rig has to be named is for the plan to say: a batch may name one for all.
impl Request for SlingTask {
    fn read(fields: &mut Fields<'_>) -> Self {
        let rig_id = fields.optional_id("rig_id").unwrap_or(RigId::from_u128(0));
        let (mut after_tasks, mut after_beads) = (Vec::new(), Vec::new());
        fields.list("depends_on", 0, SLING_TASKS_MAX, |fields, index| {
            let value = fields.any(index);
            match (value.as_u64(), value.as_str().map(str::parse)) {
                (Some(task), _) => after_tasks.push(usize::try_from(task).unwrap_or(usize::MAX)),
                (None, Some(Ok(bead_id))) => after_beads.push(bead_id),
                (None, _) => fields.issue(index, IssueCode::InvalidType, "must be an index or a bead id"),
            }
        });
        Self { rig_id, bead: NewBead::read(fields), after_tasks, after_beads }
    }
}

impl SlingPlan {
    /// A task that waits for itself, or for none of the plan, waits for nothing (domain.md 3.5).
    fn leave_out(&mut self) {
        let count = self.tasks.len();
        for (index, task) in self.tasks.iter_mut().enumerate() {
            for after in task.after_tasks.extract_if(.., |after| *after == index || *after >= count) {
                let what =
                    if after == index { "itself".to_owned() } else { format!("task {after}, which is not there") };
                self.ignored.push(format!("tasks.{index} depends on {what}"));
            }
        }
    }

    /// The tasks in an order in which each comes after those it depends on, or the tasks of a cycle.
    pub fn in_order(&self) -> Result<Vec<usize>, Vec<usize>> {
        let mut order = Vec::with_capacity(self.tasks.len());
        let mut open: Vec<usize> = (0..self.tasks.len()).collect();
        while !open.is_empty() {
            let is_ready = |i: &usize| self.tasks[*i].after_tasks.iter().all(|after| order.contains(after));
            let Some(place) = open.iter().position(is_ready) else { return Err(open) };
            order.push(open.remove(place));
        }
        Ok(order)
    }
}

/// `POST M/sling`: one task of the mayor.
#[derive(Debug, Clone, PartialEq)]
pub struct MayorSling {
    /// Where.
    pub rig_id: RigId,
    /// What.
    pub bead: NewBead,
    /// Really wanted twice.
    pub allows_duplicate: bool,
}

impl Request for MayorSling {
    fn read(fields: &mut Fields<'_>) -> Self {
        let rig_id = fields.id("rig_id").unwrap_or(RigId::from_u128(0));
        let depends_on = fields.ids("depends_on", SLING_TASKS_MAX);
        let allows_duplicate = fields.optional_flag("allow_duplicate").unwrap_or(false);
        Self { rig_id, bead: NewBead { depends_on, ..NewBead::read(fields) }, allows_duplicate }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::{BadBody, read};
    use super::*;

    const RIG: &str = "0f9a1b2c-3d4e-4f50-8a61-728394a5b6c7";

    fn plan(tasks: &str) -> Result<SlingPlan, BadBody> {
        read(tasks.replace("RIG", RIG).as_bytes())
    }

    #[test]
    fn a_single_task_may_stand_at_top_level() {
        let plan = plan(r#"{"rig_id": "RIG", "title": "a"}"#).unwrap();
        assert_eq!((plan.tasks.len(), plan.tasks[0].bead.title.as_str()), (1, "a"));
    }

    #[test]
    fn tasks_come_after_what_they_depend_on() {
        let order = |text: &str| plan(text).unwrap().in_order();
        let task = |title: &str, after: &str| format!(r#"{{"rig_id":"RIG","title":"{title}","depends_on":{after}}}"#);
        let tasks = |list: &[String]| format!(r#"{{"tasks":[{}]}}"#, list.join(","));
        assert_eq!(order(&tasks(&[task("a", "[1]"), task("b", "[]")])), Ok(vec![1, 0]));
        assert_eq!(order(&tasks(&[task("a", "[1]"), task("b", "[0]")])), Err(vec![0, 1]));
        let ignored = plan(&tasks(&[task("a", "[7, 0]")])).unwrap();
        assert_eq!((ignored.tasks[0].after_tasks.len(), ignored.ignored.len()), (0, 2));
        assert!(plan(r#"{"tasks":[]}"#).is_err());
        assert!(plan("{}").is_err());
    }
}
