//! R18: findings become work. Requested changes get one child on the same branch, until the rounds are used up; then a
//! person decides.

use crate::rig::bead::{self, REWORK};
use crate::rig::event::REVIEW_CHOICES;
use crate::rig::plan::{Plan, Write};
use crate::rig::review::{self, Finding, Review, ReviewState, Round};

pub(crate) fn run(plan: &mut Plan) {
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
        let Some(rounds_max) = plan.state().rig.settings.as_ref().map(|s| s.config.max_review_rounds) else { continue };
        if review.round >= rounds_max {
            let message = format!("Changes were requested {} times.", review.round + 1);
            bead::park(plan, review.bead_id, "review_rounds", &message, REVIEW_CHOICES);
        } else {
            make(plan, &review);
        }
    }
}

fn make(plan: &mut Plan, review: &Review) {
    let newest = plan.state().rounds.range((review.bead_id, 0)..=(review.bead_id, u32::MAX)).next_back();
    let Some(round) = newest.map(|(_, round)| round.clone()) else { return };
    let source = review.source_id.and_then(|id| plan.state().beads.get(&id)).map(|bead| bead.title.clone());
    let title = format!("Rework: {}", source.unwrap_or_else(|| review.branch.clone()));
    plan.update_review(review.bead_id, |review| review.round += 1);
    let child_id = review::make_child(plan, review.bead_id, REWORK, title, body(&round));
    plan.write(Write::Round(Round { child_id, ..round }));
}

/// The findings of a round as the child's task.
fn body(round: &Round) -> String {
    let mut lines = vec![round.summary.clone()];
    lines.extend(round.findings.iter().filter(|finding| finding.message != round.summary).map(line));
    let files: Vec<&str> = round.findings.iter().filter_map(|finding| finding.file.as_deref()).collect();
    if !files.is_empty() {
        lines.push(format!("Files: {}", files.join(", ")));
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n\n")
}

fn line(finding: &Finding) -> String {
    match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!("{file}:{line}: {}", finding.message),
        (Some(file), None) => format!("{file}: {}", finding.message),
        (None, _) => finding.message.clone(),
    }
}
