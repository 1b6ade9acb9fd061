//! Rows of reviews with every field set.

use gastown_core::id::{AgentId, ConvoyId, JobId, RunId};
use gastown_core::rig::pr::{Checks, ForgeError, ForgeErrorClass, Mergeable, PrSub, Watch, WatchState};
use gastown_core::rig::review::{
    Finding, GateRun, GateRunResult, Job, JobPhase, JobSpec, MergeStrategy, Review, ReviewKind, ReviewState, Round,
    Verdict,
};
use gastown_core::session::{GateResult, GateStatus, JobKind};
use serde_json::json;

use super::rows::{at, bead};

pub(super) fn full_review() -> Review {
    Review {
        bead_id: bead(2),
        kind: ReviewKind::Landing,
        source_id: Some(bead(1)),
        convoy_id: Some(ConvoyId::from_u128(3)),
        branch: "polecat/toast/1".to_owned(),
        target: "next".to_owned(),
        strategy: MergeStrategy::Pr,
        state: ReviewState::PrOpen,
        sub: Some(PrSub::NeedsHuman),
        head_commit: Some("c0ffee".to_owned()),
        reviewed_commit: Some("c0ffee".to_owned()),
        verdict: Some(Verdict::Approve),
        verdict_by: Some("refinery".to_owned()),
        round: 1,
        feedback_round: 2,
        child_id: Some(bead(4)),
        is_merge_ordered: true,
        merge_tries: 3,
        merge_commit: Some("feed".to_owned()),
        author_agent: Some(AgentId::from_u128(5)),
        summary: Some("It is fixed.".to_owned()),
        queued_at: at(1),
        not_before: Some(at(2)),
        forge_due: Some(at(3)),
        empty_commit: Some("c0ffee".to_owned()),
        dismissed_at: Some(at(4)),
        ended_at: None,
    }
}

pub(super) fn full_watch() -> Watch {
    Watch {
        review_id: bead(2),
        url: "https://github.com/acme/api/pull/7".to_owned(),
        provider: "github".to_owned(),
        repo: "acme/api".to_owned(),
        number: 7,
        state: WatchState::Degraded,
        head_commit: Some("c0ffee".to_owned()),
        etag: Some("\"one\"".to_owned()),
        poll_at: at(1),
        polled_at: Some(at(2)),
        is_unanswered: true,
        mergeable: Mergeable::Conflict,
        checks: Checks::Red,
        threads: 3,
        awaiting_approval: true,
        changes_requested: true,
        feedback: full_round().findings,
        green_since: Some(at(4)),
        conflict_episode: 5,
        transient: 6,
        shape: 7,
        refused: 8,
        error: Some(ForgeError {
            class: ForgeErrorClass::BadShape,
            message: "no state".to_owned(),
            retry_at: Some(at(9)),
        }),
    }
}

pub(super) fn full_round() -> Round {
    let must = |line| Finding {
        file: Some("a.rs".to_owned()),
        line,
        severity: "must".to_owned(),
        message: "The name is wrong.".to_owned(),
    };
    Round {
        review_id: bead(2),
        n: 1,
        commit_id: "c0ffee".to_owned(),
        verdict: Verdict::RequestChanges,
        by: "refinery".to_owned(),
        summary: "Not yet.".to_owned(),
        findings: vec![must(Some(3)), must(None)],
        gate_run: Some(RunId::from_u128(1)),
        child_id: Some(bead(4)),
        post_due: Some(at(2)),
        at: at(3),
    }
}

pub(super) fn full_gate_run() -> GateRun {
    let gate = GateResult {
        command: "make test".to_owned(),
        status: GateStatus::TimedOut,
        exit_code: None,
        duration_ms: 60_000,
        output_tail: "…".to_owned(),
    };
    GateRun {
        run_id: RunId::from_u128(1),
        review_id: bead(2),
        commit_id: Some("c0ffee".to_owned()),
        onto: Some("feed".to_owned()),
        result: GateRunResult::Red,
        gates: vec![gate],
        created_at: at(1),
        ended_at: Some(at(2)),
    }
}

pub(super) fn full_job() -> Job {
    Job {
        job_id: JobId::from_u128(1),
        kind: JobKind::Merge,
        review_id: Some(bead(2)),
        spec: JobSpec {
            commit: Some("c0ffee".to_owned()),
            branch: "polecat/toast/1".to_owned(),
            target: Some("next".to_owned()),
            run_id: Some(RunId::from_u128(1)),
            gates: vec!["make test".to_owned()],
            timeout_minutes: 20,
            title: "Say hello".to_owned(),
            bead_id: bead(1),
        },
        phase: JobPhase::Accepted,
        orders: 2,
        lease_until: Some(at(3)),
        result: Some(json!({ "status": "error" })),
        created_at: at(1),
        ended_at: None,
    }
}
