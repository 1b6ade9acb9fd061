//! Everything that rows of the route table name as body or answer: the types of the wire, and small answers that are
//! written where they are made and have no type of their own.

pub use gastown_core::wire::api::agent::{
    self, AcknowledgeMail, Agent, Assignment, Done, JudgeBranch, RequestChanges, SetCheckpoint, SetStatus,
};
pub use gastown_core::wire::api::bead::{self, Bead, CreateBead, NewBead, PatchBead, RetryBead};
pub use gastown_core::wire::api::control::{PauseTown, ResetBreaker, StopContainer};
pub use gastown_core::wire::api::convoy::{
    AddToConvoy, Convoy, CreateConvoy, DecideConvoy, NameBead, PatchConvoy, SlingBatch,
};
pub use gastown_core::wire::api::escalation::{AcknowledgeEscalation, NewEscalation, ReplyEscalation, ResolveTriage};
pub use gastown_core::wire::api::event::Event;
pub use gastown_core::wire::api::explain::Explain;
pub use gastown_core::wire::api::hand::{
    self, AgentHappening, Bulk, BulkDelete, BulkResult, CloseBead, DeleteByStatus, GetAgent, HookBead, Hooked,
    ReassignBead, RegisterAgent, ReviewEnded, SessionEnded, SetBeadStatus, SubmitBranch,
};
pub use gastown_core::wire::api::mail::{Mail, SendMail};
pub use gastown_core::wire::api::mayor::{MayorMessage, MayorStatus, SayToMayor, SessionStatus};
pub use gastown_core::wire::api::metrics::Metrics;
pub use gastown_core::wire::api::model::ResolveModel;
pub use gastown_core::wire::api::molecule::{Advance, Molecule, MoleculeStep, NewMolecule};
pub use gastown_core::wire::api::nudge::{Nudge, NudgeDelivered, SayToAgent, SendNudge};
pub use gastown_core::wire::api::prime::PrimeContext;
pub use gastown_core::wire::api::review::{MergeQueue, MergeQueueItem};
pub use gastown_core::wire::api::service::Meta;
pub use gastown_core::wire::api::session::{Session, SignIn};
pub use gastown_core::wire::api::sling::{MayorSling, SlingPlan, SlingResult, SlungBead};
pub use gastown_core::wire::api::snapshot::{
    BreakerStatus, BudgetRow, Escalation, RuntimeStatus, Snapshot, TownStatus,
};
pub use gastown_core::wire::api::stream::MintTicket;
pub use gastown_core::wire::api::town::{NewRig, NewTown, PatchRig, RenameTown, Rig, Town};
pub use gastown_core::wire::api::ui::{LookAt, MayorCompleted, ShowUi};
pub use gastown_core::wire::code::Code;
pub use gastown_core::wire::report;

use std::borrow::Cow;

use gastown_core::id::{AgentId, AssignmentId, BeadId, MailId, MessageId, NudgeId, RigId, TownId};
use gastown_core::models::{Resolution, SlotRole};
use gastown_core::rig::agent::AgentRole;
use gastown_core::session::Tokens;
use gastown_core::time::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value, json};

pub use super::super::beads::NewBeadOfRig;
pub use super::super::hands::StartAgent;
pub use super::super::reviews::{Note, PersonsVerdict};
pub use super::super::runtime::Ready;
pub use crate::rig::calls::Judged;
pub use crate::town_container::calls::AgentEvent;

/// An answer that stands without the envelope (api.md 1.1).
pub struct Bare<T>(std::marker::PhantomData<T>);

/// A body that is read by its type alone: the wire between runtime and Worker.
pub struct Json<T>(std::marker::PhantomData<T>);

/// A stream of server-sent events (api.md 6).
pub struct Stream;

/// Answers of a few fields: `Name { field: Type }`.
macro_rules! shapes {
    ($($(#[$meta:meta])* $name:ident { $($(#[$of_field:meta])* $field:ident: $type:ty),* $(,)? })*) => {$(
        #[derive(Serialize, JsonSchema)]
        $(#[$meta])*
        #[expect(missing_docs, reason = "the names are the fields of api.md 3")]
        pub struct $name { $($(#[$of_field])* pub $field: $type),* }
    )*};
}

shapes! {
    Health { status: String }
    Deleted { deleted: bool }
    DeletedCount { deleted: u32 }
    SignedOut { signed_out: bool }
    Revoked { revoked: bool }
    Configured { configured: bool }
    Stopped { stopped: bool }
    Reset { reset: bool }
    Unhooked { unhooked: bool }
    Completed { completed: bool }
    Written { written: bool }
    Told { ok: bool }
    DoneSaid { done: bool }
    Heard { heartbeat: bool }
    Delivered { delivered: u32 }
    Marked { marked: bool }
    Cleared { cleared: bool }
    ReworkAsked { rework_bead_id: Option<BeadId> }
    Submitted { submitted: bool, mr_bead_id: BeadId }
    MailSent { sent: bool, mail_id: MailId }
    MessageSent { message_id: NudgeId }
    Nudged { nudge_id: NudgeId }
    TotalBeads { total_beads: u32 }
    BulkResults { results: Vec<BulkResult> }
    SlungConvoy { convoy: Convoy, beads: Vec<SlungBead> }
    StartedConvoy { convoy: Convoy, beads: Vec<SlungBead> }
    #[serde(rename_all = "camelCase")]
    MayorAnswer {
        agent_id: AgentId,
        session_status: SessionStatus,
        #[serde(skip_serializing_if = "Option::is_none")] message_id: Option<MessageId>
    }
    Started { #[serde(rename = "agentId")] agent_id: AgentId, assignment_id: AssignmentId, epoch: u64 }
    #[serde(rename_all = "camelCase")]
    Evicted { acknowledged: bool, drain_nonce: Option<String> }
    #[serde(rename_all = "camelCase")]
    DrainStatus {
        draining: bool,
        drain_started_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")] drain_nonce: Option<String>,
    }
    #[serde(rename_all = "camelCase")]
    MayorId { success: bool, agent_id: AgentId, model: String, small_model: String }
    Totals { tokens: Tokens, cost_usd: Option<f64>, assignments: u32 }
    SpentGroup { key: String, label: String, assignments: u32, tokens: Tokens, cost_usd: Option<f64> }
    Usage { from: Timestamp, to: Timestamp, totals: Totals, groups: Vec<SpentGroup>, budget: Vec<BudgetRow> }
    Acknowledged { acknowledged: bool }
    Destroyed { destroyed: bool }
    Stored { stored: bool }
    Broadcast { broadcast: bool }
    Sent { sent: bool }
    Appended { appended: bool }
    Registered { registered: u32 }
    Heeded { success: bool }
    MintedTicket { ticket: String, url: String, expires_at: Timestamp }
    AgentTicket { url: String, ticket: String }
    RigWaits { rig_id: RigId, name: Option<String>, waits: Vec<bead::Wait>, slots: u32, slots_used: u32 }
    BeadWaits { bead_id: BeadId, title: String, rig_id: RigId, status: String, waits: Vec<bead::Wait> }
    BreakerRow { scope: String, #[serde(flatten)] breaker: BreakerStatus }
    TownExplain { waits: Vec<bead::Wait>, rigs: Vec<RigWaits>, beads: Vec<BeadWaits>, breakers: Vec<BreakerRow> }
    GitToken { token: String, expires_at: Option<Timestamp> }
    #[serde(rename_all = "camelCase")]
    ContainerEvent {
        event: String,
        #[serde(default)] agent_id: Option<AgentId>,
        #[serde(default)] duration_ms: Option<u64>,
    }
    Pty { id: String, status: String, title: String, rows: u32, cols: u32 }
    #[serde(rename_all = "camelCase")]
    AgentView {
        agent_id: AgentId,
        rig_id: RigId,
        town_id: TownId,
        role: AgentRole,
        name: String,
        status: String,
        session_id: Option<AssignmentId>,
        started_at: Option<Timestamp>,
        last_activity_at: Option<Timestamp>,
        active_tools: Vec<String>,
        model: Option<String>,
        exit_reason: Option<String>,
    }
    #[serde(rename_all = "camelCase")]
    RegistryEntry { agent_id: AgentId }
    AuditTarget { kind: String, id: String }
    AuditEntry {
        id: String,
        at: Timestamp,
        actor: String,
        action: String,
        target: AuditTarget,
        request_id: String,
        changes: Map<String, Value>,
    }
    ModelSlot { role: SlotRole, label: Option<String>, model: String }
    ProfileShown { name: String, title: String, description: String, slots: Vec<ModelSlot>, small_model: String }
    ModelCatalogue {
        version: u64,
        default_profile: String,
        fallback: String,
        small_fallback: String,
        profiles: Vec<ProfileShown>,
    }
    SuggestedModel { id: String, name: String, provider: String }
    ModelOfRun { model: Option<String>, small_model: Option<String>, assignment_id: AssignmentId }
    ResolvedModel {
        #[serde(flatten)] resolution: Resolution,
        #[serde(skip_serializing_if = "Option::is_none")] config_version: Option<u64>,
        running: Option<ModelOfRun>,
        last: Option<ModelOfRun>,
    }
}

/// Documents of settings, described by the tables of keys (api.md 5).
macro_rules! settings {
    ($($(#[$meta:meta])* $name:ident = $shape:expr;)*) => {$(
        $(#[$meta])*
        pub struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $shape
            }
        }
    )*};
}

settings! {
    /// What `T/config` shows.
    TownSettings = shown("town");
    /// What `R/config` shows; with `effective` each key is `{value, source}`.
    RigSettings = json_schema!({ "type": "object" });
    /// What may be changed of a town.
    TownPatch = changed("town");
    /// What may be changed of a rig.
    RigPatch = changed("rig");
    /// This document.
    Document = json_schema!({ "type": "object", "required": ["openapi", "info", "paths"] });
    /// Both documents as JSON Schemas.
    ConfigSchemas = json_schema!({
        "type": "object",
        "properties": { "town": { "type": "object" }, "rig": { "type": "object" } },
        "required": ["town", "rig"],
    });
}

fn keys(document: &str) -> Value {
    let mut schema = gastown_core::config::schemas()[document].take();
    if let Some(fields) = schema.as_object_mut() {
        fields.remove("$schema");
    }
    schema
}

fn shown(document: &str) -> Schema {
    let mut schema = keys(document);
    schema["additionalProperties"] = json!(true);
    Schema::try_from(schema).unwrap_or_default()
}

fn changed(document: &str) -> Schema {
    let mut schema = keys(document);
    schema["minProperties"] = json!(1);
    Schema::try_from(schema).unwrap_or_default()
}
