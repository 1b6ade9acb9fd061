//! The closed list of error codes of the public API (api.md 1.2). Adding one is a change of the API document.

use crate::text_enum;

text_enum! {
    /// Why a request was refused, as one machine word. Which status belongs to a code is [`Code::status`].
    pub enum Code {
        InvalidJson = "invalid_json",
        InvalidRequest = "invalid_request",
        InvalidPaging = "invalid_paging",
        InvalidCursor = "invalid_cursor",
        UnknownField = "unknown_field",
        AssignmentRequired = "assignment_required",
        PlanUnclear = "plan_unclear",
        Unauthenticated = "unauthenticated",
        TokenInvalid = "token_invalid",
        TokenExpired = "token_expired",
        TicketInvalid = "ticket_invalid",
        Forbidden = "forbidden",
        CredentialNotAccepted = "credential_not_accepted",
        WrongTown = "wrong_town",
        WrongRig = "wrong_rig",
        WrongAgent = "wrong_agent",
        WrongAccount = "wrong_account",
        IdentityMismatch = "identity_mismatch",
        RoleNotAllowed = "role_not_allowed",
        AdminReadOnly = "admin_read_only",
        AccessDisabled = "access_disabled",
        OriginNotAllowed = "origin_not_allowed",
        HostNotAllowed = "host_not_allowed",
        NotFound = "not_found",
        NoCredentials = "no_credentials",
        NotOffered = "not_offered",
        MethodNotAllowed = "method_not_allowed",
        StaleAssignment = "stale_assignment",
        TerminalBead = "terminal_bead",
        IllegalTransition = "illegal_transition",
        AgentBusy = "agent_busy",
        BeadAssigned = "bead_assigned",
        NotHooked = "not_hooked",
        NotFailed = "not_failed",
        NotStaged = "not_staged",
        ConvoyClosed = "convoy_closed",
        AlreadyResolved = "already_resolved",
        DuplicateName = "duplicate_name",
        DuplicateIdentity = "duplicate_identity",
        ProbableDuplicate = "probable_duplicate",
        InstanceSuperseded = "instance_superseded",
        IdempotencyInProgress = "idempotency_in_progress",
        PreconditionFailed = "precondition_failed",
        BodyTooLarge = "body_too_large",
        UnsupportedMediaType = "unsupported_media_type",
        DependencyCycle = "dependency_cycle",
        UnknownReference = "unknown_reference",
        UnknownRig = "unknown_rig",
        CrossRigDependency = "cross_rig_dependency",
        NotHookable = "not_hookable",
        VerdictRequired = "verdict_required",
        ReservedName = "reserved_name",
        ReadOnlyField = "read_only_field",
        UnsupportedValue = "unsupported_value",
        UnsafeUrl = "unsafe_url",
        LimitReached = "limit_reached",
        IdempotencyMismatch = "idempotency_mismatch",
        UnknownProfile = "unknown_profile",
        UnknownRole = "unknown_role",
        ScopeNotAllowed = "scope_not_allowed",
        LabelNotRoutable = "label_not_routable",
        DuplicateOverride = "duplicate_override",
        BadModelId = "bad_model_id",
        MayorIsTownLevel = "mayor_is_town_level",
        NotDispatchable = "not_dispatchable",
        RateLimited = "rate_limited",
        Internal = "internal",
        Draining = "draining",
        RuntimeUnavailable = "runtime_unavailable",
        Overloaded = "overloaded",
        Misconfigured = "misconfigured",
    }
}

impl Code {
    /// The HTTP status of this code (api.md 1.2).
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidJson
            | Self::InvalidRequest
            | Self::InvalidPaging
            | Self::InvalidCursor
            | Self::UnknownField
            | Self::AssignmentRequired
            | Self::PlanUnclear => 400,
            Self::Unauthenticated | Self::TokenInvalid | Self::TokenExpired | Self::TicketInvalid => 401,
            Self::Forbidden
            | Self::CredentialNotAccepted
            | Self::WrongTown
            | Self::WrongRig
            | Self::WrongAgent
            | Self::WrongAccount
            | Self::IdentityMismatch
            | Self::RoleNotAllowed
            | Self::AdminReadOnly
            | Self::AccessDisabled
            | Self::OriginNotAllowed
            | Self::HostNotAllowed => 403,
            Self::NotFound | Self::NoCredentials | Self::NotOffered => 404,
            Self::MethodNotAllowed => 405,
            Self::StaleAssignment
            | Self::TerminalBead
            | Self::IllegalTransition
            | Self::AgentBusy
            | Self::BeadAssigned
            | Self::NotHooked
            | Self::NotFailed
            | Self::NotStaged
            | Self::ConvoyClosed
            | Self::AlreadyResolved
            | Self::DuplicateName
            | Self::DuplicateIdentity
            | Self::ProbableDuplicate
            | Self::InstanceSuperseded
            | Self::IdempotencyInProgress => 409,
            Self::PreconditionFailed => 412,
            Self::BodyTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::DependencyCycle
            | Self::UnknownReference
            | Self::UnknownRig
            | Self::CrossRigDependency
            | Self::NotHookable
            | Self::VerdictRequired
            | Self::ReservedName
            | Self::ReadOnlyField
            | Self::UnsupportedValue
            | Self::UnsafeUrl
            | Self::LimitReached
            | Self::IdempotencyMismatch
            | Self::UnknownProfile
            | Self::UnknownRole
            | Self::ScopeNotAllowed
            | Self::LabelNotRoutable
            | Self::DuplicateOverride
            | Self::BadModelId
            | Self::MayorIsTownLevel
            | Self::NotDispatchable => 422,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::Draining | Self::RuntimeUnavailable | Self::Overloaded | Self::Misconfigured => 503,
        }
    }
}

impl From<crate::access::Denial> for Code {
    fn from(denial: crate::access::Denial) -> Self {
        use crate::access::Denial;
        match denial {
            Denial::Unauthenticated => Self::Unauthenticated,
            Denial::TokenInvalid => Self::TokenInvalid,
            Denial::TokenExpired => Self::TokenExpired,
            Denial::TicketInvalid => Self::TicketInvalid,
            Denial::Forbidden => Self::Forbidden,
            Denial::CredentialNotAccepted => Self::CredentialNotAccepted,
            Denial::WrongTown => Self::WrongTown,
            Denial::WrongRig => Self::WrongRig,
            Denial::WrongAgent => Self::WrongAgent,
            Denial::WrongAccount => Self::WrongAccount,
            Denial::RoleNotAllowed => Self::RoleNotAllowed,
            Denial::AdminReadOnly => Self::AdminReadOnly,
            Denial::AccessDisabled => Self::AccessDisabled,
            Denial::NotFound => Self::NotFound,
            Denial::StaleAssignment => Self::StaleAssignment,
        }
    }
}
