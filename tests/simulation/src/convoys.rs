//! Convoys, as people and the mayor's tools deal with them: plans over several rigs, beads that join, changes of the plan,
//! and the decisions that a convoy asks for. Who asks reads first and acts a moment later, as the Town's handlers do, so
//! that what was read may be wrong by then.

use std::time::Duration;

use gastown_core::config::ConvoyMergeMode;
use gastown_core::id::{BeadId, ConvoyId};
use gastown_core::protocol::{Priority, TaskShown};
use gastown_core::rig;
use gastown_core::rig::bead::{Bead, BeadType, EdgeState, HELD};
use gastown_core::rig::review::{ReviewKind, Verdict};
use gastown_core::town::convoy::{
    Attention, AttentionCode, Blocker, Convoy, ConvoyCommand, ConvoyPatch, ConvoyState, Join, NewConvoy, NewTask,
    TaskFields, TaskState,
};
use gastown_core::town::{Command, Refusal};

use crate::faults::Fault;
use crate::happening::{Happening, RigNo};
use crate::people::{ACTIVE, Deed};
use crate::world::World;

/// What somebody does about convoys.
#[derive(Debug, Clone)]
pub(crate) enum ConvoyDeed {
    /// A new one.
    Plan,
    /// Something about one that is there.
    Steer,
    /// What one of them asks.
    Answer,
    /// What was decided, on its way to the Town.
    Send(Box<ConvoyCommand>),
    /// Something about a landing.
    Judge,
}

/// People come back this long after everything has healed, and answer what waits for them.
pub(crate) const COME_BACK: [u64; 4] = [5, 20, 40, 70];

impl World {
    /// Plans what people do about convoys on this day.
    pub(crate) fn convoys_arrive(&mut self, beads: u32) {
        let active_ms = u64::try_from(ACTIVE.as_millis()).unwrap_or(u64::MAX);
        let mut deeds: Vec<(u64, ConvoyDeed)> = Vec::new();
        for _ in 0..self.town_chance.between(0, u64::from(beads / 3)) {
            deeds.push((self.town_chance.between(1_000, active_ms / 2), ConvoyDeed::Plan));
        }
        if self.town_chance.happens(self.faults.chance(Fault::Cancel, 0.06)) {
            let at = self.now + Duration::from_millis(self.town_chance.between(60_000, active_ms));
            self.queue.add(at, Happening::PersonActs { deed: Deed::RemoveRig });
        }
        for _ in 0..self.town_chance.between(0, 4) {
            let at = self.now + Duration::from_millis(self.town_chance.between(60_000, active_ms * 3));
            self.queue.add(at, Happening::PersonActs { deed: Deed::Reply });
            self.people.answers_until = self.people.answers_until.max(Some(at));
        }
        if deeds.is_empty() {
            return;
        }
        for _ in 0..self.town_times(Fault::Cancel, 6.0) {
            deeds.push((self.town_chance.between(60_000, active_ms), ConvoyDeed::Steer));
        }
        for _ in 0..self.town_times(Fault::Cancel, 1.5) {
            deeds.push((self.town_chance.between(active_ms / 3, active_ms), ConvoyDeed::Judge));
        }
        for _ in 0..self.town_chance.between(2, 8) {
            deeds.push((self.town_chance.between(active_ms / 4, active_ms), ConvoyDeed::Answer));
        }
        for minutes in COME_BACK {
            let at = active_ms + minutes * 60_000;
            deeds.extend((0..3).map(|n| (at + n * 20_000, ConvoyDeed::Answer)));
            deeds.push((at, ConvoyDeed::Judge));
        }
        let last = active_ms + COME_BACK[COME_BACK.len() - 1] * 60_000;
        let until = self.now + Duration::from_millis(last + 120_000);
        self.people.answers_until = self.people.answers_until.max(Some(until));
        for (at_ms, deed) in deeds {
            let at = self.now + Duration::from_millis(at_ms);
            self.queue.add(at, Happening::PersonActs { deed: Deed::Convoy(deed) });
        }
    }

    /// How often something happens in this run that usually happens so often.
    pub(crate) fn town_times(&mut self, fault: Fault, usual: f64) -> u64 {
        let most = self.faults.strength(fault) * usual * 2.0;
        self.town_chance.between(0, most.round() as u64)
    }

    pub(crate) fn acts_on_convoys(&mut self, deed: ConvoyDeed) {
        match deed {
            ConvoyDeed::Plan => self.plan_convoy(),
            ConvoyDeed::Steer => self.steer_convoy(),
            ConvoyDeed::Answer => self.answer_convoy(),
            ConvoyDeed::Send(command) => self.decides(*command),
            ConvoyDeed::Judge => self.judge_landing(),
        }
    }

    fn plan_convoy(&mut self) {
        let convoy_id = ConvoyId::from_u128(self.town_chance.id());
        let count = usize::try_from(self.town_chance.between(1, 5)).unwrap_or(1);
        let tasks = (0..count).map(|place| self.new_task(convoy_id, place, count)).collect();
        let mut joins = Vec::new();
        if self.town_chance.happens(0.3) {
            joins.extend(self.a_bead_that_joins());
        }
        let chance = &mut self.town_chance;
        let modes = [None, Some(ConvoyMergeMode::ReviewThenLand), Some(ConvoyMergeMode::ReviewAndMerge)];
        let new = NewConvoy {
            convoy_id: Some(convoy_id),
            title: format!("Convoy {}", convoy_id.digits(4)),
            tasks,
            joins,
            merge_mode: chance.pick(&modes).copied().flatten(),
            staged: chance.pick(&[None, None, Some(false), Some(true)]).copied().flatten(),
            is_parallel: chance.happens(0.9),
            budget_micros: chance.happens(0.2).then(|| chance.between(100_000, 4_000_000)),
            metadata: serde_json::Map::new(),
            created_by: "ann".to_owned(),
            refuses_repeat: chance.happens(0.5),
        };
        self.send_soon(ConvoyCommand::Create(new));
    }

    fn new_task(&mut self, convoy_id: ConvoyId, place: usize, count: usize) -> NewTask {
        let rig = self.any_rig();
        let rig_id = self.rigs[rig].rig_id;
        let chance = &mut self.town_chance;
        let bead_id = BeadId::from_u128(chance.id());
        let mut after = Vec::new();
        if place > 0 && chance.happens(0.6) {
            for _ in 0..chance.between(1, 2) {
                let index = usize::try_from(chance.bits() % 97).unwrap_or(0) % place;
                after.push(Blocker::Index(index));
            }
        }
        // Some plans cannot be worked off, and some name what is not there.
        if chance.happens(0.03) {
            after.push(Blocker::Index(usize::try_from(chance.bits() % 97).unwrap_or(0) % (count + 2)));
        }
        let levels = [None, None, Some(Priority::Low), Some(Priority::High), Some(Priority::Critical)];
        let mut fields = TaskFields {
            title: format!("t{place}-{}", convoy_id.digits(4)),
            priority: chance.pick(&levels).copied().flatten(),
            budget_micros: chance.happens(0.05).then(|| chance.between(50_000, 1_000_000)),
            ..TaskFields::default()
        };
        if chance.happens(0.04) {
            fields.labels.insert(HELD.to_owned());
        }
        NewTask { bead_id: Some(bead_id), rig_id, fields, after }
    }

    fn any_rig(&mut self) -> RigNo {
        usize::try_from(self.town_chance.bits() % 97).unwrap_or(0) % self.rigs.len()
    }

    /// A bead that people know, as its rig shows it (`src/town/convoys.rs`, `join`).
    fn a_bead_that_joins(&mut self) -> Option<Join> {
        let known = self.people.beads.clone();
        let &(rig, bead_id) = self.town_chance.pick(&known)?;
        let (rig_id, disk) = (self.rigs[rig].rig_id, self.rigs[rig].disk.as_ref()?);
        let bead: &Bead = disk.beads.get(&bead_id)?;
        let holds = |state: EdgeState| matches!(state, EdgeState::Pending | EdgeState::Failed);
        let edges = self.rigs[rig].rows()?.edges.values();
        let blockers = edges.filter(|edge| edge.bead_id == bead_id && holds(edge.state)).map(|edge| edge.blocker_id);
        let is_started = bead.dispatches > 0 || bead.attempt > 1;
        Some(Join {
            bead_id,
            rig_id,
            convoy_id: bead.convoy_id,
            status: bead.status,
            attempt: bead.attempt,
            shown: TaskShown {
                held: bead.has_label(HELD),
                is_started,
                ..TaskShown::new(bead.title.clone(), bead.priority)
            },
            blockers: blockers.collect(),
        })
    }

    /// What was read is acted on a moment later.
    fn send_soon(&mut self, command: ConvoyCommand) {
        let at = self.now + self.town_chance.span(1, 4_000);
        let deed = Deed::Convoy(ConvoyDeed::Send(Box::new(command)));
        self.queue.add(at, Happening::PersonActs { deed });
    }

    fn decides(&mut self, command: ConvoyCommand) {
        let made: Vec<(RigNo, BeadId)> = match &command {
            ConvoyCommand::Create(new) => new.tasks.iter().filter_map(|task| self.place_of(task)).collect(),
            ConvoyCommand::AddTask { task, .. } => self.place_of(task).into_iter().collect(),
            _ => Vec::new(),
        };
        let label = label(&command);
        let again = self.town_chance.happens(self.faults.chance(Fault::Doubled, 0.05));
        match self.town_handles(label, Command::Convoy(Box::new(command.clone()))) {
            Ok(_) => {
                self.people.beads.extend(made);
                if again {
                    self.town_handles(label, Command::Convoy(Box::new(command))).ok();
                }
            }
            Err(refusal) => self.is_refused_rightly(&command, &refusal),
        }
    }

    /// A refusal says why; these would mean that the world asked for something that cannot be refused.
    fn is_refused_rightly(&mut self, command: &ConvoyCommand, refusal: &Refusal) {
        let known = |id: &ConvoyId| self.town.rows().convoys.contains_key(id);
        let is_wrong = match (command, refusal) {
            (ConvoyCommand::Create(new), _) => new.convoy_id.as_ref().is_some_and(known),
            (ConvoyCommand::Start(id), Refusal::NoSuchConvoy(_)) => known(id),
            (_, _) => false,
        };
        if is_wrong {
            self.violated(format!("a convoy that is there is refused: {refusal:?}"));
        }
    }

    fn place_of(&self, task: &NewTask) -> Option<(RigNo, BeadId)> {
        let rig = self.rigs.iter().position(|rig| rig.rig_id == task.rig_id)?;
        Some((rig, task.bead_id?))
    }

    /// Somebody changes their mind about a convoy.
    fn steer_convoy(&mut self) {
        let live: Vec<Convoy> = self.town.rows().live_convoys().cloned().collect();
        let Some(convoy) = self.town_chance.pick(&live).cloned() else { return };
        let convoy_id = convoy.convoy_id;
        let tasks: Vec<BeadId> = self.town.rows().tasks_of(convoy_id).iter().map(|task| task.bead_id).collect();
        let actor = "ann".to_owned();
        let command = match self.town_chance.between(0, 15) {
            0..=3 => (convoy.state == ConvoyState::Staged).then_some(ConvoyCommand::Start(convoy_id)),
            4 | 5 => {
                let task = self.new_task(convoy_id, tasks.len(), tasks.len());
                let after = task.after.iter().filter_map(|blocker| match *blocker {
                    Blocker::Index(index) => tasks.get(index).copied().map(Blocker::Bead),
                    Blocker::Bead(id) => Some(Blocker::Bead(id)),
                });
                Some(ConvoyCommand::AddTask { convoy_id, task: NewTask { after: after.collect(), ..task } })
            }
            6 | 7 => self.a_bead_that_joins().map(|join| {
                let depends_on = self.town_chance.pick(&tasks).copied().into_iter().collect();
                ConvoyCommand::AddBead { convoy_id, join, depends_on }
            }),
            8 => self.town_chance.pick(&tasks).map(|&bead_id| ConvoyCommand::RemoveTask { convoy_id, bead_id, actor }),
            9 | 10 => self.other_dependencies(&tasks),
            11 => Some(self.other_fields(convoy_id)),
            12 => self.a_failed_task(convoy_id).map(|bead_id| {
                let bead_ids = vec![bead_id];
                if self.town_chance.happens(0.5) {
                    ConvoyCommand::Retry { convoy_id, bead_ids, actor }
                } else {
                    ConvoyCommand::Skip { convoy_id, bead_ids }
                }
            }),
            13 => Some(ConvoyCommand::Retry { convoy_id, bead_ids: Vec::new(), actor }),
            14 => Some(ConvoyCommand::Abort { convoy_id, reason: None, actor }),
            _ => Some(ConvoyCommand::Close { convoy_id, actor }),
        };
        if let Some(command) = command {
            self.send_soon(command);
        }
    }

    fn a_failed_task(&mut self, convoy_id: ConvoyId) -> Option<BeadId> {
        let failed = |state: TaskState| state == TaskState::Failed;
        let tasks = self.town.rows().tasks_of(convoy_id);
        let failed: Vec<BeadId> = tasks.iter().filter(|task| failed(task.state)).map(|task| task.bead_id).collect();
        self.town_chance.pick(&failed).copied()
    }

    fn other_dependencies(&mut self, tasks: &[BeadId]) -> Option<ConvoyCommand> {
        let bead_id = *self.town_chance.pick(tasks)?;
        let wanted = self.town_chance.between(0, 2);
        let depends_on = (0..wanted).filter_map(|_| self.town_chance.pick(tasks).copied()).collect();
        Some(ConvoyCommand::SetDependencies { bead_id, depends_on })
    }

    fn other_fields(&mut self, convoy_id: ConvoyId) -> ConvoyCommand {
        let chance = &mut self.town_chance;
        let mut patch = ConvoyPatch::default();
        match chance.between(0, 4) {
            0 => patch.title = Some("Another convoy".to_owned()),
            1 => patch.merge_mode = Some(ConvoyMergeMode::ReviewAndMerge),
            2 => patch.merge_mode = Some(ConvoyMergeMode::ReviewThenLand),
            3 => patch.feature_branch = Some(format!("convoy/other-{}/head", convoy_id.digits(4))),
            _ => patch.budget_micros = Some(chance.happens(0.7).then(|| chance.between(50_000, 4_000_000))),
        }
        ConvoyCommand::Update { convoy_id, patch }
    }

    /// Somebody decides what a convoy asks.
    fn answer_convoy(&mut self) {
        let asking: Vec<Convoy> =
            self.town.rows().live_convoys().filter(|convoy| !convoy.attention.is_empty()).cloned().collect();
        let Some(convoy) = self.town_chance.pick(&asking).cloned() else { return self.start_staged() };
        let Some(cause) = self.town_chance.pick(&convoy.attention).cloned() else { return };
        let Some(command) = self.answer_to(&convoy, &cause) else { return };
        self.send_soon(command);
    }

    fn answer_to(&mut self, convoy: &Convoy, cause: &Attention) -> Option<ConvoyCommand> {
        let (convoy_id, actor) = (convoy.convoy_id, "ann".to_owned());
        let choice = self.town_chance.pick(&cause.choices)?.clone();
        if choice == "abort" && self.town_chance.happens(0.6) {
            return None;
        }
        let bead_ids: Vec<BeadId> =
            if self.town_chance.happens(0.5) { cause.bead_id.into_iter().collect() } else { Vec::new() };
        Some(match choice.as_str() {
            "retry" => ConvoyCommand::Retry { convoy_id, bead_ids, actor },
            "skip" => ConvoyCommand::Skip { convoy_id, bead_ids },
            "abort" => ConvoyCommand::Abort { convoy_id, reason: Some("It takes too long.".to_owned()), actor },
            "close" => ConvoyCommand::Close { convoy_id, actor },
            "raise_budget" => {
                let micros = self.town.rows().spent_by_convoy(convoy_id).cost_micros + 10_000_000;
                let patch = ConvoyPatch { budget_micros: Some(Some(micros)), ..ConvoyPatch::default() };
                ConvoyCommand::Update { convoy_id, patch }
            }
            _ => {
                let code: AttentionCode = cause.code;
                self.violated(format!("the convoy {convoy_id} offers {choice} for {code}, which nobody can do"));
                return None;
            }
        })
    }

    fn start_staged(&mut self) {
        let staged: Vec<ConvoyId> = self
            .town
            .rows()
            .live_convoys()
            .filter(|convoy| convoy.state == ConvoyState::Staged)
            .map(|convoy| convoy.convoy_id)
            .collect();
        if let Some(&convoy_id) = self.town_chance.pick(&staged)
            && self.town_chance.happens(0.5)
        {
            self.send_soon(ConvoyCommand::Start(convoy_id));
        }
    }

    /// Somebody has an opinion about a landing.
    fn judge_landing(&mut self) {
        let mut landings: Vec<(RigNo, BeadId)> = Vec::new();
        for (rig, state) in self.rigs.iter().enumerate().filter_map(|(rig, object)| Some((rig, object.rows()?))) {
            let live = state.reviews.values().filter(|review| review.kind == ReviewKind::Landing && review.is_live());
            landings.extend(live.map(|review| (rig, review.bead_id)));
        }
        let Some(&(rig, bead_id)) = self.town_chance.pick(&landings) else { return };
        let is_parked = self.rigs[rig].rows().and_then(|state| state.live_bead(bead_id)).is_some_and(|bead| {
            debug_assert_eq!(bead.kind, BeadType::MergeRequest, "a landing is a review");
            bead.parked.is_some()
        });
        if self.is_healed && !is_parked {
            return;
        }
        let verdicts = [Verdict::Approve, Verdict::RequestChanges, Verdict::Reject, Verdict::Reject];
        let verdict = self.town_chance.pick(&verdicts).copied().unwrap_or(Verdict::Approve);
        let (feedback, actor) = (Some("A person says so.".to_owned()), "ann".to_owned());
        let command = match self.town_chance.between(0, 5) {
            0 if !self.is_healed => rig::Command::DeleteBead { bead_id, actor },
            1 if !self.is_healed => rig::Command::CloseBead { bead_id, actor },
            2 | 3 => rig::Command::ResumeReview { review_id: bead_id, note: None, actor },
            _ => rig::Command::PersonJudges { review_id: bead_id, verdict, feedback, actor },
        };
        self.rig_handles(rig, "a word about a landing", command);
    }
}

const fn label(command: &ConvoyCommand) -> &'static str {
    match command {
        ConvoyCommand::Create(_) => "a convoy is planned",
        ConvoyCommand::Start(_) => "a convoy is started",
        ConvoyCommand::AddTask { .. } => "a task is added",
        ConvoyCommand::AddBead { .. } => "a bead joins",
        ConvoyCommand::RemoveTask { .. } => "a task is taken out",
        ConvoyCommand::SetDependencies { .. } => "tasks depend on others",
        ConvoyCommand::Update { .. } => "a convoy is changed",
        ConvoyCommand::Retry { .. } => "a convoy is retried",
        ConvoyCommand::Skip { .. } => "tasks are skipped",
        ConvoyCommand::Abort { .. } => "a convoy is aborted",
        ConvoyCommand::Close { .. } => "a convoy is closed",
    }
}
