//! The route table: method, path, access, handler, one line each (api.md 3). The router, the access check, the test that
//! every row is well formed, and `docs/routes.md` all read it. There is no prefix and no middleware, so order does not
//! matter.

use std::cell::OnceCell;
use std::future::Future;
use std::pin::Pin;

use gastown_core::access::{Access, Level};
use gastown_core::limits::{BODY_BYTES_MAX, EVENT_BATCH_BYTES_MAX};
use gastown_core::session::Role;
use gastown_core::sorted::{SortedMap, sort_by};

use crate::error::Result;
use crate::http::inbound::{Inbound, Params};
use crate::http::reply::Reply;
use crate::http::{
    agents, beads, config, container, convoys, feed, hands, health, inbox, mayor, mayor_tools, messages, models,
    others, people, reviews, rigs, runtime, session, sling, towns,
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
    /// An agent needs no live assignment for it (`A/hook`).
    pub may_be_idle: bool,
    /// Its use is written to the town's audit log; settings write their own rows, with what changed.
    pub is_audited: bool,
}

/// Flags of a row: `K` honours Idempotency-Key, `Large` takes event batches, `Late` takes a container token that ended,
/// `Idle` takes an agent without a live assignment, `Audit` is written to the town's audit log.
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
    ($flag:ident is $other:ident) => {
        false
    };
}

macro_rules! routes {
    ($($method:ident $path:literal [$($level:ident),+] $($flag:ident)* $(<$($role:ident),+>)? => $module:ident::$handler:ident;)*) => {
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
        }),*]
    };
}

/// Every route.
pub static ROUTES: &[Route] = routes! {
    // Service, session (3.1)
    Get    "/health"                                      [Public]                 => health::show;
    Get    "/api/meta"                                    [Public]                 => health::meta;
    Post   "/api/session"                                 [Public]                 => session::create;
    Get    "/api/session"                                 [User]                   => session::show;
    Delete "/api/session"                                 [User]                   => session::delete;
    Post   "/api/session/refresh"                         [User]                   => session::refresh;
    Post   "/api/session/revoke-all"                      [User]                   => session::revoke_all;
    Get    "/api/config-schema"                           [User]                   => config::schema;
    Get    "/api/model-profiles"                          [User, Mayor]            => models::profiles;
    Get    "/api/models"                                  [User, Mayor]            => models::suggestions;

    // Towns and rigs of an account (3.2)
    Get    "/api/towns"                                   [User]                   => towns::list;
    Post   "/api/towns"                                   [User]      K            => towns::create;
    Get    "/api/users/{userId}/towns"                    [User]                   => towns::list_of_user;
    Post   "/api/users/{userId}/towns"                    [User]      K            => towns::create;
    Get    "/api/users/{userId}/towns/{townId}"           [TownMember]             => towns::show;
    Delete "/api/users/{userId}/towns/{townId}"           [TownOwner]              => towns::delete;
    Get    "/api/users/{userId}/towns/{townId}/rigs"      [TownMember]             => rigs::list;
    Get    "/api/users/{userId}/towns/{townId}/events"    [TownMember]             => feed::list;
    Post   "/api/users/{userId}/rigs"                     [User]      K            => rigs::create_for_account;
    Get    "/api/users/{userId}/rigs/{rigId}"             [User]                   => rigs::show_of_account;
    Delete "/api/users/{userId}/rigs/{rigId}"             [User]                   => rigs::delete_of_account;
    Get    "/api/orgs/{orgId}/towns"                      [OrgMember]              => towns::list_of_org;
    Post   "/api/orgs/{orgId}/towns"                      [OrgMember] K            => towns::create_for_org;
    Get    "/api/orgs/{orgId}/towns/{townId}"             [OrgMember]              => towns::show_of_org;
    Delete "/api/orgs/{orgId}/towns/{townId}"             [OrgOwner]               => towns::delete_of_org;
    Get    "/api/orgs/{orgId}/towns/{townId}/rigs"        [OrgMember]              => towns::rigs_of_org;
    Post   "/api/orgs/{orgId}/rigs"                       [OrgMember] K            => rigs::create_for_account;
    Get    "/api/orgs/{orgId}/rigs/{rigId}"               [OrgMember]              => rigs::show_of_account;
    Delete "/api/orgs/{orgId}/rigs/{rigId}"               [OrgOwner]               => rigs::delete_of_account;
    Get    "/api/towns/{townId}"                          [TownMember]             => towns::show;
    Patch  "/api/towns/{townId}"                          [TownOwner] Audit => towns::rename;
    Delete "/api/towns/{townId}"                          [TownOwner]              => towns::delete;
    Get    "/api/towns/{townId}/rigs"                     [TownMember]             => rigs::list;
    Post   "/api/towns/{townId}/rigs"                     [TownMember] K Audit => rigs::create;
    Get    "/api/towns/{townId}/rigs/{rigId}"             [TownMember]             => rigs::show;
    Patch  "/api/towns/{townId}/rigs/{rigId}"             [TownOwner] Audit => rigs::patch;
    Delete "/api/towns/{townId}/rigs/{rigId}"             [TownOwner] Audit => rigs::delete;
    Post   "/api/towns/{townId}/rigs/{rigId}/check-access" [TownMember]            => rigs::check_access;

    // The mayor (3.5)
    Post   "/api/towns/{townId}/mayor/message"            [TownMember] K           => mayor::say;
    Get    "/api/towns/{townId}/mayor/status"             [TownMember]             => mayor::status;
    Get    "/api/towns/{townId}/mayor/messages"           [TownMember]             => mayor::messages;
    Post   "/api/towns/{townId}/mayor/ensure"             [TownMember]             => mayor::ensure;
    Post   "/api/towns/{townId}/mayor/configure"          [TownMember]             => mayor::configure;
    Post   "/api/towns/{townId}/mayor/restart"            [TownMember]             => mayor::restart;
    Post   "/api/towns/{townId}/mayor/completed"          [TownMember, Runtime]    => mayor::completed;
    Post   "/api/towns/{townId}/mayor/destroy"            [TownOwner] Audit        => mayor::destroy;
    Post   "/api/towns/{townId}/mayor/dashboard-context"  [TownMember]             => mayor::look_at;
    Post   "/api/towns/{townId}/mayor/ui-action"          [TownMember]             => mayor::show_ui;

    // Reviews (3.6)
    Get    "/api/towns/{townId}/merge-queue"              [TownMember]             => reviews::list;
    Post   "/api/towns/{townId}/merge-queue/{beadId}/retry" [TownMember]           => reviews::retry;
    Post   "/api/towns/{townId}/merge-queue/{beadId}/dismiss" [TownMember]         => reviews::dismiss;
    Post   "/api/towns/{townId}/merge-queue/{beadId}/verdict" [TownMember]         => reviews::judge;

    // Feed, live stream, escalations (3.6)
    Get    "/api/towns/{townId}/events"                   [TownMember]             => feed::list;
    Get    "/api/towns/{townId}/events/stream"            [TownMember]             => feed::stream;
    Get    "/api/towns/{townId}/escalations"              [TownMember]             => inbox::escalations;
    Get    "/api/towns/{townId}/escalations/{escalationId}" [TownMember]           => inbox::escalation;
    Post   "/api/towns/{townId}/escalations/{escalationId}/acknowledge" [TownMember] => inbox::acknowledge;
    Post   "/api/towns/{townId}/escalations/{escalationId}/reply" [TownMember] K   => inbox::reply;
    Get    "/api/towns/{townId}/mail"                     [TownMember]             => inbox::mails;
    Post   "/api/towns/{townId}/mail"                     [TownMember] K           => inbox::post_mail;

    // Settings and town control (3.7)
    Get    "/api/towns/{townId}/config"                   [TownMember]             => config::show;
    Patch  "/api/towns/{townId}/config"                   [TownOwner]              => config::patch;
    Get    "/api/towns/{townId}/rigs/{rigId}/config"      [TownMember]             => config::show_rig;
    Patch  "/api/towns/{townId}/rigs/{rigId}/config"      [TownOwner]              => config::patch_rig;
    Post   "/api/towns/{townId}/pause"                    [TownMember] Audit => container::pause;
    Post   "/api/towns/{townId}/resume"                   [TownMember] Audit => container::resume;
    Post   "/api/towns/{townId}/breaker/reset"            [TownMember] Audit => container::reset_breaker;
    Post   "/api/towns/{townId}/container/restart"        [TownOwner] Audit => container::restart;
    Post   "/api/towns/{townId}/container/stop"           [TownOwner] Audit => container::stop;
    Post   "/api/towns/{townId}/container/revoke-credentials" [TownOwner] Audit => container::revoke;
    Get    "/api/towns/{townId}/usage"                    [TownMember]             => container::usage;
    Get    "/api/towns/{townId}/status"                   [TownMember]             => people::status;
    Get    "/api/towns/{townId}/audit"                    [TownOwner]              => people::audit;
    Post   "/api/towns/{townId}/models/resolve"           [TownMember, Mayor]      => models::resolve;
    Get    "/api/towns/{townId}/snapshot"                 [TownMember]             => people::snapshot;
    Get    "/api/towns/{townId}/container/health"         [TownMember]             => people::runtime_status;
    Get    "/api/towns/{townId}/drain-status"             [TownMember, Runtime]    => container::drain_status;

    // Agents of the town (3.5)
    Get    "/api/towns/{townId}/agents"                   [TownMember]             => people::agents;
    Get    "/api/towns/{townId}/agents/{agentId}"         [TownMember]             => people::agent;
    Get    "/api/towns/{townId}/agents/{agentId}/events"  [TownMember]             => people::agent_events;
    Post   "/api/towns/{townId}/agents/{agentId}/message" [TownMember] K           => messages::say;
    Post   "/api/towns/{townId}/agents/{agentId}/nudges"  [TownMember] K           => messages::nudge_of_person;

    Delete "/api/towns/{townId}/agents/{agentId}"         [TownMember]             => hands::remove;
    Post   "/api/towns/{townId}/agents/{agentId}/reset"   [TownMember]             => hands::reset;
    Post   "/api/towns/{townId}/agents/{agentId}/stop"    [TownMember]             => hands::stop;
    Get    "/api/towns/{townId}/agents/{agentId}/assignments" [TownMember]         => hands::assignments;
    Post   "/api/towns/{townId}/container/agents/start"   [TownMember]             => hands::start;
    Post   "/api/towns/{townId}/container/agents/{agentId}/stop" [TownMember]      => hands::stop_session;
    Post   "/api/towns/{townId}/container/agents/{agentId}/message" [TownMember]   => hands::say_to_session;
    Get    "/api/towns/{townId}/container/agents/{agentId}/status" [TownMember]    => others::agent_status;
    Get    "/api/towns/{townId}/container/agents/{agentId}/pty" [TownMember]       => others::no_terminal;
    Post   "/api/towns/{townId}/container/agents/{agentId}/pty" [TownMember]       => others::no_terminal;
    Get    "/api/towns/{townId}/container/agents/{agentId}/pty/{ptyId}" [TownMember] => others::no_terminal;
    Put    "/api/towns/{townId}/container/agents/{agentId}/pty/{ptyId}" [TownMember] => others::no_terminal;
    Delete "/api/towns/{townId}/container/agents/{agentId}/pty/{ptyId}" [TownMember] => others::no_terminal;
    Get    "/api/towns/{townId}/container/agents/{agentId}/pty/{ptyId}/connect" [TownMember] => others::no_terminal;

    // Beads and sling (3.3)
    Get    "/api/towns/{townId}/beads"                    [TownMember]             => beads::list;
    Post   "/api/towns/{townId}/beads"                    [TownMember] K           => beads::create;
    Post   "/api/towns/{townId}/sling"                    [TownMember] K           => sling::create;
    Get    "/api/towns/{townId}/beads/{beadId}"           [TownMember]             => beads::show;
    Patch  "/api/towns/{townId}/beads/{beadId}"           [TownMember]             => beads::update;
    Delete "/api/towns/{townId}/beads/{beadId}"           [TownMember]             => hands::delete_bead;
    Post   "/api/towns/{townId}/beads/bulk"               [TownMember] K           => hands::bulk;
    Post   "/api/towns/{townId}/beads/{beadId}/reassign"  [TownMember]             => hands::reassign;
    Post   "/api/towns/{townId}/beads/{beadId}/start"     [TownMember]             => beads::start;
    Post   "/api/towns/{townId}/beads/{beadId}/close"     [TownMember]             => beads::close;
    Post   "/api/towns/{townId}/beads/{beadId}/fail"      [TownMember]             => beads::fail;
    Post   "/api/towns/{townId}/beads/{beadId}/retry"     [TownMember] K           => beads::retry;
    Get    "/api/towns/{townId}/beads/{beadId}/explain"   [TownMember]             => beads::explain;
    Get    "/api/towns/{townId}/beads/{beadId}/model"     [TownMember]             => beads::model;
    Get    "/api/towns/{townId}/beads/{beadId}/assignments" [TownMember]           => beads::assignments;
    Get    "/api/towns/{townId}/beads/{beadId}/events"    [TownMember]             => beads::events;

    // Convoys (3.4)
    Get    "/api/towns/{townId}/convoys"                  [TownMember]             => convoys::list;
    Post   "/api/towns/{townId}/convoys"                  [TownMember] K           => convoys::create;
    Post   "/api/towns/{townId}/convoys/bead-closed"      [TownMember]             => convoys::bead_closed;
    Get    "/api/towns/{townId}/convoys/{convoyId}"       [TownMember]             => convoys::show;
    Patch  "/api/towns/{townId}/convoys/{convoyId}"       [TownMember]             => convoys::patch;
    Post   "/api/towns/{townId}/convoys/{convoyId}/start" [TownMember]             => convoys::start;
    Post   "/api/towns/{townId}/convoys/{convoyId}/retry" [TownMember]             => convoys::retry;
    Post   "/api/towns/{townId}/convoys/{convoyId}/skip"  [TownMember]             => convoys::skip;
    Post   "/api/towns/{townId}/convoys/{convoyId}/abort" [TownMember]             => convoys::abort;
    Post   "/api/towns/{townId}/convoys/{convoyId}/close" [TownMember]             => convoys::close;
    Post   "/api/towns/{townId}/convoys/{convoyId}/beads" [TownMember]             => convoys::add;
    Delete "/api/towns/{townId}/convoys/{convoyId}/beads/{beadId}" [TownMember]    => convoys::remove;

    // Beads and agents of a rig (3.8 to 3.10)
    Get    "/api/towns/{townId}/rigs/{rigId}/beads"       [RigAgents, TownMember]  => beads::list_of_rig;
    Post   "/api/towns/{townId}/rigs/{rigId}/beads"       [TownMember, Runtime] K  => beads::create_in_rig;
    Get    "/api/towns/{townId}/rigs/{rigId}/beads/{beadId}" [RigAgents, TownMember] => beads::show_of_rig;
    Delete "/api/towns/{townId}/rigs/{rigId}/beads/{beadId}" [TownMember, Runtime] => hands::delete_of_rig;
    Patch  "/api/towns/{townId}/rigs/{rigId}/beads/{beadId}/status" [RigAgents, TownMember] => hands::set_status;
    Post   "/api/towns/{townId}/rigs/{rigId}/beads/{beadId}/close" [RigAgents, TownMember] => hands::close_of_rig;
    Post   "/api/towns/{townId}/rigs/{rigId}/review-queue" [RigAgents] K           => hands::submit;
    Post   "/api/towns/{townId}/rigs/{rigId}/review-queue/{beadId}/complete" [Runtime] => others::complete_review;
    Post   "/api/towns/{townId}/rigs/{rigId}/agent-events" [RigAgents]             => others::append_event;
    Post   "/api/towns/{townId}/rigs/{rigId}/refresh-git-token" [Runtime]          => others::refresh_git_token;
    Post   "/api/towns/{townId}/rigs/{rigId}/sling"       [TownMember, Runtime] K  => sling::create_in_rig;
    Get    "/api/towns/{townId}/rigs/{rigId}/events"      [RigAgents, TownMember]  => beads::events_of_rig;
    Get    "/api/towns/{townId}/rigs/{rigId}/agents"      [RigAgents, TownMember]  => people::agents_of_rig;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents"      [TownMember, Runtime] K  => hands::register;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/get-or-create" [TownMember, Runtime] => hands::get_or_create;
    Get    "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}" [RigAgents, TownMember] => hands::show_of_rig;
    Delete "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}" [TownMember, Runtime] => hands::remove_of_rig;
    Get    "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/events" [Agent, TownMember] => people::agent_events;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/hook" [Agent, TownMember] Idle => hands::hook;
    Delete "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/hook" [Agent, TownMember] Idle => hands::unhook;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/completed" [Agent]   => hands::completed;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/eviction-context" [Agent] => hands::eviction_context;
    Post   "/api/towns/{townId}/rigs/{rigId}/escalations" [RigAgents] K            => inbox::escalate;
    Post   "/api/towns/{townId}/rigs/{rigId}/triage/resolve" [RigAgents] <Triage>  => inbox::resolve_triage;
    Post   "/api/towns/{townId}/rigs/{rigId}/mail"        [RigAgents] K            => messages::send;
    Post   "/api/towns/{townId}/rigs/{rigId}/nudge"       [RigAgents, Mayor] K     => messages::nudge;
    Post   "/api/towns/{townId}/rigs/{rigId}/molecules"   [RigAgents, TownMember] K => messages::create_molecule;
    Get    "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/prime" [Agent]       => agents::prime;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/done" [Agent] <Polecat, Refinery, Triage> => agents::done;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/verdict" [Agent] <Refinery> => agents::verdict;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/request-changes" [Agent] <Refinery> => agents::request_changes;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/status" [Agent]      => agents::status;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/checkpoint" [Agent]  => agents::checkpoint;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/heartbeat" [Agent]   => agents::heartbeat;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/waiting" [Agent]     => others::waiting;
    Get    "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/mail" [Agent]        => agents::mail;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/mail/ack" [Agent]    => agents::acknowledge_mail;
    Get    "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/pending-nudges" [Agent] => messages::pending;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/nudge-delivered" [Agent] => messages::delivered;
    Get    "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/molecule/current" [Agent] => messages::current_step;
    Post   "/api/towns/{townId}/rigs/{rigId}/agents/{agentId}/molecule/advance" [Agent] K => messages::advance_molecule;

    // Runtime (3.11)
    Post   "/api/towns/{townId}/runtime/register"         [Runtime]                => runtime::register;
    Post   "/api/towns/{townId}/runtime/facts"            [Runtime]                => runtime::facts;
    Post   "/api/towns/{townId}/runtime/heartbeat"        [Runtime]                => runtime::heartbeat;
    Post   "/api/towns/{townId}/runtime/outcomes"         [Runtime]                => runtime::outcomes;
    Post   "/api/towns/{townId}/runtime/events"           [Runtime] Large          => runtime::events;
    Post   "/api/towns/{townId}/runtime/agent-tokens"     [Runtime]                => runtime::agent_tokens;
    Post   "/api/towns/{townId}/runtime/git-credentials"  [Runtime]                => runtime::git_credentials;
    Post   "/api/towns/{townId}/runtime/llm-credentials"  [Runtime]                => runtime::llm_credentials;
    Post   "/api/towns/{townId}/refresh-container-token"  [Runtime] Late           => runtime::refresh_token;
    Post   "/api/towns/{townId}/container-eviction"       [Runtime]                => runtime::eviction;
    Post   "/api/towns/{townId}/container-ready"          [Runtime]                => runtime::ready;
    Get    "/api/towns/{townId}/mayor-id"                 [Runtime]                => runtime::mayor_id;
    Get    "/api/towns/{townId}/container-registry"       [Runtime]                => others::registry;
    Post   "/api/towns/{townId}/container-registry"       [Runtime]                => others::register;
    Post   "/api/towns/{townId}/container-events"         [Runtime]                => others::container_event;

    // Mayor tools (3.12)
    Post   "/api/mayor/{townId}/tools/sling"              [Mayor] K                => mayor_tools::sling;
    Post   "/api/mayor/{townId}/tools/sling-batch"        [Mayor] K                => convoys::sling_batch;
    Get    "/api/mayor/{townId}/tools/convoys"            [Mayor]                  => convoys::list_for_mayor;
    Get    "/api/mayor/{townId}/tools/convoys/{convoyId}" [Mayor]                  => convoys::show;
    Patch  "/api/mayor/{townId}/tools/convoys/{convoyId}" [Mayor]                  => convoys::patch_for_mayor;
    Post   "/api/mayor/{townId}/tools/convoys/{convoyId}/start" [Mayor]            => convoys::start_for_mayor;
    Post   "/api/mayor/{townId}/tools/convoys/{convoyId}/retry" [Mayor]            => convoys::retry;
    Post   "/api/mayor/{townId}/tools/convoys/{convoyId}/skip" [Mayor]             => convoys::skip;
    Post   "/api/mayor/{townId}/tools/convoys/{convoyId}/abort" [Mayor]            => convoys::abort;
    Post   "/api/mayor/{townId}/tools/convoys/{convoyId}/close" [Mayor]            => convoys::close;
    Post   "/api/mayor/{townId}/tools/convoys/{convoyId}/add-bead" [Mayor]         => convoys::add;
    Post   "/api/mayor/{townId}/tools/convoys/{convoyId}/remove-bead" [Mayor]      => convoys::remove_named;
    Get    "/api/mayor/{townId}/tools/rigs"               [Mayor]                  => mayor_tools::rigs;
    Get    "/api/mayor/{townId}/tools/beads"              [Mayor]                  => mayor_tools::beads;
    Get    "/api/mayor/{townId}/tools/rigs/{rigId}/beads" [Mayor]                  => mayor_tools::beads;
    Get    "/api/mayor/{townId}/tools/beads/{beadId}/explain" [Mayor]              => beads::explain;
    Patch  "/api/mayor/{townId}/tools/rigs/{rigId}/beads/{beadId}" [Mayor]         => beads::update_of_rig;
    Delete "/api/mayor/{townId}/tools/rigs/{rigId}/beads/{beadId}" [Mayor]         => hands::delete_of_rig;
    Post   "/api/mayor/{townId}/tools/rigs/{rigId}/beads/{beadId}/reassign" [Mayor] => hands::reassign_of_rig;
    Post   "/api/mayor/{townId}/tools/rigs/{rigId}/beads/{beadId}/retry" [Mayor]   => beads::retry_of_rig;
    Post   "/api/mayor/{townId}/tools/rigs/{rigId}/beads/bulk-delete" [Mayor]      => hands::bulk_delete;
    Post   "/api/mayor/{townId}/tools/rigs/{rigId}/beads/delete-by-status" [Mayor] => hands::delete_by_status;
    Post   "/api/mayor/{townId}/tools/rigs/{rigId}/agents/{agentId}/reset" [Mayor] => hands::reset_of_rig;
    Get    "/api/mayor/{townId}/tools/agents"             [Mayor]                  => mayor_tools::agents;
    Get    "/api/mayor/{townId}/tools/rigs/{rigId}/agents" [Mayor]                 => mayor_tools::agents;
    Get    "/api/mayor/{townId}/tools/escalations"        [Mayor]                  => inbox::escalations;
    Post   "/api/mayor/{townId}/tools/escalations/{escalationId}/acknowledge" [Mayor] => inbox::acknowledge;
    Post   "/api/mayor/{townId}/tools/mail"               [Mayor] K                => mayor_tools::mail;
    Post   "/api/mayor/{townId}/tools/nudge"              [Mayor] K                => messages::nudge_of_mayor;
    Get    "/api/mayor/{townId}/tools/rigs/{rigId}/agents/{agentId}/pending-nudges" [Mayor] => messages::pending;
    Get    "/api/mayor/{townId}/tools/status"             [Mayor]                  => people::status;
    Get    "/api/mayor/{townId}/tools/config"             [Mayor]                  => config::show;
    Patch  "/api/mayor/{townId}/tools/config"             [Mayor]                  => mayor_tools::patch_config;
    Post   "/api/mayor/{townId}/tools/ui-action"          [Mayor]                  => mayor::show_ui;
};

/// What the table says of a request.
pub enum Found {
    /// No row has this path.
    Nothing,
    /// The path is known, the method is not; `allow` is the header's value.
    OtherMethod {
        /// Methods that the path does have.
        allow: String,
    },
    /// This row, with the named parts of the path, decoded.
    Row {
        /// The row.
        route: &'static Route,
        /// Named parts.
        params: Params,
    },
}

/// Finds the row of a request.
pub fn find(method: &str, path: &str) -> Found {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    ROUTER.with(|cell| {
        let router = cell.get_or_init(router);
        let Ok(matched) = router.at(path) else { return Found::Nothing };
        let rows = || matched.value.iter().map(|&index| &ROUTES[index]);
        let wanted = if method == "HEAD" { "GET" } else { method };
        match rows().find(|route| route.method.as_str() == wanted) {
            Some(route) => Found::Row { route, params: params(route, &matched.params) },
            None => {
                let mut allow: Vec<&str> = rows().map(|route| route.method.as_str()).collect();
                sort_by(&mut allow, Ord::cmp);
                Found::OtherMethod { allow: allow.join(", ") }
            }
        }
    })
}

thread_local! {
    static ROUTER: OnceCell<matchit::Router<Vec<usize>>> = const { OnceCell::new() };
}

/// Paths to the rows that have them. Two rows that cannot be told apart are found by the test below.
fn router() -> matchit::Router<Vec<usize>> {
    let mut by_path: SortedMap<&'static str, Vec<usize>> = SortedMap::new();
    for (index, route) in ROUTES.iter().enumerate() {
        by_path.get_or_insert_with(route.path, Vec::new).push(index);
    }
    let mut router = matchit::Router::new();
    for (path, rows) in by_path {
        if let Err(error) = router.insert(path, rows) {
            crate::log::error("a route cannot be reached", &[("path", &path), ("error", &error)]);
        }
    }
    router
}

/// The named parts, under the names that the row gives them.
fn params(route: &'static Route, matched: &matchit::Params<'_, '_>) -> Params {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let pairs = names.filter_map(|name| Some((name, crate::http::query::decode_path(matched.get(name)?))));
    Params::new(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_reached_by_its_own_path() {
        let router = router();
        for route in ROUTES {
            let path: Vec<&str> =
                route.path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
            let path = path.join("/");
            let rows = router.at(&path).unwrap_or_else(|_| panic!("{}", route.path));
            assert!(rows.value.iter().any(|&index| std::ptr::eq(&ROUTES[index], route)), "{}", route.path);
        }
    }

    #[test]
    fn no_two_rows_have_the_same_method_and_path() {
        let mut seen = std::collections::BTreeSet::new();
        for route in ROUTES {
            assert!(seen.insert((route.method, route.path)), "{} {}", route.method.as_str(), route.path);
        }
    }

    #[test]
    fn a_known_path_with_another_method_says_what_is_allowed() {
        match find("PUT", "/api/towns/x") {
            Found::OtherMethod { allow } => assert_eq!(allow, "DELETE, GET, PATCH"),
            Found::Nothing | Found::Row { .. } => panic!("not told"),
        }
        assert!(matches!(find("GET", "/api/nothing"), Found::Nothing));
        assert!(matches!(find("HEAD", "/health"), Found::Row { .. }));
    }
}
