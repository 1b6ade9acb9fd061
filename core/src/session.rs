//! The words of sessions and jobs, shared by the domain, the wire and the runtime: what a session is for, the steps of
//! its start, how it and a job may end. Only vocabulary lives here; transitions live with the aggregates.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{AssignmentId, InstanceId};
use crate::text_enum;
use crate::time::Timestamp;

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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// Names a session: its assignment, fenced by its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionKey {
    /// The assignment.
    pub assignment_id: AssignmentId,
    /// Its epoch.
    pub epoch: u64,
}

/// What a report about a session says.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionFact {
    /// A step of starting.
    Step(Step),
    /// The first prompt was accepted.
    Ready,
    /// The session is being ended.
    Finishing,
    /// The start ended without a session.
    StartFailed {
        /// Machine word.
        code: String,
        /// One sentence.
        message: String,
        /// Whether the same order may succeed later.
        is_retryable: bool,
    },
    /// The remote has this commit on this branch.
    Pushed {
        /// Branch.
        branch: String,
        /// Commit.
        commit: String,
    },
    /// Unpublished work was saved.
    Saved {
        /// Full ref or branch.
        ref_name: String,
        /// Commit.
        commit: String,
    },
    /// The session accepted these mails.
    Delivered(Vec<String>),
    /// A heartbeat.
    Beat(Beat),
    /// The session is over.
    Over(Over),
}

/// What a heartbeat says about one session.
#[derive(Debug, Clone, PartialEq)]
pub struct Beat {
    /// Whether the session takes prompts; false while it starts.
    pub is_running: bool,
    /// Idle since then.
    pub idle_since: Option<Timestamp>,
    /// Tool that runs.
    pub tool: Option<String>,
    /// Newest progress of the agent itself.
    pub progress_at: Option<Timestamp>,
    /// Totals of the assignment.
    pub usage: Usage,
    /// The runtime's present life.
    pub instance_id: InstanceId,
}

/// Totals of an assignment, a bead, a convoy or a day; they only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Prompt tokens of all kinds.
    pub tokens_in: u64,
    /// Completion tokens.
    pub tokens_out: u64,
    /// Micro-dollars; zero while no price is known.
    pub cost_micros: u64,
}

impl Usage {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            tokens_in: self.tokens_in.saturating_add(other.tokens_in),
            tokens_out: self.tokens_out.saturating_add(other.tokens_out),
            cost_micros: self.cost_micros.saturating_add(other.cost_micros),
        }
    }

    /// What this has more than an earlier total of the same; a lower one is a late report and adds nothing.
    #[must_use]
    pub const fn beyond(self, earlier: Self) -> Self {
        Self {
            tokens_in: self.tokens_in.saturating_sub(earlier.tokens_in),
            tokens_out: self.tokens_out.saturating_sub(earlier.tokens_out),
            cost_micros: self.cost_micros.saturating_sub(earlier.cost_micros),
        }
    }

    /// The larger of two totals, part by part: late and doubled reports lower nothing.
    #[must_use]
    pub fn at_least(self, other: Self) -> Self {
        self.plus(other.beyond(self))
    }

    /// Tokens of all kinds.
    pub const fn tokens(self) -> u64 {
        self.tokens_in.saturating_add(self.tokens_out)
    }
}

/// How a session ended by itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Over {
    /// Without an error; if `done` was not said, without a result.
    Completed(String),
    /// With an error that could not be waited out.
    Error {
        /// Kind.
        kind: ErrorKind,
        /// One sentence.
        message: String,
        /// The gateway's own wish.
        retry_after: Option<Duration>,
    },
    /// Its restarts were used up.
    Crashed(String),
    /// As ordered.
    Stopped(String),
    /// The runtime ends.
    Evicted(String),
    /// A newer session of the same agent took its place.
    Interrupted(String),
}

/// The runtime's answer to a start order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartAnswer {
    /// It will report.
    Accepted(InstanceId),
    /// Not now: starting, draining, or out of reach.
    NotNow(String),
    /// No memory or place.
    NoCapacity(String),
    /// Never like this.
    Invalid {
        /// Machine word.
        code: String,
        /// One sentence.
        message: String,
    },
}

/// The runtime's answer to "does this session live?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionAnswer {
    /// It lives at this epoch.
    Alive(InstanceId),
    /// It is over, or was never there.
    Gone(String),
}

/// The runtime's answer to a job order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobAnswer {
    /// It will report.
    Accepted,
    /// Never like this.
    Invalid(String),
}
