//! Which errors a route can answer with: by the kind of the row, and by what the row adds (api.md 1.2).

use std::collections::BTreeMap;

use gastown_core::access::Level;
use gastown_core::wire::code::Code;

use crate::routes::{Method, Route};

/// Codes of a row by their status.
pub(super) fn of(route: &Route) -> BTreeMap<u16, Vec<Code>> {
    let mut codes = vec![Code::Internal, Code::Misconfigured, Code::Overloaded, Code::RateLimited];
    codes.extend([Code::RuntimeUnavailable, Code::Draining]);
    codes.extend([Code::InvalidRequest, Code::InvalidJson]);
    if !route.access.is_public() {
        codes.extend([Code::Unauthenticated, Code::TokenInvalid, Code::TokenExpired]);
        codes.extend([Code::CredentialNotAccepted, Code::AccessDisabled, Code::OriginNotAllowed]);
    }
    for level in route.access.any_of {
        codes.extend(of_level(*level));
    }
    if !route.access.roles.is_empty() {
        codes.push(Code::RoleNotAllowed);
    }
    if route.path.contains('{') {
        codes.push(Code::NotFound);
    }
    if route.docs.query.contains(&"limit") {
        codes.push(Code::InvalidPaging);
    }
    if route.docs.query.contains(&"cursor") {
        codes.push(Code::InvalidCursor);
    }
    if route.method != Method::Get {
        codes.extend([Code::BodyTooLarge, Code::UnsupportedMediaType]);
    }
    if route.is_idempotent {
        codes.extend([Code::IdempotencyMismatch, Code::IdempotencyInProgress]);
    }
    if route.method == Method::Patch {
        codes.push(Code::PreconditionFailed);
    }
    if route.path.contains("{userId}") {
        codes.push(Code::WrongAccount);
    }
    if route.method != Method::Get {
        codes.extend(of_resource(route.path));
    }
    codes.extend(route.docs.refusals);
    codes.sort_by_key(|code| code.as_str());
    codes.dedup();
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status()).or_default().push(code);
    }
    by_status
}

/// What the rules may refuse of work, of repositories, of settings.
fn of_resource(path: &str) -> Vec<Code> {
    let has = |parts: &[&str]| parts.iter().any(|part| path.contains(part));
    let mut codes = Vec::new();
    if has(&["/beads", "/sling", "-queue", "/molecules", "/convoys", "/agents", "/escalations", "/triage"]) {
        codes.extend(OF_WORK);
    }
    if has(&["/mail", "/nudge", "/message", "/ui-action", "/models"]) {
        codes.extend([Code::UnknownReference, Code::UnknownRig, Code::NotHooked, Code::NotDispatchable]);
    }
    if path.ends_with("/rigs") || path.ends_with("/rigs/{rigId}") {
        codes.extend([Code::DuplicateName, Code::UnsafeUrl, Code::LimitReached, Code::UnsupportedValue]);
    }
    if path.ends_with("/config") || path.ends_with("/towns") || path.ends_with("/resolve") {
        codes.extend(OF_SETTINGS);
    }
    codes
}

const OF_WORK: [Code; 23] = [
    Code::TerminalBead,
    Code::IllegalTransition,
    Code::AgentBusy,
    Code::BeadAssigned,
    Code::NotHooked,
    Code::NotFailed,
    Code::NotStaged,
    Code::ConvoyClosed,
    Code::AlreadyResolved,
    Code::DuplicateIdentity,
    Code::DuplicateName,
    Code::ProbableDuplicate,
    Code::PlanUnclear,
    Code::DependencyCycle,
    Code::UnknownReference,
    Code::UnknownRig,
    Code::CrossRigDependency,
    Code::NotHookable,
    Code::VerdictRequired,
    Code::ReservedName,
    Code::UnsupportedValue,
    Code::LimitReached,
    Code::BadModelId,
];

const OF_SETTINGS: [Code; 12] = [
    Code::UnknownField,
    Code::NotOffered,
    Code::ReadOnlyField,
    Code::UnsupportedValue,
    Code::UnsafeUrl,
    Code::UnknownProfile,
    Code::UnknownRole,
    Code::ScopeNotAllowed,
    Code::LabelNotRoutable,
    Code::DuplicateOverride,
    Code::BadModelId,
    Code::MayorIsTownLevel,
];

fn of_level(level: Level) -> Vec<Code> {
    match level {
        Level::Public => vec![],
        Level::User => vec![Code::WrongAccount, Code::AdminReadOnly],
        Level::TownMember => vec![Code::AdminReadOnly],
        Level::TownOwner | Level::OrgMember | Level::OrgOwner => vec![Code::Forbidden, Code::AdminReadOnly],
        Level::Agent | Level::RigAgents => vec![
            Code::WrongTown,
            Code::WrongRig,
            Code::WrongAgent,
            Code::IdentityMismatch,
            Code::StaleAssignment,
            Code::AssignmentRequired,
            Code::InstanceSuperseded,
            Code::RoleNotAllowed,
            Code::Forbidden,
        ],
        Level::Mayor => vec![Code::WrongTown, Code::StaleAssignment],
        Level::Runtime => vec![Code::WrongTown, Code::InstanceSuperseded],
    }
}
