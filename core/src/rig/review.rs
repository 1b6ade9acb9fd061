//! Reviews: the merge_request bead of one branch on its way to the target (domain.md 7). Holds the rows, the table of
//! states, and the steps that rules and reports share. A verdict is explicit and names the commit it is about; only a
//! merge job's report makes a direct review merged.

use serde_json::json;

use super::assignment::{self, Pending};
use super::bead::{self, Bead, BeadOutcome, BeadStatus, BeadType, FailureCode, FailureSource};
use super::job;
pub use super::job::{GateRun, GateRunResult, Job, JobPhase, JobSpec};
use super::molecule;
use super::plan::{EventRow, Plan, Write};
use super::pr::{self, PrSub};
use crate::config;
use crate::id::{AgentId, BeadId, ConvoyId, RunId};
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// What a review is of.
    pub enum ReviewKind {
        Task = "task",
        Landing = "landing",
    }
}

text_enum! {
    /// How approved work reaches the target.
    pub enum MergeStrategy {
        Direct = "direct",
        Pr = "pr",
    }
}

text_enum! {
    /// Where a review is (domain.md 7.2).
    pub enum ReviewState {
        Queued = "queued",
        Reviewing = "reviewing",
        ChangesRequested = "changes_requested",
        Reworking = "reworking",
        Approved = "approved",
        Merging = "merging",
        PrOpen = "pr_open",
        Merged = "merged",
        Rejected = "rejected",
    }
}

/// Every change of a review's state, and what causes it (domain.md 7.2, 7.4).
pub const TRANSITIONS: &[(ReviewState, &str, ReviewState)] = &[
    (ReviewState::Queued, "no review is required (R15)", ReviewState::Approved),
    (ReviewState::Queued, "red gates (R17)", ReviewState::ChangesRequested),
    (ReviewState::Queued, "refinery assigned (R24)", ReviewState::Reviewing),
    (ReviewState::Queued, "a person's verdict", ReviewState::Approved),
    (ReviewState::Reviewing, "approve", ReviewState::Approved),
    (ReviewState::Reviewing, "request_changes", ReviewState::ChangesRequested),
    (ReviewState::Reviewing, "reject; or its work ended by hand", ReviewState::Rejected),
    (ReviewState::Reviewing, "ended without verdict", ReviewState::Queued),
    (ReviewState::ChangesRequested, "child made (R18)", ReviewState::Reworking),
    (ReviewState::ChangesRequested, "a new head on the pull request (R14)", ReviewState::Queued),
    (ReviewState::ChangesRequested, "a person approves", ReviewState::Approved),
    (ReviewState::Reworking, "child ended (R12)", ReviewState::Queued),
    (ReviewState::Approved, "lane free (R20)", ReviewState::Merging),
    (ReviewState::Approved, "its pull request is open (R19)", ReviewState::PrOpen),
    (ReviewState::Approved, "the gates of the approved head turn red (R17)", ReviewState::ChangesRequested),
    (ReviewState::Approved, "a new head on the pull request (R14)", ReviewState::Queued),
    (ReviewState::Approved, "a person requests changes", ReviewState::ChangesRequested),
    (ReviewState::PrOpen, "green for the delay, lane free (R21)", ReviewState::Merging),
    (ReviewState::PrOpen, "child ended (R12), or a head that nobody here pushed (R14)", ReviewState::Queued),
    (ReviewState::PrOpen, "closed without a merge; a person approves it anew", ReviewState::Approved),
    (ReviewState::PrOpen, "closed without a merge while its child works", ReviewState::Reworking),
    (ReviewState::PrOpen, "a person requests changes", ReviewState::ChangesRequested),
    (ReviewState::Merging, "merged", ReviewState::Merged),
    (ReviewState::Merging, "gates red on the merge", ReviewState::ChangesRequested),
    (ReviewState::Merging, "target moved, a conflict, or an error", ReviewState::Approved),
    (ReviewState::Approved, "its merge met a conflict: a child, in the same commit", ReviewState::Reworking),
    (ReviewState::Merging, "refused by the forge", ReviewState::PrOpen),
    (ReviewState::Merging, "the commit is gone, or its work ended by hand", ReviewState::Rejected),
    // From every state: a person merges the pull request at its forge, rejects, or ends the work.
    (ReviewState::Queued, "merged at the forge, whoever did it (R14)", ReviewState::Merged),
    (ReviewState::Reviewing, "merged at the forge, whoever did it (R14)", ReviewState::Merged),
    (ReviewState::ChangesRequested, "merged at the forge, whoever did it (R14)", ReviewState::Merged),
    (ReviewState::Reworking, "merged at the forge, whoever did it (R14)", ReviewState::Merged),
    (ReviewState::Approved, "nothing to merge; or merged at the forge, whoever did it (R14)", ReviewState::Merged),
    (ReviewState::PrOpen, "merged at the forge, whoever did it (R14)", ReviewState::Merged),
    (ReviewState::Queued, "rejected, or its work ended by hand", ReviewState::Rejected),
    (ReviewState::ChangesRequested, "rejected, or its work ended by hand", ReviewState::Rejected),
    (ReviewState::Reworking, "rejected, or its work ended by hand", ReviewState::Rejected),
    (ReviewState::Approved, "rejected, or its work ended by hand", ReviewState::Rejected),
    (ReviewState::PrOpen, "rejected, or its work ended by hand", ReviewState::Rejected),
    // Late and doubled: a report of an ended job, a verdict of a superseded session, an answer of the forge that nobody
    // waits for.
    (ReviewState::Merged, "late report: nothing", ReviewState::Merged),
    (ReviewState::Rejected, "late report: nothing", ReviewState::Rejected),
];

impl ReviewState {
    /// What the merge_request bead shows in this state (domain.md 3.2); terminal states end the bead themselves.
    const fn shown(self) -> Option<BeadStatus> {
        match self {
            Self::Queued | Self::ChangesRequested | Self::Reworking => Some(BeadStatus::Open),
            Self::Reviewing | Self::Approved | Self::Merging | Self::PrOpen => Some(BeadStatus::InProgress),
            Self::Merged | Self::Rejected => None,
        }
    }

    /// In these states the review holds its lane.
    pub const fn holds_lane(self) -> bool {
        match self {
            Self::Reviewing | Self::Merging => true,
            Self::Queued
            | Self::ChangesRequested
            | Self::Reworking
            | Self::Approved
            | Self::PrOpen
            | Self::Merged
            | Self::Rejected => false,
        }
    }
}

text_enum! {
    /// A verdict; there is no other way to judge a branch.
    pub enum Verdict {
        Approve = "approve",
        RequestChanges = "request_changes",
        Reject = "reject",
    }
}

/// One review (domain.md 2.4).
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// The merge_request bead.
    pub bead_id: BeadId,
    /// What it is of.
    pub kind: ReviewKind,
    /// The reviewed work; absent for a landing.
    pub source_id: Option<BeadId>,
    /// Its convoy.
    pub convoy_id: Option<ConvoyId>,
    /// Branch under review.
    pub branch: String,
    /// Branch to reach.
    pub target: String,
    /// How it gets there.
    pub strategy: MergeStrategy,
    /// Where it is.
    pub state: ReviewState,
    /// What its open pull request waits for; exactly in `pr_open`.
    pub sub: Option<PrSub>,
    /// Newest known commit of the branch.
    pub head_commit: Option<String>,
    /// The commit that was approved.
    pub reviewed_commit: Option<String>,
    /// Newest verdict.
    pub verdict: Option<Verdict>,
    /// `refinery`, `policy`, `gates`, or a user id.
    pub verdict_by: Option<String>,
    /// Rework children made.
    pub round: u32,
    /// Feedback and conflict children made.
    pub feedback_round: u32,
    /// The live child.
    pub child_id: Option<BeadId>,
    /// A person ordered the merge.
    pub is_merge_ordered: bool,
    /// Merge jobs of this approval that did not merge.
    pub merge_tries: u32,
    /// The commit that brought the work in.
    pub merge_commit: Option<String>,
    /// Who did the work.
    pub author_agent: Option<AgentId>,
    /// What the author says it did.
    pub summary: Option<String>,
    /// When it was queued first.
    pub queued_at: Timestamp,
    /// End of the back-off of merges.
    pub not_before: Option<Timestamp>,
    /// A call of the forge to open or to merge is out, and may be repeated then.
    pub forge_due: Option<Timestamp>,
    /// The head at which the forge found nothing to open a pull request for.
    pub empty_commit: Option<String>,
    /// A person has seen what it waits for, and wants to hear no more of it.
    pub dismissed_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Review {
    /// Whether it has not ended.
    pub const fn is_live(&self) -> bool {
        self.ended_at.is_none()
    }

    /// Whether it waits for the work of a child: in a rework, or in a repair on its pull request.
    pub fn awaits_child(&self) -> bool {
        self.state == ReviewState::Reworking || self.sub == Some(PrSub::Fixing)
    }

    /// Whether its target is a convoy's feature branch (domain.md 7.1): merges into one are always direct, and need no
    /// person's word.
    pub fn is_into_feature_branch(&self) -> bool {
        self.kind == ReviewKind::Task && self.convoy_id.is_some() && self.target.starts_with("convoy/")
    }
}

/// One remark of a reviewer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Finding {
    /// File, when it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// `must` or `should`.
    pub severity: String,
    /// What, and why.
    pub message: String,
}

impl Finding {
    /// `file:line: message`.
    pub fn text(&self) -> String {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{file}:{line}: {}", self.message),
            (Some(file), None) => format!("{file}: {}", self.message),
            (None, _) => self.message.clone(),
        }
    }
}

/// One judgement of one commit (domain.md 2.4).
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// The review.
    pub review_id: BeadId,
    /// From 1.
    pub n: u32,
    /// The commit that was judged.
    pub commit_id: String,
    /// Judgement.
    pub verdict: Verdict,
    /// Who judged.
    pub by: String,
    /// In short.
    pub summary: String,
    /// In detail.
    pub findings: Vec<Finding>,
    /// The gate run that it rests on.
    pub gate_run: Option<RunId>,
    /// The child that answers it.
    pub child_id: Option<BeadId>,
    /// Its findings shall stand on the pull request, and may be posted (again) then; absent when nothing is to post.
    pub post_due: Option<Timestamp>,
    /// When.
    pub at: Timestamp,
}

impl Round {
    /// Summary and findings in words: what a child answers, and what the next review checks.
    pub fn text(&self) -> String {
        let mut lines = vec![self.summary.clone()];
        lines.extend(self.findings.iter().filter(|finding| finding.message != self.summary).map(Finding::text));
        lines.retain(|line| !line.is_empty());
        lines.join("\n\n")
    }

    /// Files that the findings name.
    pub fn files(&self) -> Vec<&str> {
        self.findings.iter().filter_map(|finding| finding.file.as_deref()).collect()
    }
}

/// Makes the review of a source whose work is pushed (domain.md 7.1) and returns its bead.
pub fn open(
    plan: &mut Plan,
    source: &Bead,
    author: Option<AgentId>,
    commit: Option<String>,
    summary: Option<String>,
) -> BeadId {
    let summary = molecule::with_open_steps(plan.state(), source.bead_id, summary);
    let review_id = plan.mint();
    let now = plan.now();
    let branch = source.branch.clone().unwrap_or_default();
    let target = source.target.clone().unwrap_or_else(|| plan.state().rig.target_branch.clone());
    let strategy = strategy(plan, &target);
    let mut request =
        Bead::new(review_id, BeadType::MergeRequest, format!("Review: {}", source.title), "system".to_owned(), now);
    request.priority = source.priority;
    request.labels.insert(bead::MERGE_REQUEST.to_owned());
    request.parent_id = Some(source.bead_id);
    request.root_id = source.root_id;
    request.age_at = source.age_at;
    request.convoy_id = source.convoy_id;
    request.branch = Some(branch.clone());
    request.target = Some(target.clone());
    request.head_commit.clone_from(&commit);
    request.metadata.insert("source_bead_id".to_owned(), json!(source.bead_id));
    plan.write(Write::Bead(Box::new(request)));
    plan.write(Write::Review(Box::new(Review {
        bead_id: review_id,
        kind: ReviewKind::Task,
        source_id: Some(source.bead_id),
        convoy_id: source.convoy_id,
        branch,
        target,
        strategy,
        state: ReviewState::Queued,
        sub: None,
        head_commit: commit,
        reviewed_commit: None,
        verdict: None,
        verdict_by: None,
        round: 0,
        feedback_round: 0,
        child_id: None,
        is_merge_ordered: false,
        merge_tries: 0,
        merge_commit: None,
        author_agent: author,
        summary,
        queued_at: now,
        not_before: None,
        forge_due: None,
        empty_commit: None,
        dismissed_at: None,
        ended_at: None,
    })));
    let event = plan.event("review_submitted");
    plan.record(EventRow {
        bead_id: Some(source.bead_id),
        agent_id: author,
        new: Some(review_id.to_string()),
        ..event
    });
    review_id
}

/// How work reaches this branch: the rig's strategy is for its merge target, a feature branch is merged into directly.
pub fn strategy(plan: &Plan, target: &str) -> MergeStrategy {
    let rig = &plan.state().rig;
    let configured = rig.settings.as_ref().map_or(config::MergeStrategy::Direct, |s| s.config.merge_strategy);
    match configured {
        config::MergeStrategy::Pr if target == rig.target_branch => MergeStrategy::Pr,
        config::MergeStrategy::Pr | config::MergeStrategy::Direct => MergeStrategy::Direct,
    }
}

/// Moves a review, and what its bead shows. A call of the forge that was ordered in the old state is not waited for.
pub fn move_to(plan: &mut Plan, review_id: BeadId, state: ReviewState) {
    let Some(old) = plan.state().reviews.get(&review_id).map(|review| review.state) else { return };
    if state != ReviewState::PrOpen {
        pr::conflict_settled(plan, review_id);
    }
    plan.update_review(review_id, |review| {
        review.state = state;
        review.sub = (state == ReviewState::PrOpen).then_some(PrSub::Green);
        review.forge_due = None;
    });
    let shown = plan.state().live_bead(review_id).map(|bead| bead.status);
    if let (Some(new), Some(shown)) = (state.shown(), shown)
        && new != shown
    {
        plan.update_bead(review_id, |bead| bead.status = new);
    }
    let event = plan.event("review_state");
    plan.record(EventRow {
        bead_id: Some(review_id),
        old: Some(old.to_string()),
        new: Some(state.to_string()),
        ..event
    });
}

/// One judgement of one commit, before it is numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The commit.
    pub commit: String,
    /// Judgement.
    pub verdict: Verdict,
    /// Who judges.
    pub by: String,
    /// In short.
    pub summary: String,
    /// In detail.
    pub findings: Vec<Finding>,
}

/// Stores a judgement as the review's next round.
pub fn add_round(plan: &mut Plan, review_id: BeadId, judgement: Judgement, gate_run: Option<RunId>) {
    let n =
        plan.state().rounds.keys().filter(|(review, _)| *review == review_id).map(|(_, n)| n + 1).max().unwrap_or(1);
    let at = plan.now();
    let (verdict, by) = (judgement.verdict, judgement.by.clone());
    let review = plan.state().reviews.get(&review_id);
    let is_for_comments = verdict == Verdict::RequestChanges
        && review.is_some_and(|review| pr::is_in_comments_mode(plan, review))
        && pr::open_watch(plan, review_id).is_some();
    plan.write(Write::Round(Round {
        review_id,
        n,
        commit_id: judgement.commit,
        verdict,
        by: judgement.by,
        summary: judgement.summary,
        findings: judgement.findings,
        gate_run,
        child_id: None,
        post_due: is_for_comments.then_some(at),
        at,
    }));
    plan.update_review(review_id, |review| {
        review.verdict = Some(verdict);
        review.verdict_by = Some(by);
    });
}

/// The work may be merged at exactly this commit.
pub fn approve(plan: &mut Plan, review_id: BeadId, by: &str) {
    plan.update_review(review_id, |review| {
        review.reviewed_commit.clone_from(&review.head_commit);
        review.verdict = Some(Verdict::Approve);
        review.verdict_by = Some(by.to_owned());
        review.merge_tries = 0;
        review.not_before = None;
    });
    plan.update_watch(review_id, |watch| watch.refused = 0);
    move_to(plan, review_id, ReviewState::Approved);
}

/// A new head is judged from the start; what a person said of an older one does not hold for it.
pub fn queue_again(plan: &mut Plan, review_id: BeadId, head_commit: Option<String>) {
    let old = plan.state().reviews.get(&review_id).and_then(|review| review.head_commit.clone());
    if head_commit.is_some() && head_commit != old {
        pr::begin_anew(plan, review_id);
    }
    plan.update_review(review_id, |review| {
        review.child_id = None;
        if head_commit.is_some() && head_commit != review.head_commit {
            review.is_merge_ordered = false;
            review.head_commit = head_commit;
        }
    });
    move_to(plan, review_id, ReviewState::Queued);
}

/// The work is on the target: review and source close in the same commit.
pub fn merged(plan: &mut Plan, review_id: BeadId, merge_commit: Option<String>) {
    let Some(review) = plan.state().reviews.get(&review_id).cloned() else { return };
    let outcome = if merge_commit.is_some() { BeadOutcome::Merged } else { BeadOutcome::NoChange };
    let event = plan.event("merged");
    plan.record(EventRow {
        bead_id: review.source_id.or(Some(review_id)),
        new: merge_commit.clone(),
        data: json!({ "target": review.target, "branch": review.branch, "commit": review.reviewed_commit }),
        ..event
    });
    finish(plan, review_id, ReviewState::Merged, merge_commit);
    bead::close(plan, review_id, outcome, "runtime");
    if let Some(source) = review.source_id {
        bead::close(plan, source, outcome, "runtime");
    }
}

/// Final: the source fails with the reviewer's words.
pub fn rejected(plan: &mut Plan, review_id: BeadId, words: &str, by: &str) {
    let source = plan.state().reviews.get(&review_id).and_then(|review| review.source_id);
    finish(plan, review_id, ReviewState::Rejected, None);
    bead::fail(plan, review_id, FailureCode::ReviewRejected, words, FailureSource::Review, by);
    if let Some(source) = source {
        bead::fail(plan, source, FailureCode::ReviewRejected, words, FailureSource::Review, by);
    }
}

/// The branch or commit is gone (domain.md 5.3, 7.4): the review ends, the source is open again and charged.
pub fn branch_is_gone(plan: &mut Plan, review_id: BeadId) {
    let Some(source_id) = plan.state().reviews.get(&review_id).map(|review| review.source_id) else { return };
    finish(plan, review_id, ReviewState::Rejected, None);
    bead::close(plan, review_id, BeadOutcome::Cancelled, "runtime");
    let Some(source) = source_id.and_then(|id| plan.state().live_bead(id)).map(|bead| (bead.bead_id, bead.status))
    else {
        return;
    };
    let now = plan.now();
    plan.update_bead(source.0, |bead| {
        bead.status = BeadStatus::Open;
        bead.head_commit = None;
        bead.charge(bead::Charge::AgentError, None, now);
    });
    plan.status_changed(source.0, source.1, BeadStatus::Open, "runtime");
}

/// The source ended by another hand: its live reviews end with it.
pub fn cancel_reviews_of(plan: &mut Plan, bead_id: BeadId, actor: &str) {
    let live: Vec<BeadId> = plan
        .state()
        .reviews
        .values()
        .filter(|review| review.is_live() && (review.source_id == Some(bead_id) || review.bead_id == bead_id))
        .map(|review| review.bead_id)
        .collect();
    for review_id in live {
        finish(plan, review_id, ReviewState::Rejected, None);
        bead::close(plan, review_id, BeadOutcome::Cancelled, actor);
    }
}

/// The refinery's session is over: without a verdict the review waits for the next one.
pub fn session_ended(plan: &mut Plan, review_id: BeadId) {
    if plan.state().reviews.get(&review_id).is_some_and(|review| review.state == ReviewState::Reviewing) {
        move_to(plan, review_id, ReviewState::Queued);
    }
}

/// Whether no other review of the lane is reviewed or merged (domain.md 12, 12).
pub fn is_lane_free(plan: &Plan, review: &Review) -> bool {
    !plan.state().lane(&review.target).any(|other| other.bead_id != review.bead_id && other.state.holds_lane())
}

/// Makes the child that answers a judgement, a conflict or feedback (domain.md 7.2): the review is reworking, or its
/// open pull request is being fixed.
pub fn make_child(plan: &mut Plan, review_id: BeadId, label: &str, title: String, body: String) -> Option<BeadId> {
    let review = plan.state().reviews.get(&review_id)?.clone();
    let request = plan.state().beads.get(&review_id)?.clone();
    let child_id = plan.mint();
    let mut child = Bead::new(child_id, BeadType::Issue, title, "system".to_owned(), plan.now());
    child.body = Some(body);
    child.priority = request.priority;
    child.labels.insert(label.to_owned());
    child.parent_id = Some(review_id);
    child.root_id = request.root_id;
    child.age_at = request.age_at;
    child.branch = Some(review.branch.clone());
    child.base = Some(review.branch.clone());
    child.target = Some(review.target.clone());
    child.head_commit.clone_from(&review.head_commit);
    child.preferred_agent = review.author_agent;
    child.metadata.insert(bead::REVIEW.to_owned(), json!(review_id));
    if let Some(url) = plan.state().watches.get(&review_id).map(|watch| watch.url.clone()) {
        child.metadata.insert("pr_url".to_owned(), json!(url));
    }
    plan.write(Write::Bead(Box::new(child)));
    let event = plan.event("rework_requested");
    plan.record(EventRow { bead_id: review.source_id.or(Some(review_id)), new: Some(child_id.to_string()), ..event });
    plan.update_review(review_id, |review| review.child_id = Some(child_id));
    match review.state {
        ReviewState::PrOpen => pr::set_sub(plan, review_id, PrSub::Fixing),
        ReviewState::Queued
        | ReviewState::Reviewing
        | ReviewState::ChangesRequested
        | ReviewState::Reworking
        | ReviewState::Approved
        | ReviewState::Merging
        | ReviewState::Merged
        | ReviewState::Rejected => move_to(plan, review_id, ReviewState::Reworking),
    }
    Some(child_id)
}

/// Ends a review row, with its live job and session.
fn finish(plan: &mut Plan, review_id: BeadId, state: ReviewState, merge_commit: Option<String>) {
    let now = plan.now();
    move_to(plan, review_id, state);
    plan.update_review(review_id, |review| {
        review.ended_at = Some(now);
        review.child_id = None;
        review.merge_commit = merge_commit;
    });
    job::cancel_all(plan, review_id);
    pr::review_ended(plan, review_id);
    if let Some(live) = plan.state().assignment_of_bead(review_id).map(|live| live.assignment_id) {
        assignment::stop(plan, live, Pending::Stopped, "review_ended", "the review ended");
    }
}
