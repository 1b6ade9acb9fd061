//! R8: claims of people and clients lapse, and the bead is open again; mail and nudges past their end are forgotten.

use crate::rig::bead::BeadStatus;
use crate::rig::plan::Plan;
use crate::rig::{mail, nudge};

pub(crate) fn run(plan: &mut Plan) {
    let now = plan.now();
    mail::expire(plan, |mail| mail.expires_at.is_some_and(|at| at <= now));
    nudge::expire(plan, |nudge| nudge.expires_at.is_some_and(|at| at <= now));
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
