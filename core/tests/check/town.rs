//! Scenarios of the town. The rigs and the runtime are played by the commands; rigs acknowledge at once.

use std::collections::BTreeMap;
use std::time::Duration;

use gastown_core::id::{AgentId, AssignmentId, BeadId, IdSeed, InstanceId, MessageId, RigId, TownId};
use gastown_core::models::Catalogue;
use gastown_core::protocol::{Activity, Numbered, RigToTown, Spending, TownState, TownToRig};
use gastown_core::session::{Beat, ErrorKind, Kind, Over, SessionAnswer, SessionFact, SessionKey, StartAnswer, Usage};
use gastown_core::time::Timestamp;
use gastown_core::town::command::NewRig;
use gastown_core::town::state::{AccountKind, EscalationState, MayorPhase, MessageSource, Pause, Town, TownStatus};
use gastown_core::town::{Command, Context, Effect, Event, Planned, Receipt, State, invariant};

use super::{START, duration, lifecycle, split, without};

mod inbox;

/// Plays a scenario of the town.
pub(crate) fn play(scenario: &str) -> String {
    let mut player = Player::new();
    super::play(scenario, |command| player.run(command))
}

pub(super) struct Player {
    catalogue: &'static Catalogue,
    pub(super) state: Option<State>,
    now: Timestamp,
    wake_at: Option<Timestamp>,
    seed: u128,
    instance: InstanceId,
    seqs: BTreeMap<RigId, u64>,
    rigs_answer: bool,
    /// The mayor's session is heard of all the time: it takes what it is told, and is idle.
    beats: bool,
    /// What the town said to rigs that are played by their own plans; none when the rigs are played here.
    said: Option<Vec<(String, Vec<TownToRig>)>>,
    pub(super) last_landing: Option<gastown_core::town::convoy::ConvoyRig>,
    pub(super) told: Vec<String>,
}

impl Player {
    fn new() -> Self {
        let now: Timestamp = START.parse().unwrap();
        let town = Town {
            town_id: TownId::from_u128(0xbbbb_bbbb << 96),
            name: "Ann's Town".to_owned(),
            account_kind: AccountKind::User,
            account_id: "ann".to_owned(),
            created_by: "ann".to_owned(),
            created_at: now,
            updated_at: now,
            status: TownStatus::Active,
            config: gastown_core::config::TownConfig::default(),
            config_version: 1,
            secrets_version: 1,
            credential_gen: 1,
            next_epoch: 1,
            pause: None,
            version: 1,
        };
        Self {
            catalogue: super::catalogue(),
            state: Some(State::new(town, AgentId::from_u128(1))),
            now,
            wake_at: None,
            seed: 0,
            instance: InstanceId::from_u128(1),
            seqs: BTreeMap::new(),
            rigs_answer: true,
            beats: false,
            said: None,
            last_landing: None,
            told: Vec::new(),
        }
    }

    /// A town whose rigs are played by their own plans.
    pub(super) fn linked() -> Self {
        Self { said: Some(Vec::new()), ..Self::new() }
    }

    /// What the town has said since it was last asked.
    pub(super) fn take_said(&mut self) -> Vec<(String, Vec<TownToRig>)> {
        self.said.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// A rig's messages; what they led to.
    pub(super) fn hear(&mut self, name: &str, said: Vec<RigToTown>) -> Vec<String> {
        self.told.clear();
        let seq = self.seqs.entry(rig(name)).or_insert(0);
        let first = *seq + 1;
        *seq += u64::try_from(said.len()).unwrap();
        let numbered = (first..).zip(said).map(|(seq, message)| Numbered { seq, message }).collect();
        self.observe(vec![Event::RigSaid(rig(name), numbered)]);
        std::mem::take(&mut self.told)
    }

    /// When the town wants to look again.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        self.wake_at
    }

    /// It is that late.
    pub(super) fn wake(&mut self, now: Timestamp) -> Vec<String> {
        self.told.clear();
        self.now = now;
        if self.wake_at.is_some_and(|at| at <= now) {
            self.observe(Vec::new());
        }
        std::mem::take(&mut self.told)
    }

    pub(super) fn run(&mut self, line: &str) -> Vec<String> {
        self.told.clear();
        let words = split(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["rig", name, rest @ ..] => self.add_rig(name, rest.first()),
            ["remove", name] => self.command(Command::RemoveRig(rig(name))),
            ["max-sessions", n] => self.configure(|config| config.max_sessions = Some(n.parse().unwrap())),
            ["cap", n] => self.configure(|config| config.max_polecats_per_rig = Some(n.parse().unwrap())),
            ["pause"] => self.command(Command::Pause(Pause::default())),
            ["pause", "stop"] => self.command(Command::Pause(Pause { reason: None, stop_running: true })),
            ["resume"] => self.command(Command::Resume),
            ["pruned"] => {
                let at = self.state.as_ref().unwrap().runtime.pruned_at;
                self.told.push(super::pruned_words(at, self.now));
            }
            ["reset"] => self.command(Command::ResetBreaker),
            ["budget", usd] => self.configure(|config| config.budget.town_daily_usd = usd.parse().ok()),
            ["convoy-budget", usd] => self.configure(|config| config.budget.convoy_usd = usd.parse().ok()),
            ["model", model] => self.configure(|config| config.models.default_model = Some(model.parse().unwrap())),
            ["spends", name, usd] => self.spends(name, usd, None),
            ["spends", name, usd, "convoy", usd_of_convoy] => self.spends(name, usd, Some(usd_of_convoy)),
            ["mayor-spends", usd] => self.beat_with(None, usd),
            ["start-fails", name, rest @ ..] => {
                let n = rest.first().and_then(|n| n.parse().ok()).unwrap_or(1);
                (0..n).for_each(|_| self.start_fails(name, rest.contains(&"probe"), !rest.contains(&"final")));
            }
            ["starts", name, slot] => {
                self.rig_says(name, RigToTown::StartSucceeded { assignment_id: assignment(slot) });
            }
            ["runtime", "fails"] => self.observe(vec![Event::RuntimeStartFailed {
                code: "container_failed".into(),
                message: "the image cannot be pulled".into(),
            }]),
            ["runtime", "exhausted"] => self.observe(vec![Event::RuntimeExhausted("3 restarts in 30 minutes".into())]),
            ["runtime", "recovers"] => self.observe(vec![Event::RuntimeRecovered]),
            ["at", instant] => {
                let until: Timestamp = format!("2026-01-{instant}:00.000Z").parse().unwrap();
                self.pass(until.since(self.now));
            }
            ["asks", name, slot, rest @ ..] => self.asks(name, slot, rest),
            ["releases", name, slot] => {
                self.rig_says(name, RigToTown::SlotReleased { assignment_id: assignment(slot) });
            }
            ["active", name, live @ ..] => {
                let live = live.iter().map(|slot| assignment(slot)).collect();
                self.rig_says(name, RigToTown::Activity(Activity { live, ..Activity::default() }));
            }
            ["repeats", name] => {
                let seq = self.seqs[&rig(name)];
                let message = RigToTown::SlotReleased { assignment_id: assignment("s1") };
                self.observe(vec![Event::RigSaid(rig(name), vec![Numbered { seq, message }])]);
            }
            ["rigs", "silent"] => self.rigs_answer = false,
            ["rigs", "answer"] => self.rigs_answer = true,
            ["message", id, text] => self.message(id, text, MessageSource::User),
            ["system", id, text] => self.message(id, text, MessageSource::System),
            ["ensure"] => self.command(Command::EnsureMayor),
            ["restart"] => self.command(Command::RestartMayor),
            ["end"] => self.command(Command::EndMayor),
            ["accept"] => {
                let instance = self.instance;
                self.start_answered(StartAnswer::Accepted(instance));
            }
            ["refuse", why] => self.start_answered(StartAnswer::NotNow((*why).into())),
            ["reject", code] => {
                let message = format!("{code}.");
                self.start_answered(StartAnswer::Invalid { code: (*code).into(), message });
            }
            ["ready"] => self.reported(SessionFact::Ready),
            ["delivered", ids @ ..] => {
                let ids = ids.iter().map(|id| message(id).to_string()).collect();
                self.reported(SessionFact::Delivered(ids));
            }
            ["busy"] => self.beat(None),
            ["idle"] => self.beat(Some(self.now)),
            ["idles", span] => {
                let (since, end) = (self.now, self.now + duration(span));
                while self.now < end && self.state.as_ref().unwrap().mayor.assignment_id.is_some() {
                    self.beat(Some(since));
                    self.pass(Duration::from_secs(30));
                }
            }
            ["beat-starting", span] => self.beat_starting(duration(span)),
            ["over", "crashed"] => self.reported(SessionFact::Over(Over::Crashed("it crashed".into()))),
            ["over", "stopped"] => self.reported(SessionFact::Over(Over::Stopped("as asked".into()))),
            ["over", "quota"] => self.reported(SessionFact::Over(Over::Error {
                kind: ErrorKind::Quota,
                message: "no credits".into(),
                retry_after: None,
            })),
            ["gone"] => {
                let key = self.session();
                self.observe(vec![Event::MayorAnswered(key, SessionAnswer::Gone("not found".into()))]);
            }
            ["stale-ready"] => {
                let key = SessionKey { epoch: 0, ..self.session() };
                self.observe(vec![Event::MayorReported(key, SessionFact::Ready)]);
            }
            ["instance", n] => {
                self.instance = InstanceId::from_u128(n.parse().unwrap());
                self.observe(vec![Event::InstanceSeen(self.instance)]);
            }
            ["evicted"] => self.observe(vec![Event::InstanceEvicted(self.instance)]),
            ["nonce", "wrong"] => {
                self.observe(vec![Event::InstanceReady(InstanceId::from_u128(9), "wrong".into())]);
            }
            ["nonce", "old"] => {
                let nonce = self.state.as_ref().unwrap().drain.nonce.clone().unwrap();
                self.observe(vec![Event::InstanceReady(self.instance, nonce)]);
            }
            ["nonce", "new"] => {
                let nonce = self.state.as_ref().unwrap().drain.nonce.clone().unwrap();
                self.observe(vec![Event::InstanceReady(InstanceId::from_u128(9), nonce)]);
            }
            ["beats"] => self.beats = true,
            ["wait", span] => self.pass(duration(span)),
            ["alarm"] => {
                let text =
                    self.wake_at.map_or("none".to_owned(), |at| format!("in {} s", at.since(self.now).as_secs()));
                self.told.push(format!("alarm {text}"));
            }
            other if self.run_convoy(other) => (),
            other => self.run_inbox(other),
        }
        std::mem::take(&mut self.told)
    }

    fn add_rig(&mut self, name: &str, shown_as: Option<&&str>) {
        let shown_as = shown_as.map_or(name, |shown_as| *shown_as);
        self.command(Command::AddRig(Box::new(NewRig {
            rig_id: Some(rig(name)),
            name: shown_as.to_owned(),
            git_url: format!("https://example.com/{name}.git"),
            default_branch: "main".to_owned(),
            ..NewRig::default()
        })));
    }

    fn configure(&mut self, change: impl FnOnce(&mut gastown_core::config::TownConfig)) {
        let mut config = self.state.as_ref().unwrap().town.config.clone();
        change(&mut config);
        self.command(Command::SetConfig {
            config: Box::new(config),
            secrets_changed: false,
            changed: Vec::new(),
            actor: "ann".into(),
        });
    }

    fn asks(&mut self, name: &str, slot: &str, rest: &[&str]) {
        let priority =
            rest.first().filter(|word| **word != "convoy").map_or("medium", |priority| *priority).parse().unwrap();
        let message = RigToTown::SlotAsked {
            assignment_id: assignment(slot),
            bead_id: BeadId::from_u128(1),
            convoy_id: rest.contains(&"convoy").then(|| super::convoy::convoy("c1")),
            assignment_kind: Kind::Work,
            priority,
            age_at: self.now,
        };
        self.rig_says(name, message);
    }

    fn spends(&mut self, name: &str, usd: &str, of_convoy: Option<&str>) {
        let spent = |usd: &str| Usage { cost_micros: usd.parse::<u64>().unwrap() * 1_000_000, ..Usage::default() };
        let mut spending = Spending::default();
        spending.days.insert(self.now.day(), spent(usd));
        spending.convoys.extend(of_convoy.map(|usd| (super::convoy::convoy("c1"), spent(usd))));
        self.rig_says(name, RigToTown::Usage(spending));
    }

    fn start_fails(&mut self, name: &str, is_probe: bool, is_retryable: bool) {
        let failed = RigToTown::StartFailed {
            assignment_id: assignment("s99"),
            code: "boot_timeout".into(),
            message: "kilo did not come up".into(),
            is_retryable,
            is_probe,
        };
        self.rig_says(name, failed);
    }

    fn message(&mut self, id: &str, text: &str, source: MessageSource) {
        self.command(Command::PostMessage {
            message_id: message(id),
            source,
            source_id: Some("ann".into()),
            body: text.to_owned(),
            ui_context: None,
        });
    }

    /// Lets time pass with a heartbeat every 30 s of a session that does not become ready.
    fn beat_starting(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.pass(Duration::from_secs(30));
            let Some(assignment_id) = self.state.as_ref().unwrap().mayor.assignment_id else { continue };
            let key = SessionKey { assignment_id, epoch: self.state.as_ref().unwrap().mayor.epoch };
            let beat = Beat {
                is_running: false,
                idle_since: None,
                tool: None,
                progress_at: None,
                usage: Usage::default(),
                instance_id: self.instance,
            };
            self.observe(vec![Event::MayorReported(key, SessionFact::Beat(beat))]);
        }
    }

    fn beat(&mut self, idle_since: Option<Timestamp>) {
        self.beat_with(idle_since, "0");
    }

    fn beat_with(&mut self, idle_since: Option<Timestamp>, usd: &str) {
        let (progress_at, instance_id) = (Some(self.now), self.instance);
        let usage = Usage { cost_micros: usd.parse::<u64>().unwrap() * 1_000_000, ..Usage::default() };
        let beat = Beat { is_running: true, idle_since, tool: None, progress_at, usage, instance_id };
        self.reported(SessionFact::Beat(beat));
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        let mut rest = super::Rest::default();
        while let Some(at) = self.wake_at.filter(|&at| at <= end) {
            self.now = self.now.max(at);
            rest.alarm(self.now);
            let is_running = self.state.as_ref().unwrap().mayor.phase == MayorPhase::Running;
            if self.beats && is_running {
                let ids = self.state.as_ref().unwrap().inbox.keys().map(ToString::to_string).collect();
                self.reported(SessionFact::Delivered(ids));
                self.beat(Some(self.now));
            }
            self.observe(Vec::new());
        }
        self.now = end;
        self.observe(Vec::new());
    }

    pub(super) fn rig_says(&mut self, name: &str, said: RigToTown) {
        let seq = self.seqs.entry(rig(name)).or_insert(0);
        *seq += 1;
        let numbered = Numbered { seq: *seq, message: said };
        self.observe(vec![Event::RigSaid(rig(name), vec![numbered])]);
    }

    fn start_answered(&mut self, answer: StartAnswer) {
        let key = self.session();
        self.observe(vec![Event::MayorStartAnswered(key, answer)]);
    }

    fn reported(&mut self, fact: SessionFact) {
        let key = self.session();
        self.observe(vec![Event::MayorReported(key, fact)]);
    }

    fn session(&self) -> SessionKey {
        let mayor = &self.state.as_ref().unwrap().mayor;
        SessionKey { assignment_id: mayor.assignment_id.expect("a session"), epoch: mayor.epoch }
    }

    pub(super) fn command(&mut self, command: Command) {
        let state = self.state.take().unwrap();
        let before = state.clone();
        match without::handle_town(state, self.context(), command) {
            Ok(planned) => self.commit(&before, planned),
            Err((state, refusal)) => {
                assert_eq!(*state, before, "a refusal changes nothing");
                self.told.push(format!("refused: {refusal:?}"));
                self.state = Some(*state);
            }
        }
    }

    fn observe(&mut self, events: Vec<Event>) {
        let state = self.state.take().unwrap();
        let before = state.clone();
        let (planned, receipts) = without::observe_town(state, self.context(), events);
        for receipt in receipts {
            match receipt {
                Receipt::Applied => (),
                Receipt::Duplicate => self.told.push("duplicate".into()),
                Receipt::Stale => self.told.push("stale".into()),
            }
        }
        self.commit(&before, planned);
    }

    fn commit(&mut self, before: &State, planned: Planned) {
        let breaches = invariant::check(&planned, self.now);
        assert!(breaches.is_empty(), "{breaches:#?}");
        let again = without::plan_town(planned.state.clone(), self.context());
        assert!(
            again.writes.is_empty() && again.effects.is_empty(),
            "not a fixpoint: {:#?} {:?}",
            again.writes,
            again.effects
        );
        lifecycle::note_town(before, &planned);
        self.tell(before, &planned);
        self.told.extend(inbox::differences(before, &planned));
        self.wake_at = planned.wake_at;
        self.state = Some(planned.state);
        self.state.as_mut().unwrap().forget();
        for effect in planned.effects {
            if let Effect::SendToRig(rig_id) = effect {
                self.rig_receives(rig_id);
            }
        }
    }

    fn tell(&mut self, before: &State, planned: &Planned) {
        self.tell_convoys(before, &planned.state);
        let (old, new) = (&before.mayor, &planned.state.mayor);
        if old.phase != new.phase {
            let error = new.error.as_ref().map(|error| format!(" ({})", error.code)).unwrap_or_default();
            self.told.push(format!("mayor {}{error}", new.phase));
        } else if old.activity != new.activity {
            self.told.push(format!("mayor {}", new.activity));
        }
        if before.drain.is_draining != planned.state.drain.is_draining {
            let word = if planned.state.drain.is_draining { "draining" } else { "drained" };
            self.told.push(format!("town {word}"));
        }
        if before.breaker.state != planned.state.breaker.state {
            self.told.push(format!("breaker {}", planned.state.breaker.state));
        }
        for (key, open) in &planned.state.escalations {
            let known = before.escalations.get(key);
            match open.state {
                _ if known.is_some_and(|known| known.version == open.version) => (),
                EscalationState::Open => {
                    let message = open.message.replace("\n\n", " ");
                    self.told.push(format!("escalation {} {}: {message}", open.severity, open.code));
                }
                EscalationState::Acknowledged | EscalationState::Resolved => {
                    self.told.push(format!("escalation {} {}", open.code, open.state));
                }
            }
        }
        for effect in &planned.effects {
            match effect {
                Effect::SetRuntimeNeeded(needed) => self.told.push(format!("-> runtime needed: {needed}")),
                Effect::SwapMayor(_) => self.told.push(format!("-> swap the mayor, epoch {}", new.epoch)),
                Effect::StopRuntime => self.told.push("-> stop the runtime".into()),
                Effect::TellAccount(active) => self.told.push(format!("-> account: active {active}")),
                Effect::StartMayor(_) => self.told.push(format!("-> start the mayor, epoch {}", new.epoch)),
                Effect::QueryMayor(_) => self.told.push("-> ask for the mayor".into()),
                Effect::StopMayor { epoch, .. } => self.told.push(format!("-> stop the mayor, epoch {epoch}")),
                Effect::PushToMayor(ids) => {
                    let bodies: Vec<String> =
                        ids.iter().map(|id| inbox::in_short(&planned.state.inbox[id].body)).collect();
                    self.told.push(format!("-> push to the mayor: {}", bodies.join(", ")));
                }
                Effect::SendToRig(_) => (),
            }
        }
    }

    /// A rig of the scenario: says what it got, and acknowledges.
    fn rig_receives(&mut self, rig_id: RigId) {
        let Some(outbox) = self.state.as_ref().unwrap().outboxes.get(&rig_id) else { return };
        let batch = outbox.batch();
        let Some(last) = batch.last().map(|message| message.seq) else { return };
        let name = self.state.as_ref().unwrap().rigs.get(&rig_id).map(|rig| rig.name.clone()).unwrap_or_default();
        if !self.rigs_answer {
            self.told.push(format!("{name} does not answer"));
            return;
        }
        if let Some(said) = &mut self.said {
            said.push((name, batch.into_iter().map(|numbered| numbered.message).collect()));
            self.observe(vec![Event::RigAcknowledged(rig_id, last)]);
            return;
        }
        for Numbered { message, .. } in batch {
            self.told.push(match message {
                TownToRig::Configure(configure) => {
                    format!(
                        "{name} configured: version {}, cap {}",
                        configure.version, configure.config.max_concurrent_polecats
                    )
                }
                TownToRig::GrantSlot { assignment_id, probe } => {
                    format!("{name} granted {}{}", slot(assignment_id), if probe { " as probe" } else { "" })
                }
                TownToRig::TownState(state) => format!("{name} told: {}", town_words(&state)),
                TownToRig::WrapUp { convoy_id, message } => {
                    format!("{name} wraps up{}: {message}", if convoy_id.is_some() { " the convoy" } else { "" })
                }
                TownToRig::DeliverMail(mail) => format!("{name} gets mail: {}", mail.subject),
                TownToRig::RunTriage { requests, .. } => {
                    let about: Vec<String> = requests.iter().map(|item| inbox::request_words(&item.asked)).collect();
                    format!("{name} runs triage: {}", about.join(", "))
                }
                TownToRig::EscalationAnswered(answered) => format!(
                    "{name} gets an answer of {}: {}{}",
                    answered.by,
                    answered.message,
                    if answered.retries { ", try again" } else { "" }
                ),
                TownToRig::AdoptBead(bead) => format!("{name} adopts bead {}", bead.title),
                TownToRig::Ping => format!("{name} pinged"),
                other @ (TownToRig::CreateBeads(_)
                | TownToRig::StartBeads { .. }
                | TownToRig::SkipBead { .. }
                | TownToRig::RetryBeads { .. }
                | TownToRig::CancelBeads(_)
                | TownToRig::GateOpened { .. }
                | TownToRig::GateFailed { .. }
                | TownToRig::GatePending { .. }
                | TownToRig::OpenLanding(_)) => format!("{name} {}", super::convoy::message(&other)),
            });
        }
        self.observe(vec![Event::RigAcknowledged(rig_id, last)]);
    }

    fn context(&mut self) -> Context<'static> {
        self.seed += 1;
        Context { now: self.now, seed: IdSeed::new(self.seed << 64), catalogue: self.catalogue }
    }
}

/// What holds for the town, without what does not.
fn town_words(state: &TownState) -> String {
    let mut words = Vec::new();
    words.extend(state.paused.then(|| "paused".to_owned()));
    words.extend(state.stop_running.then(|| "stop running work".to_owned()));
    words.extend(state.draining.then(|| "draining".to_owned()));
    words.extend(state.breaker.as_ref().map(|breaker| format!("breaker {}", breaker.state)));
    words.extend(state.budget_reached.then(|| format!("budget reached until {}", state.budget_until.unwrap())));
    words.extend((!state.exhausted_convoys.is_empty()).then(|| "convoy without budget".to_owned()));
    if words.is_empty() { "all is well".to_owned() } else { words.join(", ") }
}

pub(super) fn rig(name: &str) -> RigId {
    RigId::from_u128(name.bytes().fold(0, |id, byte| (id << 8) | u128::from(byte)) << 64)
}

fn assignment(slot: &str) -> AssignmentId {
    AssignmentId::from_u128(slot[1..].parse().unwrap())
}

fn slot(assignment_id: AssignmentId) -> String {
    (1..100).map(|n| format!("s{n}")).find(|name| assignment(name) == assignment_id).unwrap_or_default()
}

fn message(id: &str) -> MessageId {
    MessageId::from_u128(id[1..].parse().unwrap())
}
