//! Sessions: from the accepted order through clone and boot to the agent's result, or to one of its many other ends.

use std::time::Duration;

use gastown_core::id::{AgentId, InstanceId, RigRef};
use gastown_core::rig::command::{Done, Judge};
use gastown_core::rig::review::Verdict;
use gastown_core::rig::{self, Applied, Refusal};
use gastown_core::session::{
    Beat, ErrorKind, Kind, Over, Role, SessionFact, SessionKey, StartAnswer, StartFailureCode, Step, Usage,
};
use gastown_core::time::Timestamp;
use gastown_core::wire::order::SessionOrder;

use super::Said;
use crate::faults::Fault;
use crate::git::MAIN;
use crate::happening::{AgentCall, AgentHeard, Happening, RigNo};
use crate::world::World;

/// One session of the process.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) key: SessionKey,
    pub(crate) rig: Option<RigNo>,
    pub(crate) agent_id: AgentId,
    pub(super) stage: Stage,
    kind: Kind,
    branch: Option<String>,
    base: Option<String>,
    base_from: Option<String>,
    commit: Option<String>,
    head: Option<String>,
    /// The step that it waits for an answer about.
    asks: Option<u32>,
    idle_since: Option<Timestamp>,
    pub(super) progress_at: Option<Timestamp>,
    pub(super) has_decided: bool,
    usage: Usage,
    /// Moves that were scheduled before something else came between are void.
    turn: u32,
}

/// Where a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Preparing(Step),
    Running,
    Stopping,
    Ended,
}

impl Session {
    /// What a heartbeat says about it.
    pub(super) fn beat(&mut self, instance_id: InstanceId, spent: u64) -> Beat {
        let is_running = !matches!(self.stage, Stage::Preparing(_));
        if is_running && self.idle_since.is_none() {
            self.usage.tokens_in += spent;
            self.usage.tokens_out += spent / 10;
            self.usage.cost_micros += spent * 3;
        }
        Beat {
            is_running,
            idle_since: self.idle_since,
            tool: None,
            progress_at: self.progress_at,
            usage: self.usage,
            instance_id,
        }
    }
}

impl World {
    /// A start order (container.md 2.2): a known session is the same session, an older one of the agent is ended.
    pub(crate) fn runtime_starts(&mut self, order: SessionOrder) -> StartAnswer {
        let key = SessionKey { assignment_id: order.assignment.assignment_id, epoch: order.assignment.epoch };
        let agent_id = order.assignment.agent_id;
        let accepted = StartAnswer::Accepted(self.runtime.instance_id);
        if self.runtime.sessions.get(&key.assignment_id).is_some_and(|session| session.key == key) {
            return accepted;
        }
        let newest = self.runtime.sessions.values().filter(|s| s.agent_id == agent_id).map(|s| s.key.epoch).max();
        if newest.is_some_and(|newest| newest >= key.epoch) {
            let message = "The agent is at a newer epoch.".to_owned();
            return StartAnswer::Invalid { code: "stale_epoch".to_owned(), message };
        }
        if self.runtime.is_draining {
            return StartAnswer::NotNow("The runtime is ending.".to_owned());
        }
        if self.runtime_chance.happens(self.faults.chance(Fault::Capacity, 0.06)) {
            return StartAnswer::NoCapacity("There is no room for another session.".to_owned());
        }
        let older: Vec<SessionKey> =
            self.runtime.live_sessions().filter(|session| session.agent_id == agent_id).map(|s| s.key).collect();
        for older in older {
            self.session_ends(older, Over::Interrupted("a newer session of the agent took its place".to_owned()));
        }
        let rig = match order.assignment.rig_id {
            RigRef::Rig(rig_id) => self.rigs.iter().position(|rig| rig.rig_id == rig_id),
            RigRef::Mayor(_) => None,
        };
        self.runtime.sessions.insert(
            key.assignment_id,
            Session {
                key,
                rig,
                agent_id,
                stage: Stage::Preparing(Step::Accepted),
                kind: order.kind,
                branch: order.branch,
                base: order.base,
                base_from: order.base_from,
                commit: order.commit,
                head: None,
                asks: None,
                idle_since: None,
                progress_at: None,
                has_decided: false,
                usage: Usage::default(),
                turn: 0,
            },
        );
        self.note(|| format!("the runtime accepts assignment {}", key.assignment_id));
        self.say(key, SessionFact::Step(Step::Accepted));
        self.session_moves_in(key, 100, 4_000);
        accepted
    }

    fn say(&mut self, key: SessionKey, fact: SessionFact) {
        let rig = self.runtime.sessions.get(&key.assignment_id).and_then(|session| session.rig);
        self.reports(rig, Said::Session(key, fact));
    }

    pub(super) fn session_moves_in(&mut self, key: SessionKey, low_ms: u64, high_ms: u64) {
        let span = self.runtime_chance.span(low_ms, high_ms);
        let instance_id = self.runtime.instance_id;
        let Some(session) = self.runtime.live_mut(key) else { return };
        session.turn += 1;
        let turn = session.turn;
        self.queue.add(self.now + span, Happening::SessionMoves { instance_id, key, turn });
    }

    /// The next thing that a session does by itself.
    pub(crate) fn session_moves(&mut self, instance_id: InstanceId, key: SessionKey, turn: u32) {
        if self.runtime.instance_id != instance_id || !self.runtime.is_up {
            return;
        }
        let Some(session) = self.runtime.live_mut(key).filter(|session| session.turn == turn) else { return };
        match session.stage {
            Stage::Preparing(step) => self.session_prepares(key, step),
            Stage::Running => self.session_works(key),
            Stage::Stopping => self.session_ends(key, Over::Stopped("as ordered".to_owned())),
            Stage::Ended => (),
        }
    }

    fn session_prepares(&mut self, key: SessionKey, step: Step) {
        if self.start_fails(key) {
            return;
        }
        let (next, longest) = match step {
            Step::Accepted if self.runtime_chance.happens(0.5) => (Step::Cloning, 20_000),
            Step::Accepted | Step::Cloning => (Step::Worktree, 3_000),
            Step::Worktree => (Step::Booting, 8_000),
            Step::Booting => return self.session_is_ready(key),
        };
        if next == Step::Worktree && !self.has_a_base(key) {
            return;
        }
        if let Some(session) = self.runtime.live_mut(key) {
            session.stage = Stage::Preparing(next);
        }
        self.say(key, SessionFact::Step(next));
        let is_slow = next == Step::Cloning && self.runtime_chance.happens(self.faults.chance(Fault::SlowClone, 0.2));
        let longest = if is_slow { 25 * 60_000 } else { longest };
        self.session_moves_in(key, 50, longest);
    }

    /// Whether the branch can be had; else the start has failed.
    fn has_a_base(&mut self, key: SessionKey) -> bool {
        let Some(session) = self.runtime.live(key) else { return false };
        let Some(rig) = session.rig else { return true };
        let remote = &mut self.remotes[rig];
        let missing = match (&session.branch, &session.commit) {
            (Some(branch), _) if session.kind.may_push() => {
                let base = session.base.as_deref().unwrap_or(MAIN);
                let made = session.base_from.as_deref().is_none_or(|from| remote.ensure_branch(base, from));
                (!made || !remote.ensure_branch(branch, base)).then_some(StartFailureCode::BaseMissing)
            }
            (_, Some(commit)) if session.kind.role() == Role::Refinery => {
                (!remote.has(commit)).then_some(StartFailureCode::CommitMissing)
            }
            (_, _) => None,
        };
        match missing {
            Some(code) => {
                self.start_failed(key, code);
                false
            }
            None => true,
        }
    }

    fn start_fails(&mut self, key: SessionKey) -> bool {
        let retryable = [StartFailureCode::GitTimeout, StartFailureCode::BootTimeout, StartFailureCode::PortInUse];
        let final_ones = [StartFailureCode::NoCredentials, StartFailureCode::RepoForbidden];
        if self.runtime_chance.happens(self.faults.chance(Fault::NeedsPerson, 0.006)) {
            let code = self.runtime_chance.pick(&final_ones).copied().unwrap_or(StartFailureCode::NoCredentials);
            self.start_failed(key, code);
            return true;
        }
        if self.runtime_chance.happens(self.faults.chance(Fault::StartFails, 0.05)) {
            // Some starts hang instead: heartbeats go on, nothing else does.
            if self.runtime_chance.happens(0.8) {
                let code = self.runtime_chance.pick(&retryable).copied().unwrap_or(StartFailureCode::GitTimeout);
                self.start_failed(key, code);
            }
            return true;
        }
        false
    }

    fn start_failed(&mut self, key: SessionKey, code: StartFailureCode) {
        let fact = SessionFact::StartFailed {
            code: code.as_str().to_owned(),
            message: format!("{code}."),
            is_retryable: code.is_retryable(),
        };
        self.note(|| format!("the start of assignment {} fails: {code}", key.assignment_id));
        self.say(key, fact);
        if let Some(session) = self.runtime.live_mut(key) {
            session.stage = Stage::Ended;
        }
    }

    fn session_is_ready(&mut self, key: SessionKey) {
        let now = self.now;
        if let Some(session) = self.runtime.live_mut(key) {
            session.stage = Stage::Running;
            session.progress_at = Some(now);
            session.idle_since = (session.kind == Kind::Mayor).then_some(now);
        }
        self.say(key, SessionFact::Ready);
        self.beat_early();
        self.session_moves_in(key, 1_000, 120_000);
    }

    fn beat_early(&mut self) {
        let instance_id = self.runtime.instance_id;
        let at = self.now + Duration::from_millis(500);
        self.queue.add(at, Happening::RuntimeBeats { instance_id, is_early: true });
    }

    /// An agent at work: it delivers, or something goes wrong.
    fn session_works(&mut self, key: SessionKey) {
        let Some(session) = self.runtime.live(key).cloned() else { return };
        if self.runtime_chance.happens(self.faults.chance(Fault::AgentCrash, 0.06)) {
            return self.session_ends(key, Over::Crashed("it crashed three times".to_owned()));
        }
        if session.kind == Kind::Mayor {
            return self.mayor_rests(key);
        }
        if self.runtime_chance.happens(self.faults.chance(Fault::AgentFails, 0.15)) {
            return self.agent_fails(key);
        }
        if self.runtime_chance.happens(0.2) {
            self.agent_calls(key, AgentCall::SetCheckpoint(key));
        }
        if self.runtime_chance.happens(0.2) {
            self.agent_calls(key, AgentCall::SetStatus(key));
        }
        if self.runtime_chance.happens(0.06) {
            self.agent_asks_for_help(&session);
        }
        if let Some(rig) = session.rig {
            self.agent_talks(rig, key);
            if self.agent_takes_a_step(rig, key) {
                return;
            }
        }
        match session.kind.role() {
            Role::Refinery => self.refinery_judges(&session),
            Role::Polecat => self.polecat_delivers(&session),
            Role::Triage => self.triage_works(&session),
            Role::Mayor => (),
        }
    }

    /// An agent reads what it was sent, and writes to others.
    fn agent_talks(&mut self, rig: RigNo, key: SessionKey) {
        if self.runtime_chance.happens(0.2) {
            self.agent_calls(key, AgentCall::ReadMail(key));
        }
        if self.runtime_chance.happens(0.1) {
            self.agent_calls(key, AgentCall::ReadNudge(key));
        }
        if self.runtime_chance.happens(0.12)
            && let Some(mail) = self.agent_writes(rig, key)
        {
            self.agent_calls(key, AgentCall::Mail(key, mail));
        }
    }

    fn mayor_rests(&mut self, key: SessionKey) {
        let now = self.now;
        if let Some(session) = self.runtime.live_mut(key).filter(|session| session.idle_since.is_none()) {
            session.idle_since = Some(now);
            session.progress_at = Some(now);
            self.beat_early();
        }
    }

    fn agent_fails(&mut self, key: SessionKey) {
        let now = self.now;
        match self.runtime_chance.between(0, 7) {
            0 => self.session_ends(key, Over::Completed("it said good bye".to_owned())),
            1 | 2 => {
                let kinds =
                    [ErrorKind::RateLimited, ErrorKind::Provider, ErrorKind::ContextOverflow, ErrorKind::Internal];
                let kind = self.runtime_chance.pick(&kinds).copied().unwrap_or(ErrorKind::Internal);
                let retry_after = (kind == ErrorKind::RateLimited).then(|| Duration::from_secs(90));
                self.session_ends(key, Over::Error { kind, message: format!("{kind}."), retry_after });
            }
            3 if self.runtime_chance.happens(self.faults.chance(Fault::NeedsPerson, 0.3)) => {
                let kinds = [ErrorKind::Auth, ErrorKind::Quota, ErrorKind::Config];
                let kind = self.runtime_chance.pick(&kinds).copied().unwrap_or(ErrorKind::Auth);
                self.session_ends(key, Over::Error { kind, message: format!("{kind}."), retry_after: None });
            }
            // Silence: heartbeats go on, the agent does nothing.
            4 => (),
            _ => {
                if let Some(session) = self.runtime.live_mut(key) {
                    session.idle_since = Some(now);
                    session.progress_at = Some(now);
                }
                self.beat_early();
            }
        }
    }

    fn polecat_delivers(&mut self, session: &Session) {
        let (Some(rig), key) = (session.rig, session.key) else { return };
        let row = self.rigs[rig].rows().and_then(|state| state.assignments.get(&key.assignment_id));
        let (branch, target) = match row {
            Some(row) => (row.branch.clone().unwrap_or_default(), row.target.clone()),
            None => (session.branch.clone().unwrap_or_default(), None),
        };
        let does_something = session.kind.may_push() && self.runtime_chance.happens(0.92);
        if does_something && session.head.is_none() {
            let is_green = !self.runtime_chance.happens(self.faults.chance(Fault::Gates, 0.3));
            let onto = (session.kind == Kind::Conflict).then_some(target.as_deref()).flatten();
            let base = session.base.as_deref().unwrap_or(MAIN);
            let Some(commit) = self.remotes[rig].push(&branch, base, onto, is_green) else { return };
            if let Some(session) = self.runtime.live_mut(key) {
                session.head = Some(commit.clone());
            }
            self.say(key, SessionFact::Pushed { branch: branch.clone(), commit });
        }
        let head = self.remotes[rig].head(&branch).cloned();
        let commit = if self.runtime_chance.happens(0.1) { None } else { head };
        let pr_url = self.agent_opens_pr(rig, &branch);
        let count = self.runtime_chance.between(0, 25);
        let files = (0..count).map(|n| format!("src/{}.rs", (n * 7 + key.epoch) % 40)).collect();
        let done = Done { session: key, branch, commit, summary: Some("It is done.".to_owned()), files, pr_url };
        self.agent_calls(key, AgentCall::Done(done));
    }

    fn refinery_judges(&mut self, session: &Session) {
        let (key, commit) = (session.key, session.commit.clone());
        let (verdict, feedback) = if self.runtime_chance.happens(self.faults.chance(Fault::Verdict, 0.35)) {
            match self.runtime_chance.between(0, 9) {
                0 => (Verdict::Reject, Some("Not wanted.".to_owned())),
                1 => (Verdict::RequestChanges, None),
                2 => return self.session_ends(key, Over::Completed("it looked fine".to_owned())),
                _ => (Verdict::RequestChanges, Some("Name it better.".to_owned())),
            }
        } else {
            (Verdict::Approve, None)
        };
        let judge = Judge { session: key, verdict, summary: None, feedback, files: Vec::new(), commit };
        self.agent_calls(key, AgentCall::Judge(judge));
    }

    pub(crate) fn agent_calls(&mut self, key: SessionKey, call: AgentCall) {
        if let (AgentCall::Advance(_, step), Some(session)) = (&call, self.runtime.live_mut(key)) {
            session.asks = Some(*step);
        }
        self.call(Happening::AgentCalls { key, call: call.clone(), tries: 1 });
        let late = self.now + Duration::from_secs(20);
        self.queue.add(late, Happening::AgentHears { key, call, tries: 1, heard: AgentHeard::Silence });
    }

    /// An agent's call reaches its rig.
    pub(crate) fn agent_call_arrives(&mut self, key: SessionKey, call: AgentCall, tries: u32) {
        let Some(rig) = self.runtime.sessions.get(&key.assignment_id).and_then(|session| session.rig) else { return };
        if self.net.happens(self.faults.chance(Fault::RigCrash, 0.02)) {
            self.rig_crashes(rig);
        }
        if let AgentCall::Escalate(raised) = &call {
            let heard = self.escalation_arrives(key, (**raised).clone());
            return self.call(Happening::AgentHears { key, call, tries, heard });
        }
        let heard = match self.rig_is_asked(rig, &call) {
            Some(Ok(_)) => AgentHeard::Taken,
            Some(Err(Refusal::StaleAssignment { .. })) => AgentHeard::Stale,
            Some(Err(_)) | None => AgentHeard::Refused,
        };
        self.call(Happening::AgentHears { key, call, tries, heard });
    }

    /// One call of an agent, as the rig's routes read it.
    fn rig_is_asked(&mut self, rig: RigNo, call: &AgentCall) -> Option<Result<Applied, Refusal>> {
        let (label, command) = match call.clone() {
            // It goes to the Town.
            AgentCall::Escalate(_) => return None,
            AgentCall::Resolve(decide) => ("a decision of triage", rig::Command::ResolveTriage(decide)),
            AgentCall::Done(done) => ("done", rig::Command::Done(done)),
            AgentCall::Judge(judge) => ("a verdict", rig::Command::Judge(judge)),
            AgentCall::SetStatus(session) => {
                ("an agent's status", rig::Command::SetStatus { session, message: "Reading.".to_owned() })
            }
            AgentCall::SetCheckpoint(session) => {
                let data = serde_json::json!({ "epoch": session.epoch });
                ("a checkpoint", rig::Command::SetCheckpoint { session, data })
            }
            AgentCall::ReadMail(session) => ("mail that was read", self.agent_reads_mail(rig, session)?),
            AgentCall::ReadNudge(session) => ("a nudge that was read", self.agent_reads_nudge(rig, session)?),
            AgentCall::Mail(session, mail) => {
                // Only a live session passes the door.
                let state = self.rigs[rig].rows()?;
                state.assignments.get(&session.assignment_id).filter(|row| row.is_live())?;
                return self.posts(rig, mail);
            }
            AgentCall::Advance(session, step) => {
                if !self.rigs[rig].is_first_time(session.assignment_id, step) {
                    return Some(Ok(Applied::Written));
                }
                let command = rig::Command::AdvanceMolecule { session, summary: format!("Step {step} is done.") };
                let answer = self.rig_handles(rig, "a step", command);
                if answer.as_ref().is_some_and(Result::is_ok) {
                    self.rigs[rig].remember(session.assignment_id, step);
                }
                return answer;
            }
        };
        self.rig_handles(rig, label, command)
    }

    /// The answer to an agent's call, or its absence.
    pub(crate) fn agent_hears(&mut self, key: SessionKey, call: AgentCall, tries: u32, heard: AgentHeard) {
        if self.runtime.live(key).is_none_or(|session| session.stage != Stage::Running) {
            return;
        }
        let is_result = matches!(call, AgentCall::Done(_) | AgentCall::Judge(_));
        let is_step = match call {
            AgentCall::Advance(_, step) => self.runtime.live(key).is_some_and(|session| session.asks == Some(step)),
            _ => false,
        };
        if is_step
            && heard != AgentHeard::Silence
            && let Some(session) = self.runtime.live_mut(key)
        {
            session.asks = None;
        }
        match heard {
            AgentHeard::Taken if is_result => {
                self.session_ends(key, Over::Completed("its result was taken".to_owned()))
            }
            AgentHeard::Stale => drop(self.runtime_stops(key, "stale")),
            AgentHeard::Refused if is_result => {
                let now = self.now;
                if let Some(session) = self.runtime.live_mut(key) {
                    session.idle_since = Some(now);
                }
                self.beat_early();
            }
            AgentHeard::Silence if is_result && tries < 6 => self.agent_asks_again(key, call, tries),
            AgentHeard::Silence if is_result => {
                let now = self.now;
                if let Some(session) = self.runtime.live_mut(key) {
                    session.idle_since = Some(now);
                }
            }
            AgentHeard::Taken | AgentHeard::Refused if is_step => self.session_moves_in(key, 500, 30_000),
            // Only the first answer moves it on; a session that heard nothing asks again.
            AgentHeard::Silence if is_step && tries < 6 => self.agent_asks_again(key, call, tries),
            AgentHeard::Taken | AgentHeard::Refused | AgentHeard::Silence => (),
        }
    }

    fn agent_asks_again(&mut self, key: SessionKey, call: AgentCall, tries: u32) {
        self.call(Happening::AgentCalls { key, call: call.clone(), tries: tries + 1 });
        let late = self.now + Duration::from_secs(20);
        let heard = AgentHeard::Silence;
        self.queue.add(late, Happening::AgentHears { key, call, tries: tries + 1, heard });
    }

    /// The agent is told to bring its work to an end.
    pub(crate) fn runtime_asks(&mut self, key: SessionKey) {
        let answers = !self.runtime_chance.happens(self.faults.chance(Fault::AgentFails, 0.3));
        let now = self.now;
        let Some(session) = self.runtime.live_mut(key).filter(|session| session.stage == Stage::Running) else {
            return;
        };
        if answers && session.idle_since.is_some() {
            session.idle_since = None;
            session.progress_at = Some(now);
            self.session_moves_in(key, 500, 20_000);
        }
    }

    /// Messages for a session; those that it has now.
    pub(crate) fn runtime_takes(&mut self, key: SessionKey, messages: Vec<String>) -> Vec<String> {
        let now = self.now;
        let ignores = self.runtime_chance.happens(self.faults.chance(Fault::AgentFails, 0.3));
        let Some(session) = self.runtime.live_mut(key).filter(|session| session.stage == Stage::Running) else {
            return Vec::new();
        };
        let is_mayor = session.kind == Kind::Mayor;
        if ignores && !is_mayor {
            return messages;
        }
        session.idle_since = None;
        session.progress_at = Some(now);
        for message in &messages {
            if is_mayor && self.runtime.taken.contains(message) {
                self.note(|| format!("message {message} is pushed again"));
            }
        }
        self.runtime.taken.extend(messages.iter().cloned());
        self.session_moves_in(key, 500, 40_000);
        messages
    }

    /// Ends a session, saving its work; false when it is not there.
    pub(crate) fn runtime_stops(&mut self, key: SessionKey, why: &'static str) -> bool {
        let Some(session) = self.runtime.live_mut(key) else { return false };
        if session.stage == Stage::Stopping {
            return true;
        }
        let was_starting = matches!(session.stage, Stage::Preparing(_));
        session.stage = Stage::Stopping;
        self.note(|| format!("the runtime stops assignment {} ({why})", key.assignment_id));
        if was_starting {
            self.session_ends(key, Over::Stopped("as ordered".to_owned()));
        } else {
            self.say(key, SessionFact::Finishing);
            self.session_moves_in(key, 200, 60_000);
        }
        true
    }

    /// A drain gives a session a while.
    pub(super) fn session_is_evicted_later(&mut self, key: SessionKey) {
        // The process dies with whatever has not been saved by then.
        if self.runtime_chance.happens(0.8) {
            self.session_ends(key, Over::Evicted("the runtime ends".to_owned()));
        }
    }

    fn session_ends(&mut self, key: SessionKey, over: Over) {
        let Some(session) = self.runtime.live(key).cloned() else { return };
        self.note(|| format!("the session of assignment {} is over: {over:?}", key.assignment_id));
        self.save(&session);
        let mut spent = session.usage;
        if !matches!(session.stage, Stage::Preparing(_)) {
            spent.tokens_in += 1_000;
            spent.cost_micros += 3_000;
        }
        self.reports(session.rig, Said::Spent(key, spent));
        self.say(key, SessionFact::Over(over));
        if let Some(session) = self.runtime.live_mut(key) {
            session.stage = Stage::Ended;
        }
    }

    /// Unpublished work goes to the session's branch.
    fn save(&mut self, session: &Session) {
        let (Some(rig), Some(branch)) = (session.rig, session.branch.as_deref()) else { return };
        let is_dirty = session.kind.may_push() && session.head.is_none() && session.progress_at.is_some();
        if !is_dirty || !self.runtime_chance.happens(0.3) {
            return;
        }
        let base = session.base.as_deref().unwrap_or(MAIN);
        if let Some(commit) = self.remotes[rig].push(branch, base, None, false) {
            self.say(session.key, SessionFact::Saved { ref_name: branch.to_owned(), commit });
        }
    }
}
