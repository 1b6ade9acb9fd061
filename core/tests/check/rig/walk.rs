//! Random walks over the commands of the scenarios.

use gastown_core::rig::assignment::Phase;

use gastown_core::rig::pr::{PrSub, Watch, WatchState};
use gastown_core::rig::review::{MergeStrategy, Review, ReviewState};
use gastown_core::session::JobKind;

use super::{Player, agent_name};

/// Walks a rig through random steps, all of them checked, then lets it work without faults until nothing is left to do
/// but what a person must decide. Returns the steps, so that a failing walk can be read.
pub(crate) fn walk(seed: u64, steps: usize) -> Vec<String> {
    let mut player = Player::new();
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut taken = Vec::new();
    if seed % 2 == 1 {
        for setting in ["config strategy pr", "config delay 0", "config mode comments"].iter().take(2 + dice.below(2)) {
            player.run(setting);
            taken.push((*setting).to_owned());
        }
    }
    for _ in 0..steps {
        if let Some(step) = player.random_step(&mut dice) {
            println!("> {step}");
            taken.push(step.clone());
            let told = player.run(&step);
            taken.extend(told.into_iter().map(|told| format!("    {told}")));
        }
    }
    player.finish_all(&mut taken);
    taken
}

/// A small generator: the walks shall be the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % n
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        if list.is_empty() { None } else { Some(&list[self.below(list.len())]) }
    }
}

/// Steps about a session; the word after it is an agent's name.
const SESSION_STEPS: [&str; 24] = [
    "accept A",
    "accept A",
    "ready A",
    "ready A",
    "ready A",
    "beat A",
    "done A",
    "done A",
    "done A",
    "over A completed",
    "over A crashed",
    "over A evicted",
    "start-failed A boot_timeout",
    "refuse A capacity",
    "gone A",
    "alive A",
    "mail A hint",
    "nudge A hurry",
    "nudge A hurry mode immediate urgent",
    "nudge A later mode queue",
    "check A",
    "beat A idle",
    "beat A silent",
    "took A any",
];
const RARE_STEPS: [&str; 12] = [
    "town paused",
    "town resumed",
    "town draining",
    "town drained",
    "town instance 2",
    "town instance 3",
    "slots 1",
    "slots 10",
    "config cap 1",
    "config cap 3",
    "start-failed A no_credentials final",
    "config",
];

/// What people do by hand; the word `B` is a bead, `A` an agent.
const HAND_STEPS: [&str; 14] = [
    "claim B",
    "claim B by bob",
    "submit B branch by-hand",
    "update B status open",
    "update B priority critical",
    "update B without gt:held",
    "delete B",
    "hook A B",
    "hook A B",
    "unhook A",
    "reassign B A",
    "reset A",
    "stop A",
    "remove A",
];

/// What a forge says of a review's pull request.
const FORGE_STEPS: [&str; 18] = [
    "opened",
    "opened 8",
    "opened",
    "poll",
    "poll",
    "poll checks pending",
    "poll checks red says words",
    "poll threads 1",
    "poll mergeable conflict",
    "poll mergeable unknown",
    "poll head d00d",
    "poll approval required",
    "poll state closed",
    "merged",
    "refused",
    "failed open transient",
    "failed poll permanent",
    "failed merge bad_shape",
];

impl Player {
    fn random_step(&mut self, dice: &mut Dice) -> Option<String> {
        let agents = self.live_agents();
        let state = self.state.as_ref().unwrap();
        let has_job = state.jobs.values().any(|job| job.ended_at.is_none());
        let beads: Vec<String> = self.beads.values().filter(|name| name.starts_with('b')).cloned().collect();
        let known: Vec<String> = state.agents.values().map(|agent| agent.name.clone()).collect();
        Some(match dice.below(28) {
            24..=26 => self.random_forge_step(dice)?,
            27 => {
                let reviews: Vec<String> = self.beads.values().filter(|name| name.starts_with("mr")).cloned().collect();
                let steps =
                    ["resume R", "judge R approve", "judge R request_changes words", "judge R reject", "dismiss R"];
                dice.pick(&steps)?.replace('R', dice.pick(&reviews)?)
            }
            0 | 1 if beads.len() < 30 => {
                let mut step = format!("create b{}", beads.len() + 1);
                if dice.below(3) == 0 {
                    step += &format!(" after {}", dice.pick(&beads)?);
                }
                if dice.below(6) == 0 {
                    step += " label gt:held";
                }
                step
            }
            2 => format!("close {}", dice.pick(&beads)?),
            3 => format!("retry {}", dice.pick(&beads)?),
            4 => format!("fail {}", dice.pick(&beads)?),
            5 | 6 => format!("wait {}s", [1, 5, 31, 91, 600][dice.below(5)]),
            7 if has_job => self.random_job_step(dice),
            8 | 9 if agents.contains(&"refinery".to_owned()) => {
                let verdict = ["approve", "approve", "request_changes", "reject"][dice.below(4)];
                format!("verdict {verdict} feedback words")
            }
            20 | 21 => dice
                .pick(&HAND_STEPS)?
                .replace(" B", &format!(" {}", dice.pick(&beads)?))
                .replace(" A", &format!(" {}", dice.pick(&known)?)),
            10 => dice.pick(&RARE_STEPS)?.replace(" A", &format!(" {}", dice.pick(&agents)?)),
            _ => dice.pick(&SESSION_STEPS)?.replace(" A", &format!(" {}", dice.pick(&agents)?)),
        })
    }

    fn random_job_step(&self, dice: &mut Dice) -> String {
        let is_merge = self.live_job().kind == JobKind::Merge;
        let merges = ["merged", "merged", "conflict", "gates_red", "target_red", "target_moved", "no_commit", "error"];
        let gates = ["green", "green", "red", "error", "no_commit", "target_red", "conflict"];
        if is_merge {
            format!("merge {}", merges[dice.below(merges.len())])
        } else {
            format!("gates {} beef", gates[dice.below(gates.len())])
        }
    }

    /// An answer of the forge that some review with a pull request may or may not wait for.
    fn random_forge_step(&self, dice: &mut Dice) -> Option<String> {
        let reviews = &self.state.as_ref().unwrap().reviews;
        let shown = reviews.values().filter(|review| review.strategy == MergeStrategy::Pr);
        let names: Vec<String> = shown.map(|review| self.name(review.bead_id)).collect();
        Some(format!("pr {} {}", dice.pick(&names)?, dice.pick(&FORGE_STEPS)?))
    }

    /// What the forge of a calm world says next: about pull requests that are to be opened, looked at, or merged.
    fn calm_forge_step(&self) -> Option<String> {
        let state = self.state.as_ref().unwrap();
        let is_parked = |review: &Review| state.beads[&review.bead_id].parked.is_some();
        let shown = |review: &&Review| review.strategy == MergeStrategy::Pr && !is_parked(review);
        state.reviews.values().filter(shown).find_map(|review| {
            let watch = state.watches.get(&review.bead_id);
            let name = self.name(review.bead_id);
            let is_open = watch.is_some_and(Watch::is_open);
            let is_whole = watch.is_some_and(|watch| watch.state == WatchState::Open);
            match review.state {
                ReviewState::Merging if review.forge_due.is_some() => Some(format!("pr {name} merged")),
                ReviewState::PrOpen if !review.awaits_child() && !is_whole => Some(format!("pr {name} poll")),
                ReviewState::PrOpen if review.sub == Some(PrSub::NeedsHuman) => Some(format!("pr {name} poll")),
                ReviewState::PrOpen
                    if watch.is_some_and(|watch| watch.green_since.is_none()) && !review.awaits_child() =>
                {
                    Some(format!("pr {name} poll"))
                }
                ReviewState::Approved | ReviewState::Queued if review.forge_due.is_some() && !is_open => {
                    Some(format!("pr {name} opened {}", self.seed))
                }
                ReviewState::Queued
                | ReviewState::Reviewing
                | ReviewState::ChangesRequested
                | ReviewState::Reworking
                | ReviewState::Approved
                | ReviewState::Merging
                | ReviewState::PrOpen
                | ReviewState::Merged
                | ReviewState::Rejected => None,
            }
        })
    }

    fn live_agents(&self) -> Vec<String> {
        let state = self.state.as_ref().unwrap();
        let mut names: Vec<String> = state.live_assignments().map(|a| agent_name(state, state, a)).collect();
        names.sort();
        names
    }

    /// Lets everything succeed: what is live afterwards waits for a person, or for a bead that does.
    fn finish_all(&mut self, taken: &mut Vec<String>) {
        let mut step = |player: &mut Self, step: String| {
            taken.push(step.clone());
            taken.extend(player.run(&step).into_iter().map(|told| format!("    {told}")));
        };
        for calm in ["town resumed", "town drained", "slots 10", "config"] {
            step(self, calm.to_owned());
        }
        for _ in 0..300 {
            if self.state.as_ref().unwrap().jobs.values().any(|job| job.ended_at.is_none()) {
                let is_merge = self.live_job().kind == JobKind::Merge;
                step(self, if is_merge { "merge merged".to_owned() } else { "gates green beef".to_owned() });
            } else if let Some(agent) = self.live_agents().first().cloned() {
                let state = self.state.as_ref().unwrap();
                let live = state.live_assignments().find(|a| agent_name(state, state, a) == agent).unwrap();
                match (live.phase, agent.as_str()) {
                    (Phase::Queued, _) => step(self, "wait 601s".to_owned()),
                    (Phase::Starting, _) => step(self, format!("ready {agent}")),
                    (Phase::Finishing, _) => step(self, format!("over {agent} stopped")),
                    (Phase::Running, "refinery") => step(self, "verdict approve".to_owned()),
                    (Phase::Running, _) => step(self, format!("done {agent}")),
                    (Phase::Ended, _) => unreachable!("live"),
                }
            } else if let Some(answer) = self.calm_forge_step() {
                step(self, answer);
            } else if self.waits_for_time() {
                step(self, "wait 601s".to_owned());
            } else {
                break;
            }
        }
        let waits = &self.state.as_ref().unwrap().waits;
        let stuck: Vec<_> = waits
            .values()
            .filter(|wait| !matches!(wait.code.as_str(), "held" | "needs_decision" | "blocked" | "waiting_human"))
            .collect();
        assert!(stuck.is_empty(), "{stuck:#?}\n{}", taken.join("\n"));
    }

    fn waits_for_time(&self) -> bool {
        self.state.as_ref().unwrap().waits.values().any(|wait| wait.until.is_some())
    }
}
