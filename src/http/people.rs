//! A town as a person watches and steers it: agents, status, snapshot (api.md 3.5 to 3.7).

use futures::future::join;
use gastown_core::access::TownRole;
use gastown_core::id::{AgentId, RigId};
use gastown_core::rig::agent::AgentRole;
use gastown_core::rig::wait::WaitScope;
use gastown_core::time::Timestamp;
use gastown_core::town::state::EscalationState;
use gastown_core::wire::api::agent::{Agent, AgentStatus};
use gastown_core::wire::api::bead::{Bead, Wait};
use gastown_core::wire::api::convoy::Convoy;
use gastown_core::wire::api::review::{MergeQueue, MergeQueueItem};
use gastown_core::wire::api::snapshot::{
    AgentCounts, AlarmStatus, BeadCounts, BreakerStatus, PatrolCounts, RecentEvent, RuntimeStatus, TownStatus,
};
use gastown_core::wire::api::town::Rig;
use gastown_core::wire::envelope::Warning;
use serde_json::{Value, json};

use super::cursor;
use super::inbound::Inbound;
use super::reply::Reply;
use crate::error::Result;
use crate::rig::calls::{ListAgents, Overview, ShowOverview};
use crate::town::calls::{
    AdmissionView, AuditFilter, EscalationFilter, Frames, ListAudit, ListConvoys, ListEscalations, ListFrames,
    ListRigs, NumberedFrame, Show, ShowAdmission, ShowMayor, TownView,
};
use crate::town_container::calls::{ListTranscript, ShowRuntime};

/// Beads of a snapshot (api.md 4).
const SNAPSHOT_BEADS: usize = 2_000;
/// Open escalations of a snapshot: more than a person can look through.
const SNAPSHOT_ESCALATIONS: usize = 500;
/// Events of a status.
const RECENT_EVENTS: usize = 20;
/// Events of a snapshot.
const SNAPSHOT_EVENTS: u32 = 50;

/// GET `T/agents`: the mayor included.
pub async fn agents(inbound: Inbound) -> Result<Reply> {
    let roles = inbound.query.many::<AgentRole>("role")?;
    let statuses = inbound.query.many::<AgentStatus>("status")?;
    let rig_id = inbound.query.one::<RigId>("rig_id")?;
    let (mut agents, warnings) = agents_of_town(&inbound).await?;
    agents.retain(|agent| {
        (roles.is_empty() || roles.contains(&agent.role))
            && (statuses.is_empty() || statuses.contains(&agent.status))
            && rig_id.is_none_or(|rig_id| agent.rig_id == Some(rig_id))
    });
    // Oldest first: the place counts backwards.
    gastown_core::sorted::sort_by_key(&mut agents, |agent| (agent.created_at, agent.id));
    let place = |agent: &Agent| (Timestamp::from_ms(-agent.created_at.ms()), u128::MAX - agent.id.as_u128());
    cursor::page_of_all(&inbound, agents, place, warnings)
}

/// GET `T/agents/:a`: the word `mayor` stands for its id.
pub async fn agent(inbound: Inbound) -> Result<Reply> {
    let wanted = inbound.params.get("agentId").unwrap_or_default().to_owned();
    let mayor = mayor(&inbound).await?;
    if wanted == "mayor" || mayor.get("id").and_then(Value::as_str) == Some(wanted.as_str()) {
        return Reply::ok(&mayor);
    }
    Reply::ok(&super::hands::find_agent(&inbound).await?.1)
}

/// GET `R/agents`
pub async fn agents_of_rig(inbound: Inbound) -> Result<Reply> {
    let roles = inbound.query.many::<AgentRole>("role")?;
    let statuses = inbound.query.many::<AgentStatus>("status")?;
    let call = ListAgents { town_id: inbound.town_id()? };
    let mut agents = inbound.ask_rig(inbound.rig_id()?, &call).await?;
    agents.retain(|agent| {
        (roles.is_empty() || roles.contains(&agent.role)) && (statuses.is_empty() || statuses.contains(&agent.status))
    });
    Reply::ok(&agents)
}

/// GET `T/agents/:a/events`: the transcript.
pub async fn agent_events(inbound: Inbound) -> Result<Reply> {
    let agent_id: AgentId = match inbound.params.get("agentId") {
        Some("mayor") => inbound.ask_town(&Show {}).await?.mayor_id,
        _ => inbound.agent_id()?,
    };
    let (after_id, before_id) = (inbound.query.one("after_id")?, inbound.query.one("before_id")?);
    let assignment_id = inbound.query.one("assignment_id")?;
    let limit = inbound.query.one::<u32>("limit")?.unwrap_or(500).min(1_000);
    Reply::passing(
        200,
        inbound.ask_container(&ListTranscript { agent_id, after_id, before_id, assignment_id, limit }).text(),
    )
    .await
}

/// GET `T/audit`: who changed what, newest first.
pub async fn audit(inbound: Inbound) -> Result<Reply> {
    let filter = AuditFilter {
        actors: inbound.query.many("actor")?,
        actions: inbound.query.many("action")?,
        since: inbound.query.one("since")?,
        before: cursor::of(&inbound)?.and_then(|(_, seq)| u64::try_from(seq).ok()),
        limit: cursor::wanted(&inbound)?,
    };
    let found = inbound.ask_town(&ListAudit { filter }).await?;
    let number = |row: &Value| row["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
    cursor::page(&inbound, found, |row| (Timestamp::from_ms(0), number(row)), None, Vec::new())
}

/// GET `T/status`
pub async fn status(inbound: Inbound) -> Result<Reply> {
    let scene = Scene::of(&inbound).await?;
    Reply::ok(&scene.status())
}

/// GET `T/explain`: why things wait, all in one place.
pub async fn explain(inbound: Inbound) -> Result<Reply> {
    let scene = Scene::of(&inbound).await?;
    let mut rigs = Vec::new();
    let mut beads = Vec::new();
    let breaker = |scope: String, of: &BreakerStatus| {
        let mut row = json!(of);
        row["scope"] = json!(scope);
        row
    };
    let mut breakers = vec![breaker("town".to_owned(), &scene.admission.breaker)];
    for (rig_id, overview) in &scene.overviews {
        let name = scene.rigs.iter().find(|rig| rig.id == *rig_id).map(|rig| rig.name.as_str());
        let waiting = || overview.beads.iter().filter_map(|bead| Some((bead, bead.wait.as_ref()?)));
        let of_rig: Vec<_> =
            waiting().map(|(_, wait)| wait).filter(|wait| wait.scope == WaitScope::Rig).take(1).collect();
        let counts = overview.counts;
        rigs.push(json!({ "rig_id": rig_id, "name": name, "waits": of_rig, "slots": counts.slots,
            "slots_used": counts.slots_used }));
        breakers.push(breaker(format!("rig {rig_id}"), &overview.breaker));
        beads.extend(waiting().map(|(bead, wait)| {
            json!({ "bead_id": bead.bead_id, "title": bead.title, "rig_id": rig_id, "status": bead.status, "waits": [wait] })
        }));
    }
    let of_town = scene.overviews.iter().flat_map(|(_, overview)| &overview.beads);
    let of_town = of_town.filter_map(|bead| bead.wait.as_ref()).filter(|wait| wait.scope == WaitScope::Town);
    let mut waits: Vec<&Wait> = Vec::new();
    for wait in of_town {
        if !waits.iter().any(|known| known.code == wait.code) {
            waits.push(wait);
        }
    }
    let data = json!({ "waits": waits, "rigs": rigs, "beads": beads, "breakers": breakers });
    Reply::with_warnings(200, &data, scene.warnings)
}

/// GET `T/container/health`
pub async fn runtime_status(inbound: Inbound) -> Result<Reply> {
    Reply::passing(200, inbound.ask_container(&ShowRuntime {}).text()).await
}

/// GET `T/snapshot`
pub async fn snapshot(inbound: Inbound) -> Result<Reply> {
    let scene = Scene::of(&inbound).await?;
    let status = scene.status();
    let role = inbound.town_role.unwrap_or(TownRole::Member);
    let Scene { frames, town, rigs, overviews, mayor, mayor_agent, escalations, convoys, warnings, .. } = scene;
    let is_truncated = overviews.iter().any(|(_, overview)| overview.is_truncated);
    let mut agents: Vec<Value> = vec![mayor_agent];
    let (mut beads, mut reviews): (Vec<Bead>, Vec<MergeQueueItem>) = (Vec::new(), Vec::new());
    let mut shown_rigs: Vec<Rig> = rigs;
    for (rig_id, overview) in overviews {
        if let Some(rig) = shown_rigs.iter_mut().find(|rig| rig.id == rig_id) {
            rig.counts = overview.counts;
        }
        agents.extend(overview.agents.iter().map(|agent| json!(agent)));
        beads.extend(overview.beads);
        reviews.extend(overview.reviews);
    }
    gastown_core::sorted::sort_by_key(&mut beads, |bead| std::cmp::Reverse((bead.created_at, bead.bead_id)));
    let truncated = is_truncated || beads.len() > SNAPSHOT_BEADS;
    beads.truncate(SNAPSHOT_BEADS);
    let queue = MergeQueue::of(reviews, None);
    let data = json!({
        "seq": frames.newest_seq,
        "town": town.seen_by(role),
        "rigs": shown_rigs,
        "agents": agents,
        "beads": beads,
        "convoys": convoys,
        "escalations": escalations,
        "merge_queue": queue,
        "mayor": mayor,
        "status": status,
        "events": frames.frames.into_iter().rev().map(|frame| frame.data).collect::<Vec<_>>(),
        "truncated": truncated,
    });
    Reply::with_warnings(200, &data, warnings)
}

/// Everything about a town at one moment. The number of the newest frame is read first, so that a stream from it misses
/// nothing of what is shown.
struct Scene {
    frames: Frames,
    town: TownView,
    rigs: Vec<Rig>,
    overviews: Vec<(RigId, Overview)>,
    mayor: Value,
    mayor_agent: Value,
    escalations: Vec<Value>,
    convoys: Vec<Convoy>,
    runtime: Option<RuntimeStatus>,
    admission: AdmissionView,
    warnings: Vec<Warning>,
}

impl Scene {
    async fn of(inbound: &Inbound) -> Result<Self> {
        let newest = ListFrames { after_seq: None, limit: SNAPSHOT_EVENTS, frame: Some("activity".to_owned()) };
        let frames = inbound.ask_town(&newest).await?;
        let town_id = inbound.town_id()?;
        let rigs = inbound.ask_town(&ListRigs {}).await?;
        let overview = ShowOverview { town_id };
        let rig_ids: Vec<RigId> = rigs.iter().map(|rig| rig.id).collect();
        let asked = inbound.ask_rigs(&rig_ids, &overview);
        let ((overviews, warnings), runtime) = join(asked, inbound.ask_container(&ShowRuntime {})).await;
        let mayor = inbound.ask_town(&ShowMayor {}).await?;
        let filter = EscalationFilter {
            states: vec![EscalationState::Open],
            limit: SNAPSHOT_ESCALATIONS,
            ..EscalationFilter::default()
        };
        let escalations = inbound.ask_town(&ListEscalations { filter }).await?;
        let convoys = inbound.ask_town(&ListConvoys { states: Vec::new(), after: None, limit: u32::MAX }).await?;
        Ok(Self {
            frames,
            town: inbound.ask_town(&Show {}).await?,
            rigs,
            overviews,
            mayor: mayor.status,
            mayor_agent: mayor.agent,
            escalations,
            convoys,
            runtime: runtime.ok(),
            admission: inbound.ask_town(&ShowAdmission {}).await?,
            warnings,
        })
    }

    fn status(&self) -> TownStatus {
        let mut agents = AgentCounts::default();
        let of_mayor = self.mayor_agent.get("status").and_then(Value::as_str).and_then(|status| status.parse().ok());
        let of_rigs = self.overviews.iter().flat_map(|(_, overview)| overview.agents.iter().map(|agent| agent.status));
        for status in of_rigs.chain(of_mayor) {
            agents.total += 1;
            match status {
                AgentStatus::Idle => agents.idle += 1,
                AgentStatus::Working => agents.working += 1,
                AgentStatus::Waiting => agents.waiting += 1,
                AgentStatus::Stalled => agents.stalled += 1,
                AgentStatus::Dead => agents.dead += 1,
            }
        }
        let counts = |of: fn(&Overview) -> u32| self.overviews.iter().map(|(_, overview)| of(overview)).sum();
        let is_active = self.admission.next_wake.is_some() || agents.working > 0;
        TownStatus {
            alarm: AlarmStatus::of(self.admission.next_wake, is_active),
            patrol: PatrolCounts {
                gupp_escalations: agents.stalled,
                stalled_agents: agents.stalled,
                ..PatrolCounts::default()
            },
            reconciler: None,
            recent_events: self.frames.frames.iter().rev().take(RECENT_EVENTS).filter_map(recent).collect(),
            seq: self.frames.newest_seq,
            agents,
            beads: BeadCounts {
                open: counts(|overview| overview.counts.open),
                in_progress: counts(|overview| overview.counts.in_progress),
                in_review: counts(|overview| overview.counts.in_review),
                failed: counts(|overview| overview.counts.failed),
                triage_requests: self.admission.triage_requests,
            },
            paused: self.town.town.paused,
            pause_reason: self.admission.pause_reason.clone(),
            draining: self.admission.drain_started_at.is_some(),
            drain_started_at: self.admission.drain_started_at,
            slots: self.admission.slots,
            breaker: self.admission.breaker.clone(),
            budget: self.admission.budget.clone(),
            runtime: self.runtime.clone(),
            needs_attention: self.town.town.counts.needs_attention,
        }
    }
}

fn recent(frame: &NumberedFrame) -> Option<RecentEvent> {
    let text = |name: &str| frame.data.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(RecentEvent { time: frame.at, kind: text("event_type")?, message: text("text")? })
}

/// The town's mayor, as an agent.
pub(super) async fn mayor(inbound: &Inbound) -> Result<Value> {
    Ok(inbound.ask_town(&ShowMayor {}).await?.agent)
}

/// Agents of every rig that answers, and the mayor.
pub(super) async fn agents_of_town(inbound: &Inbound) -> Result<(Vec<Agent>, Vec<Warning>)> {
    let mayor = inbound.ask_town(&ShowMayor {}).await?.agent;
    let mut agents: Vec<Agent> = gastown_core::json::from_value(&mayor).into_iter().collect();
    let rig_ids = inbound.rig_ids().await?;
    let (answers, warnings) = inbound.ask_rigs(&rig_ids, &ListAgents { town_id: inbound.town_id()? }).await;
    agents.extend(answers.into_iter().flat_map(|(_, agents)| agents));
    Ok((agents, warnings))
}
