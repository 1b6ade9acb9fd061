//! Commands: what people, agents and clients ask of the rig. Each is checked as a whole before anything is written, so
//! that a refusal changes nothing. The rules run afterwards, in the same commit.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::assignment::{self, Assignment, AssignmentOutcome, End, Pending, Phase};
use super::bead::{self, Bead, BeadOutcome, BeadStatus, BeadType, Edge, EdgeState, FailureCode, FailureSource};
use super::event::{SessionKey, live};
use super::mail::{Mail, MailParty};
use super::plan::{EventRow, Plan, Write};
use super::review::{self, Finding, Judgement, ReviewState, Verdict};
use crate::id::{AgentId, AssignmentId, BeadId, MailId};
use crate::limits::{LIVE_BEADS_PER_RIG, SLING_REPEAT};
use crate::models::ModelId;
use crate::protocol::Priority;
use crate::session::{Kind, Role};

/// A command.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Make an issue.
    CreateBead(NewBead),
    /// Change fields of a bead.
    UpdateBead {
        /// Which.
        bead_id: BeadId,
        /// What.
        patch: BeadPatch,
        /// Who asks.
        actor: String,
    },
    /// Close a live bead by hand.
    CloseBead {
        /// Which.
        bead_id: BeadId,
        /// Who asks.
        actor: String,
    },
    /// Fail a live bead by hand.
    FailBead {
        /// Which.
        bead_id: BeadId,
        /// Why.
        reason: Option<String>,
        /// Who asks.
        actor: String,
    },
    /// Begin a new attempt of a failed bead.
    RetryBead {
        /// Which.
        bead_id: BeadId,
        /// Start from the branch of the last attempt.
        keep_branch: bool,
        /// Model of the new attempt, if the caller chose one.
        model: Option<ModelId>,
        /// Who asks.
        actor: String,
    },
    /// The agent says that the work is done.
    Done(Done),
    /// The refinery judges.
    Judge(Judge),
    /// A person judges a review.
    PersonJudges {
        /// The review's bead.
        review_id: BeadId,
        /// Judgement.
        verdict: Verdict,
        /// Words for the author.
        feedback: Option<String>,
        /// Who asks.
        actor: String,
    },
    /// The agent says what it is doing.
    SetStatus {
        /// Its session.
        session: SessionKey,
        /// One line.
        message: String,
    },
    /// The agent leaves something for its next session.
    SetCheckpoint {
        /// Its session.
        session: SessionKey,
        /// Any JSON.
        data: Value,
    },
    /// Mail to an agent of this rig.
    SendMail(NewMail),
    /// The agent has read these mails.
    AcknowledgeMail {
        /// Its session.
        session: SessionKey,
        /// Which.
        mail_ids: Vec<MailId>,
    },
}

/// A new issue.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewBead {
    /// The id, when the caller has one already; a bead that exists is not made twice.
    pub bead_id: Option<BeadId>,
    /// One line.
    pub title: String,
    /// What to do.
    pub body: Option<String>,
    /// Urgency; medium when absent.
    pub priority: Option<Priority>,
    /// Labels.
    pub labels: BTreeSet<String>,
    /// Free, but for reserved keys.
    pub metadata: Map<String, Value>,
    /// Parent.
    pub parent_id: Option<BeadId>,
    /// What it waits for.
    pub depends_on: Vec<BeadId>,
    /// Model, if the caller chose one.
    pub model: Option<ModelId>,
    /// Budget in micro-dollars.
    pub budget_micros: Option<u64>,
    /// Who asks.
    pub created_by: String,
    /// Refuse what the same caller slung a moment ago (a repeated tool call).
    pub refuses_repeat: bool,
}

/// Fields to change; absent ones keep their value, `Some(None)` clears.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BeadPatch {
    /// One line.
    pub title: Option<String>,
    /// What to do.
    pub body: Option<Option<String>>,
    /// Urgency.
    pub priority: Option<Priority>,
    /// All labels.
    pub labels: Option<BTreeSet<String>>,
    /// Keys to merge; `null` removes one.
    pub metadata: Option<Map<String, Value>>,
    /// Model.
    pub model: Option<Option<ModelId>>,
    /// Budget in micro-dollars.
    pub budget_micros: Option<Option<u64>>,
    /// All dependencies.
    pub depends_on: Option<Vec<BeadId>>,
    /// Status by hand.
    pub status: Option<BeadStatus>,
}

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

/// Mail to an agent of this rig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    /// Kind of the sender.
    pub from_kind: MailParty,
    /// Who writes.
    pub from_id: String,
    /// To whom.
    pub to_agent: AgentId,
    /// The mail that it answers.
    pub reply_to: Option<MailId>,
    /// One line.
    pub subject: String,
    /// Text.
    pub body: String,
}

/// What a command did; the caller reads the rows from the state after the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// This bead was made or changed.
    Bead(BeadId),
    /// The assignment is over.
    Done(AssignmentId),
    /// The review of this bead was judged.
    Judged(BeadId),
    /// A row was written.
    Written,
    /// This mail was written.
    Mail(MailId),
    /// So many mails are delivered.
    Delivered(usize),
}

/// Why a command was refused; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such bead in this rig.
    NoSuchBead(BeadId),
    /// An id in the body names nothing.
    UnknownReference(String),
    /// The session is over or superseded.
    StaleAssignment {
        /// The epoch of the bead's or agent's present assignment, when there is one.
        current_epoch: Option<u64>,
    },
    /// The bead has ended.
    TerminalBead(BeadId, BeadStatus),
    /// The state does not allow it.
    IllegalTransition(String),
    /// Only a failed bead can be tried again.
    NotFailed(BeadId, BeadStatus),
    /// The dependencies would wait for each other.
    DependencyCycle(Vec<BeadId>),
    /// The refinery must say approve, request_changes or reject.
    VerdictRequired,
    /// A request for changes without words.
    FeedbackRequired,
    /// This role may not do that.
    RoleNotAllowed(Role),
    /// The same was slung a moment ago, as this bead.
    ProbableDuplicate(BeadId),
    /// The rig is full.
    LimitReached(String),
}

/// A row outside the live state that a command speaks of; the shell recalls it before the command is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// A bead.
    Bead(BeadId),
    /// An assignment.
    Assignment(AssignmentId),
}

impl Command {
    /// The rows that the command speaks of.
    pub fn references(&self) -> Vec<Reference> {
        match self {
            Self::CreateBead(new) => {
                new.depends_on.iter().copied().chain(new.parent_id).chain(new.bead_id).map(Reference::Bead).collect()
            }
            Self::UpdateBead { bead_id, patch, .. } => {
                patch.depends_on.iter().flatten().copied().chain([*bead_id]).map(Reference::Bead).collect()
            }
            Self::CloseBead { bead_id, .. } | Self::FailBead { bead_id, .. } | Self::RetryBead { bead_id, .. } => {
                vec![Reference::Bead(*bead_id)]
            }
            Self::PersonJudges { review_id, .. } => vec![Reference::Bead(*review_id)],
            Self::Done(Done { session, .. })
            | Self::Judge(Judge { session, .. })
            | Self::SetStatus { session, .. }
            | Self::SetCheckpoint { session, .. }
            | Self::AcknowledgeMail { session, .. } => vec![Reference::Assignment(session.assignment_id)],
            Self::SendMail(_) => Vec::new(),
        }
    }
}

/// Applies one command, or refuses it and changes nothing.
pub fn apply(plan: &mut Plan, command: Command) -> Result<Applied, Refusal> {
    match command {
        Command::CreateBead(new) => create_bead(plan, new),
        Command::UpdateBead { bead_id, patch, actor } => update_bead(plan, bead_id, patch, &actor),
        Command::CloseBead { bead_id, actor } => {
            live_bead(plan, bead_id)?;
            bead::close(plan, bead_id, BeadOutcome::ClosedByUser, &actor);
            Ok(Applied::Bead(bead_id))
        }
        Command::FailBead { bead_id, reason, actor } => {
            live_bead(plan, bead_id)?;
            let reason = reason.unwrap_or_else(|| "a person ended it".to_owned());
            bead::fail(plan, bead_id, FailureCode::FailedByUser, &reason, FailureSource::User, &actor);
            Ok(Applied::Bead(bead_id))
        }
        Command::RetryBead { bead_id, keep_branch, model, actor } => {
            retry_bead(plan, bead_id, keep_branch, model, &actor)
        }
        Command::Done(done) => apply_done(plan, done),
        Command::Judge(judge) => apply_judge(plan, judge),
        Command::PersonJudges { review_id, verdict, feedback, actor } => {
            person_judges(plan, review_id, verdict, feedback, &actor)
        }
        Command::SetStatus { session, message } => set_status(plan, session, message),
        Command::SetCheckpoint { session, data } => set_checkpoint(plan, session, data),
        Command::SendMail(new) => send_mail(plan, new),
        Command::AcknowledgeMail { session, mail_ids } => acknowledge_mail(plan, session, &mail_ids),
    }
}

fn create_bead(plan: &mut Plan, new: NewBead) -> Result<Applied, Refusal> {
    if let Some(known) = new.bead_id.filter(|id| plan.state().beads.contains_key(id)) {
        return Ok(Applied::Bead(known));
    }
    let now = plan.now();
    if plan.state().beads.values().filter(|bead| bead.is_live()).count() >= LIVE_BEADS_PER_RIG {
        return Err(Refusal::LimitReached(format!("a rig holds at most {LIVE_BEADS_PER_RIG} live beads")));
    }
    if new.refuses_repeat
        && let Some(known) = plan.state().beads.values().find(|bead| is_repeat(bead, &new, now))
    {
        return Err(Refusal::ProbableDuplicate(known.bead_id));
    }
    check_known(plan, &new.depends_on)?;
    let parent = match new.parent_id {
        Some(parent_id) => Some(live_bead(plan, parent_id)?),
        None => None,
    };
    let bead_id = new.bead_id.unwrap_or_else(|| plan.mint());
    let mut bead = Bead::new(bead_id, BeadType::Issue, new.title, new.created_by.clone(), now);
    bead.body = new.body;
    bead.priority = new.priority.unwrap_or(Priority::Medium);
    bead.labels = new.labels;
    bead.metadata = new.metadata;
    bead.model = new.model;
    bead.budget_micros = new.budget_micros;
    if let Some(parent) = parent {
        bead.parent_id = Some(parent.bead_id);
        bead.root_id = parent.root_id;
        bead.age_at = parent.age_at;
    }
    let title = bead.title.clone();
    plan.write(Write::Bead(Box::new(bead)));
    set_dependencies(plan, bead_id, &new.depends_on);
    let event = plan.event("created");
    plan.record(EventRow { bead_id: Some(bead_id), actor: new.created_by, new: Some(title), ..event });
    Ok(Applied::Bead(bead_id))
}

fn is_repeat(bead: &Bead, new: &NewBead, now: crate::time::Timestamp) -> bool {
    bead.is_live()
        && bead.created_by == new.created_by
        && bead.title == new.title
        && bead.body == new.body
        && now.since(bead.created_at) < SLING_REPEAT
}

fn update_bead(plan: &mut Plan, bead_id: BeadId, patch: BeadPatch, actor: &str) -> Result<Applied, Refusal> {
    let bead = plan.state().beads.get(&bead_id).cloned().ok_or(Refusal::NoSuchBead(bead_id))?;
    if bead.status.is_terminal() && !patch.touches_only_labels_and_metadata(bead.status) {
        return Err(Refusal::TerminalBead(bead_id, bead.status));
    }
    if let Some(depends_on) = &patch.depends_on {
        check_known(plan, depends_on)?;
        check_cycle(plan, bead_id, depends_on)?;
    }
    if let Some(status) = patch.status {
        check_status_by_hand(&bead, status)?;
    }
    let fields = patch.changed_fields(&bead);
    if !fields.is_empty() {
        plan.update_bead(bead_id, |bead| patch.clone().apply_to(bead));
        let event = plan.event("fields_updated");
        plan.record(EventRow {
            bead_id: Some(bead_id),
            actor: actor.to_owned(),
            data: json!({ "fields": fields }),
            ..event
        });
    }
    if let Some(depends_on) = patch.depends_on {
        set_dependencies(plan, bead_id, &depends_on);
    }
    match patch.status {
        Some(BeadStatus::Closed) if bead.is_live() => bead::close(plan, bead_id, BeadOutcome::ClosedByUser, actor),
        Some(BeadStatus::Failed) if bead.is_live() => {
            let words = "a person ended it";
            bead::fail(plan, bead_id, FailureCode::FailedByUser, words, FailureSource::User, actor);
        }
        Some(
            BeadStatus::Open | BeadStatus::InProgress | BeadStatus::InReview | BeadStatus::Closed | BeadStatus::Failed,
        )
        | None => (),
    }
    Ok(Applied::Bead(bead_id))
}

impl BeadPatch {
    fn touches_only_labels_and_metadata(&self, status: BeadStatus) -> bool {
        let kept = Self {
            labels: self.labels.clone(),
            metadata: self.metadata.clone(),
            status: self.status.filter(|&wanted| wanted == status),
            ..Self::default()
        };
        *self == kept
    }

    fn changed_fields(&self, bead: &Bead) -> Vec<&'static str> {
        let mut changed = bead.clone();
        self.clone().apply_to(&mut changed);
        [
            ("title", changed.title != bead.title),
            ("body", changed.body != bead.body),
            ("priority", changed.priority != bead.priority),
            ("labels", changed.labels != bead.labels),
            ("metadata", changed.metadata != bead.metadata),
            ("model", changed.model != bead.model),
            ("budget_usd", changed.budget_micros != bead.budget_micros),
        ]
        .into_iter()
        .filter_map(|(field, is_changed)| is_changed.then_some(field))
        .collect()
    }

    fn apply_to(self, bead: &mut Bead) {
        if let Some(title) = self.title {
            bead.title = title;
        }
        if let Some(body) = self.body {
            bead.body = body;
        }
        if let Some(priority) = self.priority {
            bead.priority = priority;
        }
        if let Some(labels) = self.labels {
            bead.labels = labels;
        }
        for (key, value) in self.metadata.into_iter().flatten() {
            if value.is_null() {
                bead.metadata.remove(&key);
            } else {
                bead.metadata.insert(key, value);
            }
        }
        if let Some(model) = self.model {
            bead.model = model;
        }
        if let Some(budget) = self.budget_micros {
            bead.budget_micros = budget;
        }
    }
}

/// A status that a person may set by hand: the same again, closed, or failed; the others follow from work.
fn check_status_by_hand(bead: &Bead, wanted: BeadStatus) -> Result<(), Refusal> {
    let is_allowed = wanted == bead.status || (wanted.is_terminal() && bead.is_live());
    if is_allowed {
        return Ok(());
    }
    if bead.status.is_terminal() {
        return Err(Refusal::TerminalBead(bead.bead_id, bead.status));
    }
    Err(Refusal::IllegalTransition(format!("a bead that is {} becomes {wanted} only by its work", bead.status)))
}

fn retry_bead(
    plan: &mut Plan,
    bead_id: BeadId,
    keep_branch: bool,
    model: Option<ModelId>,
    actor: &str,
) -> Result<Applied, Refusal> {
    let bead = plan.state().beads.get(&bead_id).ok_or(Refusal::NoSuchBead(bead_id))?;
    if bead.status != BeadStatus::Failed || bead.kind != BeadType::Issue {
        return Err(Refusal::NotFailed(bead_id, bead.status));
    }
    plan.update_bead(bead_id, |bead| {
        bead.status = BeadStatus::Open;
        bead.attempt += 1;
        bead.dispatches = 0;
        bead.failure = None;
        bead.parked = None;
        bead.clear_counters();
        bead.model = model.or(bead.model.take());
        if !keep_branch {
            bead.branch = None;
            bead.head_commit = None;
        }
    });
    plan.status_changed(bead_id, BeadStatus::Failed, BeadStatus::Open, actor);
    bead::settle_edges(plan, bead_id, EdgeState::Pending);
    super::escalation::clear_for_bead(plan, bead_id);
    let event = plan.event("retried");
    plan.record(EventRow { bead_id: Some(bead_id), actor: actor.to_owned(), ..event });
    Ok(Applied::Bead(bead_id))
}

/// `done` (domain.md 5.3): applied in the request, so that the review exists when the answer is sent.
fn apply_done(plan: &mut Plan, done: Done) -> Result<Applied, Refusal> {
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
            bead::close(plan, source.bead_id, BeadOutcome::Done, &assignment.agent_id.to_string());
        }
        Kind::Review | Kind::Landing | Kind::Mayor => (),
    }
    Ok(Applied::Done(id))
}

/// Work that needs review: the source waits, the review exists.
fn submit(plan: &mut Plan, source: &Bead, assignment: &Assignment, done: Done) {
    let actor = assignment.agent_id.to_string();
    plan.update_bead(source.bead_id, |bead| {
        bead.status = BeadStatus::InReview;
        bead.metadata.insert("files".to_owned(), json!(done.files));
    });
    plan.status_changed(source.bead_id, source.status, BeadStatus::InReview, &actor);
    review::open(plan, source, Some(assignment.agent_id), done.commit, done.summary);
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
fn apply_judge(plan: &mut Plan, judge: Judge) -> Result<Applied, Refusal> {
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
fn person_judges(
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
        ReviewState::Reworking
        | ReviewState::Merging
        | ReviewState::PrOpen
        | ReviewState::Merged
        | ReviewState::Rejected => false,
    };
    let Some(head) = review.head_commit.clone().filter(|_| can_be_judged) else {
        return Err(Refusal::IllegalTransition(format!("a review that is {} cannot be judged", review.state)));
    };
    let words = feedback.clone().unwrap_or_default();
    if verdict == Verdict::RequestChanges && words.trim().is_empty() {
        return Err(Refusal::FeedbackRequired);
    }
    if let Some(live) = plan.state().assignment_of_bead(review_id).map(|live| live.assignment_id) {
        assignment::stop(plan, live, Pending::Stopped, "judged", "a person gave the verdict");
    }
    bead::unpark(plan, review_id);
    plan.update_bead(review_id, Bead::clear_counters);
    plan.update_review(review_id, |review| review.is_merge_ordered = verdict == Verdict::Approve);
    let findings = findings_of(feedback, Vec::new());
    judged_by(plan, review_id, Judgement { commit: head, verdict, by: actor.to_owned(), summary: words, findings });
    Ok(Applied::Judged(review_id))
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

fn set_status(plan: &mut Plan, session: SessionKey, message: String) -> Result<Applied, Refusal> {
    let Some(assignment) = live(plan, session) else { return Err(stale(plan, session)) };
    let now = plan.now();
    plan.update_agent(assignment.agent_id, |agent| {
        agent.status_message = Some(message.clone());
        agent.status_message_at = Some(now);
        agent.last_activity_at = Some(now);
    });
    let event = plan.event("agent_status");
    plan.record(EventRow {
        bead_id: Some(assignment.bead_id),
        agent_id: Some(assignment.agent_id),
        assignment_id: Some(assignment.assignment_id),
        actor: assignment.agent_id.to_string(),
        new: Some(message),
        ..event
    });
    Ok(Applied::Written)
}

fn set_checkpoint(plan: &mut Plan, session: SessionKey, data: Value) -> Result<Applied, Refusal> {
    let Some(assignment) = live(plan, session) else { return Err(stale(plan, session)) };
    plan.update_assignment(assignment.assignment_id, |assignment| assignment.checkpoint = Some(data.clone()));
    plan.update_agent(assignment.agent_id, |agent| agent.checkpoint = Some(data));
    Ok(Applied::Written)
}

fn send_mail(plan: &mut Plan, new: NewMail) -> Result<Applied, Refusal> {
    if !plan.state().agents.contains_key(&new.to_agent) {
        return Err(Refusal::UnknownReference(new.to_agent.to_string()));
    }
    let mail_id = plan.mint();
    let (created_at, bead_id) = (plan.now(), plan.state().assignment_of_agent(new.to_agent).map(|live| live.bead_id));
    plan.write(Write::Mail(Mail {
        mail_id,
        from_kind: new.from_kind,
        from_id: new.from_id.clone(),
        to_agent: Some(new.to_agent),
        bead_id,
        thread_id: new.reply_to.unwrap_or(mail_id),
        reply_to: new.reply_to,
        subject: new.subject.clone(),
        body: new.body,
        created_at,
        delivered_at: None,
        delivered_to: None,
        expires_at: None,
    }));
    let event = plan.event("mail_sent");
    plan.record(EventRow {
        bead_id,
        agent_id: Some(new.to_agent),
        actor: new.from_id,
        new: Some(new.subject),
        ..event
    });
    Ok(Applied::Mail(mail_id))
}

fn acknowledge_mail(plan: &mut Plan, session: SessionKey, mail_ids: &[MailId]) -> Result<Applied, Refusal> {
    let Some(assignment) = live(plan, session) else { return Err(stale(plan, session)) };
    let now = plan.now();
    let mine: Vec<Mail> = mail_ids
        .iter()
        .filter_map(|id| plan.state().mail.get(id))
        .filter(|mail| mail.delivered_at.is_none() && mail.to_agent == Some(assignment.agent_id))
        .cloned()
        .collect();
    let delivered = mine.len();
    for mail in mine {
        let delivered_to = Some(assignment.assignment_id);
        plan.write(Write::Mail(Mail { delivered_at: Some(now), delivered_to, ..mail }));
    }
    Ok(Applied::Delivered(delivered))
}

/// A session that was told to stop has no result any more; one that wraps up or stalled may still deliver.
fn check_still_counts(assignment: &Assignment) -> Result<(), Refusal> {
    let is_stopped = assignment.phase == Phase::Finishing && assignment.pending == Some(Pending::Stopped);
    if is_stopped { Err(Refusal::StaleAssignment { current_epoch: None }) } else { Ok(()) }
}

fn stale(plan: &Plan, session: SessionKey) -> Refusal {
    let agent = plan.state().assignments.get(&session.assignment_id).map(|assignment| assignment.agent_id);
    let current = agent.and_then(|agent_id| plan.state().assignment_of_agent(agent_id));
    Refusal::StaleAssignment { current_epoch: current.map(|assignment| assignment.epoch) }
}

fn live_bead(plan: &Plan, bead_id: BeadId) -> Result<Bead, Refusal> {
    let bead = plan.state().beads.get(&bead_id).ok_or(Refusal::NoSuchBead(bead_id))?;
    if bead.is_live() { Ok(bead.clone()) } else { Err(Refusal::TerminalBead(bead_id, bead.status)) }
}

fn check_known(plan: &Plan, bead_ids: &[BeadId]) -> Result<(), Refusal> {
    match bead_ids.iter().find(|id| !plan.state().beads.contains_key(id)) {
        Some(unknown) => Err(Refusal::UnknownReference(unknown.to_string())),
        None => Ok(()),
    }
}

/// Refuses edges that would let a bead wait for itself, and names the beads on the way (domain.md 3.5).
/// Follows what still holds somebody back: not the edges that were waived or satisfied, nor those of closed beads.
fn check_cycle(plan: &Plan, bead_id: BeadId, blockers: &[BeadId]) -> Result<(), Refusal> {
    let is_closed = |id| plan.state().beads.get(&id).is_some_and(|bead| bead.status == BeadStatus::Closed);
    let holds = |edge: &&Edge| match edge.state {
        EdgeState::Pending | EdgeState::Failed => !is_closed(edge.bead_id),
        EdgeState::Satisfied | EdgeState::Waived => false,
    };
    let mut paths: Vec<Vec<BeadId>> = blockers.iter().filter(|&&b| b != bead_id).map(|&b| vec![bead_id, b]).collect();
    let mut seen = BTreeSet::new();
    while let Some(path) = paths.pop() {
        let Some(&last) = path.last() else { continue };
        if last == bead_id {
            return Err(Refusal::DependencyCycle(path[..path.len() - 1].to_vec()));
        }
        if seen.insert(last) {
            for edge in plan.state().edges.values().filter(holds).filter(|edge| edge.bead_id == last) {
                paths.push(path.iter().copied().chain([edge.blocker_id]).collect());
            }
        }
    }
    Ok(())
}

/// Replaces all edges of a bead. A reference to itself is ignored; a removed edge is waived, so that its row remains.
fn set_dependencies(plan: &mut Plan, bead_id: BeadId, blockers: &[BeadId]) {
    let wanted: BTreeSet<BeadId> = blockers.iter().copied().filter(|&blocker| blocker != bead_id).collect();
    let old: Vec<Edge> = plan.state().edges.values().filter(|edge| edge.bead_id == bead_id).cloned().collect();
    for edge in old.iter().filter(|edge| !wanted.contains(&edge.blocker_id) && edge.state != EdgeState::Waived) {
        plan.write(Write::Edge(Edge { state: EdgeState::Waived, ..edge.clone() }));
    }
    for blocker_id in wanted {
        let state = match plan.state().beads.get(&blocker_id).map(|bead| bead.status) {
            Some(BeadStatus::Closed) => EdgeState::Satisfied,
            Some(BeadStatus::Failed) => EdgeState::Failed,
            Some(BeadStatus::Open | BeadStatus::InProgress | BeadStatus::InReview) | None => EdgeState::Pending,
        };
        let edge = Edge { bead_id, blocker_id, cross: false, state };
        if !old.contains(&edge) {
            plan.write(Write::Edge(edge));
        }
    }
}
