//! The rig.

use std::time::Duration;

use gastown::rig::store;
use gastown::sql::Sql;
use gastown_core::config::{EffectiveRig, MergeStrategy};
use gastown_core::id::{BeadId, IdSeed, InstanceId, RigId, TownId};
use gastown_core::models::{Catalogue, RigModels, RigRoleModels, TownModels};
use gastown_core::protocol::{Configure, Numbered, TownState, TownToRig};
use gastown_core::rig::assignment::{Assignment, Phase, Slot};
use gastown_core::rig::bead::HELD;
use gastown_core::rig::breaker::Breaker;
use gastown_core::rig::command::{Done, NewBead};
use gastown_core::rig::state::{Rig, RigStatus, State};
use gastown_core::rig::usage::Scope;
use gastown_core::rig::{self, Command, Context, Event, Planned, Write};
use gastown_core::session::{Role, SessionFact, SessionKey, StartAnswer, Usage};
use gastown_core::time::Timestamp;

use crate::support::TestSql;

/// Live beads of a busy rig: issues, and the reviews of four of them.
pub(crate) const LIVE: u32 = 50;
const ISSUES: u32 = LIVE - 4;

/// What a rig keeps when this many of its beads are closed.
pub(crate) fn close(sql: &TestSql, beads: u32) {
    super::fill(sql, beads, include_str!("rig.sql"));
}

/// A rig with [`LIVE`] beads: two at work, four in review, the others held, blocked or waiting for a free polecat.
pub(crate) fn busy(sql: &TestSql) {
    store::create(sql, &a_rig()).unwrap();
    let mut desk = Desk { sql, now: super::now(), said: 0, catalogue: Catalogue::load(None).unwrap() };
    desk.say(TownToRig::Configure(Box::new(configure())));
    for n in 0..ISSUES {
        desk.handle(create(n));
    }
    for _ in 0..2 {
        desk.run_sessions();
        desk.finish_work();
    }
    desk.run_sessions();
    for day in ["2025-12-30", "2025-12-31", "2026-01-01"] {
        let spent = Usage { tokens_in: 90_000, tokens_out: 8_000, cost_micros: 250_000 };
        store::write(sql, "test", &Write::Usage(Scope::Day(day.to_owned()), spent)).unwrap();
    }
    desk.acknowledge();
}

fn create(n: u32) -> Command {
    let id = |n: u32| BeadId::from_u128((0xb << 120) + u128::from(n));
    Command::CreateBead(NewBead {
        bead_id: Some(id(n)),
        title: format!("Task {n}"),
        body: Some("It is wrong, and shall be right.".to_owned()),
        labels: if n % 5 == 4 { [HELD.to_owned()].into() } else { ["bug".to_owned()].into() },
        depends_on: if n % 5 == 3 { vec![id(n - 1)] } else { Vec::new() },
        created_by: "ann".to_owned(),
        ..NewBead::default()
    })
}

/// The object, without a Worker.
struct Desk<'a> {
    sql: &'a TestSql,
    now: Timestamp,
    said: u64,
    catalogue: Catalogue,
}

impl Desk<'_> {
    fn state(&self) -> State {
        store::load(self.sql).unwrap().unwrap()
    }

    fn handle(&mut self, command: Command) {
        let mut state = self.state();
        store::recall(self.sql, &mut state, &command.references()).unwrap();
        let planned = rig::handle(state, self.context(), command).unwrap().0;
        self.commit(planned);
    }

    fn observe(&mut self, event: Event) {
        let planned = rig::observe(self.state(), self.context(), vec![event]).0;
        self.commit(planned);
    }

    fn say(&mut self, message: TownToRig) {
        self.said += 1;
        self.observe(Event::TownSaid(vec![Numbered { seq: self.said, message }]));
    }

    fn context(&self) -> Context<'_> {
        context(self.now, &self.catalogue)
    }

    fn commit(&mut self, planned: Planned) {
        write(self.sql, &planned);
        self.now = self.now + Duration::from_millis(1);
    }

    /// Every queued session gets its slot, is started, and reports that it runs.
    fn run_sessions(&mut self) {
        for assignment in live(&self.state()) {
            if assignment.slot == Slot::Asked {
                self.say(TownToRig::GrantSlot { assignment_id: assignment.assignment_id, probe: false });
            }
        }
        for assignment in live(&self.state()) {
            if assignment.phase == Phase::Starting {
                self.observe(Event::StartAnswered(key(&assignment), StartAnswer::Accepted(InstanceId::from_u128(1))));
                self.observe(Event::SessionReported(key(&assignment), SessionFact::Ready));
            }
        }
    }

    /// Every polecat is done.
    fn finish_work(&mut self) {
        for assignment in live(&self.state()).into_iter().filter(|a| a.kind.role() == Role::Polecat) {
            self.handle(Command::Done(Done {
                session: key(&assignment),
                branch: assignment.branch.clone().unwrap(),
                commit: Some("c0ffee".to_owned()),
                summary: Some("It is right.".to_owned()),
                files: vec!["src/a.rs".to_owned()],
                pr_url: None,
            }));
        }
    }

    fn acknowledge(&mut self) {
        let last = self.state().outbox.rows().iter().map(|row| row.seq).max();
        self.observe(Event::TownAcknowledged(last.unwrap()));
    }
}

/// What a plan is made with at this instant.
pub(crate) fn context(now: Timestamp, catalogue: &Catalogue) -> Context<'_> {
    Context { now, seed: IdSeed::new(u128::try_from(now.ms()).unwrap() << 64), catalogue }
}

/// What the object does with a plan's rows.
pub(crate) fn write(sql: &TestSql, planned: &Planned) {
    let write = |(rule, row): &(&'static str, _)| store::write(sql, rule, row);
    sql.atomically(|| planned.writes.iter().try_for_each(write)).unwrap();
}

fn live(state: &State) -> Vec<Assignment> {
    state.live_assignments().cloned().collect()
}

fn key(assignment: &Assignment) -> SessionKey {
    SessionKey { assignment_id: assignment.assignment_id, epoch: assignment.epoch }
}

/// A rig without work.
pub(crate) fn a_rig() -> Rig {
    Rig {
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
        pruned_at: None,
    }
}

/// Settings of a rig, as the Town sends them first.
pub(crate) fn configure() -> Configure {
    Configure {
        version: 1,
        secrets_version: 1,
        git_url: "https://example.com/repo.git".to_owned(),
        default_branch: "main".to_owned(),
        target_branch: "main".to_owned(),
        config: EffectiveRig { merge_strategy: MergeStrategy::Direct, ..EffectiveRig::default() },
        town_models: TownModels { model_profile: Some("balanced".to_owned()), ..TownModels::default() },
        rig_models: RigModels {
            rig_id: RigId::from_u128(1),
            name: "api".to_owned(),
            default_model: None,
            role_models: RigRoleModels::default(),
        },
    }
}
