//! T5: the spend is bounded (domain.md 9.3). Near the limit of the day people are told once; at the limit nothing new
//! starts and running work finishes, until the day ends or the limit is raised. A convoy at its limit finishes alone.

use crate::sorted::SortedSet;

use crate::config::effective_town;
use crate::id::{ConvoyId, RigId};
use crate::protocol::{Severity, TownToRig};
use crate::town::escalation;
use crate::town::plan::{Plan, Write};
use crate::town::state::DayBudget;

pub(crate) fn run(plan: &mut Plan) {
    day(plan);
    convoys(plan);
}

fn day(plan: &mut Plan) {
    let budget = effective_town(&plan.state().town.config).budget;
    let today = plan.now().day();
    let spent = plan.state().spent_on(&today);
    let before = plan.state().day_budget.clone();
    let is_same_day = before.day == today;
    let nears_end = budget.town_daily.is_reached(spent, budget.warn_percent);
    let after = DayBudget {
        // One warning a day, also where the limit is raised meanwhile.
        is_warned: nears_end || (is_same_day && before.is_warned),
        is_reached: budget.town_daily.is_reached(spent, 100),
        day: today,
    };
    let says_something = after.is_warned || after.is_reached || before.is_warned || before.is_reached;
    if !says_something || after == before {
        return;
    }
    plan.write(Write::DayBudget(after.clone()));
    let words = budget.town_daily.words(spent);
    if after.is_reached && !(is_same_day && before.is_reached) {
        wrap_up(plan, None, "The town's budget of the day is used up.");
        let message = format!("{words} of today are used. Nothing new starts before midnight UTC or a higher limit.");
        let title = "The town's budget of the day is used up";
        escalation::raise(plan, escalation::BUDGET, Severity::High, "budget_reached", title, &message);
    } else if nears_end && !(is_same_day && before.is_warned) {
        let title = "The town's budget of the day nears its end";
        let message = format!("{words} of today are used.");
        escalation::raise(plan, escalation::BUDGET, Severity::Medium, "budget_warning", title, &message);
    } else if !after.is_reached && (before.is_reached || !nears_end) {
        escalation::clear(plan, escalation::BUDGET);
    }
}

fn convoys(plan: &mut Plan) {
    let exhausted: SortedSet<ConvoyId> = plan.state().exhausted_convoys().into_iter().collect();
    let told = plan.state().wrapped_up.clone();
    for convoy_id in exhausted.difference(&told) {
        wrap_up(plan, Some(*convoy_id), "The budget of its convoy is used up.");
    }
    if exhausted != told {
        plan.set_wrapped_up(exhausted);
    }
}

fn wrap_up(plan: &mut Plan, convoy_id: Option<ConvoyId>, message: &str) {
    let rigs: Vec<RigId> = plan.state().active_rigs().map(|rig| rig.rig_id).collect();
    for rig_id in rigs {
        plan.post(rig_id, TownToRig::WrapUp { convoy_id, message: message.to_owned() });
    }
}
