//! Every setting of a town and of a rig (api.md 5.2, 5.3). The order is the order of the settings pages.

use super::key::KeyDefault::{Flag as Say, Integer as Count, List, Object, Word as Name};
use super::key::{Key, Kind};
use super::{ConvoyMergeMode, MERGE_STRATEGY_DEFAULT, ReviewMode};
use crate::limits;

const MERGE_STRATEGY: Kind = Kind::Word(&["direct", "pr"]);
const CONVOY_MERGE_MODE: Kind = Kind::Word(&["review-then-land", "review-and-merge"]);
const REVIEW_MODE: Kind = Kind::Word(&["rework", "comments"]);
const ATTEMPTS: Kind = Kind::Integer { min: 1, max: limits::ATTEMPTS_MAX as u64 };
const ROUNDS: Kind = Kind::Integer { min: 1, max: limits::REVIEW_ROUNDS_MAX as u64 };
const POLECATS: Kind = Kind::Integer { min: 1, max: limits::POLECATS_PER_RIG_MAX as u64 };
const GATE_TIMEOUT: Kind = Kind::Integer { min: 1, max: limits::GATE_TIMEOUT_MINUTES_MAX as u64 };
const MERGE_DELAY: Kind = Kind::Integer { min: 0, max: limits::AUTO_MERGE_DELAY_MINUTES_MAX as u64 };
const TOKENS: Kind = Kind::Integer { min: 1, max: limits::BUDGET_TOKENS_MAX };
const INSTRUCTIONS: Kind = Kind::Text { max: limits::INSTRUCTIONS_MAX };

/// Keys that older clients send and that have no effect: the wake-up time follows from the state.
pub(super) const IGNORED: &[&str] = &["alarm_interval_active", "alarm_interval_idle"];

/// The keys that choose models: what a preview may try without saving.
pub(super) const MODEL_KEYS: &[&str] =
    &["model_profile", "default_model", "small_model", "role_models", "model_overrides"];

/// The settings of a town.
pub const TOWN_KEYS: &[Key] = &[
    Key::new("owner_type", Kind::ReadOnly, "Owner kind", "Whether a person or an organisation owns the town."),
    Key::new("owner_id", Kind::ReadOnly, "Owner", "The account that owns the town."),
    Key::new("owner_user_id", Kind::ReadOnly, "Owning user", "The person who owns the town, if a person does."),
    Key::new("organization_id", Kind::ReadOnly, "Organisation", "The organisation that owns the town, if one does."),
    Key::new("created_by_user_id", Kind::ReadOnly, "Created by", "The person who created the town."),
    Key::new("version", Kind::ReadOnly, "Version", "Grows with every change of this document."),
    Key::new("applied", Kind::ReadOnly, "Applied", "How far the newest version has come."),
    Key::new("model_profile", Kind::Profile, "Model profile", "The set of models that fills what is not set here.")
        .or(Name(crate::models::CUSTOM_PROFILE))
        .by_mayor(),
    Key::new(
        "default_model",
        Kind::Model,
        "Default model",
        "For any role without anything better; not used under a named profile.",
    )
    .by_mayor(),
    Key::new("small_model", Kind::Model, "Small model", "Titles and other small tasks of every agent.").by_mayor(),
    Key::new("role_models.mayor", Kind::Model, "Mayor", "The mayor's model.").by_mayor(),
    Key::new("role_models.refinery", Kind::Model, "Refinery", "The model of reviews.").by_mayor(),
    Key::new("role_models.polecat", Kind::Model, "Polecat", "The model of coding agents.").by_mayor(),
    Key::new("model_overrides", Kind::Overrides, "Model overrides", "Rules for a role, a label and a rig.")
        .or(List)
        .by_mayor(),
    Key::new(
        "max_polecats_per_rig",
        POLECATS,
        "Polecats per rig",
        "Coding agents at work in one rig at a time, unless the rig says otherwise.",
    )
    .or(Count(limits::POLECATS_PER_RIG as u64)),
    Key::new(
        "max_sessions",
        Kind::Integer { min: 1, max: limits::SESSIONS_MAX as u64 },
        "Sessions",
        "Agents at work in the town at a time; the mayor is not counted.",
    )
    .or(Count(limits::SESSIONS as u64)),
    Key::new("max_dispatch_attempts", ATTEMPTS, "Dispatch attempts", "Failures of one kind before a task fails.")
        .or(Count(limits::ATTEMPTS as u64)),
    Key::new("max_review_rounds", ROUNDS, "Review rounds", "Rounds of rework before a person is asked.")
        .or(Count(limits::REVIEW_ROUNDS as u64)),
    Key::new(
        "max_feedback_rounds",
        ROUNDS,
        "Feedback rounds",
        "Rounds of pull-request feedback before a person is asked.",
    )
    .or(Count(limits::REVIEW_ROUNDS as u64)),
    Key::new(
        "budget.bead_usd",
        Kind::Dollars,
        "Budget per task",
        "US dollars that one task and its children may cost.",
    ),
    Key::new("budget.convoy_usd", Kind::Dollars, "Budget per convoy", "US dollars that one convoy may cost."),
    Key::new(
        "budget.town_daily_usd",
        Kind::Dollars,
        "Budget per day",
        "US dollars that the town may cost per day (UTC).",
    ),
    Key::new("budget.bead_tokens", TOKENS, "Tokens per task", "Tokens that one task and its children may use."),
    Key::new("budget.convoy_tokens", TOKENS, "Tokens per convoy", "Tokens that one convoy may use."),
    Key::new("budget.town_daily_tokens", TOKENS, "Tokens per day", "Tokens that the town may use per day (UTC)."),
    Key::new(
        "budget.warn_percent",
        Kind::Integer { min: 1, max: 100 },
        "Warn at",
        "Share of a budget, in percent, at which people are told once.",
    )
    .or(Count(limits::BUDGET_WARN_PERCENT as u64)),
    Key::new(
        "merge_strategy",
        MERGE_STRATEGY,
        "Merge strategy",
        "Merged by the runtime after green gates, or through a pull request.",
    )
    .or(Name(MERGE_STRATEGY_DEFAULT.as_str())),
    Key::new(
        "staged_convoys_default",
        Kind::Flag,
        "Stage convoys",
        "New convoys wait for a start unless the request says otherwise.",
    )
    .or(Say(false))
    .by_mayor(),
    Key::new(
        "convoy_merge_mode",
        CONVOY_MERGE_MODE,
        "Convoy merge mode",
        "Whether a convoy lands at once or task by task, unless the request says.",
    )
    .or(Name(ConvoyMergeMode::ReviewThenLand.as_str()))
    .by_mayor(),
    Key::new(
        "refinery.code_review",
        Kind::Flag,
        "Code review",
        "The refinery reviews every branch; off leaves the gates and landing reviews.",
    )
    .or(Say(true)),
    Key::new(
        "refinery.gates",
        Kind::Commands,
        "Gates",
        "Commands that must pass in a clean checkout of the exact commit before it is merged.",
    )
    .or(List),
    Key::new(
        "refinery.gate_timeout_minutes",
        GATE_TIMEOUT,
        "Gate timeout",
        "Minutes for each gate; a gate that runs longer is red.",
    )
    .or(Count(limits::GATE_TIMEOUT_MINUTES as u64)),
    Key::new(
        "refinery.review_mode",
        REVIEW_MODE,
        "Requested changes",
        "Become a rework task, or comments on the pull request.",
    )
    .or(Name(ReviewMode::Rework.as_str())),
    Key::new("refinery.auto_merge", Kind::Flag, "Merge by itself", "Green work is merged without a person.")
        .or(Say(true)),
    Key::new(
        "refinery.auto_merge_delay_minutes",
        MERGE_DELAY,
        "Merge delay",
        "Minutes of unbroken green before a pull request is merged; 0 at once, empty never.",
    ),
    Key::new(
        "refinery.auto_resolve_pr_feedback",
        Kind::Flag,
        "Answer feedback",
        "Review comments and red checks become a task.",
    )
    .or(Say(true)),
    Key::new(
        "refinery.auto_resolve_merge_conflicts",
        Kind::Flag,
        "Resolve conflicts",
        "Merge conflicts become a task; off asks a person.",
    )
    .or(Say(true)),
    Key::new("refinery.require_clean_merge", Kind::ReadOnly, "Clean merges", "Merges are always clean.").or(Say(true)),
    Key::new(
        "container.sleep_after_minutes",
        Kind::Integer { min: limits::SLEEP_AFTER_MINUTES_MIN as u64, max: limits::SLEEP_AFTER_MINUTES_MAX as u64 },
        "Sleep after",
        "Quiet minutes before the container is stopped.",
    )
    .or(Count(limits::SLEEP_AFTER_MINUTES as u64)),
    Key::new(
        "env_vars",
        Kind::Environment,
        "Environment",
        "Environment variables of agents' tools; the values are secrets.",
    )
    .or(Object),
    Key::new("git_auth.github_token", Kind::Credential, "GitHub token", "Used for repositories on github.com."),
    Key::new(
        "git_auth.gitlab_token",
        Kind::Credential,
        "GitLab token",
        "Used for repositories of the GitLab below, or gitlab.com.",
    ),
    Key::new("git_auth.gitlab_instance_url", Kind::Url, "GitLab address", "The town's own GitLab."),
    Key::new(
        "git_auth.platform_integration_id",
        Kind::Installation,
        "GitHub App installation",
        "Mints short-lived tokens of the deployment's GitHub App.",
    ),
    Key::new(
        "github_cli_pat",
        Kind::Credential,
        "Token for gh",
        "For gh and pull-request calls, before the other GitHub credentials.",
    ),
    Key::new(
        "kilocode_token",
        Kind::Credential,
        "Key of the model endpoint",
        "Used by the runtime's model proxy; agents never see it.",
    ),
    Key::new(
        "llm.base_url",
        Kind::Url,
        "Model endpoint",
        "An OpenAI-compatible endpoint; changing it without a key forgets the stored key.",
    ),
    Key::new(
        "git_author_name",
        Kind::Line { max: limits::AUTHOR_NAME_MAX },
        "Author name",
        "Author of commits in place of the agent.",
    ),
    Key::new("git_author_email", Kind::Email, "Author e-mail", "Author's address of commits in place of the agent's."),
    Key::new("disable_ai_coauthor", Kind::Flag, "No co-author", "Agents are not named as co-authors.").or(Say(false)),
    Key::new(
        "custom_instructions.polecat",
        INSTRUCTIONS,
        "Instructions for polecats",
        "Last section of the coding agents' prompt.",
    )
    .by_mayor(),
    Key::new(
        "custom_instructions.refinery",
        INSTRUCTIONS,
        "Instructions for the refinery",
        "Last section of the reviewers' prompt.",
    )
    .by_mayor(),
    Key::new(
        "custom_instructions.mayor",
        INSTRUCTIONS,
        "Instructions for the mayor",
        "Last section of the mayor's prompt, from its next session on.",
    )
    .by_mayor(),
    Key::new(
        "mayor_may_configure",
        Kind::Flag,
        "Mayor may configure",
        "The mayor may change the settings that concern its work.",
    )
    .or(Say(true)),
    Key::new("town_memory", Kind::Flag, "Town memory", "Lessons of earlier work are cited to agents.").or(Say(true)),
];

/// The settings of a rig.
pub const RIG_KEYS: &[Key] = &[
    Key::new("version", Kind::ReadOnly, "Version", "Grows with every change of this document."),
    Key::new("default_model", Kind::Model, "Default model", "For polecats and the refinery of this rig.")
        .or_town("default_model")
        .by_mayor(),
    Key::new("role_models.polecat", Kind::Model, "Polecat", "The model of this rig's coding agents.")
        .or_town("role_models.polecat")
        .by_mayor(),
    Key::new("role_models.refinery", Kind::Model, "Refinery", "The model of this rig's reviews.")
        .or_town("role_models.refinery")
        .by_mayor(),
    Key::new("max_concurrent_polecats", POLECATS, "Polecats", "Coding agents at work in this rig at a time.")
        .or_town("max_polecats_per_rig")
        .by_mayor(),
    Key::new("max_dispatch_attempts", ATTEMPTS, "Dispatch attempts", "Failures of one kind before a task fails.")
        .or_town("max_dispatch_attempts"),
    Key::new("max_review_rounds", ROUNDS, "Review rounds", "Rounds of rework before a person is asked.")
        .or_town("max_review_rounds"),
    Key::new(
        "max_feedback_rounds",
        ROUNDS,
        "Feedback rounds",
        "Rounds of pull-request feedback before a person is asked.",
    )
    .or_town("max_feedback_rounds"),
    Key::new(
        "merge_strategy",
        MERGE_STRATEGY,
        "Merge strategy",
        "Merged by the runtime after green gates, or through a pull request.",
    )
    .or_town("merge_strategy"),
    Key::new(
        "convoy_merge_mode",
        CONVOY_MERGE_MODE,
        "Convoy merge mode",
        "Of a convoy whose tasks all lie in this rig.",
    )
    .or_town("convoy_merge_mode")
    .by_mayor(),
    Key::new(
        "code_review",
        Kind::Flag,
        "Code review",
        "The refinery reviews every branch; off leaves the gates and landing reviews.",
    )
    .or_town("refinery.code_review"),
    Key::new(
        "gates",
        Kind::Commands,
        "Gates",
        "Commands that must pass in a clean checkout of the exact commit before it is merged.",
    )
    .or_town("refinery.gates"),
    Key::new(
        "gate_timeout_minutes",
        GATE_TIMEOUT,
        "Gate timeout",
        "Minutes for each gate; a gate that runs longer is red.",
    )
    .or_town("refinery.gate_timeout_minutes"),
    Key::new("review_mode", REVIEW_MODE, "Requested changes", "Become a rework task, or comments on the pull request.")
        .or_town("refinery.review_mode"),
    Key::new("auto_merge", Kind::Flag, "Merge by itself", "Green work is merged without a person.")
        .or_town("refinery.auto_merge"),
    Key::new(
        "auto_merge_delay_minutes",
        MERGE_DELAY,
        "Merge delay",
        "Minutes of unbroken green before a pull request is merged; 0 at once.",
    )
    .or_town("refinery.auto_merge_delay_minutes"),
    Key::new(
        "auto_resolve_pr_feedback",
        Kind::Flag,
        "Answer feedback",
        "Review comments and red checks become a task.",
    )
    .or_town("refinery.auto_resolve_pr_feedback"),
    Key::new(
        "auto_resolve_merge_conflicts",
        Kind::Flag,
        "Resolve conflicts",
        "Merge conflicts become a task; off asks a person.",
    )
    .or_town("refinery.auto_resolve_merge_conflicts"),
    Key::new(
        "custom_instructions.polecat",
        INSTRUCTIONS,
        "Instructions for polecats",
        "Last section of the coding agents' prompt, in place of the town's.",
    )
    .or_town("custom_instructions.polecat")
    .by_mayor(),
    Key::new(
        "custom_instructions.refinery",
        INSTRUCTIONS,
        "Instructions for the refinery",
        "Last section of the reviewers' prompt, in place of the town's.",
    )
    .or_town("custom_instructions.refinery")
    .by_mayor(),
    Key::new("git_push_flags", Kind::PushFlags, "Push flags", "Flags that every git push of this rig carries."),
];
