//! From reports to facts: what the runtime says, as the domain's events. Pure and total: a report that the domain does
//! not care about is none.

use std::time::Duration;

use serde_json::{Value, json};

use super::report::{AgentBeat, AgentState, Fact, FactBody, Outcome, OutcomeKind, Phase, Ref};
use crate::id::InstanceId;
use crate::rig::event::JobFact;
use crate::session::{Beat, Over, SessionFact, SessionKey, Step, Usage};
use crate::time::Timestamp;

/// What a fact says about a session.
pub fn session(fact: &Fact) -> Option<SessionFact> {
    match &fact.body {
        FactBody::Phase { phase, .. } => Some(match phase {
            Phase::Accepted => SessionFact::Step(Step::Accepted),
            Phase::Cloning => SessionFact::Step(Step::Cloning),
            Phase::Worktree => SessionFact::Step(Step::Worktree),
            Phase::Booting => SessionFact::Step(Step::Booting),
            Phase::Running => SessionFact::Ready,
            Phase::Finishing => SessionFact::Finishing,
        }),
        FactBody::StartFailed { code, message, retryable, .. } => {
            let message = if message.is_empty() { code.clone() } else { message.clone() };
            Some(SessionFact::StartFailed { code: code.clone(), message, is_retryable: *retryable })
        }
        FactBody::Pushed { branch, commit } => {
            Some(SessionFact::Pushed { branch: branch.clone(), commit: commit.clone() })
        }
        FactBody::Saved { branch, commit, .. } => {
            Some(SessionFact::Saved { ref_name: branch.clone(), commit: commit.clone() })
        }
        FactBody::Delivered { message_ids } => Some(SessionFact::Delivered(message_ids.clone())),
        FactBody::Job { .. } | FactBody::Gates { .. } | FactBody::Merge(_) | FactBody::Repo { .. } => None,
    }
}

/// What a fact says about a repository, as the API shows it (api.md 4, **Rig** `access`).
pub fn repo(fact: &Fact, now: Timestamp) -> Option<Value> {
    let FactBody::Repo { state, can_push, message, .. } = &fact.body else { return None };
    let state = if state == "ready" { "ok" } else { "failed" };
    Some(json!({ "state": state, "can_push": can_push, "message": message, "checked_at": now }))
}

/// The session that a report names.
pub fn key(session: &Ref) -> SessionKey {
    SessionKey { assignment_id: session.assignment_id, epoch: session.epoch }
}

/// What a fact says about a job.
pub fn job(fact: &Fact) -> Option<JobFact> {
    match &fact.body {
        FactBody::Job { .. } => Some(JobFact::Beat),
        FactBody::Gates { commit, onto, status, results, message, .. } => Some(JobFact::Gates {
            commit: commit.clone(),
            onto: onto.clone(),
            status: *status,
            results: results.clone(),
            message: message.clone().unwrap_or_default(),
        }),
        FactBody::Merge(merge) => Some(JobFact::Merge {
            status: merge.status,
            merge_commit: merge.merge_commit.clone(),
            files: merge.files.clone(),
            results: merge.results.clone(),
            message: merge.message.clone(),
        }),
        FactBody::Phase { .. }
        | FactBody::StartFailed { .. }
        | FactBody::Pushed { .. }
        | FactBody::Saved { .. }
        | FactBody::Delivered { .. }
        | FactBody::Repo { .. } => None,
    }
}

/// What a heartbeat says about one session.
pub fn beat(beat: &AgentBeat, instance_id: InstanceId) -> (SessionKey, SessionFact) {
    let key = key(&beat.session);
    let is_idle = beat.state == AgentState::Idle;
    let fact = Beat {
        is_running: beat.state != AgentState::Starting,
        idle_since: is_idle.then_some(beat.state_since),
        tool: beat.current_tool.clone(),
        progress_at: beat.last_progress_at,
        usage: usage(&beat.tokens, beat.cost_usd),
        instance_id,
    };
    (key, SessionFact::Beat(fact))
}

/// How a session ended by itself.
pub fn over(outcome: &Outcome) -> (SessionKey, SessionFact) {
    let key = key(&outcome.session);
    let words = |fallback: &str| {
        let error = outcome.error.as_ref().map(|error| error.message.as_str()).filter(|words| !words.is_empty());
        let own = Some(outcome.message.as_str()).filter(|words| !words.is_empty());
        error.or(own).unwrap_or(fallback).to_owned()
    };
    let over = match (outcome.outcome, &outcome.error) {
        (OutcomeKind::Completed, _) => Over::Completed(words("the session ended without a result")),
        (OutcomeKind::Error, Some(error)) => Over::Error {
            kind: error.kind,
            message: words("the session ended with an error"),
            retry_after: error.retry_after_s.map(Duration::from_secs),
        },
        (OutcomeKind::Error, None) | (OutcomeKind::Crashed, _) => Over::Crashed(words("the session crashed")),
        (OutcomeKind::Stopped, _) => Over::Stopped(words("the session was stopped")),
        (OutcomeKind::Evicted, _) => Over::Evicted(words("the runtime ended")),
        (OutcomeKind::Interrupted, _) => Over::Interrupted(words("a newer session of the agent took its place")),
    };
    (key, SessionFact::Over(over))
}

/// Totals in the domain's units: prompt tokens of all kinds together, micro-dollars.
pub fn usage(tokens: &super::control::Tokens, cost_usd: Option<f64>) -> Usage {
    Usage {
        tokens_in: tokens.input + tokens.cache_read + tokens.cache_write,
        tokens_out: tokens.output,
        cost_micros: cost_usd.map_or(0, micros),
    }
}

/// Dollars as integer micro-dollars; a negative or unreadable amount counts as nothing.
pub fn micros(usd: f64) -> u64 {
    let micros = (usd * 1_000_000.0).round();
    if micros.is_finite() && micros > 0.0 { micros as u64 } else { 0 }
}
