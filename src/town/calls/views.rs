//! What the Town answers, where that is no shape of the API.

use super::*;

/// Who owns a town.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OwnerView {
    /// `user` or `org`.
    pub account_kind: AccountKind,
    /// The owner.
    pub account_id: String,
    /// Who created it.
    pub created_by: String,
}

impl From<OwnerView> for TownOwner {
    fn from(view: OwnerView) -> Self {
        let account = match view.account_kind {
            AccountKind::User => Account::User(view.account_id),
            AccountKind::Org => Account::Org(view.account_id),
        };
        Self { account, created_by: view.created_by }
    }
}

/// A repository to connect, already checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewRig {
    /// For people.
    pub name: String,
    /// Where it lives.
    pub git_url: String,
    /// Its default branch.
    pub default_branch: String,
    /// Branch that work is merged into.
    pub target_branch: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// Installation of a forge's app.
    pub integration_id: Option<String>,
}

/// The town's row as its object knows it; the caller's role is the Worker's to add.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TownView {
    /// **Town**, with the role of an owner.
    pub town: api::Town,
    /// Version of its settings.
    pub config_version: u64,
    /// The mayor's id.
    pub mayor_id: AgentId,
}

impl TownView {
    /// **Town** as this caller sees it.
    pub fn seen_by(self, role: TownRole) -> api::Town {
        api::Town { role, ..self.town }
    }
}

/// A settings document as the API shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConfigView {
    /// The document.
    pub config: Map<String, Value>,
    /// Its version.
    pub version: u64,
    /// What deserves attention.
    pub warnings: Vec<gastown_core::wire::envelope::Warning>,
}

/// Reply of a message to the mayor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MayorSession {
    /// The mayor.
    pub agent_id: AgentId,
    /// `idle`, `active` or `starting`.
    pub status: String,
}

/// The mayor as its object knows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MayorView {
    /// **MayorStatus** as JSON.
    pub status: Value,
    /// **Agent** of the mayor as JSON.
    pub agent: Value,
    /// What its next session would run with.
    pub resolution: Resolution,
}

/// Which model, by which version of the settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resolved {
    /// Which, and why.
    pub resolution: Resolution,
    /// Version of the town's settings.
    pub config_version: u64,
}

/// Frames of the town channel, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Frames {
    /// The frames.
    pub frames: Vec<NumberedFrame>,
    /// The newest number that exists.
    pub newest_seq: u64,
    /// The oldest number that is kept.
    pub oldest_seq: u64,
}

/// One frame with its number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberedFrame {
    /// Total order of the town.
    pub seq: u64,
    /// When it was written.
    pub at: gastown_core::time::Timestamp,
    /// `bead.updated`, `activity`, …
    #[serde(rename = "type")]
    pub frame: String,
    /// From this rig.
    pub rig_id: Option<RigId>,
    /// The row's wire shape.
    pub data: Value,
}

/// What the runtime's keeper needs.
#[derive(Clone, Serialize, Deserialize)]
pub struct RuntimeSetup {
    /// What all sessions have in common.
    pub config: RuntimeConfig,
    /// The town's environment for tools; secrets.
    pub env: SortedMap<String, String>,
    /// Author of commits.
    pub author: Option<Author>,
    /// Name the agent as co-author.
    pub coauthor: bool,
    /// Whose tokens the runtime's are.
    pub owner_user_id: String,
    /// Generation of the town's credentials.
    pub credential_gen: u64,
    /// The mayor's present session.
    pub mayor: Option<Ref>,
}

/// A key of the model gateway.
#[derive(Clone, Serialize, Deserialize)]
pub struct LlmKey {
    /// Endpoint, if the town has one of its own.
    pub base_url: Option<String>,
    /// Key.
    pub api_key: Option<String>,
}

/// Credentials of a remote.
#[derive(Clone, Serialize, Deserialize)]
pub enum GitKey {
    /// These.
    Found {
        /// User name.
        username: String,
        /// Password or token.
        password: String,
    },
    /// The rig's remote is at another host.
    OtherHost,
    /// The town has none for this host.
    None,
}

/// What the runtime is told in return for a word of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RuntimeWord {
    /// The town drains; only a successor is given it.
    pub drain_nonce: Option<String>,
    /// Version of the runtime's configuration.
    pub config_version: u64,
    /// Sessions that shall end.
    pub stop: Vec<Ref>,
}

/// News of the runtime's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuntimeWords {
    /// It could not be started.
    StartFailed(String),
    /// It cannot be kept alive.
    Exhausted,
    /// It answers again.
    Recovered,
}

/// What holds for the whole town.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AdmissionView {
    /// Why it is paused.
    pub pause_reason: Option<String>,
    /// Since when it drains.
    pub drain_started_at: Option<gastown_core::time::Timestamp>,
    /// What a new runtime ends the drain with.
    pub drain_nonce: Option<String>,
    /// The runtime that is ending.
    pub drains: Option<InstanceId>,
    /// Breaker.
    pub breaker: api_snapshot::BreakerStatus,
    /// Limits of the day.
    pub budget: Vec<api_snapshot::BudgetRow>,
    /// Session slots.
    pub slots: api_snapshot::Slots,
    /// When the town looks again by itself.
    pub next_wake: Option<gastown_core::time::Timestamp>,
    /// Requests that triage has not settled.
    pub triage_requests: u32,
}

/// One total of spend.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SpentRow {
    /// In UTC, or `all`.
    pub day: String,
    /// Id of who spent it.
    pub key: String,
    /// For people.
    pub label: String,
    /// How much.
    pub spent: gastown_core::session::Usage,
}
