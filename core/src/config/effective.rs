//! What applies: the rig's setting, else the town's, else the default. Rules read these structs and nothing else, so
//! that a setting has one place where it is looked up.

use serde::{Deserialize, Serialize};

use super::document::{ConvoyMergeMode, MergeStrategy, ReviewMode, RigConfig, RigInstructions, TownBudget, TownConfig};
use crate::limits;
use crate::session::Usage;

const MICROS_PER_DOLLAR: f64 = 1_000_000.0;

/// US dollars as whole micro-dollars; nothing when negative or not a number.
pub(super) fn micros(dollars: f64) -> u64 {
    // A float-to-integer cast saturates and turns NaN to 0, which is what a limit needs.
    (dollars * MICROS_PER_DOLLAR).round() as u64
}

/// Everything that the rules of a rig read. The Town computes it and sends it with a version; it is stored as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EffectiveRig {
    /// Live polecat assignments.
    pub max_concurrent_polecats: u32,
    /// Cap of each counter of a bead.
    pub max_dispatch_attempts: u32,
    /// Rework children per review.
    pub max_review_rounds: u32,
    /// Feedback and conflict children per review.
    pub max_feedback_rounds: u32,
    /// How work reaches the merge target.
    pub merge_strategy: MergeStrategy,
    /// Merge mode of a convoy whose tasks all lie in this rig.
    pub convoy_merge_mode: ConvoyMergeMode,
    /// Whether the refinery reviews; landing reviews stay in any case.
    pub code_review: bool,
    /// Commands that must pass before a merge, in order.
    pub gates: Vec<String>,
    /// Time for each of them.
    pub gate_timeout_minutes: u32,
    /// Where requested changes go. Comments need a pull request; without one this is `rework`.
    pub review_mode: ReviewMode,
    /// Whether green work is merged without a person.
    pub auto_merge: bool,
    /// Minutes of unbroken green before a pull request is merged; none is never.
    pub auto_merge_delay_minutes: Option<u32>,
    /// Whether comments and red checks become a child.
    pub auto_resolve_pr_feedback: bool,
    /// Whether conflicts become a child.
    pub auto_resolve_merge_conflicts: bool,
    /// Last section of each role's prompt.
    pub custom_instructions: RigInstructions,
    /// Flags that every push carries.
    pub git_push_flags: Vec<String>,
    /// The town's limits of spend.
    pub budget: Budget,
    /// Whether lessons of earlier work are cited to agents.
    pub town_memory: bool,
}

impl Default for EffectiveRig {
    fn default() -> Self {
        effective_rig(&TownConfig::default(), &RigConfig::default())
    }
}

/// Limits of spend per scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Of one bead and its children.
    pub bead: SpendLimit,
    /// Of one convoy.
    pub convoy: SpendLimit,
    /// Of the town per day.
    pub town_daily: SpendLimit,
    /// Share of a limit at which people are told, in percent.
    pub warn_percent: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(&TownBudget::default())
    }
}

impl Budget {
    fn of(budget: &TownBudget) -> Self {
        let limit = |dollars: Option<f64>, tokens| SpendLimit { micros: dollars.map(micros), tokens };
        Self {
            bead: limit(budget.bead_usd, budget.bead_tokens),
            convoy: limit(budget.convoy_usd, budget.convoy_tokens),
            town_daily: limit(budget.town_daily_usd, budget.town_daily_tokens),
            warn_percent: budget.warn_percent.unwrap_or(limits::BUDGET_WARN_PERCENT),
        }
    }
}

/// A limit of spend in one scope; what is absent is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpendLimit {
    /// Micro-dollars.
    pub micros: Option<u64>,
    /// Tokens of all kinds.
    pub tokens: Option<u64>,
}

impl SpendLimit {
    /// Whether a spend has reached this share of the limit, in percent; without a limit it never has.
    pub fn is_reached(&self, spent: Usage, percent: u32) -> bool {
        let reaches = |spent: u64, limit: Option<u64>| {
            limit.is_some_and(|limit| u128::from(spent) * 100 >= u128::from(limit) * u128::from(percent))
        };
        reaches(spent.cost_micros, self.micros) || reaches(spent.tokens(), self.tokens)
    }

    /// The same limit with another amount of money, where a bead or convoy carries its own.
    #[must_use]
    pub fn or_own(self, own_micros: Option<u64>) -> Self {
        Self { micros: own_micros.or(self.micros), ..self }
    }

    /// How a spend stands against the limit, for people.
    pub fn words(&self, spent: Usage) -> String {
        let dollars = |micros: u64| format!("${}.{:02}", micros / 1_000_000, micros % 1_000_000 / 10_000);
        let money = self.micros.map(|limit| format!("{} of {}", dollars(spent.cost_micros), dollars(limit)));
        let tokens = self.tokens.map(|limit| format!("{} of {limit} tokens", spent.tokens()));
        money.into_iter().chain(tokens).collect::<Vec<_>>().join(", ")
    }
}

/// Everything that the rules of the town read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EffectiveTown {
    /// Live sessions, the mayor's not counted.
    pub max_sessions: u32,
    /// Whether convoys wait for a start.
    pub staged_convoys_default: bool,
    /// Merge mode of convoys that do not say.
    pub convoy_merge_mode: ConvoyMergeMode,
    /// Limits of spend.
    pub budget: Budget,
    /// Quiet minutes before the container stops.
    pub sleep_after_minutes: u32,
    /// Last section of the mayor's prompt.
    pub mayor_instructions: Option<String>,
    /// Whether the mayor may change settings.
    pub mayor_may_configure: bool,
    /// Author name of commits; absent is the agent's own.
    pub git_author_name: Option<String>,
    /// Author e-mail of commits; absent is the agent's own.
    pub git_author_email: Option<String>,
    /// Whether agents are left out as co-authors.
    pub disable_ai_coauthor: bool,
    /// The town's own model endpoint.
    pub llm_base_url: Option<String>,
    /// The town's own GitLab.
    pub gitlab_instance_url: Option<String>,
}

impl Default for EffectiveTown {
    fn default() -> Self {
        effective_town(&TownConfig::default())
    }
}

/// What applies in a rig.
pub fn effective_rig(town: &TownConfig, rig: &RigConfig) -> EffectiveRig {
    let refinery = &town.refinery;
    let merge_strategy = rig.merge_strategy.or(town.merge_strategy).unwrap_or(super::MERGE_STRATEGY_DEFAULT);
    let review_mode = rig.review_mode.or(refinery.review_mode).unwrap_or(ReviewMode::Rework);
    let polecats = rig.max_concurrent_polecats.or(town.max_polecats_per_rig);
    let attempts = rig.max_dispatch_attempts.or(town.max_dispatch_attempts);
    let review_rounds = rig.max_review_rounds.or(town.max_review_rounds);
    let feedback_rounds = rig.max_feedback_rounds.or(town.max_feedback_rounds);
    let gate_timeout = rig.gate_timeout_minutes.or(refinery.gate_timeout_minutes);
    let instructions = |rig: &Option<String>, town: &Option<String>| rig.as_ref().or(town.as_ref()).cloned();
    EffectiveRig {
        max_concurrent_polecats: polecats.unwrap_or(limits::POLECATS_PER_RIG),
        max_dispatch_attempts: attempts.unwrap_or(limits::ATTEMPTS),
        max_review_rounds: review_rounds.unwrap_or(limits::REVIEW_ROUNDS),
        max_feedback_rounds: feedback_rounds.unwrap_or(limits::REVIEW_ROUNDS),
        merge_strategy,
        convoy_merge_mode: convoy_merge_mode(rig.convoy_merge_mode.or(town.convoy_merge_mode)),
        code_review: rig.code_review.or(refinery.code_review).unwrap_or(true),
        gates: rig.gates.as_ref().or(refinery.gates.as_ref()).cloned().unwrap_or_default(),
        gate_timeout_minutes: gate_timeout.unwrap_or(limits::GATE_TIMEOUT_MINUTES),
        review_mode: match merge_strategy {
            MergeStrategy::Direct => ReviewMode::Rework,
            MergeStrategy::Pr => review_mode,
        },
        auto_merge: rig.auto_merge.or(refinery.auto_merge).unwrap_or(true),
        auto_merge_delay_minutes: rig.auto_merge_delay_minutes.or(refinery.auto_merge_delay_minutes),
        auto_resolve_pr_feedback: rig.auto_resolve_pr_feedback.or(refinery.auto_resolve_pr_feedback).unwrap_or(true),
        auto_resolve_merge_conflicts: rig
            .auto_resolve_merge_conflicts
            .or(refinery.auto_resolve_merge_conflicts)
            .unwrap_or(true),
        custom_instructions: RigInstructions {
            polecat: instructions(&rig.custom_instructions.polecat, &town.custom_instructions.polecat),
            refinery: instructions(&rig.custom_instructions.refinery, &town.custom_instructions.refinery),
        },
        git_push_flags: rig
            .git_push_flags
            .iter()
            .flat_map(|flags| flags.split_whitespace())
            .map(str::to_owned)
            .collect(),
        budget: Budget::of(&town.budget),
        town_memory: town.town_memory.unwrap_or(true),
    }
}

/// What applies in a town.
pub fn effective_town(town: &TownConfig) -> EffectiveTown {
    EffectiveTown {
        max_sessions: town.max_sessions.unwrap_or(limits::SESSIONS),
        staged_convoys_default: town.staged_convoys_default.unwrap_or(false),
        convoy_merge_mode: convoy_merge_mode(town.convoy_merge_mode),
        budget: Budget::of(&town.budget),
        sleep_after_minutes: town.container.sleep_after_minutes.unwrap_or(limits::SLEEP_AFTER_MINUTES),
        mayor_instructions: town.custom_instructions.mayor.clone(),
        mayor_may_configure: town.mayor_may_configure.unwrap_or(true),
        git_author_name: town.git_author_name.clone(),
        git_author_email: town.git_author_email.clone(),
        disable_ai_coauthor: town.disable_ai_coauthor.unwrap_or(false),
        llm_base_url: town.llm.base_url.clone(),
        gitlab_instance_url: town.git_auth.gitlab_instance_url.clone(),
    }
}

fn convoy_merge_mode(set: Option<ConvoyMergeMode>) -> ConvoyMergeMode {
    set.unwrap_or(ConvoyMergeMode::ReviewThenLand)
}
