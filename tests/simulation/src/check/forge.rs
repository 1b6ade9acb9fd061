//! What must hold about pull requests (domain.md 7.5, 7.6; 10, 11, 22 and 23 of domain.md 12).

use std::time::Duration;

use gastown_core::id::BeadId;
use gastown_core::rig::plan::Planned;
use gastown_core::rig::pr::{self, PrSub, WatchState};
use gastown_core::rig::review::{GateRunResult, MergeStrategy, Review, ReviewState, Verdict};
use gastown_core::rig::{Effect, State, Write};

use crate::happening::RigNo;
use crate::world::World;

/// Every order to the forge has its mark and its reason; a merge begins only when it is due.
pub(super) fn orders(world: &World, rig: RigNo, planned: &Planned, breaches: &mut Vec<String>) {
    let state = &planned.state;
    for effect in &planned.effects {
        let is_right = match effect {
            Effect::OpenPr(id) => state.reviews.get(id).is_some_and(|review| opens_rightly(world, state, review)),
            Effect::MergePr(id) => state.reviews.get(id).is_some_and(|review| merges_rightly(world, state, review)),
            Effect::PollPr(id) => {
                state.watches.get(id).is_some_and(|watch| watch.is_open() && watch.poll_at > world.now)
            }
            Effect::PostReview { review_id, round } => {
                let round = state.rounds.get(&(*review_id, *round));
                round.is_some_and(|round| round.post_due.is_some_and(|due| due > world.now))
            }
            _ => true,
        };
        if !is_right {
            breaches.push(format!("22: the forge is asked without a reason or a mark: {effect:?}"));
        }
    }
    let Some(disk) = &world.rigs[rig].disk else { return };
    for (_, write) in &planned.writes {
        let Write::Review(row) = write else { continue };
        let old = disk.live.reviews.get(&row.bead_id);
        if row.state == ReviewState::Merging && old.is_some_and(|old| old.state == ReviewState::PrOpen) {
            was_green_long_enough(world, state, old, row.bead_id, breaches);
        }
    }
}

fn is_held_up(state: &State, review: &Review) -> bool {
    let is_parked = state.live_bead(review.bead_id).is_none_or(|bead| bead.parked.is_some());
    is_parked || state.rig.town.draining || state.rig.town.paused
}

fn opens_rightly(world: &World, state: &State, review: &Review) -> bool {
    review.is_live()
        && review.strategy == MergeStrategy::Pr
        && matches!(review.state, ReviewState::Approved | ReviewState::Queued)
        && review.forge_due.is_some_and(|due| due > world.now)
        && !is_held_up(state, review)
        && !state.watches.get(&review.bead_id).is_some_and(|watch| watch.is_open())
}

/// 10: what the forge merges was approved at exactly that commit, has no child, and its trial merge was green.
fn merges_rightly(world: &World, state: &State, review: &Review) -> bool {
    let trial = state
        .gate_runs
        .values()
        .filter(|run| run.review_id == review.bead_id && run.onto.is_some())
        .max_by_key(|run| run.created_at);
    let was_tried = trial.is_some_and(|run| run.result == GateRunResult::Green && run.commit_id == review.head_commit);
    let is_ours = state.watches.get(&review.bead_id).is_some_and(|watch| {
        watch.is_open() && pr::repository(&state.rig.git_url).is_some_and(|(_, repo)| repo == watch.repo)
    });
    review.state == ReviewState::Merging
        && review.verdict == Some(Verdict::Approve)
        && review.head_commit == review.reviewed_commit
        && review.forge_due.is_some_and(|due| due > world.now)
        && state.live_children(review.bead_id).is_empty()
        && !is_held_up(state, review)
        && was_tried
        && is_ours
}

/// S76: the timer ran without a break, and no bad news came while it did.
fn was_green_long_enough(
    world: &World,
    state: &State,
    old: Option<&Review>,
    review_id: BeadId,
    breaches: &mut Vec<String>,
) {
    let minutes = state.rig.settings.as_ref().and_then(|settings| settings.config.auto_merge_delay_minutes);
    let since = state.watches.get(&review_id).and_then(|watch| watch.green_since);
    let (Some(minutes), Some(since)) = (minutes, since) else {
        return breaches.push(format!("10: review {review_id} is merging, but its timer does not run"));
    };
    let is_young = since + Duration::from_secs(u64::from(minutes) * 60) > world.now;
    let is_broken = world.bad_news.get(&review_id).is_some_and(|at| *at > since);
    let was_fixing = old.is_some_and(|old| old.sub == Some(PrSub::Fixing));
    if is_young || is_broken || was_fixing {
        breaches.push(format!("10: review {review_id} is merging, but was not green for {minutes} minutes"));
    }
}

/// 23: people are called about what is so, and about nothing else.
pub(super) fn at_rest(world: &World, sentences: &mut Vec<String>) {
    let open = &world.town.rows().escalations;
    let states: Vec<&State> = world.rigs.iter().filter_map(|rig| rig.rows()).collect();
    for state in &states {
        for watch in state.watches.values().filter(|watch| watch.state == WatchState::Degraded) {
            let key = format!("pr_degraded:{}", watch.review_id);
            let calls = open.values().filter(|open| open.dedup_key == key).count();
            if calls != 1 && !world.people.has_acknowledged {
                sentences.push(format!("23: the degraded watch of {} has {calls} escalations", watch.review_id));
            }
        }
    }
    for call in open.values() {
        let Some((prefix, bead_id)) = call.dedup_key.split_once(':') else { continue };
        let Ok(bead_id) = bead_id.parse::<BeadId>() else { continue };
        let is_so = match prefix {
            "pr_degraded" => states
                .iter()
                .any(|state| state.watches.get(&bead_id).is_some_and(|watch| watch.state == WatchState::Degraded)),
            "merge_conflict" => states.iter().any(|state| {
                let is_asked = state.reviews.get(&bead_id).is_some_and(|r| r.sub == Some(PrSub::NeedsHuman));
                is_asked && state.watches.get(&bead_id).is_some_and(|watch| watch.is_in_conflict_episode())
            }),
            "bead" => {
                let disks = world.rigs.iter().filter_map(|rig| rig.disk.as_ref());
                let mut rows = disks.filter_map(|disk| disk.beads.get(&bead_id));
                rows.any(|bead| bead.parked.is_some() || bead.failure.is_some())
            }
            _ => true,
        };
        if !is_so {
            sentences.push(format!("23: people are called about {bead_id} ({}), but nothing is wrong", call.code));
        }
    }
}
