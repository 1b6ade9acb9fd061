//! R34: when to look again. The earliest deadline of all rules above; never more than ALARM_LIVE away while work is live
//! or a message is unacknowledged; not at all when there is no deadline. Answers for beads that no rule spoke about are
//! filled in here, since every live bead has exactly one.

use crate::limits::{AGENT_IDLE, ALARM_LIVE, IDLE_EXIT};
use crate::rig::agent::AgentRole;
use crate::rig::plan::Plan;
use crate::rig::pr;
use crate::rig::review::ReviewState;
use crate::rig::wait;
use crate::time::Timestamp;

pub(crate) fn run(plan: &mut Plan) {
    wait::fill(plan);
    let state = plan.state();
    let jobs_live = state.jobs.values().any(|job| job.ended_at.is_none());
    let is_live = state.live_assignments().next().is_some() || jobs_live || !state.outbox.is_empty();
    let soon = is_live.then(|| plan.now() + ALARM_LIVE);
    let at = [next_deadline(plan), state.outbox.resend_at(), soon].into_iter().flatten().min();
    plan.wake_at(at);
}

/// The earliest instant at which time alone changes something here; repeats of messages are not part of it.
pub(crate) fn next_deadline(plan: &Plan) -> Option<Timestamp> {
    let state = plan.state();
    let now = plan.now();
    let assignments = state.live_assignments().flat_map(|a| [a.lease_until, a.probe_until, a.order_due]).flatten();
    let idle = state.live_assignments().filter(|a| a.idle_since.is_some()).filter_map(|a| a.idle_nudged_at);
    let idle = idle.map(|asked_at| asked_at + IDLE_EXIT);
    let silence = state.live_assignments().filter(|_| !state.rig.town.draining).filter_map(super::gupp::deadline);
    let messages = state.mail.values().map(|mail| mail.expires_at).chain(state.nudges.values().map(|n| n.expires_at));
    let jobs = state.jobs.values().filter_map(|job| job.lease_until);
    let beads =
        state.beads.values().filter(|bead| bead.is_live()).flat_map(|b| [b.not_before, b.claimed_until]).flatten();
    let reviews = state.reviews.values().flat_map(|review| [review.not_before, review.forge_due]).flatten();
    let polls = state.watches.values().filter(|watch| watch.is_open()).map(|watch| watch.poll_at);
    let posts = state.rounds.values().filter_map(|round| round.post_due);
    let merges = state
        .reviews
        .values()
        .filter(|review| review.state == ReviewState::PrOpen)
        .filter_map(|review| pr::merges_at(state, review));
    let agents = state
        .agents
        .values()
        .filter(|agent| agent.role == AgentRole::Polecat && state.assignment_of_agent(agent.agent_id).is_none())
        .filter_map(|agent| agent.idle_since.map(|since| since + AGENT_IDLE));
    let breaker = state.rig.breaker.until;
    // What only time can end, wherever it was decided.
    let waits = plan.waits().iter().filter_map(|wait| wait.until);
    assignments
        .chain(idle)
        .chain(silence)
        .chain(messages.flatten())
        .chain(jobs)
        .chain(beads)
        .chain(reviews)
        .chain(polls)
        .chain(posts)
        .chain(merges)
        .chain(agents)
        .chain(breaker)
        .chain(waits)
        .filter(|&at| at > now)
        .min()
}
