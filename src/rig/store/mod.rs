//! The rig's rows: loads the live ones as one [`State`], writes what a plan says, and answers the API's look-ups of what is
//! not live. Everything is synchronous; the object wraps a commit in one transaction. Row types stay in here.

mod agents;
mod assignments;
pub mod beads;
mod edges;
pub mod events;
pub mod figures;
mod jobs;
mod lessons;
mod mail;
mod nudges;
mod protocol;
mod prune;
mod remove;
mod reviews;
mod rig;
mod steps;
mod usage;
mod watches;

use gastown_core::sorted::SortedMap;

use gastown_core::id::{AgentId, AssignmentId, BeadId, ConvoyId, MailId};
use gastown_core::rig::assignment::Assignment;
use gastown_core::rig::bead::Bead;
use gastown_core::rig::lesson::Lesson;
use gastown_core::rig::mail::Mail;
use gastown_core::rig::review::{GateRun, Review, Round};
use gastown_core::rig::{Reference, State, Write};
use gastown_core::wire::api::agent::FormerAgent;
use gastown_core::wire::api::bead::NewestAssignment;

use crate::sql::{Sql, SqlError};

pub use beads::Filter;
pub use rig::create;

/// All live rows, or nothing when the rig was never created (or was deleted).
pub fn load(sql: &impl Sql) -> Result<Option<State>, SqlError> {
    let Some(rig) = rig::load(sql)? else { return Ok(None) };
    let mut state = State::new(rig);
    state.beads = beads::live(sql)?.into_iter().map(|bead| (bead.bead_id, bead)).collect();
    state.edges = edges::live(sql)?.into_iter().map(|edge| ((edge.bead_id, edge.blocker_id), edge)).collect();
    state.agents = agents::all(sql)?.into_iter().map(|agent| (agent.agent_id, agent)).collect();
    state.assignments = assignments::live(sql)?.into_iter().map(|a| (a.assignment_id, a)).collect();
    state.reviews = reviews::live(sql)?.into_iter().map(|review| (review.bead_id, review)).collect();
    state.rounds = reviews::live_rounds(sql)?.into_iter().map(|round| ((round.review_id, round.n), round)).collect();
    state.gate_runs = reviews::live_gate_runs(sql)?.into_iter().map(|run| (run.run_id, run)).collect();
    state.watches = watches::live(sql)?.into_iter().map(|watch| (watch.review_id, watch)).collect();
    state.jobs = jobs::live(sql)?.into_iter().map(|job| (job.job_id, job)).collect();
    state.mail = mail::undelivered(sql)?.into_iter().map(|mail| (mail.mail_id, mail)).collect();
    state.nudges = nudges::live(sql)?.into_iter().map(|nudge| (nudge.nudge_id, nudge)).collect();
    state.steps = steps::live(sql)?.into_iter().map(|step| ((step.molecule_id, step.idx), step)).collect();
    state.spending = usage::live(sql)?;
    state.outbox = protocol::outbox(sql)?;
    state.town_applied = protocol::applied(sql)?;
    Ok(Some(state))
}

/// Writes one row of a plan. `rule` is who wants it; the audit log keeps the name.
pub fn write(sql: &impl Sql, rule: &str, write: &Write) -> Result<(), SqlError> {
    match write {
        Write::Rig(row) => rig::put(sql, row),
        Write::Bead(bead) => beads::put(sql, bead),
        Write::Edge(edge) => edges::put(sql, edge),
        Write::RemoveEdge(bead_id, blocker_id) => edges::remove(sql, *bead_id, *blocker_id),
        Write::RemoveBead(bead_id) => remove::bead(sql, *bead_id),
        Write::Agent(agent) => agents::put(sql, agent),
        Write::RemoveAgent(agent_id) => agents::remove(sql, *agent_id),
        Write::Assignment(assignment) => assignments::put(sql, assignment),
        Write::Review(review) => reviews::put(sql, review),
        Write::Round(round) => reviews::put_round(sql, round),
        Write::GateRun(run) => reviews::put_gate_run(sql, run),
        Write::Watch(watch) => watches::put(sql, watch),
        Write::Job(job) => jobs::put(sql, job),
        Write::Mail(mail) => mail::put(sql, mail),
        Write::Nudge(nudge) => nudges::put(sql, nudge),
        Write::Step(step) => steps::put(sql, step),
        Write::Lesson(lesson) => lessons::put(sql, lesson),
        Write::Usage(scope, spent) => usage::put(sql, scope, *spent),
        Write::Outbox(row) => protocol::put_outbox(sql, row),
        Write::Acknowledged(seq) => protocol::acknowledged(sql, *seq),
        Write::Applied(seq) => protocol::put_applied(sql, *seq),
        Write::Event(event) => events::append(sql, rule, event),
        Write::Prune(now) => prune::run(sql, *now),
    }
}

/// Brings rows that a command speaks of back into view, when they are not live.
pub fn recall(sql: &impl Sql, state: &mut State, references: &[Reference]) -> Result<(), SqlError> {
    for reference in references {
        match *reference {
            Reference::Bead(bead_id) if !state.beads.contains_key(&bead_id) => {
                recall_beads(sql, state, beads::find(sql, bead_id)?)?;
            }
            Reference::Assignment(assignment_id) if !state.assignments.contains_key(&assignment_id) => {
                if let Some(assignment) = assignments::find(sql, assignment_id)? {
                    state.recall_assignment(assignment);
                }
            }
            Reference::Family(bead_id) => recall_beads(sql, state, beads::family(sql, bead_id)?)?,
            Reference::Namesakes(bead_id) => recall_beads(sql, state, beads::namesakes(sql, bead_id)?)?,
            Reference::Convoy(convoy_id) => recall_spending(sql, state, convoy_id)?,
            Reference::Bead(_) | Reference::Assignment(_) => (),
        }
    }
    Ok(())
}

/// Brings back what a convoy without live beads has spent, so that more of it is added to that.
fn recall_spending(sql: &impl Sql, state: &mut State, convoy_id: ConvoyId) -> Result<(), SqlError> {
    if let Some(spent) = usage::of_convoy(sql, convoy_id)? {
        state.recall_spending(convoy_id, spent);
    }
    Ok(())
}

/// Brings beads that are not live back into view, with their edges and the spend of their convoys.
fn recall_beads(sql: &impl Sql, state: &mut State, found: impl IntoIterator<Item = Bead>) -> Result<(), SqlError> {
    for bead in found.into_iter().filter(|bead| !bead.is_live()) {
        for edge in edges::of_bead(sql, bead.bead_id)? {
            state.edges.insert((edge.bead_id, edge.blocker_id), edge);
        }
        if let Some(convoy_id) = bead.convoy_id {
            recall_spending(sql, state, convoy_id)?;
        }
        state.recall_bead(bead);
    }
    Ok(())
}

/// Brings what an assignment counts for back into view: itself, its bead, and the bead's root.
pub fn recall_spender(sql: &impl Sql, state: &mut State, assignment_id: AssignmentId) -> Result<(), SqlError> {
    recall(sql, state, &[Reference::Assignment(assignment_id)])?;
    let bead_id = state.assignments.get(&assignment_id).map(|assignment| assignment.bead_id);
    recall(sql, state, &bead_id.map(Reference::Bead).into_iter().collect::<Vec<_>>())?;
    let root_id = bead_id.and_then(|bead_id| state.beads.get(&bead_id)).map(|bead| bead.root_id);
    recall(sql, state, &root_id.map(Reference::Bead).into_iter().collect::<Vec<_>>())
}

/// A bead, live or not.
pub fn bead(sql: &impl Sql, bead_id: BeadId) -> Result<Option<Bead>, SqlError> {
    beads::find(sql, bead_id)
}

/// An agent that is not registered any more.
pub fn former_agent(sql: &impl Sql, agent_id: AgentId) -> Result<Option<FormerAgent>, SqlError> {
    agents::former(sql, agent_id)
}

/// Assignments of a bead, newest first.
pub fn assignments_of_bead(sql: &impl Sql, bead_id: BeadId) -> Result<Vec<Assignment>, SqlError> {
    assignments::of_bead(sql, bead_id)
}

/// Assignments of an agent, newest first.
pub fn assignments_of_agent(
    sql: &impl Sql,
    agent_id: AgentId,
    limit: u32,
    offset: u32,
) -> Result<Vec<Assignment>, SqlError> {
    assignments::of_agent(sql, agent_id, limit, offset)
}

/// An assignment, live or not.
pub fn assignment(sql: &impl Sql, assignment_id: AssignmentId) -> Result<Option<Assignment>, SqlError> {
    assignments::find(sql, assignment_id)
}

/// What the newest assignment and review of each of these beads say about it.
pub fn newest(sql: &impl Sql, bead_ids: &[BeadId]) -> Result<SortedMap<BeadId, NewestAssignment>, SqlError> {
    assignments::newest(sql, bead_ids)
}

/// A review with everything that was said and measured about it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewHistory {
    /// The review, live or not.
    pub review: Review,
    /// Its judgements, oldest first.
    pub rounds: Vec<Round>,
    /// Its gate runs, newest first.
    pub gate_runs: Vec<GateRun>,
}

/// Reviews of one bead in a history: a bead is reviewed again only when somebody tries it again.
const REVIEWS_MAX: u32 = 20;
/// Gate runs of one review in a history.
const GATE_RUNS_MAX: u32 = 50;

/// The reviews of a bead, or the review that the bead is; newest first.
pub fn reviews_of_bead(sql: &impl Sql, bead_id: BeadId) -> Result<Vec<ReviewHistory>, SqlError> {
    let reviews = reviews::of_bead(sql, bead_id, REVIEWS_MAX)?.into_iter();
    let history = reviews.map(|review| {
        let rounds = reviews::rounds_of(sql, review.bead_id)?;
        let gate_runs = reviews::gate_runs_of(sql, review.bead_id, GATE_RUNS_MAX)?;
        Ok(ReviewHistory { review, rounds, gate_runs })
    });
    history.collect()
}

/// Mail to an agent, newest first, delivered or not.
pub fn mail_of_agent(sql: &impl Sql, agent_id: AgentId, limit: u32, offset: u32) -> Result<Vec<Mail>, SqlError> {
    mail::of_agent(sql, agent_id, limit, offset)
}

/// Mail that this assignment has read, oldest first.
pub fn mail_read_by(sql: &impl Sql, assignment_id: AssignmentId) -> Result<Vec<Mail>, SqlError> {
    mail::delivered_to(sql, assignment_id)
}

/// The newest mail: this one, of one thread, or of all.
pub fn mail_page(
    sql: &impl Sql,
    mail_id: Option<MailId>,
    thread_id: Option<MailId>,
    limit: u32,
) -> Result<Vec<Mail>, SqlError> {
    mail::page(sql, mail_id, thread_id, limit)
}

/// What the rig remembers of finished work, newest first.
pub fn lessons(sql: &impl Sql) -> Result<Vec<Lesson>, SqlError> {
    lessons::newest(sql)
}

/// What the author of a bead's newest work said at the end.
pub fn summary_of_bead(sql: &impl Sql, bead_id: BeadId) -> Result<Option<String>, SqlError> {
    assignments::summary_of_bead(sql, bead_id)
}

/// Empties every table.
pub fn wipe(sql: &impl Sql) -> Result<(), SqlError> {
    TABLES.iter().try_for_each(|delete| sql.run(delete, &[]))
}

/// One statement per table: what a deleted rig leaves behind is nothing.
const TABLES: &[&str] = &[
    "delete from rig",
    "delete from beads",
    "delete from bead_labels",
    "delete from dependencies",
    "delete from agents",
    "delete from former_agents",
    "delete from assignments",
    "delete from reviews",
    "delete from rounds",
    "delete from gate_runs",
    "delete from pr_watches",
    "delete from jobs",
    "delete from mail",
    "delete from nudges",
    "delete from steps",
    "delete from lessons",
    "delete from events",
    "delete from start_failures",
    "delete from usage",
    "delete from requests",
    "delete from outbox",
    "delete from outbox_next",
    "delete from inbox",
];
