//! Beads: the rig's units of work, their status table (domain.md 3.2), and what follows when one ends.

use crate::sorted::SortedSet;

use serde_json::{Map, Value};

use super::plan::{Plan, Write};
use super::{assignment, escalation, lesson, mail, review, triage};
use crate::id::{AgentId, BeadId, ConvoyId};
use crate::limits::{BRANCH_DIGITS, backoff};
use crate::models::ModelId;
pub use crate::protocol::{BeadStatus, EdgeState};
use crate::protocol::{Priority, Severity};
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// Kinds of beads that have work behind them; the other kinds of the API are rows elsewhere (domain.md 3.1).
    pub enum BeadType {
        Issue = "issue",
        MergeRequest = "merge_request",
        Molecule = "molecule",
    }
}

/// Every allowed change of an issue's status, and what causes it (domain.md 3.2). Nothing else is allowed.
pub const TRANSITIONS: &[(BeadStatus, &str, BeadStatus)] = &[
    (BeadStatus::Open, "its assignment enters starting, or a claim", BeadStatus::InProgress),
    (BeadStatus::InProgress, "its assignment ends without a result, or a claim lapses", BeadStatus::Open),
    (BeadStatus::Open, "done or submit of work that needs review", BeadStatus::InReview),
    (BeadStatus::InProgress, "done or submit of work that needs review", BeadStatus::InReview),
    (BeadStatus::Open, "done without review, or closed by a person", BeadStatus::Closed),
    (BeadStatus::InProgress, "done without review, or closed by a person", BeadStatus::Closed),
    (BeadStatus::InReview, "its review merged, or closed by a person", BeadStatus::Closed),
    (BeadStatus::InReview, "the pushed branch does not exist, or its review is deleted", BeadStatus::Open),
    (BeadStatus::InReview, "review rejected, or a person", BeadStatus::Failed),
    (BeadStatus::Open, "a counter at its cap, a rejected child, an abort, a person", BeadStatus::Failed),
    (BeadStatus::InProgress, "a counter at its cap, a rejected child, an abort, a person", BeadStatus::Failed),
    (BeadStatus::Failed, "retry", BeadStatus::Open),
];

/// Every change of a dependency, here and in a convoy, and what causes it (domain.md 3.5).
pub const EDGE_TRANSITIONS: &[(EdgeState, &str, EdgeState)] = &[
    (EdgeState::Pending, "the blocker closed, or its gate opened", EdgeState::Satisfied),
    (EdgeState::Pending, "the blocker failed", EdgeState::Failed),
    (EdgeState::Failed, "the blocker is tried again", EdgeState::Pending),
    (EdgeState::Failed, "the blocker is skipped in its convoy", EdgeState::Waived),
    (EdgeState::Pending, "the blocker is skipped in its convoy", EdgeState::Waived),
];

text_enum! {
    /// How a closed bead ended.
    pub enum BeadOutcome {
        Merged = "merged",
        Done = "done",
        NoChange = "no_change",
        ClosedByUser = "closed_by_user",
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// Why a bead failed (domain.md 3.2).
    pub enum FailureCode {
        StartFailures = "start_failures",
        LostLeases = "lost_leases",
        AgentErrors = "agent_errors",
        ReviewRejected = "review_rejected",
        ChildFailed = "child_failed",
        ConvoyAborted = "convoy_aborted",
        FailedByUser = "failed_by_user",
        RigDeleted = "rig_deleted",
    }
}

text_enum! {
    /// Who is behind a failure (api.md 4, Failure).
    pub enum FailureSource {
        Agent = "agent",
        Runtime = "runtime",
        Reconciler = "reconciler",
        Review = "review",
        Forge = "forge",
        User = "user",
        Admin = "admin",
    }
}

/// A structured reason; the message is never empty.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// Machine word.
    pub code: FailureCode,
    /// One sentence for people.
    pub message: String,
    /// Who is behind it.
    pub source: FailureSource,
    /// When.
    pub at: Timestamp,
    /// More.
    pub details: Map<String, Value>,
}

/// How a live bead waits for a person (domain.md 3.4).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Parked {
    /// Machine word.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// What a person may choose.
    pub choices: Vec<String>,
    /// Since when.
    pub since: Timestamp,
}

/// The code of a bead that is parked because its budget is used up.
pub const BUDGET: &str = "budget";

/// The label that keeps a bead from being dispatched.
pub const HELD: &str = "gt:held";
/// The label of review work: a branch to be judged.
pub const MERGE_REQUEST: &str = "gt:merge-request";
/// The label of a child that answers requested changes.
pub const REWORK: &str = "gt:rework";
/// The label of a child that answers comments on a pull request.
pub const PR_FEEDBACK: &str = "gt:pr-feedback";
/// The label of a child that resolves a merge conflict.
pub const PR_CONFLICT: &str = "gt:pr-conflict";
/// The label of work on the branch of an existing pull request.
pub const PR_FIXUP: &str = "gt:pr-fixup";
/// The label of a triage batch.
pub const TRIAGE: &str = "gt:triage";
/// Who makes triage batches; the label on anybody else's bead routes models only (domain.md 3.3).
pub const PATROL: &str = "patrol";

/// Reserved key of a child's metadata: the review that it answers.
pub const REVIEW: &str = "mr_bead_id";

/// Keys of `metadata` that only the system writes (api.md 3.3); a caller's value for them is dropped.
pub const RESERVED_METADATA: [&str; 12] = [
    super::answer::ANSWERS,
    triage::REQUESTS,
    "convoy_id",
    "feature_branch",
    "source_bead_id",
    "source_agent_id",
    "rework_for",
    REVIEW,
    "failure",
    "molecule_bead_id",
    "has_conflicts",
    "has_feedback",
];

/// What a person may choose for a parked review (domain.md 3.4).
pub(crate) const REVIEW_CHOICES: &[&str] = &["resume", "approve", "request_changes", "reject"];

/// One bead of the rig (domain.md 2.4).
#[derive(Debug, Clone, PartialEq)]
pub struct Bead {
    /// Identity.
    pub bead_id: BeadId,
    /// Kind.
    pub kind: BeadType,
    /// Where it is in its life.
    pub status: BeadStatus,
    /// One life of the bead; `retry` begins the next.
    pub attempt: u32,
    /// One line.
    pub title: String,
    /// What to do.
    pub body: Option<String>,
    /// Urgency.
    pub priority: Priority,
    /// Free, but for reserved keys.
    pub metadata: Map<String, Value>,
    /// Labels.
    pub labels: SortedSet<String>,
    /// Deleting the parent deletes this bead.
    pub parent_id: Option<BeadId>,
    /// The issue that this bead serves in the end; itself for an issue of its own.
    pub root_id: BeadId,
    /// The root's creation; orders work, so that rework of old work comes before new work.
    pub age_at: Timestamp,
    /// Its convoy.
    pub convoy_id: Option<ConvoyId>,
    /// Waits for the convoy's start.
    pub staged: bool,
    /// Work branch, kept when the agent changes.
    pub branch: Option<String>,
    /// Digits of the id in its branch's name: more where eight are not unique, or belong to an attempt that was dropped.
    pub branch_digits: u32,
    /// Ref that the branch starts from.
    pub base: Option<String>,
    /// Branch to reach.
    pub target: Option<String>,
    /// Newest commit known on the remote.
    pub head_commit: Option<String>,
    /// Model, if a caller chose one.
    pub model: Option<ModelId>,
    /// Budget in micro-dollars, if a caller set one.
    pub budget_micros: Option<u64>,
    /// People were told that its budget nears its end.
    pub is_budget_warned: bool,
    /// Where unpublished work of its last session was saved: ref and commit.
    pub saved: Option<(String, String)>,
    /// Charges of domain.md 5.5.
    pub start_failures: u32,
    /// Charges of domain.md 5.5.
    pub lost_leases: u32,
    /// Charges of domain.md 5.5.
    pub agent_errors: u32,
    /// End of the back-off.
    pub not_before: Option<Timestamp>,
    /// Assignments of this attempt.
    pub dispatches: u32,
    /// Who should work on it.
    pub preferred_agent: Option<AgentId>,
    /// Worked on outside the town by this person or client …
    pub claimed_by: Option<String>,
    /// … until then.
    pub claimed_until: Option<Timestamp>,
    /// Waits for a person.
    pub parked: Option<Parked>,
    /// Exactly when failed.
    pub failure: Option<Failure>,
    /// Exactly when closed.
    pub outcome: Option<BeadOutcome>,
    /// Its convoy goes on without it.
    pub skipped: bool,
    /// The last agent's checkpoint.
    pub checkpoint: Option<Value>,
    /// Sum over its assignments; a root's is its whole family's.
    pub tokens_in: u64,
    /// Sum over its assignments.
    pub tokens_out: u64,
    /// Sum over its assignments.
    pub cost_micros: u64,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Newest change.
    pub updated_at: Timestamp,
    /// Exactly when closed.
    pub closed_at: Option<Timestamp>,
    /// Grows with every write.
    pub version: u64,
}

impl Bead {
    /// A new open bead of attempt 1, its own root (domain.md 3.1).
    pub fn new(bead_id: BeadId, kind: BeadType, title: String, created_by: String, now: Timestamp) -> Self {
        Self {
            bead_id,
            kind,
            status: BeadStatus::Open,
            attempt: 1,
            title,
            body: None,
            priority: Priority::Medium,
            metadata: Map::new(),
            labels: SortedSet::new(),
            parent_id: None,
            root_id: bead_id,
            age_at: now,
            convoy_id: None,
            staged: false,
            branch: None,
            branch_digits: BRANCH_DIGITS,
            base: None,
            target: None,
            head_commit: None,
            model: None,
            budget_micros: None,
            is_budget_warned: false,
            saved: None,
            start_failures: 0,
            lost_leases: 0,
            agent_errors: 0,
            not_before: None,
            dispatches: 0,
            preferred_agent: None,
            claimed_by: None,
            claimed_until: None,
            parked: None,
            failure: None,
            outcome: None,
            skipped: false,
            checkpoint: None,
            tokens_in: 0,
            tokens_out: 0,
            cost_micros: 0,
            created_by,
            created_at: now,
            updated_at: now,
            closed_at: None,
            version: 0,
        }
    }

    /// Whether a label is present.
    pub fn has_label(&self, label: &str) -> bool {
        self.labels.contains(label)
    }

    /// Files that the merge named when this bead was made.
    pub fn files_in_conflict(&self) -> Vec<String> {
        let files = self.metadata.get("files").and_then(|files| files.as_array());
        files.into_iter().flatten().filter_map(|file| file.as_str().map(str::to_owned)).collect()
    }

    /// Whether a review made it, to have something done about its branch. Once it failed, only the review decides.
    pub fn answers_review(&self) -> bool {
        self.kind == BeadType::Issue && self.metadata.contains_key(REVIEW)
    }

    /// Live beads are open, in progress or in review.
    pub const fn is_live(&self) -> bool {
        !self.status.is_terminal()
    }

    /// Whether somebody outside the town works on it.
    pub const fn is_claimed(&self) -> bool {
        self.claimed_until.is_some()
    }

    /// The claim is over.
    pub fn end_claim(&mut self) {
        self.claimed_by = None;
        self.claimed_until = None;
    }

    /// Whether this is a live issue: what polecats work on.
    pub fn is_live_issue(&self) -> bool {
        self.kind == BeadType::Issue && self.is_live()
    }

    /// The first of the three counters that is at its cap, as the failure it leads to.
    pub fn counter_at_cap(&self, cap: u32) -> Option<(FailureCode, u32)> {
        [
            (FailureCode::StartFailures, self.start_failures),
            (FailureCode::LostLeases, self.lost_leases),
            (FailureCode::AgentErrors, self.agent_errors),
        ]
        .into_iter()
        .find(|&(_, count)| count >= cap)
    }

    /// Counters and back-off begin anew (retry, resume, reset).
    pub fn clear_counters(&mut self) {
        self.start_failures = 0;
        self.lost_leases = 0;
        self.agent_errors = 0;
        self.not_before = None;
    }

    /// Adds one to a counter and sets the back-off; a later wish of the model gateway wins.
    pub fn charge(&mut self, charge: Charge, retry_after: Option<std::time::Duration>, now: Timestamp) {
        let counter = match charge {
            Charge::StartFailure => &mut self.start_failures,
            Charge::LostLease => &mut self.lost_leases,
            Charge::AgentError => &mut self.agent_errors,
        };
        *counter += 1;
        self.not_before = Some(now + backoff(*counter).max(retry_after.unwrap_or_default()));
    }
}

text_enum! {
    /// A counter that an ended assignment is charged to (domain.md 5.5).
    pub enum Charge {
        StartFailure = "start_failure",
        LostLease = "lost_lease",
        AgentError = "agent_error",
    }
}

/// One dependency: `bead_id` cannot start before `blocker_id` is satisfied (domain.md 3.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The dependent.
    pub bead_id: BeadId,
    /// What it waits for.
    pub blocker_id: BeadId,
    /// Whether the blocker lives in another rig.
    pub cross: bool,
    /// Whether it still holds.
    pub state: EdgeState,
}

/// Closes a live bead, with everything that follows.
pub fn close(plan: &mut Plan, bead_id: BeadId, outcome: BeadOutcome, actor: &str) {
    let now = plan.now();
    let Some(old) = plan.state().live_bead(bead_id).map(|bead| bead.status) else { return };
    unpark(plan, bead_id);
    plan.update_bead(bead_id, |bead| {
        bead.status = BeadStatus::Closed;
        bead.outcome = Some(outcome);
        bead.closed_at = Some(now);
        bead.end_claim();
    });
    plan.status_changed(bead_id, old, BeadStatus::Closed, actor);
    ended(plan, bead_id, actor);
}

/// Fails a live bead for a reason, with everything that follows; people are told.
pub fn fail(plan: &mut Plan, bead_id: BeadId, code: FailureCode, message: &str, source: FailureSource, actor: &str) {
    let now = plan.now();
    let Some(old) = plan.state().live_bead(bead_id).map(|bead| bead.status) else { return };
    unpark(plan, bead_id);
    let failure = Failure { code, message: message.to_owned(), source, at: now, details: Map::new() };
    plan.update_bead(bead_id, |bead| {
        bead.status = BeadStatus::Failed;
        bead.failure = Some(failure);
        bead.end_claim();
    });
    plan.status_changed(bead_id, old, BeadStatus::Failed, actor);
    ended(plan, bead_id, actor);
    let has_dependents = plan
        .state()
        .edges
        .keys()
        .any(|&(dependent, blocker)| blocker == bead_id && plan.state().live_bead(dependent).is_some());
    let Some(bead) = plan.state().beads.get(&bead_id) else { return };
    // What a triage batch left open comes again, or to a person; the batch itself is nobody's concern. Whoever aborts a
    // convoy knows what becomes of its tasks.
    if bead.kind == BeadType::Issue && !triage::is_batch(bead) && code != FailureCode::ConvoyAborted {
        let severity = if has_dependents || bead.convoy_id.is_some() { Severity::High } else { Severity::Medium };
        let title = format!("\"{}\" failed", bead.title);
        let choices: &[&str] = if bead.answers_review() { &[] } else { &["retry", "close"] };
        escalation::raise_for_bead(plan, bead_id, severity, code.as_str(), &title, message, choices);
    }
}

/// Puts a live bead in front of a person, with the choices (domain.md 3.4). Parking twice keeps the first reason.
pub fn park(plan: &mut Plan, bead_id: BeadId, code: &str, message: &str, choices: &[&str]) {
    let now = plan.now();
    if plan.state().live_bead(bead_id).is_none_or(|bead| bead.parked.is_some()) {
        return;
    }
    let parked = Parked {
        code: code.to_owned(),
        message: message.to_owned(),
        choices: choices.iter().map(|&choice| choice.to_owned()).collect(),
        since: now,
    };
    plan.update_bead(bead_id, |bead| bead.parked = Some(parked));
    if let Some(queued) =
        plan.state().assignment_of_bead(bead_id).filter(|live| live.phase == assignment::Phase::Queued)
    {
        assignment::stop(plan, queued.assignment_id, assignment::Pending::Stopped, "parked", message);
    }
    let title = plan.state().beads.get(&bead_id).map(|bead| bead.title.clone()).unwrap_or_default();
    let title = format!("\"{title}\" needs a decision");
    escalation::raise_for_bead(plan, bead_id, Severity::High, code, &title, message, choices);
}

/// Lets a parked bead go on; its escalation closes with it.
pub fn unpark(plan: &mut Plan, bead_id: BeadId) {
    if plan.state().beads.get(&bead_id).is_some_and(|bead| bead.parked.is_some()) {
        plan.update_bead(bead_id, |bead| bead.parked = None);
        escalation::clear_for_bead(plan, bead_id);
    }
}

/// The warning about its budget is settled.
pub fn forget_warning(plan: &mut Plan, bead_id: BeadId) {
    if plan.state().beads.get(&bead_id).is_some_and(|bead| bead.is_budget_warned) {
        plan.update_bead(bead_id, |bead| bead.is_budget_warned = false);
        escalation::clear_warning(plan, bead_id);
    }
}

/// Sets every edge that waits for `blocker_id`, unless it was waived (domain.md 3.5).
pub fn settle_edges(plan: &mut Plan, blocker_id: BeadId, state: EdgeState) {
    let edges: Vec<Edge> = plan
        .state()
        .edges
        .values()
        .filter(|edge| edge.blocker_id == blocker_id && edge.state != EdgeState::Waived && edge.state != state)
        .cloned()
        .collect();
    for edge in edges {
        plan.write(Write::Edge(Edge { state, ..edge }));
    }
}

/// A child is cancelled with its parent; a molecule fails with it.
fn end_child(plan: &mut Plan, parent_id: BeadId, child_id: BeadId, actor: &str) {
    let failure = plan.state().beads.get(&parent_id).and_then(|parent| parent.failure.clone());
    let is_molecule = plan.state().beads.get(&child_id).is_some_and(|child| child.kind == BeadType::Molecule);
    match failure.filter(|_| is_molecule) {
        Some(failure) => fail(plan, child_id, failure.code, &failure.message, failure.source, actor),
        None => close(plan, child_id, BeadOutcome::Cancelled, actor),
    }
}

/// What entering a terminal status means, in the same commit: edges of dependents settle, the live assignment is told
/// to stop, the live review and live children are cancelled.
fn ended(plan: &mut Plan, bead_id: BeadId, actor: &str) {
    let closed = plan.state().beads.get(&bead_id).is_some_and(|bead| bead.status == BeadStatus::Closed);
    settle_edges(plan, bead_id, if closed { EdgeState::Satisfied } else { EdgeState::Failed });
    if let Some(assignment_id) = plan.state().assignment_of_bead(bead_id).map(|live| live.assignment_id) {
        assignment::stop(plan, assignment_id, assignment::Pending::Stopped, "bead_ended", "its bead ended");
    }
    forget_warning(plan, bead_id);
    mail::expire(plan, |mail| mail.bead_id == Some(bead_id));
    review::cancel_reviews_of(plan, bead_id, actor);
    triage::ended(plan, bead_id);
    lesson::leave(plan, bead_id);
    for child in plan.state().live_children(bead_id) {
        end_child(plan, bead_id, child, actor);
    }
}
