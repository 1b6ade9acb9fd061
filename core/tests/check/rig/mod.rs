//! Scenarios of the rig. The Town is played here: it acknowledges, and grants slots up to `slots N`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gastown_core::config::EffectiveRig;
use gastown_core::id::{AssignmentId, BeadId, ConvoyId, IdSeed, InstanceId, JobId, RigId, TownId};
use gastown_core::models::{Catalogue, RigModels, TownModels};
use gastown_core::protocol::{Configure, Numbered, RigToTown, TownBreaker, TownState, TownToRig};
use gastown_core::rig::breaker::Breaker;
use gastown_core::rig::command::{BeadPatch, Done, Judge, NewBead};
use gastown_core::rig::event::{Beat, JobAnswer, JobFact, SessionAnswer, SessionFact, SessionKey, StartAnswer, Usage};
use gastown_core::rig::review::Verdict;
use gastown_core::rig::state::{Rig, RigStatus};
use gastown_core::rig::{Command, Context, Effect, Event, Planned, Receipt, State, Write, invariant};
use gastown_core::session::{GatesStatus, MergeStatus, Step};
use gastown_core::time::Timestamp;

use super::{START, bead_id, duration, lifecycle, split, without};

mod convoy;
mod forge;
mod hands;
mod messages;
mod reports;
mod tell;
mod triage;
mod walk;

use reports::{gate_results, over};
pub(crate) use walk::walk;

/// Plays a scenario of the rig.
pub(crate) fn play(scenario: &str) -> String {
    let mut player = Player::new();
    super::play(scenario, |command| player.run(command))
}

pub(super) struct Player {
    catalogue: &'static Catalogue,
    state: Option<State>,
    now: Timestamp,
    wake_at: Option<Timestamp>,
    seed: u128,
    town_seq: u64,
    version: u64,
    config: EffectiveRig,
    town: TownState,
    slots: usize,
    slots_are_probes: bool,
    granted: Vec<AssignmentId>,
    asked: Vec<AssignmentId>,
    beads: BTreeMap<BeadId, String>,
    ended: BTreeMap<String, SessionKey>,
    archive: BTreeMap<BeadId, gastown_core::rig::bead::Bead>,
    archived_assignments: BTreeMap<AssignmentId, gastown_core::rig::assignment::Assignment>,
    /// Open escalations, as the Town keeps them.
    inbox: BTreeSet<String>,
    archived_edges: BTreeMap<(BeadId, BeadId), gastown_core::rig::bead::Edge>,
    archived_spending: BTreeMap<ConvoyId, Usage>,
    reports: BTreeMap<BeadId, String>,
    /// What the rig said to a town that is played by its own plans; none when the Town is played here.
    said: Option<Vec<RigToTown>>,
    told: Vec<String>,
    moved: Option<gastown_core::protocol::MovedBead>,
    /// What the audit log says of each bead, oldest first.
    log: Vec<(Option<BeadId>, String)>,
    /// The object dies between the commit and the act of the next step.
    dies: bool,
    /// The newest number that the Town has acknowledged.
    acknowledged: u64,
}

impl Player {
    fn new() -> Self {
        let mut player = Self::unconfigured();
        player.configure();
        let town = player.town.clone();
        player.town_says(vec![TownToRig::TownState(town)]);
        player.told.clear();
        player
    }

    /// A rig whose Town is played by its own plans.
    pub(super) fn linked(name: &str, now: Timestamp) -> Self {
        let mut player = Self::unconfigured();
        player.now = now;
        player.said = Some(Vec::new());
        // Each rig mints ids of its own.
        player.seed = u128::from(name.bytes().fold(7u32, |seed, byte| seed.wrapping_mul(31) + u32::from(byte))) << 20;
        player.state.as_mut().unwrap().rig.rig_id = super::town::rig(name);
        player
    }

    /// What the rig has said since it was last asked.
    pub(super) fn take_said(&mut self) -> Vec<RigToTown> {
        self.said.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The Town's messages; what they led to.
    pub(super) fn hear(&mut self, messages: Vec<TownToRig>) -> Vec<String> {
        self.told.clear();
        self.town_says(messages);
        std::mem::take(&mut self.told)
    }

    /// When the rig wants to look again.
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

    fn unconfigured() -> Self {
        let (rig_id, town_id) = (RigId::from_u128(0xaaaa_aaaa << 96), TownId::from_u128(0xbbbb_bbbb << 96));
        let rig = Rig {
            rig_id,
            town_id,
            tag: rig_id.short(),
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
        };
        Self {
            catalogue: super::catalogue(),
            state: Some(State::new(rig)),
            now: START.parse().unwrap(),
            wake_at: None,
            seed: 0,
            town_seq: 0,
            version: 0,
            config: EffectiveRig::default(),
            town: TownState { instance_id: Some(InstanceId::from_u128(1)), ..TownState::default() },
            slots: 10,
            slots_are_probes: false,
            granted: Vec::new(),
            asked: Vec::new(),
            beads: BTreeMap::new(),
            ended: BTreeMap::new(),
            archive: BTreeMap::new(),
            archived_assignments: BTreeMap::new(),
            inbox: BTreeSet::new(),
            archived_edges: BTreeMap::new(),
            archived_spending: BTreeMap::new(),
            reports: BTreeMap::new(),
            said: None,
            told: Vec::new(),
            moved: None,
            log: Vec::new(),
            dies: false,
            acknowledged: 0,
        }
    }

    pub(super) fn run(&mut self, line: &str) -> Vec<String> {
        self.told.clear();
        let words = split(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["config", rest @ ..] => self.set_config(rest),
            ["slots", n] => {
                self.slots = n.parse().unwrap();
                self.grant();
            }
            ["create", name, rest @ ..] => self.create(name, rest),
            ["close", name] => self.command(Command::CloseBead { bead_id: self.bead(name), actor: "ann".into() }),
            ["fail", name] => {
                self.command(Command::FailBead { bead_id: self.bead(name), reason: None, actor: "ann".into() });
            }
            ["retry", name, rest @ ..] => self.command(Command::RetryBead {
                bead_id: self.bead(name),
                keep_branch: *rest != ["fresh"],
                model: None,
                actor: "ann".into(),
            }),
            ["update", name, rest @ ..] => self.update(name, rest),
            ["claim", name, rest @ ..] => self.claim(name, rest),
            ["submit", name, rest @ ..] => self.submit(name, rest),
            ["move", name, to] => {
                let to = RigId::from_u128(to.parse::<u128>().unwrap() << 96);
                self.command(Command::MoveBead { bead_id: self.bead(name), to, actor: "ann".into() });
            }
            ["adopt"] => {
                let bead = self.moved.clone().unwrap();
                self.town_says(vec![TownToRig::AdoptBead(Box::new(bead))]);
            }
            ["delete", name] => self.command(Command::DeleteBead { bead_id: self.bead(name), actor: "ann".into() }),
            ["register", role, name, rest @ ..] => self.register(role, name, rest),
            ["get", role] => self.command(Command::GetAgent(role.parse().unwrap())),
            ["hook", agent, name] => {
                let (agent_id, bead_id) = (self.agent(agent), self.bead(name));
                self.command(Command::Hook { agent_id, bead_id, actor: "ann".into() });
            }
            ["unhook", agent] => {
                self.command(Command::Unhook { agent_id: self.agent(agent), actor: "ann".into() });
            }
            ["reassign", name, rest @ ..] => {
                let (bead_id, agent_id) = (self.bead(name), rest.first().map(|agent| self.agent(agent)));
                self.command(Command::Reassign { bead_id, agent_id, actor: "ann".into() });
            }
            [verb @ ("stop" | "reset"), agent] => self.command(Command::StopAgent {
                agent_id: self.agent(agent),
                resets: *verb == "reset",
                reason: None,
                actor: "ann".into(),
            }),
            ["remove", agent] => {
                self.command(Command::RemoveAgent { agent_id: self.agent(agent), actor: "ann".into() });
            }
            ["close-own", agent, name] => {
                self.command(Command::CloseOwn { bead_id: self.bead(name), agent_id: self.agent(agent) });
            }
            ["checkpoint", agent, json] => {
                let data = json.replace('\'', "\"").parse().unwrap();
                self.command(Command::SetCheckpoint { session: self.session(agent), data });
            }
            ["show", agent] if self.is_agent(agent) => self.tell_agent(agent),
            ["show", name] => self.tell_bead(name),
            ["ready", agent] => self.reported(agent, SessionFact::Ready),
            ["accept", agent] => {
                let key = self.session(agent);
                let instance = self.town.instance_id.unwrap();
                self.observe(vec![Event::StartAnswered(key, StartAnswer::Accepted(instance))]);
            }
            ["refuse", agent, "capacity"] => self.answer(agent, StartAnswer::NoCapacity("no memory is free".into())),
            ["refuse", agent, why] => self.answer(agent, StartAnswer::NotNow((*why).into())),
            ["reject", agent, code] => {
                self.answer(agent, StartAnswer::Invalid { code: (*code).into(), message: format!("{code}.") });
            }
            ["step", agent, step] => self.reported(agent, SessionFact::Step(step.parse::<Step>().unwrap())),
            ["start-failed", agent, code, rest @ ..] => {
                let is_retryable = *rest != ["final"];
                let message = format!("{code} happened");
                self.reported(agent, SessionFact::StartFailed { code: (*code).into(), message, is_retryable });
            }
            ["beat", agent, rest @ ..] => self.beat(agent, rest),
            ["pushed", agent, commit] => {
                let branch = self.branch(agent);
                self.reported(agent, SessionFact::Pushed { branch, commit: (*commit).into() });
            }
            ["saved", agent, commit] => {
                let (ref_name, commit) = ("refs/gastown/wip/b".to_owned(), (*commit).to_owned());
                self.reported(agent, SessionFact::Saved { ref_name, commit });
            }
            ["over", agent, how] => self.reported(agent, SessionFact::Over(over(how))),
            ["alive", agent] => {
                let (key, instance) = (self.session(agent), self.town.instance_id.unwrap());
                self.observe(vec![Event::SessionAnswered(key, SessionAnswer::Alive(instance))]);
            }
            ["gone", agent] => {
                let key = self.session(agent);
                self.observe(vec![Event::SessionAnswered(key, SessionAnswer::Gone("not found".into()))]);
            }
            ["done", agent, rest @ ..] => self.done(agent, rest),
            ["verdict", verdict, rest @ ..] => self.verdict(verdict, rest),
            ["judge", name, verdict, rest @ ..] => self.command(Command::PersonJudges {
                review_id: self.bead(name),
                verdict: verdict.parse().unwrap(),
                feedback: rest.first().map(|&words| words.to_owned()),
                actor: "ann".into(),
            }),
            ["gates", status, rest @ ..] => self.gates(status, rest),
            ["merge", status, rest @ ..] => self.merge(status, rest),
            ["silence", agent, span, rest @ ..] => self.silence(agent, duration(span), rest.first().copied()),
            ["mail", to, subject, rest @ ..] => self.mail(to, subject, rest),
            ["check", agent, rest @ ..] => self.check_mail(agent, *rest == ["peek"]),
            ["nudge", agent, message, rest @ ..] => self.nudge(agent, message, rest),
            ["summary", name] => self.tell_summary(name),
            ["molecule", name, steps @ ..] => self.make_molecule(name, steps),
            ["advance", agent, summary] => self.advance(agent, summary),
            ["step-of", agent] => self.tell_step(agent),
            ["nudges", agent] => self.tell_nudges(agent),
            ["took", agent, text] => self.took(agent, text),
            ["read", agent, text] => self.has_read(agent, text),
            ["resume", name] => {
                self.command(Command::ResumeReview { review_id: self.bead(name), note: None, actor: "ann".into() })
            }
            ["dismiss", name] => self.command(Command::DismissReview { review_id: self.bead(name) }),
            ["pr", name, rest @ ..] => self.forge(name, rest),
            ["job-accepted"] => {
                let job = self.job();
                self.observe(vec![Event::JobAnswered(job, JobAnswer::Accepted)]);
            }
            ["wrap-up"] => {
                let message = "The town's budget of the day is used up.".to_owned();
                self.town_says(vec![TownToRig::WrapUp { convoy_id: None, message }]);
            }
            ["wrap-up", "convoy"] => {
                let message = "The budget of its convoy is used up.".to_owned();
                self.town_says(vec![TownToRig::WrapUp { convoy_id: Some(convoy::CONVOY), message }]);
            }
            ["spent"] => self.tell_spending(),
            ["town", rest @ ..] => self.set_town(rest),
            ["wait", span] => self.pass(duration(span)),
            ["waits"] => self.tell_waits(),
            ["agents"] => self.tell_agents(),
            ["body", name] => {
                let bead = &self.state.as_ref().unwrap().beads[&self.bead(name)];
                let body = bead.body.clone().unwrap_or_default();
                self.told.extend(body.lines().filter(|line| !line.is_empty()).map(str::to_owned));
            }
            ["log", name] => {
                let id = Some(self.bead(name));
                self.told.extend(self.log.iter().filter(|(about, _)| *about == id).map(|(_, line)| line.clone()));
            }
            ["dies"] => self.dies = true,
            ["beats", agent, span] => {
                let end = self.now + duration(span);
                while self.now < end {
                    self.pass(Duration::from_secs(60));
                    self.beat(agent, &["starting"]);
                }
            }
            ["break", name, state] => self.break_state(name, state),
            ["pruned"] => {
                let at = self.state.as_ref().unwrap().rig.pruned_at;
                self.told.push(super::pruned_words(at, self.now));
            }
            ["alarm"] => {
                let text =
                    self.wake_at.map_or("none".to_owned(), |at| format!("in {} s", at.since(self.now).as_secs()));
                self.told.push(format!("alarm {text}"));
            }
            other if self.run_convoy(other) => (),
            other => self.run_triage(other),
        }
        std::mem::take(&mut self.told)
    }

    fn create(&mut self, name: &str, rest: &[&str]) {
        let mut id = bead_id(name);
        if let ["like", other, ..] = rest {
            let alike = u128::from_str_radix(&self.bead(other).digits(8), 16).unwrap() << 96;
            id = BeadId::from_u128(alike | name[1..].parse::<u128>().unwrap() << 64);
        }
        self.beads.insert(id, name.to_owned());
        let mut new =
            NewBead { bead_id: Some(id), title: name.to_owned(), created_by: "ann".into(), ..NewBead::default() };
        for pair in rest.chunks(2) {
            match *pair {
                ["priority", level] => new.priority = Some(level.parse().unwrap()),
                ["label", label] => drop(new.labels.insert(label.to_owned())),
                ["after", blocker] => new.depends_on.push(self.bead(blocker)),
                ["like", _] => (),
                ["parent", parent] => new.parent_id = Some(self.bead(parent)),
                ["meta", key] => drop(new.metadata.insert(key.to_owned(), serde_json::json!("given"))),
                ["model", model] => new.model = Some(model.parse().unwrap()),
                ["title", title] => new.title = title.to_owned(),
                ["by", who] => {
                    new.created_by = who.to_owned();
                    new.refuses_repeat = true;
                }
                _ => panic!("create: {pair:?}"),
            }
        }
        self.command(Command::CreateBead(new));
    }

    fn update(&mut self, name: &str, rest: &[&str]) {
        let bead_id = self.bead(name);
        let mut patch = BeadPatch::default();
        match *rest {
            ["labels", labels] => {
                patch.labels = Some(labels.split(',').filter(|l| !l.is_empty()).map(str::to_owned).collect());
            }
            ["status", status] => patch.status = Some(status.parse().unwrap()),
            ["title", title] => patch.title = Some(title.to_owned()),
            ["priority", level] => patch.priority = Some(level.parse().unwrap()),
            ["add", label] => drop(patch.add_labels.insert(label.to_owned())),
            ["without", label] => drop(patch.remove_labels.insert(label.to_owned())),
            ["parent", parent] => patch.parent_id = Some(Some(self.bead(parent))),
            ["meta", key, value] => {
                patch.metadata = Some([(key.to_owned(), serde_json::json!(value))].into_iter().collect());
            }
            ["after"] => patch.depends_on = Some(Vec::new()),
            ["after", blockers] => patch.depends_on = Some(blockers.split(',').map(|b| self.bead(b)).collect()),
            _ => panic!("update: {rest:?}"),
        }
        self.command(Command::UpdateBead { bead_id, patch, actor: "ann".into() });
    }

    fn done(&mut self, agent: &str, rest: &[&str]) {
        let session = self.session(agent);
        let mut done = Done {
            session,
            branch: self.branch(agent),
            commit: Some("c0ffee".into()),
            summary: None,
            files: Vec::new(),
            pr_url: None,
        };
        for pair in rest.chunks(2) {
            match *pair {
                ["pr_url", url] => done.pr_url = Some(url.to_owned()),
                ["commit", "unknown"] => done.commit = None,
                ["commit", commit] => done.commit = Some(commit.to_owned()),
                ["branch", branch] => done.branch = branch.to_owned(),
                ["epoch", epoch] => done.session.epoch = epoch.parse().unwrap(),
                _ => panic!("done: {pair:?}"),
            }
        }
        self.command(Command::Done(done));
    }

    fn verdict(&mut self, verdict: &str, rest: &[&str]) {
        let session = self.session("refinery");
        let mut judge = Judge {
            session,
            verdict: verdict.parse::<Verdict>().unwrap(),
            summary: None,
            feedback: None,
            files: Vec::new(),
            commit: None,
        };
        for pair in rest.chunks(2) {
            match *pair {
                ["feedback", words] => judge.feedback = Some(words.to_owned()),
                ["commit", commit] => judge.commit = Some(commit.to_owned()),
                _ => panic!("verdict: {pair:?}"),
            }
        }
        self.command(Command::Judge(judge));
    }

    fn beat(&mut self, agent: &str, rest: &[&str]) {
        let mut beat = Beat {
            is_running: true,
            idle_since: None,
            tool: None,
            progress_at: Some(self.now),
            usage: Usage::default(),
            instance_id: self.town.instance_id.unwrap(),
        };
        match *rest {
            [] => (),
            ["starting"] => beat.is_running = false,
            ["idle"] => beat.idle_since = Some(self.now),
            ["usd", usd] => beat.usage.cost_micros = usd.parse::<u64>().unwrap() * 1_000_000,
            ["silent"] => beat.progress_at = None,
            ["tokens", tokens] => beat.usage.tokens_in = tokens.parse().unwrap(),
            _ => panic!("beat: {rest:?}"),
        }
        self.reported(agent, SessionFact::Beat(beat));
    }

    fn gates(&mut self, status: &str, rest: &[&str]) {
        let status: GatesStatus = status.parse().unwrap();
        let commit = self.live_job().spec.commit.clone().or_else(|| rest.first().map(|&c| c.to_owned()));
        let onto = self.live_job().spec.target.as_ref().map(|_| "7a1e0000".to_owned());
        let fact = JobFact::Gates {
            commit,
            onto,
            status,
            results: gate_results(status == GatesStatus::Green),
            message: String::new(),
        };
        let job = self.job();
        self.observe(vec![Event::JobReported(job, fact)]);
    }

    fn merge(&mut self, status: &str, rest: &[&str]) {
        let status: MergeStatus = status.parse().unwrap();
        let merge_commit = (status == MergeStatus::Merged && *rest != ["nothing"]).then(|| "feed5eed".to_owned());
        let files = if status == MergeStatus::Conflict { vec!["a.rs".to_owned()] } else { Vec::new() };
        let results = gate_results(status != MergeStatus::GatesRed);
        let fact = JobFact::Merge { status, merge_commit, files, results, message: format!("{status}.") };
        let job = self.job();
        self.observe(vec![Event::JobReported(job, fact)]);
    }

    fn set_config(&mut self, rest: &[&str]) {
        match *rest {
            ["cap", cap] => self.config.max_concurrent_polecats = cap.parse().unwrap(),
            ["bead-budget", usd] => {
                self.config.budget.bead.micros = usd.parse::<u64>().ok().map(|usd| usd * 1_000_000);
            }
            ["attempts", n] => self.config.max_dispatch_attempts = n.parse().unwrap(),
            ["rounds", n] => self.config.max_review_rounds = n.parse().unwrap(),
            ["gates", "none"] => self.config.gates.clear(),
            ["gates", command] => self.config.gates = vec![command.to_owned()],
            ["review", "off"] => self.config.code_review = false,
            ["auto_merge", "off"] => self.config.auto_merge = false,
            ["conflicts", "off"] => self.config.auto_resolve_merge_conflicts = false,
            ["feedback", "off"] => self.config.auto_resolve_pr_feedback = false,
            ["feedback_rounds", n] => self.config.max_feedback_rounds = n.parse().unwrap(),
            ["strategy", strategy] => self.config.merge_strategy = strategy.parse().unwrap(),
            ["mode", mode] => self.config.review_mode = mode.parse().unwrap(),
            ["delay", "never"] => self.config.auto_merge_delay_minutes = None,
            ["delay", minutes] => self.config.auto_merge_delay_minutes = Some(minutes.parse().unwrap()),
            ["git_url", url] => self.state.as_mut().unwrap().rig.git_url = url.to_owned(),
            [] => (),
            _ => panic!("config: {rest:?}"),
        }
        self.configure();
    }

    fn configure(&mut self) {
        self.version += 1;
        let rig = &self.state.as_ref().unwrap().rig;
        let rig_models = RigModels {
            rig_id: rig.rig_id,
            name: "api".into(),
            default_model: None,
            role_models: gastown_core::models::RigRoleModels::default(),
        };
        let configure = Configure {
            version: self.version,
            secrets_version: 1,
            git_url: rig.git_url.clone(),
            default_branch: rig.default_branch.clone(),
            target_branch: rig.target_branch.clone(),
            config: self.config.clone(),
            town_models: TownModels::default(),
            rig_models,
        };
        self.town_says(vec![TownToRig::Configure(Box::new(configure))]);
    }

    fn set_town(&mut self, rest: &[&str]) {
        match *rest {
            ["paused"] => self.town.paused = true,
            ["resumed"] => self.town.paused = false,
            ["draining"] => self.town.draining = true,
            ["drained"] => self.town.draining = false,
            ["stopped"] => (self.town.paused, self.town.stop_running) = (true, true),
            ["budget"] => (self.town.budget_reached, self.town.budget_until) = (true, Some(self.now.next_day())),
            ["free"] => {
                (self.town.budget_reached, self.town.budget_until) = (false, None);
                self.town.exhausted_convoys.clear();
            }
            ["exhausted"] => self.town.exhausted_convoys = vec![convoy::CONVOY],
            ["breaker", state, ref rest @ ..] => {
                let until = rest.first().map(|span| self.now + duration(span));
                let message = "20 starts failed.".to_owned();
                self.town.breaker = Some(TownBreaker { state: state.parse().unwrap(), until, message });
                self.slots_are_probes = state == "half_open";
            }
            ["mended"] => (self.town.breaker, self.slots_are_probes) = (None, false),
            ["instance", n] => self.town.instance_id = Some(InstanceId::from_u128(n.parse().unwrap())),
            _ => panic!("town: {rest:?}"),
        }
        let town = self.town.clone();
        self.town_says(vec![TownToRig::TownState(town)]);
    }

    /// Lets time pass, with the alarms that fall into it.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        let mut rest = super::Rest::default();
        while let Some(at) = self.wake_at.filter(|&at| at <= end) {
            self.now = self.now.max(at);
            rest.alarm(self.now);
            self.observe(Vec::new());
        }
        self.now = end;
        self.observe(Vec::new());
    }

    fn answer(&mut self, agent: &str, answer: StartAnswer) {
        let key = self.session(agent);
        self.observe(vec![Event::StartAnswered(key, answer)]);
    }

    fn reported(&mut self, agent: &str, fact: SessionFact) {
        let key = self.session(agent);
        self.observe(vec![Event::SessionReported(key, fact)]);
    }

    fn town_says(&mut self, messages: Vec<TownToRig>) {
        let mut numbered = Vec::new();
        for message in messages {
            self.town_seq += 1;
            numbered.push(Numbered { seq: self.town_seq, message });
        }
        self.observe(vec![Event::TownSaid(numbered)]);
    }

    fn command(&mut self, command: Command) {
        let mut state = self.state.take().unwrap();
        self.recall(&mut state, &command.references());
        let before = state.clone();
        match without::handle_rig(state, self.context(), command) {
            Ok(planned) => self.commit(before, planned),
            Err((state, refusal)) => {
                assert_eq!(*state, before, "a refusal changes nothing");
                self.state = Some(*state);
                self.told.push(format!("refused: {}", self.names(&format!("{refusal:?}"))));
                self.forget();
            }
        }
    }

    fn observe(&mut self, events: Vec<Event>) {
        let mut state = self.state.take().unwrap();
        self.recall(&mut state, &events.iter().flat_map(Event::references).collect::<Vec<_>>());
        let before = state.clone();
        let (planned, receipts) = without::observe_rig(state, self.context(), events);
        for receipt in receipts {
            match receipt {
                Receipt::Applied => (),
                Receipt::Duplicate => self.told.push("duplicate".into()),
                Receipt::Stale => self.told.push("stale".into()),
            }
        }
        self.commit(before, planned);
    }

    fn commit(&mut self, before: State, planned: Planned) {
        let breaches = invariant::check(&planned, self.now);
        assert!(breaches.is_empty(), "{breaches:#?}\nafter {:?}", self.told);
        let again = without::plan_rig(planned.state.clone(), self.context());
        assert!(
            again.writes.is_empty() && again.effects.is_empty(),
            "not a fixpoint: {:?} {:?}\nfirst: {:?} {:?}",
            again.writes,
            again.effects,
            planned.writes,
            planned.effects
        );
        lifecycle::note_rig(&before, &planned);
        let changes = invariant::check_step(&before, &planned);
        assert!(changes.is_empty(), "{changes:#?}\nafter {:?}", self.told);
        for (_, write) in &planned.writes {
            if let Write::RemoveEdge(dependent, blocker) = write {
                self.archived_edges.remove(&(*dependent, *blocker));
            }
        }
        for (_, write) in &planned.writes {
            if let Write::Event(row) = write {
                let words: Vec<&str> = [&row.old, &row.new].into_iter().flatten().map(String::as_str).collect();
                self.log.push((row.bead_id, format!("{} by {}: {}", row.kind, row.actor, words.join(" -> "))));
            }
        }
        self.name_new_beads(&planned);
        self.tell_changes(&before, &planned.state);
        self.tell_messages(&planned);
        if std::mem::take(&mut self.dies) {
            self.told.push("the rig dies before it acts".into());
            return self.restart(planned);
        }
        let sends = planned.effects.contains(&Effect::SendToTown);
        for effect in planned.effects.iter().filter(|&effect| *effect != Effect::SendToTown) {
            let text = self.effect(effect, &planned.state);
            self.told.push(text);
        }
        self.wake_at = planned.wake_at;
        self.state = Some(planned.state);
        self.forget();
        if sends {
            self.town_receives();
        }
    }

    /// The object dies: what it ordered is lost, and what lives in memory only; its alarm stays.
    fn restart(&mut self, planned: Planned) {
        self.wake_at = planned.wake_at;
        self.state = Some(planned.state);
        self.forget();
        let state = self.state.as_mut().unwrap();
        (state.reported, state.reported_spending) = (None, gastown_core::protocol::Spending::default());
        state.told_tasks.clear();
        state.told_landings.clear();
        state.waits.clear();
        let next = state.outbox.rows().last().map_or(self.acknowledged, |row| row.seq) + 1;
        state.outbox = gastown_core::protocol::Outbox::new(state.outbox.rows().to_vec(), next);
    }

    fn forget(&mut self) {
        let state = self.state.as_mut().unwrap();
        for bead in state.beads.values().filter(|bead| !bead.is_live()) {
            self.archive.insert(bead.bead_id, bead.clone());
        }
        for assignment in state.assignments.values().filter(|assignment| !assignment.is_live()) {
            self.archived_assignments.insert(assignment.assignment_id, assignment.clone());
        }
        self.archived_edges.extend(state.edges.clone());
        self.archived_spending.extend(state.spending.convoys.clone());
        state.forget();
        self.archive.retain(|id, _| !state.beads.contains_key(id));
    }

    /// The Town of the scenario: notes who asks for slots, acknowledges, grants.
    fn town_receives(&mut self) {
        let batch = self.state.as_ref().unwrap().outbox.batch();
        let Some(last) = batch.last().map(|message| message.seq) else { return };
        if let Some(said) = &mut self.said {
            said.extend(batch.into_iter().map(|numbered| numbered.message));
            self.acknowledge(last);
            return;
        }
        for Numbered { message, .. } in batch {
            match message {
                RigToTown::SlotAsked { assignment_id, .. } => {
                    self.granted.retain(|id| *id != assignment_id);
                    self.asked.push(assignment_id);
                }
                RigToTown::SlotReleased { assignment_id } => {
                    self.granted.retain(|id| *id != assignment_id);
                    self.asked.retain(|id| *id != assignment_id);
                }
                RigToTown::EscalationRaised(raised) => drop(self.inbox.insert(raised.dedup_key)),
                RigToTown::EscalationCleared { dedup_key } => drop(self.inbox.remove(&dedup_key)),
                RigToTown::Activity(_)
                | RigToTown::Usage(_)
                | RigToTown::StartFailed { .. }
                | RigToTown::StartSucceeded { .. }
                | RigToTown::TaskStatus(_)
                | RigToTown::TaskGone { .. }
                | RigToTown::LandingState(_)
                | RigToTown::TriageAsked(_)
                | RigToTown::TriageResolved(_)
                | RigToTown::TriageEnded { .. }
                | RigToTown::MailOut(_)
                | RigToTown::BeadMoved { .. }
                | RigToTown::Feed { .. } => (),
            }
        }
        self.check_inbox();
        self.acknowledge(last);
        self.grant();
    }

    fn acknowledge(&mut self, last: u64) {
        self.acknowledged = last;
        self.observe(vec![Event::TownAcknowledged(last)]);
    }

    fn grant(&mut self) {
        while self.granted.len() < self.slots && !self.asked.is_empty() {
            let assignment_id = self.asked.remove(0);
            self.granted.push(assignment_id);
            self.town_says(vec![TownToRig::GrantSlot { assignment_id, probe: self.slots_are_probes }]);
        }
    }

    fn context(&mut self) -> Context<'static> {
        self.seed += 1;
        Context { now: self.now, seed: IdSeed::new(self.seed << 64), catalogue: self.catalogue }
    }

    fn name_new_beads(&mut self, planned: &Planned) {
        for (_, write) in &planned.writes {
            if let Write::Bead(bead) = write
                && !self.beads.contains_key(&bead.bead_id)
            {
                if bead.kind == gastown_core::rig::bead::BeadType::Issue && bead.parent_id.is_none() {
                    self.beads.insert(bead.bead_id, super::bead_name(bead.bead_id));
                    continue;
                }
                let prefix = match bead.kind {
                    gastown_core::rig::bead::BeadType::MergeRequest => "mr",
                    gastown_core::rig::bead::BeadType::Molecule => "steps",
                    gastown_core::rig::bead::BeadType::Issue => "child",
                };
                let n = self.beads.values().filter(|name| name.starts_with(prefix)).count() + 1;
                self.beads.insert(bead.bead_id, format!("{prefix}{n}"));
            }
        }
    }

    fn session(&self, agent: &str) -> SessionKey {
        let state = self.state.as_ref().unwrap();
        let live = state
            .live_assignments()
            .find(|a| agent_name(state, state, a).eq_ignore_ascii_case(agent))
            .map(|a| SessionKey { assignment_id: a.assignment_id, epoch: a.epoch });
        let ended = || self.ended.iter().find(|(name, _)| name.eq_ignore_ascii_case(agent)).map(|(_, key)| *key);
        live.or_else(ended).unwrap_or_else(|| panic!("{agent} never had a session"))
    }

    fn branch(&self, agent: &str) -> String {
        let key = self.session(agent);
        let state = self.state.as_ref().unwrap();
        let assignment = state.assignments.get(&key.assignment_id);
        let assignment = assignment.or_else(|| self.archived_assignments.get(&key.assignment_id));
        assignment.and_then(|assignment| assignment.branch.clone()).unwrap_or_default()
    }

    fn live_job(&self) -> &gastown_core::rig::review::Job {
        let state = self.state.as_ref().unwrap();
        state.jobs.values().find(|job| job.ended_at.is_none()).expect("a live job")
    }

    fn job(&self) -> JobId {
        self.live_job().job_id
    }

    /// Puts a bead, or a review, in a state that nothing led to: what a bug or a damaged row would leave behind.
    fn break_state(&mut self, name: &str, word: &str) {
        let id = self.bead(name);
        let state = self.state.as_mut().unwrap();
        match state.reviews.get_mut(&id) {
            Some(review) => review.state = word.parse().unwrap(),
            None => state.beads.get_mut(&id).unwrap().status = word.parse().unwrap(),
        }
    }

    fn is_agent(&self, name: &str) -> bool {
        self.state.as_ref().unwrap().agents.values().any(|agent| agent.name.eq_ignore_ascii_case(name))
    }

    /// The bead of this name; another rig's when this one has none.
    fn bead(&self, name: &str) -> BeadId {
        let known = self.beads.iter().find(|(_, known)| *known == name).map(|(id, _)| *id);
        known.unwrap_or_else(|| bead_id(name))
    }

    fn name(&self, id: BeadId) -> String {
        self.beads.get(&id).cloned().unwrap_or_else(|| id.short())
    }

    /// The text with ids replaced by the scenario's names.
    fn names(&self, text: &str) -> String {
        let text = self.beads.iter().fold(text.to_owned(), |text, (id, name)| {
            text.replace(&format!("BeadId({id})"), name).replace(&id.to_string(), name)
        });
        self.state
            .iter()
            .flat_map(|state| state.agents.values())
            .fold(text, |text, agent| text.replace(&format!("AgentId({})", agent.agent_id), &agent.name))
    }
}

fn agent_name(state: &State, other: &State, assignment: &gastown_core::rig::assignment::Assignment) -> String {
    let agent = state.agents.get(&assignment.agent_id).or_else(|| other.agents.get(&assignment.agent_id));
    agent.map_or_else(|| assignment.agent_id.short(), |agent| agent.name.clone())
}
