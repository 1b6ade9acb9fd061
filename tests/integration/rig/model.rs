//! Model against SQL: a rig is driven by random commands and facts; after each commit, the rows that SQL gives back are
//! the state that memory holds. Now and then the object dies and goes on from its rows. Beads and assignments that
//! are over are found as they were last written.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gastown::rig::store;
use gastown::sql::Sql;
use gastown::sql::migrate;
use gastown_core::config::{EffectiveRig, MergeStrategy, ReviewMode};
use gastown_core::id::{
    AgentId, AssignmentId, BeadId, ConvoyId, IdSeed, InstanceId, JobId, MailId, NudgeId, RigId, TownId,
};
use gastown_core::models::{Catalogue, RigModels, RigRoleModels, TownModels};
use gastown_core::protocol::{Configure, MovedBead, Numbered, Priority, TownState, TownToRig};
use gastown_core::rig::assignment::{Assignment, Slot};
use gastown_core::rig::bead::{Bead, HELD};
use gastown_core::rig::breaker::Breaker;
use gastown_core::rig::command::{Done, Judge, NewBead, NewMail, Receiver, Submit};
use gastown_core::rig::event::{JobAnswer, JobFact};
use gastown_core::rig::mail::{MailParty, MailTo};
use gastown_core::rig::review::{JobPhase, Verdict};
use gastown_core::rig::state::{Rig, RigStatus};
use gastown_core::rig::{self, Command, Context, Event, Planned, State, Write};
use gastown_core::session::{
    Beat, ErrorKind, GateResult, GateStatus, GatesStatus, JobKind, MergeStatus, Over, Role, SessionAnswer, SessionFact,
    SessionKey, StartAnswer, Step, Usage,
};
use gastown_core::time::Timestamp;
use serde_json::json;

use super::convoys;
use super::marks::{next_number, without_marks};
use super::wishes::{a_nudge, a_patch, by_hand};
use crate::random::Random;
use crate::support::TestSql;

const SEEDS: u64 = 6;
const STEPS: usize = 600;

/// Every kind of row that a rig writes, as `Debug` prints it.
const WRITES: [&str; 23] = [
    "Acknowledged",
    "Agent",
    "Applied",
    "Assignment",
    "Bead",
    "Edge",
    "Event",
    "GateRun",
    "Job",
    "Lesson",
    "Mail",
    "Nudge",
    "Outbox",
    "Prune",
    "RemoveAgent",
    "RemoveBead",
    "RemoveEdge",
    "Review",
    "Rig",
    "Round",
    "Step",
    "Usage",
    "Watch",
];

#[test]
fn sql_gives_back_what_memory_holds() {
    let mut written = BTreeSet::new();
    let mut merged = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.check_history();
        world.check_wipe();
        merged += world.merged;
        written.extend(world.written);
    }
    assert_eq!(written.iter().map(String::as_str).collect::<Vec<_>>(), WRITES, "some rows were never written");
    assert!(merged > 0, "no work went all the way");
}

pub(super) struct World {
    sql: TestSql,
    pub(super) state: Option<State>,
    pub(super) random: Random,
    catalogue: Catalogue,
    pub(super) now: Timestamp,
    version: u64,
    beads: BTreeMap<BeadId, Bead>,
    gone: BTreeSet<BeadId>,
    assignments: BTreeMap<AssignmentId, Assignment>,
    written: BTreeSet<String>,
    merged: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let sql = TestSql::migrated(migrate::RIG);
        assert_eq!(store::load(&sql).unwrap(), None);
        let state = State::new(a_rig(&mut random));
        store::create(&sql, &state.rig).unwrap();
        assert_eq!(store::load(&sql).unwrap().as_ref(), Some(&state));
        let mut world = Self {
            sql,
            state: Some(state),
            random,
            catalogue: Catalogue::load(None).unwrap(),
            now: "2026-01-01T00:00:00.000Z".parse().unwrap(),
            version: 0,
            beads: BTreeMap::new(),
            gone: BTreeSet::new(),
            assignments: BTreeMap::new(),
            written: BTreeSet::new(),
            merged: 0,
        };
        let configure = world.configure();
        world.observe(Event::TownSaid(vec![Numbered { seq: 1, message: configure }]));
        world
    }

    fn step(&mut self) {
        let pause = if self.random.one_in(50) { 20 * 60_000 } else { self.random.bits() % 10_000 };
        self.now = self.now + Duration::from_millis(pause);
        if self.random.one_in(20) {
            self.state = store::load(&self.sql).unwrap();
        }
        match self.random.below(6) {
            0 => {
                let state = self.state.take().unwrap();
                let catalogue = self.catalogue.clone();
                let planned = rig::plan(state, self.context(&catalogue));
                self.commit(planned);
            }
            1 | 2 => {
                let command = self.command();
                self.handle(command);
            }
            _ => {
                if let Some(event) = self.event() {
                    self.observe(event);
                }
            }
        }
        self.compare();
    }

    fn handle(&mut self, command: Command) {
        let mut state = self.state.take().unwrap();
        store::recall(&self.sql, &mut state, &command.references()).unwrap();
        let catalogue = self.catalogue.clone();
        match rig::handle(state, self.context(&catalogue), command) {
            Ok((planned, _)) => self.commit(planned),
            Err((mut state, _)) => {
                state.forget();
                self.state = Some(*state);
            }
        }
    }

    fn observe(&mut self, event: Event) {
        let mut state = self.state.take().unwrap();
        store::recall(&self.sql, &mut state, &event.references()).unwrap();
        let catalogue = self.catalogue.clone();
        let (planned, _) = rig::observe(state, self.context(&catalogue), vec![event]);
        self.commit(planned);
    }

    fn context<'a>(&mut self, catalogue: &'a Catalogue) -> Context<'a> {
        Context { now: self.now, seed: IdSeed::new(self.random.id()), catalogue }
    }

    fn commit(&mut self, planned: Planned) {
        for (_, write) in &planned.writes {
            let name = format!("{write:?}");
            self.written.insert(name.split(['(', ' ']).next().unwrap().to_owned());
            if let Write::Bead(bead) = write {
                self.beads.insert(bead.bead_id, bead.as_ref().clone());
            }
            if let Write::RemoveBead(bead_id) = write {
                self.beads.remove(bead_id);
                self.gone.insert(*bead_id);
            }
            if let Write::Assignment(assignment) = write {
                self.assignments.insert(assignment.assignment_id, assignment.as_ref().clone());
            }
            if let Write::Review(review) = write {
                self.merged += usize::from(review.merge_commit.is_some());
            }
        }
        self.sql
            .atomically(|| planned.writes.iter().try_for_each(|(rule, write)| store::write(&self.sql, rule, write)))
            .unwrap();
        let mut state = planned.state;
        state.forget();
        self.state = Some(state);
    }

    fn compare(&self) {
        let memory = without_marks(self.state.clone().unwrap());
        let stored = without_marks(store::load(&self.sql).unwrap().unwrap());
        assert_eq!(next_number(&memory), next_number(&stored));
        assert_eq!(memory, stored);
    }

    fn check_history(&self) {
        for bead_id in self.gone.difference(&self.beads.keys().copied().collect()) {
            assert_eq!(store::bead(&self.sql, *bead_id).unwrap(), None);
            assert_eq!(store::events::list(&self.sql, Some(*bead_id), None, None, None, 9).unwrap(), Vec::new());
            assert_eq!(store::reviews_of_bead(&self.sql, *bead_id).unwrap(), Vec::new());
        }
        for (bead_id, bead) in &self.beads {
            assert_eq!(store::bead(&self.sql, *bead_id).unwrap().as_ref(), Some(bead));
        }
        for (assignment_id, assignment) in &self.assignments {
            assert_eq!(store::assignment(&self.sql, *assignment_id).unwrap().as_ref(), Some(assignment));
        }
    }

    /// Whatever the rig wrote, nothing of it is left when the rig is deleted.
    fn check_wipe(&self) {
        #[derive(serde::Deserialize)]
        struct Table {
            name: String,
        }
        store::wipe(&self.sql).unwrap();
        assert_eq!(store::load(&self.sql).unwrap(), None);
        let tables = "select name from sqlite_master where type = 'table' and name <> 'migrations'";
        for Table { name } in self.sql.rows(tables, &[]).unwrap() {
            let rows: Vec<Table> = self.sql.rows(&format!("select 'a row' as name from {name}"), &[]).unwrap();
            assert!(rows.is_empty(), "{name} keeps {} rows", rows.len());
        }
    }

    fn command(&mut self) -> Command {
        let bead_id = self.bead();
        let other = self.bead();
        let session = self.session();
        let (author, reviewer) = (self.session_of(Role::Polecat), self.session_of(Role::Refinery));
        let actor = "ann".to_owned();
        let agents: Vec<AgentId> = self.state.as_ref().unwrap().agents.keys().copied().collect();
        let random = &mut self.random;
        let agent_id = random.pick(agents).unwrap_or(AgentId::from_u128(1));
        match random.below(29) {
            20 if random.one_in(3) => Command::DeleteBead { bead_id, actor },
            21 => Command::Submit(Submit {
                bead_id,
                branch: "by-hand".to_owned(),
                commit: random.maybe("c0ffee".to_owned()),
                summary: None,
                pr_url: random.maybe("https://github.com/acme/shop/pull/7".to_owned()),
                agent_id: None,
                actor,
            }),
            20 if random.one_in(6) => Command::MoveBead { bead_id, to: RigId::from_u128(9), actor },
            22 | 23 => by_hand(random, agent_id, bead_id, actor),
            0..=2 => Command::CreateBead(NewBead {
                bead_id: random.maybe(BeadId::from_u128(random_id(self.now, 1))),
                title: format!("Fix it {}", random.below(5)),
                body: random.maybe("Say \"hello\".\nThen stop.".to_owned()),
                priority: random.pick(Priority::ALL.iter().copied()),
                labels: ["bug", "docs", HELD].into_iter().filter(|_| random.one_in(4)).map(str::to_owned).collect(),
                metadata: json!({ "n": 1.5, "deep": { "list": [null, true] } }).as_object().unwrap().clone(),
                parent_id: random.maybe(bead_id).filter(|_| random.one_in(4)),
                depends_on: [bead_id, other].into_iter().filter(|_| random.one_in(4)).collect(),
                model: random.maybe("anthropic/claude-sonnet-4.6".parse().unwrap()),
                budget_micros: random.maybe(2_500_000),
                created_by: actor,
                refuses_repeat: false,
            }),
            3 => Command::UpdateBead { bead_id, patch: a_patch(random, other), actor },
            4 if random.one_in(3) => Command::CloseBead { bead_id, actor },
            5 if random.one_in(3) => Command::FailBead { bead_id, reason: random.maybe("no".to_owned()), actor },
            6 => Command::RetryBead { bead_id, keep_branch: random.one_in(2), model: None, actor },
            7..=10 => Command::Done(Done {
                session: author,
                branch: self.assignments.get(&author.assignment_id).and_then(|a| a.branch.clone()).unwrap_or_default(),
                commit: random.maybe("c0ffee".to_owned()),
                summary: random.maybe("It is fixed.".to_owned()),
                files: vec!["src/a.rs".to_owned()],
                pr_url: random.maybe("https://example.com/moved/pull/3".to_owned()),
            }),
            11..=14 => Command::Judge(Judge {
                session: reviewer,
                verdict: random
                    .pick([Verdict::Approve, Verdict::Approve, Verdict::RequestChanges, Verdict::Reject])
                    .unwrap(),
                summary: None,
                feedback: random.maybe("The name is wrong.".to_owned()),
                files: vec!["src/a.rs".to_owned()],
                commit: None,
            }),
            15 if random.one_in(3) => {
                Command::ResumeReview { review_id: bead_id, note: random.maybe("go on".to_owned()), actor }
            }
            15 if random.one_in(6) => Command::DismissReview { review_id: bead_id },
            15 => Command::PersonJudges {
                review_id: bead_id,
                verdict: random.pick(Verdict::ALL.iter().copied()).unwrap(),
                feedback: random.maybe("Not like this.".to_owned()),
                actor,
            },
            16 => Command::SetStatus { session, message: "reading".to_owned() },
            17 => Command::SetCheckpoint { session, data: random.pick([json!(null), json!({ "at": 3 })]).unwrap() },
            18 => Command::SendMail(NewMail {
                from_kind: random.pick(MailParty::ALL.iter().copied()).unwrap(),
                from_id: actor,
                to: match random.below(4) {
                    0 => Receiver::Elsewhere(MailTo::User("ann".to_owned())),
                    _ => Receiver::Here(agent_id),
                },
                reply_to: random.maybe(MailId::from_u128(1)),
                subject: "A question".to_owned(),
                body: "Why?".to_owned(),
            }),
            24 => a_nudge(random, agent_id),
            25 => Command::NudgeDelivered {
                session,
                nudge_id: random
                    .pick(self.state.as_ref().unwrap().nudges.keys().copied())
                    .unwrap_or(NudgeId::from_u128(1)),
            },
            26 => Command::CreateMolecule {
                bead_id,
                steps: vec![("read".to_owned(), "Read it.".to_owned()), ("write".to_owned(), "Write it.".to_owned())],
                actor,
            },
            27 => Command::AdvanceMolecule { session, summary: "It is read.".to_owned() },
            _ => Command::AcknowledgeMail {
                session,
                mail_ids: self.state.as_ref().unwrap().mail.keys().copied().collect(),
            },
        }
    }

    fn event(&mut self) -> Option<Event> {
        let session = self.session();
        let instance_id = InstanceId::from_u128(1);
        Some(match self.random.below(20) {
            16..=19 => self.forge_answers()?,
            0..=3 => self.town_says(),
            4 => {
                let rows = self.state.as_ref().unwrap().outbox.rows().to_vec();
                Event::TownAcknowledged(self.random.pick(rows.iter().map(|row| row.seq))?)
            }
            5 => Event::StartAnswered(session, self.start_answer(instance_id)),
            6 => Event::SessionAnswered(
                session,
                self.random.pick([SessionAnswer::Alive(instance_id), SessionAnswer::Gone("gone".to_owned())])?,
            ),
            7..=10 => self.job_reports()?,
            _ => Event::SessionReported(session, self.session_fact(session, instance_id)),
        })
    }

    fn town_says(&mut self) -> Event {
        let state = self.state.as_ref().unwrap();
        let asked: Vec<AssignmentId> =
            state.live_assignments().filter(|a| a.slot == Slot::Asked).map(|a| a.assignment_id).collect();
        let seq = state.town_applied + 1;
        let mut messages = match self.random.below(12) {
            0 => vec![self.configure()],
            1 => vec![TownToRig::TownState(TownState {
                paused: self.random.one_in(8),
                draining: self.random.one_in(8),
                stop_running: self.random.one_in(16),
                instance_id: self.random.maybe(InstanceId::from_u128(1)),
                credential_gen: self.random.below(3) as u64,
                ..TownState::default()
            })],
            2 if self.random.one_in(20) => {
                let convoy_id = self.random.maybe(ConvoyId::from_u128(7));
                vec![TownToRig::WrapUp { convoy_id, message: "The budget is used up.".to_owned() }]
            }
            2 if self.random.one_in(2) => vec![TownToRig::AdoptBead(Box::new(MovedBead {
                bead_id: BeadId::from_u128(random_id(self.now, 2)),
                title: "From elsewhere".to_owned(),
                body: None,
                priority: Priority::Low,
                labels: ["bug".to_owned()].into(),
                metadata: serde_json::Map::new(),
                model: None,
                budget_micros: None,
                created_by: "ann".to_owned(),
                created_at: self.now,
            }))],
            2 => vec![TownToRig::Ping],
            3..=5 => {
                let (bead_id, blocker_id) = (self.bead(), self.bead());
                vec![convoys::message(&mut self.random, self.now, bead_id, blocker_id)]
            }
            _ => Vec::new(),
        };
        let unknown = self.random.one_in(20).then(|| AssignmentId::from_u128(1));
        messages.extend(
            asked
                .into_iter()
                .chain(unknown)
                .map(|assignment_id| TownToRig::GrantSlot { assignment_id, probe: self.random.one_in(4) }),
        );
        Event::TownSaid((seq..).zip(messages).map(|(seq, message)| Numbered { seq, message }).collect())
    }

    fn configure(&mut self) -> TownToRig {
        self.version += 1;
        let rig_id = self.state.as_ref().unwrap().rig.rig_id;
        let has_gates = self.random.one_in(2);
        TownToRig::Configure(Box::new(Configure {
            version: self.version,
            secrets_version: 1,
            git_url: "https://example.com/moved.git".to_owned(),
            default_branch: "main".to_owned(),
            target_branch: "next".to_owned(),
            config: EffectiveRig {
                gates: if has_gates { vec!["make test".to_owned()] } else { Vec::new() },
                code_review: !self.random.one_in(4),
                max_concurrent_polecats: 3,
                merge_strategy: self.random.pick(MergeStrategy::ALL.iter().copied()).unwrap(),
                review_mode: self.random.pick(ReviewMode::ALL.iter().copied()).unwrap(),
                auto_merge_delay_minutes: self.random.maybe(0),
                ..EffectiveRig::default()
            },
            town_models: TownModels { model_profile: Some("balanced".to_owned()), ..TownModels::default() },
            rig_models: RigModels {
                rig_id,
                name: "api".to_owned(),
                default_model: None,
                role_models: RigRoleModels::default(),
            },
        }))
    }

    fn job_reports(&mut self) -> Option<Event> {
        let jobs = self.state.as_ref().unwrap().jobs.values().filter(|job| job.phase != JobPhase::Ended);
        let job = self.random.pick(jobs.cloned().collect::<Vec<_>>())?;
        let status = if self.random.one_in(4) { GateStatus::Failed } else { GateStatus::Passed };
        let results = vec![GateResult {
            command: "make test".to_owned(),
            status,
            exit_code: self.random.maybe(1),
            duration_ms: 5,
            output_tail: "1 failed".to_owned(),
        }];
        let fact = match (self.random.below(4), job.kind) {
            (0, _) => return Some(Event::JobAnswered(job.job_id, self.job_answer())),
            (1, _) => JobFact::Beat,
            (_, JobKind::Gates) => JobFact::Gates {
                commit: job.spec.commit.clone().or_else(|| self.random.maybe("c0ffee".to_owned())),
                onto: job.spec.target.as_ref().map(|_| "7a1e0000".to_owned()),
                status: self.random.pick([
                    GatesStatus::Green,
                    GatesStatus::Green,
                    GatesStatus::Green,
                    GatesStatus::Green,
                    GatesStatus::Red,
                    GatesStatus::Error,
                ])?,
                results,
                message: "It ran.".to_owned(),
            },
            (_, JobKind::Merge) => JobFact::Merge {
                status: self.random.pick([
                    MergeStatus::Merged,
                    MergeStatus::Merged,
                    MergeStatus::Merged,
                    MergeStatus::Merged,
                    MergeStatus::Conflict,
                    MergeStatus::GatesRed,
                    MergeStatus::TargetMoved,
                    MergeStatus::NoCommit,
                ])?,
                merge_commit: self.random.maybe("feed5eed".to_owned()),
                files: vec!["src/a.rs".to_owned()],
                results,
                message: "It ran.".to_owned(),
            },
        };
        let unknown = self.random.one_in(20).then(|| JobId::from_u128(1));
        Some(Event::JobReported(unknown.unwrap_or(job.job_id), fact))
    }

    fn job_answer(&mut self) -> JobAnswer {
        if self.random.one_in(10) { JobAnswer::Invalid("no such target".to_owned()) } else { JobAnswer::Accepted }
    }

    fn start_answer(&mut self, instance_id: InstanceId) -> StartAnswer {
        let answers = [
            StartAnswer::Accepted(instance_id),
            StartAnswer::Accepted(instance_id),
            StartAnswer::NotNow("draining".to_owned()),
            StartAnswer::NoCapacity("no memory is free".to_owned()),
        ];
        self.random.pick(answers).unwrap()
    }

    fn session_fact(&mut self, session: SessionKey, instance_id: InstanceId) -> SessionFact {
        let branch = self.assignments.get(&session.assignment_id).and_then(|a| a.branch.clone()).unwrap_or_default();
        let state = self.state.as_ref().unwrap();
        let mail = state.mail.keys().map(ToString::to_string);
        let messages = mail.chain(state.nudges.keys().map(ToString::to_string)).collect();
        let retry_after = self.random.maybe(Duration::from_secs(40));
        match self.random.below(16) {
            0..=2 => SessionFact::Step(self.random.pick(Step::ALL.iter().copied()).unwrap()),
            3..=7 => SessionFact::Ready,
            8 => SessionFact::Finishing,
            9 => SessionFact::StartFailed {
                code: "worktree_failed".to_owned(),
                message: "The disk is full.".to_owned(),
                is_retryable: !self.random.one_in(8),
            },
            10 => SessionFact::Pushed { branch, commit: "c0ffee".to_owned() },
            11 => SessionFact::Saved { ref_name: "refs/gastown/saved".to_owned(), commit: "5afe".to_owned() },
            12 => SessionFact::Delivered(messages),
            13 | 14 => SessionFact::Beat(Beat {
                is_running: !self.random.one_in(3),
                idle_since: self.random.maybe(self.now),
                tool: self.random.maybe("bash".to_owned()),
                progress_at: self.random.maybe(self.now),
                usage: Usage { tokens_in: 10, tokens_out: 2, cost_micros: 1_000_000_000_001 },
                instance_id,
            }),
            _ => SessionFact::Over(
                self.random
                    .pick([
                        Over::Completed("done".to_owned()),
                        Over::Crashed("crashed".to_owned()),
                        Over::Stopped("stopped".to_owned()),
                        Over::Evicted("evicted".to_owned()),
                        Over::Error { kind: ErrorKind::RateLimited, message: "busy".to_owned(), retry_after },
                    ])
                    .unwrap(),
            ),
        }
    }

    /// A bead of the rig, mostly a live one, now and then one that never was.
    fn bead(&mut self) -> BeadId {
        let live: Vec<BeadId> = self.state.as_ref().unwrap().beads.keys().copied().collect();
        let any = self.beads.keys().copied();
        let picked = if self.random.one_in(3) { self.random.pick(any) } else { self.random.pick(live) };
        picked.unwrap_or(BeadId::from_u128(1))
    }

    /// A live session of this role; any session when there is none.
    fn session_of(&mut self, role: Role) -> SessionKey {
        let state = self.state.as_ref().unwrap();
        let live: Vec<Assignment> = state.live_assignments().filter(|a| a.kind.role() == role).cloned().collect();
        self.random.pick(live).map_or_else(|| self.session(), |assignment| key(&assignment))
    }

    /// A session of the rig, mostly a live one.
    fn session(&mut self) -> SessionKey {
        let live: Vec<Assignment> = self.state.as_ref().unwrap().live_assignments().cloned().collect();
        let any = self.assignments.values().cloned();
        let picked = if self.random.one_in(10) { self.random.pick(any) } else { self.random.pick(live) };
        picked.as_ref().map_or(SessionKey { assignment_id: AssignmentId::from_u128(1), epoch: 1 }, key)
    }
}

fn key(assignment: &Assignment) -> SessionKey {
    SessionKey { assignment_id: assignment.assignment_id, epoch: assignment.epoch }
}

pub(super) fn random_id(now: Timestamp, n: u128) -> u128 {
    (u128::try_from(now.ms()).unwrap() << 64) | n
}

fn a_rig(random: &mut Random) -> Rig {
    Rig {
        rig_id: RigId::from_u128(random.id()),
        town_id: TownId::from_u128(random.id()),
        tag: "aaaaaaaa".to_owned(),
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
