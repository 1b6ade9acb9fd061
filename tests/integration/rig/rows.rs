//! What the model cannot show: fields that no rule sets yet, what the tables refuse, and what is read of history.

use gastown::rig::store::{self, Filter, beads, events};
use gastown::sql::migrate;
use gastown_core::id::{
    AgentId, AssignmentId, BeadId, ConvoyId, IdSeed, InstanceId, MailId, NudgeId, RigId, RunId, TownId,
};
use gastown_core::limits::EVENTS_KEEP;
use gastown_core::models::Catalogue;
use gastown_core::protocol::{Priority, TownState};
use gastown_core::rig::agent::{Agent, AgentRole};
use gastown_core::rig::assignment::{Assignment, AssignmentOutcome, GuppTier, Pending, Phase, Slot};
use gastown_core::rig::bead::{
    Bead, BeadOutcome, BeadStatus, BeadType, Edge, EdgeState, Failure, FailureCode, FailureSource, Parked,
};
use gastown_core::rig::breaker::Breaker;
use gastown_core::rig::command::NewBead;
use gastown_core::rig::mail::{Mail, MailParty};
use gastown_core::rig::nudge::{Nudge, NudgeMode, NudgePriority, NudgeSource, NudgeState};
use gastown_core::rig::plan::EventRow;
use gastown_core::rig::review::{GateRun, Review, ReviewState, Round};
use gastown_core::rig::state::{Rig, RigStatus};
use gastown_core::rig::{self, Command, Context, State, Write};
use gastown_core::session::{Kind, Step};
use gastown_core::time::Timestamp;
use serde_json::json;

use super::full::{full_gate_run, full_job, full_review, full_round, full_watch};
use crate::support::TestSql;

#[test]
fn every_field_comes_back() {
    let sql = a_rig_store();
    let mut state = store::load(&sql).unwrap().unwrap();
    let rows = [
        Write::Bead(Box::new(full_bead(1))),
        Write::Bead(Box::new(review_bead(2))),
        Write::Edge(Edge { bead_id: bead(1), blocker_id: bead(9), cross: true, state: EdgeState::Failed }),
        Write::Agent(full_agent()),
        Write::Assignment(Box::new(full_assignment(1))),
        Write::Review(Box::new(full_review())),
        Write::Round(full_round()),
        Write::GateRun(full_gate_run()),
        Write::Watch(Box::new(full_watch())),
        Write::Job(Box::new(full_job())),
        Write::Mail(full_mail()),
        Write::Nudge(full_nudge()),
    ];
    for row in &rows {
        store::write(&sql, "test", row).unwrap();
        rig::plan::apply(&mut state, row);
    }
    assert_eq!(store::load(&sql).unwrap().unwrap(), state);
}

#[test]
fn what_is_over_is_found_by_its_id_and_not_loaded() {
    let sql = a_rig_store();
    let closed =
        Bead { status: BeadStatus::Closed, outcome: Some(BeadOutcome::Merged), closed_at: Some(at(9)), ..full_bead(1) };
    let failed = Bead {
        status: BeadStatus::Failed,
        failure: Some(Failure {
            code: FailureCode::LostLeases,
            message: "It was lost.".to_owned(),
            source: FailureSource::Reconciler,
            at: at(8),
            details: json!({ "count": 5 }).as_object().unwrap().clone(),
        }),
        ..full_bead(2)
    };
    let ended = Assignment {
        phase: Phase::Ended,
        outcome: Some(AssignmentOutcome::Budget),
        ended_at: Some(at(9)),
        ..full_assignment(1)
    };
    for row in [
        Write::Bead(Box::new(closed.clone())),
        Write::Bead(Box::new(failed.clone())),
        Write::Assignment(Box::new(ended.clone())),
    ] {
        store::write(&sql, "test", &row).unwrap();
    }
    let state = store::load(&sql).unwrap().unwrap();
    assert!(state.beads.is_empty() && state.assignments.is_empty());
    assert_eq!(store::bead(&sql, bead(1)).unwrap(), Some(closed));
    assert_eq!(store::bead(&sql, bead(2)).unwrap(), Some(failed));
    assert_eq!(store::assignment(&sql, ended.assignment_id).unwrap(), Some(ended.clone()));
    assert_eq!(store::assignments_of_bead(&sql, bead(1)).unwrap(), std::slice::from_ref(&ended));
    assert_eq!(store::assignments_of_agent(&sql, ended.agent_id, 9, 0).unwrap(), [ended]);
}

#[test]
fn a_second_live_assignment_is_refused_and_replaces_nothing() {
    let sql = a_rig_store();
    let first = Write::Assignment(Box::new(full_assignment(1)));
    store::write(&sql, "test", &first).unwrap();
    for twin in [
        Assignment { agent_id: AgentId::from_u128(7), ..full_assignment(2) },
        Assignment { bead_id: bead(7), ..full_assignment(2) },
        Assignment { bead_id: bead(7), agent_id: AgentId::from_u128(7), epoch: 1, ..full_assignment(2) },
    ] {
        assert!(store::write(&sql, "test", &Write::Assignment(Box::new(twin))).is_err());
    }
    assert_eq!(store::load(&sql).unwrap().unwrap().assignments.len(), 1);
}

#[test]
fn a_second_live_review_and_a_second_name_are_refused_and_replace_nothing() {
    let sql = a_rig_store();
    for row in [Write::Review(Box::new(full_review())), Write::Agent(full_agent())] {
        store::write(&sql, "test", &row).unwrap();
    }
    let twin = Review { bead_id: bead(7), ..full_review() };
    assert!(store::write(&sql, "test", &Write::Review(Box::new(twin))).is_err());
    let twin = Agent { agent_id: AgentId::from_u128(7), name: "TOAST".to_owned(), ..full_agent() };
    assert!(store::write(&sql, "test", &Write::Agent(twin)).is_err());
    let state = store::load(&sql).unwrap().unwrap();
    assert_eq!((state.reviews.len(), state.agents.len()), (1, 1));
}

#[test]
fn history_calls_an_agent_by_its_name_after_it_left() {
    let sql = a_rig_store();
    let (agent, live) = (full_agent(), full_assignment(1));
    let ended = Assignment { phase: Phase::Ended, ended_at: Some(at(9)), ..live.clone() };
    let successor = Agent { agent_id: AgentId::from_u128(7), ..agent.clone() };
    for row in [
        Write::Bead(Box::new(full_bead(1))),
        Write::Agent(agent.clone()),
        Write::Assignment(Box::new(live)),
        Write::Assignment(Box::new(ended)),
        Write::RemoveAgent(agent.agent_id),
        Write::Agent(successor.clone()),
    ] {
        store::write(&sql, "test", &row).unwrap();
    }
    let newest = store::newest(&sql, &[bead(1)]).unwrap();
    assert_eq!(newest[&bead(1)].agent_name, Some(agent.name));
    assert_eq!(store::load(&sql).unwrap().unwrap().agents.keys().copied().collect::<Vec<_>>(), [successor.agent_id]);
}

#[test]
fn beads_are_listed_newest_first_through_every_filter() {
    let sql = a_rig_store();
    let closed =
        Bead { status: BeadStatus::Closed, outcome: Some(BeadOutcome::Done), closed_at: Some(at(9)), ..full_bead(3) };
    for (n, row) in (1..).zip([full_bead(1), review_bead(2), closed]) {
        let row = Bead { created_at: at(n), updated_at: at(n), title: format!("Fix {n}"), ..row };
        store::write(&sql, "test", &Write::Bead(Box::new(row))).unwrap();
    }
    // Agent 1 worked on bead 3, and agent 7 after it.
    let first = Assignment { bead_id: bead(3), phase: Phase::Ended, ended_at: Some(at(5)), ..full_assignment(1) };
    let second = Assignment { bead_id: bead(3), agent_id: AgentId::from_u128(7), ..full_assignment(2) };
    for row in [first, second] {
        store::write(&sql, "test", &Write::Assignment(Box::new(row))).unwrap();
    }
    let all = Filter { limit: 9, ..Filter::default() };
    let numbers = |filter: Filter| -> Vec<BeadId> {
        beads::list(&sql, &filter).unwrap().into_iter().map(|bead| bead.bead_id).collect()
    };
    assert_eq!(numbers(all.clone()), [bead(3), bead(2), bead(1)]);
    assert_eq!(numbers(Filter { limit: 1, offset: 1, ..all.clone() }), [bead(2)]);
    assert_eq!(numbers(Filter { status: vec![BeadStatus::Closed], ..all.clone() }), [bead(3)]);
    assert_eq!(numbers(Filter { kind: vec![BeadType::MergeRequest], ..all.clone() }), [bead(2)]);
    assert_eq!(numbers(Filter { label: vec!["docs".into(), "bug".into()], ..all.clone() }), [bead(3), bead(1)]);
    assert_eq!(numbers(Filter { priority: vec![Priority::Critical], ..all.clone() }), [bead(3), bead(1)]);
    assert_eq!(numbers(Filter { agent_id: Some(AgentId::from_u128(7)), ..all.clone() }), [bead(3)]);
    assert_eq!(numbers(Filter { agent_id: Some(AgentId::from_u128(3)), ..all.clone() }), []);
    assert_eq!(numbers(Filter { parent_id: Some(bead(8)), ..all.clone() }), [bead(3), bead(1)]);
    assert_eq!(numbers(Filter { q: Some("fIX 2".into()), ..all.clone() }), [bead(2)]);
    assert_eq!(numbers(Filter { q: Some("100% _".into()), ..all.clone() }), []);
    assert_eq!(numbers(Filter { convoy_id: Some(ConvoyId::from_u128(99)), ..all.clone() }), []);
    assert_eq!(numbers(Filter { updated_since: Some(at(2)), ..all }), [bead(3), bead(2)]);
}

#[test]
fn the_reviews_of_a_bead_are_found_when_they_are_over() {
    let sql = a_rig_store();
    let first = Review { state: ReviewState::Rejected, ended_at: Some(at(9)), ..full_review() };
    let second = Review { bead_id: bead(7), queued_at: at(20), ..full_review() };
    let older = GateRun { run_id: RunId::from_u128(2), created_at: at(0), ..full_gate_run() };
    for row in [
        Write::Review(Box::new(first.clone())),
        Write::Round(full_round()),
        Write::Round(Round { n: 2, ..full_round() }),
        Write::GateRun(older.clone()),
        Write::GateRun(full_gate_run()),
        Write::Review(Box::new(second.clone())),
    ] {
        store::write(&sql, "test", &row).unwrap();
    }
    let first = store::ReviewHistory {
        review: first,
        rounds: vec![full_round(), Round { n: 2, ..full_round() }],
        gate_runs: vec![full_gate_run(), older],
    };
    let second = store::ReviewHistory { review: second, rounds: Vec::new(), gate_runs: Vec::new() };
    assert_eq!(store::reviews_of_bead(&sql, bead(2)).unwrap(), std::slice::from_ref(&first));
    assert_eq!(store::reviews_of_bead(&sql, bead(1)).unwrap(), [second, first]);
}

#[test]
fn mail_of_an_agent_keeps_what_was_delivered() {
    let sql = a_rig_store();
    let delivered = Mail { delivered_at: Some(at(5)), delivered_to: Some(AssignmentId::from_u128(1)), ..full_mail() };
    let newer = Mail { mail_id: MailId::from_u128(2), created_at: at(2), ..full_mail() };
    let other = Mail { mail_id: MailId::from_u128(3), to_agent: Some(AgentId::from_u128(7)), ..full_mail() };
    for row in [&delivered, &newer, &other] {
        store::write(&sql, "test", &Write::Mail(row.clone())).unwrap();
    }
    let agent_id = AgentId::from_u128(3);
    assert_eq!(store::mail_of_agent(&sql, agent_id, 9, 0).unwrap(), [newer, delivered.clone()]);
    assert_eq!(store::mail_of_agent(&sql, agent_id, 9, 1).unwrap(), [delivered]);
}

#[test]
fn the_log_is_trimmed_but_for_its_newest_row() {
    let sql = a_rig_store();
    let event = |ms| EventRow {
        at: at(ms),
        kind: "created",
        bead_id: Some(bead(1)),
        agent_id: None,
        assignment_id: None,
        actor: "ann".to_owned(),
        old: None,
        new: Some("Fix it".to_owned()),
        data: json!({ "n": 1 }),
    };
    store::write(&sql, "command", &Write::Bead(Box::new(full_bead(1)))).unwrap();
    for ms in 1..=3 {
        store::write(&sql, "command", &Write::Event(event(ms))).unwrap();
    }
    let numbers = || -> Vec<u64> {
        events::list(&sql, None, None, None, None, 9).unwrap().into_iter().map(|event| event.seq).collect()
    };
    store::write(&sql, "prune", &Write::Prune(at(2) + EVENTS_KEEP)).unwrap();
    assert_eq!(numbers(), [3, 2]);
    store::write(&sql, "prune", &Write::Prune(at(99) + EVENTS_KEEP)).unwrap();
    assert_eq!(numbers(), [3]);
    store::write(&sql, "command", &Write::Event(event(4))).unwrap();
    assert_eq!(numbers(), [4, 3]);
    let row = events::list(&sql, Some(bead(1)), None, Some(at(4)), None, 9).unwrap().remove(0);
    assert_eq!((row.at, row.kind.as_str(), row.rule.as_deref()), (at(4), "created", Some("command")));
    assert_eq!((row.actor.as_str(), row.new.as_deref(), row.data), ("ann", Some("Fix it"), json!({ "n": 1 })));
}

/// A was waited for by B; B failed, then A closed, then somebody tries B again, perhaps after a restart.
#[test]
fn a_retried_bead_does_not_wait_for_what_closed_meanwhile() {
    for restarts in [false, true] {
        let sql = a_rig_store();
        let mut state = store::load(&sql).unwrap().unwrap();
        let new = |n, depends_on| {
            Command::CreateBead(NewBead {
                bead_id: Some(bead(n)),
                title: format!("{n}"),
                depends_on,
                ..NewBead::default()
            })
        };
        let actor = || "ann".to_owned();
        let commands = [
            new(1, Vec::new()),
            new(2, vec![bead(1)]),
            Command::FailBead { bead_id: bead(2), reason: None, actor: actor() },
            Command::CloseBead { bead_id: bead(1), actor: actor() },
            Command::RetryBead { bead_id: bead(2), keep_branch: true, model: None, actor: actor() },
        ];
        for (n, command) in (1..).zip(commands) {
            state = handle(&sql, state, n, command);
            if restarts {
                state = store::load(&sql).unwrap().unwrap();
            }
        }
        let edges: Vec<EdgeState> = state.edges.values().map(|edge| edge.state).collect();
        assert_eq!(edges, [EdgeState::Satisfied]);
    }
}

/// The other way round: what was waited for is tried again while the one that waits is over.
#[test]
fn a_retried_bead_waits_for_what_was_opened_again_meanwhile() {
    let sql = a_rig_store();
    let mut state = store::load(&sql).unwrap().unwrap();
    let new = |n, depends_on| {
        Command::CreateBead(NewBead { bead_id: Some(bead(n)), title: format!("{n}"), depends_on, ..NewBead::default() })
    };
    let fail = |n| Command::FailBead { bead_id: bead(n), reason: None, actor: "ann".to_owned() };
    let retry = |n| Command::RetryBead { bead_id: bead(n), keep_branch: true, model: None, actor: "ann".to_owned() };
    let commands = [new(1, Vec::new()), new(2, vec![bead(1)]), fail(1), fail(2), retry(1), retry(2)];
    for (n, command) in (1..).zip(commands) {
        state = handle(&sql, state, n, command);
    }
    let edges: Vec<EdgeState> = state.edges.values().map(|edge| edge.state).collect();
    assert_eq!(edges, [EdgeState::Pending]);
}

fn handle(sql: &TestSql, mut state: State, n: u32, command: Command) -> State {
    let catalogue = Catalogue::load(None).unwrap();
    let context = Context { now: at(i64::from(n) * 1000), seed: IdSeed::new(n.into()), catalogue: &catalogue };
    store::recall(sql, &mut state, &command.references()).unwrap();
    let (planned, _) = rig::handle(state, context, command).unwrap();
    for (rule, row) in &planned.writes {
        store::write(sql, rule, row).unwrap();
    }
    let mut state = planned.state;
    state.forget();
    state
}

pub(super) fn a_rig_store() -> TestSql {
    let sql = TestSql::migrated(migrate::RIG);
    let rig = Rig {
        rig_id: RigId::from_u128(1),
        town_id: TownId::from_u128(2),
        tag: "00000000".to_owned(),
        git_url: "https://example.com/repo.git".to_owned(),
        default_branch: "main".to_owned(),
        target_branch: "main".to_owned(),
        status: RigStatus::Active,
        settings: None,
        wanted_version: 0,
        town: TownState::default(),
        breaker: Breaker::default(),
        next_epoch: 1,
        drain_epoch: 0,
        pruned_at: Some(at(5)),
    };
    store::create(&sql, &rig).unwrap();
    sql
}

pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

pub(super) fn bead(n: u32) -> BeadId {
    BeadId::from_u128(n.into())
}

fn review_bead(n: u32) -> Bead {
    Bead::new(bead(n), BeadType::MergeRequest, "Review".to_owned(), "system".to_owned(), at(2))
}

pub(super) fn full_bead(n: u32) -> Bead {
    Bead {
        bead_id: bead(n),
        kind: BeadType::Issue,
        status: BeadStatus::Open,
        attempt: 2,
        title: "Say \"hello\"".to_owned(),
        body: Some("ünïcödé\n'quoted'".to_owned()),
        priority: Priority::Critical,
        metadata: json!({ "null": null, "deep": [1.5, { "a": true }] }).as_object().unwrap().clone(),
        labels: ["bug".to_owned(), "gt:held".to_owned()].into(),
        parent_id: Some(bead(8)),
        root_id: bead(8),
        age_at: at(1),
        convoy_id: Some(ConvoyId::from_u128(3)),
        staged: true,
        branch_digits: 12,
        branch: Some("polecat/toast/1".to_owned()),
        base: Some("main".to_owned()),
        target: Some("next".to_owned()),
        head_commit: Some("c0ffee".to_owned()),
        model: Some("anthropic/claude-sonnet-4.6".parse().unwrap()),
        budget_micros: Some(9_007_199_254_740_991),
        is_budget_warned: true,
        saved: Some(("refs/gastown/wip/b".to_owned(), "f00d".to_owned())),
        start_failures: 1,
        lost_leases: 2,
        agent_errors: 3,
        not_before: Some(at(4)),
        dispatches: 5,
        preferred_agent: Some(AgentId::from_u128(6)),
        claimed_by: Some("ann".to_owned()),
        claimed_until: Some(at(7)),
        parked: Some(Parked {
            code: "rounds".to_owned(),
            message: "Too many rounds.".to_owned(),
            choices: vec!["resume".to_owned()],
            since: at(5),
        }),
        failure: None,
        outcome: None,
        skipped: true,
        checkpoint: Some(json!(null)),
        tokens_in: 10,
        tokens_out: 11,
        cost_micros: 12,
        created_by: "ann".to_owned(),
        created_at: at(1),
        updated_at: at(2),
        closed_at: None,
        version: 13,
    }
}

fn full_agent() -> Agent {
    Agent {
        agent_id: AgentId::from_u128(3),
        role: AgentRole::Polecat,
        name: "Toast".to_owned(),
        identity: "Toast-polecat-00000000@00000000".to_owned(),
        checkpoint: Some(json!({ "at": 3 })),
        status_message: Some("reading".to_owned()),
        status_message_at: Some(at(1)),
        last_activity_at: Some(at(2)),
        idle_since: Some(at(3)),
        created_at: at(4),
        version: 5,
    }
}

fn full_assignment(n: u32) -> Assignment {
    Assignment {
        assignment_id: AssignmentId::from_u128(n.into()),
        epoch: n.into(),
        bead_id: bead(1),
        bead_attempt: 2,
        agent_id: AgentId::from_u128(3),
        kind: Kind::Rework,
        phase: Phase::Starting,
        step: Some(Step::Worktree),
        slot: Slot::Granted,
        is_probe: true,
        model: Some("a/b".parse().unwrap()),
        small_model: Some("a/c".parse().unwrap()),
        model_reason: None,
        branch: Some("polecat/toast/1".to_owned()),
        base: Some("main".to_owned()),
        target: Some("next".to_owned()),
        head_commit: Some("c0ffee".to_owned()),
        instance_id: Some(InstanceId::from_u128(4)),
        ordered_at: Some(at(1)),
        order_due: Some(at(2)),
        refusal: Some("capacity".to_owned()),
        lease_until: Some(at(3)),
        probe_until: Some(at(4)),
        last_heartbeat_at: Some(at(5)),
        last_progress_at: Some(at(6)),
        active_tools: vec!["bash".to_owned()],
        gupp_tier: GuppTier::Escalated,
        idle_since: Some(at(7)),
        idle_nudges: 1,
        idle_nudged_at: Some(at(8)),
        pending: Some(Pending::Budget),
        outcome: None,
        code: Some("code".to_owned()),
        message: Some("words".to_owned()),
        summary: Some("done".to_owned()),
        checkpoint: Some(json!([1])),
        saved: Some(("refs/gastown/saved".to_owned(), "5afe".to_owned())),
        tokens_in: 8,
        tokens_out: 9,
        cost_micros: 10,
        queued_at: at(11),
        started_at: Some(at(12)),
        running_at: Some(at(13)),
        ended_at: None,
    }
}

fn full_nudge() -> Nudge {
    Nudge {
        nudge_id: NudgeId::from_u128(1),
        agent_id: AgentId::from_u128(1),
        assignment_id: Some(AssignmentId::from_u128(1)),
        message: "Say \"hello\".".to_owned(),
        mode: NudgeMode::WaitIdle,
        priority: NudgePriority::Urgent,
        source: NudgeSource::User("ann: the first".to_owned()),
        state: NudgeState::Sent,
        created_at: at(1),
        sent_at: Some(at(2)),
        expires_at: Some(at(3)),
    }
}

fn full_mail() -> Mail {
    Mail {
        mail_id: MailId::from_u128(1),
        from_kind: MailParty::Mayor,
        from_id: "mayor".to_owned(),
        to_agent: Some(AgentId::from_u128(3)),
        bead_id: Some(bead(1)),
        thread_id: MailId::from_u128(2),
        reply_to: Some(MailId::from_u128(2)),
        subject: "A question".to_owned(),
        body: "Why?".to_owned(),
        created_at: at(1),
        sent_at: Some(at(3)),
        delivered_at: None,
        delivered_to: None,
        expired_at: None,
        expires_at: Some(at(2)),
    }
}
