//! What the Town can be asked: by HTTP handlers, by its Rigs, and by its runtime's keeper.

use gastown_core::sorted::SortedMap;

use gastown_core::access::{Account, TownOwner, TownRole};
use gastown_core::id::{
    AgentId, AssignmentId, BeadId, ConvoyId, EscalationId, InstanceId, MailId, MessageId, RigId, TownId,
};
use gastown_core::models::Resolution;
use gastown_core::protocol::{Batch, BatchReply, RigToTown, TownToRig};
use gastown_core::time::Timestamp;
use gastown_core::town::state::AccountKind;
use gastown_core::wire::api::escalation::{NewEscalation, ReplyEscalation as Answer};
use gastown_core::wire::api::mail::{Mail, SendMail};
use gastown_core::wire::api::sling::SlungBead;
use gastown_core::wire::api::{convoy, snapshot as api_snapshot, town as api};
use gastown_core::wire::control::{Author, RuntimeConfig};
use gastown_core::wire::report::{EventBatch, Fact, Heartbeat, Outcome, Ref};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::call::Call;
use crate::requests::{Idempotency, Kept};

pub use super::store::activity::EventFilter;
pub use super::store::audit::AuditFilter;
pub use super::store::escalations::EscalationFilter;

mod views;

pub use views::*;

/// Path of the live stream, which is no JSON: the body is a [`super::stream::OpenStream`].
pub const STREAM: &str = "/stream";

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* } => $path:literal, $reply:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl Call for $name {
            const PATH: &'static str = $path;
            type Reply = $reply;
        }
    )*};
}

calls! {
    /// Makes the town; a repeat changes nothing.
    Create {
        /// Identity.
        town_id: TownId,
        /// For people.
        name: String,
        /// `user` or `org`.
        account_kind: AccountKind,
        /// The owner.
        account_id: String,
        /// Who asks.
        created_by: String,
        /// Settings to begin with, as a patch.
        config: Option<Value>,
    } => "/create", TownView;

    /// The town's row.
    Show {} => "/show", TownView;

    /// Gives the town another name.
    Rename {
        /// Name.
        name: String,
        /// `If-Match`: only when this is the version.
        if_version: Option<u64>,
    } => "/rename", TownView;

    /// Ends the town: rigs, sessions, secrets, then its data. Every later call finds nothing.
    Delete {} => "/delete", Vec<RigId>;

    /// Lets nothing new start.
    Pause {
        /// How.
        pause: gastown_core::town::state::Pause,
    } => "/pause", TownView;

    /// Lets work start again.
    Resume {} => "/resume", TownView;

    /// A person says that what kept starts from succeeding is mended.
    ResetBreaker {} => "/reset_breaker", TownView;

    /// Breaker, budget, drain and slots.
    ShowAdmission {} => "/show_admission", AdmissionView;

    /// What was spent from one day to another, or by convoys over all their time.
    ListSpent {
        /// First day.
        from: String,
        /// Last day.
        to: String,
        /// By convoy.
        by_convoy: bool,
    } => "/list_spent", Vec<SpentRow>;

    /// Tokens of the present generation are refused from now on.
    RevokeCredentials {} => "/revoke_credentials", TownView;

    /// The runtime's keeper says how its life goes.
    RuntimeSays {
        /// What.
        words: RuntimeWords,
    } => "/runtime_says", ();

    /// Any call arms a lost alarm again; true while the town has live work.
    Ping {} => "/ping", bool;

    /// The settings, masked.
    ShowConfig {} => "/show_config", ConfigView;

    /// Changes the settings by a JSON Merge Patch.
    PatchConfig {
        /// The patch.
        patch: Value,
        /// Whether the mayor asks.
        by_mayor: bool,
        /// Who asks.
        actor: String,
        /// Which request.
        request_id: String,
        /// `If-Match`: only when this is the version.
        if_version: Option<u64>,
    } => "/patch_config", ConfigView;

    /// Connects a repository.
    AddRig {
        /// What.
        new: NewRig,
        /// Who asks.
        actor: String,
        /// Reply once.
        idempotency: Option<Idempotency>,
    } => "/add_rig", Kept<api::Rig>;

    /// The town's rigs, newest first.
    ListRigs {} => "/list_rigs", Vec<api::Rig>;

    /// One rig's row.
    ShowRig {
        /// Which.
        rig_id: RigId,
    } => "/show_rig", api::Rig;

    /// Changes a rig's row.
    PatchRig {
        /// Which.
        rig_id: RigId,
        /// What.
        patch: api::PatchRig,
        /// `If-Match`: only when this is the version.
        if_version: Option<u64>,
    } => "/patch_rig", api::Rig;

    /// Disconnects a repository.
    RemoveRig {
        /// Which.
        rig_id: RigId,
    } => "/remove_rig", ();

    /// A rig's settings; with `effective` each key's value and where it comes from.
    ShowRigConfig {
        /// Which.
        rig_id: RigId,
        /// Resolved instead of stored.
        effective: bool,
    } => "/show_rig_config", ConfigView;

    /// Changes a rig's settings by a JSON Merge Patch.
    PatchRigConfig {
        /// Which.
        rig_id: RigId,
        /// The patch.
        patch: Value,
        /// Whether the mayor asks.
        by_mayor: bool,
        /// Who asks.
        actor: String,
        /// Which request.
        request_id: String,
        /// `If-Match`: only when this is the version.
        if_version: Option<u64>,
    } => "/patch_rig_config", ConfigView;

    /// Messages of a rig; the reply acknowledges and carries what waits the other way.
    Deliver {
        /// Which rig.
        rig_id: RigId,
        /// What it says.
        batch: Batch<RigToTown>,
    } => "/deliver", BatchReply<TownToRig>;

    /// Says something to the mayor; stored before the reply.
    PostMessage {
        /// Repeats are recognised by it.
        message_id: MessageId,
        /// Who says it.
        author: String,
        /// Text.
        text: String,
        /// What the person looks at.
        ui_context: Option<String>,
    } => "/post_message", MayorSession;

    /// Has a mayor's session without a message.
    EnsureMayor {} => "/ensure_mayor", MayorSession;

    /// Ends the mayor's session; the next one keeps the conversation.
    RestartMayor {} => "/restart_mayor", MayorSession;

    /// Ends the mayor's session; the next message starts another.
    EndMayor {} => "/end_mayor", MayorSession;

    /// **MayorStatus**.
    ShowMayor {} => "/show_mayor", MayorView;

    /// The conversation, oldest first: at most `limit` entries after `after_id`, or the newest.
    ListMessages {
        /// At most so many.
        limit: u32,
        /// Only later ones.
        after_id: Option<String>,
    } => "/list_messages", Vec<Value>;

    /// Makes a convoy; the reply shows its tasks as their rigs took them.
    CreateConvoy {
        /// What.
        new: convoy::NewConvoy,
        /// Who asks.
        actor: String,
        /// Refuse what the same caller made a moment ago.
        refuses_repeat: bool,
        /// Reply once.
        idempotency: Option<Idempotency>,
    } => "/create_convoy", Kept<convoy::SlungConvoy>;

    /// Convoys in these states of the API, or the live ones; newest first.
    ListConvoys {
        /// Any of these.
        states: Vec<String>,
        /// Behind this place.
        after: Option<(Timestamp, ConvoyId)>,
        /// At most so many.
        limit: u32,
    } => "/list_convoys", Vec<convoy::Convoy>;

    /// One convoy, live or not.
    ShowConvoy {
        /// Which.
        convoy_id: ConvoyId,
    } => "/show_convoy", convoy::Convoy;

    /// Changes a convoy's fields.
    PatchConvoy {
        /// Which.
        convoy_id: ConvoyId,
        /// What.
        patch: convoy::PatchConvoy,
        /// `If-Match`: only when this is the version.
        if_version: Option<u64>,
    } => "/patch_convoy", convoy::Convoy;

    /// Starts, retries, skips, aborts or closes; the reply shows the tasks that were concerned.
    DecideConvoy {
        /// Which.
        convoy_id: ConvoyId,
        /// What.
        decision: Decision,
        /// Which tasks; all that failed when empty.
        bead_ids: Vec<BeadId>,
        /// Why.
        reason: Option<String>,
        /// Who asks.
        actor: String,
    } => "/decide_convoy", convoy::Convoy;

    /// Adds a bead or a task; the reply is how many there are.
    AddToConvoy {
        /// Which.
        convoy_id: ConvoyId,
        /// A bead that exists …
        bead_id: Option<BeadId>,
        /// … or a new task.
        task: Option<convoy::NewConvoyTask>,
        /// What it waits for.
        depends_on: Vec<BeadId>,
    } => "/add_to_convoy", u32;

    /// Takes a bead out; the reply is how many are left.
    RemoveFromConvoy {
        /// Which.
        convoy_id: ConvoyId,
        /// Which bead.
        bead_id: BeadId,
        /// Who asks.
        actor: String,
    } => "/remove_from_convoy", u32;

    /// Replaces what a task of a live convoy waits for; false when the bead is none.
    SetTaskDependencies {
        /// Which task.
        bead_id: BeadId,
        /// All of its blockers.
        depends_on: Vec<BeadId>,
    } => "/set_task_dependencies", bool;

    /// The tasks of a convoy as their rigs show them.
    SlungTasks {
        /// Which convoy.
        convoy_id: ConvoyId,
    } => "/slung_tasks", Vec<SlungBead>;

    /// A part of the list of escalations, newest first.
    ListEscalations {
        /// Which.
        filter: EscalationFilter,
    } => "/list_escalations", Vec<Value>;

    /// How many escalations such a list has in all.
    CountEscalations {
        /// Which; its place and bounds do not count.
        filter: EscalationFilter,
    } => "/count_escalations", u32;

    /// One escalation, open or closed.
    ShowEscalation {
        /// Which.
        escalation_id: EscalationId,
    } => "/show_escalation", Value;

    /// An agent asks people to see something.
    Escalate {
        /// Its rig.
        rig_id: RigId,
        /// Who.
        agent_id: AgentId,
        /// Its name.
        agent_name: String,
        /// Its session, when one is live.
        assignment_id: Option<AssignmentId>,
        /// What it works on.
        bead_id: Option<BeadId>,
        /// What.
        new: NewEscalation,
        /// Reply once.
        idempotency: Option<Idempotency>,
    } => "/escalate", Kept<Value>;

    /// A person, or the mayor, has seen it.
    Acknowledge {
        /// Which.
        escalation_id: EscalationId,
        /// Who.
        actor: String,
        /// What they add.
        note: Option<String>,
    } => "/acknowledge", Value;

    /// A person answers.
    ReplyEscalation {
        /// Which.
        escalation_id: EscalationId,
        /// Who.
        actor: String,
        /// What.
        reply: Answer,
        /// Reply once.
        idempotency: Option<Idempotency>,
    } => "/reply_escalation", Kept<Value>;

    /// Mail that the town keeps, newest first.
    ListMail {
        /// Of this thread.
        thread_id: Option<MailId>,
        /// At most so many.
        limit: u32,
    } => "/list_mail", Vec<Mail>;

    /// Mail of a person to the mayor.
    MailMayor {
        /// Who.
        from: String,
        /// What.
        mail: SendMail,
        /// Reply once.
        idempotency: Option<Idempotency>,
    } => "/mail_mayor", Kept<Mail>;

    /// A part of the feed, newest first.
    ListEvents {
        /// Which.
        filter: EventFilter,
    } => "/list_events", Vec<Value>;

    /// Frames of the town channel after `after_seq`, or the newest.
    ListFrames {
        /// Only later ones.
        after_seq: Option<u64>,
        /// At most so many.
        limit: u32,
        /// Only this type.
        frame: Option<String>,
    } => "/list_frames", Frames;

    /// Which model such work would get.
    ResolveModel {
        /// `mayor`, `refinery`, `polecat`, `triage`, or nothing for the container's default.
        role: String,
        /// Labels of the work.
        labels: Vec<String>,
        /// The rig of the work.
        rig_id: Option<RigId>,
        /// A model chosen for the work itself.
        model: Option<String>,
        /// Model settings to try.
        draft: Option<Value>,
    } => "/resolve_model", Resolved;

    /// Shows something in open dashboards.
    ShowUi {
        /// **UiAction**.
        action: Value,
        /// A rig that must be the town's.
        rig_id: Option<RigId>,
        /// A convoy that must be the town's.
        convoy_id: Option<ConvoyId>,
    } => "/show_ui", ();

    /// What the mayor says it does.
    MayorSays {
        /// One line.
        message: String,
    } => "/mayor_says", ();

    /// What a person looks at.
    LookAt {
        /// In words of the dashboard.
        context: String,
    } => "/look_at", ();

    /// Adds a row to the log of what was changed.
    Audit {
        /// By whom.
        actor: String,
        /// Name of the operation.
        action: String,
        /// Kind and id, parted by a blank.
        target: String,
        /// Which request.
        request_id: String,
    } => "/audit", ();

    /// A part of that log, newest first.
    ListAudit {
        /// Which.
        filter: AuditFilter,
    } => "/list_audit", Vec<Value>;

    /// What the runtime's keeper needs to attach a runtime and to complete orders. Holds secrets; never logged.
    Setup {} => "/setup", RuntimeSetup;

    /// Credentials of the model gateway.
    LlmCredentials {} => "/llm_credentials", Option<LlmKey>;

    /// Credentials of a rig's remote.
    GitCredentials {
        /// Which rig.
        rig_id: RigId,
        /// Host that asks.
        host: String,
    } => "/git_credentials", GitKey;

    /// The runtime was heard of under this identity.
    InstanceSeen {
        /// Which.
        instance_id: InstanceId,
    } => "/instance_seen", RuntimeWord;

    /// The runtime ends; the reply is the nonce that only its successor is given.
    InstanceEvicted {
        /// Which.
        instance_id: InstanceId,
    } => "/instance_evicted", RuntimeWord;

    /// A runtime names the nonce of the drain; true when that ended it.
    InstanceReady {
        /// Which.
        instance_id: InstanceId,
        /// What it names.
        nonce: String,
    } => "/instance_ready", bool;

    /// Facts about the mayor's session, or about a repository; one word per fact.
    MayorFacts {
        /// Oldest first.
        facts: Vec<Fact>,
    } => "/mayor_facts", Vec<gastown_core::wire::report::ItemStatus>;

    /// What a heartbeat says about the mayor's session; false when it shall end.
    MayorBeat {
        /// The heartbeat, with the mayor's session only.
        heartbeat: Heartbeat,
    } => "/mayor_beat", RuntimeWord;

    /// How the mayor's session ended.
    MayorOutcome {
        /// How.
        outcome: Outcome,
    } => "/mayor_outcome", gastown_core::wire::report::ItemStatus;

    /// Transcript events of the mayor's session, as its conversation shows them.
    MayorEvents {
        /// In order.
        batch: EventBatch,
    } => "/mayor_events", ();

    /// Who owns the town; what access is judged by.
    Ownership {} => "/ownership", OwnerView;

    /// Refused with `stale_assignment` unless this is the mayor's present session.
    CheckMayor {
        /// The token's agent.
        agent_id: AgentId,
        /// The token's epoch.
        epoch: u64,
        /// The token's generation.
        generation: u64,
        /// The call counts against the mayor's rate.
        is_counted: bool,
    } => "/check_mayor", ();
}

gastown_core::text_enum! {
    /// What a person decides about a convoy.
    pub enum Decision {
        Start = "start",
        Retry = "retry",
        Skip = "skip",
        Abort = "abort",
        Close = "close",
    }
}
