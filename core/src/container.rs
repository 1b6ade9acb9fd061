//! The life of a town's runtime (domain.md 9.1, K1 to K4): started when it is needed, asked when it is silent, restarted
//! when it does not answer, and given up loudly. The same scheme as the rig's and the town's, over one row: facts are
//! applied first, then the rules run once, in order. Their effects come back as facts.

use std::time::Duration;

use crate::limits::{
    DRAIN_LIMIT, HEALTH_EVERY, PING_FAILURES, RESTART_AFTER, RESTARTS_MAX, RESTARTS_WINDOW, RUNTIME_START_LIMIT,
    backoff,
};
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// Where the runtime is in its life.
    pub enum Phase {
        Stopped = "stopped",
        Starting = "starting",
        Running = "running",
        Unhealthy = "unhealthy",
        Draining = "draining",
    }
}

/// Every change of the phase, and what causes it.
pub const TRANSITIONS: &[(Phase, &str, Phase)] = &[
    (Phase::Stopped, "needed, and its back-off is over (K1)", Phase::Starting),
    (Phase::Starting, "it answers and is attached", Phase::Running),
    (Phase::Starting, "the start failed, or nothing was heard of it for long", Phase::Stopped),
    (Phase::Running, "any sign of life", Phase::Running),
    (Phase::Running, "a ping failed (K2)", Phase::Unhealthy),
    (Phase::Running, "it says that it ends, or is told to", Phase::Draining),
    (Phase::Unhealthy, "any sign of life", Phase::Running),
    (Phase::Unhealthy, "a restart is due and one is left (K3)", Phase::Starting),
    (Phase::Unhealthy, "a restart is due and none is left: people are told, once (K4)", Phase::Unhealthy),
    (Phase::Draining, "another life of it is attached", Phase::Running),
    (Phase::Draining, "it has ended, or its time is over", Phase::Stopped),
    (Phase::Draining, "it has ended and is needed (K1)", Phase::Starting),
    (Phase::Stopped, "it is attached without having been ordered", Phase::Running),
    (Phase::Stopped, "a late failure, or the news that it has ended: nothing", Phase::Stopped),
];

/// The row that the rules look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Somebody has work for it.
    pub is_needed: bool,
    /// Where it is.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// Newest sign of life: an answered ping, or any call of the runtime's own.
    pub last_ok_at: Option<Timestamp>,
    /// Newest ping.
    pub pinged_at: Option<Timestamp>,
    /// Pings in a row that failed.
    pub failures: u32,
    /// The first of them.
    pub first_failure_at: Option<Timestamp>,
    /// Starts in a row that failed.
    pub start_failures: u32,
    /// End of their back-off.
    pub not_before: Option<Timestamp>,
    /// Begin of the window in which restarts are counted.
    pub window_at: Option<Timestamp>,
    /// Restarts in that window.
    pub restarts: u32,
    /// The newest.
    pub restarted_at: Option<Timestamp>,
    /// People were told that none is left.
    pub is_exhausted_told: bool,
    /// Draining: when it is ended at the latest.
    pub end_by: Option<Timestamp>,
}

impl Life {
    /// A runtime of which nothing is known.
    pub const fn new(now: Timestamp) -> Self {
        Self {
            is_needed: false,
            phase: Phase::Stopped,
            since: now,
            last_ok_at: None,
            pinged_at: None,
            failures: 0,
            first_failure_at: None,
            start_failures: 0,
            not_before: None,
            window_at: None,
            restarts: 0,
            restarted_at: None,
            is_exhausted_told: false,
            end_by: None,
        }
    }

    fn enter(&mut self, phase: Phase, now: Timestamp) {
        self.phase = phase;
        self.since = now;
    }
}

/// A fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody has work for it, or nobody has.
    Needed(bool),
    /// It was made ready for the town.
    Attached,
    /// It could not be started or made ready.
    StartFailed(String),
    /// It gave a sign of life.
    Heard,
    /// It did not answer a ping.
    PingFailed,
    /// It says that it ends.
    Drains,
    /// It was told to end by then.
    ToldToEnd(Timestamp),
    /// It has ended.
    Ended,
}

/// One thing to do outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Start it where it does not run, and make it ready for the town.
    Start,
    /// Ask whether it lives.
    Ping,
    /// End it, and start it anew.
    Restart,
    /// End it: it had its time.
    End,
    /// Tell the town that it could not be started.
    TellStartFailed(String),
    /// Tell the town that it cannot be kept alive.
    TellExhausted,
    /// Tell the town that it answers again.
    TellRecovered,
}

/// A plan in the making.
pub struct Plan {
    life: Life,
    now: Timestamp,
    effects: Vec<Effect>,
}

impl Plan {
    /// Begins with the row as it is.
    pub const fn new(life: Life, now: Timestamp) -> Self {
        Self { life, now, effects: Vec::new() }
    }
}

/// A finished plan.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The row as it shall be.
    pub life: Life,
    /// What to do after it is written.
    pub effects: Vec<Effect>,
    /// When to look again; none: only when something happens.
    pub wake_at: Option<Timestamp>,
}

/// A rule: looks at the row, changes it, and says what is to be done.
pub type Rule = fn(&mut Plan);

/// Rules in the order they run (domain.md 9.1).
pub const RULES: &[(&str, Rule)] = &[
    ("end", end),             //    a runtime that was told to end has ended
    ("ensure", ensure),       // K1 it is started when it is needed
    ("health", health),       // K2 it is asked when it is silent
    ("restart", restart),     // K3 it is restarted when it does not answer
    ("exhausted", exhausted), // K4 and given up loudly
];

/// Plans without news: what an alarm does.
pub fn plan(life: Life, now: Timestamp) -> Planned {
    run_rules(Plan::new(life, now), RULES)
}

/// Applies one fact, then plans.
pub fn observe(life: Life, now: Timestamp, event: Event) -> Planned {
    let mut plan = Plan::new(life, now);
    apply(&mut plan, event);
    run_rules(plan, RULES)
}

/// What follows from the fact that a plan has applied: by all rules, or, in a test, by all but one.
pub fn run_rules(mut plan: Plan, rules: &[(&'static str, Rule)]) -> Planned {
    for (_, rule) in rules {
        rule(&mut plan);
    }
    let wake_at = wake_at(&plan.life, plan.now);
    Planned { life: plan.life, effects: plan.effects, wake_at }
}

/// Applies one fact.
pub fn apply(plan: &mut Plan, event: Event) {
    let now = plan.now;
    let life = &mut plan.life;
    match event {
        Event::Needed(is_needed) => life.is_needed = is_needed,
        Event::Attached => {
            if life.phase != Phase::Running {
                life.enter(Phase::Running, now);
            }
            life.start_failures = 0;
            life.not_before = None;
            life.end_by = None;
            heard(plan);
        }
        Event::Heard => match life.phase {
            Phase::Running | Phase::Unhealthy => {
                if life.phase == Phase::Unhealthy {
                    life.enter(Phase::Running, now);
                }
                heard(plan);
            }
            // A start is over when it is attached; what ends goes on ending.
            Phase::Starting | Phase::Stopped | Phase::Draining => life.last_ok_at = Some(now),
        },
        Event::StartFailed(message) => {
            if life.phase == Phase::Starting {
                start_failed(plan, message);
            }
        }
        Event::PingFailed => match life.phase {
            Phase::Running | Phase::Unhealthy => {
                life.failures += 1;
                life.first_failure_at = life.first_failure_at.or(Some(now));
                if life.phase == Phase::Running {
                    life.enter(Phase::Unhealthy, now);
                }
            }
            Phase::Starting | Phase::Stopped | Phase::Draining => (),
        },
        Event::Drains => match life.phase {
            Phase::Running | Phase::Unhealthy => life.enter(Phase::Draining, now),
            Phase::Starting | Phase::Stopped | Phase::Draining => (),
        },
        Event::ToldToEnd(end_by) => {
            if life.phase != Phase::Stopped {
                life.enter(Phase::Draining, now);
                life.end_by = Some(end_by);
            }
        }
        Event::Ended => stopped(life, now),
    }
}

fn heard(plan: &mut Plan) {
    plan.life.last_ok_at = Some(plan.now);
    plan.life.failures = 0;
    plan.life.first_failure_at = None;
    if plan.life.is_exhausted_told {
        plan.life.is_exhausted_told = false;
        plan.effects.push(Effect::TellRecovered);
    }
}

fn start_failed(plan: &mut Plan, message: String) {
    let life = &mut plan.life;
    life.start_failures += 1;
    life.not_before = Some(plan.now + backoff(life.start_failures));
    life.enter(Phase::Stopped, plan.now);
    plan.effects.push(Effect::TellStartFailed(message));
}

fn stopped(life: &mut Life, now: Timestamp) {
    if life.phase != Phase::Stopped {
        life.enter(Phase::Stopped, now);
    }
    life.end_by = None;
    life.failures = 0;
    life.first_failure_at = None;
}

fn end(plan: &mut Plan) {
    if plan.life.phase == Phase::Draining && end_of_drain(&plan.life) <= plan.now {
        stopped(&mut plan.life, plan.now);
        plan.effects.push(Effect::End);
    }
}

/// A runtime that was told to end does so by then; one that ends by itself has a drain's time.
fn end_of_drain(life: &Life) -> Timestamp {
    life.end_by.unwrap_or(life.since + DRAIN_LIMIT)
}

fn ensure(plan: &mut Plan) {
    let now = plan.now;
    if plan.life.phase == Phase::Starting && now.since(plan.life.since) >= RUNTIME_START_LIMIT {
        start_failed(plan, "Nothing was heard of the start of the agent runtime.".to_owned());
    }
    let life = &mut plan.life;
    let backs_off = life.not_before.is_some_and(|at| at > now);
    if life.is_needed && life.phase == Phase::Stopped && !backs_off {
        life.enter(Phase::Starting, now);
        plan.effects.push(Effect::Start);
    }
}

fn health(plan: &mut Plan) {
    let now = plan.now;
    if next_ping(&plan.life).is_some_and(|at| at <= now) {
        plan.life.pinged_at = Some(now);
        plan.effects.push(Effect::Ping);
    }
}

fn restart(plan: &mut Plan) {
    let now = plan.now;
    if !is_restart_due(&plan.life, now) {
        return;
    }
    let life = &mut plan.life;
    if life.window_at.is_none_or(|at| now.since(at) >= RESTARTS_WINDOW) {
        life.window_at = Some(now);
        life.restarts = 0;
        life.is_exhausted_told = false;
    }
    if life.restarts < RESTARTS_MAX {
        life.restarts += 1;
        life.restarted_at = Some(now);
        life.failures = 0;
        life.first_failure_at = None;
        life.enter(Phase::Starting, now);
        plan.effects.push(Effect::Restart);
    }
}

fn exhausted(plan: &mut Plan) {
    if is_restart_due(&plan.life, plan.now) && !plan.life.is_exhausted_told {
        plan.life.is_exhausted_told = true;
        plan.effects.push(Effect::TellExhausted);
    }
}

fn is_restart_due(life: &Life, now: Timestamp) -> bool {
    let long_ago = |at: Option<Timestamp>| at.is_some_and(|at| now.since(at) >= RESTART_AFTER);
    life.phase == Phase::Unhealthy
        && life.is_needed
        && life.failures >= PING_FAILURES
        && long_ago(life.first_failure_at)
        && (life.restarted_at.is_none() || long_ago(life.restarted_at))
}

/// A runtime that is needed is asked (one that ends, whether another life took its place) when neither it nor a ping was heard of for HEALTH_EVERY.
fn next_ping(life: &Life) -> Option<Timestamp> {
    let is_watched = life.is_needed && matches!(life.phase, Phase::Running | Phase::Unhealthy | Phase::Draining);
    let newest = life.last_ok_at.max(life.pinged_at).max(Some(life.since));
    newest.filter(|_| is_watched).map(|at| at + HEALTH_EVERY)
}

fn wake_at(life: &Life, now: Timestamp) -> Option<Timestamp> {
    let start = life.not_before.filter(|_| life.is_needed && life.phase == Phase::Stopped);
    let give_up = (life.phase == Phase::Starting).then(|| life.since + RUNTIME_START_LIMIT);
    let end = (life.phase == Phase::Draining).then(|| end_of_drain(life));
    let soonest = now + Duration::from_millis(1);
    [next_ping(life), start, give_up, end].into_iter().flatten().map(|at| at.max(soonest)).min()
}
