//! What the words of a status column mean.

/// What a log says of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Kept,
    Discarded,
    Crashed,
    /// It ended; whether it was kept is not said.
    Ended,
    /// It was stopped early: its value is not that of a whole run.
    Stopped,
    /// It has not ended.
    Open,
}

/// The meaning of a word such as `keep`, `FINISHED`, `OOM`; `None` if it is none of those known.
///
/// `flag`: the column's name asks whether the row was kept (`kept`, `accepted`), so that yes and no are answers.
pub(super) fn said(word: &str, flag: bool) -> Option<Said> {
    let word: String = word.trim().to_lowercase();
    // Optuna writes TrialState.COMPLETE in some exports.
    let word = word.rsplit('.').next().unwrap_or_default().replace(['_', '-'], " ");
    if flag {
        match word.as_str() {
            "true" | "yes" | "y" | "1" | "1.0" => return Some(Said::Kept),
            "false" | "no" | "n" | "0" | "0.0" => return Some(Said::Discarded),
            _ => {}
        }
    }
    Some(match word.as_str() {
        "keep" | "kept" | "accept" | "accepted" | "merge" | "merged" | "improved" | "improvement"
        | "improve" | "better" | "best" | "new best" | "adopted" | "commit" | "committed" | "baseline" => {
            Said::Kept
        }
        "discard" | "discarded" | "reject" | "rejected" | "revert" | "reverted" | "drop" | "dropped"
        | "worse" | "no improvement" | "not improved" | "undo" | "undone" | "held back" | "set aside"
        | "neutral" | "regressed" | "regression" => Said::Discarded,
        "crash" | "crashed" | "fail" | "failed" | "failure" | "error" | "errored" | "oom"
        | "out of memory" | "timeout" | "timed out" | "invalid" | "buggy" | "aborted" | "abort"
        | "killed" | "nan" | "diverged" => Said::Crashed,
        "finished" | "finish" | "complete" | "completed" | "done" | "ok" | "success" | "succeeded"
        | "terminated" | "ended" => Said::Ended,
        "pruned" | "stopped" | "early stopped" | "preempted" | "cancelled" | "canceled" => Said::Stopped,
        "running" | "pending" | "waiting" | "queued" | "scheduled" | "paused" | "in progress" | "started" => {
            Said::Open
        }
        _ => return None,
    })
}

/// Whether the name of a column asks if a row was kept.
pub(super) fn is_flag(name: &str) -> bool {
    super::names::tokens(name).iter().any(|t| {
        matches!(
            t.as_str(),
            "kept" | "keep" | "accepted" | "accept" | "improved" | "merged" | "adopted" | "is_best"
        )
    })
}
