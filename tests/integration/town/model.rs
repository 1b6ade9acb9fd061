//! Model against SQL: a town is driven by random commands and facts; after each commit, the rows that SQL gives back are
//! the state that memory holds. Now and then the object dies and goes on from its rows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gastown::sql::Sql;
use gastown::sql::migrate;
use gastown::town::store;
use gastown_core::config::{RigConfig, TownBudget, TownConfig};
use gastown_core::id::{
    AgentId, AssignmentId, BeadId, ConvoyId, EscalationId, IdSeed, InstanceId, MailId, MessageId, RigId, TownId,
};
use gastown_core::models::Catalogue;
use gastown_core::protocol::{
    Activity, Escalation, Frame, MailOut, MailParty, MailTo, MovedBead, Numbered, Outbox, Priority, RigToTown,
    Severity, Spending, TownToRig, TriageAction, TriageAsked, TriageKind, TriageResolved,
};
use gastown_core::session::{
    Beat, ErrorKind, Kind, Over, SessionAnswer, SessionFact, SessionKey, StartAnswer, Step, Usage,
};
use gastown_core::time::Timestamp;
use gastown_core::town::command::{NewRig, RigPatch};
use gastown_core::town::escalation::AgentEscalation;
use gastown_core::town::mail::TownMail;
use gastown_core::town::state::{AccountKind, MayorPhase, MessageSource, Pause, State, Town, TownStatus};
use gastown_core::town::{self, Command, Context, Event, Planned};
use serde_json::json;

use super::convoys;
use crate::random::Random;
use crate::support::TestSql;

const SEEDS: u64 = 6;
const STEPS: usize = 300;

/// Every kind of row that a town writes, as `Debug` prints it.
const WRITES: [&str; 30] = [
    "Acknowledged",
    "Applied",
    "Audit",
    "Breaker",
    "Convoy",
    "ConvoyRig",
    "DayBudget",
    "Drain",
    "Escalation",
    "Event",
    "Frame",
    "Mail",
    "MailRead",
    "Mayor",
    "Message",
    "Outbox",
    "Prune",
    "RemoveRig",
    "RemoveSlot",
    "RemoveTask",
    "RemoveTaskEdge",
    "Rig",
    "Runtime",
    "Slot",
    "StartFailure",
    "Task",
    "TaskEdge",
    "Town",
    "Triage",
    "Usage",
];

#[test]
fn sql_gives_back_what_memory_holds() {
    let (mut written, mut frames) = (BTreeSet::new(), 0);
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.check_feed();
        frames += world.frames.len();
        written.extend(world.written);
    }
    assert!(frames > 0, "nothing was ever shown");
    assert_eq!(written.iter().map(String::as_str).collect::<Vec<_>>(), WRITES, "some rows were never written");
}

struct World {
    sql: TestSql,
    state: Option<State>,
    random: Random,
    catalogue: Catalogue,
    now: Timestamp,
    frames: Vec<store::StoredFrame>,
    written: BTreeSet<String>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let now: Timestamp = "2026-01-01T00:00:00.000Z".parse().unwrap();
        let state = State::new(a_town(TownId::from_u128(random.id()), now), AgentId::from_u128(random.id()));
        let sql = TestSql::migrated(migrate::TOWN);
        assert_eq!(store::load(&sql).unwrap(), None);
        store::create(&sql, &state).unwrap();
        assert_eq!(store::load(&sql).unwrap().as_ref(), Some(&state));
        Self {
            sql,
            state: Some(state),
            random,
            catalogue: Catalogue::load(None).unwrap(),
            now,
            frames: Vec::new(),
            written: BTreeSet::new(),
        }
    }

    fn step(&mut self) {
        self.now = self.now + Duration::from_millis(self.random.bits() % 60_000);
        if self.random.one_in(20) {
            self.state = store::load(&self.sql).unwrap();
        }
        let seed = IdSeed::new(self.random.id());
        let catalogue = self.catalogue.clone();
        let context = Context { now: self.now, seed, catalogue: &catalogue };
        let planned = match self.random.below(5) {
            0 => {
                let state = self.state.take().unwrap();
                Ok(town::plan(state, context))
            }
            1 | 2 => {
                let command = self.command();
                town::handle(self.state.take().unwrap(), context, command).map(|(planned, _)| planned)
            }
            _ => {
                let burst = if self.random.one_in(40) { 25 } else { 0 };
                let failed = Event::RuntimeStartFailed { code: "no_image".to_owned(), message: "None.".to_owned() };
                let events = std::iter::repeat_n(failed, burst).chain([self.event()]).collect();
                Ok(town::observe(self.state.take().unwrap(), context, events).0)
            }
        };
        match planned {
            Ok(planned) => self.commit(planned),
            Err((state, _)) => self.state = Some(*state),
        }
        self.compare();
    }

    fn commit(&mut self, planned: Planned) {
        for (_, write) in &planned.writes {
            let name = format!("{write:?}");
            self.written.insert(name.split(['(', ' ']).next().unwrap().to_owned());
        }
        let frames = self.sql.atomically(|| store::commit(&self.sql, self.now, &planned.writes)).unwrap();
        self.frames.extend(frames);
        let mut state = planned.state;
        state.forget();
        self.state = Some(state);
    }

    fn compare(&self) {
        let memory = without_marks(self.state.clone().unwrap());
        let stored = without_marks(store::load(&self.sql).unwrap().unwrap());
        assert_eq!(next_numbers(&memory), next_numbers(&stored));
        assert_eq!(memory, stored);
    }

    /// Frames are numbered without gaps, in the order of the commits, and read back as they were.
    fn check_feed(&self) {
        let numbers: Vec<u64> = self.frames.iter().map(|frame| frame.seq).collect();
        assert_eq!(numbers, (1..=u64::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
        assert_eq!(store::activity::after(&self.sql, 0, usize::MAX).unwrap(), self.frames);
    }

    fn command(&mut self) -> Command {
        let rig_id = self.rig_id();
        if self.random.one_in(3) {
            let command = convoys::command(&mut self.random, self.state.as_ref().unwrap(), rig_id);
            return Command::Convoy(Box::new(command));
        }
        let random = &mut self.random;
        let actor = "ann".to_owned();
        let name = format!("Rig {}", random.below(6));
        match random.below(15) {
            0 => Command::Rename(format!("Town {}", random.below(9))),
            1 => Command::SetConfig {
                config: Box::new(TownConfig {
                    max_sessions: Some(u32::try_from(random.below(4)).unwrap()),
                    budget: TownBudget {
                        bead_usd: random.maybe(2.5),
                        town_daily_usd: random.maybe(20.0),
                        convoy_usd: random.maybe(5.0),
                        ..TownBudget::default()
                    },
                    ..TownConfig::default()
                }),
                secrets_changed: random.one_in(2),
                changed: vec!["max_sessions".to_owned(), "budget.bead_usd".to_owned()],
                actor,
            },
            2 | 3 => Command::AddRig(Box::new(NewRig {
                rig_id: random.maybe(rig_id),
                name,
                git_url: "https://example.com/repo.git".to_owned(),
                default_branch: "main".to_owned(),
                target_branch: random.maybe("next".to_owned()),
                purpose: random.maybe("To be \"quoted\"".to_owned()),
                integration_id: random.maybe("17".to_owned()),
                config: a_rig_config(random),
            })),
            4 => Command::UpdateRig {
                rig_id,
                patch: RigPatch {
                    name: random.maybe(name),
                    purpose: random.maybe(None),
                    default_branch: None,
                    target_branch: random.maybe(Some("trunk".to_owned())),
                },
            },
            5 => Command::SetRigConfig {
                rig_id,
                config: Box::new(a_rig_config(random)),
                changed: vec!["gates".to_owned()],
                actor,
            },
            6 if random.one_in(3) => Command::RemoveRig(rig_id),
            7 => Command::EnsureMayor,
            8 => Command::RestartMayor,
            9 if random.one_in(3) => Command::ResetBreaker,
            9 if random.one_in(3) => {
                Command::Pause(Pause { reason: random.maybe("a move".to_owned()), stop_running: random.one_in(2) })
            }
            9 => Command::Resume,
            10 => {
                let open = self.state.as_ref().unwrap().escalations.values().map(|open| open.escalation_id);
                let escalation_id = random.pick(open).unwrap_or(EscalationId::from_u128(1));
                if random.one_in(2) {
                    Command::Acknowledge { escalation_id, actor, note: random.maybe("Seen.".to_owned()) }
                } else {
                    let (acknowledges, retries) = (random.one_in(3), random.one_in(3));
                    Command::Reply { escalation_id, actor, message: "Go on.".to_owned(), acknowledges, retries }
                }
            }
            11 => Command::Escalate(Box::new(an_agent_escalation(random, rig_id))),
            12 => Command::SendMail(Box::new(a_mail(random, rig_id, self.now))),
            _ => Command::PostMessage {
                message_id: MessageId::from_u128(random.id()),
                source: *MessageSource::ALL.get(random.below(3)).unwrap(),
                source_id: random.maybe("ann".to_owned()),
                body: "What is going on?".to_owned(),
                ui_context: random.maybe("the merge queue".to_owned()),
            },
        }
    }

    fn event(&mut self) -> Event {
        let rig_id = self.rig_id();
        let instance_id = InstanceId::from_u128(u128::try_from(self.random.below(3)).unwrap());
        match self.random.below(10) {
            0 => Event::InstanceSeen(instance_id),
            1 => Event::InstanceEvicted(instance_id),
            2 => {
                let nonce = self.state.as_ref().unwrap().drain.nonce.clone();
                Event::InstanceReady(instance_id, nonce.unwrap_or_else(|| "another".to_owned()))
            }
            3 => Event::RepoChecked(rig_id, json!({ "state": "ok", "can_push": self.random.one_in(2) })),
            4 => {
                let rows = self.state.as_ref().unwrap().outboxes.get(&rig_id).map(|outbox| outbox.rows().to_vec());
                let seq = self.random.pick(rows.unwrap_or_default().iter().map(|row| row.seq));
                // A number that was never sent must not make the town skip numbers.
                Event::RigAcknowledged(rig_id, seq.unwrap_or(0) + u64::from(self.random.one_in(10)))
            }
            5 | 6 => {
                let applied = self.state.as_ref().unwrap().applied.get(&rig_id).copied().unwrap_or(0);
                let count = self.random.below(3) + 1;
                let messages = (1..=count)
                    .map(|n| Numbered { seq: applied + u64::try_from(n).unwrap(), message: self.rig_says(rig_id) });
                let messages = messages.collect();
                Event::RigSaid(rig_id, messages)
            }
            7 => Event::MayorStartAnswered(self.mayor(), start_answer(&mut self.random, instance_id)),
            8 if self.random.one_in(2) => Event::MayorAnswered(
                self.mayor(),
                self.random.pick([SessionAnswer::Alive(instance_id), SessionAnswer::Gone("gone".to_owned())]).unwrap(),
            ),
            _ => {
                let fact = self.mayor_fact(instance_id);
                Event::MayorReported(self.mayor(), fact)
            }
        }
    }

    fn rig_says(&mut self, rig_id: RigId) -> RigToTown {
        if self.random.one_in(4)
            && let Some(report) = convoys::report(&mut self.random, self.state.as_ref().unwrap(), rig_id, self.now)
        {
            return report;
        }
        let state = self.state.as_ref().unwrap();
        let slots: Vec<AssignmentId> = state.slots.keys().copied().collect();
        let requests: Vec<_> = state.triage.values().map(|r| (r.asked.request_id, r.batch_bead)).collect();
        let random = &mut self.random;
        let assignment_id = random.pick(slots.clone()).unwrap_or(AssignmentId::from_u128(random.id()));
        let dedup_key = format!("bead:{}", random.below(4));
        match random.below(18) {
            13 => RigToTown::StartFailed {
                assignment_id,
                code: "boot_timeout".to_owned(),
                message: "It did not come up.".to_owned(),
                is_retryable: random.one_in(2),
                is_probe: random.one_in(2),
            },
            11 => RigToTown::StartSucceeded { assignment_id },
            12 => {
                let spent = |micros: u64| Usage { tokens_in: 3, tokens_out: 4, cost_micros: micros };
                let micros = random.bits() % 30_000_000;
                let mut spending = Spending::default();
                spending.days.insert(self.now.day(), spent(micros));
                spending.days.insert("2025-12-31".to_owned(), spent(micros));
                spending.convoys.insert(ConvoyId::from_u128(7), spent(micros / 4));
                RigToTown::Usage(spending)
            }
            0 | 1 => RigToTown::SlotAsked {
                assignment_id: AssignmentId::from_u128(random.id()),
                bead_id: BeadId::from_u128(random.id()),
                convoy_id: random.maybe(ConvoyId::from_u128(7)),
                assignment_kind: random.pick(Kind::ALL.iter().copied()).unwrap(),
                priority: random.pick(Priority::ALL.iter().copied()).unwrap(),
                age_at: self.now,
            },
            2 => RigToTown::SlotReleased { assignment_id },
            3 | 4 => RigToTown::Activity(Activity {
                live: slots.into_iter().filter(|_| random.one_in(2)).collect(),
                queued: 3,
                jobs: u32::from(random.one_in(2)),
                next_deadline: random.maybe(self.now),
            }),
            5 => RigToTown::EscalationRaised(Box::new(Escalation {
                dedup_key,
                severity: random.pick(Severity::ALL.iter().copied()).unwrap(),
                category: "bead".to_owned(),
                code: "lost_leases".to_owned(),
                title: "\"fix it\" failed".to_owned(),
                message: "It failed.".to_owned(),
                bead_id: random.maybe(BeadId::from_u128(3)),
                agent_id: random.maybe(AgentId::from_u128(4)),
                assignment_id: random.maybe(AssignmentId::from_u128(5)),
                convoy_id: random.maybe(ConvoyId::from_u128(6)),
                choices: vec!["retry".to_owned(), "close".to_owned()],
            })),
            6 => RigToTown::EscalationCleared { dedup_key },
            7 => RigToTown::TriageAsked(Box::new(TriageAsked {
                request_id: BeadId::from_u128(random.id()),
                kind: random.pick(TriageKind::ALL.iter().copied()).unwrap(),
                agent_id: random.pick([None, Some(AgentId::from_u128(1)), Some(AgentId::from_u128(2))]).unwrap(),
                bead_id: random.maybe(BeadId::from_u128(3)),
                assignment_id: random.maybe(assignment_id),
                options: vec!["NUDGE".to_owned(), "RESTART".to_owned()],
                context: json!({ "silent_minutes": 60 }),
            })),
            8 => RigToTown::TriageResolved(Box::new(TriageResolved {
                request_id: random.pick(requests.iter().map(|(id, _)| *id)).unwrap_or(BeadId::from_u128(1)),
                action: random.pick(TriageAction::ALL.iter().copied()).unwrap(),
                notes: "It hangs.".to_owned(),
                agent_id: AgentId::from_u128(9),
                was_live: random.one_in(2),
            })),
            9 => RigToTown::TriageEnded {
                batch_id: random.pick(requests.iter().filter_map(|(_, b)| *b)).unwrap_or(BeadId::from_u128(1)),
            },
            10 => RigToTown::MailOut(Box::new(MailOut {
                mail_id: MailId::from_u128(random.id()),
                from_agent: AgentId::from_u128(4),
                from_name: "Toast".to_owned(),
                to: random.pick([MailTo::Mayor, MailTo::User("ann".to_owned())]).unwrap(),
                thread_id: MailId::from_u128(7),
                reply_to: random.maybe(MailId::from_u128(7)),
                subject: "A key".to_owned(),
                body: "Which \"key\"?".to_owned(),
                created_at: self.now,
            })),
            16 => RigToTown::BeadMoved {
                to: random.maybe(rig_id).unwrap_or(RigId::from_u128(9)),
                bead: Box::new(MovedBead {
                    bead_id: BeadId::from_u128(5),
                    title: "Fix it".to_owned(),
                    body: None,
                    priority: Priority::Low,
                    labels: ["bug".to_owned()].into(),
                    metadata: serde_json::Map::new(),
                    model: None,
                    budget_micros: None,
                    created_by: "ann".to_owned(),
                    created_at: self.now,
                }),
            },
            _ => RigToTown::Feed {
                frames: vec![Frame {
                    frame: "bead.updated".to_owned(),
                    data: json!({ "bead_id": BeadId::from_u128(3), "rig_id": rig_id, "cost_usd": 0.25 }),
                }],
            },
        }
    }

    fn mayor_fact(&mut self, instance_id: InstanceId) -> SessionFact {
        let messages = self.state.as_ref().unwrap().waiting_messages();
        let ids = messages.iter().map(|message| message.message_id.to_string()).collect();
        match self.random.below(7) {
            0 => SessionFact::Step(Step::Booting),
            1 => SessionFact::Ready,
            2 => SessionFact::StartFailed {
                code: "kilo_missing".to_owned(),
                message: "It is not there.".to_owned(),
                is_retryable: true,
            },
            3 | 4 => SessionFact::Delivered(ids),
            5 => SessionFact::Beat(Beat {
                is_running: self.random.one_in(2),
                idle_since: self.random.maybe(self.now),
                tool: None,
                progress_at: None,
                usage: Usage::default(),
                instance_id,
            }),
            _ => SessionFact::Over(
                self.random
                    .pick([
                        Over::Completed("done".to_owned()),
                        Over::Crashed("crashed".to_owned()),
                        Over::Error { kind: ErrorKind::Provider, message: "busy".to_owned(), retry_after: None },
                    ])
                    .unwrap(),
            ),
        }
    }

    /// A rig of the town, or one that might be.
    fn rig_id(&mut self) -> RigId {
        let known: Vec<RigId> = self.state.as_ref().unwrap().rigs.keys().copied().collect();
        let unknown = RigId::from_u128((u128::try_from(self.random.below(3)).unwrap() << 96) | 1);
        if self.random.one_in(5) { unknown } else { self.random.pick(known).unwrap_or(unknown) }
    }

    /// The mayor's session, now and then an older one.
    fn mayor(&mut self) -> SessionKey {
        let mayor = &self.state.as_ref().unwrap().mayor;
        assert_eq!(mayor.phase == MayorPhase::Absent, mayor.assignment_id.is_none());
        let epoch = mayor.epoch.saturating_sub(u64::from(self.random.one_in(10)));
        SessionKey { assignment_id: mayor.assignment_id.unwrap_or(AssignmentId::from_u128(1)), epoch }
    }
}

fn a_town(town_id: TownId, now: Timestamp) -> Town {
    Town {
        town_id,
        name: "Springfield".to_owned(),
        account_kind: AccountKind::User,
        account_id: "user-1".to_owned(),
        created_by: "user-1".to_owned(),
        created_at: now,
        updated_at: now,
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

fn a_rig_config(random: &mut Random) -> RigConfig {
    RigConfig {
        gates: random.maybe(vec!["make test".to_owned()]),
        max_concurrent_polecats: random.maybe(3),
        default_model: random.maybe("anthropic/claude-sonnet-4.6".parse().unwrap()),
        ..RigConfig::default()
    }
}

fn an_agent_escalation(random: &mut Random, rig_id: RigId) -> AgentEscalation {
    AgentEscalation {
        rig_id,
        agent_id: AgentId::from_u128(u128::try_from(random.below(4)).unwrap()),
        agent_name: "Toast".to_owned(),
        assignment_id: random.maybe(AssignmentId::from_u128(5)),
        bead_id: random.maybe(BeadId::from_u128(3)),
        severity: random.pick(Severity::ALL.iter().copied()).unwrap(),
        category: "question".to_owned(),
        title: format!("Which \"key\" {}?", random.below(3)),
        body: "It is not in the vault.".to_owned(),
        metadata: json!({ "tried": ["vault", "env"] }).as_object().unwrap().clone(),
    }
}

fn a_mail(random: &mut Random, rig_id: RigId, now: Timestamp) -> TownMail {
    let agent = MailTo::Agent { rig_id, agent_id: AgentId::from_u128(4) };
    TownMail {
        mail_id: MailId::from_u128(random.id()),
        from_kind: random.pick(MailParty::ALL.iter().copied()).unwrap(),
        from_id: "ann".to_owned(),
        from_name: "Ann".to_owned(),
        from_rig: None,
        to: random.pick([MailTo::Mayor, MailTo::User("bob".to_owned()), agent]).unwrap(),
        thread_id: MailId::from_u128(7),
        reply_to: None,
        subject: "Look".to_owned(),
        body: "Please.".to_owned(),
        created_at: now,
        read_at: None,
    }
}

fn start_answer(random: &mut Random, instance_id: InstanceId) -> StartAnswer {
    let answers = [
        StartAnswer::Accepted(instance_id),
        StartAnswer::Accepted(instance_id),
        StartAnswer::NotNow("it is starting".to_owned()),
        StartAnswer::NoCapacity("no memory is free".to_owned()),
        StartAnswer::Invalid { code: "bad_request".to_owned(), message: "It cannot be read.".to_owned() },
    ];
    random.pick(answers).unwrap()
}

/// The state without what lives in memory only: what rigs were told, and when to send again.
fn without_marks(mut state: State) -> State {
    state.told.clear();
    state.configured.clear();
    state.needed = None;
    state.heard.clear();
    state.told_account = None;
    state.wrapped_up.clear();
    let next = next_numbers(&state);
    for (rig_id, outbox) in &mut state.outboxes {
        *outbox = Outbox::new(outbox.rows().to_vec(), next[rig_id]);
    }
    state
}

/// The number that the next message to each rig would get.
fn next_numbers(state: &State) -> BTreeMap<RigId, u64> {
    let grant = TownToRig::GrantSlot { assignment_id: AssignmentId::from_u128(1), probe: false };
    let next = |outbox: &Outbox<TownToRig>| outbox.clone().post(grant.clone(), Timestamp::from_ms(0)).seq;
    state.outboxes.iter().map(|(rig_id, outbox)| (*rig_id, next(outbox))).collect()
}
