//! Slinging by people (api.md 3.3, 3.8): the plan is checked as a whole before anything is created.

use gastown_core::id::{BeadId, IdSeed};
use gastown_core::wire::api::bead::NewBead;
use gastown_core::wire::api::sling::{SlingPlan, SlingResult, SlungBead};
use gastown_core::wire::code::Code;
use serde_json::{Value, json};

use super::inbound::Inbound;
use super::reply::Reply;
use crate::ambient::seed;
use crate::error::{Refusal, Result};
use crate::requests::Idempotency;
use crate::rig::calls::Sling;

/// POST `T/sling`
pub async fn create(inbound: Inbound) -> Result<Reply> {
    let mut plan: SlingPlan = inbound.read()?;
    if let Some(convoy) = plan.convoy.take() {
        return super::convoys::sling(&inbound, plan, convoy).await;
    }
    let order = check(&inbound, &plan).await?;
    let idempotency = inbound.idempotency()?;
    let mut ids = idempotency.as_ref().map_or_else(|| IdSeed::new(seed()), Idempotency::seed);
    let bead_ids: Vec<BeadId> = plan.tasks.iter().map(|_| ids.mint()).collect();
    let mut slung: Vec<Option<SlungBead>> = plan.tasks.iter().map(|_| None).collect();
    let mut is_replay = false;
    for index in order {
        let task = &plan.tasks[index];
        let of_plan = task.after_tasks.iter().map(|&after| bead_ids[after]);
        let depends_on = of_plan.chain(task.after_beads.iter().copied()).collect();
        let call = Sling {
            town_id: inbound.town_id()?,
            bead_id: Some(bead_ids[index]),
            bead: NewBead { depends_on, ..task.bead.clone() },
            actor: inbound.actor(),
            refuses_repeat: false,
            // Each task is a request of its own to its rig.
            idempotency: idempotency.clone().map(|key| Idempotency { key: format!("{} {index}", key.key), ..key }),
        };
        let kept = inbound.ask_rig(task.rig_id, &call).await?;
        is_replay |= kept.is_replay;
        slung[index] = Some(kept.reply);
    }
    let result = SlingResult { beads: slung.into_iter().flatten().collect(), convoy: None };
    Ok(Reply::with_warnings(201, &result, super::convoys::warnings(plan.ignored))?.replayed(is_replay))
}

/// POST `R/sling`
pub async fn create_in_rig(inbound: Inbound) -> Result<Reply> {
    let bead: NewBead = inbound.read()?;
    let call = Sling {
        town_id: inbound.town_id()?,
        bead_id: None,
        bead,
        actor: inbound.actor(),
        refuses_repeat: false,
        idempotency: inbound.idempotency()?,
    };
    let kept = inbound.ask_rig(inbound.rig_id()?, &call).await?;
    Ok(Reply::created(&kept.reply)?.replayed(kept.is_replay))
}

/// Everything that can be wrong with a plan as a whole.
async fn check(inbound: &Inbound, plan: &SlingPlan) -> Result<Vec<usize>> {
    let is_free =
        |task: &gastown_core::wire::api::sling::SlingTask| task.after_tasks.is_empty() && task.after_beads.is_empty();
    if plan.tasks.len() > 1 && !plan.is_parallel && plan.tasks.iter().all(is_free) {
        let message = "Give depends_on to the tasks, or parallel: true if they are independent";
        return Err(Refusal::new(Code::PlanUnclear, message).into());
    }
    let known = inbound.rig_ids().await?;
    if let Some(task) = plan.tasks.iter().find(|task| !known.contains(&task.rig_id)) {
        let refusal = Refusal::new(Code::UnknownRig, "The town has no such rig");
        return Err(refusal.with(json!({ "rig_id": task.rig_id })).into());
    }
    for task in &plan.tasks {
        if task.after_tasks.iter().any(|&after| plan.tasks[after].rig_id != task.rig_id) {
            let message = "Dependencies between rigs need a convoy";
            return Err(Refusal::new(Code::CrossRigDependency, message).into());
        }
    }
    plan.in_order().map_err(|cycle| {
        let titles: Vec<Value> = cycle.iter().map(|&index| json!(plan.tasks[index].bead.title)).collect();
        let refusal = Refusal::new(Code::DependencyCycle, "The tasks would wait for each other");
        refusal.with(json!({ "cycle": titles })).into()
    })
}
