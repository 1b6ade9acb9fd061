//! T11: counts follow the tasks. Convoys that a command or a report has touched are counted once.

use crate::town::convoy::count;
use crate::town::plan::Plan;

pub(crate) fn run(plan: &mut Plan) {
    for convoy_id in plan.take_touched_convoys() {
        let counts = count(plan.state(), convoy_id);
        plan.update_convoy(convoy_id, |convoy| convoy.counts = counts);
    }
}
