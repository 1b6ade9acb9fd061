//! Pull requests: the watch that follows one at its forge, what a poll of it says, and the steps that rules and facts
//! share (domain.md 7.5, 7.6). The rig never calls a forge: it orders calls as effects, and their outcomes come back as
//! facts (`event/forge.rs`).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::plan::{Effect, EventRow, Plan, Write};
use super::review::{self, Finding, MergeStrategy, Review, ReviewKind, ReviewState};
use super::state::State;
use super::{bead, escalation};
use crate::config::ReviewMode;
use crate::id::BeadId;
use crate::limits::{PR_DEGRADED, PR_POLL};
use crate::protocol::{Escalation, RigToTown, Severity};
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// What an open pull request waits for (domain.md 7.2, `pr_open`).
    pub enum PrSub {
        NeedsHuman = "needs_human",
        Fixing = "fixing",
        Green = "green",
    }
}

/// Every change of an open pull request's sub state, and what causes it (domain.md 7.5). Facts that fit no row change
/// nothing: a poll that says what is known, an answer about an older pull request, an answer that nobody waits for.
pub const TRANSITIONS: &[(PrSub, &str, PrSub)] = &[
    (PrSub::Green, "conflict, changes requested, threads or red checks (R14)", PrSub::Fixing),
    (PrSub::NeedsHuman, "conflict, changes requested, threads or red checks (R14)", PrSub::Fixing),
    (PrSub::Green, "approval required, or the setting for the repair is off (R14)", PrSub::NeedsHuman),
    (PrSub::NeedsHuman, "nothing left to fix (R14)", PrSub::Green),
    (PrSub::Green, "checks pending: the timer is cleared (R14)", PrSub::Green),
    (PrSub::Green, "merge refused by the forge: the timer is cleared", PrSub::Green),
    (PrSub::Fixing, "more feedback or a conflict: written into the live child (R14)", PrSub::Fixing),
    (PrSub::Fixing, "mergeable unknown, or the same again", PrSub::Fixing),
];

text_enum! {
    /// State of a watch.
    pub enum WatchState {
        Open = "open",
        Merged = "merged",
        Closed = "closed",
        Degraded = "degraded",
    }
}

/// Every change of a watch, and what causes it (domain.md 7.5, 7.6).
pub const WATCH_TRANSITIONS: &[(WatchState, &str, WatchState)] = &[
    (WatchState::Open, "merged at the forge", WatchState::Merged),
    (WatchState::Open, "closed without a merge", WatchState::Closed),
    (WatchState::Open, "permanent error, or too many others in a row", WatchState::Degraded),
    (WatchState::Degraded, "an answer that can be read", WatchState::Open),
    (WatchState::Closed, "the next pull request of the same review", WatchState::Open),
];

text_enum! {
    /// Whether the forge could merge it into its target.
    pub enum Mergeable {
        Clean = "clean",
        Conflict = "conflict",
        Unknown = "unknown",
    }
}

text_enum! {
    /// All checks of the head together.
    pub enum Checks {
        None = "none",
        Pending = "pending",
        Green = "green",
        Red = "red",
    }
}

text_enum! {
    /// Who is to blame when a forge does not answer as it should (domain.md 7.6).
    pub enum ForgeErrorClass {
        /// No repeat helps before a person has acted.
        Permanent = "permanent",
        /// Passes by itself.
        Transient = "transient",
        /// An answer that cannot be read.
        BadShape = "bad_shape",
    }
}

/// What went wrong at the forge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgeError {
    /// Who is to blame.
    pub class: ForgeErrorClass,
    /// One sentence for people.
    pub message: String,
    /// The time that the forge names for the next try.
    pub retry_at: Option<Timestamp>,
}

/// The watch of one pull request (domain.md 2.4, `pr_watches`).
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// Whose.
    pub review_id: BeadId,
    /// Address for people.
    pub url: String,
    /// Kind of forge.
    pub provider: String,
    /// Repository at the forge, `owner/name`.
    pub repo: String,
    /// Number in it.
    pub number: u64,
    /// State.
    pub state: WatchState,
    /// Head that the forge shows.
    pub head_commit: Option<String>,
    /// For the next conditional request.
    pub etag: Option<String>,
    /// The next poll.
    pub poll_at: Timestamp,
    /// When the newest poll that was answered was asked; an answer to an older question is no news.
    pub polled_at: Option<Timestamp>,
    /// The newest answer has not been looked at by R14.
    pub is_unanswered: bool,
    /// As the forge says.
    pub mergeable: Mergeable,
    /// As the forge says.
    pub checks: Checks,
    /// Unresolved threads by others.
    pub threads: u32,
    /// The forge wants an approval, or blocks the merge.
    pub awaiting_approval: bool,
    /// A reviewer at the forge requests changes.
    pub changes_requested: bool,
    /// What those say in detail: comments and red checks.
    pub feedback: Vec<Finding>,
    /// All passed since then, without a break.
    pub green_since: Option<Timestamp>,
    /// Grows when a conflict begins and when it ends: odd while one lasts.
    pub conflict_episode: u32,
    /// Transient errors in a row.
    pub transient: u32,
    /// Unreadable answers in a row.
    pub shape: u32,
    /// Refused merges in a row.
    pub refused: u32,
    /// Why it is degraded.
    pub error: Option<ForgeError>,
}

impl Watch {
    /// Whether the pull request is there to be merged, as far as is known.
    pub const fn is_open(&self) -> bool {
        match self.state {
            WatchState::Open | WatchState::Degraded => true,
            WatchState::Merged | WatchState::Closed => false,
        }
    }

    /// Whether a conflict lasts that was seen before.
    pub const fn is_in_conflict_episode(&self) -> bool {
        self.conflict_episode % 2 == 1
    }

    /// Whether somebody at the forge wants something changed, or its checks do.
    pub fn wants_changes(&self) -> bool {
        self.changes_requested || self.threads > 0 || self.checks == Checks::Red
    }
}

/// A pull request that was opened or adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedPr {
    /// Address for people.
    pub url: String,
    /// Kind of forge.
    pub provider: String,
    /// Repository at the forge.
    pub repo: String,
    /// Number in it.
    pub number: u64,
}

text_enum! {
    /// What a poll says of the pull request itself.
    pub enum PrState {
        Open = "open",
        Merged = "merged",
        Closed = "closed",
    }
}

/// What one poll says, all pages together (domain.md 7.5).
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Open, merged, or closed without a merge.
    pub state: PrState,
    /// Newest commit of its branch.
    pub head: String,
    /// The commit that brought it in.
    pub merge_commit: Option<String>,
    /// Whether it could be merged.
    pub mergeable: Mergeable,
    /// Checks of the head.
    pub checks: Checks,
    /// A reviewer requests changes.
    pub changes_requested: bool,
    /// Unresolved threads by others than the refinery.
    pub threads: u32,
    /// The forge wants an approval, or blocks the merge.
    pub awaiting_approval: bool,
    /// Comments and red checks in detail.
    pub feedback: Vec<Finding>,
    /// For the next conditional request.
    pub etag: Option<String>,
}

/// `host` and `owner/name` of a repository's address; none when it cannot be read.
pub fn repository(git_url: &str) -> Option<(String, String)> {
    let rest = match git_url.split_once("://") {
        Some((_, rest)) => rest.to_owned(),
        None => git_url.replacen(':', "/", 1),
    };
    let (authority, path) = rest.split_once('/')?;
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let path = path.trim_matches('/').trim_end_matches(".git");
    (!host.is_empty() && !path.is_empty()).then(|| (host.to_ascii_lowercase(), path.to_owned()))
}

/// The pull request that an address names, if it is https and of this repository (domain.md 5.3).
pub fn parse_url(url: &str, git_url: &str) -> Option<OpenedPr> {
    let (host, repo) = repository(git_url)?;
    let path = url.strip_prefix("https://")?.strip_prefix(host.as_str())?.strip_prefix('/')?;
    let path = path.strip_prefix(repo.as_str())?;
    let pull = path.strip_prefix("/pull/").map(|number| ("github", number));
    let merge = path.strip_prefix("/-/merge_requests/").map(|number| ("gitlab", number));
    let (provider, number) = pull.or(merge)?;
    let number = number.trim_end_matches('/').parse().ok()?;
    Some(OpenedPr { url: url.to_owned(), provider: provider.to_owned(), repo, number })
}

/// The watch of a review whose pull request is there to be merged.
pub fn open_watch<'a>(plan: &'a Plan, review_id: BeadId) -> Option<&'a Watch> {
    plan.state().watches.get(&review_id).filter(|watch| watch.is_open())
}

/// Whether findings go to the pull request (domain.md 7.2, comments mode).
pub fn is_in_comments_mode(plan: &Plan, review: &Review) -> bool {
    let mode = plan.state().rig.settings.as_ref().map(|settings| settings.config.review_mode);
    review.strategy == MergeStrategy::Pr && mode == Some(ReviewMode::Comments)
}

/// Whether the refinery has to judge it: all with code review on; landings and the tasks of review-and-merge convoys in
/// any case (domain.md 7.3).
pub fn needs_review(plan: &Plan, review: &Review) -> bool {
    let reviews_all = plan.state().rig.settings.as_ref().is_none_or(|settings| settings.config.code_review);
    let merges_task = review.convoy_id.is_some() && !review.is_into_feature_branch();
    reviews_all || review.kind == ReviewKind::Landing || merges_task
}

/// When the timer of a green pull request runs out; none while it does not run, or never does.
pub fn merges_at(state: &State, review: &Review) -> Option<Timestamp> {
    let minutes = state.rig.settings.as_ref()?.config.auto_merge_delay_minutes?;
    let since = state.watches.get(&review.bead_id)?.green_since?;
    Some(since + Duration::from_secs(u64::from(minutes) * 60))
}

/// Begins to follow a pull request that was opened or adopted.
pub fn opened(plan: &mut Plan, review_id: BeadId, pr: OpenedPr) {
    let now = plan.now();
    let head_commit = plan.state().reviews.get(&review_id).and_then(|review| review.head_commit.clone());
    let source = plan.state().reviews.get(&review_id).and_then(|review| review.source_id);
    for bead_id in [Some(review_id), source].into_iter().flatten() {
        let url = json!(pr.url);
        plan.update_bead(bead_id, |bead| drop(bead.metadata.insert("pr_url".to_owned(), url)));
    }
    let event = plan.event("pr_created");
    plan.record(EventRow { bead_id: source.or(Some(review_id)), new: Some(pr.url.clone()), ..event });
    plan.write(Write::Watch(Box::new(Watch {
        review_id,
        url: pr.url,
        provider: pr.provider,
        repo: pr.repo,
        number: pr.number,
        state: WatchState::Open,
        head_commit,
        etag: None,
        poll_at: now,
        polled_at: None,
        is_unanswered: false,
        mergeable: Mergeable::Unknown,
        checks: Checks::Pending,
        threads: 0,
        awaiting_approval: false,
        changes_requested: false,
        feedback: Vec::new(),
        green_since: None,
        conflict_episode: 0,
        transient: 0,
        shape: 0,
        refused: 0,
        error: None,
    })));
    plan.update_review(review_id, |review| {
        review.forge_due = None;
        review.merge_tries = 0;
    });
}

/// Orders a poll and marks when the next one is due.
pub fn poll(plan: &mut Plan, review_id: BeadId) {
    let Some(watch) = plan.state().watches.get(&review_id) else { return };
    let pause = if watch.state == WatchState::Degraded { PR_DEGRADED } else { PR_POLL };
    let poll_at = plan.now() + pause;
    if watch.poll_at == poll_at {
        return; // It was ordered a moment ago, by this plan.
    }
    plan.update_watch(review_id, |watch| watch.poll_at = poll_at);
    plan.effect(Effect::PollPr(review_id));
}

/// An approved review is on its pull request: nothing is known to be wrong until the poll that is ordered here answers.
pub fn enter_open(plan: &mut Plan, review_id: BeadId) {
    review::move_to(plan, review_id, ReviewState::PrOpen);
    plan.update_watch(review_id, |watch| {
        watch.green_since = None;
        watch.is_unanswered = false;
    });
    begin_anew(plan, review_id);
    poll(plan, review_id);
}

/// The branch has another commit, or it was judged: what the forge said before, or was asked before, is no news of it.
pub fn begin_anew(plan: &mut Plan, review_id: BeadId) {
    let now = plan.now();
    plan.update_watch(review_id, |watch| {
        watch.head_commit = None;
        watch.etag = None;
        watch.polled_at = Some(now);
    });
}

/// Changes what an open pull request waits for; the timer runs only while it is green.
pub fn set_sub(plan: &mut Plan, review_id: BeadId, sub: PrSub) {
    let Some(old) = plan.state().reviews.get(&review_id).map(|review| review.sub) else { return };
    if sub != PrSub::Green {
        set_green_since(plan, review_id, None);
    }
    if old == Some(sub) {
        return;
    }
    conflict_settled(plan, review_id);
    plan.update_review(review_id, |review| review.sub = Some(sub));
    let event = plan.event("review_state");
    let old = old.map(|old| format!("pr_{old}"));
    plan.record(EventRow { bead_id: Some(review_id), old, new: Some(format!("pr_{sub}")), ..event });
}

/// Starts or clears the timer of a green pull request.
pub fn set_green_since(plan: &mut Plan, review_id: BeadId, since: Option<Timestamp>) {
    if plan.state().watches.get(&review_id).is_some_and(|watch| watch.green_since != since) {
        plan.update_watch(review_id, |watch| watch.green_since = since);
    }
}

/// The forge answers as it should: counters begin anew, and a degraded watch is whole again.
pub fn recovered(plan: &mut Plan, review_id: BeadId) {
    let Some(watch) = plan.state().watches.get(&review_id) else { return };
    let was_degraded = watch.state == WatchState::Degraded;
    plan.update_watch(review_id, |watch| {
        watch.transient = 0;
        watch.shape = 0;
        watch.error = None;
        if was_degraded {
            watch.state = WatchState::Open;
        }
    });
    if was_degraded {
        clear_escalation(plan, review_id, Cause::Degraded);
    }
}

/// A person, or new settings or secrets, may have mended what a forge refused (domain.md 7.6): broken watches are asked
/// at once, and reviews that wait for the forge go on.
pub fn settings_changed(plan: &mut Plan) {
    let now = plan.now();
    let broken: Vec<BeadId> = plan
        .state()
        .watches
        .values()
        .filter(|watch| watch.state == WatchState::Degraded && watch.poll_at > now)
        .map(|watch| watch.review_id)
        .collect();
    for review_id in broken {
        plan.update_watch(review_id, |watch| watch.poll_at = now);
    }
    let refused: Vec<BeadId> = plan
        .state()
        .beads
        .values()
        .filter(|bead| bead.parked.as_ref().is_some_and(|parked| parked.code == FORGE_ERROR))
        .map(|bead| bead.bead_id)
        .collect();
    for review_id in refused {
        try_again(plan, review_id);
        bead::unpark(plan, review_id);
    }
}

/// Whatever was tried too often may be tried anew.
pub fn try_again(plan: &mut Plan, review_id: BeadId) {
    conflict_settled(plan, review_id);
    plan.update_review(review_id, |review| {
        review.forge_due = None;
        review.not_before = None;
        review.merge_tries = 0;
    });
    let now = plan.now();
    plan.update_watch(review_id, |watch| {
        watch.refused = 0;
        watch.poll_at = now;
        if watch.is_in_conflict_episode() {
            watch.conflict_episode += 1;
        }
    });
}

/// The code of a review that is parked because its forge refuses.
pub const FORGE_ERROR: &str = "forge_error";

/// Why people are called about a pull request that is not parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It cannot be followed.
    Degraded,
    /// It conflicts, and nobody resolves it by itself.
    Conflict,
}

impl Cause {
    const fn code(self) -> &'static str {
        match self {
            Self::Degraded => "pr_degraded",
            Self::Conflict => "merge_conflict",
        }
    }
}

/// Tells people about a pull request.
pub fn raise_escalation(plan: &mut Plan, review_id: BeadId, cause: Cause, message: &str) {
    let title = plan.state().beads.get(&review_id).map(|bead| bead.title.clone()).unwrap_or_default();
    let convoy_id = plan.state().reviews.get(&review_id).and_then(|review| review.convoy_id);
    let title = match cause {
        Cause::Degraded => format!("The pull request of \"{title}\" cannot be followed"),
        Cause::Conflict => format!("The pull request of \"{title}\" conflicts with its target"),
    };
    plan.post(RigToTown::EscalationRaised(Box::new(Escalation {
        dedup_key: escalation::pr_key(cause.code(), review_id),
        severity: Severity::High,
        category: "review".to_owned(),
        code: cause.code().to_owned(),
        title,
        message: message.to_owned(),
        bead_id: Some(review_id),
        agent_id: None,
        assignment_id: None,
        convoy_id,
        choices: vec!["resume".to_owned()],
    })));
}

/// The cause is gone.
pub fn clear_escalation(plan: &mut Plan, review_id: BeadId, cause: Cause) {
    plan.post(RigToTown::EscalationCleared { dedup_key: escalation::pr_key(cause.code(), review_id) });
}

/// Whether people were told of a conflict that nobody resolves by itself.
pub fn is_conflict_told(plan: &Plan, review_id: BeadId) -> bool {
    let waits = plan.state().reviews.get(&review_id).is_some_and(|review| review.sub == Some(PrSub::NeedsHuman));
    waits && plan.state().watches.get(&review_id).is_some_and(Watch::is_in_conflict_episode)
}

/// The conflict that people were told of, if they were, is over or in other hands.
pub fn conflict_settled(plan: &mut Plan, review_id: BeadId) {
    if is_conflict_told(plan, review_id) {
        clear_escalation(plan, review_id, Cause::Conflict);
    }
}

/// The review ended: nobody follows its pull request any more.
pub fn review_ended(plan: &mut Plan, review_id: BeadId) {
    if plan.state().watches.get(&review_id).is_some_and(|watch| watch.state == WatchState::Degraded) {
        clear_escalation(plan, review_id, Cause::Degraded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_read_from_every_form_of_address() {
        for url in [
            "https://github.com/acme/api.git",
            "https://token@github.com/acme/api",
            "git@github.com:acme/api.git",
            "ssh://git@GitHub.com/acme/api/",
        ] {
            assert_eq!(repository(url), Some(("github.com".to_owned(), "acme/api".to_owned())), "{url}");
        }
        assert_eq!(repository("github.com"), None);
    }

    #[test]
    fn only_a_pull_request_of_the_repository_counts() {
        let of = |url| parse_url(url, "https://github.com/acme/api.git").map(|pr| (pr.provider, pr.number));
        assert_eq!(of("https://github.com/acme/api/pull/7"), Some(("github".to_owned(), 7)));
        assert_eq!(of("https://github.com/acme/api/-/merge_requests/8/"), Some(("gitlab".to_owned(), 8)));
        for other in [
            "http://github.com/acme/api/pull/7",
            "https://github.com/acme/api2/pull/7",
            "https://github.com.evil.example/acme/api/pull/7",
            "https://github.com/acme/api/pull/x",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
