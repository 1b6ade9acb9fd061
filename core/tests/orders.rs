//! Orders and reports across the wire: what a plan orders reaches the runtime whole, and what the runtime reports
//! reaches the plan.

#![expect(clippy::unwrap_used, reason = "a broken test shall stop where it breaks")]

use expect_test::expect;
use gastown_core::config::EffectiveRig;
use gastown_core::id::{AgentId, AssignmentId, BeadId, FactId, IdSeed, RigId, TownId};
use gastown_core::models::{Catalogue, RigModels, RigRoleModels, TownModels};
use gastown_core::prompt::Nonce;
use gastown_core::protocol::{Configure, Numbered, TownState, TownToRig};
use gastown_core::rig::breaker::Breaker;
use gastown_core::rig::command::NewBead;
use gastown_core::rig::state::{Rig, RigStatus};
use gastown_core::rig::{self, Command, Context, Event, State};
use gastown_core::session::{SessionFact, Step};
use gastown_core::time::Timestamp;
use gastown_core::wire::control::RigRef;
use gastown_core::wire::report::{Fact, FactBody, Outcome, OutcomeKind, Phase, Ref};
use gastown_core::wire::{fact, order};

#[test]
fn a_started_assignment_is_ordered_with_everything_the_runtime_needs() {
    let state = started();
    let assignment_id = *state.assignments.keys().next().unwrap();
    let order = order::session(&state, assignment_id, Nonce::from_u32(0x1234_5678)).unwrap();
    assert_eq!(order.assignment.epoch, 1);
    let shown = format!(
        "{} {} as {} ({})\nbranch {:?} base {:?}\nmodel {} small {}\nrepo {:?}\n{}\n---\n{}",
        order.kind,
        order.title,
        order.agent.name,
        order.agent.identity,
        order.branch,
        order.base,
        order.model,
        order.small_model,
        order.repo.as_ref().map(|repo| (&repo.git_url, &repo.target_branch)),
        order.prompt.system.lines().next().unwrap_or_default(),
        order.prompt.first.as_deref().unwrap_or_default(),
    );
    expect![[r#"
        work Add a login page as Toast (Toast-polecat-aaaa0000@bbbb0000)
        branch Some("polecat/toast/b1000000") base Some("main")
        model anthropic/claude-sonnet-4.6 small anthropic/claude-haiku-4.5
        repo Some(("https://example.com/api.git", "main"))
        # Gas Town role: polecat
        ---
        Your hook holds a task. Start now.

        Bead: b1000000-0000-0000-0000-000000000000
        Branch: polecat/toast/b1000000
        Base: main
        Target: main

        <<<BEGIN task 12345678
        Add a login page

        With a test.
        END task 12345678>>>

        When it is done, tested, committed and pushed: `gt_done` with branch `polecat/toast/b1000000` and a summary for the reviewer."#]]
    .assert_eq(&shown);
}

#[test]
fn an_order_for_what_is_not_in_view_is_none() {
    assert!(order::session(&started(), AssignmentId::from_u128(9), Nonce::from_u32(0)).is_none());
}

#[test]
fn reports_become_the_facts_they_state() {
    let session = |body| fact::session(&Fact { body, ..a_fact() });
    let phase = |phase| session(FactBody::Phase { phase, detail: None });
    assert_eq!(phase(Phase::Cloning), Some(SessionFact::Step(Step::Cloning)));
    assert_eq!(phase(Phase::Running), Some(SessionFact::Ready));
    assert_eq!(session(FactBody::Job { phase: "running".into(), step: "fetch".into() }), None);
    assert_eq!(fact::micros(0.000_001_4), 1);
    assert_eq!(fact::micros(f64::NAN), 0);
}

#[test]
fn no_ending_is_without_words() {
    for outcome in OutcomeKind::ALL {
        let (_, fact) = fact::over(&an_outcome(*outcome));
        let words = format!("{fact:?}");
        assert!(words.contains("the "), "{words}");
    }
}

/// A rig with one issue whose session was ordered.
fn started() -> State {
    let rig_id = RigId::from_u128(0xaaaa << 112);
    let catalogue = Catalogue::load(None).unwrap();
    let context = |n| Context { now: Timestamp::from_ms(0), seed: IdSeed::new(n), catalogue: &catalogue };
    let configure = Configure {
        version: 1,
        secrets_version: 1,
        git_url: "https://example.com/api.git".into(),
        default_branch: "main".into(),
        target_branch: "main".into(),
        config: EffectiveRig::default(),
        town_models: TownModels::default(),
        rig_models: RigModels {
            rig_id,
            name: "api".into(),
            default_model: None,
            role_models: RigRoleModels::default(),
        },
    };
    let said = [TownToRig::Configure(Box::new(configure)), TownToRig::TownState(TownState::default())];
    let said = said.into_iter().enumerate().map(|(n, message)| Numbered { seq: n as u64 + 1, message }).collect();
    let (planned, _) = rig::observe(State::new(a_rig(rig_id)), context(1), vec![Event::TownSaid(said)]);
    let new = NewBead {
        bead_id: Some(BeadId::from_u128(0xb1 << 120)),
        title: "Add a login page".into(),
        body: Some("With a test.".into()),
        created_by: "ann".into(),
        ..NewBead::default()
    };
    let (planned, _) = rig::handle(planned.state, context(2), Command::CreateBead(new)).unwrap();
    let assignment_id = *planned.state.assignments.keys().next().unwrap();
    let granted = vec![Numbered { seq: 3, message: TownToRig::GrantSlot { assignment_id, probe: false } }];
    rig::observe(planned.state, context(3), vec![Event::TownSaid(granted)]).0.state
}

fn a_rig(rig_id: RigId) -> Rig {
    Rig {
        rig_id,
        town_id: TownId::from_u128(0xbbbb << 112),
        tag: rig_id.short(),
        git_url: String::new(),
        default_branch: "main".into(),
        target_branch: "main".into(),
        status: RigStatus::Active,
        settings: None,
        wanted_version: 0,
        town: TownState::default(),
        breaker: Breaker::default(),
        next_epoch: 1,
        drain_epoch: 0,
        pruned_at: None,
    }
}

fn a_ref() -> Ref {
    Ref {
        rig_id: RigRef::Rig(RigId::from_u128(1)),
        agent_id: AgentId::from_u128(2),
        assignment_id: AssignmentId::from_u128(3),
        epoch: 4,
    }
}

fn a_fact() -> Fact {
    Fact {
        fact_id: FactId::from_u128(1),
        at: Timestamp::from_ms(0),
        session: Some(a_ref()),
        job_id: None,
        rig_id: None,
        body: FactBody::Delivered { message_ids: Vec::new() },
    }
}

fn an_outcome(outcome: OutcomeKind) -> Outcome {
    Outcome {
        key: "k".into(),
        session: a_ref(),
        at: Timestamp::from_ms(0),
        outcome,
        error: None,
        message: String::new(),
        branch: None,
        head: None,
        dirty: None,
        pushed: None,
        tokens: gastown_core::session::Tokens::default(),
        cost_usd: None,
    }
}
