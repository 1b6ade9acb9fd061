//! Every wait, cap and size of the runtime, each with its reason (container.md 16).

use std::time::Duration;

/// Longest time a call to kilo may take; its routes answer at once, only prompts run on.
pub const KILO_CALL: Duration = Duration::from_secs(10);
/// One early call to kilo, which may hang for ever and is then repeated.
pub const KILO_EARLY_CALL: Duration = Duration::from_secs(3);
/// After an accepted first prompt something must happen within this time; else it is looked for.
pub const PROMPT_QUIET: Duration = Duration::from_secs(20);
/// Longest bodies of the control API and of calls that an agent makes.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// How long attach waits for the town to become ready, so that the order after it is not refused; inside the 2 s that
/// every control reply must meet.
pub const ATTACH_WAIT: Duration = Duration::from_secs(1);
/// Time between heartbeats, unless the Worker asks for another.
pub const HEARTBEAT: Duration = Duration::from_secs(30);
/// Early heartbeats come at most this often.
pub const HEARTBEAT_EARLY_MIN: Duration = Duration::from_secs(2);
/// A cold clone of a large repository.
pub const CLONE_MAX: Duration = Duration::from_secs(15 * 60);
/// Making a worktree and restoring saved work.
pub const WORKTREE_MAX: Duration = Duration::from_secs(120);
/// A cold start of kilo takes 6 s at worst.
pub const BOOT_MAX: Duration = Duration::from_secs(60);
/// One local git command; a hung one must not hold a rig.
pub const GIT_COMMAND: Duration = Duration::from_secs(60);
/// One fetch or push over the network.
pub const GIT_NETWORK: Duration = Duration::from_secs(10 * 60);
/// Output of one git command that is kept.
pub const GIT_OUTPUT_MAX: usize = 1 << 20;
/// A burst of starts shares one fetch.
pub const FETCH_FRESH: Duration = Duration::from_secs(5);
/// First bytes of a gate's output that are kept.
pub const GATE_HEAD: usize = 2 << 10;
/// Last bytes of a gate's output that are kept; with the first ones a fact stays bounded.
pub const GATE_TAIL: usize = 14 << 10;
/// A queued prompt makes a short idle; a longer one is real.
pub const IDLE_SETTLE: Duration = Duration::from_secs(1);
/// Three missed beats of kilo's event stream.
pub const STREAM_SILENCE: Duration = Duration::from_secs(30);
/// Window of the restart budget.
pub const RESTART_WINDOW: Duration = Duration::from_secs(600);
/// Restarts in the window; a crash loop is news for the Worker.
pub const RESTARTS: usize = 2;
/// The mayor's restarts in the window; nobody else can take its place.
pub const RESTARTS_MAYOR: usize = 3;
/// A crash this soon after readiness, twice, is not worth a third try.
pub const CRASH_EARLY: Duration = Duration::from_secs(5);
/// A stop with saving; below the Worker's FINISH_LIMIT of 2 min.
pub const STOP_MAX: Duration = Duration::from_secs(75);
/// How long an aborted turn may take to become idle.
pub const ABORT_WAIT: Duration = Duration::from_secs(5);
/// How long a turn may go on after its result was accepted.
pub const RESULT_GRACE: Duration = Duration::from_secs(10);
/// Between SIGTERM and SIGKILL.
pub const TERM_WAIT: Duration = Duration::from_secs(5);
/// Continuations after transient errors; then the Worker's back-off is better.
pub const ERROR_CONTINUES: u32 = 2;
/// Waiting messages of one agent.
pub const INBOX_MAX: usize = 500;
/// Message ids that are remembered per agent; repeats come soon.
pub const MESSAGE_MEMORY: usize = 5_000;
/// Messages of one push.
pub const MESSAGES_PER_PUSH: usize = 50;
/// Pushes of one merge job; each runs the gates again.
pub const MERGE_RETRIES: u32 = 3;
/// Saving as a whole, inside STOP_MAX.
pub const SAVE_MAX: Duration = Duration::from_secs(45);
/// One push while saving.
pub const SAVE_PUSH: Duration = Duration::from_secs(30);
/// Largest untracked file that is saved: source, not artefacts.
pub const SAVED_FILE_MAX: u64 = 10 << 20;
/// All untracked files that are saved.
pub const SAVED_TOTAL_MAX: u64 = 100 << 20;
/// Model requests at the same time: main, title, two sub-agents.
pub const LLM_PARALLEL: usize = 4;
/// Model requests of one session in [`LLM_BURST_WINDOW`]; an endless loop makes 40 per second.
pub const LLM_BURST: usize = 120;
/// Window of LLM_BURST.
pub const LLM_BURST_WINDOW: Duration = Duration::from_secs(60);
/// First byte and every pause of a model's answer: slow models think, dead ones do not.
pub const LLM_STALL: Duration = Duration::from_secs(120);
/// Failures in a row after which the proxy answers with a status that kilo does not repeat.
pub const LLM_FAILURES: u32 = 6;
/// Or this long without any success.
pub const LLM_FAILING_MAX: Duration = Duration::from_secs(300);
/// Images make large requests.
pub const LLM_BODY_MAX: usize = 32 << 20;
/// One try of a call to the Worker.
pub const WORKER_TRY: Duration = Duration::from_secs(20);
/// A tool call must answer.
pub const BROKER_CALL: Duration = Duration::from_secs(60);
/// Waits between the tries of a tool call.
pub const BROKER_BACKOFF_MS: [u64; 5] = [500, 1_000, 2_000, 4_000, 8_000];
/// How long the outbox may take to empty before a result is forwarded, so that `pushed` comes first.
pub const RESULT_FLUSH: Duration = Duration::from_secs(2);
/// Live view of a transcript.
pub const EVENT_FLUSH: Duration = Duration::from_millis(500);
/// Transcript events of one session that wait to be sent.
pub const EVENT_RING: usize = 5_000;
/// Transcript events of one call.
pub const EVENTS_PER_CALL: usize = 500;
/// Last words of a crash.
pub const LOG_RING: usize = 2_000;
/// Outbox in memory and on disk: days of facts.
pub const OUTBOX_BYTES_MAX: usize = 64 << 20;
/// Facts of one call.
pub const FACTS_PER_CALL: usize = 200;
/// Outcomes of one call.
pub const OUTCOMES_PER_CALL: usize = 100;
/// Ended sessions and jobs that stay readable.
pub const ENDED_KEEP: usize = 1_000;
/// Without the Worker for this long, idle sessions end: deploys are shorter.
pub const UNREACHABLE_MAX: Duration = Duration::from_secs(15 * 60);
/// The mayor's checkouts are looked at again when older than this and somebody writes.
pub const DESK_FRESH: Duration = Duration::from_secs(60);
/// A turn may finish before the mayor's model is changed.
pub const SWAP_WAIT: Duration = Duration::from_secs(60);
/// Without the Worker for this long, every session is saved and ended.
pub const UNREACHABLE_END: Duration = Duration::from_secs(60 * 60);
/// After the end of a session its capability is answered with `stale_assignment` this long.
pub const CAPABILITY_GRACE: Duration = Duration::from_secs(600);
/// Credentials are asked for again after this.
pub const CREDENTIAL_CACHE: Duration = Duration::from_secs(600);
/// And this long before they end.
pub const CREDENTIAL_MARGIN: Duration = Duration::from_secs(300);
/// Ports that are tried for one server.
pub const PORT_TRIES: u32 = 3;
/// Memory and disk of sessions are looked at this often.
pub const SAMPLE: Duration = Duration::from_secs(5);
/// Free disk that a start needs.
pub const DISK_FREE_MIN: u64 = 2 << 30;
