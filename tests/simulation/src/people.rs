//! People and the mayor's tools: they sling work, change their minds, change settings, judge and retry. What they do is
//! drawn when they do it, from what is there then.

use std::collections::BTreeSet;
use std::time::Duration;

use gastown_core::config::{MergeStrategy, ReviewMode, TownConfig};
use gastown_core::id::{AgentId, BeadId, MessageId, RigId};
use gastown_core::protocol::Priority;
use gastown_core::rig::agent::AgentRole;
use gastown_core::rig::bead::{BeadStatus, HELD, PR_FIXUP};
use gastown_core::rig::command::{BeadPatch, NewBead, Submit};
use gastown_core::rig::review::Verdict;
use gastown_core::rig::{self, Refusal};
use gastown_core::sorted::SortedSet;
use gastown_core::time::Timestamp;
use gastown_core::town;
use gastown_core::town::command::NewRig;
use gastown_core::town::state::{MessageSource, Pause};

use crate::budgets::BudgetDeed;
use crate::chance::Chance;
use crate::convoys::ConvoyDeed;
use crate::faults::Fault;
use crate::happening::{Happening, RigNo};
use crate::world::World;

/// What somebody does.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// New work in a rig.
    Sling { rig: RigNo, bead_id: BeadId },
    /// Something about work that is there.
    Meddle,
    /// Other settings.
    Configure,
    /// The town is paused, or goes on.
    Pause(bool),
    /// A word to the mayor.
    Write,
    /// The mayor shall begin anew.
    RestartMayor,
    /// An escalation was seen.
    Acknowledge,
    /// What kept starts from succeeding is said to be mended.
    ResetBreaker,
    /// Something about convoys.
    Convoy(ConvoyDeed),
    /// Something at a forge.
    AtForge,
    /// A word to an agent.
    Tell,
    /// This work belongs to another rig.
    Move(BeadId),
    /// Something about money.
    Budget(BudgetDeed),
    /// An escalation is answered.
    Reply,
    /// A repository is disconnected.
    RemoveRig,
}

/// What people know.
#[derive(Default)]
pub(crate) struct People {
    /// Work that was slung, in order.
    pub(crate) beads: Vec<(RigNo, BeadId)>,
    /// Settings as they were last set.
    pub(crate) config: TownConfig,
    /// Until then people come back and answer what waits for them.
    pub(crate) answers_until: Option<Timestamp>,
    /// Work that somebody deleted.
    pub(crate) deleted: BTreeSet<BeadId>,
    /// Whether somebody closed an escalation by hand.
    pub(crate) has_acknowledged: bool,
}

/// The span in which people act, and after which everything heals.
pub(crate) const ACTIVE: Duration = Duration::from_secs(40 * 60);

impl World {
    /// Connects the rigs and plans the people's day.
    pub(crate) fn people_arrive(&mut self, beads: u32) {
        self.people.config = first_settings(&mut self.people_chance);
        self.configure_again(false);
        for rig in 0..self.rigs.len() {
            let new = NewRig {
                rig_id: Some(self.rigs[rig].rig_id),
                name: format!("rig-{rig}"),
                git_url: format!("https://example.com/{rig}.git"),
                default_branch: "main".to_owned(),
                ..NewRig::default()
            };
            self.town_handles("a rig is connected", town::Command::AddRig(Box::new(new))).ok();
        }
        let active_ms = u64::try_from(ACTIVE.as_millis()).unwrap_or(u64::MAX);
        let mut deeds: Vec<(u64, Deed)> = Vec::new();
        for _ in 0..beads {
            let rig = usize::try_from(self.people_chance.bits() % 97).unwrap_or(0) % self.rigs.len();
            let bead_id = BeadId::from_u128(self.people_chance.id());
            deeds.push((self.people_chance.between(1_000, active_ms / 2), Deed::Sling { rig, bead_id }));
        }
        for _ in 0..self.times(Fault::Cancel, 12.0) {
            deeds.push((self.people_chance.between(30_000, active_ms), Deed::Meddle));
        }
        for _ in 0..self.times(Fault::Reviewers, 12.0) {
            deeds.push((self.people_chance.between(120_000, active_ms), Deed::AtForge));
        }
        for _ in 0..self.people_chance.between(0, 12) {
            deeds.push((self.people_chance.between(30_000, active_ms), Deed::Tell));
        }
        for _ in 0..self.times(Fault::Config, 4.0) {
            deeds.push((self.people_chance.between(0, active_ms), Deed::Configure));
        }
        for _ in 0..self.times(Fault::Config, 0.7) {
            let at = self.people_chance.between(0, active_ms * 3 / 4);
            deeds.push((at, Deed::Pause(true)));
            deeds.push((at + self.people_chance.between(5_000, 300_000), Deed::Pause(false)));
        }
        for _ in 0..self.people_chance.between(0, 4) {
            deeds.push((self.people_chance.between(0, active_ms), Deed::Write));
        }
        for _ in 0..self.times(Fault::Cancel, 0.5) {
            deeds.push((self.people_chance.between(0, active_ms), Deed::RestartMayor));
            deeds.push((self.people_chance.between(0, active_ms), Deed::Acknowledge));
            deeds.push((self.people_chance.between(0, active_ms), Deed::ResetBreaker));
        }
        for (at_ms, deed) in deeds {
            self.queue.add(self.now + Duration::from_millis(at_ms), Happening::PersonActs { deed });
        }
    }

    /// How often something happens in this run that usually happens so often.
    pub(crate) fn times(&mut self, fault: Fault, usual: f64) -> u64 {
        let most = self.faults.strength(fault) * usual * 2.0;
        self.people_chance.between(0, most.round() as u64)
    }

    pub(crate) fn person_acts(&mut self, deed: Deed) {
        if self.is_healed
            && !matches!(deed, Deed::Sling { .. } | Deed::Write | Deed::Convoy(_) | Deed::Budget(_) | Deed::Reply)
        {
            return;
        }
        match deed {
            Deed::Sling { rig, bead_id } => self.sling(rig, bead_id),
            Deed::Meddle => self.meddle(),
            Deed::Configure => self.configure(),
            Deed::Pause(true) => {
                let stop_running = self.people_chance.happens(0.3);
                self.town_handles("a pause", town::Command::Pause(Pause { reason: None, stop_running })).ok();
            }
            Deed::Pause(false) => drop(self.town_handles("the end of a pause", town::Command::Resume)),
            Deed::Write => {
                let command = town::Command::PostMessage {
                    message_id: MessageId::from_u128(self.people_chance.id()),
                    source: MessageSource::User,
                    source_id: Some("ann".to_owned()),
                    body: "How is it going?".to_owned(),
                    ui_context: None,
                };
                // A repeat of the request is the same message.
                for _ in 0..self.people_chance.between(1, 2) {
                    self.town_handles("a message to the mayor", command.clone()).ok();
                }
            }
            Deed::RestartMayor => drop(self.town_handles("a restart of the mayor", town::Command::RestartMayor)),
            Deed::Budget(deed) => self.acts_on_budgets(deed),
            Deed::Reply => self.reply(),
            Deed::RemoveRig => self.remove_rig(),
            Deed::Convoy(deed) => self.acts_on_convoys(deed),
            Deed::Tell => self.person_tells(),
            Deed::Move(bead_id) => self.move_on(bead_id),
            Deed::AtForge => self.person_acts_at_forge(),
            Deed::ResetBreaker => drop(self.town_handles("a reset of the breaker", town::Command::ResetBreaker)),
            Deed::Acknowledge => {
                let open: Vec<_> = self.town.rows().escalations.values().map(|open| open.escalation_id).collect();
                if let Some(&escalation_id) = self.people_chance.pick(&open) {
                    self.people.has_acknowledged = true;
                    let command = town::Command::Acknowledge { escalation_id, note: None, actor: "ann".to_owned() };
                    self.town_handles("an escalation that was seen", command).ok();
                }
            }
        }
    }

    fn sling(&mut self, rig: RigNo, bead_id: BeadId) {
        if self.rigs[rig].is_removed {
            return;
        }
        let own: Vec<BeadId> =
            self.people.beads.iter().filter(|(r, _)| *r == rig).map(|(_, bead_id)| *bead_id).collect();
        let mut depends_on: BTreeSet<BeadId> = BTreeSet::new();
        if self.people_chance.happens(0.35) {
            for _ in 0..self.people_chance.between(1, 2) {
                depends_on.extend(self.people_chance.pick(&own));
            }
        }
        let levels = [Priority::Low, Priority::Medium, Priority::Medium, Priority::High, Priority::Critical];
        let mut new = NewBead {
            bead_id: Some(bead_id),
            title: format!("b{}", self.people.beads.len() + 1),
            priority: self.people_chance.pick(&levels).copied(),
            depends_on: depends_on.into_iter().collect(),
            created_by: "ann".to_owned(),
            ..NewBead::default()
        };
        if self.people_chance.happens(0.12) {
            new.labels.insert(HELD.to_owned());
        }
        if self.people_chance.happens(0.05) {
            self.is_a_fixup(rig, &mut new);
        }
        if new.labels.contains(HELD) && self.people_chance.happens(0.6) {
            let at = self.now + self.people_chance.span(1_000, 300_000);
            self.queue.add(at, Happening::PersonActs { deed: Deed::Move(bead_id) });
        }
        let command = rig::Command::CreateBead(new);
        match self.rig_handles(rig, "a sling", command.clone()) {
            Some(Ok(_)) => {
                if !self.people.beads.contains(&(rig, bead_id)) {
                    self.people.beads.push((rig, bead_id));
                }
                if self.people_chance.happens(0.25) {
                    let (label, command) = self.steps_for(bead_id);
                    self.rig_handles(rig, label, command);
                }
                if self.people_chance.happens(self.faults.chance(Fault::Doubled, 0.05)) {
                    self.rig_handles(rig, "a sling, again", command);
                }
            }
            Some(Err(Refusal::UnknownReference(_))) => (),
            // No such rig yet: the person tries again.
            Some(Err(_)) | None => {
                let at = self.now + Duration::from_secs(10);
                self.queue.add(at, Happening::PersonActs { deed: Deed::Sling { rig, bead_id } });
            }
        }
    }

    /// Work on the branch of a pull request that is there already.
    fn is_a_fixup(&mut self, rig: RigNo, new: &mut NewBead) {
        let branch = format!("fix/{}", self.people.beads.len());
        self.remotes[rig].moves(&branch);
        new.labels.insert(PR_FIXUP.to_owned());
        new.metadata.insert("branch".to_owned(), branch.into());
        new.metadata.insert("pr_url".to_owned(), format!("https://example.com/{rig}/pull/99").into());
    }

    /// Somebody changes their mind about a bead, its review or its rework, or about an agent.
    fn meddle(&mut self) {
        let known = self.people.beads.clone();
        let Some(&(rig, bead_id)) = self.people_chance.pick(&known) else { return };
        let Some(state) = self.rigs[rig].rows() else { return };
        let review = state.review_of_source(bead_id).map(|review| review.bead_id);
        let child = review.and_then(|id| state.live_children(id).first().copied());
        let agents: Vec<AgentId> = state.agents.keys().copied().collect();
        let about = match self.people_chance.between(0, 5) {
            0 => child.or(review).unwrap_or(bead_id),
            _ => bead_id,
        };
        let own: Vec<BeadId> = known.iter().filter(|(r, _)| *r == rig).map(|(_, bead_id)| *bead_id).collect();
        let command = match self.people_chance.between(0, 3) {
            0 => self.about_agents(&agents, about),
            1 => review.map(|review_id| self.about_review(review_id)),
            _ => Some(self.about_bead(rig, about, &own)),
        };
        if let Some((label, command)) = command {
            self.does(rig, about, label, command);
        }
    }

    /// Work is handed to another rig, and may begin there.
    fn move_on(&mut self, bead_id: BeadId) {
        let Some(rig) = self.people.beads.iter().find(|known| known.1 == bead_id).map(|known| known.0) else { return };
        let to = self.rigs[(rig + 1) % self.rigs.len()].rig_id;
        let actor = "ann".to_owned();
        self.does(rig, bead_id, "a move", rig::Command::MoveBead { bead_id, to, actor: actor.clone() });
        if self.people_chance.happens(0.3) {
            // Whoever has moved it thinks that it was there all along, and is early.
            let patch = BeadPatch { remove_labels: [HELD.to_owned()].into_iter().collect(), ..BeadPatch::default() };
            self.does(rig, bead_id, "the end of a hold", rig::Command::UpdateBead { bead_id, patch, actor });
        }
    }

    /// Asks a rig for something about a bead, and remembers where it is then.
    fn does(&mut self, rig: RigNo, about: BeadId, label: &'static str, command: rig::Command) {
        let is_deletion = matches!(command, rig::Command::DeleteBead { .. });
        let to = match &command {
            rig::Command::MoveBead { to, .. } => self.rigs.iter().position(|rig| rig.rig_id == *to),
            _ => None,
        };
        let is_done = self.rig_handles(rig, label, command).is_some_and(|answer| answer.is_ok());
        if let Some(to) = to.filter(|_| is_done) {
            let known = self.people.beads.iter_mut().filter(|known| known.1 == about);
            known.for_each(|known| known.0 = to);
        }
        if is_deletion && is_done {
            self.people.deleted.insert(about);
        }
    }

    fn about_bead(&mut self, rig: RigNo, bead_id: BeadId, own: &[BeadId]) -> (&'static str, rig::Command) {
        let actor = "ann".to_owned();
        let labels = self.rigs[rig].disk.as_ref().and_then(|disk| disk.beads.get(&bead_id)).map(|bead| &bead.labels);
        let labels = labels.cloned().unwrap_or_default();
        let rigs: Vec<RigId> = self.rigs.iter().map(|rig| rig.rig_id).collect();
        let patch = |patch: BeadPatch| rig::Command::UpdateBead { bead_id, patch, actor: "ann".to_owned() };
        let chance = &mut self.people_chance;
        match chance.between(0, 17) {
            0 => ("a close", rig::Command::CloseBead { bead_id, actor }),
            1 => ("a failure by hand", rig::Command::FailBead { bead_id, reason: None, actor }),
            2 | 3 => {
                let keep_branch = chance.happens(0.6);
                ("a retry", rig::Command::RetryBead { bead_id, keep_branch, model: None, actor })
            }
            4 => ("a hold", patch(BeadPatch { labels: Some(labels_with(labels, true)), ..BeadPatch::default() })),
            5 | 6 => (
                "the end of a hold",
                patch(BeadPatch { labels: Some(labels_with(labels, false)), ..BeadPatch::default() }),
            ),
            7 => ("another priority", patch(BeadPatch { priority: Some(Priority::Critical), ..BeadPatch::default() })),
            8 => {
                let depends_on = chance.pick(own).copied().into_iter().collect();
                ("other dependencies", patch(BeadPatch { depends_on: Some(depends_on), ..BeadPatch::default() }))
            }
            9 => ("a claim", patch(BeadPatch { status: Some(BeadStatus::InProgress), ..BeadPatch::default() })),
            10 => ("the end of a claim", patch(BeadPatch { status: Some(BeadStatus::Open), ..BeadPatch::default() })),
            11 => ("a deletion", rig::Command::DeleteBead { bead_id, actor }),
            12 | 13 => {
                let to = chance.pick(&rigs).copied().unwrap_or(RigId::from_u128(0));
                ("a move", rig::Command::MoveBead { bead_id, to, actor })
            }
            14 => self.steps_for(bead_id),
            15 | 16 => {
                let branch = format!("by-hand/{}", chance.between(1, 9));
                self.remotes[rig].moves(&branch);
                let commit = self.remotes[rig].head(&branch).cloned().filter(|_| self.people_chance.happens(0.7));
                let submit = Submit { bead_id, branch, commit, summary: None, pr_url: None, agent_id: None, actor };
                ("work by hand", rig::Command::Submit(submit))
            }
            _ => ("a new title", patch(BeadPatch { title: Some("Another title".to_owned()), ..BeadPatch::default() })),
        }
    }

    fn about_review(&mut self, review_id: BeadId) -> (&'static str, rig::Command) {
        match self.people_chance.between(0, 5) {
            0 | 1 => {
                let actor = "ann".to_owned();
                return ("a review that shall go on", rig::Command::ResumeReview { review_id, note: None, actor });
            }
            2 => return ("a review that was seen", rig::Command::DismissReview { review_id }),
            _ => (),
        }
        let verdicts = [Verdict::Approve, Verdict::Approve, Verdict::RequestChanges, Verdict::Reject];
        let verdict = self.people_chance.pick(&verdicts).copied().unwrap_or(Verdict::Approve);
        let (feedback, actor) = (Some("A person says so.".to_owned()), "ann".to_owned());
        ("a person's verdict", rig::Command::PersonJudges { review_id, verdict, feedback, actor })
    }

    fn about_agents(&mut self, agents: &[AgentId], bead_id: BeadId) -> Option<(&'static str, rig::Command)> {
        let actor = "ann".to_owned();
        let agent_id = *self.people_chance.pick(agents)?;
        Some(match self.people_chance.between(0, 6) {
            0 => ("a hook", rig::Command::Hook { agent_id, bead_id, actor }),
            1 => ("an unhook", rig::Command::Unhook { agent_id, actor }),
            2 => {
                let resets = self.people_chance.happens(0.5);
                ("a stop of an agent", rig::Command::StopAgent { agent_id, resets, reason: None, actor })
            }
            3 => ("the removal of an agent", rig::Command::RemoveAgent { agent_id, actor }),
            4 => ("a wish for an agent", rig::Command::GetAgent(AgentRole::Polecat)),
            5 => ("a bead back to the queue", rig::Command::Reassign { bead_id, agent_id: None, actor }),
            _ => ("a bead for an agent", rig::Command::Reassign { bead_id, agent_id: Some(agent_id), actor }),
        })
    }

    fn configure(&mut self) {
        let mut config = self.people.config.clone();
        let chance = &mut self.people_chance;
        match chance.between(0, 13) {
            0 => config.max_polecats_per_rig = u32::try_from(chance.between(1, 4)).ok(),
            1 => config.max_sessions = u32::try_from(chance.between(1, 6)).ok(),
            2 => config.max_dispatch_attempts = u32::try_from(chance.between(1, 6)).ok(),
            3 => config.max_review_rounds = u32::try_from(chance.between(1, 3)).ok(),
            4 => {
                config.refinery.gates =
                    Some(if chance.happens(0.5) { vec!["make test".to_owned()] } else { Vec::new() })
            }
            5 => config.refinery.code_review = Some(chance.happens(0.5)),
            6 => config.refinery.auto_merge = Some(chance.happens(0.6)),
            7 => config.refinery.auto_resolve_merge_conflicts = Some(chance.happens(0.5)),
            8 => config.max_feedback_rounds = u32::try_from(chance.between(1, 3)).ok(),
            _ => settings_of_prs(&mut config, chance),
        }
        let secrets_changed = chance.happens(0.2);
        self.people.config = config;
        self.configure_again(secrets_changed);
    }

    /// Stores the settings as people want them.
    pub(crate) fn configure_again(&mut self, secrets_changed: bool) {
        let command = town::Command::SetConfig {
            config: Box::new(self.people.config.clone()),
            secrets_changed,
            changed: Vec::new(),
            actor: "ann".to_owned(),
        };
        self.town_handles("other settings", command).ok();
    }

    /// A rig goes: first the Town forgets it, then its object its rows.
    fn remove_rig(&mut self) {
        let present: Vec<RigNo> = (0..self.rigs.len()).filter(|rig| !self.rigs[*rig].is_removed).collect();
        let Some(&rig) = self.town_chance.pick(&present).filter(|_| present.len() > 1) else { return };
        let rig_id = self.rigs[rig].rig_id;
        self.people.beads.retain(|(of, _)| *of != rig);
        if self.town_handles("a rig is disconnected", town::Command::RemoveRig(rig_id)).is_ok() {
            let at = self.now + self.town_chance.span(1, 2_000);
            self.queue.add(at, Happening::RigWiped { rig });
        }
    }

    /// Somebody answers an escalation.
    fn reply(&mut self) {
        let open: Vec<_> = self.town.rows().escalations.values().map(|open| open.escalation_id).collect();
        let Some(&escalation_id) = self.town_chance.pick(&open) else { return };
        let command = town::Command::Reply {
            escalation_id,
            actor: "ann".to_owned(),
            message: "Try it the other way round.".to_owned(),
            acknowledges: self.town_chance.happens(0.4),
            retries: self.town_chance.happens(0.4),
        };
        self.people.has_acknowledged |= matches!(command, town::Command::Reply { acknowledges: true, .. });
        self.town_handles("an answer to an escalation", command).ok();
    }
}

/// What a town begins with: half of them work with pull requests.
fn first_settings(chance: &mut Chance) -> TownConfig {
    let mut config = TownConfig::default();
    if chance.happens(0.5) {
        config.merge_strategy = Some(MergeStrategy::Pr);
        config.refinery.review_mode = Some(if chance.happens(0.3) { ReviewMode::Comments } else { ReviewMode::Rework });
        config.refinery.auto_merge_delay_minutes = chance.pick(&[None, Some(0), Some(1), Some(5)]).copied().flatten();
        config.refinery.gates = chance.happens(0.4).then(|| vec!["make test".to_owned()]);
        config.refinery.code_review = Some(chance.happens(0.8));
    }
    config
}

/// Another wish about pull requests.
fn settings_of_prs(config: &mut TownConfig, chance: &mut Chance) {
    let refinery = &mut config.refinery;
    match chance.between(0, 4) {
        0 => {
            let strategies = [MergeStrategy::Direct, MergeStrategy::Pr, MergeStrategy::Pr];
            config.merge_strategy = chance.pick(&strategies).copied();
        }
        1 => refinery.auto_merge_delay_minutes = chance.pick(&[None, Some(0), Some(2), Some(10)]).copied().flatten(),
        2 => refinery.auto_resolve_pr_feedback = Some(chance.happens(0.5)),
        3 => refinery.review_mode = chance.pick(&[ReviewMode::Rework, ReviewMode::Comments]).copied(),
        _ => refinery.auto_merge = Some(chance.happens(0.7)),
    }
}

/// The labels of a bead with or without a hold, as a client sends them.
fn labels_with(mut labels: SortedSet<String>, is_held: bool) -> SortedSet<String> {
    labels.retain(|label| label != HELD);
    labels.extend(is_held.then(|| HELD.to_owned()));
    labels
}
