//! The sentences of domain.md 12 that one plan cannot show: about a row and what it was before, about the Town and its
//! rigs together, about the remote, and about the end of a run.

mod forge;
mod messages;
mod town;
mod work;

use std::collections::BTreeSet;

use gastown_core::id::BeadId;
use gastown_core::limits::ATTEMPTS;
use gastown_core::rig::assignment::{Assignment, Phase, Slot};
use gastown_core::rig::bead::{Bead, BeadStatus, BeadType, EdgeState, HELD};
use gastown_core::rig::plan::Planned;
use gastown_core::rig::pr::WatchState;
use gastown_core::rig::review::{Review, ReviewState};
use gastown_core::rig::wait::{Wait, WaitCode};
use gastown_core::rig::{State, Write};
use gastown_core::session::Role;
use gastown_core::town::state::MayorPhase;
use gastown_core::town::{self as of_town};

use crate::happening::RigNo;
use crate::rig::Disk;
use crate::world::World;

/// What a commit of a rig orders, and what it does to work, messages and pull requests.
pub(crate) fn rig_orders(world: &mut World, rig: RigNo, planned: &Planned) {
    let mut breaches = Vec::new();
    forge::orders(world, rig, planned, &mut breaches);
    messages::orders(world, rig, planned, &mut breaches);
    work::writes(world, rig, planned, &mut breaches);
    for breach in breaches {
        world.violated(format!("rig {rig}: {breach}"));
    }
}

/// Rows against what they were.
pub(crate) fn rig_writes(world: &mut World, rig: RigNo, planned: &Planned) {
    let mut breaches = Vec::new();
    let Some(disk) = &world.rigs[rig].disk else { return };
    let mut next_seq = disk.next_seq();
    let mut observed = BTreeSet::new();
    for (_, write) in &planned.writes {
        match write {
            Write::Bead(bead) => {
                if let Some(old) = disk.beads.get(&bead.bead_id) {
                    a_bead_only_grows(old, bead, &mut breaches);
                }
            }
            Write::Assignment(row) => match disk.assignments.get(&row.assignment_id) {
                Some(old) => {
                    observed.insert(("assignment", old.phase.as_str(), row.phase.as_str()));
                    an_assignment_only_grows(old, row, &mut breaches);
                }
                None if row.is_live() => made_rightly(&planned.state, row, disk, world.now, &mut breaches),
                None => (),
            },
            Write::Review(row) => {
                let old = disk.reviews.get(&row.bead_id);
                observed.insert(("review", old.map_or("", |old| old.state.as_str()), row.state.as_str()));
                if row.state == ReviewState::Merged && old.is_none_or(|old| old.is_live()) {
                    merged_is_merged(world, rig, planned, row, &mut breaches);
                }
            }
            Write::Outbox(row) => {
                if row.seq > next_seq {
                    breaches.push(format!("22: message {} follows {}", row.seq, next_seq - 1));
                }
                next_seq = next_seq.max(row.seq + 1);
            }
            _ => (),
        }
    }
    town::rig_writes(world, rig, planned, &mut breaches);
    for breach in breaches {
        world.violated(format!("rig {rig}: {breach}"));
    }
}

/// 5, 25: a terminal bead stays as it is until somebody tries it again; what it cost never falls.
fn a_bead_only_grows(old: &Bead, new: &Bead, breaches: &mut Vec<String>) {
    let id = old.bead_id;
    if old.status.is_terminal() {
        let is_retried = old.status == BeadStatus::Failed && new.attempt == old.attempt + 1;
        let same = old.status == new.status
            && old.outcome == new.outcome
            && old.failure == new.failure
            && old.branch == new.branch
            && old.attempt == new.attempt
            && counters(old) == counters(new);
        if !same && !is_retried {
            breaches.push(format!("5: bead {id} was {} and becomes {}", old.status, new.status));
        }
    } else if new.attempt != old.attempt {
        breaches.push(format!("5: bead {id} is in attempt {} without a retry", new.attempt));
    }
    if new.tokens_in < old.tokens_in || new.tokens_out < old.tokens_out || new.cost_micros < old.cost_micros {
        breaches.push(format!("25: the cost of bead {id} falls"));
    }
}

fn counters(bead: &Bead) -> (u32, u32, u32) {
    (bead.start_failures, bead.lost_leases, bead.agent_errors)
}

/// 25, and an end is an end.
fn an_assignment_only_grows(old: &Assignment, new: &Assignment, breaches: &mut Vec<String>) {
    let id = old.assignment_id;
    if old.ended_at.is_some() && (new.ended_at != old.ended_at || new.outcome != old.outcome) {
        breaches.push(format!("5: assignment {id} had ended {:?} and ends {:?}", old.outcome, new.outcome));
    }
    if new.tokens_in < old.tokens_in || new.tokens_out < old.tokens_out || new.cost_micros < old.cost_micros {
        breaches.push(format!("25: the cost of assignment {id} falls"));
    }
    if (new.epoch, new.bead_id, new.agent_id) != (old.epoch, old.bead_id, old.agent_id) {
        breaches.push(format!("4: assignment {id} changes its identity"));
    }
}

/// 2, 4, 13, 15: what must hold when an assignment is made.
fn made_rightly(
    state: &State,
    row: &Assignment,
    disk: &Disk,
    now: gastown_core::time::Timestamp,
    breaches: &mut Vec<String>,
) {
    let id = row.assignment_id;
    if disk.assignments.values().any(|other| other.epoch >= row.epoch) {
        breaches.push(format!("4: the epoch {} of assignment {id} is not new", row.epoch));
    }
    let cap =
        state.rig.settings.as_ref().map_or(usize::MAX, |settings| {
            usize::try_from(settings.config.max_concurrent_polecats).unwrap_or(usize::MAX)
        });
    if row.kind.role() != Role::Refinery && state.polecats_at_work() > cap {
        breaches.push(format!("2: assignment {id} is number {} of {cap}", state.polecats_at_work()));
    }
    let Some(bead) = state.beads.get(&row.bead_id) else {
        return breaches.push(format!("13: assignment {id} has no bead {}", row.bead_id));
    };
    let holds = |state| matches!(state, EdgeState::Pending | EdgeState::Failed);
    let is_blocked = bead.kind == BeadType::Issue
        && state.edges.values().any(|edge| edge.bead_id == bead.bead_id && holds(edge.state));
    let is_held = bead.has_label(HELD);
    let is_early = bead.not_before.is_some_and(|at| at > now);
    if is_held || bead.staged || bead.parked.is_some() || is_blocked || is_early {
        breaches.push(format!("13: assignment {id} is made for bead {}, which is held back", bead.bead_id));
    }
}

/// 11: what counts as merged is on the target.
fn merged_is_merged(world: &World, rig: RigNo, planned: &Planned, review: &Review, breaches: &mut Vec<String>) {
    if let Some(watch) = planned.state.watches.get(&review.bead_id).filter(|watch| watch.state == WatchState::Merged) {
        if !world.forges[rig].has_merged(watch.number, &world.remotes[rig]) {
            breaches.push(format!("11: review {} is merged, but its pull request is not", review.bead_id));
        }
        return;
    }
    let Some(commit) = &review.reviewed_commit else {
        return breaches.push(format!("11: review {} is merged, but no commit was approved", review.bead_id));
    };
    if !world.remotes[rig].was_merged(&review.target, commit) {
        breaches.push(format!("11: review {} is merged, but {commit} is not on {}", review.bead_id, review.target));
    }
}

/// The Town's rows against what they were.
pub(crate) fn town_writes(world: &mut World, planned: &of_town::Planned) {
    let mut next: Vec<(gastown_core::id::RigId, u64)> = Vec::new();
    let mut breaches = Vec::new();
    for (_, write) in &planned.writes {
        if let of_town::Write::Outbox(rig_id, row) = write {
            let known = next.iter().position(|(id, _)| id == rig_id);
            let expected = known.map_or_else(|| world.town.disk.next_seq(*rig_id), |place| next[place].1);
            if row.seq > expected {
                breaches.push(format!("22: message {} to rig {rig_id} follows {}", row.seq, expected - 1));
            }
            let after = expected.max(row.seq + 1);
            match known {
                Some(place) => next[place].1 = after,
                None => next.push((*rig_id, after)),
            }
        }
    }
    town::writes(world, planned, &mut breaches);
    for breach in breaches {
        world.violated(format!("town: {breach}"));
    }
}

/// 3, 4: the Town, its rigs and the runtime together.
pub(crate) fn across(world: &mut World) {
    let mut breaches = Vec::new();
    let (slots, rigs) = (&world.town.rows().slots, &world.town.rows().rigs);
    // A rig that was disconnected has a moment left.
    for state in world.rigs.iter().filter(|rig| rigs.contains_key(&rig.rig_id)).filter_map(|rig| rig.rows()) {
        for row in state.live_assignments().filter(|row| row.slot == Slot::Granted) {
            if slots.get(&row.assignment_id).is_none_or(|slot| slot.granted_at.is_none()) {
                breaches
                    .push(format!("3: assignment {} is {} without a slot of the Town", row.assignment_id, row.phase));
            }
        }
    }
    let mut agents = BTreeSet::new();
    for session in world.runtime.live_sessions() {
        if !agents.insert(session.agent_id) {
            breaches
                .push(format!("4: two processes of agent {} live, one of them {:?}", session.agent_id, session.key));
        }
    }
    town::landings(world, &mut breaches);
    for breach in breaches {
        world.violated(breach);
    }
}

/// Whether nothing moves any more, other than idle agents that leave.
pub(crate) fn is_quiet(world: &World) -> bool {
    let rows = world.town.rows();
    let is_town_quiet = rows.outboxes.values().all(|outbox| outbox.is_empty())
        && (rows.waiting_messages().is_empty() || rows.mayor.start_failures >= ATTEMPTS)
        && !rows.drain.is_draining
        && matches!(rows.mayor.phase, MayorPhase::Absent | MayorPhase::Running);
    is_town_quiet
        && world.people.answers_until.is_none_or(|until| until < world.now)
        && town::unfinished(world).is_empty()
        && world.rigs.iter().all(|rig| match (rig.rows(), &rig.disk) {
            (Some(state), Some(disk)) => {
                state.live_assignments().all(|row| town::waits_for_budget(world, state, row))
                    && state.jobs.is_empty()
                    && disk.unacknowledged() == 0
                    // What cannot be followed is asked for again, and goes on when the forge answers.
                    && state.watches.values().all(|watch| watch.state != WatchState::Degraded)
                    // A nudge that waits for the next session is forgotten in time.
                    && state.nudges.values().all(|nudge| !nudge.is_live())
                    && unfinished(world, state).is_empty()
            }
            _ => true,
        })
}

/// Live beads that no person is asked about, and that do not wait for one that a person is asked about.
fn unfinished(world: &World, state: &State) -> Vec<String> {
    let beads = state.beads.values().filter(|bead| bead.is_live() && bead.kind != BeadType::Molecule);
    beads
        .filter(|bead| !is_somebodys(world, state, bead.bead_id, 4))
        .map(|bead| match state.waits.get(&bead.bead_id) {
            Some(wait) => {
                format!("bead {} is {} and waits: {} ({})", bead.bead_id, bead.status, wait.code, wait.message)
            }
            None => format!("bead {} is {} and nobody knows why", bead.bead_id, bead.status),
        })
        .collect()
}

/// Whether a person is asked about the bead, or about the review or the child that it waits for.
fn is_somebodys(world: &World, state: &State, bead_id: BeadId, depth: u32) -> bool {
    let is_spent = || town::is_spent(world, state, bead_id);
    let waits = |wait: &Wait| waits_for_a_person(wait.code) || (wait.code == WaitCode::BudgetReached && is_spent());
    let is_asked = state.waits.get(&bead_id).is_some_and(waits);
    let review = state.reviews.get(&bead_id).or_else(|| state.review_of_source(bead_id));
    let child = || review.filter(|review| review.awaits_child()).and_then(|review| review.child_id);
    is_asked || depth > 0 && child().is_some_and(|child| is_somebodys(world, state, child, depth - 1))
}

/// Waits that end by somebody's decision. What blocks a blocked bead is looked at by itself.
fn waits_for_a_person(code: WaitCode) -> bool {
    matches!(
        code,
        WaitCode::Held | WaitCode::Staged | WaitCode::NeedsDecision | WaitCode::WaitingHuman | WaitCode::Blocked
    )
}

/// The end: everything is terminal or waits for a person, no slot is left, nobody has an alarm.
pub(crate) fn at_rest(world: &mut World) {
    let alarms: Vec<_> = world.rigs.iter().map(|rig| rig.alarm).collect();
    for rig in 0..world.rigs.len() {
        world.rig_looks(rig);
    }
    if world.violation.is_some() {
        return;
    }
    let mut sentences = Vec::new();
    for (place, rig) in world.rigs.iter().enumerate() {
        let Some(state) = rig.rows() else { continue };
        sentences.extend(unfinished(world, state).into_iter().map(|words| format!("stuck: rig {place}: {words}")));
        for row in state.live_assignments().filter(|row| !town::waits_for_budget(world, state, row)) {
            sentences.push(format!("stuck: rig {place}: assignment {} is {}", row.assignment_id, row.phase));
        }
        for job in state.jobs.values().filter(|job| job.ended_at.is_none()) {
            sentences.push(format!("stuck: rig {place}: job {} is {}", job.job_id, job.phase));
        }
        // An open pull request is asked for now and then, whoever it waits for.
        let is_following = state.watches.values().any(|watch| watch.is_open() && watch.poll_at > world.now);
        let is_idle = !is_following && state.live_assignments().next().is_none();
        if let Some(at) = alarms[place].filter(|_| sentences.is_empty() && is_idle) {
            sentences.push(format!("19: rig {place} has nothing to do, but its alarm is set for {at}"));
        }
    }
    let rows = world.town.rows();
    for slot in rows.slots.values().filter(|slot| slot.granted_at.is_some()) {
        sentences.push(format!("stuck: the slot of assignment {} is still taken", slot.assignment_id));
    }
    if !rows.waiting_messages().is_empty() && rows.mayor.start_failures < ATTEMPTS {
        sentences.push("stuck: a message to the mayor is not delivered".to_owned());
    }
    sentences.extend(town::at_rest(world));
    forge::at_rest(world, &mut sentences);
    messages::at_rest(world, &mut sentences);
    work::at_rest(world, &mut sentences);
    if let Some(sentence) = sentences.into_iter().next() {
        world.violated(sentence);
    }
}

/// What came of the run, so that a report shows that things happened.
pub(crate) fn count(world: &mut World) {
    world.stats.commits = world.commits;
    town::count(world);
    for disk in world.rigs.iter().filter_map(|rig| rig.disk.as_ref()) {
        let ended = disk.assignments.values().filter(|row| row.phase == Phase::Ended).count();
        world.stats.sessions += u64::try_from(ended).unwrap_or(0);
        for bead in disk.beads.values() {
            match bead.status {
                BeadStatus::Closed => world.stats.closed += 1,
                BeadStatus::Failed => world.stats.failed += 1,
                BeadStatus::Open | BeadStatus::InProgress | BeadStatus::InReview => world.stats.waiting += 1,
            }
        }
        let merged = disk.reviews.values().filter(|review| review.state == ReviewState::Merged).count();
        world.stats.merged += u64::try_from(merged).unwrap_or(0);
    }
}
