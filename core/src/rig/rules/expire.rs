//! R8: claims of people and clients lapse; the bead is open again.

use crate::rig::bead::BeadStatus;
use crate::rig::plan::Plan;

pub(crate) fn run(plan: &mut Plan) {
    let now = plan.now();
    let lapsed: Vec<_> = plan
        .state()
        .beads
        .values()
        .filter(|bead| bead.is_live() && bead.claimed_until.is_some_and(|until| until <= now))
        .map(|bead| (bead.bead_id, bead.status))
        .collect();
    for (bead_id, status) in lapsed {
        plan.update_bead(bead_id, |bead| {
            bead.end_claim();
            bead.status = BeadStatus::Open;
        });
        plan.status_changed(bead_id, status, BeadStatus::Open, "expire");
    }
}
