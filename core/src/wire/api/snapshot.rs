//! Everything a dashboard begins with (api.md 4, **Snapshot**, **TownStatus**, **RuntimeStatus**).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::agent::Agent;
use super::bead::{Bead, Failure};
use super::event::Event;
use super::mayor::MayorStatus;
use super::review::MergeQueue;
use super::town::{Rig, Town};
use crate::breaker::BreakerState;
use crate::id::InstanceId;
use crate::time::Timestamp;
use crate::wire::control::Memory;

/// **Snapshot**.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Snapshot {
    pub seq: u64,
    pub town: Town,
    pub rigs: Vec<Rig>,
    pub agents: Vec<Agent>,
    pub beads: Vec<Bead>,
    #[cfg_attr(feature = "schema", schemars(with = "Vec<super::convoy::Convoy>"))]
    pub convoys: Vec<Value>,
    pub escalations: Vec<Escalation>,
    pub merge_queue: MergeQueue,
    pub mayor: MayorStatus,
    pub status: TownStatus,
    pub events: Vec<Event>,
    pub truncated: bool,
}

/// **Escalation**.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Escalation {
    pub id: String,
    pub source_rig_id: Option<crate::id::RigId>,
    pub source_agent_id: Option<crate::id::AgentId>,
    pub severity: crate::protocol::Severity,
    pub category: Option<String>,
    pub message: String,
    pub acknowledged: u8,
    pub re_escalation_count: u32,
    pub created_at: Timestamp,
    pub acknowledged_at: Option<Timestamp>,
    pub bead_id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub code: String,
    pub source_bead_id: Option<crate::id::BeadId>,
    pub convoy_id: Option<crate::id::ConvoyId>,
    pub acknowledged_by: Option<String>,
    pub count: u32,
    pub version: u64,
    pub replies: Vec<Value>,
    pub actions: Vec<String>,
}

impl Escalation {
    /// A row of the inbox.
    pub fn of(row: &crate::town::state::Escalation) -> Self {
        use crate::town::state::EscalationState;
        let is_open = row.state == EscalationState::Open;
        Self {
            id: row.escalation_id.to_string(),
            source_rig_id: row.rig_id,
            source_agent_id: row.agent_id,
            severity: row.severity,
            category: Some(row.category.clone()),
            message: row.message.clone(),
            acknowledged: u8::from(!is_open),
            re_escalation_count: 0,
            created_at: row.created_at,
            acknowledged_at: row.closed_at,
            bead_id: row.escalation_id.to_string(),
            kind: "escalation".to_owned(),
            title: row.title.clone(),
            code: row.code.clone(),
            source_bead_id: row.bead_id,
            convoy_id: row.convoy_id,
            acknowledged_by: row.closed_by.clone(),
            count: row.count,
            version: row.version,
            replies: Vec::new(),
            actions: if is_open { vec!["acknowledge".to_owned()] } else { Vec::new() },
        }
    }
}

/// **TownStatus**: the snapshot frame of api.md 6.4.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the fields of api.md 6.4")]
pub struct TownStatus {
    pub alarm: AlarmStatus,
    pub agents: AgentCounts,
    pub beads: BeadCounts,
    pub patrol: PatrolCounts,
    /// Numbers of a tick, which this reconciler does not have: it plans whenever something happens.
    pub reconciler: Option<Value>,
    pub recent_events: Vec<RecentEvent>,
    pub seq: u64,
    pub paused: bool,
    pub pause_reason: Option<String>,
    pub draining: bool,
    pub drain_started_at: Option<Timestamp>,
    pub slots: Slots,
    pub breaker: BreakerStatus,
    pub budget: Vec<BudgetRow>,
    pub runtime: Option<RuntimeStatus>,
    pub needs_attention: u32,
}

/// When the town looks again by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the fields of api.md 6.4")]
pub struct AlarmStatus {
    pub next_fire_at: Option<Timestamp>,
    pub interval_ms: u64,
    pub interval_label: String,
}

/// What patrol has to say about agents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the fields of api.md 6.4")]
pub struct PatrolCounts {
    pub gupp_warnings: u32,
    pub gupp_escalations: u32,
    pub stalled_agents: u32,
    pub orphaned_hooks: u32,
}

/// A row of the feed in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 6.4")]
pub struct RecentEvent {
    pub time: Timestamp,
    #[serde(rename = "type")]
    pub kind: String,
    pub message: String,
}

impl AlarmStatus {
    /// A town with live work looks every few seconds; one without sleeps until something happens.
    pub fn of(next_fire_at: Option<Timestamp>, is_active: bool) -> Self {
        let every = crate::limits::ALARM_LIVE;
        let interval_ms = if is_active { u64::try_from(every.as_millis()).unwrap_or(u64::MAX) } else { 0 };
        let interval_label = if is_active { format!("active ({}s)", every.as_secs()) } else { "idle".to_owned() };
        Self { next_fire_at, interval_ms, interval_label }
    }
}

/// Agents by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 6.4")]
pub struct AgentCounts {
    pub working: u32,
    pub waiting: u32,
    pub idle: u32,
    pub stalled: u32,
    pub dead: u32,
    pub total: u32,
}

/// Beads by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the fields of api.md 6.4")]
pub struct BeadCounts {
    pub open: u32,
    pub in_progress: u32,
    pub in_review: u32,
    pub failed: u32,
    pub triage_requests: u32,
}

/// Session slots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Slots {
    /// Granted.
    pub used: u32,
    /// In all.
    pub total: u32,
}

/// A breaker as people see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct BreakerStatus {
    pub state: BreakerState,
    pub opens_until: Option<Timestamp>,
    pub failures: u32,
    pub last_error: Option<String>,
}

impl Default for BreakerStatus {
    fn default() -> Self {
        Self { state: BreakerState::Closed, opens_until: None, failures: 0, last_error: None }
    }
}

/// One limit of spend and how much of it is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BudgetRow {
    /// `town_daily`.
    pub scope: String,
    /// `usd` or `tokens`.
    pub unit: String,
    /// Limit.
    pub limit: f64,
    /// Used so far.
    pub used: f64,
    /// When it begins anew.
    pub resets_at: Option<Timestamp>,
}

/// **RuntimeStatus**.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct RuntimeStatus {
    pub state: String,
    pub since: Option<Timestamp>,
    pub instance_id: Option<InstanceId>,
    pub version: Option<String>,
    pub protocol: Option<u32>,
    pub capabilities: Vec<String>,
    pub memory: Memory,
    pub sessions: u32,
    pub sessions_max: u32,
    pub config_version: u64,
    #[serde(rename = "restarts_30m")]
    pub restarts_30m: u32,
    pub last_heartbeat_at: Option<Timestamp>,
    pub error: Option<Failure>,
}
