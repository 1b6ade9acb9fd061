//! The words of sessions and jobs, shared by the domain, the wire and the runtime: what a session is for, the steps of
//! its start, how it and a job may end. Only vocabulary lives here; transitions live with the aggregates.

use serde::{Deserialize, Serialize};

use crate::text_enum;

text_enum! {
    /// What a session is for; decides workspace, permissions and push right (domain.md 5, container.md 3).
    pub enum Kind {
        Work = "work",
        Rework = "rework",
        Review = "review",
        Landing = "landing",
        Conflict = "conflict",
        Feedback = "feedback",
        Fixup = "fixup",
        Triage = "triage",
        Mayor = "mayor",
    }
}

impl Kind {
    /// The role that belongs to this kind (container.md 3.2).
    pub const fn role(self) -> Role {
        match self {
            Self::Work | Self::Rework | Self::Conflict | Self::Feedback | Self::Fixup => Role::Polecat,
            Self::Review | Self::Landing => Role::Refinery,
            Self::Triage => Role::Triage,
            Self::Mayor => Role::Mayor,
        }
    }

    /// Whether a session of this kind may push its branch (container.md 7.7).
    pub const fn may_push(self) -> bool {
        match self {
            Self::Work | Self::Rework | Self::Conflict | Self::Feedback | Self::Fixup => true,
            Self::Review | Self::Landing | Self::Triage | Self::Mayor => false,
        }
    }
}

text_enum! {
    /// The role text and tools a session gets.
    pub enum Role {
        Polecat = "polecat",
        Refinery = "refinery",
        Triage = "triage",
        Mayor = "mayor",
    }
}

text_enum! {
    /// Why a start failed (container.md 3.3).
    pub enum StartFailureCode {
        NoCredentials = "no_credentials",
        NoLlmCredentials = "no_llm_credentials",
        HostNotAllowed = "host_not_allowed",
        RepoNotFound = "repo_not_found",
        RepoForbidden = "repo_forbidden",
        BaseMissing = "base_missing",
        RepoTooLarge = "repo_too_large",
        KiloMissing = "kilo_missing",
        PluginMissing = "plugin_missing",
        KiloUnsupported = "kilo_unsupported",
        InvalidOrder = "invalid_order",
        CommitMissing = "commit_missing",
        GitTimeout = "git_timeout",
        GitFailed = "git_failed",
        DiskFull = "disk_full",
        PortInUse = "port_in_use",
        BootTimeout = "boot_timeout",
        BootExited = "boot_exited",
        SessionFailed = "session_failed",
        PromptFailed = "prompt_failed",
        SwapFailed = "swap_failed",
        Internal = "internal",
    }
}

impl StartFailureCode {
    /// Whether the same order may succeed later without a person changing something.
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::NoCredentials
            | Self::NoLlmCredentials
            | Self::HostNotAllowed
            | Self::RepoNotFound
            | Self::RepoForbidden
            | Self::BaseMissing
            | Self::RepoTooLarge
            | Self::KiloMissing
            | Self::PluginMissing
            | Self::KiloUnsupported
            | Self::InvalidOrder => false,
            Self::CommitMissing
            | Self::GitTimeout
            | Self::GitFailed
            | Self::DiskFull
            | Self::PortInUse
            | Self::BootTimeout
            | Self::BootExited
            | Self::SessionFailed
            | Self::PromptFailed
            | Self::SwapFailed
            | Self::Internal => true,
        }
    }
}

text_enum! {
    /// Work of the runtime without an agent.
    pub enum JobKind {
        Gates = "gates",
        Merge = "merge",
    }
}

/// Tokens as the API counts them (api.md 1.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tokens {
    /// Prompt tokens that were neither read from nor written to a cache.
    pub input: u64,
    /// Completion tokens.
    pub output: u64,
    /// Prompt tokens read from the provider's cache.
    pub cache_read: u64,
    /// Prompt tokens written to the provider's cache.
    pub cache_write: u64,
}

text_enum! {
    /// A step of starting (domain.md 5.2).
    pub enum Step {
        Accepted = "accepted",
        Cloning = "cloning",
        Worktree = "worktree",
        Booting = "booting",
    }
}

text_enum! {
    /// State of a session in a heartbeat.
    pub enum AgentState {
        Starting = "starting",
        Busy = "busy",
        Idle = "idle",
        Retrying = "retrying",
        Blocked = "blocked",
    }
}

text_enum! {
    /// Result of a gates job.
    pub enum GatesStatus {
        Green = "green",
        Red = "red",
        TargetRed = "target_red",
        Error = "error",
        NoCommit = "no_commit",
        Conflict = "conflict",
    }
}

text_enum! {
    /// Result of one gate.
    pub enum GateStatus {
        Passed = "passed",
        Failed = "failed",
        TimedOut = "timed_out",
    }
}

text_enum! {
    /// Result of a merge job (domain.md 7.4).
    pub enum MergeStatus {
        Merged = "merged",
        Conflict = "conflict",
        GatesRed = "gates_red",
        TargetRed = "target_red",
        TargetMoved = "target_moved",
        PushRefused = "push_refused",
        NoCommit = "no_commit",
        Error = "error",
    }
}

text_enum! {
    /// How a session ended (container.md 6.4).
    pub enum OutcomeKind {
        Completed = "completed",
        Error = "error",
        Crashed = "crashed",
        Stopped = "stopped",
        Evicted = "evicted",
        Interrupted = "interrupted",
    }
}

text_enum! {
    /// Kind of an agent error (container.md 6.5).
    pub enum ErrorKind {
        Auth = "auth",
        RateLimited = "rate_limited",
        Quota = "quota",
        ContextOverflow = "context_overflow",
        Provider = "provider",
        Config = "config",
        Internal = "internal",
    }
}

/// One gate's run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateResult {
    /// Command.
    pub command: String,
    /// How it went.
    pub status: GateStatus,
    /// Exit status; absent when it was killed.
    pub exit_code: Option<i32>,
    /// How long it ran.
    pub duration_ms: u64,
    /// First and last output, at most 16 KiB.
    pub output_tail: String,
}
