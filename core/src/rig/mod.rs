//! The rig: one repository with its beads, agents, assignments and reviews.
//!
//! A command or a fact is applied first (`command/`, `event/`), to a working copy of everything that is live (`state.rs`,
//! `plan.rs`). Then the rules below run once, in this order, each on the result of the ones above it: what is dead or
//! pointless is ended (R1 to R11), reviews move towards their merge (R12 to R21), then work is given out and started
//! (R22 to R29), and what is left is said (R30 to R34). So a bead whose blocker merged is assigned in the same commit.
//!
//! Reading order: the list, one file of `rules/`, then the entity that it is about, which begins with its table of
//! transitions. Nothing here awaits, reads a clock or makes a random number, and nothing is done: what shall happen
//! outside is an [`Effect`], and its outcome comes back as an [`Event`]. Planning twice without news yields nothing.

// What a plan is made from, and what it says.
pub mod plan;
pub mod state;
pub mod wait;

// What is asked, and what has happened.
pub mod answer;
pub mod command;
pub mod event;

// What follows.
mod rules;

// What it is about: work, and who does it …
pub mod agent;
pub mod assignment;
pub mod bead;
pub mod molecule;
pub mod usage;

// … how it is judged and merged …
pub mod job;
pub mod pr;
pub mod review;

// … what is said about it …
mod escalation;
pub mod lesson;
pub mod mail;
pub mod nudge;
pub mod triage;

// … and what it is a part of.
mod convoy;

// What never holds.
pub mod invariant;

pub use crate::breaker;
pub use command::{Applied, Command, Reference, Refusal};
pub use event::{Event, Receipt};
pub use plan::{Context, Effect, Plan, Planned, Write};
pub use state::State;

/// A rule: reads the plan's state, writes what follows.
pub type Rule = fn(&mut Plan);

/// Rules in the order they run (domain.md 6.2). Each rule sees the writes of the rules above it.
pub const RULES: &[(&str, Rule)] = &[
    ("lease_probe", rules::lease_probe::run), // R1  a silent session is asked for before it is given up
    ("lease_lost", rules::lease_lost::run),   // R2  a dead session frees its agent and its bead
    ("start_limit", rules::start_limit::run), // R3  a start that hangs has failed
    ("gupp", rules::gupp::run),               // R4  silent agents are reminded, then stopped
    ("idle", rules::idle::run),               // R5  agents that forget to report are asked, then stopped
    ("jobs", rules::jobs::run),               // R6  a silent job is ordered again
    ("cancel", rules::cancel::run),           // R7  nobody works for nothing
    ("expire", rules::expire::run),           // R8  claims, mail and nudges lapse
    ("repair", rules::repair::run),           // R9  impossible states are left
    ("caps", rules::caps::run),               // R10 fruitless work ends
    ("bead_budget", rules::bead_budget::run), // R11 the spend of one bead is bounded
    ("child_ended", rules::child_ended::run), // R12 reworked branches are reviewed again
    ("pr_poll", rules::pr_poll::run),         // R13 pull requests are followed at the forge
    ("pr_react", rules::pr_react::run),       // R14 what a poll found is answered
    ("review_policy", rules::review_policy::run), // R15 review is skipped where the settings say so
    ("gates", rules::gates::run),             // R16 facts before opinions
    ("gates_red", rules::gates_red::run),     // R17 red gates spare the refinery
    ("child", rules::child::run),             // R18 findings become work
    ("open_pr", rules::open_pr::run),         // R19 the work is shown at the forge
    ("merge", rules::merge::run),             // R20 approved work lands
    ("pr_merge", rules::pr_merge::run),       // R21 green pull requests are merged
    ("breaker", rules::breaker::run),         // R22 failing starts stop
    ("refinery", rules::refinery::run),       // R23 a waiting review has a refinery
    ("assign_review", rules::assign_review::run), // R24 one review at a time in each lane
    ("assign_polecats", rules::assign_polecats::run), // R25 dispatchable issues get polecats
    ("ask_slot", rules::ask_slot::run),       // R26 sessions need the town's permission
    ("start", rules::start::run),             // R27 permitted sessions are ordered
    ("reorder", rules::reorder::run),         // R28 unanswered orders are repeated
    ("deregister", rules::deregister::run),   // R29 idle polecats give their names back
    ("mail", rules::mail::run),               // R30 mail reaches running sessions
    ("nudges", rules::nudges::run),           // R31 nudges reach running sessions
    ("prune", rules::prune::run),             // R32 what is too old is forgotten
    ("report", rules::report::run),           // R33 the Town knows what is live
    ("wake", rules::wake::run),               // R34 the next look
];

/// Plans without news: what an alarm does.
pub fn plan(state: State, context: Context<'_>) -> Planned {
    run_rules(Plan::new(state, context), RULES)
}

/// Applies facts in order, then plans. One receipt per fact.
pub fn observe(state: State, context: Context<'_>, events: Vec<Event>) -> (Planned, Vec<Receipt>) {
    let mut plan = Plan::new(state, context);
    let receipts = events.into_iter().map(|event| event::apply(&mut plan, event)).collect();
    (run_rules(plan, RULES), receipts)
}

/// Applies one command, then plans. A refused command changes nothing: the state comes back as it was.
pub fn handle(
    state: State,
    context: Context<'_>,
    command: Command,
) -> Result<(Planned, Applied), (Box<State>, Refusal)> {
    let mut plan = Plan::new(state, context);
    match command::apply(&mut plan, command) {
        Ok(applied) => Ok((run_rules(plan, RULES), applied)),
        Err(refusal) => Err((Box::new(plan.refused()), refusal)),
    }
}

/// Applies several commands in order, each of them or its refusal, then plans once: what a bulk call does.
pub fn handle_each(
    state: State,
    context: Context<'_>,
    commands: Vec<Command>,
) -> (Planned, Vec<Result<Applied, Refusal>>) {
    let mut plan = Plan::new(state, context);
    let results = commands.into_iter().map(|command| command::apply(&mut plan, command)).collect();
    (run_rules(plan, RULES), results)
}

/// What follows from the facts and commands that a plan has applied: by all rules, or, in a test, by all but one.
pub fn run_rules(mut plan: Plan<'_>, rules: &[(&'static str, Rule)]) -> Planned {
    for &(name, rule) in rules {
        plan.enter(name);
        rule(&mut plan);
    }
    plan.finish()
}
