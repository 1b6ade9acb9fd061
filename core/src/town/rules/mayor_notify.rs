//! T19: the mayor is told of loud escalations, new or raised, and of breaker and drain episodes: each once, several
//! together, at most so many an hour. Medium ones go along with its next turn; low ones are never pushed.

use crate::protocol::Severity;
use crate::town::notice;
use crate::town::plan::{Plan, Write};
use crate::town::state::{Escalation, MayorPhase};

pub(crate) fn run(plan: &mut Plan) {
    let Some(free_at) = notice::free_at(plan) else { return };
    let has_turn = notice::has_turn(plan);
    let is_live = plan.state().mayor.phase == MayorPhase::Running;
    let has_notes = !plan.state().mayor.notices.pending.is_empty();
    let may_push = free_at <= plan.now() && (!notice::urgent(plan).is_empty() || (has_notes && is_live));
    if !may_push && !has_turn {
        return;
    }
    let untold = notice::untold(plan, Severity::Medium);
    if untold.is_empty() && !has_notes {
        return;
    }
    let notes = plan.state().mayor.notices.pending.iter().cloned();
    let text = untold.iter().map(|open| words(plan, open)).chain(notes).collect::<Vec<_>>().join("\n\n");
    notice::post(plan, text);
    let now = plan.now();
    plan.update_mayor(|mayor| mayor.notices = mayor.notices.after(now));
    for open in untold {
        plan.write(Write::Escalation(Box::new(Escalation { told: Some(open.severity), ..open })));
    }
}

fn words(plan: &Plan, open: &Escalation) -> String {
    let rig = open.rig_id.and_then(|rig_id| plan.state().rigs.get(&rig_id));
    let mut lines = vec![format!("Escalation {} ({}): {}", open.escalation_id, open.severity, open.title)];
    if let Some(rig) = rig {
        let bead = open.bead_id.map(|bead_id| format!(", bead {bead_id}")).unwrap_or_default();
        lines.push(format!("Rig {} ({}){bead}", rig.name, rig.rig_id));
    }
    if let Some(name) = &open.raised_by_name {
        lines.push(format!("Raised by {name}"));
    }
    lines.push(crate::text::cut(&open.message, MESSAGE_MAX));
    if !open.choices.is_empty() {
        lines.push(format!("A person may: {}", open.choices.join(", ")));
    }
    lines.join("\n")
}

/// The mayor can read the rest; a notice of many must stay readable.
const MESSAGE_MAX: usize = 500;
