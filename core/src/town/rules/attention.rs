//! T12: a convoy that cannot go on by itself asks for a person, once per cause, and stops asking when the cause is gone.

use crate::id::ConvoyId;
use crate::protocol::{self, Severity};
use crate::town::convoy::{Attention, AttentionCode, Convoy, ConvoyState, TaskState, attention_key};
use crate::town::escalation;
use crate::town::plan::Plan;

pub(crate) fn run(plan: &mut Plan) {
    let live: Vec<Convoy> = plan.state().live_convoys().cloned().collect();
    for convoy in live {
        let causes = causes(plan, &convoy);
        let is_same = |a: &Attention, b: &Attention| (a.code, a.bead_id, a.rig_id) == (b.code, b.bead_id, b.rig_id);
        let gone: Vec<&Attention> =
            convoy.attention.iter().filter(|known| !causes.iter().any(|cause| is_same(cause, known))).collect();
        for cause in &gone {
            escalation::clear(plan, &attention_key(convoy.convoy_id, cause));
        }
        let mut attention = Vec::new();
        for cause in causes {
            match convoy.attention.iter().find(|known| is_same(known, &cause)) {
                Some(known) => attention.push(Attention { since: known.since, ..cause }),
                None => {
                    raise(plan, &convoy, &cause);
                    attention.push(cause);
                }
            }
        }
        if attention != convoy.attention {
            plan.update_convoy(convoy.convoy_id, |convoy| convoy.attention = attention);
        }
    }
}

fn causes(plan: &Plan, convoy: &Convoy) -> Vec<Attention> {
    let since = plan.now();
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<String>>();
    let has_rig = |rig_id| plan.state().rigs.contains_key(&rig_id);
    let tasks = plan.state().tasks_of(convoy.convoy_id);
    let failed = tasks.into_iter().filter(|task| task.state == TaskState::Failed).map(|task| {
        let why = task.failure.as_deref().unwrap_or("its rig gave no reason");
        Attention {
            code: AttentionCode::TaskFailed,
            message: format!("\"{}\" failed: {why}", task.shown.title),
            bead_id: Some(task.bead_id),
            rig_id: None,
            choices: if has_rig(task.rig_id) { words(&["retry", "skip", "abort"]) } else { words(&["skip", "abort"]) },
            since,
        }
    });
    let exhausted = plan
        .state()
        .rigs_of(convoy.convoy_id)
        .filter(|part| part.is_exhausted() && convoy.state == ConvoyState::Landing);
    let exhausted = exhausted.map(|part| {
        let why = part.last_error.as_deref().unwrap_or("no reason was given");
        Attention {
            code: AttentionCode::LandingExhausted,
            message: format!("{} landings were rejected, the last one because {why}", part.attempts),
            bead_id: None,
            rig_id: Some(part.rig_id),
            choices: words(&["retry", "close", "abort"]),
            since,
        }
    });
    let is_spent = plan.state().exhausted_convoys().contains(&convoy.convoy_id);
    let spent = is_spent.then(|| Attention {
        code: AttentionCode::BudgetReached,
        message: "Its budget is used up: nothing of it starts before a higher limit.".to_owned(),
        bead_id: None,
        rig_id: None,
        choices: words(&["raise_budget", "close", "abort"]),
        since,
    });
    failed.chain(exhausted).chain(spent).collect()
}

/// People are told. A rig that has told them of its failed task has said all but the choices.
fn raise(plan: &mut Plan, convoy: &Convoy, cause: &Attention) {
    let dedup_key = attention_key(convoy.convoy_id, cause);
    if plan.state().escalations.contains_key(&dedup_key) {
        offer(plan, &dedup_key, convoy.convoy_id, cause);
        return;
    }
    let rig_id = cause.rig_id.or_else(|| Some(plan.state().tasks.get(&cause.bead_id?)?.rig_id));
    let raised = protocol::Escalation {
        dedup_key,
        severity: Severity::High,
        category: "convoy".to_owned(),
        code: cause.code.to_string(),
        title: format!("Convoy \"{}\" needs a decision", convoy.title),
        message: cause.message.clone(),
        bead_id: cause.bead_id,
        agent_id: None,
        assignment_id: None,
        convoy_id: Some(convoy.convoy_id),
        choices: cause.choices.clone(),
    };
    escalation::raised(plan, rig_id, raised);
}

fn offer(plan: &mut Plan, dedup_key: &str, convoy_id: ConvoyId, cause: &Attention) {
    plan.update_escalation(dedup_key, |open| {
        open.convoy_id = Some(convoy_id);
        open.choices.clone_from(&cause.choices);
    });
}
