//! Commands that end work or judge it: `done`, verdicts of the refinery and of people (domain.md 5.3, 7.2).

use serde_json::json;

use super::{Applied, Refusal, live_bead, stale};
use crate::id::BeadId;
use crate::rig::assignment::{self, Assignment, AssignmentOutcome, End, Pending, Phase};
use crate::rig::bead::{self, Bead, BeadOutcome, BeadStatus};
use crate::rig::event::{SessionKey, live};
use crate::rig::plan::{EventRow, Plan};
use crate::rig::pr::{self, PrSub, WatchState};
use crate::rig::review::{self, Finding, GateRunResult, Judgement, MergeStrategy, Review, ReviewState, Verdict};
use crate::session::{Kind, Role};

/// Paths that a bead remembers, over all its sessions.
const FILES_MAX: usize = 200;

/// `done` of an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// Its session.
    pub session: SessionKey,
    /// The branch it worked on.
    pub branch: String,
    /// The pushed commit that the runtime verified on the remote.
    pub commit: Option<String>,
    /// For the reviewer.
    pub summary: Option<String>,
    /// Changed paths.
    pub files: Vec<String>,
    /// A pull request that the agent opened.
    pub pr_url: Option<String>,
}

/// A verdict of the refinery.
#[derive(Debug, Clone, PartialEq)]
pub struct Judge {
    /// Its session.
    pub session: SessionKey,
    /// Judgement.
    pub verdict: Verdict,
    /// In short.
    pub summary: Option<String>,
    /// In detail; required unless it approves.
    pub feedback: Option<String>,
    /// Files that the feedback is about.
    pub files: Vec<String>,
    /// The commit that was judged; the one that the session was started with when absent.
    pub commit: Option<String>,
}

/// `done` (domain.md 5.3): applied in the request, so that the review exists when the answer is sent.
pub(super) fn apply_done(plan: &mut Plan, done: Done) -> Result<Applied, Refusal> {
    let assignment = match live(plan, done.session) {
        Some(assignment) => assignment,
        None => return repeat_of_done(plan, done.session),
    };
    if assignment.kind.role() == Role::Refinery {
        return Err(Refusal::VerdictRequired);
    }
    check_still_counts(&assignment)?;
    if assignment.branch.as_deref().is_some_and(|branch| branch != done.branch) {
        let own = assignment.branch.unwrap_or_default();
        return Err(Refusal::IllegalTransition(format!("this assignment works on {own}, not on {}", done.branch)));
    }
    let source = live_bead(plan, assignment.bead_id)?;
    let id = assignment.assignment_id;
    plan.update_assignment(id, |assignment| {
        assignment.summary.clone_from(&done.summary);
        assignment.head_commit = done.commit.clone().or(assignment.head_commit.take());
    });
    plan.update_bead(source.bead_id, |bead| bead.head_commit = done.commit.clone().or(bead.head_commit.take()));
    assignment::end(
        plan,
        id,
        End::new(AssignmentOutcome::Done, "done", "the agent reported it done").session_is_over(),
    );
    match assignment.kind {
        Kind::Work => submit(plan, &source, &assignment, done),
        Kind::Rework | Kind::Conflict | Kind::Feedback | Kind::Fixup | Kind::Triage => {
            plan.update_bead(source.root_id, |bead| merge_files(bead, &done.files));
            bead::close(plan, source.bead_id, BeadOutcome::Done, &assignment.agent_id.to_string());
        }
        Kind::Review | Kind::Landing | Kind::Mayor => (),
    }
    Ok(Applied::Done(id))
}

/// The bead remembers every path that its branch changed.
fn merge_files(bead: &mut Bead, files: &[String]) {
    if files.is_empty() {
        return;
    }
    let known = bead.metadata.get("files").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    let mut all: Vec<String> = known.iter().filter_map(|file| file.as_str()).map(str::to_owned).collect();
    all.extend(files.iter().filter(|file| !known.iter().any(|known| known.as_str() == Some(file))).cloned());
    all.truncate(FILES_MAX);
    bead.metadata.insert("files".to_owned(), json!(all));
}

/// Work that needs review: the source waits, the review exists.
fn submit(plan: &mut Plan, source: &Bead, assignment: &Assignment, done: Done) {
    let actor = assignment.agent_id.to_string();
    plan.update_bead(source.bead_id, |bead| {
        bead.status = BeadStatus::InReview;
        merge_files(bead, &done.files);
    });
    plan.status_changed(source.bead_id, source.status, BeadStatus::InReview, &actor);
    let review_id = review::open(plan, source, Some(assignment.agent_id), done.commit, done.summary);
    if let Some(url) = done.pr_url {
        take_pr(plan, source.bead_id, review_id, &url);
    }
}

/// A pull request that the agent opened counts only if it is of the rig's repository (domain.md 5.3).
pub(super) fn take_pr(plan: &mut Plan, source_id: BeadId, review_id: BeadId, url: &str) {
    let strategy = plan.state().reviews.get(&review_id).map(|review| review.strategy);
    match pr::parse_url(url, &plan.state().rig.git_url) {
        Some(found) if strategy == Some(MergeStrategy::Pr) => pr::opened(plan, review_id, found),
        Some(found) => {
            plan.update_bead(source_id, |bead| drop(bead.metadata.insert("pr_url".to_owned(), json!(found.url))));
        }
        None => {
            let event = plan.event("pr_creation_failed");
            let data = json!({ "message": "the address is not of a pull request of this repository" });
            plan.record(EventRow { bead_id: Some(source_id), data, ..event });
        }
    }
}

/// An exact repeat of the `done` that ended the assignment gets its first answer again.
fn repeat_of_done(plan: &Plan, session: SessionKey) -> Result<Applied, Refusal> {
    let ended = plan.state().assignments.get(&session.assignment_id).filter(|a| a.epoch == session.epoch);
    match ended.and_then(|assignment| assignment.outcome) {
        Some(AssignmentOutcome::Done) => Ok(Applied::Done(session.assignment_id)),
        _ => Err(stale(plan, session)),
    }
}

/// The refinery's verdict (domain.md 7.2): explicit, about one exact commit, with words unless it approves.
pub(super) fn apply_judge(plan: &mut Plan, judge: Judge) -> Result<Applied, Refusal> {
    let Some(assignment) = live(plan, judge.session) else { return Err(stale(plan, judge.session)) };
    if assignment.kind.role() != Role::Refinery {
        return Err(Refusal::RoleNotAllowed(assignment.kind.role()));
    }
    check_still_counts(&assignment)?;
    let review_id = assignment.bead_id;
    let head = plan.state().reviews.get(&review_id).and_then(|review| review.head_commit.clone()).unwrap_or_default();
    let judged = judge.commit.or_else(|| assignment.head_commit.clone()).unwrap_or_default();
    if judged != head {
        return Err(Refusal::IllegalTransition(format!("the verdict is about {judged}, but the branch is at {head}")));
    }
    let words = judge.feedback.clone().or_else(|| judge.summary.clone()).unwrap_or_default();
    if judge.verdict != Verdict::Approve && words.trim().is_empty() {
        return Err(Refusal::FeedbackRequired);
    }
    let outcome = match judge.verdict {
        Verdict::Approve => AssignmentOutcome::Approved,
        Verdict::RequestChanges => AssignmentOutcome::ChangesRequested,
        Verdict::Reject => AssignmentOutcome::Rejected,
    };
    plan.update_assignment(assignment.assignment_id, |assignment| assignment.summary = Some(words.clone()));
    let end = End::new(outcome, outcome.as_str(), "the refinery gave its verdict").session_is_over();
    assignment::end(plan, assignment.assignment_id, end);
    let findings = findings_of(judge.feedback, judge.files);
    let judgement =
        Judgement { commit: head, verdict: judge.verdict, by: "refinery".to_owned(), summary: words, findings };
    judged_by(plan, review_id, judgement);
    Ok(Applied::Judged(review_id))
}

/// A person's verdict has the same effect as the refinery's; a refinery at work is told to stop.
pub(super) fn person_judges(
    plan: &mut Plan,
    review_id: BeadId,
    verdict: Verdict,
    feedback: Option<String>,
    actor: &str,
) -> Result<Applied, Refusal> {
    live_bead(plan, review_id)?;
    let review = plan.state().reviews.get(&review_id).cloned().ok_or(Refusal::NoSuchBead(review_id))?;
    let can_be_judged = match review.state {
        ReviewState::Queued | ReviewState::Reviewing | ReviewState::Approved | ReviewState::ChangesRequested => true,
        ReviewState::PrOpen => !review.awaits_child(),
        ReviewState::Reworking | ReviewState::Merging | ReviewState::Merged | ReviewState::Rejected => false,
    };
    let Some(head) = review.head_commit.clone().filter(|_| can_be_judged) else {
        return Err(Refusal::IllegalTransition(format!("a review that is {} cannot be judged", review.state)));
    };
    let words = feedback.clone().unwrap_or_default();
    if verdict == Verdict::RequestChanges && words.trim().is_empty() {
        return Err(Refusal::FeedbackRequired);
    }
    let run = plan.state().gate_run(review_id, &head).map(|run| run.result);
    if verdict == Verdict::Approve && run == Some(GateRunResult::Red) {
        return Err(Refusal::IllegalTransition(format!("the gates are red at {head}, and guard the merge")));
    }
    if let Some(live) = plan.state().assignment_of_bead(review_id).map(|live| live.assignment_id) {
        assignment::stop(plan, live, Pending::Stopped, "judged", "a person gave the verdict");
    }
    bead::unpark(plan, review_id);
    plan.update_bead(review_id, Bead::clear_counters);
    pr::try_again(plan, review_id);
    plan.update_review(review_id, |review| {
        review.is_merge_ordered = verdict == Verdict::Approve;
        if verdict == Verdict::RequestChanges {
            review.round = 0; // A person asks for one more round, however many there were.
        }
    });
    let findings = findings_of(feedback, Vec::new());
    judged_by(plan, review_id, Judgement { commit: head, verdict, by: actor.to_owned(), summary: words, findings });
    Ok(Applied::Judged(review_id))
}

/// A person lets a review go on from where it is (domain.md 3.4): the counter that stopped it begins anew. Refused while
/// it waits for nobody.
pub(super) fn resume(plan: &mut Plan, review_id: BeadId, note: Option<&str>, actor: &str) -> Result<Applied, Refusal> {
    let bead = live_bead(plan, review_id)?;
    let review = plan.state().reviews.get(&review_id).cloned().ok_or(Refusal::NoSuchBead(review_id))?;
    let is_backing_off = bead.not_before.is_some() || review.not_before.is_some() || review.merge_tries > 0;
    if !waits_for_person(plan, &review) && !is_backing_off {
        return Err(Refusal::IllegalTransition("this review waits for no person".to_owned()));
    }
    let code = bead.parked.map(|parked| parked.code);
    plan.update_review(review_id, |review| match code.as_deref() {
        Some("review_rounds") => review.round = 0,
        Some("feedback_rounds") => review.feedback_round = 0,
        _ => (),
    });
    pr::try_again(plan, review_id);
    plan.update_bead(review_id, Bead::clear_counters);
    bead::unpark(plan, review_id);
    let event = plan.event("retried");
    let data = json!({ "code": code, "note": note });
    plan.record(EventRow { bead_id: Some(review_id), actor: actor.to_owned(), data, ..event });
    Ok(Applied::Judged(review_id))
}

/// A person has seen what a review waits for, and wants to hear no more of it.
pub(super) fn dismiss(plan: &mut Plan, review_id: BeadId) -> Result<Applied, Refusal> {
    live_bead(plan, review_id)?;
    let review = plan.state().reviews.get(&review_id).cloned().ok_or(Refusal::NoSuchBead(review_id))?;
    if !waits_for_person(plan, &review) {
        return Err(Refusal::IllegalTransition("this review waits for no person".to_owned()));
    }
    let now = plan.now();
    plan.update_review(review_id, |review| review.dismissed_at = Some(now));
    Ok(Applied::Judged(review_id))
}

fn waits_for_person(plan: &Plan, review: &Review) -> bool {
    let state = plan.state();
    let is_parked = state.live_bead(review.bead_id).is_some_and(|bead| bead.parked.is_some());
    let is_degraded = state.watches.get(&review.bead_id).is_some_and(|watch| watch.state == WatchState::Degraded);
    is_parked || is_degraded || review.sub == Some(PrSub::NeedsHuman)
}

/// Applies a judgement of the review's head.
fn judged_by(plan: &mut Plan, review_id: BeadId, judgement: Judgement) {
    let (verdict, by, words) = (judgement.verdict, judgement.by.clone(), judgement.summary.clone());
    review::add_round(plan, review_id, judgement, None);
    let event = plan.event("review_completed");
    plan.record(EventRow { bead_id: Some(review_id), actor: by.clone(), new: Some(verdict.to_string()), ..event });
    match verdict {
        Verdict::Approve => review::approve(plan, review_id, &by),
        Verdict::RequestChanges => review::move_to(plan, review_id, ReviewState::ChangesRequested),
        Verdict::Reject => {
            let words = if words.trim().is_empty() { "the review was rejected" } else { &words };
            review::rejected(plan, review_id, words, &by);
        }
    }
}

fn findings_of(feedback: Option<String>, files: Vec<String>) -> Vec<Finding> {
    let Some(message) = feedback else { return Vec::new() };
    let about = |file| Finding { file, line: None, severity: "must".to_owned(), message: message.clone() };
    if files.is_empty() { vec![about(None)] } else { files.into_iter().map(|file| about(Some(file))).collect() }
}

/// A session that was told to stop has no result any more; one that wraps up or stalled may still deliver.
fn check_still_counts(assignment: &Assignment) -> Result<(), Refusal> {
    let is_stopped = assignment.phase == Phase::Finishing && assignment.pending == Some(Pending::Stopped);
    if is_stopped { Err(Refusal::StaleAssignment { current_epoch: None }) } else { Ok(()) }
}
