//! The route table: method, path, access, handler, one line each (api.md 3). The router, the access check, the test that
//! every row is well formed, and `docs/routes.md` all read it. There is no prefix and no middleware, so order does not
//! matter.

use std::future::Future;
use std::pin::Pin;

use gastown_core::access::{Access, Level};
use gastown_core::limits::{BODY_BYTES_MAX, EVENT_BATCH_BYTES_MAX};
use gastown_core::session::Role;

use crate::error::Result;
use crate::http::inbound::Inbound;
#[cfg(feature = "schema")]
use crate::http::openapi::shapes::*;
use crate::http::reply::Reply;
use crate::http::{
    agents, beads, config, container, convoys, feed, hands, health, inbox, mayor, mayor_tools, messages, models,
    others, people, reviews, rigs, runtime, session, sling, streams, towns,
};

/// Methods that rows have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Reads; never changes anything but what is delivered by reading.
    Get,
    /// Makes, or acts.
    Post,
    /// Replaces.
    Put,
    /// Changes some fields.
    Patch,
    /// Takes away.
    Delete,
}

impl Method {
    /// As it stands in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A handler, as the table keeps it.
pub type Handler = fn(Inbound) -> Pin<Box<dyn Future<Output = Result<Reply>>>>;

/// One row.
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path; parts in braces are named.
    pub path: &'static str,
    /// Who may call.
    pub access: Access,
    /// Name of the handler: `towns::create`.
    pub operation: &'static str,
    /// What it does.
    pub handler: Handler,
    /// Honours `Idempotency-Key`.
    pub is_idempotent: bool,
    /// Largest body, in bytes.
    pub body_max: usize,
    /// A container token may have ended (`refresh-container-token`).
    pub may_be_late: bool,
    /// An agent with a token in the short form needs no live assignment for it (`A/hook`).
    pub may_be_idle: bool,
    /// Its use is written to the town's audit log; settings write their own rows, with what changed.
    pub is_audited: bool,
    /// A ticket in the query opens it too.
    pub takes_ticket: bool,
    /// The call that ended an agent's session may come again.
    pub may_be_over: bool,
    /// What the API document says of it.
    #[cfg(feature = "schema")]
    pub docs: crate::http::openapi::Docs,
}

/// Flags of a row: `K` honours Idempotency-Key, `Large` takes event batches, `Late` takes a container token that ended,
/// `Idle` takes an agent without a live assignment, `Again` one whose session this very call may have ended, `Audit` is
/// written to the town's audit log, `Ticket` is opened by a ticket too.
macro_rules! flag {
    (K is K) => {
        true
    };
    (Large is Large) => {
        true
    };
    (Late is Late) => {
        true
    };
    (Idle is Idle) => {
        true
    };
    (Audit is Audit) => {
        true
    };
    (Ticket is Ticket) => {
        true
    };
    (Again is Again) => {
        true
    };
    ($flag:ident is $other:ident) => {
        false
    };
}

/// Rows: method, path, levels, flags, roles of agents `=>` handler, and what the API document says (api.md 1.10): names
/// of the query `?(…)`, the body `(…)`, status and type of the answer `-> …`, and refusals `| …` beyond those that every
/// route of its kind has.
macro_rules! routes {
    ($($method:ident $path:literal [$($level:ident),+] $($flag:ident)* $(<$($role:ident),+>)?
        => $module:ident::$handler:ident $(?($($query:ident),+))? $(($body:ty))? -> $status:literal $reply:ty
        $(| $($code:ident),+)?;)*) => {
        &[$(Route {
            method: Method::$method,
            path: $path,
            access: Access { any_of: &[$(Level::$level),+], roles: &[$($(Role::$role),+)?] },
            operation: concat!(stringify!($module), "::", stringify!($handler)),
            handler: |inbound| Box::pin($module::$handler(inbound)),
            is_idempotent: $(flag!($flag is K) ||)* false,
            body_max: if $(flag!($flag is Large) ||)* false { EVENT_BATCH_BYTES_MAX } else { BODY_BYTES_MAX },
            may_be_late: $(flag!($flag is Late) ||)* false,
            may_be_idle: $(flag!($flag is Idle) ||)* false,
            is_audited: $(flag!($flag is Audit) ||)* false,
            takes_ticket: $(flag!($flag is Ticket) ||)* false,
            may_be_over: $(flag!($flag is Again) ||)* false,
            #[cfg(feature = "schema")]
            docs: crate::http::openapi::Docs {
                query: &[$($(stringify!($query)),+)?],
                body: [$(Some(crate::http::openapi::body::<$body> as crate::http::openapi::Describe),)? None][0],
                status: $status,
                reply: crate::http::openapi::reply::<$reply>,
                refusals: &[$($(Code::$code),+)?],
            },
        }),*]
    };
}

/// Every route.
pub static ROUTES: &[Route] = routes! {
    // Service, session (3.1)
    Get    "/health"                                      [Public]                 => health::show -> 200 Bare<Health>;
    Get    "/api/meta"                                    [Public]                 => health::meta -> 200 Meta;
    Get    "/api/openapi.json"                            [Public]                 => health::document
           -> 200 Bare<Document>;
    Post   "/api/session"                                 [Public]                 => session::create
           (SignIn) -> 201 Session | Unauthenticated, TokenInvalid, TokenExpired;
    Get    "/api/session"                                 [User]                   => session::show -> 200 Session;
    Delete "/api/session"                                 [User]                   => session::delete -> 200 SignedOut;
    Post   "/api/session/refresh"                         [User]                   => session::refresh -> 200 Session;
    Post   "/api/session/revoke-all"                      [User]                   => session::revoke_all
           -> 200 Revoked;
    Get    "/api/config-schema"                           [User]                   => config::schema
           -> 200 ConfigSchemas;
    Get    "/api/model-profiles"                          [User, Mayor]            => models::profiles
           -> 200 ModelCatalogue;
    Get    "/api/models"                                  [User, Mayor]            => models::suggestions
           -> 200 Vec<SuggestedModel>;

    // Towns and rigs of an account (3.2)
    Get    "/api/towns"                                   [User]                   => towns::list ?(q) -> 200 Vec<Town>;
    Post   "/api/towns"                                   [User]      K            => towns::create
           (NewTown) -> 201 Town | Forbidden, LimitReached;
    Get    "/api/users/{userId}/towns"                    [User]                   => towns::list_of_user
           -> 200 Vec<Town>;
    Post   "/api/users/{userId}/towns"                    [User]      K            => towns::create
           (NewTown) -> 201 Town | Forbidden, LimitReached;
    Get    "/api/users/{userId}/towns/{townId}"           [TownMember]             => towns::show -> 200 Town;
    Delete "/api/users/{userId}/towns/{townId}"           [TownOwner]              => towns::delete -> 200 Deleted;
    Get    "/api/users/{userId}/towns/{townId}/rigs"      [TownMember]             => rigs::list -> 200 Vec<Rig>;
    Get    "/api/users/{userId}/towns/{townId}/events"    [TownMember]             => feed::list
           ?(since, after_seq, type, rig_id, bead_id, agent_id, limit, offset, cursor, count) -> 200 Vec<Event>;
    Post   "/api/users/{userId}/rigs"                     [User]      K            => rigs::create_for_account
           (NewRig) -> 201 Rig;
    Get    "/api/users/{userId}/rigs/{rigId}"             [User]                   => rigs::show_of_account -> 200 Rig;
    Delete "/api/users/{userId}/rigs/{rigId}"             [User]                   => rigs::delete_of_account
           -> 200 Deleted;
    Get    "/api/orgs/{orgId}/towns"                      [OrgMember]              => towns::list_of_org
           -> 200 Vec<Town>;
    Post   "/api/orgs/{orgId}/towns"                      [OrgMember] K            => towns::create_for_org
           (NewTown) -> 201 Town;
    Get    "/api/orgs/{orgId}/towns/{townId}"             [OrgMember]              => towns::show_of_org -> 200 Town;
    Delete "/api/orgs/{orgId}/towns/{townId}"             [OrgOwner]               => towns::delete_of_org
           -> 200 Deleted;
    Get    "/api/orgs/{orgId}/towns/{townId}/rigs"        [OrgMember]              => towns::rigs_of_org
           -> 200 Vec<Rig>;
    Post   "/api/orgs/{orgId}/rigs"                       [OrgMember] K            => rigs::create_for_account
           (NewRig) -> 201 Rig;
    Get    "/api/orgs/{orgId}/rigs/{rigId}"               [OrgMember]              => rigs::show_of_account -> 200 Rig;
    Delete "/api/orgs/{orgId}/rigs/{rigId}"               [OrgOwner]               => rigs::delete_of_account
           -> 200 Deleted;
    Get    "/api/towns/{townId}"                          [TownMember]             => towns::show -> 200 Town;
    Patch  "/api/towns/{townId}"                          [TownOwner] Audit => towns::rename (RenameTown) -> 200 Town;
    Delete "/api/towns/{townId}"                          [TownOwner]              => towns::delete -> 200 Deleted;
    Get    "/api/towns/{townId}/rigs"                     [TownMember]             => rigs::list -> 200 Vec<Rig>;
    Post   "/api/towns/{townId}/rigs"                     [TownMember] K Audit => rigs::create (NewRig) -> 201 Rig;
    Get    "/api/towns/{townId}/rigs/{rigId}"             [TownMember]             => rigs::show -> 200 Rig;
    Patch  "/api/towns/{townId}/rigs/{rigId}"             [TownOwner] Audit => rigs::patch (PatchRig) -> 200 Rig;
    Delete "/api/towns/{townId}/rigs/{rigId}"             [TownOwner] Audit => rigs::delete -> 200 Deleted;
    Post   "/api/towns/{townId}/rigs/{rigId}/check-access" [TownMember]            => rigs::check_access -> 202 Rig;

    // The mayor (3.5)
    Post   "/api/towns/{townId}/mayor/message"            [TownMember] K           => mayor::say
           (SayToMayor) -> 200 MayorAnswer;
    Get    "/api/towns/{townId}/mayor/status"             [TownMember]             => mayor::status -> 200 MayorStatus;
    Get    "/api/towns/{townId}/mayor/messages"           [TownMember]             => mayor::messages
           ?(limit, after_id) -> 200 Vec<MayorMessage>;
    Post   "/api/towns/{townId}/mayor/ensure"             [TownMember]             => mayor::ensure -> 200 MayorAnswer;
    Post   "/api/towns/{townId}/mayor/configure"          [TownMember]             => mayor::configure
           -> 200 Configured;
    Post   "/api/towns/{townId}/mayor/restart"            [TownMember]             => mayor::restart -> 200 MayorAnswer;
    Post   "/api/towns/{townId}/mayor/completed"          [TownMember, Runtime]    => mayor::completed
           (MayorCompleted) -> 200 Acknowledged;
    Post   "/api/towns/{townId}/mayor/destroy"            [TownOwner] Audit        => mayor::destroy -> 200 Destroyed;
    Post   "/api/towns/{townId}/mayor/dashboard-context"  [TownMember]             => mayor::look_at
           (LookAt) -> 200 Stored;
    Post   "/api/towns/{townId}/mayor/ui-action"          [TownMember]             => mayor::show_ui
           (ShowUi) -> 200 Broadcast;

    // Reviews (3.6)
    Get    "/api/towns/{townId}/merge-queue"              [TownMember]             => reviews::list
           ?(rig_id, since, limit) -> 200 MergeQueue;
    Post   "/api/towns/{townId}/merge-queue/{beadId}/retry" [TownMember]           => reviews::retry
           (Note) -> 200 MergeQueueItem;
    Post   "/api/towns/{townId}/merge-queue/{beadId}/dismiss" [TownMember]         => reviews::dismiss
           (Note) -> 200 MergeQueueItem;
    Post   "/api/towns/{townId}/merge-queue/{beadId}/verdict" [TownMember]         => reviews::judge
           (PersonsVerdict) -> 200 MergeQueueItem;

    // Feed, live stream, escalations (3.6)
    Get    "/api/towns/{townId}/events"                   [TownMember]             => feed::list
           ?(since, after_seq, type, rig_id, bead_id, agent_id, limit, offset, cursor, count) -> 200 Vec<Event>;
    Get    "/api/towns/{townId}/events/stream"            [TownMember] Ticket      => streams::events
           ?(types, rig_id, after, ticket) -> 200 Stream | TicketInvalid, OriginNotAllowed;
    Get    "/api/towns/{townId}/escalations"              [TownMember]             => inbox::escalations
           ?(acknowledged, severity, rig_id, category, limit, offset, cursor, count) -> 200 Vec<Escalation>;
    Get    "/api/towns/{townId}/escalations/{escalationId}" [TownMember]           => inbox::escalation
           -> 200 Escalation;
    Post   "/api/towns/{townId}/escalations/{escalationId}/acknowledge" [TownMember] => inbox::acknowledge
           (AcknowledgeEscalation) -> 200 Escalation;
    Post   "/api/towns/{townId}/escalations/{escalationId}/reply" [TownMember] K   => inbox::reply
           (ReplyEscalation) -> 201 Escalation;
    Get    "/api/towns/{townId}/mail"                     [TownMember]             => inbox::mails
           ?(agent_id, rig_id, direction, delivered, thread_id, limit, offset, cursor, count) -> 200 Vec<Mail>;
    Post   "/api/towns/{townId}/mail"                     [TownMember] K           => inbox::post_mail
           (SendMail) -> 201 Mail;

    // Settings and town control (3.7)
    Get    "/api/towns/{townId}/config"                   [TownMember]             => config::show -> 200 TownSettings;
    Patch  "/api/towns/{townId}/config"                   [TownOwner]              => config::patch
           (Json<TownPatch>) -> 200 TownSettings;
    Get    "/api/towns/{townId}/rigs/{rigId}/config"      [TownMember]             => config::show_rig
           ?(effective) -> 200 RigSettings;
    Patch  "/api/towns/{townId}/rigs/{rigId}/config"      [TownOwner]              => config::patch_rig
           (Json<RigPatch>) -> 200 RigSettings;
    Post   "/api/towns/{townId}/pause"                    [TownMember] Audit => container::pause
           (PauseTown) -> 200 TownStatus;
    Post   "/api/towns/{townId}/resume"                   [TownMember] Audit => container::resume -> 200 TownStatus;
    Post   "/api/towns/{townId}/breaker/reset"            [TownMember] Audit => container::reset_breaker
           (ResetBreaker) -> 200 TownStatus;
    Post   "/api/towns/{townId}/container/restart"        [TownOwner] Audit => container::restart
           (StopContainer) -> 202 RuntimeStatus;
    Post   "/api/towns/{townId}/container/stop"           [TownOwner] Audit => container::stop
           (StopContainer) -> 202 RuntimeStatus;
    Post   "/api/towns/{townId}/container/revoke-credentials" [TownOwner] Audit => container::revoke -> 200 Revoked;
    Get    "/api/towns/{townId}/usage"                    [TownMember]             => container::usage
           ?(from, to, group_by) -> 200 Usage | UnsupportedValue;
    Get    "/api/towns/{townId}/metrics"                  [TownMember]             => container::metrics
           ?(window, bucket) -> 200 Metrics;
    Get    "/api/towns/{townId}/status"                   [TownMember]             => people::status -> 200 TownStatus;
    Get    "/api/towns/{townId}/explain"                  [TownMember]             => people::explain
           -> 200 TownExplain;
    Get    "/api/towns/{townId}/audit"                    [TownOwner]              => people::audit
           ?(actor, action, since, limit, offset, cursor, count) -> 200 Vec<AuditEntry>;
    Post   "/api/towns/{townId}/models/resolve"           [TownMember, Mayor]      => models::resolve
           (ResolveModel) -> 200 ResolvedModel;
    Get    "/api/towns/{townId}/snapshot"                 [TownMember]             => people::snapshot -> 200 Snapshot;
    Get    "/api/towns/{townId}/container/health"         [TownMember]             => people::runtime_status
           -> 200 RuntimeStatus;
    Get    "/api/towns/{townId}/drain-status"             [TownMember, Runtime]    => container::drain_status
           -> 200 DrainStatus;

    // Agents of the town (3.5)
    Get    "/api/towns/{townId}/agents"                   [TownMember]             => people::agents
           ?(role, status, rig_id) -> 200 Vec<Agent>;
    Get    "/api/towns/{townId}/agents/{agentId}"         [TownMember]             => people::agent
           ?(rig_id) -> 200 Agent;
    Get    "/api/towns/{townId}/agents/{agentId}/events"  [TownMember]             => people::agent_events
           ?(after_id, before_id, assignment_id, limit) -> 200 Vec<AgentEvent>;
    Get    "/api/towns/{townId}/agents/stream"            [TownMember] Ticket      => streams::agents
           ?(ids, after, history, ticket) -> 200 Stream | TicketInvalid, OriginNotAllowed;
    Get    "/api/towns/{townId}/agents/{agentId}/stream"  [TownMember] Ticket      => streams::agent
           ?(after, history, ticket) -> 200 Stream | TicketInvalid, OriginNotAllowed;
    Post   "/api/towns/{townId}/tickets"                  [TownMember]             => streams::mint
           (MintTicket) -> 201 MintedTicket | NotOffered, LimitReached;
    Post   "/api/towns/{townId}/agents/{agentId}/message" [TownMember] K           => messages::say
           (SayToAgent) -> 202 MessageSent;
    Post   "/api/towns/{townId}/agents/{agentId}/nudges"  [TownMember] K           => messages::nudge_of_person
           (SendNudge) -> 201 Nudge;

    Delete "/api/towns/{townId}/agents/{agentId}"         [TownMember]             => hands::remove -> 200 Deleted;
    Post   "/api/towns/{townId}/agents/{agentId}/reset"   [TownMember]             => hands::reset
           (bead::Reason) -> 200 Agent;
    Post   "/api/towns/{townId}/agents/{agentId}/stop"    [TownMember]             => hands::stop (bead::Reason) -> 200 Agent;
    Get    "/api/towns/{townId}/agents/{agentId}/assignments" [TownMember]         => hands::assignments
           ?(rig_id, limit, offset, cursor, count) -> 200 Vec<Assignment>;
    Post   "/api/towns/{townId}/container/agents/start"   [TownMember]             => hands::start
           (StartAgent) -> 202 Started;
    Post   "/api/towns/{townId}/container/agents/{agentId}/stop" [TownMember]      => hands::stop_session
           -> 200 Stopped;
    Post   "/api/towns/{townId}/container/agents/{agentId}/message" [TownMember]   => hands::say_to_session
           (SayToAgent) -> 200 Sent;
    Post   "/api/towns/{townId}/container/agents/{agentId}/stream-ticket" [TownMember] => streams::mint_for_agent
           -> 200 AgentTicket | LimitReached;
    Get    "/api/towns/{townId}/container/agents/{agentId}/status" [TownMember]    => others::agent_status
           -> 200 AgentView;
    Get    "/api/towns/{townId}/container/agents/{agentId}/pty" [TownMember]       => others::no_terminal
           -> 200 Pty | NotOffered;
    Post   "/api/towns/{townId}/container/agents/{agentId}/pty" [TownMember]       => others::no_terminal
           -> 200 Pty | NotOffered;
    Get    "/api/towns/{townId}/container/agents/{agentId}/pty/{ptyId}" [TownMember] => others::no_terminal
           -> 200 Pty | NotOffered;
    Put    "/api/towns/{townId}/container/agents/{agentId}/pty/{ptyId}" [TownMember] => others::no_terminal
           -> 200 Pty | NotOffered;
    Delete "/api/towns/{townId}/container/agents/{agentId}/pty/{ptyId}" [TownMember] => others::no_terminal
           -> 200 Pty | NotOffered;
    Get    "/api/towns/{townId}/container/agents/{agentId}/pty/{ptyId}/connect" [TownMember] => others::no_terminal
           -> 200 Pty | NotOffered;

    // Beads and sling (3.3)
    Get    "/api/towns/{townId}/beads"                    [TownMember]             => beads::list
           ?(status, type, rig_id, label, priority, assignee_agent_id, convoy_id, parent_bead_id, q, updated_since, limit, offset, cursor, count) -> 200 Vec<Bead>;
    Post   "/api/towns/{townId}/beads"                    [TownMember] K           => beads::create
           (CreateBead) -> 201 Bead;
    Post   "/api/towns/{townId}/sling"                    [TownMember] K           => sling::create
           (SlingPlan) -> 201 SlingResult;
    Get    "/api/towns/{townId}/beads/{beadId}"           [TownMember]             => beads::show ?(rig_id) -> 200 Bead;
    Patch  "/api/towns/{townId}/beads/{beadId}"           [TownMember]             => beads::update
           (PatchBead) -> 200 Bead;
    Delete "/api/towns/{townId}/beads/{beadId}"           [TownMember]             => hands::delete_bead -> 200 Deleted;
    Post   "/api/towns/{townId}/beads/bulk"               [TownMember] K           => hands::bulk
           (Bulk) -> 200 BulkResults;
    Post   "/api/towns/{townId}/beads/{beadId}/reassign"  [TownMember]             => hands::reassign
           (ReassignBead) -> 200 Bead;
    Post   "/api/towns/{townId}/beads/{beadId}/start"     [TownMember]             => beads::start -> 200 Bead;
    Post   "/api/towns/{townId}/beads/{beadId}/close"     [TownMember]             => beads::close
           (bead::Reason) -> 200 Bead;
    Post   "/api/towns/{townId}/beads/{beadId}/fail"      [TownMember]             => beads::fail
           (bead::Reason) -> 200 Bead;
    Post   "/api/towns/{townId}/beads/{beadId}/retry"     [TownMember] K           => beads::retry
           (RetryBead) -> 200 Bead;
    Get    "/api/towns/{townId}/beads/{beadId}/explain"   [TownMember]             => beads::explain
           ?(rig_id) -> 200 Explain;
    Get    "/api/towns/{townId}/beads/{beadId}/model"     [TownMember]             => beads::model
           ?(rig_id) -> 200 ResolvedModel;
    Get    "/api/towns/{townId}/beads/{beadId}/assignments" [TownMember]           => beads::assignments
           ?(rig_id, limit, offset, cursor, count) -> 200 Vec<Assignment>;
    Get    "/api/towns/{townId}/beads/{beadId}/events"    [TownMember]             => beads::events
           ?(since, rig_id, limit, offset, cursor, count) -> 200 Vec<Event>;

    // Convoys (3.4)
    Get    "/api/towns/{townId}/convoys"                  [TownMember]             => convoys::list
           ?(state, limit, offset, cursor, count) -> 200 Vec<Convoy>;
    Post   "/api/towns/{townId}/convoys"                  [TownMember] K           => convoys::create
           (CreateConvoy) -> 201 Convoy;
    Post   "/api/towns/{townId}/convoys/bead-closed"      [TownMember]             => convoys::bead_closed
           (NameBead) -> 200 Convoy;
    Get    "/api/towns/{townId}/convoys/{convoyId}"       [TownMember]             => convoys::show -> 200 Convoy;
    Patch  "/api/towns/{townId}/convoys/{convoyId}"       [TownMember]             => convoys::patch
           (PatchConvoy) -> 200 Convoy;
    Post   "/api/towns/{townId}/convoys/{convoyId}/start" [TownMember]             => convoys::start -> 200 Convoy;
    Post   "/api/towns/{townId}/convoys/{convoyId}/retry" [TownMember]             => convoys::retry
           (DecideConvoy) -> 200 Convoy;
    Post   "/api/towns/{townId}/convoys/{convoyId}/skip"  [TownMember]             => convoys::skip
           (DecideConvoy) -> 200 Convoy;
    Post   "/api/towns/{townId}/convoys/{convoyId}/abort" [TownMember]             => convoys::abort
           (DecideConvoy) -> 200 Convoy;
    Post   "/api/towns/{townId}/convoys/{convoyId}/close" [TownMember]             => convoys::close
           (DecideConvoy) -> 200 Convoy;
    Post   "/api/towns/{townId}/convoys/{convoyId}/beads" [TownMember]             => convoys::add
           (AddToConvoy) -> 200 TotalBeads;
    Delete "/api/towns/{townId}/convoys/{convoyId}/beads/{beadId}" [TownMember]    => convoys::remove -> 200 TotalBeads;

    // Beads and agents of a rig (3.8 to 3.10)
    Get    "/api/towns/{townId}/rigs/{rigId}/beads"       [RigAgents, TownMember]  => beads::list_of_rig
           ?(status, type, label, priority, assignee_agent_id, convoy_id, parent_bead_id, q, updated_since, limit, offset, cursor, count) -> 200 Vec<Bead>;
    Post   "/api/towns/{townId}/rigs/{rigId}/beads"       [TownMember, Runtime] K  => beads::create_in_rig
           (NewBeadOfRig) -> 201 Bead;
    Get    "/api/towns/{townId}/rigs/{rigId}/beads/{beadId}" [RigAgents, TownMember] => beads::show_of_rig -> 200 Bead;
    Delete "/api/towns/{townId}/rigs/{rigId}/beads/{beadId}" [TownMember, Runtime] => hands::delete_of_rig
           -> 200 Deleted;
    Patch  "/api/towns/{townId}/rigs/{rigId}/beads/{beadId}/status" [RigAgents, TownMember] => hands::set_status
           (SetBeadStatus) -> 200 Bead;
    Post   "/api/towns/{townId}/rigs/{rigId}/beads/{beadId}/close" [RigAgents, TownMember] => hands::close_of_rig
           (CloseBead) -> 200 Bead;
    Post   "/api/towns/{townId}/rigs/{rigId}/review-queue" [RigAgents] K           => hands::submit
           (SubmitBranch) -> 201 Submitted;
    Post   "/api/towns/{townId}/rigs/{rigId}/review-queue/{beadId}/complete" [Runtime] => others::complete_review
           (ReviewEnded) -> 200 Completed;
    Post   "/api/towns/{townId}/rigs/{rigId}/agent-events" [RigAgents]             => others::append_event
           (AgentHappening) -> 201 Appended;
    Post   "/api/towns/{townId}/rigs/{rigId}/refresh-git-token" [Runtime]          => others::refresh_git_token
           -> 200 GitToken | NoCredentials, HostNotAllowed;
    Post   "/api/towns/{townId}/rigs/{rigId}/sling"       [TownMember, Runtime] K  => sling::create_in_rig
           (NewBead) -> 201 SlungBead;
    Get    "/api/towns/{townId}/rigs/{rigId}/events"      [RigAgents, TownMember]  => beads::events_of_rig
           ?(bead_id, agent_id, since, limit, offset, cursor, count) -> 200 Vec<Event>;
    Get    "/api/towns/{townId}/rigs/{rigId}/agents"      [RigAgents, TownMember]  => people::agents_of_rig
           ?(role, status, rig_id) -> 200 Vec<Agent>;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents"      [TownMember, Runtime] K  => hands::register
           (RegisterAgent) -> 201 Agent;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/get-or-create" [TownMember, Runtime] => hands::get_or_create
           (GetAgent) -> 200 Agent;
    Get    "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}" [RigAgents, TownMember] => hands::show_of_rig
           -> 200 Agent;
    Delete "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}" [TownMember, Runtime] => hands::remove_of_rig
           -> 200 Deleted;
    Get    "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/events" [Agent, TownMember] => people::agent_events
           ?(after_id, before_id, assignment_id, limit) -> 200 Vec<AgentEvent>;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/hook" [Agent, TownMember] Idle => hands::hook
           (HookBead) -> 200 Option<Hooked>;
    Delete "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/hook" [Agent, TownMember] Idle => hands::unhook
           -> 200 Unhooked;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/completed" [Agent]   => hands::completed
           (SessionEnded) -> 200 Completed;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/eviction-context" [Agent] => hands::eviction_context
           (hand::SavedWork) -> 200 Written;
    Post   "/api/towns/{townId}/rigs/{rigId}/escalations" [RigAgents] K            => inbox::escalate
           (NewEscalation) -> 201 Escalation;
    Post   "/api/towns/{townId}/rigs/{rigId}/triage/resolve" [RigAgents] <Triage>  => inbox::resolve_triage
           (ResolveTriage) -> 200 Bead;
    Post   "/api/towns/{townId}/rigs/{rigId}/mail"        [RigAgents] K            => messages::send
           (SendMail) -> 201 MailSent;
    Post   "/api/towns/{townId}/rigs/{rigId}/nudge"       [RigAgents, Mayor] K     => messages::nudge
           (SendNudge) -> 200 Nudged;
    Post   "/api/towns/{townId}/rigs/{rigId}/molecules"   [RigAgents, TownMember] K => messages::create_molecule
           (NewMolecule) -> 201 Molecule;
    Get    "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/prime" [Agent]       => agents::prime
           ?(peek) -> 200 PrimeContext;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/done" [Agent] Again <Polecat, Refinery, Triage> => agents::done
           (Done) -> 200 DoneSaid;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/verdict" [Agent] Again <Refinery> => agents::verdict
           (JudgeBranch) -> 201 Judged;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/request-changes" [Agent] Again <Refinery> => agents::request_changes
           (RequestChanges) -> 201 ReworkAsked;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/status" [Agent]      => agents::status
           (SetStatus) -> 200 Told;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/checkpoint" [Agent]  => agents::checkpoint
           (SetCheckpoint) -> 200 Written;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/heartbeat" [Agent]   => agents::heartbeat
           (agent::Heartbeat) -> 200 Heard;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/waiting" [Agent]     => others::waiting
           -> 200 Acknowledged;
    Get    "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/mail" [Agent]        => agents::mail
           ?(peek) -> 200 Vec<Mail>;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/mail/ack" [Agent]    => agents::acknowledge_mail
           (AcknowledgeMail) -> 200 Delivered;
    Get    "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/pending-nudges" [Agent] => messages::pending
           -> 200 Vec<Nudge>;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/nudge-delivered" [Agent] => messages::delivered
           (NudgeDelivered) -> 200 Marked;
    Get    "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/molecule/current" [Agent] => messages::current_step
           -> 200 MoleculeStep;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/molecule/advance" [Agent] K => messages::advance_molecule
           (Advance) -> 200 Molecule;

    // Runtime (3.11)
    Post   "/api/towns/{townId}/runtime/register"         [Runtime]                => runtime::register
           (Json<report::Register>) -> 200 report::RegisterReply;
    Post   "/api/towns/{townId}/runtime/facts"            [Runtime]                => runtime::facts
           (Json<report::Facts>) -> 200 report::FactsReply;
    Post   "/api/towns/{townId}/runtime/heartbeat"        [Runtime]                => runtime::heartbeat
           (Json<report::Heartbeat>) -> 200 report::HeartbeatReply;
    Post   "/api/towns/{townId}/runtime/outcomes"         [Runtime]                => runtime::outcomes
           (Json<report::Outcomes>) -> 200 report::OutcomesReply;
    Post   "/api/towns/{townId}/runtime/events"           [Runtime] Large          => runtime::events
           (Json<report::EventBatches>) -> 200 report::EventsReply;
    Post   "/api/towns/{townId}/runtime/agent-tokens"     [Runtime]                => runtime::agent_tokens
           (Json<report::AgentTokens>) -> 200 Vec<report::AgentToken>;
    Post   "/api/towns/{townId}/runtime/git-credentials"  [Runtime]                => runtime::git_credentials
           (Json<report::GitCredentialsRequest>) -> 200 report::GitCredentials;
    Post   "/api/towns/{townId}/runtime/llm-credentials"  [Runtime]                => runtime::llm_credentials
           -> 200 report::LlmCredentials;
    Post   "/api/towns/{townId}/refresh-container-token"  [Runtime] Late           => runtime::refresh_token
           -> 200 report::ContainerToken;
    Post   "/api/towns/{townId}/container-eviction"       [Runtime]                => runtime::eviction -> 200 Evicted;
    Post   "/api/towns/{townId}/container-ready"          [Runtime]                => runtime::ready
           (Json<Ready>) -> 200 Cleared;
    Get    "/api/towns/{townId}/mayor-id"                 [Runtime]                => runtime::mayor_id
           -> 200 Bare<MayorId>;
    Get    "/api/towns/{townId}/container-registry"       [Runtime]                => others::registry
           -> 200 Vec<RegistryEntry>;
    Post   "/api/towns/{townId}/container-registry"       [Runtime]                => others::register
           (Json<Vec<RegistryEntry>>) -> 200 Registered;
    Post   "/api/towns/{townId}/container-events"         [Runtime]                => others::container_event
           (Json<ContainerEvent>) -> 200 Bare<Heeded>;

    // Mayor tools (3.12)
    Post   "/api/mayor/{townId}/tools/sling"              [Mayor] K                => mayor_tools::sling
           (MayorSling) -> 201 SlungBead;
    Post   "/api/mayor/{townId}/tools/sling-batch"        [Mayor] K                => convoys::sling_batch
           (SlingBatch) -> 201 SlungConvoy;
    Get    "/api/mayor/{townId}/tools/convoys"            [Mayor]                  => convoys::list_for_mayor
           ?(state, limit, offset, cursor, count) -> 200 Vec<Convoy>;
    Get    "/api/mayor/{townId}/tools/convoys/{convoyId}" [Mayor]                  => convoys::show -> 200 Convoy;
    Patch  "/api/mayor/{townId}/tools/convoys/{convoyId}" [Mayor]                  => convoys::patch_for_mayor
           (PatchConvoy) -> 200 Convoy;
    Post   "/api/mayor/{townId}/tools/convoys/{convoyId}/start" [Mayor]            => convoys::start_for_mayor
           -> 200 StartedConvoy;
    Post   "/api/mayor/{townId}/tools/convoys/{convoyId}/retry" [Mayor]            => convoys::retry
           (DecideConvoy) -> 200 Convoy;
    Post   "/api/mayor/{townId}/tools/convoys/{convoyId}/skip" [Mayor]             => convoys::skip
           (DecideConvoy) -> 200 Convoy;
    Post   "/api/mayor/{townId}/tools/convoys/{convoyId}/abort" [Mayor]            => convoys::abort
           (DecideConvoy) -> 200 Convoy;
    Post   "/api/mayor/{townId}/tools/convoys/{convoyId}/close" [Mayor]            => convoys::close
           (DecideConvoy) -> 200 Convoy;
    Post   "/api/mayor/{townId}/tools/convoys/{convoyId}/add-bead" [Mayor]         => convoys::add
           (AddToConvoy) -> 200 TotalBeads;
    Post   "/api/mayor/{townId}/tools/convoys/{convoyId}/remove-bead" [Mayor]      => convoys::remove_named
           (NameBead) -> 200 TotalBeads;
    Get    "/api/mayor/{townId}/tools/rigs"               [Mayor]                  => mayor_tools::rigs -> 200 Vec<Rig>;
    Get    "/api/mayor/{townId}/tools/beads"              [Mayor]                  => mayor_tools::beads
           ?(status, type, rig_id, label, priority, assignee_agent_id, convoy_id, parent_bead_id, q, updated_since, limit, offset, cursor, count) -> 200 Vec<Bead>;
    Get    "/api/mayor/{townId}/tools/rigs/{rigId}/beads" [Mayor]                  => mayor_tools::beads
           ?(status, type, rig_id, label, priority, assignee_agent_id, convoy_id, parent_bead_id, q, updated_since, limit, offset, cursor, count) -> 200 Vec<Bead>;
    Get    "/api/mayor/{townId}/tools/beads/{beadId}/explain" [Mayor]              => beads::explain
           ?(rig_id) -> 200 Explain;
    Patch  "/api/mayor/{townId}/tools/rigs/{rigId}/beads/{beadId}" [Mayor]         => beads::update_of_rig
           (PatchBead) -> 200 Bead;
    Delete "/api/mayor/{townId}/tools/rigs/{rigId}/beads/{beadId}" [Mayor]         => hands::delete_of_rig
           -> 200 Deleted;
    Post   "/api/mayor/{townId}/tools/rigs/{rigId}/beads/{beadId}/reassign" [Mayor] => hands::reassign_of_rig
           (ReassignBead) -> 200 Bead;
    Post   "/api/mayor/{townId}/tools/rigs/{rigId}/beads/{beadId}/retry" [Mayor]   => beads::retry_of_rig
           (RetryBead) -> 200 Bead;
    Post   "/api/mayor/{townId}/tools/rigs/{rigId}/beads/bulk-delete" [Mayor]      => hands::bulk_delete
           (BulkDelete) -> 200 DeletedCount;
    Post   "/api/mayor/{townId}/tools/rigs/{rigId}/beads/delete-by-status" [Mayor] => hands::delete_by_status
           (DeleteByStatus) -> 200 DeletedCount;
    Post   "/api/mayor/{townId}/tools/rigs/{rigId}/agents/{agentId}/reset" [Mayor] => hands::reset_of_rig -> 200 Reset;
    Get    "/api/mayor/{townId}/tools/agents"             [Mayor]                  => mayor_tools::agents
           ?(role, status, rig_id) -> 200 Vec<Agent>;
    Get    "/api/mayor/{townId}/tools/rigs/{rigId}/agents" [Mayor]                 => mayor_tools::agents
           ?(role, status, rig_id) -> 200 Vec<Agent>;
    Get    "/api/mayor/{townId}/tools/escalations"        [Mayor]                  => inbox::escalations
           ?(acknowledged, severity, rig_id, category, limit, offset, cursor, count) -> 200 Vec<Escalation>;
    Post   "/api/mayor/{townId}/tools/escalations/{escalationId}/acknowledge" [Mayor] => inbox::acknowledge
           (AcknowledgeEscalation) -> 200 Escalation;
    Post   "/api/mayor/{townId}/tools/mail"               [Mayor] K                => mayor_tools::mail
           (SendMail) -> 200 MailSent;
    Post   "/api/mayor/{townId}/tools/nudge"              [Mayor] K                => messages::nudge_of_mayor
           (SendNudge) -> 200 Nudged;
    Get    "/api/mayor/{townId}/tools/rigs/{rigId}/agents/{agentId}/pending-nudges" [Mayor] => messages::pending
           -> 200 Vec<Nudge>;
    Get    "/api/mayor/{townId}/tools/status"             [Mayor]                  => people::status -> 200 TownStatus;
    Get    "/api/mayor/{townId}/tools/config"             [Mayor]                  => config::show -> 200 TownSettings;
    Patch  "/api/mayor/{townId}/tools/config"             [Mayor]                  => mayor_tools::patch_config
           (Json<TownPatch>) -> 200 TownSettings;
    Post   "/api/mayor/{townId}/tools/ui-action"          [Mayor]                  => mayor::show_ui
           (ShowUi) -> 200 Broadcast;
};
