//! What a rig shows: rows in their wire shape. Nothing here changes anything.

use std::rc::Rc;
use std::time::Duration;

use gastown_core::id::{AgentId, BeadId, TownId};
use gastown_core::rig::bead::BeadStatus;
use gastown_core::rig::state::State;
use gastown_core::rig::{assignment, bead};
use gastown_core::wire::api::agent::{Agent, Assignment};
use gastown_core::wire::api::bead::Bead;
use gastown_core::wire::api::event::Event;
use gastown_core::wire::api::explain::{Explain, History};
use gastown_core::wire::api::mail::Mail;
use gastown_core::wire::api::metrics::RigFigures;
use gastown_core::wire::api::snapshot::BreakerStatus;
use gastown_core::wire::api::town::RigCounts;

use super::calls::{
    BeadAssignments, BeadPage, ExplainBead, ListAgents, ListBeads, ListEvents, ListMail, ListSpent, Overview, ShowBead,
    ShowFigures, ShowOverview, Spent, Whereabouts,
};
use super::commit::View;
use super::store::{beads, events};
use super::{Desk, publish, review, store};
use crate::error::Result;

/// A dashboard shows what ended this recently (api.md 4, Snapshot).
const RECENT: Duration = Duration::from_secs(24 * 3600);
/// Beads of one rig in a snapshot.
const OVERVIEW_BEADS: u32 = 2_000;
/// Rows of the log in a snapshot.
const OVERVIEW_EVENTS: u32 = 50;

/// Which town this rig belongs to.
pub(super) async fn whereabouts(desk: &Rc<Desk>, _: Whereabouts) -> Result<TownId> {
    desk.read(|state| Ok(state.rig.town_id))
}

/// A page of beads.
pub(super) async fn beads(desk: &Rc<Desk>, call: ListBeads) -> Result<BeadPage> {
    desk.is_of(call.town_id)?;
    let found = beads::list(&desk.sql, &call.filter)?;
    let total = if call.counts { beads::count(&desk.sql, &call.filter)? } else { 0 };
    desk.read(|state| Ok(BeadPage { beads: shapes(desk, state, &found)?, total }))
}

/// Why a bead is where it is.
pub(super) async fn explain(desk: &Rc<Desk>, call: ExplainBead) -> Result<Explain> {
    desk.is_of(call.town_id)?;
    let assignments = store::assignments_of_bead(&desk.sql, call.bead_id)?;
    let review = store::reviews_of_bead(&desk.sql, call.bead_id)?.into_iter().next().map(|history| history.review);
    let (now, catalogue) = (desk.now()?, crate::catalogue::catalogue()?);
    desk.read(|state| {
        let view = View { state, sql: &desk.sql };
        let bead = view.row(call.bead_id)?;
        let names = state.edges.keys().filter(|(dependent, _)| *dependent == call.bead_id);
        let blockers = names.filter_map(|(_, blocker)| view.row(*blocker).ok()).collect();
        let model = assignment::resolution(state, catalogue, &bead);
        let history = History { assignments, review, blockers };
        Ok(Explain::of(state, view.bead(call.bead_id)?, &bead, &history, model, now))
    })
}

/// One bead.
pub(super) async fn bead(desk: &Rc<Desk>, call: ShowBead) -> Result<Bead> {
    desk.is_of(call.town_id)?;
    desk.read(|state| View { state, sql: &desk.sql }.bead(call.bead_id))
}

/// Assignments of a bead, newest first.
pub(super) async fn assignments(desk: &Rc<Desk>, call: BeadAssignments) -> Result<Vec<Assignment>> {
    desk.is_of(call.town_id)?;
    let rows = store::assignments_of_bead(&desk.sql, call.bead_id)?;
    desk.read(|state| {
        let title = View { state, sql: &desk.sql }.bead(call.bead_id)?.title;
        Ok(rows.iter().map(|row| Assignment { bead_title: title.clone(), ..Assignment::of(state, row) }).collect())
    })
}

/// Registered agents, oldest first.
pub(super) async fn agents(desk: &Rc<Desk>, call: ListAgents) -> Result<Vec<Agent>> {
    desk.is_of(call.town_id)?;
    desk.read(|state| Ok(all_agents(state)))
}

/// A page of the audit log, newest first.
pub(super) async fn events(desk: &Rc<Desk>, call: ListEvents) -> Result<Vec<Event>> {
    desk.is_of(call.town_id)?;
    let rows = events::list(&desk.sql, call.bead_id, call.agent_id, call.since, call.before, call.limit)?;
    desk.read(|state| Ok(logged(state, &rows)))
}

/// Mail to agents of this rig, newest first.
pub(super) async fn mail(desk: &Rc<Desk>, call: ListMail) -> Result<Vec<Mail>> {
    desk.is_of(call.town_id)?;
    let rows = store::mail_page(&desk.sql, call.mail_id, call.thread_id, call.limit)?;
    desk.read(|state| Ok(rows.iter().map(|row| Mail::of(state, row)).collect()))
}

/// What charts show of a window of time.
pub(super) async fn figures(desk: &Rc<Desk>, call: ShowFigures) -> Result<RigFigures> {
    desk.is_of(call.town_id)?;
    Ok(store::figures::of_window(&desk.sql, call.window)?)
}

/// What assignments spent, by group.
pub(super) async fn spent(desk: &Rc<Desk>, call: ListSpent) -> Result<Vec<Spent>> {
    desk.is_of(call.town_id)?;
    Ok(store::figures::spent(&desk.sql, call.by, call.from, call.to)?)
}

/// Everything that a dashboard shows.
pub(super) async fn overview(desk: &Rc<Desk>, call: ShowOverview) -> Result<Overview> {
    desk.is_of(call.town_id)?;
    let found = beads::recent(&desk.sql, desk.now()? - RECENT, OVERVIEW_BEADS)?;
    let rows = events::list(&desk.sql, None, None, None, None, OVERVIEW_EVENTS)?;
    desk.read(|state| {
        Ok(Overview {
            beads: shapes(desk, state, &found)?,
            agents: all_agents(state),
            counts: counts(state, &found),
            breaker: BreakerStatus {
                state: state.rig.breaker.state,
                opens_until: state.rig.breaker.until,
                failures: u32::try_from(state.rig.breaker.failures.len()).unwrap_or(u32::MAX),
                last_error: state.rig.breaker.message.clone(),
            },
            reviews: review::live(desk, &View { state, sql: &desk.sql })?,
            events: logged(state, &rows),
            is_truncated: found.len() >= OVERVIEW_BEADS as usize,
        })
    })
}

fn shapes(desk: &Desk, state: &State, found: &[bead::Bead]) -> Result<Vec<Bead>> {
    let ids: Vec<BeadId> = found.iter().map(|bead| bead.bead_id).collect();
    let mut newest = store::newest(&desk.sql, &ids)?;
    Ok(found.iter().map(|bead| Bead::of(state, bead, &newest.remove(&bead.bead_id).unwrap_or_default())).collect())
}

fn all_agents(state: &State) -> Vec<Agent> {
    let mut agents: Vec<_> = state.agents.values().collect();
    gastown_core::sorted::sort_by_key(&mut agents, |agent| (agent.created_at, agent.agent_id));
    agents.into_iter().map(|agent| Agent::of(state, agent)).collect()
}

pub(super) fn logged(state: &State, rows: &[events::Logged]) -> Vec<Event> {
    let name = |id: Option<AgentId>| id.and_then(|id| state.agents.get(&id)).map(|agent| agent.name.as_str());
    rows.iter().map(|row| publish::shape(row, state.rig.rig_id, name(row.agent_id))).collect()
}

fn counts(state: &State, recent: &[bead::Bead]) -> RigCounts {
    let of = |status: BeadStatus| {
        let beads = recent.iter().filter(|bead| bead.kind == bead::BeadType::Issue && bead.status == status);
        u32::try_from(beads.count()).unwrap_or(u32::MAX)
    };
    let working = state.live_assignments().filter(|assignment| assignment.has_session()).count();
    RigCounts {
        open: of(BeadStatus::Open),
        in_progress: of(BeadStatus::InProgress),
        in_review: of(BeadStatus::InReview),
        failed: of(BeadStatus::Failed),
        working_agents: u32::try_from(working).unwrap_or(u32::MAX),
        slots_used: u32::try_from(state.polecats_at_work()).unwrap_or(u32::MAX),
        slots: state.rig.settings.as_ref().map_or(0, |settings| settings.config.max_concurrent_polecats),
    }
}
