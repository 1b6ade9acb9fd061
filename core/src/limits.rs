//! Every bound of the system by name, each with its reason (domain.md 6.3 and 9.4; api.md 1.3, 1.4 and 1.8).
//!
//! Nothing here is configurable: a setting with a default and a range lives in [`crate::config`], which reads its
//! ranges from here. Relations between limits are asserted at the end of the file, when the crate is compiled.

use std::time::Duration;

/// Whole minutes as a span; `Duration::from_mins` is younger than the compiler that this crate supports.
const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

const fn hours(count: u64) -> Duration {
    minutes(count * 60)
}

const fn days(count: u64) -> Duration {
    hours(count * 24)
}

// ── Leases and starts (domain.md 5.2 to 5.4) ────────────────────────────────────────────────────────────────────────

/// The runtime sends one heartbeat per town this often: seldom enough to be cheap, often enough to notice a death.
pub const HEARTBEAT: Duration = Duration::from_secs(30);
/// News lasts this long: two heartbeats in a row may be lost.
pub const LEASE: Duration = Duration::from_secs(90);
/// While a repository is cloned nothing may be heard for this long: a large clone is silent.
pub const LEASE_CLONE: Duration = minutes(10);
/// An expired lease asks the runtime once and waits this long for the answer before the assignment is lost.
pub const PROBE: Duration = Duration::from_secs(30);
/// An unanswered start order is given again after this long, well inside the first lease.
pub const START_REORDER: Duration = Duration::from_secs(30);
/// A start order that the runtime refused because it is starting or draining is given again after this long.
pub const ORDER_REFUSED_RETRY: Duration = Duration::from_secs(5);
/// A start order that the runtime refused for lack of memory or places is given again after this long.
pub const ORDER_CAPACITY_RETRY: Duration = Duration::from_secs(60);
/// A start that is not running after this long has failed: heartbeats must not keep a hung clone for ever.
pub const START_LIMIT: Duration = minutes(20);
/// A session that was told to wrap up has this long to commit, push and report.
pub const FINISH_LIMIT: Duration = minutes(2);

// ── Counters, back-off and the breaker (domain.md 5.5, 5.6) ─────────────────────────────────────────────────────────

/// Waits after the first, second, … charge of a counter; the last one repeats. Quick after hiccups, cheap in outages.
pub const BACKOFF: [Duration; 5] =
    [Duration::from_secs(30), Duration::from_secs(60), minutes(2), minutes(5), minutes(10)];
/// Charges of one counter until the bead fails or is parked, unless configured (`max_dispatch_attempts`).
pub const ATTEMPTS: u32 = 5;
/// The most that `max_dispatch_attempts` may be: beyond it a hopeless bead costs hours of starts.
pub const ATTEMPTS_MAX: u32 = 20;
/// Start failures that open the breaker of one rig within [`BREAKER_RIG_WINDOW`]: one bad rig stops alone.
pub const BREAKER_RIG: usize = 5;
/// The sliding window of [`BREAKER_RIG`].
pub const BREAKER_RIG_WINDOW: Duration = minutes(10);
/// Start failures that open the breaker of the town within [`BREAKER_TOWN_WINDOW`]: a dead gateway stops all.
pub const BREAKER_TOWN: usize = 20;
/// The sliding window of [`BREAKER_TOWN`].
pub const BREAKER_TOWN_WINDOW: Duration = minutes(30);
/// An open breaker lets one session try after this long: an outage costs one session per this span.
pub const BREAKER_PROBE: Duration = minutes(5);

/// The wait after the `charges`-th charge of a counter, counted from 1 (domain.md 5.5).
pub fn backoff(charges: u32) -> Duration {
    let last = BACKOFF.len() - 1;
    let index = usize::try_from(charges.saturating_sub(1)).unwrap_or(last);
    BACKOFF[index.min(last)]
}

// ── Wake-ups and silence of agents (domain.md 6.2, 10.4) ────────────────────────────────────────────────────────────

/// While work is live the alarm is at most this far away: the longest time that a lost effect goes unnoticed.
pub const ALARM_LIVE: Duration = Duration::from_secs(5);
/// An unacknowledged message between town and rig is sent again after this long, then twice as long, and so on …
pub const RESEND_FIRST: Duration = Duration::from_secs(1);
/// … up to this: an object that is away for minutes is not hammered.
pub const RESEND_MAX: Duration = Duration::from_secs(30);
/// An idle agent is kept this long: reuse within a burst of work; its name comes back after it.
pub const AGENT_IDLE: Duration = minutes(15);
/// An agent that has not made progress for this long, and runs no tool, is reminded.
pub const GUPP_REMIND: Duration = minutes(15);
/// After this long without progress an agent is reminded urgently, and triage is asked.
pub const GUPP_ESCALATE: Duration = minutes(60);
/// After this long without progress an agent is stopped and its work goes back to the queue.
pub const GUPP_STOP: Duration = minutes(120);
/// Nudges for a session that went idle without reporting: forgetting to report is common and cheap to ask about.
pub const IDLE_NUDGES: u32 = 2;
/// How long an idle session has to answer each such nudge before it counts as ended.
pub const IDLE_EXIT: Duration = Duration::from_secs(120);
/// Mail and nudges that a running session has not confirmed are handed to its runtime again after this long.
pub const MESSAGE_REPEAT: Duration = Duration::from_secs(30);
/// Messages in one order to the runtime (container.md 2.2).
pub const MESSAGES_PER_PUSH: usize = 50;
/// A person's claim on a bead holds this long without a sign of life.
pub const CLAIM: Duration = minutes(60);
/// An unhooked bead is given out again after this long: whoever unhooked it has time to hook it elsewhere.
pub const UNHOOK_PAUSE: Duration = Duration::from_secs(30);
/// Digits of a bead's id in the name of its branch; more where these are not unique (domain.md 4).
pub const BRANCH_DIGITS: u32 = 8;
/// Digits of a bead's id: its branch can have no more.
pub const BRANCH_DIGITS_MAX: u32 = 32;
/// The same sling again within this span is a repeated tool call, not new work.
pub const SLING_REPEAT: Duration = minutes(2);

// ── Pull requests and merges (domain.md 7.4, 7.5) ───────────────────────────────────────────────────────────────────

/// A watched pull request is asked for this often: conditional requests cost little.
pub const PR_POLL: Duration = Duration::from_secs(60);
/// A degraded watch is tried again this often: it heals by itself and does not hammer a forge that refuses it.
pub const PR_DEGRADED: Duration = minutes(10);
/// Transient forge errors in a row until a watch is degraded: outages pass.
pub const PR_TRANSIENT: u32 = 10;
/// Unreadable forge answers in a row until a watch is degraded: wrong answers do not pass.
pub const PR_SHAPE: u32 = 3;
/// A call of the forge that nothing was heard of is made again after this long: longer than any call takes.
pub const FORGE_REPEAT: Duration = Duration::from_secs(60);
/// Merges in a row that the forge may refuse, before a person is asked: a rule of the forge does not change by asking.
pub const MERGE_REFUSALS: u32 = 5;
/// Pushes of one merge job that may be raced by others.
pub const MERGE_RETRIES: u32 = 3;
/// Merge jobs per approval, before a person is asked.
pub const MERGE_TRIES: u32 = 5;
/// A merge whose target moved is tried again after this long: whoever moves it is done by then.
pub const MERGE_MOVED_RETRY: Duration = Duration::from_secs(30);
/// Orders of one job until it is given up: a job that is lost five times is not lost by chance.
pub const JOB_ORDERS_MAX: u32 = 5;
/// Rework or feedback children of one review before a person decides, unless configured.
pub const REVIEW_ROUNDS: u32 = 5;
/// The most rounds that a town may configure.
pub const REVIEW_ROUNDS_MAX: u32 = 20;
/// A review without progress for this long is shown as stale: whoever looks at the merge queue in the morning sees what
/// was there the morning before.
pub const REVIEW_STALE: Duration = days(1);

// ── Bounded storage and prompts (domain.md 6.3, 10) ─────────────────────────────────────────────────────────────────

/// Rows of a rig's audit log are kept this long.
pub const EVENTS_KEEP: Duration = days(7);
/// … and at most this many of them.
pub const EVENTS_MAX: usize = 10_000;
/// Delivered mail, nudges that are over and ended jobs are kept this long.
pub const MESSAGES_KEEP: Duration = days(7);
/// Ended assignments are kept this long; their sums stay on the bead.
pub const ASSIGNMENTS_KEEP: Duration = days(30);
/// Old rows of one table that are deleted at a time: a commit stays short.
pub const PRUNE_ROWS: u32 = 500;
/// Transcript entries kept per agent, as a ring.
pub const TRANSCRIPT_KEEP: usize = 10_000;
/// Lessons kept per rig.
pub const LESSONS_MAX: usize = 500;
/// Lessons cited in one prime context.
pub const PRIME_LESSONS: usize = 5;
/// Characters of all lessons cited in one prime context.
pub const PRIME_LESSONS_CHARACTERS: usize = 4_000;
/// Characters of the summary, and of the findings, that one lesson keeps.
pub const LESSON_TEXT: usize = 600;
/// Changed paths that one lesson keeps.
pub const LESSON_PATHS: usize = 20;
/// Summaries of a bead's blockers in one prime context.
pub const PRIME_BLOCKERS: usize = 5;
/// Open beads of the rig listed in one prime context.
pub const PRIME_BEADS: usize = 20;
/// A nudge of mode `queue` without an expiry of its own dies after this long.
pub const NUDGE_QUEUE_KEEP: Duration = hours(1);

/// The longest that a nudge may wait: a text for the moment is no mail.
pub const NUDGE_KEEP_MAX: Duration = days(7);

// ── The town (domain.md 9.4, 9.6) ───────────────────────────────────────────────────────────────────────────────────

/// Failed landings of one convoy in one rig before a person is asked.
pub const LANDING_MAX: u32 = 5;
/// Pause before the next landing, doubled with every landing made …
pub const LANDING_BACKOFF: Duration = Duration::from_secs(30);
/// … up to this: a target that somebody mends within the hour is landed on within the hour.
pub const LANDING_BACKOFF_MAX: Duration = minutes(30);
/// Tasks of one convoy: what one person can plan and follow.
pub const CONVOY_TASKS_MAX: usize = 50;
/// Time between two orders to stop the container: a stop takes a while to be seen.
pub const STOP_GAP: Duration = minutes(2);
/// Requests in one triage batch: one agent can hold so many matters in mind.
pub const TRIAGE_BATCH: usize = 20;
/// A failed triage batch is followed by the next one after this long: what broke it may pass.
pub const TRIAGE_GAP: Duration = Duration::from_secs(30);
/// Open automatic triage requests per rig (those raised by agents are not counted): triage must not feed itself.
pub const TRIAGE_OPEN: usize = 5;
/// Batches that may leave a triage request open before a person is asked.
pub const TRIAGE_ROUNDS: u32 = 2;
/// Notices of the town to the mayor within [`MAYOR_NOTICE_WINDOW`] that cost a turn of their own.
pub const MAYOR_NOTICES: usize = 6;
/// The sliding window of [`MAYOR_NOTICES`].
pub const MAYOR_NOTICE_WINDOW: Duration = hours(1);
/// Time between two notices to the mayor: what comes in a burst is told together.
pub const MAYOR_NOTICE_GAP: Duration = minutes(1);
/// An unanswered escalation is raised again this long after its creation.
pub const ESCALATION_RAISES: [Duration; 3] = [hours(4), hours(8), hours(12)];
/// A drain that has not ended by itself ends after this long.
pub const DRAIN_LIMIT: Duration = minutes(7);
/// The container's health is asked for this often while it should be running.
pub const HEALTH_EVERY: Duration = Duration::from_secs(15);
/// Pings in a row that a runtime may miss …
pub const PING_FAILURES: u32 = 3;
/// … over at least this long, before it is restarted; a restart is given as long to help.
pub const RESTART_AFTER: Duration = Duration::from_secs(60);
/// Restarts of a runtime within [`RESTARTS_WINDOW`]: what three do not heal a fourth does not.
pub const RESTARTS_MAX: u32 = 3;
/// The window of [`RESTARTS_MAX`].
pub const RESTARTS_WINDOW: Duration = minutes(30);
/// A start of the runtime of which nothing was heard for this long has failed: longer than a cold container takes.
pub const RUNTIME_START_LIMIT: Duration = minutes(3);
/// A rig with live work that has not reported for this long is asked.
pub const RIG_SILENT: Duration = minutes(2);
/// A rig's report names a session that was granted its slot this long before it, or does not know it (T7): grants and
/// reports cross on their way, but not for minutes.
pub const SLOT_RECLAIM: Duration = minutes(2);
/// Rows that are older than they are kept are dropped this often, while the town or rig is awake anyway.
pub const PRUNE_EVERY: Duration = hours(1);
/// Messages, escalations and mail of a town that are over are kept this long.
pub const TOWN_HISTORY_KEEP: Duration = days(30);
/// Spend by day and the audit log are kept this long: a quarter and a little, for people who compare.
pub const USAGE_KEEP: Duration = days(100);
/// How often the Account looks at its towns.
pub const ACCOUNT_WATCH: Duration = minutes(5);

// ── Fields of the API (api.md 1.3), in characters unless the name says otherwise ────────────────────────────────────

/// Town and rig names: they stand in lists and breadcrumbs.
pub const NAME_MAX: usize = 64;
/// Bead title, mail subject, convoy title: one line for people.
pub const TITLE_MAX: usize = 500;
/// Bead body and review feedback: the longest text that goes into a prompt whole.
pub const BODY_MAX: usize = 65_536;
/// Mail body.
pub const MAIL_BODY_MAX: usize = 20_000;
/// Labels of one bead.
pub const LABELS_MAX: usize = 32;
/// One label.
pub const LABEL_MAX: usize = 64;
/// Bytes of a metadata object or a checkpoint as JSON.
pub const METADATA_BYTES_MAX: usize = 64 * 1024;
/// Nesting of a metadata object or a checkpoint.
pub const METADATA_DEPTH_MAX: usize = 16;
/// A model id (models.md 3).
pub const MODEL_ID_MAX: usize = 200;
/// A branch name: it becomes a path on disk, and file systems stop at 255 bytes.
pub const BRANCH_MAX: usize = 200;
/// A repository URL.
pub const GIT_URL_MAX: usize = 2_048;
/// A rig's purpose: one paragraph in the mayor's prompt.
pub const PURPOSE_MAX: usize = 500;
/// A message to the mayor.
pub const MAYOR_MESSAGE_MAX: usize = 32_000;
/// `uiContext` of a mayor message and `context` of the dashboard.
pub const UI_CONTEXT_MAX: usize = 10_000;
/// An agent's status message, after trim: one line of a tile.
pub const STATUS_MESSAGE_MAX: usize = 280;
/// A nudge.
pub const NUDGE_MAX: usize = 4_000;
/// Steps of one molecule.
pub const MOLECULE_STEPS_MAX: usize = 50;
/// The summary of a molecule's step.
pub const MOLECULE_SUMMARY_MAX: usize = 5_000;
/// Tasks in one sling or convoy plan.
pub const SLING_TASKS_MAX: usize = 50;
/// `summary`, `reason`, `resolution_notes`.
pub const NOTE_MAX: usize = 5_000;
/// Ids in one bulk call.
pub const BULK_IDS_MAX: usize = 5_000;

// ── Requests and lists (api.md 1.1, 1.4, 1.6, 1.8) ──────────────────────────────────────────────────────────────────

/// Entries of a list when the caller names no limit.
pub const PAGE_DEFAULT: usize = 100;
/// Entries of a list at most; a larger wish is taken as this.
pub const PAGE_MAX: usize = 500;
/// An opaque paging cursor.
pub const CURSOR_MAX: usize = 2_048;
/// An `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_MAX: usize = 128;
/// A reply is kept for repeats of its key this long: longer than any client retries.
pub const IDEMPOTENCY_KEEP: Duration = days(1);
/// `X-Request-Id` of a client.
pub const REQUEST_ID_MAX: usize = 64;
/// How long one rig may take to answer its part of a list over several rigs.
pub const RIG_LIST_WAIT: Duration = Duration::from_secs(5);
/// Body of a request in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Body of an event batch of the runtime in bytes: transcripts are long.
pub const EVENT_BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Query string in bytes.
pub const QUERY_BYTES_MAX: usize = 8 * 1024;
/// Nesting of a JSON body: deeper bodies are attacks on the parser's stack.
pub const JSON_DEPTH_MAX: usize = 32;
/// Creating calls per minute of one user.
pub const RATE_USER_PER_MINUTE: u32 = 60;
/// Creating calls that one user may save up.
pub const RATE_USER_BURST: u32 = 120;
/// Creating calls per minute of the mayor or one agent: a convoy is slung task by task.
pub const RATE_AGENT_PER_MINUTE: u32 = 120;
/// Creating calls that the mayor or one agent may save up.
pub const RATE_AGENT_BURST: u32 = 240;
/// Sign-ins per minute from one address.
pub const RATE_SESSION_PER_MINUTE: u32 = 10;
/// Stream tickets per minute of one subject.
pub const RATE_TICKET_PER_MINUTE: u32 = 60;
/// Open event streams of one subject in one town: a wall of agents in a few tabs.
pub const STREAMS_PER_SUBJECT: usize = 24;
/// Open event streams of one town.
pub const STREAMS_PER_TOWN: usize = 200;
/// Tickets of one town that nobody has used yet.
pub const TICKETS_UNUSED_MAX: usize = 1_000;
/// A stream ticket lives this long: it is used at once or not at all.
pub const TICKET_LIFE: Duration = Duration::from_secs(60);
/// Live beads of one rig: all of them are held in memory.
pub const LIVE_BEADS_PER_RIG: usize = 5_000;
/// Rigs of one town.
pub const RIGS_PER_TOWN: usize = 100;
/// Live convoys of one town.
pub const LIVE_CONVOYS_PER_TOWN: usize = 500;

// ── Settings (api.md 5.2, 5.3): defaults and ranges ─────────────────────────────────────────────────────────────────

/// Live polecat assignments per rig, unless configured: two agents rarely collide, twenty do.
pub const POLECATS_PER_RIG: u32 = 2;
/// The most polecats that a rig may be given.
pub const POLECATS_PER_RIG_MAX: u32 = 50;
/// Live sessions of a town without the mayor's, unless configured.
pub const SESSIONS: u32 = 10;
/// The most sessions that a town may be given: one runtime's memory bounds it.
pub const SESSIONS_MAX: u32 = 200;
/// A spend is announced at this share of a budget, in percent, unless configured.
pub const BUDGET_WARN_PERCENT: u32 = 80;
/// The largest budget in US dollars: its micro-dollars still fit an integer of any JSON client.
pub const BUDGET_USD_MAX: f64 = 1_000_000_000.0;
/// The largest budget in tokens: the largest integer that every JSON client reads exactly.
pub const BUDGET_TOKENS_MAX: u64 = 9_007_199_254_740_991;
/// Gates of one rig.
pub const GATES_MAX: usize = 20;
/// One gate command.
pub const GATE_COMMAND_MAX: usize = 1_000;
/// A gate that runs longer is red, unless configured.
pub const GATE_TIMEOUT_MINUTES: u32 = 20;
/// The longest that one gate may be given.
pub const GATE_TIMEOUT_MINUTES_MAX: u32 = 120;
/// Minutes of unbroken green before a new town merges a pull request by itself: time for a late check to turn red.
pub const AUTO_MERGE_DELAY_NEW_TOWN_MINUTES: u32 = 5;
/// The longest such delay: a day.
pub const AUTO_MERGE_DELAY_MINUTES_MAX: u32 = 1_440;
/// Minutes without a live session before the container stops, unless configured.
pub const SLEEP_AFTER_MINUTES: u32 = 10;
/// The shortest sleep: shorter ones restart the container between two thoughts of a person.
pub const SLEEP_AFTER_MINUTES_MIN: u32 = 5;
/// The longest sleep.
pub const SLEEP_AFTER_MINUTES_MAX: u32 = 120;
/// Model overrides of a town.
pub const MODEL_OVERRIDES_MAX: usize = 100;
/// Environment variables of a town.
pub const ENV_VARS_MAX: usize = 100;
/// The name of an environment variable.
pub const ENV_NAME_MAX: usize = 128;
/// The value of an environment variable: with a hundred of them a process still starts.
pub const ENV_VALUE_MAX: usize = 8_192;
/// A git or gateway credential.
pub const CREDENTIAL_MAX: usize = 4_096;
/// A secret of at least this many characters shows its last [`SECRET_SHOWN`]; a shorter one would give too much away.
pub const SECRET_SHOWN_FROM: usize = 12;
/// The characters of a secret that are shown.
pub const SECRET_SHOWN: usize = 4;
/// The author name of commits.
pub const AUTHOR_NAME_MAX: usize = 128;
/// The author e-mail of commits, as long as an address may be.
pub const AUTHOR_EMAIL_MAX: usize = 254;
/// Custom instructions of one role: the last section of its prompt.
pub const INSTRUCTIONS_MAX: usize = 2_000;

// ── Relations that the rules rely on ────────────────────────────────────────────────────────────────────────────────

const fn longer(a: Duration, b: Duration) -> bool {
    a.as_millis() > b.as_millis()
}

const fn not_shorter(a: Duration, b: Duration) -> bool {
    a.as_millis() >= b.as_millis()
}

const _: () = {
    // Two heartbeats may be lost, and a question fits beside the lease that it follows.
    assert!(not_shorter(LEASE, Duration::from_millis(3 * HEARTBEAT.as_millis() as u64)));
    assert!(not_shorter(LEASE, PROBE) && longer(LEASE_CLONE, LEASE));
    // An order is repeated well inside the first lease; a start outlives the silence of a clone.
    assert!(longer(LEASE, START_REORDER) && longer(START_LIMIT, LEASE_CLONE));
    assert!(longer(LEASE, ALARM_LIVE) && longer(PROBE, ALARM_LIVE) && longer(START_REORDER, ALARM_LIVE));
    // Waits only grow, and they end before the breaker forgets.
    let mut at = 1;
    while at < BACKOFF.len() {
        assert!(longer(BACKOFF[at], BACKOFF[at - 1]));
        at += 1;
    }
    assert!(ATTEMPTS >= 1 && ATTEMPTS <= ATTEMPTS_MAX && REVIEW_ROUNDS >= 1 && REVIEW_ROUNDS <= REVIEW_ROUNDS_MAX);
    // A probe falls inside the window, so that its failure counts together with what opened the breaker.
    assert!(longer(BREAKER_RIG_WINDOW, BREAKER_PROBE) && longer(BREAKER_TOWN_WINDOW, BREAKER_PROBE));
    assert!(BREAKER_TOWN > BREAKER_RIG && not_shorter(BREAKER_TOWN_WINDOW, BREAKER_RIG_WINDOW));
    // Remind, escalate, stop, in this order; an idle session is asked and ended long before the first of them.
    assert!(longer(GUPP_ESCALATE, GUPP_REMIND) && longer(GUPP_STOP, GUPP_ESCALATE));
    assert!(longer(GUPP_REMIND, Duration::from_secs(IDLE_EXIT.as_secs() * (IDLE_NUDGES as u64 + 1))));
    assert!(longer(PR_DEGRADED, PR_POLL) && PR_TRANSIENT > PR_SHAPE);
    // A draining runtime has time to let every session wrap up; a stop is not ordered twice while one is under way.
    assert!(longer(DRAIN_LIMIT, FINISH_LIMIT) && not_shorter(STOP_GAP, FINISH_LIMIT));
    assert!(longer(RIG_SILENT, LEASE) && longer(RIG_SILENT, HEALTH_EVERY));
    // Every default lies in its range, and a page of the default size is a page.
    assert!(POLECATS_PER_RIG >= 1 && POLECATS_PER_RIG <= POLECATS_PER_RIG_MAX);
    assert!(SESSIONS >= POLECATS_PER_RIG && SESSIONS <= SESSIONS_MAX);
    assert!(GATE_TIMEOUT_MINUTES >= 1 && GATE_TIMEOUT_MINUTES <= GATE_TIMEOUT_MINUTES_MAX);
    assert!(AUTO_MERGE_DELAY_NEW_TOWN_MINUTES <= AUTO_MERGE_DELAY_MINUTES_MAX);
    assert!(SLEEP_AFTER_MINUTES >= SLEEP_AFTER_MINUTES_MIN && SLEEP_AFTER_MINUTES <= SLEEP_AFTER_MINUTES_MAX);
    assert!(PAGE_DEFAULT <= PAGE_MAX && PAGE_MAX <= BULK_IDS_MAX && BUDGET_WARN_PERCENT <= 100);
    // The largest fields fit into a body, and a body of the largest text fits beside its other fields.
    assert!(
        BODY_MAX * 4 < BODY_BYTES_MAX && METADATA_BYTES_MAX < BODY_BYTES_MAX && METADATA_DEPTH_MAX < JSON_DEPTH_MAX
    );
    assert!(BODY_BYTES_MAX < EVENT_BATCH_BYTES_MAX && STREAMS_PER_SUBJECT < STREAMS_PER_TOWN);
    assert!(SECRET_SHOWN * 2 < SECRET_SHOWN_FROM);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_back_off_repeats() {
        let waits: Vec<u64> = (0..8).map(|charges| backoff(charges).as_secs()).collect();
        assert_eq!(waits, [30, 30, 60, 120, 300, 600, 600, 600]);
        assert_eq!(backoff(u32::MAX), BACKOFF[BACKOFF.len() - 1]);
    }
}
