//! What must hold about work in detail: steps, lessons, and beads that move between rigs (domain.md 3.6, 10.5, 10.6).

use gastown_core::limits::{LESSON_PATHS, LESSON_TEXT};
use gastown_core::rig::bead::{Bead, BeadOutcome, BeadType, PATROL, TRIAGE};
use gastown_core::rig::lesson::Lesson;
use gastown_core::rig::molecule::{self, StepState};
use gastown_core::rig::plan::Planned;
use gastown_core::rig::review::Review;
use gastown_core::rig::{State, Write};

use crate::happening::RigNo;
use crate::rig::Disk;
use crate::world::World;

/// One commit.
pub(super) fn writes(world: &World, rig: RigNo, planned: &Planned, breaches: &mut Vec<String>) {
    let Some(disk) = &world.rigs[rig].disk else { return };
    let lessons: Vec<&Lesson> = planned
        .writes
        .iter()
        .filter_map(|(_, write)| if let Write::Lesson(lesson) = write { Some(&**lesson) } else { None })
        .collect();
    for (place, (_, write)) in planned.writes.iter().enumerate() {
        match write {
            Write::Step(step) => {
                let key = (step.molecule_id, step.idx);
                let earlier = |other: &&(_, u32)| other.0 == step.molecule_id && other.1 < step.idx;
                let is_open = |key| disk.steps.get(key) == Some(&StepState::Open) && !closes(planned, key);
                let is_reopened = disk.steps.get(&key) == Some(&StepState::Closed);
                let skips = step.state == StepState::Closed && disk.steps.keys().filter(earlier).any(is_open);
                if is_reopened || skips || (step.state == StepState::Closed) != step.closed_at.is_some() {
                    breaches.push(format!("10.5: step {} of {} is {}", step.idx, step.molecule_id, step.state));
                }
            }
            Write::Bead(bead) => {
                let old = disk.beads.get(&bead.bead_id);
                if old.is_none() && is_elsewhere(world, rig, bead) {
                    breaches.push(format!("3.6: bead {} is in two rigs", bead.bead_id));
                }
                let ends = !bead.is_live() && old.is_none_or(Bead::is_live);
                let is_last = || !planned.writes[place + 1..].iter().any(|(_, write)| is_of(write, bead));
                if ends && is_last() {
                    teaches_once(disk, bead, &lessons, breaches);
                }
            }
            Write::Review(review) if !disk.reviews.contains_key(&review.bead_id) => {
                tells_open_steps(disk, review, breaches);
            }
            _ => (),
        }
    }
    for lesson in lessons {
        let is_short = |text: &str| text.chars().count() <= LESSON_TEXT + 1;
        if lesson.files.len() > LESSON_PATHS || !is_short(&lesson.summary) || !is_short(&lesson.findings) {
            breaches.push(format!("10.6: the lesson of {} is too long", lesson.bead_id));
        }
    }
    molecules(&planned.state, breaches);
}

fn closes(planned: &Planned, key: &(gastown_core::id::BeadId, u32)) -> bool {
    planned.writes.iter().any(|(_, write)| {
        matches!(write, Write::Step(step) if (step.molecule_id, step.idx) == *key && step.state == StepState::Closed)
    })
}

fn is_of(write: &Write, bead: &Bead) -> bool {
    matches!(write, Write::Bead(other) if other.bead_id == bead.bead_id)
}

fn is_elsewhere(world: &World, rig: RigNo, bead: &Bead) -> bool {
    let others = world.rigs.iter().enumerate().filter(|(place, _)| *place != rig);
    let mut disks = others.filter_map(|(_, rig)| rig.disk.as_ref());
    disks.any(|disk| disk.beads.contains_key(&bead.bead_id))
}

/// A molecule lives with its bead, and as long as a step is open.
fn molecules(state: &State, breaches: &mut Vec<String>) {
    for bead in state.beads.values().filter(|bead| bead.kind == BeadType::Molecule) {
        let has_open = molecule::steps(state, bead.bead_id).iter().any(|step| step.state == StepState::Open);
        let has_parent = bead.parent_id.is_some_and(|parent| state.live_bead(parent).is_some());
        let is_done = bead.outcome == Some(BeadOutcome::Done);
        if bead.is_live() && (!has_open || !has_parent) || is_done && has_open {
            breaches.push(format!("10.5: molecule {} is {}, open steps: {has_open}", bead.bead_id, bead.status));
        }
    }
}

/// `done` with open steps is taken, and the review lists them.
fn tells_open_steps(disk: &Disk, review: &Review, breaches: &mut Vec<String>) {
    let Some(source_id) = review.source_id else { return };
    let is_left = !molecule::open_steps(&disk.live, source_id).is_empty();
    let is_told = review.summary.as_deref().is_some_and(|summary| summary.contains("Steps left open"));
    if is_left != is_told {
        breaches.push(format!("10.5: review {} tells of open steps: {is_told}", review.bead_id));
    }
}

/// What closes by merge, `done` or without a change, or fails, leaves one lesson; nothing else does.
fn teaches_once(disk: &Disk, bead: &Bead, lessons: &[&Lesson], breaches: &mut Vec<String>) {
    let is_of_review = bead.parent_id.is_some_and(|parent| disk.reviews.contains_key(&parent));
    let is_batch = bead.created_by == PATROL && bead.has_label(TRIAGE);
    let is_taught = match bead.outcome {
        Some(BeadOutcome::Merged | BeadOutcome::Done | BeadOutcome::NoChange) => true,
        Some(BeadOutcome::ClosedByUser | BeadOutcome::Cancelled) => false,
        None => true,
    };
    let expected = usize::from(bead.kind == BeadType::Issue && !is_of_review && !is_batch && is_taught);
    let count = lessons.iter().filter(|lesson| lesson.bead_id == bead.bead_id).count();
    if count != expected {
        breaches.push(format!("10.6: bead {} is {} and leaves {count} lessons", bead.bead_id, bead.status));
    }
}

/// Work that people made is in one rig, unless they deleted it.
pub(super) fn at_rest(world: &World, sentences: &mut Vec<String>) {
    // What was on its way to a rig, or home, when that was disconnected went with it.
    if world.rigs.iter().any(|rig| rig.is_removed) {
        return;
    }
    for (_, bead_id) in &world.people.beads {
        let disks = world.rigs.iter().filter_map(|rig| rig.disk.as_ref());
        let count = disks.filter(|disk| disk.beads.contains_key(bead_id)).count();
        let expected = usize::from(!world.people.deleted.contains(bead_id));
        if count != expected {
            sentences.push(format!("3.6: bead {bead_id} is in {count} rigs"));
        }
    }
}
