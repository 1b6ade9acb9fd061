//! What must hold of the Town's rows over time, and of the Town and its rigs together: convoys, escalations, triage, spend
//! and permissions (domain.md 12: 2, 5, 15, 21, 23, 25; 8, 9).

use std::collections::{BTreeMap, BTreeSet};

use gastown_core::breaker::BreakerState;
use gastown_core::container;
use gastown_core::id::{BeadId, RigId};
use gastown_core::protocol::EdgeState;
use gastown_core::rig::assignment::{Assignment, AssignmentOutcome, Phase};
use gastown_core::rig::bead::{BeadOutcome, BeadStatus};
use gastown_core::rig::review::{Review, ReviewKind, ReviewState};
use gastown_core::rig::usage::Scope;
use gastown_core::rig::{self};
use gastown_core::town::convoy::{self, Convoy, ConvoyRig, ConvoyState, LandingState, Task, TaskState};
use gastown_core::town::state::{EscalationState, Slot, Spender, TownStatus};
use gastown_core::town::triage::{TriageRequest, TriageState};
use gastown_core::town::{self, Write, escalation, triage};

use crate::git::MAIN;
use crate::happening::RigNo;
use crate::world::World;

/// The Town's rows against what they were.
pub(super) fn writes(world: &World, planned: &town::Planned, breaches: &mut Vec<String>) {
    let disk = &world.town.disk;
    // One commit may raise and clear, so what it wrote before counts as well.
    let (mut convoys, mut escalations, mut requests) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (_, write) in &planned.writes {
        match write {
            Write::Convoy(new) => {
                let old = convoys.insert(new.convoy_id, &**new).or_else(|| disk.convoys.get(&new.convoy_id));
                a_convoy_moves(old, new, breaches);
                let before = disk.convoys.get(&new.convoy_id).filter(|before| !before.state.is_live());
                if before.is_some_and(|before| before.counts != new.counts || before.ended_at != new.ended_at) {
                    breaches.push(format!("5: convoy {} has ended, and changes", new.convoy_id));
                }
            }
            Write::Task(new) => {
                let is_over = disk.convoys.get(&new.convoy_id).is_some_and(|convoy| !convoy.state.is_live());
                let old = disk.tasks.get(&new.bead_id).filter(|old| old.convoy_id == new.convoy_id);
                if is_over && old.is_none_or(|old| old.state != new.state) {
                    breaches.push(format!("5: task {} of an ended convoy becomes {}", new.bead_id, new.state));
                }
            }
            Write::Escalation(new) => {
                let old = escalations.insert(new.escalation_id, &**new);
                let old = old.or_else(|| disk.escalations.get(&new.escalation_id)).map(|old| old.state);
                let allowed = old.map_or(new.state == EscalationState::Open, |old| {
                    old == new.state || escalation::TRANSITIONS.iter().any(|(a, _, b)| (*a, *b) == (old, new.state))
                });
                if !allowed {
                    breaches.push(format!("9.6: escalation {} was {old:?} and becomes {}", new.dedup_key, new.state));
                }
            }
            Write::Triage(new) => {
                let old = requests.insert(new.asked.request_id, &**new);
                a_request_moves(old.or_else(|| disk.triage.get(&new.asked.request_id)), new, breaches);
            }
            Write::Usage { day, spender, spent } => {
                let old = disk.usage.get(&(day.clone(), *spender)).copied().unwrap_or_default();
                if old.at_least(*spent) != *spent {
                    breaches.push(format!("25: the spend of {spender:?} on {day} falls from {old:?} to {spent:?}"));
                }
            }
            Write::Slot(new) if new.granted_at == Some(world.now) => granted_rightly(world, planned, new, breaches),
            _ => (),
        }
    }
}

/// Only along the table; what has ended stays as it is.
fn a_convoy_moves(old: Option<&Convoy>, new: &Convoy, breaches: &mut Vec<String>) {
    let id = new.convoy_id;
    let Some(old) = old else { return };
    let is_listed = convoy::TRANSITIONS.iter().any(|(a, _, b)| (*a, *b) == (old.state, new.state));
    if old.state != new.state && !is_listed {
        breaches.push(format!("8: convoy {id} was {} and becomes {}", old.state, new.state));
    }
}

fn a_request_moves(old: Option<&TriageRequest>, new: &TriageRequest, breaches: &mut Vec<String>) {
    let Some(old) = old.filter(|old| old.state != new.state) else { return };
    if !triage::TRANSITIONS.iter().any(|(a, _, b)| (*a, *b) == (old.state, new.state)) {
        let id = new.asked.request_id;
        breaches.push(format!("9.6: triage request {id} was {} and becomes {}", old.state, new.state));
    }
    if old.state == TriageState::Resolved && old.action != new.action {
        breaches.push(format!("9.6: triage request {} is decided twice", new.asked.request_id));
    }
}

/// T6: what is granted in this commit may be.
fn granted_rightly(world: &World, planned: &town::Planned, slot: &Slot, breaches: &mut Vec<String>) {
    let state = &planned.state;
    let id = slot.assignment_id;
    if world.town.rows().slots.get(&id).is_some_and(|old| old.granted_at.is_some()) {
        return;
    }
    let is_spent = slot.convoy_id.is_some_and(|convoy_id| state.exhausted_convoys().contains(&convoy_id));
    let probes = state.slots.values().filter(|slot| slot.granted_at.is_some() && slot.is_probe).count();
    let why = match state.breaker.state {
        _ if state.town.status != TownStatus::Active => "the town is paused",
        _ if state.drain.is_draining => "the town drains",
        _ if state.day_budget.is_reached => "the budget of the day is used up",
        _ if is_spent => "the budget of its convoy is used up",
        BreakerState::Open => "the breaker is open",
        BreakerState::HalfOpen if probes > 1 => "another probe is out",
        BreakerState::Closed | BreakerState::HalfOpen => return,
    };
    breaches.push(format!("2: assignment {id} gets a slot, although {why}"));
}

/// A rig's rows, as far as the Town or another rig is concerned.
pub(super) fn rig_writes(world: &World, rig: RigNo, planned: &rig::Planned, breaches: &mut Vec<String>) {
    let Some(disk) = &world.rigs[rig].disk else { return };
    for (_, write) in &planned.writes {
        match write {
            rig::Write::Edge(edge) if edge.cross && edge.state == EdgeState::Satisfied => {
                let blocker = world.rigs.iter().filter_map(|rig| rig.disk.as_ref()?.beads.get(&edge.blocker_id)).next();
                // A bead that was deleted, or went with its rig, had been closed before.
                if blocker.is_some_and(|blocker| blocker.status != BeadStatus::Closed) {
                    let (dependent, blocker) = (edge.bead_id, edge.blocker_id);
                    breaches.push(format!("15: bead {dependent} waits no more for {blocker}, which is not closed"));
                }
            }
            rig::Write::Usage(scope, spent) => {
                let old = match scope {
                    Scope::Convoy(convoy_id) => disk.convoys.get(convoy_id),
                    Scope::Day(day) => disk.days.get(day),
                };
                let old = old.copied().unwrap_or_default();
                if old.at_least(*spent) != *spent {
                    breaches.push(format!("25: the spend of {scope:?} falls from {old:?} to {spent:?}"));
                }
            }
            rig::Write::Assignment(row) if row.phase == Phase::Starting => {
                let old = disk.assignments.get(&row.assignment_id).map(|old| old.phase);
                if old.is_none_or(|old| old == Phase::Queued) {
                    started_rightly(&planned.state, row, breaches);
                }
            }
            _ => (),
        }
    }
}

/// R27, 9.3: nothing starts while the town is paused, drains, or a budget is used up.
fn started_rightly(state: &rig::State, row: &Assignment, breaches: &mut Vec<String>) {
    let id = row.assignment_id;
    let town = &state.rig.town;
    let bead = state.beads.get(&row.bead_id);
    let root = bead.and_then(|bead| state.beads.get(&bead.root_id));
    let convoy_id = bead.and_then(|bead| root.map_or(bead.convoy_id, |root| root.convoy_id));
    let is_over = bead.is_some_and(|bead| {
        rig::usage::limit_of_family(state, bead).is_reached(rig::usage::of_family(state, bead), 100)
    });
    let versions = state.rig.settings.as_ref().map(|settings| settings.version);
    let why = match convoy_id {
        _ if town.paused => "the town is paused",
        _ if town.draining => "the town drains",
        _ if town.budget_reached => "the budget of the day is used up",
        _ if is_over => "its budget is used up",
        _ if versions.is_none_or(|version| version < state.rig.wanted_version) => "the settings are not current",
        Some(convoy_id) if town.exhausted_convoys.contains(&convoy_id) => "the budget of its convoy is used up",
        Some(_) | None => return,
    };
    breaches.push(format!("9.3: assignment {id} of bead {} starts, although {why}", row.bead_id));
}

/// 8: one live landing for each convoy in each rig.
pub(super) fn landings(world: &World, breaches: &mut Vec<String>) {
    for state in world.rigs.iter().filter_map(|rig| rig.rows()) {
        let mut seen = BTreeSet::new();
        let live = state.reviews.values().filter(|review| review.kind == ReviewKind::Landing && review.is_live());
        for review in live {
            if !seen.insert(review.convoy_id) {
                breaches.push(format!("8: convoy {:?} has a second landing {}", review.convoy_id, review.bead_id));
            }
        }
    }
}

/// What of the Town still moves, or waits for nobody.
pub(super) fn unfinished(world: &World) -> Vec<String> {
    let state = world.town.rows();
    let mut sentences: Vec<String> = state
        .live_convoys()
        .filter_map(|convoy| still_moves(world, convoy))
        .map(|why| format!("stuck: {why}"))
        .collect();
    for request in state.triage.values().filter(|request| request.is_live()) {
        // A batch that waits for somebody is in the rig's hands, and others of the rig wait for it.
        let of_rig = |other: &&TriageRequest| other.rig_id == request.rig_id && other.batch_is_live;
        let mut batches = state.triage.values().filter(of_rig).filter_map(|other| other.batch_bead);
        if !batches.any(|batch_id| bead_of(world, batch_id).is_some_and(|batch| batch.is_live())) {
            sentences.push(format!("stuck: triage request {} is {}", request.asked.request_id, request.state));
        }
    }
    sentences
}

/// Why a live convoy is not where a person has to say how it goes on.
fn still_moves(world: &World, convoy: &Convoy) -> Option<String> {
    let id = convoy.convoy_id;
    let state = world.town.rows();
    for task in state.tasks_of(id) {
        if let Some(why) = is_told_wrongly(world, task) {
            return Some(format!("convoy {id}: {why}"));
        }
    }
    if convoy.state == ConvoyState::Staged || !convoy.attention.is_empty() {
        return None;
    }
    match convoy.state {
        ConvoyState::Active if state.tasks_of(id).iter().all(|task| task.state.is_settled()) => {
            Some(format!("convoy {id} is settled, and does not move on"))
        }
        ConvoyState::Landing => state.rigs_of(id).filter_map(|part| is_landing(world, part)).next(),
        ConvoyState::Active | ConvoyState::Staged | ConvoyState::Landed | ConvoyState::Aborted => None,
    }
}

fn is_landing(world: &World, part: &ConvoyRig) -> Option<String> {
    let (id, rig_id) = (part.convoy_id, part.rig_id);
    match part.landing {
        LandingState::Open => {
            let bead = part.landing_bead.and_then(|bead_id| bead_of(world, bead_id));
            let is_there = bead.is_some_and(|bead| bead.is_live());
            (!is_there).then(|| format!("convoy {id} waits for a landing in rig {rig_id} that is over"))
        }
        LandingState::None => part.next_at.map(|at| format!("convoy {id} lands in rig {rig_id} at {at}")),
        LandingState::Landed => None,
    }
}

/// Whether the Town counts a task as something else than it is.
fn is_told_wrongly(world: &World, task: &Task) -> Option<String> {
    let id = task.bead_id;
    let is_removed = world.rigs.iter().all(|rig| rig.rig_id != task.rig_id || rig.disk.is_none());
    if is_removed {
        return (!matches!(task.state, TaskState::Failed | TaskState::Skipped | TaskState::Closed))
            .then(|| format!("task {id} went with its rig, but counts as {}", task.state));
    }
    let Some(bead) = bead_of(world, id) else { return Some(format!("task {id} is {}, but not there", task.state)) };
    let fits = match task.state {
        TaskState::Live => bead.is_live(),
        TaskState::Closed => bead.status == BeadStatus::Closed,
        TaskState::Failed => bead.status == BeadStatus::Failed,
        TaskState::Skipped => true,
    };
    let is_ours = bead.convoy_id == Some(task.convoy_id);
    (!fits || !is_ours)
        .then(|| format!("task {id} counts as {}, but is {} of {:?}", task.state, bead.status, bead.convoy_id))
}

fn bead_of(world: &World, bead_id: BeadId) -> Option<&gastown_core::rig::bead::Bead> {
    world.rigs.iter().find_map(|rig| rig.disk.as_ref()?.beads.get(&bead_id))
}

/// The end: what landed is there, everybody who has to decide was told, nobody is asked for nothing, and sums agree.
pub(super) fn at_rest(world: &World) -> Vec<String> {
    let mut sentences = unfinished(world);
    landed_is_there(world, &mut sentences);
    people_are_asked(world, &mut sentences);
    nobody_is_asked_in_vain(world, &mut sentences);
    gates_agree(world, &mut sentences);
    sums_agree(world, &mut sentences);
    the_runtime_sleeps(world, &mut sentences);
    sentences
}

/// 21: what a landed convoy merged is on the target.
fn landed_is_there(world: &World, sentences: &mut Vec<String>) {
    let disk = &world.town.disk;
    let landed =
        disk.convoys.values().filter(|convoy| convoy.state == ConvoyState::Landed && convoy.closed_by.is_none());
    for convoy in landed {
        let id = convoy.convoy_id;
        for task in disk.tasks.values().filter(|task| task.convoy_id == id && !task.state.is_settled()) {
            sentences.push(format!("21: convoy {id} landed, but task {} is {}", task.bead_id, task.state));
        }
        for task in disk.tasks.values().filter(|task| task.convoy_id == id) {
            let Some(rig) = world.rigs.iter().position(|rig| rig.rig_id == task.rig_id) else { continue };
            if let Some(review_id) = lost_work(world, rig, task.bead_id) {
                sentences.push(format!("21: convoy {id} landed without the work of review {review_id}"));
            }
        }
    }
}

/// The review of a merged bead whose commit has not reached the merge target, unless a branch was lost on the way.
fn lost_work(world: &World, rig: RigNo, bead_id: BeadId) -> Option<BeadId> {
    let disk = world.rigs[rig].disk.as_ref()?;
    disk.beads.get(&bead_id).filter(|bead| bead.outcome == Some(BeadOutcome::Merged))?;
    let merged = |review: &&Review| review.source_id == Some(bead_id) && review.state == ReviewState::Merged;
    let review = disk.reviews.values().find(merged)?;
    let remote = &world.remotes[rig];
    let commit = review.reviewed_commit.as_deref()?;
    let is_there = remote.branch_contains(MAIN, commit) || remote.was_lost(&review.target);
    (!is_there).then_some(review.bead_id)
}

/// 23, 8: whatever waits for a person has an open escalation, unless somebody has seen it.
fn people_are_asked(world: &World, sentences: &mut Vec<String>) {
    let town = world.town.rows();
    for convoy in town.live_convoys() {
        for cause in &convoy.attention {
            let key = match (cause.bead_id, cause.rig_id) {
                (Some(bead_id), _) => format!("bead:{bead_id}"),
                (None, Some(rig_id)) => format!("convoy:{}:{}:{rig_id}", convoy.convoy_id, cause.code),
                (None, None) => format!("convoy:{}:{}", convoy.convoy_id, cause.code),
            };
            if !town.escalations.contains_key(&key) && !was_seen(world, &key) {
                sentences.push(format!("23: convoy {} asks for {}, but nobody was told", convoy.convoy_id, cause.code));
            }
        }
    }
    let rigs = world.rigs.iter().filter_map(|rig| rig.rows());
    for bead in rigs.flat_map(|state| state.beads.values()).filter(|bead| bead.is_live() && bead.parked.is_some()) {
        let key = format!("bead:{}", bead.bead_id);
        if !town.escalations.contains_key(&key) && !was_seen(world, &key) {
            sentences.push(format!("23: bead {} is parked without an open escalation", bead.bead_id));
        }
    }
}

/// Whether a person or triage closed an escalation of this key by hand.
fn was_seen(world: &World, key: &str) -> bool {
    world.town.disk.escalations.values().any(|row| {
        let by_hand = row.closed_by.as_deref().is_some_and(|by| by != "system");
        row.dedup_key == key && by_hand
    })
}

/// 9.6: an escalation resolves itself when its cause is gone.
fn nobody_is_asked_in_vain(world: &World, sentences: &mut Vec<String>) {
    let town = world.town.rows();
    for open in town.escalations.values() {
        let key = open.dedup_key.as_str();
        let bead = key.split(':').nth(1).and_then(|id| id.parse().ok()).and_then(|id| bead_of(world, id));
        let is_removed = open.rig_id.is_some_and(|id: RigId| !town.rigs.contains_key(&id));
        let has_cause = match key.split(':').next() {
            _ if is_removed => false,
            Some("bead") => {
                bead.is_some_and(|bead| {
                    let is_skipped = bead.skipped && bead.convoy_id.is_some();
                    (bead.is_live() && bead.parked.is_some()) || (bead.status == BeadStatus::Failed && !is_skipped)
                }) || is_failed_task(world, key)
            }
            Some("budget") if key == "budget:town" => town.day_budget.is_warned || town.day_budget.is_reached,
            Some("budget") => bead.is_some_and(|bead| bead.is_live() && bead.is_budget_warned),
            Some("breaker") if key == "breaker:town" => town.breaker.state != BreakerState::Closed,
            Some("breaker") => world.rigs.iter().filter_map(|rig| rig.rows()).any(|state| {
                key.ends_with(&state.rig.rig_id.to_string()) && state.rig.breaker.state != BreakerState::Closed
            }),
            Some("convoy") => town.live_convoys().any(|convoy| {
                key.contains(&convoy.convoy_id.to_string())
                    && convoy.attention.iter().any(|cause| key.contains(cause.code.as_str()))
            }),
            _ => true,
        };
        if !has_cause {
            let what = bead.map(|bead| format!(" (bead {}, {:?})", bead.status, bead.outcome)).unwrap_or_default();
            sentences.push(format!("9.6: escalation {key} {} is open without a cause{what}", open.code));
        }
    }
}

/// A task that went with its rig has an escalation of its own.
fn is_failed_task(world: &World, key: &str) -> bool {
    let tasks = world.town.rows().tasks.values();
    let mut failed = tasks.filter(|task| task.state == TaskState::Failed);
    failed.any(|task| key == format!("bead:{}", task.bead_id))
}

/// 3.5: what a task waits for in its rig is what the Town says, as long as its convoy goes on.
fn gates_agree(world: &World, sentences: &mut Vec<String>) {
    let town = world.town.rows();
    for edge in town.task_edges.values().filter(|edge| edge.cross) {
        let Some(task) = town.tasks.get(&edge.bead_id) else { continue };
        let Some(rig) = world.rigs.iter().find(|rig| rig.rig_id == task.rig_id) else { continue };
        let Some(disk) = &rig.disk else { continue };
        let known = disk.edge(edge.bead_id, edge.blocker_id).map(|edge| edge.state);
        let is_live = disk.beads.get(&edge.bead_id).is_some_and(|bead| bead.is_live());
        if is_live && known != Some(edge.state) {
            let (bead_id, blocker_id) = (edge.bead_id, edge.blocker_id);
            sentences.push(format!(
                "15: {bead_id} waits for {blocker_id}: {} for the Town, {known:?} in its rig",
                edge.state
            ));
        }
    }
}

/// 25, 9.3: what the rigs spent is what the Town counts.
fn sums_agree(world: &World, sentences: &mut Vec<String>) {
    let usage = &world.town.disk.usage;
    for rig in &world.rigs {
        let Some(disk) = &rig.disk else { continue };
        for (day, spent) in &disk.days {
            let counted = usage.get(&(day.clone(), Spender::Rig(rig.rig_id))).copied().unwrap_or_default();
            if counted != *spent {
                sentences.push(format!("25: rig {} spent {spent:?} on {day}, the Town counts {counted:?}", rig.rig_id));
            }
        }
        for (convoy_id, spent) in &disk.convoys {
            let key = (town::state::ALL_TIME.to_owned(), Spender::Convoy(*convoy_id, rig.rig_id));
            let counted = usage.get(&key).copied().unwrap_or_default();
            if counted != *spent {
                sentences.push(format!("25: convoy {convoy_id} spent {spent:?}, the Town counts {counted:?}"));
            }
        }
    }
}

/// Whether a queued assignment waits until somebody raises the budget of its convoy.
pub(super) fn waits_for_budget(world: &World, state: &rig::State, row: &Assignment) -> bool {
    row.phase == Phase::Queued && is_spent(world, state, row.bead_id)
}

/// Whether a bead waits until somebody raises a budget: its family's, or its convoy's. The day's is free again by itself.
pub(super) fn is_spent(world: &World, state: &rig::State, bead_id: BeadId) -> bool {
    let Some(bead) = state.beads.get(&bead_id) else { return false };
    let root = state.beads.get(&bead.root_id);
    let convoy_id = root.map_or(bead.convoy_id, |root| root.convoy_id);
    let of_family = state.parked(bead).is_some_and(|parked| parked.code == rig::bead::BUDGET);
    of_family || convoy_id.is_some_and(|id| world.town.rows().exhausted_convoys().contains(&id))
}

/// What came of convoys, triage and budgets.
pub(super) fn count(world: &mut World) {
    let disk = &world.town.disk;
    let number = |count: usize| u64::try_from(count).unwrap_or(0);
    let landed =
        disk.convoys.values().filter(|convoy| convoy.state == ConvoyState::Landed && convoy.closed_by.is_none());
    world.stats.landed += number(landed.count());
    let triaged =
        disk.triage.values().filter(|request| request.resolved_by.as_deref().is_some_and(|by| by != "system"));
    world.stats.triaged += number(triaged.count());
    for disk in world.rigs.iter().filter_map(|rig| rig.disk.as_ref()) {
        let landings = disk.reviews.values().filter(|review| review.kind == ReviewKind::Landing);
        world.stats.landings += number(landings.count());
        let ended = disk.assignments.values().filter(|row| row.outcome == Some(AssignmentOutcome::Budget));
        world.stats.wrapped_up += number(ended.count());
    }
}

/// T9, S95: what nothing needs does not run.
fn the_runtime_sleeps(world: &World, sentences: &mut Vec<String>) {
    if world.loses_orders {
        return;
    }
    let is_awake = world.town.rows().runtime.is_awake;
    let is_kept = world.keeper.life.is_needed || (world.runtime.is_own && world.runtime.is_up);
    if !is_awake && is_kept {
        sentences.push(format!("T9: nothing needs the runtime, but it is {}", world.keeper.life.phase));
    }
    if !is_awake && world.keeper.alarm.is_some() && world.keeper.life.phase == container::Phase::Stopped {
        sentences.push("T9: the runtime has stopped, but its keeper has an alarm".to_owned());
    }
}
