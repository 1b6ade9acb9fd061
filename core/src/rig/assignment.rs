//! Assignments: who runs what (domain.md 5). One row replaces hook, assignee and "working": it carries the phase, the
//! lease, the fencing epoch, and how it ended. This file holds the row, its table, and the steps every rule shares:
//! assign, stop, end. What the runtime reports is applied by `event.rs`.

use std::time::Duration;

use serde_json::Value;

use super::bead::{self, Bead, BeadStatus, BeadType, Charge};
use super::plan::{Effect, EventRow, Plan, Write};
use super::state::State;
use super::{nudge, review};
use crate::id::{AgentId, AssignmentId, BeadId, InstanceId};
use crate::limits::{FINISH_LIMIT, LEASE, LEASE_CLONE};
use crate::models::{Catalogue, ModelId, ModelReason, Resolution, Task, TaskRole, resolve};
use crate::protocol::RigToTown;
use crate::session::{Kind, Step};
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// Where an assignment is in its life (domain.md 5.2).
    pub enum Phase {
        Queued = "queued",
        Starting = "starting",
        Running = "running",
        Finishing = "finishing",
        Ended = "ended",
    }
}

/// Every change of phase, and what causes it (domain.md 5.2). Late, doubled and superseded reports have rows too.
pub const TRANSITIONS: &[(Phase, &str, Phase)] = &[
    (Phase::Queued, "slot granted and nothing forbids it", Phase::Starting),
    (Phase::Queued, "bead ended, held, parked or staged; unhooked; reassigned", Phase::Ended),
    (Phase::Starting, "accepted, cloning, worktree, booting", Phase::Starting),
    (Phase::Starting, "refused: draining, starting, capacity", Phase::Starting),
    (Phase::Starting, "ready, or a heartbeat that says running", Phase::Running),
    (Phase::Starting, "start failed, start limit, lost, evicted", Phase::Ended),
    (Phase::Starting, "stop asked", Phase::Finishing),
    (Phase::Running, "heartbeat, progress, idle", Phase::Running),
    (Phase::Running, "stop asked", Phase::Finishing),
    (Phase::Running, "done, verdict, session over, lost, evicted", Phase::Ended),
    (Phase::Finishing, "done or verdict that still counts, exited, lease over, evicted", Phase::Ended),
    (Phase::Ended, "late heartbeat, ready, exit, other verdict: refused", Phase::Ended),
    (Phase::Ended, "done again: the first answer", Phase::Ended),
];

text_enum! {
    /// The town's permission for one session.
    pub enum Slot {
        None = "none",
        Asked = "asked",
        Granted = "granted",
    }
}

/// Every change of an assignment's slot, and what causes it. A slot that is granted stays so until the assignment ends.
pub const SLOT_TRANSITIONS: &[(Slot, &str, Slot)] = &[
    (Slot::None, "asked for (R26)", Slot::Asked),
    (Slot::Asked, "the Town grants it", Slot::Granted),
    (Slot::Granted, "granted again: nothing", Slot::Granted),
];

/// How far the rig went about an agent's silence (domain.md 10.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GuppTier {
    /// News is young enough.
    Heard,
    /// It was reminded.
    Reminded,
    /// It was reminded urgently, and triage was asked.
    Escalated,
    /// It was stopped.
    Stopped,
}

impl GuppTier {
    /// The number that SQL keeps.
    pub const fn level(self) -> i64 {
        self as i64
    }

    /// The tier that SQL kept; an unknown number reads as none, so that one bad row cannot stop a session.
    pub const fn from_level(level: i64) -> Self {
        match level {
            1 => Self::Reminded,
            2 => Self::Escalated,
            3 => Self::Stopped,
            _ => Self::Heard,
        }
    }
}

text_enum! {
    /// What `finishing` will end with.
    pub enum Pending {
        Stopped = "stopped",
        Budget = "budget",
        Failed = "failed",
    }
}

text_enum! {
    /// How an assignment ended.
    pub enum AssignmentOutcome {
        Done = "done",
        Approved = "approved",
        ChangesRequested = "changes_requested",
        Rejected = "rejected",
        Stopped = "stopped",
        Failed = "failed",
        StartFailed = "start_failed",
        Lost = "lost",
        Evicted = "evicted",
        Budget = "budget",
    }
}

impl AssignmentOutcome {
    /// Whether the session delivered what it was started for; clears the counters of its bead.
    pub const fn is_result(self) -> bool {
        match self {
            Self::Done | Self::Approved | Self::ChangesRequested | Self::Rejected => true,
            Self::Stopped | Self::Failed | Self::StartFailed | Self::Lost | Self::Evicted | Self::Budget => false,
        }
    }
}

/// One assignment (domain.md 2.4).
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Identity.
    pub assignment_id: AssignmentId,
    /// Fencing number, unique and rising in the rig.
    pub epoch: u64,
    /// What it is about.
    pub bead_id: BeadId,
    /// The bead's attempt when it was made.
    pub bead_attempt: u32,
    /// Who.
    pub agent_id: AgentId,
    /// What it is for.
    pub kind: Kind,
    /// Where it is in its life.
    pub phase: Phase,
    /// Step of starting.
    pub step: Option<Step>,
    /// The town's permission.
    pub slot: Slot,
    /// Whether it is the session that a half-open breaker lets through.
    pub is_probe: bool,
    /// Resolved when it starts.
    pub model: Option<ModelId>,
    /// Resolved when it starts.
    pub small_model: Option<ModelId>,
    /// Why that model.
    pub model_reason: Option<ModelReason>,
    /// Work branch.
    pub branch: Option<String>,
    /// Ref that the branch starts from.
    pub base: Option<String>,
    /// Branch to reach.
    pub target: Option<String>,
    /// Review: the commit under review. Work: the commit that `done` named.
    pub head_commit: Option<String>,
    /// The runtime that accepted it.
    pub instance_id: Option<InstanceId>,
    /// Last start order.
    pub ordered_at: Option<Timestamp>,
    /// When the order may be repeated.
    pub order_due: Option<Timestamp>,
    /// Why the runtime last refused the order.
    pub refusal: Option<String>,
    /// Believed alive until then without news.
    pub lease_until: Option<Timestamp>,
    /// End of the question that follows a lease.
    pub probe_until: Option<Timestamp>,
    /// News from the supervisor.
    pub last_heartbeat_at: Option<Timestamp>,
    /// News from the agent itself.
    pub last_progress_at: Option<Timestamp>,
    /// Tools that run.
    pub active_tools: Vec<String>,
    /// How far the rig went about its silence.
    pub gupp_tier: GuppTier,
    /// Idle since then.
    pub idle_since: Option<Timestamp>,
    /// How often it was asked why it is idle.
    pub idle_nudges: u32,
    /// When it was asked last.
    pub idle_nudged_at: Option<Timestamp>,
    /// What `finishing` will end with.
    pub pending: Option<Pending>,
    /// How it ended.
    pub outcome: Option<AssignmentOutcome>,
    /// Why, as a machine word.
    pub code: Option<String>,
    /// Why, in words.
    pub message: Option<String>,
    /// What the agent says it did.
    pub summary: Option<String>,
    /// What it left for the next one.
    pub checkpoint: Option<Value>,
    /// Where unpublished work was saved, by an earlier session of the bead or by this one: ref and commit.
    pub saved: Option<(String, String)>,
    /// As metered.
    pub tokens_in: u64,
    /// As metered.
    pub tokens_out: u64,
    /// As metered, in micro-dollars.
    pub cost_micros: u64,
    /// When it was made.
    pub queued_at: Timestamp,
    /// When it was first ordered; begins anew with a refused order.
    pub started_at: Option<Timestamp>,
    /// When it was ready.
    pub running_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Assignment {
    /// Whether it has not ended.
    pub const fn is_live(&self) -> bool {
        self.ended_at.is_none()
    }

    /// Starting, running or finishing: a session may exist.
    pub const fn has_session(&self) -> bool {
        match self.phase {
            Phase::Starting | Phase::Running | Phase::Finishing => true,
            Phase::Queued | Phase::Ended => false,
        }
    }

    /// Whether nothing has been heard of the agent for so long that people shall see it (domain.md 4, `stalled`).
    pub fn is_stalled(&self) -> bool {
        self.phase == Phase::Running && self.gupp_tier >= GuppTier::Escalated
    }

    /// The lease that news gives in the present step.
    pub fn lease(&self) -> Duration {
        if self.phase == Phase::Starting && self.step == Some(Step::Cloning) { LEASE_CLONE } else { LEASE }
    }
}

/// How an assignment ends.
#[derive(Debug, Clone)]
pub struct End {
    /// Outcome.
    pub outcome: AssignmentOutcome,
    /// Machine word.
    pub code: String,
    /// In words.
    pub message: String,
    /// Counter of the bead that is charged.
    pub charge: Option<Charge>,
    /// The gateway's own wish for the back-off.
    pub retry_after: Option<Duration>,
    /// Whether the runtime is told to end the session.
    pub stop_session: bool,
}

impl End {
    /// An end that charges nothing and tells the runtime to stop.
    pub fn new(outcome: AssignmentOutcome, code: &str, message: impl Into<String>) -> Self {
        Self {
            outcome,
            code: code.to_owned(),
            message: message.into(),
            charge: None,
            retry_after: None,
            stop_session: true,
        }
    }

    /// The same, charged to a counter of the bead.
    pub fn charged(self, charge: Charge) -> Self {
        Self { charge: Some(charge), ..self }
    }

    /// The same, with the gateway's wish for the back-off.
    pub fn retry_after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// The same, of a session that is known to be over.
    pub fn session_is_over(self) -> Self {
        Self { stop_session: false, ..self }
    }
}

/// The kind of assignment that a bead gets (domain.md 3.3, 7).
pub fn kind_of(plan: &Plan, bead: &Bead) -> Kind {
    match bead.kind {
        BeadType::MergeRequest => match plan.state().reviews.get(&bead.bead_id).map(|review| review.kind) {
            Some(review::ReviewKind::Landing) => Kind::Landing,
            Some(review::ReviewKind::Task) | None => Kind::Review,
        },
        BeadType::Issue | BeadType::Molecule => {
            let is_child = bead.parent_id.is_some_and(|parent| plan.state().reviews.contains_key(&parent));
            if is_child && bead.has_label(bead::PR_CONFLICT) {
                Kind::Conflict
            } else if is_child && bead.has_label(bead::PR_FEEDBACK) {
                Kind::Feedback
            } else if is_child && bead.has_label(bead::REWORK) {
                Kind::Rework
            } else if bead.has_label(bead::TRIAGE) && bead.created_by == bead::PATROL {
                Kind::Triage
            } else if bead.has_label(bead::PR_FIXUP) && bead.metadata.contains_key("branch") {
                Kind::Fixup
            } else {
                Kind::Work
            }
        }
    }
}

/// The model of a bead's next session, and why: dispatch and preview both ask here (models.md 4, 5). None until the Town
/// has configured the rig.
pub fn resolution(state: &State, catalogue: &Catalogue, bead: &Bead) -> Option<Resolution> {
    let settings = state.rig.settings.as_ref()?;
    let role = match bead.kind {
        BeadType::MergeRequest => TaskRole::Refinery,
        BeadType::Issue | BeadType::Molecule => TaskRole::Polecat,
    };
    let labels: Vec<&String> = bead.labels.iter().collect();
    let task = Task::new(role, &labels, bead.model.clone());
    Some(resolve(&settings.town_models, catalogue, Some(&settings.rig_models), &task))
}

/// Makes a queued assignment and returns its id (domain.md 5.2, first row).
pub fn assign(plan: &mut Plan, bead_id: BeadId, agent_id: AgentId) -> Option<AssignmentId> {
    let actor = plan.rule();
    assign_by(plan, bead_id, agent_id, actor)
}

/// The same, by this person's or client's hand.
pub fn assign_by(plan: &mut Plan, bead_id: BeadId, agent_id: AgentId, actor: &str) -> Option<AssignmentId> {
    let bead = plan.state().live_bead(bead_id)?.clone();
    let kind = kind_of(plan, &bead);
    let assignment_id = plan.mint();
    let (now, epoch) = (plan.now(), plan.state().rig.next_epoch);
    plan.update_rig(|rig| rig.next_epoch += 1);
    plan.write(Write::Assignment(Box::new(Assignment {
        assignment_id,
        epoch,
        bead_id,
        bead_attempt: bead.attempt,
        agent_id,
        kind,
        phase: Phase::Queued,
        step: None,
        slot: Slot::None,
        is_probe: false,
        model: None,
        small_model: None,
        model_reason: None,
        branch: bead.branch,
        base: bead.base,
        target: bead.target,
        head_commit: bead.head_commit,
        instance_id: None,
        ordered_at: None,
        order_due: None,
        refusal: None,
        lease_until: None,
        probe_until: None,
        last_heartbeat_at: None,
        last_progress_at: None,
        active_tools: Vec::new(),
        gupp_tier: GuppTier::Heard,
        idle_since: None,
        idle_nudges: 0,
        idle_nudged_at: None,
        pending: None,
        outcome: None,
        code: None,
        message: None,
        summary: None,
        checkpoint: None,
        saved: bead.saved,
        tokens_in: 0,
        tokens_out: 0,
        cost_micros: 0,
        queued_at: now,
        started_at: None,
        running_at: None,
        ended_at: None,
    })));
    plan.update_agent(agent_id, |agent| {
        agent.idle_since = None;
        agent.checkpoint = bead.checkpoint;
    });
    let event = plan.event("hooked");
    plan.record(EventRow {
        bead_id: Some(bead_id),
        agent_id: Some(agent_id),
        assignment_id: Some(assignment_id),
        actor: actor.to_owned(),
        ..event
    });
    Some(assignment_id)
}

/// Asks an assignment to end: at once when no session exists, else by way of `finishing`.
pub fn stop(plan: &mut Plan, assignment_id: AssignmentId, pending: Pending, code: &str, message: &str) {
    let Some(assignment) = plan.state().assignments.get(&assignment_id).filter(|a| a.is_live()).cloned() else {
        return;
    };
    match assignment.phase {
        Phase::Queued => {
            end(plan, assignment_id, End::new(AssignmentOutcome::Stopped, code, message).session_is_over())
        }
        Phase::Starting | Phase::Running => {
            let lease = plan.now() + FINISH_LIMIT;
            plan.update_assignment(assignment_id, |assignment| {
                assignment.phase = Phase::Finishing;
                assignment.pending = Some(pending);
                assignment.code = Some(code.to_owned());
                assignment.message = Some(message.to_owned());
                assignment.lease_until = Some(lease);
                assignment.probe_until = None;
            });
            plan.effect(match pending {
                Pending::Budget => {
                    Effect::WrapUp { assignment_id, epoch: assignment.epoch, message: message.to_owned() }
                }
                Pending::Stopped | Pending::Failed => stop_session(&assignment, code, message),
            });
            bead_after_session(plan, assignment.bead_id);
        }
        Phase::Finishing | Phase::Ended => (),
    }
}

/// Ends an assignment in one commit (domain.md 5.4): outcome and words stored, slot released, counter charged or
/// cleared, checkpoint copied, agent idle, StopSession ordered if a session may exist, bead open again unless it ended.
pub fn end(plan: &mut Plan, assignment_id: AssignmentId, end: End) {
    let Some(assignment) = plan.state().assignments.get(&assignment_id).filter(|a| a.is_live()).cloned() else {
        return;
    };
    let now = plan.now();
    plan.update_assignment(assignment_id, |assignment| {
        assignment.phase = Phase::Ended;
        assignment.slot = Slot::None;
        assignment.outcome = Some(end.outcome);
        assignment.code = Some(end.code.clone());
        assignment.message = Some(end.message.clone());
        assignment.ended_at = Some(now);
        assignment.lease_until = None;
        assignment.probe_until = None;
    });
    nudge::expire(plan, |nudge| nudge.assignment_id == Some(assignment_id));
    if assignment.slot != Slot::None {
        plan.post(RigToTown::SlotReleased { assignment_id });
    }
    plan.update_agent(assignment.agent_id, |agent| {
        agent.idle_since = Some(now);
        agent.status_message = None;
    });
    if end.stop_session && assignment.has_session() {
        plan.effect(stop_session(&assignment, &end.code, &end.message));
    }
    let checkpoint = plan.state().agents.get(&assignment.agent_id).and_then(|agent| agent.checkpoint.clone());
    plan.update_bead(assignment.bead_id, |bead| {
        bead.checkpoint = checkpoint.or(bead.checkpoint.take());
        if end.outcome.is_result() {
            bead.clear_counters();
            bead.saved = None;
        }
        if let Some(charge) = end.charge.filter(|_| bead.is_live()) {
            bead.charge(charge, end.retry_after, now);
        }
    });
    let event = plan.event("attempt_ended");
    plan.record(EventRow {
        bead_id: Some(assignment.bead_id),
        agent_id: Some(assignment.agent_id),
        assignment_id: Some(assignment_id),
        new: Some(end.outcome.to_string()),
        data: serde_json::json!({ "code": end.code, "message": end.message }),
        ..event
    });
    if !end.outcome.is_result() {
        bead_after_session(plan, assignment.bead_id);
    }
}

/// Gives the bead back after a session without a result: an issue in progress is open again, a review under way is
/// queued again. Whoever ends a session with a result moves its bead on.
fn bead_after_session(plan: &mut Plan, bead_id: BeadId) {
    let Some(bead) = plan.state().live_bead(bead_id) else { return };
    let still_runs = plan.state().assignment_of_bead(bead_id).is_some();
    match (bead.kind, bead.status) {
        (BeadType::Issue, BeadStatus::InProgress) if !still_runs => {
            let actor = plan.rule();
            plan.update_bead(bead_id, |bead| bead.status = BeadStatus::Open);
            plan.status_changed(bead_id, BeadStatus::InProgress, BeadStatus::Open, actor);
        }
        (BeadType::MergeRequest, _) if !still_runs => review::session_ended(plan, bead_id),
        (
            BeadType::Issue | BeadType::MergeRequest | BeadType::Molecule,
            BeadStatus::Open | BeadStatus::InProgress | BeadStatus::InReview | BeadStatus::Closed | BeadStatus::Failed,
        ) => (),
    }
}

fn stop_session(assignment: &Assignment, code: &str, message: &str) -> Effect {
    Effect::StopSession {
        assignment_id: assignment.assignment_id,
        epoch: assignment.epoch,
        code: code.to_owned(),
        message: message.to_owned(),
    }
}
