//! The town: its settings, its rigs, the permission to start sessions, and the mayor.
//!
//! The same scheme as the rig's (`rig/mod.rs`): commands and facts are applied first, then the rules run once, in this
//! order, each on the result of the ones above it. No rule makes work for a rule above it; where the numbers of domain.md
//! 9.1 are out of line here, that is why: a slot is taken back before it is given to another, the mayor is told of what
//! the convoys and escalations above came to and started for it, the runtime is needed when all who need it have said so,
//! and messages are sent when everything is posted. T3, a new runtime, decides nothing: it is the fact itself
//! (`event.rs`).
//!
//! Reading order: the list, one file of `rules/`, then the entity that it is about, which begins with its table of
//! transitions. The runtime's own life, K1 to K4, is `container.rs` beside this folder.

// What a plan is made from, and what it says.
pub mod plan;
pub mod state;

// What is asked, and what has happened.
pub mod command;
pub mod event;

// What follows.
mod rules;

// What it is about: convoys, the mayor, and what people should see.
pub mod convoy;
pub mod escalation;
pub mod mail;
pub mod mayor;
pub mod notice;
pub mod triage;

// What never holds.
pub mod invariant;

pub use command::{Applied, Command, Refusal};
pub use event::{Event, Receipt};
pub use plan::{Context, Effect, Plan, Planned, Write};
pub use state::State;

/// A rule: reads the plan's state, writes what follows.
pub type Rule = fn(&mut Plan);

/// Rules in the order they run (domain.md 9.1). Each rule sees the writes of the rules above it.
pub const RULES: &[(&str, Rule)] = &[
    ("drain", rules::drain::run),                       // T2  a drain that nobody ends, ends
    ("breaker", rules::breaker::run),                   // T4  failing starts stop in the whole town
    ("budget", rules::budget::run),                     // T5  the spend is bounded
    ("reclaim", rules::reclaim::run),                   // T7  no leaked slot
    ("grant", rules::grant::run),                       // T6  permission to start sessions
    ("edges", rules::edges::run),                       // T10 gates between rigs
    ("progress", rules::progress::run),                 // T11 counts follow the tasks
    ("attention", rules::attention::run),               // T12 convoys that need a person say so
    ("settle", rules::settle::run),                     // T13 settled convoys move on
    ("landing", rules::landing::run),                   // T14 feature branches reach the merge target
    ("re_escalate", rules::re_escalate::run),           // T20 what nobody answers gets louder
    ("triage", rules::triage::run),                     // T21 ambiguous matters go to an agent
    ("route_mail", rules::route_mail::run),             // T22 mail between rigs, mayor and people
    ("mayor_lease", rules::mayor_lease::run),           // T16 a dead mayor is noticed
    ("mayor_notify", rules::mayor_notify::run),         // T19 the mayor hears of what matters, once
    ("mayor_start", rules::mayor_start::run),           // T15 whoever wants the mayor finds one
    ("mayor_model", rules::mayor_model::run),           // T17 another model takes over the conversation
    ("mayor_deliver", rules::mayor_deliver::run),       // T18 each message once, in order
    ("container_needed", rules::container_needed::run), // T8  the runtime runs when it is useful
    ("idle_stop", rules::idle_stop::run),               // T9  and sleeps when it is not
    ("rig_watch", rules::rig_watch::run),               // T23 a rig whose alarm was lost is woken
    ("tell_rigs", rules::tell_rigs::run),               //     rigs know the settings and the town's state
    ("outbox", rules::outbox::run),                     // T1  messages are sent until acknowledged
    ("account", rules::account::run),                   // T24 the account knows whether the town is live
    ("prune", rules::prune::run),                       // T25 old rows are dropped
    ("wake", rules::wake::run),                         // T26 the next look
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

/// What follows from the facts and commands that a plan has applied: by all rules, or, in a test, by all but one.
pub fn run_rules(mut plan: Plan<'_>, rules: &[(&'static str, Rule)]) -> Planned {
    for &(name, rule) in rules {
        plan.enter(name);
        rule(&mut plan);
    }
    plan.finish()
}
