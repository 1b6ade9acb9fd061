//! What agents ask of their rig. Whoever speaks is checked here again, in the same turn as the commit: an assignment may
//! have ended since the door was passed.

use std::rc::Rc;

use gastown_core::access::Denial;
use gastown_core::limits::{PRIME_BEADS, PRIME_BLOCKERS};
use gastown_core::rate;
use gastown_core::rig::bead::{self, BeadType};
use gastown_core::rig::command::{Done, Judge};
use gastown_core::rig::event::Event;
use gastown_core::rig::lesson;
use gastown_core::rig::mail;
use gastown_core::rig::state::State;
use gastown_core::rig::{Applied, Command};
use gastown_core::session::{Beat, Kind, SessionFact, SessionKey, Usage};
use gastown_core::wire::api::agent::{Agent, Assignment};
use gastown_core::wire::api::bead::Bead;
use gastown_core::wire::api::mail::Mail;
use gastown_core::wire::api::prime::{self, PrimeContext};
use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::{Issue, IssueCode};
use serde_json::json;

use super::calls::{
    AcknowledgeMail, AgentBeats, AgentDone, AgentJudges, CheckAgent, Judged, LiveSession, NudgeDelivered, Prime,
    ReadMail, SetCheckpoint, SetStatus, Speaker, TokenSession,
};
use super::commit::{View, newest_of};
use super::{Desk, store};
use crate::error::{Error, Refusal, Result};
use crate::requests::digest;

/// Whether a token's session is live, and its agent does not call too often.
pub(super) async fn check(desk: &Rc<Desk>, call: CheckAgent) -> Result<LiveSession> {
    let speaker = Speaker { town_id: call.town_id, agent_id: call.agent_id, session: call.session };
    let found = desk.read(|state| {
        if call.generation.is_some_and(|of_token| of_token < state.rig.town.credential_gen) {
            return Err(Refusal::new(Code::TokenInvalid, "The credentials of this town were revoked").into());
        }
        live(state, &speaker)
    });
    let session = match found {
        // A repeated `done` gets its first answer, so its session may pass the door; the command decides.
        Err(Error::Refusal(refusal)) if call.may_be_over && refusal.code == Code::StaleAssignment => {
            ended(desk, &speaker).ok_or(Error::Refusal(refusal))?
        }
        other => other?,
    };
    if call.is_counted {
        desk.buckets.borrow_mut().take(call.agent_id.to_string(), rate::AGENT, desk.now()?)?;
    }
    Ok(session)
}

/// What the agent is told about its work. Mail that is shown is delivered first, unless the agent only peeks, so that a
/// repeat gives the same answer.
pub(super) async fn prime(desk: &Rc<Desk>, call: Prime) -> Result<PrimeContext> {
    let (waiting, session) = desk.read(|state| {
        let live = live(state, &call.speaker)?;
        Ok((undelivered(state, &live), live.session))
    })?;
    if !call.peek && !waiting.is_empty() {
        let mail_ids = waiting.iter().map(|mail| mail.id).collect();
        let committed = desk.handle(Command::AcknowledgeMail { session, mail_ids }, |_, _| Ok(()))?;
        desk.act(committed.effects).await;
    }
    desk.read(|state| context(desk, state, &live(state, &call.speaker)?))
}

/// The work is done. A refinery that says its verdict this way judges.
pub(super) async fn done(desk: &Rc<Desk>, call: AgentDone) -> Result<()> {
    let session = session_of(desk, &call.speaker)?;
    let done = call.done;
    let has_branch = desk.read(|state| {
        let assignment = state.assignments.get(&session.assignment_id);
        Ok(assignment.is_none_or(|assignment| assignment.kind != Kind::Triage))
    })?;
    // Only triage has no branch to name.
    if has_branch && done.branch.is_empty() {
        let (code, message) = (IssueCode::Required, "is required".to_owned());
        let issue = Issue { code, path: vec!["branch".to_owned()], message };
        let refusal = Refusal::new(Code::InvalidRequest, "The body is not valid: branch");
        return Err(Refusal { issues: vec![issue], ..refusal }.into());
    }
    let command = match done.verdict {
        Some(verdict) => Command::Judge(Judge {
            session,
            verdict,
            feedback: done.summary.clone(),
            summary: done.summary,
            files: done.files,
            commit: done.commit,
        }),
        None => Command::Done(Done {
            session,
            branch: done.branch,
            commit: done.commit,
            summary: done.summary,
            files: done.files,
            pr_url: done.pr_url,
        }),
    };
    let committed = desk.handle(command, |_, _| Ok(()))?;
    desk.act(committed.effects).await;
    Ok(())
}

/// A refinery's verdict.
pub(super) async fn judge(desk: &Rc<Desk>, call: AgentJudges) -> Result<Judged> {
    let session = session_of(desk, &call.speaker)?;
    let Some(verdict) = call.judge.verdict else {
        return Err(Refusal::new(Code::VerdictRequired, "Say approve, request_changes or reject").into());
    };
    let command = Command::Judge(Judge {
        session,
        verdict,
        summary: call.judge.summary,
        feedback: call.judge.feedback,
        files: call.judge.files,
        commit: call.judge.commit,
    });
    let committed = desk.handle(command, |view, applied| match applied {
        Applied::Judged(review_id) => {
            let review = view.state.reviews.get(&review_id);
            Ok(Judged {
                verdict,
                review_state: review.map(|review| review.state.to_string()).unwrap_or_default(),
                rework_bead_id: review.and_then(|review| review.child_id),
            })
        }
        other @ (Applied::Bead(_)
        | Applied::Done(_)
        | Applied::Written
        | Applied::Deleted(_)
        | Applied::Agent(_)
        | Applied::Hooked(_)
        | Applied::Mail(_)
        | Applied::Nudge(_)
        | Applied::Delivered(_)) => {
            Err(crate::error::Fault::new("read a verdict's effect", format_args!("{other:?}")).into())
        }
    })?;
    desk.act(committed.effects).await;
    Ok(committed.value)
}

/// What the agent says it is doing.
pub(super) async fn set_status(desk: &Rc<Desk>, call: SetStatus) -> Result<()> {
    let session = session_of(desk, &call.speaker)?;
    let committed = desk.handle(Command::SetStatus { session, message: call.message }, |_, _| Ok(()))?;
    desk.act(committed.effects).await;
    Ok(())
}

/// What the agent leaves for its next session.
pub(super) async fn set_checkpoint(desk: &Rc<Desk>, call: SetCheckpoint) -> Result<()> {
    let session = session_of(desk, &call.speaker)?;
    let committed = desk.handle(Command::SetCheckpoint { session, data: call.data }, |_, _| Ok(()))?;
    desk.act(committed.effects).await;
    Ok(())
}

/// A heartbeat for one agent: its lease is renewed, its progress noted. Nothing is said about usage.
pub(super) async fn beats(desk: &Rc<Desk>, call: AgentBeats) -> Result<()> {
    let now = desk.now()?;
    let (session, known) = desk.read(|state| {
        let live = live(state, &call.speaker)?;
        Ok((live.session, state.assignments.get(&live.session.assignment_id).and_then(|a| a.instance_id)))
    })?;
    let Some(instance_id) = call.heartbeat.instance_id.or(known) else {
        return Err(Refusal::new(Code::InvalidRequest, "containerInstanceId is required before the start").into());
    };
    let beat = Beat {
        is_running: true,
        idle_since: call.heartbeat.is_idle.then_some(now),
        tool: call.heartbeat.active_tools.into_iter().next(),
        progress_at: call.heartbeat.last_event_at,
        usage: Usage::default(),
        instance_id,
    };
    let committed = desk.observe(vec![Event::SessionReported(session, SessionFact::Beat(beat))])?;
    desk.act(committed.effects).await;
    Ok(())
}

/// The agent's mail, oldest first; delivered unless it only peeks.
pub(super) async fn read_mail(desk: &Rc<Desk>, call: ReadMail) -> Result<Vec<Mail>> {
    let (mails, session) = desk.read(|state| {
        let live = live(state, &call.speaker)?;
        Ok((undelivered(state, &live), live.session))
    })?;
    if !call.peek && !mails.is_empty() {
        let mail_ids = mails.iter().map(|mail| mail.id).collect();
        let command = Command::AcknowledgeMail { session, mail_ids };
        let committed = desk.handle(command, |_, _| Ok(()))?;
        desk.act(committed.effects).await;
    }
    Ok(mails)
}

/// The agent has read these.
pub(super) async fn acknowledge_mail(desk: &Rc<Desk>, call: AcknowledgeMail) -> Result<usize> {
    let session = session_of(desk, &call.speaker)?;
    let command = Command::AcknowledgeMail { session, mail_ids: call.mail_ids };
    let committed = desk.handle(command, |_, applied| match applied {
        Applied::Delivered(count) => Ok(count),
        Applied::Bead(_)
        | Applied::Done(_)
        | Applied::Judged(_)
        | Applied::Written
        | Applied::Deleted(_)
        | Applied::Agent(_)
        | Applied::Hooked(_)
        | Applied::Nudge(_)
        | Applied::Mail(_) => Ok(0),
    })?;
    desk.act(committed.effects).await;
    Ok(committed.value)
}

/// The agent has read a nudge.
pub(super) async fn nudge_delivered(desk: &Rc<Desk>, call: NudgeDelivered) -> Result<()> {
    let session = session_of(desk, &call.speaker)?;
    let command = Command::NudgeDelivered { session, nudge_id: call.nudge_id };
    let committed = desk.handle(command, |_, _| Ok(()))?;
    desk.act(committed.effects).await;
    Ok(())
}

/// The live session that somebody speaks for.
pub(super) fn live(state: &State, speaker: &Speaker) -> Result<LiveSession> {
    if state.rig.town_id != speaker.town_id {
        return Err(Refusal::not_found("rig").into());
    }
    let current = state.assignment_of_agent(speaker.agent_id);
    let named = match speaker.session {
        TokenSession::Named(SessionKey { assignment_id, epoch }) => {
            current.filter(|a| a.assignment_id == assignment_id && a.epoch == epoch)
        }
        TokenSession::Short { issued_at } => current.filter(|assignment| assignment.queued_at <= issued_at),
    };
    let Some(assignment) = named else {
        let details = json!({ "current_epoch": current.map(|assignment| assignment.epoch) });
        let refusal = Refusal::new(Denial::StaleAssignment.into(), "This assignment is over");
        return Err(refusal.with(details).into());
    };
    Ok(LiveSession {
        agent_id: assignment.agent_id,
        session: SessionKey { assignment_id: assignment.assignment_id, epoch: assignment.epoch },
        role: assignment.kind.role(),
    })
}

/// A session that ended with a result, for the repeat of the call that ended it.
fn ended(desk: &Desk, speaker: &Speaker) -> Option<LiveSession> {
    let TokenSession::Named(session) = speaker.session else { return None };
    let assignment = store::assignment(&desk.sql, session.assignment_id).ok().flatten()?;
    let is_same = assignment.agent_id == speaker.agent_id && assignment.epoch == session.epoch;
    let has_result = assignment.outcome.is_some_and(|outcome| outcome.is_result());
    (is_same && has_result).then_some(LiveSession {
        agent_id: assignment.agent_id,
        session,
        role: assignment.kind.role(),
    })
}

/// The session of a call that may be the repeat of the one that ended it: the command decides.
pub(super) fn session_of(desk: &Desk, speaker: &Speaker) -> Result<SessionKey> {
    match speaker.session {
        TokenSession::Named(session) => desk.is_of(speaker.town_id).map(|()| session),
        TokenSession::Short { .. } => desk.read(|state| live(state, speaker)).map(|live| live.session),
    }
}

/// Mail that waits for this session, oldest first.
fn undelivered(state: &State, live: &LiveSession) -> Vec<Mail> {
    let assignment = state.assignments.get(&live.session.assignment_id);
    let waiting = assignment.map(|assignment| mail::waiting(state, assignment)).unwrap_or_default();
    waiting.into_iter().map(|mail| Mail::of(state, mail)).collect()
}

/// The same, after what this session has read before: whoever primes again sees it again.
fn mail_of_session(desk: &Desk, state: &State, live: &LiveSession) -> Result<Vec<Mail>> {
    let read = store::mail_read_by(&desk.sql, live.session.assignment_id)?;
    let mut mails: Vec<Mail> = read.iter().map(|mail| Mail::of(state, mail)).collect();
    mails.extend(undelivered(state, live));
    Ok(mails)
}

fn context(desk: &Desk, state: &State, live: &LiveSession) -> Result<PrimeContext> {
    let stale = || Error::from(Refusal::new(Code::StaleAssignment, "This assignment is over"));
    let agent = state.agents.get(&live.agent_id).ok_or_else(stale)?;
    let assignment = state.assignments.get(&live.session.assignment_id).ok_or_else(stale)?;
    let view = View { state, sql: &desk.sql };
    let bead = state.beads.get(&assignment.bead_id);
    let review = bead.and_then(|bead| state.reviews.get(&bead.bead_id));
    let source = review.and_then(|review| review.source_id).map(|id| view.bead(id)).transpose()?;
    let settings = state.rig.settings.as_ref();
    let before = predecessors(desk, state, bead)?;
    let mut context = PrimeContext {
        agent: Agent::of(state, agent),
        hooked_bead: bead.map(|bead| view.bead(bead.bead_id)).transpose()?,
        undelivered_mail: mail_of_session(desk, state, live)?,
        open_beads: open_beads(desk, state, bead)?,
        rework_context: bead.and_then(|bead| prime::rework(state, bead)),
        pr_fixup_context: bead.and_then(|bead| prime::pull_request(bead, bead::PR_FIXUP)),
        pr_conflict_context: bead.and_then(|bead| prime::pull_request(bead, bead::PR_CONFLICT)),
        revision: String::new(),
        assignment: Some(Assignment::of(state, assignment)),
        review_context: review.map(|review| prime::review(state, review, source)),
        convoy_context: bead.and_then(|bead| prime::convoy(bead, &before)),
        triage_context: bead
            .map(gastown_core::rig::triage::requests)
            .filter(|requests| !requests.is_empty())
            .map(|requests| json!({ "requests": requests })),
        gates: settings.map(|settings| settings.config.gates.clone()).unwrap_or_default(),
        history: history(desk, state, bead)?,
        predecessors: before,
        steps: bead.map(|bead| prime::steps(state, bead)).unwrap_or_default(),
        custom_instructions: settings.and_then(|s| match live.role {
            gastown_core::session::Role::Refinery => s.config.custom_instructions.refinery.clone(),
            gastown_core::session::Role::Polecat
            | gastown_core::session::Role::Triage
            | gastown_core::session::Role::Mayor => s.config.custom_instructions.polecat.clone(),
        }),
    };
    context.revision = revision(&context);
    Ok(context)
}

/// Tells whether something changed; leases and mail come and go without the work being another.
fn revision(context: &PrimeContext) -> String {
    let mut lasting = context.clone();
    lasting.undelivered_mail.clear();
    lasting.agent.assignment = None;
    lasting.agent.last_activity_at = None;
    lasting.agent.undelivered_mail = 0;
    if let Some(assignment) = &mut lasting.assignment {
        assignment.lease_until = None;
    }
    format!("{:032x}", digest(json!(lasting).to_string().as_bytes()))
}

/// Open work of the rig, oldest first.
fn open_beads(desk: &Desk, state: &State, own: Option<&bead::Bead>) -> Result<Vec<Bead>> {
    let own = own.map(|bead| bead.bead_id);
    let issues = state.beads.values().filter(|bead| bead.kind == BeadType::Issue && Some(bead.bead_id) != own);
    let mut open: Vec<&bead::Bead> = issues.collect();
    gastown_core::sorted::sort_by_key(&mut open, |bead| (bead.age_at, bead.bead_id));
    open.truncate(PRIME_BEADS);
    open.into_iter().map(|bead| Ok(Bead::of(state, bead, &newest_of(&desk.sql, bead.bead_id)?))).collect()
}

/// What finished work of the rig taught that fits this bead.
fn history(desk: &Desk, state: &State, bead: Option<&bead::Bead>) -> Result<Vec<prime::Learned>> {
    let remembers = state.rig.settings.as_ref().is_some_and(|settings| settings.config.town_memory);
    let Some(bead) = bead.filter(|_| remembers) else { return Ok(Vec::new()) };
    let root = state.beads.get(&bead.root_id).unwrap_or(bead);
    let lessons = lesson::cite(store::lessons(&desk.sql)?, &lesson::Subject::of(root));
    Ok(lessons.into_iter().filter(|lesson| lesson.bead_id != root.bead_id).map(prime::Learned::of).collect())
}

/// What the authors of this bead's blockers said at the end.
fn predecessors(desk: &Desk, state: &State, bead: Option<&bead::Bead>) -> Result<Vec<prime::Predecessor>> {
    let Some(bead) = bead else { return Ok(Vec::new()) };
    let blockers = state.edges.values().filter(|edge| edge.bead_id == bead.bead_id && !edge.cross);
    let mut found = Vec::new();
    for blocker_id in blockers.map(|edge| edge.blocker_id).take(PRIME_BLOCKERS) {
        let known = state.beads.get(&blocker_id).cloned();
        let blocker = match known {
            Some(blocker) => Some(blocker),
            None => store::bead(&desk.sql, blocker_id)?,
        };
        if let Some(blocker) = blocker {
            let summary = store::summary_of_bead(&desk.sql, blocker_id)?.unwrap_or_default();
            found.push(prime::Predecessor {
                bead_id: blocker_id,
                title: blocker.title,
                summary,
                branch: blocker.branch,
            });
        }
    }
    Ok(found)
}
