//! Facts: what happened outside, applied to the tables of domain.md 3.2, 5.2 and 7.2. A fact is never refused; one
//! that comes late, twice, or about a superseded session changes nothing and says so by its [`Receipt`].

use std::time::Duration;

use serde_json::{Value, json};

use super::assignment::{self, Assignment, AssignmentOutcome, End, Pending, Phase};
use super::bead::{self, Charge, PR_CONFLICT};
use super::plan::{EventRow, Plan, Write};
use super::review::{self, Finding, GateRunResult, Job, JobPhase, ReviewState, Verdict};
use super::state::Settings;
use super::{breaker, rules};
use crate::id::{AssignmentId, BeadId, JobId, MailId};
use crate::limits::{LEASE, MERGE_MOVED_RETRY, MERGE_TRIES, ORDER_CAPACITY_RETRY, ORDER_REFUSED_RETRY, backoff};
use crate::protocol::{self, Numbered, TownToRig};
pub use crate::session::{Beat, JobAnswer, Over, SessionAnswer, SessionFact, SessionKey, StartAnswer, Usage};
use crate::session::{ErrorKind, GateResult, GateStatus, GatesStatus, MergeStatus, Step};

/// A fact.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The Town said this.
    TownSaid(Vec<Numbered<TownToRig>>),
    /// The Town has applied everything up to this number.
    TownAcknowledged(u64),
    /// The runtime reported about a session.
    SessionReported(SessionKey, SessionFact),
    /// The runtime reported about a job.
    JobReported(JobId, JobFact),
    /// The runtime answered a start order.
    StartAnswered(SessionKey, StartAnswer),
    /// The runtime answered whether a session lives.
    SessionAnswered(SessionKey, SessionAnswer),
    /// The runtime answered a job order.
    JobAnswered(JobId, JobAnswer),
}

/// What a report about a job says.
#[derive(Debug, Clone, PartialEq)]
pub enum JobFact {
    /// It goes on.
    Beat,
    /// Gates ran.
    Gates {
        /// The commit that was tested.
        commit: Option<String>,
        /// Result.
        status: GatesStatus,
        /// One per gate.
        results: Vec<GateResult>,
        /// Why it could not run.
        message: String,
    },
    /// A merge ended.
    Merge {
        /// Result.
        status: MergeStatus,
        /// The commit that brought the work in.
        merge_commit: Option<String>,
        /// Files in conflict.
        files: Vec<String>,
        /// Gates on the result.
        results: Vec<GateResult>,
        /// One sentence.
        message: String,
    },
}

/// What became of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It changed something, or confirmed what is so.
    Applied,
    /// It was known.
    Duplicate,
    /// Its session is over or superseded; the session shall end.
    Stale,
}

/// Applies one fact.
pub fn apply(plan: &mut Plan, event: Event) -> Receipt {
    match event {
        Event::TownSaid(messages) => town_said(plan, messages),
        Event::TownAcknowledged(seq) => {
            if plan.state().outbox.rows().first().is_none_or(|row| row.seq > seq) {
                return Receipt::Duplicate;
            }
            plan.write(Write::Acknowledged(seq));
            Receipt::Applied
        }
        Event::SessionReported(key, fact) => match session(plan, key) {
            Some(assignment) => session_reported(plan, &assignment, fact),
            None => Receipt::Stale,
        },
        Event::StartAnswered(key, answer) => match live(plan, key) {
            Some(assignment) if assignment.phase == Phase::Starting => start_answered(plan, &assignment, answer),
            Some(_) => Receipt::Duplicate,
            None => Receipt::Stale,
        },
        Event::SessionAnswered(key, answer) => match session(plan, key) {
            Some(assignment) => session_answered(plan, &assignment, answer),
            None => Receipt::Stale,
        },
        Event::JobReported(job_id, fact) => job_reported(plan, job_id, fact),
        Event::JobAnswered(job_id, answer) => job_answered(plan, job_id, answer),
    }
}

/// The live assignment of a session, if the epoch is its own.
pub fn live(plan: &Plan, key: SessionKey) -> Option<Assignment> {
    plan.state().assignments.get(&key.assignment_id).filter(|a| a.is_live() && a.epoch == key.epoch).cloned()
}

/// The same, if a session may exist: nobody can truly report about an assignment that was never ordered.
fn session(plan: &Plan, key: SessionKey) -> Option<Assignment> {
    live(plan, key).filter(Assignment::has_session)
}

fn town_said(plan: &mut Plan, messages: Vec<Numbered<TownToRig>>) -> Receipt {
    let news = protocol::news(messages, plan.state().town_applied);
    let Some(last) = news.last().map(|message| message.seq) else { return Receipt::Duplicate };
    for Numbered { message, .. } in news {
        match message {
            TownToRig::Configure(configure) => configured(plan, *configure),
            TownToRig::GrantSlot { assignment_id, probe } => slot_granted(plan, assignment_id, probe),
            TownToRig::TownState(town) => plan.update_rig(|rig| rig.town = town),
            TownToRig::Ping => (),
        }
    }
    plan.write(Write::Applied(last));
    Receipt::Applied
}

/// Settings. A repeat changes nothing; with new ones a person may have mended what opened the breaker, so one session may probe (domain.md 5.6).
fn configured(plan: &mut Plan, configure: protocol::Configure) {
    let known = plan.state().rig.settings.as_ref();
    if known.is_some_and(|s| s.version == configure.version && s.secrets_version == configure.secrets_version) {
        return;
    }
    plan.update_rig(|rig| {
        rig.git_url = configure.git_url;
        rig.default_branch = configure.default_branch;
        rig.target_branch = configure.target_branch;
        rig.wanted_version = rig.wanted_version.max(configure.version);
        rig.settings = Some(Settings {
            version: configure.version,
            secrets_version: configure.secrets_version,
            config: configure.config,
            town_models: configure.town_models,
            rig_models: configure.rig_models,
        });
        if rig.breaker.state == breaker::BreakerState::Open {
            rig.breaker.state = breaker::BreakerState::HalfOpen;
            rig.breaker.until = None;
        }
    });
}

/// A slot for an assignment that ended meanwhile goes back at once; one that was granted before is one grant.
fn slot_granted(plan: &mut Plan, assignment_id: AssignmentId, is_probe: bool) {
    let is_live = plan.state().assignments.get(&assignment_id).is_some_and(Assignment::is_live);
    if is_live {
        plan.update_assignment(assignment_id, |assignment| {
            assignment.slot = assignment::Slot::Granted;
            assignment.is_probe = is_probe;
        });
    } else {
        plan.post(protocol::RigToTown::SlotReleased { assignment_id });
    }
}

fn session_reported(plan: &mut Plan, assignment: &Assignment, fact: SessionFact) -> Receipt {
    let id = assignment.assignment_id;
    match fact {
        SessionFact::Step(step) => {
            if assignment.phase != Phase::Starting {
                return Receipt::Duplicate;
            }
            plan.update_assignment(id, |assignment| assignment.step = Some(step));
            renew_lease(plan, id);
        }
        SessionFact::Ready => became_running(plan, assignment),
        SessionFact::Finishing => renew_lease(plan, id),
        SessionFact::StartFailed { code, message, is_retryable } => {
            start_failed(plan, assignment, &code, &message, is_retryable);
        }
        SessionFact::Pushed { branch, commit } => pushed(plan, assignment, &branch, commit),
        SessionFact::Saved { ref_name, commit } => {
            plan.update_assignment(id, |assignment| assignment.saved = Some((ref_name, commit)));
            renew_lease(plan, id);
        }
        SessionFact::Delivered(mail_ids) => delivered(plan, assignment, &mail_ids),
        SessionFact::Beat(beat) => heartbeat(plan, assignment, beat),
        SessionFact::Over(over) => session_over(plan, assignment, over),
    }
    Receipt::Applied
}

/// Only news renews a lease (domain.md 5.4). Finishing has an end of its own that news does not move.
fn renew_lease(plan: &mut Plan, assignment_id: AssignmentId) {
    let now = plan.now();
    plan.update_assignment(assignment_id, |assignment| {
        if assignment.phase != Phase::Finishing {
            assignment.lease_until = Some(now + assignment.lease());
            assignment.probe_until = None;
        }
        assignment.last_heartbeat_at = Some(now);
    });
}

/// The session takes prompts: the start succeeded, the breaker hears of it, the counter of starts begins anew.
fn became_running(plan: &mut Plan, assignment: &Assignment) {
    let now = plan.now();
    if assignment.phase == Phase::Starting {
        plan.update_assignment(assignment.assignment_id, |assignment| {
            assignment.phase = Phase::Running;
            assignment.step = None;
            assignment.running_at = Some(now);
            assignment.last_progress_at = Some(now);
        });
        plan.update_bead(assignment.bead_id, |bead| bead.start_failures = 0);
        plan.update_agent(assignment.agent_id, |agent| agent.last_activity_at = Some(now));
        rules::breaker::start_succeeded(plan);
    }
    renew_lease(plan, assignment.assignment_id);
}

fn start_failed(plan: &mut Plan, assignment: &Assignment, code: &str, message: &str, is_retryable: bool) {
    if assignment.phase == Phase::Finishing {
        return session_over(plan, assignment, Over::Stopped(message.to_owned()));
    }
    let end = End::new(AssignmentOutcome::StartFailed, code, message).session_is_over();
    if is_retryable {
        assignment::end(plan, assignment.assignment_id, end.charged(Charge::StartFailure));
        rules::breaker::start_failed(plan, code, message);
    } else {
        assignment::end(plan, assignment.assignment_id, end);
        rules::breaker::needs_a_person(plan, code, message);
    }
}

fn pushed(plan: &mut Plan, assignment: &Assignment, branch: &str, commit: String) {
    if assignment.branch.as_deref() == Some(branch) {
        plan.update_bead(assignment.bead_id, |bead| bead.head_commit = Some(commit.clone()));
        let event = plan.event("pushed");
        plan.record(EventRow {
            bead_id: Some(assignment.bead_id),
            agent_id: Some(assignment.agent_id),
            assignment_id: Some(assignment.assignment_id),
            actor: "runtime".to_owned(),
            new: Some(commit),
            data: json!({ "branch": branch }),
            ..event
        });
    }
    renew_lease(plan, assignment.assignment_id);
}

fn delivered(plan: &mut Plan, assignment: &Assignment, mail_ids: &[String]) {
    let now = plan.now();
    for mail_id in mail_ids.iter().filter_map(|id| id.parse::<MailId>().ok()) {
        if let Some(mut mail) = plan.state().mail.get(&mail_id).filter(|mail| mail.delivered_at.is_none()).cloned() {
            mail.delivered_at = Some(now);
            mail.delivered_to = Some(assignment.assignment_id);
            plan.write(Write::Mail(mail));
        }
    }
    renew_lease(plan, assignment.assignment_id);
}

fn heartbeat(plan: &mut Plan, assignment: &Assignment, beat: Beat) {
    if beat.is_running {
        became_running(plan, assignment);
    } else {
        renew_lease(plan, assignment.assignment_id);
    }
    add_usage(plan, assignment, beat.usage);
    plan.update_assignment(assignment.assignment_id, |assignment| {
        assignment.instance_id = Some(beat.instance_id);
        assignment.last_progress_at = assignment.last_progress_at.max(beat.progress_at);
        assignment.idle_since = beat.idle_since;
        assignment.active_tools = beat.tool.into_iter().collect();
    });
}

/// Totals only grow, so a lost or late report loses nothing and counts nothing twice.
fn add_usage(plan: &mut Plan, assignment: &Assignment, usage: Usage) {
    let more = Usage {
        tokens_in: usage.tokens_in.saturating_sub(assignment.tokens_in),
        tokens_out: usage.tokens_out.saturating_sub(assignment.tokens_out),
        cost_micros: usage.cost_micros.saturating_sub(assignment.cost_micros),
    };
    if more == Usage::default() {
        return;
    }
    plan.update_assignment(assignment.assignment_id, |assignment| {
        assignment.tokens_in += more.tokens_in;
        assignment.tokens_out += more.tokens_out;
        assignment.cost_micros += more.cost_micros;
    });
    plan.update_bead(assignment.bead_id, |bead| {
        bead.tokens_in += more.tokens_in;
        bead.tokens_out += more.tokens_out;
        bead.cost_micros += more.cost_micros;
    });
}

fn session_over(plan: &mut Plan, assignment: &Assignment, over: Over) {
    let id = assignment.assignment_id;
    if assignment.phase == Phase::Finishing && !matches!(over, Over::Evicted(_)) {
        return end_with_pending(plan, assignment);
    }
    let end = match over {
        Over::Completed(message) => {
            let message = if message.is_empty() { "the session ended without a result".to_owned() } else { message };
            End::new(AssignmentOutcome::Failed, "no_result", message).charged(Charge::AgentError)
        }
        Over::Error { kind, message, retry_after } => {
            let end = End::new(AssignmentOutcome::Failed, kind.as_str(), message.clone()).retry_after(retry_after);
            match kind {
                ErrorKind::Auth | ErrorKind::Quota | ErrorKind::Config => {
                    assignment::end(plan, id, end.session_is_over());
                    return rules::breaker::needs_a_person(plan, kind.as_str(), &message);
                }
                ErrorKind::RateLimited | ErrorKind::ContextOverflow | ErrorKind::Provider | ErrorKind::Internal => {
                    end.charged(Charge::AgentError)
                }
            }
        }
        Over::Crashed(message) => End::new(AssignmentOutcome::Failed, "crash", message).charged(Charge::AgentError),
        Over::Stopped(message) | Over::Interrupted(message) => {
            End::new(AssignmentOutcome::Lost, "lost", message).charged(Charge::LostLease)
        }
        Over::Evicted(message) => End::new(AssignmentOutcome::Evicted, "evicted", message),
    };
    assignment::end(plan, id, end.session_is_over());
}

/// Ends a finishing assignment with what it was asked to end with.
pub fn end_with_pending(plan: &mut Plan, assignment: &Assignment) {
    let (outcome, charge) = match assignment.pending {
        Some(Pending::Stopped) | None => (AssignmentOutcome::Stopped, None),
        Some(Pending::Budget) => (AssignmentOutcome::Budget, None),
        Some(Pending::Failed) => (AssignmentOutcome::Failed, Some(Charge::AgentError)),
    };
    let code = assignment.code.clone().unwrap_or_else(|| outcome.to_string());
    let message = assignment.message.clone().unwrap_or_else(|| "it was asked to end".to_owned());
    let end = End { charge, ..End::new(outcome, &code, message).session_is_over() };
    assignment::end(plan, assignment.assignment_id, end);
}

fn start_answered(plan: &mut Plan, assignment: &Assignment, answer: StartAnswer) -> Receipt {
    let now = plan.now();
    let later = |plan: &mut Plan, why: String, pause: Duration| {
        plan.update_assignment(assignment.assignment_id, |assignment| {
            assignment.step = None;
            assignment.refusal = Some(why);
            assignment.order_due = Some(now + pause);
            assignment.started_at = Some(now);
            assignment.lease_until = Some(now + LEASE);
            assignment.probe_until = None;
        });
    };
    match answer {
        StartAnswer::Accepted(instance_id) => plan.update_assignment(assignment.assignment_id, |assignment| {
            assignment.instance_id = Some(instance_id);
            assignment.refusal = None;
            assignment.step = assignment.step.or(Some(Step::Accepted));
        }),
        StartAnswer::NotNow(why) => later(plan, why, ORDER_REFUSED_RETRY),
        StartAnswer::NoCapacity(why) => later(plan, why, ORDER_CAPACITY_RETRY),
        StartAnswer::Invalid { code, message } => start_failed(plan, assignment, &code, &message, false),
    }
    Receipt::Applied
}

fn session_answered(plan: &mut Plan, assignment: &Assignment, answer: SessionAnswer) -> Receipt {
    match answer {
        SessionAnswer::Alive(instance_id) => {
            renew_lease(plan, assignment.assignment_id);
            plan.update_assignment(assignment.assignment_id, |a| a.instance_id = Some(instance_id));
        }
        SessionAnswer::Gone(message) => rules::lease_lost::give_up(plan, assignment, &message),
    }
    Receipt::Applied
}

fn job_reported(plan: &mut Plan, job_id: JobId, fact: JobFact) -> Receipt {
    let Some(job) = plan.state().jobs.get(&job_id).filter(|job| job.ended_at.is_none()).cloned() else {
        return Receipt::Duplicate;
    };
    match fact {
        JobFact::Beat => {
            let lease = plan.now() + LEASE;
            plan.update_job(job_id, |job| {
                job.phase = JobPhase::Accepted;
                job.lease_until = Some(lease);
            });
        }
        JobFact::Gates { commit, status, results, message } => {
            end_job(plan, job_id, json!({ "status": status, "message": message }));
            gates_ended(plan, &job, commit, status, results, &message);
        }
        JobFact::Merge { status, merge_commit, files, results, message } => {
            end_job(plan, job_id, json!({ "status": status, "merge_commit": merge_commit, "message": message }));
            merge_ended(plan, &job, MergeEnd { status, merge_commit, files, results, message });
        }
    }
    Receipt::Applied
}

fn job_answered(plan: &mut Plan, job_id: JobId, answer: JobAnswer) -> Receipt {
    let Some(job) = plan.state().jobs.get(&job_id).filter(|job| job.ended_at.is_none()).cloned() else {
        return Receipt::Duplicate;
    };
    match answer {
        JobAnswer::Accepted => job_reported(plan, job_id, JobFact::Beat),
        JobAnswer::Invalid(message) => {
            end_job(plan, job_id, json!({ "status": "error", "message": message }));
            give_up_job(plan, &job, &message);
            Receipt::Applied
        }
    }
}

/// A job that cannot run: the review is in front of a person, with the reason.
pub fn give_up_job(plan: &mut Plan, job: &Job, message: &str) {
    let Some(review_id) = job.review_id else { return };
    match job.spec.run_id {
        Some(_) => gates_ended(plan, job, None, GatesStatus::Error, Vec::new(), message),
        None => {
            review::move_to(plan, review_id, ReviewState::Approved);
            bead::park(plan, review_id, "merge_error", message, REVIEW_CHOICES);
        }
    }
}

/// What a person may choose for a parked review (domain.md 3.4).
pub const REVIEW_CHOICES: &[&str] = &["resume", "approve", "request_changes", "reject"];

/// Ends a job row with its result.
pub fn end_job(plan: &mut Plan, job_id: JobId, result: Value) {
    let now = plan.now();
    plan.update_job(job_id, |job| {
        job.phase = JobPhase::Ended;
        job.result = Some(result);
        job.lease_until = None;
        job.ended_at = Some(now);
    });
}

fn gates_ended(
    plan: &mut Plan,
    job: &Job,
    commit: Option<String>,
    status: GatesStatus,
    results: Vec<GateResult>,
    message: &str,
) {
    let Some(review_id) = job.review_id else { return };
    let now = plan.now();
    if let Some(mut run) = job.spec.run_id.and_then(|id| plan.state().gate_runs.get(&id)).cloned() {
        run.commit_id = commit.clone().or(run.commit_id);
        run.gates = results;
        run.ended_at = Some(now);
        run.result = match status {
            GatesStatus::Green => GateRunResult::Green,
            GatesStatus::Red => GateRunResult::Red,
            GatesStatus::TargetRed | GatesStatus::Error | GatesStatus::NoCommit | GatesStatus::Conflict => {
                GateRunResult::Error
            }
        };
        plan.write(Write::GateRun(run));
    }
    if let Some(head) = commit {
        plan.update_review(review_id, |review| review.head_commit = review.head_commit.take().or(Some(head)));
    }
    let event = plan.event("gates_completed");
    plan.record(EventRow { bead_id: Some(review_id), new: Some(status.to_string()), ..event });
    match status {
        GatesStatus::Green | GatesStatus::Red => (),
        GatesStatus::NoCommit => review::branch_is_gone(plan, review_id),
        GatesStatus::TargetRed | GatesStatus::Error | GatesStatus::Conflict => {
            let message = if message.is_empty() { "the gates could not run" } else { message };
            bead::park(plan, review_id, "gates_error", message, REVIEW_CHOICES);
        }
    }
}

struct MergeEnd {
    status: MergeStatus,
    merge_commit: Option<String>,
    files: Vec<String>,
    results: Vec<GateResult>,
    message: String,
}

/// What a merge job's answer means (domain.md 7.4).
fn merge_ended(plan: &mut Plan, job: &Job, end: MergeEnd) {
    let Some(review_id) = job.review_id.filter(|id| plan.state().reviews.contains_key(id)) else { return };
    match end.status {
        MergeStatus::Merged => review::merged(plan, review_id, end.merge_commit),
        MergeStatus::Conflict => conflicted(plan, review_id, &end.files),
        MergeStatus::GatesRed => {
            let commit = job.spec.commit.clone().unwrap_or_default();
            let findings = red_gates(&end.results);
            let summary = "The gates are red on the merge with the target.".to_owned();
            let round = review::Judgement {
                commit,
                verdict: Verdict::RequestChanges,
                by: "gates".to_owned(),
                summary,
                findings,
            };
            review::add_round(plan, review_id, round, None);
            review::move_to(plan, review_id, ReviewState::ChangesRequested);
        }
        MergeStatus::TargetRed => {
            review::move_to(plan, review_id, ReviewState::Approved);
            let message = "The gates are red on the target branch itself, without this work.";
            bead::park(plan, review_id, "target_red", message, REVIEW_CHOICES);
        }
        MergeStatus::TargetMoved => try_merge_later(plan, review_id, "target_moving", &end.message, true),
        MergeStatus::PushRefused => {
            review::move_to(plan, review_id, ReviewState::Approved);
            let message = format!("The remote refused the push: {}. Merge strategy pr may be needed.", end.message);
            bead::park(plan, review_id, "push_refused", &message, REVIEW_CHOICES);
        }
        MergeStatus::NoCommit => review::branch_is_gone(plan, review_id),
        MergeStatus::Error => try_merge_later(plan, review_id, "merge_error", &end.message, false),
    }
}

fn try_merge_later(plan: &mut Plan, review_id: BeadId, code: &str, message: &str, moved: bool) {
    let now = plan.now();
    plan.update_review(review_id, |review| {
        review.merge_tries += 1;
        let pause = if moved { MERGE_MOVED_RETRY } else { backoff(review.merge_tries) };
        review.not_before = Some(now + pause);
    });
    review::move_to(plan, review_id, ReviewState::Approved);
    if plan.state().reviews.get(&review_id).is_some_and(|review| review.merge_tries >= MERGE_TRIES) {
        let message = if message.is_empty() { "the target branch moves faster than it can be merged" } else { message };
        bead::park(plan, review_id, code, message, REVIEW_CHOICES);
    }
}

fn conflicted(plan: &mut Plan, review_id: BeadId, files: &[String]) {
    let Some(settings) = plan.state().rig.settings.as_ref() else { return };
    let (resolves, rounds_max) = (settings.config.auto_resolve_merge_conflicts, settings.config.max_feedback_rounds);
    let Some(review) = plan.state().reviews.get(&review_id).cloned() else { return };
    let list = files.join(", ");
    let parked = if !resolves {
        Some(("merge_conflict", format!("The branch conflicts with {} in: {list}", review.target)))
    } else if review.feedback_round >= rounds_max {
        Some(("feedback_rounds", format!("The branch conflicts again after {rounds_max} rounds, in: {list}")))
    } else {
        None
    };
    if let Some((code, message)) = parked {
        review::move_to(plan, review_id, ReviewState::Approved);
        return bead::park(plan, review_id, code, &message, REVIEW_CHOICES);
    }
    plan.update_review(review_id, |review| review.feedback_round += 1);
    let title = format!("Resolve the conflict of {} with {}", review.branch, review.target);
    let body = format!("Merge origin/{} into {}. Files in conflict: {list}", review.target, review.branch);
    review::make_child(plan, review_id, PR_CONFLICT, title, body);
}

/// Red gates as findings: the command and the end of its output.
pub fn red_gates(results: &[GateResult]) -> Vec<Finding> {
    results
        .iter()
        .filter(|gate| gate.status != GateStatus::Passed)
        .map(|gate| Finding {
            file: None,
            line: None,
            severity: "must".to_owned(),
            message: format!("gate `{}` {}:\n{}", gate.command, gate.status, gate.output_tail),
        })
        .collect()
}
