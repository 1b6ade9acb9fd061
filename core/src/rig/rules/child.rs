//! R18: findings become work. Requested changes get one child on the same branch, until the rounds are used up; then a
//! person decides. In comments mode the findings are posted on the pull request, and answered there.

use crate::limits::{FORGE_REPEAT, REVIEW_ROUNDS};
use crate::rig::bead::{self, PR_CONFLICT, PR_FEEDBACK, REVIEW_CHOICES, REWORK};
use crate::rig::plan::{Effect, Plan, Write};
use crate::rig::pr;
use crate::rig::review::{self, Review, ReviewState, Round};
use crate::rig::wait::{Wait, WaitCode};

pub(crate) fn run(plan: &mut Plan) {
    post_findings(plan);
    let waiting: Vec<Review> = plan
        .state()
        .reviews
        .values()
        .filter(|review| review.is_live() && review.state == ReviewState::ChangesRequested)
        .cloned()
        .collect();
    for review in waiting {
        if plan.state().is_parked(review.bead_id) {
            continue;
        }
        let Some(settings) = plan.state().rig.settings.as_ref() else { continue };
        let (rounds_max, answers_comments) =
            (settings.config.max_review_rounds, settings.config.auto_resolve_pr_feedback);
        let is_on_pr = pr::is_in_comments_mode(plan, &review) && pr::open_watch(plan, review.bead_id).is_some();
        if is_on_pr && !answers_comments && !is_asked_by_person(&review) {
            let message = "Changes were requested on its pull request; a person has to make them.";
            let wait = Wait::new(review.bead_id, WaitCode::WaitingHuman, message, plan.now());
            super::merge::say(plan, &review, wait);
        } else if review.round >= rounds_max {
            let message = format!("Changes were requested {} times.", review.round + 1);
            bead::park(plan, review.bead_id, "review_rounds", &message, REVIEW_CHOICES);
        } else {
            make(plan, &review, if is_on_pr { PR_FEEDBACK } else { REWORK });
        }
    }
}

/// Findings that are not on the pull request yet; an order without an answer is given again.
fn post_findings(plan: &mut Plan) {
    let now = plan.now();
    let due: Vec<Round> =
        plan.state().rounds.values().filter(|r| r.post_due.is_some_and(|due| due <= now)).cloned().collect();
    for round in due {
        let (review_id, n) = (round.review_id, round.n);
        plan.write(Write::Round(Round { post_due: Some(now + FORGE_REPEAT), ..round }));
        plan.effect(Effect::PostReview { review_id, round: n });
    }
}

fn is_asked_by_person(review: &Review) -> bool {
    !matches!(review.verdict_by.as_deref(), None | Some("refinery" | "gates" | "policy"))
}

fn make(plan: &mut Plan, review: &Review, label: &str) {
    let newest = plan.state().rounds.range((review.bead_id, 0)..=(review.bead_id, u32::MAX)).next_back();
    let Some(round) = newest.map(|(_, round)| round.clone()) else { return };
    let source = review.source_id.and_then(|id| plan.state().beads.get(&id)).map(|bead| bead.title.clone());
    let title = format!("Rework: {}", source.unwrap_or_else(|| review.branch.clone()));
    plan.update_review(review.bead_id, |review| review.round += 1);
    let mut body = round.text();
    if !round.files().is_empty() {
        body = format!("{body}\n\nFiles: {}", round.files().join(", "));
    }
    let child_id = review::make_child(plan, review.bead_id, label, title, body);
    plan.write(Write::Round(Round { child_id, ..round }));
}

/// A conflict with the target becomes a child that merges the target into the branch (domain.md 7.4); at the cap of
/// rounds a person decides.
pub(crate) fn answer_conflict(plan: &mut Plan, review: &Review, files: &[String]) {
    let settings = plan.state().rig.settings.as_ref();
    let rounds_max = settings.map_or(REVIEW_ROUNDS, |settings| settings.config.max_feedback_rounds);
    let list = if files.is_empty() { String::new() } else { format!(" Files in conflict: {}", files.join(", ")) };
    if review.feedback_round >= rounds_max {
        let message = format!("The branch conflicts with {} again after {rounds_max} rounds.{list}", review.target);
        return bead::park(plan, review.bead_id, "feedback_rounds", &message, REVIEW_CHOICES);
    }
    plan.update_review(review.bead_id, |review| review.feedback_round += 1);
    let title = format!("Resolve the conflict of {} with {}", review.branch, review.target);
    let body = format!("Merge origin/{} into {}.{list}", review.target, review.branch);
    if let Some(child_id) = review::make_child(plan, review.bead_id, PR_CONFLICT, title, body) {
        plan.update_bead(child_id, |child| drop(child.metadata.insert("files".to_owned(), serde_json::json!(files))));
    }
}
