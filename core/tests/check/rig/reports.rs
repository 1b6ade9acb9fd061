//! What the runtime reports in the scenarios, from a word.

use gastown_core::rig::event::Over;
use gastown_core::session::{GateResult, GateStatus};

/// How a session ended.
pub(super) fn over(how: &str) -> Over {
    let words = format!("it was {how}");
    match how {
        "completed" => Over::Completed(words),
        "crashed" => Over::Crashed(words),
        "stopped" => Over::Stopped(words),
        "evicted" => Over::Evicted(words),
        kind => Over::Error { kind: kind.parse().unwrap(), message: words, retry_after: None },
    }
}

/// One gate that passed, or one that failed.
pub(super) fn gate_results(is_green: bool) -> Vec<GateResult> {
    let status = if is_green { GateStatus::Passed } else { GateStatus::Failed };
    let exit_code = Some(i32::from(!is_green));
    vec![GateResult { command: "make test".into(), status, exit_code, duration_ms: 5, output_tail: "1 failed".into() }]
}
