//! What happened, in words, for the run that is told. A failing run shows only the lines about its subjects.

use std::collections::{BTreeMap, BTreeSet};

use gastown_core::protocol::TownToRig;
use gastown_core::rig::assignment::Assignment;
use gastown_core::rig::bead::Bead;
use gastown_core::rig::pr::Watch;
use gastown_core::rig::review::Review;
use gastown_core::rig::state::Rig;
use gastown_core::rig::{self, Write};
use gastown_core::time::Timestamp;
use gastown_core::town;

use crate::happening::RigNo;
use crate::world::World;

/// The lines of a run.
pub(crate) struct Timeline {
    is_told: bool,
    lines: Vec<(Timestamp, String)>,
}

impl Timeline {
    pub(crate) fn new(is_told: bool) -> Self {
        Self { is_told, lines: Vec::new() }
    }

    pub(crate) fn add(&mut self, at: Timestamp, text: impl FnOnce() -> String) {
        if self.is_told {
            self.lines.push((at, text()));
        }
    }

    /// All lines, or those that concern what the sentence names, with ids replaced by names.
    pub(crate) fn print(
        &self,
        about: Option<&str>,
        names: &BTreeMap<String, String>,
        related: &[BTreeSet<String>],
    ) -> String {
        let subjects = about.map(|sentence| subjects(sentence, related)).filter(|subjects| !subjects.is_empty());
        let start = self.lines.first().map(|(at, _)| *at);
        let mut text = String::new();
        for (at, line) in &self.lines {
            let is_about = |subjects: &BTreeSet<String>| {
                let ids = ids(line);
                ids.is_empty() && !line.starts_with("lost") || ids.iter().any(|id| subjects.contains(id))
            };
            if subjects.as_ref().is_none_or(is_about) {
                let after = start.map(|start| at.since(start)).unwrap_or_default();
                let (minutes, seconds) = (after.as_secs() / 60, after.as_secs_f64() % 60.0);
                text.push_str(&format!("{minutes:4}:{seconds:06.3}  {}\n", named(line, names)));
            }
        }
        text
    }
}

/// The ids that a sentence names, and those that belong to them.
fn subjects(sentence: &str, related: &[BTreeSet<String>]) -> BTreeSet<String> {
    let mut subjects: BTreeSet<String> = ids(sentence);
    for _ in 0..2 {
        let known = subjects.clone();
        let families = related.iter().filter(|family| family.iter().any(|id| known.contains(id)));
        subjects.extend(families.flatten().cloned());
    }
    subjects
}

/// UUIDs in a text.
fn ids(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_hexdigit() || c == '-'))
        .filter(|word| word.len() == 36 && word.matches('-').count() == 4)
        .map(str::to_owned)
        .collect()
}

/// The text with names for ids.
pub(crate) fn named(text: &str, names: &BTreeMap<String, String>) -> String {
    ids(text).iter().fold(text.to_owned(), |text, id| match names.get(id) {
        Some(name) => text.replace(id, name),
        None => text,
    })
}

impl World {
    /// What a commit of a rig changed, before it is written.
    pub(crate) fn tell_rig(&mut self, rig: RigNo, label: &str, planned: &rig::Planned) {
        if !self.timeline.is_told {
            return;
        }
        let Some(disk) = &self.rigs[rig].disk else { return };
        let mut lines = Vec::new();
        let mut seen = BTreeSet::new();
        for (rule, write) in &planned.writes {
            let (before, after) = match write {
                Write::Bead(row) => (disk.beads.get(&row.bead_id).map(of_bead), of_bead(row)),
                Write::Assignment(row) => {
                    (disk.assignments.get(&row.assignment_id).map(of_assignment), of_assignment(row))
                }
                Write::Review(row) => (disk.reviews.get(&row.bead_id).map(of_review), of_review(row)),
                Write::Job(job) => (
                    None,
                    format!(
                        "job {} {} {} order {} of {:?}",
                        job.job_id, job.kind, job.phase, job.orders, job.review_id
                    ),
                ),
                Write::Watch(watch) => (disk.live.watches.get(&watch.review_id).map(of_watch), of_watch(watch)),
                Write::Edge(edge) => (None, format!("edge {} after {} {}", edge.bead_id, edge.blocker_id, edge.state)),
                Write::Rig(row) => (Some(of_rig(&disk.live.rig)), of_rig(row)),
                _ => continue,
            };
            if before.as_ref() != Some(&after) && seen.insert(after.clone()) {
                lines.push(format!("rig {rig} {label} [{rule}] {after}"));
            }
        }
        for effect in &planned.effects {
            if *effect != rig::Effect::SendToTown {
                lines.push(format!("rig {rig} {label} orders {effect:?}"));
            }
        }
        lines.into_iter().for_each(|line| self.note(|| line));
    }

    /// What a commit of the Town changed.
    pub(crate) fn tell_town(&mut self, label: &str, planned: &town::Planned) {
        if !self.timeline.is_told {
            return;
        }
        let mut lines = Vec::new();
        for (rule, write) in &planned.writes {
            let line = match write {
                town::Write::Slot(slot) => {
                    let granted = if slot.granted_at.is_some() { "granted" } else { "asked" };
                    format!("slot of {} for {} {granted}", slot.assignment_id, slot.bead_id)
                }
                town::Write::RemoveSlot(id) => format!("slot of {id} free"),
                town::Write::Mayor(mayor) if mayor.phase != self.town.rows().mayor.phase => {
                    format!("mayor {} {}", mayor.phase, mayor.activity)
                }
                town::Write::Drain(drain) => format!("draining {} instance {:?}", drain.is_draining, drain.instance_id),
                town::Write::Escalation(row) => format!("escalation {} {} {}", row.dedup_key, row.code, row.state),
                town::Write::Convoy(row) => {
                    format!("convoy {} {} {:?}, asks {}", row.convoy_id, row.state, row.counts, row.attention.len())
                }
                town::Write::Task(row) => {
                    format!("task {} of convoy {} {} attempt {}", row.bead_id, row.convoy_id, row.state, row.attempt)
                }
                town::Write::RemoveTask(bead_id) => format!("task {bead_id} is none any more"),
                town::Write::TaskEdge(row) => {
                    format!("edge {} after {} {} told {}", row.bead_id, row.blocker_id, row.state, row.told)
                }
                town::Write::RemoveTaskEdge(bead_id, blocker_id) => format!("no edge {bead_id} after {blocker_id}"),
                town::Write::ConvoyRig(row) => {
                    format!(
                        "convoy {} landing {} ({}) bead {:?} in rig {}",
                        row.convoy_id, row.landing, row.attempts, row.landing_bead, row.rig_id
                    )
                }
                town::Write::Triage(row) => {
                    format!("request {} {} in batch {:?}", row.asked.request_id, row.state, row.batch_bead)
                }
                town::Write::Outbox(rig_id, row) if row.sent_at.is_none() => match &row.message {
                    TownToRig::Configure(_) | TownToRig::TownState(_) | TownToRig::GrantSlot { .. } => continue,
                    message => format!("says to rig {rig_id}: {message:?}"),
                },
                town::Write::Message(message) => format!("message {} {}", message.message_id, message.state),
                _ => continue,
            };
            lines.push(format!("town {label} [{rule}] {line}"));
        }
        for effect in &planned.effects {
            if !matches!(effect, town::Effect::SendToRig(_)) {
                lines.push(format!("town {label} orders {effect:?}"));
            }
        }
        lines.into_iter().for_each(|line| self.note(|| line));
    }

    /// Names of what lives in the rigs, and which ids belong together.
    pub(crate) fn names(&self) -> (BTreeMap<String, String>, Vec<BTreeSet<String>>) {
        let (mut names, mut related) = (BTreeMap::new(), Vec::new());
        for disk in self.rigs.iter().filter_map(|rig| rig.disk.as_ref()) {
            for bead in disk.beads.values() {
                let name = match disk.reviews.contains_key(&bead.bead_id) {
                    true => format!("review-{}", bead.bead_id.short()),
                    false if bead.parent_id.is_some() => format!("child-{}", bead.bead_id.short()),
                    false => bead.title.clone(),
                };
                names.insert(bead.bead_id.to_string(), name);
                if let Some(parent) = bead.parent_id {
                    related.push(BTreeSet::from([bead.bead_id.to_string(), parent.to_string()]));
                }
            }
            for row in disk.assignments.values() {
                names.insert(row.assignment_id.to_string(), format!("a{}-{}", row.epoch, row.assignment_id.digits(4)));
                related.push(BTreeSet::from([row.assignment_id.to_string(), row.bead_id.to_string()]));
            }
            for review in disk.reviews.values() {
                let source = review.source_id.map(|id| id.to_string());
                related.push([Some(review.bead_id.to_string()), source].into_iter().flatten().collect());
            }
        }
        (names, related)
    }
}

fn of_bead(bead: &Bead) -> String {
    let counters = (bead.start_failures, bead.lost_leases, bead.agent_errors);
    let parked = bead.parked.as_ref().map(|parked| format!(", parked {}", parked.code)).unwrap_or_default();
    let labels = bead.labels.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    format!("bead {} {}, attempt {}, {counters:?} {labels}{parked}", bead.bead_id, bead.status, bead.attempt)
}

fn of_assignment(row: &Assignment) -> String {
    let outcome = row.outcome.map(|outcome| format!(" {outcome}")).unwrap_or_default();
    let step = row.step.map(|step| format!(" {step}")).unwrap_or_default();
    let (id, bead_id, kind, epoch) = (row.assignment_id, row.bead_id, row.kind, row.epoch);
    format!("assignment {id} of {bead_id} ({kind} epoch {epoch}) {}{step} slot {}{outcome}", row.phase, row.slot)
}

fn of_review(row: &Review) -> String {
    let sub = row.sub.map(|sub| format!(" {sub}")).unwrap_or_default();
    let rounds = (row.round, row.feedback_round);
    format!("review {} {}{sub} of {:?}, rounds {rounds:?}", row.bead_id, row.state, row.source_id)
}

fn of_watch(watch: &Watch) -> String {
    let is_green = watch.green_since.is_some();
    format!("watch {} #{} {}, green {is_green}, refused {}", watch.review_id, watch.number, watch.state, watch.refused)
}

fn of_rig(row: &Rig) -> String {
    format!("breaker {}, draining {}, paused {}", row.breaker.state, row.town.draining, row.town.paused)
}
