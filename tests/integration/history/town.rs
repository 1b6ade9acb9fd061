//! The town.

use std::time::Duration;

use gastown::sql::Sql;
use gastown::town::store;
use gastown_core::config::{RigConfig, TownConfig};
use gastown_core::id::{AgentId, BeadId, ConvoyId, IdSeed, InstanceId, RigId, TownId};
use gastown_core::models::Catalogue;
use gastown_core::protocol::{Numbered, RigToTown, Severity, Spending};
use gastown_core::session::Usage;
use gastown_core::time::Timestamp;
use gastown_core::town::command::NewRig;
use gastown_core::town::convoy::{Blocker, ConvoyCommand, NewConvoy, NewTask, TaskFields};
use gastown_core::town::escalation::AgentEscalation;
use gastown_core::town::state::{AccountKind, State, Town, TownStatus};
use gastown_core::town::{self, Command, Context, Event, Planned};
use serde_json::Map;

use crate::support::TestSql;

/// The town's rig.
pub(crate) const RIG: RigId = RigId::from_u128(0xf000_0000_0000_4000_8000_0000_0000_0001);

/// Its convoy.
const CONVOY: ConvoyId = ConvoyId::from_u128(0xc << 120);

/// What a town keeps when this many of its convoys have landed.
pub(crate) fn land(sql: &TestSql, convoys: u32) {
    super::fill(sql, convoys, include_str!("town.sql"));
}

/// A town without rigs, as it is made.
pub(crate) fn create(sql: &TestSql) {
    store::create(sql, &State::new(a_town(), AgentId::from_u128(3))).unwrap();
}

/// A town with a rig, a convoy under way, and something that a person should see.
pub(crate) fn busy(sql: &TestSql) {
    create(sql);
    let rig = NewRig {
        rig_id: Some(RIG),
        name: "api".to_owned(),
        git_url: "https://example.com/repo.git".to_owned(),
        default_branch: "main".to_owned(),
        config: RigConfig::default(),
        ..NewRig::default()
    };
    handle(sql, Command::AddRig(Box::new(rig)));
    handle(sql, Command::Convoy(Box::new(ConvoyCommand::Create(convoy()))));
    handle(sql, Command::Escalate(Box::new(question())));
    observe(sql, Event::InstanceSeen(InstanceId::from_u128(1)));
    observe(sql, Event::RigSaid(RIG, vec![Numbered { seq: 1, message: RigToTown::Usage(spending()) }]));
    acknowledge(sql);
}

/// The rig has heard everything.
pub(crate) fn acknowledge(sql: &TestSql) {
    let last = load(sql).outboxes.get(&RIG).and_then(|outbox| outbox.rows().last().map(|row| row.seq));
    observe(sql, Event::RigAcknowledged(RIG, last.unwrap()));
}

/// What the object loads.
pub(crate) fn load(sql: &TestSql) -> State {
    store::load(sql).unwrap().unwrap()
}

/// What an alarm does with this state.
pub(crate) fn plan(sql: &TestSql, state: State, at: Timestamp) -> Planned {
    let catalogue = Catalogue::load(None).unwrap();
    let mut planned = town::plan(state, context(at, &catalogue));
    write(sql, &planned);
    planned.state.forget();
    planned
}

fn handle(sql: &TestSql, command: Command) {
    let catalogue = Catalogue::load(None).unwrap();
    let (planned, _) = town::handle(load(sql), context(super::now(), &catalogue), command).unwrap();
    write(sql, &planned);
}

/// Applies a fact.
pub(crate) fn observe(sql: &TestSql, event: Event) {
    let catalogue = Catalogue::load(None).unwrap();
    let (planned, _) = town::observe(load(sql), context(super::now(), &catalogue), vec![event]);
    write(sql, &planned);
}

fn write(sql: &TestSql, planned: &Planned) {
    sql.atomically(|| store::commit(sql, super::now(), &planned.writes)).unwrap();
}

fn context(now: Timestamp, catalogue: &Catalogue) -> Context<'_> {
    Context { now, seed: IdSeed::new(u128::try_from(now.ms()).unwrap() << 64), catalogue }
}

fn spending() -> Spending {
    let spent = Usage { tokens_in: 90_000, tokens_out: 8_000, cost_micros: 250_000 };
    let mut spending = Spending::default();
    spending.days.insert(super::now().day(), spent);
    spending.convoys.insert(CONVOY, spent);
    spending
}

fn convoy() -> NewConvoy {
    let task = |n: usize| NewTask {
        bead_id: Some(BeadId::from_u128((0xb << 120) + u128::try_from(n).unwrap())),
        rig_id: RIG,
        fields: TaskFields { title: format!("Task {n}"), ..TaskFields::default() },
        after: (n > 0).then(|| Blocker::Index(n - 1)).into_iter().collect(),
    };
    NewConvoy {
        convoy_id: Some(CONVOY),
        title: "Dark mode".to_owned(),
        tasks: (0..3).map(task).collect(),
        joins: Vec::new(),
        merge_mode: None,
        staged: None,
        is_parallel: false,
        budget_micros: None,
        metadata: Map::new(),
        created_by: "ann".to_owned(),
        refuses_repeat: false,
    }
}

fn question() -> AgentEscalation {
    AgentEscalation {
        rig_id: RIG,
        agent_id: AgentId::from_u128(4),
        agent_name: "Toast".to_owned(),
        assignment_id: None,
        bead_id: None,
        severity: Severity::Medium,
        category: "question".to_owned(),
        title: "Which key?".to_owned(),
        body: "It is not in the vault.".to_owned(),
        metadata: Map::new(),
    }
}

fn a_town() -> Town {
    Town {
        town_id: TownId::from_u128(2),
        name: "Springfield".to_owned(),
        account_kind: AccountKind::User,
        account_id: "user-1".to_owned(),
        created_by: "user-1".to_owned(),
        created_at: super::now() - Duration::from_secs(3600),
        updated_at: super::now(),
        status: TownStatus::Active,
        config: TownConfig::default(),
        config_version: 1,
        secrets_version: 1,
        credential_gen: 1,
        next_epoch: 1,
        pause: None,
        version: 1,
    }
}
