//! The runtime process: sessions and jobs of one town, fenced by assignment and epoch, and an outbox of reports that are
//! sent in order until they are answered (container.md 2.2, 6, 9.3, 12).

mod job;
mod session;
mod triage;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use gastown_core::id::{AssignmentId, InstanceId, JobId};
use gastown_core::limits::HEARTBEAT;
use gastown_core::rig::assignment::{Pending, Phase};
use gastown_core::rig::event::JobFact;
use gastown_core::rig::{Event, Receipt};
use gastown_core::session::{Beat, Over, SessionFact, SessionKey, Usage};
use gastown_core::town;

use crate::faults::Fault;
use crate::happening::{Happening, RigNo};
use crate::world::World;
use job::Job;
use session::{Session, Stage};

/// The process, or its place while it is away.
pub(crate) struct Runtime {
    pub(crate) instance_id: InstanceId,
    pub(crate) is_up: bool,
    /// It runs, but answers nobody.
    pub(crate) is_wedged: bool,
    /// Whether the town was attached to this process, and not forgotten since.
    pub(crate) knows_town: bool,
    /// A container of the town's own, which only the keeper starts.
    pub(crate) is_own: bool,
    is_booting: bool,
    is_draining: bool,
    /// Whether reports and unpushed work outlive the process.
    keeps_disk: bool,
    sessions: BTreeMap<AssignmentId, Session>,
    jobs: BTreeMap<JobId, Job>,
    outbox: VecDeque<Report>,
    reports_made: u64,
    is_sending: bool,
    tries: u32,
    /// Messages that sessions have taken.
    taken: Vec<String>,
}

/// One report.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    no: u64,
    /// None: about the mayor.
    rig: Option<RigNo>,
    body: Said,
}

#[derive(Debug, Clone)]
enum Said {
    Session(SessionKey, SessionFact),
    Spent(SessionKey, Usage),
    Job(JobId, JobFact),
}

impl Runtime {
    pub(crate) fn new(instance_id: InstanceId, keeps_disk: bool, is_own: bool) -> Self {
        Self {
            instance_id,
            is_up: !is_own,
            is_wedged: false,
            knows_town: false,
            is_own,
            is_booting: false,
            is_draining: false,
            keeps_disk,
            sessions: BTreeMap::new(),
            jobs: BTreeMap::new(),
            outbox: VecDeque::new(),
            reports_made: 0,
            is_sending: false,
            tries: 0,
            taken: Vec::new(),
        }
    }

    /// The session, if it is there at this epoch and has not ended.
    pub(crate) fn live(&self, key: SessionKey) -> Option<&Session> {
        self.sessions.get(&key.assignment_id).filter(|s| s.key == key && s.stage != Stage::Ended && self.is_up)
    }

    fn live_mut(&mut self, key: SessionKey) -> Option<&mut Session> {
        self.sessions.get_mut(&key.assignment_id).filter(|s| s.key == key && s.stage != Stage::Ended)
    }

    /// Sessions that are not over, with their rig.
    pub(crate) fn live_sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values().filter(|session| session.stage != Stage::Ended)
    }
}

impl World {
    /// A report, kept until it is answered.
    fn reports(&mut self, rig: Option<RigNo>, body: Said) {
        self.runtime.reports_made += 1;
        let no = self.runtime.reports_made;
        self.runtime.outbox.push_back(Report { no, rig, body });
        let instance_id = self.runtime.instance_id;
        self.reports_leave(instance_id);
    }

    /// Sends what waits, one call at a time.
    pub(crate) fn reports_leave(&mut self, instance_id: InstanceId) {
        let runtime = &mut self.runtime;
        let is_other = !runtime.is_up || runtime.instance_id != instance_id;
        if is_other || runtime.is_sending || runtime.outbox.is_empty() || self.keeper.known != Some(instance_id) {
            return;
        }
        runtime.is_sending = true;
        let reports: Vec<Report> = runtime.outbox.iter().take(20).cloned().collect();
        self.call(Happening::ReportsArrive { instance_id, reports });
        let tries = self.runtime.tries;
        self.runtime.tries += 1;
        let again = self.now + self.pause(tries);
        self.queue.add(again, Happening::ReportsLeave { instance_id });
    }

    /// The answer is overdue: send again.
    pub(crate) fn reports_leave_again(&mut self, instance_id: InstanceId) {
        if self.runtime.instance_id == instance_id && self.runtime.is_sending {
            self.runtime.is_sending = false;
            self.reports_leave(instance_id);
        }
    }

    /// Reports reach the Worker: each rig gets its own.
    pub(crate) fn reports_arrive(&mut self, instance_id: InstanceId, reports: Vec<Report>) {
        if self.keeper.known != Some(instance_id) {
            return;
        }
        self.keeper_is_called();
        let Some(last) = reports.last().map(|report| report.no) else { return };
        let mut stale = Vec::new();
        for report in reports {
            let key = match &report.body {
                Said::Session(key, _) => Some(*key),
                // It comes with the end, which says whether somebody waits for it.
                Said::Spent(..) => None,
                Said::Job(..) => None,
            };
            if self.hear(report)
                && let Some(key) = key
            {
                stale.push(key);
            }
            if self.violation.is_some() {
                return;
            }
        }
        if self.net.happens(self.faults.chance(Fault::KeeperCrash, 0.02)) {
            return self.keeper_crashes();
        }
        self.call(Happening::ReportsAnswered { instance_id, last, stale });
    }

    /// One report reaches whom it is about; true when its session is over.
    fn hear(&mut self, report: Report) -> bool {
        let Report { rig, body, .. } = report;
        let Some(rig) = rig else {
            let event = match body {
                Said::Session(key, fact) => town::Event::MayorReported(key, fact),
                Said::Spent(key, spent) => town::Event::MayorSpent(key, spent),
                Said::Job(..) => return false,
            };
            let receipts = self.town_observes("the mayor's report", vec![event]);
            return receipts.contains(&town::Receipt::Stale);
        };
        if self.rigs[rig].disk.is_none() {
            return true;
        }
        if self.net.happens(self.faults.chance(Fault::RigCrash, 0.01)) {
            self.rig_crashes(rig);
        }
        let event = match body {
            Said::Session(key, fact) => Event::SessionReported(key, fact),
            Said::Spent(key, spent) => Event::SessionSpent(key, spent),
            Said::Job(job_id, fact) => Event::JobReported(job_id, fact),
        };
        let key = match &event {
            Event::SessionReported(key, SessionFact::Over(_)) | Event::SessionSpent(key, _) => vec![*key],
            _ => Vec::new(),
        };
        self.rig_observes_spenders(rig, &key, vec![event]).contains(&Receipt::Stale)
    }

    pub(crate) fn reports_answered(&mut self, instance_id: InstanceId, last: u64, stale: Vec<SessionKey>) {
        if self.runtime.instance_id != instance_id || !self.runtime.is_up {
            return;
        }
        self.runtime.outbox.retain(|report| report.no > last);
        self.runtime.is_sending = false;
        self.runtime.tries = 0;
        for key in stale {
            self.runtime_stops(key, "stale");
        }
        self.reports_leave(instance_id);
    }

    /// A heartbeat leaves.
    pub(crate) fn runtime_beats(&mut self, instance_id: InstanceId, is_early: bool) {
        if self.runtime.instance_id != instance_id || !self.runtime.is_up {
            return;
        }
        if !is_early {
            self.queue.add(self.now + HEARTBEAT, Happening::RuntimeBeats { instance_id, is_early });
        }
        if self.keeper.known == Some(instance_id) && self.runtime.knows_town {
            self.call(Happening::BeatsArrive { instance_id });
        }
    }

    /// A heartbeat arrives, and says what is so.
    pub(crate) fn beats_arrive(&mut self, instance_id: InstanceId) {
        if self.runtime.instance_id != instance_id || !self.runtime.is_up || self.keeper.known != Some(instance_id) {
            return;
        }
        self.keeper_is_called();
        let mut by_rig: BTreeMap<Option<RigNo>, Vec<(SessionKey, Beat)>> = BTreeMap::new();
        let spent = self.runtime_chance.between(0, 40_000);
        for session in self.runtime.sessions.values_mut().filter(|session| session.stage != Stage::Ended) {
            by_rig.entry(session.rig).or_default().push((session.key, session.beat(instance_id, spent)));
        }
        let mut jobs: BTreeMap<RigNo, Vec<JobId>> = BTreeMap::new();
        for job in self.runtime.jobs.values().filter(|job| job.is_live()) {
            jobs.entry(job.rig).or_default().push(job.order.job_id);
        }
        for (rig, beats) in by_rig {
            let keys: Vec<SessionKey> = beats.iter().map(|(key, _)| *key).collect();
            let stale: Vec<bool> = match rig {
                // Sessions of a rig that is gone have nobody else to end them.
                Some(rig) if self.rigs[rig].disk.is_none() => vec![true; keys.len()],
                Some(rig) => {
                    let mut events: Vec<Event> = beats
                        .into_iter()
                        .map(|(key, beat)| Event::SessionReported(key, SessionFact::Beat(beat)))
                        .collect();
                    let jobs = jobs.remove(&rig).unwrap_or_default();
                    events.extend(jobs.into_iter().map(|job_id| Event::JobReported(job_id, JobFact::Beat)));
                    self.rig_observes_spenders(rig, &keys, events)
                        .iter()
                        .map(|receipt| *receipt == Receipt::Stale)
                        .collect()
                }
                None => {
                    let event = |(key, beat)| town::Event::MayorReported(key, SessionFact::Beat(beat));
                    let events = beats.into_iter().map(event).collect();
                    let receipts = self.town_observes("the mayor's heartbeat", events);
                    receipts.iter().map(|receipt| *receipt == town::Receipt::Stale).collect()
                }
            };
            for (&key, _) in keys.iter().zip(stale).filter(|(_, is_stale)| *is_stale) {
                self.runtime_stops(key, "stale");
            }
            // The answer names sessions that shall finish.
            let rows = rig.and_then(|rig| self.rigs[rig].rows());
            let finishes = |key: &SessionKey| {
                let live = rows.and_then(|rows| rows.assignments.get(&key.assignment_id));
                live.is_some_and(|a| a.phase == Phase::Finishing && a.pending == Some(Pending::Budget))
            };
            for key in keys.iter().copied().filter(finishes).collect::<Vec<_>>() {
                self.runtime_asks(key);
            }
        }
        for (rig, jobs) in jobs {
            let events = jobs.into_iter().map(|job_id| Event::JobReported(job_id, JobFact::Beat)).collect();
            self.rig_observes(rig, events);
        }
        let drain = &self.town.rows().drain;
        if let Some(nonce) = drain.nonce.clone().filter(|_| drain.is_draining) {
            self.town_observes("a runtime names the nonce", vec![town::Event::InstanceReady(instance_id, nonce)]);
        }
    }

    /// The process is killed.
    pub(crate) fn runtime_dies(&mut self) {
        if !self.runtime.is_up {
            return;
        }
        self.note(|| "the runtime dies".to_owned());
        self.runtime.is_up = false;
        self.runtime.is_wedged = false;
        self.runtime.knows_town = false;
        self.runtime.is_sending = false;
        let keeps_disk = self.runtime.keeps_disk;
        let sessions = std::mem::take(&mut self.runtime.sessions);
        self.runtime.jobs.clear();
        if keeps_disk {
            for session in sessions.into_values().filter(|session| session.stage != Stage::Ended) {
                let over = Over::Evicted("the runtime was killed".to_owned());
                self.reports(session.rig, Said::Session(session.key, SessionFact::Over(over)));
            }
        } else {
            self.runtime.outbox.clear();
        }
        if !self.runtime.is_own {
            let away = self.runtime_chance.span(1_000, 120_000);
            self.queue.add(self.now + away, Happening::RuntimeBoots);
        }
    }

    /// The container is started; some starts come to nothing.
    pub(crate) fn runtime_is_started(&mut self) {
        if self.runtime.is_booting {
            return;
        }
        let fails = self.runtime_chance.happens(self.faults.chance(Fault::RuntimeCrash, 0.1));
        if !fails {
            self.runtime.is_booting = true;
            let span = self.runtime_chance.span(500, 50_000);
            self.queue.add(self.now + span, Happening::RuntimeBoots);
        }
    }

    /// The container is destroyed, whatever it does.
    pub(crate) fn runtime_is_destroyed(&mut self) {
        self.runtime.is_booting = false;
        if self.runtime.is_up {
            self.note(|| "the container is destroyed".to_owned());
            self.runtime_dies();
        }
    }

    /// The process hangs for a while.
    pub(crate) fn runtime_wedges(&mut self) {
        if !self.runtime.is_up {
            return;
        }
        self.note(|| "the runtime hangs".to_owned());
        self.runtime.is_wedged = true;
        let span = self.runtime_chance.span(20_000, 20 * 60_000);
        let instance_id = self.runtime.instance_id;
        self.queue.add(self.now + span, Happening::RuntimeRecovers { instance_id });
    }

    pub(crate) fn runtime_recovers(&mut self, instance_id: InstanceId) {
        if self.runtime.instance_id == instance_id && self.runtime.is_wedged {
            self.note(|| "the runtime answers again".to_owned());
            self.runtime.is_wedged = false;
        }
    }

    /// Nothing needs the runtime: what is left of the town ends. A container ends with it; what stands at an address
    /// forgets the town.
    pub(crate) fn runtime_sleeps(&mut self) {
        let keys: Vec<SessionKey> = self.runtime.live_sessions().map(|session| session.key).collect();
        for key in keys {
            self.runtime_stops(key, "asleep");
        }
        let instance_id = self.runtime.instance_id;
        let span = self.runtime_chance.span(1_000, 30_000);
        self.queue.add(self.now + span, Happening::RuntimeExits { instance_id });
    }

    pub(crate) fn runtime_exits(&mut self, instance_id: InstanceId) {
        if self.runtime.instance_id != instance_id || !self.runtime.is_up {
            return;
        }
        if self.runtime.is_own {
            return self.runtime_dies();
        }
        self.note(|| "the runtime forgets the town".to_owned());
        self.runtime.knows_town = false;
        let keys: Vec<SessionKey> = self.runtime.live_sessions().map(|session| session.key).collect();
        for key in keys {
            self.session_is_evicted_later(key);
        }
    }

    /// Another instance takes over.
    pub(crate) fn runtime_boots(&mut self) {
        // A container that was destroyed does not boot any more.
        let boots = !self.runtime.is_own || std::mem::take(&mut self.runtime.is_booting);
        if self.runtime.is_up || !boots {
            return;
        }
        let instance_id = InstanceId::from_u128(self.runtime_chance.id());
        self.note(|| format!("instance {} boots", instance_id.short()));
        self.runtime.instance_id = instance_id;
        self.runtime.is_up = true;
        self.runtime.is_draining = false;
        self.runtime.is_sending = false;
        self.runtime.tries = 0;
        self.queue.add(self.now + HEARTBEAT, Happening::RuntimeBeats { instance_id, is_early: false });
    }

    /// An orderly end: no new starts, sessions saved and evicted one by one, then another instance.
    pub(crate) fn runtime_drains(&mut self) {
        if !self.runtime.is_up || self.runtime.is_draining {
            return;
        }
        self.note(|| "the runtime drains".to_owned());
        self.runtime.is_draining = true;
        let instance_id = self.runtime.instance_id;
        if self.keeper.known == Some(instance_id) {
            self.call(Happening::RuntimeSaysEviction { instance_id });
        }
        self.runtime.jobs.retain(|_, job| !job.is_live() || job.is_pushing());
        let keys: Vec<SessionKey> = self.runtime.live_sessions().map(|session| session.key).collect();
        for key in keys {
            self.session_is_evicted_later(key);
        }
        let away = Duration::from_secs(self.runtime_chance.between(30, 290));
        self.queue.add(self.now + away, Happening::RuntimeDies);
    }
}
